package trust

import (
	"cmp"
	"slices"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// ForRepository returns the statement that applies to artifacts of a
// repository: the one that names it exactly, else the one for *.
//
// scope is the fully qualified name that oci.Reference.Name returns. It may be
// empty for an artifact of an image layout that was given no scope; only * then
// applies. Any other text is an error with code policy.scope.
//
// If no statement applies, the error has code policy.no-statement. If the scope
// is another spelling of one that a statement names exactly, the code is
// policy.scope-alias: falling back to * there would let whoever writes the
// reference choose between two statements.
func (p *Policy) ForRepository(scope string) (*Statement, error) {
	if p.Kind() != OCIPolicy {
		return nil, p.wrongKind("artifacts of a registry")
	}
	if s := p.byScope[scope]; s != nil {
		return s, nil
	}
	if scope == "" {
		if p.fallback == nil {
			return nil, reason.Errorf(reason.PolicyNoStatement, "no statement of the trust policy applies: the artifact has no scope and no statement holds for *").
				WithHint("say with --scope which repository the artifact belongs to")
		}
		return p.fallback, nil
	}
	if err := checkScope(scope); err != nil {
		return nil, err
	}
	if known, ok := p.byEndpoint[endpointOf(scope)]; ok {
		return nil, reason.Errorf(reason.PolicyScopeAlias, "%s is another spelling of %s, which %s names",
			show(scope), show(known), p.byScope[known]).
			WithHint("use %s in the reference, or add the scope %s to the trust policy", known, scope)
	}
	if p.fallback != nil {
		return p.fallback, nil
	}
	hint := `add "` + scope + `" to the registryScopes of a statement` + p.inFile()
	if near := p.nearScopes(scope); len(near) > 0 {
		hint += "; it names " + list(near)
	}
	return nil, reason.Errorf(reason.PolicyNoStatement, "no statement of the trust policy applies to %s", show(scope)).WithHint("%s", hint)
}

// ForBlob returns the statement of that name, or the global one for "". If
// there is none, the error has code policy.no-statement.
func (p *Policy) ForBlob(name string) (*Statement, error) {
	if p.Kind() != BlobPolicy {
		return nil, p.wrongKind("blobs")
	}
	if name == "" {
		if p.fallback == nil {
			return nil, reason.Errorf(reason.PolicyNoStatement, "the trust policy has no global statement").
				WithHint(`name a statement with --policy-name, or set "globalPolicy": true in one%s`, p.inFile())
		}
		return p.fallback, nil
	}
	if s := p.byName[name]; s != nil {
		return s, nil
	}
	hint := "name a statement that is there, or add one" + strings.Replace(p.inFile(), " of ", " to ", 1)
	if near := p.nearNames(name); len(near) > 0 {
		hint += "; it has " + list(near)
	}
	return nil, reason.Errorf(reason.PolicyNoStatement, "the trust policy has no statement %s", show(name)).WithHint("%s", hint)
}

func (p *Policy) wrongKind(subject string) error {
	if p.Kind() == 0 {
		return reason.Errorf(reason.PolicyNoStatement, "there is no trust policy for %s", subject).
			WithHint("write one; specs/trust-policy.md shows how")
	}
	return reason.Errorf(reason.PolicyNoStatement, "the trust policy %s is of kind %s and says nothing about %s", plain(p.file), p.kind, subject).
		WithHint("artifacts are judged by trustpolicy.oci.json, blobs by trustpolicy.blob.json")
}

func (p *Policy) inFile() string {
	if p.file == "" {
		return ""
	}
	return " of " + plain(p.file)
}

// nearScopes returns the scopes that a user most likely meant.
func (p *Policy) nearScopes(scope string) []string {
	var all []string
	for _, s := range p.statements {
		all = append(all, s.doc.RegistryScopes...)
	}
	_, repository, _ := strings.Cut(scope, "/")
	return nearest(all, func(other string) int {
		_, otherRepository, _ := strings.Cut(other, "/")
		if repository == otherRepository {
			return 1 // the same repository of another host
		}
		return distance(scope, other)
	})
}

// nearNames returns the statement names that a user most likely meant.
func (p *Policy) nearNames(name string) []string {
	var all []string
	for _, s := range p.statements {
		all = append(all, s.doc.Name)
	}
	return nearest(all, func(other string) int {
		if strings.EqualFold(name, other) {
			return 0
		}
		return distance(name, other)
	})
}

// farAway is a distance at which two texts are no longer offered as near.
const farAway = 3

// nearest returns at most maxNearMisses of all whose rank is below farAway, the
// lowest first.
func nearest(all []string, rank func(string) int) []string {
	type ranked struct {
		text string
		rank int
	}
	var near []ranked
	for _, text := range all {
		if r := rank(text); r < farAway {
			near = append(near, ranked{text, r})
		}
	}
	slices.SortStableFunc(near, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	var texts []string
	for _, n := range near[:min(len(near), maxNearMisses)] {
		texts = append(texts, n.text)
	}
	return texts
}

// distance returns how far apart two texts are: 1 if one begins with the
// other, else the number of bytes to insert, delete or replace, or farAway if
// that is as much or more.
func distance(a, b string) int {
	if strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
		return 1
	}
	if len(a)-len(b) >= farAway || len(b)-len(a) >= farAway {
		return farAway
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		best := row[0]
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
			best = min(best, row[j+1])
		}
		if best >= farAway {
			return farAway
		}
	}
	return min(row[len(b)], farAway)
}

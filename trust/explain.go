package trust

import (
	"fmt"

	"github.com/notaryv2/notation/reason"
)

// Explanation says whether one statement applies and why.
type Explanation struct {
	Statement *Statement
	Where     string // file and line of the statement
	Applies   bool
	Why       string // one sentence, without its full stop
}

// Explain says of every statement, in the order of the file, whether it
// applies. For an OCI policy, scope is as in [Policy.ForRepository]; for a blob
// policy it is a statement's name or "", as in [Policy.ForBlob]. At most one
// statement applies. The error is that of these methods; the explanations are
// there all the same unless scope is no scope at all.
func (p *Policy) Explain(scope string) ([]Explanation, error) {
	applies, why := p.ForRepository, p.whyScope
	if p.Kind() == BlobPolicy {
		applies, why = p.ForBlob, p.whyBlob
	}
	chosen, err := applies(scope)
	if reason.Of(err) == reason.PolicyScope {
		return nil, err
	}
	var all []Explanation
	for _, s := range p.Statements() {
		all = append(all, Explanation{
			Statement: s,
			Where:     place(p.file, s.line, ""),
			Applies:   s == chosen,
			Why:       why(s, chosen, scope),
		})
	}
	return all, err
}

func (p *Policy) whyScope(s, chosen *Statement, scope string) string {
	switch {
	case s == chosen && s == p.fallback && scope == "":
		return "it holds for *, and the artifact has no scope of its own"
	case s == chosen && s == p.fallback:
		return fmt.Sprintf("it holds for *, and no statement names %s", show(scope))
	case s == chosen:
		return fmt.Sprintf("it names %s exactly", show(scope))
	case s == p.fallback && chosen != nil:
		return fmt.Sprintf("it holds for *, but %s names the repository exactly", chosen)
	case s == p.fallback:
		return "it holds for *, but the scope is another spelling of one that a statement names"
	case scope == "":
		return "it names repositories, and the artifact has no scope"
	}
	if len(s.doc.RegistryScopes) == 1 {
		return fmt.Sprintf("it names only %s", show(s.doc.RegistryScopes[0]))
	}
	return fmt.Sprintf("none of its %d scopes is %s", len(s.doc.RegistryScopes), show(scope))
}

func (p *Policy) whyBlob(s, chosen *Statement, name string) string {
	switch {
	case s == chosen && name == "":
		return "it is the global statement, and no other was asked for"
	case s == chosen:
		return "it was asked for by name"
	case name == "":
		return "it is not global and was not asked for by name"
	default:
		return fmt.Sprintf("%s was asked for", show(name))
	}
}

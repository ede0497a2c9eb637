package trust

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

const (
	version10 = "1.0"
	version11 = "1.1" // 1.0 and signatureVerification.indexCovers
	anyScope  = "*"

	specHint = "specs/trust-policy.md describes the file"
)

// ParsePolicy reads an OCI trust policy, version 1.0 or 1.1, of at most 1 MiB.
// file is used in errors only and may be empty.
//
// The JSON is read strictly: members given twice, unknown, or in another case
// are errors. Then every rule of specs/trust-policy.md is checked. The error
// joins one *reason.Error for each fault, at most 20, whose codes begin with
// "policy." and whose messages begin with file, line and member:
//
//	trustpolicy.oci.json:12: trustPolicies[1].registryScopes[0]: ...
func ParsePolicy(file string, data []byte) (*Policy, error) { return parse(OCIPolicy, file, data) }

// ParseBlobPolicy reads a blob trust policy, version 1.0 or 1.1, as
// [ParsePolicy] does for OCI artifacts.
func ParseBlobPolicy(file string, data []byte) (*Policy, error) {
	return parse(BlobPolicy, file, data)
}

func parse(kind Kind, file string, data []byte) (*Policy, error) {
	if len(data) > maxPolicyBytes {
		return nil, reason.Errorf(reason.PolicyTooLarge, "%s: the policy is larger than %d bytes", place(file, 0, ""), maxPolicyBytes).
			WithHint("trust one * scope, or remove statements that are not used")
	}
	data = bytes.Clone(data) // the caller may change its own
	probs := &problems{file: file, data: data}
	doc, err := decode(kind, data)
	if err != nil {
		if version := versionOf(data); version != "" && !isVersion(version) {
			probs.version(version) // which explains the members that are not known
		} else {
			probs.syntax(kind, err)
		}
		return nil, probs.err()
	}
	if !isVersion(doc.Version) {
		probs.version(doc.Version)
		return nil, probs.err() // the rules of another version are not ours to judge
	}
	all := pointer("").to("trustPolicies")
	if len(doc.Statements) == 0 {
		probs.add(all, reason.PolicyEmpty, "add at least one statement; without any, nothing is trusted", "the policy has no statement")
	}
	if len(doc.Statements) > maxStatements {
		probs.add(all, reason.PolicyTooLarge, "remove statements that are not used", "the policy has more than %d statements", maxStatements)
		return nil, probs.err()
	}
	b := newBuilder(kind, doc.Version, probs)
	for i, s := range doc.Statements {
		b.statement(i, s)
	}
	if err := probs.err(); err != nil {
		return nil, err
	}
	for i, line := range statementLines(data) {
		b.policy.statements[i].line = line
	}
	return b.policy, nil
}

// statementLines returns the line in which each statement begins. data is a
// well-formed policy, so that statements are the objects two levels deep.
func statementLines(data []byte) []int {
	var lines []int
	line, depth, inString := 1, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\n':
			line++
		case inString:
			if c == '\\' {
				i++
			}
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth == 2 {
				lines = append(lines, line)
			}
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return lines
}

// file is a policy file. Its two kinds of statements are types of their own, so
// that a member of the one is unknown in the other.
type file[S interface{ document() StatementDocument }] struct {
	Version       string `json:"version"`
	TrustPolicies []S    `json:"trustPolicies"`
}

type ociStatement struct {
	Name                  string       `json:"name"`
	RegistryScopes        []string     `json:"registryScopes"`
	SignatureVerification verification `json:"signatureVerification"`
	TrustStores           []string     `json:"trustStores"`
	TrustedIdentities     []string     `json:"trustedIdentities"`
}

func (s ociStatement) document() StatementDocument {
	return StatementDocument{
		Name: s.Name, RegistryScopes: s.RegistryScopes, SignatureVerification: s.SignatureVerification.document(),
		TrustStores: s.TrustStores, TrustedIdentities: s.TrustedIdentities,
	}
}

type blobStatement struct {
	Name                  string       `json:"name"`
	SignatureVerification verification `json:"signatureVerification"`
	TrustStores           []string     `json:"trustStores"`
	TrustedIdentities     []string     `json:"trustedIdentities"`
	GlobalPolicy          bool         `json:"globalPolicy"`
}

func (s blobStatement) document() StatementDocument {
	return StatementDocument{
		Name: s.Name, SignatureVerification: s.SignatureVerification.document(),
		TrustStores: s.TrustStores, TrustedIdentities: s.TrustedIdentities, GlobalPolicy: s.GlobalPolicy,
	}
}

// verification is a VerificationDocument of a file, and tells a member of version
// 1.1 that is empty from one that is not there.
type verification struct {
	Level           string            `json:"level"`
	Override        map[string]string `json:"override"`
	VerifyTimestamp string            `json:"verifyTimestamp"`
	IndexCovers     word              `json:"indexCovers"`
}

// word is a JSON string that may be absent, but not null and not taken for absent
// when it is empty.
type word struct {
	given bool
	text  string
}

// UnmarshalText is called for JSON strings and nothing else.
func (w *word) UnmarshalText(text []byte) error {
	*w = word{true, string(text)}
	return nil
}

func (v verification) document() VerificationDocument {
	covers := v.IndexCovers
	return VerificationDocument{
		Level: v.Level, Override: v.Override, VerifyTimestamp: v.VerifyTimestamp,
		IndexCovers: covers.text, coversEmpty: covers.given && covers.text == "",
	}
}

func decode(kind Kind, data []byte) (Document, error) {
	if kind == BlobPolicy {
		return decodeFile[blobStatement](data)
	}
	return decodeFile[ociStatement](data)
}

func decodeFile[S interface{ document() StatementDocument }](data []byte) (Document, error) {
	var f file[S]
	if err := strictjson.Unmarshal(data, &f); err != nil {
		return Document{}, err
	}
	d := Document{Version: f.Version}
	for _, s := range f.TrustPolicies {
		d.Statements = append(d.Statements, s.document())
	}
	return d, nil
}

// versionOf returns the version of a policy that does not parse, or "".
func versionOf(data []byte) string {
	var head struct {
		Version string `json:"version"`
	}
	if strictjson.UnmarshalOpen(data, &head) != nil {
		return ""
	}
	return head.Version
}

// syntax records an error of the JSON reader, which knows its own line.
func (p *problems) syntax(kind Kind, err error) {
	e := reason.Errorf(reason.PolicySyntax, "%s: %s", place(p.file, 0, ""), "the policy cannot be read")
	e.Err = err
	e.Hint = specHint
	if js, ok := errors.AsType[*strictjson.Error](err); ok {
		e.Message = place(p.file, js.Line, pointer(js.Pointer)) + ": " + js.Message
		e.Err = nil // its text would repeat the message
		e.Hint = syntaxHint(kind, js)
	}
	p.errs = append(p.errs, e)
}

// syntaxHint says which members a place may have.
func syntaxHint(kind Kind, e *strictjson.Error) string {
	if !errors.Is(e, strictjson.ErrUnknown) {
		return specHint
	}
	tokens := strings.Split(e.Pointer, "/")
	switch {
	case len(tokens) == 1:
		return "the members of a policy are version and trustPolicies, written exactly so"
	case len(tokens) == 3 && kind == BlobPolicy:
		return "the members of a blob statement are name, signatureVerification, trustStores, trustedIdentities and globalPolicy, written exactly so"
	case len(tokens) == 3:
		return "the members of a statement are name, registryScopes, signatureVerification, trustStores and trustedIdentities, written exactly so"
	case kind == BlobPolicy:
		return "the members of signatureVerification are level, override and verifyTimestamp, written exactly so"
	default:
		return "the members of signatureVerification are level, override and verifyTimestamp, and in version 1.1 indexCovers, written exactly so"
	}
}

func (p *problems) version(version string) {
	at := pointer("").to("version")
	if version == "" {
		p.add(at, reason.PolicyVersion, `add "version": "1.0"`, "the policy has no version")
		return
	}
	p.add(at, reason.PolicyVersion, `write "version": "1.0", or use a release that knows the other version`,
		"version %s is not supported, only %q and %q are", show(version), version10, version11)
}

// isVersion reports whether the rules of a version are known here.
func isVersion(version string) bool { return version == version10 || version == version11 }

// builder turns the statements of a file into rules.
type builder struct {
	*problems
	policy     *Policy
	fallbackAt pointer // where policy.fallback was found
}

func newBuilder(kind Kind, version string, probs *problems) *builder {
	return &builder{problems: probs, policy: &Policy{
		kind:       kind,
		version:    version,
		file:       probs.file,
		data:       probs.data,
		byName:     map[string]*Statement{},
		byScope:    map[string]*Statement{},
		byEndpoint: map[string]string{},
	}}
}

// statement checks one statement and adds it to the policy.
func (b *builder) statement(index int, doc StatementDocument) {
	s := &Statement{index: index, doc: doc.clone()}
	b.name(s)
	b.level(s)
	if b.policy.kind == BlobPolicy {
		b.global(s)
	} else {
		b.scopes(s)
	}
	b.verifyTimestamp(s)
	b.indexCovers(s)
	if s.level == SkipAll {
		b.skip(s)
	} else {
		b.override(s)
		b.stores(s)
		b.identities(s)
	}
	b.policy.statements = append(b.policy.statements, s)
}

func (b *builder) name(s *Statement) {
	at := s.pointer("name")
	name := s.doc.Name
	switch other := b.policy.byName[name]; {
	case strings.TrimSpace(name) == "":
		b.add(at, reason.PolicyName, "give each statement a name of its own; verdicts refer to it", "the statement has no name")
		return
	case len(name) > maxNameBytes:
		b.add(at, reason.PolicyName, "choose a shorter name", "the name is longer than %d bytes", maxNameBytes)
		return
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		b.add(at, reason.PolicyName, "use printable characters only", "the name %s holds characters that cannot be printed", show(name))
		return
	case other != nil:
		b.add(at, reason.PolicyName, "give each statement a name of its own", "the name %s is taken by %s", show(name), b.member(other.pointer()))
		return
	}
	b.policy.byName[name] = s
}

// member names a place of the same policy by member and line. It is "" once no
// further problem is listed: finding the line means reading the whole file.
func (p *problems) member(at pointer) string {
	if len(p.errs) >= maxProblems {
		return ""
	}
	line, _ := strictjson.Position(p.data, string(at))
	return fmt.Sprintf("%s (line %d)", at, line)
}

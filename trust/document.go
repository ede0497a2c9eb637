package trust

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// Document is a trust policy as its file has it: strings that nothing has
// checked. It is for programs that write policies; those that apply them use
// [Policy]. [Document.Encode] checks it.
type Document struct {
	Version    string              `json:"version"`
	Statements []StatementDocument `json:"trustPolicies"`
}

// StatementDocument is one statement of a Document.
type StatementDocument struct {
	Name                  string               `json:"name"`
	RegistryScopes        []string             `json:"registryScopes,omitempty"` // OCI policies only
	SignatureVerification VerificationDocument `json:"signatureVerification"`
	TrustStores           []string             `json:"trustStores,omitempty"`       // TYPE:NAME
	TrustedIdentities     []string             `json:"trustedIdentities,omitempty"` // see ParseIdentity
	GlobalPolicy          bool                 `json:"globalPolicy,omitzero"`       // blob policies only
}

// VerificationDocument says how a statement verifies.
type VerificationDocument struct {
	Level           string            `json:"level"`
	Override        map[string]string `json:"override,omitempty"` // check: action
	VerifyTimestamp string            `json:"verifyTimestamp,omitempty"`
	// IndexCovers is "itself", the default, or "manifests", and takes version
	// 1.1 and an OCI policy; see [Document.CoverManifests].
	IndexCovers string `json:"indexCovers,omitempty"`

	coversEmpty bool // the file says "", which is no word for anything
}

// starterName is the name of the statement of a starter policy.
const starterName = "starter"

// Starter returns the policy that a first use may begin with: one strict
// statement for every repository (or, for blobs, the global one) that trusts
// anyone whom the given stores vouch for. The same stores always give the same
// document.
func Starter(kind Kind, stores ...StoreRef) Document {
	s := StatementDocument{
		Name:                  starterName,
		SignatureVerification: VerificationDocument{Level: Strict.String()},
		TrustedIdentities:     []string{anyIdentity},
	}
	if kind == BlobPolicy {
		s.GlobalPolicy = true
	} else {
		s.RegistryScopes = []string{anyScope}
	}
	for _, ref := range stores {
		s.TrustStores = append(s.TrustStores, ref.String())
	}
	return Document{Version: version10, Statements: []StatementDocument{s}}
}

// CoverManifests returns the document with version 1.1, in which the signature
// of an index covers the manifests that it lists, for every statement that
// verifies anything. d is left alone.
func (d Document) CoverManifests() Document {
	out := Document{Version: version11}
	for _, s := range d.Statements {
		s = s.clone()
		if s.SignatureVerification.Level != SkipAll.String() {
			s.SignatureVerification.IndexCovers = coversManifests
		}
		out.Statements = append(out.Statements, s)
	}
	return out
}

// Policy checks the document as a policy of that kind. Lines in its errors are
// those of the encoded document; file may be empty.
func (d Document) Policy(kind Kind, file string) (*Policy, error) {
	_, p, err := d.encode(kind, file)
	return p, err
}

// Encode returns the document as the text of a policy file, indented by two
// spaces, always the same for the same document. The text has been parsed
// again: one that [ParsePolicy] or [ParseBlobPolicy] would refuse is never
// returned, and the error is theirs.
func (d Document) Encode(kind Kind) ([]byte, error) {
	data, _, err := d.encode(kind, "")
	return data, err
}

func (d Document) encode(kind Kind, file string) ([]byte, *Policy, error) {
	var b bytes.Buffer
	text, err := strictjson.Marshal(d)
	if err == nil {
		err = json.Indent(&b, text, "", "  ")
	}
	if err != nil {
		return nil, nil, reason.Wrap(reason.PolicySyntax, err, "%s cannot be encoded", place(file, 0, "")).
			WithHint("names must be valid UTF-8")
	}
	b.WriteByte('\n')
	p, err := parse(kind, file, b.Bytes())
	if err != nil {
		return nil, nil, err
	}
	return b.Bytes(), p, nil
}

// clone returns a copy that shares nothing with s.
func (s StatementDocument) clone() StatementDocument {
	s.RegistryScopes = slices.Clone(s.RegistryScopes)
	s.TrustStores = slices.Clone(s.TrustStores)
	s.TrustedIdentities = slices.Clone(s.TrustedIdentities)
	s.SignatureVerification.Override = maps.Clone(s.SignatureVerification.Override)
	return s
}

package trust

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/notaryv2/notation/internal/strictjson"
)

// Policy is a parsed trust policy, immutable. The zero value, like nil, has no
// statement and so trusts nothing.
type Policy struct {
	kind       Kind
	version    string
	file       string
	data       []byte // as parsed, for the line numbers of Lint
	statements []*Statement
	byName     map[string]*Statement
	byScope    map[string]*Statement // exact scopes
	byEndpoint map[string]string     // endpoint of a scope: the scope
	fallback   *Statement            // for scope *, or the global one; nil: none
}

// Kind returns whether the policy is about OCI artifacts or blobs.
func (p *Policy) Kind() Kind {
	if p == nil {
		return 0
	}
	return p.kind
}

// Version returns the version of the file's schema, "1.0" or "1.1".
func (p *Policy) Version() string {
	if p == nil || p.version == "" {
		return version10
	}
	return p.version
}

// File returns the name that the policy was parsed under.
func (p *Policy) File() string {
	if p == nil {
		return ""
	}
	return p.file
}

// Statements returns all statements in the order of the file.
func (p *Policy) Statements() []*Statement {
	if p == nil {
		return nil
	}
	return slices.Clone(p.statements)
}

// Document returns the policy in the form that can be changed and encoded
// again. It shares nothing with p.
func (p *Policy) Document() Document {
	d := Document{Version: p.Version()}
	for _, s := range p.Statements() {
		d.Statements = append(d.Statements, s.doc.clone())
	}
	return d
}

// where returns file, line and member of a place in the policy.
func (p *Policy) where(at pointer) string {
	line, _ := strictjson.Position(p.data, string(at))
	return place(p.file, line, at)
}

// Statement is one statement of a policy, immutable.
type Statement struct {
	index           int               // in the file, from 0
	line            int               // in the file, from 1
	doc             StatementDocument // as written
	level           Level
	actions         actions
	afterCertExpiry bool
	stores          []StoreRef
	identities      []Identity

	indexCoversManifests bool
}

// Name returns the statement's name, unique in its policy.
func (s *Statement) Name() string { return s.doc.Name }

// Scopes returns the repositories that the statement names, or "*" alone. It
// is empty for a statement about blobs.
func (s *Statement) Scopes() []string { return slices.Clone(s.doc.RegistryScopes) }

// Global reports whether the statement holds for blobs that name no other.
func (s *Statement) Global() bool { return s.doc.GlobalPolicy }

// Level returns the verification level before any override.
func (s *Statement) Level() Level { return s.level }

// Action returns what a failure of a check leads to: the level's action unless
// the statement overrides it. It is Enforce for a value that is no check.
func (s *Statement) Action(c Check) Action {
	if int(c) >= len(s.actions) {
		return Enforce
	}
	return s.actions[c]
}

// TimestampAfterCertExpiry reports whether time stamps are looked at only when
// a certificate of the chain has expired. The default is always.
func (s *Statement) TimestampAfterCertExpiry() bool { return s.afterCertExpiry }

// IndexCoversManifests reports whether a manifest that an index lists passes if
// the index does, without a signature of its own (version 1.1, indexCovers). The
// default is no: the signature of an index covers itself only.
func (s *Statement) IndexCoversManifests() bool { return s.indexCoversManifests }

// Stores returns the trust stores in the order of the file. With types, it
// returns only those of these types.
func (s *Statement) Stores(types ...StoreType) []StoreRef {
	if len(types) == 0 {
		return slices.Clone(s.stores)
	}
	var refs []StoreRef
	for _, ref := range s.stores {
		if slices.Contains(types, ref.Type) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// Identities returns the trusted identities in the order of the file.
func (s *Statement) Identities() []Identity { return slices.Clone(s.identities) }

// MatchIdentity returns the trusted identity that the subject of leaf matches,
// and false if there is none. The error, with code policy.identity, says that
// the subject cannot be read; it then matches none.
func (s *Statement) MatchIdentity(leaf *x509.Certificate) (Identity, bool, error) {
	return matchIdentity(s.identities, leaf)
}

// pointer returns the JSON pointer of a member of the statement.
func (s *Statement) pointer(tokens ...any) pointer {
	return statementPointer(s.index).to(tokens...)
}

func statementPointer(index int) pointer { return pointer("").to("trustPolicies", index) }

// String returns the statement's name, quoted.
func (s *Statement) String() string { return fmt.Sprintf("statement %s", show(s.Name())) }

package trust

import (
	"cmp"
	"crypto/x509"
	"strings"

	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

const (
	anyIdentity   = "*"
	subjectPrefix = "x509.subject:"
)

// Identity is a trusted identity: anyone (*), or a pattern that the subject of
// the signing certificate must match. The zero value matches no one.
type Identity struct {
	kind    identityKind
	pattern dn.Name
}

type identityKind uint8

const (
	identityNone identityKind = iota
	identityAny
	identitySubject
)

// ParseIdentity reads a trusted identity as policy files write it: "*", or
// "x509.subject:" followed by a distinguished name in the form of RFC 4514
// that holds at least C, ST (or S) and O. It is at most 4096 bytes long. The
// error's code is policy.identity.
func ParseIdentity(s string) (Identity, error) {
	id, err := parseIdentity(s)
	if err != nil {
		return Identity{}, err
	}
	return id, nil
}

func parseIdentity(s string) (Identity, *reason.Error) {
	if s == anyIdentity {
		return Identity{kind: identityAny}, nil
	}
	if len(s) > maxIdentityBytes {
		return Identity{}, reason.Errorf(reason.PolicyIdentity, "trusted identity is longer than %d bytes", maxIdentityBytes).
			WithHint("name fewer attributes of the subject")
	}
	name, ok := strings.CutPrefix(s, subjectPrefix)
	if !ok {
		return Identity{}, reason.Errorf(reason.PolicyIdentity, "trusted identity %s does not begin with %s", show(s), subjectPrefix).
			WithHint("write %s C=..., ST=..., O=..., or * alone for anyone that the trust stores vouch for", subjectPrefix)
	}
	pattern, err := dn.Parse(strings.TrimLeft(name, " "))
	if err != nil {
		hint := cmp.Or(reason.Hint(err), "copy the subject of the signing certificate, as in "+subjectPrefix+" C=US, ST=WA, O=wabbit-networks.io")
		return Identity{}, reason.Wrap(reason.PolicyIdentity, err, "trusted identity %s is no distinguished name", show(s)).
			WithHint("%s", hint)
	}
	if missing := pattern.Missing(); len(missing) > 0 {
		return Identity{}, reason.Errorf(reason.PolicyIdentity, "trusted identity %s lacks %s", show(s), strings.Join(missing, ", ")).
			WithHint("name at least country (C), state or province (ST) and organisation (O) of the subject")
	}
	return Identity{kind: identitySubject, pattern: pattern}, nil
}

// String returns the identity as a policy may write it, safe to print on a
// terminal. It is "" for the zero value.
func (i Identity) String() string {
	switch i.kind {
	case identityAny:
		return anyIdentity
	case identitySubject:
		return subjectPrefix + " " + i.pattern.String()
	default:
		return ""
	}
}

// IsAny reports whether the identity is *.
func (i Identity) IsAny() bool { return i.kind == identityAny }

// Matches reports whether the subject of leaf holds every attribute that the
// identity names. A subject that cannot be read, or no certificate at all,
// matches none but *. The chain above leaf is not looked at.
func (i Identity) Matches(leaf *x509.Certificate) bool {
	if leaf == nil || i.kind == identityNone {
		return false
	}
	if i.kind == identityAny {
		return true
	}
	subject, err := dn.FromDER(leaf.RawSubject)
	return err == nil && i.pattern.Matches(subject)
}

// overlaps reports whether one of two patterns says nothing that the other does
// not say: whoever reads the policy would think that it did.
func (i Identity) overlaps(o Identity) bool {
	return i.kind == identitySubject && o.kind == identitySubject && i.pattern.Overlaps(o.pattern)
}

// matchIdentity returns the first of the identities that leaf's subject
// matches. The error's code is policy.identity: the subject cannot be read,
// and no identity is *.
func matchIdentity(identities []Identity, leaf *x509.Certificate) (Identity, bool, error) {
	if leaf == nil {
		return Identity{}, false, nil
	}
	for _, i := range identities {
		if i.kind == identityAny {
			return i, true, nil
		}
	}
	if len(identities) == 0 {
		return Identity{}, false, nil
	}
	subject, err := dn.FromDER(leaf.RawSubject)
	if err != nil {
		return Identity{}, false, reason.Wrap(reason.PolicyIdentity, err, "the subject of the signing certificate cannot be compared with the trusted identities").
			WithHint("ask the signer for a certificate whose subject is a well-formed name")
	}
	for _, i := range identities {
		if i.kind == identitySubject && i.pattern.Matches(subject) {
			return i, true, nil
		}
	}
	return Identity{}, false, nil
}

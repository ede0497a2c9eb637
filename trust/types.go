package trust

import "fmt"

// Check is one of the five checks that a signature undergoes. The zero value
// is none of them.
type Check uint8

// The checks, in the order in which they are made and reported.
const (
	// Integrity: the envelope is well-formed and its signature holds.
	Integrity Check = iota + 1
	// Authenticity: the chain ends in a trust anchor and the signer is one of
	// the trusted identities.
	Authenticity
	// AuthenticTimestamp: the certificates were valid when the signature was
	// made, as far as an authentic time can tell.
	AuthenticTimestamp
	// Expiry: the signature's own expiry has not passed.
	Expiry
	// Revocation: no certificate of the chain is revoked.
	Revocation
)

var checkNames = [...]string{
	Integrity:          "integrity",
	Authenticity:       "authenticity",
	AuthenticTimestamp: "authenticTimestamp",
	Expiry:             "expiry",
	Revocation:         "revocation",
}

// String returns the check's name as policy files write it.
func (c Check) String() string { return enumName("Check", checkNames[:], uint8(c)) }

// Action says what follows from a check that fails. The zero value, Enforce,
// is the safe one.
type Action uint8

// The actions.
const (
	// Enforce: the signature is rejected.
	Enforce Action = iota
	// Log: the failure is reported and the signature may still pass.
	Log
	// Skip: the check is not made.
	Skip
)

var actionNames = [...]string{Enforce: "enforce", Log: "log", Skip: "skip"}

// String returns the action's name as policy files write it.
func (a Action) String() string { return enumName("Action", actionNames[:], uint8(a)) }

// Level is a verification level: a named set of actions. The zero value,
// Strict, is the safe one.
type Level uint8

// The levels of trust policy 1.0.
const (
	// Strict enforces every check.
	Strict Level = iota
	// Permissive enforces integrity and authenticity and logs the rest.
	Permissive
	// Audit enforces integrity and logs the rest: it lets untrusted signers pass.
	Audit
	// SkipAll verifies nothing. A verdict under it is never a success.
	SkipAll
)

var levelNames = [...]string{Strict: "strict", Permissive: "permissive", Audit: "audit", SkipAll: "skip"}

// String returns the level's name as policy files write it.
func (l Level) String() string { return enumName("Level", levelNames[:], uint8(l)) }

// actions is what each check leads to, by Check; element 0 is unused.
type actions [Revocation + 1]Action

// actions returns the level's row of the table in specs/trust-policy.md.
func (l Level) actions() actions {
	switch l {
	case Permissive:
		return actions{AuthenticTimestamp: Log, Expiry: Log, Revocation: Log}
	case Audit:
		return actions{Authenticity: Log, AuthenticTimestamp: Log, Expiry: Log, Revocation: Log}
	case SkipAll:
		return actions{Integrity: Skip, Authenticity: Skip, AuthenticTimestamp: Skip, Expiry: Skip, Revocation: Skip}
	default:
		return actions{} // all Enforce
	}
}

// Kind says what a policy is about. The zero value is none.
type Kind uint8

// The kinds of trust policy.
const (
	OCIPolicy  Kind = iota + 1 // artifacts in registries and image layouts
	BlobPolicy                 // files with a detached signature
)

var kindNames = [...]string{OCIPolicy: "oci", BlobPolicy: "blob"}

// String returns "oci" or "blob", as the names of the policy files have it.
func (k Kind) String() string { return enumName("Kind", kindNames[:], uint8(k)) }

// StoreType is the kind of a trust store. The zero value is none.
type StoreType uint8

// The types of trust store.
const (
	// CA stores anchor signatures of the scheme notary.x509.
	CA StoreType = iota + 1
	// SigningAuthority stores anchor those of notary.x509.signingAuthority.
	SigningAuthority
	// TSA stores anchor the certificates of time-stamping authorities.
	TSA
)

var storeTypeNames = [...]string{CA: "ca", SigningAuthority: "signingAuthority", TSA: "tsa"}

// String returns the type's name as policy files and directories write it.
func (t StoreType) String() string { return enumName("StoreType", storeTypeNames[:], uint8(t)) }

// enumName returns names[n], or type and number for a value out of range.
func enumName(typ string, names []string, n uint8) string {
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return fmt.Sprintf("%s(%d)", typ, n)
}

// enumValue returns the number of name, exactly as written, or false.
func enumValue(names []string, name string) (uint8, bool) {
	for i, n := range names {
		if n != "" && n == name {
			return uint8(i), true
		}
	}
	return 0, false
}

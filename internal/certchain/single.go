package certchain

import (
	"crypto/x509"
	"slices"

	"github.com/notaryv2/notation/internal/dn"
)

// Role says where in a chain a certificate stands.
type Role uint8

// The roles. The zero value is none, and no certificate is fit for it.
const (
	Leaf   Role = iota + 1 // signs
	Issuer                 // stands above the leaf, the root included
)

// LintCertificate returns every violation of the profile's rules that one
// certificate shows by itself in a role, without the others of a chain and
// without verifying a signature. [Rule.Single] says which rules these are. The
// position of the violations is 0.
func LintCertificate(cert *x509.Certificate, role Role, p Profile) []Violation {
	at := link{cert, []*x509.Certificate{cert}, 0, Facts{}}
	if role == Issuer {
		at = link{cert, []*x509.Certificate{cert, cert}, 1, Facts{}}
	}
	rules := table(p)
	if len(rules) == 0 || role != Leaf && role != Issuer {
		return []Violation{{Rule: noProfile, Detail: "is judged by rules that do not exist", of: 1}}
	}
	var found []Violation
	for i := range rules {
		rule := &rules[i]
		switch {
		case rule.applies == wholeChain:
			if detail := rule.check(link{chain: at.chain[:1]}); detail != "" {
				return []Violation{{Rule: *rule, Detail: detail, of: 1}}
			}
		case rule.Single() && rule.applies.covers(at.position):
			if detail := rule.check(at); detail != "" {
				found = append(found, Violation{Rule: *rule, Subject: dn.Display(cert.RawSubject), Detail: detail, of: 1})
			}
		}
	}
	return found
}

// Single reports whether one certificate can break the rule by itself. The
// others are about the certificates of a chain among each other.
func (r Rule) Single() bool {
	switch r.ID {
	case "ca-path-length", "ca-name-constraints": // about the certificates below
		return false
	}
	among := func(rules []Rule) bool {
		return slices.ContainsFunc(rules, func(other Rule) bool { return other.ID == r.ID })
	}
	return r.applies != wholeChain && !among(chainRules) && !among(signatureRules)
}

// LeafOnly reports whether the rule is about the leaf and no other certificate.
func (r Rule) LeafOnly() bool { return r.applies == leafOnly }

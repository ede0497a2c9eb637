// Package certchain holds the rules for the certificates behind a signature,
// whoever trusts them. It neither looks at a clock nor asks anyone.
//
// A chain is complete and in order: the leaf, which signed, comes first, each
// certificate is followed by its issuer, and the last one is self-signed.
// Nothing is searched for, no path is built, and nothing else may be in it.
// [Parse] makes such a list from DER within bounds, [Check] applies the rules
// of a [Profile], and [ValidAt] compares the validity of each certificate with
// a time that the caller knows and we do not. Whether the root is trusted, the
// leaf's name is the right one, or a certificate is revoked, is decided
// elsewhere.
//
// A rule is one function with the sentence of the standard that it enforces
// above it, and a profile is a table of rules. [Lint] gives what they found as
// values, for a command that shows them; [Rules] gives the table itself.
//
// The rules come from RFC 5280, from RFC 3161 for time stamping, and from the
// Notary Project's signature specification, which is stricter in places. They
// fail closed: what a certificate demands and we do not evaluate, such as a
// critical extension that no rule knows, is a violation. Two things that some
// verifiers demand are left out, since the specification does not ask for
// them: that the validity of a certificate lies within that of its issuer, and
// that an issuer's extendedKeyUsage, if any, holds the leaf's.
package certchain

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// Profile says for what a chain is used.
type Profile uint8

// The profiles. The zero value is none, and no chain satisfies it.
const (
	CodeSigning Profile = iota + 1
	TimeStamping
)

// Rule is one condition on a chain or on a certificate of it.
type Rule struct {
	ID      string      // names the rule, such as "leaf-key-usage-critical"
	Code    reason.Code // reason of its violations; several rules share one
	Source  string      // where the rule is from, such as "RFC 5280 section 4.2.1.3"
	Explain string      // what it demands and why, for people
	Remedy  string      // what to do about a violation

	applies scope
	// check returns what is wrong as the rest of a sentence that begins with
	// the certificate, or "" if nothing is.
	check func(link) string
}

// scope says which certificates a rule is about.
type scope uint8

const (
	wholeChain  scope = iota // checked once; if violated, no other rule is
	everyone                 // each certificate
	leafOnly                 // the first one
	issuersOnly              // each but the first
)

// covers reports whether a rule for single certificates is about the one at a
// position.
func (s scope) covers(position int) bool {
	return s == everyone || (s == leafOnly) == (position == 0)
}

// link is a certificate in its place in a chain. In a rule for the whole
// chain, the certificate is nil.
type link struct {
	*x509.Certificate
	chain    []*x509.Certificate
	position int
	facts    Facts
}

// Violation is a rule that a chain breaks, and where.
type Violation struct {
	Rule     Rule
	Position int    // of the certificate, the leaf's being 0
	Subject  string // of the certificate, safe to print; "" if the chain as a whole is meant
	Detail   string // what is wrong, as the rest of a sentence that begins with the certificate
	of       int    // length of the chain
}

// Error returns the violation as a sentence without a period.
func (v Violation) Error() string {
	if v.Subject == "" {
		return "certificate chain " + v.Detail
	}
	return fmt.Sprintf("certificate %d of %d (%s) %s", v.Position+1, v.of, v.Subject, v.Detail)
}

// reason returns the violation as the error type of this project.
func (v Violation) reason() *reason.Error {
	return reason.Errorf(v.Rule.Code, "%s", v.Error()).WithHint("%s", v.Rule.Remedy)
}

// Rules returns the rules of a profile, in the order in which they are
// checked. The slice is the caller's. It is empty for a profile that does not
// exist.
func Rules(p Profile) []Rule { return slices.Clone(table(p)) }

// Lint returns every violation of the profile's rules, in the order of the
// rules and then of the chain. Each signature is verified at most once, and
// not at all where the key or the algorithm breaks a rule or the names do not
// chain. A chain that is empty or over the bounds of this package has one
// violation, which says so. A chain that satisfies all rules costs little more
// than its signatures.
func Lint(chain []*x509.Certificate, p Profile) []Violation { return Facts{}.lint(chain, p) }

func (k Facts) lint(chain []*x509.Certificate, p Profile) []Violation {
	rules := table(p)
	if len(rules) == 0 {
		return []Violation{{Rule: noProfile, Detail: fmt.Sprintf("is judged by rules that do not exist (profile %d)", p)}}
	}
	var found []Violation
	for i := range rules {
		rule := &rules[i]
		if rule.applies == wholeChain {
			if detail := rule.check(link{chain: chain}); detail != "" {
				return []Violation{{Rule: *rule, Detail: detail, of: len(chain)}}
			}
			continue
		}
		for position, cert := range chain {
			if !rule.applies.covers(position) {
				continue
			}
			if detail := rule.check(link{cert, chain, position, k}); detail != "" {
				found = append(found, Violation{
					Rule: *rule, Position: position, Subject: dn.Display(cert.RawSubject),
					Detail: detail, of: len(chain),
				})
			}
		}
	}
	return found
}

// Check applies every rule of the profile, among them the signatures of the
// chain. It does not look at the time. The error joins a *reason.Error for
// each violation, in the order of [Lint]; reason.Of returns the first one's
// code.
func Check(chain []*x509.Certificate, p Profile) error { return Facts{}.Check(chain, p) }

// Check is like the function [Check], for a chain that [Facts.Parse] has
// returned and whose signatures may be known to hold.
func (k Facts) Check(chain []*x509.Certificate, p Profile) error {
	violations := k.lint(chain, p)
	switch len(violations) {
	case 0:
		return nil
	case 1:
		return violations[0].reason()
	}
	all := make(joined, len(violations))
	for i, v := range violations {
		all[i] = v.reason()
	}
	return all
}

// joined is several errors in one line.
type joined []error

// Error returns the first few messages.
func (j joined) Error() string {
	var b strings.Builder
	for i, err := range j {
		if i == maxReported {
			fmt.Fprintf(&b, "; and %d more", len(j)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

// Unwrap returns all errors.
func (j joined) Unwrap() []error { return j }

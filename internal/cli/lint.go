package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// Thresholds of what is told about certificates.
const (
	// expirySoon is how long before its end a certificate is mentioned.
	expirySoon = 30 * day
	// longSigning is the longest usual validity of a signing certificate: that
	// of the CA/Browser Forum's requirements for code signing before 2026, 39
	// months.
	longSigning = 39 * 31 * day
	// longStamping is that of a time-stamping certificate there, 135 months.
	longStamping = 135 * 31 * day
	// longIssuing is above what authorities' certificates usually have.
	longIssuing = 30 * 366 * day
)

// outcome is what a check of 'doctor' or 'key lint' has found.
type outcome string

// The outcomes, the best first. Only a problem makes the exit code other than
// 0.
const (
	outcomeOK      outcome = "ok"
	outcomeNote    outcome = "note"
	outcomeWarning outcome = "warning"
	outcomeProblem outcome = "problem"
)

func (o outcome) style() style {
	return map[outcome]style{outcomeOK: good, outcomeNote: faint, outcomeWarning: warned, outcomeProblem: bad}[o]
}

// checkJSON is one check in documents.
type checkJSON struct {
	Area    string      `json:"area"`              // what kind of thing was looked at
	Subject string      `json:"subject,omitempty"` // which one
	Outcome outcome     `json:"outcome"`
	Code    reason.Code `json:"code,omitempty"` // absent if ok
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"`
}

// checklist collects checks.
type checklist struct {
	area string // of what is added next
	all  []checkJSON
	exit int // the worst of the problems
}

func (c *checklist) add(o outcome, subject string, code reason.Code, hint, message string) {
	c.all = append(c.all, checkJSON{Area: c.area, Subject: subject, Outcome: o, Code: code, Message: message, Hint: hint})
}

func (c *checklist) ok(subject, format string, args ...any) {
	c.add(outcomeOK, subject, "", "", fmt.Sprintf(format, args...))
}

// say adds what a value of the error type says.
func (c *checklist) say(o outcome, subject string, err error) {
	code := reason.Of(err)
	if code == "" {
		code = reason.UsageInternal
	}
	c.add(o, subject, code, reason.Hint(err), err.Error())
}

// problem adds a fault of what the user has configured, or that finding out was
// interrupted.
func (c *checklist) problem(subject string, err error) {
	c.say(outcomeProblem, subject, err)
	if errors.Is(err, context.Canceled) {
		c.exit = worse(c.exit, exitUndecided)
		return
	}
	c.exit = worse(c.exit, exitUsage)
}

// remote adds a fault of the registry or of the way to it.
func (c *checklist) remote(subject string, err error) {
	c.say(outcomeProblem, subject, err)
	code := exitUndecided
	if exitCode(err) == exitUsage {
		code = exitUsage
	}
	c.exit = worse(c.exit, code)
}

// count returns how many checks have an outcome.
func (c *checklist) count(o outcome) int {
	n := 0
	for _, each := range c.all {
		if each.Outcome == o {
			n++
		}
	}
	return n
}

// checkRows are the lines of checks, one each.
func checkRows(checks []checkJSON) [][]cell {
	var rows [][]cell
	for _, c := range checks {
		what := c.Message
		if c.Subject != "" {
			what = c.Subject + ": " + what
		}
		rows = append(rows, []cell{{string(c.Outcome), c.Outcome.style()}, {text: c.Area}, {text: remedied(what, c.Hint)}})
	}
	return rows
}

// remedied puts what is wrong and what to do about it into one line.
func remedied(what, hint string) string {
	what = oneLine(what)
	if hint == "" {
		return what
	}
	return strings.TrimSuffix(what, ".") + ". " + sentence(hint)
}

// oneLine joins the lines of an error about several things.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// remarkJSON is something about a certificate that does not make it unusable.
type remarkJSON struct {
	Code    reason.Code `json:"code"`
	Message string      `json:"message"`
	Hint    string      `json:"hint"`
}

// remarks returns what is worth knowing about a certificate that is fit for its
// role: the rest of a sentence that begins with it.
func remarks(c *x509.Certificate, role certchain.Role, now time.Time) []remarkJSON {
	var out []remarkJSON
	add := func(code reason.Code, hint, format string, args ...any) {
		out = append(out, remarkJSON{code, fmt.Sprintf(format, args...), hint})
	}
	if left := c.NotAfter.Sub(now); left >= 0 && left < expirySoon && !now.Before(c.NotBefore) {
		add(reason.DoctorExpiresSoon, "have it renewed before", "expires on %s, in %s", printedTime(c.NotAfter), span(left))
	}
	if !selfIssued(c) && len(c.OCSPServer) == 0 && len(c.CRLDistributionPoints) == 0 {
		add(reason.DoctorNoRevocationSource, "ask the authority for a certificate that names one, or let the trust policy log or skip revocation",
			"names no OCSP responder and no revocation list, so nobody can be asked whether it is revoked")
	}
	if longest := longestValidity(c, role); c.NotAfter.Sub(c.NotBefore) > longest {
		add(reason.DoctorLongValidity, "prefer a shorter validity, and time stamps for signatures that are to last",
			"is valid for %s, longer than the %s that are usual", span(c.NotAfter.Sub(c.NotBefore)), span(longest))
	}
	if role == certchain.Leaf && !stamps(c) {
		if missing := missingAttributes(c); len(missing) > 0 {
			add(reason.DoctorIncompleteSubject, "ask for a certificate whose subject has C, ST and O",
				"has a subject without %s, which a trusted identity of a trust policy needs", strings.Join(missing, ", "))
		}
	}
	return out
}

func longestValidity(c *x509.Certificate, role certchain.Role) time.Duration {
	switch {
	case role == certchain.Issuer:
		return longIssuing
	case stamps(c):
		return longStamping
	}
	return longSigning
}

// stamps reports whether a certificate is for time stamping.
func stamps(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage) == 1 && c.ExtKeyUsage[0] == x509.ExtKeyUsageTimeStamping
}

// missingAttributes returns those of C, ST and O that a subject lacks.
func missingAttributes(c *x509.Certificate) []string {
	name, err := dn.FromDER(c.RawSubject)
	if err != nil {
		return []string{"anything that can be read"}
	}
	return name.Missing()
}

func selfIssued(c *x509.Certificate) bool { return string(c.RawSubject) == string(c.RawIssuer) }

// span writes a duration for people: days, or hours below two days.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return count(int(d/time.Second), "second")
	case d < 2*time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 2*day:
		return count(int(d/time.Hour), "hour")
	}
	return count(int(d/day), "day")
}

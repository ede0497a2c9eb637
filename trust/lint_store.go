package trust

import (
	"crypto/x509"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// store looks at one store, reports it the first time and returns its anchors.
func (l *linter) store(at pointer, ref StoreRef) []Anchor {
	anchors, warnings, err := l.stores.Anchors(ref)
	if l.seen[ref] {
		return anchors
	}
	l.seen[ref] = true
	for _, e := range unjoin(err) {
		l.addError(Broken, at, e)
	}
	for _, w := range warnings {
		l.addError(Warning, at, w)
	}
	for _, a := range anchors {
		l.anchor(at, ref, a)
	}
	return anchors
}

// anchor reports what is wrong with an anchor at the time of the linter.
func (l *linter) anchor(at pointer, ref StoreRef, a Anchor) {
	c := a.Certificate
	name := "the certificate of " + dn.Display(c.RawSubject) + " in " + ref.String()
	if a.File != "" {
		name += " (" + plain(a.File) + ")"
	}
	switch left := c.NotAfter.Sub(l.at); {
	case l.at.Before(c.NotBefore):
		l.add(Warning, at, reason.StoreNotYetValid, "check the clock, or wait", "%s is not valid before %s", name, day(c.NotBefore))
	case left < 0:
		l.add(Warning, at, reason.StoreExpired, "add the new root beside it; keep the old one only for signatures with a time stamp", "%s has expired on %s", name, day(c.NotAfter))
	case left < expirySoon:
		l.add(Notice, at, reason.StoreExpiresSoon, "add the new root beside it before that day", "%s expires on %s", name, day(c.NotAfter))
	}
	if !isCA(c) {
		l.add(Notice, at, reason.StoreNoCA, "nothing need be done if that is meant; else add the root of the signer's authority",
			"%s is no CA certificate: it vouches for signatures made with its own key only", name)
	}
}

func day(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// unjoin returns the errors that errors.Join has joined.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// publicAuthorities are words in the organisation of authorities that issue
// certificates, code-signing ones among them, to whoever asks. The list need
// not be complete: it only makes a warning plainer.
const publicAuthorities = "actalis,amazon,asseco,buypass,certigna,certum,comodo,digicert,entrust," +
	"globalsign,godaddy,google trust,harica,identrust,internet security research,let's encrypt," +
	"microsoft,quovadis,sectigo,ssl corp,starfield,swisssign,symantec,thawte,usertrust,verisign"

// publicAuthority returns the organisation of a root that is known to issue to
// the public, or "".
func publicAuthority(c *x509.Certificate) string {
	for _, organisation := range c.Subject.Organization {
		lower := strings.ToLower(organisation)
		for word := range strings.SplitSeq(publicAuthorities, ",") {
			if strings.Contains(lower, word) {
				return organisation
			}
		}
	}
	return ""
}

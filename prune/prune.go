// Package prune removes signatures that are of no more use, and takes care not
// to remove any other.
//
// [Plan] decides, purely, from a verdict and from what is wanted: which of an
// artifact's signatures have expired, which the trust policy certainly does not
// trust, and which have been superseded by newer ones of the same signer. It
// needs a verdict on every signature, as a Verifier gives that is Exhaustive, and
// refuses one that is not: where a list could not be read to its end, or where
// the trust policy says nothing or skip, nobody can tell what is of use.
//
// [Remove] removes one signature. It fetches it first, and removes nothing that
// is not a signature of the artifact in question, whatever a list or a plan says.
//
// What is kept, always: signatures that could not be read or decided about, those
// that fail for a reason that lies with this machine or this moment, everything
// that is no signature, and, unless it has expired, the last signature that
// passes. docs/decisions/prune.md tells why.
package prune

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Options say which signatures are to go. At least one of them must be set.
type Options struct {
	// Expired removes signatures whose signer has set an expiry that has passed,
	// by the verdict's time. That of a certificate does not count: whether it
	// matters depends on time stamps, and on the policy.
	Expired bool
	// Untrusted removes signatures that certainly fail under the trust policy,
	// as long as another one passes and stays.
	Untrusted bool
	// Keep, if it is more than 0, is how many signatures of one identity stay,
	// of those that pass every check: the newest, by the time of a good time
	// stamp or else the signing time. An identity is the trust store, the name
	// of the root, and the subject of the signing certificate. One goes only if
	// that many newer ones last at least as long as it.
	Keep int
}

// check refuses options that ask for nothing.
func (o Options) check() error {
	if o.Keep < 0 || !o.Expired && !o.Untrusted && o.Keep == 0 {
		return reason.Errorf(reason.PruneOptions, "nothing says which signatures are to be removed").
			WithHint("ask for expired or untrusted ones, or say how many of each signer to keep, at least 1")
	}
	return nil
}

// Why says in a stable word why a signature is to go or to stay.
type Why string

// Why a signature is to go.
const (
	Expired    Why = "expired"    // its signer's expiry has passed
	Untrusted  Why = "untrusted"  // it fails under the trust policy
	Superseded Why = "superseded" // newer ones of the same identity pass
)

// Why a signature is to stay.
const (
	Passes        Why = "passes"
	Lenient       Why = "lenient"       // it passes, as the policy only logs what has failed, and is left alone
	NotAsked      Why = "notAsked"      // it fails, and untrusted ones were not to go
	Undecided     Why = "undecided"     // nobody knows what it is
	Unsettled     Why = "unsettled"     // it fails for a reason that may be this machine's, or pass
	NothingPasses Why = "nothingPasses" // it fails, and so do all others, as under the wrong policy
	Foreign       Why = "foreign"       // it is listed, and refers to something else
)

// Decision is what is to become of one signature.
type Decision struct {
	Digest    digest.Digest // of the signature manifest
	Signature *notation.SignatureVerdict
	Delete    bool
	Why       Why
	// Message says the same in a sentence that is safe to print.
	Message string
}

// Plan decides about every signature of a verdict, each once, in the verdict's
// order. It looks at no clock but the verdict's, and asks nobody.
//
// The errors have the code prune.options for options that ask for nothing;
// policy.decides-nothing where no statement of the policy applies, or one that
// says skip; and otherwise, where the verdict is not about every signature that
// there may be, the code of the finding that says why.
func Plan(v *notation.Verdict, o Options) ([]Decision, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := complete(v); err != nil {
		return nil, err
	}
	p := &plan{verdict: v, options: o}
	for _, s := range once(v.Signatures) {
		p.decisions = append(p.decisions, p.first(s))
	}
	p.supersede()
	p.distrust()
	return p.decisions, nil
}

// complete returns why a verdict says not enough about an artifact, or nil.
func complete(v *notation.Verdict) error {
	if v == nil || v.Artifact.Digest == "" && len(v.Findings) == 0 {
		return reason.Errorf(reason.PruneOptions, "there is no verdict on any artifact").WithHint("verify the artifact, with an exhaustive verifier")
	}
	if v.Outcome == notation.Skipped {
		return decidesNothing(fmt.Sprintf("statement %q of the trust policy says skip", v.Statement))
	}
	for _, f := range v.Findings {
		switch {
		case f.Outcome == notation.Passed:
		case f.Check == notation.CheckPolicy && (f.Reason == reason.PolicyNoStatement || f.Reason == reason.VerifyNoPolicy):
			return decidesNothing(f.Message)
		case f.Check == notation.CheckPolicy || f.Check == notation.CheckReference:
			return asError(f, "")
		// Beside a signature that passes, what is logged may be that some were
		// not found; else it is an oddity that hides nothing.
		case f.Check == notation.CheckDiscovery && (f.Outcome == notation.Undecided || f.Outcome == notation.Logged && v.Outcome == notation.Passed):
			return asError(f, "not all signatures are known, so none is removed: ")
		}
	}
	if v.NotLookedAt > 0 {
		return reason.Errorf(reason.VerifySignatureLimit, "not all signatures are known, so none is removed: %d were not looked at", v.NotLookedAt).
			WithHint("raise the limit of signatures to look at")
	}
	return nil
}

func decidesNothing(why string) error {
	return reason.Errorf(reason.PolicyDecidesNothing, "nothing tells good signatures from others: %s", why).
		WithHint("give the trust policy a statement for this repository that says whom to trust")
}

func asError(f notation.Finding, before string) error {
	return &reason.Error{Code: f.Reason, Message: before + f.Message, Hint: f.Hint}
}

// once returns the signatures, each digest once: a list may name one manifest
// with several sizes, of which one is right, and what was read under that one
// counts. Bare envelopes, which have no digest, are left out.
func once(all []notation.SignatureVerdict) []*notation.SignatureVerdict {
	read := func(s *notation.SignatureVerdict) int {
		switch s.Outcome {
		case notation.Passed:
			return 2
		case notation.Failed:
			return 1
		}
		return 0
	}
	at := map[digest.Digest]int{}
	var list []*notation.SignatureVerdict
	for i := range all {
		s := &all[i]
		known, ok := at[s.Digest]
		switch {
		case s.Digest == "":
		case !ok:
			at[s.Digest] = len(list)
			list = append(list, s)
		case read(s) > read(list[known]):
			list[known] = s
		}
	}
	return list
}

// plan is the work of one Plan.
type plan struct {
	verdict   *notation.Verdict
	options   Options
	decisions []Decision
}

// first decides about a signature by itself. Those that fail, and those that
// pass, are looked at again beside the others.
func (p *plan) first(s *notation.SignatureVerdict) Decision {
	d := Decision{Digest: s.Digest, Signature: s}
	switch {
	case s.Outcome == notation.Undecided:
		d.Why, d.Message = Undecided, "could not be decided: "+firstOf(s, notation.Undecided).Message
	case p.options.Expired && expired(s, p.verdict.Time):
		d.Delete, d.Why, d.Message = true, Expired, "expired at "+s.Expiry.UTC().Format(time.RFC3339)
	case s.Outcome == notation.Passed && firstOf(s, notation.Logged) != nil:
		d.Why, d.Message = Lenient, "passes, although "+told(firstOf(s, notation.Logged))
	case s.Outcome == notation.Passed:
		d.Why, d.Message = Passes, "passes"
	case isForeign(s):
		d.Why, d.Message = Foreign, "is listed here, and belongs elsewhere"
	default:
		d.Why, d.Message = p.failed(s)
	}
	return d
}

// expired reports whether the signer of an envelope that is intact, and was made
// for this artifact, has set an expiry that has passed.
func expired(s *notation.SignatureVerdict, at time.Time) bool {
	intact := slices.ContainsFunc(s.Findings, func(f notation.Finding) bool {
		return f.Check == notation.CheckIntegrity && f.Outcome == notation.Passed
	})
	return intact && !s.Expiry.IsZero() && !at.Before(s.Expiry)
}

// isForeign reports whether a manifest refers to another artifact, of which it
// may well be a good signature.
func isForeign(s *notation.SignatureVerdict) bool {
	return slices.ContainsFunc(s.Findings, func(f notation.Finding) bool { return f.Reason == reason.OCISubjectMismatch })
}

// failed returns what is to be said of a signature that fails. Why is Untrusted
// if it is for distrust to decide.
func (p *plan) failed(s *notation.SignatureVerdict) (Why, string) {
	settled := slices.IndexFunc(s.Findings, func(f notation.Finding) bool {
		return f.Outcome == notation.Failed && !isUnsettled(f.Reason)
	})
	switch {
	case settled < 0:
		return Unsettled, told(firstOf(s, notation.Failed)) + ", which may be otherwise elsewhere or later"
	case !p.options.Untrusted:
		return NotAsked, told(&s.Findings[settled])
	}
	return Untrusted, told(&s.Findings[settled])
}

// isUnsettled reports whether a failure says something about this machine, this
// program or this moment, rather than about the signature: a store or plugin
// that is missing here, an attribute that another version may know, a time that
// is to come, a responder that has not heard of the certificate yet, metadata
// that only this caller asked for.
func isUnsettled(code reason.Code) bool {
	switch code {
	case reason.VerifyPluginUnavailable, reason.VerifyPluginNotRun, reason.VerifyCriticalAttribute, reason.VerifyFutureTime,
		reason.VerifyMetadata, reason.CertNotYetValid, reason.RevocationUnknown, "":
		return true
	}
	area, _, _ := strings.Cut(string(code), ".")
	return area == "store" || area == "policy" || area == "plugin"
}

// firstOf returns the first finding with an outcome, or nil.
func firstOf(s *notation.SignatureVerdict, o notation.Outcome) *notation.Finding {
	for i := range s.Findings {
		if s.Findings[i].Outcome == o {
			return &s.Findings[i]
		}
	}
	if o == notation.Logged {
		return nil
	}
	return &notation.Finding{Message: "nothing says why"} // of no Verifier
}

// told returns a finding that is no success in words.
func told(f *notation.Finding) string {
	if f.Check == "" {
		return "fails: " + f.Message
	}
	return "fails the check " + string(f.Check) + ": " + f.Message
}

// supersede lets the older ones go of the signatures of one identity.
func (p *plan) supersede() {
	if p.options.Keep == 0 {
		return
	}
	groups := map[string][]*Decision{}
	for i := range p.decisions {
		if d := &p.decisions[i]; d.Why == Passes {
			if id := identity(d.Signature); id != "" {
				groups[id] = append(groups[id], d)
			}
		}
	}
	for _, group := range groups {
		slices.SortFunc(group, func(a, b *Decision) int {
			return cmp.Or(signedAt(b.Signature).Compare(signedAt(a.Signature)), cmp.Compare(a.Digest, b.Digest))
		})
		for i, d := range group {
			newer := 0
			for _, other := range group[:i] {
				if outlasts(other.Signature, d.Signature) {
					newer++
				}
			}
			if newer >= p.options.Keep {
				d.Delete, d.Why = true, Superseded
				d.Message = fmt.Sprintf("superseded by %d newer of %s", p.options.Keep, d.Signature.Subject)
			}
		}
	}
}

// outlasts reports whether a signature lasts at least as long as another: what
// is to end before it, by its expiry or with its certificate, does not take its
// place.
func outlasts(s, other *notation.SignatureVerdict) bool {
	end, otherEnd := ends(s), ends(other)
	return end.IsZero() || !otherEnd.IsZero() && !end.Before(otherEnd)
}

// ends returns when a signature stops to pass: at its expiry or, unless a time
// stamp or a signing authority says when it was made, with the first of its
// certificates, whichever is first. Zero: never.
func ends(s *notation.SignatureVerdict) time.Time {
	end := s.Expiry
	bound := s.Timestamp == nil && s.Scheme != envelope.SchemeSigningAuthority.String() && !s.CertificateExpiry.IsZero()
	if bound && (end.IsZero() || s.CertificateExpiry.Before(end)) {
		end = s.CertificateExpiry
	}
	return end
}

// identity tells signers apart; "" is nobody whom a trust store vouches for. The
// names in a verdict are for people: one that is shortened or stands for an
// unreadable one is completed by the certificate's fingerprint.
func identity(s *notation.SignatureVerdict) string {
	if s.Store == "" {
		return ""
	}
	key := []string{s.Store, s.Root, s.Subject}
	for _, name := range key[1:] {
		if name == "" || strings.HasSuffix(name, "…") || strings.HasPrefix(name, "[") {
			return strings.Join(append(key, s.Fingerprint), "\x00")
		}
	}
	return strings.Join(key, "\x00")
}

// signedAt returns the time by which the signatures of one identity are ordered:
// that of a good time stamp, or else the one that the signer, or a signing
// authority, has signed. A signer can deceive nobody by it but himself.
func signedAt(s *notation.SignatureVerdict) time.Time {
	if s.Timestamp != nil {
		return s.Timestamp.Time
	}
	return s.SigningTime
}

// distrust lets the untrusted ones go if a signature that passes stays. If none
// does, the policy may be another artifact's, and a clean sweep cannot be undone.
func (p *plan) distrust() {
	passes := slices.ContainsFunc(p.decisions, func(d Decision) bool {
		return !d.Delete && d.Signature.Outcome == notation.Passed
	})
	for i := range p.decisions {
		d := &p.decisions[i]
		switch {
		case d.Why != Untrusted:
		case passes:
			d.Delete = true
		default:
			d.Why = NothingPasses
			d.Message += "; but none that passes would be left, so the trust policy may be the wrong one"
		}
	}
}

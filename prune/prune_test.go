package prune_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/prune"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// at is the time of all verdicts here.
var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// signature returns the verdict on a signature of a name, a day old and good,
// after change has bent it.
func signature(name string, change ...func(*notation.SignatureVerdict)) notation.SignatureVerdict {
	s := notation.SignatureVerdict{
		Digest: digest.FromString(name), Outcome: notation.Passed,
		Store: "ca:acme", Root: "CN=root", Subject: "CN=alice", Fingerprint: "f1", SigningTime: at.Add(-24 * time.Hour),
	}
	for _, c := range []notation.Check{notation.CheckIntegrity, notation.CheckAuthenticity, notation.CheckAuthenticTimestamp, notation.CheckExpiry} {
		s.Findings = append(s.Findings, notation.Finding{Check: c, Outcome: notation.Passed})
	}
	s.Findings = append(s.Findings, notation.Finding{Check: notation.CheckRevocation, Outcome: notation.Skipped, Reason: reason.VerifyRevocationNoSource})
	for _, f := range change {
		f(&s)
	}
	return s
}

// found sets a finding; one that fails or is undecided makes the whole that.
func found(c notation.Check, o notation.Outcome, code reason.Code) func(*notation.SignatureVerdict) {
	return func(s *notation.SignatureVerdict) {
		i := slices.IndexFunc(s.Findings, func(f notation.Finding) bool { return f.Check == c })
		f := notation.Finding{Check: c, Outcome: o, Reason: code, Message: "it is " + string(code)}
		if i < 0 {
			s.Findings = append(s.Findings, f)
		} else {
			s.Findings[i] = f
		}
		if o == notation.Failed || o == notation.Undecided {
			s.Outcome = o
		}
	}
}

func fails(c notation.Check, code reason.Code) func(*notation.SignatureVerdict) {
	return found(c, notation.Failed, code)
}

// expires sets the signer's expiry, and what the policy makes of it.
func expires(when time.Time, o notation.Outcome) func(*notation.SignatureVerdict) {
	return func(s *notation.SignatureVerdict) {
		s.Expiry = when
		if !at.Before(when) {
			found(notation.CheckExpiry, o, reason.VerifyExpired)(s)
		}
	}
}

func signed(ago time.Duration) func(*notation.SignatureVerdict) {
	return func(s *notation.SignatureVerdict) { s.SigningTime = at.Add(-ago) }
}

func by(store, root, subject string) func(*notation.SignatureVerdict) {
	return func(s *notation.SignatureVerdict) { s.Store, s.Root, s.Subject = store, root, subject }
}

func stranger(s *notation.SignatureVerdict) {
	s.Store = ""
	fails(notation.CheckAuthenticity, reason.VerifyRootUntrusted)(s)
}

func verdict(signatures ...notation.SignatureVerdict) *notation.Verdict {
	v := &notation.Verdict{
		Reference: "r.example/app@" + string(digest.FromString("app")), Statement: "app", Time: at,
		Artifact: oci.Descriptor{Digest: digest.FromString("app")}, Outcome: notation.Passed, Signatures: signatures,
	}
	if v.Accepted() == nil {
		v.Outcome = notation.Failed
	}
	return v
}

// told returns a plan in short: the name of each signature, "-" before those
// that are to go, and why.
func told(plan []prune.Decision, names ...string) string {
	var words []string
	for _, d := range plan {
		name := "?"
		for _, n := range names {
			if digest.FromString(n) == d.Digest {
				name = n
			}
		}
		if d.Delete {
			name = "-" + name
		}
		words = append(words, name+":"+string(d.Why))
	}
	return strings.Join(words, " ")
}

func TestPlan(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	all := prune.Options{Expired: true, Untrusted: true, Keep: 1}
	names := []string{"a", "b", "c", "d"}
	for _, tt := range []struct {
		name    string
		options prune.Options
		in      []notation.SignatureVerdict
		want    string
	}{
		{"nothing", all, nil, ""},
		{"one that is good", all, []notation.SignatureVerdict{signature("a")}, "a:passes"},

		// What has expired.
		{"expired", prune.Options{Expired: true}, []notation.SignatureVerdict{
			signature("a", expires(at.Add(-day), notation.Failed)), signature("b", expires(at, notation.Failed)), signature("c", expires(at.Add(time.Second), notation.Failed)),
		}, "-a:expired -b:expired c:passes"},
		{"the last one, which passes as the policy only logs expiry", prune.Options{Expired: true},
			[]notation.SignatureVerdict{signature("a", expires(at.Add(-day), notation.Logged))}, "-a:expired"},
		{"expired, of a stranger", prune.Options{Expired: true}, []notation.SignatureVerdict{signature("a", stranger, expires(at.Add(-day), notation.Failed))}, "-a:expired"},
		{"expired, for another artifact", prune.Options{Expired: true}, []notation.SignatureVerdict{
			signature("a", expires(at.Add(-day), notation.Failed), fails(notation.CheckIntegrity, reason.VerifyOtherArtifact)),
		}, "a:notAsked"},
		{"expired, and undecided", all, []notation.SignatureVerdict{
			signature("a", expires(at.Add(-day), notation.Logged), found(notation.CheckRevocation, notation.Undecided, reason.RevocationUnavailable)),
		}, "a:undecided"},
		{"an expired certificate is no expired signature", prune.Options{Expired: true},
			[]notation.SignatureVerdict{signature("a", fails(notation.CheckAuthenticTimestamp, reason.CertExpired))}, "a:notAsked"},

		// What is not trusted.
		{"untrusted, beside one that passes", prune.Options{Untrusted: true}, []notation.SignatureVerdict{
			signature("a", stranger), signature("b"), signature("c", fails(notation.CheckRevocation, reason.RevocationRevoked)), signature("d", fails(notation.CheckAuthenticTimestamp, reason.CertExpired)),
		}, "-a:untrusted b:passes -c:untrusted -d:untrusted"},
		{"untrusted, and not asked for", prune.Options{Keep: 1}, []notation.SignatureVerdict{signature("a", stranger), signature("b")}, "a:notAsked b:passes"},
		{"all untrusted: the policy may be the wrong one", all, []notation.SignatureVerdict{signature("a", stranger), signature("b", stranger)}, "a:nothingPasses b:nothingPasses"},
		{"the only one that passes goes as well", all, []notation.SignatureVerdict{signature("a", stranger), signature("b", expires(at.Add(-day), notation.Logged))}, "a:nothingPasses -b:expired"},
		{"beside one that passes leniently", all, []notation.SignatureVerdict{signature("a", stranger), signature("b", found(notation.CheckRevocation, notation.Logged, reason.RevocationUnavailable))}, "-a:untrusted b:lenient"},
		{"malformed", all, []notation.SignatureVerdict{signature("a"), signature("b", fails(notation.CheckIntegrity, reason.OCILayers)), signature("c", fails(notation.CheckIntegrity, reason.EnvelopeSignature))}, "a:passes -b:untrusted -c:untrusted"},
		{"undecided stays", all, []notation.SignatureVerdict{signature("a"), signature("b", found(notation.CheckIntegrity, notation.Undecided, reason.OCINotFound))}, "a:passes b:undecided"},
		{"refers to something else", all, []notation.SignatureVerdict{signature("a"), signature("b", fails(notation.CheckIntegrity, reason.OCISubjectMismatch))}, "a:passes b:foreign"},

		// What may be otherwise elsewhere, or later.
		{"a missing plugin", all, []notation.SignatureVerdict{signature("a"), signature("b", fails(notation.CheckIntegrity, reason.VerifyPluginUnavailable))}, "a:passes b:unsettled"},
		{"a missing store", all, []notation.SignatureVerdict{signature("a"), signature("b", fails(notation.CheckAuthenticity, reason.StoreNotFound))}, "a:passes b:unsettled"},
		{"an unknown attribute", all, []notation.SignatureVerdict{signature("a"), signature("b", fails(notation.CheckIntegrity, reason.VerifyCriticalAttribute))}, "a:passes b:unsettled"},
		{"a time to come", all, []notation.SignatureVerdict{signature("a"), signature("b", fails(notation.CheckAuthenticTimestamp, reason.CertNotYetValid))}, "a:passes b:unsettled"},
		{"a responder that does not know yet", all, []notation.SignatureVerdict{signature("a"), signature("b", fails(notation.CheckRevocation, reason.RevocationUnknown))}, "a:passes b:unsettled"},
		{"metadata that only this caller wants", all, []notation.SignatureVerdict{signature("a"), signature("b", fails(notation.CheckMetadata, reason.VerifyMetadata))}, "a:passes b:unsettled"},
		{"such a reason, and a certain one", all, []notation.SignatureVerdict{signature("a"), signature("b", fails(notation.CheckIntegrity, reason.VerifyPluginNotRun), stranger)}, "a:passes -b:untrusted"},

		// What newer ones have superseded.
		{"older ones", prune.Options{Keep: 2}, []notation.SignatureVerdict{
			signature("a", signed(3*day)), signature("b", signed(day)), signature("c", signed(4*day)), signature("d", signed(2*day)),
		}, "-a:superseded b:passes -c:superseded d:passes"},
		{"each signer for himself", prune.Options{Keep: 1}, []notation.SignatureVerdict{
			signature("a", signed(3*day)), signature("b", by("ca:acme", "CN=root", "CN=bob")), signature("c", by("ca:other", "CN=root", "CN=alice")), signature("d", by("ca:acme", "CN=other", "CN=alice")),
		}, "a:passes b:passes c:passes d:passes"},
		{"a stamp counts more than a claim", prune.Options{Keep: 1}, []notation.SignatureVerdict{
			signature("a", signed(-day), func(s *notation.SignatureVerdict) { s.Timestamp = &notation.Timestamp{Time: at.Add(-9 * day)} }), signature("b", signed(2*day)),
		}, "-a:superseded b:passes"},
		{"at the same time: by digest", prune.Options{Keep: 1}, []notation.SignatureVerdict{signature("a"), signature("b")}, map[bool]string{
			true: "a:passes -b:superseded", false: "-a:superseded b:passes",
		}[digest.FromString("a") < digest.FromString("b")]},
		{"what fails does not count", prune.Options{Keep: 1}, []notation.SignatureVerdict{signature("a", signed(2*day)), signature("b", stranger)}, "a:passes b:notAsked"},
		{"what passes leniently neither counts nor goes", prune.Options{Keep: 1}, []notation.SignatureVerdict{
			signature("a", signed(2*day)), signature("b", expires(at.Add(-day), notation.Logged)),
		}, "a:passes b:lenient"},
		{"what has expired does not count", all, []notation.SignatureVerdict{signature("a", signed(2*day)), signature("b", expires(at.Add(-time.Hour), notation.Failed))}, "a:passes -b:expired"},
		{"nobody vouches for the signers", prune.Options{Keep: 1}, []notation.SignatureVerdict{signature("a", by("", "CN=x", "CN=y")), signature("b", by("", "CN=x", "CN=y"))}, "a:passes b:passes"},
		{"names that are cut are not compared", prune.Options{Keep: 1}, []notation.SignatureVerdict{
			signature("a", by("ca:acme", "CN=root", "CN=aaaa…")), signature("b", by("ca:acme", "CN=root", "CN=aaaa…"), func(s *notation.SignatureVerdict) { s.Fingerprint = "f2" }),
		}, "a:passes b:passes"},
		{"nor are those that cannot be read", prune.Options{Keep: 1}, []notation.SignatureVerdict{
			signature("a", by("ca:acme", "[unreadable name]", "CN=a")), signature("b", by("ca:acme", "[unreadable name]", "CN=a"), func(s *notation.SignatureVerdict) { s.Fingerprint = "f2" }),
		}, "a:passes b:passes"},

		// Lists lie.
		{"one digest, listed with a wrong size first", all, []notation.SignatureVerdict{signature("a", found(notation.CheckIntegrity, notation.Undecided, reason.OCISizeMismatch)), signature("a")}, "a:passes"},
		{"and last", all, []notation.SignatureVerdict{signature("a", stranger), signature("b"), signature("a", found(notation.CheckIntegrity, notation.Undecided, reason.OCISizeMismatch))}, "-a:untrusted b:passes"},
		{"no digest", all, []notation.SignatureVerdict{signature("a", func(s *notation.SignatureVerdict) { s.Digest = "" })}, ""},
		{"findings that say nothing", all, []notation.SignatureVerdict{{Digest: digest.FromString("a")}, {Digest: digest.FromString("b"), Outcome: notation.Undecided}}, "a:unsettled b:undecided"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan, err := prune.Plan(verdict(tt.in...), tt.options)
			if got := told(plan, names...); err != nil || got != tt.want {
				t.Errorf("%s, %v\nwant %s", got, err, tt.want)
			}
			for _, d := range plan {
				if d.Message == "" || d.Signature == nil || d.Signature.Digest != d.Digest {
					t.Errorf("%+v", d)
				}
			}
		})
	}
}

// A newer signature that ends sooner does not take the place of one that lasts.
func TestPlanKeepsWhatLasts(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	certificate := func(end time.Duration) func(*notation.SignatureVerdict) {
		return func(s *notation.SignatureVerdict) { s.Scheme, s.CertificateExpiry = "notary.x509", at.Add(end) }
	}
	stamped := func(s *notation.SignatureVerdict) { s.Timestamp = &notation.Timestamp{Time: s.SigningTime} }
	authority := func(s *notation.SignatureVerdict) { s.Scheme = "notary.x509.signingAuthority" }
	until := func(end time.Duration) func(*notation.SignatureVerdict) { return expires(at.Add(end), notation.Passed) }
	type changes = []func(*notation.SignatureVerdict)
	for name, tt := range map[string]struct {
		old, newer changes
		want       string
	}{
		"both for ever":             {nil, nil, "-old:superseded newer:passes"},
		"expires later":             {changes{until(day)}, changes{until(2 * day)}, "-old:superseded newer:passes"},
		"expires at the same time":  {changes{until(day)}, changes{until(day)}, "-old:superseded newer:passes"},
		"never expires":             {changes{until(day)}, nil, "-old:superseded newer:passes"},
		"expires soon":              {nil, changes{until(time.Hour)}, "old:passes newer:passes"},
		"expires sooner":            {changes{until(day)}, changes{until(time.Hour)}, "old:passes newer:passes"},
		"renewed certificate":       {changes{certificate(day)}, changes{certificate(9 * day)}, "-old:superseded newer:passes"},
		"older certificate":         {changes{certificate(9 * day)}, changes{certificate(day)}, "old:passes newer:passes"},
		"the old one has a stamp":   {changes{certificate(day), stamped}, changes{certificate(9 * day)}, "old:passes newer:passes"},
		"both have":                 {changes{certificate(9 * day), stamped}, changes{certificate(day), stamped}, "-old:superseded newer:passes"},
		"an authority's":            {changes{certificate(9 * day), authority}, changes{certificate(day), authority}, "-old:superseded newer:passes"},
		"certificate before expiry": {changes{until(2 * day)}, changes{until(9 * day), certificate(day)}, "old:passes newer:passes"},
	} {
		old := signature("old", append(changes{signed(2 * day)}, tt.old...)...)
		newer := signature("newer", append(changes{signed(day)}, tt.newer...)...)
		plan, err := prune.Plan(verdict(old, newer), prune.Options{Keep: 1})
		if got := told(plan, "old", "newer"); err != nil || got != tt.want {
			t.Errorf("%s: %s, want %s: %v", name, got, tt.want, err)
		}
	}
}

// TestPlanRefuses has verdicts that are not about every signature.
//
// attack: REG-09
func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	some := prune.Options{Untrusted: true}
	with := func(o notation.Outcome, findings ...notation.Finding) *notation.Verdict {
		v := verdict(signature("a", stranger))
		v.Outcome, v.Findings = o, findings
		return v
	}
	finding := func(c notation.Check, o notation.Outcome, code reason.Code) notation.Finding {
		return notation.Finding{Check: c, Outcome: o, Reason: code, Message: "so it is", Hint: "do so"}
	}
	unread := verdict(signature("a"))
	unread.NotLookedAt = 1
	good := verdict(signature("a"))
	doubtful := verdict(signature("a"))
	doubtful.Findings = []notation.Finding{finding(notation.CheckDiscovery, notation.Logged, reason.RegistryListing)}
	for _, tt := range []struct {
		name    string
		verdict *notation.Verdict
		options prune.Options
		code    reason.Code
	}{
		{"nothing asked", good, prune.Options{}, reason.PruneOptions},
		{"fewer than none", good, prune.Options{Expired: true, Keep: -1}, reason.PruneOptions},
		{"no verdict", nil, some, reason.PruneOptions},
		{"an empty verdict", &notation.Verdict{}, some, reason.PruneOptions},
		{"skip", with(notation.Skipped, finding(notation.CheckPolicy, notation.Skipped, reason.VerifySkippedByPolicy)), some, reason.PolicyDecidesNothing},
		{"no statement", with(notation.Failed, finding(notation.CheckPolicy, notation.Failed, reason.PolicyNoStatement)), some, reason.PolicyDecidesNothing},
		{"no policy", with(notation.Failed, finding(notation.CheckPolicy, notation.Failed, reason.VerifyNoPolicy)), some, reason.PolicyDecidesNothing},
		{"no store", with(notation.Failed, finding(notation.CheckPolicy, notation.Failed, reason.StoreNotFound)), some, reason.StoreNotFound},
		{"not resolved", with(notation.Undecided, finding(notation.CheckReference, notation.Undecided, reason.OCINotFound)), some, reason.OCINotFound},
		{"not listed", with(notation.Undecided, finding(notation.CheckDiscovery, notation.Undecided, reason.RegistryTimeout)), some, reason.RegistryTimeout},
		{"truncated", with(notation.Undecided, finding(notation.CheckDiscovery, notation.Undecided, reason.VerifyListingTruncated)), some, reason.VerifyListingTruncated},
		{"not listed, but one passes", doubtful, some, reason.RegistryListing},
		{"not looked at", unread, some, reason.VerifySignatureLimit},
		{"an oddity of the listing", with(notation.Failed, finding(notation.CheckDiscovery, notation.Logged, reason.RegistryReferrersTag), finding(notation.CheckPolicy, notation.Passed, "")), some, ""},
		{"unsigned", with(notation.Unsigned, finding(notation.CheckDiscovery, notation.Failed, reason.VerifyUnsigned)), some, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan, err := prune.Plan(tt.verdict, tt.options)
			if reason.Of(err) != tt.code || err != nil && (plan != nil || reason.Hint(err) == "") {
				t.Errorf("%v, %v with code %q, want %q", plan, err, reason.Of(err), tt.code)
			}
		})
	}
}

// TestPlanAlwaysLeavesOne takes verdicts of all sorts, and looks at what must
// hold of every plan.
func TestPlanAlwaysLeavesOne(t *testing.T) {
	t.Parallel()
	kinds := []func(*notation.SignatureVerdict){
		func(*notation.SignatureVerdict) {}, signed(time.Hour), stranger, by("ca:acme", "CN=root", "CN=bob"),
		found(notation.CheckIntegrity, notation.Undecided, reason.OCINotFound), found(notation.CheckExpiry, notation.Logged, reason.VerifyExpired),
		fails(notation.CheckAuthenticity, reason.StoreNotFound), expires(at.Add(-time.Hour), notation.Failed),
	}
	n := len(kinds)
	for i := range n * n * n * 8 {
		var in []notation.SignatureVerdict
		for k, kind := range []int{i / 8 % n, i / 8 / n % n, i / 8 / n / n} {
			in = append(in, signature(fmt.Sprint(k), kinds[kind]))
		}
		o := prune.Options{Expired: i&1 > 0, Untrusted: i&2 > 0, Keep: i >> 2 & 1}
		plan, err := prune.Plan(verdict(in...), o)
		if err != nil {
			if o != (prune.Options{}) {
				t.Fatal(err)
			}
			continue
		}
		passing, left := 0, 0
		for _, d := range plan {
			if d.Signature.Outcome == notation.Passed && d.Why != prune.Expired {
				passing++
				if !d.Delete {
					left++
				}
			}
			if d.Delete && (d.Signature.Outcome == notation.Undecided || d.Why != prune.Expired && d.Why != prune.Untrusted && d.Why != prune.Superseded) {
				t.Fatalf("%+v goes", d)
			}
		}
		if passing > 0 && left == 0 {
			t.Fatalf("%+v: none is left of %s", o, told(plan, "0", "1", "2"))
		}
	}
}

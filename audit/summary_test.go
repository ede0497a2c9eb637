package audit

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	a := archive(t)
	for i := range 60 {
		r := record(fmt.Sprint("r", i%3), fmt.Sprint("good ", i), outcomePassed, "v1")
		r.Signatures = []Signature{
			{Outcome: "failed", Signer: "CN=mallory"},
			{Outcome: outcomePassed, Signer: fmt.Sprintf("CN=s%02d", i%30), Store: "ca:a", Expiry: at.Add(time.Duration(i%25) * time.Hour)},
		}
		add(t, a, r)
	}
	nobody := record("r1", "nobody", outcomePassed)
	nobody.Signatures = []Signature{{Outcome: outcomePassed, Signer: "CN=mallory"}}
	none := record("r4", "x", outcomeRejected)
	none.Reason = reason.PolicyNoStatement
	rejected := record("r4", "y", outcomeRejected)
	rejected.Reason, rejected.Time = reason.VerifyRootUntrusted, at.Add(time.Hour)
	skipped := record("r4", "s", outcomeSkipped)
	add(t, a, nobody, none, rejected, skipped, record("r4", "z", outcomeUnsigned), record("r5", "", outcomeUndecided), record("r6", "", outcomeUndecided, "v1"), record("r7", "bare", outcomePassed))
	s, err := Summarize(a.Records())
	if err != nil {
		t.Fatal(err)
	}
	counts := []int{s.Artifacts, s.Repositories, s.Passed, s.Rejected, s.Unsigned, s.Undecided, s.Skipped, s.NoStatement, s.Unlisted, s.MoreSigners}
	if want := []int{68, 7, 62, 2, 1, 2, 1, 1, 1, 21}; !slices.Equal(counts, want) {
		t.Errorf("%v, want %v", counts, want)
	}
	if s.ExitCodes() != [5]int{63, 2, 0, 2, 1} || !s.Latest.Equal(at.Add(time.Hour)) {
		t.Errorf("%v, %v", s.ExitCodes(), s.Latest)
	}
	if len(s.Signers) != maxListed || s.Signers[0].Artifacts != 2 || s.Signers[0].Signer != "CN=s00" {
		t.Errorf("%+v", s.Signers)
	}
	if len(s.Reasons) != 5 || s.Reasons[0] != (ReasonCount{outcomeUndecided, "", 2}) {
		t.Errorf("%+v", s.Reasons)
	}
	if len(s.Expiring) != maxExpiring || !s.Expiring[0].Time.Equal(at) || s.Expiring[0].Example == "" {
		t.Errorf("%+v", s.Expiring)
	}
	_, err = Summarize(func(yield func(Record, error) bool) { yield(Record{}, io.ErrUnexpectedEOF) })
	if err == nil {
		t.Error("the error is lost")
	}
}

// TestSummaryIsBounded keeps the first ends among very many, and few signers.
func TestSummaryIsBounded(t *testing.T) {
	t.Parallel()
	const n = 30_000
	s, err := Summarize(func(yield func(Record, error) bool) {
		for _, i := range rand.Perm(n) {
			r := record("a", fmt.Sprint(i), outcomePassed)
			r.Signatures = []Signature{{Outcome: outcomePassed, Signer: fmt.Sprint(i), Store: "ca:a", Expiry: at.Add(time.Duration(i) * time.Second)}}
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil || len(s.Signers) != maxListed || s.MoreSigners != n-maxListed {
		t.Errorf("%d signers and %d more, %v", len(s.Signers), s.MoreSigners, err)
	}
	for i, e := range s.Expiring {
		if !e.Time.Equal(at.Add(time.Duration(i) * time.Second)) {
			t.Fatalf("%d: %+v", i, e)
		}
	}
}

// TestReasonsAddUp counts every artifact that did not pass, also those of reasons
// that are not listed, or not told apart.
func TestReasonsAddUp(t *testing.T) {
	t.Parallel()
	const n = 3 * maxReasons
	s, err := Summarize(func(yield func(Record, error) bool) {
		for i := range n {
			r := record("a", fmt.Sprint(i), outcomeRejected)
			r.Reason = reason.Code(fmt.Sprint("x.", i))
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil || len(s.Reasons) != maxListed || s.MoreReasons != n-maxListed {
		t.Errorf("%d reasons and %d more, %v", len(s.Reasons), s.MoreReasons, err)
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	early, late := at, at.Add(time.Hour)
	for _, tt := range []struct {
		s    Signature
		want time.Time
	}{
		{Signature{}, time.Time{}}, {Signature{Expiry: late}, late}, {Signature{CertificateExpiry: early}, early},
		{Signature{Expiry: late, CertificateExpiry: early}, early}, {Signature{Expiry: early, CertificateExpiry: late}, early},
		{Signature{Expiry: late, CertificateExpiry: early, Timestamped: true}, late}, {Signature{CertificateExpiry: early, Timestamped: true}, time.Time{}},
	} {
		if got := tt.s.Ends(); !got.Equal(tt.want) {
			t.Errorf("%+v: %v", tt.s, got)
		}
	}
}

// TestFingerprint differs with whatever a verdict rests on.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	policy := func(scope, level string) *trust.Policy {
		p, err := trust.ParsePolicy("p.json", fmt.Appendf(nil, `{"version":"1.0","trustPolicies":[{"name":"s","registryScopes":[%q],"signatureVerification":{"level":%q},"trustStores":["ca:a","ca:b"],"trustedIdentities":["*"]},
			{"name":"t","registryScopes":["r.example/t"],"signatureVerification":{"level":%q},"trustStores":["ca:a"],"trustedIdentities":["*"]}]}`, scope, level, level))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	stores := func(name string) *trust.Stores {
		certs := testpki.New(t, testpki.Options{Name: name}).Certs
		return trust.NewMemoryStores(map[trust.StoreRef][]*certificate{{Type: trust.CA, Name: "a"}: certs[len(certs)-1:]})
	}
	base, other := notation.Verifier{Policy: policy("*", "strict"), Stores: stores("x")}, stores("y")
	seen := map[string]string{}
	for name, edit := range map[string]func(*notation.Verifier) []string{
		"same":           func(*notation.Verifier) []string { return nil },
		"scope":          func(v *notation.Verifier) []string { v.Policy = policy("r.example/a", "strict"); return nil },
		"level":          func(v *notation.Verifier) []string { v.Policy = policy("*", "audit"); return nil },
		"stores":         func(v *notation.Verifier) []string { v.Stores = other; return nil },
		"no stores":      func(v *notation.Verifier) []string { v.Stores = nil; return nil },
		"metadata":       func(v *notation.Verifier) []string { v.Metadata = map[string]string{"a": "b"}; return nil },
		"plugin":         func(v *notation.Verifier) []string { v.PluginConfig = map[string]string{"a": "b"}; return nil },
		"max signatures": func(v *notation.Verifier) []string { v.MaxSignatures = 7; return nil },
		"revocation":     func(v *notation.Verifier) []string { v.RequireRevocation = true; return nil },
		"more":           func(*notation.Verifier) []string { return []string{"ab", "c"} },
		"more, else":     func(*notation.Verifier) []string { return []string{"a", "bc"} },
		"no policy":      func(v *notation.Verifier) []string { v.Policy = nil; return nil },
		"zero policy":    func(v *notation.Verifier) []string { v.Policy = new(trust.Policy); return nil },
	} {
		v := base
		f := Fingerprint(&v, edit(&v)...)
		if before, there := seen[f]; there {
			t.Errorf("%s and %s are the same", name, before)
		}
		seen[f] = name
		v = base
		if Fingerprint(&v, edit(&v)...) != f {
			t.Errorf("%s: not the same twice", name)
		}
	}
}

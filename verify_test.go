package notation_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
		for _, by := range []string{"tag", "digest"} {
			t.Run(mediaType+" by "+by, func(t *testing.T) {
				t.Parallel()
				chain := testpki.New(t, testpki.Options{})
				repo := newFakeRepo()
				artifact := repo.push("v1", "artifact")
				at := time.Now()
				sig := repo.signAs(t, artifact, chain, notation.SignOptions{
					MediaType: mediaType, Expiry: time.Hour, Metadata: map[string]string{"a": "b"},
				})
				repo.requests = nil
				v := verifierFor(t, chain)
				v.Now = func() time.Time { return at }
				ref := byDigest(t, artifact)
				if by == "tag" {
					ref = reference(t, scope+":v1")
				}
				verdict, err := v.Verify(t.Context(), repo, ref)
				if err != nil {
					t.Fatal(err)
				}
				if verdict.Outcome != notation.Passed || verdict.Reference != scope+"@"+string(artifact.Digest) ||
					verdict.Artifact.Digest != artifact.Digest || verdict.Statement != "test" || verdict.Level != trust.Strict ||
					!verdict.Time.Equal(at) || len(verdict.Findings) != 0 || verdict.NotLookedAt != 0 {
					t.Errorf("verdict %+v", verdict)
				}
				s := verdict.Accepted()
				if s == nil || s.Digest != sig.Digest || s.MediaType != mediaType || s.Store != "ca:test" || s.Identity != "*" ||
					s.Scheme != "notary.x509" || s.Metadata["a"] != "b" || !s.Expiry.Equal(s.SigningTime.Add(time.Hour)) ||
					!strings.Contains(s.Subject, "wabbit-networks.io") || s.Subject == s.Issuer || s.Issuer == s.Root || len(s.Fingerprint) != 64 {
					t.Errorf("signature %+v", s)
				}
				if got, want := repo.requests, 3; len(got) != want {
					t.Errorf("%d requests, want %d: %v", len(got), want, got)
				}
			})
		}
	}
}

// TestNothingIsRequested covers what is decided before the registry is asked.
func TestNothingIsRequested(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	anchors := stores(map[string][]*x509.Certificate{"ca:test": {chain.Root()}})
	const digest = "@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	for _, tt := range []struct {
		name     string
		verifier notation.Verifier
		ref      string
		want     error
		code     reason.Code
	}{
		{"zero verifier", notation.Verifier{}, scope + digest, notation.ErrRejected, reason.VerifyNoPolicy},
		{"no policy", notation.Verifier{Stores: anchors}, scope + digest, notation.ErrRejected, reason.VerifyNoPolicy},
		{"no stores", notation.Verifier{Policy: policy(t, "strict", "")}, scope + digest, notation.ErrRejected, reason.VerifyNoStores},
		{"zero policy", notation.Verifier{Policy: new(trust.Policy), Stores: anchors}, scope + digest, notation.ErrRejected, reason.PolicyNoStatement},
		{"zero stores", notation.Verifier{Policy: policy(t, "strict", ""), Stores: new(trust.Stores)}, scope + digest, notation.ErrRejected, reason.StoreNotFound},
		{"other repository", notation.Verifier{Policy: policy(t, "strict", ""), Stores: anchors}, "registry.example/other" + digest, notation.ErrRejected, reason.VerifyReference},
		{"neither tag nor digest", notation.Verifier{Policy: policy(t, "strict", ""), Stores: anchors}, scope, notation.ErrRejected, reason.VerifyReference},
		{"level skip", notation.Verifier{Policy: policy(t, "skip", `"trustStores": []`), Stores: anchors}, scope + ":v1", notation.ErrSkipped, reason.VerifySkippedByPolicy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			verdict, err := tt.verifier.Verify(t.Context(), repo, reference(t, tt.ref))
			checkRefusal(t, verdict, err, tt.want, tt.code)
			if len(repo.requests) != 0 {
				t.Errorf("requests: %v", repo.requests)
			}
			if verdict.Reference != tt.ref {
				t.Errorf("reference %q", verdict.Reference)
			}
		})
	}
}

// checkRefusal checks that a verdict and its error say the same no.
func checkRefusal(t *testing.T, verdict *notation.Verdict, err, want error, code reason.Code) {
	t.Helper()
	if verdict == nil {
		t.Fatal("no verdict")
	}
	for _, sentinel := range []error{notation.ErrRejected, notation.ErrUnsigned, notation.ErrUndecided, notation.ErrSkipped} {
		if got := errors.Is(err, sentinel); got != (sentinel == want) {
			t.Errorf("errors.Is(%v, %v) = %t", err, sentinel, got)
		}
	}
	if got := reason.Of(err); got != code {
		t.Errorf("code %q, want %q (%v)", got, code, err)
	}
	if e, ok := errors.AsType[*notation.VerdictError](err); !ok || e.Verdict != verdict {
		t.Errorf("error is %T", err)
	}
	wants := map[error]notation.Outcome{
		notation.ErrRejected: notation.Failed, notation.ErrUnsigned: notation.Unsigned,
		notation.ErrUndecided: notation.Undecided, notation.ErrSkipped: notation.Skipped,
	}
	if verdict.Outcome != wants[want] {
		t.Errorf("outcome %s", verdict.Outcome)
	}
	if verdict.Accepted() != nil {
		t.Error("a signature passed")
	}
	if strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("error %q cannot be printed", err)
	}
}

// attack: REG-01
func TestMovedTag(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	good, evil := repo.push("v1", "good"), repo.push("v1", "evil")
	repo.signAs(t, good, chain, notation.SignOptions{})
	answers := []oci.Descriptor{good, evil, evil}
	n := 0
	repo.onResolve = func(oci.Reference) (oci.Descriptor, error) {
		d := answers[n]
		n++
		return d, nil
	}
	verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, reference(t, scope+":v1"))
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Artifact.Digest != good.Digest || verdict.Reference != scope+"@"+string(good.Digest) || n != 1 {
		t.Errorf("reported %s after %d look-ups", verdict.Reference, n)
	}
	// The tag now names what nobody signed.
	verdict, err = verifierFor(t, chain).Verify(t.Context(), repo, reference(t, scope+":v1"))
	checkRefusal(t, verdict, err, notation.ErrUnsigned, reason.VerifyUnsigned)
}

func TestUnresolved(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, tt := range []struct {
		name string
		err  error
		want error
		code reason.Code
	}{
		{"not found", notFound("manifest"), notation.ErrUndecided, reason.OCINotFound},
		{"tag and digest disagree", reason.Errorf(reason.OCITagMismatch, "tag"), notation.ErrRejected, reason.OCITagMismatch},
		{"no code", errors.New("boom\x1b[2J"), notation.ErrUndecided, reason.VerifyResolve},
		{"wrapped", fmt.Errorf("outer: %w", notFound("manifest")), notation.ErrUndecided, reason.OCINotFound},
		{"another digest", nil, notation.ErrUndecided, reason.OCIDigestMismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			repo.onResolve = func(oci.Reference) (oci.Descriptor, error) {
				return descriptor("a/b", []byte("other")), tt.err
			}
			verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
			checkRefusal(t, verdict, err, tt.want, tt.code)
			if tt.err != nil && !strings.Contains(tt.err.Error(), "\x1b") && !errors.Is(err, tt.err) {
				t.Errorf("%v lost its cause", err)
			}
			if verdict.Reference != scope+"@"+string(artifact.Digest) || verdict.Artifact.Digest != "" {
				t.Errorf("verdict %+v", verdict)
			}
			if tt.err == nil {
				return
			}
			verdict, err = verifierFor(t, chain).Verify(t.Context(), repo, reference(t, scope+":v1"))
			checkRefusal(t, verdict, err, tt.want, tt.code)
			if verdict.Reference != scope+":v1" {
				t.Errorf("reference %q", verdict.Reference)
			}
		})
	}
}

func TestLayoutReferences(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, name := range []string{scope, ""} {
		repo := newFakeRepo()
		repo.name = name
		_, ref, err := oci.ParseLayoutReference("dir:v1")
		if err != nil {
			t.Fatal(err)
		}
		v := verifierFor(t, chain)
		verdict, err := v.Verify(t.Context(), repo, ref)
		if name == "" {
			checkRefusal(t, verdict, err, notation.ErrRejected, reason.Of(err))
			if verdict.Reference != "v1" {
				t.Errorf("reference %q", verdict.Reference)
			}
			continue
		}
		checkRefusal(t, verdict, err, notation.ErrUndecided, reason.OCINotFound)
		if verdict.Reference != scope+":v1" {
			t.Errorf("reference %q", verdict.Reference)
		}
	}
}

// attack: REG-09
func TestFailedListing(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	broken := func(context.Context) error { return errors.New("connection reset") }
	for _, tt := range []struct {
		name      string
		signers   []*testpki.Chain
		err       func(context.Context) error
		truncated bool
		want      error // nil: passes
		code      reason.Code
	}{
		{"empty and complete", nil, nil, false, notation.ErrUnsigned, reason.VerifyUnsigned},
		{"empty and failed", nil, broken, false, notation.ErrUndecided, reason.VerifyListing},
		{"empty and truncated", nil, nil, true, notation.ErrUndecided, reason.VerifyListingTruncated},
		{"bad one and failed", []*testpki.Chain{stranger}, broken, false, notation.ErrUndecided, reason.VerifyListing},
		{"bad one and truncated", []*testpki.Chain{stranger}, nil, true, notation.ErrUndecided, reason.VerifyListingTruncated},
		{"bad one and complete", []*testpki.Chain{stranger}, nil, false, notation.ErrRejected, reason.VerifyRootUntrusted},
		{"good one and failed", []*testpki.Chain{stranger, chain}, broken, false, nil, ""},
		{"good one and truncated", []*testpki.Chain{chain}, nil, true, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			for _, c := range tt.signers {
				repo.signAs(t, artifact, c, notation.SignOptions{})
			}
			repo.onReferrers, repo.truncated = tt.err, tt.truncated
			repo.warnings = []error{errors.New("odd")}
			for _, ref := range []oci.Reference{byDigest(t, artifact), reference(t, scope+":v1")} {
				verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, ref)
				if tt.want != nil {
					checkRefusal(t, verdict, err, tt.want, tt.code)
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if f := finding(t, verdict.Findings, notation.CheckDiscovery); f.Outcome != notation.Logged || f.Reason == "" {
					t.Errorf("finding %+v", f)
				}
			}
		})
	}
}

// TestAuditWithoutStores goes on where authenticity is only logged.
func TestAuditWithoutStores(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.signAs(t, artifact, chain, notation.SignOptions{})
	v := &notation.Verifier{Policy: policy(t, "audit", ""), Stores: new(trust.Stores)}
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	want{notation.CheckAuthenticity, notation.Logged, reason.StoreNotFound}.compare(t, verdict, err)
	if s := verdict.Accepted(); s.Store != "" || s.Identity != "" {
		t.Errorf("signature %+v", s)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.signAs(t, artifact, chain, notation.SignOptions{Metadata: map[string]string{"build": "1", "commit": "abc"}})
	for _, tt := range []struct {
		name string
		ask  map[string]string
		good bool
	}{
		{"some", map[string]string{"build": "1"}, true},
		{"all", map[string]string{"build": "1", "commit": "abc"}, true},
		{"other value", map[string]string{"build": "2"}, false},
		{"absent", map[string]string{"other": "1"}, false},
		{"absent and empty", map[string]string{"other": ""}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := verifierFor(t, chain)
			v.Metadata = tt.ask
			verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
			if !tt.good {
				checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyMetadata)
			} else if err != nil {
				t.Fatal(err)
			}
			want := notation.Passed
			if !tt.good {
				want = notation.Failed
			}
			if f := finding(t, verdict.Signatures[0].Findings, notation.CheckMetadata); f.Outcome != want {
				t.Errorf("finding %+v", f)
			}
		})
	}
}

// TestConcurrentUse shares one Verifier, which reads its stores while used.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	v := verifierFor(t, chain)
	var wg sync.WaitGroup
	for i := range 8 {
		repo := newFakeRepo()
		artifact := repo.push("v1", fmt.Sprint("artifact ", i))
		repo.signAs(t, artifact, chain, notation.SignOptions{})
		wg.Go(func() {
			if _, err := v.Verify(context.Background(), repo, byDigest(t, artifact)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

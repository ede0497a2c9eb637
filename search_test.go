package notation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// bad adds candidates of one kind to a repository.
type bad struct {
	name string
	add  func(t *testing.T, r *fakeRepo, artifact oci.Descriptor, n int)
	want reason.Code // of the finding on integrity; "": none, as it is no signature
}

// entry lists content that is, or is not, there. It says nothing about itself.
func entry(r *fakeRepo, artifact oci.Descriptor, content string, stored bool) digest.Digest {
	d := descriptor(ocispec.MediaTypeImageManifest, []byte(content))
	if stored {
		r.put([]byte(content))
	}
	r.list(artifact.Digest, d)
	return d.Digest
}

// failing makes the fetch of one digest end with what fail returns.
func failing(r *fakeRepo, d digest.Digest, fail func(context.Context) ([]byte, error)) {
	before := r.onFetch
	r.onFetch = func(ctx context.Context, got digest.Digest) ([]byte, error) {
		if got == d {
			return fail(ctx)
		}
		if before != nil {
			return before(ctx, got)
		}
		return nil, nil
	}
}

func hang(ctx context.Context) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

var badSignatures = []bad{
	{"missing", func(_ *testing.T, r *fakeRepo, a oci.Descriptor, n int) {
		entry(r, a, fmt.Sprint("missing", n), false)
	}, reason.OCINotFound},
	{"5xx", func(_ *testing.T, r *fakeRepo, a oci.Descriptor, n int) {
		d := entry(r, a, fmt.Sprint("5xx", n), true)
		failing(r, d, func(context.Context) ([]byte, error) {
			return nil, reason.Errorf(reason.RegistryUnavailable, "500 Internal Server Error")
		})
	}, reason.RegistryUnavailable},
	{"plain error", func(_ *testing.T, r *fakeRepo, a oci.Descriptor, n int) {
		d := entry(r, a, fmt.Sprint("plain", n), true)
		failing(r, d, func(context.Context) ([]byte, error) { return nil, errors.New("reset") })
	}, reason.VerifySignatureUnread},
	{"slow", func(_ *testing.T, r *fakeRepo, a oci.Descriptor, n int) {
		failing(r, entry(r, a, fmt.Sprint("slow", n), true), hang)
	}, reason.VerifySignatureTimeout},
	{"garbage", func(_ *testing.T, r *fakeRepo, a oci.Descriptor, n int) {
		entry(r, a, fmt.Sprint("garbage", n), true)
	}, reason.OCIManifest},
	{"other subject", func(t *testing.T, r *fakeRepo, a oci.Descriptor, n int) {
		other := r.push("other", fmt.Sprint("other", n))
		att, err := oci.NewSignatureAttachment(other, envelope.MediaTypeJWS, []byte("{}"), nil)
		if err != nil {
			t.Fatal(err)
		}
		entry(r, a, string(att.Manifest), true)
	}, reason.OCISubjectMismatch},
	{"broken envelope", func(t *testing.T, r *fakeRepo, a oci.Descriptor, n int) {
		r.attachEnvelope(t, a, fmt.Append(nil, "{}", strings.Repeat(" ", n)), nil)
	}, reason.EnvelopeJSON},
	{"missing envelope", func(t *testing.T, r *fakeRepo, a oci.Descriptor, n int) {
		raw := []byte(strings.Repeat(" ", oci.MaxInlineSize+1+n))
		r.attachEnvelope(t, a, raw, nil)
		delete(r.content, digest.FromBytes(raw))
	}, reason.OCINotFound},
	{"stranger", func(_ *testing.T, r *fakeRepo, a oci.Descriptor, n int) {
		entry(r, a, fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"sbom/example",`+
			`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},`+
			`"layers":[],"annotations":{"n":"%d"}}`, n), true)
	}, ""},
}

// attack: REG-05
func TestGoodAmongBad(t *testing.T) {
	t.Parallel()
	for _, tt := range badSignatures {
		for _, n := range []int{1, 3, 99} {
			t.Run(fmt.Sprint(n, " ", tt.name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					chain := testpki.New(t, testpki.Options{})
					repo := newFakeRepo()
					artifact := repo.push("v1", "artifact")
					for i := range n {
						tt.add(t, repo, artifact, i)
					}
					good := repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact}), nil)
					start := time.Now()
					verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
					if err != nil {
						t.Fatal(err)
					}
					if got := verdict.Accepted().Digest; got != good.Digest {
						t.Errorf("accepted %s, want %s", got, good.Digest)
					}
					if waited := time.Since(start); waited > notation.HedgeDelay {
						t.Errorf("held up for %s", waited)
					}
				})
			})
		}
	}
}

// attack: REG-09
// attack: REG-05
func TestOnlyBad(t *testing.T) {
	t.Parallel()
	undecided := map[string]bool{"missing": true, "5xx": true, "plain error": true, "slow": true, "missing envelope": true}
	for _, tt := range badSignatures {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				chain := testpki.New(t, testpki.Options{})
				repo := newFakeRepo()
				artifact := repo.push("v1", "artifact")
				for i := range 6 {
					tt.add(t, repo, artifact, i)
				}
				v := verifierFor(t, chain)
				v.Metadata = map[string]string{"a": "b"}
				verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
				switch {
				case tt.want == "":
					checkRefusal(t, verdict, err, notation.ErrUnsigned, reason.VerifyUnsigned)
					return
				case undecided[tt.name]:
					checkRefusal(t, verdict, err, notation.ErrUndecided, tt.want)
				default:
					checkRefusal(t, verdict, err, notation.ErrRejected, tt.want)
				}
				if len(verdict.Signatures) != 6 {
					t.Fatalf("%d signatures", len(verdict.Signatures))
				}
				for i, s := range verdict.Signatures {
					if s.Digest != repo.listings[artifact.Digest][i].Digest {
						t.Errorf("signature %d is out of order", i)
					}
					if f := finding(t, s.Findings, notation.CheckIntegrity); f.Reason != tt.want || f.Outcome != s.Outcome {
						t.Errorf("finding %+v", f)
					}
					if f := finding(t, s.Findings, notation.CheckMetadata); f.Outcome != notation.Skipped || f.Reason != reason.VerifyNotReached {
						t.Errorf("finding %+v", f)
					}
				}
			})
		})
	}
}

// TestMixedBad has a rejected and an unread signature: not a no.
func TestMixedBad(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.signAs(t, artifact, testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1}), notation.SignOptions{})
	entry(repo, artifact, "missing", false)
	verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.OCINotFound)
}

// TestClosest reports the cause of the signature that came furthest.
func TestClosest(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.signAs(t, artifact, testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1}), notation.SignOptions{})
	near := repo.signAs(t, artifact, chain, notation.SignOptions{Expiry: time.Minute})
	entry(repo, artifact, "garbage", true)
	v := verifierFor(t, chain)
	v.Now = func() time.Time { return time.Now().Add(time.Hour) }
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyExpired)
	if !strings.Contains(err.Error(), string(near.Digest)) || !strings.Contains(err.Error(), "none of 3") {
		t.Error(err)
	}
}

// TestClosestOfSameCheck has four signatures that fail the same check: a known
// root comes before an unknown one, and fewer failures before more.
func TestClosestOfSameCheck(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	build := map[string]string{"build": "7"}
	repo.signAs(t, artifact, stranger, notation.SignOptions{})
	repo.signAs(t, artifact, stranger, notation.SignOptions{Metadata: build})
	repo.signAs(t, artifact, chain, notation.SignOptions{})
	near := repo.signAs(t, artifact, chain, notation.SignOptions{Metadata: build})
	v := verifierFor(t, chain)
	v.Policy = policy(t, "strict", `"trustStores": ["ca:test"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=other"]`)
	v.Metadata = build
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyIdentityUntrusted)
	if !strings.Contains(err.Error(), string(near.Digest)) {
		t.Error(err)
	}
}

// attack: REG-05
func TestSignatureLimit(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	for i := range 12 {
		repo.attachEnvelope(t, artifact, seal(t, stranger, envelope.Request{Target: artifact, Agent: fmt.Sprint(i)}), nil)
	}
	good := repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact}), nil)
	for _, tt := range []struct {
		max  int
		pass bool
	}{{1, false}, {4, false}, {12, false}, {13, true}, {0, true}, {-1, true}} {
		t.Run(fmt.Sprint(tt.max), func(t *testing.T) {
			t.Parallel()
			v := verifierFor(t, chain)
			v.MaxSignatures = tt.max
			verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
			if tt.pass {
				if err != nil || verdict.Accepted().Digest != good.Digest {
					t.Error(err)
				}
				return
			}
			checkRefusal(t, verdict, err, notation.ErrUndecided, reason.VerifySignatureLimit)
			if len(verdict.Signatures) != tt.max || verdict.NotLookedAt != 13-tt.max {
				t.Errorf("%d looked at, %d not", len(verdict.Signatures), verdict.NotLookedAt)
			}
			if !strings.Contains(err.Error(), fmt.Sprint(tt.max, " signatures were looked at")) {
				t.Error(err)
			}
		})
	}
}

// TestExhaustive looks at all signatures, and says so if it could not.
func TestExhaustive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // in which a slow machine is not too slow for the first wave
		chain := testpki.New(t, testpki.Options{})
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		for i := range 20 {
			repo.signAs(t, artifact, chain, notation.SignOptions{Agent: fmt.Sprint(i)})
		}
		v := verifierFor(t, chain)
		verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
		if err != nil || len(verdict.Signatures)+verdict.NotLookedAt != 20 || repo.count("fetch") > 8 {
			t.Errorf("%v, %d looked at, %d not, %d fetched", err, len(verdict.Signatures), verdict.NotLookedAt, repo.count("fetch"))
		}
		v.Exhaustive = true
		verdict, err = v.Verify(t.Context(), repo, byDigest(t, artifact))
		if err != nil || len(verdict.Signatures) != 20 || verdict.NotLookedAt != 0 || len(verdict.Findings) != 0 {
			t.Errorf("%v, %d looked at, %d not", err, len(verdict.Signatures), verdict.NotLookedAt)
		}
		v.MaxSignatures = 5
		verdict, err = v.Verify(t.Context(), repo, byDigest(t, artifact))
		if err != nil || len(verdict.Signatures) != 5 || verdict.NotLookedAt != 15 {
			t.Errorf("%v, %d looked at, %d not", err, len(verdict.Signatures), verdict.NotLookedAt)
		}
		if f := finding(t, verdict.Findings, notation.CheckDiscovery); f.Outcome != notation.Logged || f.Reason != reason.VerifySignatureLimit {
			t.Errorf("finding %+v", f)
		}
	})
}

// TestHintedFirst finds the one good signature of two hundred with one wave,
// past a limit that would hide it, by its annotation.
func TestHintedFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // in which a slow machine is not too slow for the first wave
		chain := testpki.New(t, testpki.Options{})
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		env := seal(t, testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1}), envelope.Request{Target: artifact})
		other := thumbprints(testpki.New(t, testpki.Options{Name: "third", KeySet: 2}))
		for i := range 200 {
			annotations := map[string]string{"n": fmt.Sprint(i)}
			switch i % 3 {
			case 0:
				annotations[oci.AnnotationThumbprints] = other[oci.AnnotationThumbprints]
			case 1:
				annotations[oci.AnnotationThumbprints] = "no JSON"
			}
			repo.attachEnvelope(t, artifact, env, annotations)
		}
		good := repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact}), thumbprints(chain))
		verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
		if err != nil {
			t.Fatal(err)
		}
		if verdict.Accepted().Digest != good.Digest || repo.count("fetch") > 4 {
			t.Errorf("%d fetched", repo.count("fetch"))
		}
		// An annotation that lies about trusted roots, or hides them, decides nothing.
		lie := newFakeRepo()
		artifact = lie.push("v1", "artifact")
		for i := range 20 {
			annotations := thumbprints(chain)
			annotations["n"] = fmt.Sprint(i)
			lie.attachEnvelope(t, artifact, env, annotations)
		}
		good = lie.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact}), other)
		verdict, err = verifierFor(t, chain).Verify(t.Context(), lie, byDigest(t, artifact))
		if err != nil || verdict.Accepted().Digest != good.Digest {
			t.Error(err)
		}
	})
}

// attack: REG-03
func TestHostileListing(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	stranger := badSignatures[len(badSignatures)-1]
	for i := range 300 {
		stranger.add(t, repo, artifact, i)
		repo.list(artifact.Digest, oci.Descriptor{MediaType: "a/b", ArtifactType: "sbom/example", Digest: digest.FromString(fmt.Sprint(i)), Size: 1 << 62})
	}
	good := repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact}), nil)
	for range 300 {
		repo.list(artifact.Digest, good) // the same one over and over
	}
	v := verifierFor(t, chain)
	v.MaxSignatures = 1
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	if err != nil || len(verdict.Signatures) != 1 {
		t.Fatal(err, len(verdict.Signatures))
	}
	if n := repo.count("fetch " + string(good.Digest)); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	// Strangers have a bound of their own.
	for i := range 300 {
		stranger.add(t, repo, artifact, 1000+i)
	}
	repo.listings[artifact.Digest] = repo.withoutEntry(artifact.Digest, good.Digest)
	repo.requests = nil
	verdict, err = v.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.VerifyStrangerLimit)
	if hint := reason.Hint(err); strings.Contains(hint, "limit") || !strings.Contains(hint, "referrers") {
		t.Errorf("hint %q", hint)
	}
	if n := repo.count("fetch"); n < 500 || n > 600 {
		t.Errorf("%d strangers fetched", n)
	}
}

func (r *fakeRepo) withoutEntry(subject, d digest.Digest) []oci.Descriptor {
	var rest []oci.Descriptor
	for _, e := range r.listings[subject] {
		if e.Digest != d {
			rest = append(rest, e)
		}
	}
	return rest
}

// TestRoundTrips counts, in round trips of one second each, how deep a
// verification goes: resolve and list, then fetch.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		bad     int
		large   bool
		byTag   bool
		seconds int
	}{
		{"by digest", 0, false, false, 2},
		{"by tag", 0, false, true, 3},
		{"envelope in its blob", 0, true, false, 3},
		{"among a hundred", 99, false, false, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				chain := testpki.New(t, testpki.Options{})
				repo := newFakeRepo()
				artifact := repo.push("v1", "artifact")
				stranger := seal(t, testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1}), envelope.Request{Target: artifact})
				for i := range tt.bad {
					repo.attachEnvelope(t, artifact, stranger, map[string]string{"n": fmt.Sprint(i)})
				}
				m := repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact}), nil)
				if tt.large {
					repo.outOfLine(t, artifact, m)
				}
				const trip = time.Second
				repo.onResolve = func(oci.Reference) (oci.Descriptor, error) { time.Sleep(trip); return artifact, nil }
				repo.onReferrers = func(context.Context) error { time.Sleep(trip); return nil }
				repo.onFetch = func(context.Context, digest.Digest) ([]byte, error) { time.Sleep(trip); return nil, nil }
				ref := byDigest(t, artifact)
				if tt.byTag {
					ref = reference(t, scope+":v1")
				}
				start := time.Now()
				if _, err := verifierFor(t, chain).Verify(t.Context(), repo, ref); err != nil {
					t.Fatal(err)
				}
				if got, most := time.Since(start), time.Duration(tt.seconds)*trip; got > most {
					t.Errorf("took %s, want at most %s", got, most)
				}
			})
		})
	}
}

// outOfLine replaces a signature manifest by the form without inline data.
func (r *fakeRepo) outOfLine(t testing.TB, artifact, manifest oci.Descriptor) {
	t.Helper()
	m, err := oci.ParseSignatureManifest(r.content[manifest.Digest], artifact.Digest)
	if err != nil {
		t.Fatal(err)
	}
	a, err := oci.NewSignatureAttachment(artifact, m.Envelope.MediaType, m.Inline, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.listings[artifact.Digest] = r.withoutEntry(artifact.Digest, manifest.Digest)
	a.Manifest = a.Legacy
	r.attach(artifact, a)
}

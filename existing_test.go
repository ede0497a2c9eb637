package notation_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/timestamp"
	"github.com/opencontainers/go-digest"
)

// renewed returns chain with another leaf under the same issuers.
func renewed(t testing.TB, chain *testpki.Chain, bend func(*x509.Certificate), key int) *testpki.Chain {
	t.Helper()
	template := *chain.Leaf()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = serial
	if bend != nil {
		bend(&template)
	}
	k := testpki.Key(t, "ec-256", key)
	leaf := testpki.Issue(t, &template, chain.Certs[1], k.Public(), chain.Keys[1])
	return &testpki.Chain{Key: k, Certs: append([]*x509.Certificate{leaf}, chain.Certs[1:]...)}
}

// TestSkipIfSigned tells which signatures make another one superfluous, with a
// listing that says the truth about their certificates, and one that says that all
// are under our root.
func TestSkipIfSigned(t *testing.T) {
	t.Parallel()
	now := time.Now()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	impostor := testpki.New(t, testpki.Options{KeySet: 1}) // with our names
	ownKey := &testpki.Chain{Key: chain.Key, Certs: append([]*x509.Certificate{testpki.Reissue(t, chain.Leaf(), stranger.Certs[1], stranger.Keys[1])}, stranger.Certs[1:]...)}
	tsa := newTSA(t, now, testpki.Options{})
	otherTSA := newTSA(t, now, testpki.Options{})
	otherTSA.Chain = testpki.New(t, testpki.Options{Name: "stranger", KeySet: 2, TSA: true})
	address, _ := serve(t, tsa)
	otherAddress, _ := serve(t, otherTSA)
	stamp := &timestamp.Client{URLs: []string{address}, Roots: []*x509.Certificate{tsa.Root()}}
	otherStamp := &timestamp.Client{URLs: []string{otherAddress}, Roots: []*x509.Certificate{otherTSA.Root()}}
	in := func(d time.Duration) func() time.Time { return func() time.Time { return now.Add(d) } }
	type o = notation.SignOptions
	for _, tt := range []struct {
		name        string
		first       *testpki.Chain
		before      o
		then        *testpki.Chain
		now         o
		wantSkipped bool
	}{
		{"the same", chain, o{}, chain, o{}, true},
		{"renewed, another key", chain, o{}, renewed(t, chain, nil, 7), o{}, true},
		{"another subject", chain, o{}, renewed(t, chain, func(c *x509.Certificate) { c.RawSubject, c.Subject.CommonName = nil, "other" }, 0), o{}, false},
		{"another root", stranger, o{}, chain, o{}, false},
		{"other keys under our names", impostor, o{}, chain, o{}, false},
		{"our key, certified by a stranger", ownKey, o{}, chain, o{}, false},
		{"another format", chain, o{MediaType: envelope.MediaTypeCOSE}, chain, o{}, true},
		{"another scheme", chain, o{Scheme: envelope.SchemeSigningAuthority}, chain, o{Scheme: envelope.SchemeX509}, false},
		{"the same other scheme", chain, o{Scheme: envelope.SchemeSigningAuthority}, chain, o{Scheme: envelope.SchemeSigningAuthority}, true},
		{"metadata", chain, o{Metadata: map[string]string{"a": "b", "c": "d"}}, chain, o{Metadata: map[string]string{"a": "b"}}, true},
		{"no metadata asked for", chain, o{Metadata: map[string]string{"a": "b"}}, chain, o{}, true},
		{"other metadata", chain, o{Metadata: map[string]string{"a": "c"}}, chain, o{Metadata: map[string]string{"a": "b"}}, false},
		{"no metadata there", chain, o{}, chain, o{Metadata: map[string]string{"a": "b"}}, false},
		{"expired", chain, o{Expiry: time.Hour}, chain, o{Expiry: time.Hour, Now: in(2 * time.Hour)}, false},
		{"about to expire", chain, o{Expiry: time.Hour}, chain, o{Expiry: time.Hour, Now: in(31 * time.Minute)}, false},
		{"good for long enough", chain, o{Expiry: time.Hour}, chain, o{Expiry: time.Hour, Now: in(29 * time.Minute)}, true},
		{"for ever was asked for", chain, o{Expiry: time.Hour}, chain, o{}, false},
		{"for ever is there", chain, o{}, chain, o{Expiry: time.Hour}, true},
		{"certificate expired", renewed(t, chain, func(c *x509.Certificate) { c.NotAfter = now.Add(time.Hour) }, 7), o{}, chain, o{Now: in(2 * time.Hour)}, false},
		{"certificate about to expire, and renewed", renewed(t, chain, func(c *x509.Certificate) { c.NotAfter = now.Add(time.Hour) }, 7), o{}, chain, o{}, false},
		{"certificate expires before the signature is to", renewed(t, chain, func(c *x509.Certificate) { c.NotAfter = now.Add(time.Hour) }, 7), o{}, chain, o{Expiry: 3 * time.Hour}, false},
		{"certificate good for long enough", renewed(t, chain, func(c *x509.Certificate) { c.NotAfter = now.Add(2 * time.Hour) }, 7), o{}, chain, o{Expiry: 3 * time.Hour}, true},
		{"both certificates about to expire", renewed(t, chain, func(c *x509.Certificate) { c.NotAfter = now.Add(time.Hour) }, 7), o{}, renewed(t, chain, func(c *x509.Certificate) { c.NotAfter = now.Add(time.Hour) }, 8), o{Expiry: 24 * time.Hour}, true},
		{"certificate about to expire, authority", renewed(t, chain, func(c *x509.Certificate) { c.NotAfter = now.Add(time.Hour) }, 7), o{Scheme: envelope.SchemeSigningAuthority}, chain, o{Scheme: envelope.SchemeSigningAuthority}, true},
		{"time stamp", chain, o{Timestamp: stamp}, chain, o{Timestamp: stamp}, true},
		{"certificate expired, time stamp", renewed(t, chain, func(c *x509.Certificate) { c.NotAfter = now.Add(time.Hour) }, 7), o{Timestamp: stamp}, chain, o{Now: in(2 * time.Hour), Timestamp: stamp}, true},
		{"no time stamp asked for", chain, o{Timestamp: stamp}, chain, o{}, true},
		{"no time stamp there", chain, o{}, chain, o{Timestamp: stamp}, false},
		{"time stamp of a stranger", chain, o{Timestamp: otherStamp}, chain, o{Timestamp: stamp}, false},
		{"revoked since", chain, o{}, chain, o{Revocation: answers(revoked, good)}, false},
		{"not revoked", chain, o{}, chain, o{Revocation: answers(good, good)}, true},
		{"demands a plugin", chain, o{VerificationPlugin: "p"}, chain, o{}, false},
		{"another attribute asked for", chain, o{}, chain, o{Extended: []envelope.Attribute{{Key: "x", Value: "y"}}}, false},
	} {
		for _, lies := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, ", listed under our root: ", lies), func(t *testing.T) {
				t.Parallel()
				tt := tt
				repo := newFakeRepo()
				artifact := repo.push("v1", "artifact")
				if tt.before.Revocation == nil {
					tt.before.Revocation = answers(good, good)
				}
				if tt.now.Revocation == nil {
					tt.now.Revocation = answers(good, good)
				}
				there := repo.signAs(t, artifact, tt.first, tt.before)
				if lies {
					repo.listings[artifact.Digest][0].Annotations = thumbprints(tt.then)
				}
				tt.now.SkipIfSigned = true
				signed, err := notation.Sign(t.Context(), repo, reference(t, scope+":v1"), signerFor(t, tt.then), tt.now)
				if err != nil || signed.Skipped != tt.wantSkipped || signed.Artifact.Digest != artifact.Digest {
					t.Fatalf("skipped %v, want %v: %v", signed.Skipped, tt.wantSkipped, err)
				}
				if n := len(repo.listings[artifact.Digest]); tt.wantSkipped && (n != 1 || signed.Signature.Digest != there.Digest || signed.Envelope.Size == 0) || !tt.wantSkipped && n != 2 {
					t.Errorf("%d signatures, result %+v", n, signed)
				}
				if tt.wantSkipped && (signed.Timestamp != nil) != (tt.now.Timestamp != nil) {
					t.Errorf("time stamp %+v", signed.Timestamp)
				}
				if _, err := oci.ParseSignatureManifest(repo.content[signed.Signature.Digest], artifact.Digest); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestSkipIfSignedAsksTheKeyOnce and not at all where the lookup fails first.
func TestSkipIfSignedAsksTheKeyOnce(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	honest := signerFor(t, chain)
	for _, before := range []int{0, 1} {
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		for range before {
			repo.signAs(t, artifact, testpki.New(t, testpki.Options{Name: "other", KeySet: 1}), notation.SignOptions{})
		}
		times := 0
		key := fakeSigner(func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			times++
			return honest.Sign(ctx, r)
		})
		if _, err := notation.Sign(t.Context(), repo, byDigest(t, artifact), key, notation.SignOptions{SkipIfSigned: true}); err != nil || times != 1 || repo.count("fetch") != 0 {
			t.Errorf("%d signatures before: %v, asked %d times, requests %v", before, err, times, repo.requests)
		}
	}
}

// Where nobody can tell, nothing is signed.
func TestSkipIfSignedUndecided(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		o    notation.SignOptions
		bend func(*fakeRepo, oci.Descriptor)
		code reason.Code
	}{
		// attack: REG-09
		{"listing fails", notation.SignOptions{}, func(r *fakeRepo, _ oci.Descriptor) {
			r.onReferrers = func(context.Context) error { return boom }
		}, reason.VerifyListing},
		{"listing cut short", notation.SignOptions{}, func(r *fakeRepo, _ oci.Descriptor) { r.truncated = true }, reason.VerifyListingTruncated},
		// attack: REG-05
		{"signature unreadable", notation.SignOptions{}, func(r *fakeRepo, a oci.Descriptor) {
			r.list(a.Digest, oci.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: oci.ArtifactTypeSignature, Digest: blobDigest, Size: 2})
		}, reason.OCINotFound},
		{"signature unreadable for a reason without a code", notation.SignOptions{}, func(r *fakeRepo, a oci.Descriptor) {
			r.list(a.Digest, oci.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: oci.ArtifactTypeSignature, Digest: blobDigest, Size: 2})
			r.onFetch = func(context.Context, digest.Digest) ([]byte, error) { return nil, boom }
		}, reason.VerifySignatureUnread},
		{"revocation not known", notation.SignOptions{Metadata: map[string]string{"a": "b"}, Revocation: answers(unavailable, good)}, func(r *fakeRepo, a oci.Descriptor) {
			r.signAs(t, a, chain, notation.SignOptions{Metadata: map[string]string{"a": "b"}})
		}, reason.RevocationUnavailable},
		{"too many", notation.SignOptions{}, func(r *fakeRepo, a oci.Descriptor) {
			for i := range 501 {
				d := r.push(fmt.Sprint(i), fmt.Sprint(i))
				r.list(a.Digest, with(d, func(d *oci.Descriptor) { d.ArtifactType = oci.ArtifactTypeSignature }))
			}
		}, reason.VerifySignatureLimit},
		{"no such tag", notation.SignOptions{}, func(r *fakeRepo, _ oci.Descriptor) {
			r.onResolve = func(oci.Reference) (oci.Descriptor, error) { return oci.Descriptor{}, notFound("tag") }
		}, reason.OCINotFound},
		{"key fails", notation.SignOptions{Agent: "x", Expiry: time.Hour, Now: func() time.Time { return time.Now().AddDate(10, 0, 0) }}, func(r *fakeRepo, a oci.Descriptor) {
			r.signAs(t, a, chain, notation.SignOptions{})
		}, reason.SignerCertificateTime},
		// attack: REG-01
		{"described otherwise the second time", notation.SignOptions{Metadata: map[string]string{"a": "b"}}, func(r *fakeRepo, a oci.Descriptor) {
			r.signAs(t, a, chain, notation.SignOptions{})
			before := r.count("resolve")
			r.onResolve = func(oci.Reference) (oci.Descriptor, error) {
				if r.count("resolve") > before+1 {
					return with(a, func(d *oci.Descriptor) { d.Size++ }), nil
				}
				return a, nil
			}
		}, reason.SignOtherTarget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			tt.bend(repo, artifact)
			before := len(repo.listings[artifact.Digest])
			tt.o.SkipIfSigned = true
			signed, err := notation.Sign(t.Context(), repo, byDigest(t, artifact), signerFor(t, chain), tt.o)
			if err == nil || reason.Of(err) != tt.code || signed.Skipped || len(repo.listings[artifact.Digest]) != before {
				t.Errorf("%v (%s), want %s", err, reason.Of(err), tt.code)
			}
		})
	}
}

// A good one among those that cannot be read, or are something else, is enough,
// whatever its envelope's place.
//
// attack: REG-05
func TestSkipIfSignedAmongOthers(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.list(artifact.Digest, oci.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: oci.ArtifactTypeSignature, Digest: blobDigest, Size: 2})
	repo.attachEnvelope(t, artifact, []byte("{}"), nil)
	other := repo.push("v2", "other")
	repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: other}), nil)
	// As an older registry keeps it: the envelope apart, no annotations.
	env := seal(t, chain, envelope.Request{Target: artifact})
	a, err := oci.NewSignatureAttachment(artifact, envelope.MediaTypeJWS, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.Manifest = a.Legacy
	repo.attach(artifact, a)
	for range 20 { // whichever comes first
		signed, err := notation.Sign(t.Context(), repo, byDigest(t, artifact), signerFor(t, chain), notation.SignOptions{SkipIfSigned: true, Revocation: checker(func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
			return []revocation.Result{noSource, noSource}
		})})
		if err != nil || !signed.Skipped || signed.Envelope.Digest != digest.FromBytes(env) {
			t.Fatalf("%+v: %v", signed, err)
		}
	}
}

// TestSkipIfSignedByItsClock asks about revocation by the clock of the options:
// answers of their time hold.
func TestSkipIfSignedByItsClock(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(6 * time.Hour)
	r := &responder{t: t, at: later.Add(-time.Minute)}
	address, _ := serve(t, r)
	chain := testpki.New(t, testpki.Options{Modify: names(address)})
	r.mu.Lock()
	r.chains = []*testpki.Chain{chain}
	r.mu.Unlock()
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.signAs(t, artifact, chain, notation.SignOptions{})
	signed, err := notation.Sign(t.Context(), repo, byDigest(t, artifact), signerFor(t, chain), notation.SignOptions{
		SkipIfSigned: true, Now: func() time.Time { return later },
	})
	if err != nil || !signed.Skipped {
		t.Errorf("%+v, %v", signed, err)
	}
}

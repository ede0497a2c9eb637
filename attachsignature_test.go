package notation_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/timestamp"
	"github.com/opencontainers/go-digest"
)

// detached returns a signature of chain for an artifact.
func detached(t testing.TB, chain *testpki.Chain, artifact oci.Descriptor, r envelope.Request) *notation.DetachedSignature {
	t.Helper()
	r.Target = artifact
	return openSignature(t, seal(t, chain, r))
}

func openSignature(t testing.TB, env []byte) *notation.DetachedSignature {
	t.Helper()
	d, err := notation.OpenSignature("", env)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A signature is for exactly one artifact.
func TestAttachSignatureRefuses(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", imageManifest)
	typed := with(artifact, func(d *oci.Descriptor) { d.ArtifactType = "sbom/example" })
	describe := func(bend func(*oci.Descriptor)) oci.Descriptor { return with(artifact, bend) }
	for _, tt := range []struct {
		name   string
		target oci.Descriptor
		code   reason.Code
	}{
		{"right", artifact, ""},
		{"right, with artifact type", typed, ""},
		{"another digest", describe(func(d *oci.Descriptor) { d.Digest = blobDigest }), reason.SignOtherArtifact},
		{"another size", describe(func(d *oci.Descriptor) { d.Size++ }), reason.SignOtherArtifact},
		{"another media type", describe(func(d *oci.Descriptor) { d.MediaType = "x/y" }), reason.SignOtherArtifact},
		{"another artifact type", describe(func(d *oci.Descriptor) { d.ArtifactType = "x/y" }), reason.SignOtherArtifact},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			repo.push("v1", imageManifest)
			_, err := notation.AttachSignature(t.Context(), repo, byDigest(t, artifact), detached(t, chain, tt.target, envelope.Request{}), notation.AttachOptions{})
			if reason.Of(err) != tt.code || (err != nil) == (len(repo.listings[artifact.Digest]) > 0) {
				t.Errorf("%v (%s), want %q; %d attached", err, reason.Of(err), tt.code, len(repo.listings[artifact.Digest]))
			}
			if tt.code != "" && reason.Hint(err) == "" {
				t.Error("no hint")
			}
		})
	}
	good := detached(t, chain, artifact, envelope.Request{})
	for name, do := range map[string]func(*fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions){
		"no signature": func(*fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			return reason.SignDetached, byDigest(t, artifact), nil, notation.AttachOptions{}
		},
		"zero signature": func(*fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			return reason.SignDetached, byDigest(t, artifact), new(notation.DetachedSignature), notation.AttachOptions{}
		},
		"no artifact": func(*fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			return reason.VerifyReference, reference(t, scope), good, notation.AttachOptions{}
		},
		"no such artifact": func(*fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			return reason.OCINotFound, reference(t, scope+":v2"), good, notation.AttachOptions{}
		},
		"time stamp of no use": func(*fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			return reason.SignTimestamp, byDigest(t, artifact), detached(t, chain, artifact, envelope.Request{Scheme: envelope.SchemeSigningAuthority}), notation.AttachOptions{Timestamp: &timestamp.Client{}}
		},
		"no authority": func(*fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			return reason.TimestampUnreachable, byDigest(t, artifact), good, notation.AttachOptions{Timestamp: &timestamp.Client{URLs: []string{"http://127.0.0.1:1"}, Roots: []*x509.Certificate{chain.Root()}}}
		},
		// attack: REG-09
		"listing fails": func(r *fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			r.onReferrers = func(context.Context) error { return errors.New("boom") }
			return reason.VerifyListing, byDigest(t, artifact), good, notation.AttachOptions{}
		},
		"manifest gone": func(r *fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			r.onFetch = func(context.Context, digest.Digest) ([]byte, error) { return nil, notFound("it") }
			return reason.OCINotFound, byDigest(t, artifact), detached(t, chain, typed, envelope.Request{}), notation.AttachOptions{}
		},
		"manifest of no kind": func(r *fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			d := r.push("v3", "x")
			return reason.OCIManifest, byDigest(t, d), detached(t, chain, with(d, func(d *oci.Descriptor) { d.ArtifactType = "x/y" }), envelope.Request{}), notation.AttachOptions{}
		},
		"manifest without artifact type": func(r *fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			d := r.push("v3", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`)
			return reason.SignOtherArtifact, byDigest(t, d), detached(t, chain, with(d, func(d *oci.Descriptor) { d.ArtifactType = "x/y" }), envelope.Request{}), notation.AttachOptions{}
		},
		// attack: REG-01
		"described otherwise the second time": func(r *fakeRepo) (reason.Code, oci.Reference, *notation.DetachedSignature, notation.AttachOptions) {
			r.onResolve = func(oci.Reference) (oci.Descriptor, error) {
				if r.count("resolve") > 1 {
					return with(artifact, func(d *oci.Descriptor) { d.Size++ }), nil
				}
				return artifact, nil
			}
			return reason.SignOtherArtifact, byDigest(t, artifact), good, notation.AttachOptions{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			repo.push("v1", imageManifest)
			code, ref, d, o := do(repo)
			_, err := notation.AttachSignature(t.Context(), repo, ref, d, o)
			if reason.Of(err) != code || len(repo.listings) != 0 {
				t.Errorf("%v (%s), want %s", err, reason.Of(err), code)
			}
		})
	}
}

// TestAttachSignatureTwice stores each signature once.
func TestAttachSignatureTwice(t *testing.T) {
	t.Parallel()
	now := time.Now()
	chain := testpki.New(t, testpki.Options{})
	tsa := newTSA(t, now, testpki.Options{})
	address, asked := serve(t, tsa)
	client := &timestamp.Client{URLs: []string{address}, Roots: []*x509.Certificate{tsa.Root()}}
	repo := newFakeRepo()
	artifact := repo.push("v1", imageManifest)
	repo.signAs(t, artifact, testpki.New(t, testpki.Options{Name: "other", KeySet: 2}), notation.SignOptions{})
	repo.list(artifact.Digest, artifact) // no signature
	env := seal(t, chain, envelope.Request{Target: artifact})
	first := openSignature(t, env)
	attach := func(d *notation.DetachedSignature, o notation.AttachOptions) notation.AttachedSignature {
		t.Helper()
		a, err := notation.AttachSignature(t.Context(), repo, byDigest(t, artifact), d, o)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	stored := func(want int) {
		t.Helper()
		if n := len(repo.listings[artifact.Digest]); n != want+2 {
			t.Errorf("%d listed, want %d", n, want+2)
		}
	}
	plain := attach(first, notation.AttachOptions{})
	again := attach(first, notation.AttachOptions{})
	if stored(1); plain.Already || !again.Already || again.Signature.Digest != plain.Signature.Digest || again.Envelope.Digest != plain.Envelope.Digest {
		t.Errorf("%+v, then %+v", plain, again)
	}
	// A time stamp makes it another one, once.
	stamped := attach(first, notation.AttachOptions{Timestamp: client})
	again = attach(first, notation.AttachOptions{Timestamp: client})
	if stored(2); stamped.Already || stamped.Timestamp == nil || !again.Already || again.Timestamp == nil || again.Signature.Digest != stamped.Signature.Digest || asked.Load() != 1 {
		t.Errorf("%+v, then %+v, %d asked", stamped, again, asked.Load())
	}
	if len(first.Envelope()) != len(env) {
		t.Error("the signature was changed")
	}
	// One that has a good time stamp keeps it, and one that a stranger has
	// stamped gets another.
	m, err := oci.ParseSignatureManifest(repo.content[stamped.Signature.Digest], artifact.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if a := attach(openSignature(t, m.Inline), notation.AttachOptions{}); !a.Already {
		t.Error("stored again with its time stamp")
	}
	second := seal(t, chain, envelope.Request{Target: artifact})
	claims := openClaims(t, second)
	own := openSignature(t, withToken(t, second, tsa.Stamp(t, claims.Signature, claims.Algorithm.Hash())))
	if a := attach(own, notation.AttachOptions{Timestamp: client}); a.Already || a.Timestamp == nil || asked.Load() != 1 {
		t.Errorf("%+v, %d asked", a, asked.Load())
	}
	stored(3)
	stranger := newTSA(t, now, testpki.Options{})
	stranger.Chain = testpki.New(t, testpki.Options{Name: "stranger", KeySet: 2, TSA: true})
	third := seal(t, chain, envelope.Request{Target: artifact})
	claims = openClaims(t, third)
	strange := openSignature(t, withToken(t, third, stranger.Stamp(t, claims.Signature, claims.Algorithm.Hash())))
	attach(strange, notation.AttachOptions{})
	if a := attach(strange, notation.AttachOptions{Timestamp: client}); a.Already || a.Timestamp == nil || asked.Load() != 2 {
		t.Errorf("%+v, %d asked", a, asked.Load())
	}
	stored(5)
	// The same signature under a time stamp that nobody trusts does not count as
	// the one that is to have a good one, nor as another stamped one.
	if a := attach(openSignature(t, third), notation.AttachOptions{}); !a.Already {
		t.Error("stored without its time stamp")
	}
}

func openClaims(t testing.TB, env []byte) envelope.Content {
	t.Helper()
	parsed, err := envelope.Parse(envelope.MediaTypeJWS, env)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Claims()
}

// What verifiers will not like is said, and stored all the same.
func TestAttachSignatureWarns(t *testing.T) {
	t.Parallel()
	now := time.Now()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", imageManifest)
	for _, tt := range []struct {
		r        envelope.Request
		at       time.Time
		warnings []reason.Code
	}{
		{envelope.Request{}, now, nil},
		{envelope.Request{Expiry: now.Add(time.Hour)}, now.Add(2 * time.Hour), []reason.Code{reason.VerifyExpired}},
		{envelope.Request{}, now.AddDate(1, 0, 0), []reason.Code{reason.CertExpired}},
		{envelope.Request{Scheme: envelope.SchemeSigningAuthority}, now.AddDate(1, 0, 0), nil},
	} {
		a, err := notation.AttachSignature(t.Context(), repo, byDigest(t, artifact), detached(t, chain, artifact, tt.r), notation.AttachOptions{Now: func() time.Time { return tt.at }})
		if err != nil || len(a.Warnings) != len(tt.warnings) || len(a.Warnings) > 0 && reason.Of(a.Warnings[0]) != tt.warnings[0] {
			t.Errorf("%+v: %v", a.Warnings, err)
		}
	}
}

// What is unsigned in an envelope is anybody's: the bare signature under the
// certificates of a stranger, who has had the same key certified, is not the
// signature that is to be attached, whatever the listing says of it. No verifier
// who trusts the signer would accept it.
func TestAttachSignatureUnderOtherCertificates(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Algorithm: "ec-256"})
	stranger := testpki.New(t, testpki.Options{Algorithm: "ec-256", Name: "stranger", KeySet: 2})
	for name, annotations := range map[string]map[string]string{"says nothing": nil, "lies": thumbprints(chain)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			artifact := repo.push("v1", imageManifest)
			env := seal(t, chain, envelope.Request{Target: artifact})
			var jws map[string]any
			if err := json.Unmarshal(env, &jws); err != nil {
				t.Fatal(err)
			}
			issuer := stranger.Certs[1]
			leaf := testpki.Reissue(t, chain.Leaf(), issuer, stranger.Keys[1])
			var x5c [][]byte
			for _, c := range append([]*x509.Certificate{leaf}, stranger.Certs[1:]...) {
				x5c = append(x5c, c.Raw)
			}
			header, _ := jws["header"].(map[string]any)
			header["x5c"] = x5c
			forged, err := json.Marshal(jws)
			if err != nil {
				t.Fatal(err)
			}
			openSignature(t, forged) // holds by itself
			repo.attachEnvelope(t, artifact, forged, annotations)
			a, err := notation.AttachSignature(t.Context(), repo, byDigest(t, artifact), openSignature(t, env), notation.AttachOptions{})
			if err != nil || a.Already {
				t.Errorf("%+v, %v", a, err)
			}
			if _, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact)); err != nil {
				t.Error(err)
			}
		})
	}
}

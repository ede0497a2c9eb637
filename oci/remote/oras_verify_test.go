package remote

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/cachemodes/everymode"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// verifierOf trusts the root of a chain, everywhere.
func verifierOf(t testing.TB, chain *testpki.Chain) *notation.Verifier {
	t.Helper()
	policy, err := trust.ParsePolicy("policy.json", []byte(`{"version":"1.0","trustPolicies":[{"name":"all","registryScopes":["*"],
		"signatureVerification":{"level":"strict","override":{"revocation":"skip"}},"trustStores":["ca:test"],"trustedIdentities":["*"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	stores := trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{{Type: trust.CA, Name: "test"}: {chain.Root()}})
	return &notation.Verifier{Policy: policy, Stores: stores}
}

// seal signs a target, and stores the envelope as a blob.
func seal(t testing.TB, f *fakeRegistry, chain *testpki.Chain, mediaType string, target oci.Descriptor) ocispec.Descriptor {
	t.Helper()
	s, err := signer.New(chain.Key, chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.Sign(t.Context(), envelope.Request{Target: target, MediaType: mediaType, SigningTime: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return f.putBlob(mediaType, made.Envelope)
}

// TestVerifyORAS verifies signatures in artifact manifests that a registry of the
// ORAS artifacts-spec lists.
//
// attack: REG-02
// attack: REG-09
func TestVerifyORAS(t *testing.T) {
	t.Parallel()
	chain, stranger := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	const kind = oci.ArtifactTypeSignature
	type world struct {
		*orasRegistry
		image, other oci.Descriptor
	}
	jws := func(t *testing.T, w *world) ocispec.Descriptor {
		return seal(t, w.fakeRegistry, chain, envelope.MediaTypeJWS, w.image)
	}
	// one stores a good signature after change has bent its manifest.
	one := func(change func(t *testing.T, w *world, m map[string]any)) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			m := orasManifest(kind, w.image, jws(t, w))
			change(t, w, m)
			w.putArtifact(t, m)
		}
	}
	good := one(func(*testing.T, *world, map[string]any) {})
	// listed lists one manifest, whatever its subject, described as lie likes.
	listed := func(build func(*testing.T, *world) map[string]any, lie func(*ocispec.Descriptor)) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			d := w.putArtifact(t, build(t, w))
			lie(&d)
			w.oras.Bend = func([]ocispec.Descriptor) []ocispec.Descriptor { return []ocispec.Descriptor{d} }
		}
	}
	signature := func(t *testing.T, w *world) map[string]any { return orasManifest(kind, w.image, jws(t, w)) }
	honest := func(*ocispec.Descriptor) {}
	down := func(status int) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) {
			w.oras.Current = false
			w.intercept = func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/v2/app/_oras/artifacts/referrers" {
					return false
				}
				rw.WriteHeader(status)
				return true
			}
		}
	}
	for _, tt := range []struct {
		name  string
		store func(*testing.T, *world)
		want  error // nil: verified
		code  reason.Code
	}{
		{"JWS", good, nil, ""},
		{"COSE", func(t *testing.T, w *world) {
			w.putArtifact(t, orasManifest(kind, w.image, seal(t, w.fakeRegistry, chain, envelope.MediaTypeCOSE, w.image)))
		}, nil, ""},
		{"older endpoint", func(t *testing.T, w *world) { w.oras.Current, w.oras.Older = false, true; good(t, w) }, nil, ""},
		{"both endpoints", func(t *testing.T, w *world) { w.oras.Older = true; good(t, w) }, nil, ""},
		{"listed twice", listed(signature, honest), nil, ""},
		{"type left out of the listing", listed(signature, func(d *ocispec.Descriptor) { d.ArtifactType = "" }), nil, ""},
		{"media type left out of the listing", listed(signature, func(d *ocispec.Descriptor) { d.MediaType = "" }), nil, ""},
		{"on the second page, behind an SBOM", func(t *testing.T, w *world) {
			w.oras.Page = 1
			w.putArtifact(t, orasManifest("sbom/example", w.image))
			w.putArtifact(t, orasManifest(kind, w.image, seal(t, w.fakeRegistry, stranger, envelope.MediaTypeJWS, w.image)))
			good(t, w)
		}, nil, ""},
		{"stranger", func(t *testing.T, w *world) {
			w.putArtifact(t, orasManifest(kind, w.image, seal(t, w.fakeRegistry, stranger, envelope.MediaTypeJWS, w.image)))
		}, notation.ErrRejected, reason.VerifyRootUntrusted},
		{"envelope for another image", func(t *testing.T, w *world) {
			w.putArtifact(t, orasManifest(kind, w.image, seal(t, w.fakeRegistry, chain, envelope.MediaTypeJWS, w.other)))
		}, notation.ErrRejected, reason.VerifyOtherArtifact},
		{"subject is another image", listed(func(t *testing.T, w *world) map[string]any { return orasManifest(kind, w.other, jws(t, w)) }, honest),
			notation.ErrRejected, reason.OCISubjectMismatch},
		{"no subject", listed(func(t *testing.T, w *world) map[string]any {
			m := signature(t, w)
			delete(m, "subject")
			return m
		}, honest), notation.ErrRejected, reason.OCISubjectMismatch},
		{"two blobs", one(func(t *testing.T, w *world, m map[string]any) {
			m["blobs"] = []ocispec.Descriptor{jws(t, w), jws(t, w)}
		}), notation.ErrRejected, reason.OCILayers},
		{"no blob", one(func(_ *testing.T, _ *world, m map[string]any) { delete(m, "blobs") }), notation.ErrRejected, reason.OCILayers},
		{"no envelope", one(func(_ *testing.T, w *world, m map[string]any) {
			m["blobs"] = []ocispec.Descriptor{w.putBlob("text/plain", []byte("x"))}
		}), notation.ErrRejected, reason.OCIEnvelopeType},
		{"layers as well", one(func(t *testing.T, w *world, m map[string]any) { m["layers"] = m["blobs"] }), notation.ErrRejected, reason.OCIManifest},
		{"SBOM listed as signature", listed(func(t *testing.T, w *world) map[string]any { return orasManifest("sbom/example", w.image, jws(t, w)) },
			func(d *ocispec.Descriptor) { d.ArtifactType = kind }), notation.ErrUnsigned, reason.VerifyUnsigned},
		{"blob gone", one(func(_ *testing.T, w *world, _ map[string]any) { clear(w.blobs) }), notation.ErrUndecided, reason.OCINotFound},
		{"size of the manifest", listed(signature, func(d *ocispec.Descriptor) { d.Size++ }), notation.ErrUndecided, reason.OCISizeMismatch},
		{"an entry that cannot be used", listed(signature, func(d *ocispec.Descriptor) { d.Size = -1 }), notation.ErrUndecided, reason.RegistryListingEntry},
		{"SBOM only", func(t *testing.T, w *world) { w.putArtifact(t, orasManifest("sbom/example", w.image)) }, notation.ErrUnsigned, reason.VerifyUnsigned},
		{"nothing", func(*testing.T, *world) {}, notation.ErrUnsigned, reason.VerifyUnsigned},
		{"nothing anywhere", func(_ *testing.T, w *world) { w.oras.Current = false }, notation.ErrUnsigned, reason.VerifyUnsigned},
		{"down", down(http.StatusServiceUnavailable), notation.ErrUndecided, reason.RegistryUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := &world{orasRegistry: newORAS()}
			w.image, w.other = w.putImage("v1", "1"), w.putImage("v2", "2")
			tt.store(t, w)
			r := open(t, w.orasRegistry, Options{})
			verdict, err := everymode.Verify(t, verifierOf(t, chain), r, refOf(t, r, "@"+string(w.image.Digest)))
			if tt.want == nil {
				if err != nil || verdict.Accepted() == nil {
					t.Fatalf("not verified: %v", err)
				}
				return
			}
			if !errors.Is(err, tt.want) || reason.Of(err) != tt.code {
				t.Fatalf("%v with code %s, want %v with code %s", err, reason.Of(err), tt.want, tt.code)
			}
		})
	}
}

// TestVerifyORASDepth counts the round trips of a verification: resolving and the
// usual listings, the predecessor's, the manifest, and the envelope, which does
// not stand in it.
func TestVerifyORASDepth(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	f := newORAS()
	f.oras.Older = true
	image := f.putImage("v1", "1")
	f.putArtifact(t, orasManifest(oci.ArtifactTypeSignature, image, seal(t, f.fakeRegistry, chain, envelope.MediaTypeJWS, image)))
	v := verifierOf(t, chain)
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(Options{Transport: direct{f, func() time.Duration { return time.Second / 2 }}})
		r, err := c.Repository(parseRef(t, "localhost:5000/app"))
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		v.Now = func() time.Time { return chain.Leaf().NotBefore.Add(time.Hour) }
		if _, err := v.Verify(t.Context(), r, refOf(t, r, "@"+string(image.Digest))); err != nil {
			t.Error(err)
		}
		if depth := int(time.Since(at) / time.Second); depth != 4 || len(f.log()) != 7 || len(repeated(f.fakeRegistry)) != 0 {
			t.Errorf("%d round trips\n%v", depth, f.log())
		}
	})
}

// TestCopyORAS copies an artifact from a registry of the ORAS artifacts-spec to
// others that list it in their own ways. It arrives as it was, and is verified
// there.
func TestCopyORAS(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	f := newORAS()
	config := f.putBlob("application/vnd.oci.image.config.v1+json", []byte("{}"))
	raw, err := json.Marshal(ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{}})
	if err != nil {
		t.Fatal(err)
	}
	image := f.put("app", "v1", ocispec.MediaTypeImageManifest, raw)
	sbom := f.putArtifact(t, orasManifest("sbom/example", image, f.putBlob("text/plain", []byte("an SBOM"))))
	onImage := f.putArtifact(t, orasManifest(oci.ArtifactTypeSignature, image, seal(t, f.fakeRegistry, chain, envelope.MediaTypeJWS, image)))
	bare := oci.Descriptor{MediaType: sbom.MediaType, Digest: sbom.Digest, Size: sbom.Size}
	onSBOM := f.putArtifact(t, orasManifest(oci.ArtifactTypeSignature, bare, seal(t, f.fakeRegistry, chain, envelope.MediaTypeCOSE, bare)))

	for name, destination := range map[string]func(t *testing.T) oci.Store{
		"referrers API": func(t *testing.T) oci.Store {
			d := newFake()
			d.api = true
			return open(t, d, Options{})
		},
		"tag schema": func(t *testing.T) oci.Store { return open(t, newFake(), Options{}) },
		"its like":   func(t *testing.T) oci.Store { return open(t, newORAS(), Options{}) },
		"layout": func(t *testing.T) oci.Store {
			l, err := layout.Create(t.Context(), filepath.Join(t.TempDir(), "layout"), layout.Options{Name: "localhost:5000/app"})
			if err != nil {
				t.Fatal(err)
			}
			return l
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dst := destination(t)
			if _, err := promote.Copy(t.Context(), open(t, f, Options{}), dst, image, promote.CopyOptions{Tag: "v1"}); err != nil {
				t.Fatal(err)
			}
			for _, d := range []oci.Descriptor{sbom, onImage, onSBOM} {
				f.mu.Lock()
				want := f.manifests["app@"+string(d.Digest)].body
				f.mu.Unlock()
				if got, err := dst.Fetch(t.Context(), d, oci.MaxManifestSize); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s arrived as %q: %v", d.Digest, got, err)
				}
			}
			v := verifierOf(t, chain)
			for _, d := range []digest.Digest{image.Digest, sbom.Digest} {
				l, err := dst.Referrers(t.Context(), d, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
				if err != nil || len(l.Referrers) != 1 || l.Referrers[0].MediaType != oci.MediaTypeORASManifest {
					t.Errorf("listed %+v, %v", l, err)
				}
				if verdict, err := v.Verify(t.Context(), dst, parseRef(t, dst.Name()+"@"+string(d))); err != nil || verdict.Accepted() == nil {
					t.Errorf("%s was not verified: %v", d, err)
				}
			}
		})
	}
}

package remote

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// listed returns the digests that a listing of the image's referrers has.
func listed(t *testing.T, r *Repository, subject digest.Digest, artifactType string) []digest.Digest {
	t.Helper()
	l, err := r.Referrers(t.Context(), subject, oci.ReferrersOptions{ArtifactType: artifactType})
	if err != nil {
		t.Fatal(err)
	}
	var list []digest.Digest
	for _, d := range l.Referrers {
		list = append(list, d.Digest)
	}
	slices.Sort(list)
	return list
}

func sorted(list ...digest.Digest) []digest.Digest {
	slices.Sort(list)
	return list
}

// TestFirstSignatureHidesNothing signs in a registry of the predecessor: what
// older clients attached before, and what they attach after, is found with it.
func TestFirstSignatureHidesNothing(t *testing.T) {
	t.Parallel()
	for _, older := range []bool{false, true} {
		f := newORAS()
		f.oras.Current, f.oras.Older = !older, older
		image := f.putImage("v1", "1")
		before := f.putArtifact(t, orasManifest(oci.ArtifactTypeSignature, image, f.putBlob("application/jose+json", []byte("x"))))
		sbom := f.putArtifact(t, orasManifest("sbom/example", image))
		r := open(t, f, Options{})
		made, err := r.Attach(t.Context(), refOf(t, r, "@"+string(image.Digest)), signatureOf("one"))
		if err != nil {
			t.Fatal(err)
		}
		one := made.Manifest.Digest
		if got := sorted(f.tagIndex(t, image.Digest)...); !slices.Equal(got, sorted(before.Digest, sbom.Digest, one)) {
			t.Errorf("the tag lists %v", got)
		}
		after := f.putArtifact(t, orasManifest(oci.ArtifactTypeSignature, image, f.putBlob("application/jose+json", []byte("y"))))
		asked := f.count("artifacts")
		if _, err = r.Attach(t.Context(), refOf(t, r, "@"+string(image.Digest)), signatureOf("two")); err != nil {
			t.Fatal(err)
		}
		if got := f.count("artifacts"); got != asked {
			t.Errorf("the second signature asked the predecessor %d times", got-asked)
		}
		all := listed(t, r, image.Digest, "")
		signatures := listed(t, r, image.Digest, oci.ArtifactTypeSignature)
		if len(all) != 5 || len(signatures) != 4 || !slices.Contains(signatures, before.Digest) || !slices.Contains(signatures, after.Digest) {
			t.Errorf("listed %v, signatures %v", all, signatures)
		}
	}
}

// TestTakingOverCostsOthersNothing counts who is asked when the referrers tag is
// written for the first time.
func TestTakingOverCostsOthersNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		api, forced  bool
		first, later int // requests to the predecessor
	}{
		{"API", true, false, 0, 0},
		{"API, and the tag", true, true, 0, 0},
		{"tag", false, false, 2, 0},
	} {
		f := newFake()
		f.api = tt.api
		image := f.putImage("v1", "1")
		r := open(t, f, Options{ForceReferrersTag: tt.forced})
		for i, want := range []int{tt.first, tt.first + tt.later} {
			if _, err := r.Attach(t.Context(), refOf(t, r, "@"+string(image.Digest)), signatureOf(strings.Repeat("x", i+1))); err != nil {
				t.Fatal(err)
			}
			if got := f.count("artifacts"); got != want {
				t.Errorf("%s: the predecessor was asked %d times by signature %d, want %d", tt.name, got, i+1, want)
			}
		}
		if !tt.api && len(f.tagIndex(t, image.Digest)) != 2 {
			t.Errorf("%s: the tag lists %v", tt.name, f.tagIndex(t, image.Digest))
		}
	}
}

// TestTakingOverFails has the predecessor fail, hang, flood and lie: the signature
// is listed all the same.
//
// attack: REG-03
func TestTakingOverFails(t *testing.T) {
	t.Parallel()
	var flood []ocispec.Descriptor
	for i := range maxMerged + 500 {
		d := descriptorOf(strings.Repeat("x", i+1), "sbom/example")
		d.MediaType = oci.MediaTypeORASManifest
		d.Annotations = map[string]string{"text": strings.Repeat("y", 64)}
		flood = append(flood, d)
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		strict bool
		want   int // entries of the tag
	}{
		{"503", fails(http.StatusServiceUnavailable), false, 1},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, false, 1},
		{"HTML", says("text/html", "<html>"), false, 1},
		{"malformed", says("application/json", `{"referrers":[{}`), false, 1},
		{"flood", says("application/json", string(predecessorList(t, flood...))), false, 1 + maxMerged},
		{"gone, strict registry", says("application/json", string(predecessorList(t, flood[:3]...))), true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.strict = tt.strict
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "artifacts") {
					return false
				}
				tt.answer(w, r)
				return true
			}
			image := f.putImage("v1", "1")
			r := open(t, f, Options{})
			if tt.name == "hangs" {
				r.client.timing.settleMax = 20 * time.Millisecond
			}
			made, err := r.Attach(t.Context(), refOf(t, r, "@"+string(image.Digest)), signatureOf("one"))
			if err != nil {
				t.Fatal(err)
			}
			index := f.tagIndex(t, image.Digest)
			if len(index) != tt.want || !slices.Contains(index, made.Manifest.Digest) {
				t.Errorf("the tag has %d entries, want %d", len(index), tt.want)
			}
		})
	}
}

func predecessorList(t *testing.T, list ...ocispec.Descriptor) []byte {
	t.Helper()
	raw := indexOf(list...)
	return []byte(strings.Replace(string(raw), `"manifests":`, `"referrers":`, 1))
}

package oci

import (
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestDigestAlphabet: a digest of the right length whose characters lie just
// outside of hex, a path among them.
//
// attack: REG-02
// attack: FS-05
func TestDigestAlphabet(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{
		strings.Repeat("../", 21) + "x", strings.Repeat("../", 21) + "a", strings.Repeat(".", 64), strings.Repeat("/", 64),
		strings.Repeat("0", 63) + ":", strings.Repeat("0", 63) + "g", strings.Repeat("0", 63) + "`", strings.Repeat("0", 63) + "F",
		strings.Repeat("0", 63) + "\x00", strings.Repeat("0", 63) + "~",
	} {
		if len(encoded) != 64 {
			t.Fatalf("%q has the wrong length", encoded)
		}
		_, err := ParseDigest("sha256:" + encoded)
		if reason.Of(err) != reason.OCIDescriptor {
			t.Errorf("%q: %v", encoded, err)
		}
	}
}

// TestReferenceAlphabet: characters beside the letters and digits in ASCII.
//
// attack: POL-02
func TestReferenceAlphabet(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"registry.example/a:v1.0-rc_1", "registry.example/a:A-", "reg-istry.example/a-b:Z"} {
		if _, err := ParseReference(ref); err != nil {
			t.Errorf("%q: %v", ref, err)
		}
	}
	for _, c := range "`{|}~@[]^/:;<=>?!\"#$%&'()*+," {
		for _, ref := range []string{"registry.example/a" + string(c) + "b:v1", "reg" + string(c) + "istry.example/a:v1", "registry.example/a:v" + string(c) + "1"} {
			r, err := ParseReference(ref)
			if err == nil && (strings.ContainsRune(r.Tag(), c) || strings.ContainsRune(r.Registry(), c) && c != ':' || strings.ContainsRune(r.Repository(), c) && c != '/') {
				t.Errorf("%q is taken for %q", ref, r)
			}
		}
	}
}

// TestLayoutReferenceDigests: what stands after an @ and is no digest.
func TestLayoutReferenceDigests(t *testing.T) {
	t.Parallel()
	for in, tag := range map[string]string{
		"a@b:cafe": "cafe", "me@1host:v1": "v1", "me@sha:v1": "v1", "me@md:v1": "v1",
		"me@host:" + strings.Repeat("release-", 5) + "1": strings.Repeat("release-", 5) + "1",
	} {
		if _, ref, err := ParseLayoutReference(in); err != nil || ref.Tag() != tag {
			t.Errorf("%q: %v, %v", in, ref, err)
		}
	}
	_, _, err := parseLayoutReference("ab:v1", true)
	if err != nil {
		t.Error(err)
	}
	_, _, err = parseLayoutReference("1:v1", true)
	if err != nil {
		t.Error(err)
	}
	_, _, err = parseLayoutReference("d@"+digestA, true)
	if err != nil {
		t.Error(err)
	}
}

// TestShortThumbprint: an entry that is hex and no SHA-256.
func TestShortThumbprint(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{"", "ab", strings.Repeat("a", 62), strings.Repeat("a", 66)} {
		chain, err := ParseThumbprints(`["` + entry + `"]`)
		if reason.Of(err) != reason.OCIThumbprints || chain != nil {
			t.Errorf("%q: %v, %v", entry, chain, err)
		}
	}
}

// TestIndexOrImage: what is neither an index nor an image is refused as such, and
// is not passed over as something else.
//
// attack: REG-04
func TestIndexOrImage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		manifest object
		code     reason.Code
	}{
		"image with manifests only":   {object{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "manifests": []any{}}, reason.OCIManifest},
		"ORAS with manifests only":    {object{"mediaType": MediaTypeORASManifest, "artifactType": ArtifactTypeSignature, "manifests": []any{}}, reason.OCIManifest},
		"nothing at all":              {object{"schemaVersion": 2}, reason.OCIConfig},
		"signature type, no config":   {object{"schemaVersion": 2, "artifactType": ArtifactTypeSignature, "layers": []any{}}, reason.OCIConfig},
		"Docker list with manifests":  {object{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json", "manifests": []any{}}, reason.OCIManifestType},
		"index with layers, too":      {object{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": []any{}, "layers": []any{}}, reason.OCIManifestType},
		"null manifests in an image":  {object{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "manifests": nil}, reason.OCIManifest},
		"null manifests without type": {object{"schemaVersion": 2, "manifests": nil}, reason.OCIManifestType},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.manifest["subject"] = subjectObject()
			_, err := ParseSignatureManifest(encode(t, tt.manifest), testSubject.Digest)
			if reason.Of(err) != tt.code {
				t.Errorf("got %v (%s), want %s", err, reason.Of(err), tt.code)
			}
		})
	}
}

func TestManifestTypes(t *testing.T) {
	t.Parallel()
	indexes := 0
	for _, mediaType := range ManifestTypes() {
		if !IsManifest(mediaType) {
			t.Errorf("%s is no manifest", mediaType)
		}
		if IsIndex(mediaType) {
			indexes++
		}
	}
	for _, mediaType := range []string{"", mediaTypeJWS, ocispec.MediaTypeImageConfig, ocispec.MediaTypeImageManifest + " "} {
		if IsManifest(mediaType) || IsIndex(mediaType) {
			t.Errorf("%q is a manifest", mediaType)
		}
	}
	if indexes != 2 {
		t.Errorf("%d kinds of indexes", indexes)
	}
	ManifestTypes()[0] = ""
	if ManifestTypes()[0] == "" {
		t.Error("the list can be changed from outside")
	}
}

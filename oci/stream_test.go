package oci_test

import (
	"io"
	"strings"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// claimed is a stream that says what it verifies.
type claimed struct {
	io.Reader
	d oci.Descriptor
}

func (claimed) Close() error               { return nil }
func (c claimed) Verifies() oci.Descriptor { return c.d }

// TestCheckStream compares digests unless the stream has done so for that very
// content.
func TestCheckStream(t *testing.T) {
	t.Parallel()
	const text = "the content"
	d := oci.Descriptor{MediaType: "a/b", Digest: digest.FromString(text), Size: int64(len(text))}
	other := oci.Descriptor{MediaType: "a/b", Digest: digest.FromString("THE CONTENT"), Size: d.Size}
	shorter := oci.Descriptor{MediaType: "a/b", Digest: d.Digest, Size: d.Size - 1}
	for name, c := range map[string]struct {
		stream io.Reader
		d      oci.Descriptor
		code   reason.Code
	}{
		"plain":                  {strings.NewReader(text), d, ""},
		"plain, another":         {strings.NewReader(text), other, reason.OCIDigestMismatch},
		"verified":               {claimed{oci.NewVerifiedReader(strings.NewReader(text), d), d}, d, ""},
		"verified, and wrong":    {claimed{oci.NewVerifiedReader(strings.NewReader("THE CONTENT"), d), d}, d, reason.OCIDigestMismatch},
		"verified as another":    {claimed{strings.NewReader(text), d}, other, reason.OCIDigestMismatch},
		"verified as another's":  {claimed{strings.NewReader(text), other}, d, ""},
		"verified as a part":     {claimed{strings.NewReader(text), d}, shorter, reason.OCISizeMismatch},
		"claimed, and too short": {claimed{strings.NewReader(text[1:]), d}, d, reason.OCISizeMismatch},
	} {
		_, err := io.ReadAll(oci.CheckStream(c.stream, c.d))
		if reason.Of(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckReferrer(t *testing.T) {
	t.Parallel()
	subject := digest.FromString("subject")
	for name, c := range map[string]struct {
		raw  string
		code reason.Code
	}{
		"right":   {`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","subject":{"mediaType":"a/b","digest":"` + string(subject) + `","size":1}}`, ""},
		"another": {`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","subject":{"mediaType":"a/b","digest":"` + string(digest.FromString("x")) + `","size":1}}`, reason.OCIManifest},
		"none":    {`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`, reason.OCIManifest},
		"no JSON": {`{`, reason.OCIManifest},
	} {
		d := oci.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest.FromString(c.raw), Size: int64(len(c.raw))}
		if _, err := oci.CheckReferrer(d, []byte(c.raw), subject); reason.Of(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

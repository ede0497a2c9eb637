package oci_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// attack: REG-02
func TestVerifiedReader(t *testing.T) {
	t.Parallel()
	const text = "some content"
	good := oci.Descriptor{Digest: digest.FromString(text), Size: int64(len(text))}
	long := oci.Descriptor{Digest: digest.SHA512.FromString(text), Size: int64(len(text))}
	broken := errors.New("broken")
	refused := reason.Errorf(reason.RegistryTimeout, "slow")
	for _, c := range []struct {
		name string
		r    io.Reader
		d    oci.Descriptor
		code reason.Code // with the digest
		size reason.Code // without
	}{
		{"good", strings.NewReader(text), good, "", ""},
		{"sha512", strings.NewReader(text), long, "", ""},
		{"byte by byte", iotest.OneByteReader(strings.NewReader(text)), good, "", ""},
		{"with the end at once", iotest.DataErrReader(strings.NewReader(text)), good, "", ""},
		{"empty", strings.NewReader(""), oci.Descriptor{Digest: digest.FromString("")}, "", ""},
		{"other", strings.NewReader(strings.ToUpper(text)), good, reason.OCIDigestMismatch, ""},
		{"short", strings.NewReader(text[1:]), good, reason.OCISizeMismatch, reason.OCISizeMismatch},
		{"long", strings.NewReader(text + "x"), good, reason.OCISizeMismatch, reason.OCISizeMismatch},
		{"not empty", strings.NewReader("x"), oci.Descriptor{Digest: digest.FromString("")}, reason.OCISizeMismatch, reason.OCISizeMismatch},
		{"broken", io.MultiReader(strings.NewReader(text[1:]), iotest.ErrReader(broken)), good, reason.OCIRead, reason.OCIRead},
		{"broken at the end", io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), good, reason.OCIRead, reason.OCIRead},
		{"refused", io.MultiReader(strings.NewReader(text[1:]), iotest.ErrReader(refused)), good, reason.RegistryTimeout, reason.RegistryTimeout},
		{"negative", strings.NewReader(text), oci.Descriptor{Digest: good.Digest, Size: -1}, reason.OCIDescriptor, reason.OCIDescriptor},
		{"algorithm", strings.NewReader(text), oci.Descriptor{Digest: "md5:00", Size: good.Size}, reason.OCIDigestAlgorithm, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			whole, err := io.ReadAll(c.r)
			again := func() io.Reader {
				if err != nil {
					return io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(err))
				}
				return bytes.NewReader(whole)
			}
			for code, r := range map[*reason.Code]io.Reader{&c.code: oci.NewVerifiedReader(again(), c.d), &c.size: oci.NewSizedReader(again(), c.d)} {
				if n, err := r.Read(nil); n != 0 || reason.Of(err) != "" && reason.Of(err) != *code {
					t.Error(n, err)
				}
				got, err := io.ReadAll(r)
				if reason.Of(err) != *code || (err == nil) != (*code == "") {
					t.Errorf("got %v, want %q", err, *code)
				}
				if err != nil && c.d.Size > 0 && int64(len(got)) >= c.d.Size {
					t.Error("everything came out before the error")
				}
				if n, again := r.Read(make([]byte, 1)); n != 0 || again == nil || err != nil && !errors.Is(again, err) {
					t.Errorf("after the end: %d, %v", n, again)
				}
			}
		})
	}
	if err := iotest.TestReader(oci.NewVerifiedReader(strings.NewReader(text), good), []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestCheckTag(t *testing.T) {
	t.Parallel()
	for tag, ok := range map[string]bool{"v1": true, "_x": true, strings.Repeat("a", 128): true, "": false, ".x": false, "-x": false, "a b": false, "a\x1b": false, strings.Repeat("a", 129): false} {
		if err := oci.CheckTag(tag); (err == nil) != ok || !ok && reason.Of(err) != reason.OCIReference {
			t.Errorf("%q: %v", tag, err)
		}
	}
}

func TestIsReferrersTag(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("a", 64)
	for tag, want := range map[string]bool{
		"sha256-" + hex: true, "sha384-" + hex: true, "sha512-" + hex: true, // cut to this length
		"v1": false, "": false, hex: false, "sha256-": false, "sha256-" + hex[1:]: false, "sha256-" + hex + "a": false,
		"sha256-" + hex + ".sig": false, "sha256-" + strings.ToUpper(hex): false, "sha1-" + hex: false, "SHA256-" + hex: false,
	} {
		if oci.IsReferrersTag(tag) != want {
			t.Errorf("%q: %v", tag, !want)
		}
	}
}

func TestCheckManifest(t *testing.T) {
	t.Parallel()
	describe := func(raw, mediaType string) oci.Descriptor {
		return oci.Descriptor{MediaType: mediaType, Digest: digest.FromString(raw), Size: int64(len(raw))}
	}
	const image = ocispec.MediaTypeImageManifest
	subject := string(digest.FromString("x"))
	for _, c := range []struct {
		name, raw, mediaType string
		code                 reason.Code
	}{
		{"plain", `{"mediaType":"` + image + `","subject":{"mediaType":"a/b","digest":"` + subject + `","size":1}}`, image, ""},
		{"says no type", `{}`, image, ""},
		{"another type", `{"mediaType":"` + ocispec.MediaTypeImageIndex + `"}`, image, reason.OCIManifest},
		{"no manifest", `{}`, "text/plain", reason.OCIManifest},
		{"no type", `{}`, "", reason.OCIDescriptor},
		{"malformed", `{`, image, reason.OCIManifest},
		{"bad subject", `{"subject":{"mediaType":"a/b","digest":"x","size":1}}`, image, reason.OCIManifest},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, err := oci.CheckManifest(describe(c.raw, c.mediaType), []byte(c.raw))
			if reason.Of(err) != c.code || (err == nil) != (c.code == "") || c.name == "plain" && m.Subject == nil {
				t.Error(m, err)
			}
		})
	}
	if _, err := oci.CheckManifest(describe(`{}`, image), []byte(`{ }`)); reason.Of(err) != reason.OCISizeMismatch {
		t.Error(err)
	}
}

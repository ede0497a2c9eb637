package oci

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// TestMediaTypes compares the constants that are repeated here with those of
// package envelope, on which only this test depends.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	if mediaTypeJWS != envelope.MediaTypeJWS || mediaTypeCOSE != envelope.MediaTypeCOSE {
		t.Error("the media types of envelopes differ from those of package envelope")
	}
}

func TestParseDigest(t *testing.T) {
	t.Parallel()
	for _, a := range []digest.Algorithm{digest.SHA256, digest.SHA384, digest.SHA512} {
		d := a.FromString("x")
		if got, err := ParseDigest(string(d)); err != nil || got != d {
			t.Errorf("%s: %v", d, err)
		}
	}
	// attack: REG-02
	for _, tt := range []struct {
		in   string
		code reason.Code
	}{
		{"", reason.OCIDescriptor},
		{hexA, reason.OCIDescriptor},
		{"sha256:", reason.OCIDescriptor},
		{"sha256:" + hexA + "00", reason.OCIDescriptor},
		{"sha256:" + strings.ToUpper(hexA), reason.OCIDescriptor},
		{"sha256:" + strings.Repeat("../", 21) + "x", reason.OCIDescriptor},
		{"sha512:" + hexA, reason.OCIDescriptor},
		{":" + hexA, reason.OCIDigestAlgorithm},
		{"md5:d41d8cd98f00b204e9800998ecf8427e", reason.OCIDigestAlgorithm},
		{"sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", reason.OCIDigestAlgorithm},
		{"sha256+b64:" + hexA, reason.OCIDigestAlgorithm},
		{"\x1b[2J\u202e:" + strings.Repeat("x", 1000), reason.OCIDigestAlgorithm},
		{strings.Repeat("\x00", 100_000), reason.OCIDescriptor},
	} {
		_, err := ParseDigest(tt.in)
		if reason.Of(err) != tt.code || reason.Hint(err) == "" {
			t.Errorf("%.40q: got %v", tt.in, err)
			continue
		}
		checkPrintable(t, err)
	}
}

func TestReadVerified(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("content ", 20_000)
	d := Descriptor{Digest: digest.FromString(content), Size: int64(len(content))}
	with := func(change func(d *Descriptor)) Descriptor {
		c := d
		change(&c)
		return c
	}
	broken := errors.New("broken")
	tests := map[string]struct {
		r     io.Reader
		d     Descriptor
		limit int64
		code  reason.Code
	}{
		"whole":      {strings.NewReader(content), d, d.Size, ""},
		"byte-wise":  {iotest.OneByteReader(strings.NewReader(content)), d, math.MaxInt64, ""},
		"EOF early":  {iotest.DataErrReader(strings.NewReader(content)), d, d.Size, ""},
		"sha512":     {strings.NewReader(content), with(func(d *Descriptor) { d.Digest = digest.SHA512.FromString(content) }), d.Size, ""},
		"empty":      {strings.NewReader(""), Descriptor{Digest: digest.FromString("")}, 0, ""},
		"over limit": {iotest.ErrReader(errors.New("must not be read")), d, d.Size - 1, reason.OCITooLarge},
		"broken":     {io.MultiReader(strings.NewReader(content[:9]), iotest.ErrReader(broken)), d, d.Size, reason.OCIRead},
		"broken end": {io.MultiReader(strings.NewReader(content), iotest.ErrReader(broken)), d, d.Size, reason.OCIRead},
		// attack: REG-02
		"other content":   {strings.NewReader("X" + content[1:]), d, d.Size, reason.OCIDigestMismatch},
		"too short":       {strings.NewReader(content[1:]), d, d.Size, reason.OCISizeMismatch},
		"too long":        {strings.NewReader(content + "x"), d, d.Size, reason.OCISizeMismatch},
		"size too large":  {strings.NewReader(content), with(func(d *Descriptor) { d.Size++ }), d.Size + 1, reason.OCISizeMismatch},
		"size too small":  {strings.NewReader(content), with(func(d *Descriptor) { d.Size-- }), d.Size, reason.OCISizeMismatch},
		"size negative":   {strings.NewReader(content), with(func(d *Descriptor) { d.Size = -1 }), d.Size, reason.OCIDescriptor},
		"size 2^62":       {strings.NewReader(content), with(func(d *Descriptor) { d.Size = 1 << 62 }), d.Size, reason.OCITooLarge},
		"unknown digest":  {strings.NewReader(content), with(func(d *Descriptor) { d.Digest = "md5:x" }), d.Size, reason.OCIDigestAlgorithm},
		"size claim huge": {strings.NewReader(content), with(func(d *Descriptor) { d.Size = math.MaxInt64 - 1 }), math.MaxInt64, reason.OCISizeMismatch},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ReadVerified(tt.r, tt.d, tt.limit)
			if reason.Of(err) != tt.code {
				t.Fatalf("got %v, want %q", err, tt.code)
			}
			if err == nil && int64(len(got)) != tt.d.Size || err != nil && got != nil {
				t.Errorf("got %d bytes with error %v", len(got), err)
			}
			if tt.code == reason.OCIRead && !errors.Is(err, broken) {
				t.Errorf("the cause is lost: %v", err)
			}
		})
	}
}

func TestVerifyContent(t *testing.T) {
	t.Parallel()
	d := Descriptor{Digest: digest.FromString("x"), Size: 1}
	if err := VerifyContent([]byte("x"), d); err != nil {
		t.Error(err)
	}
	if err := VerifyContent([]byte("y"), d); reason.Of(err) != reason.OCIDigestMismatch {
		t.Error(err)
	}
	if err := VerifyContent(nil, d); reason.Of(err) != reason.OCISizeMismatch {
		t.Error(err)
	}
	if err := VerifyContent(nil, Descriptor{}); reason.Of(err) != reason.OCIDescriptor {
		t.Error(err)
	}
}

func TestThumbprints(t *testing.T) {
	t.Parallel()
	chain := []Thumbprint{{0xab}, {0, 1}}
	s := FormatThumbprints(chain)
	if want := `["ab` + strings.Repeat("0", 62) + `","0001` + strings.Repeat("0", 60) + `"]`; s != want {
		t.Errorf("got %s", s)
	}
	got, err := ParseThumbprints(s)
	if err != nil || len(got) != 2 || got[0] != chain[0] || got[1] != chain[1] {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := ParseThumbprints(FormatThumbprints(nil)); err != nil || len(got) != 0 {
		t.Errorf("empty: got %v, %v", got, err)
	}
	if _, err := ParseThumbprints(FormatThumbprints(make([]Thumbprint, MaxThumbprints))); err != nil {
		t.Error(err)
	}
	one := `"` + hexA + `"`
	for name, in := range map[string]string{
		"empty": "", "no array": one, "object": "{}", "null": "null", "null entry": "[null]", "numbers": "[1]",
		"upper case": "[" + strings.ToUpper(one) + "]", "short": "[" + `"` + hexA[1:] + `"]`, "no hex": `["` + strings.Repeat("g", 64) + `"]`,
		"trailing": "[" + one + "]x", "too many": FormatThumbprints(make([]Thumbprint, MaxThumbprints+1)),
		"too many in bounds": "[" + strings.Repeat(`"",`, MaxThumbprints) + `""]`,
		"huge":               strings.Repeat("[", 1<<20), "hostile": "[\"\u202e\x7f\"]",
	} {
		got, err := ParseThumbprints(in)
		if reason.Of(err) != reason.OCIThumbprints || got != nil {
			t.Errorf("%s: got %v, %v", name, got, err)
			continue
		}
		checkPrintable(t, err)
	}
}

func FuzzThumbprints(f *testing.F) {
	f.Add(FormatThumbprints([]Thumbprint{{1}, {2}}))
	f.Add("[]")
	f.Add(`["x"]`)
	f.Fuzz(func(t *testing.T, s string) {
		chain, err := ParseThumbprints(s)
		if err != nil {
			checkPrintable(t, err)
			return
		}
		again, err := ParseThumbprints(FormatThumbprints(chain))
		if err != nil || len(again) != len(chain) || len(chain) > MaxThumbprints {
			t.Fatalf("%q: %v, %v", s, again, err)
		}
	})
}

func BenchmarkReadVerified(b *testing.B) {
	content := bytes.Repeat([]byte("x"), 4600)
	d := Descriptor{Digest: digest.FromBytes(content), Size: int64(len(content))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadVerified(bytes.NewReader(content), d, d.Size); err != nil {
			b.Fatal(err)
		}
	}
}

func TestReferrersOptionsWants(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		asked, says string
		want        bool
	}{
		{"", "", true},
		{"", "a/b", true},
		{"a/b", "a/b", true},
		{"a/b", "", true},
		{"a/b", "application/vnd.oci.empty.v1+json", true},
		{"a/b", "c/d", false},
	} {
		if got := (ReferrersOptions{ArtifactType: tt.asked}).Wants(Descriptor{ArtifactType: tt.says}); got != tt.want {
			t.Errorf("asked for %q, entry says %q: %v, want %v", tt.asked, tt.says, got, tt.want)
		}
	}
}

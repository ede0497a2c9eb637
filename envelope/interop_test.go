package envelope_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/envelope"
)

// sharedDir is the folder with the interop cases, beside the module.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "shared", "interop"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the interop cases are missing: %v", err)
		}
		t.Skipf("the interop cases are not there: %v", err)
	}
	return dir
}

// interopCase is one entry of cases.json.
type interopCase struct {
	Name, Digest, Key, Format string
	Flags                     []string
}

// interop returns every interop envelope with its case, by media type.
func interop(t testing.TB) (cases []interopCase, envelopes [][]byte) {
	t.Helper()
	dir := sharedDir(t)
	raw, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		envelopes = append(envelopes, envelopeOf(t, filepath.Join(dir, c.Name), c.Format))
	}
	for _, format := range []string{"jws", "cose"} {
		name := "blob-" + format
		data, err := os.ReadFile(filepath.Join(dir, name, "blob.txt."+format+".sig"))
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, interopCase{Name: name, Format: format})
		envelopes = append(envelopes, data)
	}
	return cases, envelopes
}

// envelopeOf finds the layer of the signature manifest in an image layout.
func envelopeOf(t testing.TB, layout, format string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(layout, "blobs", "sha256", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no blobs in %s: %v", layout, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if format == "cose" && data[0] == 0xd2 || format == "jws" && bytes.HasPrefix(data, []byte(`{"payload"`)) {
			return data
		}
	}
	t.Fatalf("no envelope in %s", layout)
	return nil
}

func mediaTypeOf(format string) string {
	if format == "cose" {
		return envelope.MediaTypeCOSE
	}
	return envelope.MediaTypeJWS
}

func TestInterop(t *testing.T) {
	t.Parallel()
	cases, envelopes := interop(t)
	for i, tt := range cases {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			v, err := verify(mediaTypeOf(tt.Format), envelopes[i])
			if err != nil {
				t.Fatal(err)
			}
			c := v.Content()
			if tt.Digest != "" && string(c.Target.Digest) != tt.Digest {
				t.Errorf("digest %s, want %s", c.Target.Digest, tt.Digest)
			}
			if want := strings.NewReplacer("rsa", "RSA-", "ec", "EC-").Replace(tt.Key); tt.Key != "" && c.Algorithm.KeySpec() != want {
				t.Errorf("key %s, want %s", c.Algorithm.KeySpec(), want)
			}
			if len(c.Chain) != 3 || c.Agent == "" || c.Scheme != envelope.SchemeX509 || c.SigningTime.IsZero() || len(c.Extended) != 0 {
				t.Errorf("content %+v", c)
			}
			for _, flag := range tt.Flags {
				if key, value, ok := strings.Cut(flag, "="); ok && c.Target.Annotations[key] != value {
					t.Errorf("annotation %s is %q, want %q", key, c.Target.Annotations[key], value)
				}
			}
			if got, want := !c.Expiry.IsZero(), slices.Contains(tt.Flags, "--expiry"); got != want {
				t.Errorf("expiry %v", c.Expiry)
			}
			if got, want := c.Timestamp != nil, strings.HasPrefix(tt.Name, "timestamped"); got != want {
				t.Errorf("timestamp of %d bytes", len(c.Timestamp))
			}
		})
	}
}

package layout

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestAddEntryToOddIndexes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"schemaVersion":2}`:                     `{"schemaVersion":2,"manifests":[{}]}`,
		`{"schemaVersion":2,"manifests":null}`:    `{"schemaVersion":2,"manifests":[{}]}`,
		`{"schemaVersion":2,"manifests":[]}`:      `{"schemaVersion":2,"manifests":[{}]}`,
		`{"schemaVersion":2,"manifests":[ ]}`:     `{"schemaVersion":2,"manifests":[{}]}`,
		`{"manifests":[{} ],"schemaVersion":2}`:   `{"manifests":[{},{}],"schemaVersion":2}`,
		`{"\u006danifests":[],"schemaVersion":2}`: `{"manifests":[{}],"schemaVersion":2}`,
		`{"schemaVersion":2,"<&\"\u0001":""}`:     `{"schemaVersion":2,"<&\"\u0001":"","manifests":[{}]}`,
	} {
		got, err := addEntry([]byte(in), []byte("{}"), "x")
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v", in, got, err)
		}
	}
	long := `{"schemaVersion":2,"x":"` + strings.Repeat("x", maxIndexSize-30) + `"}`
	_, err := addEntry([]byte(long), []byte(`{}`), "x")
	wantCode(t, err, reason.OCITooLarge)
}

func FuzzLayoutIndex(f *testing.F) {
	s := newSketch()
	s.tag(s.image("a"), "v1")
	f.Add(s.finish()[ocispec.ImageIndexFile])
	f.Add([]byte(`{"schemaVersion":2}`))
	f.Add([]byte(`{"manifests":null,"schemaVersion":2,"x":[1,{"y":null}]}`))
	f.Add([]byte(`{"maNifests":null,"schemaVersion":2}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"sha256:../x","size":-1,"annotations":null}]}`))
	d := oci.Descriptor{MediaType: "a/b", Digest: digest.FromString("x"), Size: 1}
	entry, err := newEntry(d, oci.Manifest{ArtifactType: "c/d"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before, err := parseIndex(raw)
		if err != nil {
			wantCode(t, err, reason.OCILayoutIndex)
			return
		}
		added, err := addEntry(raw, entry, d.Digest)
		if err != nil { // what it would be is ambiguous
			wantCode(t, err, reason.OCILayoutIndex)
			return
		}
		after, err := parseIndex(added)
		if err != nil {
			t.Fatalf("%q: %v", added, err)
		}
		if bytes.Equal(raw, added) {
			return
		}
		if len(after) != len(before)+1 || after[len(before)].descriptor().Digest != d.Digest {
			t.Fatalf("%q: %d entries became %d", raw, len(before), len(after))
		}
		if a, b := withoutManifests(t, raw), withoutManifests(t, added); !bytes.Equal(a, b) {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

// withoutManifests returns an index without its entries, in a normal form.
func withoutManifests(t *testing.T, index []byte) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(index))
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		t.Fatalf("%q: %v", index, err)
	}
	delete(members, "manifests")
	normal, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return normal
}

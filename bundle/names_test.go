package bundle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

func TestNameAll(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 200)
	for _, tc := range []struct{ origins, names []string }{
		{[]string{"a.example/x:v1"}, []string{"v1"}},
		{[]string{"a.example/x:v1", "a.example/y:v2"}, []string{"v1", "v2"}},
		{[]string{"a.example/x:v1", "a.example/y:v1"}, []string{"x-v1", "y-v1"}},
		{[]string{"a.example/t/x:v1", "a.example/u/x:v1"}, []string{"t-x-v1", "u-x-v1"}},
		{[]string{"a.example:5000/t/x:v1", "b.example/t/x:v1"}, []string{"a.example-5000-t-x-v1", "b.example-t-x-v1"}},
		{[]string{"[::1]:5000/x:v1", "[::2]:5000/x:v1"}, []string{"1--5000-x-v1", "2--5000-x-v1"}},
		{[]string{"a.example/" + long + ":" + strings.Repeat("b", 128), "b.example/" + long + ":" + strings.Repeat("b", 128)}, []string{"artifact-1", "artifact-2"}},
		{[]string{"a.example/x:" + TagTrust}, []string{"x-" + TagTrust}},
		{[]string{"a.example/x:y-v1", "a.example/x:v1", "a.example/y:v1", "a.example/z:v1"}, []string{"y-v1", "x-v1", "a.example-y-v1", "z-v1"}},
		{[]string{"a.example/x"}, []string{digest.FromString("a.example/x").Encoded()[:12]}},
	} {
		var all []Artifact
		for _, o := range tc.origins {
			ref, err := oci.ParseReference(o)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, Artifact{Origin: ref, Descriptor: oci.Descriptor{Digest: digest.FromString(o)}})
		}
		if err := nameAll(all); err != nil {
			t.Error(err)
		}
		var got []string
		for _, a := range all {
			got = append(got, a.Name)
		}
		if !slices.Equal(got, tc.names) {
			t.Errorf("%q: %q", tc.origins, got)
		}
	}
}

// FuzzNames holds: whatever the origins, each artifact gets a tag of its own, and
// none of the bundle's.
func FuzzNames(f *testing.F) {
	f.Add("a.example/x:v1", "b.example/x:v1", "a.example/x")
	f.Add("a.example/x:"+TagTrust, "a.example/x-x:v1", "a.example/x/x:v1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var all []Artifact
		for i, s := range []string{a, b, c} {
			ref, err := oci.ParseReference(s)
			if err != nil {
				return
			}
			all = append(all, Artifact{Origin: ref, Descriptor: oci.Descriptor{Digest: digest.FromString(fmt.Sprint(s, i))}})
		}
		if err := nameAll(all); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, x := range all {
			if seen[x.Name] || isReserved(x.Name) || oci.CheckTag(x.Name) != nil {
				t.Fatalf("%q", x.Name)
			}
			seen[x.Name] = true
		}
	})
}

package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

// contents is a source of blobs.
type contents struct {
	oci.Source
	blobs map[digest.Digest]string
}

func (c contents) Open(_ context.Context, d oci.Descriptor) (io.ReadCloser, error) {
	return io.NopCloser(oci.NewVerifiedReader(strings.NewReader(c.blobs[d.Digest]), d)), nil
}

// TestPlaceIsAllOrNothing puts something in the way of the last file when all
// others have their names.
func TestPlaceIsAllOrNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old", "old")
	source := contents{blobs: map[digest.Digest]string{}}
	var files []pullFile
	for _, name := range []string{"fresh", "sub/dir/fresh", "old", "last/x"} {
		d := oci.Descriptor{MediaType: "a/b", Digest: digest.FromString(name), Size: int64(len(name))}
		source.blobs[d.Digest] = name
		files = append(files, pullFile{name: name, content: d})
	}
	a := &app{env: Env{}.withDefaults()}
	pull := func(before func()) error {
		w, err := newFileWriter(dir, files, true)
		if err != nil {
			return err
		}
		defer w.close()
		for i := range files {
			if err := w.receive(t.Context(), a, source, &files[i]); err != nil {
				return err
			}
		}
		before()
		return w.place(files)
	}
	if err := pull(func() { write("last", "in the way") }); err == nil {
		t.Fatal("placed")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 || entries[0].Name() != "last" || entries[1].Name() != "old" {
		t.Errorf("%v %v", entries, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "old")); err != nil || string(got) != "old" {
		t.Errorf("%q %v", got, err)
	}
	if err := os.Remove(filepath.Join(dir, "last")); err != nil {
		t.Fatal(err)
	}
	if err := pull(func() {}); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.name))); err != nil || string(got) != f.name {
			t.Errorf("%s: %q %v", f.name, got, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 4 {
		t.Errorf("%v %v", entries, err)
	}
}

func TestParseAttached(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]attachedFile{
		"f":                        {path: "f", mediaType: "application/octet-stream"},
		"f:a/b":                    {path: "f", mediaType: "a/b"},
		"f:application/x.y-z+json": {path: "f", mediaType: "application/x.y-z+json"},
		"a:b:c/d":                  {path: "a:b", mediaType: "c/d"},
		"a:b":                      {path: "a:b", mediaType: "application/octet-stream"},
		`C:\a\b`:                   {path: `C:\a\b`, mediaType: "application/octet-stream"},
		"C:/a/b":                   {path: "C:/a/b", mediaType: "application/octet-stream"},
		"f:a/b/c":                  {path: "f:a/b/c", mediaType: "application/octet-stream"},
		"f:a/b; c=d":               {path: "f:a/b; c=d", mediaType: "application/octet-stream"},
		":a/b":                     {path: ":a/b", mediaType: "application/octet-stream"},
	} {
		if got := parseAttached(arg); got != want {
			t.Errorf("%q: %+v", arg, got)
		}
	}
}

// FuzzFileName has no accepted name lead out of a directory.
func FuzzFileName(f *testing.F) {
	for _, seed := range []string{"a", "a/b", "../a", "/a", "a/../../b", `a\b`, "con.txt", "a\x00", ".a", "a:b", "ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if fileNameFault(name) != "" {
			return
		}
		joined := filepath.Join("/base", filepath.FromSlash(name))
		if !filepath.IsLocal(name) || !strings.HasPrefix(joined, "/base/") || filepath.Clean(name) != name || escape(name) != name {
			t.Errorf("%q is accepted", name)
		}
	})
}

package layout

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func signable() *sketch {
	s := newSketch()
	s.tag(s.image("a"), "v1")
	return s
}

func TestTarRefuses(t *testing.T) {
	t.Parallel()
	regular := func(name string) *tar.Header { return &tar.Header{Typeflag: tar.TypeReg, Name: name} }
	link := func(kind byte, name, target string) *tar.Header {
		return &tar.Header{Typeflag: kind, Name: name, Linkname: target}
	}
	// attack: FS-01
	// attack: FS-02
	for name, h := range map[string]*tar.Header{
		"symbolic link":       link(tar.TypeSymlink, "blobs/sha256/x", "/etc/passwd"),
		"hard link":           link(tar.TypeLink, "blobs/sha256/x", "index.json"),
		"FIFO":                {Typeflag: tar.TypeFifo, Name: "blobs/fifo"},
		"device":              {Typeflag: tar.TypeChar, Name: "blobs/device"},
		"block device":        {Typeflag: tar.TypeBlock, Name: "blobs/device"},
		"contiguous file":     {Typeflag: tar.TypeCont, Name: "blobs/cont"},
		"old sparse file":     {Typeflag: tar.TypeGNUSparse, Name: "blobs/sparse", Format: tar.FormatGNU},
		"absolute":            regular("/etc/passwd"),
		"dot dot":             regular("../x"),
		"dot dot inside":      regular("blobs/../../x"),
		"dot dot that stays":  regular("blobs/../x"),
		"dot inside":          regular("blobs/./x"),
		"dots twice":          regular("././x"),
		"two slashes":         regular("blobs//x"),
		"backslash":           regular(`blobs\x`),
		"drive":               regular(`C:\x`),
		"index twice":         regular(ocispec.ImageIndexFile),
		"index twice by dot":  regular("./" + ocispec.ImageIndexFile),
		"version twice":       regular(ocispec.ImageLayoutFile),
		"directory and file":  {Typeflag: tar.TypeDir, Name: ocispec.ImageIndexFile + "/"},
		"directory dot dot":   {Typeflag: tar.TypeDir, Name: "../"},
		"absolute directory":  {Typeflag: tar.TypeDir, Name: "/"},
		"name too long":       regular(strings.Repeat("a/", maxTarNameLength/2) + "a"),
		"hostile name":        regular("/\x1b[31m\u202e"),
		"global PAX header":   {Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}},
		"name of dot":         {Typeflag: tar.TypeSymlink, Name: ".", Linkname: "/"},
		"empty name":          {Typeflag: tar.TypeReg, Name: ""},
		"name of dot as file": regular("./."),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var path string
			if h.Typeflag == tar.TypeGNUSparse {
				path = rawEntry(t, h)
			} else {
				path = signable().tar(t, h)
			}
			_, err := Open(path, Options{})
			wantCode(t, err, reason.OCILayoutTar)
			if reason.Hint(err) == "" {
				t.Error("there is no hint")
			}
		})
	}
}

// rawEntry writes a tarball with an entry that archive/tar does not write.
func rawEntry(t *testing.T, h *tar.Header) string {
	t.Helper()
	kind := h.Typeflag
	h.Typeflag = tar.TypeReg
	path := signable().tar(t, h)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, []byte(h.Name))
	block := raw[at : at+tarBlock]
	block[156] = kind
	copy(block[148:156], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:156], []byte{'0' + byte(sum>>15&7), '0' + byte(sum>>12&7), '0' + byte(sum>>9&7), '0' + byte(sum>>6&7), '0' + byte(sum>>3&7), '0' + byte(sum&7), 0, ' '})
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTarSparse has GNU tar write a sparse file in PAX form.
func TestTarSparse(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("tar")
	if err != nil {
		t.Skip(err)
	}
	dir := signable().dir(t)
	f, err := os.Create(filepath.Join(dir, "hole"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"posix", "gnu"} {
		file := filepath.Join(t.TempDir(), "layout.tar")
		if out, err := exec.Command(bin, "--format="+format, "-S", "-C", dir, "-cf", file, ".").CombinedOutput(); err != nil {
			t.Skipf("%v: %s", err, out)
		}
		_, err := Open(file, Options{})
		wantCode(t, err, reason.OCILayoutTar)
	}
}

// TestTarOfTar reads and signs what the tar program writes.
func TestTarOfTar(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("tar")
	if err != nil {
		t.Skip(err)
	}
	s := signable()
	// A long name becomes an extra header in either format.
	long := "x/" + strings.Repeat("long", 50)
	s.files[long] = []byte("kept")
	dir := s.dir(t)
	for _, format := range []string{"posix", "gnu", "ustar", "v7"} {
		file := filepath.Join(t.TempDir(), "layout.tar")
		if format == "ustar" || format == "v7" {
			if err := os.RemoveAll(filepath.Join(dir, "x")); err != nil {
				t.Fatal(err)
			}
			delete(s.files, long)
		}
		if out, err := exec.Command(bin, "--format="+format, "-C", dir, "-cf", file, ".").CombinedOutput(); err != nil {
			t.Skipf("%v: %s", err, out)
		}
		r := mustOpen(t, file)
		a, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x"))
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if got := signatures(t, r, a.Subject.Digest); len(got) != 1 {
			t.Errorf("%s: signed by %q", format, got)
		}
		// The program reads what was written, too.
		out := t.TempDir()
		if msg, err := exec.Command(bin, "-C", out, "-xf", file).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", format, err, msg)
		}
		if got := signatures(t, mustOpen(t, out), a.Subject.Digest); len(got) != 1 {
			t.Errorf("%s: unpacked, signed by %q", format, got)
		}
		for name, content := range s.files {
			got, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(name)))
			if err != nil || name != ocispec.ImageIndexFile && !bytes.Equal(got, content) {
				t.Errorf("%s: %s has changed: %v", format, name, err)
			}
		}
	}
}

// TestTarKeeps checks that the entries of a tarball are copied bit by bit.
func TestTarKeeps(t *testing.T) {
	t.Parallel()
	s := signable()
	path := s.tar(t, &tar.Header{Typeflag: tar.TypeDir, Name: "./"}, &tar.Header{Typeflag: tar.TypeDir, Name: "blobs/"}, &tar.Header{Typeflag: tar.TypeDir, Name: "blobs/"},
		&tar.Header{Typeflag: tar.TypeReg, Name: "zzz", Size: 700, Uid: 7, Uname: "someone", PAXRecords: map[string]string{"VENDOR.x": "y"}})
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	headers := func() map[string]tar.Header {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		found := map[string]tar.Header{}
		for r := tar.NewReader(f); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				return found
			}
			if err != nil {
				t.Fatal(err)
			}
			found[h.Name] = *h
		}
	}
	before := headers()
	if _, err := mustOpen(t, path).Attach(context.Background(), byTag(t, "v1"), sign("x")); err != nil {
		t.Fatal(err)
	}
	after := headers()
	for name, h := range before {
		if name == ocispec.ImageIndexFile {
			continue
		}
		got := after[name]
		if got.Size != h.Size || got.Uname != h.Uname || got.PAXRecords["VENDOR.x"] != h.PAXRecords["VENDOR.x"] || got.Format != h.Format {
			t.Errorf("%s: %+v became %+v", name, h, got)
		}
	}
	if len(after) != len(before)+3 {
		t.Errorf("%d entries became %d", len(before), len(after))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o604 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
}

func TestTarBroken(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(signable().tar(t))
	if err != nil {
		t.Fatal(err)
	}
	write := func(content []byte) string {
		file := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	// The header of the second entry begins after the content of the first.
	scanned, err := scanBytes(whole)
	if err != nil {
		t.Fatal(err)
	}
	cut := scanned.order[1].start + tarBlock/2
	second := whole[scanned.order[1].start : scanned.order[1].start+100]
	for name, tt := range map[string]struct {
		content []byte
		code    reason.Code
		hint    string
	}{
		"empty":           {nil, reason.OCILayout, "tar -C DIR"},
		"text":            {[]byte(strings.Repeat("text", 200)), reason.OCILayout, "a .tar of one"},
		"cut in header":   {whole[:tarBlock/2], reason.OCILayout, "a .tar of one"},
		"cut in content":  {whole[:tarBlock+3], reason.OCILayoutTar, "cut short"},
		"cut in second":   {whole[:cut], reason.OCILayoutTar, "cut short"},
		"second header":   {bytes.Replace(whole, second, bytes.Repeat([]byte("X"), len(second)), 1), reason.OCILayoutTar, "copy the tarball again"},
		"checksum":        {append([]byte("X"), whole[1:]...), reason.OCILayout, "a .tar of one"},
		"gzip":            {[]byte("\x1f\x8b\x08"), reason.OCILayout, "decompress"},
		"zstd":            {[]byte("\x28\xb5\x2f\xfd"), reason.OCILayout, "decompress"},
		"bzip2":           {[]byte("BZh9"), reason.OCILayout, "decompress"},
		"xz":              {[]byte("\xfd7zXZ\x00"), reason.OCILayout, "decompress"},
		"zero bytes only": {make([]byte, 10*tarBlock), reason.OCILayout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(tt.content)
			_, err := Open(path, Options{})
			wantCode(t, err, tt.code)
			if hint := reason.Hint(err); hint == "" || !strings.Contains(hint, tt.hint) || strings.Contains(hint, "network") || strings.Contains(hint, "--timeout") {
				t.Errorf("hint is %q", hint)
			}
			if strings.Count(err.Error(), path) != 1 {
				t.Errorf("does not name %s once: %v", path, err)
			}
		})
	}
	// Without the two blocks at the end, or with the padding of the last entry
	// cut off, every entry is still whole.
	end := len(bytes.TrimRight(whole, "\x00"))
	r := mustOpen(t, write(whole[:end]))
	a, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := signatures(t, mustOpen(t, r.path), a.Subject.Digest); len(got) != 1 {
		t.Errorf("signed by %q", got)
	}
}

func TestTarTooLarge(t *testing.T) {
	t.Parallel()
	path := signable().tar(t)
	if err := os.Truncate(path, maxTarSize+1); err != nil {
		t.Skip(err)
	}
	_, err := Open(path, Options{})
	wantCode(t, err, reason.OCITooLarge)

	scan := &tarball{entries: map[string]tarEntry{}, order: make([]tarEntry, maxTarEntries)}
	wantCode(t, scan.add(tarEntry{name: "x"}), reason.OCITooLarge)
}

// TestTarReplaced reads a tarball that another program replaces.
func TestTarReplaced(t *testing.T) {
	t.Parallel()
	path := signable().tar(t)
	r := mustOpen(t, path)
	if _, err := mustOpen(t, path).Attach(context.Background(), byTag(t, "v1"), sign("x")); err != nil {
		t.Fatal(err)
	}
	d, err := r.Resolve(context.Background(), byTag(t, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := signatures(t, r, d.Digest); len(got) != 1 {
		t.Errorf("signed by %q", got)
	}
	if err := os.WriteFile(path, []byte("\x1f\x8b"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = r.Fetch(context.Background(), d, 1<<20)
	wantCode(t, err, reason.OCILayout)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = r.Resolve(context.Background(), byTag(t, "v1"))
	wantCode(t, err, reason.OCIRead)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = r.Resolve(context.Background(), byTag(t, "v1"))
	wantCode(t, err, reason.OCILayoutFile)
}

// TestTarFull writes a tarball to a disk that is full after any number of
// blocks.
//
// attack: FS-04
func TestTarFull(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(signable().tar(t))
	if err != nil {
		t.Fatal(err)
	}
	old, err := scanBytes(raw[:len(bytes.TrimRight(raw, "\x00"))])
	if err != nil {
		t.Fatal(err)
	}
	n := tarRewrite{old: old, drop: map[string]bool{}}
	n.put(ocispec.ImageIndexFile, []byte("new"))
	n.put(ocispec.ImageIndexFile, []byte("not twice"))
	n.put("added", bytes.Repeat([]byte("x"), 1000))
	var whole bytes.Buffer
	if err := n.writeTo(context.Background(), &whole); err != nil {
		t.Fatal(err)
	}
	for room := range whole.Len() {
		if err := n.writeTo(context.Background(), &fullDisk{room}); !errors.Is(err, errFull) {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{ room int }

func (f *fullDisk) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

// TestTarDirectory has a directory in place of a file.
//
// attack: FS-01
func TestTarDirectory(t *testing.T) {
	t.Parallel()
	s := signable()
	image := s.image("a")
	s.finish()
	delete(s.files, blobPath(image.Digest))
	r := mustOpen(t, s.tar(t, &tar.Header{Typeflag: tar.TypeDir, Name: blobPath(image.Digest) + "/"}))
	_, err := r.Resolve(context.Background(), byTag(t, "v1"))
	wantCode(t, err, reason.OCILayoutFile)

	h := &tar.Header{Typeflag: tar.TypeDir, Name: "x/", Size: 5}
	_, err = entryName(h)
	wantCode(t, err, reason.OCILayoutTar)
}

func TestTarGivenUp(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(signable().tar(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = scanTar(ctx, bytes.NewReader(raw), int64(len(raw)))
	wantCode(t, err, reason.OCIRead)
}

// memTar is a tarball in memory.
type memTar struct{ *bytes.Reader }

func (memTar) Close() error { return nil }

func scanBytes(raw []byte) (tarFiles, error) {
	t, err := scanTar(context.Background(), bytes.NewReader(raw), int64(len(raw)))
	return tarFiles{t, memTar{bytes.NewReader(raw)}}, err
}

// FuzzLayoutTar scans a tarball, writes it anew with an entry replaced and one
// added, and compares the two.
func FuzzLayoutTar(f *testing.F) {
	small := &sketch{files: map[string][]byte{"index.json": []byte("{}"), "blobs/x": []byte("x")}}
	for _, s := range []*sketch{small, newSketch()} {
		raw, err := os.ReadFile(s.tar(f, &tar.Header{Typeflag: tar.TypeDir, Name: "./"}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(bytes.TrimRight(raw, "\x00"))])
	}
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		old, err := scanBytes(raw)
		if err != nil {
			if code := reason.Of(err); code != reason.OCILayout {
				wantCode(t, err, reason.OCILayoutTar)
			}
			return
		}
		n := tarRewrite{old: old, drop: map[string]bool{}}
		n.put(ocispec.ImageIndexFile, []byte("new"))
		n.put(".notation-added", []byte("added"))
		var b bytes.Buffer
		if err := n.writeTo(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		now, err := scanBytes(b.Bytes())
		if err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
		for name, e := range old.entries {
			if n.drop[name] || !e.regular {
				continue
			}
			was, wasErr := readFile(old, name, 1<<20)
			is, isErr := readFile(now, name, 1<<20)
			if !bytes.Equal(was, is) || reason.Of(wasErr) != reason.Of(isErr) {
				t.Fatalf("%q has changed: %v, %v", name, wasErr, isErr)
			}
		}
		if got, err := readFile(now, ocispec.ImageIndexFile, 9); err != nil || string(got) != "new" {
			t.Fatalf("the index is %q, %v", got, err)
		}
	})
}

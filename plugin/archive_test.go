package plugin

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// item is an entry of an archive to be made.
type item struct {
	name string
	body string
	mode fs.FileMode // with type and special bits; 0: 0755
	tar  func(h *tar.Header)
	zip  func(h *zip.FileHeader)
}

func makeTar(t testing.TB, items ...item) []byte {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Mode: 0o755, Size: int64(len(i.body)), Typeflag: tar.TypeReg}
		if i.mode != 0 {
			h.Mode = int64(i.mode.Perm())
		}
		if i.mode.IsDir() {
			h.Typeflag = tar.TypeDir
		}
		for bit, value := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
			if i.mode&bit != 0 {
				h.Mode |= value
			}
		}
		if i.tar != nil {
			i.tar(h)
		}
		must(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := io.WriteString(w, i.body)
			must(t, err)
		}
	}
	must(t, w.Close())
	return zipped(t, plain.Bytes())
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func makeZip(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, i := range items {
		h := &zip.FileHeader{Name: i.name, Method: zip.Deflate}
		if i.mode == 0 {
			i.mode = 0o755
		}
		h.SetMode(i.mode)
		if i.zip != nil {
			i.zip(h)
		}
		entry, err := w.CreateHeader(h)
		must(t, err)
		if !strings.HasSuffix(i.name, "/") {
			_, err = io.WriteString(entry, i.body)
			must(t, err)
		}
	}
	must(t, w.Close())
	return b.Bytes()
}

// extract unpacks an archive beside nothing, and checks that nothing appears
// outside of where it should.
func extract(t testing.TB, data []byte) (name, body string, err error) {
	t.Helper()
	base := t.TempDir()
	name, err = unpack(bytes.NewReader(data), "archive", filepath.Join(base, "into"))
	entries, readErr := os.ReadDir(base)
	must(t, readErr)
	if len(entries) > 1 {
		t.Errorf("%v beside the directory", entries)
	}
	if err != nil {
		return "", "", err
	}
	path := filepath.Join(base, "into", name, fileName(name))
	content, err := os.ReadFile(path)
	must(t, err)
	return name, string(content), nil
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	for name, items := range map[string][]item{
		"alone":       {{name: fileName("p"), body: "x"}},
		"with others": {{name: "./", mode: fs.ModeDir | 0o755}, {name: "LICENSE", body: "l", mode: 0o644}, {name: "./" + fileName("p"), body: "x"}, {name: "Read Me.txt"}},
		"mode 0600":   {{name: fileName("p"), body: "x", mode: 0o600}},
	} {
		for kind, data := range map[string][]byte{"tar": makeTar(t, items...), "zip": makeZip(t, items...)} {
			plugin, body, err := extract(t, data)
			if err != nil || plugin != "p" || body != "x" {
				t.Errorf("%s %s: %q %q %v", kind, name, plugin, body, err)
			}
		}
	}
}

// attack: PLG-05
func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	program := item{name: fileName("p"), body: "x"}
	tests := map[string][]item{
		"nothing":           {},
		"no program":        {{name: "README"}},
		"two programs":      {program, {name: fileName("q")}},
		"bad plugin name":   {{name: "notation-..x"}},
		"other case":        {{name: "Notation-p"}},
		"same":              {program, program},
		"same but for case": {program, {name: "readme"}, {name: "README"}},
		"setuid":            {{name: fileName("p"), mode: 0o755 | fs.ModeSetuid}},
		"setgid":            {program, {name: "a", mode: 0o755 | fs.ModeSetgid}},
		"sticky":            {program, {name: "a", mode: 0o755 | fs.ModeSticky}},
		"directory":         {program, {name: "d/", mode: fs.ModeDir | 0o755}},
		"directory as file": {{name: fileName("p") + "/", mode: fs.ModeDir | 0o755}},
		"symlink":           {{name: fileName("p"), mode: fs.ModeSymlink | 0o777, body: "/bin/sh", tar: link(tar.TypeSymlink)}},
		"symlink beside":    {program, {name: "a", mode: fs.ModeSymlink | 0o777, body: "../..", tar: link(tar.TypeSymlink)}},
		"device":            {program, {name: "a", mode: fs.ModeDevice | 0o777, tar: link(tar.TypeBlock)}},
		"FIFO":              {program, {name: "a", mode: fs.ModeNamedPipe | 0o777, tar: link(tar.TypeFifo)}},
	}
	for _, name := range []string{
		"../" + fileName("p"), "/" + fileName("p"), "/etc/passwd", "d/" + fileName("p"), `..\` + fileName("p"), `d\x`, `C:\x`, "C:x", "..", "./../x", "././x", ".hidden", "x.",
		"NUL", "con.txt", "a\x1bb", "a\u202eb", "a?", strings.Repeat("x", 200), "a//b",
	} {
		tests["name "+name] = []item{program, {name: name, body: "y"}}
	}
	many := []item{program}
	for i := range maxEntries {
		many = append(many, item{name: fmt.Sprint("f", i)})
	}
	tests["many entries"] = many
	for name, items := range tests {
		for kind, data := range map[string][]byte{"tar": makeTar(t, items...), "zip": makeZip(t, items...)} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				_, _, err := extract(t, data)
				refuses(t, err, reason.PluginArchive)
			})
		}
	}
}

// link makes an entry of another type, without content.
func link(flag byte) func(h *tar.Header) {
	return func(h *tar.Header) { h.Typeflag, h.Size, h.Linkname = flag, 0, "/bin/sh" }
}

// attack: PLG-05
func TestUnpackRefusesTar(t *testing.T) {
	t.Parallel()
	says := map[string]string{"sparse by PAX": "sparse", "sparse, old": "sparse"} // and is not refused for anything else
	program := item{name: fileName("p"), body: "x"}
	good := makeTar(t, program)
	pax := func(records map[string]string) func(h *tar.Header) {
		return func(h *tar.Header) { h.Format, h.PAXRecords = tar.FormatPAX, records }
	}
	for name, data := range map[string][]byte{
		"hard link":        makeTar(t, item{name: fileName("p"), tar: link(tar.TypeLink)}),
		"hard link beside": makeTar(t, program, item{name: "a", tar: link(tar.TypeLink)}),
		"global header": makeTar(t, item{tar: func(h *tar.Header) {
			*h = tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"a": "b"}}
		}}),
		"contiguous":       makeTar(t, item{name: fileName("p"), tar: link(tar.TypeCont)}),
		"unknown type":     makeTar(t, item{name: fileName("p"), tar: link('Z')}),
		"name by PAX":      makeTar(t, program, item{name: strings.Repeat("x/", 120) + "y", tar: pax(nil)}),
		"sparse by PAX":    zipped(t, sparsePAX(t)),
		"sparse, old":      zipped(t, sparseOld()),
		"no tar":           zipped(t, []byte(strings.Repeat("hello", 500))),
		"cut gzip":         good[:len(good)-20],
		"gzip header only": good[:2],
		"broken gzip":      append([]byte{0x1f, 0x8b, 9}, good[3:]...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := extract(t, data)
			refuses(t, err, reason.PluginArchive)
			if !strings.Contains(err.Error(), says[name]) {
				t.Errorf("%v, want %q", err, says[name])
			}
		})
	}
}

// attack: PLG-05
func TestBombs(t *testing.T) {
	t.Parallel()
	announced := func(size int64) []byte { // a header without its content
		var plain bytes.Buffer
		w := tar.NewWriter(&plain)
		must(t, w.WriteHeader(&tar.Header{Name: fileName("p"), Mode: 0o755, Size: size, Typeflag: tar.TypeReg}))
		return zipped(t, plain.Bytes())
	}
	lying := makeZip(t, item{name: fileName("p"), body: strings.Repeat("x", 1<<20)})
	if i := bytes.LastIndex(lying, []byte("PK\x01\x02")); i >= 0 {
		binary.LittleEndian.PutUint32(lying[i+24:], 1) // uncompressed size
	}
	huge := makeZip(t, item{name: fileName("p"), body: "x"})
	if i := bytes.LastIndex(huge, []byte("PK\x01\x02")); i >= 0 {
		binary.LittleEndian.PutUint32(huge[i+24:], maxUnpacked+1)
	}
	says := map[string]string{ // and is not refused for anything else, later
		"tar, announced": "MiB unpacked", "zip, announced": "MiB unpacked", "zip, million names": errBudget.Error(), "zip, encrypted": "encrypted",
	}
	for name, data := range map[string][]byte{
		"tar, announced":     announced(maxUnpacked + 1),
		"tar, not there":     announced(1 << 20),
		"tar, many headers":  zipped(t, bytes.Repeat(ustar("a", '0', ""), 1<<12)),
		"tar, huge header":   zipped(t, paxBomb()),
		"zip, announced":     huge,
		"zip, lying":         lying,
		"zip, million names": zipList(t, 1_000_000),
		"zip, encrypted":     makeZip(t, item{name: fileName("p"), body: "x", zip: func(h *zip.FileHeader) { h.Flags |= 1 }}),
		"zip, other method":  otherMethod(t),
		"zip, cut":           makeZip(t, item{name: fileName("p"), body: "x"})[:30],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := extract(t, data)
			refuses(t, err, reason.PluginArchive)
			if !strings.Contains(err.Error(), says[name]) {
				t.Errorf("%v, want %q", err, says[name])
			}
		})
	}
	t.Run("endless", func(t *testing.T) {
		t.Parallel()
		target := &target{dir: t.TempDir()}
		// The limit of a single file, without writing as much.
		source := &remember{from: io.LimitReader(failing{}, 1)}
		if _, err := io.Copy(io.Discard, source); err == nil || source.err == nil {
			t.Error("no error")
		}
		refuses(t, target.write("p", failing{}), reason.PluginArchive)
	})
}

// sparsePAX is an archive whose entry claims holes by PAX records.
func sparsePAX(t testing.TB) []byte {
	t.Helper()
	records := ""
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=" + fileName("p"), "GNU.sparse.realsize=1000000000000"} {
		n := len(r) + 4
		records += fmt.Sprintf("%d %s\n", n+btoi(n > 99)-btoi(n < 10), r)
	}
	body := "1\n0\n0\n" // one fragment, of no bytes, in a block of its own
	body += strings.Repeat("\x00", 512-len(body))
	return append(append(ustar("PaxHeaders/x", 'x', records), ustar("x", '0', body)...), make([]byte, 1024)...)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func sparseOld() []byte {
	block := ustar(fileName("p"), 'S', "")
	copy(block[257:], "ustar  \x00")
	copy(block[483:], "00000001000\x00")
	checksum(block)
	return append(block, make([]byte, 1024)...)
}

// paxBomb announces extended headers of 4 GiB.
func paxBomb() []byte {
	block := ustar("x", 'x', "")
	copy(block[124:], "37777777777\x00")
	checksum(block)
	return block
}

// ustar returns a header block with the content after it.
func ustar(name string, flag byte, body string) []byte {
	block := make([]byte, 512)
	copy(block, name)
	copy(block[100:], "0000755\x000000000\x000000000\x00")
	copy(block[124:], fmt.Sprintf("%011o\x00", len(body)))
	copy(block[136:], "00000000000\x00")
	block[156] = flag
	copy(block[257:], "ustar\x0000")
	checksum(block)
	block = append(block, body...)
	if over := len(body) % 512; over > 0 {
		block = append(block, make([]byte, 512-over)...)
	}
	return block
}

func checksum(block []byte) {
	copy(block[148:156], "        ")
	sum := 0
	for _, b := range block[:512] {
		sum += int(b)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
}

// zipList is an archive with an endless list of entries that says there is one.
func zipList(t testing.TB, n int) []byte {
	t.Helper()
	data := makeZip(t, item{name: fileName("p"), body: "x"})
	at := bytes.LastIndex(data, []byte("PK\x01\x02"))
	end := bytes.LastIndex(data, []byte("PK\x05\x06"))
	entry, tail := data[at:end], bytes.Clone(data[end:])
	list := bytes.Repeat(entry, n)
	binary.LittleEndian.PutUint32(tail[12:], uint32(len(list)))
	return append(append(bytes.Clone(data[:at]), list...), tail...)
}

func otherMethod(t testing.TB) []byte {
	t.Helper()
	data := makeZip(t, item{name: fileName("p"), body: "x"})
	at := bytes.LastIndex(data, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint16(data[at+10:], 97)
	return data
}

// Faults of the disk are none of the archive's.
func TestUnpackWriteFaults(t *testing.T) {
	t.Parallel()
	data := makeTar(t, item{name: fileName("p"), body: "x"})
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := unpack(bytes.NewReader(data), "a", filepath.Join(file, "x"))
	refuses(t, err, reason.PluginWrite)
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "p", fileName("p")), 0o755))
	_, err = unpack(bytes.NewReader(data), "a", dir)
	refuses(t, err, reason.PluginWrite)
	closed, err := os.Open(file)
	must(t, err)
	must(t, closed.Close())
	_, err = unpack(closed, "a", dir)
	refuses(t, err, reason.PluginWrite)
	refuses(t, unpackZip(closed, &target{}), reason.PluginWrite)
}

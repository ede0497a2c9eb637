package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

// packOf returns a pack of some contents.
func packOf(contents ...string) []byte {
	var data []byte
	index := map[key]span{}
	for _, c := range contents {
		index[sha256.Sum256([]byte(c))] = span{uint32(len(data)), uint32(len(c))}
		data = append(data, c...)
	}
	return append(data, tailOf(index)...)
}

func TestTable(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 63, 64, 65, 1000, maxPackEntries} {
		contents := make([]string, n)
		for i := range contents {
			contents[i] = fmt.Sprint("content ", i)
		}
		data := packOf(contents...)
		pack, err := newTable(bytes.NewReader(data), int64(len(data)))
		if err != nil || pack.count != n {
			t.Fatalf("%d: %v", n, err)
		}
		for _, c := range contents {
			if got, err := pack.get(sha256.Sum256([]byte(c))); string(got) != c || err != nil {
				t.Fatalf("%d: %q is %q, %v", n, c, got, err)
			}
		}
		for i := range 100 {
			if got, err := pack.get(sha256.Sum256([]byte{byte(i)})); got != nil || err != nil {
				t.Fatalf("%d: found %q, %v", n, got, err)
			}
		}
		seen := 0
		if err := pack.all(func(k key, s span) error {
			seen++
			content, err := pack.read(s)
			if err == nil && sha256.Sum256(content) != k {
				err = errors.New("another's content")
			}
			return err
		}); err != nil || seen != n {
			t.Errorf("%d: saw %d, %v", n, seen, err)
		}
	}
}

// TestTableOfOneFan: somebody may choose contents whose digests begin alike.
func TestTableOfOneFan(t *testing.T) {
	t.Parallel()
	index := map[key]span{}
	for i := range 5000 {
		k := key{7}
		binary.BigEndian.PutUint32(k[20:], uint32(i*3))
		index[k] = span{uint32(i), 1}
	}
	data := append(make([]byte, 5000), tailOf(index)...)
	reads := 0
	pack, err := newTable(counting{bytes.NewReader(data), &reads}, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 15000 {
		k := key{7}
		binary.BigEndian.PutUint32(k[20:], uint32(i))
		reads = 0
		got, err := pack.find(k)
		if want := index[k]; got != want || err != nil || reads > 10 {
			t.Fatalf("%d is %v, want %v, %v, in %d reads", i, got, want, err, reads)
		}
	}
}

// counting counts reads.
type counting struct {
	io.ReaderAt
	n *int
}

func (c counting) ReadAt(b []byte, offset int64) (int, error) {
	*c.n++
	return c.ReaderAt.ReadAt(b, offset)
}

// hostilePacks changes a pack of "first" and "second" in all ways that matter.
// Content is what comes for "first", if anything.
func hostilePacks() map[string]struct {
	change  func(data []byte) []byte
	opens   error
	gets    error
	content string
} {
	number := func(fromEnd int, n uint32) func([]byte) []byte {
		return func(data []byte) []byte {
			binary.BigEndian.PutUint32(data[len(data)-fromEnd:], n)
			return data
		}
	}
	// entry changes one of the numbers of the entry of "first" in the index.
	entry := func(at int, n uint32) func([]byte) []byte {
		return func(data []byte) []byte {
			k := sha256.Sum256([]byte("first"))
			binary.BigEndian.PutUint32(data[bytes.Index(data, k[:])+sha256.Size+at:], n)
			return data
		}
	}
	index := len("firstsecond")
	type hostile = struct {
		change  func(data []byte) []byte
		opens   error
		gets    error
		content string
	}
	return map[string]hostile{
		"untouched":            {func(data []byte) []byte { return data }, nil, nil, "first"},
		"empty":                {func([]byte) []byte { return nil }, errBroken, nil, ""},
		"not finished":         {func(data []byte) []byte { return data[:index] }, errBroken, nil, ""},
		"end cut":              {func(data []byte) []byte { return data[:len(data)-1] }, errBroken, nil, ""},
		"beginning cut":        {func(data []byte) []byte { return data[1:] }, nil, nil, "irsts"},
		"index cut":            {func(data []byte) []byte { return data[index+1:] }, errBroken, nil, ""},
		"zeros":                {func(data []byte) []byte { return make([]byte, len(data)) }, errBroken, nil, ""},
		"something else":       {func([]byte) []byte { return bytes.Repeat([]byte("no pack"), 1000) }, errBroken, nil, ""},
		"version":              {number(8, packVersion+1), errVersion, nil, ""},
		"one more":             {number(4, 3), errBroken, nil, ""},
		"one less":             {number(4, 1), errBroken, nil, ""},
		"too many":             {number(4, maxPackEntries+1), errBroken, nil, ""},
		"far too many":         {number(4, 1<<32-1), errBroken, nil, ""},
		"fan ends early":       {number(16+4, 1), errBroken, nil, ""},
		"fan ends late":        {number(16+4, 1<<32-1), errBroken, nil, ""},
		"fan goes back":        {number(16+fanBytes, 2), errBroken, nil, ""},
		"fan of others":        {func(data []byte) []byte { return number(16+fanBytes, 0)(otherFan(data)) }, nil, nil, ""},
		"offset":               {entry(0, 1), nil, nil, "irsts"},
		"offset in the index":  {entry(0, uint32(index)), nil, errBroken, ""},
		"offset far off":       {entry(0, 1<<32-1), nil, errBroken, ""},
		"no length":            {entry(4, 0), nil, errBroken, ""},
		"length to the end":    {entry(4, uint32(index)), nil, nil, "firstsecond"},
		"length into index":    {entry(4, uint32(index+1)), nil, errBroken, ""},
		"length over all":      {entry(4, maxEntry+1), nil, errBroken, ""},
		"length of 4 GiB":      {entry(4, 1<<32-1), nil, errBroken, ""},
		"both of 4 GiB":        {func(data []byte) []byte { return entry(0, 1<<32-1)(entry(4, 1<<32-1)(data)) }, nil, errBroken, ""},
		"digests out of order": {swapped, nil, nil, "first"},
	}
}

// otherFan says that all digests begin with 255.
func otherFan(data []byte) []byte {
	fan := data[len(data)-tailBytes:][:fanBytes]
	clear(fan)
	binary.BigEndian.PutUint32(fan[fanBytes-4:], 2)
	return data
}

// swapped has both entries of the index change places.
func swapped(data []byte) []byte {
	index := data[len("firstsecond"):][:2*entryBytes]
	first := slices.Clone(index[:entryBytes])
	copy(index, index[entryBytes:])
	copy(index[entryBytes:], first)
	fan := data[len(data)-tailBytes:][:fanBytes] // wherever they begin, both are looked at
	for i := range fans {
		binary.BigEndian.PutUint32(fan[4*i:], 2)
	}
	k := sha256.Sum256([]byte("first"))
	for i := range int(k[0]) {
		binary.BigEndian.PutUint32(fan[4*i:], 0)
	}
	return data
}

// attack: FS-01
func TestHostileTable(t *testing.T) {
	t.Parallel()
	for name, tt := range hostilePacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := tt.change(packOf("first", "second"))
			pack, err := newTable(bytes.NewReader(data), int64(len(data)))
			if !errors.Is(err, tt.opens) {
				t.Fatalf("opened with %v, want %v", err, tt.opens)
			}
			if err != nil {
				return
			}
			got, err := pack.get(sha256.Sum256([]byte("first")))
			if string(got) != tt.content || !errors.Is(err, tt.gets) {
				t.Errorf("%q, %v; want %q, %v", got, err, tt.content, tt.gets)
			}
		})
	}
}

// overlapping returns a pack of 50 bytes that has 100 entries of 10 bytes.
func overlapping() []byte {
	index := map[key]span{}
	for i := range 100 {
		index[key{byte(i)}] = span{0, 10}
	}
	return append(make([]byte, 50), tailOf(index)...)
}

// TestOverlapping: an index that names the same content again and again is not
// followed further than the content is long.
//
// attack: FS-01
func TestOverlapping(t *testing.T) {
	t.Parallel()
	data := overlapping()
	pack, err := newTable(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	if err := pack.all(func(key, span) error { seen++; return nil }); !errors.Is(err, errBroken) || seen != 5 {
		t.Errorf("saw %d, %v", seen, err)
	}
}

// TestTableEnds: a file that is shorter than it was said to be, or longer than any
// pack.
func TestTableEnds(t *testing.T) {
	t.Parallel()
	data := packOf("first", "second")
	if _, err := newTable(bytes.NewReader(data), int64(len(data))+1); !errors.Is(err, errBroken) {
		t.Errorf("shorter: %v", err)
	}
	behind := io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
	if _, err := newTable(shifted{behind, 1 << 40}, 1<<40+int64(len(data))); !errors.Is(err, errBroken) {
		t.Errorf("longer: %v", err)
	}
	boom := errors.New("boom")
	if _, err := newTable(failing{boom}, 1<<20); !errors.Is(err, boom) || errors.Is(err, errBroken) {
		t.Errorf("failing: %v", err)
	}
}

// shifted has nothing before its content.
type shifted struct {
	io.ReaderAt
	by int64
}

func (s shifted) ReadAt(b []byte, offset int64) (int, error) {
	return s.ReaderAt.ReadAt(b, offset-s.by)
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// FuzzTable: whatever a file holds, what comes of it lies in it, and reading it
// takes no more than that.
func FuzzTable(f *testing.F) {
	for _, tt := range hostilePacks() {
		f.Add(tt.change(packOf("first", "second")))
	}
	f.Add(packOf())
	f.Fuzz(func(t *testing.T, data []byte) {
		pack, err := newTable(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if pack.end < 0 || pack.end+int64(pack.count)*entryBytes+tailBytes != int64(len(data)) {
			t.Fatalf("%d entries behind %d bytes in %d", pack.count, pack.end, len(data))
		}
		first := sha256.Sum256([]byte("first"))
		if got, err := pack.get(first); err != nil && got != nil || int64(len(got)) > pack.end {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		total := 0
		_ = pack.all(func(k key, s span) error {
			content, err := pack.read(s)
			if err != nil {
				t.Errorf("%v: %v", s, err)
			}
			total += len(content)
			if found, err := pack.get(k); err == nil && len(found) > maxEntry {
				t.Errorf("%d bytes", len(found))
			}
			return nil
		})
		if int64(total) > pack.end {
			t.Errorf("%d bytes of %d", total, pack.end)
		}
	})
}

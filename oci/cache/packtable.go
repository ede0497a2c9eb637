package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
)

// A pack is content, one behind the other, and an index of it. All numbers are
// big-endian and of four bytes:
//
//	content
//	index   for each: SHA-256 (32 bytes), offset, length; in the order of the
//	        digests, of which there are no two alike
//	fan     for each number from 0 to 255, how many of the digests begin with that
//	        byte or a smaller one
//	footer  packMagic (8 bytes), packVersion, number of entries
//
// The end comes last, so a pack that is not finished has none.
const (
	packMagic   = "ntncpack"
	packVersion = 1

	fans       = 256
	fanBytes   = 4 * fans
	spanBytes  = 8
	entryBytes = sha256.Size + spanBytes
	tailBytes  = fanBytes + 8 + 8

	// near is how many entries of the index are read at once.
	near = 64

	// maxPackFile bounds the size of the file.
	maxPackFile = maxPackBytes + maxPackEntries*entryBytes + tailBytes
)

var (
	// errBroken says that a pack is not what a writer has finished.
	errBroken = errors.New("the pack is damaged")
	// errVersion says that a pack may be fine, for another program.
	errVersion = errors.New("the pack is of another version")
)

// key is a SHA-256. Content that has another digest is not put into packs.
type key [sha256.Size]byte

func keyOf(d digest.Digest) (k key, ok bool) {
	if d.Algorithm() != digest.SHA256 || len(d.Encoded()) != 2*len(k) {
		return k, false
	}
	_, err := hex.Decode(k[:], []byte(d.Encoded()))
	return k, err == nil
}

// span is where the content of an entry is.
type span struct{ offset, length uint32 }

// table reads a pack. Nothing in it is believed.
type table struct {
	r     io.ReaderAt
	end   int64 // of the content, where the index begins
	count int
	fan   [fans]uint32
}

// newTable reads the end of a pack of so many bytes.
func newTable(r io.ReaderAt, size int64) (*table, error) {
	var tail [tailBytes]byte
	if size < int64(len(tail)) {
		return nil, errBroken
	}
	if err := readAt(r, tail[:], size-int64(len(tail))); err != nil {
		return nil, err
	}
	footer := tail[fanBytes:]
	numbers := footer[len(packMagic):]
	if string(footer[:len(packMagic)]) != packMagic {
		return nil, errBroken
	}
	if binary.BigEndian.Uint32(numbers) != packVersion {
		return nil, errVersion
	}
	count := binary.BigEndian.Uint32(numbers[4:])
	if count > maxPackEntries || size > maxPackFile {
		return nil, errBroken
	}
	t := &table{r: r, count: int(count), end: size - int64(len(tail)) - int64(count)*entryBytes}
	before := uint32(0)
	for i := range t.fan {
		t.fan[i] = binary.BigEndian.Uint32(tail[4*i:])
		if t.fan[i] < before {
			return nil, errBroken
		}
		before = t.fan[i]
	}
	if t.end < 0 || before != count {
		return nil, errBroken
	}
	return t, nil
}

// readAt fills b. Where there is less than that, the pack is broken.
func readAt(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errBroken
	}
	return err
}

// get returns what the pack has for a digest, or nil.
func (t *table) get(k key) ([]byte, error) {
	s, err := t.find(k)
	if err != nil || s.length == 0 {
		return nil, err
	}
	return t.read(s)
}

// find returns the span of a digest, or an empty one.
func (t *table) find(k key) (span, error) {
	low, high := 0, int(t.fan[k[0]])
	if k[0] > 0 {
		low = int(t.fan[k[0]-1])
	}
	if low == high {
		return span{}, nil
	}
	buffer := make([]byte, min(high-low, near)*entryBytes)
	for high-low > near {
		middle := low + (high-low)/2
		found := buffer[:sha256.Size]
		if err := readAt(t.r, found, t.end+int64(middle)*entryBytes); err != nil {
			return span{}, err
		}
		if bytes.Compare(found, k[:]) > 0 {
			high = middle
		} else {
			low = middle
		}
	}
	buffer = buffer[:(high-low)*entryBytes]
	if err := readAt(t.r, buffer, t.end+int64(low)*entryBytes); err != nil {
		return span{}, err
	}
	for entry := range slices.Chunk(buffer, entryBytes) {
		if bytes.Equal(entry[:sha256.Size], k[:]) {
			return t.span(entry)
		}
	}
	return span{}, nil
}

// span returns where the content of an entry of the index is: it is not empty,
// not too long, and before the index.
func (t *table) span(entry []byte) (span, error) {
	s := span{
		offset: binary.BigEndian.Uint32(entry[sha256.Size:]),
		length: binary.BigEndian.Uint32(entry[sha256.Size+4:]),
	}
	if s.length == 0 || s.length > maxEntry || int64(s.offset)+int64(s.length) > t.end {
		return span{}, errBroken
	}
	return s, nil
}

func (t *table) read(s span) ([]byte, error) {
	content := make([]byte, s.length)
	if err := readAt(t.r, content, int64(s.offset)); err != nil {
		return nil, err
	}
	return content, nil
}

// all calls each with what the index tells, in its order. Together the spans are
// no longer than the content, however often the index names the same.
func (t *table) all(each func(key, span) error) error {
	left := t.end
	buffer := make([]byte, near*entryBytes)
	for i := 0; i < t.count; i += near {
		part := buffer[:min(near, t.count-i)*entryBytes]
		if err := readAt(t.r, part, t.end+int64(i)*entryBytes); err != nil {
			return err
		}
		for entry := range slices.Chunk(part, entryBytes) {
			s, err := t.span(entry)
			if err != nil {
				return err
			}
			if left -= int64(s.length); left < 0 {
				return errBroken
			}
			if err := each(key(entry), s); err != nil {
				return err
			}
		}
	}
	return nil
}

// tailOf returns what comes behind the content of a pack.
func tailOf(index map[key]span) []byte {
	tail := make([]byte, 0, len(index)*entryBytes+tailBytes)
	var fan [fans]uint32
	keys := slices.SortedFunc(maps.Keys(index), func(a, b key) int { return bytes.Compare(a[:], b[:]) })
	for _, k := range keys {
		tail = append(tail, k[:]...)
		tail = binary.BigEndian.AppendUint32(tail, index[k].offset)
		tail = binary.BigEndian.AppendUint32(tail, index[k].length)
		fan[k[0]]++
	}
	total := uint32(0)
	for _, n := range fan {
		total += n
		tail = binary.BigEndian.AppendUint32(tail, total)
	}
	tail = append(tail, packMagic...)
	tail = binary.BigEndian.AppendUint32(tail, packVersion)
	return binary.BigEndian.AppendUint32(tail, uint32(len(index)))
}

package revocation

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"github.com/notaryv2/notation/reason"
)

// The index of a list is one file:
//
//	header    indexHeader bytes
//	table     CRC-32C of each block of records, 4 bytes each
//	records   sorted by key, indexRecord bytes each
//
// All numbers are big-endian. A record is the key of a serial number (64-bit
// FNV-1a), the offset of the entry in the list, and the CRC-32C of the entry.
// Equal keys are told apart by the serial numbers in the list itself.
//
// The header holds the digest that the list's signature is over, so that the
// signature is verified again without reading the entries; the SHA-256 of the
// rest of the list, the frame; what the file system says about the list's
// file; and the SHA-256 of the header itself.
const (
	indexMagic   = "NTNCRLX1"
	indexDigest  = 64 // bytes, the longest
	indexHeader  = 8 + 8 + 8 + 8 + 8 + 4 + 4 + indexDigest + sha256.Size + identityBytes + sha256.Size
	indexRecord  = 16
	blockRecords = 256
	blockBytes   = blockRecords * indexRecord

	identityAt = indexHeader - sha256.Size - identityBytes
)

// castagnoli is the table of CRC-32C. Most programs end before they need it.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// indexHead is the header of an index.
type indexHead struct {
	size, entriesStart, entriesEnd int64
	count                          int64
	digest                         []byte
	frameSum                       [sha256.Size]byte
	identity                       identity
}

func key(serial []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range serial {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// record is one record of an index.
type record struct {
	key         uint64
	offset, sum uint32
}

// readEntries passes over all entries of a whole list and returns their
// records, sorted. It refuses what [crl.lookup] could not read.
func readEntries(raw []byte, f *crlFrame) ([]record, *reason.Error) {
	region := der(raw[f.entriesStart:f.entriesEnd])
	count := 0
	for in := region; len(in) > 0; count++ {
		if _, _, _, ok := in.next(); !ok {
			return nil, crlSyntax("an entry cannot be read")
		}
	}
	records := make([]record, 0, count)
	for in := region; len(in) > 0; {
		offset := f.entriesEnd - int64(len(in))
		full, serial, rest, ok := takeEntry(&in)
		if !ok {
			return nil, crlSyntax("an entry cannot be read")
		}
		_, critical, ok := parseEntry(rest)
		if !ok {
			return nil, crlSyntax("an entry cannot be read")
		}
		if critical != "" {
			// RFC 5280 section 5.3: the list must not be used at all.
			return nil, reason.Errorf(reason.RevocationCRLExtension,
				"an entry of the revocation list has the critical extension %s", critical)
		}
		records = append(records, record{key(serial), uint32(offset), crc32.Checksum(full, castagnoli())})
	}
	sortRecords(records, 56)
	return records, nil
}

// fewRecords are sorted by insertion.
const fewRecords = 32

// sortRecords sorts by key, in place: by the octet of the key at shift, then
// what has the same by the next. The keys are hashes, so two or three octets
// part a million; and no choice of serial numbers makes it take more than
// eight.
func sortRecords(records []record, shift int) {
	if len(records) <= fewRecords {
		slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.key, b.key) })
		return
	}
	var ends [256]int
	for i := range records {
		ends[byte(records[i].key>>shift)]++
	}
	var next [256]int
	sum := 0
	for octet, n := range ends {
		next[octet] = sum
		sum += n
		ends[octet] = sum
	}
	starts := next
	for octet := range next {
		for next[octet] < ends[octet] {
			r := records[next[octet]]
			// Follow the records that are in each other's place around.
			for home := byte(r.key >> shift); int(home) != octet; home = byte(r.key >> shift) {
				r, records[next[home]] = records[next[home]], r
				next[home]++
			}
			records[next[octet]] = r
			next[octet]++
		}
	}
	if shift == 0 {
		return
	}
	for octet := range starts {
		sortRecords(records[starts[octet]:ends[octet]], shift-8)
	}
}

// buildIndex encodes an index. [sealIndex] completes it.
func buildIndex(raw []byte, f *crlFrame, digest []byte, records []record) []byte {
	blockCount := int(blocks(int64(len(records))))
	out := make([]byte, indexHeader+4*blockCount+indexRecord*len(records))
	body := out[indexHeader+4*blockCount:]
	for i, r := range records {
		at := body[i*indexRecord:]
		binary.BigEndian.PutUint64(at, r.key)
		binary.BigEndian.PutUint32(at[8:], r.offset)
		binary.BigEndian.PutUint32(at[12:], r.sum)
	}
	table := out[indexHeader : indexHeader+4*blockCount]
	for i := range blockCount {
		block := body[i*blockBytes : min((i+1)*blockBytes, len(body))]
		binary.BigEndian.PutUint32(table[4*i:], crc32.Checksum(block, castagnoli()))
	}
	b := append(out[:0], indexMagic...)
	for _, n := range []int64{int64(len(raw)), f.entriesStart, f.entriesEnd, int64(len(records))} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(table, castagnoli()))
	b = binary.BigEndian.AppendUint32(b, uint32(len(digest)))
	copy(out[len(b):], digest)
	sum := frameSum(raw[:f.entriesStart], raw[f.entriesEnd:])
	copy(out[len(b)+indexDigest:], sum[:])
	return out
}

func frameSum(head, tail []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(head)
	h.Write(tail)
	h.Sum(sum[:0])
	return sum
}

// sealIndex binds an index to the file that the list is in.
func sealIndex(index []byte, id identity) {
	id.put(index[identityAt:])
	sum := sha256.Sum256(index[:indexHeader-sha256.Size])
	copy(index[indexHeader-sha256.Size:], sum[:])
}

// errIndex says that an index is not of use. The list is read whole then.
var errIndex = errors.New("the index does not fit the list")

// index finds entries in a list.
type index struct {
	r     io.ReaderAt
	head  indexHead
	table []byte
}

// openIndex reads the header and the table of an index.
func openIndex(r io.ReaderAt) (*index, error) {
	b := make([]byte, indexHeader)
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, errIndex
	}
	sum := sha256.Sum256(b[:indexHeader-sha256.Size])
	if string(b[:8]) != indexMagic || !bytes.Equal(sum[:], b[indexHeader-sha256.Size:]) {
		return nil, errIndex
	}
	var h indexHead
	for i, n := range []*int64{&h.size, &h.entriesStart, &h.entriesEnd, &h.count} {
		*n = int64(binary.BigEndian.Uint64(b[8+8*i:]))
	}
	tableSum, digest := binary.BigEndian.Uint32(b[40:]), binary.BigEndian.Uint32(b[44:])
	if h.size < 0 || h.size > MaxCRLBytes || h.entriesStart < 0 || h.entriesEnd < h.entriesStart ||
		h.size < h.entriesEnd || h.count < 0 || h.count > h.size || digest > indexDigest {
		return nil, errIndex
	}
	h.digest = b[48 : 48+digest]
	copy(h.frameSum[:], b[48+indexDigest:])
	h.identity = identityFrom(b[identityAt:])
	x := &index{r: r, head: h, table: make([]byte, 4*blocks(h.count))}
	if _, err := r.ReadAt(x.table, indexHeader); err != nil && len(x.table) > 0 ||
		crc32.Checksum(x.table, castagnoli()) != tableSum {
		return nil, errIndex
	}
	return x, nil
}

// blocks returns the number of blocks of so many records.
func blocks(count int64) int64 { return (count + blockRecords - 1) / blockRecords }

// block reads and checks one block of records.
func (x *index) block(i int64) ([]byte, error) {
	start := i * blockRecords
	b := make([]byte, min(blockRecords, x.head.count-start)*indexRecord)
	n, err := x.r.ReadAt(b, indexHeader+int64(len(x.table))+start*indexRecord)
	if n != len(b) && err != nil || crc32.Checksum(b, castagnoli()) != binary.BigEndian.Uint32(x.table[4*i:]) {
		return nil, errIndex
	}
	return b, nil
}

// find calls see with the records of a key.
func (x *index) find(k uint64, see func(offset int64, sum uint32) error) error {
	// The first block whose last key is not below k.
	low, high := int64(0), blocks(x.head.count)
	for low < high {
		middle := (low + high) / 2
		b, err := x.block(middle)
		if err != nil {
			return err
		}
		if binary.BigEndian.Uint64(b[len(b)-indexRecord:]) < k {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for ; low < blocks(x.head.count); low++ {
		b, err := x.block(low)
		if err != nil {
			return err
		}
		for ; len(b) > 0; b = b[indexRecord:] {
			switch got := binary.BigEndian.Uint64(b); {
			case got > k:
				return nil
			case got == k:
				if err := see(int64(binary.BigEndian.Uint32(b[8:])), binary.BigEndian.Uint32(b[12:])); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

package revocation

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

func TestTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"\x17\x0d260102030405Z":     "2026-01-02T03:04:05Z",
		"\x17\x0d490102030405Z":     "2049-01-02T03:04:05Z",
		"\x17\x0d500102030405Z":     "1950-01-02T03:04:05Z",
		"\x18\x0f20500102030405Z":   "2050-01-02T03:04:05Z",
		"\x18\x0f20240229235959Z":   "2024-02-29T23:59:59Z",
		"\x18\x0f20230229235959Z":   "",
		"\x18\x0f20230431000000Z":   "",
		"\x18\x0f20231301000000Z":   "",
		"\x18\x0f20230001000000Z":   "",
		"\x18\x0f20230100000000Z":   "",
		"\x18\x0f20230101240000Z":   "",
		"\x18\x0f20230101006000Z":   "",
		"\x18\x0f20230101000060Z":   "",
		"\x18\x0f2023010100000xZ":   "",
		"\x18\x0f2x230101000000Z":   "",
		"\x18\x0f202x0101000000Z":   "",
		"\x18\x0f20230x01000000Z":   "",
		"\x18\x0f20230101000000+":   "",
		"\x17\x0d2x0102030405Z":     "",
		"\x17\x0b2601020304Z":       "",
		"\x18\x1120230101000000.5Z": "",
		"\x04\x0d260102030405Z":     "",
		"\x17\x0d26010203":          "",
		"":                          "",
	} {
		d := der(text)
		got, ok := d.time()
		if ok != (want != "") || ok && got.Format(time.RFC3339) != want {
			t.Errorf("%q: %v %t", text, got, ok)
		}
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]string{
		"nothing": "", "no length": "\x30", "long tag": "\x1f\x01\x00", "indefinite": "\x30\x80\x00\x00", "five octets": "\x30\x85\x01\x01\x01\x01\x01",
		"cut off": "\x30\x82\x01", "leading zero": "\x30\x82\x00\x80", "not shortest": "\x30\x81\x7f", "too long": "\x30\x84\x7f\xff\xff\xff",
	} {
		if _, _, _, ok := header([]byte(b)); ok {
			t.Errorf("%s is accepted", name)
		}
	}
	for name, b := range map[string]string{"no integer": "\x04\x01\x01", "empty": "\x02\x00", "negative": "\x02\x01\x80", "leading zero": "\x02\x02\x00\x01"} {
		d := der(b)
		if _, ok := d.integer(); ok {
			t.Errorf("%s is accepted", name)
		}
	}
	for name, b := range map[string]string{"leading ones": "\x02\x02\xff\x80", "leading zero": "\x02\x02\x00\x01", "empty": "\x02\x00"} {
		d := der(b)
		if _, ok := d.signedInteger(); ok {
			t.Errorf("%s is accepted", name)
		}
	}
	for name, b := range map[string]string{
		"no extension": "\x04\x00", "no identifier": "\x30\x02\x04\x00", "long boolean": "\x30\x09\x06\x01\x01\x01\x02\xff\xff\x04\x00", "no value": "\x30\x03\x06\x01\x01", "something behind": "\x30\x07\x06\x01\x01\x04\x00\x05\x00",
	} {
		if _, ok := der(b).extensions(); ok {
			t.Errorf("%s is accepted", name)
		}
	}
	if got := wrap(0x30, make([]byte, 200)); got[1] != 0x81 || len(got) != 203 {
		t.Errorf("%x", got[:4])
	}
}

func TestSortRecords(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(i uint64) uint64{
		"hashes":  func(i uint64) uint64 { return i * 0x9e3779b97f4a7c15 },
		"equal":   func(uint64) uint64 { return 7 },
		"low":     func(i uint64) uint64 { return i % 3 },
		"falling": func(i uint64) uint64 { return 1<<40 - i },
	} {
		records := make([]record, 5000)
		for i := range records {
			records[i] = record{key: next(uint64(i)), offset: uint32(i)}
		}
		sortRecords(records, 56)
		if !slices.IsSortedFunc(records, func(a, b record) int { return cmp.Compare(a.key, b.key) }) {
			t.Errorf("%s: not sorted", name)
		}
		seen := map[uint32]bool{}
		for _, r := range records {
			if seen[r.offset] || r.key != next(uint64(r.offset)) {
				t.Fatalf("%s: %+v was made up or is there twice", name, r)
			}
			seen[r.offset] = true
		}
	}
}

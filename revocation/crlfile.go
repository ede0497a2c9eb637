package revocation

import (
	"bytes"
	"crypto/x509"
	"hash/crc32"
	"io"

	"github.com/notaryv2/notation/reason"
)

// crl is a list whose signature holds, with its entries at hand, in memory or
// in a file.
type crl struct {
	crlFrame
	r     io.ReaderAt // the list
	index *index

	close  func()
	cached bool
}

// newCRL reads a whole list and checks that the issuer has signed it. The
// index is for the cache; it is not sealed.
func newCRL(raw []byte, issuer *x509.Certificate) (*crl, []byte, *reason.Error) {
	if len(raw) > MaxCRLBytes {
		return nil, nil, reason.Errorf(reason.RevocationTooLarge, "the revocation list is longer than %d bytes", MaxCRLBytes)
	}
	c := &crl{r: bytes.NewReader(raw), close: func() {}}
	if err := c.parseHead(raw, int64(len(raw))); err != nil {
		return nil, nil, err
	}
	if frame := int64(len(raw)) - (c.entriesEnd - c.entriesStart); frame > maxFrameBytes {
		return nil, nil, crlSyntax("its extensions are too long")
	}
	if err := c.parseTail(raw[c.entriesEnd:]); err != nil {
		return nil, nil, err
	}
	alg, err := algorithmOf(c.algorithm)
	if err != nil {
		return nil, nil, err
	}
	digest := alg.digest(raw[c.signedStart:c.signedEnd])
	if err := c.judge(issuer, digest); err != nil {
		return nil, nil, err
	}
	records, err := readEntries(raw, &c.crlFrame)
	if err != nil {
		return nil, nil, err
	}
	built := buildIndex(raw, &c.crlFrame, digest, records)
	sealIndex(built, identity{})
	c.index, _ = openIndex(bytes.NewReader(built)) // of our own making
	return c, built, nil
}

// indexedCRL opens a list whose entries were read before. What the index says
// about the list is compared with it as far as that needs no reading of the
// entries: the frame in full, and the signature over the digest.
func indexedCRL(b *blob, issuer *x509.Certificate) (*crl, error) {
	x, err := openIndex(b.index)
	if err != nil {
		return nil, err
	}
	h := &x.head
	frame := h.size - (h.entriesEnd - h.entriesStart)
	if h.identity != b.identity || h.size != b.size || frame > maxFrameBytes {
		return nil, errIndex
	}
	head, tail := make([]byte, h.entriesStart), make([]byte, h.size-h.entriesEnd)
	n, _ := b.ReadAt(head, 0)
	m, _ := b.ReadAt(tail, h.entriesEnd)
	if n != len(head) || m != len(tail) || frameSum(head, tail) != h.frameSum {
		return nil, errIndex
	}
	c := &crl{r: b, index: x, close: b.close}
	if err := c.parseHead(head, h.size); err != nil {
		return nil, err
	}
	if c.entriesStart != h.entriesStart || c.entriesEnd != h.entriesEnd {
		return nil, errIndex
	}
	if err := c.parseTail(tail); err != nil {
		return nil, err
	}
	if err := c.judge(issuer, h.digest); err != nil {
		return nil, err
	}
	return c, nil
}

// lookup returns the entry of a serial number. Of several, the first that is
// neither a hold nor removed counts: a list that says two things is read as it
// is safest. The error is errIndex if the list is not what was indexed.
func (c *crl) lookup(serial []byte) (found entry, listed bool, err error) {
	buffer := make([]byte, maxEntryBytes)
	err = c.index.find(key(serial), func(offset int64, sum uint32) error {
		n, err := c.r.ReadAt(buffer, offset)
		if err != nil && err != io.EOF {
			return errIndex
		}
		in := der(buffer[:n])
		full, got, rest, ok := takeEntry(&in)
		if !ok || offset+int64(len(full)) > c.entriesEnd || crc32.Checksum(full, castagnoli()) != sum {
			return errIndex
		}
		if !bytes.Equal(got, serial) {
			return nil // another number of the same key
		}
		e, _, ok := parseEntry(rest)
		if !ok {
			return errIndex
		}
		if !listed || worse(e.reason, found.reason) {
			found, listed = e, true
		}
		return nil
	})
	return found, listed, err
}

// worse reports whether a revocation for reason a is more final than for b.
func worse(a, b Reason) bool {
	rank := func(r Reason) int {
		switch r {
		case RemoveFromCRL:
			return 0
		case CertificateHold:
			return 1
		case AffiliationChanged, Superseded, CessationOfOperation, PrivilegeWithdrawn, Unspecified:
			return 2
		}
		return 3
	}
	return rank(a) > rank(b)
}

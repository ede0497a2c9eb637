package revocation

import (
	"bytes"
	"crypto/x509/pkix"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

// fuzzTime is when the stored corpus was made.
func fuzzTime() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func fuzzWorld(f *testing.F) (*world, question) {
	f.Helper()
	chain := testpki.New(f, testpki.Options{Length: 2, NotBefore: fuzzTime().Add(-time.Hour), NotAfter: fuzzTime().Add(time.Hour)})
	w := &world{t: f, chain: chain, now: fuzzTime()}
	return w, question{cert: w.leaf(), issuer: w.ca(), now: w.now}
}

// FuzzOCSPResponse holds: no panic; what is accepted was signed by the
// authority, so it is one of the seeds or differs from it in what is not
// signed; and every error has a reason.
func FuzzOCSPResponse(f *testing.F) {
	w, q := fuzzWorld(f)
	o := w.good()
	f.Add(o.Sign(f, w.caKey()))
	o.KeyHash = testpki.KeyHash(w.ca(), 3)
	o.Singles[0].Status = testpki.OCSPRevoked(w.now, 1)
	o.Certs = [][]byte{w.leaf().Raw}
	f.Add(o.Sign(f, w.caKey()))
	o.Singles[0].Extensions = []pkix.Extension{archiveCutoff(testpki.GeneralizedTime(w.now)), testpki.InvalidityDate(w.now)}
	f.Add(o.Sign(f, w.caKey()))
	o.Status = 3
	f.Add(o.Sign(f, w.caKey()))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseOCSP(data)
		if err != nil {
			if err.Code == "" || r != nil && len(r.signed) == 0 {
				t.Fatalf("%v", err)
			}
			return
		}
		if !bytes.Contains(data, r.signed) || len(r.singles) > maxSingles {
			t.Fatal("read what is not there")
		}
		a, _, err := judgeOCSP(data, q)
		if err == nil && a.this.After(q.now.Add(skew)) {
			t.Fatal("a response of the future")
		}
	})
}

// FuzzCRL puts every input as a list: no panic, and what is accepted finds each
// of its entries again by its index.
func FuzzCRL(f *testing.F) {
	w, _ := fuzzWorld(f)
	c := w.crl(3, w.entry(1, testpki.InvalidityDate(w.now)), w.entry(-1))
	c.Extensions = append(c.Extensions, testpki.IssuingPoint(testpki.PointName(crlURL), testpki.DER(0x83, []byte{6, 0x40})),
		testpki.DistributionPoints(true, testpki.PointName(deltaURL)), testpki.DeltaIndicator(2), expiredOnCRL(testpki.GeneralizedTime(w.now)))
	f.Add(c.Sign(f, w.caKey()))
	f.Add(w.crl(1).Sign(f, w.caKey()))
	f.Add([]byte("-----BEGIN X509 CRL-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var frame crlFrame
		err := frame.parseHead(data, int64(len(data)))
		if err == nil {
			err = frame.parseTail(data[min(int(frame.entriesEnd), len(data)):])
		}
		var records []record
		if err == nil {
			records, err = readEntries(data, &frame)
		}
		if err != nil {
			if err.Code == "" {
				t.Fatal(err)
			}
			return
		}
		built := buildIndex(data, &frame, nil, records)
		sealIndex(built, identity{})
		x, openErr := openIndex(bytes.NewReader(built))
		if openErr != nil {
			t.Fatal(openErr)
		}
		list := &crl{crlFrame: frame, r: bytes.NewReader(data), index: x}
		for in := der(data[frame.entriesStart:frame.entriesEnd]); len(in) > 0; {
			_, serial, _, ok := takeEntry(&in)
			if !ok {
				t.Fatal("an entry is gone")
			}
			if _, listed, err := list.lookup(serial); !listed || err != nil {
				t.Fatalf("%x: %t %v", serial, listed, err)
			}
		}
		_, _, _ = newCRL(data, w.ca())
		_, _ = parsePoints(frame.freshest)
	})
}

// FuzzIndex puts every input as the index of a good list: no panic, bounded
// memory, and never an entry that is not in the list.
func FuzzIndex(f *testing.F) {
	w, _ := fuzzWorld(f)
	raw := w.crl(1, testpki.ManyEntries(5, w.now), w.entry(1)).Sign(f, w.caKey())
	_, built, fault := newCRL(raw, w.ca())
	if fault != nil {
		f.Fatal(fault)
	}
	f.Add(built, true)
	f.Add(built[:indexHeader], true)
	f.Add([]byte(indexMagic), false)
	number := serial(w.leaf())
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		data = bytes.Clone(data)
		if sealed && len(data) >= indexHeader {
			sealIndex(data, identity{})
		}
		c, err := indexedCRL(&blob{ReaderAt: bytes.NewReader(raw), size: int64(len(raw)), index: bytes.NewReader(data), close: func() {}}, w.ca())
		if err != nil {
			return
		}
		e, listed, err := c.lookup(number)
		if err == nil && listed && e.reason != KeyCompromise {
			t.Fatalf("%+v", e)
		}
	})
}

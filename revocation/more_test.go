package revocation

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// An authority may use one key under two names; who may answer for one of them
// may not answer for the other.
//
// attack: REV-01
func TestOCSPDelegateOfOtherName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL))
	key := testpki.Key(t, "ec-256", 7)
	alias := *w.ca()
	alias.RawSubject = testpki.Name(testpki.RDN(testpki.Attribute("2.5.4.3", testpki.UTF8String, []byte("alias"))))
	cert := testpki.Issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "responder"}, NotBefore: w.now.Add(-time.Hour), NotAfter: w.now.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
	}, &alias, key.Public(), w.caKey())
	o := w.good()
	o.Responder, o.Certs = cert.RawSubject, [][]byte{cert.Raw}
	w.respondRaw(o.Sign(t, key))
	want(t, w.check(), Unavailable, reason.RevocationOCSPSigner)
}

// The responder id has to be that of whoever signed.
//
// attack: REV-01
func TestOCSPDelegateNotNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL))
	cert, key := w.responder(nil)
	o := w.good()
	o.Certs = [][]byte{cert.Raw}
	w.respondRaw(o.Sign(t, key)) // it names the authority
	want(t, w.check(), Unavailable, reason.RevocationOCSPSigner)
}

// attack: REV-02
func TestCRLForUsersOnly(t *testing.T) {
	t.Parallel()
	w := longChain(t, 3)
	for i := range 2 {
		c := testpki.NewCRL(w.chain.Certs[i+1], 1, w.now)
		c.Extensions = append(c.Extensions, testpki.IssuingPoint(testpki.DER(0x81, []byte{0xff})))
		w.net.bytes([]string{"http://crl.test/0", "http://crl.test/1"}[i], c.Sign(t, w.chain.Keys[i+1]))
	}
	results := New(w.o).Check(context.Background(), w.chain.Certs, Evidence{})
	want(t, results[0], Good, "")
	want(t, results[1], Unavailable, reason.RevocationCRLScope)
}

// attack: REV-05
func TestBodyOfUnknownLength(t *testing.T) {
	t.Parallel()
	n := newInternet(t)
	n.at("http://x.test/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			_, _ = w.Write(make([]byte, 1<<15))
			_ = http.NewResponseController(w).Flush()
		}
	}))
	f := newFetcher(n.client(), false)
	const size = 100 << 15
	for limit, code := range map[int64]reason.Code{size: "", size - 1: reason.RevocationTooLarge, 10: reason.RevocationTooLarge} {
		body, err := f.do(context.Background(), request{method: "GET", url: "http://x.test/", limit: limit})
		if code == "" && (err != nil || len(body) != size) || code != "" && (err == nil || err.Code != code || body != nil) {
			t.Errorf("limit %d: %d bytes, %v", limit, len(body), err)
		}
	}
}

// A response that does not say how long it holds is not taken from the cache,
// however it got there.
//
// attack: REV-04
func TestCacheOCSPWithoutNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL))
	w.o.CacheDir, w.o.Offline = t.TempDir(), true
	o := w.good()
	o.Singles[0].NextUpdate = time.Time{}
	dir := filepath.Join(w.o.CacheDir, string(kindOCSP))
	fail(t, os.Mkdir(dir, 0o700))
	planted := filepath.Join(dir, cacheKey(ocspURL, w.ca(), serial(w.leaf()))+".ocsp")
	fail(t, os.WriteFile(planted, o.Sign(t, w.caKey()), 0o600))
	want(t, w.check(), Unavailable, reason.RevocationOffline)
	fail(t, os.WriteFile(planted, w.good().Sign(t, w.caKey()), 0o600))
	want(t, w.check(), Good, "")
}

// Two serial numbers of one key in the index are told apart.
func TestIndexCollision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := w.crl(1, testpki.CRLEntry(big.NewInt(5), w.now, 1), testpki.CRLEntry(big.NewInt(6), w.now, 4)).Sign(t, w.caKey())
	c, _, fault := newCRL(raw, w.ca())
	if fault != nil {
		t.Fatal(fault)
	}
	records, fault := readEntries(raw, &c.crlFrame)
	if fault != nil {
		t.Fatal(fault)
	}
	for i := range records {
		records[i].key = key([]byte{7})
	}
	built := buildIndex(raw, &c.crlFrame, nil, records)
	sealIndex(built, identity{})
	var err error
	if c.index, err = openIndex(&sliceReader{built}); err != nil {
		t.Fatal(err)
	}
	if _, listed, err := c.lookup([]byte{7}); listed || err != nil {
		t.Errorf("%t %v", listed, err)
	}
}

type sliceReader struct{ b []byte }

func (r *sliceReader) ReadAt(p []byte, at int64) (int, error) {
	if n := copy(p, r.b[min(at, int64(len(r.b))):]); n < len(p) {
		return n, errors.New("short")
	}
	return len(p), nil
}

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

	// The other way round, a list for authorities only is the right one.
	c := testpki.NewCRL(w.chain.Certs[2], 1, w.now)
	c.Extensions = append(c.Extensions, testpki.IssuingPoint(testpki.DER(0x82, []byte{0xff})))
	w.net.bytes("http://crl.test/1", c.Sign(t, w.chain.Keys[2]))
	want(t, New(w.o).Check(context.Background(), w.chain.Certs, Evidence{})[1], Good, "")
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

// The cache may lie on another file system than anything else, as a tmpfs does.
//
// attack: REV-04
func TestCacheOtherFilesystem(t *testing.T) {
	t.Parallel()
	const shared = "/dev/shm"
	if device(t.TempDir()) == device(shared) || device(shared) == 0 {
		t.Skip("there is one file system only")
	}
	for _, leaf := range kinds {
		dir, err := os.MkdirTemp(shared, "notation-test-")
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		w := newWorld(t, leaf)
		w.o.CacheDir = filepath.Join(t.TempDir(), "cache")
		fail(t, os.Symlink(dir, w.o.CacheDir)) // the way from one to the other
		w.respond(w.good())
		w.publish(w.longCRL(1))
		want(t, w.check(), Good, "")
		r := w.check()
		if want(t, r, Good, ""); !r.FromCache || w.asked() != 1 {
			t.Errorf("%d requests, %+v", w.asked(), r)
		}
	}
}

// A clock that was wrong when an answer was kept does not keep it from being
// renewed.
//
// attack: REV-04
func TestCacheOfTheFuture(t *testing.T) {
	t.Parallel()
	for name, leaf := range kinds {
		w := cached(t, leaf)
		for i, ahead := range []time.Duration{skew - time.Minute, skew + time.Hour} {
			for _, f := range w.files() {
				fail(t, os.Chtimes(f, w.now, w.now.Add(ahead)))
			}
			want(t, w.check(), Good, "")
			if w.asked() != i+1 {
				t.Errorf("%s, %v ahead: %d requests", name, ahead, w.asked())
			}
		}
	}
}

// What is refused does not take the place of what holds, and "unknown" is not
// kept.
//
// attack: REV-04
func TestCacheKeepsGoodAnswersOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL))
	w.o.CacheDir = t.TempDir()
	w.lives(200 * time.Hour)
	o := w.good()
	o.Singles[0].Status = testpki.OCSPUnknown()
	w.respond(o)
	want(t, w.check(), Unknown, reason.RevocationUnknown)
	if files := w.files(); len(files) > 0 {
		t.Errorf("%v", files)
	}
	o.Singles[0].Status, o.Singles[0].NextUpdate = testpki.OCSPGood(), w.now.Add(100*time.Hour)
	w.respond(o)
	want(t, w.check(), Good, "")

	w.now = w.now.Add(maxCacheAge + time.Hour)
	w.respondRaw(o.Sign(t, w.chain.Key)) // of a forger
	for range 2 {
		r := w.check()
		if want(t, r, Good, ""); !r.FromCache {
			t.Errorf("%+v", r)
		}
	}
	// Nor is one kept that does not say how long it holds.
	o.Singles[0].ThisUpdate, o.Singles[0].NextUpdate = w.now, time.Time{}
	w.respond(o)
	want(t, w.check(), Good, "")
	w.o.Offline = true
	if r := w.check(); r.Status != Good || !r.ThisUpdate.Before(w.now) {
		t.Errorf("%+v", r)
	}
}

// Something behind the last member of each sequence of a response, most of
// which nobody has signed.
//
// attack: REV-01
func TestOCSPNothingBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := question{cert: w.leaf(), issuer: w.ca(), now: w.now}
	in := der(w.good().Sign(t, w.caKey()))
	outer, _ := in.take(tagSequence)
	status, _, _ := outer.element(tagEnumerated)
	explicit, _ := outer.take(constructed)
	typed, _ := explicit.take(tagSequence)
	id, _, _ := typed.element(tagOID)
	octets, _ := typed.take(tagOctetString)
	basic, _ := octets.take(tagSequence)
	null := []byte{5, 0}
	build := func(basicMore, octetsMore, typedMore, explicitMore, outerMore []byte) []byte {
		inner := append(testpki.DER(tagSequence, basic, basicMore), octetsMore...)
		bytes := testpki.DER(tagSequence, id, testpki.DER(tagOctetString, inner), typedMore)
		return testpki.DER(tagSequence, status, testpki.DER(constructed, bytes, explicitMore), outerMore)
	}
	if _, _, err := judgeOCSP(build(nil, nil, nil, nil, nil), q); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"signature":  build(null, nil, nil, nil, nil),
		"basic":      build(nil, null, nil, nil, nil),
		"octets":     build(nil, nil, null, nil, nil),
		"content":    build(nil, nil, nil, null, nil),
		"response":   build(nil, nil, nil, nil, null),
		"no certs":   build(testpki.DER(constructed), nil, nil, nil, nil),
		"two certs":  build(testpki.DER(constructed, testpki.DER(tagSequence), null), nil, nil, nil, nil),
		"bad certs":  build(testpki.DER(constructed, testpki.DER(tagSequence, null)), nil, nil, nil, nil),
		"cut certs":  build([]byte{constructed, 9}, nil, nil, nil, nil),
		"other type": testpki.DER(tagSequence, status, testpki.DER(constructed, testpki.DER(tagSequence, testpki.OID("1.2.3"), testpki.DER(tagOctetString, octets)))),
	} {
		if _, _, err := judgeOCSP(raw, q); err == nil || err.Code != reason.RevocationOCSPSyntax {
			t.Errorf("%s: %v", name, err)
		}
	}
}

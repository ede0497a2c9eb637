package revocation

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func TestOCSPStatus(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*world, *testpki.OCSP)
		status Status
		code   reason.Code
		why    Reason
	}{
		"good":       {nil, Good, "", ""},
		"unknown":    {func(_ *world, o *testpki.OCSP) { o.Singles[0].Status = testpki.OCSPUnknown() }, Unknown, reason.RevocationUnknown, ""},
		"revoked":    {func(w *world, o *testpki.OCSP) { o.Singles[0].Status = testpki.OCSPRevoked(w.now, 1) }, Revoked, reason.RevocationRevoked, KeyCompromise},
		"no reason":  {func(w *world, o *testpki.OCSP) { o.Singles[0].Status = testpki.OCSPRevoked(w.now, -1) }, Revoked, reason.RevocationRevoked, ""},
		"on hold":    {func(w *world, o *testpki.OCSP) { o.Singles[0].Status = testpki.OCSPRevoked(w.now, 6) }, Revoked, reason.RevocationRevoked, CertificateHold},
		"odd reason": {func(w *world, o *testpki.OCSP) { o.Singles[0].Status = testpki.OCSPRevoked(w.now, 7) }, Revoked, reason.RevocationRevoked, "unknown"},
		"reason 99":  {func(w *world, o *testpki.OCSP) { o.Singles[0].Status = testpki.OCSPRevoked(w.now, 99) }, Revoked, reason.RevocationRevoked, "unknown"},
		"key hash": {func(w *world, o *testpki.OCSP) {
			o.KeyHash = testpki.KeyHash(w.ca(), crypto.SHA1)
		}, Good, "", ""},
		"CertID by SHA-256": {func(w *world, o *testpki.OCSP) {
			o.Singles[0].CertID = testpki.CertID(w.leaf(), w.ca(), crypto.SHA256)
		}, Good, "", ""},
		"two singles, good and revoked": {func(w *world, o *testpki.OCSP) {
			second := o.Singles[0]
			second.Status = testpki.OCSPRevoked(w.now, 4)
			o.Singles = append(o.Singles, second)
		}, Revoked, reason.RevocationRevoked, Superseded},
		"two singles, revoked and good": {func(w *world, o *testpki.OCSP) {
			second := o.Singles[0]
			o.Singles[0].Status = testpki.OCSPRevoked(w.now, 4)
			o.Singles = append(o.Singles, second)
		}, Revoked, reason.RevocationRevoked, Superseded},
		"no nextUpdate, new": {func(_ *world, o *testpki.OCSP) { o.Singles[0].NextUpdate = time.Time{} }, Good, "", ""},
		"ended within the skew": {func(w *world, o *testpki.OCSP) {
			o.Singles[0].NextUpdate = w.now.Add(-skew + time.Second)
			o.Singles[0].ThisUpdate = w.now.Add(-time.Hour)
		}, Good, "", ""},
		"starts within the skew": {func(w *world, o *testpki.OCSP) {
			o.Singles[0].ThisUpdate = w.now.Add(skew)
		}, Good, "", ""},
		"known critical extension": {func(w *world, o *testpki.OCSP) {
			o.Singles[0].Extensions = []pkix.Extension{testpki.InvalidityDate(w.now)}
			o.Singles[0].Extensions[0].Critical = true
		}, Good, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withOCSP(ocspURL))
			o := w.good()
			if tc.change != nil {
				tc.change(w, &o)
			}
			w.respond(o)
			r := w.check()
			want(t, r, tc.status, tc.code)
			if r.Method != OCSP || r.Source != ocspURL || r.Reason != tc.why || r.FromCache && cachemodes.Current() != cachemodes.Warm {
				t.Errorf("%+v", r)
			}
		})
	}
}

// attack: REV-01
func TestOCSPRefused(t *testing.T) {
	t.Parallel()
	odd := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
	for name, tc := range map[string]struct {
		change func(*world, *testpki.OCSP)
		code   reason.Code
	}{
		"another serial": {func(w *world, o *testpki.OCSP) {
			c := *w.leaf()
			c.SerialNumber = big.NewInt(7)
			o.Singles[0].CertID = testpki.CertID(&c, w.ca(), crypto.SHA1)
		}, reason.RevocationOCSPCertificate},
		"another issuer's name": {func(w *world, o *testpki.OCSP) {
			c := *w.ca()
			c.RawSubject = w.leaf().RawSubject
			o.Singles[0].CertID = testpki.CertID(w.leaf(), &c, crypto.SHA1)
		}, reason.RevocationOCSPCertificate},
		"another issuer's key": {func(w *world, o *testpki.OCSP) {
			c := *w.ca()
			c.RawSubjectPublicKeyInfo = w.leaf().RawSubjectPublicKeyInfo
			o.Singles[0].CertID = testpki.CertID(w.leaf(), &c, crypto.SHA1)
		}, reason.RevocationOCSPCertificate},
		"a hash that is not known": {func(_ *world, o *testpki.OCSP) {
			o.Singles[0].CertID = bytes.Replace(o.Singles[0].CertID, []byte(oidSHA1), []byte("\x2b\x0e\x03\x02\x1b"), 1)
		}, reason.RevocationOCSPCertificate},
		"no singles":  {func(_ *world, o *testpki.OCSP) { o.Singles = nil }, reason.RevocationOCSPCertificate},
		"the future":  {func(w *world, o *testpki.OCSP) { o.Singles[0].ThisUpdate = w.now.Add(skew + time.Second) }, reason.RevocationOCSPTime},
		"produced in": {func(w *world, o *testpki.OCSP) { o.ProducedAt = w.now.Add(skew + time.Second) }, reason.RevocationOCSPTime},
		"expired": {func(w *world, o *testpki.OCSP) {
			o.Singles[0].ThisUpdate = w.now.Add(-time.Hour)
			o.Singles[0].NextUpdate = w.now.Add(-skew - time.Second)
		}, reason.RevocationOCSPTime},
		"ends first": {func(w *world, o *testpki.OCSP) { o.Singles[0].NextUpdate = w.now.Add(-2 * time.Minute) }, reason.RevocationOCSPTime},
		"no nextUpdate, old": {func(w *world, o *testpki.OCSP) {
			o.Singles[0].ThisUpdate, o.Singles[0].NextUpdate = w.now.Add(-maxAgeWithoutNext-time.Second), time.Time{}
		}, reason.RevocationOCSPTime},
		"a good single beside an expired one": {func(w *world, o *testpki.OCSP) {
			second := o.Singles[0]
			second.Status = testpki.OCSPRevoked(w.now, 1)
			second.ThisUpdate, second.NextUpdate = w.now.Add(-48*time.Hour), w.now.Add(-24*time.Hour)
			o.Singles = append(o.Singles, second)
		}, reason.RevocationOCSPTime},
		"tryLater":                      {func(_ *world, o *testpki.OCSP) { o.Status = 3 }, reason.RevocationOCSPStatus},
		"malformedRequest":              {func(_ *world, o *testpki.OCSP) { o.Status = 1 }, reason.RevocationOCSPStatus},
		"internalError":                 {func(_ *world, o *testpki.OCSP) { o.Status = 2 }, reason.RevocationOCSPStatus},
		"sigRequired":                   {func(_ *world, o *testpki.OCSP) { o.Status = 5 }, reason.RevocationOCSPStatus},
		"unauthorized":                  {func(_ *world, o *testpki.OCSP) { o.Status = 6 }, reason.RevocationOCSPStatus},
		"status 4":                      {func(_ *world, o *testpki.OCSP) { o.Status = 4 }, reason.RevocationOCSPStatus},
		"critical extension":            {func(_ *world, o *testpki.OCSP) { o.Extensions = []pkix.Extension{odd} }, reason.RevocationOCSPExtension},
		"critical extension, in single": {func(_ *world, o *testpki.OCSP) { o.Singles[0].Extensions = []pkix.Extension{odd} }, reason.RevocationOCSPExtension},
		"extension twice": {func(_ *world, o *testpki.OCSP) {
			o.Extensions = []pkix.Extension{testpki.CRLNumber(1), testpki.CRLNumber(1)}
		}, reason.RevocationOCSPSyntax},
		"SHA-1":                {func(_ *world, o *testpki.OCSP) { o.Algorithm = x509.ECDSAWithSHA1 }, reason.RevocationAlgorithm},
		"another responder id": {func(w *world, o *testpki.OCSP) { o.Responder = w.leaf().RawSubject }, reason.RevocationOCSPSigner},
		"too large": {func(_ *world, o *testpki.OCSP) {
			o.Certs = [][]byte{testpki.DER(0x30, make([]byte, MaxOCSPBytes))}
		}, reason.RevocationTooLarge},
		"too many singles": {func(_ *world, o *testpki.OCSP) {
			for range maxSingles {
				o.Singles = append(o.Singles, o.Singles[0])
			}
		}, reason.RevocationOCSPSyntax},
		"bad status in a single": {func(_ *world, o *testpki.OCSP) { o.Singles[0].Status = testpki.DER(0x83) }, reason.RevocationOCSPSyntax},
		"bad reason": {func(w *world, o *testpki.OCSP) {
			o.Singles[0].Status = testpki.DER(0xa1, testpki.GeneralizedTime(w.now), testpki.DER(0xa0, testpki.DER(0x0a, []byte{1, 1})))
		}, reason.RevocationOCSPSyntax},
		"UTCTime in revokedInfo": {func(w *world, o *testpki.OCSP) {
			o.Singles[0].Status = testpki.DER(0xa1, testpki.Time(w.now))
		}, reason.RevocationOCSPSyntax},
		"no time in revokedInfo": {func(_ *world, o *testpki.OCSP) { o.Singles[0].Status = testpki.DER(0xa1) }, reason.RevocationOCSPSyntax},
		"bad invalidityDate": {func(_ *world, o *testpki.OCSP) {
			o.Singles[0].Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 24}, Value: []byte{0x18, 1, '2'}}}
		}, reason.RevocationOCSPSyntax},
		"bad CertID": {func(_ *world, o *testpki.OCSP) { o.Singles[0].CertID = testpki.DER(0x30) }, reason.RevocationOCSPSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withOCSP(ocspURL))
			o := w.good()
			tc.change(w, &o)
			w.respond(o)
			r := w.check()
			want(t, r, Unavailable, tc.code)
			if !codes(r.Err)[reason.RevocationUnavailable] {
				t.Errorf("%v", r.Err)
			}
		})
	}
}

// responder issues a certificate for OCSP signing by the world's authority.
func (w *world) responder(modify func(*x509.Certificate)) (*x509.Certificate, crypto.Signer) {
	w.t.Helper()
	key := testpki.Key(w.t, "ec-256", 7)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "responder"},
		NotBefore: w.now.Add(-time.Hour), NotAfter: w.now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
	}
	issuer, issuerKey := w.ca(), w.caKey()
	if modify != nil {
		modify(c)
	}
	if c.Issuer.CommonName == "stranger" {
		stranger := testpki.New(w.t, testpki.Options{Length: 1, KeySet: 2, Modify: func(_ int, s *x509.Certificate) {
			s.Subject = pkix.Name{CommonName: "stranger"}
			if len(c.AuthorityKeyId) > 0 { // the authority's name with another key
				s.RawSubject = w.ca().RawSubject
			}
		}})
		issuer, issuerKey = stranger.Root(), stranger.Key
		c.AuthorityKeyId = nil
	}
	return testpki.Issue(w.t, c, issuer, key.Public(), issuerKey), key
}

func noCheck() pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}
}

func TestOCSPDelegate(t *testing.T) {
	t.Parallel()
	for name, modify := range map[string]func(*x509.Certificate){
		"plain":             nil,
		"nocheck":           func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{noCheck()} },
		"nocheck and a CRL": func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{noCheck()}; withCRL(crlURL)(c) },
		"no key usage":      func(c *x509.Certificate) { c.KeyUsage = 0 },
		"critical nocheck": func(c *x509.Certificate) {
			e := noCheck()
			e.Critical = true
			c.ExtraExtensions = []pkix.Extension{e}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withOCSP(ocspURL))
			cert, key := w.responder(modify)
			o := w.good()
			o.Responder, o.Certs = cert.RawSubject, [][]byte{w.leaf().Raw, {0x30, 0}, cert.Raw}
			w.respondRaw(o.Sign(t, key))
			want(t, w.check(), Good, "")
		})
	}
}

// attack: REV-01
func TestOCSPDelegateRefused(t *testing.T) {
	t.Parallel()
	for name, modify := range map[string]func(*x509.Certificate){
		"without OCSPSigning": func(c *x509.Certificate) { c.ExtKeyUsage = nil },
		"with any usage":      func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} },
		"sibling for code":    func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} },
		"not for signatures":  func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment },
		"expired":             func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
		"not yet valid":       func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) },
		"of a stranger":       func(c *x509.Certificate) { c.Issuer.CommonName = "stranger" },
		"of a namesake": func(c *x509.Certificate) {
			c.Issuer.CommonName, c.AuthorityKeyId = "stranger", []byte{1}
		},
		"critical extension": func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		},
		"list that cannot be had": withCRL("http://nowhere.test/"),
		"list on ldap only":       withCRL("ldap://nowhere.test/"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withOCSP(ocspURL))
			cert, key := w.responder(modify)
			o := w.good()
			o.Responder, o.Certs = cert.RawSubject, [][]byte{cert.Raw}
			w.respondRaw(o.Sign(t, key))
			want(t, w.check(), Unavailable, reason.RevocationOCSPSigner)
		})
	}
}

// attack: REV-01
func TestOCSPSignedByOthers(t *testing.T) {
	t.Parallel()
	t.Run("the leaf itself", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, withOCSP(ocspURL), func(c *x509.Certificate) {
			c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning)
		})
		o := w.good()
		o.Responder, o.Certs = w.leaf().RawSubject, [][]byte{w.leaf().Raw}
		w.respondRaw(o.Sign(t, w.chain.Key))
		want(t, w.check(), Unavailable, reason.RevocationOCSPSigner)
	})
	t.Run("no certificate", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, withOCSP(ocspURL))
		w.respondRaw(w.good().Sign(t, w.chain.Key))
		want(t, w.check(), Unavailable, reason.RevocationOCSPSigner)
	})
	t.Run("a forger who shows the responder's certificate", func(t *testing.T) {
		t.Parallel()
		for _, byKey := range []bool{false, true} {
			w := newWorld(t, withOCSP(ocspURL))
			cert, _ := w.responder(nil)
			o := w.good()
			o.Responder, o.Certs = cert.RawSubject, [][]byte{cert.Raw}
			if byKey {
				o.KeyHash = testpki.KeyHash(cert, crypto.SHA1)
			}
			w.respondRaw(o.Sign(t, testpki.Key(t, "ec-256", 8)))
			want(t, w.check(), Unavailable, reason.RevocationOCSPSigner)
		}
	})
	t.Run("a forger who names the issuer", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, withOCSP(ocspURL))
		o := w.good()
		o.Certs = [][]byte{w.ca().Raw}
		w.respondRaw(o.Sign(t, testpki.Key(t, "ec-256", 8)))
		want(t, w.check(), Unavailable, reason.RevocationOCSPSigner)
	})
	t.Run("behind too many", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, withOCSP(ocspURL))
		cert, key := w.responder(nil)
		o := w.good()
		o.Responder = cert.RawSubject
		for range maxResponderKeys {
			o.Certs = append(o.Certs, w.leaf().Raw)
		}
		o.Certs = append(o.Certs, cert.Raw)
		w.respondRaw(o.Sign(t, key))
		want(t, w.check(), Unavailable, reason.RevocationOCSPSigner)
	})
	t.Run("revoked responder", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, withOCSP(ocspURL))
		cert, key := w.responder(withCRL(crlURL))
		w.publish(w.crl(1, testpki.CRLEntry(cert.SerialNumber, w.now.Add(-time.Hour), 1)))
		o := w.good()
		o.Responder, o.Certs = cert.RawSubject, [][]byte{cert.Raw}
		w.respondRaw(o.Sign(t, key))
		want(t, w.check(), Unavailable, reason.RevocationOCSPSigner)
	})
	t.Run("responder that its list knows", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, withOCSP(ocspURL))
		cert, key := w.responder(withCRL(crlURL))
		w.publish(w.crl(1))
		o := w.good()
		o.Responder, o.Certs = cert.RawSubject, [][]byte{cert.Raw}
		w.respondRaw(o.Sign(t, key))
		want(t, w.check(), Good, "")
	})
}

// attack: REV-01
func TestOCSPNonce(t *testing.T) {
	t.Parallel()
	id := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	for name, tc := range map[string]struct {
		answer func(sent []byte) []byte
		status Status
	}{
		"repeated": {func(sent []byte) []byte { return sent }, Good},
		"left out": {func([]byte) []byte { return nil }, Good},
		"another":  {func([]byte) []byte { return testpki.DER(0x04, make([]byte, 32)) }, Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withOCSP(ocspURL))
			w.o.Nonce = true
			w.net.at(ocspURL, testpki.OCSPHandler(func(_, nonce []byte) []byte {
				if len(nonce) != nonceBytes+2 {
					t.Errorf("nonce %x", nonce)
				}
				o := w.good()
				if value := tc.answer(nonce); value != nil {
					o.Extensions = []pkix.Extension{{Id: id, Value: value}}
				}
				return o.Sign(t, w.caKey())
			}))
			want(t, w.check(), tc.status, reason.RevocationOCSPNonce)
		})
	}
}

func TestOCSPMethod(t *testing.T) {
	t.Parallel()
	serve := func(w *world, get, post int) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			status := get
			if r.Method == http.MethodPost {
				status = post
			}
			if status != http.StatusOK {
				rw.WriteHeader(status)
				return
			}
			rw.Header().Set("Content-Type", "application/ocsp-response; charset=x")
			_, _ = rw.Write(w.good().Sign(t, w.caKey()))
		})
	}
	for name, tc := range map[string]struct {
		url       string
		get, post int
		status    Status
	}{
		"GET":              {ocspURL, 200, 500, Good},
		"POST only":        {ocspURL, 405, 200, Good},
		"down":             {ocspURL, 503, 200, Unavailable},
		"neither":          {ocspURL, 404, 404, Unavailable},
		"POST for a query": {ocspURL + "?a=b", 500, 200, Good},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withOCSP(tc.url))
			w.net.at(ocspURL, serve(w, tc.get, tc.post))
			want(t, w.check(), tc.status, reason.RevocationFetch)
		})
	}
}

// The parser refuses every prefix and every changed octet, or the signature
// does.
func TestOCSPDamaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := question{cert: w.leaf(), issuer: w.ca(), now: w.now}
	o := w.good()
	o.Extensions = []pkix.Extension{testpki.CRLNumber(5)}
	raw := o.Sign(t, w.caKey())
	if _, _, err := judgeOCSP(raw, q); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		if _, _, err := judgeOCSP(raw[:i], q); err == nil {
			t.Fatalf("%d of %d octets accepted", i, len(raw))
		}
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if _, _, err := judgeOCSP(bad, q); err == nil {
			t.Fatalf("changed octet %d accepted", i)
		}
	}
	if _, _, err := judgeOCSP(append(bytes.Clone(raw), 0), q); err == nil {
		t.Fatal("trailing octet accepted")
	}
}

package revocation

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/reason"
)

// question is a certificate whose status is to be learned.
type question struct {
	cert, issuer *x509.Certificate
	now          time.Time
	authentic    time.Time
	independent  bool    // see [Evidence]
	nonce        []byte  // that was sent; nil: none
	carried      *atHand // stands in for lists that cannot be had; nil: nothing does
}

// serial returns the content octets of the certificate's serial number.
func serial(cert *x509.Certificate) []byte {
	var content der
	if full, err := asn1.Marshal(cert.SerialNumber); err == nil {
		_, _, content, _ = (*der)(&full).next()
	}
	return content
}

// judgeOCSP decides what a response says about a certificate. The response must
// be signed by who may (RFC 6960 section 4.2.2.2), be about the certificate,
// and hold now. delegate is the responder's certificate if its own revocation
// has to be checked before the answer counts.
func judgeOCSP(raw []byte, q question) (a answer, delegate *x509.Certificate, err *reason.Error) {
	r, err := parseOCSP(raw)
	if err != nil {
		return a, nil, err
	}
	if delegate, err = r.signer(q); err != nil {
		return a, nil, err
	}
	if id := unknownCritical(r.extensions, oidOCSPNonce); id != "" {
		return a, nil, reason.Errorf(reason.RevocationOCSPExtension, "the OCSP response has the critical extension %s", id)
	}
	if r.nonceStated && q.nonce != nil && !bytes.Equal(r.nonce, q.nonce) {
		return a, nil, reason.Errorf(reason.RevocationOCSPNonce, "the OCSP response has the nonce of another request")
	}
	if r.produced.After(q.now.Add(skew)) {
		return a, nil, reason.Errorf(reason.RevocationOCSPTime, "the OCSP response was produced in the future, at %s", stamp(r.produced))
	}
	a, err = r.about(q)
	return a, delegate, err
}

// about returns the worst of the current single responses about the
// certificate. RFC 6960 does not say what several would mean.
func (r *ocspResponse) about(q question) (worst answer, err *reason.Error) {
	ids := certIDs{q: q}
	found := false
	var first *reason.Error
	for i := range r.singles {
		s := &r.singles[i]
		if !ids.match(s) {
			continue
		}
		err := s.current(q.now)
		switch {
		case err != nil && first == nil:
			first = err
		case err == nil && (!found || severity(s.answer.status) > severity(worst.status)):
			found, worst = true, s.answer
			worst.silent = q.silent(worst.this, s.kept)
		}
	}
	switch {
	case first != nil && (!found || worst.status == Good):
		// One that cannot be used might have said worse.
		return answer{}, first
	case !found:
		return answer{}, reason.Errorf(reason.RevocationOCSPCertificate, "the OCSP response is about other certificates only")
	}
	return worst, nil
}

func severity(s Status) int { return slices.Index([]Status{Good, Unknown, Revoked}, s) }

// current checks the extensions and times of a single response.
func (s *singleResponse) current(now time.Time) *reason.Error {
	if id := unknownCritical(s.extensions, oidReasonCode, oidInvalidityDate, oidArchiveCutoff); id != "" {
		return reason.Errorf(reason.RevocationOCSPExtension, "the OCSP response has the critical extension %s", id)
	}
	a := &s.answer
	switch {
	case a.this.After(now.Add(skew)):
		return reason.Errorf(reason.RevocationOCSPTime, "the OCSP response holds from %s on only", stamp(a.this))
	case !a.next.IsZero() && a.next.Before(a.this):
		return reason.Errorf(reason.RevocationOCSPTime, "the OCSP response ends before it begins")
	case !a.next.IsZero() && now.After(a.next.Add(skew)):
		return reason.Errorf(reason.RevocationOCSPTime, "the OCSP response expired at %s", stamp(a.next))
	case a.next.IsZero() && now.After(a.this.Add(maxAgeWithoutNext)):
		return reason.Errorf(reason.RevocationOCSPTime,
			"the OCSP response is of %s and does not say how long it holds", stamp(a.this))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// certIDs compares CertIDs with a certificate.
type certIDs struct {
	q      question
	hashes map[crypto.Hash][2][]byte
}

func (c *certIDs) match(s *singleResponse) bool {
	if s.hash == 0 || !bytes.Equal(s.serial, serial(c.q.cert)) {
		return false
	}
	h, ok := c.hashes[s.hash]
	if !ok {
		h = [2][]byte{hashOf(s.hash, c.q.issuer.RawSubject), hashOf(s.hash, publicKeyBits(c.q.issuer))}
		if c.hashes == nil {
			c.hashes = make(map[crypto.Hash][2][]byte)
		}
		c.hashes[s.hash] = h
	}
	return bytes.Equal(s.nameHash, h[0]) && bytes.Equal(s.keyHash, h[1])
}

func hashOf(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// publicKeyBits returns the content of the BIT STRING in a certificate's
// SubjectPublicKeyInfo, without the count of unused bits: what OCSP hashes to
// name a key (RFC 6960 section 4.1.1).
func publicKeyBits(cert *x509.Certificate) []byte {
	in := der(cert.RawSubjectPublicKeyInfo)
	info, _ := in.take(tagSequence)
	_, _ = info.take(tagSequence)
	bits, _ := info.take(tagBitString)
	if len(bits) == 0 {
		return nil
	}
	return bits[1:]
}

// signer finds who signed the response and whether they may: the issuer of the
// certificate itself, or a delegate whom the same key of the issuer has
// certified for it. A responder that somebody else has named, which RFC 6960
// also knows, is not supported: there is no such configuration.
func (r *ocspResponse) signer(q question) (delegate *x509.Certificate, err *reason.Error) {
	alg, err := algorithmOf(r.algorithm)
	if err != nil {
		return nil, err
	}
	digest := alg.digest(r.signed)
	if r.names(q.issuer) && alg.verifies(q.issuer.PublicKey, digest, r.signature) {
		return nil, nil
	}
	refused := reason.Errorf(reason.RevocationOCSPSigner, "the OCSP response is not signed by the certificate's issuer or a responder of it")
	for i, raw := range r.certs {
		if i == maxResponderKeys {
			break
		}
		certs, parseErr := certchain.Parse([][]byte{raw})
		if parseErr != nil || !r.names(certs[0]) || !alg.verifies(certs[0].PublicKey, digest, r.signature) {
			continue
		}
		detail := mayRespond(certs[0], q)
		if detail == "" {
			if exempt(certs[0]) {
				return nil, nil
			}
			return certs[0], nil
		}
		refused = reason.Errorf(reason.RevocationOCSPSigner, "the OCSP response is signed by a responder whose certificate %s", detail)
	}
	return nil, refused
}

// names reports whether the response says that the certificate's holder signed
// it.
func (r *ocspResponse) names(cert *x509.Certificate) bool {
	if r.byName != nil {
		return bytes.Equal(r.byName, cert.RawSubject)
	}
	return bytes.Equal(r.byKey, hashOf(crypto.SHA1, publicKeyBits(cert)))
}

// RFC 6960 section 4.2.2.2: "a certificate's issuer MUST [...] delegate OCSP
// signing by issuing a certificate containing a unique value for the extended
// key usage extension [id-kp-OCSPSigning]", and "This certificate MUST be
// issued directly by the CA that is identified in the request."
//
// mayRespond says why a certificate gives no right to answer for the issuer,
// or "".
func mayRespond(cert *x509.Certificate, q question) string {
	alg, _ := certificateAlgorithm(cert)
	switch {
	case bytes.Equal(cert.RawSubjectPublicKeyInfo, q.cert.RawSubjectPublicKeyInfo):
		return "is that of the certificate in question"
	case !bytes.Equal(cert.RawIssuer, q.issuer.RawSubject):
		return "is of another issuer"
	case alg.hash == 0 || !alg.verifies(q.issuer.PublicKey, alg.digest(cert.RawTBSCertificate), cert.Signature):
		return "is not signed by the issuer"
	case !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return "is not for OCSP signing"
	case cert.KeyUsage != 0 && cert.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0:
		return "is not for signatures"
	case q.now.Before(cert.NotBefore):
		return "is not valid yet"
	case q.now.After(cert.NotAfter):
		return "has expired"
	}
	for _, id := range cert.UnhandledCriticalExtensions {
		if !id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}) {
			return "has the critical extension " + id.String()
		}
	}
	return ""
}

// certificateAlgorithm returns the algorithm that a certificate is signed with.
func certificateAlgorithm(cert *x509.Certificate) (algorithm, *reason.Error) {
	in := der(cert.Raw)
	fields, _ := in.take(tagSequence)
	_, _ = fields.take(tagSequence)
	identifier, _, _ := fields.element(tagSequence)
	return algorithmOf(identifier)
}

// exempt reports whether the issuer says that the responder's
// certificate need not be checked (RFC 6960 section 4.2.2.2.1), or names
// nobody who could be asked about it, which leaves it to us. A list is asked
// only: a responder could answer for itself.
func exempt(cert *x509.Certificate) bool {
	for _, e := range cert.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}) {
			return true
		}
	}
	_, named := extensionOf(cert, oidDistributionPoints)
	return !named
}

// extensionOf returns the value of a certificate's extension.
func extensionOf(cert *x509.Certificate, id string) (value der, present bool) {
	for _, e := range cert.Extensions {
		if full, err := asn1.Marshal(e.Id); err == nil && string(full[2:]) == id {
			return e.Value, true
		}
	}
	return nil, false
}

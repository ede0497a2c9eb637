package testpki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// OCSP is an OCSP response as its parts. Nothing in it is checked. [NewOCSP]
// fills it with a good one.
type OCSP struct {
	Status     byte                    // OCSPResponseStatus; other than 0: nothing else is encoded
	Responder  []byte                  // DER Name in the responder id, or
	KeyHash    []byte                  // SHA-1 of the responder's key, which wins
	ProducedAt time.Time               //
	Singles    []OCSPSingle            //
	Extensions []pkix.Extension        // of the response
	Certs      [][]byte                // DER, beside the signature
	Algorithm  x509.SignatureAlgorithm // default ECDSAWithSHA256
}

// OCSPSingle is a single response.
type OCSPSingle struct {
	CertID     []byte // DER, see [CertID]
	Status     []byte // DER, see [OCSPGood], [OCSPUnknown], [OCSPRevoked]
	ThisUpdate time.Time
	NextUpdate time.Time // zero: none
	Extensions []pkix.Extension
}

// CertID encodes the CertID of a certificate with the names hashed by hash,
// SHA-1 or SHA-256.
func CertID(cert, issuer *x509.Certificate, hash crypto.Hash) []byte {
	oid := "1.3.14.3.2.26"
	if hash == crypto.SHA256 {
		oid = "2.16.840.1.101.3.4.2.1"
	}
	serial, err := asn1.Marshal(cert.SerialNumber)
	if err != nil {
		panic(err) // every integer has an encoding
	}
	return DER(0x30, DER(0x30, OID(oid), DER(0x05)),
		DER(0x04, sum(hash, issuer.RawSubject)), DER(0x04, KeyHash(issuer, hash)), serial)
}

// KeyHash hashes the key of a certificate as OCSP wants it: without tag,
// length and unused bits.
func KeyHash(cert *x509.Certificate, hash crypto.Hash) []byte {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(cert.RawSubjectPublicKeyInfo, &info); err != nil {
		panic(err) // crypto/x509 has read it
	}
	return sum(hash, info.Key.Bytes)
}

func sum(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// OCSPGood encodes the status good.
func OCSPGood() []byte { return DER(0x80) }

// OCSPUnknown encodes the status unknown.
func OCSPUnknown() []byte { return DER(0x82) }

// OCSPRevoked encodes the status revoked; a negative reason is left out.
func OCSPRevoked(at time.Time, reason int) []byte {
	parts := [][]byte{GeneralizedTime(at)}
	if reason >= 0 {
		parts = append(parts, DER(0xa0, DER(0x0a, []byte{byte(reason)})))
	}
	return DER(0xa1, parts...)
}

// GeneralizedTime encodes a time with seconds, in UTC.
func GeneralizedTime(t time.Time) []byte {
	return DER(0x18, []byte(t.UTC().Format("20060102150405Z")))
}

// NewOCSP returns a response, by the issuer itself, that says that cert is good
// from at until an hour later.
func NewOCSP(cert, issuer *x509.Certificate, at time.Time) OCSP {
	return OCSP{
		Responder:  issuer.RawSubject,
		ProducedAt: at,
		Singles: []OCSPSingle{{
			CertID: CertID(cert, issuer, crypto.SHA1), Status: OCSPGood(), ThisUpdate: at, NextUpdate: at.Add(time.Hour),
		}},
	}
}

// Sign encodes the response, signed by key.
func (o OCSP) Sign(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	status := DER(0x0a, []byte{o.Status})
	if o.Status != 0 {
		return DER(0x30, status)
	}
	if o.Algorithm == x509.UnknownSignatureAlgorithm {
		o.Algorithm = x509.ECDSAWithSHA256
	}
	parts := signed(t, o.data(), key, o.Algorithm)
	if len(o.Certs) > 0 {
		parts = append(parts, DER(0xa0, DER(0x30, o.Certs...)))
	}
	return DER(0x30, status, DER(0xa0, DER(0x30, OID("1.3.6.1.5.5.7.48.1.1"), DER(0x04, DER(0x30, parts...)))))
}

// data encodes ResponseData, RFC 6960 section 4.2.1.
func (o OCSP) data() []byte {
	responder := DER(0xa1, o.Responder)
	if o.KeyHash != nil {
		responder = DER(0xa2, DER(0x04, o.KeyHash))
	}
	var singles [][]byte
	for _, s := range o.Singles {
		parts := [][]byte{s.CertID, s.Status, GeneralizedTime(s.ThisUpdate)}
		if !s.NextUpdate.IsZero() {
			parts = append(parts, DER(0xa0, GeneralizedTime(s.NextUpdate)))
		}
		singles = append(singles, DER(0x30, append(parts, explicitExtensions(0xa1, s.Extensions)...)...))
	}
	parts := [][]byte{responder, GeneralizedTime(o.ProducedAt), DER(0x30, singles...)}
	return DER(0x30, append(parts, explicitExtensions(0xa1, o.Extensions)...)...)
}

// explicitExtensions encodes extensions under a tag, or nothing if there are
// none.
func explicitExtensions(tag byte, list []pkix.Extension) [][]byte {
	if len(list) == 0 {
		return nil
	}
	var encoded [][]byte
	for _, e := range list {
		encoded = append(encoded, Extension(e))
	}
	return [][]byte{DER(tag, DER(0x30, encoded...))}
}

// signed returns the three parts of a signed structure.
func signed(t testing.TB, tbs []byte, key crypto.Signer, algorithm x509.SignatureAlgorithm) [][]byte {
	t.Helper()
	identifier, hash, pss := signatureAlgorithm(t, algorithm)
	return [][]byte{tbs, identifier, BitString(signBytes(t, tbs, key, hash, pss))}
}

// OCSPHandler is a responder: it reads requests by GET and POST and answers
// with what respond makes of the serial number's content octets and the nonce
// extension's value, nil if there is none. A request that cannot be read is
// answered with malformedRequest.
func OCSPHandler(respond func(serial, nonce []byte) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := DER(0x30, DER(0x0a, []byte{1}))
		if serial, nonce, ok := readOCSPRequest(r); ok {
			answer = respond(serial, nonce)
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(answer)
	})
}

// readOCSPRequest returns the serial number and the nonce of a request.
func readOCSPRequest(r *http.Request) (serial, nonce []byte, ok bool) {
	var body []byte
	var err error
	if r.Method == http.MethodGet {
		path := r.URL.EscapedPath()
		if path, err = url.PathUnescape(path[strings.LastIndex(path, "/")+1:]); err == nil {
			body, err = base64.StdEncoding.DecodeString(path)
		}
	} else {
		body, err = io.ReadAll(io.LimitReader(r.Body, 1<<16))
	}
	var request struct {
		TBS struct {
			List []struct {
				ID struct {
					Hash      pkix.AlgorithmIdentifier
					Name, Key []byte
					Serial    asn1.RawValue
				}
			}
			Extensions []pkix.Extension `asn1:"optional,explicit,tag:2"`
		}
	}
	if err == nil {
		_, err = asn1.Unmarshal(body, &request)
	}
	if err != nil || len(request.TBS.List) != 1 {
		return nil, nil, false
	}
	for _, e := range request.TBS.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}) {
			nonce = e.Value
		}
	}
	return request.TBS.List[0].ID.Serial.Bytes, nonce, true
}

package timestamp

import (
	"crypto"
	"errors"
	"net/http"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

func TestObjectIdentifiers(t *testing.T) {
	t.Parallel()
	for id, dotted := range map[oid]string{
		oidSignedData: "1.2.840.113549.1.7.2", oidTSTInfo: "1.2.840.113549.1.9.16.1.4",
		oidContentType: "1.2.840.113549.1.9.3", oidMessageDigest: "1.2.840.113549.1.9.4",
		oidSigningCert: "1.2.840.113549.1.9.16.2.12", oidSigningCertV2: "1.2.840.113549.1.9.16.2.47",
		oidSHA256: "2.16.840.1.101.3.4.2.1", oidSHA384: "2.16.840.1.101.3.4.2.2", oidSHA512: "2.16.840.1.101.3.4.2.3",
		oidRSA: "1.2.840.113549.1.1.1", oidMGF1: "1.2.840.113549.1.1.8", oidPSS: "1.2.840.113549.1.1.10",
		oidSHA256WithRSA: "1.2.840.113549.1.1.11", oidSHA384WithRSA: "1.2.840.113549.1.1.12", oidSHA512WithRSA: "1.2.840.113549.1.1.13",
		oidECDSAWithSHA256: "1.2.840.10045.4.3.2", oidECDSAWithSHA384: "1.2.840.10045.4.3.3", oidECDSAWithSHA512: "1.2.840.10045.4.3.4",
		oidBaselinePolicy: "0.4.0.2023.1.1",
	} {
		if id.String() != dotted || string(id) != string(testpki.OID(dotted)[2:]) {
			t.Errorf("%s is %s", dotted, id)
		}
		if parsed, ok := parseOID(dotted); !ok || parsed != id {
			t.Errorf("%s is read as %s", dotted, parsed)
		}
	}
	if oid("").String() != "?" {
		t.Error("the empty identifier prints")
	}
}

func TestRequestBytes(t *testing.T) {
	t.Parallel()
	digest := sum(crypto.SHA384, []byte("signature"))
	nonce := newNonce()
	if nonce.Sign() <= 0 || nonce.BitLen() > 63 {
		t.Errorf("nonce %v", nonce)
	}
	policy, _ := parseOID(testpki.OIDExampleTSA)
	der, err := encodeRequest(digest, crypto.SHA384, policy, nonce)
	if err != nil {
		t.Fatal(err)
	}
	r, err := testpki.ParseStampRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if r.Policy != testpki.OIDExampleTSA || r.Hash != testpki.OIDSHA384 || string(r.Imprint) != string(digest) || r.Nonce.Cmp(nonce) != 0 || !r.CertReq {
		t.Errorf("request %+v", r)
	}
}

func TestUnreachableIsQuoted(t *testing.T) {
	t.Parallel()
	cause := errors.New("malformed HTTP \x1b[31m")
	err := unreachable(cause)
	if !errors.Is(err, cause) || err.Error() != `it cannot be reached: "malformed HTTP \x1b[31m"` {
		t.Errorf("%q", err)
	}
}

func TestDefaultTransportIsBounded(t *testing.T) {
	t.Parallel()
	transport, ok := defaultTransport().(*http.Transport)
	if !ok || transport.MaxResponseHeaderBytes != maxHeaderSize {
		t.Error("headers are not bounded")
	}
}

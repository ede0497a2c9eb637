package trust

import (
	"bytes"
	"crypto/x509"

	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// Anchor is one certificate of a trust store.
type Anchor struct {
	Certificate *x509.Certificate // not to be changed
	File        string            // path within the stores, "" for one from memory
}

// CheckAnchor reports, with code store.anchor, a certificate that cannot be an
// anchor of a trust store of type t. An anchor is self-signed: its issuer is
// its subject, and its own key verifies its signature. An intermediate trusted
// as if it were a root would outlive its revocation by that root.
//
// In ca and signingAuthority stores, a self-signed certificate that is no CA
// is an anchor for the signatures made with its own key, and for no others. A
// tsa store holds CA certificates only.
func CheckAnchor(t StoreType, cert *x509.Certificate) error {
	if err := checkAnchor(t, cert); err != nil {
		return err
	}
	return nil
}

func checkAnchor(t StoreType, cert *x509.Certificate) *reason.Error {
	if cert == nil {
		return reason.Errorf(reason.StoreAnchor, "the certificate is missing").WithHint("leave it out")
	}
	subject := dn.Display(cert.RawSubject)
	if !bytes.Equal(cert.RawSubject, cert.RawIssuer) {
		return reason.Errorf(reason.StoreAnchor, "the certificate of %s is no root: %s has issued it", subject, dn.Display(cert.RawIssuer)).
			WithHint("trust the root certificate at the end of that chain, and name the signer in trustedIdentities")
	}
	// CheckSignature would let SHA-1 pass.
	if weakSignature(cert.SignatureAlgorithm) {
		return reason.Errorf(reason.StoreAnchor, "the certificate of %s is signed with %s, which is not safe", subject, cert.SignatureAlgorithm).
			WithHint("ask the authority for a root certificate signed with SHA-256 or better")
	}
	if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		return reason.Errorf(reason.StoreAnchor, "the certificate of %s is not self-signed: its own key does not verify it", subject).
			WithHint("trust the root certificate of that name that is self-signed")
	}
	if t == TSA && !isCA(cert) {
		return reason.Errorf(reason.StoreAnchor, "the certificate of %s is no CA certificate, and a tsa store holds roots of time-stamping authorities", subject).
			WithHint("add the root certificate of the time-stamping authority")
	}
	return nil
}

// isCA reports whether cert says that it may issue others.
func isCA(cert *x509.Certificate) bool { return cert.BasicConstraintsValid && cert.IsCA }

// weakSignature reports algorithms that no certificate of a chain may be signed
// with, so that an anchor signed with one of them could never be used.
func weakSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

package token

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/reason"
)

// ReadCertificates reads the certificates of a file in PEM, in any order. The
// error has the code token.certificate-file.
func ReadCertificates(path string) ([]*x509.Certificate, error) {
	unreadable := func(err error) error {
		return reason.Wrap(reason.TokenCertificateFile, err, "the certificates in %s cannot be read", quote(path)).
			WithHint("Give a file with certificates in PEM: the key's own and its issuers up to the root.")
	}
	data, err := atomicfile.ReadLinked(path, maxCertFile)
	if err != nil {
		return nil, unreadable(err)
	}
	var all []*x509.Certificate
	for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
		if b.Type != "CERTIFICATE" || len(all) == maxCerts {
			return nil, unreadable(reason.Errorf(reason.TokenCertificateFile, "it holds something else than certificates, or more than %d", maxCerts))
		}
		parsed, err := certchain.Parse([][]byte{b.Bytes})
		if err != nil {
			return nil, unreadable(err)
		}
		all = append(all, parsed[0])
	}
	if len(all) == 0 {
		return nil, unreadable(reason.Errorf(reason.TokenCertificateFile, "it holds no certificate"))
	}
	return all, nil
}

// Chain makes the chain of a key, leaf first, of certificates in any order. Of
// several for the key, the one is taken that is valid at a time, and of those
// the newest. Issuers are found by name and signature, up to a self-signed one.
// The chain keeps the certificate rules for code signing. The error has the
// code token.certificate-missing or token.certificate-chain.
func Chain(key crypto.PublicKey, from []*x509.Certificate, at time.Time) ([]*x509.Certificate, error) {
	leaf := leafOf(key, from, at)
	if leaf == nil {
		return nil, reason.Errorf(reason.TokenCertificateMissing, "none of the %d certificates found is that of the key", len(from)).
			WithHint("Write the key's certificate to the token, or name a file: --plugin-config certs=/path.")
	}
	chain := climb([]*x509.Certificate{leaf}, from, map[*x509.Certificate]bool{leaf: true}, at)
	if chain == nil {
		return nil, reason.Errorf(reason.TokenCertificateChain, "the chain of the certificate %s is not complete up to a root", quote(leaf.Subject.String())).
			WithHint("Write its issuers to the token, or name a file with the whole chain: --plugin-config certs=/path.")
	}
	if err := certchain.Check(chain, certchain.CodeSigning); err != nil {
		return nil, reason.Wrap(reason.TokenCertificateChain, err, "the certificate %s of the key cannot be used", quote(leaf.Subject.String())).
			WithHint("Have the certificate issued for code signing, or the chain corrected.")
	}
	return chain, nil
}

func leafOf(key crypto.PublicKey, from []*x509.Certificate, at time.Time) *x509.Certificate {
	var own []*x509.Certificate
	for _, c := range from {
		if equal(key, c.PublicKey) {
			own = append(own, c)
		}
	}
	slices.SortStableFunc(own, newestFirst(at))
	if len(own) == 0 {
		return nil
	}
	return own[0]
}

// newestFirst orders certificates: those valid at a time before others, newer
// ones before older ones.
func newestFirst(at time.Time) func(a, b *x509.Certificate) int {
	valid := func(c *x509.Certificate) bool { return certchain.ValidAt([]*x509.Certificate{c}, at) == nil }
	return func(a, b *x509.Certificate) int {
		switch va, vb := valid(a), valid(b); {
		case va && !vb:
			return -1
		case vb && !va:
			return 1
		}
		return b.NotBefore.Compare(a.NotBefore)
	}
}

// climb adds issuers until the last certificate is self-signed, or returns nil.
// Each certificate is stepped on once, so cross-signed ones make no cycle and
// not many ways.
func climb(chain, from []*x509.Certificate, seen map[*x509.Certificate]bool, at time.Time) []*x509.Certificate {
	last := chain[len(chain)-1]
	if bytes.Equal(last.RawIssuer, last.RawSubject) && last.CheckSignatureFrom(last) == nil || len(chain) == 1 && selfSigned(last) {
		return chain
	}
	if len(chain) == certchain.MaxCertificates {
		return nil
	}
	var issuers []*x509.Certificate
	for _, c := range from {
		if !seen[c] && bytes.Equal(c.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil {
			issuers = append(issuers, c)
		}
	}
	slices.SortStableFunc(issuers, newestFirst(at))
	for _, c := range issuers {
		seen[c] = true
		if whole := climb(append(slices.Clone(chain), c), from, seen, at); whole != nil {
			return whole
		}
	}
	return nil
}

// selfSigned is for a leaf, which is no authority and so no issuer to crypto/x509.
func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

package token

import (
	"bytes"
	"crypto"
	"crypto/rsa"
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
	checks := maxChecks
	return chainWithin(&checks, key, from, at)
}

// chainWithin is Chain with what is left of the checks of a token.
func chainWithin(checks *int, key crypto.PublicKey, from []*x509.Certificate, at time.Time) ([]*x509.Certificate, error) {
	leaf := leafOf(key, from, at)
	if leaf == nil {
		return nil, reason.Errorf(reason.TokenCertificateMissing, "none of the %d certificates found is that of the key", len(from)).
			WithHint("Write the key's certificate to the token, or name a file: --plugin-config certs=/path.")
	}
	c := climber{from: from, seen: map[*x509.Certificate]bool{leaf: true}, at: at, checks: checks}
	chain := c.climb([]*x509.Certificate{leaf})
	if chain == nil && *checks <= 0 {
		return nil, reason.Errorf(reason.TokenCertificateChain, "the chain of the certificate %s was not found among so many certificates that are alike", quote(leaf.Subject.String())).
			WithHint("Name a file with the whole chain: --plugin-config certs=/path.")
	}
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

// climber looks for the issuers of a chain.
type climber struct {
	from   []*x509.Certificate
	seen   map[*x509.Certificate]bool
	at     time.Time
	checks *int // signatures that may still be checked
}

// climb adds issuers until the last certificate is self-signed, or returns nil.
// Each certificate is stepped on once, so cross-signed ones make no cycle and
// not many ways.
func (c *climber) climb(chain []*x509.Certificate) []*x509.Certificate {
	last := chain[len(chain)-1]
	if bytes.Equal(last.RawIssuer, last.RawSubject) && c.signed(last, last, len(chain) == 1) {
		return chain
	}
	if len(chain) == certchain.MaxCertificates {
		return nil
	}
	var issuers []*x509.Certificate
	for _, cert := range c.from {
		if !c.seen[cert] && bytes.Equal(cert.RawSubject, last.RawIssuer) && c.signed(cert, last, false) {
			issuers = append(issuers, cert)
		}
	}
	slices.SortStableFunc(issuers, newestFirst(c.at))
	for _, cert := range issuers {
		c.seen[cert] = true
		if whole := c.climb(append(slices.Clone(chain), cert)); whole != nil {
			return whole
		}
	}
	return nil
}

// signed reports whether an issuer has signed a certificate, and spends a check on
// that. A leaf is no authority, and so no issuer to crypto/x509; alone says that it
// may be its own all the same.
func (c *climber) signed(issuer, cert *x509.Certificate, alone bool) bool {
	if key, ok := issuer.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxIssuerBits || *c.checks <= 0 {
		return false
	}
	*c.checks--
	if alone {
		return issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
	}
	return cert.CheckSignatureFrom(issuer) == nil
}

package keyfile

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"slices"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// Pool is what a chain is put together of, in any order. Where there are several
// ways, what comes with the key goes before the intermediates and these before
// the roots, and among each what ends last goes first: a file may hold a renewed
// certificate beside the old one.
type Pool struct {
	Given         []*x509.Certificate // with the key; the leaf is among them
	Intermediates []*x509.Certificate
	// Roots are the self-signed certificates that the chain may end in. If there
	// are none, it is any of the others.
	Roots []*x509.Certificate
}

// Complete returns the chain of a key: its certificate, then each issuer, and a
// self-signed root last. Issuers are found by name and by signature; the rules
// for signing are applied to the result and decide between several.
//
// The code of the error is signer.key-mismatch if no certificate belongs to the
// key, and signer.chain if there is no way to a root, or none that obeys the
// rules; it names the issuer that is missing, or every rule that is broken.
func Complete(pub crypto.PublicKey, pool Pool) ([]*x509.Certificate, error) {
	all := slices.Concat(latest(pool.Given), latest(pool.Intermediates), latest(pool.Roots))
	if len(all) > maxPool {
		return nil, reason.Errorf(reason.SignerCertificates, "there are %d certificates to make a chain of, more than %d", len(all), maxPool).
			WithHint("give those of this key only")
	}
	leaves := leavesOf(pub, pool.Given)
	if len(leaves) == 0 {
		return nil, mismatch(pool.Given)
	}
	s := &search{issuers: all, roots: pool.Roots, steps: maxSteps}
	for _, leaf := range leaves {
		if s.from([]*x509.Certificate{leaf}) {
			return s.found, nil
		}
	}
	return nil, s.fault()
}

// latest returns certificates with those first that end last.
func latest(certs []*x509.Certificate) []*x509.Certificate {
	return slices.SortedStableFunc(slices.Values(certs), func(a, b *x509.Certificate) int { return b.NotAfter.Compare(a.NotAfter) })
}

// leavesOf returns the certificates of a key.
func leavesOf(pub crypto.PublicKey, certs []*x509.Certificate) []*x509.Certificate {
	key, ok := pub.(interface{ Equal(crypto.PublicKey) bool })
	var leaves []*x509.Certificate
	for _, c := range latest(certs) {
		if ok && key.Equal(c.PublicKey) {
			leaves = append(leaves, c)
		}
	}
	return leaves
}

func mismatch(certs []*x509.Certificate) error {
	fault := reason.Errorf(reason.SignerKeyMismatch, "none of the certificates was issued for this key")
	if len(certs) > 0 {
		fault = reason.Errorf(reason.SignerKeyMismatch, "none of the certificates was issued for this key; the first is that of %s", dn.Display(certs[0].RawSubject))
	}
	return fault.WithHint("give the certificate that was issued for the request of this key, or the key of that certificate")
}

// search looks for a chain, in depth.
type search struct {
	issuers []*x509.Certificate
	roots   []*x509.Certificate // nil: any
	steps   int                 // signatures that may still be checked

	found   []*x509.Certificate
	broken  error               // of the first chain that is complete and breaks a rule
	foreign *x509.Certificate   // a root that was reached and is none of roots
	longest []*x509.Certificate // that leads to no root
}

// from continues a chain and reports whether one was found.
func (s *search) from(chain []*x509.Certificate) bool {
	last := chain[len(chain)-1]
	if len(chain) > certchain.MaxCertificates {
		return false
	}
	if bytes.Equal(last.RawSubject, last.RawIssuer) && s.signed(last, last) {
		return s.complete(chain)
	}
	if len(chain) > len(s.longest) {
		s.longest = slices.Clone(chain)
	}
	for _, c := range s.issuers {
		if bytes.Equal(c.RawSubject, last.RawIssuer) && !slices.ContainsFunc(chain, c.Equal) && s.signed(c, last) && s.from(append(slices.Clone(chain), c)) {
			return true
		}
	}
	return false
}

// complete judges a chain that has reached a root. The rules check each of its
// signatures once more.
func (s *search) complete(chain []*x509.Certificate) bool {
	s.steps -= len(chain)
	root := chain[len(chain)-1]
	if s.roots != nil && !slices.ContainsFunc(s.roots, root.Equal) {
		s.foreign = root
		return false
	}
	if err := certchain.Check(chain, certchain.CodeSigning); err != nil {
		if s.broken == nil {
			s.broken = err
		}
		return false
	}
	s.found = chain
	return true
}

// fault says why there is no chain.
func (s *search) fault() error {
	switch {
	case s.broken != nil:
		return reason.Wrap(reason.SignerChain, s.broken, "the certificate cannot be used for signing").WithHint("%s", reason.Hint(s.broken))
	case s.foreign != nil:
		return reason.Errorf(reason.SignerChain, "the chain ends in %s, which is none of the roots that were given", dn.Display(s.foreign.RawSubject)).
			WithHint("give that root if it is the right one, or the intermediates that lead to yours")
	case len(s.longest) == 0 || s.steps < 0:
		return reason.Errorf(reason.SignerChain, "no chain to a root was found among so many certificates that are alike").WithHint("give those of this key only")
	}
	last := s.longest[len(s.longest)-1]
	return reason.Errorf(reason.SignerChain, "the chain is not complete: %s, the issuer of certificate %d, %s, is missing",
		dn.Display(last.RawIssuer), len(s.longest), dn.Display(last.RawSubject)).
		WithHint("give it with --intermediate or, if it is the root, with --root")
}

// signed reports whether the key of issuer has signed cert, and spends a step on
// finding that out. What else the issuer must be, the rules say. Without a step
// left, and for a key that takes too long to verify with, it has not.
func (s *search) signed(issuer, cert *x509.Certificate) bool {
	if key, ok := issuer.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxIssuerBits {
		return false
	}
	if s.steps--; s.steps < 0 {
		return false
	}
	return issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

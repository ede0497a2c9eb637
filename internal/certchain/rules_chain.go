package certchain

import (
	"bytes"
	"crypto/x509"
	"fmt"
)

// The specification wants the chain with the signature: there is none to
// judge without it.
func chainPresent(c link) string {
	if len(c.chain) == 0 {
		return "is empty"
	}
	for i, cert := range c.chain {
		if cert == nil {
			return fmt.Sprintf("has no certificate at position %d", i+1)
		}
	}
	return ""
}

func chainLength(c link) string {
	if len(c.chain) > MaxCertificates {
		return tooMany(len(c.chain))
	}
	return ""
}

func tooMany(n int) string {
	return fmt.Sprintf("has %d certificates, more than the limit of %d", n, MaxCertificates)
}

func certificateSize(c link) string {
	for i, cert := range c.chain {
		switch {
		case len(cert.Raw) > MaxCertificateBytes:
			return tooLarge(i, len(cert.Raw))
		case len(cert.Extensions) > maxExtensions:
			return fmt.Sprintf("has a certificate at position %d with %d extensions, more than the limit of %d",
				i+1, len(cert.Extensions), maxExtensions)
		}
	}
	return ""
}

func tooLarge(position, size int) string {
	return fmt.Sprintf("has a certificate at position %d of %d bytes, more than the limit of %d",
		position+1, size, MaxCertificateBytes)
}

func (c link) last() bool { return c.position == len(c.chain)-1 }

// issuer returns the certificate that must have signed this one: the next, or
// for the last one itself.
func (c link) issuer() link {
	if c.last() {
		return c
	}
	return link{c.chain[c.position+1], c.chain, c.position + 1, c.facts}
}

// selfIssued reports whether issuer and subject are one, RFC 5280 section 6.1.
// Names are compared by their encoding: an authority writes its own name in
// one way, and a looser comparison has let strangers in before.
func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

// named reports whether the names of the certificate and its issuer chain.
func (c link) named() bool { return bytes.Equal(c.RawIssuer, c.issuer().RawSubject) }

// RFC 5280 section 6.1: "for all x in {1, ..., n-1}, the subject of certificate
// x is the issuer of certificate x+1". (The RFC counts from the root.)
//
// If the issuer is nowhere in the chain, chainComplete says so.
func chainOrder(c link) string {
	if c.named() {
		return ""
	}
	if !c.last() && selfIssued(c.Certificate) {
		return "is self-signed, yet not the last of the chain"
	}
	if at := c.findIssuer(); at >= 0 {
		return fmt.Sprintf("is not followed by its issuer, which is certificate %d", at+1)
	}
	return ""
}

// The specification wants the whole chain, root included, so that a verifier
// need not search for issuers.
func chainComplete(c link) string {
	switch {
	case c.named(), !c.last() && selfIssued(c.Certificate), c.findIssuer() >= 0:
		return ""
	case c.last():
		return "ends the chain and is not self-signed: its issuer is missing"
	}
	return "was issued by a certificate that is not in the chain"
}

// findIssuer returns the first position at which another certificate has the
// name of the issuer, or -1.
func (c link) findIssuer() int {
	for i, other := range c.chain {
		if i != c.position && bytes.Equal(c.RawIssuer, other.RawSubject) {
			return i
		}
	}
	return -1
}

// RFC 4158 section 2.4.1: a certificate is not repeated in a path, nor is
// another with the same subject and public key.
//
// An authority may well issue a certificate for its new key with its old one:
// the name is there twice then, and the key is not.
func chainLoop(c link) string {
	for i, earlier := range c.chain[:c.position] {
		switch {
		case bytes.Equal(c.Raw, earlier.Raw):
			return fmt.Sprintf("is certificate %d once more", i+1)
		case bytes.Equal(c.RawSubject, earlier.RawSubject) &&
			bytes.Equal(c.RawSubjectPublicKeyInfo, earlier.RawSubjectPublicKeyInfo):
			return fmt.Sprintf("has the name and key of certificate %d", i+1)
		}
	}
	return ""
}

// RFC 5280 section 6.1.3 (a)(1): "The signature on the certificate can be
// verified using working_public_key_algorithm, the working_public_key, and the
// working_public_key_parameters."
//
// A key identifier is a hint for those who search for an issuer (section
// 4.2.1.1). Here the next certificate is the one, and the signature decides.
func signature(c link) string {
	issuer := c.issuer()
	if !c.named() || !acceptedSignature(c.SignatureAlgorithm) ||
		keyType(issuer) != "" || keySize(issuer) != "" || keyParameters(issuer) != "" {
		return "" // another rule has refused the chain, and says it better
	}
	switch {
	case c.facts.signed(c.Certificate, issuer.Certificate):
		return ""
	case c.last():
		return "is not signed by its own key, as a root is"
	}
	return fmt.Sprintf("is not signed by the key of certificate %d", issuer.position+1)
}

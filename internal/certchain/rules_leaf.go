package certchain

import (
	"crypto/x509"
	"strings"
)

// RFC 5280 section 4.2.1.9: "The cA boolean indicates whether the certified
// public key may be used to verify certificate signatures."
func leafNotCA(c link) string {
	if c.IsCA {
		return "is the leaf and a certificate authority"
	}
	return ""
}

// RFC 5280 section 4.2.1.3 says what a key is for only where the extension is.
func leafKeyUsagePresent(c link) string {
	if c.extension(oidKeyUsage) == nil {
		return "has no keyUsage"
	}
	return ""
}

// RFC 5280 section 4.2.1.3: "When present, conforming CAs SHOULD mark this
// extension as critical." For code signing, the specification makes it a must.
func leafKeyUsageCritical(c link) string {
	if e := c.extension(oidKeyUsage); e != nil && !e.Critical {
		return "has a keyUsage that is not critical"
	}
	return ""
}

// RFC 5280 section 4.2.1.3: "The digitalSignature bit is asserted when the
// subject public key is used for verifying digital signatures, other than
// signatures on certificates (bit 5) and CRLs (bit 6)".
func leafKeyUsageDigitalSignature(c link) string {
	if c.extension(oidKeyUsage) != nil && c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return "has a keyUsage without digitalSignature"
	}
	return ""
}

// forbiddenKeyUsages are the bits of RFC 5280 section 4.2.1.3 that a signing
// key must not have. nonRepudiation, now contentCommitment, may be there.
var forbiddenKeyUsages = []struct {
	bit  x509.KeyUsage
	name string
}{
	{x509.KeyUsageKeyEncipherment, "keyEncipherment"},
	{x509.KeyUsageDataEncipherment, "dataEncipherment"},
	{x509.KeyUsageKeyAgreement, "keyAgreement"},
	{x509.KeyUsageCertSign, "keyCertSign"},
	{x509.KeyUsageCRLSign, "cRLSign"},
	{x509.KeyUsageEncipherOnly, "encipherOnly"},
	{x509.KeyUsageDecipherOnly, "decipherOnly"},
}

// The specification lists the bits: a key for one purpose does not sign for
// another.
func leafKeyUsageForbidden(c link) string {
	var names []string
	for _, usage := range forbiddenKeyUsages {
		if c.KeyUsage&usage.bit != 0 {
			names = append(names, usage.name)
		}
	}
	if len(names) > 0 {
		return "has a keyUsage with " + strings.Join(names, ", ")
	}
	return ""
}

// forbiddenExtendedKeyUsages are the purposes of RFC 5280 section 4.2.1.12 that
// a code signing leaf must not have.
var forbiddenExtendedKeyUsages = []struct {
	usage x509.ExtKeyUsage
	name  string
}{
	{x509.ExtKeyUsageAny, "anyExtendedKeyUsage"},
	{x509.ExtKeyUsageServerAuth, "serverAuth"},
	{x509.ExtKeyUsageClientAuth, "clientAuth"},
	{x509.ExtKeyUsageEmailProtection, "emailProtection"},
	{x509.ExtKeyUsageTimeStamping, "timeStamping"},
}

// RFC 5280 section 4.2.1.12: "If the extension is present, then the certificate
// MUST only be used for one of the purposes indicated." It holds one at least.
func codeSigningExtendedKeyUsage(c link) string {
	if c.extension(oidExtendedKeyUsage) == nil {
		return ""
	}
	var names []string
	for _, forbidden := range forbiddenExtendedKeyUsages {
		for _, usage := range c.ExtKeyUsage {
			if usage == forbidden.usage {
				names = append(names, forbidden.name)
				break
			}
		}
	}
	switch {
	case len(names) > 0:
		return "has an extendedKeyUsage with " + strings.Join(names, ", ")
	case len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0:
		return "has an extendedKeyUsage that allows nothing"
	}
	return ""
}

// RFC 3161 section 2.3: "The corresponding certificate MUST contain only one
// instance of the extended key usage field extension as defined in [RFC2459]
// Section 4.2.1.13 with KeyPurposeID having value: id-kp-timeStamping. This
// extension MUST be critical."
func timeStampingPresent(c link) string {
	if c.extension(oidExtendedKeyUsage) == nil {
		return "has no extendedKeyUsage"
	}
	return ""
}

// The same section, its second sentence.
func timeStampingCritical(c link) string {
	if e := c.extension(oidExtendedKeyUsage); e != nil && !e.Critical {
		return "has an extendedKeyUsage that is not critical"
	}
	return ""
}

// The same section, its first sentence.
func timeStampingAlone(c link) string {
	switch {
	case c.extension(oidExtendedKeyUsage) == nil:
		return ""
	case len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) > 0:
		return "has an extendedKeyUsage other than timeStamping alone"
	}
	return ""
}

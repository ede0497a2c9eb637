package certchain

import (
	"crypto/x509"
	"fmt"
)

// RFC 5280 section 4.2.1.9: "Conforming CAs MUST include this extension in all
// CA certificates that contain public keys used to validate digital signatures
// on certificates and MUST mark the extension as critical in such
// certificates."
func caBasicConstraintsPresent(c link) string {
	if c.extension(oidBasicConstraints) == nil {
		return "is an issuer and has no basicConstraints"
	}
	return ""
}

// The same sentence, its second half.
func caBasicConstraintsCritical(c link) string {
	if e := c.extension(oidBasicConstraints); e != nil && !e.Critical {
		return "is an issuer and its basicConstraints is not critical"
	}
	return ""
}

// RFC 5280 section 4.2.1.9: "If [...] the extension is present but the cA
// boolean is not asserted, then the certified public key MUST NOT be used to
// verify certificate signatures."
func caBasicConstraintsCA(c link) string {
	if c.extension(oidBasicConstraints) != nil && !(c.BasicConstraintsValid && c.IsCA) {
		return "is an issuer and its basicConstraints has cA false"
	}
	return ""
}

// RFC 5280 section 4.2.1.9: pathLenConstraint "gives the maximum number of
// non-self-issued intermediate certificates that may follow this certificate
// in a valid certification path. (Note: The last certificate in the
// certification path is not an intermediate certificate, and is not included
// in this limit.)"
func caPathLength(c link) string {
	if c.MaxPathLen < 0 || c.MaxPathLen == 0 && !c.MaxPathLenZero {
		return "" // there is no limit
	}
	below := 0
	for _, intermediate := range c.chain[1:c.position] {
		if !selfIssued(intermediate) {
			below++
		}
	}
	if below > c.MaxPathLen {
		return fmt.Sprintf("allows %d certificate authorities below it and has %d", c.MaxPathLen, below)
	}
	return ""
}

// RFC 5280 section 4.2.1.3: "Conforming CAs MUST include this extension in
// certificates that contain public keys that are used to validate digital
// signatures on other public key certificates or CRLs."
func caKeyUsagePresent(c link) string {
	if c.extension(oidKeyUsage) == nil {
		return "is an issuer and has no keyUsage"
	}
	return ""
}

// RFC 5280 section 4.2.1.3: "When present, conforming CAs SHOULD mark this
// extension as critical." The specification makes it a must.
func caKeyUsageCritical(c link) string {
	if e := c.extension(oidKeyUsage); e != nil && !e.Critical {
		return "is an issuer and its keyUsage is not critical"
	}
	return ""
}

// RFC 5280 section 4.2.1.3: "The keyCertSign bit is asserted when the subject
// public key is used for verifying signatures on public key certificates."
func caKeyUsageCertSign(c link) string {
	if c.extension(oidKeyUsage) != nil && c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return "is an issuer and its keyUsage lacks keyCertSign"
	}
	return ""
}

package notation

import (
	"maps"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// DetachedSignature is a signature that is kept apart from its artifact. Its
// integrity holds, and so do the certificate rules; who has signed, and whether
// to trust them, is not looked at. It is immutable. The zero value is none.
type DetachedSignature struct {
	signed signed
}

// OpenSignature reads a detached signature of an artifact and checks its
// integrity and the certificate rules. mediaType is that of the envelope; "":
// found by its content. Errors have the codes sign.detached, envelope.* and
// cert.*.
func OpenSignature(mediaType string, raw []byte) (*DetachedSignature, error) {
	if mediaType == "" {
		var ok bool
		if mediaType, ok = envelope.Detect(raw); !ok {
			return nil, reason.Errorf(reason.SignDetached, "it is neither a JWS nor a COSE envelope").
				WithHint("Give the file that holds the signature, not the request.")
		}
	}
	verified, err := open(mediaType, raw, certchain.Facts{})
	if err != nil {
		return nil, err
	}
	return &DetachedSignature{signed{mediaType: mediaType, raw: raw, claims: verified.Content()}}, nil
}

// MediaType returns that of the envelope.
func (d *DetachedSignature) MediaType() string { return d.signed.mediaType }

// Envelope returns the signature as it is to be written. The result is shared
// and must not be changed.
func (d *DetachedSignature) Envelope() []byte { return d.signed.raw }

// Timestamp returns the time stamp that was put on the signature and verified by
// this program; nil: none was.
func (d *DetachedSignature) Timestamp() *Timestamp { return d.signed.stamp }

// Artifact returns what was signed.
func (d *DetachedSignature) Artifact() oci.Descriptor { return bare(d.signed.claims.Target) }

// Info returns what the signature says about itself.
func (d *DetachedSignature) Info() SignatureInfo { return infoOf(&d.signed.claims) }

// SignatureInfo is what a signature whose integrity holds says about itself. Of
// trust it says nothing: anybody can make a certificate with any name.
type SignatureInfo struct {
	Subject     string // of the signing certificate, RFC 4514
	Issuer      string // of the signing certificate, RFC 4514
	Root        string // subject of the chain's last certificate, RFC 4514
	Fingerprint string // of the signing certificate, SHA-256, lower-case hex
	Scheme      string // "notary.x509" or "notary.x509.signingAuthority"
	SigningTime time.Time
	Expiry      time.Time         // zero: none
	Metadata    map[string]string // signed by the user, unescaped
}

func infoOf(c *envelope.Content) SignatureInfo {
	var s SignatureVerdict
	s.describe(c)
	return SignatureInfo{
		Subject: s.Subject, Issuer: s.Issuer, Root: s.Root, Fingerprint: s.Fingerprint, Scheme: s.Scheme,
		SigningTime: s.SigningTime, Expiry: s.Expiry, Metadata: maps.Clone(s.Metadata),
	}
}

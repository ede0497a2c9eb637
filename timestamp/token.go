package timestamp

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"crypto/x509"
	"math/big"
	"slices"
	"time"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// Info is what a token says.
type Info struct {
	Time     time.Time     // of the stamp, UTC, to the nanosecond at most
	Accuracy time.Duration // how much Time may be off either way; not negative, one day at most
	Policy   string        // dotted object identifier of the policy that the authority followed
	Serial   *big.Int      // of the token, unique to the authority; of either sign
	Hash     crypto.Hash   // of the message: SHA-256, SHA-384 or SHA-512

	// Chain is the authority's certificates: the signer's first, the trusted
	// root last. It is nil where nothing is verified.
	Chain []*x509.Certificate
}

// Range returns the earliest and the latest time at which the stamp may have
// been made: Time less and plus Accuracy.
func (i Info) Range() (earliest, latest time.Time) {
	return i.Time.Add(-i.Accuracy), i.Time.Add(i.Accuracy)
}

// Unverified is a parsed token of which nothing was verified. It is immutable.
// Its zero value holds nothing and never verifies.
type Unverified struct {
	token []byte
	data  *signedData
	info  *tstInfo
}

// Parse reads a TimeStampToken (RFC 3161 section 2.4.2) strictly. The token is
// DER, at most MaxTokenSize bytes, and is not retained.
//
// The form of every part is checked: that there is one signer with the signed
// attributes that there must be, that all algorithms are of the SHA-2 family,
// that the imprint is as long as its algorithm says, that the time is in UTC
// and the accuracy within its bounds. Certificates are not looked into.
func Parse(token []byte) (*Unverified, error) {
	u := &Unverified{token: slices.Clone(token)}
	var err error
	if u.data, err = parseSignedData(u.token); err != nil {
		return nil, err
	}
	if u.info, err = parseTSTInfo(u.data.content); err != nil {
		return nil, err
	}
	return u, nil
}

// Claims returns what the token says, for display only: none of it is
// verified. Chain is nil; see [Unverified.Certificates].
func (u *Unverified) Claims() Info {
	if u == nil || u.info == nil {
		return Info{}
	}
	return u.info.public()
}

// Certificates returns the certificates of the token, for display only, in the
// order in which they stand there. Those that cannot be parsed are left out.
func (u *Unverified) Certificates() []*x509.Certificate {
	if u == nil || u.data == nil {
		return nil
	}
	var all []*x509.Certificate
	for _, der := range u.data.certificates {
		if parsed, err := certchain.Parse([][]byte{der}); err == nil {
			all = append(all, parsed...)
		}
	}
	return all
}

func (i *tstInfo) public() Info {
	return Info{
		Time: i.time, Accuracy: i.accuracy, Policy: i.policy.String(),
		Serial: new(big.Int).Set(i.serial), Hash: i.hash,
	}
}

// Verified is a token that a trusted authority made for a certain message. It
// is immutable. Its zero value holds nothing, in particular no time.
type Verified struct {
	token []byte
	info  Info
	nonce *big.Int
}

// Info returns what the token says. The result is the caller's own but for the
// certificates, which are shared.
func (v *Verified) Info() Info {
	if v == nil || v.info.Serial == nil {
		return Info{}
	}
	info := v.info
	info.Serial = new(big.Int).Set(info.Serial)
	info.Chain = slices.Clone(info.Chain)
	return info
}

// Token returns the token as DER. The result is the caller's own.
func (v *Verified) Token() []byte {
	if v == nil {
		return nil
	}
	return slices.Clone(v.token)
}

// Verify checks that the token was made for the message, which for an envelope
// is its primitive signature, by an authority under one of the roots. These are
// trust anchors: self-signed certificates, with which the chain is compared
// byte for byte. The root need not be in the token, the certificates between
// must.
//
// The chain is judged by the rules of RFC 3161 section 2.3 and of RFC 5280, and
// by its validity at the time in the token, from the earliest instant that the
// accuracy allows to the latest. The present does not matter, so that a token
// stays good when its authority's certificate expires. Revocation is not looked
// at. The error is a *reason.Error.
func (u *Unverified) Verify(message []byte, roots []*x509.Certificate) (*Verified, error) {
	if u == nil || u.data == nil || u.info == nil {
		return nil, reason.Errorf(reason.TimestampEmpty, "there is no token to verify")
	}
	if subtle.ConstantTimeCompare(u.info.imprint, sum(u.info.hash, message)) != 1 {
		return nil, reason.Errorf(reason.TimestampImprint, "the time stamp was made for something else: its digest is not the signature's").
			WithHint(hintTampered)
	}
	s := &u.data.signer
	if subtle.ConstantTimeCompare(s.messageDigest, sum(s.digest, u.data.content)) != 1 {
		return nil, reason.Errorf(reason.TimestampSignature, "the token's content was changed: its digest is not the signed one").WithHint(hintTampered)
	}
	leaf, err := u.signingCertificate()
	if err != nil {
		return nil, err
	}
	if err := leaf.CheckSignature(s.algorithm, s.signed, s.signature); err != nil {
		return nil, reason.Errorf(reason.TimestampSignature, "the token's signature does not match under the key of %s", dn.Display(leaf.RawSubject)).
			WithHint(hintTampered)
	}
	info := u.info.public()
	if info.Chain, err = u.chain(leaf, roots); err != nil {
		return nil, err
	}
	return &Verified{token: u.token, info: info, nonce: u.info.nonce}, nil
}

// signingCertificate finds the certificate that the signed attributes name.
// Where both attributes are there, they name the same one. The identifier of
// the signer, which is not signed, must agree.
func (u *Unverified) signingCertificate() (*x509.Certificate, error) {
	s := &u.data.signer
	for _, der := range u.data.certificates {
		if !namedFirst(s.certV2, der) || !namedFirst(s.certV1, der) {
			continue
		}
		parsed, err := certchain.Parse([][]byte{der})
		if err != nil {
			return nil, reason.Wrap(reason.TimestampCertificate, err, "the time-stamping authority's certificate cannot be used").WithHint(hintForeign)
		}
		leaf := parsed[0]
		for _, ids := range [][]certID{s.certV2, s.certV1} {
			if len(ids) > 0 && !ids[0].matches(leaf) {
				return nil, badSigningCertificate("names an issuer or serial number that the certificate does not have")
			}
		}
		if !s.identifies(leaf) {
			return nil, badSigningCertificate("names another certificate than the token's signer identifier")
		}
		return leaf, nil
	}
	return nil, badSigningCertificate("names a certificate that is not in the token")
}

// namedFirst reports whether the first of the identifiers, which is the
// signer's, has the digest of a certificate. No identifiers, no objection: that
// there are some at all has been seen to.
func namedFirst(ids []certID, der []byte) bool {
	return len(ids) == 0 || bytes.Equal(ids[0].digest, sum(ids[0].hash, der))
}

// identifies reports whether the SignerIdentifier is that of the certificate.
func (s *signer) identifies(c *x509.Certificate) bool {
	if s.issuer != nil {
		return bytes.Equal(s.issuer, c.RawIssuer) && s.serial.Cmp(c.SerialNumber) == 0
	}
	return bytes.Equal(s.keyID, c.SubjectKeyId)
}

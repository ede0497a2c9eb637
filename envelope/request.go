package envelope

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/reason"
)

// Request says what is to be signed.
type Request struct {
	// MediaType is that of the envelope, MediaTypeJWS or MediaTypeCOSE.
	MediaType string
	// Target is the artifact. Its media type, digest, size, artifact type and
	// annotations are signed, the rest is not. The annotations are the user's
	// metadata; keys that start with io.cncf.notary are refused.
	Target Descriptor
	Scheme Scheme // zero: SchemeX509
	// SigningTime is required, since this package has no clock. It and Expiry
	// are cut to whole seconds.
	SigningTime        time.Time
	Expiry             time.Time // later than SigningTime; zero: none
	VerificationPlugin string    // "": none
	PluginMinVersion   string    // SemVer 2.0.0; "": any
	Extended           []Attribute
	Agent              string // names the software; not signed
}

// Unsigned is an envelope that waits for its signature. It is immutable.
type Unsigned struct {
	c         Content // all but chain and signature
	protected []byte  // the encoded header
	signed    []byte  // the bytes to sign
}

// New builds the envelope to be signed with alg, which is the algorithm of the
// signing key.
func New(r Request, alg Algorithm) (*Unsigned, error) {
	if r.MediaType != MediaTypeJWS && r.MediaType != MediaTypeCOSE {
		return nil, unknownMediaType(r.MediaType)
	}
	if !alg.valid() {
		return nil, reason.Errorf(reason.EnvelopeAlgorithm, "the request names no signature algorithm")
	}
	if r.Scheme == 0 {
		r.Scheme = SchemeX509
	}
	if !utf8.ValidString(r.Agent) {
		return nil, reason.Errorf(reason.EnvelopeHeader, "the signing agent is not UTF-8")
	}
	if err := checkExtended(r.MediaType, r.Extended); err != nil {
		return nil, err
	}
	u := &Unsigned{c: Content{
		MediaType: r.MediaType, Algorithm: alg, Scheme: r.Scheme,
		SigningTime: wholeSeconds(r.SigningTime), Expiry: wholeSeconds(r.Expiry),
		VerificationPlugin: r.VerificationPlugin, PluginMinVersion: r.PluginMinVersion,
		Extended: r.Extended, Agent: r.Agent,
	}}
	if u.c.SigningTime.IsZero() {
		return nil, reason.Errorf(reason.EnvelopeTime, "the request has no signing time")
	}
	if err := checkTime("the signing time", u.c.SigningTime); err != nil {
		return nil, err
	}
	if !u.c.Expiry.IsZero() {
		if err := checkTime("the expiry", u.c.Expiry); err != nil {
			return nil, err
		}
	}
	var err error
	if u.c.Payload, err = newPayload(r.Target); err != nil {
		return nil, err
	}
	if err := u.encode(); err != nil {
		return nil, err
	}
	return u, nil
}

// encode makes the protected header and the bytes to sign. It reads the header
// back by the rules for foreign envelopes, so that what they would refuse is
// refused before a key is used.
func (u *Unsigned) encode() (err error) {
	var p parts
	if u.c.MediaType == MediaTypeJWS {
		if u.protected, err = buildJWSProtected(&u.c); err != nil {
			return err
		}
		u.signed = jwsSigningInput(encodeBase64URL(u.protected), encodeBase64URL(u.c.Payload))
		_, err = readJWSProtected(u.protected, &p)
	} else {
		if u.protected, err = buildCOSEProtected(&u.c); err != nil {
			return err
		}
		if u.signed, err = coseToBeSigned(u.protected, u.c.Payload); err != nil {
			return err
		}
		err = (&coseReader{parts: &p}).readProtected(u.protected)
	}
	if err != nil {
		return err
	}
	return p.attributes.fill(new(Content))
}

func wholeSeconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// ToBeSigned returns the bytes over which the primitive signature is made, not
// hashed. Nil for the zero value.
func (u *Unsigned) ToBeSigned() []byte {
	if u == nil {
		return nil
	}
	return slices.Clone(u.signed)
}

// Seal returns the finished envelope. signature is the primitive signature in
// the form that [VerifyPrimitive] describes, chain is complete, leaf first.
//
// The envelope is read back and verified as a recipient would, with the rules
// of the chain, before it is returned: a signing plugin may have signed other
// bytes, or with another key.
func (u *Unsigned) Seal(signature []byte, chain []*x509.Certificate) ([]byte, error) {
	return u.SealKnown(signature, chain, certchain.Facts{})
}

// SealKnown is [Unsigned.Seal] with what is known about certificates from before,
// for this module.
func (u *Unsigned) SealKnown(signature []byte, chain []*x509.Certificate, facts certchain.Facts) ([]byte, error) {
	if u == nil || u.signed == nil {
		return nil, reason.Errorf(reason.EnvelopeEmpty, "there is no envelope to seal")
	}
	if err := checkChainLength(len(chain)); err != nil {
		return nil, err
	}
	for i, cert := range chain {
		if cert == nil {
			return nil, reason.Errorf(reason.EnvelopeChain, "certificate %d of the chain is missing", i+1)
		}
	}
	c := u.c
	c.Signature, c.Chain = signature, chain
	var data []byte
	var err error
	if c.MediaType == MediaTypeJWS {
		data, err = sealJWS(&c, u.protected)
	} else {
		data, err = sealCOSE(&c, u.protected)
	}
	if err != nil {
		return nil, err
	}
	parsed, err := ParseKnown(c.MediaType, data, facts)
	if err != nil {
		return nil, err
	}
	if _, err := parsed.Verify(); err != nil {
		return nil, err
	}
	return data, nil
}

// SetTimestamp returns the envelope with an RFC 3161 TimeStampToken, in DER, in
// its unprotected header, in place of one that was there. The protected header,
// the payload and the signature stay as they are, byte for byte, and so do
// other unprotected parameters. The token itself is not looked into.
func SetTimestamp(mediaType string, envelope, token []byte) ([]byte, error) {
	if err := checkTimestamp(token); err != nil {
		return nil, err
	}
	// What cannot be read has no place for a timestamp.
	if _, err := Parse(mediaType, envelope); err != nil {
		return nil, err
	}
	set := timestampJWS
	if mediaType == MediaTypeCOSE {
		set = timestampCOSE
	}
	data, err := set(envelope, token)
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, reason.Errorf(reason.EnvelopeTooLarge, "with the timestamp the envelope is longer than %d bytes", MaxSize)
	}
	return data, nil
}

// checkTimestamp checks that a token is one DER sequence within the bounds.
func checkTimestamp(token []byte) error {
	if err := checkTimestampSize(token); err != nil {
		return err
	}
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(token, &outer)
	if err != nil || len(rest) != 0 || outer.Class != asn1.ClassUniversal || outer.Tag != asn1.TagSequence || !outer.IsCompound {
		return reason.Errorf(reason.EnvelopeTimestamp, "the timestamp token is not one DER sequence")
	}
	return nil
}

func checkTimestampSize(token []byte) error {
	if len(token) > maxTimestampSize {
		return reason.Errorf(reason.EnvelopeTimestamp, "the timestamp token is longer than %d bytes", maxTimestampSize)
	}
	return nil
}

// criticalList returns the names that the content's critical list must hold.
func criticalList(c *Content) []string {
	names := []string{nameScheme}
	if c.Scheme == SchemeSigningAuthority {
		names = append(names, nameAuthenticTime)
	}
	if !c.Expiry.IsZero() {
		names = append(names, nameExpiry)
	}
	if c.VerificationPlugin != "" {
		names = append(names, namePlugin)
	}
	if c.PluginMinVersion != "" {
		names = append(names, namePluginMinVersion)
	}
	for _, e := range c.Extended {
		if e.Critical {
			names = append(names, e.Key)
		}
	}
	return names
}

var errNotRepresentable = errors.New("the value is of a type that is not allowed, too large or nested too deep")

// checkExtended checks what encoding would hide: names given twice or known
// otherwise, and values that would read back as something else.
func checkExtended(mediaType string, attributes []Attribute) error {
	seen := make(map[string]bool, len(attributes))
	for _, a := range attributes {
		if err := checkUnknownName(a.Key, protected); err != nil {
			return err
		}
		_, err := strconv.ParseInt(a.Key, 10, 64)
		if err == nil && mediaType == MediaTypeCOSE {
			return reason.Errorf(reason.EnvelopeExtended, "extended attribute %s has the name of an integer label", quote(a.Key))
		}
		if seen[a.Key] {
			return reason.Errorf(reason.EnvelopeExtended, "extended attribute %s is given twice", quote(a.Key))
		}
		seen[a.Key] = true
		if !representable(a.Value, mediaType, 1) {
			return reason.Wrap(reason.EnvelopeExtended, errNotRepresentable, "extended attribute %s cannot be written", quote(a.Key))
		}
	}
	return nil
}

// representable reports whether a value is of the types that [Attribute]
// lists. JSON has no byte strings: they would read back as text.
func representable(value any, mediaType string, depth int) bool {
	if depth >= maxDepth {
		return false
	}
	switch v := value.(type) {
	case nil, bool, int64:
		return true
	case float64:
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case string:
		return utf8.ValidString(v)
	case []byte:
		return mediaType == MediaTypeCOSE
	case []any:
		for _, e := range v {
			if !representable(e, mediaType, depth+1) {
				return false
			}
		}
		return true
	case map[string]any:
		for k, e := range v {
			if !utf8.ValidString(k) || !representable(e, mediaType, depth+1) {
				return false
			}
		}
		return true
	}
	return false
}

// cloneValue copies an attribute's value with all that is in it.
func cloneValue(value any) any {
	switch v := value.(type) {
	case []byte:
		return slices.Clone(v)
	case []any:
		v = slices.Clone(v)
		for i := range v {
			v[i] = cloneValue(v[i])
		}
		return v
	case map[string]any:
		v = maps.Clone(v)
		for k := range v {
			v[k] = cloneValue(v[k])
		}
		return v
	}
	return value
}

package envelope

import (
	"crypto/x509"
	"maps"
	"slices"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/reason"
)

// Media types of the two kinds of envelopes and of their payload.
const (
	MediaTypeJWS     = "application/jose+json"
	MediaTypeCOSE    = "application/cose"
	MediaTypePayload = "application/vnd.cncf.notary.payload.v1+json"
)

// Descriptor is the OCI descriptor of what is signed.
type Descriptor = ocispec.Descriptor

// Attribute is an extended signed attribute: one that this package does not
// know. A critical one must be processed by the verification plugin that the
// envelope names, or verification fails; that is for the verifier to see to.
type Attribute struct {
	// Key is the attribute's name. A COSE integer label is its decimal form;
	// text labels of that form are refused, so the two are never confused.
	Key      string
	Critical bool
	// Value is nil, bool, int64, float64, string, []byte (COSE only), []any,
	// map[string]any or, in an envelope that was read and never in a critical
	// attribute, Opaque.
	Value any
}

// Opaque is the printed form of an attribute's value that none of the other
// types of [Attribute] holds, such as an integer beyond 64 bits, a CBOR tag or
// a CBOR map with integer labels: the JSON text, or the diagnostic notation of
// RFC 8949 section 8. It is for display. An envelope is not refused for an
// attribute that nobody need understand, but none with such a value is written.
type Opaque string

// Content is everything that an envelope says.
type Content struct {
	MediaType          string // of the envelope
	Algorithm          Algorithm
	Scheme             Scheme
	SigningTime        time.Time // authentic only with SchemeSigningAuthority; else informational
	Expiry             time.Time // zero: none
	VerificationPlugin string
	PluginMinVersion   string
	Extended           []Attribute         // sorted by key
	Payload            []byte              // the bytes that were signed
	Target             Descriptor          // parsed from Payload; user metadata in Annotations
	Chain              []*x509.Certificate // leaf first, root last; not signed
	Signature          []byte              // the primitive signature
	Timestamp          []byte              // RFC 3161 TimeStampToken over Signature, not looked into; nil: none; not signed
	Agent              string              // software that made the envelope; not signed
}

// clone copies what a caller could change. Certificates are shared.
func (c Content) clone() Content {
	c.Extended = slices.Clone(c.Extended)
	for i := range c.Extended {
		c.Extended[i].Value = cloneValue(c.Extended[i].Value)
	}
	c.Payload = slices.Clone(c.Payload)
	c.Target.Annotations = maps.Clone(c.Target.Annotations)
	c.Chain = slices.Clone(c.Chain)
	c.Signature = slices.Clone(c.Signature)
	c.Timestamp = slices.Clone(c.Timestamp)
	return c
}

// Unverified is a parsed envelope whose signature was not checked. It is
// immutable. Its zero value holds nothing and never verifies.
type Unverified struct {
	c      Content
	signed []byte // the bytes that the signature is over
	facts  certchain.Facts
}

// Parse reads an envelope strictly. mediaType is [MediaTypeJWS] or
// [MediaTypeCOSE] and decides how data is read; it is never guessed. data is at
// most [MaxSize] bytes and is not retained.
//
// The form of every part is checked, the payload's too, and the certificates
// are parsed; neither the signature nor the certificate rules are checked. Of
// the timestamp, which is not signed, only the size is: whoever needs it judges
// what it holds, and to whoever does not, a broken one says as much as none.
func Parse(mediaType string, data []byte) (*Unverified, error) {
	return ParseKnown(mediaType, data, certchain.Facts{})
}

// ParseKnown is [Parse] with what is known about certificates from before, for
// the packages of this module. Certificates may then be shared with others.
func ParseKnown(mediaType string, data []byte, facts certchain.Facts) (*Unverified, error) {
	if len(data) > MaxSize {
		return nil, reason.Errorf(reason.EnvelopeTooLarge, "the envelope is longer than %d bytes", MaxSize)
	}
	p, err := parseParts(mediaType, data)
	if err != nil {
		return nil, err
	}
	u := &Unverified{c: Content{MediaType: mediaType}, signed: p.signed, facts: facts}
	c := &u.c
	c.Algorithm, c.Agent = p.algorithm, p.agent
	c.Payload, c.Signature, c.Timestamp = p.payload, p.signature, p.timestamp
	if err := p.attributes.fill(c); err != nil {
		return nil, err
	}
	if len(c.Signature) == 0 {
		return nil, reason.Errorf(reason.EnvelopeSignature, "the signature is empty")
	}
	if err := checkTimestampSize(c.Timestamp); err != nil {
		return nil, err
	}
	if len(c.Timestamp) == 0 {
		c.Timestamp = nil // says as much as none
	}
	if c.Target, err = parsePayload(c.Payload); err != nil {
		return nil, err
	}
	if c.Chain, err = facts.Parse(p.chain); err != nil {
		return nil, err
	}
	return u, nil
}

// parts are what the two formats have in common once decoded.
type parts struct {
	attributes attributes
	algorithm  Algorithm
	payload    []byte
	signature  []byte
	signed     []byte   // the bytes that the signature is over
	chain      [][]byte // DER
	timestamp  []byte   // nil: none
	agent      string
}

func parseParts(mediaType string, data []byte) (*parts, error) {
	looksLikeCOSE := len(data) > 0 && data[0] == coseTag
	switch {
	case mediaType == MediaTypeJWS && looksLikeCOSE:
		return nil, contradiction(MediaTypeJWS, "a COSE message")
	case mediaType == MediaTypeJWS:
		return parseJWS(data)
	case mediaType == MediaTypeCOSE && !looksLikeCOSE && len(data) > 0 && data[0] == '{':
		return nil, contradiction(MediaTypeCOSE, "JSON")
	case mediaType == MediaTypeCOSE:
		return parseCOSE(data)
	}
	return nil, unknownMediaType(mediaType)
}

func contradiction(mediaType, content string) error {
	return reason.Errorf(reason.EnvelopeMediaType, "the media type is %s, but the content is %s", mediaType, content)
}

func unknownMediaType(mediaType string) error {
	return reason.Errorf(reason.EnvelopeMediaType, "media type %s is not one of a signature envelope", quote(mediaType)).
		WithHint("use %s or %s", MediaTypeJWS, MediaTypeCOSE)
}

// Claims returns what the envelope says, for display only: none of it is
// verified. The result is the caller's own.
func (u *Unverified) Claims() Content {
	if u == nil {
		return Content{}
	}
	return u.c.clone()
}

// Verify checks that the envelope's algorithm is the one that the leaf
// certificate's key demands, that the signature matches the bytes received, and
// that the chain keeps the certificate rules for code signing, which do not
// depend on the time. The cheaper checks go first.
func (u *Unverified) Verify() (*Verified, error) {
	if u == nil || len(u.c.Chain) == 0 {
		return nil, reason.Errorf(reason.EnvelopeEmpty, "there is no envelope to verify")
	}
	if err := VerifyPrimitive(u.c.Algorithm, u.c.Chain[0].PublicKey, u.signed, u.c.Signature); err != nil {
		return nil, err
	}
	if err := u.facts.Check(u.c.Chain, certchain.CodeSigning); err != nil {
		return nil, err
	}
	return &Verified{c: u.c}, nil
}

// Verified is an envelope whose integrity holds: whoever has the leaf
// certificate's key signed the payload and the signed attributes, and the chain
// keeps the rules. It says nothing about trust. It is immutable. Its zero value
// holds nothing, in particular no certificate to be trusted.
type Verified struct {
	c Content
}

// Content returns what the envelope says. The chain, the timestamp and the
// agent are not signed: the chain is bound by its own signatures, the timestamp
// is still to be verified, the agent never is. The result is the caller's own.
func (v *Verified) Content() Content {
	if v == nil {
		return Content{}
	}
	return v.c.clone()
}

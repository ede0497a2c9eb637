package envelope

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// jwsEnvelope is the flattened JSON serialization of RFC 7515 section 7.2.2.
// The payload, protected and signature strings are kept as they are written,
// since the signature is over them.
type jwsEnvelope struct {
	Payload   string    `json:"payload"`
	Protected string    `json:"protected"`
	Header    jwsHeader `json:"header"`
	Signature string    `json:"signature"`
}

// jwsHeader is the unprotected header. What else stands in it is unsigned and
// means nothing here, but is kept when a timestamp is added.
type jwsHeader struct {
	Timestamp optional                  `json:"io.cncf.notary.timestampSignature,omitzero"`
	X5C       []string                  `json:"x5c"`
	Agent     string                    `json:"io.cncf.notary.signingAgent,omitempty"`
	Unknown   map[string]strictjson.Raw `json:",embed"`
}

// jwsProtected is the protected header.
type jwsProtected struct {
	Alg           string                    `json:"alg"`
	Crit          []string                  `json:"crit"`
	Cty           string                    `json:"cty"`
	Scheme        string                    `json:"io.cncf.notary.signingScheme"`
	SigningTime   optional                  `json:"io.cncf.notary.signingTime,omitzero"`
	AuthenticTime optional                  `json:"io.cncf.notary.authenticSigningTime,omitzero"`
	Expiry        optional                  `json:"io.cncf.notary.expiry,omitzero"`
	Plugin        optional                  `json:"io.cncf.notary.verificationPlugin,omitzero"`
	MinVersion    optional                  `json:"io.cncf.notary.verificationPluginMinVersion,omitzero"`
	Extended      map[string]strictjson.Raw `json:",embed"`
}

// optional is a JSON string that may be absent, but not null and not taken for
// absent when it is empty.
type optional struct {
	set  bool
	text string
}

func some(text string) optional { return optional{true, text} }

// UnmarshalText is called for JSON strings and nothing else.
func (o *optional) UnmarshalText(text []byte) error {
	*o = some(string(text))
	return nil
}

func (o optional) MarshalText() ([]byte, error) { return []byte(o.text), nil }

// IsZero makes the encoder leave out what is absent.
func (o optional) IsZero() bool { return !o.set }

// pointer returns nil if o is absent.
func (o *optional) pointer() *string {
	if !o.set {
		return nil
	}
	return &o.text
}

func parseJWS(data []byte) (*parts, error) {
	e, err := decodeJWS(data)
	if err != nil {
		return nil, err
	}
	p := &parts{agent: e.Header.Agent}
	if p.chain, err = e.Header.chain(); err != nil {
		return nil, err
	}
	if t := e.Header.Timestamp; t.set {
		if p.timestamp, err = decodeBase64(strictBase64, "timestamp", t.text, maxTimestampSize); err != nil {
			return nil, err
		}
	}
	raw, err := decodeBase64(strictBase64URL, "protected header", e.Protected, maxProtectedSize)
	if err != nil {
		return nil, err
	}
	h, err := readJWSProtected(raw, p)
	if err != nil {
		return nil, err
	}
	if err := e.Header.checkUnknown(h); err != nil {
		return nil, err
	}
	if p.payload, err = decodeBase64(strictBase64URL, "payload", e.Payload, MaxSize); err != nil {
		return nil, err
	}
	if p.signature, err = decodeBase64(strictBase64URL, "signature", e.Signature, maxProtectedSize); err != nil {
		return nil, err
	}
	p.signed = jwsSigningInput(e.Protected, e.Payload)
	return p, nil
}

// decodeJWS reads the outer object and leaves its strings encoded.
func decodeJWS(data []byte) (*jwsEnvelope, error) {
	var e jwsEnvelope
	if err := strictjson.Unmarshal(data, &e); err != nil {
		return nil, reason.Wrap(reason.EnvelopeJSON, err, "the JWS envelope is malformed").
			WithHint("an envelope is the flattened JSON serialization of a JWS, with exactly payload, protected, header and signature")
	}
	for _, m := range []struct{ name, value string }{
		{"payload", e.Payload}, {"protected", e.Protected}, {"signature", e.Signature},
	} {
		if m.value == "" {
			return nil, reason.Errorf(reason.EnvelopeJSON, "member %s of the JWS envelope is missing or empty", m.name)
		}
	}
	return &e, nil
}

// jwsSigningInput is the JWS Signing Input of RFC 7515 section 5.1.
func jwsSigningInput(protected, payload string) []byte {
	b := make([]byte, 0, len(protected)+1+len(payload))
	b = append(b, protected...)
	b = append(b, '.')
	return append(b, payload...)
}

// chain decodes x5c, which is standard base64 by RFC 7515 section 4.1.6. The
// certificates are counted before any is decoded.
func (h *jwsHeader) chain() ([][]byte, error) {
	if err := checkChainLength(len(h.X5C)); err != nil {
		return nil, err
	}
	der := make([][]byte, len(h.X5C))
	for i, s := range h.X5C {
		var err error
		if der[i], err = decodeBase64(strictBase64, "certificate", s, maxCertificateSize); err != nil {
			return nil, err
		}
	}
	return der, nil
}

func checkChainLength(n int) error {
	if n == 0 {
		return reason.Errorf(reason.EnvelopeChain, "the envelope holds no certificate chain")
	}
	if n > MaxCertificates {
		return reason.Errorf(reason.EnvelopeChain, "the envelope holds %d certificates, more than %d", n, MaxCertificates)
	}
	return nil
}

// checkUnknown refuses unknown unprotected parameters that could be taken for
// signed ones. RFC 7515 section 4 wants the names in both headers distinct.
func (h *jwsHeader) checkUnknown(protected *jwsProtected) error {
	if len(h.Unknown) > maxUnprotected {
		return reason.Errorf(reason.EnvelopeTooLarge, "the unprotected header holds %d unknown parameters", len(h.Unknown))
	}
	for name := range h.Unknown {
		if err := checkUnknownName(name, unprotected); err != nil {
			return err
		}
		if _, both := protected.Extended[name]; both {
			return reason.Errorf(reason.EnvelopeUnprotected, "parameter %s stands in both headers", quote(name))
		}
	}
	return nil
}

// readJWSProtected puts a decoded protected header into p.
func readJWSProtected(raw []byte, p *parts) (*jwsProtected, error) {
	if len(raw) > maxProtectedSize {
		return nil, reason.Errorf(reason.EnvelopeTooLarge, "the protected header is longer than %d bytes", maxProtectedSize)
	}
	var h jwsProtected
	if err := strictjson.Unmarshal(raw, &h); err != nil {
		return nil, reason.Wrap(reason.EnvelopeJSON, err, "the protected header is malformed")
	}
	return &h, h.read(p)
}

func (h *jwsProtected) read(p *parts) error {
	var err error
	if p.algorithm, err = algorithmByJWS(h.Alg); err != nil {
		return err
	}
	a := &p.attributes
	a.contentType, a.scheme, a.critical = h.Cty, h.Scheme, h.Crit
	a.plugin, a.minVersion = h.Plugin.pointer(), h.MinVersion.pointer()
	for _, t := range []struct {
		name string
		in   optional
		to   *time.Time
	}{
		{nameSigningTime, h.SigningTime, &a.signingTime},
		{nameAuthenticTime, h.AuthenticTime, &a.authenticTime},
		{nameExpiry, h.Expiry, &a.expiry},
	} {
		if !t.in.set {
			continue
		}
		if *t.to, err = parseJWSTime(t.name, t.in.text); err != nil {
			return err
		}
	}
	if len(h.Extended) > maxExtended {
		return reason.Errorf(reason.EnvelopeTooLarge, "the envelope holds %d extended attributes, more than %d", len(h.Extended), maxExtended)
	}
	for name, raw := range h.Extended {
		if err := checkUnknownName(name, protected); err != nil {
			return err
		}
		a.extended = append(a.extended, Attribute{Key: name, Value: decodeJSONValue(raw)})
	}
	return nil
}

// decodeJSONValue decodes the value of an extended attribute into one of the
// types that [Attribute] lists. The header was read strictly before, so that
// nothing can be wrong with it but the range of a number.
func decodeJSONValue(raw strictjson.Raw) any {
	v, err := strictjson.Value(raw)
	if err != nil {
		return Opaque(raw)
	}
	return v
}

// jwsTimeFormat is RFC 3339 in UTC, without a fraction of a second and with
// the letters in upper case.
const jwsTimeFormat = "2006-01-02T15:04:05Z"

func parseJWSTime(name, text string) (time.Time, error) {
	t, err := time.Parse(jwsTimeFormat, text)
	// time.Parse lets a fraction pass, so compare with the one written form.
	if err != nil || t.Format(jwsTimeFormat) != text {
		return time.Time{}, reason.Errorf(reason.EnvelopeTime, "%s is %s, not a time in UTC of the form %s", name, quote(text), jwsTimeFormat)
	}
	return t, checkTime(name, t)
}

// The encodings that are read, which refuse stray bits (RFC 4648 section 3.5).
var (
	strictBase64    = base64.StdEncoding.Strict()
	strictBase64URL = base64.RawURLEncoding.Strict()
)

// decodeBase64 decodes the one form of text that the encoding writes: no line
// breaks, no stray bits, padding exactly as enc, one of the above, has it.
func decodeBase64(enc *base64.Encoding, what, text string, limit int) ([]byte, error) {
	if base64.RawStdEncoding.DecodedLen(len(strings.TrimRight(text, "="))) > limit {
		return nil, reason.Errorf(reason.EnvelopeTooLarge, "the %s is longer than %d bytes", what, limit)
	}
	// The decoder passes over line breaks even where it is strict.
	if strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
		return nil, reason.Errorf(reason.EnvelopeBase64, "the %s holds a line break in its base64", what)
	}
	b, err := enc.DecodeString(text)
	if err != nil {
		return nil, reason.Errorf(reason.EnvelopeBase64, "the %s is not in the required form of base64", what)
	}
	return b, nil
}

// encodeBase64URL is BASE64URL of RFC 7515 section 2.
func encodeBase64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// buildJWSProtected encodes the protected header for the content.
func buildJWSProtected(c *Content) ([]byte, error) {
	h := jwsProtected{
		Alg: algorithms[c.Algorithm].jws, Crit: criticalList(c),
		Cty: MediaTypePayload, Scheme: c.Scheme.String(),
	}
	at := some(c.SigningTime.Format(jwsTimeFormat))
	if c.Scheme == SchemeSigningAuthority {
		h.AuthenticTime = at
	} else {
		h.SigningTime = at
	}
	if !c.Expiry.IsZero() {
		h.Expiry = some(c.Expiry.Format(jwsTimeFormat))
	}
	if c.VerificationPlugin != "" {
		h.Plugin = some(c.VerificationPlugin)
	}
	if c.PluginMinVersion != "" {
		h.MinVersion = some(c.PluginMinVersion)
	}
	if len(c.Extended) > 0 {
		h.Extended = make(map[string]strictjson.Raw, len(c.Extended))
	}
	for _, e := range c.Extended {
		raw, err := strictjson.Marshal(e.Value)
		if err != nil {
			return nil, reason.Errorf(reason.EnvelopeExtended, "the value of extended attribute %s cannot be encoded", quote(e.Key))
		}
		h.Extended[e.Key] = raw
	}
	b, err := strictjson.Marshal(h)
	if err != nil {
		return nil, reason.Errorf(reason.EnvelopeHeader, "the protected header cannot be encoded: a string in it is not UTF-8")
	}
	return b, nil
}

// sealJWS puts the envelope together. protected and payload are what was
// signed, still decoded.
func sealJWS(c *Content, protected []byte) ([]byte, error) {
	e := jwsEnvelope{
		Payload:   encodeBase64URL(c.Payload),
		Protected: encodeBase64URL(protected),
		Header:    jwsHeader{Agent: c.Agent},
		Signature: encodeBase64URL(c.Signature),
	}
	for _, cert := range c.Chain {
		e.Header.X5C = append(e.Header.X5C, base64.StdEncoding.EncodeToString(cert.Raw))
	}
	return e.encode()
}

func (e *jwsEnvelope) encode() ([]byte, error) {
	b, err := strictjson.Marshal(e)
	if err != nil {
		return nil, reason.Errorf(reason.EnvelopeHeader, "the envelope cannot be encoded: a string in it is not UTF-8")
	}
	return b, nil
}

// timestampJWS replaces the timestamp and leaves the signed strings as they
// are. They consist of characters that JSON has one way to write, or Parse
// would have refused them.
func timestampJWS(data, token []byte) ([]byte, error) {
	e, err := decodeJWS(data)
	if err != nil {
		return nil, err
	}
	e.Header.Timestamp = some(base64.StdEncoding.EncodeToString(token))
	return e.encode()
}

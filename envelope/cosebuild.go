package envelope

import (
	"encoding/hex"
	"reflect"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/notaryv2/notation/reason"
)

// cborModes are the settings of the CBOR library, made when first needed so
// that a program which never sees COSE does not pay for them.
var cborModes = sync.OnceValues(func() (cbor.EncMode, cbor.DecMode) {
	deterministic := cbor.CoreDetEncOptions() // RFC 8949 section 4.2.1
	deterministic.NilContainers = cbor.NilContainerAsEmpty
	enc, err := deterministic.EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	dec, err := cbor.DecOptions{
		DupMapKey:       cbor.DupMapKeyEnforcedAPF,
		IndefLength:     cbor.IndefLengthForbidden,
		TagsMd:          cbor.TagsForbidden,
		IntDec:          cbor.IntDecConvertSignedOrFail,
		DefaultMapType:  reflect.TypeFor[map[string]any](),
		NaN:             cbor.NaNDecodeForbidden,
		Inf:             cbor.InfDecodeForbidden,
		MaxNestedLevels: maxDepth + 1,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
})

// decodeCBORValue decodes the value of an extended attribute, which the scanner
// found well formed, into one of the types that [Attribute] lists.
func decodeCBORValue(raw []byte) any {
	_, dec := cborModes()
	var v any
	if err := dec.Unmarshal(raw, &v); err == nil {
		return v
	}
	return diagnose(raw)
}

// diagnose returns the diagnostic notation of a value. A long one is given as
// the word CBOR and its encoding in hexadecimal: a big number of that length
// costs more to print in decimal than all else that is done with an envelope.
func diagnose(raw []byte) Opaque {
	if len(raw) <= maxDiagnosed {
		if text, err := cbor.Diagnose(raw); err == nil {
			return Opaque(text)
		}
	}
	return Opaque("CBOR " + hex.EncodeToString(raw))
}

// buildCOSEProtected encodes the protected header for the content.
func buildCOSEProtected(c *Content) ([]byte, error) {
	timeOf := func(t time.Time) cbor.Tag { return cbor.Tag{Number: cborTimeTag, Content: t.Unix()} }
	h := map[any]any{
		labelAlgorithm:   algorithms[c.Algorithm].cose,
		labelCritical:    criticalList(c),
		labelContentType: MediaTypePayload,
		nameScheme:       c.Scheme.String(),
	}
	if c.Scheme == SchemeSigningAuthority {
		h[nameAuthenticTime] = timeOf(c.SigningTime)
	} else {
		h[nameSigningTime] = timeOf(c.SigningTime)
	}
	if !c.Expiry.IsZero() {
		h[nameExpiry] = timeOf(c.Expiry)
	}
	if c.VerificationPlugin != "" {
		h[namePlugin] = c.VerificationPlugin
	}
	if c.PluginMinVersion != "" {
		h[namePluginMinVersion] = c.PluginMinVersion
	}
	for _, e := range c.Extended {
		h[e.Key] = e.Value
	}
	return encodeCBOR(h)
}

// coseToBeSigned returns the Sig_structure for a header and a payload.
func coseToBeSigned(protected, payload []byte) ([]byte, error) {
	rawProtected, err := encodeCBOR(protected)
	if err != nil {
		return nil, err
	}
	rawPayload, err := encodeCBOR(payload)
	if err != nil {
		return nil, err
	}
	m := coseMessage{protected: rawProtected, payload: rawPayload}
	return m.toBeSigned(), nil
}

// sealCOSE puts the envelope together. The chain is always an array, also when
// it holds one certificate: other readers of this format expect that.
func sealCOSE(c *Content, protected []byte) ([]byte, error) {
	chain := make([][]byte, len(c.Chain))
	for i, cert := range c.Chain {
		chain[i] = cert.Raw
	}
	unprotected := map[any]any{labelX5Chain: chain}
	if c.Agent != "" {
		unprotected[nameAgent] = c.Agent
	}
	return encodeCBOR(cbor.Tag{Number: coseTag & 0x1f, Content: []any{protected, unprotected, c.Payload, c.Signature}})
}

// timestampCOSE replaces the timestamp. The other items, and the values of the
// other parameters, are passed on as the bytes received.
func timestampCOSE(data, token []byte) ([]byte, error) {
	m, err := splitCOSE(data)
	if err != nil {
		return nil, err
	}
	rawToken, err := encodeCBOR(token)
	if err != nil {
		return nil, err
	}
	header := map[any]cbor.RawMessage{}
	err = headerMap(m.unprotected, 1, func(l label, value []byte) error {
		header[l.key()] = value
		return nil
	})
	if err != nil {
		return nil, err
	}
	header[nameTimestamp] = rawToken
	return encodeCBOR(cbor.Tag{Number: coseTag & 0x1f, Content: []any{
		cbor.RawMessage(m.protected), header, cbor.RawMessage(m.payload), cbor.RawMessage(m.signature),
	}})
}

func encodeCBOR(v any) ([]byte, error) {
	enc, _ := cborModes()
	b, err := enc.Marshal(v)
	if err != nil {
		return nil, reason.Errorf(reason.EnvelopeCBOR, "the COSE envelope cannot be encoded")
	}
	return b, nil
}

package envelope

import (
	"bytes"
	"time"

	"github.com/notaryv2/notation/reason"
)

// COSE header labels: RFC 9052 section 3.1 and RFC 9360 section 2. The last
// three name the signing key in another way than by the chain and may not
// stand in an envelope, for the reason given at places.
const (
	labelAlgorithm   = 1
	labelCritical    = 2
	labelContentType = 3
	labelX5Bag       = 32
	labelX5Chain     = 33
	labelX5T         = 34
	labelX5U         = 35
)

// cborTimeTag is the tag of a time in seconds since 1970 (RFC 8949 section
// 3.4.2).
const cborTimeTag = 1

// sigContext starts the Sig_structure of a COSE_Sign1 (RFC 9052 section 4.4):
// an array of four whose first element is the text "Signature1".
const sigContext = "\x84\x6aSignature1"

// coseMessage is a COSE_Sign1 split into its raw items.
type coseMessage struct {
	protected, unprotected, payload, signature []byte
}

// splitCOSE checks that data is exactly one tagged COSE_Sign1 in the one
// encoding that is accepted.
func splitCOSE(data []byte) (m coseMessage, err error) {
	if !bytes.HasPrefix(data, []byte{coseTag, coseArray4}) {
		return m, reason.Errorf(reason.EnvelopeCBOR, "the COSE envelope is not a tagged COSE_Sign1 of four elements")
	}
	s := scanner{data: data, pos: 2}
	for _, part := range []struct {
		name  string
		major byte
		to    *[]byte
	}{
		{"protected header", majorBytes, &m.protected},
		{"unprotected header", majorMap, &m.unprotected},
		{"payload", majorBytes, &m.payload},
		{"signature", majorBytes, &m.signature},
	} {
		if *part.to, err = s.item(1); err != nil {
			return m, err
		}
		if (*part.to)[0]>>5 != part.major {
			if part.to == &m.payload {
				return m, cborError("its payload is detached or not a byte string")
			}
			return m, cborError("its %s has the wrong type", part.name)
		}
	}
	return m, s.end()
}

func parseCOSE(data []byte) (*parts, error) {
	data = bytes.Clone(data) // what is given out are slices of it
	m, err := splitCOSE(data)
	if err != nil {
		return nil, err
	}
	p := &parts{signed: m.toBeSigned()}
	p.payload, _ = bytesOf(m.payload)
	p.signature, _ = bytesOf(m.signature)
	r := coseReader{parts: p}
	if err := r.protected(m.protected); err != nil {
		return nil, err
	}
	if err := r.unprotected(m.unprotected); err != nil {
		return nil, err
	}
	return p, checkChainLength(len(p.chain))
}

// toBeSigned is the Sig_structure of RFC 9052 section 4.4 with an empty
// external_aad. The raw items are copied as received; the scanner has seen to
// it that they are in the encoding that the section demands.
func (m *coseMessage) toBeSigned() []byte {
	b := make([]byte, 0, len(sigContext)+len(m.protected)+1+len(m.payload))
	b = append(b, sigContext...)
	b = append(b, m.protected...)
	b = append(b, majorBytes<<5)
	return append(b, m.payload...)
}

// coseReader reads the headers of a message into parts.
type coseReader struct {
	*parts
	hasAlgorithm bool
}

func headerMap(raw []byte, depth int, f func(l label, value []byte) error) error {
	s := scanner{data: raw}
	major, n, err := s.head()
	if err != nil {
		return err
	}
	if major != majorMap {
		return cborError("its protected header is not a map")
	}
	err = s.pairs(n, depth, func(key, value []byte) error {
		l, err := labelOf(key)
		if err != nil {
			return err
		}
		return f(l, value)
	})
	if err != nil {
		return err
	}
	return s.end()
}

func (r *coseReader) protected(raw []byte) error {
	header, _ := bytesOf(raw)
	return r.readProtected(header)
}

// readProtected reads the content of the protected header's byte string.
func (r *coseReader) readProtected(header []byte) error {
	if len(header) > maxProtectedSize {
		return reason.Errorf(reason.EnvelopeTooLarge, "the protected header is longer than %d bytes", maxProtectedSize)
	}
	if len(header) == 0 {
		return reason.Errorf(reason.EnvelopeHeader, "the protected header is empty")
	}
	if err := headerMap(header, 1, r.protectedParameter); err != nil {
		return err
	}
	if !r.hasAlgorithm {
		return reason.Errorf(reason.EnvelopeAlgorithm, "the protected header names no algorithm")
	}
	return nil
}

func (r *coseReader) protectedParameter(l label, value []byte) error {
	if l.text != "" {
		return r.protectedText(l.text, value)
	}
	switch l.number {
	case labelAlgorithm:
		return r.readAlgorithm(value)
	case labelCritical:
		return r.readCritical(value)
	case labelContentType:
		return readText("content type", value, &r.attributes.contentType)
	case labelX5Chain:
		return r.readChain(value)
	case labelX5Bag, labelX5T, labelX5U:
		return reason.Errorf(reason.EnvelopeHeader, "header label %d must not stand in a signature envelope", l.number)
	}
	return r.extend(l, value)
}

func (r *coseReader) protectedText(name string, value []byte) error {
	a := &r.attributes
	switch name {
	case nameScheme:
		return readText(name, value, &a.scheme)
	case nameSigningTime:
		return readCOSETime(name, value, &a.signingTime)
	case nameAuthenticTime:
		return readCOSETime(name, value, &a.authenticTime)
	case nameExpiry:
		return readCOSETime(name, value, &a.expiry)
	case namePlugin:
		a.plugin = new(string)
		return readText(name, value, a.plugin)
	case namePluginMinVersion:
		a.minVersion = new(string)
		return readText(name, value, a.minVersion)
	}
	if err := checkUnknownName(name, protected); err != nil {
		return err
	}
	return r.extend(label{text: name}, value)
}

func (r *coseReader) extend(l label, value []byte) error {
	a := &r.attributes
	if len(a.extended) == maxExtended {
		return reason.Errorf(reason.EnvelopeTooLarge, "the envelope holds more than %d extended attributes", maxExtended)
	}
	a.extended = append(a.extended, Attribute{Key: l.String(), Value: decodeCBORValue(value)})
	return nil
}

func (r *coseReader) unprotected(raw []byte) error {
	unknown := 0
	return headerMap(raw, 1, func(l label, value []byte) error {
		switch {
		case l.text == nameTimestamp:
			token, ok := bytesOf(value)
			if !ok {
				return wrongType(l)
			}
			r.timestamp = token
			return nil
		case l.text == nameAgent:
			return readText(l.text, value, &r.agent)
		case l.text != "":
			if err := checkUnknownName(l.text, unprotected); err != nil {
				return err
			}
		case l.number == labelX5Chain:
			return r.readChain(value)
		case l.number == labelAlgorithm || l.number == labelCritical || l.number == labelContentType:
			return reason.Errorf(reason.EnvelopeUnprotected, "header label %d stands in the unprotected header", l.number)
		case l.number == labelX5Bag || l.number == labelX5T || l.number == labelX5U:
			return reason.Errorf(reason.EnvelopeHeader, "header label %d must not stand in a signature envelope", l.number)
		}
		if r.attributes.has(l.String()) {
			return reason.Errorf(reason.EnvelopeUnprotected, "parameter %s stands in both headers", quote(l.String()))
		}
		if unknown++; unknown > maxUnprotected {
			return reason.Errorf(reason.EnvelopeTooLarge, "the unprotected header holds more than %d unknown parameters", maxUnprotected)
		}
		return nil
	})
}

func wrongType(l label) error {
	return reason.Errorf(reason.EnvelopeHeader, "header parameter %s has a value of the wrong type", quote(l.String()))
}

func readText(name string, raw []byte, to *string) error {
	text, ok := textOf(raw)
	if !ok {
		return wrongType(label{text: name})
	}
	*to = text
	return nil
}

func (r *coseReader) readAlgorithm(raw []byte) error {
	r.hasAlgorithm = true
	s := scanner{data: raw}
	major, arg, err := s.head()
	if err != nil {
		return err
	}
	if major != majorNegInt || int64(arg) < 0 {
		return reason.Errorf(reason.EnvelopeAlgorithm, "the COSE algorithm is not one of the six integers that are allowed")
	}
	r.algorithm, err = algorithmByCOSE(-1 - int64(arg))
	return err
}

// readCritical reads the critical list. All attributes that it may hold have
// text labels: the integers that are known here are standard ones, which need
// not be listed, and others are not understood.
func (r *coseReader) readCritical(raw []byte) error {
	s := scanner{data: raw}
	major, n, err := s.head()
	if err != nil {
		return err
	}
	if major != majorArray || n == 0 {
		return reason.Errorf(reason.EnvelopeCritical, "the list of critical attributes is empty or not an array")
	}
	if n > maxExtended*2 {
		return reason.Errorf(reason.EnvelopeTooLarge, "the list of critical attributes has %d entries", n)
	}
	for range n {
		item, err := s.item(1)
		if err != nil {
			return err
		}
		l, err := labelOf(item)
		if err != nil || l.text == "" {
			return reason.Errorf(reason.EnvelopeCritical, "the list of critical attributes holds a label that is not known")
		}
		r.attributes.critical = append(r.attributes.critical, l.text)
	}
	return nil
}

// readChain reads x5chain: an array of certificates, or one bare certificate.
// The certificates are counted before any is looked at.
func (r *coseReader) readChain(raw []byte) error {
	if r.chain != nil {
		return reason.Errorf(reason.EnvelopeChain, "the certificate chain stands in both headers")
	}
	if raw[0]>>5 == majorBytes {
		return r.readCertificate(raw)
	}
	s := scanner{data: raw}
	major, n, err := s.head()
	if err != nil {
		return err
	}
	if major != majorArray {
		return reason.Errorf(reason.EnvelopeChain, "the certificate chain is not an array")
	}
	if err := checkChainLength(int(n)); err != nil {
		return err
	}
	for range n {
		item, err := s.item(1)
		if err != nil {
			return err
		}
		if err := r.readCertificate(item); err != nil {
			return err
		}
	}
	return nil
}

func (r *coseReader) readCertificate(raw []byte) error {
	der, ok := bytesOf(raw)
	if !ok {
		return reason.Errorf(reason.EnvelopeChain, "a certificate of the chain is not a byte string")
	}
	if len(der) > maxCertificateSize {
		return reason.Errorf(reason.EnvelopeTooLarge, "the certificate is longer than %d bytes", maxCertificateSize)
	}
	r.chain = append(r.chain, der)
	return nil
}

// readCOSETime reads a time that is tagged as one and counts whole seconds.
func readCOSETime(name string, raw []byte, to *time.Time) error {
	malformed := reason.Errorf(reason.EnvelopeTime, "%s is not an unsigned integer under CBOR tag %d", name, cborTimeTag)
	s := scanner{data: raw}
	major, tag, err := s.head()
	if err != nil || major != majorTag || tag != cborTimeTag {
		return malformed
	}
	major, seconds, err := s.head()
	if err != nil || major != majorUint {
		return malformed
	}
	const farFuture = 1 << 40 // seconds; keeps the conversions in range
	*to = time.Unix(int64(min(seconds, farFuture)), 0).UTC()
	return checkTime(name, *to)
}

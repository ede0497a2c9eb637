package revocation

import (
	"crypto"
	_ "crypto/sha1" // names keys and issuers in OCSP; nothing signed rests on it
	"time"

	"github.com/notaryv2/notation/reason"
)

// ocspResponse is a BasicOCSPResponse, RFC 6960 section 4.2.1. Nothing in it
// has been checked.
type ocspResponse struct {
	signed      []byte
	algorithm   der
	signature   []byte
	certs       [][]byte
	byName      []byte // DER Name of the responder, or
	byKey       []byte // SHA-1 of its public key
	produced    time.Time
	singles     []singleResponse
	extensions  []extension
	nonce       []byte
	nonceStated bool
}

// singleResponse is what the responder says about one certificate.
type singleResponse struct {
	hash                      crypto.Hash // 0 if unknown
	nameHash, keyHash, serial []byte
	answer                    answer
	kept                      time.Time // archiveCutoff; zero: not stated
	extensions                []extension
}

func ocspSyntax(what string) *reason.Error {
	return reason.Errorf(reason.RevocationOCSPSyntax, "the OCSP response is malformed: %s", what)
}

// parseOCSP reads an OCSPResponse of a successful status.
func parseOCSP(raw []byte) (*ocspResponse, *reason.Error) {
	if len(raw) > MaxOCSPBytes {
		return nil, reason.Errorf(reason.RevocationTooLarge, "the OCSP response is longer than %d bytes", MaxOCSPBytes)
	}
	in := der(raw)
	outer, ok := in.take(tagSequence)
	if !ok || len(in) > 0 {
		return nil, ocspSyntax("it is not one DER sequence")
	}
	statusField, _, ok := outer.element(tagEnumerated)
	if !ok {
		return nil, ocspSyntax("it has no status")
	}
	status, ok := statusField.enumerated()
	if !ok {
		return nil, ocspSyntax("it has no status")
	}
	if status != 0 {
		return nil, reason.Errorf(reason.RevocationOCSPStatus, "the OCSP responder answers %s", statusName(status))
	}
	bytes, ok := outer.take(constructed)
	if !ok || len(outer) > 0 {
		return nil, ocspSyntax("it has no content")
	}
	typed, ok := bytes.take(tagSequence)
	if !ok || len(bytes) > 0 {
		return nil, ocspSyntax("it has no content")
	}
	id, ok := typed.take(tagOID)
	if !ok || string(id) != oidOCSPBasic {
		return nil, ocspSyntax("it is not a basic response")
	}
	octets, ok := typed.take(tagOctetString)
	if !ok || len(typed) > 0 {
		return nil, ocspSyntax("it has no content")
	}
	basic, ok := octets.take(tagSequence)
	if !ok || len(octets) > 0 {
		return nil, ocspSyntax("it has no content")
	}
	return parseBasic(basic)
}

// statusName returns the name of an OCSPResponseStatus, RFC 6960 section 4.2.1.
func statusName(status byte) string {
	switch status {
	case 1:
		return "malformedRequest"
	case 2:
		return "internalError"
	case 3:
		return "tryLater"
	case 5:
		return "sigRequired"
	case 6:
		return "unauthorized"
	default:
		return "an unknown error"
	}
}

func parseBasic(basic der) (*ocspResponse, *reason.Error) {
	r := &ocspResponse{}
	full, data, ok := basic.element(tagSequence)
	if !ok {
		return nil, ocspSyntax("it has no data")
	}
	r.signed = full
	if r.algorithm, _, ok = basic.element(tagSequence); !ok {
		return nil, ocspSyntax("it has no signature algorithm")
	}
	bits, ok := basic.take(tagBitString)
	if ok {
		r.signature, ok = signatureBits(bits)
	}
	if !ok {
		return nil, ocspSyntax("it has no signature")
	}
	list, present, ok := basic.optional(constructed)
	if !ok || len(basic) > 0 {
		return nil, ocspSyntax("what follows its signature is no certificates")
	}
	if present {
		certs, ok := list.take(tagSequence)
		if !ok || len(list) > 0 {
			return nil, ocspSyntax("what follows its signature is no certificates")
		}
		for len(certs) > 0 {
			cert, _, ok := certs.element(tagSequence)
			if !ok {
				return nil, ocspSyntax("what follows its signature is no certificates")
			}
			r.certs = append(r.certs, cert)
		}
	}
	return r, r.parseData(data)
}

// parseData reads the content of ResponseData.
func (r *ocspResponse) parseData(data der) *reason.Error {
	if version, present, ok := data.optional(constructed); !ok || present && string(version) != "\x02\x01\x00" {
		return ocspSyntax("it is of an unknown version")
	}
	name, byName, ok := data.optional(constructed | 1)
	if byName {
		r.byName = name
	} else if key, present, keyOK := data.optional(constructed | 2); present {
		var hash der
		hash, ok = key.take(tagOctetString)
		r.byKey, ok = hash, ok && keyOK && len(key) == 0
	}
	if !ok || len(r.byName) == 0 && len(r.byKey) == 0 {
		return ocspSyntax("it does not name the responder")
	}
	if !data.is(tagGeneralizedTime) {
		return ocspSyntax("it has no time of production")
	}
	if r.produced, ok = data.time(); !ok {
		return ocspSyntax("it has no time of production")
	}
	singles, ok := data.take(tagSequence)
	if !ok {
		return ocspSyntax("it has no responses")
	}
	for len(singles) > 0 {
		s, ok := singles.take(tagSequence)
		if !ok || len(r.singles) == maxSingles {
			return ocspSyntax("a single response cannot be read, or there are too many")
		}
		single, ok := parseSingle(s)
		if !ok {
			return ocspSyntax("a single response cannot be read")
		}
		r.singles = append(r.singles, single)
	}
	if r.extensions, ok = wrappedExtensions(&data, constructed|1); !ok || len(data) > 0 {
		return ocspSyntax("its extensions cannot be read")
	}
	for _, e := range r.extensions {
		if e.id == oidOCSPNonce {
			// The value should be an OCTET STRING (RFC 9654 section 2.1); old
			// responders give the bare octets.
			r.nonce, r.nonceStated = e.value, true
		}
	}
	return nil
}

// wrappedExtensions takes an optional explicitly tagged Extensions.
func wrappedExtensions(d *der, tag byte) ([]extension, bool) {
	field, present, ok := d.optional(tag)
	if !present || !ok {
		return nil, ok
	}
	list, ok := field.take(tagSequence)
	if !ok || len(field) > 0 {
		return nil, false
	}
	return list.extensions()
}

// parseSingle reads the content of a SingleResponse.
func parseSingle(s der) (r singleResponse, ok bool) {
	id, ok := s.take(tagSequence)
	if !ok || !r.parseCertID(id) {
		return r, false
	}
	r.answer.method = OCSP
	tag, _, status, ok := s.next()
	if !ok {
		return r, false
	}
	switch tag {
	case contextual:
		r.answer.status, ok = Good, len(status) == 0
	case constructed | 1:
		r.answer.status = Revoked
		r.answer.revokedAt, r.answer.reason, ok = parseRevokedInfo(status)
	case contextual | 2:
		r.answer.status, ok = Unknown, len(status) == 0
	default:
		ok = false
	}
	if !ok || !s.is(tagGeneralizedTime) {
		return r, false
	}
	if r.answer.this, ok = s.time(); !ok {
		return r, false
	}
	next, present, ok := s.optional(constructed)
	if present && ok {
		r.answer.next, ok = next.time()
		ok = ok && len(next) == 0
	}
	if !ok {
		return r, false
	}
	if r.extensions, ok = wrappedExtensions(&s, constructed|1); !ok || len(s) > 0 {
		return r, false
	}
	for _, e := range r.extensions {
		switch e.id {
		case oidInvalidityDate: // RFC 6960 section 4.4.5
			if r.answer.invalidity, ok = e.value.onlyTime(); !ok {
				return r, false
			}
		case oidArchiveCutoff:
			// One that cannot be read is none: it could only have added to
			// what the answer says.
			r.kept, _ = e.value.onlyTime()
		}
	}
	return r, true
}

// parseCertID reads the content of a CertID.
func (r *singleResponse) parseCertID(id der) bool {
	algorithm, ok := id.take(tagSequence)
	if !ok {
		return false
	}
	hash, ok := algorithm.take(tagOID)
	if !ok {
		return false
	}
	switch string(hash) {
	case oidSHA1:
		r.hash = crypto.SHA1
	case oidSHA256:
		r.hash = crypto.SHA256
	case oidSHA384:
		r.hash = crypto.SHA384
	case oidSHA512:
		r.hash = crypto.SHA512
	}
	var name, key der
	if name, ok = id.take(tagOctetString); !ok {
		return false
	}
	if key, ok = id.take(tagOctetString); !ok {
		return false
	}
	r.nameHash, r.keyHash = name, key
	r.serial, ok = id.signedInteger()
	return ok && len(id) == 0
}

func parseRevokedInfo(info der) (at time.Time, why Reason, ok bool) {
	if !info.is(tagGeneralizedTime) {
		return at, "", false
	}
	if at, ok = info.time(); !ok {
		return at, "", false
	}
	field, present, ok := info.optional(constructed)
	if !ok || len(info) > 0 {
		return at, "", false
	}
	if present {
		number, ok := field.enumerated()
		if !ok {
			return at, "", false
		}
		why = reasonOf(number)
	}
	return at, why, true
}

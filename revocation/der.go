package revocation

import (
	"encoding/asn1"
	"time"
)

// Tags of the elements that responses and lists are made of.
const (
	tagBoolean         = 0x01
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagOctetString     = 0x04
	tagOID             = 0x06
	tagEnumerated      = 0x0a
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagSequence        = 0x30
	contextual         = 0x80 // primitive, plus the number
	constructed        = 0xa0 // context-specific and constructed, plus the number
)

// der is a run of DER elements that is read from the front. encoding/asn1
// would copy every entry of a long list; this reads in place.
type der []byte

// header reads the tag and the length of the first element, which need not be
// there whole. Lengths are definite and of the shortest form (X.690 section
// 10.1), tags of one octet.
func header(b []byte) (tag byte, start, length int, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, 0, 0, false
	}
	n := int(b[1])
	if n < 0x80 {
		return b[0], 2, n, true
	}
	octets := n & 0x7f
	if octets == 0 || octets > 4 || len(b) < 2+octets || b[2] == 0 {
		return 0, 0, 0, false
	}
	n = 0
	for _, c := range b[2 : 2+octets] {
		n = n<<8 | int(c)
	}
	if n < 0x80 || n > MaxCRLBytes {
		return 0, 0, 0, false
	}
	return b[0], 2 + octets, n, true
}

// next takes the first element, whole and its content.
func (d *der) next() (tag byte, full, content der, ok bool) {
	tag, start, length, ok := header(*d)
	if !ok || length > len(*d)-start {
		return 0, nil, nil, false
	}
	full = (*d)[:start+length]
	*d = (*d)[start+length:]
	return tag, full, full[start:], true
}

// take returns the content of the first element, which must have the tag.
func (d *der) take(tag byte) (content der, ok bool) {
	_, content, ok = d.element(tag)
	return content, ok
}

// element takes the first element, which must have the tag.
func (d *der) element(tag byte) (full, content der, ok bool) {
	if !d.is(tag) {
		return nil, nil, false
	}
	_, full, content, ok = d.next()
	return full, content, ok
}

// is reports whether the next element has the tag.
func (d der) is(tag byte) bool { return len(d) > 0 && d[0] == tag }

// optional takes the content of the first element if it has the tag. ok is
// false if it has and cannot be read.
func (d *der) optional(tag byte) (content der, present, ok bool) {
	if !d.is(tag) {
		return nil, false, true
	}
	content, ok = d.take(tag)
	return content, true, ok
}

// integer takes a non-negative INTEGER in its one encoding and returns its
// content octets, so that equal numbers are equal octets.
func (d *der) integer() (content []byte, ok bool) {
	c, ok := d.take(tagInteger)
	if !ok || len(c) == 0 || len(c) > maxIntegerBytes || c[0]&0x80 != 0 {
		return nil, false
	}
	if len(c) > 1 && c[0] == 0 && c[1]&0x80 == 0 {
		return nil, false
	}
	return c, true
}

// signedInteger is [der.integer] for serial numbers, of which authorities of
// old have issued negative ones.
func (d *der) signedInteger() (content []byte, ok bool) {
	c, ok := d.take(tagInteger)
	if !ok || len(c) == 0 || len(c) > maxIntegerBytes {
		return nil, false
	}
	if len(c) > 1 && (c[0] == 0 && c[1]&0x80 == 0 || c[0] == 0xff && c[1]&0x80 != 0) {
		return nil, false
	}
	return c, true
}

// enumerated reads the whole content of d as one ENUMERATED of one octet.
func (d der) enumerated() (value byte, ok bool) {
	c, ok := d.take(tagEnumerated)
	if !ok || len(d) > 0 || len(c) != 1 || c[0]&0x80 != 0 {
		return 0, false
	}
	return c[0], true
}

// time takes a UTCTime or a GeneralizedTime as RFC 5280 section 4.1.2.5 wants
// them: in UTC, with seconds, without fractions. It is written out, since
// time.Parse would take a third of the time that a long list takes.
func (d *der) time() (time.Time, bool) {
	tag, _, content, ok := d.next()
	if !ok {
		return time.Time{}, false
	}
	var year int
	switch {
	case tag == tagUTCTime && len(content) == 13:
		year = content.digits(0)
		if content = content[2:]; year >= 50 {
			year += 1900
		} else if year >= 0 {
			year += 2000
		}
	case tag == tagGeneralizedTime && len(content) == 15:
		high, low := content.digits(0), content.digits(2)
		if year, content = 100*high+low, content[4:]; high < 0 || low < 0 {
			return time.Time{}, false
		}
	default:
		return time.Time{}, false
	}
	month, day, hour := content.digits(0), content.digits(2), content.digits(4)
	minute, second := content.digits(6), content.digits(8)
	if year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || content[10] != 'Z' {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	// time.Date makes the 2nd of March of the 30th of February.
	return t, t.Month() == time.Month(month) && t.Day() == day
}

// onlyTime reads the whole content of d as one GeneralizedTime.
func (d der) onlyTime() (time.Time, bool) {
	if !d.is(tagGeneralizedTime) {
		return time.Time{}, false
	}
	t, ok := d.time()
	if !ok || len(d) > 0 {
		return time.Time{}, false
	}
	return t, true
}

// digits returns the number that two decimal digits at an offset write, or -1000.
func (d der) digits(at int) int {
	high, low := d[at]-'0', d[at+1]-'0'
	if high > 9 || low > 9 {
		return -1000
	}
	return int(high)*10 + int(low)
}

// extension is an X.509 extension.
type extension struct {
	id       string // content octets of the object identifier
	critical bool
	value    der
}

// extensions reads the content of an Extensions sequence. No extension may be
// there twice (RFC 5280 section 4.2).
func (d der) extensions() (list []extension, ok bool) {
	for len(d) > 0 {
		e, ok := d.extension()
		if !ok || len(list) == maxExtensions {
			return nil, false
		}
		for _, earlier := range list {
			if earlier.id == e.id {
				return nil, false
			}
		}
		list = append(list, e)
	}
	return list, true
}

func (d *der) extension() (e extension, ok bool) {
	fields, ok := d.take(tagSequence)
	if !ok {
		return e, false
	}
	id, ok := fields.take(tagOID)
	if !ok {
		return e, false
	}
	critical, present, ok := fields.optional(tagBoolean)
	if !ok || present && len(critical) != 1 {
		return e, false
	}
	value, ok := fields.take(tagOctetString)
	if !ok || len(fields) > 0 {
		return e, false
	}
	return extension{id: string(id), critical: present && critical[0] != 0, value: value}, true
}

// unknownCritical returns, in dotted form, the first critical extension that is
// not among the known ones, or "".
func unknownCritical(list []extension, known ...string) string {
next:
	for _, e := range list {
		if !e.critical {
			continue
		}
		for _, k := range known {
			if e.id == k {
				continue next
			}
		}
		return dotted(e.id)
	}
	return ""
}

func dotted(id string) string {
	var oid asn1.ObjectIdentifier
	full := append([]byte{tagOID, byte(len(id))}, id...)
	if len(id) >= 0x80 {
		return "of an overlong identifier"
	}
	if _, err := asn1.Unmarshal(full, &oid); err != nil {
		return "of an unreadable identifier"
	}
	return oid.String()
}

// Object identifiers as content octets.
const (
	oidReasonCode         = "\x55\x1d\x15"
	oidInvalidityDate     = "\x55\x1d\x18"
	oidCRLNumber          = "\x55\x1d\x14"
	oidDeltaIndicator     = "\x55\x1d\x1b"
	oidIssuingPoint       = "\x55\x1d\x1c"
	oidDistributionPoints = "\x55\x1d\x1f"
	oidAuthorityKey       = "\x55\x1d\x23"
	oidFreshestCRL        = "\x55\x1d\x2e"
	oidExpiredOnCRL       = "\x55\x1d\x3c"
	oidOCSPBasic          = "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
	oidOCSPNonce          = "\x2b\x06\x01\x05\x05\x07\x30\x01\x02"
	oidOCSPNoCheck        = "\x2b\x06\x01\x05\x05\x07\x30\x01\x05"
	oidArchiveCutoff      = "\x2b\x06\x01\x05\x05\x07\x30\x01\x06"
	oidSHA1               = "\x2b\x0e\x03\x02\x1a"
	oidSHA256             = "\x60\x86\x48\x01\x65\x03\x04\x02\x01"
	oidSHA384             = "\x60\x86\x48\x01\x65\x03\x04\x02\x02"
	oidSHA512             = "\x60\x86\x48\x01\x65\x03\x04\x02\x03"
)

// wrap encodes one element around the parts.
func wrap(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := make([]byte, 0, n+4)
	switch {
	case n < 0x80:
		out = append(out, tag, byte(n))
	case n < 0x100:
		out = append(out, tag, 0x81, byte(n))
	default:
		out = append(out, tag, 0x82, byte(n>>8), byte(n))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

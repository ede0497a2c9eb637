package timestamp

import (
	"crypto"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/notaryv2/notation/reason"
)

// tstInfo is what the authority signed: TSTInfo of RFC 3161 section 2.4.2.
type tstInfo struct {
	policy   oid
	hash     crypto.Hash // of the imprint
	imprint  []byte
	serial   *big.Int
	time     time.Time
	accuracy time.Duration
	nonce    *big.Int // nil: none
}

// Context-specific tags of the fields.
var (
	tagMillis     = asn1.Tag(0).ContextSpecific()
	tagMicros     = asn1.Tag(1).ContextSpecific()
	tagTSA        = asn1.Tag(0).ContextSpecific().Constructed()
	tagExtensions = asn1.Tag(1).ContextSpecific().Constructed()
)

const partTSTInfo = "time-stamp information"

func parseTSTInfo(der []byte) (*tstInfo, error) {
	var (
		info    tstInfo
		content cryptobyte.String
		version int64
	)
	input := cryptobyte.String(der)
	if !input.ReadASN1(&content, asn1.SEQUENCE) || !input.Empty() || !content.ReadASN1Integer(&version) {
		return nil, malformed(partTSTInfo)
	}
	if version != 1 {
		return nil, reason.Errorf(reason.TimestampVersion, "the time-stamp information is of version %d, not 1", version).WithHint(hintForeign)
	}
	if !readOID(&content, &info.policy) {
		return nil, malformed("policy of the time-stamp information")
	}
	if err := info.readImprint(&content); err != nil {
		return nil, err
	}
	var genTime cryptobyte.String
	if !readInteger(&content, &info.serial) || !content.ReadASN1(&genTime, asn1.GeneralizedTime) {
		return nil, malformed(partTSTInfo)
	}
	var err error
	if info.time, err = parseTime(string(genTime)); err != nil {
		return nil, err
	}
	if err := info.readAccuracy(&content); err != nil {
		return nil, err
	}
	return &info, info.readRest(&content)
}

// readImprint reads the digest of what was time-stamped.
func (i *tstInfo) readImprint(s *cryptobyte.String) error {
	var (
		content cryptobyte.String
		hash    algorithm
		digest  []byte
	)
	if !s.ReadASN1(&content, asn1.SEQUENCE) || !readAlgorithm(&content, &hash, asn1.SEQUENCE) ||
		!content.ReadASN1Bytes(&digest, asn1.OCTET_STRING) || !content.Empty() {
		return malformed("message imprint")
	}
	if i.hash = hash.digest(); i.hash == 0 {
		return reason.Errorf(reason.TimestampImprintHash, "the digest in the time stamp is by the algorithm %s, which is none of SHA-256, SHA-384 and SHA-512", hash.id).
			WithHint(hintForeign)
	}
	if len(digest) != i.hash.Size() {
		return reason.Errorf(reason.TimestampImprintHash, "the digest in the time stamp has %d bytes, and %v has %d", len(digest), i.hash, i.hash.Size()).
			WithHint(hintForeign)
	}
	i.imprint = digest
	return nil
}

// readRest reads what follows the accuracy.
func (i *tstInfo) readRest(s *cryptobyte.String) error {
	if s.PeekASN1Tag(asn1.BOOLEAN) {
		var ordering bool // says how tokens of one authority compare, which nobody asks here
		if !s.ReadASN1Boolean(&ordering) {
			return malformed(partTSTInfo)
		}
	}
	if s.PeekASN1Tag(asn1.INTEGER) && !readInteger(s, &i.nonce) {
		return malformed("nonce of the time stamp")
	}
	// The name is a hint only: the signer is who the signing-certificate
	// attribute names (RFC 3161 section 2.4.2).
	var extensions cryptobyte.String
	var present bool
	if !s.SkipOptionalASN1(tagTSA) || !s.ReadOptionalASN1(&extensions, &present, tagExtensions) || !s.Empty() {
		return malformed(partTSTInfo)
	}
	if !present {
		return nil
	}
	return checkExtensions(extensions)
}

// checkExtensions refuses a critical extension: this package knows none. The
// argument is the content of Extensions (RFC 5280 section 4.1), which is
// tagged implicitly.
func checkExtensions(s cryptobyte.String) error {
	if s.Empty() {
		return malformed("list of extensions of the time stamp")
	}
	seen := make(map[oid]bool)
	for !s.Empty() {
		var (
			content  cryptobyte.String
			id       oid
			critical bool
		)
		if len(seen) == maxExtensions {
			return reason.Errorf(reason.TimestampTooLarge, "the time stamp has more than %d extensions", maxExtensions).WithHint(hintForeign)
		}
		if !s.ReadASN1(&content, asn1.SEQUENCE) || !readOID(&content, &id) {
			return malformed("list of extensions of the time stamp")
		}
		if content.PeekASN1Tag(asn1.BOOLEAN) && !content.ReadASN1Boolean(&critical) ||
			!content.SkipASN1(asn1.OCTET_STRING) || !content.Empty() {
			return malformed("list of extensions of the time stamp")
		}
		switch {
		case seen[id]:
			return reason.Errorf(reason.TimestampExtension, "the time stamp has the extension %s twice", id).WithHint(hintForeign)
		case critical:
			return reason.Errorf(reason.TimestampExtension, "the time stamp has the critical extension %s, which is not known here", id).WithHint(hintForeign)
		}
		seen[id] = true
	}
	return nil
}

// parseTime reads a GeneralizedTime: RFC 3161 section 2.4.2 has seconds always,
// a fraction if need be, and "Z" for UTC always. Zeros at the end of a fraction,
// which it forbids, are taken: they change nothing, and authorities write them.
func parseTime(s string) (time.Time, error) {
	const whole = "20060102150405"
	fail := func() (time.Time, error) {
		return time.Time{}, reason.Errorf(reason.TimestampTime, "the time %s is not a UTC time of the form YYYYMMDDhhmmss[.s]Z", quote(s)).WithHint(hintForeign)
	}
	text, ok := strings.CutSuffix(s, "Z")
	if !ok || len(text) < len(whole) {
		return fail()
	}
	seconds, fraction := text[:len(whole)], text[len(whole):]
	t, err := time.Parse(whole, seconds)
	if err != nil || t.Format(whole) != seconds || t.Year() == 0 {
		return fail()
	}
	if fraction == "" {
		return t, nil
	}
	digits, ok := strings.CutPrefix(fraction, ".")
	if !ok || digits == "" || len(digits) > 9 {
		return fail()
	}
	nanos := 0
	for i := range 9 {
		nanos *= 10
		if i < len(digits) {
			if digits[i] < '0' || digits[i] > '9' {
				return fail()
			}
			nanos += int(digits[i] - '0')
		}
	}
	return t.Add(time.Duration(nanos)), nil
}

// readAccuracy reads the deviation that the time may have: Accuracy of RFC
// 3161 section 2.4.2, whose parts are 0 if missing. Without any, the baseline
// policy of ETSI EN 319 421 (earlier RFC 3628) promises one second.
func (i *tstInfo) readAccuracy(s *cryptobyte.String) error {
	var content cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&content, &present, asn1.SEQUENCE) {
		return malformed("accuracy of the time stamp")
	}
	if !present {
		if i.policy == oidBaselinePolicy {
			i.accuracy = time.Second
		}
		return nil
	}
	for _, part := range []struct {
		tag      asn1.Tag
		name     string
		unit     time.Duration
		min, max int64
	}{
		{asn1.INTEGER, "seconds", time.Second, 0, int64(maxAccuracy / time.Second)},
		{tagMillis, "milliseconds", time.Millisecond, 1, 999},
		{tagMicros, "microseconds", time.Microsecond, 1, 999},
	} {
		if !content.PeekASN1Tag(part.tag) {
			continue
		}
		var n int64
		if !content.ReadASN1Int64WithTag(&n, part.tag) || n < part.min || n > part.max {
			return reason.Errorf(reason.TimestampAccuracy, "the accuracy of the time stamp has %s that are not an integer from %d to %d", part.name, part.min, part.max).
				WithHint(hintForeign)
		}
		i.accuracy += time.Duration(n) * part.unit
	}
	if !content.Empty() {
		return malformed("accuracy of the time stamp")
	}
	return nil
}

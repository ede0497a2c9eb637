package revocation

import (
	"bytes"
	"crypto/x509"
	"time"

	"github.com/notaryv2/notation/reason"
)

// crlFrame is a CertificateList (RFC 5280 section 5.1) without its entries:
// what stands before and behind them. A list of a million entries has a frame
// of less than a kibibyte.
type crlFrame struct {
	entriesStart, entriesEnd int64 // offsets of the entries' content in the list
	signedStart, signedEnd   int64 // offsets of the TBSCertList

	algorithm  der
	issuer     []byte
	this, next time.Time
	extensions []extension
	signature  []byte
	number     []byte // content octets
	base       []byte // of the delta CRL indicator; nil: a complete list
	scope      crlScope
	rawScope   der
	freshest   der
	kept       time.Time // expiredCertsOnCRL; zero: not stated
}

func crlSyntax(what string) *reason.Error {
	return reason.Errorf(reason.RevocationCRLSyntax, "the revocation list is malformed: %s", what)
}

// parseHead reads what stands before the entries of a list of the given size.
// b is the list or as much of its start as is at hand.
func (f *crlFrame) parseHead(b []byte, size int64) *reason.Error {
	if bytes.HasPrefix(b, []byte("-----BEGIN")) {
		return crlSyntax("it is PEM; RFC 5280 section 4.2.1.13 wants DER").
			WithHint("Have the authority publish the list in DER.")
	}
	tag, start, length, ok := header(b)
	if !ok || tag != tagSequence || int64(start+length) != size {
		return crlSyntax("it is not one DER sequence")
	}
	f.signedStart = int64(start)
	tag, inner, length, ok := header(b[start:])
	pos := start + inner
	f.signedEnd = int64(pos + length)
	if !ok || tag != tagSequence || f.signedEnd > size {
		return crlSyntax("it has no content")
	}
	in := der(b[pos:min(pos+length, len(b))])
	whole := len(in)
	if err := f.parseFields(&in); err != nil {
		return err
	}
	f.entriesStart = int64(pos + whole - len(in))
	f.entriesEnd = f.entriesStart
	if in.is(tagSequence) {
		_, inner, length, ok := header(in)
		if !ok {
			return crlSyntax("it has no entries where they are due")
		}
		f.entriesStart += int64(inner)
		f.entriesEnd = f.entriesStart + int64(length)
	}
	if f.entriesEnd > f.signedEnd {
		return crlSyntax("its entries reach beyond its end")
	}
	return nil
}

// parseFields takes the fields before the entries.
func (f *crlFrame) parseFields(in *der) *reason.Error {
	version, ok := in.integer()
	if !ok || string(version) != "\x01" {
		// RFC 5280 section 5.1.2.1 wants version 2 where there are extensions,
		// and section 5.2 wants extensions.
		return crlSyntax("it is not of version 2")
	}
	if f.algorithm, _, ok = in.element(tagSequence); !ok {
		return crlSyntax("it has no signature algorithm")
	}
	issuer, _, ok := in.element(tagSequence)
	if !ok {
		return crlSyntax("it has no issuer")
	}
	f.issuer = issuer
	if f.this, ok = in.time(); !ok {
		return crlSyntax("it has no time of issue")
	}
	if in.is(tagUTCTime) || in.is(tagGeneralizedTime) {
		if f.next, ok = in.time(); !ok {
			return crlSyntax("its nextUpdate cannot be read")
		}
	}
	return nil
}

// parseTail reads what stands behind the entries.
func (f *crlFrame) parseTail(b []byte) *reason.Error {
	if int64(len(b)) < f.signedEnd-f.entriesEnd {
		return crlSyntax("it is cut off")
	}
	signed, rest := der(b[:f.signedEnd-f.entriesEnd]), der(b[f.signedEnd-f.entriesEnd:])
	list, ok := wrappedExtensions(&signed, constructed)
	if !ok || len(signed) > 0 {
		return crlSyntax("its extensions cannot be read")
	}
	f.extensions = list
	outer, _, ok := rest.element(tagSequence)
	if !ok || !bytes.Equal(outer, f.algorithm) {
		return crlSyntax("it names two signature algorithms")
	}
	bits, ok := rest.take(tagBitString)
	if ok {
		f.signature, ok = signatureBits(bits)
	}
	if !ok || len(rest) > 0 {
		return crlSyntax("it has no signature")
	}
	return f.parseExtensions()
}

func (f *crlFrame) parseExtensions() *reason.Error {
	for i := range f.extensions {
		e := &f.extensions[i]
		value, ok := e.value, true
		switch e.id {
		case oidCRLNumber:
			f.number, ok = value.integer()
			ok = ok && len(value) == 0
		case oidDeltaIndicator:
			f.base, ok = value.integer()
			ok = ok && len(value) == 0
		case oidIssuingPoint:
			f.rawScope = value
			f.scope, ok = parseScope(value)
		case oidFreshestCRL:
			f.freshest = value
		case oidExpiredOnCRL:
			// One that cannot be read is none: it could only have added to
			// what the list says.
			f.kept, _ = value.onlyTime()
		}
		if !ok {
			return crlSyntax("its extension " + dotted(e.id) + " cannot be read")
		}
	}
	return nil
}

// judge decides whether the list may be used now for certificates of the
// issuer. digest is that of the signed part.
func (f *crlFrame) judge(issuer *x509.Certificate, digest []byte) *reason.Error {
	alg, err := algorithmOf(f.algorithm)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(f.issuer, issuer.RawSubject):
		return reason.Errorf(reason.RevocationCRLSigner, "the revocation list is of another issuer")
	case issuer.KeyUsage&x509.KeyUsageCRLSign == 0:
		// RFC 5280 section 6.3.3 (f).
		return reason.Errorf(reason.RevocationCRLSigner, "the issuer's certificate does not allow it to sign revocation lists")
	case !alg.verifies(issuer.PublicKey, digest, f.signature):
		return reason.Errorf(reason.RevocationCRLSigner, "the revocation list is not signed by the issuer")
	}
	if id := unknownCritical(f.extensions, oidCRLNumber, oidDeltaIndicator, oidIssuingPoint, oidAuthorityKey, oidFreshestCRL, oidExpiredOnCRL); id != "" {
		return reason.Errorf(reason.RevocationCRLExtension, "the revocation list has the critical extension %s", id)
	}
	if f.number == nil {
		// RFC 5280 section 5.2.3: authorities "MUST include this extension in
		// all CRLs". Without it an old list cannot be told from a new one.
		return reason.Errorf(reason.RevocationCRLNumber, "the revocation list has no number")
	}
	return nil
}

// current checks the times of the list.
func (f *crlFrame) current(now time.Time) *reason.Error {
	switch {
	case f.this.After(now.Add(skew)):
		return reason.Errorf(reason.RevocationCRLTime, "the revocation list is of the future, %s", stamp(f.this))
	case f.next.IsZero():
		// RFC 5280 section 5.1.2.5 wants it in all lists.
		return reason.Errorf(reason.RevocationCRLTime, "the revocation list does not say when the next one comes")
	case f.next.Before(f.this):
		return reason.Errorf(reason.RevocationCRLTime, "the revocation list ends before it begins")
	case now.After(f.next.Add(skew)):
		return reason.Errorf(reason.RevocationCRLTime, "the revocation list expired at %s", stamp(f.next))
	}
	return nil
}

// older reports whether f was issued before g, both of which are lists for the
// same certificate, by number and then by time. Lists of different scopes may be
// numbered apart, so that only the time says something about them.
func (f *crlFrame) older(g *crlFrame) bool {
	if string(f.rawScope) == string(g.rawScope) {
		if c := compareIntegers(f.number, g.number); c != 0 {
			return c < 0
		}
	}
	return f.this.Before(g.this)
}

// compareIntegers compares non-negative numbers as DER content octets of the
// one encoding.
func compareIntegers(a, b []byte) int {
	a, b = bytes.TrimLeft(a, "\x00"), bytes.TrimLeft(b, "\x00")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}

// entry is what a list says about one certificate.
type entry struct {
	revokedAt, invalidity time.Time
	reason                Reason
}

// takeEntry takes the serial number of the next entry of a list and what else
// is in it. It reads the least that is needed to pass over it safely.
func takeEntry(in *der) (full, serial []byte, rest der, ok bool) {
	whole, fields, ok := in.element(tagSequence)
	if !ok || len(whole) > maxEntryBytes {
		return nil, nil, nil, false
	}
	serial, ok = fields.signedInteger()
	return whole, serial, fields, ok
}

// parseEntry reads what follows the serial number. The extensions of an entry
// are those of RFC 5280 section 5.3; certificateIssuer, which is critical, is
// for indirect lists and not known here.
func parseEntry(rest der) (e entry, critical string, ok bool) {
	if e.revokedAt, ok = rest.time(); !ok {
		return e, "", false
	}
	list, present, ok := rest.optional(tagSequence)
	if !ok || len(rest) > 0 {
		return e, "", false
	}
	if !present {
		return e, "", true
	}
	extensions, ok := list.extensions()
	if !ok {
		return e, "", false
	}
	for _, x := range extensions {
		switch x.id {
		case oidReasonCode:
			number, ok := x.value.enumerated()
			if !ok {
				return e, "", false
			}
			e.reason = reasonOf(number)
		case oidInvalidityDate:
			if e.invalidity, ok = x.value.onlyTime(); !ok {
				return e, "", false
			}
		}
	}
	return e, unknownCritical(extensions, oidReasonCode, oidInvalidityDate), true
}

package revocation

import (
	"crypto/x509"

	"github.com/notaryv2/notation/reason"
)

// reasonSet is a set of reasons as in ReasonFlags, the first bit (unused)
// lowest.
type reasonSet uint16

// allReasons are the bits 1 to 8 of ReasonFlags, RFC 5280 section 4.2.1.13.
const allReasons reasonSet = 0x1fe

// crlScope is an issuing distribution point, RFC 5280 section 5.2.5. The zero
// value is that of a list without the extension: it covers everything.
type crlScope struct {
	named         bool // it has a distribution point name
	names         []string
	onlyUser      bool
	onlyCA        bool
	onlyAttribute bool
	indirect      bool
	onlySome      bool
	some          reasonSet
}

func parseScope(value der) (s crlScope, ok bool) {
	fields, ok := value.take(tagSequence)
	if !ok || len(value) > 0 {
		return s, false
	}
	name, present, ok := fields.optional(constructed)
	if !ok {
		return s, false
	}
	if s.named = present; present {
		if s.names, _, ok = parsePointName(name); !ok {
			return s, false
		}
	}
	for _, flag := range []struct {
		tag   byte
		value *bool
	}{{1, &s.onlyUser}, {2, &s.onlyCA}, {3, nil}, {4, &s.indirect}, {5, &s.onlyAttribute}} {
		content, present, ok := fields.optional(contextual | flag.tag)
		if !ok {
			return s, false
		}
		if !present {
			continue
		}
		if flag.value == nil {
			s.onlySome = true
			s.some, ok = parseReasons(content)
		} else {
			ok = len(content) == 1
			*flag.value = ok && content[0] != 0
		}
		if !ok {
			return s, false
		}
	}
	return s, len(fields) == 0
}

// parseReasons reads the content of a ReasonFlags bit string.
func parseReasons(content der) (set reasonSet, ok bool) {
	if len(content) < 2 || len(content) > 3 || content[0] > 7 {
		return 0, false
	}
	for i := range 9 {
		octet := 1 + i/8
		if octet < len(content) && content[octet]&(0x80>>(i%8)) != 0 {
			set |= 1 << i
		}
	}
	return set & allReasons, true
}

// parsePointName reads the content of a DistributionPointName: its general
// names, each as its DER, and the addresses among them. A name relative to the
// issuer has neither: it could be compared with its like only, which nobody
// uses.
func parsePointName(name der) (names, urls []string, ok bool) {
	full, present, ok := name.optional(constructed)
	if !ok {
		return nil, nil, false
	}
	if !present {
		_, ok = name.take(constructed | 1)
		return nil, nil, ok && len(name) == 0
	}
	for len(full) > 0 {
		tag, whole, content, ok := full.next()
		if !ok || len(names) == maxNames {
			return nil, nil, false
		}
		names = append(names, string(whole))
		if tag == contextual|6 {
			urls = append(urls, string(content))
		}
	}
	return names, urls, len(name) == 0
}

// point is a distribution point of a certificate, RFC 5280 section 4.2.1.13.
type point struct {
	names    []string // general names in DER
	urls     []string
	reasons  reasonSet
	indirect bool // somebody else than the certificate's issuer signs the list
}

// parsePoints reads CRLDistributionPoints, or FreshestCRL, which has the same
// form. Of more than maxPoints the rest is left out.
func parsePoints(value der) (points []point, ok bool) {
	list, ok := value.take(tagSequence)
	if !ok || len(value) > 0 {
		return nil, false
	}
	for len(list) > 0 && len(points) < maxPoints {
		fields, ok := list.take(tagSequence)
		if !ok {
			return nil, false
		}
		p := point{reasons: allReasons}
		name, present, ok := fields.optional(constructed)
		if present && ok {
			p.names, p.urls, ok = parsePointName(name)
		}
		if !ok {
			return nil, false
		}
		flags, present, ok := fields.optional(contextual | 1)
		if present && ok {
			p.reasons, ok = parseReasons(flags)
		}
		if !ok {
			return nil, false
		}
		if _, p.indirect, ok = fields.optional(constructed | 2); !ok || len(fields) > 0 {
			return nil, false
		}
		points = append(points, p)
	}
	return points, true
}

// covers returns the reasons for which the list would name the certificate, if
// it was reached by p: RFC 5280 section 6.3.3 (b) and (d).
func (s *crlScope) covers(cert *x509.Certificate, p point) (reasonSet, *reason.Error) {
	scope := func(what string) (reasonSet, *reason.Error) {
		return 0, reason.Errorf(reason.RevocationCRLScope, "the revocation list %s", what)
	}
	switch {
	case s.indirect || p.indirect:
		return scope("is an indirect one, which is not supported")
	case s.onlyAttribute:
		return scope("is for attribute certificates only")
	case s.onlyUser && cert.IsCA:
		return scope("does not cover certificates of authorities")
	case s.onlyCA && !cert.IsCA:
		return scope("covers certificates of authorities only")
	case s.named && !shareName(s.names, p.names):
		return scope("is that of another distribution point")
	}
	if s.onlySome {
		return p.reasons & s.some, nil
	}
	return p.reasons, nil
}

func shareName(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

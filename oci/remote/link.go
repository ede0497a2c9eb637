package remote

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// nextPage returns the URL of the page after the one at current, or nil if
// there is none. A link may be relative. It must stay on the origin of
// current: a listing is no reason to talk to somebody else.
func nextPage(h http.Header, current *url.URL) (*url.URL, error) {
	for _, field := range h.Values("Link") {
		target, ok := linkTarget(field, "next")
		if !ok {
			continue
		}
		next, err := current.Parse(target)
		if err != nil || len(target) > maxLink {
			return nil, reason.Errorf(reason.RegistryListing, "registry %s links to a next page at the unusable address %s", current.Host, quote(target))
		}
		next.Fragment, next.RawFragment = "", ""
		if !sameOrigin(next, current) || next.User != nil {
			return nil, reason.Errorf(reason.RegistryListing, "registry %s links to a next page elsewhere, at %s, which is not followed",
				current.Host, quote(printable(next)))
		}
		return next, nil
	}
	return nil, nil
}

// linkTarget returns the target of the first link in a Link field that has the
// relation rel: RFC 8288, section 3, in the forgiving way of its appendix B.2.
func linkTarget(field, rel string) (string, bool) {
	rest := field
	for {
		start := strings.IndexByte(rest, '<')
		if start < 0 {
			return "", false
		}
		end := strings.IndexByte(rest[start:], '>')
		if end < 0 {
			return "", false
		}
		target := rest[start+1 : start+end]
		var params string
		params, rest = cutUnquoted(rest[start+end+1:], ',')
		if hasRelation(params, rel) {
			return strings.TrimSpace(target), true
		}
	}
}

// cutUnquoted splits at the first separator outside quotes.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if quoted {
				i++
			}
		case '"':
			quoted = !quoted
		case sep:
			if !quoted {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

// hasRelation reports whether the parameters of a link hold rel=rel, bare or
// quoted, alone or among several.
func hasRelation(params, rel string) bool {
	for params != "" {
		var param string
		param, params = cutUnquoted(params, ';')
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for r := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(r, rel) {
				return true
			}
		}
	}
	return false
}

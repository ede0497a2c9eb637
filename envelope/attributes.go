package envelope

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

// Names of the attributes, the same in JWS and COSE.
const (
	nameScheme           = "io.cncf.notary.signingScheme"
	nameSigningTime      = "io.cncf.notary.signingTime"
	nameAuthenticTime    = "io.cncf.notary.authenticSigningTime"
	nameExpiry           = "io.cncf.notary.expiry"
	namePlugin           = "io.cncf.notary.verificationPlugin"
	namePluginMinVersion = "io.cncf.notary.verificationPluginMinVersion"
	nameTimestamp        = "io.cncf.notary.timestampSignature"
	nameAgent            = "io.cncf.notary.signingAgent"
)

// place says where a header parameter may stand.
type place uint8

const (
	anywhere    place = iota // not known here
	protected                // signed only
	unprotected              // unsigned only
	nowhere                  // in no envelope of this format
)

// places lists the names that have a place, folded, so that a name in another
// case is recognised as the counterfeit that it is.
//
// Nowhere are those that name the signing key in another way than by the chain
// (jwk, jku, x5u, x5t: RFC 7515 section 4.1), since a reader who follows them
// verifies with another key than we do; and b64, which makes the same payload
// mean other bytes (RFC 7797).
var places = foldKeys(map[string]place{
	"alg": protected, "cty": protected, "crit": protected,
	nameScheme:           protected,
	nameSigningTime:      protected,
	nameAuthenticTime:    protected,
	nameExpiry:           protected,
	namePlugin:           protected,
	namePluginMinVersion: protected,
	nameTimestamp:        unprotected,
	nameAgent:            unprotected,
	"x5c":                unprotected,
	"x5chain":            nowhere, // the name of COSE label 33
	"jwk":                nowhere,
	"jku":                nowhere,
	"x5u":                nowhere,
	"x5t":                nowhere,
	"x5t#S256":           nowhere,
	"x5bag":              nowhere,
	"b64":                nowhere,
})

func foldKeys(m map[string]place) map[string]place {
	folded := make(map[string]place, len(m))
	for name, p := range m {
		folded[fold(name)] = p
	}
	return folded
}

// fold returns the one representative of all names that are equal without
// regard to case. It folds as encoding/json does when it looks for a field, so
// that ſ (U+017F) is an s and the Kelvin sign (U+212A) a k: a reader built on
// it takes a name with one of them for the real one, and lower case does not.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}

// checkUnknownName refuses a text name, which the parser does not know in this
// place, if it is or resembles one that belongs elsewhere.
func checkUnknownName(name string, in place) error {
	if name == "" || len(name) > maxNameLength || !utf8.ValidString(name) {
		return reason.Errorf(reason.EnvelopeHeader, "a header parameter's name is empty, too long or not UTF-8")
	}
	switch p := places[fold(name)]; {
	case p == anywhere:
		return nil
	case p == protected && in == unprotected:
		return reason.Errorf(reason.EnvelopeUnprotected, "parameter %s stands in the unprotected header", quote(name))
	case p == nowhere:
		return reason.Errorf(reason.EnvelopeHeader, "parameter %s must not stand in a signature envelope", quote(name))
	default:
		return reason.Errorf(reason.EnvelopeHeader, "parameter %s is written wrongly or stands in the wrong header", quote(name))
	}
}

// attributes are the signed attributes as a parser found them. Pointers and
// zero times tell absent ones.
type attributes struct {
	contentType   string
	scheme        string
	critical      []string
	signingTime   time.Time
	authenticTime time.Time
	expiry        time.Time
	plugin        *string
	minVersion    *string
	extended      []Attribute // Critical is not set yet
}

// fill checks the attributes against each other and puts them into c.
func (a *attributes) fill(c *Content) error {
	if a.contentType != MediaTypePayload {
		return reason.Errorf(reason.EnvelopeContentType, "the content type is %s, not %s", quote(a.contentType), MediaTypePayload)
	}
	var err error
	if c.Scheme, err = schemeByName(a.scheme); err != nil {
		return err
	}
	if err := a.checkCritical(); err != nil {
		return err
	}
	if c.SigningTime, err = a.timeOf(c.Scheme); err != nil {
		return err
	}
	if c.Expiry = a.expiry; !c.Expiry.IsZero() && !c.Expiry.After(c.SigningTime) {
		return reason.Errorf(reason.EnvelopeTime, "the expiry is not later than the signing time")
	}
	if err := checkPlugin(a.plugin, a.minVersion); err != nil {
		return err
	}
	if a.plugin != nil {
		c.VerificationPlugin = *a.plugin
	}
	if a.minVersion != nil {
		c.PluginMinVersion = *a.minVersion
	}
	slices.SortFunc(a.extended, func(x, y Attribute) int { return cmp.Compare(x.Key, y.Key) })
	c.Extended = a.extended
	return nil
}

// timeOf returns the one signing time that goes with the scheme.
func (a *attributes) timeOf(s Scheme) (time.Time, error) {
	want, other := a.signingTime, a.authenticTime
	wantName, otherName := nameSigningTime, nameAuthenticTime
	if s == SchemeSigningAuthority {
		want, other = other, want
		wantName, otherName = otherName, wantName
	}
	if !other.IsZero() {
		return time.Time{}, reason.Errorf(reason.EnvelopeTime, "scheme %s does not allow attribute %s", s, otherName)
	}
	if want.IsZero() {
		return time.Time{}, reason.Errorf(reason.EnvelopeTime, "scheme %s requires attribute %s", s, wantName)
	}
	return want, nil
}

// has reports whether a signed attribute, which may stand in the critical
// list, is there.
func (a *attributes) has(name string) bool {
	switch name {
	case nameScheme:
		return a.scheme != ""
	case nameSigningTime:
		return !a.signingTime.IsZero()
	case nameAuthenticTime:
		return !a.authenticTime.IsZero()
	case nameExpiry:
		return !a.expiry.IsZero()
	case namePlugin:
		return a.plugin != nil
	case namePluginMinVersion:
		return a.minVersion != nil
	}
	return slices.ContainsFunc(a.extended, func(e Attribute) bool { return e.Key == name })
}

// mustBeCritical are the attributes that change the meaning of the signature,
// so that a reader who does not know them must refuse it.
var mustBeCritical = [...]string{nameScheme, nameAuthenticTime, nameExpiry, namePlugin, namePluginMinVersion}

// checkCritical checks the critical list (RFC 7515 section 4.1.11, RFC 9052
// section 3.1) and marks the extended attributes in it.
func (a *attributes) checkCritical() error {
	if len(a.critical) == 0 {
		return reason.Errorf(reason.EnvelopeCritical, "the list of critical attributes is missing or empty")
	}
	if len(a.critical) > len(mustBeCritical)+1+maxExtended {
		return reason.Errorf(reason.EnvelopeTooLarge, "the list of critical attributes has %d entries", len(a.critical))
	}
	for i, name := range a.critical {
		if slices.Contains(a.critical[:i], name) {
			return reason.Errorf(reason.EnvelopeCritical, "critical attribute %s is listed twice", quote(name))
		}
		if standardNames[name] {
			return reason.Errorf(reason.EnvelopeCritical, "standard parameter %s is listed as critical", quote(name))
		}
		if !a.has(name) {
			return reason.Errorf(reason.EnvelopeCritical, "critical attribute %s is not in the protected header", quote(name))
		}
	}
	for _, name := range mustBeCritical {
		if a.has(name) && !slices.Contains(a.critical, name) {
			return reason.Errorf(reason.EnvelopeCritical, "attribute %s is not listed as critical", name)
		}
	}
	for i := range a.extended {
		e := &a.extended[i]
		e.Critical = slices.Contains(a.critical, e.Key)
		if _, opaque := e.Value.(Opaque); opaque && e.Critical {
			return reason.Wrap(reason.EnvelopeExtended, errNotRepresentable, "critical attribute %s cannot be read", quote(e.Key))
		}
	}
	return nil
}

// standardNames are the parameters that RFC 7515 section 4.1 defines, which
// by section 4.1.11 no critical list may hold, and b64, which must be
// understood where it is listed and is not.
var standardNames = map[string]bool{
	"alg": true, "jku": true, "jwk": true, "kid": true, "x5u": true, "x5c": true, "x5t": true,
	"x5t#S256": true, "typ": true, "cty": true, "crit": true, "b64": true,
}

// semVer is the grammar of Semantic Versioning 2.0.0. It is compiled when there
// is something to compare, as most programs end before.
var semVer = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)` +
		`(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?` +
		`(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
})

func checkPlugin(plugin, minVersion *string) error {
	if plugin == nil {
		if minVersion != nil {
			return reason.Errorf(reason.EnvelopePlugin, "a minimum plugin version is given without a plugin")
		}
		return nil
	}
	unprintable := func(r rune) bool { return !unicode.IsGraphic(r) }
	if name := *plugin; strings.TrimSpace(name) == "" || len(name) > maxPluginLength || strings.ContainsFunc(name, unprintable) {
		return reason.Errorf(reason.EnvelopePlugin, "%s is no name of a verification plugin", quote(name))
	}
	if minVersion != nil && (len(*minVersion) > maxPluginLength || !semVer().MatchString(*minVersion)) {
		return reason.Errorf(reason.EnvelopePlugin, "minimum plugin version %s is not a semantic version", quote(*minVersion))
	}
	return nil
}

// checkTime checks the form that all times of an envelope have: whole seconds
// in UTC, within the years that this package knows.
func checkTime(name string, t time.Time) error {
	if y := t.Year(); y < minYear || y > maxYear {
		return reason.Errorf(reason.EnvelopeTime, "%s lies in the year %d, outside %d to %d", name, y, minYear, maxYear)
	}
	return nil
}

// maxQuoted bounds what a message repeats of a hostile string, in bytes.
const maxQuoted = 80

// quote renders a hostile string for a terminal: control, format and invalid
// characters escaped, the length bounded.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}

package oci

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

const (
	dockerHub        = "docker.io"
	dockerHubLibrary = "library/"
)

// Reference names an artifact: registry, repository, tag, digest. It is
// comparable. The zero value names nothing. One that [ParseLayoutReference]
// returns has neither registry nor repository.
type Reference struct {
	registry, repository, tag string
	digest                    digest.Digest
}

// ParseReference reads host[:port]/repository[:tag][@digest], the grammar of
// the distribution project's reference specification.
//
// Each repository has one spelling, which a scope of a trust policy has to
// use. Docker Hub's short names are completed: alpine is
// docker.io/library/alpine, user/app is docker.io/user/app, and the hosts
// index.docker.io and registry-1.docker.io are docker.io. The host is lowered
// and an IPv6 address is written as in RFC 5952, an IPv4-mapped one as IPv4. A port is kept as written,
// even where it is the usual one: a registry with and without :443 is two
// scopes. Not accepted are a host that ends in a dot or holds other than
// ASCII, an upper-case repository, a scheme, and a digest of an algorithm
// other than sha256, sha384 and sha512.
//
// A first part without dot or colon is a host only if it is localhost. A lone
// name that looks like a host is refused: whoever forgets the repository does
// not want one of Docker Hub.
//
// Tag and digest may both be missing; whoever needs one checks
// [Reference.CheckComplete]. Errors have the code oci.reference and a hint.
func ParseReference(s string) (Reference, error) {
	if err := checkReferenceText(s); err != nil {
		return Reference{}, err
	}
	var r Reference
	rest, dig, hasDigest := strings.Cut(s, "@")
	if hasDigest {
		d, err := ParseDigest(dig)
		if err != nil {
			return Reference{}, reason.Wrap(reason.OCIReference, err, "reference %s has no valid digest", quote(s)).
				WithHint("%s", reason.Hint(err))
		}
		r.digest = d
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') && !isBracketed(rest) {
		if !isTag(rest[i+1:]) {
			return Reference{}, badReference(s, "has no valid tag after the last colon").
				WithHint("a tag has 1 to %d letters, digits and . _ -, and starts with none of . and -", maxTagLength)
		}
		rest, r.tag = rest[:i], rest[i+1:]
	}
	host, repository, err := splitHost(s, rest)
	if err != nil {
		return Reference{}, err
	}
	if r.registry, err = canonicalHost(s, host); err != nil {
		return Reference{}, err
	}
	r.registry, r.repository = canonicalDockerHub(r.registry, repository)
	if err := checkRepository(s, r.repository); err != nil {
		return Reference{}, err
	}
	return r, nil
}

// isBracketed reports whether rest is nothing but an IPv6 host, whose colons
// separate no tag.
func isBracketed(rest string) bool {
	return strings.HasPrefix(rest, "[") && !strings.Contains(rest, "/")
}

// ParseRepository reads a fully qualified repository, registry/repository, as
// it stands in a scope of a trust policy: without tag, digest or wildcard, and
// exactly as [Reference.Name] spells it. Nothing is normalised: alpine, or an
// upper-case host, is an error whose hint is the spelling that would match.
// Errors have the code oci.repository-name.
func ParseRepository(s string) (Reference, error) {
	fail := func(what string) *reason.Error {
		return reason.Errorf(reason.OCIRepositoryName, "%s %s", quote(s), what)
	}
	if strings.ContainsAny(s, "*?") {
		return Reference{}, fail("holds a wildcard").WithHint("name each repository in full; a pattern is not possible")
	}
	r, err := ParseReference(s)
	if err != nil {
		return Reference{}, reason.Errorf(reason.OCIRepositoryName, "%s", err).WithHint("%s", reason.Hint(err))
	}
	if r.tag != "" || r.digest != "" {
		return Reference{}, fail("holds a tag or digest").WithHint("write %s", r.Name())
	}
	if r.Name() != s {
		return Reference{}, fail("is not written in full and in lower case").WithHint("write %s", r.Name())
	}
	return r, nil
}

// Registry returns the host with its port, if it has one; "" for a layout.
func (r Reference) Registry() string { return r.registry }

// Repository returns the path of the repository; "" for a layout.
func (r Reference) Repository() string { return r.repository }

// Tag returns the tag, or "".
func (r Reference) Tag() string { return r.tag }

// Digest returns the digest, or "".
func (r Reference) Digest() digest.Digest { return r.digest }

// CheckComplete returns an error with the code oci.reference-incomplete if r
// has neither tag nor digest, and so names no artifact but a whole repository.
func (r Reference) CheckComplete() error {
	if r.tag != "" || r.digest != "" {
		return nil
	}
	return reason.Errorf(reason.OCIReferenceIncomplete, "reference %s has neither tag nor digest", quote(r.Name())).
		WithHint("add :tag or, better, @digest")
}

// Name returns registry/repository, or "" for a layout.
func (r Reference) Name() string {
	if r.registry == "" {
		return ""
	}
	return r.registry + "/" + r.repository
}

// String returns the full reference. That of a layout begins with the colon
// or @ that stands after its path.
func (r Reference) String() string {
	s := r.Name()
	if r.tag != "" {
		s += ":" + r.tag
	}
	if r.digest != "" {
		s += "@" + string(r.digest)
	}
	return s
}

// WithDigest returns the reference by digest only, without tag. d is taken as
// it is.
func (r Reference) WithDigest(d digest.Digest) Reference {
	r.tag, r.digest = "", d
	return r
}

func badReference(s, what string) *reason.Error {
	return reason.Errorf(reason.OCIReference, "reference %s %s", quote(s), what)
}

// checkReferenceText refuses what no reference can hold, with the hint that
// fits, before anything is split.
func checkReferenceText(s string) error {
	switch {
	case s == "":
		return reason.Errorf(reason.OCIReference, "the reference is empty").
			WithHint("write registry/repository:tag or registry/repository@digest")
	case len(s) > MaxReferenceLength:
		return badReference(s, "is longer than "+strconv.Itoa(MaxReferenceLength)+" bytes")
	}
	// A user or password before the host must not be repeated in an error.
	if at := strings.IndexByte(s, '@'); at >= 0 && strings.ContainsAny(s[at+1:], "/@") {
		return reason.Errorf(reason.OCIReference, "the reference holds an @ that is not before a digest").
			WithHint("leave out user and password; use login, or --username and --password-stdin")
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		return badReference(s, "begins with a scheme").WithHint("drop %s:// and write %s", clean(scheme), clean(rest))
	}
	for i, c := range s {
		switch {
		case c >= utf8.RuneSelf:
			return badReference(s, "holds a character that is not ASCII").
				WithHint("write an internationalised host name in punycode, xn--...")
		case c <= ' ' || c == 0x7f:
			return badReference(s, "holds white space or a control character at byte "+strconv.Itoa(i+1)).
				WithHint("remove it, and quote shell variables")
		}
	}
	return nil
}

// clean returns what of s may stand unquoted in a hint.
func clean(s string) string {
	q := quote(s)
	return strings.TrimSuffix(strings.TrimPrefix(q, `"`), `"`)
}

// splitHost splits a reference without tag and digest into host and
// repository. s is the whole, for errors.
func splitHost(s, rest string) (host, repository string, err error) {
	first, remainder, ok := strings.Cut(rest, "/")
	isHost := strings.ContainsAny(first, ".:[") || strings.EqualFold(first, "localhost")
	switch {
	case isHost && ok:
		return first, remainder, nil
	case isHost:
		return "", "", badReference(s, "names a host, but no repository").
			WithHint("write HOST/REPOSITORY:TAG, or %s/%sNAME:TAG for an official image of Docker Hub", dockerHub, dockerHubLibrary)
	}
	return dockerHub, rest, nil
}

// canonicalDockerHub gives the registry of Docker its one name, and its
// official images the name space they live in.
func canonicalDockerHub(host, repository string) (string, string) {
	switch host {
	case "index.docker.io", "registry-1.docker.io":
		host = dockerHub
	}
	if host == dockerHub && repository != "" && !strings.Contains(repository, "/") {
		repository = dockerHubLibrary + repository
	}
	return host, repository
}

// canonicalHost checks host[:port] and returns its one spelling.
func canonicalHost(s, hostport string) (string, error) {
	host, port, hasPort := hostport, "", false
	if strings.HasPrefix(hostport, "[") {
		end := strings.IndexByte(hostport, ']')
		addr, err := netip.ParseAddr(hostport[1:max(end, 1)])
		if end < 0 || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", badReference(s, "has no valid IPv6 address in brackets").WithHint("write it as in [::1]:5000/repository")
		}
		// An IPv4-mapped address (RFC 4291, section 2.5.5.2) is that of the same host.
		if host = addr.Unmap().String(); addr.Unmap().Is6() {
			host = "[" + host + "]"
		}
		if after := hostport[end+1:]; after != "" {
			if after[0] != ':' {
				return "", badReference(s, "has something other than a port after the bracket").WithHint("write it as in [::1]:5000/repository")
			}
			port, hasPort = after[1:], true
		}
	} else {
		if strings.Count(hostport, ":") > 1 {
			return "", badReference(s, "has a host with several colons").WithHint("an IPv6 address stands in brackets: [::1]:5000/repository")
		}
		host, port, hasPort = strings.Cut(hostport, ":")
		host = strings.ToLower(host)
		if err := checkHostName(s, host); err != nil {
			return "", err
		}
	}
	if !hasPort {
		return host, nil
	}
	// A leading zero would be a second spelling of one port.
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
		return "", badReference(s, "has no valid port").WithHint("a port is a number from 1 to 65535, without leading zero")
	}
	return host + ":" + port, nil
}

// checkHostName checks a host name or IPv4 address: RFC 1123, section 2.1.
func checkHostName(s, host string) error {
	if strings.HasSuffix(host, ".") {
		return badReference(s, "has a host that ends in a dot").WithHint("drop the dot")
	}
	if len(host) > maxHostLength {
		return badReference(s, "has a host longer than "+strconv.Itoa(maxHostLength)+" bytes")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !isHostLabel(label) {
			return badReference(s, "has no valid host name").
				WithHint("a host name has letters, digits and inner hyphens between its dots; %s is none", quote(label))
		}
	}
	// A name that ends in a number is an address (RFC 3986, section 3.2.2, and
	// the WHATWG URL standard): 127.1 must not become a second 127.0.0.1.
	if isDigits(labels[len(labels)-1]) {
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is4() {
			return badReference(s, "has a host that is neither a name nor an IPv4 address").
				WithHint("write all four numbers of the address, in decimal")
		}
	}
	return nil
}

func isHostLabel(s string) bool {
	if s == "" || len(s) > maxLabelLength || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !isLowerAlnum(c) && c != '-' {
			return false
		}
	}
	return true
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

func isLowerAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
}

// checkRepository checks the path of a repository.
func checkRepository(s, repository string) error {
	switch {
	case repository == "":
		return badReference(s, "names no repository").WithHint("write registry/repository:tag or registry/repository@digest")
	case len(repository) > maxRepositoryLength:
		return badReference(s, "has a repository longer than "+strconv.Itoa(maxRepositoryLength)+" bytes")
	case strings.ToLower(repository) != repository:
		return badReference(s, "has an upper-case letter in its repository").
			WithHint("repositories are lower case: %s", clean(strings.ToLower(repository)))
	}
	for part := range strings.SplitSeq(repository, "/") {
		if !isPathComponent(part) {
			return badReference(s, "has no valid repository").
				WithHint("the parts of a repository are lower-case letters and digits, joined by one of . _ __ or hyphens; %s is none", quote(part))
		}
	}
	return nil
}

// isPathComponent implements path-component of the distribution project's
// grammar: alphanumerics joined by separators, one of ".", "_", "__" and any
// number of "-".
func isPathComponent(s string) bool {
	for {
		n := 0
		for n < len(s) && isLowerAlnum(s[n]) {
			n++
		}
		if n == 0 {
			return false
		}
		if s = s[n:]; s == "" {
			return true
		}
		sep := 1
		switch s[0] {
		case '.':
		case '_':
			if strings.HasPrefix(s, "__") {
				sep = 2
			}
		case '-':
			sep = len(s) - len(strings.TrimLeft(s, "-"))
		default:
			return false
		}
		s = s[sep:]
	}
}

// isTag implements the tag of the OCI distribution specification.
func isTag(s string) bool {
	if s == "" || len(s) > maxTagLength || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !isLowerAlnum(c) && (c < 'A' || c > 'Z') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

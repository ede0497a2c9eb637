package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// quote returns s in double quotes for an error message: in ASCII, with
// control and bidirectional characters escaped, and cut short.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(s[:maxQuoted]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// statusText is a status for people: "404 Not Found".
func statusText(status int) string {
	if t := http.StatusText(status); t != "" {
		return strconv.Itoa(status) + " " + t
	}
	return strconv.Itoa(status)
}

// registryError is one error in the body of a refusal: OCI distribution
// specification, "Error Codes".
type registryError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// parseErrors reads the body of a refusal, as far as it has the standard form.
func parseErrors(body []byte) []registryError {
	var w struct {
		Errors []strictjson.Raw `json:"errors"`
	}
	if strictjson.UnmarshalOpen(body, &w) != nil {
		return nil
	}
	var list []registryError
	for _, raw := range w.Errors {
		var e registryError
		if strictjson.UnmarshalOpen(raw, &e) == nil {
			list = append(list, e)
		}
	}
	return list
}

// errorDetail says, in parentheses, what the first error in body is.
func errorDetail(body []byte) string {
	for _, e := range parseErrors(body) {
		if text := strings.TrimSpace(e.Code + " " + e.Message); text != "" {
			return " (" + quote(text) + ")"
		}
	}
	return ""
}

func hasErrorCode(p *response, code string) bool {
	for _, e := range parseErrors(p.body) {
		if e.Code == code {
			return true
		}
	}
	return false
}

// statusError says what a response other than 2xx means.
func (r *Repository) statusError(q request, p *response) error {
	who := "registry " + r.name.Registry()
	if !sameOrigin(p.url, r.url("")) {
		// The registry's login is none of that host's business.
		return reason.Errorf(reason.RegistryResponse, "%s redirected the request for %s to %s, which answered %s",
			who, q.what, quote(p.url.Host), statusText(p.status)).WithHint("try again; if it persists, ask the registry's operator")
	}
	answer := who + " answered " + statusText(p.status) + errorDetail(p.body)
	switch {
	case p.status == http.StatusUnauthorized:
		return r.unauthorized(nil, "%s to the request for %s", answer, q.what)
	case p.status == http.StatusForbidden:
		return r.withLoginHint(reason.Errorf(reason.RegistryDenied, "%s to the request for %s", answer, q.what))
	case p.status == http.StatusNotFound:
		return reason.Errorf(reason.OCINotFound, "registry %s does not have %s%s", r.name.Registry(), q.what, errorDetail(p.body)).
			WithHint("check the spelling; some registries also say so to whoever is not logged in")
	case isTransient(p.status):
		return r.unavailable(nil, p.header, "%s to the request for %s", answer, q.what)
	case isRedirect(p.status):
		return reason.Errorf(reason.RegistryRedirect, "%s to the request for %s, and that redirect is not followed", answer, q.what).
			WithHint("name the registry by its own address")
	case p.status == http.StatusBadRequest && r.scheme == "http" && strings.Contains(string(p.body), "HTTPS"):
		// Go's servers and nginx answer so to plain HTTP on a TLS port.
		return reason.Errorf(reason.RegistryTLS, "registry %s expects TLS, but was spoken to in plain HTTP", r.name.Registry()).
			WithHint("leave out --insecure-registry; for a registry on this machine give its root with --ca-file")
	}
	return reason.Errorf(reason.RegistryResponse, "%s to the request for %s", answer, q.what).
		WithHint("see what the registry says with --debug")
}

// unavailable is the error of a transient refusal that did not pass.
func (r *Repository) unavailable(cause error, h http.Header, format string, args ...any) error {
	e := reason.Wrap(reason.RegistryUnavailable, cause, format, args...)
	if wait, ok := retryAfter(h, time.Now()); ok && wait > 0 {
		if wait > r.client.timing.maxRetry {
			return e.WithHint("the registry asks to wait longer than %v; try again later", r.client.timing.maxRetry)
		}
		return e.WithHint("the registry asks to wait %v; try again then", wait.Round(time.Second))
	}
	return e.WithHint("try again later")
}

func (r *Repository) unauthorized(cause error, format string, args ...any) error {
	return r.withLoginHint(reason.Wrap(reason.RegistryUnauthorized, cause, format, args...))
}

// withLoginHint says how to log in, or which login was refused.
func (r *Repository) withLoginHint(e *reason.Error) error {
	registry := r.name.Registry()
	used, fault := r.client.logins.used(r.host)
	switch {
	case !used.isEmpty():
		return e.WithHint("check that the login from %s is right and may do this; to change it: notation login %s", used.sourceName(), registry)
	case fault != nil:
		return e.WithHint("log in with: notation login %s; no login was found, and looking failed: %s", registry, sanitised{fault})
	}
	return e.WithHint("log in with: notation login %s", registry)
}

// transportError says why no response came. An error that has a reason keeps
// it.
func (r *Repository) transportError(ctx context.Context, q request, err error) error {
	registry := r.name.Registry()
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return reason.Wrap(reason.RegistryInterrupted, cause, "interrupted while registry %s was being asked for %s", registry, q.what).
				WithHint("run it again")
		}
		return reason.Wrap(reason.RegistryTimeout, cause, "registry %s was still being asked for %s", registry, q.what).
			WithHint("allow more time with --timeout")
	}
	if e, ok := errors.AsType[*reason.Error](err); ok {
		return e
	}
	if t, ok := errors.AsType[*tokenRefusal](err); ok {
		return r.tokenError(q, t)
	}
	switch {
	case errors.Is(err, errStalled):
		return reason.Wrap(reason.RegistryTimeout, err, "registry %s stalled while it was asked for %s", registry, q.what).
			WithHint("check the network, then try again")
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return r.unauthorized(nil, "registry %s asks for a login to give %s", registry, q.what)
	case errors.Is(err, http.ErrSchemeMismatch):
		return reason.Wrap(reason.RegistryPlainHTTP, nil, "registry %s speaks plain HTTP, but was spoken to in TLS", registry).
			WithHint("if its network is trusted, allow plain HTTP with --insecure-registry")
	}
	if hint, ok := tlsHint(err); ok {
		return reason.Wrap(reason.RegistryTLS, sanitised{withoutURL(err)}, "no trusted TLS connection to registry %s", registry).WithHint("%s", hint)
	}
	var network net.Error
	if errors.As(err, &network) || isBrokenConnection(err) {
		return reason.Wrap(reason.RegistryUnreachable, sanitised{withoutURL(err)}, "no answer from registry %s", registry).
			WithHint("check the name, the network and the proxy settings")
	}
	if strings.Contains(err.Error(), "missing username or password") {
		// What oras-go says, without a type, to a token where Basic is asked for.
		return r.unauthorized(nil, "registry %s asks for user name and password to give %s, and there is only a token", registry, q.what)
	}
	return reason.Wrap(reason.RegistryResponse, sanitised{err}, "no usable answer from registry %s to the request for %s", registry, q.what).
		WithHint("see what the registry says with --debug")
}

// tokenError says what the refusal of a token service means.
func (r *Repository) tokenError(q request, t *tokenRefusal) error {
	switch {
	case t.status == http.StatusUnauthorized:
		return r.unauthorized(t, "no token for %s", q.what)
	case t.status == http.StatusForbidden:
		return r.withLoginHint(reason.Wrap(reason.RegistryDenied, t, "no token for %s", q.what))
	case isTransient(t.status):
		return r.unavailable(t, t.header, "no token for %s", q.what)
	}
	return reason.Wrap(reason.RegistryResponse, t, "no token for %s", q.what).WithHint("see what the token service says with --debug")
}

// withoutURL takes the URL off an error of net/http. Its query may hold secrets
// of an upload or of a redirect to an object store.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// sanitised prints an error of lower layers, which may repeat text of the
// registry, so that it is safe on a terminal.
type sanitised struct{ err error }

func (s sanitised) Error() string {
	q := strconv.QuoteToASCII(s.err.Error())
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

func (s sanitised) Unwrap() error { return s.err }

// tlsHint reports whether err is a failure of TLS, and what to do about it.
func tlsHint(err error) (string, bool) {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		alert     *net.OpError
		record    tls.RecordHeaderError
	)
	const skip = "or, for a test only, use --insecure-skip-tls-verify"
	switch {
	case errors.As(err, &authority):
		return "give the registry's root certificate with --ca-file, " + skip, true
	case errors.As(err, &name):
		return "use the host name that the registry's certificate holds, " + skip, true
	case errors.As(err, &invalid):
		return "have the registry's certificate renewed, " + skip, true
	case errors.As(err, &verify):
		return "give the registry's root certificate with --ca-file, " + skip, true
	case errors.As(err, &alert) && alert.Op == "remote error":
		// So crypto/tls marks an alert that the other side sent.
		return "if the registry asks for a client certificate, give it with --cert-file and --key-file", true
	case errors.As(err, &record):
		return "check the port; if the registry speaks plain HTTP, allow that with --insecure-registry", true
	}
	return "", false
}

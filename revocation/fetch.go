package revocation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// fetcher asks http servers that certificates name.
type fetcher struct {
	direct  http.RoundTripper // for an address that a certificate names
	guarded http.RoundTripper // for redirects; nil: there are none
	proxy   func(*http.Request) (*url.URL, error)
	private bool // redirects may lead into private networks
}

// request is one thing to ask for.
type request struct {
	method, url string
	body        []byte
	sent        string // media type of the body
	wanted      string // media type that the answer must have; "": any
	limit       int64  // bytes
}

// statusError is an answer of another status than 200.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("HTTP status %d", int(e)) }

// checkURL parses an address from a certificate.
func checkURL(raw string) (*url.URL, *reason.Error) {
	bad := func(what string) (*url.URL, *reason.Error) {
		return nil, reason.Errorf(reason.RevocationAddress, "the address %s %s", shown(raw), what)
	}
	if len(raw) > maxURLBytes {
		return bad("is too long")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return bad("cannot be parsed")
	case u.Scheme != "http":
		// RFC 5280 section 8 warns of https: checking its certificate may need
		// the very answer that is being asked for. ldap, ftp and file are of
		// no use to whoever does not mean harm.
		return bad("is not http")
	case u.User != nil:
		return bad("has a user name in it")
	case u.Opaque != "" || u.Hostname() == "":
		return bad("has no host")
	}
	return u, nil
}

// shown quotes hostile text for a message.
func shown(s string) string {
	const limit = 200
	if len(s) > limit {
		return fmt.Sprintf("%+q...", s[:limit])
	}
	return fmt.Sprintf("%+q", s)
}

// do makes a request, follows redirects, and returns the body of a success.
func (f *fetcher) do(ctx context.Context, r request) ([]byte, *reason.Error) {
	u, fault := checkURL(r.url)
	if fault != nil {
		return nil, fault
	}
	transport := f.direct
	for range maxRedirects + 1 {
		response, err := f.once(ctx, transport, u, r)
		if err != nil {
			return nil, fetchFault(ctx, u, err)
		}
		target, fault := f.redirect(u, response)
		if fault == nil && target == nil {
			body, fault := readBody(ctx, u, response, r)
			_ = response.Body.Close()
			return body, fault
		}
		_ = response.Body.Close()
		if fault != nil {
			return nil, fault
		}
		if u, transport, fault = target, f.guarded, nil; f.viaProxy(u) || f.private {
			transport = f.direct
		}
	}
	return nil, reason.Errorf(reason.RevocationRedirect, "%s redirects more than %d times", shown(r.url), maxRedirects)
}

func (f *fetcher) viaProxy(u *url.URL) bool {
	if f.proxy == nil {
		return false
	}
	via, err := f.proxy(&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}})
	return err == nil && via != nil
}

func (f *fetcher) once(ctx context.Context, transport http.RoundTripper, u *url.URL, r request) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Accept", "*/*")
	if r.wanted != "" {
		q.Header.Set("Accept", r.wanted)
	}
	// The bounds are on what is sent: a few bytes must not become gigabytes.
	q.Header.Set("Accept-Encoding", "identity")
	q.Header.Set("User-Agent", "notation")
	if r.sent != "" {
		q.Header.Set("Content-Type", r.sent)
	}
	return transport.RoundTrip(q)
}

// redirect returns where a response leads, or nil if it is final.
func (f *fetcher) redirect(from *url.URL, response *http.Response) (*url.URL, *reason.Error) {
	switch response.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	refused := func(what string) (*url.URL, *reason.Error) {
		return nil, reason.Errorf(reason.RevocationRedirect, "%s redirects %s", shown(from.String()), what)
	}
	location, err := from.Parse(response.Header.Get("Location"))
	if err != nil {
		return refused("to an address that cannot be parsed")
	}
	target, fault := checkURL(location.String())
	switch {
	case fault != nil:
		return refused("to what cannot be used: " + fault.Message)
	case f.private:
		return target, nil
	case f.guarded == nil:
		return refused("and where to could not be watched")
	case !publicLiteral(target.Hostname()):
		return refused("into a private network, to " + shown(target.Host))
	}
	return target, nil
}

// fetchFault says why a request failed.
func fetchFault(ctx context.Context, u *url.URL, err error) *reason.Error {
	if guard, ok := errors.AsType[*privateError](err); ok {
		return reason.Errorf(reason.RevocationRedirect, "%s is reached by a redirect and is in a private network, at %s",
			shown(u.String()), guard.address)
	}
	if ctx.Err() != nil {
		return reason.Wrap(reason.RevocationFetch, context.Cause(ctx), "%s did not answer in time", shown(u.String()))
	}
	if status, ok := errors.AsType[statusError](err); ok {
		return reason.Wrap(reason.RevocationFetch, status, "%s refused", shown(u.String()))
	}
	// What the transport says may quote the server at length.
	return reason.Wrap(reason.RevocationFetch, quotedError{err}, "%s could not be reached", shown(u.String()))
}

// quotedError shows a foreign error safely.
type quotedError struct{ err error }

func (e quotedError) Error() string { return shown(e.err.Error()) }
func (e quotedError) Unwrap() error { return e.err }

// readBody reads the answer within its bounds.
func readBody(ctx context.Context, u *url.URL, response *http.Response, r request) ([]byte, *reason.Error) {
	if response.StatusCode != http.StatusOK {
		return nil, fetchFault(ctx, u, statusError(response.StatusCode))
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") || response.Uncompressed {
		return nil, reason.Errorf(reason.RevocationContentType, "%s answers compressed", shown(u.String()))
	}
	if r.wanted != "" {
		got := response.Header.Get("Content-Type")
		if media, _, err := mime.ParseMediaType(got); err != nil || media != r.wanted {
			return nil, reason.Errorf(reason.RevocationContentType, "%s answers with %s, not %s", shown(u.String()), shown(got), r.wanted)
		}
	}
	tooLarge := reason.Errorf(reason.RevocationTooLarge, "the answer of %s is longer than %d bytes", shown(u.String()), r.limit)
	if response.ContentLength > r.limit {
		return nil, tooLarge
	}
	body, err := readGrowing(io.LimitReader(response.Body, r.limit+1), response.ContentLength)
	switch {
	case err != nil:
		return nil, fetchFault(ctx, u, err)
	case int64(len(body)) > r.limit:
		return nil, tooLarge
	}
	return body, nil
}

// readGrowing reads everything. Memory for the announced length is set aside
// only once a good part of it has come. What comes without a length is kept in
// pieces until the end, so that growing leaves no garbage behind.
func readGrowing(in io.Reader, announced int64) ([]byte, error) {
	var pieces [][]byte
	piece, total := make([]byte, 0, firstBuffer), 0
	for {
		if len(piece) == cap(piece) {
			pieces, total = append(pieces, piece), total+len(piece)
			size := min(total, trustedLength)
			if total >= trustedLength && announced > int64(total) {
				whole := slices.Concat(pieces...)
				piece, pieces, total = append(make([]byte, 0, announced+1), whole...), nil, 0 // room to see the end
			} else {
				piece = make([]byte, 0, size)
			}
		}
		n, err := in.Read(piece[len(piece):cap(piece)])
		piece = piece[:len(piece)+n]
		if errors.Is(err, io.EOF) {
			if len(pieces) == 0 {
				return piece, nil
			}
			return slices.Concat(append(pieces, piece)...), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

package timestamp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation/reason"
)

// Media types of RFC 3161 section 3.4.
const (
	mediaTypeQuery = "application/timestamp-query"
	mediaTypeReply = "application/timestamp-reply"
)

// Client asks time-stamping authorities. It is not changed by use and safe for
// concurrent use. Its zero value has nobody to ask and trusts nobody.
type Client struct {
	// URLs of the authorities, http or https, at most 16. They are tried in
	// this order until one gives a good token.
	URLs []string
	// Roots that a token's chain must lead to; see [Unverified.Verify].
	Roots []*x509.Certificate
	// Policy is the dotted object identifier of the policy that the stamp must
	// be made under. Empty: the authority's choice.
	Policy string
	// Timeout bounds the whole exchange with one authority. 0: DefaultTimeout.
	Timeout time.Duration
	// HTTP carries the requests; its CheckRedirect is not used, as no redirect
	// is followed. nil: a client with a transport like that of net/http.
	HTTP *http.Client
	// Revocation, if not nil, is asked about the chain of a good token, leaf
	// first, root last, with the latest time that the stamp may be of. That
	// time is the authority's own word, for which a thief of its key could put
	// any. Its error refuses the token. nil: revocation is not checked.
	Revocation func(ctx context.Context, chain []*x509.Certificate, at time.Time) error
}

// Stamp returns a token in DER over the digest of a signature, verified as
// [Client.Request] does. hash is the hash of the signing algorithm: SHA-256,
// SHA-384 or SHA-512. If every authority fails, the error holds what each said;
// reason.Of returns the first one's code. When ctx is done, no further one is
// tried.
func (c *Client) Stamp(ctx context.Context, signature []byte, hash crypto.Hash) ([]byte, error) {
	switch {
	case len(c.URLs) == 0:
		return nil, reason.Errorf(reason.TimestampURL, "no time-stamping authority is given").WithHint(hintURL)
	case len(c.URLs) > maxURLs:
		return nil, reason.Errorf(reason.TimestampURL, "more than %d time-stamping authorities are given", maxURLs).WithHint("Give fewer of them.")
	}
	var failed attempts
	for _, address := range c.URLs {
		verified, err := c.Request(ctx, address, signature, hash)
		if err == nil {
			return verified.Token(), nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	if len(failed) == 1 {
		return nil, failed[0]
	}
	return nil, failed
}

// attempts is several errors in one line.
type attempts []error

// Error returns all messages.
func (a attempts) Error() string {
	messages := make([]string, len(a))
	for i, err := range a {
		messages[i] = err.Error()
	}
	return strings.Join(messages, "; ")
}

// Unwrap returns all errors.
func (a attempts) Unwrap() []error { return a }

// Request asks one authority for a token over the digest of a signature. The
// request has a fresh nonce and asks for certificates. The reply must have the
// status granted, and the token must hold the digest, the hash, the nonce and,
// if one is asked for, the policy of the request, and verify under the roots
// and before the revocation hook. The error is a *reason.Error that names the
// address.
func (c *Client) Request(ctx context.Context, address string, signature []byte, hash crypto.Hash) (*Verified, error) {
	target, err := parseURL(address)
	if err != nil {
		return nil, err
	}
	verified, err := c.request(ctx, target, signature, hash)
	if err != nil {
		// The wrapping keeps the code of what happened: which authority it was
		// is no reason of its own.
		return nil, reason.Wrap(reason.Of(err), err, "time-stamping authority %s", shownURL(target))
	}
	return verified, nil
}

func (c *Client) request(ctx context.Context, target *url.URL, signature []byte, hash crypto.Hash) (*Verified, error) {
	if digestOID(hash) == "" {
		return nil, reason.Errorf(reason.TimestampRequest, "a time stamp needs SHA-256, SHA-384 or SHA-512, not %v", hash)
	}
	var policy oid
	if c.Policy != "" {
		var ok bool
		if policy, ok = parseOID(c.Policy); !ok {
			return nil, reason.Errorf(reason.TimestampRequest, "the time-stamping policy %s is no object identifier", quote(c.Policy)).
				WithHint("Give it in dotted form, such as 1.3.6.1.4.1.57264.2.")
		}
	}
	nonce := newNonce()
	query, err := encodeRequest(sum(hash, signature), hash, policy, nonce)
	if err != nil {
		return nil, err
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	exchange, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body, err := c.post(exchange, target, query)
	if err != nil {
		return nil, err
	}
	verified, err := c.accept(body, signature, hash, policy, nonce)
	if err != nil {
		return nil, err
	}
	if c.Revocation != nil {
		// Not within the exchange: it asks others, who have bounds of their own.
		_, latest := verified.info.Range()
		if err := c.Revocation(ctx, verified.Info().Chain, latest); err != nil {
			return nil, reason.Wrap(reason.TimestampRevocation, err, "the revocation check of the authority's certificates failed")
		}
	}
	return verified, nil
}

// accept reads a reply, verifies the token in it and compares it with the
// request.
func (c *Client) accept(body, signature []byte, hash crypto.Hash, policy oid, nonce *big.Int) (*Verified, error) {
	token, err := parseResponse(body)
	if err != nil {
		return nil, err
	}
	unverified, err := Parse(token)
	if err != nil {
		return nil, err
	}
	switch info := unverified.info; {
	case info.nonce == nil:
		return nil, reason.Errorf(reason.TimestampNonce, "the token lacks the nonce of the request").WithHint(hintForeign)
	case info.nonce.Cmp(nonce) != 0:
		return nil, reason.Errorf(reason.TimestampNonce, "the token has another nonce than the request").WithHint("Try again, or another time-stamping authority.")
	case info.hash != hash:
		return nil, reason.Errorf(reason.TimestampImprint, "the token holds a digest by %v, and %v was asked for", info.hash, hash).WithHint(hintForeign)
	case policy != "" && info.policy != policy:
		return nil, reason.Errorf(reason.TimestampPolicy, "the token was made under the policy %s, and %s was asked for", info.policy, policy).
			WithHint("Ask for a policy that the authority offers, or use another authority.")
	}
	return unverified.Verify(signature, c.Roots)
}

const hintURL = "Give the authority's address as http://HOST/PATH or https://HOST/PATH."

// shownURL is what errors say of an address: neither its user nor its query,
// where the key of an account may be.
func shownURL(u *url.URL) string {
	bare := *u
	bare.User, bare.RawQuery, bare.ForceQuery, bare.Fragment, bare.RawFragment = nil, "", false, "", ""
	return quote(bare.String())
}

// parseURL reads the address of an authority.
func parseURL(address string) (*url.URL, error) {
	if len(address) > maxURLLength {
		return nil, reason.Errorf(reason.TimestampURL, "the address of the time-stamping authority is longer than %d bytes", maxURLLength).WithHint(hintURL)
	}
	target, err := url.Parse(address)
	switch {
	case err != nil:
		// What url.Parse says repeats the address, password included.
		return nil, reason.Errorf(reason.TimestampURL, "the address of the time-stamping authority is no URL").WithHint(hintURL)
	case target.Scheme != "http" && target.Scheme != "https":
		return nil, reason.Errorf(reason.TimestampURL, "the address %s of the time-stamping authority does not begin with http:// or https://", shownURL(target)).WithHint(hintURL)
	case target.Hostname() == "" || target.Opaque != "":
		return nil, reason.Errorf(reason.TimestampURL, "the address %s of the time-stamping authority has no host", shownURL(target)).WithHint(hintURL)
	}
	return target, nil
}

// defaultTransport is that of net/http, with its own connections and less
// patience for long headers.
var defaultTransport = sync.OnceValue(func() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // the program has replaced it
	}
	transport := standard.Clone()
	transport.MaxResponseHeaderBytes = maxHeaderSize
	return transport
})

// post sends a query and returns the body of the reply (RFC 3161 section 3.4).
func (c *Client) post(ctx context.Context, target *url.URL, query []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(query))
	if err != nil {
		return nil, reason.Wrap(reason.TimestampURL, err, "no request can be made").WithHint(hintURL)
	}
	request.Header.Set("Content-Type", mediaTypeQuery)
	request.Header.Set("Accept", mediaTypeReply)
	request.Header.Set("Accept-Encoding", "identity") // so that nothing inflates the reply
	request.Header.Set("User-Agent", "notation")

	client := http.Client{Transport: defaultTransport()}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return nil, unreachable(err)
	}
	defer response.Body.Close()
	if err := checkHeader(response); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReplySize+1))
	switch {
	case len(body) > maxReplySize:
		return nil, reason.Errorf(reason.TimestampReply, "the reply is longer than %d bytes", maxReplySize).WithHint(hintReply)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, reason.Errorf(reason.TimestampReply, "the reply is cut off after %d bytes", len(body)).WithHint(hintReply)
	case err != nil:
		return nil, unreachable(err)
	}
	return body, nil
}

const hintReply = "Check the address, or try another time-stamping authority."

// checkHeader judges a reply before its body is read.
func checkHeader(r *http.Response) error {
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return reason.Errorf(reason.TimestampRedirect, "it redirects to %s, which is not followed", quote(r.Header.Get("Location"))).
			WithHint("Give the address that it redirects to, if it is right.")
	case r.StatusCode != http.StatusOK:
		return reason.Errorf(reason.TimestampReply, "it answered with HTTP status %d", r.StatusCode).WithHint(hintReply)
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != mediaTypeReply {
		return reason.Errorf(reason.TimestampReply, "it answered with content type %s, not %s", quote(r.Header.Get("Content-Type")), mediaTypeReply).WithHint(hintReply)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return reason.Errorf(reason.TimestampReply, "it answered with content encoding %s", quote(encoding)).WithHint(hintReply)
	}
	if r.ContentLength > maxReplySize {
		return reason.Errorf(reason.TimestampReply, "the reply is longer than %d bytes", maxReplySize).WithHint(hintReply)
	}
	return nil
}

// unreachable wraps a failure of the transport. net/http repeats in it what a
// server sent, and the address, which the caller says anyway.
func unreachable(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	message := "it cannot be reached"
	if errors.Is(err, context.DeadlineExceeded) {
		message = "it did not answer in time"
	}
	return reason.Wrap(reason.TimestampUnreachable, printable{err}, "%s", message).WithHint("Check the address and the network, or try another time-stamping authority.")
}

// printable is an error whose text may be of foreign making.
type printable struct{ error }

// Error returns the text as a quoted literal.
func (p printable) Error() string { return quote(p.error.Error()) }

// Unwrap returns the error itself.
func (p printable) Unwrap() error { return p.error }

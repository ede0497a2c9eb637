package timestamp_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/timestamp"
)

// serve runs a handler on a loopback port and returns its address.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func clientFor(tsa *testpki.TSA, urls ...string) *timestamp.Client {
	return &timestamp.Client{URLs: urls, Roots: []*x509.Certificate{tsa.Root()}, Timeout: time.Hour}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		tsa := newTSA(t, testpki.Options{})
		tsa.OmitRoot = true
		var nonces sync.Map
		tsa.ModifyReply = func(r *testpki.StampReply) {
			q := r.Request
			if q.Version != 1 || q.Hash != testpki.HashOID(hash) || !q.CertReq || q.Policy != "" || q.Nonce.Sign() <= 0 {
				t.Errorf("request %+v", q)
			}
			if _, twice := nonces.LoadOrStore(q.Nonce.String(), true); twice {
				t.Error("a nonce was used twice")
			}
		}
		c := clientFor(tsa, serve(t, tsa))
		for range 3 {
			token, err := c.Stamp(t.Context(), message, hash)
			if err != nil {
				t.Fatal(err)
			}
			if v, err := verify(token, message, tsa.Root()); err != nil || v.Info().Hash != hash {
				t.Errorf("%v, %v", v.Info(), err)
			}
		}
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{
			"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply",
			"Accept-Encoding": "identity", "User-Agent": "notation",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		tsa.ServeHTTP(w, r)
	}))
	if _, err := clientFor(tsa).Request(t.Context(), url, message, crypto.SHA256); err != nil {
		t.Fatal(err)
	}
}

// refuseReply bends the reply of an authority and wants a code.
func refuseReply(t *testing.T, code reason.Code, modify func(*testpki.TSA)) error {
	t.Helper()
	tsa := newTSA(t, testpki.Options{})
	modify(tsa)
	token, err := clientFor(tsa, serve(t, tsa)).Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, code)
	if token != nil {
		t.Error("a token was returned")
	}
	return err
}

// attack: TSP-04
func TestNonceAndPolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code   reason.Code
		modify func(*testpki.Token)
	}{
		"no nonce":      {reason.TimestampNonce, func(k *testpki.Token) { k.Info.Nonce = nil }},
		"another nonce": {reason.TimestampNonce, func(k *testpki.Token) { k.Info.Nonce = serialOf(1) }},
		"other hash": {reason.TimestampImprint, func(k *testpki.Token) {
			digest := sha512.Sum512(message)
			k.Info.Hash, k.Info.Imprint = testpki.OIDSHA512, digest[:]
		}},
		"other imprint": {reason.TimestampImprint, func(k *testpki.Token) { k.Info.Imprint = make([]byte, 32) }},
		"bad content":   {reason.TimestampVersion, func(k *testpki.Token) { k.Info.Version = 7 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refuseReply(t, tt.code, func(tsa *testpki.TSA) { tsa.ModifyToken = tt.modify })
		})
	}
}

// attack: TSP-04
func TestReplay(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	var once sync.Once
	var first []byte
	tsa.ModifyReply = func(r *testpki.StampReply) {
		once.Do(func() { first = r.Encode() })
		r.Body = first
	}
	c := clientFor(tsa, serve(t, tsa))
	if _, err := c.Stamp(t.Context(), message, crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	_, err := c.Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, reason.TimestampNonce)
}

// attack: TSP-04
func TestPolicy(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	c := clientFor(tsa, serve(t, tsa))
	c.Policy = testpki.OIDOtherExampleTSA
	token, err := c.Stamp(t.Context(), message, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := timestamp.Parse(token); err != nil || u.Claims().Policy != testpki.OIDOtherExampleTSA {
		t.Errorf("policy %s, %v", u.Claims().Policy, err)
	}
	stubborn := newTSA(t, testpki.Options{})
	stubborn.ModifyToken = func(k *testpki.Token) { k.Info.Policy = testpki.OIDExampleTSA }
	c = clientFor(stubborn, serve(t, stubborn))
	c.Policy = testpki.OIDOtherExampleTSA
	_, err = c.Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, reason.TimestampPolicy)
	c.Policy = "default"
	_, err = c.Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, reason.TimestampRequest)
}

// attack: TSP-04
func TestStatus(t *testing.T) {
	t.Parallel()
	for status, word := range map[int]string{
		1: "granted with modifications", 2: "rejection", 3: "waiting", 4: "revocation warning", 5: "revocation notification",
		6: "unknown", -1: "unknown",
	} {
		for _, withToken := range []bool{false, true} {
			err := refuseReply(t, reason.TimestampRefused, func(tsa *testpki.TSA) {
				tsa.ModifyReply = func(r *testpki.StampReply) {
					r.Status, r.Text, r.Failure = status, []string{"no \x1b[31m\u202e", strings.Repeat("long ", 1000)}, testpki.FailureInfo(15)
					if !withToken {
						r.Token = nil
					}
				}
			})
			for _, want := range []string{word, `"no \x1b[31m\u202e"`, "the policy is not supported"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("status %d: %q is not in %q", status, want, err)
				}
			}
		}
	}
}

// attack: TSP-06
func TestBadReplies(t *testing.T) {
	t.Parallel()
	sequence := func(parts ...[]byte) []byte { return testpki.DER(0x30, parts...) }
	status := func(parts ...[]byte) []byte {
		return sequence(sequence(append([][]byte{testpki.DER(2, []byte{2})}, parts...)...))
	}
	body := func(b []byte) func(*testpki.StampReply) { return func(r *testpki.StampReply) { r.Body = b } }
	many := bytes.Repeat(testpki.DER(testpki.UTF8String, []byte("x")), 9)
	for name, tt := range map[string]struct {
		code   reason.Code
		modify func(*testpki.StampReply)
	}{
		"granted without token": {reason.TimestampReply, func(r *testpki.StampReply) { r.Token = nil }},
		"token is no sequence":  {reason.TimestampEncoding, func(r *testpki.StampReply) { r.Token = testpki.DER(4) }},
		"two tokens":            {reason.TimestampEncoding, func(r *testpki.StampReply) { r.Token = append(r.Token, r.Token...) }},
		"empty":                 {reason.TimestampEncoding, body([]byte{})},
		"error page with status OK": {reason.TimestampReply, func(r *testpki.StampReply) {
			r.Header.Set("Content-Type", "text/html")
			r.Body = []byte("<html>out of order</html>")
		}},
		"error page as reply":   {reason.TimestampEncoding, body([]byte("<html>out of order</html>"))},
		"no content type":       {reason.TimestampReply, func(r *testpki.StampReply) { r.Header["Content-Type"] = nil }},
		"other content type":    {reason.TimestampReply, func(r *testpki.StampReply) { r.Header.Set("Content-Type", "application/timestamp-query") }},
		"broken content type":   {reason.TimestampReply, func(r *testpki.StampReply) { r.Header.Set("Content-Type", "application/timestamp-reply; x") }},
		"compressed":            {reason.TimestampReply, func(r *testpki.StampReply) { r.Header.Set("Content-Encoding", "gzip") }},
		"HTTP status 500":       {reason.TimestampReply, func(r *testpki.StampReply) { r.HTTPStatus = 500 }},
		"HTTP status 201":       {reason.TimestampReply, func(r *testpki.StampReply) { r.HTTPStatus = 201 }},
		"huge":                  {reason.TimestampReply, body(make([]byte, 1<<20))},
		"truncated":             {reason.TimestampReply, func(r *testpki.StampReply) { r.Header.Set("Content-Length", "5000") }},
		"truncated in itself":   {reason.TimestampEncoding, func(r *testpki.StampReply) { b := r.Encode(); r.Body = b[:len(b)-9] }},
		"trailing bytes":        {reason.TimestampEncoding, func(r *testpki.StampReply) { r.Body = append(r.Encode(), 0) }},
		"status without number": {reason.TimestampEncoding, body(sequence(sequence()))},
		"status text of a type": {reason.TimestampEncoding, body(status(sequence(testpki.DER(0x13, []byte("x")))))},
		"status text not UTF-8": {reason.TimestampEncoding, body(status(sequence(testpki.DER(0x0c, []byte{0xff}))))},
		"status texts":          {reason.TimestampEncoding, body(status(sequence(many)))},
		"status text cut":       {reason.TimestampEncoding, body(sequence([]byte{0x30, 6, 2, 1, 2, 0x30, 9, 1}))},
		"empty failure":         {reason.TimestampEncoding, body(status(testpki.DER(3)))},
		"status trailer":        {reason.TimestampEncoding, body(status(testpki.DER(5)))},
		"short failure":         {reason.TimestampRefused, body(status(testpki.DER(3, []byte{0, 0x80})))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refuseReply(t, tt.code, func(tsa *testpki.TSA) { tsa.ModifyReply = tt.modify })
		})
	}
}

// attack: TSP-06
func TestEndlessReply(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/timestamp-reply")
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}))
	_, err := clientFor(tsa, url).Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, reason.TimestampReply)
}

// attack: TSP-06
func TestSlowReply(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	for name, start := range map[string]func(http.ResponseWriter){
		"before the header": func(http.ResponseWriter) {},
		"within the body": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/timestamp-reply")
			_, _ = io.WriteString(w, "0")
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				start(w)
				<-r.Context().Done()
			}))
			c := clientFor(tsa, url)
			c.Timeout = 20 * time.Millisecond
			_, err := c.Stamp(t.Context(), message, crypto.SHA256)
			wantCode(t, err, reason.TimestampUnreachable)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A redirect is not followed, whatever the given HTTP client would do.
//
// attack: TSP-06
func TestRedirect(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	reached := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Error("the redirect was followed")
		tsa.ServeHTTP(w, r)
	}))
	for _, status := range []int{301, 302, 303, 307, 308, 304} {
		url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", reached)
			w.WriteHeader(status)
		}))
		c := clientFor(tsa, url)
		c.HTTP = &http.Client{}
		_, err := c.Stamp(t.Context(), message, crypto.SHA256)
		wantCode(t, err, reason.TimestampRedirect)
	}
}

// attack: TSP-06
func TestAddress(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	for _, url := range []string{
		"", "tsa.example", "//tsa.example", "http://", "http:///path", "http:tsa.example", "https://:443/", "ftp://tsa.example", "file:///etc/passwd",
		"http://tsa.example/%zz", "http://a b/", "http://user:secret@tsa\x00.example", "http://x/" + strings.Repeat("a", 3000), "HTTP//x",
	} {
		_, err := clientFor(tsa, url).Stamp(t.Context(), message, crypto.SHA256)
		wantCode(t, err, reason.TimestampURL)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q says the password", err)
		}
	}
	_, err := clientFor(tsa).Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, reason.TimestampURL)
	_, err = clientFor(tsa, slices.Repeat([]string{"http://127.0.0.1:1/"}, 17)...).Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, reason.TimestampURL)
	_, err = clientFor(tsa, "http://user:secret@127.0.0.1:1/").Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, reason.TimestampUnreachable)
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("%q says the password", err)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	for _, hash := range []crypto.Hash{0, crypto.SHA1, crypto.SHA224, crypto.SHA3_256} {
		_, err := clientFor(tsa, "http://127.0.0.1:1/").Stamp(t.Context(), message, hash)
		wantCode(t, err, reason.TimestampRequest)
	}
}

func TestNextAuthority(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	bad := newTSA(t, testpki.Options{})
	bad.ModifyToken = func(k *testpki.Token) { k.Info.Nonce = nil }
	good, wrong := serve(t, tsa), serve(t, bad)
	if _, err := clientFor(tsa, "http://127.0.0.1:1/", "gopher://x", wrong, good).Stamp(t.Context(), message, crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	_, err := clientFor(tsa, wrong, "gopher://x").Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, reason.TimestampNonce)
	for _, want := range []string{wrong, "nonce", "gopher"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}

// When the caller gives up, nobody else is asked.
func TestCancelled(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	first := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	second := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the next one was asked") }))
	_, err := clientFor(tsa, first, second).Stamp(ctx, message, crypto.SHA256)
	wantCode(t, err, reason.TimestampUnreachable)
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), second) {
		t.Errorf("%v", err)
	}
}

// A chain that was revoked before the stamp is refused when signing; the hook
// gets the time of the stamp, and so can let a later revocation pass.
//
// attack: TSP-05
func TestRevocationHook(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	url := serve(t, tsa)
	for _, position := range []int{0, 1} { // the authority itself, or its CA
		for revokedAt, ok := range map[time.Time]bool{stampTime.Add(-time.Hour): false, stampTime.Add(time.Hour): true} {
			c := clientFor(tsa, url)
			c.Revocation = func(ctx context.Context, chain []*x509.Certificate, at time.Time) error {
				if _, bounded := ctx.Deadline(); bounded {
					t.Error("the check shares the deadline of the exchange")
				}
				if len(chain) != 3 || !chain[0].Equal(tsa.Leaf()) || !chain[2].Equal(tsa.Root()) {
					t.Errorf("chain of %d", len(chain))
				}
				if !at.Before(revokedAt) {
					return fmt.Errorf("certificate %d was revoked", position)
				}
				return nil
			}
			token, err := c.Stamp(t.Context(), message, crypto.SHA256)
			if ok {
				if err != nil || token == nil {
					t.Errorf("%v", err)
				}
				continue
			}
			wantCode(t, err, reason.TimestampRevocation)
			if token != nil {
				t.Error("a token was returned")
			}
		}
	}
}

func TestUntrustedAuthority(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	c := &timestamp.Client{URLs: []string{serve(t, tsa)}}
	_, err := c.Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, reason.TimestampRootUntrusted)
}

// roundTripper is a transport made of a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestGivenHTTPClientIsUsed(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	c := clientFor(tsa, "https://tsa.example/stamp")
	c.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.String() != "https://tsa.example/stamp" {
			t.Errorf("address %s", r.URL)
		}
		recorder := httptest.NewRecorder()
		tsa.ServeHTTP(recorder, r)
		return recorder.Result(), nil
	})}
	if _, err := c.Stamp(t.Context(), message, crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	if c.HTTP.CheckRedirect != nil {
		t.Error("the given client was changed")
	}
}

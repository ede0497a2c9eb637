package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	content   = "some content"
	blobType  = "application/jose+json"
	imageType = ocispec.MediaTypeImageManifest
)

func blobOf(s string) oci.Descriptor {
	return oci.Descriptor{MediaType: blobType, Digest: digest.FromString(s), Size: int64(len(s))}
}

// attack: REG-02
func TestFetch(t *testing.T) {
	t.Parallel()
	with := func(change func(*oci.Descriptor)) oci.Descriptor {
		d := blobOf(content)
		change(&d)
		return d
	}
	send := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
	chunked := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte(body))
		}
	}
	for _, tt := range []struct {
		name    string
		d       oci.Descriptor
		limit   int64
		handler http.HandlerFunc
		code    reason.Code
		calls   int64
	}{
		{"good", blobOf(content), 100, send(content), "", 1},
		{"good, no length", blobOf(content), 100, chunked(content), "", 1},
		{"empty", blobOf(""), 100, send(""), "", 1},
		{"at the limit", blobOf(content), int64(len(content)), send(content), "", 1},
		{"header digest lies", blobOf(content), 100, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Content-Digest", aDigest)
			_, _ = w.Write([]byte(content))
		}, "", 1},
		{"other content of that length", blobOf(content), 100, send("SOME CONTENT"), reason.OCIDigestMismatch, 1},
		{"shorter", blobOf(content), 100, send("some"), reason.OCISizeMismatch, 1},
		{"longer", blobOf(content), 100, send(content + "!"), reason.OCISizeMismatch, 1},
		{"longer, no length", blobOf(content), 100, chunked(content + "!"), reason.OCISizeMismatch, 1},
		{"endless", blobOf(content), 100, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, reason.OCISizeMismatch, 1},
		{"said too small", with(func(d *oci.Descriptor) { d.Size-- }), 100, send(content), reason.OCISizeMismatch, 1},
		{"said too large", with(func(d *oci.Descriptor) { d.Size++ }), 100, send(content), reason.OCISizeMismatch, 1},
		{"said 2^62", with(func(d *oci.Descriptor) { d.Size = 1 << 62 }), 100, send(content), reason.OCITooLarge, 0},
		{"over the limit", blobOf(content), int64(len(content)) - 1, send(content), reason.OCITooLarge, 0},
		{"said negative", with(func(d *oci.Descriptor) { d.Size = -1 }), 100, send(content), reason.OCIDescriptor, 0},
		{"unknown algorithm", with(func(d *oci.Descriptor) { d.Digest = "md5:9b9fbe2f2ed1dd3a4d1e9ddf6ab1ebb5" }), 100, send(content), reason.OCIDigestAlgorithm, 0},
		{"path in digest", with(func(d *oci.Descriptor) { d.Digest = "sha256:../../../secret" }), 100, send(content), reason.OCIDescriptor, 0},
		{"no media type", with(func(d *oci.Descriptor) { d.MediaType = "" }), 100, send(content), reason.OCIDescriptor, 0},
		{"missing", blobOf(content), 100, fails(404), reason.OCINotFound, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				tt.handler(w, r)
			}), Options{})
			got, err := r.Fetch(t.Context(), tt.d, tt.limit)
			wantCode(t, err, tt.code)
			if err == nil && digest.FromBytes(got) != tt.d.Digest || err != nil && got != nil {
				t.Errorf("got %q", got)
			}
			if calls.Load() != tt.calls {
				t.Errorf("%d requests, want %d", calls.Load(), tt.calls)
			}
		})
	}
}

// TestFetchEndpoint checks which endpoint and which Accept header is used.
func TestFetchEndpoint(t *testing.T) {
	t.Parallel()
	for mediaType, want := range map[string]string{
		imageType:                   "manifests " + imageType,
		ocispec.MediaTypeImageIndex: "manifests " + ocispec.MediaTypeImageIndex,
		oci.MediaTypeDockerList:     "manifests " + oci.MediaTypeDockerList,
		oci.MediaTypeORASManifest:   "manifests " + oci.MediaTypeORASManifest,
		blobType:                    "blobs ",
		"application/json":          "blobs ",
	} {
		r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := strings.Split(r.URL.Path, "/")[3] + " " + r.Header.Get("Accept"); got != want {
				t.Errorf("%s: got %q, want %q", mediaType, got, want)
			}
			if got := r.Header.Get("User-Agent"); got != "test/1" {
				t.Errorf("user agent %q", got)
			}
			_, _ = w.Write([]byte(content))
		}), Options{UserAgent: "test/1"})
		d := blobOf(content)
		d.MediaType = mediaType
		if _, err := r.Fetch(t.Context(), d, 100); err != nil {
			t.Error(err)
		}
	}
}

// attack: REG-07
func TestForeignURLsAreNotFetched(t *testing.T) {
	t.Parallel()
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a foreign URL was fetched") }))
	t.Cleanup(foreign.Close)
	f := newFake()
	r := open(t, f, Options{})
	d := blobOf(content)
	d.URLs = []string{foreign.URL + "/" + string(d.Digest)}
	_, err := r.Fetch(t.Context(), d, 100)
	wantCode(t, err, reason.OCINotFound)
	d.MediaType = imageType
	_, err = r.Fetch(t.Context(), d, 100)
	wantCode(t, err, reason.OCINotFound)
}

// attack: REG-06
func TestFetchRedirects(t *testing.T) {
	t.Parallel()
	store := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "" {
			t.Errorf("credentials sent to %s: %s", r.Host, a)
		}
		_, _ = w.Write([]byte(content))
	})
	elsewhere := serve(t, store)
	refusing := serve(t, fails(403))
	challenging := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("credentials sent elsewhere")
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(401)
	}))
	for _, tt := range []struct {
		name string
		to   func(r *http.Request) string
		code reason.Code
	}{
		{"object store", func(*http.Request) string { return "http://" + elsewhere + "/bucket?X-Signature=secret-word" }, ""},
		{"refused there", func(*http.Request) string { return "http://" + refusing + "/x" }, reason.RegistryResponse},
		{"asked for a login there", func(*http.Request) string { return "http://" + challenging + "/x" }, reason.RegistryResponse},
		{"in circles", func(r *http.Request) string { return baseURL(r) + r.URL.Path }, reason.RegistryRedirect},
		{"a file", func(*http.Request) string { return "file:///etc/passwd" }, reason.RegistryRedirect},
		{"with a user name", func(*http.Request) string { return "http://u:p@" + elsewhere + "/x" }, reason.RegistryRedirect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.auth = "basic"
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/blobs/") {
					return false
				}
				if !f.authorised(w, r) {
					return true
				}
				http.Redirect(w, r, tt.to(r), http.StatusTemporaryRedirect)
				return true
			}
			r := open(t, f, Options{Credentials: alice()})
			got, err := r.Fetch(t.Context(), blobOf(content), 100)
			wantCode(t, err, tt.code)
			if err == nil && string(got) != content {
				t.Errorf("got %q", got)
			}
			if n := len(f.log()); n > 2*(maxRedirects+2) {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func tlsFor(s *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots}
}

// TestNoDowngrade checks redirects from HTTPS to plain HTTP.
func TestNoDowngrade(t *testing.T) {
	t.Parallel()
	plain := serve(t, says("x/y", content))
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+plain+"/x", http.StatusFound)
	}))
	t.Cleanup(s.Close)
	r := openAt(t, strings.TrimPrefix(s.URL, "https://"), Options{TLS: tlsFor(s)})
	_, err := r.Fetch(t.Context(), blobOf(content), 100)
	wantCode(t, err, reason.RegistryRedirect)
}

// attack: REG-05
// attack: REG-06
func TestTransientFaults(t *testing.T) {
	t.Parallel()
	status := func(code int, retryAfter string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(code)
		}
	}
	midBody := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write([]byte(content[:4]))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	year := "31536000"
	for _, tt := range []struct {
		name  string
		fault http.HandlerFunc
		times int64
		code  reason.Code
		calls int64
		least time.Duration // of the first wait
	}{
		{"429 once", status(429, ""), 1, "", 2, 100 * time.Millisecond},
		{"429, Retry-After 0", status(429, "0"), 1, "", 2, 100 * time.Millisecond},
		{"429, Retry-After 1", status(429, "1"), 1, "", 2, time.Second},
		{"429, Retry-After a year", status(429, year), 1, reason.RegistryUnavailable, 1, 0},
		{"429, Retry-After beyond all numbers", status(429, strings.Repeat("9", 40)), 1, reason.RegistryUnavailable, 1, 0},
		{"429, Retry-After far date", status(429, "Fri, 31 Dec 9999 23:59:59 GMT"), 1, reason.RegistryUnavailable, 1, 0},
		{"429, Retry-After past date", status(429, "Fri, 31 Dec 1999 23:59:59 GMT"), 1, "", 2, 100 * time.Millisecond},
		{"429, Retry-After nonsense", status(429, "soon"), 1, "", 2, 100 * time.Millisecond},
		{"429, Retry-After negative", status(429, "-5"), 1, "", 2, 100 * time.Millisecond},
		{"503 with Retry-After", status(503, "2"), 2, "", 3, 2 * time.Second},
		{"500 burst", status(500, ""), 3, "", 4, 100 * time.Millisecond},
		{"502 for ever", status(502, ""), 99, reason.RegistryUnavailable, maxTries, 100 * time.Millisecond},
		{"429 for ever", status(429, "1"), 99, reason.RegistryUnavailable, maxTries, time.Second},
		{"501 is no fault", status(501, ""), 99, reason.RegistryResponse, 1, 0},
		{"reset before the answer", hangsUp, 2, "", 3, 100 * time.Millisecond},
		{"reset mid-body", midBody, 2, "", 3, 100 * time.Millisecond},
		{"reset mid-body for ever", midBody, 99, reason.RegistryUnreachable, maxTries, 100 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) <= tt.times {
					tt.fault(w, r)
					return
				}
				_, _ = w.Write([]byte(content))
			}), Options{})
			waits := recordWaits(r.client)
			got, err := r.Fetch(t.Context(), blobOf(content), 100)
			wantCode(t, err, tt.code)
			if err == nil && string(got) != content {
				t.Errorf("got %q", got)
			}
			if calls.Load() != tt.calls || int64(len(waits())) != tt.calls-1 {
				t.Errorf("%d requests, waits %v", calls.Load(), waits())
			}
			if w := waits(); len(w) > 0 && (w[0] < tt.least || w[0] > tt.least+2*time.Second) {
				t.Errorf("waited %v", w)
			}
		})
	}
}

// recordWaits replaces the client's sleep by one that only takes notes.
func recordWaits(c *Client) func() []time.Duration {
	var mu sync.Mutex
	var waits []time.Duration
	c.sleep = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		waits = append(waits, d)
		return ctx.Err()
	}
	return func() []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return append([]time.Duration(nil), waits...)
	}
}

// attack: REG-05
// attack: REG-06
func TestStalls(t *testing.T) {
	t.Parallel()
	hang := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
				_, _ = w.Write([]byte("x"))
				w.(http.Flusher).Flush()
			}
		}
	}
	headOnly := func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, h := range map[string]http.HandlerFunc{"no answer": hang, "one byte at a time": drip, "no body": headOnly} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timesOut(t, 50*time.Millisecond, func(within time.Duration) bool {
				var calls atomic.Int64
				r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					calls.Add(1)
					h(w, r)
				}), Options{})
				r.client.timing.header, r.client.timing.stall = time.Hour, within
				if name == "no answer" {
					r.client.timing.header, r.client.timing.stall = within, time.Hour
				}
				_, err := r.Fetch(t.Context(), oci.Descriptor{MediaType: blobType, Digest: aDigest, Size: 1 << 20}, 1<<20)
				wantCode(t, err, reason.RegistryTimeout)
				n := calls.Load()
				if n > 1 {
					t.Errorf("%d requests", n)
				}
				return n > 0
			})
		})
	}
}

// TestSteadyProgress checks that a slow but steady body is read to its end.
func TestSteadyProgress(t *testing.T) {
	t.Parallel()
	var progress atomic.Int64
	ctx, w := newWatchdog(t.Context(), &progress, timing{header: time.Hour, stall: time.Hour})
	defer w.stop()
	w.headerArrived()
	for range 5 {
		progress.Add(stallBytes)
		w.look()
	}
	if ctx.Err() != nil {
		t.Fatal("ended in spite of progress")
	}
	w.look()
	if err := w.explain(ctx.Err()); err != errStalled {
		t.Fatalf("got %v", err)
	}
	w.stop()
	w.look() // after the end it does nothing
}

// TestDeadline checks that no wait is begun that the context does not allow.
func TestDeadline(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(429)
		return true
	}
	r := open(t, f, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := r.Fetch(ctx, blobOf(content), 100)
	wantCode(t, err, reason.RegistryUnavailable)
	if n := len(f.log()); n != 1 {
		t.Errorf("%d requests", n)
	}
	if !strings.Contains(reason.Hint(err), "30s") {
		t.Errorf("hint %q", reason.Hint(err))
	}
}

// TestConnectionsAreReused checks that parallel fetches keep their connections.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(says("x/y", content))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	r := openAt(t, strings.TrimPrefix(s.URL, "http://"), Options{})
	for range 5 {
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := r.Fetch(t.Context(), blobOf(content), 100); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	// 500 requests; without a large enough pool nearly each round opens its own.
	if n := opened.Load(); n > 250 {
		t.Errorf("%d connections for 500 requests", n)
	}
}

// TestChallengeKeepsConnection checks that the answer to a challenge goes over
// the connection on which the challenge came.
func TestChallengeKeepsConnection(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 100, maxErrorBody} {
		var opened atomic.Int64
		f := newFake()
		f.auth = "basic"
		f.putImage("v1", "1")
		f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") != "" {
				return false
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(make([]byte, size))
			return true
		}
		s := httptest.NewUnstartedServer(f)
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened.Add(1)
			}
		}
		s.Start()
		t.Cleanup(s.Close)
		r := openAt(t, strings.TrimPrefix(s.URL, "http://"), Options{Credentials: alice()})
		if _, err := r.Fetch(t.Context(), f.putImage("v1", "1"), oci.MaxManifestSize); err != nil {
			t.Error(err)
		}
		if n := opened.Load(); size < maxErrorBody && n != 1 {
			t.Errorf("%d connections with a body of %d bytes", n, size)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	if got := quote(strings.Repeat("\u202e", 1000)); len(got) > 20*maxQuoted || !strings.HasSuffix(got, "...") {
		t.Errorf("got %q", got)
	}
	if got := statusText(799); got != "799" {
		t.Errorf("got %q", got)
	}
	if got := fmt.Sprint(sanitised{fmt.Errorf("a \"b\" \x1b[2J")}); got != `a "b" \x1b[2J` {
		t.Errorf("got %q", got)
	}
}

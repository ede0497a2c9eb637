package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// attack: REG-02
// attack: REG-06
func TestOpen(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("text", 20_000)
	d := textBlob(text)
	answer := func(status int, body string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	var tries atomic.Int32
	for _, c := range []struct {
		name      string
		d         oci.Descriptor
		intercept func(w http.ResponseWriter, r *http.Request) bool
		code      reason.Code // of Open
		read      reason.Code // of reading
	}{
		{"blob", d, nil, "", ""},
		{"empty blob", textBlob(""), nil, "", ""},
		{"none", textBlob("none"), nil, reason.OCINotFound, ""},
		{"bad descriptor", oci.Descriptor{MediaType: "a/b", Digest: d.Digest, Size: -1}, nil, reason.OCIDescriptor, ""},
		{"too large", oci.Descriptor{MediaType: "a/b", Digest: d.Digest, Size: 1 << 62}, nil, reason.OCITooLarge, ""},
		{"other content", d, answer(200, strings.ToUpper(text)), "", reason.OCIDigestMismatch},
		{"short", d, answer(200, text[1:]), "", reason.OCISizeMismatch},
		{"long", d, answer(200, text+"x"), "", reason.OCISizeMismatch},
		{"denied", d, answer(403, ""), reason.RegistryDenied, ""},
		{"unavailable", d, answer(503, ""), reason.RegistryUnavailable, ""},
		{"long refusal", d, answer(418, strings.Repeat("x", 1<<20)), reason.RegistryResponse, ""},
		{"unavailable once", d, func(w http.ResponseWriter, _ *http.Request) bool {
			if tries.Add(1) > 1 {
				return false
			}
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, "", ""},
		{"reset", d, func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", fmt.Sprint(len(text)))
			_, _ = io.WriteString(w, text[:50_000])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "", reason.RegistryUnreachable},
		{"reset before", d, func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, reason.RegistryUnreachable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.blobs["app@"+string(d.Digest)] = []byte(text)
			f.blobs["app@"+string(textBlob("").Digest)] = nil
			f.intercept = c.intercept
			r := open(t, f, Options{})
			s, err := r.Open(t.Context(), c.d)
			if wantCode(t, err, c.code); err != nil {
				return
			}
			defer s.Close()
			got, err := io.ReadAll(s)
			if wantCode(t, err, c.read); err == nil && int64(len(got)) != c.d.Size {
				t.Errorf("%d bytes", len(got))
			}
			if err != nil && int64(len(got)) >= c.d.Size {
				t.Errorf("all %d bytes came out before the error", len(got))
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenManifest(t *testing.T) {
	t.Parallel()
	f := newFake()
	d := f.putImage("v1", "")
	s, err := open(t, f, Options{}).Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := io.ReadAll(s)
	if err != nil || digest.FromBytes(got) != d.Digest {
		t.Error(string(got), err)
	}
}

// TestStreamStalls has a registry that stops in the middle of a blob, and one
// that stops before.
//
// attack: REG-06
func TestStreamStalls(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("text", 10_000)
	for _, sent := range []int{0, 20_000} {
		t.Run(fmt.Sprint(sent), func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			f := newFake()
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if sent > 0 {
					w.Header().Set("Content-Length", fmt.Sprint(len(text)))
					_, _ = io.WriteString(w, text[:sent])
					_ = http.NewResponseController(w).Flush()
				}
				<-release
				return true
			}
			r := open(t, f, Options{})
			t.Cleanup(func() { close(release) }) // before the server is closed
			r.client.timing.stall, r.client.timing.header = 50*time.Millisecond, time.Hour
			if sent == 0 {
				r.client.timing.stall, r.client.timing.header = time.Hour, 50*time.Millisecond
			}
			s, err := r.Open(t.Context(), textBlob(text))
			if sent == 0 {
				wantCode(t, err, reason.RegistryTimeout)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = io.Copy(io.Discard, s)
			wantCode(t, err, reason.RegistryTimeout)
		})
	}
}

// TestUploadWaitsForNoTokenForEver has a registry that wants another token in the
// middle of an upload, and a token service that then says nothing.
//
// attack: REG-06
func TestUploadWaitsForNoTokenForEver(t *testing.T) {
	t.Parallel()
	timesOut(t, 100*time.Millisecond, func(within time.Duration) bool { return uploadWithoutToken(t, within) })
}

// uploadWithoutToken reports whether the second token was asked for.
func uploadWithoutToken(t *testing.T, within time.Duration) bool {
	t.Helper()
	release := make(chan struct{})
	f := newFake()
	f.auth = "bearer"
	var tokens atomic.Int32
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token" && tokens.Add(1) > 1:
			<-release
			return true
		case r.Method == http.MethodPut:
			_, _ = io.CopyN(io.Discard, r.Body, 1000)
			f.mu.Lock()
			f.token = "token-2"
			f.mu.Unlock()
		}
		return false
	}
	r := open(t, f, Options{Credentials: alice()})
	t.Cleanup(func() { close(release) }) // before the server is closed
	r.client.timing.header = within
	text := strings.Repeat("text", 4<<20) // more than connections hold
	err := r.PutBlob(t.Context(), textBlob(text), from(text))
	wantCode(t, err, reason.RegistryTimeout)
	return tokens.Load() > 1
}

// TestPatience counts only the time in which the other side is waited for.
func TestPatience(t *testing.T) {
	t.Parallel()
	ctx, watch := newWatchdog(t.Context(), new(atomic.Int64), timing{header: time.Hour, stall: time.Hour})
	defer watch.stop()
	p := newPatience(watch, time.Hour)
	p.end(5) // nobody waits
	p.begin()
	p.end(10)
	if p.left == time.Hour || p.left <= 0 || p.bytes != 10 {
		t.Error(p.left, p.bytes)
	}
	p.begin()
	p.end(stallBytes)
	if p.left != time.Hour || p.bytes != 0 || ctx.Err() != nil {
		t.Error(p.left, p.bytes)
	}
	p.left = 0
	p.begin()
	<-ctx.Done()
	if !errors.Is(watch.explain(ctx.Err()), errStalled) {
		t.Error(context.Cause(ctx))
	}
}

func TestPutBlob(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("text", 20_000)
	d := textBlob(text)
	// failing answers the first n uploads with a status, and lets the rest pass.
	failing := func(n int32, status int, code string) func(w http.ResponseWriter, r *http.Request) bool {
		var seen atomic.Int32
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || seen.Add(1) > n {
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body)
			refuse(w, status, code)
			return true
		}
	}
	resets := func(n int32) func(w http.ResponseWriter, r *http.Request) bool {
		var seen atomic.Int32
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || seen.Add(1) > n {
				return false
			}
			_, _ = io.CopyN(io.Discard, r.Body, 1000)
			panic(http.ErrAbortHandler)
		}
	}
	for _, c := range []struct {
		name      string
		d         oci.Descriptor
		open      opener
		fake      func(f *fakeRegistry)
		code      reason.Code
		intercept func(w http.ResponseWriter, r *http.Request) bool
	}{
		{"plain", d, from(text), nil, "", nil},
		{"empty", textBlob(""), from(""), nil, "", nil},
		{"empty that is not", textBlob(""), from("x"), nil, reason.OCISizeMismatch, nil},
		{"unavailable", d, from(text), nil, "", failing(3, 503, "")},
		{"unavailable for long", d, from(text), nil, reason.RegistryUnavailable, failing(100, 503, "")},
		{"session lost", d, from(text), nil, "", failing(1, 404, "BLOB_UPLOAD_UNKNOWN")},
		{"refused", d, from(text), nil, reason.RegistryPushRefused, failing(100, 404, "BLOB_UPLOAD_UNKNOWN")},
		{"denied", d, from(text), nil, reason.RegistryDenied, failing(100, 403, "DENIED")},
		{"half accepted", d, from(text), nil, reason.RegistryPushRefused, failing(100, 202, "")},
		{"reset", d, from(text), nil, "", resets(2)},
		{"reset for ever", d, from(text), nil, reason.RegistryUnreachable, resets(100)},
		{"short", d, from(text[1:]), nil, reason.OCISizeMismatch, nil},
		{"long", d, from(text + "x"), nil, reason.OCISizeMismatch, nil},
		{"other content", d, from(strings.ToUpper(text)), nil, reason.RegistryPushRefused, nil},
		{"no source", d, func() (io.ReadCloser, error) { return nil, reason.Errorf(reason.OCINotFound, "gone") }, nil, reason.OCINotFound, nil},
		{"bad descriptor", oci.Descriptor{MediaType: "a/b", Digest: "x"}, from(""), nil, reason.OCIDescriptor, nil},
		{"nothing to upload", d, from(text), func(f *fakeRegistry) {
			f.created = true
			f.blobs["app@"+string(d.Digest)] = []byte(text)
		}, "", nil},
		{"no session", d, from(text), func(f *fakeRegistry) { f.locationHost = "ftp://elsewhere" }, reason.RegistryResponse, nil},
		{"stored as something else", d, from(text), nil, reason.OCIDigestMismatch, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Docker-Content-Digest", "sha256:00")
				w.WriteHeader(http.StatusCreated)
			}
			return r.Method == http.MethodPut
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.intercept = c.intercept
			if c.fake != nil {
				c.fake(f)
			}
			err := open(t, f, Options{}).PutBlob(t.Context(), c.d, c.open)
			if wantCode(t, err, c.code); err != nil {
				return
			}
			if got := f.blobs["app@"+string(c.d.Digest)]; int64(len(got)) != c.d.Size {
				t.Errorf("%d bytes are there", len(got))
			}
		})
	}
}

// TestPutBlobSourceBreaks tries again when the source broke off.
func TestPutBlobSourceBreaks(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("text", 20_000)
	source := newFake()
	source.blobs["app@"+string(digest.FromString(text))] = []byte(text)
	var tries atomic.Int32
	source.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if tries.Add(1) > 2 {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		_, _ = io.WriteString(w, text[:60_000])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	src, f := open(t, source, Options{}), newFake()
	err := open(t, f, Options{}).PutBlob(t.Context(), textBlob(text), func() (io.ReadCloser, error) { return src.Open(t.Context(), textBlob(text)) })
	if err != nil || tries.Load() != 3 || string(f.blobs["app@"+string(digest.FromString(text))]) != text {
		t.Error(tries.Load(), err)
	}
}

// TestPutBlobLogin sends a blob again from the start when the registry asks for
// a login only then, because a token has expired.
func TestPutBlobLogin(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("text", 20_000)
	for _, kind := range []string{"basic", "bearer"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.auth = kind
			opened := 0
			var once sync.Once
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPut {
					once.Do(func() {
						f.mu.Lock()
						f.token = "token-2"
						f.mu.Unlock()
					})
				}
				return false
			}
			err := open(t, f, Options{Credentials: alice()}).PutBlob(t.Context(), textBlob(text), func() (io.ReadCloser, error) {
				opened++
				return from(text)()
			})
			if err != nil || kind == "bearer" && opened != 2 {
				t.Error(opened, err)
			}
		})
	}
}

// TestUploadStalls has a registry that stops reading, and one that never
// answers.
//
// attack: REG-06
func TestUploadStalls(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a long text ", 4<<20) // more than the buffers between
	for _, read := range []bool{true, false} {
		t.Run(fmt.Sprint(read), func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			f := newFake()
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut {
					return false
				}
				if read {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				<-release
				return true
			}
			r := open(t, f, Options{})
			t.Cleanup(func() { close(release) })
			r.client.timing.stall, r.client.timing.header = 200*time.Millisecond, 400*time.Millisecond
			r.client.timing.cancel = time.Millisecond
			err := r.PutBlob(t.Context(), textBlob(text), from(text))
			wantCode(t, err, reason.RegistryTimeout)
		})
	}
}

func TestPutBlobEnds(t *testing.T) {
	t.Parallel()
	f := newFake()
	ctx, cancel := context.WithCancel(t.Context())
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			_, _ = io.Copy(io.Discard, r.Body) // or else the end is not seen
			cancel()
			<-r.Context().Done()
			return true
		}
		return false
	}
	err := open(t, f, Options{}).PutBlob(ctx, textBlob("text"), from("text"))
	wantCode(t, err, reason.RegistryInterrupted)
}

// TestPutBlobLeavesTheDigest has the registry alone compare what is large, and
// says whose fault it is if that is wrong.
//
// attack: REG-02
func TestPutBlobLeavesTheDigest(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", minLeft)
	d := textBlob(text)
	for _, tt := range []struct {
		name    string
		sent    string // by the source
		uploads int
		code    reason.Code
	}{
		{"right", text, 1, ""},
		{"wrong", strings.Repeat("y", minLeft), 2, reason.OCIDigestMismatch},
		{"short", text[1:], 1, reason.OCISizeMismatch},
		{"long", text + "x", 1, reason.OCISizeMismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.sent) }), Options{})
			f := newFake()
			opened := 0
			err := open(t, f, Options{}).PutBlob(t.Context(), d, func() (io.ReadCloser, error) {
				opened++
				return src.Open(t.Context(), d)
			})
			wantCode(t, err, tt.code)
			if opened != tt.uploads {
				t.Errorf("opened %d times", opened)
			}
			if stored := len(f.blobs) > 0; stored != (tt.code == "") {
				t.Errorf("stored: %t", stored)
			}
		})
	}
}

package remote

import (
	"context"
	"crypto/sha512"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const aDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// attack: REG-01
func TestResolve(t *testing.T) {
	t.Parallel()
	f := newFake()
	v1, v2 := f.putImage("v1", "1"), f.putImage("v2", "2")
	r := open(t, f, Options{})
	for _, tt := range []struct {
		name, suffix string
		want         oci.Descriptor
		code         reason.Code
	}{
		{"tag", ":v1", v1, ""},
		{"digest", "@" + string(v2.Digest), v2, ""},
		{"both, agreeing", ":v1@" + string(v1.Digest), v1, ""},
		{"both, tag moved", ":v2@" + string(v1.Digest), oci.Descriptor{}, reason.OCITagMismatch},
		{"both, tag gone", ":v3@" + string(v1.Digest), oci.Descriptor{}, reason.OCINotFound},
		{"both, digest unknown", ":v1@" + aDigest, oci.Descriptor{}, reason.OCINotFound},
		{"tag unknown", ":v3", oci.Descriptor{}, reason.OCINotFound},
		{"digest unknown", "@" + aDigest, oci.Descriptor{}, reason.OCINotFound},
		{"neither", "", oci.Descriptor{}, reason.OCIReferenceIncomplete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Resolve(t.Context(), refOf(t, r, tt.suffix))
			wantCode(t, err, tt.code)
			if got.Digest != tt.want.Digest || got.Size != tt.want.Size || got.MediaType != tt.want.MediaType {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("other repository", func(t *testing.T) {
		t.Parallel()
		_, err := r.Resolve(t.Context(), parseRef(t, "localhost:1/other:v1"))
		wantCode(t, err, reason.OCIReference)
	})
}

// odd answers every manifest request with the given headers and body.
func odd(head, get http.Header, body string, headStatus int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := get
		if r.Method == http.MethodHead {
			h = head
		}
		for k, v := range h {
			w.Header()[k] = v
		}
		if r.Method == http.MethodHead {
			w.WriteHeader(headStatus)
			return
		}
		_, _ = w.Write([]byte(body))
	})
}

func headers(kv ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(kv); i += 2 {
		h.Set(kv[i], kv[i+1])
	}
	return h
}

// attack: REG-02
func TestResolveOddRegistries(t *testing.T) {
	t.Parallel()
	const body = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`
	const untyped = `{"schemaVersion":2}`
	const ct, image = "Content-Type", ocispec.MediaTypeImageManifest
	const dcd, cl = "Docker-Content-Digest", "Content-Length"
	length := strconv.Itoa(len(body))
	real := digest.FromString(body)
	sum := sha512.Sum512([]byte(body))
	long := fmt.Sprintf("sha512:%x", sum)
	for _, tt := range []struct {
		name       string
		head, get  http.Header
		body       string
		headStatus int
		suffix     string
		want       digest.Digest
		code       reason.Code
	}{
		{"complete head", headers(ct, image, dcd, aDigest, cl, "7"), nil, "", 200, ":v1", aDigest, ""},
		{"sha512 claimed", headers(ct, image, dcd, long, cl, "7"), nil, "", 200, ":v1", digest.Digest(long), ""},
		{"parameters", headers(ct, image+"; charset=utf-8", dcd, aDigest, cl, "7"), nil, "", 200, ":v1", aDigest, ""},
		{"by digest, no claim", headers(ct, image, cl, "7"), nil, "", 200, "@" + aDigest, aDigest, ""},
		{"no digest", headers(ct, image, cl, length), headers(ct, image), body, 200, ":v1", real, ""},
		{"no size", headers(ct, image, dcd, aDigest), headers(ct, image), body, 200, ":v1", real, ""},
		{"no type", headers(dcd, aDigest, cl, "7"), headers(ct, "application/json"), body, 200, ":v1", real, ""},
		{"type from content only", headers(), headers(ct, "text/plain"), body, 200, ":v1", real, ""},
		{"type from header only", headers(), headers(ct, image), untyped, 200, ":v1", digest.FromString(untyped), ""},
		{"HEAD not allowed", nil, headers(ct, image), body, 405, ":v1", real, ""},
		{"HEAD not understood", nil, headers(ct, image), body, 400, ":v1", real, ""},
		{"unknown algorithm claimed", headers(ct, image, dcd, "md5:00", cl, "7"), headers(ct, image), body, 200, ":v1", real, ""},
		{"size 2^62", headers(ct, image, dcd, aDigest, cl, "4611686018427387904"), headers(ct, image), body, 200, ":v1", real, ""},
		{"header digest of another, content right", headers(ct, image, dcd, aDigest, cl, "7"), headers(ct, image, dcd, aDigest), body, 200, "@" + string(real), real, ""},
		{"sha512 reference, no head", nil, headers(ct, image), body, 405, "@" + long, digest.Digest(long), ""},
		{"another manifest than the digest's", headers(ct, image, dcd, string(real), cl, length), headers(ct, image, dcd, aDigest), body, 200, "@" + aDigest, "", reason.OCIDigestMismatch},
		{"HTML", headers(ct, "text/html"), headers(ct, "text/html"), "<html>\x1b[2J", 200, ":v1", "", reason.RegistryResponse},
		{"hostile type", headers(), headers(ct, "text/html"), `{"schemaVersion":1,"mediaType":"\u202e\u001b[2J"}`, 200, ":v1", "", reason.RegistryResponse},
		{"contradicting types", headers(), headers(ct, ocispec.MediaTypeImageIndex), body, 200, ":v1", "", reason.RegistryResponse},
		{"no type at all", headers(), headers(ct, "application/json"), untyped, 200, ":v1", "", reason.RegistryResponse},
		{"ambiguous JSON", headers(), headers(ct, image), `{"mediaType":"a","mediaType":"b"}`, 200, ":v1", "", reason.OCIManifest},
		{"one byte too long", headers(), headers(ct, image), strings.Repeat(" ", oci.MaxManifestSize+1), 200, ":v1", "", reason.OCITooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := open(t, odd(tt.head, tt.get, tt.body, tt.headStatus), Options{})
			d, err := r.Resolve(t.Context(), refOf(t, r, tt.suffix))
			wantCode(t, err, tt.code)
			if d.Digest != tt.want {
				t.Errorf("got %s, want %s", d.Digest, tt.want)
			}
			if err == nil && d.MediaType != image {
				t.Errorf("media type %q", d.MediaType)
			}
		})
	}
}

// TestResolveStatus checks what refusals mean and what they advise.
func TestResolveStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		code   reason.Code
		hint   string
	}{
		{401, reason.RegistryUnauthorized, "notation login 127.0.0.1"},
		{403, reason.RegistryDenied, "notation login 127.0.0.1"},
		{404, reason.OCINotFound, "spelling"},
		{418, reason.RegistryResponse, "--debug"},
		{429, reason.RegistryUnavailable, "later"},
		{500, reason.RegistryUnavailable, "later"},
		{503, reason.RegistryUnavailable, "later"},
		{599, reason.RegistryUnavailable, "later"},
		{302, reason.RegistryRedirect, "own address"}, // without Location
	} {
		t.Run(strconv.Itoa(tt.status), func(t *testing.T) {
			t.Parallel()
			r := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) }), Options{})
			_, err := r.Resolve(t.Context(), refOf(t, r, ":v1"))
			wantCode(t, err, tt.code)
			if !strings.Contains(reason.Hint(err), tt.hint) {
				t.Errorf("hint %q", reason.Hint(err))
			}
		})
	}
}

func TestResolveCancelled(t *testing.T) {
	t.Parallel()
	r := open(t, newFake(), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Resolve(ctx, refOf(t, r, ":v1"))
	wantCode(t, err, reason.RegistryInterrupted)
	if strings.Contains(reason.Hint(err), "time") {
		t.Errorf("hint %q", reason.Hint(err))
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err = r.Resolve(ctx, refOf(t, r, ":v1"))
	wantCode(t, err, reason.RegistryTimeout)
	if !strings.Contains(reason.Hint(err), "--timeout") {
		t.Errorf("hint %q", reason.Hint(err))
	}
}

// TestMovedTag checks that nobody is told to trust a tag that has moved.
func TestMovedTag(t *testing.T) {
	t.Parallel()
	f := newFake()
	v1 := f.putImage("v1", "1")
	f.putImage("v2", "2")
	r := open(t, f, Options{})
	_, err := r.Resolve(t.Context(), refOf(t, r, ":v2@"+string(v1.Digest)))
	wantCode(t, err, reason.OCITagMismatch)
	if hint := reason.Hint(err); strings.Contains(hint, "now") || !strings.Contains(hint, "who moved the tag") {
		t.Errorf("hint %q", hint)
	}
}

func TestRepositoryNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ ref, host, scheme string }{
		{"alpine", "registry-1.docker.io", "https"},
		{"docker.io/u/app", "registry-1.docker.io", "https"},
		{"localhost/app", "localhost", "http"},
		{"localhost:5000/app", "localhost:5000", "http"},
		{"reg.localhost:5000/app", "reg.localhost:5000", "http"},
		{"127.0.0.1:5000/app", "127.0.0.1:5000", "http"},
		{"127.9.9.9/app", "127.9.9.9", "http"},
		{"[::1]:5000/app", "[::1]:5000", "http"},
		{"[::1]/app", "[::1]", "http"},
		{"localhost.example/app", "localhost.example", "https"},
		{"10.0.0.1/app", "10.0.0.1", "https"},
		{"plain.example/app", "plain.example", "http"},
	} {
		t.Run(tt.ref, func(t *testing.T) {
			t.Parallel()
			r, err := New(parseRef(t, tt.ref), Options{PlainHTTP: func(host string) bool { return host == "plain.example" }})
			if err != nil {
				t.Fatal(err)
			}
			if r.host != tt.host || r.scheme != tt.scheme || r.Name() != parseRef(t, tt.ref).Name() {
				t.Errorf("got %s://%s for %s", r.scheme, r.host, r.Name())
			}
		})
	}
	_, layout, err := oci.ParseLayoutReference("dir:tag")
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(layout, Options{})
	wantCode(t, err, reason.OCIReference)
}

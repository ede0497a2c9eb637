//go:build unix

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/notaryv2/notation/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// tagsPerRepository is how the artifacts are spread.
const tagsPerRepository = 100

// registry answers as one with the referrers API would that holds some number of
// signed images. It shares the processors with who is measured, so that whatever
// can be done beforehand is.
type registry struct {
	rtt        time.Duration
	listing    [3][]byte // of signatures: what stands before, between and after digest and size of one
	signatures [][]byte  // manifests, by the number of the image
	// subjects and names are numbers of images, by the digest of the image, and of
	// its signature.
	subjects, names map[[sha256.Size]byte]int32

	n        atomic.Int64 // images that there are now
	requests atomic.Int64
}

// newRegistry returns a registry with signatures of as many images as it will
// hold, and writes a policy and trust store for them into dir.
func newRegistry(ctx context.Context, dir string, rtt time.Duration, most int) (*registry, error) {
	m, err := newMaker(ctx, dir)
	if err != nil {
		return nil, err
	}
	r := &registry{
		rtt: rtt, signatures: make([][]byte, most),
		subjects: make(map[[sha256.Size]byte]int32, most), names: make(map[[sha256.Size]byte]int32, most),
	}
	group, ctx := errgroup.WithContext(ctx)
	parts := runtime.GOMAXPROCS(0)
	for part := range parts {
		group.Go(func() error {
			for i := part; i < most && ctx.Err() == nil; i += parts {
				var err error
				if r.signatures[i], err = m.make(i); err != nil {
					return err
				}
			}
			return context.Cause(ctx)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, raw := range r.signatures {
		r.subjects[sha256.Sum256(image(i))] = int32(i)
		r.names[sha256.Sum256(raw)] = int32(i)
	}
	return r, r.template(m.thumbprint)
}

// template makes the parts of a listing.
func (r *registry) template(thumbprint string) error {
	// Neither stands in it by chance.
	const digest, size = "DIGEST", 987654321
	raw, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex,
		"manifests": []oci.Descriptor{{
			MediaType: ocispec.MediaTypeImageManifest, Digest: digest, Size: size,
			ArtifactType: oci.ArtifactTypeSignature, Annotations: map[string]string{oci.AnnotationThumbprints: thumbprint},
		}},
	})
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(raw), digest)
	between, after, also := strings.Cut(rest, strconv.Itoa(size))
	if !found || !also {
		return fmt.Errorf("a listing is not of the form that is expected: %s", raw)
	}
	r.listing = [...][]byte{[]byte(before), []byte(between), []byte(after)}
	return nil
}

// resize makes the registry hold the first n images, and nobody have asked it.
func (r *registry) resize(n int) {
	r.n.Store(int64(n))
	r.requests.Store(0)
	// What making them has left need not be cleared away while the clock runs.
	runtime.GC()
}

// ServeHTTP answers after the round-trip time.
func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.requests.Add(1)
	time.Sleep(r.rtt)
	n := int(r.n.Load())
	if req.URL.Path == "/v2/_catalog" {
		list(w, req, "repositories", (n+tagsPerRepository-1)/tagsPerRepository, "team/r%06d")
		return
	}
	// team/rNNNNNN/manifests/LAST
	parts := strings.Split(strings.TrimPrefix(req.URL.Path, "/v2/"), "/")
	if len(parts) != 4 {
		http.NotFound(w, req)
		return
	}
	repository, what, last := parts[1], parts[2], parts[3]
	switch {
	case what == "tags":
		list(w, req, "tags", min(tagsPerRepository, n-number(repository)*tagsPerRepository), "v%03d")
	case what == "referrers":
		r.referrers(w, req, last)
	case what == "manifests" && strings.HasPrefix(last, "v"):
		send(w, req, image(number(repository)*tagsPerRepository+number(last)))
	case what == "manifests":
		// If there is none, it is above all a tag under which signatures might be
		// listed.
		if i, ok := lookup(r.names, last); ok {
			send(w, req, r.signatures[i])
			return
		}
		http.NotFound(w, req)
	default:
		http.NotFound(w, req)
	}
}

// number reads the digits at the end of a name.
func number(name string) int {
	n, err := strconv.Atoi(strings.TrimLeft(name, "rv"))
	if err != nil {
		return 0
	}
	return n
}

// lookup returns the number of the image for a digest.
func lookup(numbers map[[sha256.Size]byte]int32, digest string) (int32, bool) {
	var key [sha256.Size]byte
	text, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(text) != hex.EncodedLen(len(key)) {
		return 0, false
	}
	if _, err := hex.Decode(key[:], []byte(text)); err != nil {
		return 0, false
	}
	i, ok := numbers[key]
	return i, ok
}

// list answers one page of a list of names.
func list(w http.ResponseWriter, req *http.Request, member string, n int, format string) {
	page, err := strconv.Atoi(req.URL.Query().Get("n"))
	if err != nil || page < 1 {
		page = 1000
	}
	first := 0
	if last := req.URL.Query().Get("last"); last != "" {
		first = number(last[strings.LastIndex(last, "/")+1:]) + 1
	}
	names := []string{}
	for i := first; i < min(n, first+page); i++ {
		names = append(names, fmt.Sprintf(format, i))
	}
	if first+page < n {
		w.Header().Set("Link", fmt.Sprintf(`<%s?n=%d&last=%s>; rel="next"`, req.URL.Path, page, names[len(names)-1]))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string][]string{member: names}) // an error means that the client has gone
}

// referrers lists the signature of an image.
func (r *registry) referrers(w http.ResponseWriter, req *http.Request, subject string) {
	i, ok := lookup(r.subjects, subject)
	if !ok {
		http.NotFound(w, req)
		return
	}
	raw := r.signatures[i]
	body := make([]byte, 0, 1024)
	body = append(body, r.listing[0]...)
	body = appendDigest(body, raw)
	body = append(body, r.listing[1]...)
	body = strconv.AppendInt(body, int64(len(raw)), 10)
	body = append(body, r.listing[2]...)
	w.Header()["Content-Type"] = []string{ocispec.MediaTypeImageIndex}
	_, _ = w.Write(body)
}

// appendDigest appends the digest of content as text.
func appendDigest(to, content []byte) []byte {
	sum := sha256.Sum256(content)
	return hex.AppendEncode(append(to, "sha256:"...), sum[:])
}

// send sends a manifest.
func send(w http.ResponseWriter, req *http.Request, manifest []byte) {
	h := w.Header()
	h["Content-Type"] = []string{ocispec.MediaTypeImageManifest}
	h["Content-Length"] = []string{strconv.Itoa(len(manifest))}
	h["Docker-Content-Digest"] = []string{string(appendDigest(nil, manifest))}
	if req.Method != http.MethodHead {
		_, _ = w.Write(manifest)
	}
}

//go:build unix

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// tagsPerRepository is how the artifacts are spread.
const tagsPerRepository = 100

// registry answers as one with the referrers API would that holds some number of
// signed images.
type registry struct {
	rtt        time.Duration
	key        signer.Signer
	thumbprint string
	requests   atomic.Int64

	mu         sync.Mutex
	n          int
	numbers    map[digest.Digest]int // of images
	signatures map[digest.Digest][]byte
}

// newRegistry makes a key, and a policy and trust store for it in dir.
func newRegistry(dir string, rtt time.Duration) (*registry, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		Subject: pkix.Name{CommonName: "scale", Organization: []string{"wabbit-networks.io"}, Province: []string{"WA"}, Country: []string{"US"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	r := &registry{rtt: rtt, thumbprint: oci.FormatThumbprints([]oci.Thumbprint{sha256.Sum256(der)})}
	if r.key, err = signer.New(key, []*x509.Certificate{cert}); err != nil {
		return nil, err
	}
	store := filepath.Join(dir, "stores", "ca", "scale")
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(store, "root.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	const policy = `{"version":"1.0","trustPolicies":[{"name":"all","registryScopes":["*"],"signatureVerification":{"level":"strict"},"trustStores":["ca:scale"],"trustedIdentities":["*"]}]}`
	return r, os.WriteFile(filepath.Join(dir, "policy.json"), []byte(policy), 0o600)
}

// resize makes the registry hold n images.
func (r *registry) resize(n int) {
	r.requests.Store(0)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n, r.numbers, r.signatures = n, make(map[digest.Digest]int, n), map[digest.Digest][]byte{}
	for i := range n {
		r.numbers[digest.FromBytes(image(i))] = i
	}
}

// image is the manifest of an image.
func image(i int) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":2},"layers":[],"annotations":{"number":"%d"}}`,
		ocispec.MediaTypeImageManifest, ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Digest, i)
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.requests.Add(1)
	time.Sleep(r.rtt)
	parts := strings.Split(strings.TrimPrefix(req.URL.Path, "/v2/"), "/")
	switch last := parts[len(parts)-1]; {
	case req.URL.Path == "/v2/_catalog":
		r.list(w, req, "repositories", (r.n+tagsPerRepository-1)/tagsPerRepository, "team/r%06d")
	case len(parts) != 4:
		http.NotFound(w, req)
	case parts[2] == "tags":
		first := number(parts[1]) * tagsPerRepository
		r.list(w, req, "tags", min(tagsPerRepository, r.n-first), "v%03d")
	case parts[2] == "referrers":
		r.referrers(w, req, digest.Digest(last))
	case parts[2] == "manifests" && strings.HasPrefix(last, "v"):
		send(w, req, ocispec.MediaTypeImageManifest, image(number(parts[1])*tagsPerRepository+number(last)))
	case parts[2] == "manifests":
		r.signature(w, req, digest.Digest(last))
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

// list answers one page of a list of names.
func (r *registry) list(w http.ResponseWriter, req *http.Request, member string, n int, format string) {
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
	_ = json.NewEncoder(w).Encode(map[string][]string{member: names})
}

// referrers signs the subject, and lists the signature until it is fetched.
func (r *registry) referrers(w http.ResponseWriter, req *http.Request, subject digest.Digest) {
	r.mu.Lock()
	i, ok := r.numbers[subject]
	r.mu.Unlock()
	if !ok {
		http.NotFound(w, req)
		return
	}
	raw := image(i)
	target := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: subject, Size: int64(len(raw))}
	attachment, err := r.sign(req.Context(), target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	d := oci.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(attachment), Size: int64(len(attachment)),
		ArtifactType: oci.ArtifactTypeSignature, Annotations: map[string]string{oci.AnnotationThumbprints: r.thumbprint},
	}
	r.mu.Lock()
	r.signatures[d.Digest] = attachment
	r.mu.Unlock()
	w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	_ = json.NewEncoder(w).Encode(map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": []oci.Descriptor{d}})
}

// sign returns the signature manifest of an image.
func (r *registry) sign(ctx context.Context, target oci.Descriptor) ([]byte, error) {
	result, err := r.key.Sign(ctx, envelope.Request{MediaType: envelope.MediaTypeJWS, Target: target, SigningTime: time.Now(), Agent: "scale"})
	if err != nil {
		return nil, err
	}
	a, err := oci.NewSignatureAttachment(target, envelope.MediaTypeJWS, result.Envelope, map[string]string{oci.AnnotationThumbprints: r.thumbprint})
	return a.Manifest, err
}

// signature sends a signature that was listed, once.
func (r *registry) signature(w http.ResponseWriter, req *http.Request, d digest.Digest) {
	r.mu.Lock()
	raw, ok := r.signatures[d]
	delete(r.signatures, d)
	r.mu.Unlock()
	if !ok { // above all a tag under which signatures might be listed
		http.NotFound(w, req)
		return
	}
	send(w, req, ocispec.MediaTypeImageManifest, raw)
}

func send(w http.ResponseWriter, req *http.Request, mediaType string, content []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.Header().Set("Docker-Content-Digest", string(digest.FromBytes(content)))
	if req.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}

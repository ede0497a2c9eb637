package notation_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const scope = "registry.example/net-monitor"

// fakeRepo is a repository in memory that can be made to lie, to fail and to
// hang. The real ones have tests of their own; this one is for what only the
// root package decides.
type fakeRepo struct {
	name string

	mu        sync.Mutex
	tags      map[string]oci.Descriptor
	content   map[digest.Digest][]byte
	listings  map[digest.Digest][]oci.Descriptor
	requests  []string // "resolve", "referrers", "fetch DIGEST" in order of arrival
	truncated bool
	warnings  []error

	// What is not nil is asked first; (nil, nil) goes on as usual.
	onResolve   func(oci.Reference) (oci.Descriptor, error)
	likely      *int // how many entries a likely listing has; nil: all are asked for
	onReferrers func(context.Context) error
	onFetch     func(context.Context, digest.Digest) ([]byte, error)
}

func newFakeRepo() *fakeRepo {
	return &fakeRepo{
		name: scope, tags: map[string]oci.Descriptor{},
		content: map[digest.Digest][]byte{}, listings: map[digest.Digest][]oci.Descriptor{},
	}
}

func (r *fakeRepo) Name() string { return r.name }

func (r *fakeRepo) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, fmt.Sprintf(format, args...))
}

// count returns how many requests began with prefix.
func (r *fakeRepo) count(prefix string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, q := range r.requests {
		if strings.HasPrefix(q, prefix) {
			n++
		}
	}
	return n
}

func notFound(what string) error { return reason.Errorf(reason.OCINotFound, "there is no %s", what) }

func (r *fakeRepo) Resolve(ctx context.Context, ref oci.Reference) (oci.Descriptor, error) {
	r.note("resolve")
	if r.onResolve != nil {
		return r.onResolve(ref)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ref.Digest() == "" {
		if d, ok := r.tags[ref.Tag()]; ok {
			return d, nil
		}
		return oci.Descriptor{}, notFound("tag " + ref.Tag())
	}
	raw, ok := r.content[ref.Digest()]
	if !ok {
		return oci.Descriptor{}, notFound(string(ref.Digest()))
	}
	mediaType := ocispec.MediaTypeImageManifest
	if m, err := oci.ParseManifest(raw); err == nil && oci.IsIndex(m.MediaType) {
		mediaType = m.MediaType
	}
	return descriptor(mediaType, raw), ctx.Err()
}

func (r *fakeRepo) Referrers(ctx context.Context, subject digest.Digest, o oci.ReferrersOptions) (oci.Listing, error) {
	r.note("referrers")
	r.mu.Lock()
	if n := r.likely; n != nil && o.Likely {
		defer r.mu.Unlock()
		return oci.Listing{Referrers: slices.Clone(r.listings[subject][:*n]), Partial: true}, nil
	}
	listing := oci.Listing{Referrers: slices.Clone(r.listings[subject]), Truncated: r.truncated, Warnings: r.warnings}
	r.mu.Unlock()
	if r.onReferrers != nil {
		return listing, r.onReferrers(ctx)
	}
	return listing, nil
}

func (r *fakeRepo) Fetch(ctx context.Context, d oci.Descriptor, limit int64) ([]byte, error) {
	r.note("fetch %s", d.Digest)
	if r.onFetch != nil {
		if raw, err := r.onFetch(ctx, d.Digest); raw != nil || err != nil {
			return raw, err
		}
	}
	if d.Size > limit {
		return nil, reason.Errorf(reason.OCITooLarge, "too large")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	raw, ok := r.content[d.Digest]
	if !ok {
		return nil, notFound(string(d.Digest))
	}
	return raw, oci.VerifyContent(raw, d)
}

func (r *fakeRepo) Attach(ctx context.Context, ref oci.Reference, build func(oci.Descriptor) (oci.Attachment, error)) (oci.Attached, error) {
	subject, err := r.Resolve(ctx, ref)
	if err != nil {
		return oci.Attached{}, err
	}
	a, err := build(subject)
	if err != nil {
		return oci.Attached{}, err
	}
	return oci.Attached{Subject: subject, Manifest: r.attach(subject, a)}, nil
}

// attach stores an attachment and lists it with type and annotations.
func (r *fakeRepo) attach(subject oci.Descriptor, a oci.Attachment) oci.Descriptor {
	for _, b := range a.Blobs {
		r.put(b.Content)
	}
	m := r.put(a.Manifest)
	m.MediaType = ocispec.MediaTypeImageManifest
	m.ArtifactType = oci.ArtifactTypeSignature
	if parsed, err := oci.ParseManifest(a.Manifest); err == nil {
		m.ArtifactType, m.Annotations = parsed.ArtifactType, parsed.Annotations
	}
	r.list(subject.Digest, m)
	return m
}

func (r *fakeRepo) put(raw []byte) oci.Descriptor {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.content[digest.FromBytes(raw)] = raw
	return oci.Descriptor{Digest: digest.FromBytes(raw), Size: int64(len(raw))}
}

func (r *fakeRepo) list(subject digest.Digest, d oci.Descriptor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listings[subject] = append(r.listings[subject], d)
}

// push stores an artifact under a tag.
func (r *fakeRepo) push(tag, content string) oci.Descriptor {
	d := r.put([]byte(content))
	d.MediaType = ocispec.MediaTypeImageManifest
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tags[tag] = d
	return d
}

func descriptor(mediaType string, raw []byte) oci.Descriptor {
	return oci.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
}

func reference(t testing.TB, s string) oci.Reference {
	t.Helper()
	ref, err := oci.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func byDigest(t testing.TB, d oci.Descriptor) oci.Reference {
	t.Helper()
	return reference(t, scope+"@"+string(d.Digest))
}

// policy returns one statement for scope with a level; members are those of its
// stores and identities, "" for the usual ones.
func policy(t testing.TB, level, members string) *trust.Policy {
	t.Helper()
	if members == "" {
		members = `"trustStores": ["ca:test"], "trustedIdentities": ["*"]`
	}
	return statement(t, `"signatureVerification": {"level": "`+level+`"}, `+members)
}

// statement returns one statement for scope with the given JSON members.
func statement(t testing.TB, members string) *trust.Policy {
	t.Helper()
	p, err := trust.ParsePolicy("policy.json", []byte(`{"version": "1.0", "trustPolicies": [{
		"name": "test", "registryScopes": ["`+scope+`"], `+members+`}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func stores(refs map[string][]*x509.Certificate) *trust.Stores {
	all := map[trust.StoreRef][]*x509.Certificate{}
	for name, certs := range refs {
		typ, name, _ := strings.Cut(name, ":")
		for _, t := range []trust.StoreType{trust.CA, trust.SigningAuthority, trust.TSA} {
			if t.String() == typ {
				all[trust.StoreRef{Type: t, Name: name}] = certs
			}
		}
	}
	return trust.NewMemoryStores(all)
}

// verifierFor trusts the root of chain at level strict.
func verifierFor(t testing.TB, chain *testpki.Chain) *notation.Verifier {
	t.Helper()
	return verifierAnchored(t, chain.Root())
}

// verifierAnchored trusts an anchor at level strict.
func verifierAnchored(t testing.TB, anchor *x509.Certificate) *notation.Verifier {
	t.Helper()
	return &notation.Verifier{
		Policy: policy(t, "strict", ""),
		Stores: stores(map[string][]*x509.Certificate{"ca:test": {anchor}}),
		Cache:  modeCache(),
	}
}

func signerFor(t testing.TB, chain *testpki.Chain) signer.Signer {
	t.Helper()
	s, err := signer.New(chain.Key, chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signAs attaches a signature of chain and returns its descriptor.
func (r *fakeRepo) signAs(t testing.TB, artifact oci.Descriptor, chain *testpki.Chain, o notation.SignOptions) oci.Descriptor {
	t.Helper()
	signed, err := notation.Sign(t.Context(), r, byDigest(t, artifact), signerFor(t, chain), o)
	if err != nil {
		t.Fatal(err)
	}
	if cachemodes.Current() == cachemodes.Warm {
		seal(t, chain, envelope.Request{Target: artifact}) // which is seen
	}
	return signed.Signature
}

// seal returns an envelope for r, which need not be one that Sign would make.
func seal(t testing.TB, chain *testpki.Chain, r envelope.Request) []byte {
	t.Helper()
	if r.MediaType == "" {
		r.MediaType = envelope.MediaTypeJWS
	}
	if r.SigningTime.IsZero() {
		r.SigningTime = time.Now()
	}
	made, err := signerFor(t, chain).Sign(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return seen(t, chain.Certs, made.Envelope)
}

// attachEnvelope stores env as a signature of artifact; large: not inline.
func (r *fakeRepo) attachEnvelope(t testing.TB, artifact oci.Descriptor, env []byte, annotations map[string]string) oci.Descriptor {
	t.Helper()
	a, err := oci.NewSignatureAttachment(artifact, envelope.MediaTypeJWS, env, annotations)
	if err != nil {
		t.Fatal(err)
	}
	return r.attach(artifact, a)
}

func thumbprints(chain *testpki.Chain) map[string]string {
	var ts []oci.Thumbprint
	for _, c := range chain.Certs {
		ts = append(ts, sha256.Sum256(c.Raw))
	}
	return map[string]string{oci.AnnotationThumbprints: oci.FormatThumbprints(ts)}
}

// finding returns the finding of a check.
func finding(t testing.TB, fs []notation.Finding, check notation.Check) notation.Finding {
	t.Helper()
	i := slices.IndexFunc(fs, func(f notation.Finding) bool { return f.Check == check })
	if i < 0 {
		t.Fatalf("no finding on %s in %v", check, fs)
	}
	return fs[i]
}

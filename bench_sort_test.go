package notation

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// BenchmarkSortCandidates puts a thousand listed signatures into the order in
// which they are fetched. The last one is the only one that meets a trusted root.
func BenchmarkSortCandidates(b *testing.B) {
	root := testpki.New(b, testpki.Options{}).Root()
	policy, err := trust.ParsePolicy("policy.json", []byte(`{"version": "1.0", "trustPolicies": [{"name": "all", "registryScopes": ["*"],
		"signatureVerification": {"level": "strict"}, "trustStores": ["ca:test"], "trustedIdentities": ["*"]}]}`))
	if err != nil {
		b.Fatal(err)
	}
	statement, err := policy.ForRepository("registry.example/net-monitor")
	if err != nil {
		b.Fatal(err)
	}
	v := &Verifier{
		Policy: policy,
		Stores: trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{{Type: trust.CA, Name: "test"}: {root}}),
	}
	var found discovery
	for i := range 1000 {
		chain := []oci.Thumbprint{sha256.Sum256(fmt.Append(nil, "leaf", i)), sha256.Sum256([]byte("intermediate")), sha256.Sum256([]byte("root"))}
		if i == 999 {
			chain[2] = sha256.Sum256(root.Raw)
		}
		found.listing.Referrers = append(found.listing.Referrers, oci.Descriptor{
			MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(fmt.Sprint(i)), Size: 1000,
			ArtifactType: oci.ArtifactTypeSignature, Annotations: map[string]string{oci.AnnotationThumbprints: oci.FormatThumbprints(chain)},
		})
	}
	j := newJudge(v, statement, time.Now())
	b.ReportAllocs()
	for b.Loop() {
		s := newSearch(v, nil, j, found)
		if len(s.candidates) != 1000 || s.candidates[0].position != 999 {
			b.Fatal("the one that meets the root is not the first")
		}
	}
}

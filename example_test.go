package notation_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
)

// Sign an artifact in a registry and verify it.
func Example_registry() {
	registry := httptest.NewServer(newTinyRegistry("net-monitor", "v1", exampleManifest))
	defer registry.Close()
	ctx := context.Background()

	ref, err := oci.ParseReference(strings.TrimPrefix(registry.URL, "http://") + "/net-monitor:v1")
	if err != nil {
		log.Fatal(err)
	}
	repo, err := remote.New(ref, remote.Options{}) // plain HTTP, as it is on loopback
	if err != nil {
		log.Fatal(err)
	}
	key, root := exampleSigner()
	verifier := exampleVerifier(repo.Name(), root)

	_, err = verifier.Verify(ctx, repo, ref)
	fmt.Println("unsigned:", errors.Is(err, notation.ErrUnsigned))

	signed, err := notation.Sign(ctx, repo, ref, key, notation.SignOptions{Metadata: map[string]string{"commit": "abc"}})
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := verifier.Verify(ctx, repo, ref.WithDigest(signed.Artifact.Digest))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict.Word(), "by", verdict.Accepted().Subject)
	// Output:
	// unsigned: true
	// passed by O=wabbit-networks.io,ST=WA,C=US
}

// Sign an artifact in an OCI image layout and verify it there.
func Example_layout() {
	dir, err := os.MkdirTemp("", "layout")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := writeLayout(dir, "v1", exampleManifest); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	// A layout has no name of its own; a policy knows it by the one given here.
	path, ref, err := oci.ParseLayoutReference(dir + ":v1")
	if err != nil {
		log.Fatal(err)
	}
	repo, err := layout.Open(path, layout.Options{Name: "registry.example/net-monitor"})
	if err != nil {
		log.Fatal(err)
	}
	key, root := exampleSigner()
	signed, err := notation.Sign(ctx, repo, ref, key, notation.SignOptions{MediaType: envelope.MediaTypeCOSE, Expiry: 24 * time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := exampleVerifier(repo.Name(), root).Verify(ctx, repo, ref)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict.Word(), verdict.Artifact.Digest == signed.Artifact.Digest)
	for _, f := range verdict.Accepted().Findings {
		fmt.Println(f.Check, f.Outcome)
	}
	// Output:
	// passed true
	// integrity passed
	// authenticity passed
	// authenticTimestamp passed
	// expiry passed
	// revocation skipped
}

// Decide about an envelope that is already at hand. No registry is involved.
func ExampleVerifier_VerifyEnvelope() {
	ctx := context.Background()
	artifact := oci.Descriptor{
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Digest:    digest.FromString(exampleManifest),
		Size:      int64(len(exampleManifest)),
	}
	key, root := exampleSigner()
	made, err := key.Sign(ctx, envelope.Request{MediaType: envelope.MediaTypeJWS, Target: artifact, SigningTime: time.Now()})
	if err != nil {
		log.Fatal(err)
	}

	const scope = "registry.example/net-monitor"
	verifier := exampleVerifier(scope, root)
	verdict, err := verifier.VerifyEnvelope(ctx, made.Envelope, envelope.MediaTypeJWS, artifact, scope)
	fmt.Println(verdict.Word(), err)

	artifact.Digest = digest.FromString("another artifact")
	verdict, err = verifier.VerifyEnvelope(ctx, made.Envelope, envelope.MediaTypeJWS, artifact, scope)
	fmt.Println(verdict.Word(), errors.Is(err, notation.ErrRejected), verdict.Signatures[0].Findings[0].Reason)
	// Output:
	// passed <nil>
	// rejected true verify.other-artifact
}

// exampleVerifier has its policy and its trust store from memory: who signs in
// the repository is wabbit-networks.io, under that root.
func exampleVerifier(repository string, root *x509.Certificate) *notation.Verifier {
	policy, err := trust.ParsePolicy("policy", fmt.Appendf(nil, `{
		"version": "1.0",
		"trustPolicies": [{
			"name": "wabbit",
			"registryScopes": [%q],
			"signatureVerification": {"level": "strict"},
			"trustStores": ["ca:wabbit"],
			"trustedIdentities": ["x509.subject: C=US, ST=WA, O=wabbit-networks.io"]
		}]
	}`, repository))
	if err != nil {
		log.Fatal(err)
	}
	stores := trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{
		{Type: trust.CA, Name: "wabbit"}: {root},
	})
	return &notation.Verifier{Policy: policy, Stores: stores}
}

// exampleSigner returns a signer with a self-signed certificate.
func exampleSigner() (signer.Signer, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"wabbit-networks.io"}},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	s, err := signer.New(key, []*x509.Certificate{cert})
	if err != nil {
		log.Fatal(err)
	}
	return s, cert
}

const exampleManifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
	`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`

// writeLayout makes an image layout with one manifest.
func writeLayout(dir, tag, manifest string) error {
	d := digest.FromString(manifest)
	blobs := filepath.Join(dir, "blobs", "sha256")
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":%q}}]}`, d, len(manifest), tag)
	return errors.Join(
		os.MkdirAll(blobs, 0o755),
		os.WriteFile(filepath.Join(blobs, d.Encoded()), []byte(manifest), 0o644),
		os.WriteFile(filepath.Join(dir, "index.json"), []byte(index), 0o644),
		os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644),
	)
}

// A verifier that keeps what it learns about revocation on disk, refuses chains
// that name nobody to ask, and runs the plugins of a directory. None of it is
// needed: without a checker it asks the network and remembers in memory.
func ExampleVerifier_revocation() {
	verifier := notation.Verifier{
		Revocation:        revocation.New(revocation.Options{CacheDir: "/var/cache/deployer/notation", Timeout: 5 * time.Second}),
		RequireRevocation: true,
		Plugins:           plugin.NewHost("/usr/lib/notation/plugins"),
	}
	fmt.Println(verifier.RequireRevocation)
	// Output: true
}

// A signature over a file, kept beside it, and verified by a policy about blobs.
func ExampleSignBlob() {
	ctx := context.Background()
	key, root := exampleSigner()
	blob := "what is in the file"
	signed, err := notation.SignBlob(ctx, strings.NewReader(blob), key, notation.SignBlobOptions{BlobMediaType: "text/plain"})
	if err != nil {
		log.Fatal(err)
	}

	policy, err := trust.ParseBlobPolicy("trustpolicy.blob.json", []byte(`{"version": "1.0", "trustPolicies": [{
		"name": "files", "globalPolicy": true, "signatureVerification": {"level": "strict"},
		"trustStores": ["ca:wabbit"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=wabbit-networks.io"]}]}`))
	if err != nil {
		log.Fatal(err)
	}
	verifier := notation.Verifier{
		Policy: policy,
		Stores: trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{{Type: trust.CA, Name: "wabbit"}: {root}}),
	}
	verdict, err := verifier.VerifyBlob(ctx, strings.NewReader(blob), signed.Envelope, notation.VerifyBlobOptions{})
	fmt.Println(verdict.Word(), err)
	verdict, err = verifier.VerifyBlob(ctx, strings.NewReader(blob+"!"), signed.Envelope, notation.VerifyBlobOptions{})
	fmt.Println(verdict.Word(), errors.Is(err, notation.ErrRejected))
	// Output:
	// passed <nil>
	// rejected true
}

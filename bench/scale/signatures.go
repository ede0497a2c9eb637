//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// image is the manifest of an image. All are of the same size.
func image(i int) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":2},"layers":[],"annotations":{"number":"%07d"}}`,
		ocispec.MediaTypeImageManifest, ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Digest, i)
}

// describe returns the descriptor of an image.
func describe(i int) oci.Descriptor {
	raw := image(i)
	return oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
}

// A maker makes signatures in quantity. The first is made by the library, which
// verifies what it has made; in the others stand another digest and the signature
// over it. Whoever verifies them has as much to do.
type maker struct {
	key        crypto.Signer
	thumbprint string // of its chain, for annotations

	first     digest.Digest // that the payload names
	payload   []byte
	envelope  map[string]json.RawMessage // the members of a JWS
	protected string
}

// newMaker makes a key, and a policy and trust store for it in dir.
func newMaker(ctx context.Context, dir string) (*maker, error) {
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
	m := &maker{key: key, thumbprint: oci.FormatThumbprints([]oci.Thumbprint{sha256.Sum256(der)})}
	if err := m.learn(ctx, cert); err != nil {
		return nil, err
	}
	store := filepath.Join(dir, "stores", "ca", "scale")
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, err
	}
	const policy = `{"version":"1.0","trustPolicies":[{"name":"all","registryScopes":["*"],"signatureVerification":{"level":"strict"},"trustStores":["ca:scale"],"trustedIdentities":["*"]}]}`
	return m, errors.Join(
		os.WriteFile(filepath.Join(store, "root.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, "policy.json"), []byte(policy), 0o600),
	)
}

// learn has the library make an envelope and takes it apart.
func (m *maker) learn(ctx context.Context, cert *x509.Certificate) error {
	s, err := signer.New(m.key, []*x509.Certificate{cert})
	if err != nil {
		return err
	}
	target := describe(0)
	result, err := s.Sign(ctx, envelope.Request{MediaType: envelope.MediaTypeJWS, Target: target, SigningTime: time.Now(), Agent: "scale"})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(result.Envelope, &m.envelope); err != nil {
		return err
	}
	var payload string
	if err := errors.Join(json.Unmarshal(m.envelope["payload"], &payload), json.Unmarshal(m.envelope["protected"], &m.protected)); err != nil {
		return err
	}
	m.first = target.Digest
	m.payload, err = base64.RawURLEncoding.DecodeString(payload)
	return err
}

// make returns the signature manifest of image i.
func (m *maker) make(i int) ([]byte, error) {
	target := describe(i)
	payload := base64.RawURLEncoding.EncodeToString(bytes.ReplaceAll(m.payload, []byte(m.first), []byte(target.Digest)))
	signature, err := envelope.SignPrimitive(m.key, envelope.ECDSASHA256, []byte(m.protected+"."+payload))
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(map[string]any{
		"payload": payload, "protected": m.envelope["protected"], "header": m.envelope["header"],
		"signature": base64.RawURLEncoding.EncodeToString(signature),
	})
	if err != nil {
		return nil, err
	}
	a, err := oci.NewSignatureAttachment(target, envelope.MediaTypeJWS, raw, map[string]string{oci.AnnotationThumbprints: m.thumbprint})
	return a.Manifest, err
}

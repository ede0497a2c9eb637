package bundle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"path"
	"slices"
	"strings"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The names of the files in [Trust.Files], which are those of a configuration
// directory.
const (
	PolicyFile = "trustpolicy.oci.json"
	StoreDir   = "truststore/x509"
)

// Trust is a trust policy with the certificates of its stores. It is for people
// to review: that it came along with the artifacts is no reason to believe it.
type Trust struct {
	Policy []byte // a trust policy for artifacts
	Stores []TrustedCertificate
}

// TrustedCertificate is a certificate in a trust store.
type TrustedCertificate struct {
	Store       trust.StoreRef
	Certificate *x509.Certificate
}

// Fingerprint returns the SHA-256 of the certificate, in lower-case hex.
func (c *TrustedCertificate) Fingerprint() string {
	sum := sha256.Sum256(c.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

func (c *TrustedCertificate) file() string {
	return path.Join(StoreDir, c.Store.Type.String(), c.Store.Name, c.Fingerprint()+".crt")
}

func trustFault(format string, args ...any) *reason.Error {
	return reason.Errorf(reason.BundleTrust, "the trust policy and stores cannot be carried: "+format, args...)
}

// check refuses what no verifier could use.
func (t *Trust) check() error {
	if len(t.Policy) > MaxPolicyBytes {
		return trustFault("the policy is longer than %d bytes", MaxPolicyBytes)
	}
	if _, err := trust.ParsePolicy(PolicyFile, t.Policy); err != nil {
		return reason.Wrap(reason.BundleTrust, err, "the trust policy cannot be used")
	}
	if len(t.Stores) > MaxCertificates {
		return trustFault("there are more than %d certificates", MaxCertificates)
	}
	seen := map[string]bool{}
	for i := range t.Stores {
		c := &t.Stores[i]
		if err := trust.CheckStoreName(c.Store.Name); err != nil {
			return reason.Wrap(reason.BundleTrust, err, "a trust store cannot be used")
		}
		if err := trust.CheckAnchor(c.Store.Type, c.Certificate); err != nil {
			return reason.Wrap(reason.BundleTrust, err, "a certificate of the trust store %s cannot be used", c.Store)
		}
		if seen[c.file()] {
			return trustFault("a certificate of the trust store %s stands in it twice", c.Store)
		}
		seen[c.file()] = true
	}
	return nil
}

// Files returns policy and certificates as files, certificates in PEM, by their
// names: [PolicyFile] and [StoreDir]/TYPE/STORE/FINGERPRINT.crt. A configuration
// directory has the same.
func (t *Trust) Files() map[string][]byte {
	files := map[string][]byte{PolicyFile: t.Policy}
	for i := range t.Stores {
		c := &t.Stores[i]
		files[c.file()] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate.Raw})
	}
	return files
}

// putTrust stores a policy and its stores.
func putTrust(ctx context.Context, to oci.Store, t *Trust) error {
	if err := t.check(); err != nil {
		return err
	}
	layers := []layer{{mediaType: MediaTypePolicy, title: PolicyFile, content: t.Policy}}
	certs := slices.Clone(t.Stores)
	slices.SortFunc(certs, func(a, b TrustedCertificate) int { return cmp.Compare(a.file(), b.file()) })
	for i := range certs {
		layers = append(layers, layer{mediaType: MediaTypeCertificate, title: certs[i].file(), content: certs[i].Certificate.Raw})
	}
	return put(ctx, to, ArtifactTypeTrust, TagTrust, layers)
}

// ReadTrust reads the trust policy and stores that lie in a layout; nil if there
// are none. What could not be used is an error, with the code bundle.trust or
// bundle.manifest.
func ReadTrust(ctx context.Context, from oci.Repository) (*Trust, error) {
	layers, found, err := get(ctx, from, ArtifactTypeTrust, TagTrust, MaxCertificates+1)
	if err != nil || !found {
		return nil, err
	}
	if len(layers) == 0 || layers[0].MediaType != MediaTypePolicy || layers[0].Annotations[ocispec.AnnotationTitle] != PolicyFile {
		return nil, trustFault("the first layer is not the policy")
	}
	t := &Trust{}
	if t.Policy, err = fetch(ctx, from, layers[0], MaxPolicyBytes); err != nil {
		return nil, err
	}
	for _, d := range layers[1:] {
		c, err := readCertificate(ctx, from, d)
		if err != nil {
			return nil, err
		}
		t.Stores = append(t.Stores, c)
	}
	return t, t.check()
}

// readCertificate reads a certificate, whose name says in which store it is.
func readCertificate(ctx context.Context, from oci.Repository, d oci.Descriptor) (c TrustedCertificate, err error) {
	name := d.Annotations[ocispec.AnnotationTitle]
	rest, ok := strings.CutPrefix(name, StoreDir+"/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 || d.MediaType != MediaTypeCertificate || d.Digest.Algorithm() != digest.SHA256 {
		return c, trustFault("%q is not the name of a certificate in a store", name)
	}
	if c.Store, err = trust.ParseStoreRef(parts[0] + ":" + parts[1]); err != nil {
		return c, reason.Wrap(reason.BundleTrust, err, "%q is not the name of a certificate in a store", name)
	}
	raw, err := fetch(ctx, from, d, MaxCertificateBytes)
	if err != nil {
		return c, err
	}
	certs, err := trust.ParseCertificates(raw)
	if err != nil {
		return c, reason.Wrap(reason.BundleTrust, err, "%q cannot be used", name)
	}
	if len(certs) != 1 || len(certs[0].Raw) != len(raw) {
		return c, trustFault("%q is not one certificate in DER", name)
	}
	if c.Certificate = certs[0]; c.file() != name {
		return c, trustFault("%q has another fingerprint than its name says", name)
	}
	return c, nil
}

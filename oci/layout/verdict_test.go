package layout_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/cachemodes/everymode"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/trust"
)

const onlyPolicy = `{"version":"1.0","trustPolicies":[{"name":"all","registryScopes":["*"],
	"signatureVerification":{"level":"strict","override":{"revocation":"skip"}},"trustStores":["ca:test"],"trustedIdentities":["*"]}]}`

// TestDamagedIsNotUnsigned: an artifact whose signature manifests are damaged or
// gone is not called unsigned, and one good signature is enough all the same.
//
// attack: REG-09
// attack: FS-05
func TestDamagedIsNotUnsigned(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	key, err := signer.New(chain.Key, chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := trust.ParsePolicy("", []byte(onlyPolicy))
	if err != nil {
		t.Fatal(err)
	}
	v := &notation.Verifier{Policy: policy, Stores: trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{{Type: trust.CA, Name: "test"}: {chain.Root()}})}
	change := func(edit func(b []byte) []byte) func(string) error {
		return func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, edit(b), 0o600)
		}
	}
	for name, tt := range map[string]struct {
		damage func(path string) error
		cause  reason.Code
	}{
		"missing":   {os.Remove, reason.OCINotFound},
		"cut":       {change(func(b []byte) []byte { return b[:len(b)/2] }), reason.OCISizeMismatch},
		"longer":    {change(func(b []byte) []byte { return append(b, ' ') }), reason.OCISizeMismatch},
		"changed":   {change(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), reason.OCIDigestMismatch},
		"directory": {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, reason.OCILayoutFile},
		"link":      {func(path string) error { return errors.Join(os.Rename(path, path+".x"), os.Symlink(path+".x", path)) }, reason.OCILayoutFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := writeLayout()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			_, ref, err := oci.ParseLayoutReference(dir + ":v1")
			if err != nil {
				t.Fatal(err)
			}
			repo, err := layout.Open(dir, layout.Options{Name: "registry.example.com/app"})
			if err != nil {
				t.Fatal(err)
			}
			verdict, err := everymode.Verify(t, v, repo, ref)
			if !errors.Is(err, notation.ErrUnsigned) || verdict.Accepted() != nil {
				t.Fatalf("before it is signed: %v", err)
			}
			sign := func(n int) (path string) {
				o := notation.SignOptions{Metadata: map[string]string{"n": fmt.Sprint(n)}}
				signed, err := notation.Sign(t.Context(), repo, ref, key, o)
				if err != nil {
					t.Fatal(err)
				}
				d := signed.Signature.Digest
				return filepath.Join(dir, "blobs", d.Algorithm().String(), d.Encoded())
			}
			for n := range 2 {
				if err := tt.damage(sign(n)); err != nil {
					t.Fatal(err)
				}
				verdict, err = everymode.Verify(t, v, repo, ref)
				if !errors.Is(err, notation.ErrUndecided) || reason.Of(errors.Unwrap(err)) != reason.OCILayoutEntry && reason.Of(err) != reason.OCILayoutEntry {
					t.Errorf("%d damaged: %v", n+1, err)
				}
				if verdict.Outcome != notation.Undecided || verdict.Accepted() != nil {
					t.Errorf("outcome %s", verdict.Outcome)
				}
				listing, err := repo.Referrers(t.Context(), verdict.Artifact.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
				if len(listing.Referrers) != 0 || reason.Of(errors.Unwrap(err)) != tt.cause {
					t.Errorf("listed %v, %v", listing.Referrers, err)
				}
			}
			sign(2)
			if verdict, err = everymode.Verify(t, v, repo, ref); err != nil || verdict.Accepted() == nil {
				t.Errorf("beside a good one: %v", err)
			}
		})
	}
}

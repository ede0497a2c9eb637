package everymode_test

import (
	"context"
	"crypto/x509"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/cachemodes/everymode"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// fickle is a repository whose answers are told by how often it was asked.
type fickle struct {
	oci.Repository
	asked   int
	answers []reason.Code
}

func (*fickle) Name() string { return "registry.example/app" }

func (f *fickle) Resolve(context.Context, oci.Reference) (oci.Descriptor, error) {
	f.asked++
	return oci.Descriptor{}, reason.Errorf(f.answers[min(f.asked, len(f.answers))-1], "no")
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestVerifyCompares(t *testing.T) {
	t.Parallel()
	policy, err := trust.ParsePolicy("policy.json", []byte(`{"version":"1.0","trustPolicies":[{"name":"all","registryScopes":["*"],
		"signatureVerification":{"level":"strict"},"trustStores":["ca:test"],"trustedIdentities":["*"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	stores := trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{{Type: trust.CA, Name: "test"}: {testpki.New(t, testpki.Options{}).Root()}})
	ref, err := oci.ParseReference("registry.example/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		answers []reason.Code
		fails   bool
	}{
		"the same":                   {[]reason.Code{reason.OCINotFound}, false},
		"another with empty caches":  {[]reason.Code{reason.OCINotFound, reason.RegistryTimeout}, true},
		"another with filled caches": {[]reason.Code{reason.OCINotFound, reason.OCINotFound, reason.RegistryTimeout}, true},
	} {
		r, f := &recorder{TB: t}, &fickle{answers: tt.answers}
		_, err := everymode.Verify(r, &notation.Verifier{Policy: policy, Stores: stores}, f, ref)
		if r.failed != tt.fails || f.asked != 3 || err == nil {
			t.Errorf("%s: failed %t after %d questions: %v", name, r.failed, f.asked, err)
		}
	}
}

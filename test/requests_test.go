package test

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/test/proxy"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/trust"
)

// Round trips one after another that are allowed without credentials. Basic
// authentication adds one, the challenge; a token service adds another.
const (
	verifyDepth = 2
	signDepth   = 5
	manyDepth   = verifyDepth + 1 // with manySignatures
)

// manySignatures is how many signatures an artifact has where it has many.
const manySignatures = 100

// authDepth is what authentication adds.
func authDepth(a registries.Auth) int {
	return map[registries.Auth]int{registries.Anonymous: 0, registries.Basic: 1, registries.Bearer: 2}[a]
}

// policyForAll trusts every certificate of the store ca:test, everywhere.
const policyForAll = `{"version":"1.0","trustPolicies":[{"name":"all","registryScopes":["*"],
	"signatureVerification":{"level":"strict","override":{"revocation":"skip"}},"trustStores":["ca:test"],"trustedIdentities":["*"]}]}`

// party is a key and what trusts it.
type party struct {
	key      signer.Signer
	verifier *notation.Verifier
}

// newParty makes a party. Those of different key sets share no key.
func newParty(t *testing.T, name string, keySet int) party {
	t.Helper()
	chain := testpki.New(t, testpki.Options{Name: name, KeySet: keySet})
	key, err := signer.New(chain.Key, chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := trust.ParsePolicy("policy.json", []byte(policyForAll))
	if err != nil {
		t.Fatal(err)
	}
	stores := trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{{Type: trust.CA, Name: "test"}: {chain.Root()}})
	return party{key, &notation.Verifier{Policy: policy, Stores: stores}}
}

// credentials are those that every registry here accepts.
func credentials(context.Context, string) (remote.Credential, error) {
	return remote.Credential{Username: registries.Username, Password: registries.Password, Source: "test"}, nil
}

// open opens a repository by a client of its own, as a new process would.
func open(t *testing.T, ref oci.Reference, auth registries.Auth) *remote.Repository {
	t.Helper()
	var o remote.Options
	if auth != registries.Anonymous {
		o.Credentials = credentials
	}
	client := remote.NewClient(o)
	t.Cleanup(client.CloseIdleConnections)
	repo, err := client.Repository(ref)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func parseReference(t *testing.T, s string) oci.Reference {
	t.Helper()
	ref, err := oci.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// pushTestImage pushes an image, past any proxy, and returns its reference by
// digest at host.
func pushTestImage(t *testing.T, r *registries.Registry, host string) oci.Reference {
	t.Helper()
	return parseReference(t, host+"/net-monitor@"+pushNamed(t, r, "net-monitor:v1").Digest().String())
}

// TestRequests counts round trips and looks for requests made twice.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, kind := range []registries.Kind{registries.GGCR, registries.GGCRTagSchema, registries.Olareg, registries.Distribution} {
		for _, auth := range []registries.Auth{registries.Anonymous, registries.Basic, registries.Bearer} {
			t.Run(fmt.Sprintf("%v/%v", kind, auth), func(t *testing.T) {
				t.Parallel()
				r := registries.New(t, kind, registries.Options{Auth: auth})
				p := proxy.New(t, r.Addr, proxy.Options{})
				ref := pushTestImage(t, r, p.Host())
				us := newParty(t, "us.example", 0)

				sign := func(ctx context.Context, repo *remote.Repository) error {
					_, err := notation.Sign(ctx, repo, ref, us.key, notation.SignOptions{})
					return err
				}
				verify := func(ctx context.Context, repo *remote.Repository) error {
					_, err := us.verifier.Verify(ctx, repo, ref)
					return err
				}
				fresh := func() *remote.Repository { return open(t, ref, auth) }
				countRequests(t, p, "sign", signDepth+authDepth(auth), fresh, sign)
				countRequests(t, p, "verify", verifyDepth+authDepth(auth), fresh, verify)

				if auth != registries.Anonymous && kind != registries.Olareg {
					return // many signatures take long to write elsewhere
				}
				signAsStranger(t, r, auth, ref, manySignatures-1)
				countRequests(t, p, "verify, with many signatures", manyDepth+authDepth(auth), fresh, verify)
			})
		}
	}
}

// attempts is how often an operation is measured at most. Requests that depend
// on each other can never share a round trip, but on a busy machine those that
// do not may miss it, so the smallest figure is the true one.
const attempts = 3

// countRequests runs an operation, with a repository that knows nothing yet,
// and holds what passed the proxy against the number of round trips allowed.
func countRequests(t *testing.T, p *proxy.Proxy, what string, allowed int, fresh func() *remote.Repository, operate func(context.Context, *remote.Repository) error) {
	t.Helper()
	for range attempts {
		repo := fresh()
		p.Reset()
		if err := operate(t.Context(), repo); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if p.Depth() <= allowed {
			break
		}
	}
	depth, twice := p.Depth(), p.Duplicates()
	t.Logf("%s: %d requests, %d round trips", what, len(p.Exchanges()), depth)
	if depth <= allowed && twice == nil {
		return
	}
	var lines []string
	for _, e := range p.Exchanges() {
		lines = append(lines, e.String())
	}
	t.Errorf("%s: %d round trips of %d allowed; made twice: %q\n%s", what, depth, allowed, twice, strings.Join(lines, "\n"))
}

// signAsStranger adds n signatures of somebody whom the policy does not trust,
// past the proxy.
func signAsStranger(t *testing.T, r *registries.Registry, auth registries.Auth, ref oci.Reference, n int) {
	t.Helper()
	stranger := newParty(t, "stranger.example", 1)
	direct := parseReference(t, r.Host()+"/"+ref.Repository()+"@"+ref.Digest().String())
	repo := open(t, direct, auth)
	for i := range n {
		o := notation.SignOptions{Metadata: map[string]string{"number": fmt.Sprint(i)}}
		if _, err := notation.Sign(t.Context(), repo, direct, stranger.key, o); err != nil {
			t.Fatalf("signature %d of the stranger: %v", i, err)
		}
	}
}

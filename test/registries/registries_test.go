package registries_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry"
)

// TestEveryRegistryWorks pushes an image and attaches an artifact, with every
// way to authenticate.
func TestEveryRegistryWorks(t *testing.T) {
	t.Parallel()
	for _, kind := range registries.All() {
		for _, auth := range []registries.Auth{registries.Anonymous, registries.Basic, registries.Bearer} {
			t.Run(kind.String()+"/"+auth.String(), func(t *testing.T) {
				t.Parallel()
				r := registries.New(t, kind, registries.Options{Auth: auth})
				username, password := "", ""
				if auth != registries.Anonymous {
					username, password = registries.Username, registries.Password
				}
				repo, err := fixture.Repository(r.Host()+"/net-monitor:v1", username, password)
				if err != nil {
					t.Fatal(err)
				}
				image, err := fixture.PushImage(t.Context(), repo, "net-monitor")
				if err != nil {
					t.Fatal(err)
				}
				sbom, err := fixture.Attach(t.Context(), repo, image, "sbom/example", "sbom.json", []byte("{}"))
				if err != nil {
					t.Fatal(err)
				}
				found, err := registry.Referrers(t.Context(), repo, image, "sbom/example")
				if err != nil {
					t.Fatal(err)
				}
				if len(found) != 1 || found[0].Digest != sbom.Digest {
					t.Errorf("referrers %v, want only %v", found, sbom.Digest)
				}
				checkAPI(t, repo.Reference, r, image)
			})
		}
	}
}

// checkAPI holds the kind's own account of the referrers API against the facts.
func checkAPI(t *testing.T, ref registry.Reference, r *registries.Registry, image ocispec.Descriptor) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		r.URL()+"/v2/"+ref.Repository+"/referrers/"+image.Digest.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized {
		return
	}
	if got := resp.StatusCode == http.StatusOK; got != r.Kind.ReferrersAPI() {
		t.Errorf("the referrers API answers %s, but ReferrersAPI says %v", resp.Status, r.Kind.ReferrersAPI())
	}
}

// TestCredentialsAreAskedFor pushes without the credentials that are wanted.
func TestCredentialsAreAskedFor(t *testing.T) {
	t.Parallel()
	for _, kind := range registries.All() {
		for _, auth := range []registries.Auth{registries.Basic, registries.Bearer} {
			for _, password := range []string{"", "wrong"} {
				t.Run(kind.String()+"/"+auth.String()+"/"+password, func(t *testing.T) {
					t.Parallel()
					r := registries.New(t, kind, registries.Options{Auth: auth})
					username := ""
					if password != "" {
						username = registries.Username
					}
					repo, err := fixture.Repository(r.Host()+"/net-monitor:v1", username, password)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := fixture.PushImage(t.Context(), repo, "net-monitor"); err == nil {
						t.Error("pushed without the right credentials")
					}
				})
			}
		}
	}
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "localhost:0", "192.0.2.1:0"} {
		if r, err := registries.Start(registries.GGCR, registries.Options{Addr: addr}); err == nil {
			_ = r.Close()
			t.Errorf("listened on %s", addr)
		}
	}
}

func TestTLSIsTrustedByItsOwnCAOnly(t *testing.T) {
	t.Parallel()
	r := registries.New(t, registries.GGCR, registries.Options{TLS: true})
	if resp, err := http.Get(r.URL() + "/v2/"); err == nil {
		_ = resp.Body.Close()
		t.Error("the system's roots trust the test CA")
	}
	client, err := r.Client()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(r.URL() + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %s", resp.Status)
	}
}

// TestDeletion deletes a manifest where that is allowed, and where it is not.
func TestDeletion(t *testing.T) {
	t.Parallel()
	for _, kind := range append(registries.All(), registries.ORAS) {
		for _, refused := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/refused-%v", kind, refused), func(t *testing.T) {
				t.Parallel()
				r := registries.New(t, kind, registries.Options{NoDelete: refused})
				repo, err := fixture.Repository(r.Host()+"/net-monitor:v1", "", "")
				if err != nil {
					t.Fatal(err)
				}
				image, err := fixture.PushImage(t.Context(), repo, "net-monitor")
				if err != nil {
					t.Fatal(err)
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, r.URL()+"/v2/net-monitor/manifests/"+image.Digest.String(), nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if want := map[bool]int{false: http.StatusAccepted, true: http.StatusMethodNotAllowed}[refused]; resp.StatusCode != want {
					t.Errorf("answered %s, want %d", resp.Status, want)
				}
			})
		}
	}
}

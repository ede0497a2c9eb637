package test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/test/authority"
	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"
)

// airGap is what is carried to the isolated side, and what is known there.
type airGap struct {
	dir    string // holds bundle.tar, policy.json and stores
	digest string // of the image
	sbom   string // of what is attached to it
}

// connected is the connected side: an image with an SBOM, both signed and
// stamped, go into a bundle. It returns everybody who could be asked.
func connected(t *testing.T) (airGap, map[string]func() int) {
	t.Helper()
	toolbox.Need(t, "openssl")
	g := airGap{dir: t.TempDir()}
	files := t.TempDir()
	newCA := func(name, leaf string, c authority.Certificate) *authority.CA {
		ca, err := authority.New(filepath.Join(files, name), authority.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ca.Close() })
		if err := ca.Issue(leaf, c); err != nil {
			t.Fatal(err)
		}
		return ca
	}
	wabbit, stamps := newCA("wabbit", "signer", authority.Certificate{}), newCA("stamps", "tsa", authority.Certificate{TimeStamping: true})
	tsa, err := authority.NewTSA(filepath.Join(files, "tsa"), stamps, "tsa")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tsa.Close() })
	for store, root := range map[string]string{"ca/wabbit": wabbit.RootFile(), "tsa/stamps": stamps.RootFile()} {
		data, err := os.ReadFile(root)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(g.dir, "stores", store, "root.crt"), data)
	}
	write(t, filepath.Join(g.dir, "policy.json"), []byte(`{"version":"1.0","trustPolicies":[{"name":"all","registryScopes":["*"],
		"signatureVerification":{"level":"strict"},"trustStores":["ca:wabbit","tsa:stamps"],"trustedIdentities":["*"]}]}`))
	write(t, filepath.Join(g.dir, "sbom.json"), []byte(`{"contents":"good"}`))

	image := registries.New(t, registries.Olareg, registries.Options{}).Host() + "/team/net-monitor"
	repo, err := fixture.Repository(image+":v1", "", "")
	if err != nil {
		t.Fatal(err)
	}
	d, err := fixture.PushImage(t.Context(), repo, "net-monitor")
	if err != nil {
		t.Fatal(err)
	}
	g.digest = d.Digest.String()
	p := newPerson(t, g.dir)
	p.run(t, "key", "add", "--name", "signer", "--default", wabbit.KeyFile("signer"), wabbit.ChainFile("signer"))
	stamp := []string{"--timestamp-url", tsa.URL(), "--timestamp-root-cert", stamps.RootFile()}
	p.run(t, append([]string{"sign", image + "@" + g.digest}, stamp...)...)
	p.run(t, "attach", "--artifact-type", "sbom/example", image+"@"+g.digest, "sbom.json")
	g.sbom = firstReferrer(t, repo, g.digest, "sbom/example")
	p.run(t, append([]string{"sign", image + "@" + g.sbom}, stamp...)...)
	p.run(t, "bundle", "export", "-o", "bundle.tar", "--with-revocation", "--with-trust", "--policy", "policy.json", "--trust-store", "stores", image+":v1")
	asked := map[string]func() int{"tsa": func() int { return tsa.Asked(authority.TS) }}
	for name, ca := range map[string]*authority.CA{"wabbit": wabbit, "stamps": stamps} {
		for _, service := range authority.Services() {
			asked[name+" "+service] = func() int { return ca.Asked(service) }
		}
	}
	return g, asked
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// firstReferrer returns the digest of what is attached to an artifact.
func firstReferrer(t *testing.T, repo *remote.Repository, subject, artifactType string) string {
	t.Helper()
	d, err := repo.Resolve(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	err = repo.Referrers(t.Context(), d, artifactType, func(all []ocispec.Descriptor) error {
		for _, r := range all {
			found = r.Digest.String()
		}
		return nil
	})
	if err != nil || found == "" {
		t.Fatalf("%s has no %s: %v", subject, artifactType, err)
	}
	return found
}

// person runs the program with a home directory of their own.
type person struct {
	dir string
	env []string
}

func newPerson(t *testing.T, dir string, env ...string) *person {
	t.Helper()
	return &person{dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "GORACE=atexit_sleep_ms=10"}, env...)}
}

// run runs a command that must succeed, and returns what it printed.
func (p *person) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.command(t, args...)
	if err != nil {
		t.Fatalf("notation %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (p *person) command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "notation", args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// isolated is what is done on the isolated side.
func isolated(t *testing.T, g airGap, registry string, env ...string) {
	t.Helper()
	p := newPerson(t, g.dir, env...)
	trust := []string{"--offline", "--policy", "policy.json", "--trust-store", "stores"}
	with := func(args ...string) []string { return slices.Concat(args[:1], trust, args[1:]) }
	image := registry + "/mirror/team/net-monitor"

	p.run(t, "bundle", "show", "bundle.tar")
	p.run(t, "bundle", "trust", "bundle.tar", "-o", filepath.Join(t.TempDir(), "reviewed"))
	verdict := p.run(t, with("verify", "--oci-layout", "bundle.tar@"+g.digest, "bundle.tar@"+g.sbom)...)
	if strings.Count(verdict, "Successfully verified") != 2 || strings.Count(verdict, "(carried), as of ") < 2 {
		t.Errorf("%s", verdict)
	}
	p.run(t, append([]string{"bundle", "import", "bundle.tar", registry + "/mirror"}, trust...)...)
	p.run(t, with("verify", "--revocation-evidence", "bundle.tar", image+":v1", image+"@"+g.sbom)...)
	p.run(t, with("tree", "--verify", "--revocation-evidence", "bundle.tar", image+":v1")...)
	p.run(t, with("copy", "--revocation-evidence", "bundle.tar", image+":v1", registry+"/prod/net-monitor:v1")...)

	p.run(t, "cert", "generate-test", "--default", "internal.example")
	p.run(t, "sign", image+"@"+g.digest)
	root := filepath.Join(strings.TrimPrefix(p.env[1], "HOME="), ".config", "notation", "certificate", "internal.example.crt")
	p.run(t, "verify", "--offline", "--ca-cert", root, image+"@"+g.digest)

	// Without what was carried the answer is not known, and nobody is asked for
	// it; without --offline it would be.
	if out, err := p.command(t, with("verify", image+":v1")...); err == nil || !strings.Contains(out, "nobody may be asked") {
		t.Errorf("%v\n%s", err, out)
	}
}

// recorder is a proxy that answers nothing, and remembers who was asked for.
type recorder struct {
	net.Listener
	mu   sync.Mutex
	seen []string
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			line := make([]byte, 512)
			n, _ := c.Read(line)
			r.mu.Lock()
			r.seen = append(r.seen, string(line[:n]))
			r.mu.Unlock()
			c.Close()
		}
	}()
	return r
}

// TestAirGap carries a bundle to a side where everybody who could be asked, and
// the way out, is watched: nobody is asked anything but the registry there.
func TestAirGap(t *testing.T) {
	t.Parallel()
	g, asked := connected(t)
	before := map[string]int{}
	for name, count := range asked {
		if before[name] = count(); before[name] == 0 && name != "tsa" {
			t.Errorf("%s was not asked when the bundle was made", name)
		}
	}
	out := newRecorder(t)
	proxy := "http://" + out.Addr().String()
	isolated(t, g, registries.New(t, registries.GGCRTagSchema, registries.Options{}).Host(),
		"HTTP_PROXY="+proxy, "HTTPS_PROXY="+proxy, "http_proxy="+proxy, "https_proxy="+proxy)
	for name, count := range asked {
		if n := count() - before[name]; n > 0 {
			t.Errorf("%s was asked %d times from the isolated side", name, n)
		}
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	if len(out.seen) > 0 {
		t.Errorf("the isolated side wanted out: %q", out.seen)
	}
}

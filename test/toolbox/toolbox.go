// Package toolbox finds the programs of others that tests run: oras, crane,
// the registry of distribution and sigstore's timestamp-server, which are built
// from the pinned modules under tools/, and docker-registry, skopeo and openssl, which come from Debian.
//
// A test that needs a program that is not there is skipped with a line that
// says how to get it. Where CI is true it fails instead, so that no test is
// left out unseen.
package toolbox

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// buildTimeout bounds the building of one tool from an empty build cache.
const buildTimeout = 10 * time.Minute

// A source is where a built tool comes from.
type source struct {
	module string // directory under tools/
	pkg    string
}

// sources lists the tools that are built, by the name of the program.
func sources() map[string]source {
	return map[string]source{
		"oras":     {"oras", "oras.land/oras/cmd/oras"},
		"crane":    {"crane", "github.com/google/go-containerregistry/cmd/crane"},
		"registry": {"distribution", "github.com/distribution/distribution/v3/cmd/registry"},

		"timestamp-server": {"timestamp-server", "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server"},
	}
}

// Root returns the root directory of the repository: the closest parent of the
// working directory that holds tools/. Tests run in their package's directory.
func Root() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "tools", "oras", "go.mod")); err == nil {
			return d
		}
	}
	return dir
}

// Bin returns the directory of the built tools.
func Bin() string { return filepath.Join(Root(), ".cache", "tools", "bin") }

var (
	mu    sync.Mutex
	built = map[string]error{}
)

// once builds what has a name, unless this process has tried already.
func once(name string, build func() error) error {
	mu.Lock()
	defer mu.Unlock()
	err, tried := built[name]
	if !tried {
		err = build()
		built[name] = err
	}
	return err
}

// Find returns the path of a program. Tools under tools/ that are not built
// yet are built. Programs of Debian are searched for in the directory that
// test/setup extracts them to, then in $PATH.
func Find(name string) (string, error) {
	path := filepath.Join(Bin(), name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	src, ok := sources()[name]
	if !ok {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("%s is not installed; test/setup installs it: %w", name, err)
		}
		return path, nil
	}
	return path, once(name, func() error {
		return build(filepath.Join(Root(), "tools", src.module), path, "CGO_ENABLED=0", src.pkg)
	})
}

// build makes one program in a module's directory. It builds beside the goal
// and renames, because the tests of several packages may build at the same
// time.
func build(module, path, env string, args ...string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	out := filepath.Join(dir, "program")
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", out, "-trimpath", "-buildvcs=false"}, args...)...)
	cmd.Dir = module
	// The tests may themselves run with flags for "go test".
	cmd.Env = append(os.Environ(), "GOFLAGS=", env)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	return os.Rename(out, path)
}

// Product builds cmd/notation as "make build" does, and returns its path. With
// the race detector on in this test, it is on in the program too.
func Product() (string, error) {
	if !raceEnabled {
		return Release()
	}
	return program("race", "CGO_ENABLED=1", "-race")
}

// Release builds cmd/notation as "make build" does, never with the race
// detector, and returns its path.
func Release() (string, error) {
	return program("release", "CGO_ENABLED=0", "-ldflags=-s -w")
}

// program builds cmd/notation in a variant, once in this process.
func program(variant, env string, flags ...string) (string, error) {
	path := filepath.Join(Root(), ".cache", "test", variant, "notation")
	return path, once(variant, func() error {
		return build(Root(), path, env, append(flags, "./cmd/notation")...)
	})
}

// ExamplePlugin builds the plugin of examples/ with linker flags such as
// "-X main.version=2.0.0" and returns its path. Each variant has a directory of
// its own, as the name of a plugin's file is fixed.
func ExamplePlugin(ldflags string) (string, error) {
	variant := fmt.Sprintf("plugin-%.8x", sha256.Sum256([]byte(ldflags)))
	path := filepath.Join(Root(), ".cache", "test", variant, "notation-example-plugin")
	return path, once(variant, func() error {
		return build(Root(), path, "CGO_ENABLED=0", "-ldflags=-s -w "+ldflags, "./examples/notation-example-plugin")
	})
}

// Need returns the path of a program, or skips the test, or fails it in CI.
func Need(t testing.TB, name string) string {
	t.Helper()
	path, err := Find(name)
	if err != nil {
		Missing(t, err)
	}
	return path
}

// Missing skips the test because of err, or fails it in CI.
func Missing(t testing.TB, err error) {
	t.Helper()
	if InCI() {
		t.Fatalf("needed here because CI is true: %v", err)
	}
	t.Skipf("not run: %v", err)
}

// InCI reports whether nothing may be skipped.
func InCI() bool { return os.Getenv("CI") == "true" }

// Main runs the tests of a package that runs programs: it builds the product
// and the tools and puts them in front of $PATH. Without the product there is
// nothing to test. Without a tool, tests that need it are skipped, or in CI
// fail, one by one.
func Main(m *testing.M) {
	product, err := Product()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for name := range sources() {
		if _, err := Find(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	path := filepath.Dir(product) + string(filepath.ListSeparator) +
		Bin() + string(filepath.ListSeparator) + os.Getenv("PATH")
	if err := os.Setenv("PATH", path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

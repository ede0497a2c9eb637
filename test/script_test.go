// Package test holds the tests that need more than the product itself: real
// registries, the tools of others and the built program. README.md says how to
// add a script.
package test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	"github.com/rogpeppe/go-internal/testscript"
)

// atProgram is notation with another clock: notation-at -30d ARG... runs it as
// it would have run thirty days ago. It is this test program under that name.
const atProgram = "notation-at"

func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == atProgram:
		os.Exit(notationAt(os.Args[1:]))
	case os.Getenv(repeatedVariable) != "": // modeProgram, or a link to it of another name
		os.Exit(inCacheMode(os.Args[1:], time.Now))
	}
	toolbox.Main(m)
}

func notationAt(args []string) int {
	if len(args) == 0 {
		args = []string{""}
	}
	shift, err := duration(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return inCacheMode(args[1:], func() time.Time { return time.Now().Add(shift) })
}

// TestRegistryScripts runs each script against every kind of registry.
func TestRegistryScripts(t *testing.T) {
	t.Parallel()
	for _, kind := range registries.All() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			runScripts(t, scriptsIn(t, registryScripts), kind, cachemodes.AsWritten)
		})
	}
}

// TestLocalScripts runs the scripts that need no registry, or start their own.
func TestLocalScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, scriptsIn(t, localScripts), 0, cachemodes.AsWritten)
}

// TestScenarios runs the scenarios of docs/scenarios.md, against a registry with
// the referrers API and one without.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, kind := range twoKinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			runScripts(t, scriptsIn(t, scenarios), kind, cachemodes.AsWritten)
		})
	}
}

// Directories of scripts.
const (
	localScripts    = "testdata/script/local"
	registryScripts = "testdata/script/registry"
	scenarios       = "testdata/scenarios"
)

// twoKinds are a registry with the referrers API and one without.
func twoKinds() []registries.Kind {
	return []registries.Kind{registries.Distribution, registries.Olareg}
}

// scriptsIn returns the scripts of a directory.
func scriptsIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts in %s, %v", len(files), dir, err)
	}
	return files
}

// runScripts runs scripts, each with a registry of its own if kind is one.
func runScripts(t *testing.T, files []string, kind registries.Kind, mode cachemodes.Mode) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands(),
		Setup:               func(env *testscript.Env) error { return setUp(env, kind, mode) },
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "referrers-api":
				return kind.ReferrersAPI(), nil
			case "lists-artifact-types":
				return kind.ListsArtifactTypes(), nil
			case "olareg":
				return kind == registries.Olareg, nil
			case "catalog":
				return kind.Catalog(), nil
			case "kept":
				return mode == cachemodes.AsWritten, nil
			case "root":
				return os.Geteuid() == 0, nil
			default:
				return false, fmt.Errorf("condition %q is not known", cond)
			}
		},
	})
}

// setUp gives a script an empty home directory and its registry.
func setUp(env *testscript.Env, kind registries.Kind, mode cachemodes.Mode) error {
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	bin := filepath.Join(env.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(bin, atProgram)); err != nil {
		return err
	}
	if err := setUpMode(env, filepath.Join(bin, modeProgram), self, mode); err != nil {
		return err
	}
	env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
	// The race detector would have each program wait for a second when it ends.
	env.Setenv("GORACE", "atexit_sleep_ms=10")
	env.Values[partsKey{}] = map[string]service{}
	env.Values[writesKey{}] = map[string]*writeLog{}
	env.Setenv("TEST_USERNAME", registries.Username)
	env.Setenv("TEST_PASSWORD", registries.Password)
	t, ok := env.T().(testing.TB)
	if !ok {
		return fmt.Errorf("%T is no testing.TB", env.T())
	}
	env.Values[testKey{}] = t
	if kind == 0 {
		return nil
	}
	r := registries.New(t, kind, registries.Options{})
	env.Setenv("REGISTRY", r.Host())
	env.Setenv("REGISTRY_KIND", kind.String())
	env.Values[kindKey{}] = kind
	return nil
}

// kindKey finds the kind of a script's registry among its values.
type kindKey struct{}

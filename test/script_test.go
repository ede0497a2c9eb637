// Package test holds the tests that need more than the product itself: real
// registries, the tools of others and the built program. README.md says how to
// add a script.
package test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cli"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	"github.com/rogpeppe/go-internal/testscript"
)

// atProgram is notation with another clock: notation-at -30d ARG... runs it as
// it would have run thirty days ago. It is this test program under that name.
const atProgram = "notation-at"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == atProgram {
		os.Exit(notationAt(os.Args[1:]))
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
	return cli.Run(context.Background(), args[1:], cli.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Now: func() time.Time { return time.Now().Add(shift) },
	})
}

// TestRegistryScripts runs each script against every kind of registry.
func TestRegistryScripts(t *testing.T) {
	t.Parallel()
	for _, kind := range registries.All() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			runScripts(t, filepath.Join("script", "registry"), kind)
		})
	}
}

// TestLocalScripts runs the scripts that need no registry, or start their own.
func TestLocalScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, filepath.Join("script", "local"), 0)
}

// TestScenarios runs the scenarios of docs/scenarios.md, against a registry with
// the referrers API and one without.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, kind := range []registries.Kind{registries.Distribution, registries.Olareg} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			runScripts(t, "scenarios", kind)
		})
	}
}

// runScripts runs testdata/DIR, each script with a registry of its own if kind
// is one.
func runScripts(t *testing.T, dir string, kind registries.Kind) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", dir),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands(),
		Setup:               func(env *testscript.Env) error { return setUp(env, kind) },
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "referrers-api":
				return kind.ReferrersAPI(), nil
			case "lists-artifact-types":
				return kind.ListsArtifactTypes(), nil
			case "catalog":
				return kind.Catalog(), nil
			case "root":
				return os.Geteuid() == 0, nil
			default:
				return false, fmt.Errorf("condition %q is not known", cond)
			}
		},
	})
}

// setUp gives a script an empty home directory and its registry.
func setUp(env *testscript.Env, kind registries.Kind) error {
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

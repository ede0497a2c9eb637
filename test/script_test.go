// Package test holds the tests that need more than the product itself: real
// registries, the tools of others and the built program. README.md says how to
// add a script.
package test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { toolbox.Main(m) }

// TestRegistryScripts runs each script against every kind of registry.
func TestRegistryScripts(t *testing.T) {
	t.Parallel()
	for _, kind := range registries.All() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			runScripts(t, "registry", kind)
		})
	}
}

// TestLocalScripts runs the scripts that need no registry, or start their own.
func TestLocalScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "local", 0)
}

// runScripts runs testdata/script/DIR, each script with a registry of its own
// if kind is one.
func runScripts(t *testing.T, dir string, kind registries.Kind) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script", dir),
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
	env.Setenv("TEST_USERNAME", registries.Username)
	env.Setenv("TEST_PASSWORD", registries.Password)
	if kind == 0 {
		return nil
	}
	t, ok := env.T().(testing.TB)
	if !ok {
		return fmt.Errorf("%T is no testing.TB", env.T())
	}
	r := registries.New(t, kind, registries.Options{})
	env.Setenv("REGISTRY", r.Host())
	env.Setenv("REGISTRY_KIND", kind.String())
	env.Values[kindKey{}] = kind
	return nil
}

// kindKey finds the kind of a script's registry among its values.
type kindKey struct{}

//go:build unix

package plugin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/notaryv2/notation/reason"
)

// hostIn returns the host of the plugins below a directory that [prepare] has
// filled.
func hostIn(dir string) *Host { return NewHost(filepath.Join(dir, "plugins")) }

func installIn(dir string, step func() error) error {
	h := hostIn(dir)
	h.before = func(string) error { return step() }
	_, err := h.Install(context.Background(), FromFile(filepath.Join(dir, "notation-p"), ""), InstallOptions{Force: true})
	return err
}

func uninstallIn(dir string, step func() error) error {
	h := hostIn(dir)
	h.before = func(string) error { return step() }
	err := h.Uninstall(context.Background(), "p")
	if reason.Of(err) == reason.PluginNotFound {
		return nil // it was done before
	}
	return err
}

// prepare makes a plugin directory, with the plugin p of a version if that is
// not empty, and version 2.0.0 of it to install.
func prepare(t *testing.T, dir, old string) {
	t.Helper()
	file := filepath.Join(dir, "notation-p")
	mkdir(t, hostIn(dir).Dir)
	if old != "" {
		must(t, os.WriteFile(file, program(t, "p", old), 0o600))
		must(t, installIn(dir, func() error { return nil }))
	}
	must(t, os.WriteFile(file, program(t, "p", "2.0.0"), 0o600))
}

// TestInterruptedUpgrade installs, upgrades and removes a plugin with every
// fate: the old plugin or the new one is there, whole, and whoever comes next
// can go on and cleans up.
//
// attack: PLG-05
// attack: FS-04
func TestInterruptedUpgrade(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		old, want string
		do        func(dir string, step func() error) error
		steps     int
	}{
		"install":   {"", "2.0.0", installIn, 7},
		"upgrade":   {"1.0.0", "2.0.0", installIn, 7},
		"uninstall": {"1.0.0", "", uninstallIn, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := crashtest.Change{
				Prepare: func(t *testing.T, dir string) { prepare(t, dir, tt.old) },
				Do:      tt.do,
				Check: func(t *testing.T, dir string, f crashtest.Fate) {
					h := hostIn(dir)
					if got := version(t, h); got != tt.want && (got != tt.old || f.Done) {
						t.Errorf("%s: %q is installed", f.Name, got)
					}
					if !f.Done && !f.Killed && f.Code != reason.PluginWrite {
						t.Errorf("%s: the error has the code %q", f.Name, f.Code)
					}
					listed, err := h.List(t.Context())
					if err != nil || len(listed) > 1 || len(listed) == 1 && listed[0].Err != nil {
						t.Errorf("%s: %+v, %v", f.Name, listed, err)
					}
					if !f.Killed {
						checkSwept(t, h, f.Name)
					}
					if err := tt.do(dir, func() error { return nil }); err != nil {
						t.Errorf("%s: it cannot be done again: %v", f.Name, err)
					}
					if got := version(t, h); got != tt.want {
						t.Errorf("%s: done again, %q is installed", f.Name, got)
					}
					must(t, installIn(dir, func() error { return nil }))
					checkSwept(t, h, f.Name+", again")
				},
				MinSteps: tt.steps,
			}
			if !crashtest.Child() && name != "uninstall" {
				c.Longest = len(program(t, "p", "2.0.0"))
			}
			c.Test(t)
		})
	}
}

// checkSwept finds what an installation has left beside the plugins.
func checkSwept(t *testing.T, h *Host, what string) {
	t.Helper()
	entries, err := os.ReadDir(h.Dir)
	must(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && e.Name() != lockName {
			t.Errorf("%s: leaves %s", what, e.Name())
		}
	}
}

// TestRealDisks installs onto disks of several kinds.
//
// attack: FS-04
func TestRealDisks(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    error
	}{
		"full":                {func(t *testing.T, dir string) { crashtest.Fill(t, dir, 0) }, syscall.ENOSPC},
		"room for the source": {func(t *testing.T, dir string) { crashtest.Fill(t, dir, 4<<10) }, syscall.ENOSPC},
		"plugin on another": {func(t *testing.T, dir string) {
			place := filepath.Join(hostIn(dir).Dir, "p")
			data, err := os.ReadFile(filepath.Join(place, "notation-p"))
			must(t, err)
			crashtest.Disk(t, place, 64<<10)
			must(t, os.WriteFile(filepath.Join(place, "notation-p"), data, 0o755))
		}, syscall.EXDEV},
		"program mounted": {func(t *testing.T, dir string) {
			file := filepath.Join(hostIn(dir).Dir, "p", "notation-p")
			crashtest.Bind(t, file, file)
		}, syscall.EBUSY},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "disk")
			crashtest.Disk(t, dir, 128<<10)
			prepare(t, dir, "1.0.0")
			tt.prepare(t, dir)
			err := installIn(dir, func() error { return nil })
			if !errors.Is(err, tt.want) || reason.Of(err) != reason.PluginWrite {
				t.Errorf("%v", err)
			}
			h := hostIn(dir)
			if got := version(t, h); got != "1.0.0" {
				t.Errorf("%q is installed", got)
			}
			checkSwept(t, h, name)
		})
	}
}

// TestManyInstallers has fifty installations and removals at once: each plugin
// that was installed last is there.
//
// attack: FS-04
func TestManyInstallers(t *testing.T) {
	t.Parallel()
	h := NewHost(newDir(t))
	file := store(t, "notation-p", program(t, "p", "1.0.0"))
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			if i%5 == 0 {
				if err := h.Uninstall(t.Context(), "p"); err != nil && reason.Of(err) != reason.PluginNotFound {
					t.Error(err)
				}
				return
			}
			if _, err := h.Install(t.Context(), FromFile(file, ""), InstallOptions{Force: true}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	_, err := h.Install(t.Context(), FromFile(file, ""), InstallOptions{Force: true})
	must(t, err)
	if got := version(t, h); got != "1.0.0" {
		t.Errorf("%q is installed", got)
	}
	holds(t, h.Dir, "p")
}

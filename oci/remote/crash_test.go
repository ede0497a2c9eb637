//go:build unix

package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/notaryv2/notation/reason"
)

// aLogin is a config.json with a login and a setting of another program.
const aLogin = `{"auths":{"old.example":{"auth":"b2xkOnNlY3JldC13b3Jk"}},"detachKeys":"ctrl-x"}`

func configIn(dir string) string { return filepath.Join(dir, "config.json") }

// loginIn logs in to a registry, with the password in the file.
func loginIn(dir, registry string) error {
	s := NewCredentialStore(StoreOptions{DockerConfig: configIn(dir)})
	_, err := s.Save(context.Background(), registry, Credential{Username: "alice", Password: strings.Repeat("p", 100)})
	return err
}

// loggedIn reports whether the file holds the new login. The test fails if it
// does not hold what was there before, whole.
func loggedIn(t *testing.T, dir, what string) bool {
	t.Helper()
	data, err := os.ReadFile(configIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "detachKeys") {
		t.Errorf("%s: the settings of others are lost: %s", what, data)
	}
	s := NewCredentialStore(StoreOptions{DockerConfig: configIn(dir)})
	if c, err := s.Find(t.Context(), "old.example"); err != nil || c.Username != "old" {
		t.Errorf("%s: the old login is lost: %v", what, err)
	}
	c, err := s.Find(t.Context(), "new.example")
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return c.Username == "alice"
}

// TestLoginKilled ends a login on a file system that takes no more, in the
// middle of the file.
//
// attack: FS-04
func TestLoginKilled(t *testing.T) {
	t.Parallel()
	crashtest.Change{
		Prepare: func(t *testing.T, dir string) { writeFile(t, configIn(dir), aLogin) },
		Do:      func(dir string, _ func() error) error { return loginIn(dir, "new.example") },
		Check: func(t *testing.T, dir string, f crashtest.Fate) {
			if got := loggedIn(t, dir, f.Name); got != f.Done {
				t.Errorf("%s: logged in is %t", f.Name, got)
			}
			if !f.Done && f.Code != reason.RegistryCredentials {
				t.Errorf("%s: the error has the code %q", f.Name, f.Code)
			}
			checkSecret(t, dir, f.Name)
			if left, _ := filepath.Glob(filepath.Join(dir, "*temp*")); len(left) > 0 {
				t.Errorf("%s: leaves %v", f.Name, left)
			}
			if err := loginIn(dir, "new.example"); err != nil || !loggedIn(t, dir, f.Name) {
				t.Errorf("%s: it cannot be done again: %v", f.Name, err)
			}
		},
		Longest: 150,
	}.Test(t)
}

// checkSecret finds a file that others may read. What a login that failed has
// left may hold a part of a password.
//
// attack: FS-03
func checkSecret(t *testing.T, dir, what string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %s has mode %o, %v", what, e.Name(), info.Mode().Perm(), err)
		}
	}
}

// TestLoginOnRealDisks logs in where the file cannot be written.
//
// attack: FS-04
func TestLoginOnRealDisks(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	for name, prepare := range map[string]func(dir string) error{
		"full":           func(dir string) error { crashtest.Fill(t, dir, 0); return syscall.ENOSPC },
		"mounted itself": func(dir string) error { crashtest.Bind(t, configIn(dir), configIn(dir)); return syscall.EBUSY },
	} {
		dir := filepath.Join(t.TempDir(), "disk")
		crashtest.Disk(t, dir, 64<<10)
		writeFile(t, configIn(dir), aLogin)
		want := prepare(dir)
		if err := loginIn(dir, "new.example"); !errors.Is(err, want) || reason.Of(err) != reason.RegistryCredentials {
			t.Errorf("%s: %v", name, err)
		}
		if loggedIn(t, dir, name) {
			t.Errorf("%s: the login is there", name)
		}
	}
}

// TestManyLogins has fifty programs log in at once: nothing is lost.
//
// attack: FS-04
func TestManyLogins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, configIn(dir), aLogin)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if err := loginIn(dir, fmt.Sprintf("r%d.example", i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	loggedIn(t, dir, "fifty logins")
	s := NewCredentialStore(StoreOptions{DockerConfig: configIn(dir)})
	for i := range 50 {
		if c, err := s.Find(t.Context(), fmt.Sprintf("r%d.example", i)); err != nil || c.Username != "alice" {
			t.Errorf("login %d is lost: %v", i, err)
		}
	}
	checkSecret(t, dir, "fifty logins")
}

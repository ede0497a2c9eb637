package remote

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"oras.land/oras-go/v2/registry/remote/auth"
)

// movable are the tokens of one login at two registries, which names and keeps.
type movable struct {
	t     *testing.T
	files *tokenFiles
}

const (
	here, there = "https://here.example", "https://there.example"
	pullHere    = "repository:app:pull"
)

func newMovable(t *testing.T) *movable {
	t.Helper()
	now := time.Now()
	m := &movable{t, &tokenFiles{filepath.Join(t.TempDir(), "tokens"), func() time.Time { return now }}}
	m.files.save(here, pullHere, "token-of-here", time.Hour, m.login())
	m.files.save(there, pullHere, "token-of-there", time.Hour, m.login())
	return m
}

// login is the same everywhere, as that of a company's directory is.
func (m *movable) login() auth.Credential {
	return auth.Credential{Username: "alice", Password: "secret-word"}
}

func (m *movable) path(origin, scopes string) string {
	m.t.Helper()
	salt := m.files.salt(false)
	if salt == nil {
		m.t.Fatal("no salt")
	}
	return m.files.path(salt, origin, scopes)
}

func (m *movable) load(origin, scopes string) string {
	return m.files.load(origin, scopes, func() (auth.Credential, error) { return m.login(), nil })
}

// Whatever somebody does to the directory, a token is sent where it was given
// for, as it was given, or nowhere.
//
// attack: REG-06
// attack: FS-01
func TestTokenCacheAttacked(t *testing.T) {
	t.Parallel()
	swap := func(a, b string) error {
		return errors.Join(os.Rename(a, a+".moved"), os.Rename(b, a), os.Rename(a+".moved", b))
	}
	salt := func(m *movable) string { return filepath.Join(m.files.dir, saltFile) }
	moved := func(m *movable) (string, error) {
		return m.files.dir + ".moved", os.Rename(m.files.dir, m.files.dir+".moved")
	}
	for name, tt := range map[string]struct {
		attack func(m *movable) error
		kept   bool // both are still of use: nothing that they say was changed
	}{
		"nothing":       {func(*movable) error { return nil }, true},
		"swapped":       {func(m *movable) error { return swap(m.path(here, pullHere), m.path(there, pullHere)) }, false},
		"moved":         {func(m *movable) error { return os.Rename(m.path(here, pullHere), m.path(there, pullHere)) }, false},
		"hard link":     {func(m *movable) error { return relink(m, os.Link) }, false},
		"symbolic link": {func(m *movable) error { return relink(m, os.Symlink) }, false},
		"token edited":  {func(m *movable) error { return m.edit("token-of-", "token-by-") }, false},
		"expiry edited": {func(m *movable) error { return m.edit(`"expires":"2`, `"expires":"3`) }, false},
		"a minute more": {func(m *movable) error { return m.later() }, false},
		"binding gone":  {func(m *movable) error { return m.edit(`"binding"`, `"bound"`) }, false},
		"twice":         {func(m *movable) error { return m.edit(`"token":"`, `"token":"token-by-me","Token":"x`) }, false},
		"directories": {func(m *movable) error {
			return m.each(func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) })
		}, false},
		"others write":   {func(m *movable) error { return m.each(func(p string) error { return os.Chmod(p, 0o666) }) }, true},
		"open directory": {func(m *movable) error { return os.Chmod(m.files.dir, 0o777) }, true},
		"another's salt": {func(m *movable) error { return os.WriteFile(salt(m), make([]byte, saltBytes), 0o600) }, false},
		"salt directory": {func(m *movable) error { return errors.Join(os.Remove(salt(m)), os.Mkdir(salt(m), 0o700)) }, false},
		"FIFOs": {func(m *movable) error {
			return m.each(func(p string) error { return errors.Join(os.Remove(p), mkfifo(p)) })
		}, false},
		"salt a FIFO":  {func(m *movable) error { return errors.Join(os.Remove(salt(m)), mkfifo(salt(m))) }, false},
		"salt endless": {func(m *movable) error { return errors.Join(os.Remove(salt(m)), os.Symlink("/dev/zero", salt(m))) }, false},
		"another user's": {func(m *movable) error {
			if os.Geteuid() != 0 {
				return nil // only root can give files away
			}
			return m.each(func(p string) error { return os.Chown(p, 65534, 65534) })
		}, true},
		"removed": {func(m *movable) error { return os.RemoveAll(m.files.dir) }, false},
		"a file": {func(m *movable) error {
			return errors.Join(os.RemoveAll(m.files.dir), os.WriteFile(m.files.dir, nil, 0o600))
		}, false},
		"behind a link": {func(m *movable) error {
			to, err := moved(m)
			return errors.Join(err, os.Symlink(to, m.files.dir))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMovable(t)
			if err := tt.attack(m); errors.Is(err, errors.ErrUnsupported) {
				t.Skip("there are no FIFOs here")
			} else if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time with whatever could be written anew
				for origin, want := range map[string]string{here: "token-of-here", there: "token-of-there"} {
					if got := m.load(origin, pullHere); got != want && (tt.kept || got != "") {
						t.Errorf("%s is sent %q", origin, got)
					}
				}
				for _, elsewhere := range []string{"http://here.example", "https://here.example:8443", "https://mallory.example"} {
					if got := m.load(elsewhere, pullHere); got != "" {
						t.Errorf("%s is sent %q", elsewhere, got)
					}
				}
				if got := m.load(here, "repository:app:pull,push") + m.load(here, "repository:other:pull"); got != "" {
					t.Errorf("%q is sent for something else", got)
				}
				m.files.save(here, pullHere, "token-of-here", time.Hour, m.login())
				m.files.save(there, pullHere, "token-of-there", time.Hour, m.login())
				m.files.remove(func(fs.FileInfo) bool { return false })
			}
		})
	}
}

// A token that was given for something else must not become one for more.
//
// attack: REG-06
func TestTokenOfOtherScopes(t *testing.T) {
	t.Parallel()
	m := newMovable(t)
	const more = "repository:app:pull,push"
	for _, to := range []string{m.path(here, more), m.path("http://here.example", pullHere), m.path("https://mallory.example", pullHere)} {
		if err := os.Link(m.path(here, pullHere), to); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.load(here, more) + m.load("http://here.example", pullHere) + m.load("https://mallory.example", pullHere); got != "" {
		t.Errorf("%q is sent elsewhere", got)
	}
	if got := m.load(here, pullHere); got != "token-of-here" {
		t.Errorf("its own registry is sent %q", got)
	}
}

func (m *movable) each(do func(path string) error) error {
	return errors.Join(do(m.path(here, pullHere)), do(m.path(there, pullHere)))
}

func (m *movable) edit(old, new string) error {
	return m.each(func(p string) error { return replace(p, old, new) })
}

// later has the tokens hold for longer than they do.
func (m *movable) later() error {
	now := m.files.now()
	was := now.Add(time.Hour).UTC().Truncate(time.Second)
	return m.edit(was.Format(time.RFC3339), was.Add(time.Minute).Format(time.RFC3339))
}

// relink puts a link to the file of one registry in the place of the other's.
func relink(m *movable, link func(old, new string) error) error {
	return errors.Join(os.Remove(m.path(there, pullHere)), link(m.path(here, pullHere), m.path(there, pullHere)))
}

// overheard is a tokenService that remembers what it was sent.
type overheard struct {
	tokenService
	mu   sync.Mutex
	sent []string
}

func (o *overheard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.sent = append(o.sent, r.Header.Get("Authorization"))
	o.mu.Unlock()
	o.tokenService.ServeHTTP(w, r)
}

// The same, as a registry sees it: with everything moved to its name, it gets
// nothing of the other's, and its own service is asked.
//
// attack: REG-06
func TestTokenOfAnotherRegistry(t *testing.T) {
	t.Parallel()
	good := &tokenService{answer: `{"token":"token-good-%d","expires_in":3600}`}
	evil := &overheard{tokenService: tokenService{answer: `{"token":"token-evil-%d","expires_in":3600}`}}
	dir := filepath.Join(t.TempDir(), "tokens")
	good.fetch(t, open(t, good, Options{Credentials: alice(), TokenDir: dir}))
	kept, err := filepath.Glob(filepath.Join(dir, "*"+tokenSuffix))
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	stolen, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	first := open(t, evil, Options{Credentials: alice(), TokenDir: dir})
	evil.fetch(t, first)
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, tokenSuffix) {
			return err
		}
		return os.WriteFile(path, stolen, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	before := evil.tokens
	again, err := New(first.name, Options{Credentials: alice(), TokenDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	evil.fetch(t, again)
	if evil.tokens != before+1 {
		t.Errorf("the service was asked %d times", evil.tokens-before)
	}
	for _, sent := range evil.sent {
		if strings.Contains(sent, "good") {
			t.Errorf("the other registry was sent %q", sent)
		}
	}
}

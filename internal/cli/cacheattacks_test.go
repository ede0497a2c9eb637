package cli_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/testpki"
)

// raided is somebody whose cache directory others get at. Everything is kept there
// once: content, a token, and an answer about revocation.
type raided struct {
	*user
	acme  checked
	cache string
	front string
	// good is signed by acme; replayed lists that signature, strange has a
	// stranger's and bare none.
	good, replayed, strange, bare string
}

func newRaided(t *testing.T) *raided {
	t.Helper()
	r := &raided{user: newUser(t)}
	r.cache = filepath.Join(t.TempDir(), "cache")
	r.vars["NOTATION_CACHE"] = r.cache
	r.acme = r.newChecked("acme")
	r.newSigner("stranger", testpki.Options{KeySet: 1, Name: "stranger"})
	reg := newRegistry(t)
	r.front = newFront(t, reg, wantsToken)
	name := func(digest string) string { return r.front + "/app@" + digest }
	r.good, r.replayed, r.strange, r.bare = name(reg.push("good", "good")), name(reg.push("replayed", "replayed")), name(reg.push("strange", "strange")), name(reg.push("bare", "bare"))
	r.ok("sign", "-k", "acme", r.good)
	r.ok("sign", "-k", "stranger", r.strange)
	digest := func(ref string) string { _, d, _ := strings.Cut(ref, "@"); return d }
	reg.mu.Lock()
	reg.referrers[digest(r.replayed)] = reg.referrers[digest(r.good)]
	reg.mu.Unlock()
	r.changes = true // each run is with the directory as somebody has left it
	r.check("before")
	return r
}

// wantsToken asks for a token, and gives one that holds for an hour.
func wantsToken(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.URL.Path == "/token":
		fmt.Fprint(w, `{"token":"the-token","expires_in":3600}`)
	case r.Header.Get("Authorization") != "Bearer the-token":
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="front"`)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		return false
	}
	return true
}

// check verifies everything, twice: what is good passes, and nothing else.
func (r *raided) check(what string) {
	r.t.Helper()
	for i := range 2 {
		for ref, want := range map[string]struct {
			code int
			text string
		}{
			r.good: {0, "Successfully verified"}, r.replayed: {1, "[oci.subject-mismatch]"},
			r.strange: {1, "[verify.root-untrusted]"}, r.bare: {4, "not signed"},
		} {
			if got := r.run("verify", "--ca-cert", r.acme.root, ref); got.code != want.code || !strings.Contains(got.stdout+got.stderr, want.text) {
				r.t.Errorf("%s, %d: exit %d, want %d\n%s%s", what, i+1, got.code, want.code, got.stdout, got.stderr)
			}
		}
	}
}

// tree returns the files, or the directories, that are kept.
func (r *raided) tree(directories bool) (paths []string) {
	_ = filepath.WalkDir(r.cache, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() == directories && (directories || e.Type().IsRegular()) {
			paths = append(paths, path)
		}
		return nil
	})
	return paths
}

// each does something to each file, or each directory, of the cache.
func (r *raided) each(directories bool, do func(path string) error) error {
	var all []error
	for _, path := range r.tree(directories) {
		all = append(all, do(path))
	}
	return errors.Join(all...)
}

// instead makes something in the place of a file or directory.
func instead(make func(path string) error) func(string) error {
	return func(path string) error { return errors.Join(os.RemoveAll(path), make(path)) }
}

// rotate has each file hold what the one beside it did.
func (r *raided) rotate() error {
	files := r.tree(false)
	var contents [][]byte
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		contents = append(contents, data)
	}
	var all []error
	for i, path := range files {
		all = append(all, os.WriteFile(path, contents[(i+1)%len(contents)], 0o600))
	}
	return errors.Join(all...)
}

// raids are what somebody may do to a cache directory.
func raids() map[string]func(r *raided) error {
	edit := func(change func([]byte) []byte) func(r *raided) error {
		return func(r *raided) error {
			return r.each(false, func(p string) error {
				data, err := os.ReadFile(p)
				return errors.Join(err, os.WriteFile(p, change(data), 0o600))
			})
		}
	}
	file := instead(func(p string) error { return os.WriteFile(p, nil, 0o600) })
	link := func(to string) func(string) error {
		return instead(func(p string) error { return os.Symlink(to, p) })
	}
	return map[string]func(r *raided) error{
		"truncated": edit(func(b []byte) []byte { return b[:len(b)/2] }),
		"emptied":   edit(func([]byte) []byte { return nil }),
		"longer":    edit(func(b []byte) []byte { return append(b, '\n') }),
		"one bit":   edit(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
		"the last":  edit(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
		"rotated":   func(r *raided) error { return r.rotate() },
		"symbolic links": func(r *raided) error {
			return r.each(false, func(p string) error { return errors.Join(os.Rename(p, p+".moved"), os.Symlink(p+".moved", p)) })
		},
		"hard links": func(r *raided) error {
			files := r.tree(false)
			for _, p := range files[1:] {
				if err := errors.Join(os.Remove(p), os.Link(files[0], p)); err != nil {
					return err
				}
			}
			return nil
		},
		"endless": func(r *raided) error { return r.each(false, link("/dev/zero")) },
		"directories": func(r *raided) error {
			return r.each(false, instead(func(p string) error { return os.MkdirAll(filepath.Join(p, "x"), 0o700) }))
		},
		"FIFOs":        func(r *raided) error { return r.each(false, instead(mkfifo)) },
		"others write": func(r *raided) error { return r.each(false, func(p string) error { return os.Chmod(p, 0o666) }) },
		"unreadable":   func(r *raided) error { return r.each(false, func(p string) error { return os.Chmod(p, 0) }) },
		"another user's": func(r *raided) error {
			return errors.Join(r.each(false, cachemodes.GiveAway), r.each(true, cachemodes.GiveAway))
		},
		"all open": func(r *raided) error { return r.each(true, func(p string) error { return os.Chmod(p, 0o777) }) },
		"parents open": func(r *raided) error {
			return errors.Join(os.Chmod(filepath.Dir(r.cache), 0o777), os.Chmod(r.cache, 0o777))
		},
		"read-only":       func(r *raided) error { return r.each(true, func(p string) error { return os.Chmod(p, 0o500) }) },
		"empty, for good": func(r *raided) error { return instead(func(p string) error { return os.Mkdir(p, 0o500) })(r.cache) },
		"removed":         func(r *raided) error { return os.RemoveAll(r.cache) },
		"a file":          func(r *raided) error { return file(r.cache) },
		"a FIFO":          func(r *raided) error { return instead(mkfifo)(r.cache) },
		"a device":        func(r *raided) error { return link("/dev/null")(r.cache) },
		"leads nowhere":   func(r *raided) error { return link("/nowhere/at/all")(r.cache) },
		"leads to itself": func(r *raided) error { return link(r.cache)(r.cache) },
		"below a file":    func(r *raided) error { r.vars["NOTATION_CACHE"] = r.acme.root + "/cache"; return nil },
		"nobody's home":   func(r *raided) error { delete(r.vars, "NOTATION_CACHE"); delete(r.vars, "HOME"); return nil },
	}
}

func mkfifo(path string) error {
	if plant := specialFiles()["FIFO"]; plant != nil {
		return plant(path)
	}
	return errors.ErrUnsupported
}

// Whatever is done to the cache directory, what is good passes and nothing else
// does: with what the cache has left, and once more with what was kept since.
//
// attack: REV-04
// attack: REG-02
// attack: FS-01
func TestCacheDirectoryAttacked(t *testing.T) {
	t.Parallel()
	for name, raid := range raids() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRaided(t)
			kept := r.tree(false)
			if cachemodes.Current() == cachemodes.Off {
				if len(kept) > 0 {
					t.Errorf("%q is kept", kept)
				}
				return
			}
			if len(kept) < 6 { // manifests and envelopes, a token with its salt, and an answer
				t.Errorf("little is kept: %q", kept)
			}
			if err := raid(r); errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = r.each(true, func(p string) error { return os.Chmod(p, 0o700) }) })
			r.check("afterwards")
			// Revoked since: what was kept of the token and of content must not help.
			r.acme.revoked.Store(true)
			r.vars["NOTATION_CACHE"] = filepath.Join(t.TempDir(), "new")
			if got := r.run("verify", "--ca-cert", r.acme.root, r.good); got.code != 1 {
				t.Errorf("revoked: exit %d\n%s%s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

// An answer from before a revocation is put in the place of the one that tells of
// it. As somebody else's it is not read; as the user's own it counts no longer than
// it would have if nobody had asked since.
//
// attack: REV-04
func TestOlderAnswerInTheCache(t *testing.T) {
	t.Parallel()
	if cachemodes.Current() == cachemodes.Off {
		t.Skip("nothing is kept")
	}
	for name, tt := range map[string]struct {
		disguise func(path string) error
		later    time.Duration
		code     int
	}{
		"others write it":        {func(p string) error { return os.Chmod(p, 0o666) }, 0, 1},
		"the group writes it":    {func(p string) error { return os.Chmod(p, 0o660) }, 0, 1},
		"another user's":         {cachemodes.GiveAway, 0, 1},
		"in an open directory":   {func(p string) error { return os.Chmod(filepath.Dir(p), 0o777) }, 0, 1},
		"behind a link":          {func(p string) error { return errors.Join(os.Rename(p, p+".x"), os.Symlink(p+".x", p)) }, 0, 1},
		"half of it":             {func(p string) error { return os.Truncate(p, 100) }, 0, 1},
		"the user's own":         {func(string) error { return nil }, 0, 0},
		"the same, when it ends": {func(string) error { return nil }, 65 * time.Minute, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRaided(t)
			verify := func() result { t.Helper(); return r.run("verify", "--ca-cert", r.acme.root, r.good) }
			kept := r.answers()
			if len(kept) != 1 {
				t.Fatal(r.tree(false))
			}
			older, err := os.ReadFile(kept[0])
			if err != nil {
				t.Fatal(err)
			}
			r.acme.revoked.Store(true)
			if err := os.Remove(kept[0]); err != nil {
				t.Fatal(err)
			}
			verify().want(1, "[revocation.revoked]")
			if again := r.answers(); len(again) != 1 || again[0] != kept[0] {
				t.Fatalf("%q is kept, not %q", again, kept)
			}
			if err := os.WriteFile(kept[0], older, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := tt.disguise(kept[0]); errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			if tt.later > 0 {
				r.env.Now = func() time.Time { return time.Now().Add(tt.later) }
			}
			if got := verify(); got.code != tt.code {
				t.Errorf("exit %d\n%s%s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

func (r *raided) answers() []string {
	files, _ := filepath.Glob(filepath.Join(r.cache, "ocsp", "*.ocsp"))
	return files
}

// A cache that is removed, written to and read at the same time.
//
// attack: REV-04
// attack: REG-02
func TestCacheRemovedWhileRunning(t *testing.T) {
	t.Parallel()
	r := newRaided(t)
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			switch i % 4 {
			case 0, 1:
				_ = r.rotate()
			case 2:
				_ = r.each(false, os.Remove)
			default:
				_ = os.RemoveAll(r.cache)
			}
		}
	}()
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 5 {
				r.check("meanwhile")
			}
		})
	}
	running.Wait()
	close(done)
	<-gone
}

// The same chain under a policy that trusts it and under one that does not, in
// turn, and with the signer revoked in between: what is kept is no verdict.
//
// attack: CRT-05
func TestCacheKeepsNoVerdict(t *testing.T) {
	t.Parallel()
	r := newRaided(t)
	other := r.newSigner("other", testpki.Options{Name: "other", KeySet: 2})
	nobody := r.policy("strict", "*", "ca:acme", "x509.subject: C=US, ST=WA, O=somebody-else")
	stores := r.stores(r.acme.signer)
	for range 2 {
		r.run("verify", "--ca-cert", r.acme.root, r.good).want(0, "Successfully verified")
		r.run("verify", "--ca-cert", other.root, r.good).want(1, "[verify.root-untrusted]")
		r.run("verify", "--policy", nobody, "--trust-store", stores, r.good).want(1, "[verify.identity-untrusted]")
		r.run("verify", "--ca-cert", r.acme.root, "--user-metadata", "a=b", r.good).want(1, "[verify.metadata]")
		r.run("verify", "--ca-cert", other.root, r.good).want(1, "[verify.root-untrusted]")
	}
	r.acme.revoked.Store(true)
	if err := os.RemoveAll(filepath.Join(r.cache, "ocsp")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.run("verify", "--ca-cert", r.acme.root, r.good).want(1, "[revocation.revoked]")
	}
}

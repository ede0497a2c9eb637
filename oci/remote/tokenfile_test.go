package remote

import (
	"context"
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

	"github.com/notaryv2/notation/reason"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// tokenService is a registry that wants a token, and the service that gives it.
type tokenService struct {
	answer string // with a verb for the number of the token

	mu     sync.Mutex
	given  int
	bad    map[string]bool // tokens that are refused
	tokens int
	blobs  int
}

func (s *tokenService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/token" {
		s.tokens++
		if user, _, _ := r.BasicAuth(); user == "mallory" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.given++
		fmt.Fprintf(w, s.answer, s.given)
		return
	}
	s.blobs++
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !strings.HasPrefix(token, "token-") || s.bad[token] {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+baseURL(r)+`/token",service="s"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = w.Write([]byte(content))
}

// fetch asks as a new process would, and returns how many requests that took.
func (s *tokenService) fetch(t *testing.T, r *Repository) (tokens, blobs int) {
	t.Helper()
	s.mu.Lock()
	beforeTokens, beforeBlobs := s.tokens, s.blobs
	s.mu.Unlock()
	if _, err := r.Fetch(t.Context(), blobOf(content), 100); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens - beforeTokens, s.blobs - beforeBlobs
}

const longLived = `{"token":"token-%d","expires_in":3600}`

func TestTokenFiles(t *testing.T) {
	t.Parallel()
	s := &tokenService{answer: longLived, bad: map[string]bool{}}
	dir := filepath.Join(t.TempDir(), "tokens")
	first := open(t, s, Options{Credentials: alice(), TokenDir: dir})
	again := func(o Options) *Repository {
		o.TokenDir = dir
		r, err := New(first.name, o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, step := range []struct {
		name   string
		do     func()
		creds  CredentialFunc
		tokens int
		blobs  int
	}{
		{"again", nil, alice(), 0, 1},
		{"another credential", nil, credential("bob", "b"), 1, 2},
		{"the first once more", nil, alice(), 1, 2}, // one is kept for each set of scopes
		{"anonymous", nil, nil, 1, 2},
		{"anonymous again", nil, nil, 0, 1},
		{"refused", func() { s.bad["token-4"] = true }, nil, 1, 2},
		{"renewed", nil, nil, 0, 1},
		{"source fails", nil, func(context.Context, string) (Credential, error) { return Credential{}, errors.New("locked") }, 0, 1},
	} {
		if step.name == "again" {
			if tokens, blobs := s.fetch(t, first); tokens != 1 || blobs != 2 {
				t.Fatalf("first: %d tokens, %d blobs", tokens, blobs)
			}
		}
		if step.do != nil {
			step.do()
		}
		if tokens, blobs := s.fetch(t, again(Options{Credentials: step.creds})); tokens != step.tokens || blobs != step.blobs {
			t.Errorf("%s: %d tokens, %d blobs", step.name, tokens, blobs)
		}
	}
	checkTokensSecret(t, dir)
}

// checkTokensSecret: nothing but the user may read what is kept, and the credential is
// not in it.
func checkTokensSecret(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		if d.IsDir() || err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), "alice") || strings.Contains(string(data), "secret") {
			t.Errorf("%s holds the credential", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestTokenNotKept: nothing is kept that is not known to hold for long.
func TestTokenNotKept(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"no expiry": `{"token":"token-%d"}`, "short": `{"token":"token-%d","expires_in":30}`, "negative": `{"token":"token-%d","expires_in":-1}`,
		"text": `{"token":"token-%d","expires_in":"3600"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &tokenService{answer: answer}
			dir := filepath.Join(t.TempDir(), "tokens")
			r := open(t, s, Options{TokenDir: dir})
			if name == "text" {
				_, _ = r.Fetch(t.Context(), blobOf(content), 100) // oras-go may refuse it
			} else if tokens, _ := s.fetch(t, r); tokens != 1 {
				t.Errorf("%d tokens", tokens)
			}
			if files, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(files) > 0 {
				t.Errorf("kept %v", files)
			}
		})
	}
}

func TestTokenFileDamage(t *testing.T) {
	t.Parallel()
	now := time.Now()
	alice := auth.Credential{Username: "alice", Password: "secret-word"}
	asAlice := func() (auth.Credential, error) { return alice, nil }
	for name, tt := range map[string]struct {
		damage func(dir, path string) error
		now    time.Time
		want   string
	}{
		"none":       {nil, now, "abc"},
		"later":      {nil, now.Add(50 * time.Minute), "abc"},
		"too late":   {nil, now.Add(59*time.Minute + 45*time.Second), ""},
		"clock went": {nil, now.Add(-24 * time.Hour), ""},
		"truncated":  {func(_, p string) error { return os.Truncate(p, 20) }, now, ""},
		"huge":       {func(_, p string) error { return os.Truncate(p, 1<<30) }, now, ""},
		"line break": {func(_, p string) error { return replace(p, `"abc"`, `"a\nb"`) }, now, ""},
		"link":       {func(_, p string) error { return errors.Join(os.Rename(p, p+"2"), os.Symlink(p+"2", p)) }, now, ""},
		"another salt": {func(d, _ string) error {
			return os.WriteFile(filepath.Join(d, saltFile), make([]byte, saltBytes), 0o600)
		}, now, ""},
		"short salt":    {func(d, _ string) error { return os.Truncate(filepath.Join(d, saltFile), 3) }, now, ""},
		"no salt":       {func(d, _ string) error { return os.Remove(filepath.Join(d, saltFile)) }, now, ""},
		"another's sum": {func(_, p string) error { return replace(p, `"binding":"`, `"binding":"00`) }, now, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "tokens")
			(&tokenFiles{dir, func() time.Time { return now }}).save("https://reg", "s", "abc", time.Hour, alice)
			files, err := filepath.Glob(filepath.Join(dir, "*.json"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			if tt.damage != nil {
				if err := tt.damage(dir, files[0]); err != nil {
					t.Fatal(err)
				}
			}
			files2 := &tokenFiles{dir, func() time.Time { return tt.now }}
			if got := files2.load("https://reg", "s", asAlice); got != tt.want {
				t.Errorf("got %q", got)
			}
			if got := files2.load("http://reg", "s", asAlice) + files2.load("https://reg", "t", asAlice) + files2.load("https://reg", "", asAlice); got != "" {
				t.Errorf("elsewhere: %q", got)
			}
		})
	}
}

func replace(path, old, new string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o600)
}

func TestTokenFilesTidy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	files := &tokenFiles{dir, func() time.Time { return now }}
	files.save("https://a", "s", "abc", time.Hour, auth.EmptyCredential)
	old := now.Add(-maxTokenAge - time.Hour)
	all, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if err := os.Chtimes(all[0], old, old); err != nil {
		t.Fatal(err)
	}
	files.save("https://b", "s", "abc", time.Hour, auth.EmptyCredential)
	if all, _ = filepath.Glob(filepath.Join(dir, "*.json")); len(all) != 1 {
		t.Errorf("%d are left", len(all))
	}
	if got := files.load("https://b", "s", func() (auth.Credential, error) { return auth.EmptyCredential, nil }); got != "abc" {
		t.Errorf("got %q", got)
	}
	// A place where nothing can be kept.
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := &tokenFiles{file, time.Now}
	nowhere.save("https://a", "s", "abc", time.Hour, auth.EmptyCredential)
	if nowhere.load("https://a", "s", nil) != "" {
		t.Error("kept")
	}
	nowhere.tidy()
}

// TestTokenFilesTogether: requests that come at once wait for the one token.
func TestTokenFilesTogether(t *testing.T) {
	t.Parallel()
	s := &tokenService{answer: longLived}
	dir := filepath.Join(t.TempDir(), "tokens")
	first := open(t, s, Options{TokenDir: dir})
	s.fetch(t, first)
	r, err := New(first.name, Options{TokenDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if _, err := r.Fetch(t.Context(), blobOf(content), 100); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if s.tokens != 1 || s.blobs != 12 {
		t.Errorf("%d tokens, %d blobs", s.tokens, s.blobs)
	}
}

// TestRecallEnds: nobody waits for another's credential longer than he wants to.
func TestRecallEnds(t *testing.T) {
	t.Parallel()
	s := &tokenService{answer: longLived}
	dir := filepath.Join(t.TempDir(), "tokens")
	first := open(t, s, Options{TokenDir: dir})
	s.fetch(t, first)
	asked := make(chan struct{})
	r, err := New(first.name, Options{TokenDir: dir, Credentials: func(ctx context.Context, _ string) (Credential, error) {
		close(asked)
		<-ctx.Done()
		return Credential{}, ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	slow, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.Fetch(slow, blobOf(content), 100)
	}()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Fetch(ctx, blobOf(content), 100); err == nil {
		t.Error("fetched after the end")
	}
	end()
	<-done
}

// TestTidySparesOthers: a directory may hold what was never a token's.
func TestTidySparesOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	old := now.Add(-maxTokenAge - time.Hour)
	sum := strings.Repeat("0a", 32)
	for name, stays := range map[string]bool{
		"notes.txt": true, "a.json": true, saltFile: true, sum: true, "." + sum + ".json": true, sum + ".json.tmp": true, ".x.json.ABCDEFGH.tmp": true,
		sum + ".json": false, "." + sum + ".json.ABCDEFGH.tmp": false,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
		(&tokenFiles{dir, func() time.Time { return now }}).tidy()
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// attack: REG-06
func TestTokenOfALiar(t *testing.T) {
	t.Parallel()
	s := &tokenService{answer: longLived}
	dir := filepath.Join(t.TempDir(), "tokens")
	r := open(t, s, Options{Credentials: credential("mallory", "m"), TokenDir: dir})
	_, err := r.Fetch(t.Context(), blobOf(content), 100)
	wantCode(t, err, reason.RegistryUnauthorized)
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) > 0 {
		t.Errorf("kept %v", files)
	}
}

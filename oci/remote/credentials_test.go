package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// TestMain makes this program its own credential helper: found in $PATH as
// docker-credential-NAME, it keeps secrets in files below $HELPER_DIR.
func TestMain(m *testing.M) {
	if name, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "docker-credential-"); ok {
		if name == "slow" || name == "child" {
			os.Exit(slowHelper(name))
		}
		os.Exit(helper(name, os.Args[1], os.Stdin, os.Stdout))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "notation-remote")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	for _, name := range []string{"one", "two", "broken", "slow", "child", "flood", "secretservice", "osxkeychain"} {
		if err == nil {
			err = os.Symlink(self, filepath.Join(dir, "docker-credential-"+name))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("PATH", dir)
	os.Setenv("HELPER_DIR", dir)
	os.Setenv("HOME", dir)
	os.Setenv("GORACE", "atexit_sleep_ms=0") // of the helpers; one second each otherwise
	os.Unsetenv("DOCKER_CONFIG")
	return m.Run()
}

// helper speaks the protocol of Docker's credential helpers.
func helper(name, action string, in io.Reader, out io.Writer) int {
	text, err := io.ReadAll(in)
	if name == "flood" {
		for err == nil {
			_, err = out.Write(bytes.Repeat([]byte("secret-word"), 1<<10))
		}
		return 1
	}
	if err != nil || name == "broken" {
		fmt.Fprint(out, "the keychain is locked")
		return 1
	}
	var c struct{ ServerURL, Username, Secret string }
	server := strings.TrimSpace(string(text))
	if action == "store" {
		_ = json.Unmarshal(text, &c)
		server = c.ServerURL
	}
	file := filepath.Join(os.Getenv("HELPER_DIR"), name+" "+strings.NewReplacer("/", "_", ":", "_").Replace(server))
	switch action {
	case "store":
		err = os.WriteFile(file, text, 0o600)
	case "erase":
		err = os.Remove(file)
	case "get":
		if text, err = os.ReadFile(file); err != nil {
			fmt.Fprint(out, "credentials not found in native keychain")
			return 1
		}
		_, err = out.Write(text)
	}
	if err != nil {
		fmt.Fprint(out, err)
		return 1
	}
	return 0
}

// slowHelper starts a child, which connects to the registry that it is asked
// about and then waits until it is ended, and waits for the child.
func slowHelper(name string) int {
	if name == "slow" {
		child := exec.Command(helperPrefix+"child", "get")
		child.Stdin, child.Stdout = os.Stdin, os.Stdout
		_ = child.Run()
		return 1
	}
	address, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 1
	}
	c, err := net.Dial("tcp", string(address))
	if err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, c)
	return 1
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func dockerFile(t *testing.T, text string) string {
	t.Helper()
	return writeFile(t, filepath.Join(t.TempDir(), "config.json"), text)
}

// keep puts a credential into a helper.
func keep(t *testing.T, name, server, user string) {
	t.Helper()
	in := fmt.Sprintf(`{"ServerURL":%q,"Username":%q,"Secret":"secret-word"}`, server, user)
	if code := helper(name, "store", strings.NewReader(in), io.Discard); code != 0 {
		t.Fatal("helper failed")
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	const auths = `"auths":{"FILE":{"auth":"ZmlsZTpzZWNyZXQtd29yZA=="},"https://old.example/v1/":{"auth":"b2xkOnNlY3JldC13b3Jk"},"https://index.docker.io/v1/":{"auth":"aHViOnNlY3JldC13b3Jk"},"id.example":{"identitytoken":"secret-word"}}`
	for _, tt := range []struct {
		name     string
		registry string
		one, two bool // the helper knows the registry
		o        StoreOptions
		docker   string
		user     string
		source   string
		code     reason.Code
	}{
		{name: "nothing", docker: "-"},
		{name: "empty file", docker: ""},
		{name: "explicit", o: StoreOptions{Explicit: Credential{Username: "me", Password: "secret-word", Source: "--username"}}, docker: `{` + auths + `}`, user: "me", source: "--username"},
		{name: "Docker's file", docker: `{` + auths + `}`, user: "file", source: "config.json"},
		{name: "Docker's file, old form", registry: "old.example", docker: `{` + auths + `}`, user: "old", source: "config.json"},
		{name: "Docker Hub", registry: "docker.io", docker: `{` + auths + `}`, user: "hub", source: "config.json"},
		{name: "identity token", registry: "id.example", docker: `{` + auths + `}`, source: "config.json"},
		{name: "Docker's store", one: true, docker: `{"credsStore":"one",` + auths + `}`, user: "one", source: "docker-credential-one, named in "},
		{name: "Docker's store knows nothing", docker: `{"credsStore":"one",` + auths + `}`, user: "file", source: "config.json"},
		{name: "Docker's helper before its store", one: true, two: true, docker: `{"credsStore":"one","credHelpers":{"FILE":"two"}}`, user: "two", source: "docker-credential-two"},
		{name: "own store before Docker's", one: true, two: true, o: StoreOptions{CredsStore: "two"}, docker: `{"credsStore":"one"}`, user: "two", source: "notation's config.json"},
		{name: "own helper before own store", one: true, two: true, o: StoreOptions{CredsStore: "two", CredHelpers: map[string]string{"FILE": "one"}}, user: "one", source: "docker-credential-one, named in notation's"},
		{name: "own helper for another registry", one: true, two: true, o: StoreOptions{CredsStore: "two", CredHelpers: map[string]string{"else.example": "one"}}, user: "two", source: "docker-credential-two"},
		{name: "helpers not installed", o: StoreOptions{CredsStore: "absent"}, docker: `{"credsStore":"absent",` + auths + `}`, user: "file", source: "config.json"},
		{name: "helper not installed, nothing else", docker: `{"credsStore":"absent"}`},
		{name: "helper fails, file has it", docker: `{"credsStore":"broken",` + auths + `}`, user: "file", source: "config.json"},
		{name: "helper fails, nothing else", docker: `{"credsStore":"broken"}`, code: reason.RegistryCredentials},
		{name: "helper is a path", docker: `{"credsStore":"../../bin/sh"}`, code: reason.RegistryCredentials},
		{name: "own helper is a path", o: StoreOptions{CredsStore: "/bin/sh"}, docker: "-", code: reason.RegistryCredentials},
		{name: "own helper is a path, Docker has it", o: StoreOptions{CredsStore: ".."}, docker: `{` + auths + `}`, user: "file", source: "config.json"},
		{name: "file malformed", docker: `{"auths":`, code: reason.RegistryCredentials},
		{name: "file malformed, own store has it", two: true, o: StoreOptions{CredsStore: "two"}, docker: `{"auths":`, user: "two", source: "docker-credential-two"},
		{name: "auths malformed", docker: `{"auths":7}`, code: reason.RegistryCredentials},
		{name: "file too long", docker: strings.Repeat(" ", maxConfigFile+1), code: reason.RegistryCredentials},
		{name: "file is a directory", docker: "DIR", code: reason.RegistryCredentials},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := tt.registry
			if registry == "" {
				registry = strings.Map(func(r rune) rune {
					if r >= 'a' && r <= 'z' {
						return r
					}
					return '-'
				}, strings.ToLower(tt.name)) + ".example"
			}
			for name, known := range map[string]bool{"one": tt.one, "two": tt.two} {
				if known {
					keep(t, name, registry, name)
				}
			}
			tt.o.DockerConfig = filepath.Join(t.TempDir(), "absent", "config.json")
			switch tt.docker {
			case "-":
			case "DIR":
				tt.o.DockerConfig = t.TempDir()
			default:
				name := registry
				if tt.registry != "" {
					name = "file.example"
				}
				tt.o.DockerConfig = dockerFile(t, strings.ReplaceAll(tt.docker, "FILE", name))
			}
			if h, ok := tt.o.CredHelpers["FILE"]; ok {
				tt.o.CredHelpers = map[string]string{registry: h}
			}
			var log bytes.Buffer
			tt.o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			c, err := NewCredentialStore(tt.o).Find(t.Context(), registry)
			wantCode(t, err, tt.code)
			if c.Username != tt.user || !strings.Contains(c.Source, tt.source) {
				t.Errorf("got user %q from %q", c.Username, c.Source)
			}
			if (tt.user != "" || tt.source != "") && c.isEmpty() || tt.source == "" && !c.isEmpty() {
				t.Errorf("got %v", c)
			}
			slog.New(slog.NewJSONHandler(&log, nil)).Info("found", "credential", c)
			for _, text := range []string{log.String(), fmt.Sprint(c), fmt.Sprintf("%#v %+v %s", c, c, c)} {
				if strings.Contains(text, "secret-word") {
					t.Errorf("shows a secret: %s", text)
				}
			}
		})
	}
}

func TestSaveAndDelete(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		o       StoreOptions
		docker  string
		where   string
		warning bool
		code    reason.Code
	}{
		{name: "into Docker's file", docker: `{"auths":{"x.example":{}},"keep":"me"}`, where: "config.json", warning: true},
		{name: "into Docker's store", docker: `{"credsStore":"one","keep":"me"}`, where: "docker-credential-one"},
		{name: "into Docker's helper", docker: `{"credsStore":"one","credHelpers":{"HOST":"two"}}`, where: "docker-credential-two"},
		{name: "into own store", o: StoreOptions{CredsStore: "two"}, docker: `{"credsStore":"one"}`, where: "docker-credential-two, named in notation's"},
		{name: "own store not installed", o: StoreOptions{CredsStore: "absent"}, docker: `{"credsStore":"one"}`, code: reason.RegistryCredentials},
		{name: "own helper not installed", o: StoreOptions{CredHelpers: map[string]string{"save-own-helper-not-installed.example": "absent"}}, docker: `{}`, code: reason.RegistryCredentials},
		{name: "Docker's store not installed", docker: `{"credsStore":"absent"}`, code: reason.RegistryCredentials},
		{name: "Docker's helper not installed", docker: `{"credsStore":"one","credHelpers":{"HOST":"absent"}}`, code: reason.RegistryCredentials},
		{name: "own store fails", o: StoreOptions{CredsStore: "broken"}, docker: `{}`, code: reason.RegistryCredentials},
		{name: "own store is a path", o: StoreOptions{CredsStore: "a/b"}, docker: `{}`, code: reason.RegistryCredentials},
		{name: "Docker's store fails", docker: `{"credsStore":"broken"}`, code: reason.RegistryCredentials},
		{name: "Docker's store is a path", docker: `{"credsStore":"a/b"}`, code: reason.RegistryCredentials},
		{name: "Docker's file malformed", docker: `{`, code: reason.RegistryCredentials},
		{name: "Docker's auths malformed", docker: `{"auths":7}`, code: reason.RegistryCredentials},
		{name: "nothing there yet", docker: "-", where: "helper of this platform"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := "save-" + strings.Trim(strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(tt.name), " ", "-"), "'", ""), "-") + ".example"
			tt.o.DockerConfig = filepath.Join(t.TempDir(), "new", "config.json")
			if tt.docker != "-" {
				tt.o.DockerConfig = dockerFile(t, strings.ReplaceAll(tt.docker, "HOST", registry))
			} else if !platformHelperFound() {
				tt.where, tt.warning = "config.json", true
			}
			s := NewCredentialStore(tt.o)
			saved, err := s.Save(t.Context(), registry, Credential{Username: "alice", Password: "secret-word"})
			wantCode(t, err, tt.code)
			if err != nil {
				text, _ := os.ReadFile(tt.o.DockerConfig)
				if strings.Contains(string(text), "c2VjcmV0LXdvcmQ") || strings.Contains(string(text), "YWxpY2U6") {
					t.Errorf("kept in plain text: %s", text)
				}
				if strings.Contains(tt.name, "not installed") && !(strings.Contains(err.Error(), "docker-credential-absent") && strings.Contains(err.Error(), "not installed")) {
					t.Errorf("got %v", err)
				}
				return
			}
			if !strings.Contains(saved.Where, tt.where) || (saved.Warning != "") != tt.warning || strings.Contains(saved.Warning, "secret-word") {
				t.Errorf("saved %+v", saved)
			}
			if info, err := os.Stat(tt.o.DockerConfig); err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
			if text, _ := os.ReadFile(tt.o.DockerConfig); strings.Contains(tt.docker, "keep") && !strings.Contains(string(text), `"keep"`) {
				t.Errorf("lost a setting of Docker's: %s", text)
			}
			c, err := s.Find(t.Context(), registry)
			if err != nil || c.Username != "alice" || c.Password != "secret-word" {
				t.Errorf("found %q, %v", c.Username, err)
			}
			removed, err := s.Delete(t.Context(), registry)
			if err != nil || len(removed) != 1 {
				t.Errorf("removed %q, %v", removed, err)
			}
			if c, err := s.Find(t.Context(), registry); err != nil || !c.isEmpty() {
				t.Errorf("still there: %v, %v", c, err)
			}
			if removed, err := s.Delete(t.Context(), registry); err != nil || len(removed) != 0 {
				t.Errorf("removed again %q, %v", removed, err)
			}
		})
	}
}

// platformHelperFound reports whether one of the tests' helpers goes by the
// name that oras-go looks for on this platform.
func platformHelperFound() bool { return runtime.GOOS == "linux" || runtime.GOOS == "darwin" }

// TestSaveUnwritable checks a configuration that cannot be written, by root
// neither.
func TestSaveUnwritable(t *testing.T) {
	t.Parallel()
	file := dockerFile(t, "{}")
	s := NewCredentialStore(StoreOptions{DockerConfig: filepath.Join(file, "config.json")})
	_, err := s.Save(t.Context(), "reg.example", Credential{Username: "alice", Password: "secret-word"})
	wantCode(t, err, reason.RegistryCredentials)
	_, err = NewCredentialStore(StoreOptions{DockerConfig: dockerFile(t, `{"auths":{"x":{}}}`)}).
		Save(t.Context(), "reg.example", Credential{Username: "al:ice", Password: "secret-word"})
	wantCode(t, err, reason.RegistryCredentials)
	_, err = NewCredentialStore(StoreOptions{DockerConfig: dockerFile(t, `{"credsStore":"broken"}`)}).Delete(t.Context(), "reg.example")
	wantCode(t, err, reason.RegistryCredentials)
}

func TestFindCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := NewCredentialStore(StoreOptions{DockerConfig: dockerFile(t, `{"credsStore":"one"}`)})
	if _, err := s.Find(ctx, "reg.example"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestDockerConfigPlace checks where Docker's file is looked for. The
// environment is the process's, so it does not run in parallel.
func TestDockerConfigPlace(t *testing.T) {
	dir := t.TempDir()
	s := NewCredentialStore(StoreOptions{})
	t.Setenv("DOCKER_CONFIG", dir)
	if got, err := s.dockerPath(); err != nil || got != filepath.Join(dir, "config.json") {
		t.Errorf("got %s, %v", got, err)
	}
	t.Setenv("DOCKER_CONFIG", "")
	t.Setenv("HOME", dir)
	if got, err := s.dockerPath(); err != nil || got != filepath.Join(dir, ".docker", "config.json") {
		t.Errorf("got %s, %v", got, err)
	}
	t.Setenv("HOME", "")
	_, err := s.Find(t.Context(), "reg.example")
	wantCode(t, err, reason.RegistryCredentials)
	_, err = s.Save(t.Context(), "reg.example", Credential{Username: "alice", Password: "x"})
	wantCode(t, err, reason.RegistryCredentials)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	good := Credential{Username: "alice", Password: "secret-word"}
	for _, tt := range []struct {
		name    string
		auth    string
		cred    Credential
		code    reason.Code
		warning string
	}{
		{"Basic", "basic", good, "", "unencrypted"},
		{"Bearer", "bearer", good, "", "unencrypted"},
		{"not asked", "", good, "", "not checked; no credential helper is configured: the password is kept unencrypted"},
		{"wrong, Basic", "basic", Credential{Username: "alice", Password: "x"}, reason.RegistryUnauthorized, ""},
		{"wrong, Bearer", "bearer", Credential{Username: "alice", Password: "x"}, reason.RegistryUnauthorized, ""},
		{"none", "basic", Credential{}, reason.RegistryCredentials, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.auth = tt.auth
			host := serve(t, f)
			s := NewCredentialStore(StoreOptions{DockerConfig: dockerFile(t, `{"auths":{"x":{}}}`)})
			saved, err := Login(t.Context(), host, tt.cred, Options{}, s)
			wantCode(t, err, tt.code)
			if !strings.Contains(saved.Warning, tt.warning) {
				t.Errorf("warning %q", saved.Warning)
			}
			c, ferr := s.Find(t.Context(), host)
			if ferr != nil || (err == nil) == c.isEmpty() {
				t.Errorf("kept: %v, %v", c, ferr)
			}
			removed, lerr := Logout(t.Context(), host, s)
			if lerr != nil || (err == nil) != (len(removed) == 1) {
				t.Errorf("logout: %q, %v", removed, lerr)
			}
		})
	}
	s := NewCredentialStore(StoreOptions{DockerConfig: dockerFile(t, `{"credsStore":"one"}`)})
	saved, err := Login(t.Context(), serve(t, newFake()), good, Options{}, s)
	if err != nil || !strings.Contains(saved.Warning, "not checked") {
		t.Errorf("got %+v, %v", saved, err)
	}
	for _, name := range []string{"", "https://reg.example", "reg.example/app", "reg.example:tag", "a b", "reg.example/", "x@y"} {
		_, err := Login(t.Context(), name, good, Options{}, s)
		wantCode(t, err, reason.OCIReference)
		_, err = Logout(t.Context(), name, s)
		wantCode(t, err, reason.OCIReference)
	}
	_, err = Login(t.Context(), "127.0.0.1:1", good, Options{}, s)
	wantCode(t, err, reason.RegistryUnreachable)
	_, err = Login(t.Context(), serve(t, http.NotFoundHandler()), good, Options{}, s)
	wantCode(t, err, reason.OCINotFound)
}

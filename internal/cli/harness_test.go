package cli_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cli"
)

// user is somebody with a home directory, who runs commands.
type user struct {
	t    *testing.T
	home string
	vars map[string]string
	env  cli.Env // defaults for each run; streams and Getenv are set by run

	changes bool              // what commands give depends on how often they are run
	asks    func(name string) // is told of each environment variable that a command asks for; nil: nobody
}

func newUser(t *testing.T) *user {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	return &user{t: t, home: home, vars: map[string]string{"HOME": home}, env: cli.Env{GOOS: "linux"}}
}

// result is what one run gave.
type result struct {
	t              *testing.T
	args           []string
	code           int
	stdout, stderr string
}

func (u *user) run(args ...string) result { return u.runWith(u.t.Context(), "", args...) }

func (u *user) runWith(ctx context.Context, stdin string, args ...string) result {
	u.t.Helper()
	got := u.inCacheMode(ctx, stdin, args)
	r := result{t: u.t, args: args, code: got.Code, stdout: got.Stdout, stderr: got.Stderr}
	if r.code != 0 && strings.Contains(r.stdout, "Successfully") && len(args) < 4 {
		u.t.Errorf("%v exits with %d and claims success:\n%s", args, r.code, r.stdout)
	}
	return r
}

// inTime tries something that a time-out must end, after things that must come
// before it: where try reports that the machine was too slow for these, and for
// nothing else, it has twice the time.
func inTime(t *testing.T, try func(timeout time.Duration) bool) {
	t.Helper()
	const longest = time.Minute
	for timeout := 250 * time.Millisecond; ; timeout *= 2 {
		switch {
		case try(timeout) || t.Failed():
			return
		case timeout > longest:
			t.Fatalf("not even %v are enough", timeout)
		}
	}
}

// timeIsUp is what a command says that its --timeout has ended.
func timeIsUp(timeout time.Duration) string {
	return "he time that --timeout allows, " + timeout.String() + ", was up"
}

// ok runs a command that must succeed.
func (u *user) ok(args ...string) result {
	u.t.Helper()
	return u.run(args...).want(0)
}

// want checks the exit code and that each text is in the output.
func (r result) want(code int, texts ...string) result {
	r.t.Helper()
	if r.code != code {
		r.t.Errorf("notation %s: exit %d, want %d\nstdout: %s\nstderr: %s", strings.Join(r.args, " "), r.code, code, r.stdout, r.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			r.t.Errorf("notation %s: %q is missing\nstdout: %s\nstderr: %s", strings.Join(r.args, " "), text, r.stdout, r.stderr)
		}
	}
	return r
}

// wantError checks that a run failed the way every run must: an exit code, one
// sentence of cause, one of remedy, and nothing on standard output.
func (r result) wantError(code int, texts ...string) result {
	r.t.Helper()
	r.want(code, texts...)
	lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
	var errs, hints int
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, "Error: "):
			errs++
		case strings.HasPrefix(l, "Hint: "):
			hints++
		case strings.HasPrefix(l, "Warning: "):
		default:
			r.t.Errorf("notation %s: stray line %q", strings.Join(r.args, " "), l)
		}
		if !strings.HasSuffix(l, ".") {
			r.t.Errorf("notation %s: no sentence: %q", strings.Join(r.args, " "), l)
		}
	}
	if errs != 1 || hints != 1 || r.stdout != "" {
		r.t.Errorf("notation %s: %d errors, %d hints\nstdout: %s\nstderr: %s", strings.Join(r.args, " "), errs, hints, r.stdout, r.stderr)
	}
	return r
}

// json decodes the one document on standard output.
func (r result) json() map[string]any {
	r.t.Helper()
	var doc map[string]any
	d := json.NewDecoder(strings.NewReader(r.stdout))
	if err := d.Decode(&doc); err != nil {
		r.t.Fatalf("notation %s: %v\nstdout: %s\nstderr: %s", strings.Join(r.args, " "), err, r.stdout, r.stderr)
	}
	if d.More() {
		r.t.Errorf("notation %s: more than one document: %s", strings.Join(r.args, " "), r.stdout)
	}
	if doc["schemaVersion"] != "1.0" || doc["exitCode"] != float64(r.code) {
		r.t.Errorf("notation %s: header of %s", strings.Join(r.args, " "), r.stdout)
	}
	return doc
}

// at follows member names and indexes into a document.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// path returns a path in the configuration directory.
func (u *user) path(elem ...string) string {
	return filepath.Join(append([]string{u.home, ".config", "notation"}, elem...)...)
}

// write writes a file into a new directory and returns its path.
func (u *user) write(name, content string) string {
	u.t.Helper()
	path := filepath.Join(u.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		u.t.Fatal(err)
	}
	return path
}

func (u *user) read(path string) string {
	u.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		u.t.Fatal(err)
	}
	return string(data)
}

// snapshot describes every file below a directory.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = fmt.Sprintf("%x", sha256.Sum256(data))
		}
		fmt.Fprintf(&b, "%s %v %s\n", path, info.Mode(), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func digestOf(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// manifestOf returns an image manifest that differs by text.
func manifestOf(text string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},`+
		`"layers":[],"annotations":{"text":%q}}`, text)
}

// layout makes an image layout with one artifact, tagged v1, and returns its
// path and the artifact's digest.
func (u *user) layout(text string) (path, digest string) {
	u.t.Helper()
	dir := filepath.Join(u.t.TempDir(), "layout")
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o700); err != nil {
		u.t.Fatal(err)
	}
	manifest := manifestOf(text)
	digest = digestOf(manifest)
	for path, content := range map[string]string{
		filepath.Join(dir, "oci-layout"): `{"imageLayoutVersion":"1.0.0"}`,
		filepath.Join(dir, "index.json"): fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
			`"digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}`, digest, len(manifest)),
		filepath.Join(blobs, strings.TrimPrefix(digest, "sha256:")):                 string(manifest),
		filepath.Join(blobs, strings.TrimPrefix(digestOf([]byte("{}")), "sha256:")): "{}",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			u.t.Fatal(err)
		}
	}
	return dir, digest
}

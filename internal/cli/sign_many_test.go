package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cli"
	"github.com/notaryv2/notation/internal/testpki"
)

// many pushes n artifacts and returns their references by digest, one a line.
func (r *registry) many(n int) (list string, digests []string) {
	var b strings.Builder
	for i := range n {
		digest := r.push(fmt.Sprintf("v%d", i), fmt.Sprintf("image %d", i))
		digests = append(digests, digest)
		fmt.Fprintf(&b, "%s/app@%s\n", r.host, digest)
	}
	return b.String(), digests
}

// before has something look at requests before the registry does; what it answers
// itself it returns true for.
func (r *registry) before(t *testing.T, look func(w http.ResponseWriter, req *http.Request) bool) string {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !look(w, req) {
			r.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(front.Close)
	return strings.TrimPrefix(front.URL, "http://")
}

// TestSignMany signs a list. Results come in its order, in text and JSON.
func TestSignMany(t *testing.T) {
	t.Parallel()
	const n = 300
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	list, digests := reg.many(n)
	r := u.runWith(t.Context(), "# all\n\n"+list, "sign", "-k", "acme", "--from-file", "-").want(0)
	var want, got []string
	for _, d := range digests {
		want = append(want, "Successfully signed "+reg.host+"/app@"+d)
		if len(reg.referrers[d]) != 1 {
			t.Errorf("%s has %d signatures", d, len(reg.referrers[d]))
		}
	}
	for line := range strings.Lines(r.stdout) {
		if strings.HasPrefix(line, "Successfully") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(got, want) || r.stderr != "" {
		t.Errorf("%d lines of %d, or another order\n%s", len(got), len(want), r.stderr)
	}
	file := u.write("list", list)
	doc := u.ok("sign", "-k", "acme", "--skip-if-signed", "--from-file", file, "-o", "json", reg.host+"/app:v7").json()
	if at(doc, "signed", 0, "requested") != reg.host+"/app:v7" || at(doc, "signed", n, "artifact", "digest") != digests[n-1] || at(doc, "signed", n, "skipped") != true {
		t.Errorf("%v", at(doc, "signed", n))
	}
	if all, _ := at(doc, "signed").([]any); len(all) != n+1 {
		t.Errorf("%d results", len(all))
	}
	u.run("sign", "--concurrency", "0", file).wantError(2, "from 1 to 1024")
	u.run("sign", "--from-file", u.write("none", "# nothing\n")).wantError(2, "holds no reference")
	u.run("sign", "--from-file", u.write("bad", list+"r.example/UPPER:v1\n")).wantError(2, "bad:301")
	u.run("sign", "--from-file", file+".gone").wantError(2, "could not be read")
	u.run("sign", "--from-file", "-", "--password-stdin").wantError(2, "tandard input cannot hold both")
}

// TestSignManySame names artifacts several times, by tags and digests: one after
// another, so that with --skip-if-signed each is signed once.
func TestSignManySame(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	one, two := reg.push("one", "1"), reg.push("two", "2")
	reg.push("same", "1")
	var list strings.Builder
	for range 10 {
		for _, name := range []string{":one", "@" + one, ":same", ":two", "@" + two} {
			fmt.Fprintln(&list, reg.host+"/app"+name)
		}
	}
	r := u.runWith(t.Context(), list.String(), "sign", "-k", "acme", "--skip-if-signed", "--from-file", "-").want(0)
	if len(reg.referrers[one]) != 1 || len(reg.referrers[two]) != 1 {
		t.Errorf("%d and %d signatures", len(reg.referrers[one]), len(reg.referrers[two]))
	}
	for i, first := range strings.SplitAfter(r.stdout, "\n") {
		if i%2 == 0 && first != "" && strings.HasPrefix(first, "Successfully") != (i == 0 || i == 6) {
			t.Errorf("line %d: %s", i, first)
		}
	}
	if n := strings.Count(r.stderr, "Warning: Tag"); n != 20 || !strings.Contains(r.stderr, "there are 10 more tags") && !strings.Contains(r.stderr, "There are 10 more tags") {
		t.Errorf("%d warnings: %s", n, r.stderr)
	}
	u.runWith(t.Context(), list.String(), "sign", "-k", "acme", "--from-file", "-").want(0)
	if len(reg.referrers[one]) != 31 || len(reg.referrers[two]) != 21 {
		t.Errorf("%d and %d signatures", len(reg.referrers[one]), len(reg.referrers[two]))
	}
}

// TestSignManyFailures signs what can be signed, and tells what cannot. The worst
// decides the exit code, also if it is not among those that are told.
func TestSignManyFailures(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	digest := reg.push("v1", "1")
	var list strings.Builder
	for i := range 150 {
		fmt.Fprintf(&list, "%s/app@sha256:%064x\n", reg.host, i)
	}
	fmt.Fprintf(&list, "%s/app:v1@%s\n%s/app:v1@%s\n", reg.host, digest, reg.host, reg.push("v2", "2"))
	r := u.runWith(t.Context(), list.String(), "sign", "-k", "acme", "--from-file", "-").want(2, "Successfully signed "+reg.host+"/app@"+digest, "51 more errors")
	if n := strings.Count(r.stderr, "Error: "); n != 101 {
		t.Errorf("%d errors", n)
	}
	mixed := u.runWith(t.Context(), list.String(), "sign", "-k", "acme", "-o", "json", "--from-file", "-").want(2)
	loadSchemas(t).check(mixed)
	doc := mixed.json()
	if at(doc, "signed", 149, "error", "code") != "oci.not-found" || at(doc, "signed", 150, "error") != nil || at(doc, "signed", 151, "error", "code") != "oci.tag-mismatch" ||
		at(doc, "error", "code") != "oci.tag-mismatch" {
		t.Errorf("%v %v", at(doc, "error"), at(doc, "signed", 151))
	}
}

// interruptible has the context of a run end when the function is called.
func (u *user) interruptible() (*user, func()) {
	v := *u
	ctx, cancel := context.WithCancel(u.t.Context())
	v.env.Notify = func(context.Context) (context.Context, context.CancelFunc) { return ctx, cancel }
	return &v, cancel
}

// TestSignManyInterrupted stops in the middle. What is being stored is finished,
// and the document says of everything whether it is signed.
func TestSignManyInterrupted(t *testing.T) {
	t.Parallel()
	const n = 200
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	list, digests := reg.many(n)
	v, interrupt := u.interruptible()
	var pushed atomic.Int64
	front := reg.before(t, func(_ http.ResponseWriter, req *http.Request) bool {
		if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/manifests/") && pushed.Add(1) == 20 {
			interrupt()
		}
		return false
	})
	file := u.write("list", strings.ReplaceAll(list, reg.host, front))
	interrupted := v.run("sign", "-k", "acme", "-o", "json", "--from-file", file).want(3, "nterrupted", "artifacts signed", "left", "--skip-if-signed")
	loadSchemas(t).check(interrupted)
	doc := interrupted.json()
	signed := 0
	for i, d := range digests {
		is := at(doc, "signed", i, "signature") != nil
		if is {
			signed++
		} else if at(doc, "signed", i, "error", "code") != "usage.interrupted" {
			t.Fatalf("%v", at(doc, "signed", i))
		}
		if is != (len(reg.referrers[d]) == 1) {
			t.Errorf("%d: %v, and %d signatures", i, is, len(reg.referrers[d]))
		}
	}
	if signed < 20 || signed == n {
		t.Errorf("%d are signed", signed)
	}
	u.ok("sign", "-k", "acme", "--skip-if-signed", "--from-file", file)
	for _, d := range digests {
		if len(reg.referrers[d]) != 1 {
			t.Errorf("%d signatures", len(reg.referrers[d]))
		}
	}
}

// TestSignManyUnsure is interrupted while a registry does not answer the push of
// a signature, which may be there then.
func TestSignManyUnsure(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	list, digests := reg.many(3)
	v, interrupt := u.interruptible()
	front := reg.before(t, func(_ http.ResponseWriter, req *http.Request) bool {
		if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/manifests/") {
			interrupt()
			_, _ = io.Copy(io.Discard, req.Body) // or else nobody sees that the client has gone
			<-req.Context().Done()
			return true
		}
		return false
	})
	file := u.write("list", strings.ReplaceAll(list, reg.host, front))
	r := v.run("sign", "-k", "acme", "--concurrency", "1", "--from-file", file).want(3, "0 artifacts signed, 1 of which it is not known, and 2 left")
	named := 0 // all three wait for the one place, and any may be given it
	for _, d := range digests {
		named += strings.Count(r.stderr, "Warning: "+front+"/app@"+d+" may be signed, or not")
	}
	if named != 1 || strings.Count(r.stderr, "may be signed, or not") != 1 {
		t.Errorf("%d are named:\n%s", named, r.stderr)
	}
	// The same of one that is alone.
	v, interrupt = u.interruptible()
	v.run("sign", "-k", "acme", front+"/app@"+digests[0]).want(3, "nterrupted", "may be")
	v, interrupt = u.interruptible()
	interrupt()
	v.run("sign", "-k", "acme", front+"/app@"+digests[0]).want(3, "Interrupted: nothing was signed")
}

// TestSignManyBusy lowers what it asks of a registry that has too much to do, and
// signs everything.
func TestSignManyBusy(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	list, digests := reg.many(60)
	var under, refused atomic.Int64
	front := reg.before(t, func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodGet || !strings.Contains(req.URL.Path, "/manifests/sha256:") {
			return false
		}
		defer under.Add(-1)
		if under.Add(1) > 4 && refused.Add(1) < 50 {
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		reg.ServeHTTP(w, req)
		return true
	})
	u.runWith(t.Context(), strings.ReplaceAll(list, reg.host, front), "sign", "-k", "acme", "--from-file", "-").want(0)
	for _, d := range digests {
		if len(reg.referrers[d]) != 1 {
			t.Errorf("%d signatures", len(reg.referrers[d]))
		}
	}
}

// TestSignManyTimeout has --timeout bound all references if it is given, and each
// of them if not.
func TestSignManyTimeout(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	list, digests := reg.many(40)
	front := reg.before(t, func(_ http.ResponseWriter, req *http.Request) bool {
		if strings.Contains(req.URL.Path, "/manifests/"+digests[0]) {
			<-req.Context().Done()
			return true
		}
		return false
	})
	list = strings.ReplaceAll(list, reg.host, front)
	inTime(t, func(timeout time.Duration) bool {
		doc := u.runWith(t.Context(), list, "sign", "-k", "acme", "--timeout", timeout.String(), "-o", "json", "--from-file", "-").
			want(3, timeIsUp(timeout)).json()
		if at(doc, "signed", 0, "error") == nil {
			t.Errorf("%v", at(doc, "signed", 0))
		}
		for i := 1; i < len(digests); i++ { // they have done nothing but wait for a processor
			if at(doc, "signed", i, "signature") == nil {
				return false
			}
		}
		return true
	})
}

type brokenWriter struct{ left int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("the disk is full")
	}
	return len(p), nil
}

// runTo runs a command whose standard output goes to w.
func (u *user) runTo(w io.Writer, stdin string, args ...string) int {
	env := u.env
	env.Stdin, env.Stdout = strings.NewReader(stdin), w
	env.Getenv = func(name string) string { return u.vars[name] }
	return cli.Run(u.t.Context(), args, env)
}

// TestSignManyUnheard stops where nobody learns what is signed.
func TestSignManyUnheard(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	const told = 100 // of which the results are more than the writer takes
	list, digests := reg.many(300)
	var asked atomic.Int64
	front := reg.before(t, func(_ http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodPut && strings.Contains(req.URL.Path, "/manifests/") && asked.Add(1) > told {
			<-req.Context().Done() // until the run stops
			return true
		}
		return false
	})
	var stderr bytes.Buffer
	u.env.Stderr = &stderr
	code := u.runTo(&brokenWriter{1000}, strings.ReplaceAll(list, reg.host, front), "sign", "-k", "acme", "--concurrency", "2", "--from-file", "-")
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	signed := 0
	for _, d := range digests {
		signed += len(reg.referrers[d])
	}
	if signed == len(digests) {
		t.Error("everything was signed all the same")
	}
	if want := fmt.Sprintf("could not all be written to standard output: %d artifacts signed, and %d left", signed, len(digests)-signed); !strings.Contains(stderr.String(), want) {
		t.Errorf("%q is not in %s", want, stderr.String())
	}
}

// TestSignManyListChanges has somebody write to the list while it is worked off.
// What was not there when it was checked is not signed, nor is the password sent
// to where it says, and what is gone is missed.
func TestSignManyListChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(list, stranger string) string{
		"shorter": func(list, _ string) string { return list[:len(list)/2] },
		"stranger": func(list, stranger string) string {
			return strings.ReplaceAll(list, "/app@", "/other@")[:len(list)-1000] + stranger
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.newSigner("acme", testpki.Options{})
			reg, other := newRegistry(t), newRegistry(t)
			reg.user, reg.password = "me", "secret"
			list, digests := reg.many(3000)
			stranger := other.host + "/app@" + other.push("v1", "stranger") + "\n"
			file := ""
			var once sync.Once
			front := reg.before(t, func(_ http.ResponseWriter, _ *http.Request) bool {
				once.Do(func() {
					if err := os.WriteFile(file, []byte(change(u.read(file), stranger)), 0o600); err != nil {
						t.Error(err)
					}
				})
				return false
			})
			file = u.write("list", strings.ReplaceAll(list, reg.host, front))
			r := u.run("sign", "-k", "acme", "--concurrency", "2", "-u", "me", "-p", "secret", "--from-file", file).
				want(2, "it has changed since it was read first", "of 3000 references were not begun", "--skip-if-signed")
			signed := 0
			for _, d := range digests {
				signed += len(reg.referrers[d])
			}
			if n := strings.Count(r.stdout, "Successfully signed "+front+"/app@"); n != signed || n == 0 || n == len(digests) {
				t.Errorf("%d are signed and %d told", signed, n)
			}
			if other.requests.Load() > 0 {
				t.Error("a registry was asked that nobody has checked")
			}
		})
	}
}

// TestSignManyOneLayout names one layout in several ways: it is one all the same.
func TestSignManyOneLayout(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	path, digest := u.layout("image")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	args := []string{"sign", "-k", "acme", "--skip-if-signed", "--oci-layout"}
	for range 5 {
		for _, p := range []string{path, link, filepath.Dir(path) + "/./" + filepath.Base(path), path + "/"} {
			args = append(args, p+"@"+digest)
		}
	}
	r := u.run(args...).want(0)
	if signed, skipped := strings.Count(r.stdout, "Successfully signed "), strings.Count(r.stdout, "Already signed "); signed != 1 || skipped != 19 {
		t.Errorf("%d signed, %d skipped\n%s", signed, skipped, r.stdout)
	}
}

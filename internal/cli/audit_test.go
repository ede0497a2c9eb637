package cli_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// catalogued is a registry that answers its listings as a test likes.
func catalogued(t *testing.T, reg *registry, answer func(w http.ResponseWriter, path, host string) bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (strings.HasSuffix(r.URL.Path, "/tags/list") || r.URL.Path == "/v2/_catalog") && answer(w, r.URL.Path, r.Host) {
			return
		}
		reg.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestAuditHostileRegistry tells what it can, safely, and is no success.
func TestAuditHostileRegistry(t *testing.T) {
	t.Parallel()
	// attack: REG-03
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	good := reg.host + "/app@" + reg.push("v1", "good")
	u.ok("sign", "-k", "acme", good)
	lies := func(w http.ResponseWriter, path, _ string) bool {
		if path == "/v2/_catalog" {
			fmt.Fprint(w, `{"repositories":["app","../../etc","\u001b[2Jx","UPPER","gone"]}`)
			return true
		}
		if path == "/v2/gone/tags/list" {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		fmt.Fprint(w, `{"name":"other","tags":["v1","was-deleted","../v1","\u001b]0;x\u0007"]}`)
		return true
	}
	host := catalogued(t, reg, lies)
	r := u.run("audit", "--ca-cert", acme.root, host).want(3, "2 artifacts in 1 repository", "passed     1", "undecided  1", host+"/app:was-deleted", "[oci.not-found]", "1 repository has no tags", "5 names", "were left out")
	if n := strings.Count(r.stderr, "Warning: "); n != 6 || !strings.Contains(r.stderr, "or this login may not see it") {
		t.Errorf("%d warnings: %s", n, r.stderr)
	}
	if strings.ContainsAny(r.stdout+r.stderr, "\x1b\x07") {
		t.Errorf("not safe to print: %q", r.stdout+r.stderr)
	}
	for name, answer := range map[string]func(w http.ResponseWriter, path, host string) bool{
		"elsewhere": func(w http.ResponseWriter, _, _ string) bool {
			w.Header().Set("Link", `<http://r.example/v2/_catalog?last=a>; rel="next"`)
			fmt.Fprint(w, `{"repositories":["app"],"tags":["v1"]}`)
			return true
		},
		"in circles": func(w http.ResponseWriter, path, _ string) bool {
			w.Header().Set("Link", `<`+path+`?n=1>; rel="next"`)
			fmt.Fprint(w, `{"repositories":["app"],"tags":["v1"]}`)
			return true
		},
		"no JSON": func(w http.ResponseWriter, path, _ string) bool {
			fmt.Fprint(w, "<html>")
			return true
		},
		"denied": func(w http.ResponseWriter, path, _ string) bool {
			w.WriteHeader(http.StatusForbidden)
			return true
		},
		"nothing": func(w http.ResponseWriter, path, _ string) bool {
			fmt.Fprint(w, `{"repositories":[]}`)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := catalogued(t, reg, answer)
			for _, args := range [][]string{{}, {"--output", "json"}} {
				r := u.run(append(append([]string{"audit", "--ca-cert", acme.root}, args...), host)...)
				if r.code != 3 || !strings.Contains(r.stderr, "Hint: ") {
					t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
				}
				if strings.Contains(r.stdout, `"complete": true`) {
					t.Errorf("it is said to be complete: %s", r.stdout)
				}
			}
		})
	}
}

// TestAuditCredentials sends a password that is for one registry to no other.
func TestAuditCredentials(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	one, other := newRegistry(t), newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	list := u.write("list", one.host+"/app:v1\n"+other.host+"/app:v1\n")
	u.runWith(t.Context(), secret, "audit", "--ca-cert", acme.root, "-u", "alice", "--password-stdin", "--from-file", list).wantError(2, "two registries")
	if n := one.requests.Load() + other.requests.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
	u.runWith(t.Context(), secret, "audit", "--ca-cert", acme.root, "-u", "alice", "--password-stdin", "--from-file", "-").wantError(2, "tandard input cannot hold both")
}

// TestAuditInterrupted tells what was found out until then, and that it is not all.
func TestAuditInterrupted(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	quick, slow := newRegistry(t), newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	good := quick.host + "/app@" + quick.push("v1", "good")
	u.ok("sign", "-k", "acme", good)
	slow.hang, slow.arrived = make(chan struct{}), make(chan struct{}, 100)
	list := u.write("list", good+"\n"+slow.host+"/app:v1\n")
	state, report := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "records")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-slow.arrived
		for quick.requests.Load() < 5 { // those of signing, and what the audit asks
			select {
			case <-t.Context().Done():
				return
			default:
			}
		}
		for {
			if data, err := os.ReadFile(state); err != nil || strings.Count(string(data), "\n") > 2 {
				break
			}
		}
		cancel()
	}()
	r := u.runWith(ctx, "", "audit", "--ca-cert", acme.root, "--state", state, "--report", "jsonl="+report, "--from-file", list)
	r.want(3, "This is not all", "1 artifact in 1 repository", "nterrupted")
	mark, record, _ := strings.Cut(u.read(report), "\n")
	if mark != `{"audit":"1.0","run":"incomplete"}` || strings.Count(record, "\n") != 1 || !strings.Contains(record, `"outcome":"passed"`) {
		t.Errorf("%s\n%s", mark, record)
	}
	u.run("audit", "--merge", report).want(3, "This is not all", "1 artifact in 1 repository", "an audit ended before everything was looked at")
	close(slow.hang)
	slow.push("v1", "bare")
	u.run("audit", "--ca-cert", acme.root, "--state", state, "--from-file", list).want(4, "2 artifacts in 2 repositories", "1 artifact had been looked at by an earlier run")
}

// TestVerifyReports writes what verify has decided in other forms, too.
func TestVerifyReports(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	good, bare := reg.host+"/app@"+reg.push("v1", "good"), reg.host+"/app@"+reg.push("v2", "bare")
	u.ok("sign", "-k", "acme", good)
	dir := t.TempDir()
	lines, table := filepath.Join(dir, "lines"), filepath.Join(dir, "table")
	r := u.run("verify", "--ca-cert", acme.root, "--report", "jsonl="+lines, "--report", "table="+table, good, bare, reg.host+"/app:none")
	r.want(4, "Successfully verified signature for "+good, "Unsigned "+bare)
	if records := u.read(lines); strings.Count(records, "\n") != 3 || strings.Count(records, `"outcome":"passed","exitCode":0`) != 1 {
		t.Errorf("%s", records)
	}
	if text := u.read(table); !strings.HasPrefix(text, "Audit of 3 references\n3 artifacts in 1 repository, ") {
		t.Errorf("%s", text)
	}
	u.run("audit", "--merge", lines).want(4, "3 artifacts in 1 repository")
	r = u.run("verify", "--ca-cert", acme.root, "--report", "jsonl=-", good).want(0)
	if !strings.HasPrefix(r.stdout, `{"repository":`) || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("%s", r.stdout)
	}
	u.run("verify", "--ca-cert", acme.root, "--report", "jsonl="+filepath.Join(dir, "none", "x"), good).want(3, "could not be written")
	path, digest := u.layout("x")
	u.run("verify", "--oci-layout", "--ca-cert", acme.root, "--report", "jsonl="+lines, path+"@"+digest).wantError(2, "--scope")
	u.run("verify", "--oci-layout", "--scope", "r.example/app", "--ca-cert", acme.root, "--report", "jsonl="+lines, path+"@"+digest).want(4)
	if records := u.read(lines); !strings.Contains(records, `"repository":"r.example/app"`) {
		t.Errorf("%s", records)
	}
}

// TestVerifyLongList tells of very many references what they amount to.
func TestVerifyLongList(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var b strings.Builder
	for i := range 10_001 {
		fmt.Fprintf(&b, "r.example/app-%d@%s\n", i%10, digestOf([]byte(fmt.Sprint(i))))
	}
	list := u.write("list", b.String())
	acme := u.newSigner("acme", testpki.Options{})
	policy := u.policy("strict", "r.example/none", "ca:acme", "*")
	trust := []string{"verify", "--policy", policy, "--trust-store", u.stores(acme)}
	report := filepath.Join(t.TempDir(), "lines")
	u.run(append(trust, "--from-file", list, "--report", "jsonl="+report)...).want(1, "10001 artifacts in 10 repositories: "+list, "10001 to which no statement of the trust policy applies", "and 9901 more")
	if n := strings.Count(u.read(report), "\n"); n != 10_001 {
		t.Errorf("%d lines", n)
	}
	r := u.run(append(trust, "--output", "json", "--from-file", list)...).want(1)
	loadSchemas(t).check(r)
	if doc := r.json(); at(doc, "summary", "artifacts") != 10_001.0 || at(doc, "verdicts") != nil {
		t.Errorf("%s", r.stdout)
	}
	u.runWith(t.Context(), b.String(), append(trust, "--from-file", "-", "r.example/more@"+digestOf(nil))...).want(1, "10002 artifacts in 11 repositories")
	u.run(append(trust, "--require-digest", "--from-file", list, "r.example/app:v1")...).wantError(2, "--require-digest")
	u.run(append(trust, "--from-file", u.write("bad", b.String()+"no reference\n"))...).wantError(2, "bad:10002")
	for _, flags := range [][]string{{"--recursive"}, {"--platform", "linux/amd64"}} {
		u.run(append(append(trust, flags...), "--from-file", list)...).wantError(2, "more than 10000 references")
	}
}

// TestVerifyInParallel verifies many references at a time, in their order.
func TestVerifyInParallel(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	var refs []string
	for i := range 40 {
		refs = append(refs, reg.host+"/app@"+reg.push(fmt.Sprint("v", i), fmt.Sprint("image ", i)))
	}
	u.ok(append([]string{"sign", "-k", "acme"}, refs...)...)
	var now, most atomic.Int64
	all := make(chan struct{})
	enough := sync.OnceFunc(func() { close(all) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/referrers/") {
			n := now.Add(1)
			defer now.Add(-1)
			if most.Store(max(most.Load(), n)); n == 16 {
				enough()
			}
			select {
			case <-all:
			case <-r.Context().Done():
			}
		}
		reg.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	for i := range refs {
		refs[i] = strings.Replace(refs[i], reg.host, strings.TrimPrefix(server.URL, "http://"), 1)
	}
	r := u.ok("verify", "--ca-cert", acme.root, "--from-file", u.write("list", strings.Join(refs, "\n")))
	var got []string
	for line := range strings.Lines(r.stdout) {
		if name, ok := strings.CutPrefix(line, "Successfully verified signature for "); ok {
			got = append(got, strings.TrimSpace(name))
		}
	}
	if strings.Join(got, "\n") != strings.Join(refs, "\n") {
		t.Errorf("another order:\n%s", r.stdout)
	}
}

// TestAuditRefusals refuses what contradicts itself, and sends nothing.
func TestAuditRefusals(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	list := u.write("list", reg.host+"/app:v1\n")
	for line, text := range map[string]string{
		"audit": "needs a registry", "audit REG other": "more than one source", "audit --from-file LIST REG": "more than one source",
		"audit --tags ( REG": "missing closing", "audit --tags LONG REG": "longer than 1000 bytes", "audit --shard 4/4 REG": "0/4 to 3/4",
		"audit --shard-by repository REG": "needs --shard", "audit --shard 0/2 --shard-by luck REG": "artifact, repository",
		"audit --merge --shard-by artifact x": "--shard-by means nothing", "audit --concurrency 0 REG": "from 1 to 1024", "audit --concurrency 2000 REG": "from 1 to 1024", "audit --report table REG": "FORMAT=FILE",
		"audit --report pdf=x REG": "no report of the format 'pdf'", "audit --report table=x --report jsonl=x REG": "both be written",
		"audit --state x --report jsonl=x REG": "state file", "audit --state x --report jsonl=./x REG": "state file",
		"audit --report table=x --report jsonl=y/../x REG": "both be written", "audit --merge": "needs files of records", "audit --merge --shard 0/1 x": "--shard means nothing",
		"audit --merge none": "could not be read", "audit --max-signatures 0 REG": "at least 1", "audit --repositories LIST": "list:1",
		"audit --from-file EMPTY": "holds no reference", "audit --from-file none": "none", "audit https://REG": "no registry",
		"audit --ca-cert none REG": "none", "audit --ca-cert ROOT --ca-file none REG": "none", "audit --ca-cert ROOT --state DIR REG": "cannot be opened",
		"audit --ca-cert ROOT -u alice REG": "belong together", "verify --report x REG/app:v1": "FORMAT=FILE", "audit --state-max-age 0 REG": "not a duration",
	} {
		line = strings.NewReplacer("REG", reg.host, "LIST", list, "LONG", strings.Repeat("x", 1001), "EMPTY", u.write("empty", ""), "ROOT", acme.root, "DIR", t.TempDir()).Replace(line)
		args := strings.Fields(line)
		if args[0] == "audit" && !strings.Contains(line, "--ca-cert") && !strings.Contains(line, "--merge") {
			args = append(args, "--ca-cert", acme.root)
		}
		u.run(args...).wantError(2, text)
	}
	u.run("audit", "-o", "json", "--report", "jsonl=-", "--ca-cert", acme.root, reg.host).want(2, "both a report and the JSON document")
	if n := reg.requests.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestAuditStates tells what was found in a state file.
func TestAuditStates(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	good := reg.host + "/app@" + reg.push("v1", "good")
	u.ok("sign", "-k", "acme", good)
	list, state := u.write("list", good+"\n"), filepath.Join(t.TempDir(), "state")
	run := func(more ...string) result {
		return u.run(append([]string{"audit", "--ca-cert", acme.root, "--state", state, "--from-file", list}, more...)...)
	}
	run().want(0, "passed     1")
	if err := os.WriteFile(state, []byte(u.read(state)+`{"repo`), 0o600); err != nil {
		t.Fatal(err)
	}
	run().want(0, "was not written to its end", "earlier run")
	run("--require-revocation").want(1, "is another than when", "verify.revocation-no-source")
	run("--offline").want(0, "is another than when")
	u.run("audit", "--merge", state).want(0, "1 artifact in 1 repository: 1 file of records")
	// Who has signed is not said where nobody vouches for it.
	lenient := u.policy("audit", "*", "ca:acme", "x509.subject: C=US, ST=WA, O=somebody")
	u.run("audit", "--policy", lenient, "--trust-store", u.stores(acme), "--from-file", list).want(0, "nobody vouches for the signer")
	// A denied catalog.
	denied := catalogued(t, reg, func(w http.ResponseWriter, _, _ string) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	u.run("audit", "--ca-cert", acme.root, denied).wantError(3, "--repositories FILE", "notation login")
	skip := u.write("skip.json", fmt.Sprintf(`{"version":"1.0","trustPolicies":[{"name":"off","registryScopes":[%q],"signatureVerification":{"level":"skip"}}]}`, reg.host+"/app"))
	u.run("audit", "--policy", skip, "--trust-store", u.stores(acme), "--from-file", list, "--timeout", "1m").want(0, "not verified, as the trust policy says", "1 artifact was not verified")
}

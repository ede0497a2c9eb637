package test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"
	"oras.land/oras-go/v2/registry/remote"
)

// commands are the commands that scripts have beside those of testscript.
// README.md documents them.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := map[string]func(*testscript.TestScript, bool, []string){
		"attach-oras":       attachORAS,
		"capture":           capture,
		"ended":             ended,
		"example-plugin":    examplePlugin,
		"exits":             exits,
		"free-port":         freePort,
		"hangs":             hangs,
		"json":              jsonPath,
		"mode":              mode,
		"push-image":        pushImage,
		"push-index":        pushIndex,
		"replay-signatures": replaySignatures,
		"resolve":           resolve,
		"start-registry":    startRegistry,
		"tags":              tags,
		"tree":              tree,
		"wrote":             wrote,
		"zip":               zipFiles,
	}
	maps.Copy(all, authorityCommands())
	maps.Copy(all, pkcs11Commands())
	return all
}

// usage ends the script unless a command is used as documented.
func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

// exits runs a program that must end with an exit code other than 0. It must
// not have panicked, nor claim success on standard output.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	mixed := len(args) > 0 && args[0] == "-mixed"
	if mixed {
		args = args[1:]
	}
	usage(ts, !neg && len(args) > 1, "exits [-mixed] CODE PROGRAM [ARG...]")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	stderr := ts.ReadFile("stderr")
	if strings.Contains(stderr, "goroutine ") || strings.Contains(stderr, "panic:") {
		ts.Fatalf("the program panicked")
	}
	if got != 0 && !mixed && strings.Contains(ts.ReadFile("stdout"), "Successfully") {
		ts.Fatalf("exit code %d, but standard output claims success", got)
	}
}

// capture sets a variable to what the last command printed, or to a member of
// it.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 1 || len(args) == 2), "capture VARIABLE [PATH]")
	text := strings.TrimSpace(ts.ReadFile("stdout"))
	if len(args) == 2 {
		value, ok := lookUp(parseJSON(ts, "stdout"), args[1])
		if !ok {
			ts.Fatalf("stdout has no %s", args[1])
		}
		text = show(value)
	}
	ts.Setenv(args[0], text)
}

// jsonPath looks at one value of a JSON document.
func jsonPath(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 || len(args) == 3, "[!] json FILE PATH [WANT]")
	value, ok := lookUp(parseJSON(ts, args[0]), args[1])
	switch {
	case len(args) == 2 && ok == neg:
		ts.Fatalf("%s: presence of %s is %v", args[0], args[1], ok)
	case len(args) == 2:
	case !ok:
		ts.Fatalf("%s has no %s", args[0], args[1])
	case (show(value) == args[2]) == neg:
		ts.Fatalf("%s: %s is %s", args[0], args[1], show(value))
	}
}

// parseJSON reads a file that must hold exactly one JSON document.
func parseJSON(ts *testscript.TestScript, file string) any {
	var v any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile(file)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		ts.Fatalf("%s is no JSON: %v", file, err)
	}
	if d.More() {
		ts.Fatalf("%s holds more than one JSON document", file)
	}
	return v
}

// lookUp follows a path of member names and indexes with dots between them;
// "@count" is the number of items. A dot of a name is written "\.".
func lookUp(v any, path string) (any, bool) {
	const dot = "\x00"
	for step := range strings.SplitSeq(strings.ReplaceAll(path, `\.`, dot), ".") {
		step = strings.ReplaceAll(step, dot, ".")
		switch x := v.(type) {
		case map[string]any:
			if step == "@count" {
				return json.Number(strconv.Itoa(len(x))), true
			}
			var ok bool
			if v, ok = x[step]; !ok {
				return nil, false
			}
		case []any:
			if step == "@count" {
				return json.Number(strconv.Itoa(len(x))), true
			}
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// show returns a string as it is and any other value as compact JSON.
func show(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// mode compares the permission bits of a file.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "mode FILE 0600")
	info, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("mode of %s is %s, want %s", args[0], got, args[1])
	}
}

// tree prints a directory: each entry's mode, name and digest, but no times.
// Two trees compare equal if nothing has been written in between.
func tree(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "tree DIRECTORY")
	root := ts.MkAbs(args[0])
	ts.Check(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		digest := ""
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			digest = fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		_, err = fmt.Fprintf(ts.Stdout(), "%v %s%s\n", info.Mode(), filepath.ToSlash(name), digest)
		return err
	}))
}

// freePort sets a variable to an address on which nobody listens until the script
// ends: it is this end of a connection, so that no listener gets it either.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "free-port VARIABLE")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ts.Check(listener.Close()) })
	holder, err := net.Dial("tcp", listener.Addr().String())
	ts.Check(err)
	ts.Defer(func() { ts.Check(holder.Close()) })
	_, port, err := net.SplitHostPort(holder.LocalAddr().String())
	ts.Check(err)
	ts.Setenv(args[0], "localhost:"+port)
}

// startRegistry starts a further registry, which ends with the script.
func startRegistry(ts *testscript.TestScript, neg bool, args []string) {
	const text = "start-registry [-kind KIND] [-auth basic|bearer] [-tls] [-no-delete] [-watched] VARIABLE"
	kind, _ := ts.Value(kindKey{}).(registries.Kind)
	if kind == 0 {
		kind = registries.GGCR
	}
	var o registries.Options
	usage(ts, !neg && len(args) > 0, text)
	for ; len(args) > 1; args = args[1:] {
		switch {
		case args[0] == "-tls":
			o.TLS = true
		case args[0] == "-no-delete":
			o.NoDelete = true
		case args[0] == "-watched":
			l := new(writeLog)
			writes(ts)[args[len(args)-1]], o.Wrap = l, l.watch
		case args[0] == "-auth" && args[1] == "basic":
			o.Auth, args = registries.Basic, args[1:]
		case args[0] == "-auth" && args[1] == "bearer":
			o.Auth, args = registries.Bearer, args[1:]
		case args[0] == "-kind":
			kinds := append(registries.All(), registries.ORAS)
			i := slices.IndexFunc(kinds, func(k registries.Kind) bool { return k.String() == args[1] })
			usage(ts, i >= 0, text)
			kind, args = kinds[i], args[1:]
		default:
			usage(ts, false, text)
		}
	}
	usage(ts, len(args) == 1, text)
	r, err := registries.Start(kind, o)
	ts.Check(err)
	ts.Defer(func() { ts.Check(r.Close()) })
	ts.Setenv(args[0], r.Host())
	if o.TLS {
		// By address: many clients speak plain HTTP with "localhost", always.
		ts.Setenv(args[0], r.Addr)
		file := ts.MkAbs(args[0] + "-ca.pem")
		ts.Check(os.WriteFile(file, r.CA(), 0o600))
		ts.Setenv(args[0]+"_CA", file)
	}
}

// writesKey finds the logs of the script's watched registries.
type writesKey struct{}

func writes(ts *testscript.TestScript) map[string]*writeLog {
	return ts.Value(writesKey{}).(map[string]*writeLog)
}

// writeLog holds the requests that may change a registry.
type writeLog struct {
	mu       sync.Mutex
	requests []string
	sessions int // upload sessions begun and neither used nor cancelled
}

func (l *writeLog) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upload := strings.Contains(r.URL.Path, "/blobs/uploads/")
		l.mu.Lock()
		switch {
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
		case upload && r.Method == http.MethodPost && r.URL.RawQuery == "":
			l.sessions++
		case upload && r.Method == http.MethodDelete:
			l.sessions--
		default:
			if upload && r.Method == http.MethodPut {
				l.sessions--
			}
			l.requests = append(l.requests, r.Method+" "+r.URL.String())
		}
		l.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// wrote says whether a watched registry was sent anything to keep since the
// last time. Upload sessions that are cancelled before they were used leave
// nothing.
func wrote(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 && writes(ts)[args[0]] != nil, "[!] wrote VARIABLE")
	l := writes(ts)[args[0]]
	l.mu.Lock()
	defer l.mu.Unlock()
	if (len(l.requests) > 0) == neg || l.sessions != 0 {
		ts.Fatalf("requests that write to %s: %q; %d sessions left open", args[0], l.requests, l.sessions)
	}
	l.requests = nil
}

// repository opens the repository of a reference, with the credentials that
// every registry here accepts if it asks.
func repository(ts *testscript.TestScript, reference string) *remote.Repository {
	repo, err := fixture.Repository(reference, registries.Username, registries.Password)
	ts.Check(err)
	return repo
}

// pushImage pushes a small image and sets $DIGEST.
func pushImage(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 1 || len(args) == 2), "push-image REFERENCE [TEXT]")
	text := "net-monitor"
	if len(args) == 2 {
		text = args[1]
	}
	d, err := fixture.PushImage(context.Background(), repository(ts, args[0]), text)
	ts.Check(err)
	ts.Setenv("DIGEST", d.Digest.String())
}

// pushIndex pushes an image index and sets $DIGEST, and $DIGEST1 and so on to
// those of its images.
func pushIndex(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 3, "push-index REFERENCE TEXT PLATFORM...")
	repo := repository(ts, args[0])
	index, err := fixture.PushIndex(context.Background(), repo, repo.Reference.Reference, args[1], args[2:]...)
	ts.Check(err)
	ts.Setenv("DIGEST", index.Digest.String())
	for i, d := range index.Images {
		ts.Setenv("DIGEST"+strconv.Itoa(i+1), d.Digest.String())
	}
}

// resolve sets a variable to the digest that a reference names.
func resolve(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "resolve VARIABLE REFERENCE")
	ts.Setenv(args[0], descriptor(ts, args[1]).Digest.String())
}

func descriptor(ts *testscript.TestScript, reference string) ocispec.Descriptor {
	repo := repository(ts, reference)
	d, err := repo.Resolve(context.Background(), repo.Reference.Reference)
	ts.Check(err)
	return d
}

// replaySignatures attaches the signatures of one artifact to another.
func replaySignatures(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "replay-signatures FROM TO")
	n, err := fixture.ReplaySignatures(context.Background(), repository(ts, args[0]), descriptor(ts, args[0]), descriptor(ts, args[1]))
	ts.Check(err)
	if n == 0 {
		ts.Fatalf("%s has no signature", args[0])
	}
}

// fallbackTag is a tag of the referrers tag schema, which is not a tag that
// anyone has chosen.
var fallbackTag = regexp.MustCompile(`^sha256-[0-9a-f]{64}$`)

// tags compares the tags of a repository, but for those of the referrers tag
// schema, with the arguments.
func tags(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 0, "tags REPOSITORY [TAG...]")
	var got []string
	ts.Check(repository(ts, args[0]).Tags(context.Background(), "", func(page []string) error {
		got = append(got, page...)
		return nil
	}))
	got = slices.DeleteFunc(got, fallbackTag.MatchString)
	slices.Sort(got)
	want := slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("tags %v, want %v", got, want)
	}
}

// examplePlugin builds the plugin of examples/ and copies it to a file.
func examplePlugin(ts *testscript.TestScript, neg bool, args []string) {
	var settings []string
	args = flags(ts, neg, args, "example-plugin [-version VERSION] [-without CAPABILITY,...] FILE", 1, 1, func(f *flag.FlagSet) {
		for _, name := range []string{"version", "without"} {
			f.Func(name, "", func(value string) error {
				settings = append(settings, "-X main."+name+"="+value)
				return nil
			})
		}
	})
	path, err := toolbox.ExamplePlugin(strings.Join(settings, " "))
	ts.Check(err)
	data, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o755))
}

// zipFiles makes an archive of files, which lie in it without directories.
func zipFiles(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 1, "zip ARCHIVE FILE...")
	out, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	w := zip.NewWriter(out)
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		header, err := zip.FileInfoHeader(info)
		ts.Check(err)
		entry, err := w.CreateHeader(header)
		ts.Check(err)
		_, err = entry.Write([]byte(ts.ReadFile(file)))
		ts.Check(err)
	}
	ts.Check(errors.Join(w.Close(), out.Close()))
}

// longestHang bounds the --timeout of a command that hangs. What it waits for must
// hang for longer, and for longer than endTime.
const longestHang = time.Minute

// hangs runs a program that must end with exit code 3 when its --timeout, which is
// added, is up. That was too short if by then what hangs has not written a line to
// a file, because the machine is slow; then there is twice the time.
func hangs(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 1, "hangs FILE PROGRAM [ARG...]")
	for timeout := time.Second; timeout <= longestHang; timeout *= 2 {
		exits(ts, neg, append(append([]string{"3"}, args[1:]...), "--timeout", timeout.String()))
		switch text, err := os.ReadFile(ts.MkAbs(args[0])); {
		case bytes.HasSuffix(text, []byte("\n")):
			return
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			ts.Check(err)
		}
	}
	ts.Fatalf("nothing wrote to %s in %v", args[0], longestHang)
}

// endTime is how long a process that was killed may take to be gone.
const endTime = 20 * time.Second

// ended checks that the process whose number is in a file was ended. One that
// nobody has asked about since it ended does not count as running, and one that
// was killed need not be gone at once.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "ended FILE")
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	for begin := time.Now(); runs(ts, pid); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > endTime {
			ts.Fatalf("process %d still runs", pid)
		}
	}
}

func runs(ts *testscript.TestScript, pid int) bool {
	process, err := os.FindProcess(pid)
	ts.Check(err)
	if process.Signal(syscall.Signal(0)) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // not everywhere
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

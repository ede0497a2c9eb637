package test

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/test/authority"
	"github.com/notaryv2/notation/test/registries"
	"github.com/rogpeppe/go-internal/testscript"
)

// authorityCommands are those that run certification and time-stamping
// authorities.
func authorityCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"asked":       asked,
		"bring-up":    func(ts *testscript.TestScript, neg bool, args []string) { setDown(ts, neg, args, "bring-up", false) },
		"issue":       issue,
		"make-ca":     makeCA,
		"revoke":      revoke,
		"serve-files": serveFiles,
		"start-tsa":   startTSA,
		"take-down":   func(ts *testscript.TestScript, neg bool, args []string) { setDown(ts, neg, args, "take-down", true) },
	}
}

// A service is what can be taken down.
type service interface {
	SetDown(service string, down bool)
	Asked(service string) int
	Log() []string
	Close() error
}

// testKey finds the test that runs a script among the script's values, and
// partsKey the services that it has started, by name.
type (
	testKey  struct{}
	partsKey struct{}
)

func parts(ts *testscript.TestScript) map[string]service {
	return ts.Value(partsKey{}).(map[string]service)
}

// flags parses the flags of a command and returns the arguments, of which there
// must be between least and most.
func flags(ts *testscript.TestScript, neg bool, args []string, text string, least, most int, define func(*flag.FlagSet)) []string {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	define(set)
	usage(ts, !neg && set.Parse(args) == nil && set.NArg() >= least && set.NArg() <= most, text)
	return set.Args()
}

// find returns an authority of the script by its name.
func find[T any](ts *testscript.TestScript, name string) T {
	part, ok := parts(ts)[name].(T)
	if !ok {
		ts.Fatalf("%s is not there, or not such a thing", name)
	}
	return part
}

// keep makes an authority known by its name until the script ends.
func keep(ts *testscript.TestScript, name string, part service) {
	parts(ts)[name] = part
	ts.Defer(func() {
		ts.Check(part.Close())
		ts.Logf("[requests to %s]\n%s", name, strings.Join(part.Log(), "\n"))
	})
}

func makeCA(ts *testscript.TestScript, neg bool, args []string) {
	var o authority.Options
	args = flags(ts, neg, args, "make-ca [-no-ocsp] [-no-crl] [-crl-validity DURATION] NAME", 1, 1, func(f *flag.FlagSet) {
		f.BoolVar(&o.NoOCSP, "no-ocsp", false, "")
		f.BoolVar(&o.NoCRL, "no-crl", false, "")
		span(f, &o.CRLValidity, "crl-validity")
	})
	ca, err := authority.New(ts.MkAbs(args[0]), o)
	ts.Check(err)
	keep(ts, args[0], ca)
}

func issue(ts *testscript.TestScript, neg bool, args []string) {
	var cert authority.Certificate
	var extensions string
	args = flags(ts, neg, args, "issue [-tsa] [-from DURATION] [-to DURATION] [-extensions FILE] CA NAME", 2, 2, func(f *flag.FlagSet) {
		f.BoolVar(&cert.TimeStamping, "tsa", false, "")
		span(f, &cert.From, "from")
		span(f, &cert.To, "to")
		f.StringVar(&extensions, "extensions", "", "")
	})
	if extensions != "" {
		cert.Extensions = ts.ReadFile(extensions)
	}
	ts.Check(find[*authority.CA](ts, args[0]).Issue(args[1], cert))
}

func revoke(ts *testscript.TestScript, neg bool, args []string) {
	var why string
	args = flags(ts, neg, args, "revoke [-reason REASON] CA NAME", 2, 2, func(f *flag.FlagSet) {
		f.StringVar(&why, "reason", "", "")
	})
	ts.Check(find[*authority.CA](ts, args[0]).Revoke(args[1], why))
}

// setDown takes services down or up.
func setDown(ts *testscript.TestScript, neg bool, args []string, command string, down bool) {
	usage(ts, !neg && len(args) > 1, command+" NAME SERVICE...")
	part := find[service](ts, args[0])
	for _, name := range args[1:] {
		usage(ts, slices.Contains(append(authority.Services(), authority.TS), name), command+" NAME SERVICE...")
		part.SetDown(name, down)
	}
}

// asked says whether a service got requests since the last time.
func asked(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) > 1, "[!] asked NAME SERVICE...")
	for _, name := range args[1:] {
		// Where commands are run again there are more requests, and without caches, too.
		if n := find[service](ts, args[0]).Asked(name); (n > 0) == neg && ts.Getenv(cachemodes.Variable) == "" {
			ts.Fatalf("%d requests to %s of %s", n, name, args[0])
		}
	}
}

// startTSA starts a time-stamping authority, which ends with the script.
func startTSA(ts *testscript.TestScript, neg bool, args []string) {
	const text = "start-tsa [-kind openssl|sigstore|virtual] [-at DURATION] [-certificate CA/NAME] VARIABLE"
	var kind, certificate string
	var at time.Duration
	args = flags(ts, neg, args, text, 1, 1, func(f *flag.FlagSet) {
		f.StringVar(&kind, "kind", "openssl", "")
		span(f, &at, "at")
		f.StringVar(&certificate, "certificate", "", "")
	})
	name, dir := args[0], ts.MkAbs(args[0])
	root := dir + "-root.pem"
	ts.Setenv(name+"_ROOT", root)
	usage(ts, at == 0 || kind == "virtual", text)
	usage(ts, certificate == "" || kind == "openssl", text)
	switch kind {
	case "openssl":
		ca, leaf := opensslTSA(ts, name, certificate)
		tsa, err := authority.NewTSA(dir, ca, leaf)
		ts.Check(err)
		keep(ts, name, tsa)
		ts.Setenv(name, tsa.URL())
		data, err := os.ReadFile(ca.RootFile())
		ts.Check(err)
		ts.Check(os.WriteFile(root, data, 0o600))
	case "sigstore":
		ts.Check(os.Mkdir(dir, 0o700))
		server, err := authority.NewSigstore(dir)
		ts.Check(err)
		ts.Defer(func() { ts.Check(server.Close()) })
		ts.Setenv(name, server.URL)
		ts.Check(os.WriteFile(root, server.Root, 0o600))
	case "virtual":
		now := time.Now().Add(at)
		tsa := testpki.NewTSA(ts.Value(testKey{}).(testing.TB), testpki.Options{
			KeySet: 2, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		})
		tsa.Now = func() time.Time { return now }
		server := httptest.NewServer(tsa)
		ts.Defer(server.Close)
		ts.Setenv(name, server.URL)
		chain := tsa.CertPEM()
		ts.Check(os.WriteFile(root, chain[strings.LastIndex(string(chain), "-----BEGIN"):], 0o600))
	default:
		usage(ts, false, text)
	}
}

// opensslTSA returns a time-stamping certificate and who has issued it: the one
// that is named, or one of a CA for this purpose.
func opensslTSA(ts *testscript.TestScript, name, certificate string) (*authority.CA, string) {
	if certificate != "" {
		ca, leaf, _ := strings.Cut(certificate, "/")
		return find[*authority.CA](ts, ca), leaf
	}
	ca, err := authority.New(ts.MkAbs(name+"-ca"), authority.Options{NoOCSP: true, NoCRL: true})
	ts.Check(err)
	keep(ts, name+"-ca", ca)
	ts.Check(ca.Issue("tsa", authority.Certificate{TimeStamping: true}))
	return ca, "tsa"
}

// serveFiles serves a directory until the script ends.
func serveFiles(ts *testscript.TestScript, neg bool, args []string) {
	var secure bool
	args = flags(ts, neg, args, "serve-files [-tls] DIRECTORY VARIABLE", 2, 2, func(f *flag.FlagSet) {
		f.BoolVar(&secure, "tls", false, "")
	})
	handler := http.FileServer(http.Dir(ts.MkAbs(args[0])))
	server := httptest.NewUnstartedServer(redirecting(handler))
	if secure {
		ca, config, err := registries.NewTLS()
		ts.Check(err)
		file := ts.MkAbs(args[1] + "-ca.pem")
		ts.Check(os.WriteFile(file, ca, 0o600))
		ts.Setenv(args[1]+"_CA", file)
		server.TLS = config
		server.StartTLS()
	} else {
		server.Start()
	}
	ts.Defer(server.Close)
	ts.Setenv(args[1], server.URL)
}

// redirecting sends a request with the parameter "to" there.
func redirecting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.FormValue("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// span adds a flag for a duration, which may be in days: -30d.
func span(f *flag.FlagSet, to *time.Duration, name string) {
	f.Func(name, "", func(text string) (err error) {
		*to, err = duration(text)
		return err
	})
}

func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

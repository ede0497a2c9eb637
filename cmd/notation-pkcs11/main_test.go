package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/softhsm"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/token"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/uri"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
)

func TestMain(m *testing.M) {
	if os.Getenv(hostRole) != "" {
		os.Exit(playHost())
	}
	softhsm.Main(m)
}

// environment is a getenv with the settings that most tests need. The locks are
// those of package softhsm: what happens in this process minds the others', too.
func environment(t testing.TB, more ...string) func(string) string {
	t.Helper()
	env := map[string]string{
		"HOME": t.TempDir(), "NOTATION_CACHE": os.Getenv("NOTATION_CACHE"),
		moduleVariable: softhsm.Module(), pin.Variable: softhsm.PIN,
	}
	for i := 0; i < len(more); i += 2 {
		env[more[i]] = more[i+1]
	}
	return func(name string) string { return env[name] }
}

func newSigning(getenv func(string) string) *signing {
	return &signing{getenv: getenv, now: time.Now, load: token.Load}
}

func request(id string, settings ...string) *plugin.DescribeKeyRequest {
	r := &plugin.DescribeKeyRequest{KeyID: id, PluginConfig: map[string]string{}}
	for i := 0; i < len(settings); i += 2 {
		r.PluginConfig[settings[i]] = settings[i+1]
	}
	return r
}

// faults fails the test unless the error is a document of the protocol with a
// code, a reason, and something to do.
func faults(t testing.TB, err error, code plugin.ErrorCode, why reason.Code, says ...string) {
	t.Helper()
	fault, ok := errors.AsType[*plugin.Error](err)
	if !ok || fault.Code != code || fault.Metadata["reason"] != string(why) {
		t.Fatalf("%v (%+v), want %s and %s", err, fault, code, why)
	}
	for _, text := range says {
		if !strings.Contains(fault.Message, text) {
			t.Errorf("%q does not say %q", fault.Message, text)
		}
	}
}

func TestDescribeAndSign(t *testing.T) {
	t.Parallel()
	hsm := softhsm.New(t, "plugin")
	chain := testpki.New(t, testpki.Options{})
	hsm.Put(t, softhsm.Object{ID: 1, Label: "signer"}, chain.Key, chain.Certs...)
	bare := testpki.New(t, testpki.Options{KeySet: 1})
	hsm.Put(t, softhsm.Object{ID: 2, Label: "bare"}, bare.Key)
	certs := filepath.Join(t.TempDir(), "certs.pem")
	if err := os.WriteFile(certs, bare.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSigning(environment(t))
	ctx := t.Context()
	answer, err := s.DescribeKey(ctx, request("pkcs11:token=plugin;id=%01"))
	if err != nil || answer.KeySpec != "EC-256" || answer.KeyID != "pkcs11:token=plugin;id=%01" {
		t.Fatalf("%+v, %v", answer, err)
	}
	_, err = s.DescribeKey(ctx, request("pkcs11:token=plugin;id=%02"))
	faults(t, err, plugin.CodeValidation, reason.TokenCertificateMissing, "certs=")
	if answer, err = s.DescribeKey(ctx, request("pkcs11:token=plugin;id=%02", "certs", certs)); err != nil || answer.KeySpec != "EC-256" {
		t.Fatalf("%+v, %v", answer, err)
	}
	_, err = s.DescribeKey(ctx, request("pkcs11:token=plugin;id=%01", "certs", certs))
	faults(t, err, plugin.CodeValidation, reason.TokenCertificateMissing)
	_, err = s.DescribeKey(ctx, request("pkcs11:token=plugin;id=%01", "certs", certs+"-gone"))
	faults(t, err, plugin.CodeValidation, reason.TokenCertificateFile)
	_, err = s.DescribeKey(ctx, request("pkcs11:token=plugin"))
	faults(t, err, plugin.CodeValidation, reason.TokenKeyAmbiguous, `"bare" with the id 02`)
	_, err = s.DescribeKey(ctx, request("pkcs11:token=gone"))
	faults(t, err, plugin.CodeValidation, reason.TokenMissing)
	_, err = s.DescribeKey(ctx, request("key"))
	faults(t, err, plugin.CodeValidation, reason.TokenURI)

	sign := func(id, spec, hash string) (*plugin.GenerateSignatureResponse, error) {
		return s.GenerateSignature(ctx, &plugin.GenerateSignatureRequest{KeyID: id, KeySpec: spec, HashAlgorithm: hash, Payload: []byte("m")})
	}
	signed, err := sign("pkcs11:token=plugin;id=%01", "EC-256", "SHA-256")
	if err != nil || len(signed.CertificateChain) != 3 || len(signed.Signature) != 64 {
		t.Fatalf("%+v, %v", signed, err)
	}
	if _, err = sign("pkcs11:token=plugin;id=%01", "EC-384", "SHA-384"); err == nil {
		t.Error("a key signed with another's algorithm")
	}
	loose := filepath.Join(t.TempDir(), "pin")
	if err := errors.Join(os.WriteFile(loose, []byte("999999"), 0o600), os.Chmod(loose, 0o644)); err != nil {
		t.Fatal(err)
	}
	// A process is logged in to a token or is not, so this takes another.
	softhsm.New(t, "plugin, wrong PIN").Put(t, softhsm.Object{ID: 1}, chain.Key, chain.Certs...)
	_, err = sign("pkcs11:token=plugin,%20wrong%20PIN?pin-source=file:"+loose, "EC-256", "SHA-256")
	faults(t, err, plugin.CodeAccessDenied, reason.TokenPINWrong, "Warning: the file", "0644")
}

// TestLocksAreGivenBack has requests end well and badly: other programs can log in
// then, without waiting for the end of this one.
func TestLocksAreGivenBack(t *testing.T) {
	t.Parallel()
	hsm := softhsm.New(t, "given back")
	chain := testpki.New(t, testpki.Options{})
	hsm.Put(t, softhsm.Object{ID: 1}, chain.Key, chain.Certs...)
	hsm.Put(t, softhsm.Object{ID: 2}, testpki.New(t, testpki.Options{KeySet: 1}).Key)
	hsm.Put(t, softhsm.Object{ID: 3, NoPublic: true, MayNotSign: true}, testpki.Key(t, "rsa-2048", 0))
	if got := lockDir(environment(t)); got != softhsm.LockDir() {
		t.Fatalf("the locks are in %s, and tests use %s", got, softhsm.LockDir())
	}
	for name, c := range map[string]struct {
		id, pin, spec string
		code          reason.Code // of describing the key
		signs         bool
	}{
		"good":           {"token=given%20back;id=%01", softhsm.PIN, "EC-256", "", true},
		"no PIN":         {"token=given%20back;id=%01", "", "EC-256", "", false},
		"other kind":     {"token=given%20back;id=%01", softhsm.PIN, "EC-384", "", false},
		"no certificate": {"token=given%20back;id=%02", softhsm.PIN, "EC-256", reason.TokenCertificateMissing, false},
		"may not sign":   {"token=given%20back;id=%03", softhsm.PIN, "RSA-2048", reason.TokenKeyForbidden, false},
		"no token":       {"token=gone", softhsm.PIN, "EC-256", reason.TokenMissing, false},
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir() // where nobody else has locks
			s := newSigning(environment(t, "NOTATION_CACHE", cache, pin.Variable, c.pin))
			softhsm.Alone(t, func() {
				_, err := s.DescribeKey(t.Context(), request("pkcs11:"+c.id))
				if c.code != "" {
					faults(t, err, codeFor(c.code), c.code)
				} else if err != nil {
					t.Error(err)
				}
				softhsm.Unlocked(t, filepath.Join(cache, "pkcs11"))
				_, err = s.GenerateSignature(t.Context(), &plugin.GenerateSignatureRequest{KeyID: "pkcs11:" + c.id, KeySpec: c.spec, HashAlgorithm: "SHA-256", Payload: []byte("m")})
				if (err == nil) != c.signs {
					t.Error(err)
				}
				softhsm.Unlocked(t, filepath.Join(cache, "pkcs11"))
			})
		})
	}
}

// attack: KEY-09
func TestModulePath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uri, env string
		settings map[string]string
		want     string
		code     reason.Code
	}{
		"setting":                 {"pkcs11:", "/env", map[string]string{"module": "/set"}, "/set", ""},
		"environment":             {"pkcs11:", "/env", nil, "/env", ""},
		"nothing":                 {"pkcs11:", "", nil, "", reason.TokenModule},
		"URI":                     {"pkcs11:?module-path=/uri", "", nil, "", reason.TokenModulePath},
		"URI, allowed":            {"pkcs11:?module-path=/uri", "", map[string]string{"module-path": "allow"}, "/uri", ""},
		"URI, the same":           {"pkcs11:?module-path=/env", "/env", nil, "/env", ""},
		"URI, another":            {"pkcs11:?module-path=/uri", "/env", nil, "", reason.TokenModulePath},
		"URI, another, allowed":   {"pkcs11:?module-path=/uri", "/env", map[string]string{"module-path": "allow"}, "", reason.TokenModulePath},
		"unknown setting":         {"pkcs11:", "/env", map[string]string{"modul": "/set"}, "", reason.TokenConfig},
		"empty setting":           {"pkcs11:", "/env", map[string]string{"module": ""}, "", reason.TokenConfig},
		"module-path with a path": {"pkcs11:", "/env", map[string]string{"module-path": "/set"}, "", reason.TokenConfig},
	} {
		u, err := uri.Parse(c.uri)
		if err != nil {
			t.Fatal(err)
		}
		got, err := modulePath(u, c.settings, func(string) string { return c.env })
		if got != c.want || reason.Of(err) != c.code {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	s := newSigning(environment(t))
	_, err := s.DescribeKey(t.Context(), request("pkcs11:?module-path=/tmp/evil.so"))
	faults(t, err, plugin.CodeValidation, reason.TokenModulePath)
	_, err = s.DescribeKey(t.Context(), request("pkcs11:", "module", "/nonexistent.so"))
	faults(t, err, plugin.CodeValidation, reason.TokenModule)
}

func TestCodes(t *testing.T) {
	t.Parallel()
	s := newSigning(nil)
	for code, want := range map[reason.Code]plugin.ErrorCode{
		reason.TokenPINLocked: plugin.CodeAccessDenied, reason.TokenBusy: plugin.CodeThrottled,
		reason.TokenInterrupted: plugin.CodeTimeout, reason.TokenRemoved: plugin.CodeError, reason.TokenURI: plugin.CodeValidation,
	} {
		faults(t, s.fault(reason.Errorf(code, "x").WithHint("Do y.")), want, code, "x. Do y.")
	}
	faults(t, s.fault(errors.New("z")), plugin.CodeError, "", "z")
	own := &plugin.Error{Code: plugin.CodeValidation, Message: "own"}
	if s.fault(own) != error(own) || s.fault(nil) != nil {
		t.Error("an error of the protocol is told as it is, and none is none")
	}
}

// run runs a command for people.
func runCommand(t testing.TB, getenv func(string) string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runIn(t.Context(), getenv, args...)
}

func runIn(ctx context.Context, getenv func(string) string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	c := command{stdout: &out, stderr: &errs, getenv: getenv, now: time.Now(), load: token.Load}
	code = c.run(ctx, args)
	return code, out.String(), errs.String()
}

// TestHostileNames lists tokens and keys whose names are for the terminal or for
// the reader of a URI, and finds them again by what is listed.
//
// attack: KEY-09
func TestHostileNames(t *testing.T) {
	t.Parallel()
	labels := []string{"named \x1b[31m\u009b2J\u202e", "named \xff\xfe", "named %41;id=?x"}
	for _, label := range labels {
		chain := testpki.New(t, testpki.Options{Length: 1})
		softhsm.New(t, label).Put(t, softhsm.Object{ID: 1, Label: label}, chain.Key, chain.Certs...)
	}
	for _, format := range []string{"text", "json"} {
		code, out, errs := runCommand(t, environment(t), "list", "-o", format)
		if code != 0 || strings.ContainsFunc(out+errs, func(r rune) bool { return r != '\n' && !strconv.IsPrint(r) }) {
			t.Errorf("%d, %q%q", code, out, errs)
		}
	}
	_, out, _ := runCommand(t, environment(t), "list", "-o", "json")
	var document listDocument
	if err := json.Unmarshal([]byte(out), &document); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, d := range document.Tokens {
		if !strings.HasPrefix(d.Label, "named ") {
			continue
		}
		found++
		if len(d.Keys) != 1 {
			t.Fatalf("%+v", d)
		}
		answer, err := newSigning(environment(t)).DescribeKey(t.Context(), request(d.Keys[0].URI))
		if err != nil || answer.KeySpec != "EC-256" {
			t.Errorf("%s: %v", d.Keys[0].URI, err)
		}
	}
	if found != len(labels) {
		t.Errorf("%d of the tokens are listed", found)
	}
}

// TestTakePIN leaves the PIN to this program alone.
//
// attack: KEY-08
func TestTakePIN(t *testing.T) {
	t.Setenv(pin.Variable, "1234")
	t.Setenv(moduleVariable, "/m.so")
	getenv := takePIN()
	if getenv(pin.Variable) != "1234" || getenv(moduleVariable) != "/m.so" {
		t.Error("this program does not find what is for it")
	}
	if _, there := os.LookupEnv(pin.Variable); there {
		t.Error("whatever the module runs finds the PIN")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	hsm := softhsm.New(t, "listed")
	chain := testpki.New(t, testpki.Options{Algorithm: "rsa-2048", CAAlgorithm: "ec-256"})
	hsm.Put(t, softhsm.Object{ID: 1, Label: "signer\x1b[31m"}, chain.Key, chain.Certs...)
	partial := testpki.New(t, testpki.Options{KeySet: 1})
	hsm.Put(t, softhsm.Object{ID: 2, Label: "partial"}, partial.Key, partial.Certs[0])
	hsm.Put(t, softhsm.Object{ID: 3, Label: "weak"}, testpki.WeakKey(t, "ec-224"))
	softhsm.New(t, "listed, empty")
	code, out, errs := runCommand(t, environment(t), "list")
	if code != 0 || errs != "" {
		t.Fatalf("%d, %s", code, errs)
	}
	for _, want := range []string{
		`Token "listed" (SoftHSM project SoftHSM v2, serial number "` + hsm.Serial + `"`,
		"PIN: no wrong one since the last login",
		`RSA-2048 key "signer\x1b[31m"`, "pkcs11:serial=" + hsm.Serial + ";token=listed;id=%01", "chain of 3, complete",
		`EC-256 key "partial"`, "not complete up to a root", `not for signing key "weak"`, "no certificate",
		"certificate of no key", "no key can be seen",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("what a token says reached the terminal as it is")
	}
	code, out, errs = runCommand(t, environment(t), "list", "--module", softhsm.Module(), "-o", "json")
	var document listDocument
	if err := json.Unmarshal([]byte(out), &document); code != 0 || err != nil {
		t.Fatalf("%d, %v, %s", code, err, errs)
	}
	for _, d := range document.Tokens {
		if d.Label != "listed" {
			continue
		}
		k := d.Keys[0]
		if d.PIN != token.PINGood || len(d.Keys) != 3 || len(d.Certificates) != 2 || k.ID != "01" || k.KeySpec != "RSA-2048" || k.Certificate == nil ||
			k.Certificate.Subject == "" || len(k.Certificate.SHA256) != 64 || k.ChainLength != 3 || k.Private || d.Keys[1].Error.Code != reason.TokenCertificateChain {
			t.Errorf("%s", out)
		}
	}
}

func TestListWithLogin(t *testing.T) {
	t.Parallel()
	softhsm.New(t, "list login")
	// There is no terminal here, or it is not ours to use.
	code, out, _ := runCommand(t, environment(t), "list", "--login")
	if code != 0 || !strings.Contains(out, "Error: the token") {
		t.Errorf("%d, %s", code, out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _, errs := runIn(ctx, environment(t), "list")
	if code != exitFailed || !strings.Contains(errs, "canceled") {
		t.Errorf("%d, %s", code, errs)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]struct {
		code int
		says string
	}{
		"":                                     {exitUsage, "is no command"},
		"sign":                                 {exitUsage, "is no command"},
		"list more":                            {exitUsage, "takes no argument"},
		"list -o yaml":                         {exitUsage, "-o text or -o json"},
		"list --nothing":                       {exitUsage, "not defined"},
		"login":                                {exitUsage, "takes one URI"},
		"login --nothing":                      {exitUsage, "not defined"},
		"login key":                            {exitUsage, "no PKCS #11 URI"},
		"login --module /nonexistent pkcs11:":  {exitUsage, "no PKCS #11 module"},
		"list --module libsofthsm2.so":         {exitUsage, "absolute path"},
		"login pkcs11:?module-path=/other":     {exitUsage, "and the configuration"},
		"login pkcs11:token=nobody-of-the-lot": {exitFailed, "no token"},
		"login pkcs11:token=log%20in":          {exitFailed, "wants a PIN"},
		"help":                                 {0, "Usage:"},
		"--help":                               {0, "Usage:"},
		"list --help":                          {0, "Usage:"},
		"login --help":                         {0, "Usage:"},
		"version":                              {0, "."},
	} {
		if strings.Contains(line, "token=") {
			softhsm.Need(t)
		}
		if strings.Contains(line, "log%20in") {
			softhsm.New(t, "log in")
		}
		code, out, errs := runCommand(t, environment(t), strings.Fields(line)...)
		if code != want.code || !strings.Contains(out+errs, want.says) {
			t.Errorf("%q: %d\n%s%s", line, code, out, errs)
		}
		if code != 0 && (!strings.HasPrefix(errs, "Error: ") || !strings.Contains(errs, "\nHint: ")) {
			t.Errorf("%q: %s", line, errs)
		}
	}
	code, _, errs := runCommand(t, environment(t, moduleVariable, ""), "list")
	if code != exitUsage || !strings.Contains(errs, "no PKCS #11 module is named") {
		t.Errorf("%d, %s", code, errs)
	}
	if got := lockDir(func(string) string { return "" }); got != "" {
		t.Errorf("%s", got)
	}
}

// TestProgram holds the metadata against the rules of the protocol.
func TestProgram(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := program(os.Getenv).Run(t.Context(), []string{"get-plugin-metadata"}, strings.NewReader("{}"), &out, &errs)
	if code != 0 || !strings.Contains(out.String(), `"name":"pkcs11"`) {
		t.Errorf("%d, %s%s", code, out.String(), errs.String())
	}
	for arg, want := range map[string]bool{"describe-key": true, "verify-signature": true, "list": false, "": false} {
		if isProtocol(arg) != want {
			t.Errorf("%q", arg)
		}
	}
}

// TestDocumented holds the table of docs/pkcs11.md against the codes.
func TestDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "pkcs11.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 || !strings.HasPrefix(line, "| `token.") {
			continue
		}
		for code := range strings.SplitSeq(strings.TrimPrefix(cells[0], "| "), ", ") {
			told[strings.Trim(code, "`")] = cells[1]
		}
	}
	for _, e := range reason.All() {
		code := string(e.Code)
		if !strings.HasPrefix(code, "token.") {
			continue
		}
		if told[code] != string(codeFor(e.Code)) {
			t.Errorf("docs/pkcs11.md says %q of %s, and the plugin %s", told[code], code, codeFor(e.Code))
		}
		delete(told, code)
	}
	if len(told) > 0 {
		t.Errorf("there are no codes %v", told)
	}
}

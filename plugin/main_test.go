package plugin

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/notaryv2/notation/reason"
)

// The test program is its own plugin: with this variable set it plays a part
// and runs no test.
const roleVariable = "EXAMPLE_ROLE"

// atOnce lets a child that looks for data races end without a second's rest.
const atOnce = "GORACE=atexit_sleep_ms=0"

// self is a copy of the test program that nobody ever has open for writing
// while tests run, so that its hard links can be executed at any time.
var self string

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	if crashtest.Child() {
		os.Exit(m.Run())
	}
	os.Exit(withCopy(m))
}

func withCopy(m *testing.M) int {
	dir, err := os.MkdirTemp("", "plugin-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	from, err := os.Open(program)
	if err != nil {
		panic(err)
	}
	self = filepath.Join(dir, "self")
	to, err := os.OpenFile(self, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		panic(err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Chmod(0o755), to.Close(), from.Close()); err != nil {
		panic(err)
	}
	return m.Run()
}

// said is what a plugin that plays "answer" does with a command.
type said struct {
	Out, Err string
	Exit     int
}

func play(role string) int {
	switch role {
	case "answer":
		return playAnswer()
	case "serve":
		return Serve(context.Background(), testProgram())
	}
	return playWild(role)
}

// playAnswer says what the environment tells it to say, and records what it was
// asked.
func playAnswer() int {
	request, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 99
	}
	if path := os.Getenv("EXAMPLE_RECORD"); path != "" {
		if os.WriteFile(path+"."+os.Args[1], request, 0o600) != nil ||
			os.WriteFile(path+".env", []byte(strings.Join(os.Environ(), "\n")), 0o600) != nil {
			return 98
		}
	}
	var answers map[Command]said
	if err := json.Unmarshal([]byte(os.Getenv("EXAMPLE_ANSWERS")), &answers); err != nil {
		return 97
	}
	a := answers[Command(os.Args[1])]
	fmt.Fprint(os.Stdout, a.Out)
	fmt.Fprint(os.Stderr, a.Err)
	return a.Exit
}

// testProgram signs with a key from a file, raw.
func testProgram() Program {
	signer := CryptoSigner{Open: func(_ context.Context, keyID string, config map[string]string) (crypto.Signer, []*x509.Certificate, error) {
		switch keyID {
		case "denied":
			return nil, nil, &Error{Code: CodeAccessDenied, Message: "no\x1b[31m", Metadata: map[string]string{"a": "b"}}
		case "panic":
			panic("out of cheese")
		}
		data, err := os.ReadFile(config["file"])
		if err != nil {
			return nil, nil, err
		}
		return readKey(data)
	}}
	return Program{
		Metadata: goodMetadata("test", CapabilityRaw),
		Keys:     signer, Raw: signer,
	}
}

// readKey takes a key and a chain, in PEM.
func readKey(data []byte) (key crypto.Signer, chain []*x509.Certificate, err error) {
	for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
		if b.Type == "CERTIFICATE" {
			cert, err := x509.ParseCertificate(b.Bytes)
			if err != nil {
				return nil, nil, err
			}
			chain = append(chain, cert)
			continue
		}
		k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
		if err != nil {
			return nil, nil, err
		}
		key = k.(crypto.Signer)
	}
	return key, chain, nil
}

func goodMetadata(name string, capabilities ...Capability) Metadata {
	return Metadata{
		Name: name, Description: "A plugin for tests", Version: "1.2.3", URL: "https://example.com/plugin",
		SupportedContractVersions: []string{ContractVersion}, Capabilities: capabilities,
	}
}

func all() []Capability {
	return []Capability{CapabilityRaw, CapabilityEnvelope, CapabilityBlobEnvelope, CapabilityTrustedIdentity, CapabilityRevocationCheck}
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// newDir makes a plugin directory with the right mode under any umask.
func newDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "plugins")
	mkdir(t, dir)
	return dir
}

func mkdir(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// newHost returns a host with one plugin "test" that plays a role.
func newHost(t testing.TB, role string, env ...string) *Host {
	t.Helper()
	h := NewHost(newDir(t))
	h.Env = append(os.Environ(), append(env, roleVariable+"="+role, atOnce)...)
	h.grace = time.Minute // what has ended may be slow to be read
	put(t, h, "test")
	return h
}

// put installs the test program under a name.
func put(t testing.TB, h *Host, name string) string {
	t.Helper()
	mkdir(t, filepath.Join(h.Dir, name))
	path := filepath.Join(h.Dir, name, fileName(name))
	if err := os.Link(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// answering returns a host whose plugin "test" has all capabilities and says
// what it is given.
func answering(t testing.TB, answers map[Command]said, env ...string) *Host {
	t.Helper()
	if _, ok := answers[CommandMetadata]; !ok {
		answers[CommandMetadata] = said{Out: toJSON(t, goodMetadata("test", all()...))}
	}
	return newHost(t, "answer", append(env, "EXAMPLE_ANSWERS="+toJSON(t, answers))...)
}

func get(t testing.TB, h *Host) *Plugin {
	t.Helper()
	p, err := h.Get(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// refuses fails the test unless err has the code and can be printed.
func refuses(t testing.TB, err error, code reason.Code) {
	t.Helper()
	if reason.Of(err) != code {
		t.Fatalf("error %v has the code %q, want %q", err, reason.Of(err), code)
	}
	if !printable(err.Error()) || !printable(reason.Hint(err)) {
		t.Errorf("%q cannot be printed", err.Error())
	}
}

// holds fails the test if a directory has anything but these names.
func holds(t testing.TB, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %q, want %q", filepath.Base(dir), names, want)
	}
}

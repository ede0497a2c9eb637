package notation_test

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
)

// The test program is its own plugin: with this variable set it plays the part
// that the variable describes, and runs no test.
const partVariable = "EXAMPLE_PART"

// part is a verification plugin.
type part struct {
	Capabilities []plugin.Capability
	Version      string
	Marker       string // a file to which each command that is run is added
	Identity     plugin.Result
	Revocation   plugin.Result
	Processed    []string
	Error        *plugin.Error
	Crash        bool
	Hang         bool // ignores that it should end
}

func TestMain(m *testing.M) {
	if text := os.Getenv(partVariable); text != "" {
		os.Exit(play(text))
	}
	os.Exit(m.Run())
}

func play(text string) int {
	var p part
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return 99
	}
	if p.Marker != "" {
		f, err := os.OpenFile(p.Marker, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 98
		}
		_, err = f.WriteString(os.Args[1] + "\n")
		if err := errors.Join(err, f.Close()); err != nil {
			return 97
		}
	}
	if p.Crash {
		return 3
	}
	if p.Hang {
		signal.Ignore(syscall.SIGTERM)
		if err := os.WriteFile(p.Marker+".pid", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			return 96
		}
		select {}
	}
	return plugin.Serve(context.Background(), plugin.Program{
		Metadata: plugin.Metadata{Name: "example", Description: "plays a part", Version: p.Version, URL: "https://plugin.example", Capabilities: p.Capabilities},
		Verifier: p,
	})
}

func (p part) VerifySignature(_ context.Context, r *plugin.VerifySignatureRequest) (*plugin.VerifySignatureResponse, error) {
	if p.Error != nil {
		return nil, p.Error
	}
	answer := &plugin.VerifySignatureResponse{VerificationResults: map[plugin.Capability]plugin.Result{}, ProcessedAttributes: p.Processed}
	for _, c := range r.TrustPolicy.SignatureVerification {
		answer.VerificationResults[c] = p.Identity
		if c == plugin.CapabilityRevocationCheck {
			answer.VerificationResults[c] = p.Revocation
		}
	}
	if r.PluginConfig["mood"] == "bad" {
		answer.VerificationResults[plugin.CapabilityTrustedIdentity] = plugin.Result{Reason: "in a bad mood"}
	}
	return answer, nil
}

var programBytes = sync.OnceValues(func() ([]byte, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// hostOf installs the test program as the plugin "example" that plays p, and
// returns the path of its marker.
func hostOf(t testing.TB, p part) (host *plugin.Host, marker string) {
	t.Helper()
	program, err := programBytes()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "example", "notation-example")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := errors.Join(os.Mkdir(filepath.Dir(name), 0o700), write(name, program)); err != nil {
		t.Fatal(err)
	}
	p.Marker = filepath.Join(dir, "marker")
	if p.Version == "" {
		p.Version = "1.2.0"
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	host = plugin.NewHost(dir)
	host.Env = append(os.Environ(), partVariable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	return host, p.Marker
}

// forks keeps a program that is being written from being inherited, open for
// writing, by a process that another test starts: it could not be run then.
var forks sync.Mutex

func write(name string, program []byte) error {
	forks.Lock()
	defer forks.Unlock()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	_, err = f.Write(program)
	return errors.Join(err, f.Close())
}

// ran returns the commands that a plugin was run with.
func ran(t testing.TB, marker string) string {
	t.Helper()
	data, err := os.ReadFile(marker)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(data)), " ")
}

const metadataAndVerify = "get-plugin-metadata verify-signature"

var (
	yes = plugin.Result{Success: true}
	no  = plugin.Result{Reason: "not on the list"}
)

func TestVerificationPlugin(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	both := []plugin.Capability{plugin.CapabilityTrustedIdentity, plugin.CapabilityRevocationCheck}
	identity, revocationCheck := both[:1], both[1:]
	critical := []envelope.Attribute{{Key: "example.a", Critical: true, Value: "x"}, {Key: "example.b", Critical: true, Value: int64(7)}}
	const acme = "x509.subject: C=US, ST=WA, O=acme"
	for _, tt := range []struct {
		name       string
		part       part
		request    envelope.Request
		statement  string
		config     map[string]string
		want       want
		ran        string
		identified bool // by the trust policy
		asked      bool // the checker, about revocation
	}{
		{name: "identity accepted", part: part{Capabilities: identity, Identity: yes}, statement: strict(acme),
			want: want{notation.CheckAuthenticity, notation.Passed, ""}, ran: metadataAndVerify, asked: true},
		{name: "identity refused", part: part{Capabilities: identity, Identity: no}, statement: strict("*"),
			want: want{notation.CheckAuthenticity, notation.Failed, reason.VerifyPluginRefused}, ran: metadataAndVerify},
		{name: "identity refused, audit", part: part{Capabilities: identity, Identity: no}, statement: leveled("audit", "", "*"),
			want: want{notation.CheckAuthenticity, notation.Logged, reason.VerifyPluginRefused}, ran: metadataAndVerify, asked: true},
		{name: "configuration is passed on", part: part{Capabilities: identity, Identity: yes}, statement: strict("*"), config: map[string]string{"mood": "bad"},
			want: want{notation.CheckAuthenticity, notation.Failed, reason.VerifyPluginRefused}, ran: metadataAndVerify},
		{name: "revocation accepted", part: part{Capabilities: revocationCheck, Revocation: yes}, statement: strict("*"),
			want: want{notation.CheckRevocation, notation.Passed, ""}, ran: metadataAndVerify, identified: true},
		{name: "revocation refused", part: part{Capabilities: revocationCheck, Revocation: no}, statement: strict("*"),
			want: want{notation.CheckRevocation, notation.Failed, reason.VerifyPluginRefused}, ran: metadataAndVerify, identified: true},
		{name: "revocation refused, logged", part: part{Capabilities: revocationCheck, Revocation: no}, statement: leveled("permissive", "", "*"),
			want: want{notation.CheckRevocation, notation.Logged, reason.VerifyPluginRefused}, ran: metadataAndVerify, identified: true},
		{name: "revocation skipped", part: part{Capabilities: revocationCheck, Revocation: no}, statement: leveled("strict", `"revocation": "skip"`, "*"),
			want: want{notation.CheckRevocation, notation.Skipped, reason.VerifySkippedByPolicy}, ran: "get-plugin-metadata", identified: true},
		{name: "revocation only, untrusted identity", part: part{Capabilities: revocationCheck, Revocation: yes}, statement: strict(acme),
			want: want{notation.CheckAuthenticity, notation.Failed, reason.VerifyIdentityUntrusted}, ran: "get-plugin-metadata"},
		{name: "both accepted", part: part{Capabilities: both, Identity: yes, Revocation: yes}, statement: strict(acme),
			want: want{notation.CheckRevocation, notation.Passed, ""}, ran: metadataAndVerify},
		{name: "attributes processed", part: part{Capabilities: both, Identity: yes, Revocation: yes, Processed: []string{"example.b", "example.a"}},
			request: envelope.Request{Extended: critical}, statement: strict("*"),
			want: want{notation.CheckIntegrity, notation.Passed, ""}, ran: metadataAndVerify},
		{name: "attributes processed, nothing else asked", part: part{Capabilities: revocationCheck, Revocation: no, Processed: []string{"example.b", "example.a"}},
			request: envelope.Request{Extended: critical}, statement: leveled("strict", `"revocation": "skip"`, "*"),
			want: want{notation.CheckIntegrity, notation.Passed, ""}, ran: metadataAndVerify, identified: true},
		// attack: ENV-02
		{name: "attribute not processed", part: part{Capabilities: both, Identity: yes, Revocation: yes, Processed: []string{"example.b"}},
			request: envelope.Request{Extended: critical}, statement: leveled("audit", "", "*"),
			want: want{notation.CheckIntegrity, notation.Failed, reason.VerifyCriticalAttribute}, ran: metadataAndVerify, identified: true},
		// attack: PLG-04
		{name: "attribute that is not there", part: part{Capabilities: both, Identity: yes, Revocation: yes, Processed: []string{"example.c"}}, statement: leveled("audit", "", "*"),
			want: want{notation.CheckIntegrity, notation.Failed, reason.PluginVerification}, ran: metadataAndVerify, identified: true},
		{name: "minimum version", part: part{Capabilities: identity, Identity: yes, Version: "2.0.0"}, request: envelope.Request{PluginMinVersion: "2.0.0"}, statement: strict("*"),
			want: want{notation.CheckIntegrity, notation.Passed, ""}, ran: metadataAndVerify, asked: true},
		// attack: PLG-04
		{name: "below the minimum version", part: part{Capabilities: identity, Identity: yes, Version: "2.0.0-rc.1"}, request: envelope.Request{PluginMinVersion: "2.0.0"}, statement: leveled("audit", "", "*"),
			want: want{notation.CheckIntegrity, notation.Failed, reason.PluginVersion}, ran: "get-plugin-metadata", identified: true},
		{name: "other plugin demanded", part: part{Capabilities: identity, Identity: yes}, request: envelope.Request{VerificationPlugin: "other"}, statement: leveled("audit", "", "*"),
			want: want{notation.CheckIntegrity, notation.Failed, reason.PluginNotFound}, identified: true},
		// attack: PLG-01
		{name: "path demanded", part: part{Capabilities: identity, Identity: yes}, request: envelope.Request{VerificationPlugin: "../example/example"}, statement: leveled("audit", "", "*"),
			want: want{notation.CheckIntegrity, notation.Failed, reason.PluginName}, identified: true},
		// attack: PLG-03
		{name: "crash", part: part{Crash: true}, statement: leveled("audit", "", "*"),
			want: want{notation.CheckIntegrity, notation.Undecided, reason.PluginFailed}, ran: "get-plugin-metadata", identified: true},
		{name: "its own error", part: part{Capabilities: identity, Error: &plugin.Error{Code: plugin.CodeAccessDenied, Message: "go away"}}, statement: strict("*"),
			want: want{notation.CheckIntegrity, notation.Undecided, reason.PluginRefused}, ran: metadataAndVerify, identified: true},
		{name: "finds fault", part: part{Capabilities: identity, Error: &plugin.Error{Code: plugin.CodeValidation, Message: "what is that?"}}, statement: strict("*"),
			want: want{notation.CheckIntegrity, notation.Failed, reason.PluginRefused}, ran: metadataAndVerify, identified: true},
		{name: "throttled", part: part{Capabilities: identity, Error: &plugin.Error{Code: plugin.CodeThrottled, Message: "later"}}, statement: strict("*"),
			want: want{notation.CheckIntegrity, notation.Undecided, reason.PluginRefused}, ran: metadataAndVerify, identified: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			host, marker := hostOf(t, tt.part)
			asked := false
			v := verifierFor(t, chain)
			v.Policy, v.Plugins, v.PluginConfig = statement(t, tt.statement), host, tt.config
			v.Revocation = checker(func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
				asked = true
				return []revocation.Result{good, good}
			})
			r := tt.request
			r.Target = target()
			if r.VerificationPlugin == "" {
				r.VerificationPlugin = "example"
			}
			verdict, err := decide(t, v, seal(t, chain, r))
			if tt.want.outcome == notation.Undecided {
				checkRefusal(t, verdict, err, notation.ErrUndecided, tt.want.code)
			} else {
				tt.want.compare(t, verdict, err)
			}
			s := verdict.Signatures[0]
			if got := ran(t, marker); got != tt.ran {
				t.Errorf("the plugin was run with %q, want %q", got, tt.ran)
			}
			if asked != tt.asked || (s.Identity != "") != tt.identified {
				t.Errorf("asked %t, identity %q", asked, s.Identity)
			}
			if err == nil && !strings.Contains(tt.ran, "verify") && (s.Plugin != "" || strings.Contains(s.Findings[0].Message, "accepted")) {
				t.Errorf("plugin %q, %s", s.Plugin, s.Findings[0].Message)
			}
			if err == nil && strings.Contains(tt.ran, "verify") && s.Plugin != "example "+cmp.Or(tt.part.Version, "1.2.0") {
				t.Errorf("plugin %q", s.Plugin)
			}
			if err == nil && tt.want.outcome != notation.Logged && s.Store != "ca:test" {
				t.Errorf("store %q", s.Store)
			}
		})
	}
}

// Nothing of a plugin runs before integrity and chain of trust hold, nor for a
// signature that is no good for another reason.
//
// attack: PLG-02
func TestPluginIsNotRun(t *testing.T) {
	t.Parallel()
	now := time.Now()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	demanding := envelope.Request{Target: target(), VerificationPlugin: "example"}
	fine := seal(t, chain, demanding)
	broken := []byte(strings.Replace(string(fine), `"signature":"`, `"signature":"AAAA`, 1))
	expired := demanding
	expired.SigningTime, expired.Expiry = now.Add(-time.Minute), now.Add(-time.Second)
	for _, tt := range []struct {
		name, statement string
		env             []byte
		now             time.Time
		noPlugins       bool
		code            reason.Code
		cause           reason.Code
	}{
		{name: "signature broken", statement: leveled("audit", "", "*"), env: broken, now: now, code: reason.EnvelopeSignature},
		{name: "untrusted root", statement: strict("*"), env: seal(t, stranger, demanding), now: now, code: reason.VerifyPluginNotRun, cause: reason.VerifyRootUntrusted},
		{name: "untrusted root, audit", statement: leveled("audit", "", "*"), env: seal(t, stranger, demanding), now: now, code: reason.VerifyPluginNotRun, cause: reason.VerifyPluginNotRun},
		{name: "signature expired", statement: strict("*"), env: seal(t, chain, expired), now: now, code: reason.VerifyPluginNotRun, cause: reason.VerifyExpired},
		{name: "certificate expired", statement: strict("*"), env: fine, now: now.AddDate(1, 0, 0), code: reason.VerifyPluginNotRun, cause: reason.CertExpired},
		{name: "other artifact", statement: leveled("audit", "", "*"), env: seal(t, chain, envelope.Request{Target: descriptor("text/plain", nil), VerificationPlugin: "example"}), now: now, code: reason.VerifyOtherArtifact},
		{name: "plugins not allowed", statement: leveled("audit", "", "*"), env: fine, now: now, noPlugins: true, code: reason.VerifyPluginUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			host, marker := hostOf(t, part{Capabilities: []plugin.Capability{plugin.CapabilityTrustedIdentity}, Identity: yes})
			v := at(verifierFor(t, chain), tt.now)
			v.Policy, v.Plugins = statement(t, tt.statement), host
			if tt.noPlugins {
				v.Plugins = nil
			}
			verdict, err := decide(t, v, tt.env)
			f := finding(t, verdict.Signatures[0].Findings, notation.CheckIntegrity)
			if f.Reason != tt.code || f.Message == "" {
				t.Errorf("finding %+v", f)
			}
			if tt.cause == "" {
				tt.cause = tt.code
			}
			checkRefusal(t, verdict, err, notation.ErrRejected, tt.cause)
			if got := ran(t, marker); got != "" {
				t.Errorf("the plugin was run with %q", got)
			}
		})
	}
}

// A verification that ends early leaves no plugin behind.
//
// attack: PLG-03
func TestPluginEndsWithVerification(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("processes cannot ignore their end there")
	}
	chain := testpki.New(t, testpki.Options{})
	host, marker := hostOf(t, part{Hang: true})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact, VerificationPlugin: "example"}), thumbprints(chain))
	v := verifierFor(t, chain)
	v.Plugins = host
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for t.Context().Err() == nil {
			// Between making the file and writing into it, it is empty.
			if info, err := os.Stat(marker + ".pid"); err == nil && info.Size() > 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	verdict, err := v.Verify(ctx, repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.VerifyInterrupted)
	pid, err := strconv.Atoi(string(read(t, marker+".pid")))
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Signal(syscall.Signal(0)); err == nil {
		t.Errorf("process %d is still there", pid)
	}
}

// Many signatures that demand a plugin ask it once what it can do, and run it a
// few at a time.
func TestManySignaturesOnePlugin(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	host, marker := hostOf(t, part{Capabilities: []plugin.Capability{plugin.CapabilityTrustedIdentity}, Identity: no})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	for range 12 {
		repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact, VerificationPlugin: "example"}), thumbprints(chain))
	}
	v := verifierFor(t, chain)
	v.Plugins = host
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyPluginRefused)
	words := strings.Fields(ran(t, marker))
	if n := strings.Count(strings.Join(words, " "), "get-plugin-metadata"); n != 1 || len(words) != 13 {
		t.Errorf("the plugin was asked %d times what it can do, and run %d times", n, len(words))
	}
}

// The advice starts from the signer who is trusted, not from a stranger.
func TestClosestIsTrusted(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact, VerificationPlugin: "missing"}), thumbprints(chain))
	repo.signAs(t, artifact, stranger, notation.SignOptions{})
	v := verifierFor(t, chain)
	v.Plugins = plugin.NewHost(t.TempDir())
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.PluginNotFound)
}

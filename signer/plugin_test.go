package signer_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
)

// The test program is its own plugin. What is it to be, it learns from its
// environment: its capabilities, and a file to which it adds what it was asked.
const (
	capabilitiesVariable = "SIGNER_TEST_CAPABILITIES"
	recordVariable       = "SIGNER_TEST_RECORD"
)

// self is a copy of the test program that nobody has open for writing.
var self string

func TestMain(m *testing.M) {
	if c := os.Getenv(capabilitiesVariable); c != "" {
		os.Exit(play(c))
	}
	os.Exit(withCopy(m))
}

func withCopy(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signer-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		panic(err)
	}
	self = filepath.Join(dir, "self")
	if err := errors.Join(os.WriteFile(self, data, 0o755), os.Chmod(self, 0o755)); err != nil {
		panic(err)
	}
	return m.Run()
}

// play is the plugin. It signs with the key in the file of the configuration
// entry "file", or that for blobs with an annotation that says so.
func play(capabilities string) int {
	record, err := os.OpenFile(os.Getenv(recordVariable), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 99
	}
	if _, err := io.WriteString(record, os.Args[1]+"\n"); err != nil {
		return 98
	}
	keys := plugin.CryptoSigner{Open: func(_ context.Context, _ string, config map[string]string) (crypto.Signer, []*x509.Certificate, error) {
		return load(config)
	}}
	program := plugin.Program{
		Metadata: plugin.Metadata{Name: "test", Description: "A plugin for tests", Version: "1.0.0", URL: "https://example.com/plugin"},
		Keys:     keys, Raw: keys, Envelope: envelopes{}, Verifier: noVerifier{},
	}
	for c := range strings.SplitSeq(capabilities, ",") {
		program.Metadata.Capabilities = append(program.Metadata.Capabilities, plugin.Capability(c))
	}
	return plugin.Serve(context.Background(), program)
}

// load reads a key and its chain.
func load(config map[string]string) (crypto.Signer, []*x509.Certificate, error) {
	data, err := os.ReadFile(config["file"])
	if err != nil {
		return nil, nil, err
	}
	var file keyFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(file.Key)
	if err != nil {
		return nil, nil, err
	}
	var chain []*x509.Certificate
	for _, der := range file.Chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, err
		}
		chain = append(chain, cert)
	}
	return key.(crypto.Signer), chain, nil
}

type keyFile struct {
	Key   []byte
	Chain [][]byte
}

// envelopes makes whole envelopes with this package.
type envelopes struct{}

func (envelopes) GenerateEnvelope(ctx context.Context, r *plugin.GenerateEnvelopeRequest) (*plugin.GenerateEnvelopeResponse, error) {
	key, chain, err := load(r.PluginConfig)
	if err != nil {
		return nil, err
	}
	s, err := signer.New(key, chain)
	if err != nil {
		return nil, err
	}
	var payload struct {
		Target envelope.Descriptor `json:"targetArtifact"`
	}
	if err := json.Unmarshal(r.Payload, &payload); err != nil {
		return nil, err
	}
	made, err := s.Sign(ctx, envelope.Request{MediaType: r.SignatureEnvelopeType, Target: payload.Target, SigningTime: time.Now()})
	if err != nil {
		return nil, err
	}
	return &plugin.GenerateEnvelopeResponse{
		SignatureEnvelope: made.Envelope, SignatureEnvelopeType: r.SignatureEnvelopeType,
		Annotations: map[string]string{"com.example.ticket": "42"},
	}, nil
}

type noVerifier struct{}

func (noVerifier) VerifySignature(context.Context, *plugin.VerifySignatureRequest) (*plugin.VerifySignatureResponse, error) {
	return nil, errors.New("not asked for")
}

// install returns a plugin with these capabilities, and how often it was asked
// with a command.
func install(t *testing.T, capabilities ...plugin.Capability) (p *plugin.Plugin, asked func(plugin.Command) int) {
	t.Helper()
	host := plugin.NewHost(filepath.Join(t.TempDir(), "plugins"))
	dir := filepath.Join(host.Dir, "test")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(host.Dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	name := "notation-test"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := os.Link(self, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, c := range capabilities {
		list = append(list, string(c))
	}
	record := filepath.Join(t.TempDir(), "record")
	host.Env = append(os.Environ(), capabilitiesVariable+"="+strings.Join(list, ","), recordVariable+"="+record, "GORACE=atexit_sleep_ms=0")
	p, err := host.Get(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return p, func(c plugin.Command) int {
		data, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(data), string(c)+"\n")
	}
}

// keyConfig stores a key for the plugin to find.
func keyConfig(t *testing.T, chain *testpki.Chain) map[string]string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(chain.Key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(keyFile{Key: key, Chain: chain.DER()})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"file": path}
}

// fromPlugin returns the Signer of a plugin.
func fromPlugin(t *testing.T, p *plugin.Plugin, config map[string]string) signer.BlobSigner {
	t.Helper()
	s, err := signer.FromPlugin(p, "key", config)
	if err != nil {
		t.Fatal(err)
	}
	return s.(signer.BlobSigner)
}

// TestFromPlugin signs artifacts and blobs with what plugins can do.
func TestFromPlugin(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Algorithm: "ec-384"})
	const raw, whole, blob = plugin.CapabilityRaw, plugin.CapabilityEnvelope, plugin.CapabilityBlobEnvelope
	for name, tt := range map[string]struct {
		capabilities                []plugin.Capability
		artifact, blob, algorithm   reason.Code // "": it works
		describes, signs, envelopes int         // how often it is asked
	}{
		"raw":               {capabilities: []plugin.Capability{raw}, describes: 1, signs: 4},
		"everything":        {capabilities: []plugin.Capability{whole, blob, raw}, describes: 1, signs: 4},
		"envelopes":         {capabilities: []plugin.Capability{whole}, blob: reason.PluginCapability, algorithm: reason.PluginCapability, envelopes: 2},
		"blob envelopes":    {capabilities: []plugin.Capability{blob}, artifact: reason.PluginCapability, describes: 1, envelopes: 2},
		"envelopes of both": {capabilities: []plugin.Capability{whole, blob}, describes: 1, envelopes: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, asked := install(t, tt.capabilities...)
			config := keyConfig(t, chain)
			s := fromPlugin(t, p, config)
			clear(config) // it was copied
			alg, err := s.Algorithm(t.Context())
			if reason.Of(err) != tt.algorithm || err == nil && alg != envelope.ECDSASHA384 {
				t.Errorf("algorithm %s: %v", alg, err)
			}
			for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
				made, err := s.Sign(t.Context(), request(mediaType))
				checkMade(t, made, err, tt.artifact, mediaType, tt.signs == 0)
				made, err = s.SignBlob(t.Context(), request(mediaType))
				checkMade(t, made, err, tt.blob, mediaType, tt.signs == 0)
			}
			for c, want := range map[plugin.Command]int{
				plugin.CommandDescribeKey: tt.describes, plugin.CommandGenerateSignature: tt.signs, plugin.CommandGenerateEnvelope: tt.envelopes,
			} {
				if got := asked(c); got != want {
					t.Errorf("%s was asked for %d times, want %d", c, got, want)
				}
			}
		})
	}
}

// checkMade verifies an envelope, or looks for an error with a remedy.
func checkMade(t *testing.T, made signer.Result, err error, code reason.Code, mediaType string, annotated bool) {
	t.Helper()
	if code != "" {
		if reason.Of(err) != code || reason.Hint(err) == "" || made.Envelope != nil {
			t.Errorf("%v", err)
		}
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	if got := made.Annotations["com.example.ticket"] == "42"; got != annotated {
		t.Errorf("annotations %v", made.Annotations)
	}
	u, err := envelope.Parse(mediaType, made.Envelope)
	if err == nil {
		_, err = u.Verify()
	}
	if err != nil {
		t.Error(err)
	}
}

func TestFromPluginRefuses(t *testing.T) {
	t.Parallel()
	verifier, _ := install(t, plugin.CapabilityTrustedIdentity)
	raw, _ := install(t, plugin.CapabilityRaw)
	for name, tt := range map[string]struct {
		p    *plugin.Plugin
		id   string
		code reason.Code
	}{
		"no plugin":          {nil, "key", reason.PluginNotFound},
		"a plugin of zero":   {&plugin.Plugin{}, "key", reason.PluginCapability},
		"one that verifies":  {verifier, "key", reason.PluginCapability},
		"no key":             {raw, "", reason.PluginRequest},
		"a key without end":  {raw, strings.Repeat("k", 1<<20), reason.PluginRequest},
		"a key that is none": {raw, "key", ""},
	} {
		s, err := signer.FromPlugin(tt.p, tt.id, nil)
		if reason.Of(err) != tt.code || (s == nil) == (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPluginFailures lets things go wrong on the way, and then go right.
//
// attack: PLG-04
func TestPluginFailures(t *testing.T) {
	t.Parallel()
	p, asked := install(t, plugin.CapabilityRaw)
	good, tsa := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{TSA: true})
	config := keyConfig(t, good)
	s := fromPlugin(t, p, config)
	hidden := config["file"] + ".hidden"
	if err := os.Rename(config["file"], hidden); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(t.Context(), request(envelope.MediaTypeJWS)); reason.Of(err) != reason.PluginRefused {
		t.Errorf("%v", err)
	}
	if err := os.Rename(hidden, config["file"]); err != nil {
		t.Fatal(err)
	}
	if alg, err := s.Algorithm(t.Context()); err != nil || alg != envelope.ECDSASHA256 {
		t.Errorf("a failure was remembered: %v", err)
	}
	if _, err := s.Sign(t.Context(), request("text/plain")); reason.Of(err) != reason.EnvelopeMediaType {
		t.Errorf("%v", err)
	}
	if n := asked(plugin.CommandGenerateSignature); n != 0 {
		t.Errorf("the plugin has signed %d times", n)
	}
	late := request(envelope.MediaTypeJWS)
	late.SigningTime = time.Now().Add(48 * time.Hour)
	if _, err := s.Sign(t.Context(), late); reason.Of(err) != reason.SignerCertificateTime {
		t.Errorf("%v", err)
	}
	if _, err := fromPlugin(t, p, keyConfig(t, tsa)).Sign(t.Context(), request(envelope.MediaTypeJWS)); reason.Of(err) != reason.PluginChain {
		t.Errorf("%v", err)
	}
	whole, _ := install(t, plugin.CapabilityEnvelope)
	extended := request(envelope.MediaTypeJWS)
	extended.VerificationPlugin = "com.example"
	if made, err := fromPlugin(t, whole, config).Sign(t.Context(), extended); reason.Of(err) != reason.PluginRequest || made.Envelope != nil {
		t.Errorf("%v", err)
	}
}

// TestPluginAskedOnce has many ask for the algorithm at the same time, and one
// who gives up.
func TestPluginAskedOnce(t *testing.T) {
	t.Parallel()
	p, asked := install(t, plugin.CapabilityRaw)
	s := fromPlugin(t, p, keyConfig(t, testpki.New(t, testpki.Options{})))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Algorithm(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	before := asked(plugin.CommandDescribeKey)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if alg, err := s.Algorithm(t.Context()); err != nil || alg != envelope.ECDSASHA256 {
				t.Errorf("%s, %v", alg, err)
			}
		})
	}
	all.Wait()
	if n := asked(plugin.CommandDescribeKey) - before; n != 1 {
		t.Errorf("the plugin was asked %d times", n)
	}
}

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
)

// With this variable set the test program is the plugin.
const beThePlugin = "EXAMPLE_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(beThePlugin) != "" {
		main()
	}
	os.Exit(m.Run())
}

// install installs the test program as the plugin.
func install(t *testing.T) *plugin.Plugin {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	from, err := os.Open(self)
	check(t, err)
	defer from.Close()
	name := "notation-example-plugin"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	path := filepath.Join(t.TempDir(), name)
	to, err := os.Create(path)
	check(t, err)
	_, err = io.Copy(to, from)
	check(t, errors.Join(err, to.Close()))
	host := &plugin.Host{Dir: filepath.Join(t.TempDir(), "plugins"), Env: append(os.Environ(), beThePlugin+"=1", "GORACE=atexit_sleep_ms=0")}
	_, err = host.Install(t.Context(), plugin.FromFile(path, ""), plugin.InstallOptions{})
	check(t, err)
	p, err := host.Get(t.Context(), "example-plugin")
	check(t, err)
	return p
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSignAndVerify signs with the plugin, and has it judge the signature.
func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	p := install(t)
	config := files(t)
	alg, err := p.DescribeKey(t.Context(), "any", config)
	check(t, err)
	for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
		unsigned, err := envelope.New(envelope.Request{
			MediaType: mediaType, SigningTime: time.Now(), VerificationPlugin: p.Name(), PluginMinVersion: "1.0.0-rc.1",
			Target: envelope.Descriptor{
				MediaType: "text/plain", Size: 2, Digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
			},
			Extended: []envelope.Attribute{{Key: stage, Critical: true, Value: "prod"}},
		}, alg)
		check(t, err)
		signature, certs, err := p.SignRaw(t.Context(), "any", alg, unsigned.ToBeSigned(), config)
		check(t, err)
		data, err := unsigned.Seal(signature, certs)
		check(t, err)
		judge(t, p, mediaType, data)
	}
}

// TestSignEnvelope has the plugin make whole envelopes, and judge the stage that
// it has signed.
func TestSignEnvelope(t *testing.T) {
	t.Parallel()
	p := install(t)
	config := files(t)
	request := envelope.Request{
		MediaType: envelope.MediaTypeCOSE, SigningTime: time.Now(), Expiry: time.Now().Add(time.Hour),
		Target: envelope.Descriptor{
			MediaType: "text/plain", Size: 2, Digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
			Annotations: map[string]string{"build": "1"},
		},
	}
	data, _, err := p.SignBlobEnvelope(t.Context(), "any", request, config)
	check(t, err)
	unverified, err := envelope.Parse(request.MediaType, data)
	check(t, err)
	if c := unverified.Claims(); c.VerificationPlugin != "" || c.Target.Annotations["build"] != "1" || c.Expiry.IsZero() {
		t.Errorf("%+v", c)
	}
	config["stage"] = "prod"
	data, _, err = p.SignEnvelope(t.Context(), "any", request, config)
	check(t, err)
	judge(t, p, request.MediaType, data)
	_, _, err = p.SignEnvelope(t.Context(), "any", request, nil)
	if fault, ok := errors.AsType[*plugin.Error](err); !ok || fault.Code != plugin.CodeValidation {
		t.Errorf("%v", err)
	}
}

// TestRevoked gives the plugin lists of revoked certificates.
func TestRevoked(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	sum := sha256.Sum256(chain.Root().Raw)
	request := &plugin.VerifySignatureRequest{
		Signature:   plugin.Signature{CertificateChain: chain.DER()},
		TrustPolicy: plugin.TrustPolicy{SignatureVerification: []plugin.Capability{plugin.CapabilityRevocationCheck}},
	}
	for revoked, want := range map[string]bool{"": true, "00,11": true, "00," + hex.EncodeToString(sum[:]): false} {
		request.PluginConfig = map[string]string{"revoked": revoked}
		answer, err := verifier{}.VerifySignature(t.Context(), request)
		check(t, err)
		if got := answer.VerificationResults[plugin.CapabilityRevocationCheck]; got.Success != want || (got.Reason == "") != want {
			t.Errorf("%q: %+v", revoked, got)
		}
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	if got := capabilities(); len(got) != 5 {
		t.Errorf("%v", got)
	}
}

// files writes the key and the certificates of a chain.
func files(t *testing.T) map[string]string {
	t.Helper()
	chain := testpki.New(t, testpki.Options{})
	dir := t.TempDir()
	config := map[string]string{"keyFile": filepath.Join(dir, "key.pem"), "certFile": filepath.Join(dir, "cert.pem")}
	check(t, os.WriteFile(config["keyFile"], chain.KeyPEM(), 0o600))
	check(t, os.WriteFile(config["certFile"], chain.CertPEM(), 0o600))
	return config
}

func judge(t *testing.T, p *plugin.Plugin, mediaType string, data []byte) {
	t.Helper()
	unverified, err := envelope.Parse(mediaType, data)
	check(t, err)
	verified, err := unverified.Verify()
	check(t, err)
	for _, tt := range []struct {
		identity, stage string
		success         bool
		unprocessed     []string
	}{
		{"*", "prod", true, nil},
		{"x509.subject: C=US, ST=WA, O=wabbit-networks.io", "prod", true, nil},
		{"x509.subject: C=US, ST=WA, O=acme-rockets.io", "test", false, []string{stage}},
		{"nonsense", "", false, []string{stage}},
	} {
		v, err := p.VerifySignature(t.Context(), plugin.VerifyRequest{
			Envelope: verified, Capabilities: []plugin.Capability{plugin.CapabilityTrustedIdentity},
			TrustedIdentities: []string{tt.identity}, Config: map[string]string{"stage": tt.stage},
		})
		check(t, err)
		if v.Results[plugin.CapabilityTrustedIdentity].Success != tt.success || !slices.Equal(v.Unprocessed, tt.unprocessed) {
			t.Errorf("%+v: %+v", tt, v)
		}
	}
}

func TestNoKey(t *testing.T) {
	t.Parallel()
	_, err := install(t).DescribeKey(t.Context(), "any", nil)
	fault, ok := errors.AsType[*plugin.Error](err)
	if !ok || fault.Code != plugin.CodeValidation || reason.Of(err) != reason.PluginRefused {
		t.Errorf("%v", err)
	}
}

func TestNoCertificate(t *testing.T) {
	t.Parallel()
	for _, chain := range [][][]byte{nil, {[]byte("x")}} {
		request := &plugin.VerifySignatureRequest{Signature: plugin.Signature{CertificateChain: chain}}
		if _, err := (verifier{}).VerifySignature(t.Context(), request); err == nil {
			t.Error("no error")
		}
	}
}

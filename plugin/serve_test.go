package plugin

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// author serves every command, as its functions say.
type author struct {
	envelope func(*GenerateEnvelopeRequest) (*GenerateEnvelopeResponse, error)
	verify   func(*VerifySignatureRequest) (*VerifySignatureResponse, error)
}

func (a author) GenerateEnvelope(_ context.Context, r *GenerateEnvelopeRequest) (*GenerateEnvelopeResponse, error) {
	return a.envelope(r)
}

func (a author) VerifySignature(_ context.Context, r *VerifySignatureRequest) (*VerifySignatureResponse, error) {
	return a.verify(r)
}

func full(t testing.TB) Program {
	t.Helper()
	chain := testpki.New(t, testpki.Options{})
	signer := CryptoSigner{Open: func(context.Context, string, map[string]string) (crypto.Signer, []*x509.Certificate, error) {
		return chain.Key, chain.Certs, nil
	}}
	a := author{
		envelope: func(r *GenerateEnvelopeRequest) (*GenerateEnvelopeResponse, error) {
			return &GenerateEnvelopeResponse{SignatureEnvelope: r.Payload, SignatureEnvelopeType: r.SignatureEnvelopeType}, nil
		},
		verify: func(r *VerifySignatureRequest) (*VerifySignatureResponse, error) {
			return &VerifySignatureResponse{ProcessedAttributes: r.Signature.UnprocessedAttributes}, nil
		},
	}
	return Program{Metadata: goodMetadata("test", all()...), Keys: signer, Raw: signer, Envelope: a, Verifier: a}
}

func run(t testing.TB, p Program, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = p.Run(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	if (code == 0) != (out.Len() > 0) || (code == 0) != (errs.Len() == 0) {
		t.Errorf("exit %d with %q and %q", code, &out, &errs)
	}
	return out.String(), errs.String(), code
}

func TestServe(t *testing.T) {
	t.Parallel()
	p := full(t)
	p.Metadata.SupportedContractVersions = nil
	for _, tt := range []struct {
		command Command
		request string
		want    string // a part of the answer
	}{
		{CommandMetadata, `{}`, `"supportedContractVersions":["1.0"],"capabilities":["SIGNATURE_GENERATOR.RAW",`},
		{CommandMetadata, `{"pluginConfig":null}`, `{"name":"test",`},
		{CommandMetadata, `{"contractVersion":"1.0","pluginConfig":{"a":"b"},"more":1}`, `{"name":"test",`},
		{CommandDescribeKey, `{"contractVersion":"1.0","keyId":"k"}`, `{"keyId":"k","keySpec":"EC-256"}`},
		{CommandGenerateSignature, `{"contractVersion":"1.0","keyId":"k","keySpec":"EC-256","hashAlgorithm":"SHA-256","payload":"AQ=="}`, `"signingAlgorithm":"ECDSA-SHA-256"`},
		{CommandGenerateEnvelope, `{"contractVersion":"1.0","keyId":"k","payload":"AQ==","payloadType":"t","signatureEnvelopeType":"e","expiryDurationInSeconds":5}`, `{"signatureEnvelope":"AQ==","signatureEnvelopeType":"e"}`},
		{CommandVerifySignature, `{"contractVersion":"1.0","signature":{"criticalAttributes":{"expiry":"2024-01-02T03:04:05Z","extendedAttributes":{"a":null}},"unprocessedAttributes":null,"certificateChain":[]},"trustPolicy":{"trustedIdentities":null}}`,
			`{"verificationResults":{},"processedAttributes":[]}`},
	} {
		stdout, stderr, code := run(t, p, tt.request, string(tt.command))
		if code != 0 || !strings.Contains(stdout, tt.want) {
			t.Errorf("%s: %d, %s%s", tt.command, code, stdout, stderr)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args   []string
		stdin  string
		change func(p *Program)
		code   ErrorCode
	}{
		"no command":         {args: nil, code: CodeValidation},
		"two commands":       {args: []string{"describe-key", "x"}, code: CodeValidation},
		"unknown command":    {args: []string{"x"}, stdin: "{}", code: CodeValidation},
		"no request":         {args: []string{"get-plugin-metadata"}, code: CodeValidation},
		"two requests":       {args: []string{"get-plugin-metadata"}, stdin: "{}{}", code: CodeValidation},
		"wrong type":         {args: []string{"describe-key"}, stdin: `{"contractVersion":"1.0","keyId":1}`, code: CodeValidation},
		"no version":         {args: []string{"describe-key"}, stdin: `{"keyId":"k"}`, code: CodeValidation},
		"other version":      {args: []string{"describe-key"}, stdin: `{"contractVersion":"2.0","keyId":{}}`, code: CodeUnsupportedVersion},
		"metadata of others": {args: []string{"get-plugin-metadata"}, stdin: `{"contractVersion":"2.0"}`, code: CodeUnsupportedVersion},
		"long request":       {args: []string{"describe-key"}, stdin: strings.Repeat(" ", maxRequest+1), code: CodeValidation},
		"other key spec":     {args: []string{"generate-signature"}, stdin: `{"contractVersion":"1.0","keyId":"k","keySpec":"RSA-2048","hashAlgorithm":"SHA-256","payload":""}`, code: CodeValidation},
		"not offered": {args: []string{"verify-signature"}, stdin: `{"contractVersion":"1.0"}`, change: func(p *Program) {
			p.Metadata.Capabilities = []Capability{CapabilityRaw}
		}, code: CodeValidation},
		"raw without signer":        {args: []string{"describe-key"}, change: func(p *Program) { p.Raw = nil }, code: CodeError},
		"envelope without signer":   {args: []string{"describe-key"}, change: func(p *Program) { p.Envelope = nil }, code: CodeError},
		"blob without keys":         {args: []string{"describe-key"}, change: func(p *Program) { p.Keys, p.Metadata.Capabilities = nil, []Capability{CapabilityBlobEnvelope} }, code: CodeError},
		"verifier without verifier": {args: []string{"describe-key"}, change: func(p *Program) { p.Verifier = nil }, code: CodeError},
		"bad metadata":              {args: []string{"describe-key"}, change: func(p *Program) { p.Metadata.Version = "1" }, code: CodeError},
		"own error":                 verifying(func() error { return fmt.Errorf("wrapped: %w", &Error{Code: CodeThrottled, Message: "m"}) }, CodeThrottled),
		"error without code":        verifying(func() error { return &Error{Message: "m"} }, CodeError),
		"other error":               verifying(func() error { return errors.New("m") }, CodeError),
		"not UTF-8":                 verifying(func() error { return errors.New("\xff") }, CodeError),
		"deadline":                  verifying(func() error { return fmt.Errorf("m: %w", context.DeadlineExceeded) }, CodeTimeout),
		"panic":                     verifying(func() error { panic("m") }, CodeError),
		"no answer":                 verifying(func() error { return nil }, CodeError),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := full(t)
			if tt.change != nil {
				tt.change(&p)
			}
			_, stderr, code := run(t, p, tt.stdin, tt.args...)
			var fault Error
			if err := json.Unmarshal([]byte(stderr), &fault); err != nil || code != 1 || fault.Code != tt.code || fault.Message == "" {
				t.Errorf("exit %d: %s, want %s", code, stderr, tt.code)
			}
		})
	}
}

type serveCase = struct {
	args   []string
	stdin  string
	change func(p *Program)
	code   ErrorCode
}

func verifying(fail func() error, code ErrorCode) serveCase {
	return serveCase{[]string{"verify-signature"}, `{"contractVersion":"1.0"}`, func(p *Program) {
		p.Verifier = author{verify: func(*VerifySignatureRequest) (*VerifySignatureResponse, error) { return nil, fail() }}
	}, code}
}

func TestServeStreams(t *testing.T) {
	t.Parallel()
	p := full(t)
	var errs bytes.Buffer
	if code := p.Run(t.Context(), []string{"get-plugin-metadata"}, failing{}, io.Discard, &errs); code != 1 || !strings.Contains(errs.String(), "closed pipe") {
		t.Errorf("%d %s", code, &errs)
	}
	errs.Reset()
	if code := p.Run(t.Context(), []string{"get-plugin-metadata"}, strings.NewReader("{}"), failing{}, &errs); code != 1 || !strings.Contains(errs.String(), "closed pipe") {
		t.Errorf("%d %s", code, &errs)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, io.ErrClosedPipe }
func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// fakeKey says it is an EC key and signs as it likes.
type fakeKey struct {
	crypto.Signer
	answer []byte
	err    error
}

func (k fakeKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return k.answer, k.err }

func TestCryptoSigner(t *testing.T) {
	t.Parallel()
	good := testpki.Key(t, "ec-256", 0)
	if _, ok := good.Public().(*ecdsa.PublicKey); !ok {
		t.Fatal("not EC")
	}
	r := &GenerateSignatureRequest{KeyID: "k", KeySpec: "EC-256", HashAlgorithm: "SHA-256"}
	for name, key := range map[string]crypto.Signer{
		"weak":         testpki.WeakKey(t, "ec-224"),
		"fails":        fakeKey{Signer: good, err: io.ErrClosedPipe},
		"no signature": fakeKey{Signer: good, answer: []byte("x")},
		"negative":     fakeKey{Signer: good, answer: []byte{0x30, 6, 2, 1, 0xff, 2, 1, 1}},
		"trailing":     fakeKey{Signer: good, answer: []byte{0x30, 6, 2, 1, 1, 2, 1, 1, 0}},
		"none":         nil,
	} {
		s := CryptoSigner{Open: func(context.Context, string, map[string]string) (crypto.Signer, []*x509.Certificate, error) {
			if key == nil {
				return nil, nil, io.ErrClosedPipe
			}
			return key, nil, nil
		}}
		if _, err := s.GenerateSignature(t.Context(), r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

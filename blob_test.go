package notation_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/timestamp"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
)

// blobPolicy has the statements "everything", which is global, "acme" and "not".
func blobPolicy(t testing.TB) *trust.Policy {
	t.Helper()
	p, err := trust.ParseBlobPolicy("", []byte(`{"version": "1.0", "trustPolicies": [
		{"name": "everything", "globalPolicy": true, "signatureVerification": {"level": "strict"}, "trustStores": ["ca:test"], "trustedIdentities": ["*"]},
		{"name": "acme", "signatureVerification": {"level": "strict"}, "trustStores": ["ca:test"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme"]},
		{"name": "stamped", "signatureVerification": {"level": "strict"}, "trustStores": ["ca:test", "tsa:t"], "trustedIdentities": ["*"]},
		{"name": "not", "signatureVerification": {"level": "skip"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func signBlob(t testing.TB, blob string, chain *testpki.Chain, o notation.SignBlobOptions) notation.SignedBlob {
	t.Helper()
	signed, err := notation.SignBlob(t.Context(), strings.NewReader(blob), signerFor(t, chain), o)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestBlob(t *testing.T) {
	t.Parallel()
	const blob = "what is signed"
	for _, alg := range testpki.Algorithms() {
		for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
			t.Run(alg+" "+mediaType, func(t *testing.T) {
				t.Parallel()
				chain := testpki.New(t, testpki.Options{Algorithm: alg})
				o := notation.SignBlobOptions{BlobMediaType: "text/plain"}
				o.MediaType, o.Metadata = mediaType, map[string]string{"a": "b"}
				signed := signBlob(t, blob, chain, o)
				hash, err := signerFor(t, chain).Algorithm(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := digest.Algorithm(strings.ToLower(strings.ReplaceAll(hash.Hash().String(), "-", ""))).FromString(blob)
				if signed.Blob.Digest != want || signed.Blob.Size != int64(len(blob)) || signed.Blob.MediaType != "text/plain" || signed.MediaType != mediaType {
					t.Errorf("signed %+v", signed.Blob)
				}
				v := verifierFor(t, chain)
				v.Policy, v.Metadata = blobPolicy(t), o.Metadata
				verdict, err := v.VerifyBlob(t.Context(), iotest.OneByteReader(strings.NewReader(blob)), signed.Envelope, notation.VerifyBlobOptions{Name: "file"})
				if err != nil {
					t.Fatal(err)
				}
				if verdict.Outcome != notation.Passed || verdict.Statement != "everything" || verdict.Reference != "file" || verdict.Artifact.Digest != want ||
					verdict.Signatures[0].MediaType != mediaType || verdict.Accepted().Identity != "*" {
					t.Errorf("verdict %+v", verdict)
				}
			})
		}
	}
}

func TestVerifyBlobRefuses(t *testing.T) {
	t.Parallel()
	const blob = "what is signed"
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	good := signBlob(t, blob, chain, notation.SignBlobOptions{}).Envelope
	boom := errors.New("boom")
	for _, tt := range []struct {
		name      string
		blob      io.Reader // nil: it must not be read
		signature []byte
		o         notation.VerifyBlobOptions
		is        error
		code      reason.Code
	}{
		{"other content", strings.NewReader("what was not"), good, notation.VerifyBlobOptions{}, notation.ErrRejected, reason.VerifyOtherArtifact},
		{"more content", strings.NewReader(blob + "\n"), good, notation.VerifyBlobOptions{}, notation.ErrRejected, reason.VerifyOtherArtifact},
		{"no content", strings.NewReader(""), good, notation.VerifyBlobOptions{}, notation.ErrRejected, reason.VerifyOtherArtifact},
		{"media type", strings.NewReader(blob), good, notation.VerifyBlobOptions{MediaType: "text/plain"}, notation.ErrRejected, reason.VerifyOtherArtifact},
		{"cannot be read", iotest.ErrReader(boom), good, notation.VerifyBlobOptions{}, notation.ErrUndecided, reason.VerifyBlob},
		{"stranger", strings.NewReader(blob), signBlob(t, blob, stranger, notation.SignBlobOptions{}).Envelope, notation.VerifyBlobOptions{}, notation.ErrRejected, reason.VerifyRootUntrusted},
		{"statement by name", strings.NewReader(blob), good, notation.VerifyBlobOptions{Statement: "acme"}, notation.ErrRejected, reason.VerifyIdentityUntrusted},
		{"no such statement", nil, good, notation.VerifyBlobOptions{Statement: "none"}, notation.ErrRejected, reason.PolicyNoStatement},
		{"skip", nil, good, notation.VerifyBlobOptions{Statement: "not"}, notation.ErrSkipped, reason.VerifySkippedByPolicy},
		{"no envelope", nil, []byte("hello"), notation.VerifyBlobOptions{}, notation.ErrRejected, reason.VerifyEnvelopeType},
		{"nothing", nil, nil, notation.VerifyBlobOptions{}, notation.ErrRejected, reason.VerifyEnvelopeType},
		{"other envelope type", nil, good, notation.VerifyBlobOptions{EnvelopeType: envelope.MediaTypeCOSE}, notation.ErrRejected, ""},
		{"unknown envelope type", nil, good, notation.VerifyBlobOptions{EnvelopeType: "text/plain"}, notation.ErrRejected, reason.EnvelopeMediaType},
		{"broken signature", nil, bytes.Replace(good, []byte(`"signature":"`), []byte(`"signature":"AAAA`), 1), notation.VerifyBlobOptions{}, notation.ErrRejected, reason.EnvelopeSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := verifierFor(t, chain)
			v.Policy = blobPolicy(t)
			if tt.blob == nil {
				tt.blob = iotest.ErrReader(errors.New("it was read"))
			}
			verdict, err := v.VerifyBlob(t.Context(), tt.blob, tt.signature, tt.o)
			if tt.code == "" {
				tt.code = reason.Of(err)
			}
			checkRefusal(t, verdict, err, tt.is, tt.code)
		})
	}
}

func TestVerifyBlobWithout(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	signed := signBlob(t, "x", chain, notation.SignBlobOptions{})
	for name, v := range map[string]*notation.Verifier{
		"nothing":            nil,
		"policy":             {},
		"blob policy":        verifierFor(t, chain),
		"blob policy either": {Policy: policy(t, "strict", ""), Stores: verifierFor(t, chain).Stores},
	} {
		if verdict, err := v.VerifyBlob(t.Context(), strings.NewReader("x"), signed.Envelope, notation.VerifyBlobOptions{}); !errors.Is(err, notation.ErrRejected) || verdict.Outcome == notation.Passed {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := &notation.Verifier{Policy: blobPolicy(t), Stores: trust.NewMemoryStores(nil)}
	verdict, err := empty.VerifyBlob(t.Context(), iotest.ErrReader(errors.New("it was read")), signed.Envelope, notation.VerifyBlobOptions{})
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.StoreNotFound)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := verifierFor(t, chain)
	v.Policy = blobPolicy(t)
	verdict, err = v.VerifyBlob(t.Context(), nil, signed.Envelope, notation.VerifyBlobOptions{})
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.VerifyBlob)
	verdict, err = v.VerifyBlob(ctx, strings.NewReader("x"), signed.Envelope, notation.VerifyBlobOptions{})
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.VerifyBlob)
}

func TestSignBlobFails(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	boom := errors.New("boom")
	tsa := newTSA(t, time.Now(), testpki.Options{})
	for _, tt := range []struct {
		name string
		blob io.Reader
		key  signer.Signer
		o    notation.SignBlobOptions
		code reason.Code
	}{
		{"cannot be read", iotest.ErrReader(boom), signerFor(t, chain), notation.SignBlobOptions{}, reason.SignBlob},
		{"nothing to read", nil, signerFor(t, chain), notation.SignBlobOptions{}, reason.SignBlob},
		{"no key", strings.NewReader("x"), nil, notation.SignBlobOptions{}, reason.SignerKeyMissing},
		{"half a media type", strings.NewReader("x"), signerFor(t, chain), notation.SignBlobOptions{BlobMediaType: "text"}, reason.SignBlob},
		{"media type", strings.NewReader("x"), signerFor(t, chain), notation.SignBlobOptions{BlobMediaType: "text/plain; x"}, reason.SignBlob},
		{"expiry", strings.NewReader("x"), signerFor(t, chain), notation.SignBlobOptions{SignOptions: notation.SignOptions{Expiry: -1}}, reason.SignExpiry},
		{"time stamp", strings.NewReader("x"), signerFor(t, chain), notation.SignBlobOptions{SignOptions: notation.SignOptions{
			Timestamp: &timestamp.Client{URLs: []string{"ftp://tsa.example"}, Roots: []*x509.Certificate{tsa.Root()}}}}, reason.TimestampURL},
		{"algorithm", strings.NewReader("x"), blobKey{algorithm: boom}, notation.SignBlobOptions{}, ""},
		{"signer", strings.NewReader("x"), blobKey{sign: boom}, notation.SignBlobOptions{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			signed, err := notation.SignBlob(t.Context(), tt.blob, tt.key, tt.o)
			if err == nil || reason.Of(err) != tt.code || signed.Envelope != nil || tt.code == "" && !errors.Is(err, boom) {
				t.Errorf("%v (%s), want %s", err, reason.Of(err), tt.code)
			}
		})
	}
}

// blobKey signs blobs in a way of its own.
type blobKey struct {
	signer.Signer
	algorithm, sign error
}

func (k blobKey) Algorithm(context.Context) (envelope.Algorithm, error) {
	return envelope.ECDSASHA256, k.algorithm
}

func (k blobKey) SignBlob(context.Context, envelope.Request) (signer.Result, error) {
	return signer.Result{}, k.sign
}

func TestBlobWithTimestamp(t *testing.T) {
	t.Parallel()
	now := time.Now()
	chain, tsa := testpki.New(t, testpki.Options{}), newTSA(t, now, testpki.Options{})
	address, _ := serve(t, tsa)
	o := notation.SignBlobOptions{}
	o.Timestamp = &timestamp.Client{URLs: []string{address}, Roots: []*x509.Certificate{tsa.Root()}}
	signed := signBlob(t, "x", chain, o)
	v := at(stampVerifier(t, strictly, chain, tsa.Chain), now.AddDate(20, 0, 0))
	v.Policy = blobPolicy(t)
	verdict, err := v.VerifyBlob(t.Context(), strings.NewReader("x"), signed.Envelope, notation.VerifyBlobOptions{Statement: "stamped"})
	if err != nil || verdict.Accepted().Timestamp == nil || signed.Timestamp == nil {
		t.Errorf("%v: %+v", err, verdict)
	}
	if verdict.Reference != string(signed.Blob.Digest) {
		t.Errorf("reference %q", verdict.Reference)
	}
}

// endless is a reader of n zero bytes.
func endless(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// BenchmarkBlob signs and verifies 64 MiB; see BenchmarkHashing.
func BenchmarkBlob(b *testing.B) {
	const size = 64 << 20
	chain := testpki.New(b, testpki.Options{})
	v := verifierFor(b, chain)
	v.Policy = blobPolicy(b)
	signed, err := notation.SignBlob(b.Context(), endless(size), signerFor(b, chain), notation.SignBlobOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("sign", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := notation.SignBlob(b.Context(), endless(size), signerFor(b, chain), notation.SignBlobOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.VerifyBlob(b.Context(), endless(size), signed.Envelope, notation.VerifyBlobOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare hash", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := io.Copy(digest.SHA256.Hash(), endless(size)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The digest algorithm of a blob is that of the key: a weaker one would make the
// signature worth less than it looks.
//
// attack: ENV-10
func TestBlobDigestAlgorithm(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Algorithm: "ec-521"})
	for _, algorithm := range []digest.Algorithm{digest.SHA256, digest.SHA384, digest.SHA512} {
		env := seal(t, chain, envelope.Request{Target: oci.Descriptor{MediaType: "text/plain", Digest: algorithm.FromString("x"), Size: 1}})
		v := verifierFor(t, chain)
		v.Policy = blobPolicy(t)
		verdict, err := v.VerifyBlob(t.Context(), strings.NewReader("x"), env, notation.VerifyBlobOptions{})
		if algorithm == digest.SHA512 {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyBlobDigest)
		if verdict.Signatures[0].Subject == "" {
			t.Errorf("%+v names no signer", verdict.Signatures[0])
		}
	}
}

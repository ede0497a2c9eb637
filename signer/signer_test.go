package signer_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
)

func request(mediaType string) envelope.Request {
	content := []byte("artifact")
	return envelope.Request{
		MediaType:   mediaType,
		Target:      envelope.Descriptor{MediaType: "application/octet-stream", Digest: digest.FromBytes(content), Size: int64(len(content))},
		SigningTime: time.Now(),
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for _, algorithm := range testpki.Algorithms() {
		for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
			t.Run(algorithm+" "+mediaType, func(t *testing.T) {
				t.Parallel()
				chain := testpki.New(t, testpki.Options{Algorithm: algorithm})
				s, err := signer.New(chain.Key, chain.Certs)
				if err != nil {
					t.Fatal(err)
				}
				env, err := s.Sign(t.Context(), request(mediaType))
				if err != nil {
					t.Fatal(err)
				}
				u, err := envelope.Parse(mediaType, env.Envelope)
				if err != nil {
					t.Fatal(err)
				}
				v, err := u.Verify()
				if err != nil {
					t.Fatal(err)
				}
				want, err := envelope.AlgorithmFor(chain.Key.Public())
				if got, algErr := s.Algorithm(t.Context()); err != nil || algErr != nil || got != want || v.Content().Algorithm != want {
					t.Errorf("algorithm %s, want %s", v.Content().Algorithm, want)
				}
			})
		}
	}
}

// fakeKey is a crypto.Signer that answers as it is told.
type fakeKey struct {
	public crypto.PublicKey
	sign   func(digest []byte, o crypto.SignerOpts) ([]byte, error)
}

func (k fakeKey) Public() crypto.PublicKey { return k.public }

func (k fakeKey) Sign(_ io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return k.sign(digest, o)
}

// attack: CRT-02
// attack: KEY-04
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := testpki.New(t, testpki.Options{})
	other := testpki.New(t, testpki.Options{KeySet: 1})
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := good.Certs
	swapped := testpki.New(t, testpki.Options{Length: 4})
	for _, tt := range []struct {
		name  string
		key   crypto.Signer
		chain []*x509.Certificate
		code  reason.Code
		hint  string
	}{
		{"no key", nil, c, reason.SignerKeyMissing, ""},
		{"no chain", good.Key, nil, reason.SignerCertificates, "Give the certificate of the key and its chain up to the root."},
		{"nil certificate", good.Key, []*x509.Certificate{c[0], nil}, reason.SignerCertificates, "Give the certificate of the key and its chain up to the root."},
		{"Ed25519", edKey, c, reason.SignerKeyAlgorithm, "Use RSA of 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521."},
		{"other key", other.Key, c, reason.SignerKeyMismatch, "It belongs to no certificate of the chain; use the key that the first certificate was issued for."},
		{"leaf last", good.Key, []*x509.Certificate{c[2], c[1], c[0]}, reason.SignerKeyMismatch, "The key belongs to certificate 3; put that one first, each issuer after what it issued."},
		{"out of order", good.Key, []*x509.Certificate{c[0], c[2], c[1]}, reason.SignerChain, "Put the certificates in this order: 1, 3, 2."},
		{"out of order, longer", swapped.Key, []*x509.Certificate{swapped.Certs[0], swapped.Certs[2], swapped.Certs[3], swapped.Certs[1]}, reason.SignerChain, "Put the certificates in this order: 1, 4, 2, 3."},
		{"root missing", good.Key, c[:2], reason.SignerChain, "The issuer of certificate 2 is missing; append the certificates up to the self-signed root."},
		{"gap", good.Key, []*x509.Certificate{c[0], c[2]}, reason.SignerChain, "The issuer of certificate 1 is missing; append the certificates up to the self-signed root."},
		{"stranger", good.Key, append(c[:3:3], other.Certs[0]), reason.SignerChain, "Remove the certificates that are not on the way from the first one to its root."},
		{"a CA as leaf", good.Keys[1], c[1:], reason.SignerChain, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := signer.New(tt.key, tt.chain)
			if s != nil || reason.Of(err) != tt.code {
				t.Fatalf("%v, %v", s, err)
			}
			if hint := reason.Hint(err); tt.hint != "" && hint != tt.hint {
				t.Errorf("hint %q", hint)
			}
		})
	}
}

// attack: KEY-04
func TestWeakKey(t *testing.T) {
	t.Parallel()
	key := fakeKey{public: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}}
	if _, err := signer.New(key, testpki.New(t, testpki.Options{}).Certs); reason.Of(err) != reason.SignerKeyAlgorithm {
		t.Error(err)
	}
}

func TestSigningTime(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	s, err := signer.New(chain.Key, chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{{}, time.Now().Add(-48 * time.Hour), time.Now().Add(48 * time.Hour)} {
		r := request(envelope.MediaTypeJWS)
		r.SigningTime = at
		if _, err := s.Sign(t.Context(), r); reason.Of(err) != reason.SignerCertificateTime {
			t.Errorf("%s: %v", at, err)
		}
	}
	r := request("text/plain")
	if _, err := s.Sign(t.Context(), r); reason.Of(err) != reason.EnvelopeMediaType {
		t.Error(err)
	}
}

// TestChainIsCopied changes the caller's slice after New.
func TestChainIsCopied(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	certs := append([]*x509.Certificate(nil), chain.Certs...)
	s, err := signer.New(chain.Key, certs)
	if err != nil {
		t.Fatal(err)
	}
	certs[0] = nil
	if _, err := s.Sign(t.Context(), request(envelope.MediaTypeCOSE)); err != nil {
		t.Error(err)
	}
}

// attack: ENV-09
// attack: KEY-05
func TestLyingKey(t *testing.T) {
	t.Parallel()
	ec := testpki.New(t, testpki.Options{})
	rsaChain := testpki.New(t, testpki.Options{Algorithm: "rsa-2048"})
	encode := func(r, s *big.Int) []byte {
		raw, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	n := elliptic.P256().Params().N
	boom := errors.New("boom")
	for _, tt := range []struct {
		name   string
		chain  *testpki.Chain
		answer []byte
		err    error
		code   reason.Code
	}{
		{"error", ec, nil, boom, reason.SignerFailed},
		{"empty", ec, nil, nil, reason.SignerInvalidSignature},
		{"raw instead of DER", ec, make([]byte, 64), nil, reason.SignerInvalidSignature},
		{"trailing byte", ec, append(encode(big.NewInt(1), big.NewInt(1)), 0), nil, reason.SignerInvalidSignature},
		{"r zero", ec, encode(new(big.Int), big.NewInt(1)), nil, reason.SignerInvalidSignature},
		{"s negative", ec, encode(big.NewInt(1), big.NewInt(-1)), nil, reason.SignerInvalidSignature},
		{"r too wide", ec, encode(new(big.Int).Lsh(n, 8), big.NewInt(1)), nil, reason.SignerInvalidSignature},
		{"s is n", ec, encode(big.NewInt(1), n), nil, reason.EnvelopeSignature},
		{"not of this message", ec, encode(big.NewInt(1), big.NewInt(1)), nil, reason.EnvelopeSignature},
		{"RSA garbage", rsaChain, make([]byte, 256), nil, reason.EnvelopeSignature},
		{"RSA empty", rsaChain, nil, nil, reason.SignerInvalidSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key := fakeKey{tt.chain.Key.Public(), func([]byte, crypto.SignerOpts) ([]byte, error) { return tt.answer, tt.err }}
			s, err := signer.New(key, tt.chain.Certs)
			if err != nil {
				t.Fatal(err)
			}
			env, err := s.Sign(t.Context(), request(envelope.MediaTypeJWS))
			if env.Envelope != nil || reason.Of(err) != tt.code {
				t.Errorf("%s: %v", reason.Of(err), err)
			}
			if tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("%v lost its cause", err)
			}
		})
	}
}

// TestBlockingKey ends ctx while the key waits for something that never comes.
//
// attack: KEY-05
func TestBlockingKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain := testpki.New(t, testpki.Options{})
		never := make(chan struct{})
		asked := 0
		s, err := signer.New(fakeKey{chain.Key.Public(), func([]byte, crypto.SignerOpts) ([]byte, error) {
			asked++
			<-never
			return nil, errors.New("too late")
		}}, chain.Certs)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 { // the second time, ctx has ended before
			_, err = s.Sign(ctx, request(envelope.MediaTypeJWS))
			if reason.Of(err) != reason.SignerInterrupted || !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		close(never)
		synctest.Wait()
		if asked != 1 {
			t.Errorf("the key was asked %d times", asked)
		}
	})
}

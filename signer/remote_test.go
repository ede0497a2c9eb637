package signer_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
)

// vault holds a key that never leaves it: a goroutine owns it, and answers.
type vault struct {
	public crypto.PublicKey
	asks   chan ask
	hangs  bool
}

type ask struct {
	digest []byte
	opts   crypto.SignerOpts
	answer chan<- answered
}

type answered struct {
	signature []byte
	err       error
}

func newVault(t *testing.T, key crypto.Signer) *vault {
	t.Helper()
	v := &vault{public: key.Public(), asks: make(chan ask)}
	ctx := t.Context()
	go func() {
		for {
			select {
			case a := <-v.asks:
				signature, err := key.Sign(rand.Reader, a.digest, a.opts)
				a.answer <- answered{signature, err}
			case <-ctx.Done():
				return
			}
		}
	}()
	return v
}

func (v *vault) Public() crypto.PublicKey { return v.public }

func (v *vault) SignDigest(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if v.hangs {
		<-ctx.Done()
		return nil, errors.New("the vault did not answer in time")
	}
	answer := make(chan answered, 1)
	select {
	case v.asks <- ask{digest, opts, answer}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a := <-answer
	return a.signature, a.err
}

// TestRemoteKey signs with a key of each kind that never leaves its vault.
func TestRemoteKey(t *testing.T) {
	t.Parallel()
	for _, algorithm := range testpki.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			chain := testpki.New(t, testpki.Options{Algorithm: algorithm})
			s, err := signer.NewRemote(newVault(t, chain.Key), chain.Certs)
			if err != nil {
				t.Fatal(err)
			}
			for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
				made, err := s.Sign(t.Context(), request(mediaType))
				if err != nil {
					t.Fatal(err)
				}
				u, err := envelope.Parse(mediaType, made.Envelope)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := u.Verify(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

type contextKey struct{}

// asked is a remote key that looks at what it is given.
type asked struct {
	crypto.Signer
	look func(ctx context.Context, opts crypto.SignerOpts)
}

func (k asked) SignDigest(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	k.look(ctx, opts)
	return k.Sign(rand.Reader, digest, opts)
}

// TestRemoteKeySeesContext passes deadline and values of the context on, and
// asks for PSS.
func TestRemoteKeySeesContext(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Algorithm: "rsa-2048"})
	deadline := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(context.WithValue(t.Context(), contextKey{}, "mine"), deadline)
	defer cancel()
	looked := false
	s, err := signer.NewRemote(asked{chain.Key, func(ctx context.Context, opts crypto.SignerOpts) {
		looked = true
		if d, ok := ctx.Deadline(); !ok || !d.Equal(deadline) || ctx.Value(contextKey{}) != "mine" {
			t.Errorf("the key was given another context")
		}
		if pss, ok := opts.(*rsa.PSSOptions); !ok || pss.Hash != crypto.SHA256 || pss.SaltLength != rsa.PSSSaltLengthEqualsHash && pss.SaltLength != 32 {
			t.Errorf("the key was asked for %+v", opts)
		}
	}}, chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(ctx, request(envelope.MediaTypeJWS)); err != nil || !looked {
		t.Error(looked, err)
	}
}

// TestRemoteKeyTimesOut ends with the context, also if the key says so in words
// of its own.
//
// attack: KEY-05
func TestRemoteKeyTimesOut(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}) // a bubble begins in 2000
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, chain.Key)
		v.hangs = true
		s, err := signer.NewRemote(v, chain.Certs)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.Sign(ctx, request(envelope.MediaTypeJWS))
		if reason.Of(err) != reason.SignerInterrupted || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

// liar is a remote key that answers as it is told, and may change its public key.
type liar struct {
	publics []crypto.PublicKey // one after the other, the last for good
	sign    func(digest []byte) ([]byte, error)
}

func (k *liar) Public() crypto.PublicKey {
	public := k.publics[0]
	if len(k.publics) > 1 {
		k.publics = k.publics[1:]
	}
	return public
}

func (k *liar) SignDigest(_ context.Context, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return k.sign(digest)
}

// TestRemoteKeyLies has a remote key answer with anything but a signature of its
// own over what it was asked to sign. Nothing is made of that.
//
// attack: KEY-05
func TestRemoteKeyLies(t *testing.T) {
	t.Parallel()
	ec, other, weak := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{KeySet: 1}), testpki.New(t, testpki.Options{Algorithm: "rsa-2048"})
	key := weak.Key.(*rsa.PrivateKey)
	by := func(key crypto.Signer, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return key.Sign(rand.Reader, digest, opts)
	}
	for name, tt := range map[string]struct {
		chain *testpki.Chain
		then  crypto.PublicKey // what it says is its public key, when it has been accepted
		sign  func(digest []byte) ([]byte, error)
		code  reason.Code
	}{
		"another key":        {ec, nil, func(d []byte) ([]byte, error) { return by(other.Key, d, crypto.SHA256) }, reason.EnvelopeSignature},
		"another content":    {ec, nil, func(d []byte) ([]byte, error) { d[0] ^= 1; return by(ec.Key, d, crypto.SHA256) }, reason.EnvelopeSignature},
		"nothing":            {ec, nil, func([]byte) ([]byte, error) { return nil, nil }, reason.SignerInvalidSignature},
		"an error":           {ec, nil, func([]byte) ([]byte, error) { return nil, errors.New("no") }, reason.SignerFailed},
		"panics":             {ec, nil, func([]byte) ([]byte, error) { panic("at the \x1b[31mvault") }, reason.SignerFailed},
		"ends its goroutine": {ec, nil, func([]byte) ([]byte, error) { runtime.Goexit(); return nil, nil }, reason.SignerFailed},
		"PKCS #1 v1.5":       {weak, nil, func(d []byte) ([]byte, error) { return by(key, d, crypto.SHA256) }, reason.EnvelopeSignature},
		"another salt": {weak, nil, func(d []byte) ([]byte, error) {
			return by(key, d, &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256})
		}, reason.EnvelopeSignature},
		"a longer one":    {weak, nil, func([]byte) ([]byte, error) { return make([]byte, 1<<20), nil }, reason.SignerInvalidSignature},
		"becomes another": {ec, other.Key.Public(), func(d []byte) ([]byte, error) { return by(other.Key, d, crypto.SHA256) }, reason.EnvelopeSignature},
		"becomes RSA":     {ec, weak.Key.Public(), func(d []byte) ([]byte, error) { return by(key, d, crypto.SHA256) }, reason.SignerInvalidSignature},
		"becomes nothing": {ec, ed25519.PublicKey{}, func([]byte) ([]byte, error) { return nil, nil }, reason.SignerInvalidSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &liar{publics: []crypto.PublicKey{tt.chain.Key.Public()}, sign: tt.sign}
			if tt.then != nil {
				k.publics = append(k.publics, tt.then)
			}
			s, err := signer.NewRemote(k, tt.chain.Certs)
			if err != nil {
				t.Fatal(err)
			}
			made, err := s.Sign(t.Context(), request(envelope.MediaTypeJWS))
			if made.Envelope != nil || reason.Of(err) != tt.code || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%s: %v", reason.Of(err), err)
			}
		})
	}
}

func TestNewRemoteRefuses(t *testing.T) {
	t.Parallel()
	one, two := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{KeySet: 1})
	if _, err := signer.NewRemote(nil, one.Certs); reason.Of(err) != reason.SignerKeyMissing {
		t.Error(err)
	}
	if _, err := signer.NewRemote(newVault(t, one.Key), two.Certs); reason.Of(err) != reason.SignerKeyMismatch {
		t.Error(err)
	}
}

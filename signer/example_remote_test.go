package signer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
)

// KMS stands for the client of a key management service, as its maker provides
// it. Keys are named, and never leave the service.
type KMS struct{ keys map[string]*ecdsa.PrivateKey }

func (k *KMS) PublicKey(name string) *ecdsa.PublicKey { return &k.keys[name].PublicKey }

func (k *KMS) Sign(ctx context.Context, name string, digest []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return ecdsa.SignASN1(rand.Reader, k.keys[name], digest)
}

// KMSKey is all that it takes to sign with such a service: one key of it as a
// [signer.RemoteKey].
type KMSKey struct {
	Client *KMS
	Name   string
}

// Public implements [signer.RemoteKey].
func (k KMSKey) Public() crypto.PublicKey { return k.Client.PublicKey(k.Name) }

// SignDigest implements [signer.RemoteKey].
func (k KMSKey) SignDigest(ctx context.Context, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return k.Client.Sign(ctx, k.Name, digest)
}

// A key of a key management service signs in this process, through the client of
// the service.
func ExampleNewRemote() {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	kms := &KMS{keys: map[string]*ecdsa.PrivateKey{"release": key}}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"wabbit-networks.io"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}

	s, err := signer.NewRemote(KMSKey{kms, "release"}, []*x509.Certificate{cert})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // reaches the service
	defer cancel()
	file := []byte("what is to be signed")
	made, err := s.Sign(ctx, envelope.Request{
		MediaType:   envelope.MediaTypeJWS,
		Target:      envelope.Descriptor{MediaType: "text/plain", Digest: digest.SHA384.FromBytes(file), Size: int64(len(file))},
		SigningTime: time.Now(),
	})
	if err != nil {
		log.Fatal(err)
	}
	parsed, err := envelope.Parse(envelope.MediaTypeJWS, made.Envelope)
	if err != nil {
		log.Fatal(err)
	}
	verified, err := parsed.Verify()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verified.Content().Algorithm)
	// Output: ECDSA-SHA-384
}

package signer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"time"

	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/signer"
)

// Any crypto.Signer will do: one in memory as here, or one that stands for a
// key in a hardware module.
func ExampleNew() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"wabbit-networks.io"}},
		NotBefore:    time.Now(),
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

	s, err := signer.New(key, []*x509.Certificate{cert})
	if err != nil {
		log.Fatal(err)
	}
	algorithm, err := s.Algorithm(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(algorithm)
	// Output: ECDSA-SHA-256
}

// A plugin that is installed signs with a key that it knows by an id.
func ExampleFromPlugin() {
	ctx := context.Background()
	p, err := plugin.NewHost("/home/alice/.config/notation/plugins").Get(ctx, "com.example.keys")
	if err != nil {
		log.Fatal(err)
	}
	s, err := signer.FromPlugin(p, "projects/wabbit/keys/release", map[string]string{"region": "eu-1"})
	if err != nil {
		log.Fatal(err)
	}
	algorithm, err := s.Algorithm(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(algorithm)
}

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/notaryv2/notation/signer"
)

// authority is a key with a chain of three certificates, all P-256, which is
// what other tools sign with by default. It is made anew for each run.
type authority struct {
	key    *ecdsa.PrivateKey
	chain  []*x509.Certificate // leaf first
	signer signer.Signer

	keyFile, chainFile, rootFile string
}

// newAuthority makes one and writes its files into dir.
func newAuthority(dir string) (*authority, error) {
	a := &authority{
		keyFile:   filepath.Join(dir, "bench.key"),
		chainFile: filepath.Join(dir, "bench.crt"),
		rootFile:  filepath.Join(dir, "root.crt"),
	}
	rootKey, root, err := issue("bench root", nil, nil)
	if err != nil {
		return nil, err
	}
	middleKey, middle, err := issue("bench intermediate", rootKey, root)
	if err != nil {
		return nil, err
	}
	key, leaf, err := issue("bench", middleKey, middle)
	if err != nil {
		return nil, err
	}
	a.key, a.chain = key, []*x509.Certificate{leaf, middle, root}
	if a.signer, err = signer.New(key, a.chain); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var chain []byte
	for _, c := range a.chain {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return a, errors.Join(
		os.WriteFile(a.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600),
		os.WriteFile(a.chainFile, chain, 0o600),
		os.WriteFile(a.rootFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), 0o600),
	)
}

// issue makes a key and its certificate, which is a root if there is no issuer,
// and signs code if the issuer is no root.
func issue(name string, issuerKey *ecdsa.PrivateKey, issuer *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"bench"}, CommonName: name},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(7 * 24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	parent := issuer
	if issuer == nil {
		issuerKey, parent = key, template
	} else if issuer.CheckSignatureFrom(issuer) == nil {
		template.MaxPathLenZero = true
	} else {
		template.IsCA, template.KeyUsage = false, x509.KeyUsageDigitalSignature
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, issuerKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return key, cert, err
}

// verifyOperations times the public-key operations of verifying one signature
// of the chain, and nothing else. The root is trusted for what it is, so that
// its own signature need not be looked at.
func (a *authority) verifyOperations() (time.Duration, error) {
	digest := sha256.Sum256([]byte("any message costs the same"))
	signature, err := a.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return 0, err
	}
	return repeat(func() error {
		ok := ecdsa.VerifyASN1(&a.key.PublicKey, digest[:], signature)
		for i, cert := range a.chain[:len(a.chain)-1] {
			issuer := a.chain[i+1].PublicKey.(*ecdsa.PublicKey)
			sum := sha256.Sum256(cert.RawTBSCertificate)
			ok = ok && ecdsa.VerifyASN1(issuer, sum[:], cert.Signature)
		}
		if !ok {
			return errors.New("the chain made for this run does not verify")
		}
		return nil
	})
}

// signOperation times one signature.
func (a *authority) signOperation() (time.Duration, error) {
	digest := sha256.Sum256([]byte("any message costs the same"))
	return repeat(func() error {
		_, err := a.key.Sign(rand.Reader, digest[:], crypto.SHA256)
		return err
	})
}

// repeat returns what f takes, as a mean over operationTime.
func repeat(f func() error) (time.Duration, error) {
	begin, n := time.Now(), 0
	for time.Since(begin) < operationTime {
		if err := f(); err != nil {
			return 0, err
		}
		n++
	}
	return time.Since(begin) / time.Duration(n), nil
}

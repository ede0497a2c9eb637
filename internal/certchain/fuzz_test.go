package certchain

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

// FuzzChainCheck takes a good chain, overwrites some bytes of one of its
// certificates and cuts it. No signature covers a changed certificate, so none
// but the unchanged chain may pass.
func FuzzChainCheck(f *testing.F) {
	good := readPEM(f, "ec-256") // the same bytes in each run
	f.Add(uint8(0), uint16(0), []byte(nil), uint16(0xffff))
	f.Add(uint8(0), uint16(4), []byte{0x31}, uint16(0xffff))
	f.Add(uint8(1), uint16(100), []byte{0xff, 0xff}, uint16(0xffff))
	f.Add(uint8(2), uint16(300), []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, uint16(0xffff))
	f.Add(uint8(2), uint16(0), []byte(nil), uint16(200))
	f.Fuzz(func(t *testing.T, position uint8, offset uint16, bytes []byte, length uint16) {
		at := int(position) % len(good)
		cert := append([]byte(nil), good[at]...)
		copy(cert[int(offset)%len(cert):], bytes)
		cert = cert[:min(int(length), len(cert))]
		der := [][]byte{good[0], good[1], good[2]}
		der[at] = cert

		chain, err := Parse(der)
		if err != nil {
			checkError(t, err)
			return
		}
		checkChain(t, chain, string(cert) == string(good[at]))
	})
}

// FuzzParseCertificate takes any bytes as the one certificate of a chain.
func FuzzParseCertificate(f *testing.F) {
	leaf := testpki.New(f, testpki.Options{Length: 1}).Leaf()
	f.Add(leaf.Raw)
	f.Add(signed(f, func(r *testpki.Raw) { r.Serial = []byte{0xff} }))
	f.Add(signed(f, func(r *testpki.Raw) { r.Extensions = append(r.Extensions, r.Extensions[0]) }))
	f.Add(signed(f, func(r *testpki.Raw) { r.SPKI = testpki.WeakSPKI(f, "ec-256-explicit") }))
	f.Add(withExtension(0, subtreeOf(0xa0, 0xa4, testpki.Name()))(f, testpki.Options{})[0].Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		chain, err := Parse([][]byte{der})
		if err != nil {
			checkError(t, err)
			return
		}
		if err := Check(chain, CodeSigning); err != nil {
			checkError(t, err)
		}
		// As an issuer, too.
		if err := Check([]*x509.Certificate{leaf, chain[0]}, TimeStamping); err == nil {
			t.Error("a leaf for code signing passes for time stamping")
		}
	})
}

func checkChain(t *testing.T, chain []*x509.Certificate, unchanged bool) {
	t.Helper()
	for _, profile := range profiles {
		err := Check(chain, profile)
		if (err == nil) != (unchanged && profile == CodeSigning) {
			t.Errorf("unchanged %v, profile %d: %v", unchanged, profile, err)
		}
		if err != nil {
			checkError(t, err)
		}
	}
	if err := ValidAt(chain, time.Time{}); err != nil {
		checkError(t, err)
	}
}

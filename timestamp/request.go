package timestamp

import (
	"crypto"
	"crypto/rand"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/notaryv2/notation/reason"
)

// newNonce returns a random positive number of 63 bits. RFC 3161 section 2.4.1
// proposes 64; one less fits authorities that read it into a signed integer.
func newNonce() *big.Int {
	var octets [8]byte
	_, _ = rand.Read(octets[:]) // never fails
	octets[0] &= 0x7f
	octets[len(octets)-1] |= 1 // not 0
	return new(big.Int).SetBytes(octets[:])
}

// encodeRequest returns a TimeStampReq (RFC 3161 section 2.4.1) that asks for
// a token with certificates. An empty policy leaves the choice to the
// authority.
func encodeRequest(digest []byte, hash crypto.Hash, policy oid, nonce *big.Int) ([]byte, error) {
	var b cryptobyte.Builder
	addOID := func(b *cryptobyte.Builder, id oid) {
		b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(id)) })
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1) // version
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addOID(b, digestOID(hash))
				b.AddASN1NULL() // absent is right too, but not known to every authority
			})
			b.AddASN1OctetString(digest)
		})
		if policy != "" {
			addOID(b, policy)
		}
		b.AddASN1BigInt(nonce)
		b.AddASN1Boolean(true) // certReq
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, reason.Wrap(reason.TimestampRequest, err, "the time-stamp request cannot be encoded")
	}
	return der, nil
}

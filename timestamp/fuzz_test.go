package timestamp_test

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/timestamp"
)

// FuzzToken holds for every input: no panic, a typed error or a token that
// reads the same again, and no token that verifies but says something else than
// the authority signed.
func FuzzToken(f *testing.F) {
	tsa := newTSA(f, testpki.Options{})
	f.Add(tsa.Stamp(f, message, crypto.SHA256))
	f.Add(bent(f, tsa, func(k *testpki.Token) {
		k.Info.Nonce, k.Info.Name = serialOf(1), testpki.DER(0xa4, tsa.Leaf().RawSubject)
		k.Info.Accuracy = testpki.Accuracy(1, 2, 3)
		k.Info.Extensions = [][]byte{extension("1.2.3", false)}
		k.Certificates = nil
	}))
	rsa := newTSA(f, testpki.Options{Algorithm: "rsa-2048"})
	rsa.PSS = true
	f.Add(rsa.Stamp(f, message, crypto.SHA256))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := timestamp.Parse(data)
		if err != nil {
			if reason.Of(err) == "" {
				t.Fatalf("%q has no reason", err)
			}
			return
		}
		earliest, latest := u.Claims().Range()
		if latest.Before(earliest) {
			t.Fatalf("from %v to %v", earliest, latest)
		}
		again, err := timestamp.Parse(data)
		if err != nil || !again.Claims().Time.Equal(u.Claims().Time) {
			t.Fatal("it reads otherwise again")
		}
		v, err := u.Verify(message, tsa.Certs[2:])
		if err != nil {
			if reason.Of(err) == "" {
				t.Fatalf("%q has no reason", err)
			}
			return
		}
		if !sameMeaning(v, tsa) && !bytes.Equal(v.Token(), data) {
			t.Fatalf("%x verifies", data)
		}
	})
}

// FuzzResponse holds for every input: no panic, a typed error or a token that
// stands in the reply as it is.
func FuzzResponse(f *testing.F) {
	tsa := newTSA(f, testpki.Options{Length: 1})
	f.Add((&testpki.StampReply{Token: tsa.Stamp(f, message, crypto.SHA256)}).Encode())
	f.Add((&testpki.StampReply{Status: 2, Text: []string{"no", "\x1b"}, Failure: testpki.FailureInfo(25)}).Encode())
	f.Add((&testpki.StampReply{Status: 3}).Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := timestamp.ParseResponse(data)
		if err != nil {
			wantCode(t, err, reason.Of(err))
			return
		}
		if !bytes.Contains(data, token) || token[0] != 0x30 {
			t.Fatalf("%x is not in %x", token, data)
		}
	})
}

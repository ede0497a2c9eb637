package timestamp_test

import (
	"crypto"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/timestamp"
)

// message stands for the primitive signature of an envelope.
var message = []byte("a primitive signature")

// stampTime is when the test authority stamps.
var stampTime = time.Date(2026, 5, 4, 3, 2, 1, 500_000_000, time.UTC)

// newTSA makes an authority that was valid for a year around stampTime.
func newTSA(t testing.TB, o testpki.Options) *testpki.TSA {
	t.Helper()
	if o.NotBefore.IsZero() {
		o.NotBefore = stampTime.AddDate(0, -6, 0)
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = stampTime.AddDate(0, 6, 0)
	}
	tsa := testpki.NewTSA(t, o)
	tsa.Now = func() time.Time { return stampTime }
	return tsa
}

// verify does both steps.
func verify(token, message []byte, roots ...*x509.Certificate) (*timestamp.Verified, error) {
	u, err := timestamp.Parse(token)
	if err != nil {
		return nil, err
	}
	return u.Verify(message, roots)
}

// bent returns a token that was changed before it was signed.
func bent(t testing.TB, tsa *testpki.TSA, modify func(*testpki.Token)) []byte {
	t.Helper()
	changed := *tsa
	changed.ModifyToken = modify
	return changed.Stamp(t, message, crypto.SHA256)
}

// wantCode fails unless err has a reason code, a hint and text that is safe to
// print.
func wantCode(t *testing.T, err error, want reason.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	if got := reason.Of(err); got != want {
		t.Fatalf("reason %q, want %q: %v", got, want, err)
	}
	if reason.Hint(err) == "" && want != reason.TimestampEmpty && want != reason.TimestampRequest && want != reason.TimestampRevocation {
		t.Errorf("no hint: %v", err)
	}
	if len(err.Error()) > 4096 {
		t.Errorf("%d bytes of message", len(err.Error()))
	}
	for _, r := range err.Error() {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e {
			t.Errorf("%q is not safe to print", err.Error())
		}
	}
}

func signer(k *testpki.Token) *testpki.TokenSigner { return &k.Signers[0] }

// attributes returns the standard attributes of a token, for tests that change
// them.
func attributes(k *testpki.Token) [][]byte {
	return testpki.StandardAttributes(k.ContentType, k.Info.Encode(), signer(k).Cert, signer(k).Hash)
}

func serialOf(n int64) *big.Int { return big.NewInt(n) }

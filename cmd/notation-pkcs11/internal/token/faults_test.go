package token

import (
	"context"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/softhsm"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func TestFaultsOfSigning(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	token := softhsm.New(t, "faults")
	token.Put(t, softhsm.Object{ID: 1}, testpki.Key(t, "ec-256", 0))
	k, err := open(t, m, "pkcs11:token=faults", withPIN(softhsm.PIN))
	if err != nil {
		t.Fatal(err)
	}
	if err := sign(t.Context(), k, "m"); err != nil {
		t.Fatal(err)
	}
	for code, want := range map[uint]reason.Code{
		pkcs11.CKR_DEVICE_REMOVED:             reason.TokenRemoved,
		pkcs11.CKR_TOKEN_NOT_PRESENT:          reason.TokenRemoved,
		pkcs11.CKR_DEVICE_ERROR:               reason.TokenFailed,
		pkcs11.CKR_GENERAL_ERROR:              reason.TokenFailed,
		pkcs11.CKR_SESSION_COUNT:              reason.TokenBusy,
		pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED: reason.TokenKeyForbidden,
		pkcs11.CKR_MECHANISM_INVALID:          reason.TokenKeyForbidden,
		pkcs11.CKR_FUNCTION_CANCELED:          reason.TokenInterrupted,
		pkcs11.CKR_PIN_LOCKED:                 reason.TokenPINLocked,
	} {
		meddling.set("Sign", pkcs11.Error(code))
		refuses(t, sign(t.Context(), k, "m"), want)
	}
	// Whatever the module says, a token that is not there was removed.
	meddling.set("GetTokenInfo", pkcs11.Error(pkcs11.CKR_SLOT_ID_INVALID))
	meddling.set("Sign", pkcs11.Error(pkcs11.CKR_GENERAL_ERROR))
	refuses(t, sign(t.Context(), k, "m"), reason.TokenRemoved)
	meddling.set("GetTokenInfo", nil)
	meddling.set("Sign", nil)
	meddling.set("cut", errPad)
	refuses(t, sign(t.Context(), k, "m"), reason.TokenFailed, "no ECDSA signature")
	meddling.set("cut", nil)
	if err := sign(t.Context(), k, "m"); err != nil {
		t.Errorf("the key is of no use after faults that passed: %v", err)
	}
	if n := meddling.logins.Load(); n != 1 {
		t.Errorf("%d logins", n)
	}
}

// TestRemoved takes the token away for good while it is used.
func TestRemoved(t *testing.T) {
	t.Parallel()
	m, _ := load(t)
	token := softhsm.New(t, "pulled out")
	token.Put(t, softhsm.Object{ID: 1}, testpki.Key(t, "ec-256", 0))
	k, err := open(t, m, "pkcs11:token=pulled%20out", withPIN(softhsm.PIN))
	if err != nil {
		t.Fatal(err)
	}
	if err := sign(t.Context(), k, "m"); err != nil {
		t.Fatal(err)
	}
	token.Remove(t)
	if err := sign(t.Context(), k, "m"); err == nil || reason.Of(err) != reason.TokenRemoved {
		t.Errorf("%v", err)
	}
}

// TestFaultsOfSearching has the token fail while the key is looked for.
func TestFaultsOfSearching(t *testing.T) {
	t.Parallel()
	token := softhsm.New(t, "searching")
	token.Put(t, softhsm.Object{ID: 1, NoPublic: true}, testpki.Key(t, "ec-256", 0))
	for _, name := range []string{"OpenSession", "FindObjectsInit", "FindObjects", "FindObjectsFinal"} {
		m, meddling := load(t)
		meddling.set(name, pkcs11.Error(pkcs11.CKR_DEVICE_ERROR))
		_, err := open(t, m, "pkcs11:token=searching", withPIN(softhsm.PIN))
		refuses(t, err, reason.TokenFailed)
		tokens, err := m.Tokens(pin.Source{})
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range tokens {
			if other.info.Label != "searching" {
				continue
			}
			if _, err := other.Inventory(t.Context(), now(t)); reason.Of(err) != reason.TokenFailed {
				t.Errorf("%v", err)
			}
			meddling.set("GetTokenInfo", pkcs11.Error(pkcs11.CKR_DEVICE_REMOVED))
			if _, err := other.Inventory(t.Context(), now(t)); reason.Of(err) != reason.TokenRemoved {
				t.Errorf("%v", err)
			}
		}
	}
	m, _ := load(t)
	u := parse(t, "pkcs11:token=searching")
	opened, err := m.Open(u, withPIN(softhsm.PIN))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	opened.turn <- struct{}{}
	if _, err := opened.Key(ctx, u); reason.Of(err) != reason.TokenInterrupted {
		t.Errorf("%v", err)
	}
}

// TestFewSessions signs on a token that has two sessions, or does not say how
// many.
func TestFewSessions(t *testing.T) {
	t.Parallel()
	token := softhsm.New(t, "few sessions")
	token.Put(t, softhsm.Object{ID: 1}, testpki.Key(t, "ec-256", 0))
	for most, want := range map[uint]int{1: 1, 2: 1, 5: 4, 0: maxSessions, pkcs11.CK_UNAVAILABLE_INFORMATION: maxSessions} {
		m, meddling := load(t)
		meddling.token = func(info *pkcs11.TokenInfo) { info.MaxSessionCount = most }
		k, err := open(t, m, "pkcs11:token=few%20sessions", withPIN(softhsm.PIN))
		if err != nil {
			t.Fatal(err)
		}
		if got := cap(k.t.sessions.room); got != want {
			t.Errorf("of %d sessions %d are used", most, got)
		}
		if err := sign(t.Context(), k, "m"); err != nil {
			t.Errorf("%d sessions: %v", most, err)
		}
		k.t.Close()
	}
}

package token

import (
	"crypto/ecdsa"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/softhsm"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func inventory(t *testing.T, m *Module, label string, o pin.Source, login bool) *Inventory {
	t.Helper()
	tokens, err := m.Tokens(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if token.info.Label != label {
			continue
		}
		if login {
			if err := token.Login(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(token.Close)
		v, err := token.Inventory(t.Context(), now(t))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	t.Fatalf("there is no token %s", label)
	return nil
}

func TestInventory(t *testing.T) {
	t.Parallel()
	m, _ := load(t)
	token := softhsm.New(t, "inventory")
	chain := testpki.New(t, testpki.Options{Algorithm: "rsa-3072", CAAlgorithm: "ec-256"})
	broken := testpki.New(t, testpki.Options{KeySet: 1})
	token.Put(t, softhsm.Object{ID: 1, Label: "signer", PublicLabel: "public"}, chain.Key, chain.Certs...)
	token.Put(t, softhsm.Object{ID: 2, Label: "no chain"}, broken.Key, broken.Certs[:1]...)
	token.Put(t, softhsm.Object{ID: 3, Label: "hidden", NoPublic: true}, testpki.Key(t, "rsa-2048", 3))
	token.Put(t, softhsm.Object{ID: 4, Label: "weak"}, testpki.WeakKey(t, "rsa-1024"))
	v := inventory(t, m, "inventory", pin.Source{}, false)
	if v.Serial != token.Serial || v.PIN != PINGood || len(v.Keys) != 3 || len(v.Others) != 2 {
		t.Fatalf("%+v", v)
	}
	for i, want := range []KeyEntry{
		{Label: "public", Spec: "RSA-3072", URI: "pkcs11:serial=" + token.Serial + ";token=inventory;id=%01"},
		{Label: "no chain", Spec: "EC-256", URI: "pkcs11:serial=" + token.Serial + ";token=inventory;id=%02"},
		{Label: "weak", URI: "pkcs11:serial=" + token.Serial + ";token=inventory;id=%04"},
	} {
		k := v.Keys[i]
		if k.Label != want.Label || k.Spec != want.Spec || k.URI != want.URI || k.Private {
			t.Errorf("%+v", k)
		}
	}
	if k := v.Keys[0]; len(k.Chain) != 3 || !k.Leaf.Equal(chain.Leaf()) || k.Err != nil || k.IDText() != "01" {
		t.Errorf("%+v", k)
	}
	if k := v.Keys[1]; k.Chain != nil || k.Leaf == nil || reason.Of(k.Err) != reason.TokenCertificateChain {
		t.Errorf("%+v", k)
	}
	v = inventory(t, m, "inventory", withPIN(softhsm.PIN), true)
	if len(v.Keys) != 4 || !v.Keys[0].Private || v.Keys[0].Label != "signer" || v.Keys[2].Label != "hidden" || v.Keys[2].Spec != "RSA-2048" {
		t.Errorf("%+v", v.Keys)
	}
	// What the list shows is what finds the key.
	for _, k := range v.Keys[:2] {
		found, err := open(t, m, k.URI, withPIN(softhsm.PIN))
		if err != nil {
			t.Fatal(err)
		}
		if err := sign(t.Context(), found, "m"); err != nil {
			t.Error(err)
		}
	}
}

func TestPINStates(t *testing.T) {
	t.Parallel()
	const good = pkcs11.CKF_LOGIN_REQUIRED | pkcs11.CKF_USER_PIN_INITIALIZED
	for flags, want := range map[uint]PINState{
		0:                                    PINNotUsed,
		pkcs11.CKF_LOGIN_REQUIRED:            PINUnset,
		good:                                 PINGood,
		good | pkcs11.CKF_USER_PIN_COUNT_LOW: PINLow,
		good | pkcs11.CKF_USER_PIN_FINAL_TRY | pkcs11.CKF_USER_PIN_COUNT_LOW: PINLast,
		good | pkcs11.CKF_USER_PIN_LOCKED:                                    PINLocked,
	} {
		if got := pinState(flags); got != want {
			t.Errorf("%x: %s", flags, got)
		}
	}
}

// TestPublicKeys reads what tokens of various makers store.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	p256 := []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}
	point, err := testpki.Key(t, "ec-256", 0).Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	wrapped := append([]byte{4, byte(len(point))}, point...)
	for name, c := range map[string]struct {
		params, point []byte
		ok            bool
	}{
		"wrapped":          {p256, wrapped, true},
		"bare":             {p256, point, true},
		"not on the curve": {p256, append([]byte{4}, make([]byte, 64)...), false},
		"no point":         {p256, nil, false},
		"no curve":         {nil, point, false},
		"trailing":         {append(p256, 0), point, false},
		"other curve":      {[]byte{6, 5, 0x2b, 0x81, 4, 0, 0x0a}, point, false},
	} {
		if got := ecPublic(c.params, c.point); (got != nil) != c.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, ok := number([]byte{1}); ok {
		t.Error("a short number was read")
	}
	if equal("no key", nil) {
		t.Error("what is no key is equal")
	}
}

// TestStrangeKeys has the token store what is no key.
func TestStrangeKeys(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	token := softhsm.New(t, "strange")
	token.Put(t, softhsm.Object{ID: 1}, testpki.Key(t, "rsa-2048", 0))
	for name, change := range map[string]func(kind uint, value []byte) []byte{
		"kind": func(kind uint, value []byte) []byte {
			return replace(kind == pkcs11.CKA_KEY_TYPE, value, []byte{9, 0, 0, 0, 0, 0, 0, 0})
		},
		"modulus": func(kind uint, value []byte) []byte { return replace(kind == pkcs11.CKA_MODULUS, value, nil) },
		"exponent": func(kind uint, value []byte) []byte {
			return replace(kind == pkcs11.CKA_PUBLIC_EXPONENT, value, make256())
		},
	} {
		meddling.attributes = change
		_, err := open(t, m, "pkcs11:token=strange", withPIN(softhsm.PIN))
		if reason.Of(err) != reason.TokenKeyAlgorithm {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func replace(here bool, value, with []byte) []byte {
	if here {
		return with
	}
	return value
}

func make256() []byte { return append([]byte{1}, make([]byte, 31)...) }

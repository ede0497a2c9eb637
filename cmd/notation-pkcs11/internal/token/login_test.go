package token

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/softhsm"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// asked is a person who gives a PIN and remembers what was said.
func asked(value string, questions *[]pin.Question) pin.Source {
	return pin.Source{Ask: func(_ context.Context, q pin.Question) (string, error) {
		*questions = append(*questions, q)
		return value, nil
	}}
}

// attack: KEY-07
func TestWrongPIN(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	token := softhsm.New(t, "wrong PIN")
	token.Put(t, softhsm.Object{ID: 1}, testpki.Key(t, "ec-256", 0))
	const id = "pkcs11:token=wrong%20PIN"
	o := withPIN("999999")
	k, err := open(t, m, id, o)
	if err != nil {
		t.Fatal(err)
	}
	// One attempt, however many signatures wait for it.
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if err := sign(t.Context(), k, "m"); reason.Of(err) != reason.TokenPINWrong || !strings.Contains(err.Error(), "tried once") {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := meddling.logins.Load(); n != 1 {
		t.Fatalf("%d logins", n)
	}
	// Nor does the next program try, not even with the right PIN.
	for _, value := range []string{"999999", softhsm.PIN} {
		k, err = open(t, m, id, pin.Source{Env: value})
		if err != nil {
			t.Fatal(err)
		}
		refuses(t, sign(t.Context(), k, "m"), reason.TokenPINAtRisk, "was not tried")
	}
	if n := meddling.logins.Load(); n != 1 {
		t.Fatalf("%d logins", n)
	}
	// A person is told, and sets the count back.
	var questions []pin.Question
	k, err = open(t, m, id, asked(softhsm.PIN, &questions))
	if err != nil {
		t.Fatal(err)
	}
	if err := sign(t.Context(), k, "m"); err != nil {
		t.Fatal(err)
	}
	if len(questions) != 1 || !questions[0].Low || questions[0].Last || questions[0].Token != "wrong PIN" {
		t.Errorf("%+v", questions)
	}
	k.t.Close()
	k, err = open(t, m, id, withPIN(softhsm.PIN))
	if err != nil {
		t.Fatal(err)
	}
	if err := sign(t.Context(), k, "m"); err != nil {
		t.Fatal(err)
	}
}

// TestSilentToken has tokens that count wrong PINs and do not tell: one try is
// spent all the same, by whatever program, until a person has logged in.
//
// attack: KEY-07
func TestSilentToken(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	silent := func(info *pkcs11.TokenInfo) {
		info.Flags &^= pkcs11.CKF_USER_PIN_COUNT_LOW | pkcs11.CKF_USER_PIN_FINAL_TRY
	}
	meddling.token = silent
	softhsm.New(t, "silent")
	try := func(pins pin.Source) error {
		opened, err := m.Open(parse(t, "pkcs11:token=silent"), pins)
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		return opened.Login(t.Context())
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if err := try(withPIN("999999")); err == nil {
				t.Error("a wrong PIN was taken")
			}
		})
	}
	group.Wait()
	refuses(t, try(withPIN("999999")), reason.TokenPINAtRisk, "was not tried")
	refuses(t, try(withPIN(softhsm.PIN)), reason.TokenPINAtRisk, "does not tell")
	if n := meddling.logins.Load(); n != 1 {
		t.Fatalf("%d logins", n)
	}
	var questions []pin.Question
	refuses(t, try(asked("999999", &questions)), reason.TokenPINWrong)
	refuses(t, try(withPIN(softhsm.PIN)), reason.TokenPINAtRisk)
	for _, pins := range []pin.Source{asked(softhsm.PIN, &questions), withPIN(softhsm.PIN)} {
		if err := try(pins); err != nil {
			t.Error(err)
		}
	}
	// A fault that says nothing of the PIN is not remembered.
	meddling.loginErr = pkcs11.Error(pkcs11.CKR_DEVICE_ERROR)
	refuses(t, try(withPIN(softhsm.PIN)), reason.TokenFailed)
	meddling.loginErr = nil
	if err := try(withPIN(softhsm.PIN)); err != nil {
		t.Error(err)
	}
}

// TestManyPrograms has many Tokens, as of many programs, try the same wrong PIN
// at the same time: one try is spent.
//
// attack: KEY-07
func TestManyPrograms(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	token := softhsm.New(t, "many programs")
	token.Put(t, softhsm.Object{ID: 1}, testpki.Key(t, "ec-256", 0))
	o := withPIN("999999")
	codes := make(chan reason.Code, 30)
	var group sync.WaitGroup
	for range cap(codes) {
		group.Go(func() {
			opened, err := m.Open(parse(t, "pkcs11:token=many%20programs"), o)
			if err != nil {
				t.Error(err)
				return
			}
			codes <- reason.Of(opened.Login(t.Context()))
		})
	}
	group.Wait()
	close(codes)
	wrong := 0
	for code := range codes {
		switch code {
		case reason.TokenPINWrong:
			wrong++
		case reason.TokenPINAtRisk:
		default:
			t.Errorf("code %q", code)
		}
	}
	if n := meddling.logins.Load(); n != 1 || wrong != 1 {
		t.Errorf("%d logins, %d wrong PINs", n, wrong)
	}
}

func TestStatesOfThePIN(t *testing.T) {
	t.Parallel()
	softhsm.New(t, "states")
	const good = pkcs11.CKF_TOKEN_INITIALIZED | pkcs11.CKF_LOGIN_REQUIRED | pkcs11.CKF_USER_PIN_INITIALIZED
	for name, c := range map[string]struct {
		flags    uint
		loginErr error
		person   bool
		value    string
		code     reason.Code
		logins   int64
	}{
		"good":                      {good, nil, false, softhsm.PIN, "", 1},
		"locked":                    {good | pkcs11.CKF_USER_PIN_LOCKED, nil, true, softhsm.PIN, reason.TokenPINLocked, 0},
		"no PIN yet":                {good &^ pkcs11.CKF_USER_PIN_INITIALIZED, nil, true, softhsm.PIN, reason.TokenPINUnset, 0},
		"no login needed":           {good &^ pkcs11.CKF_LOGIN_REQUIRED, nil, false, "", "", 0},
		"last try, unattended":      {good | pkcs11.CKF_USER_PIN_FINAL_TRY, nil, false, softhsm.PIN, reason.TokenPINAtRisk, 0},
		"last try, a person":        {good | pkcs11.CKF_USER_PIN_FINAL_TRY, nil, true, softhsm.PIN, "", 1},
		"wrong before, unattended":  {good | pkcs11.CKF_USER_PIN_COUNT_LOW, nil, false, softhsm.PIN, reason.TokenPINAtRisk, 0},
		"too short":                 {good, nil, false, "1", reason.TokenPINSource, 0},
		"too long":                  {good, nil, false, strings.Repeat("1", 256), reason.TokenPINSource, 0},
		"no PIN given":              {good, nil, false, "", reason.TokenPINMissing, 0},
		"expired":                   {good, pkcs11.Error(pkcs11.CKR_PIN_EXPIRED), false, softhsm.PIN, reason.TokenPINUnset, 1},
		"not set after all":         {good, pkcs11.Error(pkcs11.CKR_USER_PIN_NOT_INITIALIZED), false, softhsm.PIN, reason.TokenPINUnset, 1},
		"locked by this":            {good, pkcs11.Error(pkcs11.CKR_PIN_LOCKED), false, softhsm.PIN, reason.TokenPINLocked, 1},
		"wrong length":              {good, pkcs11.Error(pkcs11.CKR_PIN_LEN_RANGE), false, softhsm.PIN, reason.TokenPINWrong, 1},
		"another user":              {good, pkcs11.Error(pkcs11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN), false, softhsm.PIN, reason.TokenBusy, 1},
		"this user":                 {good, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN), false, softhsm.PIN, "", 1},
		"token error":               {good, pkcs11.Error(pkcs11.CKR_DEVICE_ERROR), false, softhsm.PIN, reason.TokenFailed, 1},
		"PIN pad":                   {good | pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH, errPad, false, "", reason.TokenFailed, 1},
		"PIN pad, but a PIN is set": {good | pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH, nil, false, softhsm.PIN, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			m, meddling := load(t)
			meddling.token = func(info *pkcs11.TokenInfo) { info.Flags = c.flags }
			meddling.loginErr = c.loginErr
			o := withPIN(c.value)
			var questions []pin.Question
			if c.person {
				o = asked(c.value, &questions)
			}
			opened, err := m.Open(parse(t, "pkcs11:token=states"), o)
			if err != nil {
				t.Fatal(err)
			}
			defer opened.Close()
			err = opened.Login(t.Context())
			if reason.Of(err) != c.code || c.code == "" && err != nil {
				t.Errorf("%v, want %q", err, c.code)
			}
			if n := meddling.logins.Load(); n != c.logins {
				t.Errorf("%d logins", n)
			}
			if c.code == reason.TokenPINLocked && len(questions) > 0 {
				t.Error("a person was asked for the PIN of a locked token")
			}
		})
	}
}

// errPad shows that the module was asked to use the pad.
var errPad = pkcs11.Error(pkcs11.CKR_VENDOR_DEFINED)

// TestLockedByLast says that the PIN is locked if a wrong one has locked it.
func TestLockedByLast(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	softhsm.New(t, "by last")
	meddling.token = func(info *pkcs11.TokenInfo) {
		if meddling.logins.Load() > 0 {
			info.Flags |= pkcs11.CKF_USER_PIN_LOCKED
		}
	}
	opened, err := m.Open(parse(t, "pkcs11:token=by%20last"), withPIN("999999"))
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, opened.Login(t.Context()), reason.TokenPINLocked)
}

// TestFaultsOfLogin has something else go wrong on the way to the login.
func TestFaultsOfLogin(t *testing.T) {
	t.Parallel()
	softhsm.New(t, "on the way")
	removed := pkcs11.Error(pkcs11.CKR_DEVICE_REMOVED)
	for name, c := range map[string]struct {
		code  reason.Code
		spoil func(*meddler, *Token)
	}{
		"token gone": {reason.TokenRemoved, func(m *meddler, _ *Token) { m.set("GetTokenInfo", removed) }},
		"gone while asking": {reason.TokenRemoved, func(m *meddler, opened *Token) {
			opened.pins = pin.Source{Ask: func(context.Context, pin.Question) (string, error) {
				m.set("GetTokenInfo", removed)
				return softhsm.PIN, nil
			}}
		}},
		"locked while asking": {reason.TokenPINLocked, func(m *meddler, opened *Token) {
			opened.pins = pin.Source{Ask: func(context.Context, pin.Question) (string, error) {
				m.token = func(info *pkcs11.TokenInfo) { info.Flags |= pkcs11.CKF_USER_PIN_LOCKED }
				return softhsm.PIN, nil
			}}
		}},
		"no session":   {reason.TokenBusy, func(m *meddler, _ *Token) { m.set("OpenSession", pkcs11.Error(pkcs11.CKR_SESSION_COUNT)) }},
		"no lock":      {reason.TokenPINLock, func(_ *meddler, opened *Token) { opened.m.guard = pin.NewGuard("", "m") }},
		"lock refused": {reason.TokenPINLock, func(_ *meddler, opened *Token) { opened.m.guard = pin.NewGuard(filepath.Join("/dev/null", "x"), "m") }},
	} {
		t.Run(name, func(t *testing.T) {
			m, meddling := load(t)
			opened, err := m.Open(parse(t, "pkcs11:token=on%20the%20way"), withPIN(softhsm.PIN))
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(meddling, opened)
			refuses(t, opened.Login(t.Context()), c.code)
			if n := meddling.logins.Load(); n != 0 {
				t.Errorf("%d logins", n)
			}
		})
	}
	m, _ := load(t)
	opened, err := m.Open(parse(t, "pkcs11:token=on%20the%20way"), withPIN(softhsm.PIN))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	opened.turn <- struct{}{}
	refuses(t, opened.Login(ctx), reason.TokenInterrupted)
}

// TestAlways signs with a key that wants the PIN for each signature.
func TestAlways(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	token := softhsm.New(t, "always")
	token.Put(t, softhsm.Object{ID: 1, Always: true}, testpki.Key(t, "ec-256", 0))
	k, err := open(t, m, "pkcs11:token=always", withPIN(softhsm.PIN))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if err := sign(t.Context(), k, "m"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := meddling.logins.Load(); n != 21 {
		t.Errorf("%d logins", n)
	}
	// The PIN was changed meanwhile.
	meddling.again = func(string) error { return pkcs11.Error(pkcs11.CKR_PIN_INCORRECT) }
	for range 3 {
		refuses(t, sign(t.Context(), k, "m"), reason.TokenPINWrong)
	}
	if n := meddling.logins.Load(); n != 22 {
		t.Errorf("%d logins", n)
	}
	k.t.one <- struct{}{}
	k.t.login.err = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.sign(ctx, nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestAlwaysTogether has the PIN be changed while many wait for their turn to give
// it: the first one spends a try, and no other.
//
// attack: KEY-07
func TestAlwaysTogether(t *testing.T) {
	t.Parallel()
	token := softhsm.New(t, "always together")
	token.Put(t, softhsm.Object{ID: 1, Always: true}, testpki.Key(t, "ec-256", 0))
	synctest.Test(t, func(t *testing.T) {
		m, meddling := load(t)
		k, err := open(t, m, "pkcs11:token=always%20together", withPIN(softhsm.PIN))
		if err != nil {
			t.Fatal(err)
		}
		if err := sign(t.Context(), k, "m"); err != nil {
			t.Fatal(err)
		}
		before := meddling.logins.Load()
		refused := make(chan struct{})
		meddling.again = func(string) error {
			<-refused
			return pkcs11.Error(pkcs11.CKR_PIN_INCORRECT)
		}
		for range 10 {
			go func() { refuses(t, sign(t.Context(), k, "m"), reason.TokenPINWrong) }()
		}
		synctest.Wait()
		close(refused)
		synctest.Wait()
		if n := meddling.logins.Load() - before; n != 1 {
			t.Errorf("%d tries", n)
		}
	})
}

package token

import (
	"context"
	"errors"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/reason"
)

// loginState is what has become of the one attempt to log in.
type loginState struct {
	done bool
	err  error  // why the attempt failed; there is no other
	pin  string // for keys that want it each time; "" with a PIN pad
}

// Login logs in unless that was done, or is not needed. It asks for the PIN once
// and tries it once: after a failure the same error is returned for ever. The
// error has one of the codes "token.pin-*", "token.*" or
// token.interrupted.
func (t *Token) Login(ctx context.Context) error {
	if err := take(ctx, t.turn); err != nil {
		return err
	}
	defer func() { <-t.turn }()
	return t.loginOnce(ctx)
}

func (t *Token) loginOnce(ctx context.Context) error {
	if t.login.done || t.login.err != nil {
		return t.login.err
	}
	info, err := t.m.c.GetTokenInfo(t.slot)
	if err != nil {
		return t.fault(err, "tell its state")
	}
	if info.Flags&pkcs11.CKF_LOGIN_REQUIRED == 0 {
		t.login.done = true
		return nil
	}
	if err := t.mayTry(info, t.pins.Unattended()); err != nil {
		return err
	}
	t.m.guard.Done() // a person takes their time
	p, err := t.ask(ctx, info)
	if err != nil {
		_ = t.m.guard.Look(ctx) // again, for what can be seen without a login
		return err
	}
	return t.m.guard.Alone(ctx, func() error { return t.try(ctx, p) })
}

// ask gets the PIN. A token with a PIN pad of its own takes it there, unless one
// was configured; PKCS #11 v2.40 section 5.6, C_Login.
func (t *Token) ask(ctx context.Context, info pkcs11.TokenInfo) (pin.PIN, error) {
	if info.Flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH != 0 && !t.pins.Unattended() {
		return pin.PIN{Attended: true}, nil
	}
	p, err := t.pins.Get(ctx, pin.Question{
		Token: info.Label,
		Last:  info.Flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0,
		Low:   info.Flags&pkcs11.CKF_USER_PIN_COUNT_LOW != 0,
	})
	if err != nil {
		return pin.PIN{}, err
	}
	// A PIN of a length that none can have would cost a try.
	if n := uint(len(p.Value)); n < info.MinPinLen || info.MaxPinLen > 0 && n > info.MaxPinLen {
		return pin.PIN{}, reason.Errorf(reason.TokenPINSource, "the PIN is not as long as those of the token %s, %d to %d bytes; it was not tried", quote(info.Label), info.MinPinLen, info.MaxPinLen).
			WithHint("Correct the PIN.")
	}
	return p, nil
}

// mayTry refuses a login that could cost the token's PIN.
func (t *Token) mayTry(info pkcs11.TokenInfo, unattended bool) error {
	const atRisk = pkcs11.CKF_USER_PIN_COUNT_LOW | pkcs11.CKF_USER_PIN_FINAL_TRY
	switch {
	case info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return t.locked(nil)
	case info.Flags&pkcs11.CKF_USER_PIN_INITIALIZED == 0:
		return t.unset(nil)
	case info.Flags&atRisk != 0 && unattended:
		left := "fewer tries are left"
		if info.Flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0 {
			left = "the next wrong one locks it"
		}
		return reason.Errorf(reason.TokenPINAtRisk, "a wrong PIN was given to the token %s before and %s, so the one configured was not tried", quote(info.Label), left).
			WithHint("Check the configured PIN, then log in once with 'notation-pkcs11 login', which sets the token's counter back.")
	case unattended && t.m.guard.Refused(t.name()):
		return reason.Errorf(reason.TokenPINAtRisk, "a wrong PIN was given to the token %s before, which does not tell how many tries are left, so the one configured was not tried", quote(info.Label)).
			WithHint("Check the configured PIN, then log in once with 'notation-pkcs11 login'.")
	}
	return nil
}

// name tells the token from all others.
func (t *Token) name() string {
	return strings.Join([]string{t.info.ManufacturerID, t.info.Model, t.info.SerialNumber, t.info.Label}, "\x00")
}

func (t *Token) unset(err error) error {
	return reason.Wrap(reason.TokenPINUnset, err, "the token %s has no PIN yet, or one that must be changed", quote(t.info.Label)).
		WithHint("Set the PIN with the tool of the token's maker.")
}

// try spends one attempt. Between the look at the counter and the attempt no
// other program of this user logs in: the guard sees to that.
func (t *Token) try(ctx context.Context, p pin.PIN) error {
	info, err := t.m.c.GetTokenInfo(t.slot)
	if err != nil {
		return t.fault(err, "tell its state")
	}
	if err := t.mayTry(info, !p.Attended); err != nil {
		return err
	}
	h, put, err := t.sessions.get(ctx)
	if err != nil {
		return t.fault(err, "open a session")
	}
	err = t.m.c.Login(h, pkcs11.CKU_USER, p.Value)
	put(true)
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		err = nil
	}
	if err != nil {
		t.login.err = t.refused(err)
		return t.login.err
	}
	t.login = loginState{done: true, pin: p.Value}
	_ = t.m.guard.Remember(t.name(), false) // at worst a person has to log in once more
	return nil
}

// refused says what the token thinks of the PIN.
func (t *Token) refused(err error) error {
	code, _ := errors.AsType[pkcs11.Error](err)
	switch code {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE:
		const tells = pkcs11.CKF_USER_PIN_COUNT_LOW | pkcs11.CKF_USER_PIN_FINAL_TRY
		info, infoErr := t.m.c.GetTokenInfo(t.slot)
		if infoErr == nil && info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0 {
			return t.locked(code)
		}
		if code == pkcs11.CKR_PIN_INCORRECT && (infoErr != nil || info.Flags&tells == 0) {
			_ = t.m.guard.Remember(t.name(), true) // the token counts and does not tell
		}
		return reason.Wrap(reason.TokenPINWrong, err, "the PIN of the token %s is wrong; it was tried once and will not be tried again", quote(t.info.Label)).
			WithHint("Correct the PIN where it is configured, then log in once with 'notation-pkcs11 login', which sets the token's counter back.")
	case pkcs11.CKR_USER_PIN_NOT_INITIALIZED, pkcs11.CKR_PIN_EXPIRED:
		return t.unset(err)
	}
	return t.fault(err, "log in")
}

package token

import (
	"errors"
	"strconv"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/reason"
)

func quote(s string) string { return strconv.QuoteToASCII(s) }

// fault makes an error that a user understands of one of the token. doing is
// what was tried, such as "sign".
func (t *Token) fault(err error, doing string) error {
	code, ok := errors.AsType[pkcs11.Error](err)
	if !ok || reason.Of(err) != "" { // no error of the token, or told already
		return err
	}
	switch code {
	case pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_SLOT_ID_INVALID:
		return t.removed(err)
	case pkcs11.CKR_SESSION_COUNT, pkcs11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, pkcs11.CKR_USER_TOO_MANY_TYPES:
		return reason.Wrap(reason.TokenBusy, err, "the token %s is in use by others and could not %s", quote(t.info.Label), doing).
			WithHint("Try again when they have finished.")
	case pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED, pkcs11.CKR_KEY_TYPE_INCONSISTENT, pkcs11.CKR_KEY_SIZE_RANGE,
		pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_FUNCTION_NOT_SUPPORTED:
		return forbidden(err, t.info.Label)
	case pkcs11.CKR_FUNCTION_CANCELED, pkcs11.CKR_CANCEL, pkcs11.CKR_FUNCTION_REJECTED:
		return reason.Wrap(reason.TokenInterrupted, err, "the token %s was told not to %s", quote(t.info.Label), doing).
			WithHint("Sign again, and touch or confirm at the token when it asks.")
	case pkcs11.CKR_PIN_LOCKED:
		return t.locked(err)
	}
	if !t.present() {
		return t.removed(err)
	}
	return reason.Wrap(reason.TokenFailed, err, "the token %s could not %s", quote(t.info.Label), doing).
		WithHint("See the documentation of the token's module for this code.")
}

func forbidden(err error, label string) error {
	return reason.Wrap(reason.TokenKeyForbidden, err, "the token %s does not make this signature with this key", quote(label)).
		WithHint("Use a key that is made for signing, on a token that can do RSA-PSS (CKM_RSA_PKCS_PSS) or ECDSA (CKM_ECDSA).")
}

func (t *Token) removed(err error) error {
	return reason.Wrap(reason.TokenRemoved, err, "the token %s is not there any more", quote(t.info.Label)).
		WithHint("Insert it again and sign again.")
}

func (t *Token) locked(err error) error {
	return reason.Wrap(reason.TokenPINLocked, err, "the token %s has locked its PIN", quote(t.info.Label)).
		WithHint("Have it unlocked with the PUK or the security officer's PIN, by the tool of the token's maker.")
}

// present reports whether the token is still in its slot. Modules report the
// removal of a token in many ways.
func (t *Token) present() bool {
	info, err := t.m.c.GetTokenInfo(t.slot)
	return err == nil && info.SerialNumber == t.info.SerialNumber && info.Label == t.info.Label
}

package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/token"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/uri"
)

const goos = runtime.GOOS

// Settings that --plugin-config takes.
const (
	settingModule     = "module"
	settingCerts      = "certs"
	settingModulePath = "module-path"
	allow             = "allow"
)

// program is the face for the plugin protocol.
func program(getenv func(string) string) plugin.Program {
	s := &signing{getenv: getenv, now: time.Now, load: token.Load}
	return plugin.Program{
		Metadata: plugin.Metadata{
			Name:         "pkcs11",
			Description:  "Signs with keys in HSMs, smart cards and other PKCS #11 tokens",
			Version:      programVersion(),
			URL:          "https://github.com/notaryv2/notation",
			Capabilities: []plugin.Capability{plugin.CapabilityRaw},
		},
		Keys: s, Raw: s,
	}
}

// signing answers describe-key and generate-signature. What goes wrong in
// package token is told in the words of the protocol.
type signing struct {
	getenv   func(string) string
	now      func() time.Time
	load     loader
	warnings []string
}

// DescribeKey implements plugin.KeyDescriber.
func (s *signing) DescribeKey(ctx context.Context, r *plugin.DescribeKeyRequest) (*plugin.DescribeKeyResponse, error) {
	o := opening{signing: s}
	defer o.release()
	answer, err := plugin.CryptoSigner{Open: o.open}.DescribeKey(ctx, r)
	return answer, s.fault(err)
}

// GenerateSignature implements plugin.RawSigner.
func (s *signing) GenerateSignature(ctx context.Context, r *plugin.GenerateSignatureRequest) (*plugin.GenerateSignatureResponse, error) {
	o := opening{signing: s}
	defer o.release()
	answer, err := plugin.CryptoSigner{Open: o.open}.GenerateSignature(ctx, r)
	return answer, s.fault(err)
}

// opening is the work for one request.
type opening struct {
	*signing
	module *token.Module // nil until it is loaded
}

// release lets other programs log in, whatever became of the request.
func (o *opening) release() {
	if o.module != nil {
		o.module.Release()
	}
}

// open finds the key and its chain. It does not log in if it need not: the
// signer does, when it signs. Others can log in again after release; the module
// itself is given back when the process ends.
func (o *opening) open(ctx context.Context, id string, settings map[string]string) (crypto.Signer, []*x509.Certificate, error) {
	u, err := uri.Parse(id)
	if err != nil {
		return nil, nil, err
	}
	path, err := modulePath(u, settings, o.getenv)
	if err != nil {
		return nil, nil, err
	}
	var certs []*x509.Certificate
	if file := settings[settingCerts]; file != "" {
		if certs, err = token.ReadCertificates(file); err != nil {
			return nil, nil, err
		}
	}
	if o.module, err = o.load(ctx, path, lockDir(o.getenv)); err != nil {
		return nil, nil, err
	}
	t, err := o.module.Open(u, pins(o.getenv, u.PINSource, func(text string) { o.warnings = append(o.warnings, text) }))
	if err != nil {
		return nil, nil, err
	}
	key, err := t.Key(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	if certs == nil {
		if certs, err = key.Certificates(ctx); err != nil {
			return nil, nil, err
		}
	}
	chain, err := token.Chain(key.Public(), certs, o.now())
	if err != nil {
		return nil, nil, err
	}
	return key.Signer(ctx), chain, nil
}

// modulePath decides which module is loaded. The configuration comes before the
// environment; the URI only counts where the configuration allows it, and must
// not contradict.
func modulePath(u *uri.URI, settings map[string]string, getenv func(string) string) (string, error) {
	for name, value := range settings {
		if !slices.Contains([]string{settingModule, settingCerts, settingModulePath}, name) {
			return "", reason.Errorf(reason.TokenConfig, "the setting %q is not known", name).
				WithHint("The settings are module=FILE, certs=FILE and module-path=allow.")
		}
		if value == "" {
			return "", reason.Errorf(reason.TokenConfig, "the setting %s has no value", name).
				WithHint("Give it one, or leave it out.")
		}
	}
	if mode, ok := settings[settingModulePath]; ok && mode != allow {
		return "", reason.Errorf(reason.TokenConfig, "the setting module-path is %q", mode).
			WithHint("The one value is allow.")
	}
	configured := settings[settingModule]
	if configured == "" {
		configured = getenv(moduleVariable)
	}
	switch {
	case u.ModulePath == "" && configured == "":
		return "", noModule()
	case u.ModulePath == "", u.ModulePath == configured:
		return configured, nil
	case configured != "":
		return "", reason.Errorf(reason.TokenModulePath, "the key id names the module %q, and the configuration %q", u.ModulePath, configured).
			WithHint("Take module-path out of the key id.")
	case settings[settingModulePath] != allow:
		return "", reason.Errorf(reason.TokenModulePath, "the key id names the module %q, which is not loaded for that", u.ModulePath).
			WithHint("Name it with --plugin-config module=FILE, or say --plugin-config module-path=allow.")
	}
	return u.ModulePath, nil
}

func noModule() error {
	return reason.Errorf(reason.TokenModule, "no PKCS #11 module is named").
		WithHint("Name the library of the token's maker: --plugin-config module=FILE ('notation-pkcs11 list': --module FILE), or $%s. Usual ones are /usr/lib/softhsm/libsofthsm2.so, opensc-pkcs11.so and libykcs11.so.", moduleVariable)
}

// fault tells an error in the words of the protocol: what is wrong and what to
// do in the message, the reason code in the metadata.
func (s *signing) fault(err error) error {
	if err == nil {
		return nil
	}
	if fault, ok := errors.AsType[*plugin.Error](err); ok {
		return fault
	}
	message := err.Error()
	if hint := reason.Hint(err); hint != "" {
		message += ". " + hint
	}
	fault := &plugin.Error{Code: codeFor(reason.Of(err)), Message: message}
	if code := reason.Of(err); code != "" {
		fault.Metadata = map[string]string{"reason": string(code)}
	}
	if len(s.warnings) > 0 {
		fault.Message += ". Warning: " + strings.Join(s.warnings, "; ")
	}
	return fault
}

// codeFor returns the protocol's word for a reason: what the user has to change
// is a VALIDATION_ERROR, what the token does not allow ACCESS_DENIED.
func codeFor(code reason.Code) plugin.ErrorCode {
	switch code {
	case reason.TokenPINMissing, reason.TokenPINWrong, reason.TokenPINAtRisk, reason.TokenPINLocked,
		reason.TokenPINUnset, reason.TokenKeyForbidden:
		return plugin.CodeAccessDenied
	case reason.TokenBusy:
		return plugin.CodeThrottled
	case reason.TokenInterrupted:
		return plugin.CodeTimeout
	case reason.TokenRemoved, reason.TokenFailed, reason.TokenPINLock, "":
		return plugin.CodeError
	}
	return plugin.CodeValidation
}

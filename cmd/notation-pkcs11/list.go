package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/token"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/uri"
)

// listDocument is the result of "list -o json". docs/pkcs11.md describes it.
type listDocument struct {
	Module string          `json:"module"`
	Tokens []tokenDocument `json:"tokens"`
}

type tokenDocument struct {
	Label        string                `json:"label"`
	Serial       string                `json:"serial"`
	Manufacturer string                `json:"manufacturer"`
	Model        string                `json:"model"`
	SlotID       uint                  `json:"slotId"`
	URI          string                `json:"uri"`
	PIN          token.PINState        `json:"pin"`
	Keys         []keyDocument         `json:"keys"`
	Certificates []certificateDocument `json:"certificates"` // of no key
	Error        *errorDocument        `json:"error,omitempty"`
}

type keyDocument struct {
	ID          string               `json:"id"` // hexadecimal
	Label       string               `json:"label"`
	URI         string               `json:"uri"`
	KeySpec     string               `json:"keySpec,omitempty"`
	Private     bool                 `json:"privateKeySeen"`
	Certificate *certificateDocument `json:"certificate,omitempty"`
	ChainLength int                  `json:"chainLength"` // 0: no complete chain
	Error       *errorDocument       `json:"error,omitempty"`
}

type certificateDocument struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"notAfter"`
	SHA256   string    `json:"sha256"`
}

type errorDocument struct {
	Code    reason.Code `json:"code"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"`
}

// flags reads the flags of a command. What follows them is returned.
func (c command) flags(name string, args []string, define func(*flag.FlagSet)) ([]string, error) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	define(set)
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(c.stdout, usage)
		return nil, errors.Join(errHelp, err)
	case err != nil:
		return nil, reason.Wrap(reason.TokenConfig, err, "the command line of %s is wrong", name).WithHint("See notation-pkcs11 --help.")
	}
	return set.Args(), nil
}

// errHelp ends a command that has shown its help.
var errHelp = errors.New("help was shown")

// open loads the module that --module or the environment names.
func (c command) open(ctx context.Context, path string, u *uri.URI) (*token.Module, error) {
	settings := map[string]string{}
	if path != "" {
		settings[settingModule] = path
	}
	path, err := modulePath(u, settings, c.getenv)
	if err != nil {
		return nil, err
	}
	return c.load(ctx, path, lockDir(c.getenv))
}

// list shows tokens and keys.
func (c command) list(ctx context.Context, args []string) error {
	var module, format string
	var login bool
	rest, err := c.flags("list", args, func(f *flag.FlagSet) {
		f.StringVar(&module, "module", "", "")
		f.BoolVar(&login, "login", false, "")
		f.StringVar(&format, "o", "text", "")
		f.StringVar(&format, "output", "text", "")
	})
	switch {
	case errors.Is(err, errHelp):
		return nil
	case err != nil:
		return err
	case len(rest) > 0 || format != "text" && format != "json":
		return reason.Errorf(reason.TokenConfig, "list takes no argument, and -o text or -o json").WithHint("See notation-pkcs11 --help.")
	}
	m, err := c.open(ctx, module, &uri.URI{})
	if err != nil {
		return err
	}
	defer m.Close()
	document := listDocument{Module: m.Path(), Tokens: []tokenDocument{}}
	source := pins(c.getenv, "", nil)
	source.Env = "" // the variable holds the PIN of one token, and may be wrong for the others
	tokens, err := m.Tokens(source)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		d, err := c.tokenDocument(ctx, t, login)
		if err != nil {
			return err
		}
		document.Tokens = append(document.Tokens, d)
	}
	if format == "json" {
		return c.json(document)
	}
	return listText.Execute(c.stdout, document)
}

func (c command) json(document any) error {
	data, err := strictjson.Marshal(document)
	if err != nil {
		return err
	}
	_, err = c.stdout.Write(append(strictjson.EscapeUnprintable(data), '\n'))
	return err
}

// tokenDocument lists one token. What goes wrong with it, such as a login, is
// part of what is shown, and no reason to show nothing of the others.
func (c command) tokenDocument(ctx context.Context, t *token.Token, login bool) (tokenDocument, error) {
	var fault error
	if login {
		fault = t.Login(ctx)
	}
	if err := ctx.Err(); err != nil {
		return tokenDocument{}, reason.Wrap(reason.TokenInterrupted, err, "listing the tokens was interrupted")
	}
	v, err := t.Inventory(ctx, c.now)
	if err != nil {
		fault = err
	}
	d := tokenDocument{
		Label: utf8Text(v.Label), Serial: utf8Text(v.Serial), Manufacturer: utf8Text(v.Manufacturer), Model: utf8Text(v.Model),
		SlotID: v.Slot, URI: v.URI, PIN: v.PIN, Keys: []keyDocument{}, Certificates: []certificateDocument{}, Error: errorOf(fault),
	}
	for _, k := range v.Keys {
		key := keyDocument{
			ID: k.IDText(), Label: utf8Text(k.Label), URI: k.URI, KeySpec: k.Spec, Private: k.Private,
			ChainLength: len(k.Chain), Error: errorOf(k.Err),
		}
		if k.Leaf != nil {
			certificate := describe(k.Leaf)
			key.Certificate = &certificate
		}
		d.Keys = append(d.Keys, key)
	}
	for _, cert := range v.Others {
		d.Certificates = append(d.Certificates, describe(cert))
	}
	return d, nil
}

func describe(cert *x509.Certificate) certificateDocument {
	sum := sha256.Sum256(cert.Raw)
	return certificateDocument{
		Subject: utf8Text(cert.Subject.String()), Issuer: utf8Text(cert.Issuer.String()),
		NotAfter: cert.NotAfter.UTC(), SHA256: hex.EncodeToString(sum[:]),
	}
}

func errorOf(err error) *errorDocument {
	if err == nil {
		return nil
	}
	return &errorDocument{Code: reason.Of(err), Message: utf8Text(err.Error()), Hint: reason.Hint(err)}
}

// utf8Text makes a text of a token fit for JSON.
func utf8Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

var listText = template.Must(template.New("list").Funcs(template.FuncMap{
	"quote": strconv.QuoteToASCII,
	"plain": func(s string) string { return strings.Trim(strconv.QuoteToASCII(s), `"`) },
	"day":   func(t time.Time) string { return t.Format(time.DateOnly) },
	"kind": func(k keyDocument) string {
		if k.KeySpec == "" {
			return "not for signing"
		}
		return k.KeySpec
	},
	"pin": func(s token.PINState) string {
		switch s {
		case token.PINGood:
			return "no wrong one since the last login"
		case token.PINLow:
			return "a wrong one was given since the last login"
		case token.PINLast:
			return "the next wrong one locks it"
		case token.PINLocked:
			return "locked"
		case token.PINUnset:
			return "not set"
		}
		return "not used"
	},
}).Parse(`{{if not .Tokens}}No token is there.
{{end}}{{range .Tokens}}Token {{quote .Label}} ({{plain .Manufacturer}} {{plain .Model}}, serial number {{quote .Serial}}, slot {{.SlotID}})
  PIN: {{pin .PIN}}
{{- if .Error}}
  Error: {{.Error.Message}}
{{- end}}
{{- range .Keys}}
  {{kind .}} key {{quote .Label}}
    {{.URI}}
{{- if .Certificate}}
    certificate {{quote .Certificate.Subject}}, valid until {{day .Certificate.NotAfter}}
{{- else}}
    no certificate
{{- end}}
{{- if .ChainLength}}
    chain of {{.ChainLength}}, complete
{{- else if .Error}}
    {{.Error.Message}}
{{- end}}
{{- else}}
  no key can be seen
{{- end}}
{{- range .Certificates}}
  certificate of no key {{quote .Subject}}, valid until {{day .NotAfter}}
{{- end}}
{{end}}`))

// login logs in with a PIN from the terminal and nowhere else: it is how a
// person sets the count of wrong PINs back.
func (c command) login(ctx context.Context, args []string) error {
	var module string
	rest, err := c.flags("login", args, func(f *flag.FlagSet) { f.StringVar(&module, "module", "", "") })
	switch {
	case errors.Is(err, errHelp):
		return nil
	case err != nil:
		return err
	case len(rest) != 1:
		return reason.Errorf(reason.TokenConfig, "login takes one URI").WithHint("See notation-pkcs11 --help.")
	}
	u, err := uri.Parse(rest[0])
	if err != nil {
		return err
	}
	m, err := c.open(ctx, module, u)
	if err != nil {
		return err
	}
	defer m.Close()
	source := pins(c.getenv, "", nil)
	source.Env = ""
	t, err := m.Open(u, source)
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.Login(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, "Logged in. The PIN is good.")
	return err
}

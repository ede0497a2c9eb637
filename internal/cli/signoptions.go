package cli

import (
	"cmp"
	"context"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/spf13/cobra"
)

// signatureFormat is the value of --signature-format.
type signatureFormat string

const (
	formatJWS  signatureFormat = "jws"
	formatCOSE signatureFormat = "cose"
)

// mediaType returns the envelope's media type.
func (f signatureFormat) mediaType() string {
	if f == formatCOSE {
		return envelope.MediaTypeCOSE
	}
	return envelope.MediaTypeJWS
}

// signingOptions say how to sign, whatever it is that is signed.
type signingOptions struct {
	key        keyOptions
	format     signatureFormat
	expiry     spanFlag
	metadata   []string
	authority  bool
	timestamps timestampOptions
	revocation revocationOptions
}

func (o *signingOptions) register(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	o.key.register(a, cmd)
	f.Var(&choice[signatureFormat]{&o.format, []signatureFormat{formatJWS, formatCOSE}, nil}, "signature-format", "jws or cose (default: signatureFormat of config.json, else jws)")
	f.VarP(&o.expiry, "expiry", "e", "time after which the signature no longer counts, such as 12h or 30d; never if not given")
	f.StringArrayVarP(&o.metadata, "user-metadata", "m", nil, "`KEY=VALUE` to be signed with what is signed; may be given again")
	o.timestamps.register(cmd)
	o.revocation.registerTimeout(cmd)
	f.BoolVar(&o.authority, "signing-authority", false, "sign with the scheme of a signing authority, which vouches for the signing time; verifiers look for its root in their stores of type signingAuthority")
	completions(cmd, "signature-format", string(formatJWS), string(formatCOSE))
}

// signing reads the options and opens the key.
func (a *app) signing(ctx context.Context, cmd *cobra.Command, o *signingOptions) (signer.Signer, notation.SignOptions, error) {
	if o.authority && o.timestamps.demanded() {
		return nil, notation.SignOptions{}, a.usage(cmd, reason.UsageFlag, "--signing-authority and --timestamp-url are two ways to vouch for the signing time, and a signature has one", "give one or the other")
	}
	if err := o.key.check(a, cmd); err != nil {
		return nil, notation.SignOptions{}, err
	}
	metadata, err := pairs("user-metadata", o.metadata)
	if err != nil {
		return nil, notation.SignOptions{}, err
	}
	dirs, err := a.dirs()
	if err != nil && !o.key.needsNoList() {
		return nil, notation.SignOptions{}, err
	}
	settings, err := a.settings()
	if err != nil {
		return nil, notation.SignOptions{}, err
	}
	options := notation.SignOptions{
		MediaType:  cmp.Or(o.format, signatureFormat(settings.SignatureFormat), formatJWS).mediaType(),
		Expiry:     time.Duration(o.expiry),
		Metadata:   metadata,
		Scheme:     envelope.SchemeX509,
		Revocation: o.revocation.checker(a),
		Agent:      "notation/" + buildVersion().Version,
		Now:        a.env.Now,
	}
	if o.authority {
		options.Scheme = envelope.SchemeSigningAuthority
		settings.TimestampURLs = nil // which are for the other scheme
	}
	if options.Timestamp, err = o.timestamps.client(ctx, a, cmd, dirs, settings); err != nil {
		return nil, notation.SignOptions{}, err
	}
	key, err := a.signer(ctx, cmd, dirs, &o.key)
	return key, options, err
}

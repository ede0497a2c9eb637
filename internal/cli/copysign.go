package cli

import (
	"context"
	"strings"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// copySigning are the flags of copy for the signature of the destination's own,
// and what they say.
type copySigning struct {
	wanted  bool
	skip    bool // if the destination has a signature as good
	signing signingOptions
	flags   []string // which need --sign

	key     signer.Signer // nil: not wanted
	options notation.SignOptions
}

// signPrefix begins the names of flags for signing whose own names are those of
// flags for verification.
const signPrefix = "sign-"

// register adds --sign and the flags of 'notation sign'. Of those that
// verification has as well, the one about time holds for both; the others are
// added under another name.
func (o *copySigning) register(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.wanted, "sign", false, "sign the artifact at DST when all has arrived, before DST is verified and the tag is moved")
	f.BoolVar(&o.skip, "skip-if-signed", false, "with --sign, do not sign what has a valid signature of the same signer at DST already")
	o.flags = append(o.flags, "skip-if-signed")
	apart := &cobra.Command{}
	apart.Flags().SortFlags = false
	o.signing.register(a, apart)
	apart.Flags().VisitAll(func(flag *pflag.Flag) {
		if f.Lookup(flag.Name) != nil {
			if flag.Name == "revocation-timeout" {
				return
			}
			flag.Name, flag.Shorthand = signPrefix+flag.Name, ""
			flag.Usage = "with --sign, " + flag.Usage
		}
		o.flags = append(o.flags, flag.Name)
		f.AddFlag(flag)
	})
}

// check refuses flags that contradict each other, before anything is asked.
func (o *copySigning) check(a *app, cmd *cobra.Command) error {
	if !o.wanted {
		return a.onlyWith(cmd, o.flags, "sign")
	}
	for name, values := range map[string][]string{"user-metadata": o.signing.metadata, "plugin-config": o.signing.key.config} {
		if _, err := pairs(signPrefix+name, values); err != nil {
			return err
		}
	}
	return nil
}

// open opens the key. What verification says about revocation, such as that
// nobody is to be asked, holds for signing as well.
func (o *copySigning) open(ctx context.Context, a *app, cmd *cobra.Command, judging *judgingOptions) error {
	if !o.wanted {
		return nil
	}
	o.signing.revocation = judging.revocation
	key, options, err := a.signing(ctx, cmd, &o.signing)
	if err != nil {
		if text := strings.ReplaceAll(err.Error(), "--plugin-config", "--"+signPrefix+"plugin-config"); text != err.Error() {
			err = reworded{text: text, err: err}
		}
		return err
	}
	options.SkipIfSigned = o.skip
	o.key, o.options = key, options
	return nil
}

// sign adds the signature of the destination's own to an artifact that is there.
func (d *copyDocument) sign(ctx context.Context, o *copySigning, dst oci.Repository, t target, artifact digest.Digest) error {
	ref := t.ref.WithDigest(artifact)
	signed, err := notation.Sign(ctx, dst, ref, o.key, o.options)
	if err != nil {
		return o.signing.timestamps.hide(err)
	}
	if signed.Artifact.Digest != artifact {
		return reason.Errorf(reason.UsageInternal, "%s was signed in place of %s", signed.Artifact.Digest, artifact)
	}
	d.Signature, d.Envelope, d.Timestamp = newDescriptor(signed.Signature), newDescriptor(signed.Envelope), newStamped(signed.Timestamp)
	d.AlreadySigned = signed.Skipped
	return nil
}

// unsign says that the signature is not there after all.
func (d *copyDocument) unsign() {
	d.Signature, d.Envelope, d.Timestamp, d.AlreadySigned = nil, nil, nil, false
}

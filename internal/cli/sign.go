package cli

import (
	"context"
	"strconv"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// signOptions are the flags of sign.
type signOptions struct {
	targets       targetOptions
	signing       signingOptions
	skipIfSigned  bool
	recursive     bool
	platforms     []string
	prepare       bool
	request       string
	out           outFile
	registryFlags []string // which lead to an artifact
	signingFlags  []string
}

func (a *app) signCommand() *cobra.Command {
	o := &signOptions{}
	cmd := &cobra.Command{
		Use:   "sign REF... [flags]",
		Short: "Sign artifacts",
		Long: `Sign artifacts and store the signatures beside them in the registry.

REF is registry/repository@digest or registry/repository:tag. A tag is resolved
once; what is signed is the digest that it named, which is printed. The artifact
and its tags do not change, and earlier signatures stay.

Each signature is read back the way a verifier will look for it. If it is not
found, the command fails.

With --timestamp-url, a time-stamping authority says when the signature was made,
so that it stays good when its certificates expire. Its answer is verified
before anything is stored.

With --skip-if-signed, an artifact is not signed again that has a valid signature
of the same signer with what is asked for now. If that cannot be found out, the
command fails with exit code 3, and signs nothing. Two runs at the same time may
both sign.

The signature of an index covers the digests of its images, but many verifiers
only see the image that they run. --recursive signs every manifest of an index,
and the index last; --platform signs the images that it names, and nothing else
unless --recursive adds the index.

A key on a machine without network signs in three steps: --prepare writes down
what is to be signed, --request signs it there, and 'notation attach-signature'
stores the signature.`,
		Example: `  # Sign with the default key
  notation sign localhost:5000/net-monitor@sha256:9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7

  # Sign with another key, in COSE, for 30 days, with metadata
  notation sign --key release --signature-format cose --expiry 30d --user-metadata buildId=101 localhost:5000/net-monitor:v1

  # Sign every reference that another program prints; tags are refused
  notation sign --require-digest --from-file - --output json

  # Sign an index and all images in it, unless an earlier run has done so
  notation sign --recursive --skip-if-signed localhost:5000/net-monitor:v1

  # Have the signature time-stamped
  notation sign --timestamp-url http://timestamp.example.com --timestamp-root-cert tsa-root.pem localhost:5000/net-monitor:v1

  # Sign with a key that a plugin holds
  notation sign --plugin example-plugin --id 4711 --plugin-config region=eu localhost:5000/net-monitor:v1

  # Sign an artifact in an image layout
  notation sign --oci-layout ./layout:v1

  # Sign where there is no network: here, there, and here again
  notation sign --prepare localhost:5000/net-monitor:v1 -o net-monitor.request
  notation sign --request net-monitor.request -o net-monitor.sig
  notation attach-signature localhost:5000/net-monitor:v1 net-monitor.sig`,
	}
	cmd = a.leaf(cmd, 0, -1, func(ctx context.Context, args []string) (document, error) {
		if err := o.check(a, cmd, args); err != nil {
			return nil, err
		}
		switch {
		case o.prepare:
			return a.prepareRequest(ctx, cmd, o, args)
		case o.request != "":
			return a.signRequest(ctx, cmd, o)
		}
		return a.sign(ctx, cmd, o, args)
	})
	o.register(a, cmd)
	return cmd
}

func (o *signOptions) register(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	o.signingFlags = flagsOf(cmd, func() { o.signing.register(a, cmd) })
	o.registryFlags = flagsOf(cmd, func() {
		f.BoolVar(&o.skipIfSigned, "skip-if-signed", false, "do not sign what has a valid signature of the same signer already")
		f.BoolVar(&o.recursive, "recursive", false, "sign an index and every manifest in it, however deep")
		f.StringArrayVar(&o.platforms, "platform", nil, "sign the image of an index that is for `OS/ARCH[/VARIANT]` only; may be given again")
		f.BoolVar(&o.targets.registry.forceTag, "force-referrers-tag", false, "write the referrers tag also where the registry has the referrers API")
		o.targets.registerMany(cmd)
	})
	f.BoolVar(&o.prepare, "prepare", false, "sign nothing, but write what is to be signed to the file that --output names")
	f.StringVar(&o.request, "request", "", "sign what `FILE` asks for, which --prepare has written, and write the signature to the file that --output names; nothing is asked of any registry")
	o.out.register(a, cmd, "write the request or signature to `FILE`")
}

// notPrepared are the flags that --prepare cannot heed: they are for whoever
// signs, or for whoever stores.
var notPrepared = []string{"skip-if-signed", "recursive", "platform", "force-referrers-tag", "from-file"}

// check refuses flags that contradict each other.
func (o *signOptions) check(a *app, cmd *cobra.Command, args []string) error {
	switch {
	case o.prepare && o.request != "":
		return a.usage(cmd, reason.UsageFlag, "--prepare and --request are two steps, and both were given", "prepare where the registry is, and sign where the key is")
	case o.prepare:
		for _, name := range o.signingFlags {
			if name != "user-metadata" && name != "expiry" && cmd.Flags().Changed(name) {
				return a.usage(cmd, reason.UsageFlag, "--"+name+" is for the machine that signs, and --prepare signs nothing", "give it with --request")
			}
		}
		if err := a.notWith(cmd, notPrepared, "prepare"); err != nil {
			return err
		}
		if len(args) != 1 {
			return a.usage(cmd, reason.UsageArguments, "a request is about one artifact", "write 'notation sign --prepare REF -o FILE'")
		}
		return o.out.check(a, cmd, "")
	case o.request != "":
		if err := a.notWith(cmd, o.registryFlags, "request"); err != nil {
			return err
		}
		if len(args) > 0 {
			return a.usage(cmd, reason.UsageArguments, "--request says what to sign, and "+quote(args[0])+" was named as well", "leave the reference out; 'notation attach-signature' needs it")
		}
		return o.out.check(a, cmd, o.request)
	case o.out.path != "":
		return a.usage(cmd, reason.UsageFlag, "--output names a file, and signatures are stored beside the artifact", "leave it out, or add --prepare or --request")
	}
	return a.onlyWith(cmd, []string{"force"}, "prepare' or '--request")
}

// notWith refuses flags that mean nothing beside the one named with.
func (a *app) notWith(cmd *cobra.Command, flags []string, with string) error {
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			return a.usage(cmd, reason.UsageFlag, "--"+name+" and --"+with+" cannot be mixed", "leave one of them out")
		}
	}
	return nil
}

func (a *app) sign(ctx context.Context, cmd *cobra.Command, o *signOptions, args []string) (document, error) {
	targets, err := a.targets(ctx, cmd, &o.targets, args)
	if err != nil {
		return nil, err
	}
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	budget.run() // a plugin may hold the key
	key, options, err := a.signing(ctx, cmd, &o.signing)
	if err != nil {
		return nil, err
	}
	options.SkipIfSigned = o.skipIfSigned
	budget.pause() // a password may have to be waited for
	open, err := a.opener(ctx, &o.targets, targets...)
	if err != nil {
		return nil, err
	}
	budget.run()
	jobs := o.jobs(ctx, a, targets, open)
	doc := &signDocument{Signed: make([]signedJSON, len(jobs))}
	// One after another: the referrers of an artifact that is named twice are
	// then written in order.
	return doc, each(ctx, targetsOf(jobs), func(i int, t target) error {
		job, out := &jobs[i], &doc.Signed[i]
		out.Requested, out.Platform, out.Parent = job.requested, job.platform, job.parent
		err := job.err
		if err == nil {
			var signed notation.Signed
			if signed, err = notation.Sign(ctx, job.repo, t.ref, key, options); err == nil {
				out.succeed(t, signed)
				a.recommendDigest(t, signed.Artifact.Digest)
			}
		}
		err = o.signing.timestamps.hide(err)
		out.Error = newErrorJSON(err)
		return err
	})
}

// signDocument is the result of sign.
type signDocument struct {
	Signed []signedJSON `json:"signed"`
}

type signedJSON struct {
	Requested string          `json:"requested"` // as typed
	Name      string          `json:"name,omitempty"`
	Artifact  *descriptorJSON `json:"artifact,omitempty"`
	Signature *descriptorJSON `json:"signature,omitempty"` // the signature manifest
	Envelope  *descriptorJSON `json:"envelope,omitempty"`
	Timestamp *stampedJSON    `json:"timestamp,omitempty"`
	Skipped   bool            `json:"skipped,omitempty"`  // it was signed before
	Platform  string          `json:"platform,omitempty"` // for which an index lists it
	Parent    digest.Digest   `json:"parent,omitempty"`   // the index that lists it
	Error     *errorJSON      `json:"error,omitempty"`
}

// descriptorJSON is the part of an OCI descriptor that says what it names.
type descriptorJSON struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
}

func newDescriptor(d envelope.Descriptor) *descriptorJSON {
	return &descriptorJSON{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

func (s *signedJSON) succeed(t target, signed notation.Signed) {
	s.Name = t.name(signed.Artifact.Digest)
	s.Artifact = newDescriptor(signed.Artifact)
	s.Signature = newDescriptor(signed.Signature)
	s.Envelope = newDescriptor(signed.Envelope)
	s.Timestamp = newStamped(signed.Timestamp)
	s.Skipped = signed.Skipped
}

func (d *signDocument) text(p *page) {
	for _, s := range d.Signed {
		if s.Name == "" {
			continue // told as an error
		}
		if s.Skipped {
			p.line("Already signed %s", s.Name)
		} else {
			p.line("Successfully signed %s", s.Name) // scripts look for it at the beginning of a line
		}
		if s.Platform != "" {
			p.line("  platform %s", strconv.Quote(s.Platform))
		}
		p.line("  signature %s", s.Signature.Digest)
		s.Timestamp.text(p)
	}
}

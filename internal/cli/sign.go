package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// signOptions are the flags of sign.
type signOptions struct {
	targets       targetOptions
	signing       signingOptions
	skipIfSigned  bool
	recursive     bool
	platforms     []string
	concurrency   int
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

Several artifacts are signed at the same time, as many as the registry can take:
fewer if it says that it is busy. --concurrency bounds them, also for a key or an
authority that does not bear many. Results come in the order of the references,
and an artifact that is named twice is signed in that order. An interrupt lets
end what is being stored, begins nothing else, and says how much is left; the
same command with --skip-if-signed signs the rest. --timeout, if it is given,
bounds all of them; if not, each may take two minutes.

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
		f.IntVar(&o.concurrency, "concurrency", audit.DefaultSigning, "sign at most this number of artifacts at a time")
		o.targets.registerMany(cmd)
	})
	f.BoolVar(&o.prepare, "prepare", false, "sign nothing, but write what is to be signed to the file that --output names")
	f.StringVar(&o.request, "request", "", "sign what `FILE` asks for, which --prepare has written, and write the signature to the file that --output names; nothing is asked of any registry")
	o.out.register(a, cmd, "write the request or signature to `FILE`")
}

// notPrepared are the flags that --prepare cannot heed: they are for whoever
// signs, or for whoever stores.
var notPrepared = []string{"skip-if-signed", "recursive", "platform", "force-referrers-tag", "concurrency", "from-file"}

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
	if o.concurrency < 1 || o.concurrency > audit.MaxConcurrency {
		return a.usage(cmd, reason.UsageFlag, fmt.Sprintf("--concurrency is from 1 to %d", audit.MaxConcurrency), "")
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

// indexes reports whether more than what a reference names may be signed.
func (o *signOptions) indexes() bool { return o.recursive || len(o.platforms) > 0 }

func (a *app) sign(ctx context.Context, cmd *cobra.Command, o *signOptions, args []string) (document, error) {
	list, err := a.signList(ctx, cmd, &o.targets, args)
	if err != nil {
		return nil, err
	}
	defer list.done()
	a.env.OutlivePipe()
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	budget.run() // a plugin may hold the key
	run := &signRun{app: a, options: o, alone: list.count == 1}
	if run.key, run.sign, err = a.signing(ctx, cmd, &o.signing); err != nil {
		return nil, err
	}
	budget.pause() // a password may have to be waited for
	run.share()
	o.targets.registry.busy = run.pace.Busy
	if run.open, err = a.opener(ctx, &o.targets, list.registries...); err != nil {
		return nil, err
	}
	if run.alone || cmd.Flags().Changed("timeout") {
		budget.run()
	} else {
		run.each = time.Duration(a.timeout)
	}
	shown := &auditProgress{text: func(elapsed time.Duration) string { return run.progress.line(elapsed, list.count) }}
	shown.start(a)
	doc := &signDocument{beside: shown.beside}
	doc.listErr = run.all(ctx, list, doc)
	shown.done()
	return doc, doc.end(ctx, a)
}

// share has the signatures of the run share what they can.
func (r *signRun) share() {
	o := r.options
	r.key = holdKey(r.key, o.concurrency)
	r.sign.SkipIfSigned = o.skipIfSigned
	r.sign.Cache = notation.NewCache()
	r.pace = audit.NewPace(o.concurrency)
	if o.targets.layout {
		r.pace = audit.NewPace(1) // its index is written by one at a time anyway
	}
	if r.sign.Timestamp != nil {
		r.stamping = make(chan struct{}, min(o.concurrency, maxStamping))
	}
	if !r.alone {
		r.sign.Revocation = audit.Prepare(&notation.Verifier{Revocation: r.sign.Revocation, Now: r.app.env.Now}).Revocation
	}
}

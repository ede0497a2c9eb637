package cli

import (
	"context"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// signOptions are the flags of sign.
type signOptions struct {
	targets targetOptions
	signing signingOptions
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
before anything is stored.`,
		Example: `  # Sign with the default key
  notation sign localhost:5000/net-monitor@sha256:9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7

  # Sign with another key, in COSE, for 30 days, with metadata
  notation sign --key release --signature-format cose --expiry 30d --user-metadata buildId=101 localhost:5000/net-monitor:v1

  # Sign every reference that another program prints; tags are refused
  notation sign --require-digest --from-file - --output json

  # Have the signature time-stamped
  notation sign --timestamp-url http://timestamp.example.com --timestamp-root-cert tsa-root.pem localhost:5000/net-monitor:v1

  # Sign with a key that a plugin holds
  notation sign --plugin example-plugin --id 4711 --plugin-config region=eu localhost:5000/net-monitor:v1

  # Sign an artifact in an image layout
  notation sign --oci-layout ./layout:v1`,
	}
	cmd = a.leaf(cmd, 0, -1, func(ctx context.Context, args []string) (document, error) {
		return a.sign(ctx, cmd, o, args)
	})
	o.signing.register(a, cmd)
	cmd.Flags().BoolVar(&o.targets.registry.forceTag, "force-referrers-tag", false, "write the referrers tag also where the registry has the referrers API")
	o.targets.registerMany(cmd)
	return cmd
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
	budget.pause() // a password may have to be waited for
	open, err := a.opener(ctx, &o.targets, targets...)
	if err != nil {
		return nil, err
	}
	budget.run()
	doc := &signDocument{Signed: make([]signedJSON, len(targets))}
	// One after another: the referrers of an artifact that is named twice are
	// then written in order.
	return doc, each(ctx, targets, func(i int, t target) error {
		doc.Signed[i].Requested = t.typed
		repo, err := open(t, "")
		if err == nil {
			var signed notation.Signed
			if signed, err = notation.Sign(ctx, repo, t.ref, key, options); err == nil {
				doc.Signed[i].succeed(t, signed)
				a.recommendDigest(t, signed.Artifact.Digest)
			}
		}
		err = o.signing.timestamps.hide(err)
		doc.Signed[i].Error = newErrorJSON(err)
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
}

func (d *signDocument) text(p *page) {
	for _, s := range d.Signed {
		if s.Name == "" {
			continue // told as an error
		}
		p.line("Successfully signed %s", s.Name) // scripts look for it at the beginning of a line
		p.line("  signature %s", s.Signature.Digest)
		s.Timestamp.text(p)
	}
}

package cli

import (
	"context"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

func (a *app) blobInspectCommand() *cobra.Command {
	return a.leaf(&cobra.Command{
		Use:   "inspect SIGFILE [flags]",
		Short: "Show what the signature of a file says",
		Long: `Show what the signature of a file says, and whether it is intact. SIGFILE is the
signature, as FILE.jws.sig, not the signed file.

Nothing here is a verdict: a signature that is intact may be anybody's, and for
any file. Whether it is trusted is what 'notation blob verify' tells. --output
tree is the same as --output text.`,
		Example: `  # Show the signature as a tree
  notation blob inspect release.tar.gz.jws.sig

  # Show it as JSON
  notation blob inspect --output json release.tar.gz.jws.sig`,
	}, 1, 1, func(ctx context.Context, args []string) (document, error) {
		return a.blobInspect(ctx, args[0])
	})
}

func (a *app) blobInspect(ctx context.Context, path string) (document, error) {
	content, err := readNamed(ctx, path, envelope.MaxSize)
	if err != nil {
		return nil, err
	}
	mediaType, ok := envelope.Detect(content)
	if !ok {
		return nil, reason.Errorf(reason.EnvelopeMediaType, "%q is no signature: its content is neither JWS nor COSE", path).
			WithHint("name the signature, as FILE.jws.sig, and not the signed file")
	}
	parsed, err := envelope.Parse(mediaType, content)
	if err != nil {
		return nil, reason.Wrap(reason.Of(err), err, "%q is no signature that can be read", path).
			WithHint("%s", damaged)
	}
	_, err = parsed.Verify()
	s := signatureJSON{Digest: digest.FromBytes(content), EnvelopeType: mediaType, Integrity: newIntegrity(err)}
	s.describe(parsed.Claims())
	return &blobInspectDocument{Path: path, MediaType: mediaType, Signatures: []signatureJSON{s}}, nil
}

// blobInspectDocument is the result of blob inspect, in the form of that of
// inspect.
type blobInspectDocument struct {
	Path       string          `json:"path"`      // of the signature
	MediaType  string          `json:"mediaType"` // of the signature
	Verified   bool            `json:"verified"`  // always false: inspect does not verify
	Signatures []signatureJSON `json:"signatures"`
}

func (d *blobInspectDocument) text(p *page) {
	p.line("%s", d.Path)
	p.line("Not verified against any trust policy.")
	for _, s := range d.Signatures {
		p.tree("", []node{s.node()})
	}
}

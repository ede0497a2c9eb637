package cli

import (
	"cmp"
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

func (a *app) listCommand() *cobra.Command {
	o := &lookOptions{}
	cmd := &cobra.Command{
		Use:     "list REF [flags]",
		Aliases: []string{"ls"},
		Short:   "List the signatures of an artifact",
		Long: `List the digests of the signatures that are attached to an artifact.

Nothing is said about whether they are valid or trusted; see 'notation verify'.
An artifact without signature gives an empty list and exit code 0.`,
		Example: `  # List signatures in a registry
  notation list localhost:5000/net-monitor:v1

  # List signatures in an image layout
  notation list --oci-layout ./layout:v1`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		ctx, cancel := a.network(ctx)
		defer cancel()
		_, t, artifact, signatures, err := a.look(ctx, cmd, o, args[0])
		if artifact.Digest == "" {
			return nil, err
		}
		doc := &listDocument{Reference: t.name(artifact.Digest), Signatures: []digest.Digest{}}
		for _, s := range signatures {
			if s.err == nil {
				doc.Signatures = append(doc.Signatures, s.manifest.Digest)
			}
		}
		return doc, cmp.Or(err, undecided(signatures))
	})
	o.register(cmd)
	return cmd
}

// listDocument is the result of list.
type listDocument struct {
	Reference  string          `json:"reference"`
	Signatures []digest.Digest `json:"signatures"`
}

func (d *listDocument) text(p *page) {
	p.line("%s", d.Reference)
	if len(d.Signatures) == 0 {
		p.line("  no signature is attached")
		return
	}
	n := node{label: oci.ArtifactTypeSignature}
	for _, s := range d.Signatures {
		n.add("%s", s)
	}
	p.tree("", []node{n})
}

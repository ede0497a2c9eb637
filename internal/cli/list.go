package cli

import (
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
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
An artifact without signature gives an empty list and exit code 0. A manifest
that claims to be a signature and is malformed is shown as failed.`,
		Example: `  # List signatures in a registry
  notation list localhost:5000/net-monitor:v1

  # List signatures in an image layout
  notation list --oci-layout ./layout:v1`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		ctx, cancel := a.network(ctx)
		defer cancel()
		seen, err := a.look(ctx, cmd, o, args[0], false)
		if err != nil {
			return nil, err
		}
		doc := &listDocument{Reference: seen.target.name(seen.artifact.Digest), Signatures: []digest.Digest{}, nothing: seen.nothing()}
		for _, s := range seen.signatures {
			switch {
			case s.err == nil:
				doc.Signatures = append(doc.Signatures, s.manifest.Digest)
			case !s.unread:
				doc.Failed = append(doc.Failed, failedJSON{Digest: s.manifest.Digest, Reason: reason.Of(s.err), Message: s.err.Error()})
			}
		}
		return doc, seen.doubt
	})
	o.register(cmd)
	return cmd
}

// listDocument is the result of list.
type listDocument struct {
	Reference  string          `json:"reference"`
	Signatures []digest.Digest `json:"signatures"`
	Failed     []failedJSON    `json:"failed,omitempty"`
	nothing    string
}

// failedJSON is a manifest that claims to be a signature of the artifact and
// cannot be one.
type failedJSON struct {
	Digest  digest.Digest `json:"digest"`
	Reason  reason.Code   `json:"reason"`
	Message string        `json:"message"`
}

func (d *listDocument) text(p *page) {
	p.line("%s", d.Reference)
	if len(d.Signatures)+len(d.Failed) == 0 {
		p.line("  %s", d.nothing)
		return
	}
	n := node{label: oci.ArtifactTypeSignature}
	for _, s := range d.Signatures {
		n.add("%s", s)
	}
	for _, s := range d.Failed {
		n.add("%s", s.Digest).add("failed: %s [%s]", s.Message, s.Reason)
	}
	p.tree("", []node{n})
}

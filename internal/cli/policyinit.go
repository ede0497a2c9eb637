package cli

import (
	"context"
	"strings"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

// policyInitOptions are the flags of policy init.
type policyInitOptions struct {
	name               string
	stores, identities []string
	global, force      bool
	coverManifests     bool
}

func (a *app) policyInitCommand(kind trust.Kind) *cobra.Command {
	o := &policyInitOptions{}
	cmd := &cobra.Command{
		Use:   "init [flags]",
		Short: "Write a trust policy",
		Long: `Write a trust policy of one statement, which holds for every repository and
enforces every check. An existing policy is replaced only with --force.

A trusted identity is '*' for every signer under the roots of the stores, or
'x509.subject: ' followed by a subject with at least C, ST and O.

With --index-covers-manifests the signature of an index is good for the images
in it, too, as long as they are reached through it. That takes version 1.1 of the
policy, which programs that know only 1.0 refuse.`,
		Example: `  # Trust one signer under the roots of the store ca:wabbit-networks.io
  notation policy init --name production --trust-store ca:wabbit-networks.io --trusted-identity 'x509.subject: C=US, ST=WA, O=wabbit-networks.io'

  # The same, with one signature for the images of all platforms
  notation policy init --index-covers-manifests --name production --trust-store ca:wabbit-networks.io --trusted-identity 'x509.subject: C=US, ST=WA, O=wabbit-networks.io'`,
	}
	global := "as if not given: the statement holds for every repository in any case"
	if kind == trust.BlobPolicy {
		global = "have the statement hold for files for which no other is named"
		cmd.Short = "Write a trust policy for files"
		cmd.Long = `Write a trust policy for files, of one statement, which enforces every check. An
existing policy is replaced only with --force.

With --global the statement holds for every file; without, only where it is
asked for with 'notation blob verify --policy-name NAME'.

A trusted identity is '*' for every signer under the roots of the stores, or
'x509.subject: ' followed by a subject with at least C, ST and O.`
		cmd.Example = `  # Trust one signer of files under the roots of the store ca:wabbit-networks.io
  notation blob policy init --global --name production --trust-store ca:wabbit-networks.io --trusted-identity 'x509.subject: C=US, ST=WA, O=wabbit-networks.io'`
	}
	cmd = a.leaf(cmd, 0, 0, func(ctx context.Context, _ []string) (document, error) {
		return a.policyInit(ctx, cmd, kind, o)
	})
	f := cmd.Flags()
	f.StringVarP(&o.name, "name", "n", "default", "`NAME` of the statement")
	f.StringArrayVar(&o.stores, "trust-store", nil, "trust store `TYPE:NAME` to trust; may be given again")
	f.StringArrayVar(&o.identities, "trusted-identity", nil, "`IDENTITY` to trust; may be given again")
	f.BoolVar(&o.global, "global", false, global)
	f.BoolVar(&o.force, "force", false, "replace an existing policy")
	if kind != trust.BlobPolicy {
		f.BoolVar(&o.coverManifests, "index-covers-manifests", false, "let the signature of an index cover the manifests that it lists")
	}
	return cmd
}

func (a *app) policyInit(ctx context.Context, cmd *cobra.Command, kind trust.Kind, o *policyInitOptions) (document, error) {
	switch {
	case len(o.stores) == 0:
		return nil, a.usage(cmd, reason.UsageFlag, quote(cmd.CommandPath())+" needs --trust-store", "name a trust store, such as ca:wabbit-networks.io")
	case len(o.identities) == 0:
		return nil, a.usage(cmd, reason.UsageFlag, quote(cmd.CommandPath())+" needs --trusted-identity", "name a subject as in 'x509.subject: C=US, ST=WA, O=Notary', or '*' for every signer under the roots of the stores")
	}
	for _, s := range o.stores {
		if _, err := trust.ParseStoreRef(s); err != nil {
			return nil, err
		}
	}
	for _, s := range o.identities {
		if _, err := trust.ParseIdentity(s); err != nil {
			return nil, err
		}
	}
	policy := newPolicy(kind, o.name, o.global, o.stores, o.identities)
	if o.coverManifests {
		policy = policy.CoverManifests()
	}
	data, err := policy.Encode(kind)
	if err != nil {
		return nil, withoutPlace("trust policy", err) // as Encode calls a text without a file
	}
	doc, err := a.writePolicy(ctx, kind, "", data, o.force)
	if err != nil {
		return nil, err
	}
	a.warnMissingStores(o.stores)
	if kind == trust.BlobPolicy && !o.global {
		a.warn("the statement %q is not global, so each verification must name it with --policy-name; --global makes it hold for every file", o.name)
	}
	return doc, nil
}

// newPolicy returns a policy of one statement at level strict. For artifacts it
// holds for every repository; for files, for all of them only if it is global.
// Nothing in it is checked.
func newPolicy(kind trust.Kind, name string, global bool, stores, identities []string) trust.Document {
	d := trust.Starter(kind)
	s := &d.Statements[0]
	s.Name, s.TrustStores, s.TrustedIdentities = name, stores, identities
	s.GlobalPolicy = kind == trust.BlobPolicy && global
	return d
}

// withoutPlace leaves file:line: member out of what the policy parser says of a
// text that the user has not written.
func withoutPlace(file string, err error) error {
	rest, ok := strings.CutPrefix(err.Error(), file+":")
	if !ok {
		return err
	}
	parts := strings.SplitN(rest, ": ", 3)
	rest, _, _ = strings.Cut(parts[len(parts)-1], "\n")
	return reason.Errorf(reason.Of(err), "%s", rest).WithHint("%s", reason.Hint(err))
}

// warnMissingStores mentions stores of a new policy that cannot be loaded.
func (a *app) warnMissingStores(names []string) {
	stores, err := a.stores("")
	if err != nil {
		return
	}
	for _, name := range names {
		ref, err := trust.ParseStoreRef(name)
		if err != nil {
			continue
		}
		if _, _, err := stores.Load(ref); err != nil {
			a.warn("the policy names %s, but %s", ref, err)
		}
	}
}

package cli

import (
	"context"

	"github.com/notaryv2/notation"
	"github.com/spf13/cobra"
)

// judgingOptions say how verifiers learn what is in no file: whether
// certificates were revoked, and what plugins say. Whom to trust is the matter
// of trustOptions.
type judgingOptions struct {
	revocation   revocationOptions
	evidence     []string
	pluginConfig []string

	carried evidence // what evidence names, and what lies in layouts that are verified

	pluginsKnown bool // whether there is a directory to look for plugins in
}

func (o *judgingOptions) register(cmd *cobra.Command) {
	o.revocation.register(cmd)
	cmd.Flags().StringArrayVar(&o.evidence, "revocation-evidence", nil, "`FILE` with answers about revocation that were carried along: an OCSP response or revocation list in DER, lists in PEM, or a bundle; may be given again")
	registerPluginConfig(cmd, &o.pluginConfig)
}

// apply completes a verifier. It runs and asks nothing yet.
func (o *judgingOptions) apply(ctx context.Context, a *app, v *notation.Verifier) error {
	config, err := pairs("plugin-config", o.pluginConfig)
	if err != nil {
		return err
	}
	dirs, _ := a.dirs() // plugins may be known where the configuration is not
	v.Revocation, v.RequireRevocation = o.revocation.checker(a), o.revocation.require
	if err := o.carried.read(ctx, a, o.evidence); err != nil {
		return err
	}
	v.Evidence = o.carried.answers
	v.Plugins, v.PluginConfig = pluginHost(dirs), config
	o.pluginsKnown = dirs.Libexec != ""
	return nil
}

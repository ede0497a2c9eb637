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

	pluginsKnown bool // whether there is a directory to look for plugins in
}

func (o *judgingOptions) register(cmd *cobra.Command) {
	o.revocation.register(cmd)
	cmd.Flags().StringArrayVar(&o.evidence, "revocation-evidence", nil, "`FILE` with an answer about revocation that was carried along: an OCSP response or revocation list in DER, or lists in PEM; may be given again")
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
	if v.Evidence, err = readEvidence(ctx, o.evidence); err != nil {
		return err
	}
	v.Plugins, v.PluginConfig = pluginHost(dirs), config
	o.pluginsKnown = dirs.Libexec != ""
	return nil
}

package cli

import (
	"github.com/notaryv2/notation"
	"github.com/spf13/cobra"
)

// judgingOptions say how verifiers learn what is in no file: whether
// certificates were revoked, and what plugins say. Whom to trust is the matter
// of trustOptions.
type judgingOptions struct {
	revocation   revocationOptions
	pluginConfig []string
}

func (o *judgingOptions) register(cmd *cobra.Command) {
	o.revocation.register(cmd)
	registerPluginConfig(cmd, &o.pluginConfig)
}

// apply completes a verifier. It runs and asks nothing yet.
func (o *judgingOptions) apply(a *app, v *notation.Verifier) error {
	config, err := pairs("plugin-config", o.pluginConfig)
	if err != nil {
		return err
	}
	dirs, _ := a.dirs() // plugins may be known where the configuration is not
	v.Revocation, v.RequireRevocation = o.revocation.checker(a), o.revocation.require
	v.Plugins, v.PluginConfig = pluginHost(dirs), config
	return nil
}

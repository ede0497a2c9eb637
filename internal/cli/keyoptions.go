package cli

import (
	"context"
	"maps"
	"strings"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/spf13/cobra"
)

// keyOptions say with which key to sign: one of the user's list, or one that a
// plugin holds and no list names.
type keyOptions struct {
	name   string
	plugin string
	id     string
	config []string
}

func (o *keyOptions) register(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.name, "key", "k", "", "`NAME` of the key, as in 'notation key list'; the default key if not given")
	o.registerPlugin(cmd)
	_ = cmd.RegisterFlagCompletionFunc("key", a.completeKeys)
}

// registerPlugin adds the flags that name a key in a plugin.
func (o *keyOptions) registerPlugin(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.plugin, "plugin", "", "`NAME` of the plugin that holds the key, as in 'notation plugin list'")
	f.StringVar(&o.id, "id", "", "with --plugin, the `ID` by which the plugin knows the key")
	registerPluginConfig(cmd, &o.config)
}

func registerPluginConfig(cmd *cobra.Command, to *[]string) {
	cmd.Flags().StringArrayVar(to, "plugin-config", nil, "`KEY=VALUE` that is passed on to the plugin; may be given again")
}

// check refuses flags that contradict each other.
func (o *keyOptions) check(a *app, cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	switch {
	case given("plugin") && given("key"):
		return a.usage(cmd, reason.UsageFlag, "--key names a key of the list and --plugin one that a plugin holds, and both were given", "give one or the other")
	case given("id") && !given("plugin"):
		return a.usage(cmd, reason.UsageFlag, "--id needs --plugin, which holds the key of that id", "name the plugin with --plugin")
	case given("plugin") && !given("id"):
		return a.usage(cmd, reason.UsageFlag, "--plugin needs --id, the id of the key in the plugin", "give the id as the plugin's documentation says")
	}
	return nil
}

// signer opens the key that the options name, or else the default key. Only for
// a key that a plugin holds is anything run.
func (a *app) signer(ctx context.Context, cmd *cobra.Command, dirs config.Dirs, o *keyOptions) (signer.Signer, error) {
	pluginConfig, err := pairs("plugin-config", o.config)
	if err != nil {
		return nil, err
	}
	if o.plugin != "" {
		return a.pluginSigner(ctx, dirs, config.Key{ID: o.id, PluginName: o.plugin}, pluginConfig)
	}
	keys, err := dirs.SigningKeys()
	if err != nil {
		return nil, err
	}
	find := keys.Default
	if o.name != "" {
		find = func() (config.Key, error) { return keys.Find(o.name) }
	}
	key, err := find()
	if err != nil {
		return nil, err
	}
	switch {
	case !key.IsLocal():
		return a.pluginSigner(ctx, dirs, key, pluginConfig)
	case len(pluginConfig) > 0:
		return nil, a.usage(cmd, reason.UsageFlag, "--plugin-config is for keys that a plugin holds, and key "+quote(key.Name)+" is a file", "leave it out, or name another key")
	}
	a.log.Debug("signing key", "name", key.Name, "file", key.KeyPath)
	return a.openKey(key.KeyPath, key.CertPath)
}

// pluginSigner finds the plugin that holds a key. Entries of extra go before
// those of the list. A key without a name is not in the list.
func (a *app) pluginSigner(ctx context.Context, dirs config.Dirs, key config.Key, extra map[string]string) (signer.Signer, error) {
	if key.PluginName == "" || key.ID == "" {
		return nil, reason.Errorf(reason.ConfigSigningKeys, "key %q has only one of id and pluginName", key.Name).
			WithHint("delete it with 'notation key delete' and add it again")
	}
	if dirs.Libexec == "" {
		return nil, errNoPluginDirectory()
	}
	p, err := pluginHost(dirs).Get(ctx, key.PluginName)
	if err != nil {
		if key.Name != "" {
			err = reason.Wrap(reason.Of(err), err, "key %q is held by a plugin", key.Name)
		}
		return nil, err
	}
	merged := map[string]string{}
	maps.Copy(merged, key.PluginConfig)
	maps.Copy(merged, extra)
	a.log.Debug("signing key", "name", key.Name, "plugin", p.Name(), "version", p.Metadata().Version, "id", key.ID)
	return signer.FromPlugin(p, key.ID, merged)
}

// openKey reads a private key and its certificate chain.
func (a *app) openKey(keyPath, certPath string) (signer.Signer, error) {
	key, err := atomicfile.ReadLinked(keyPath, config.MaxKeyFileBytes)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if w := config.ReadableByOthers(keyPath); w != "" {
		a.warn("%s", w)
	}
	certs, err := atomicfile.ReadLinked(certPath, config.MaxCertificateFileBytes)
	if err != nil {
		return nil, err
	}
	s, err := signer.FromPEM(key, certs)
	if err != nil {
		switch area, _, _ := strings.Cut(string(reason.Of(err)), "."); {
		case area == "cert", reason.Of(err) == reason.SignerCertificates, reason.Of(err) == reason.SignerChain, reason.Of(err) == reason.SignerCertificateTime:
			return nil, config.InFile(certPath, err)
		}
		return nil, config.InFile(keyPath, err)
	}
	return s, nil
}

// pluginHost runs the user's plugins. Where their directory is not known there
// are none.
func pluginHost(dirs config.Dirs) *plugin.Host { return plugin.NewHost(dirs.Plugins()) }

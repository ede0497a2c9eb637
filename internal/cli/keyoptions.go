package cli

import (
	"context"
	"maps"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/spf13/cobra"
)

// keyOptions say with which key to sign: one of the user's list, or one that no
// list names, in files or held by a plugin.
type keyOptions struct {
	name       string
	plugin     string
	id         string
	config     []string
	keyFile    string
	certFile   string
	passphrase passphraseOptions
}

func (o *keyOptions) register(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.name, "key", "k", "", "`NAME` of the key, as in 'notation key list'; the default key if not given")
	f.StringVar(&o.keyFile, "key-file", "", "sign with the private key in `FILE`, which may be env://VARIABLE or fd://NUMBER, and with no key of the list")
	f.StringVar(&o.certFile, "cert-file", "", "with --key-file, the certificate chain of the key, read like it")
	o.passphrase.register(cmd)
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
	case o.keyFile != "" && o.certFile == "" || o.keyFile == "" && o.certFile != "":
		return a.usage(cmd, reason.UsageFlag, "--key-file and --cert-file, the private key and its certificates, belong together", "give both; one file that holds both is named twice; the client certificate for HTTPS is --tls-cert-file and --tls-key-file")
	case o.keyFile != "" && (o.name != "" || o.plugin != ""):
		return a.usage(cmd, reason.UsageFlag, "--key-file names a key to sign with, and another was named as well", "give one; the client certificate for HTTPS is --tls-cert-file and --tls-key-file")
	case o.keyFile != "" && len(o.config) > 0:
		return a.usage(cmd, reason.UsageFlag, "--plugin-config is for keys that a plugin holds, and --key-file names one in a file", "leave one of them out")
	case sameDescriptor(o.keyFile, o.certFile):
		return a.usage(cmd, reason.UsageFlag, "one descriptor was given for the key and for its certificates, and can be read once", "give each its own descriptor")
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
// a key that a plugin holds is anything run. What has been read of the environment
// is not there any more for whatever is run later.
func (a *app) signer(ctx context.Context, cmd *cobra.Command, dirs config.Dirs, o *keyOptions) (signer.Signer, error) {
	defer a.withhold(o.keyFile, o.certFile, o.passphrase.file, fromVariable+passphraseVariable)
	pluginConfig, err := pairs("plugin-config", o.config)
	if err != nil {
		return nil, err
	}
	if o.plugin != "" {
		return a.pluginSigner(ctx, dirs, config.Key{ID: o.id, PluginName: o.plugin}, pluginConfig)
	}
	if o.keyFile != "" {
		return a.sourceSigner(ctx, o)
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
	return a.openKey(ctx, &o.passphrase, key.KeyPath, key.CertPath)
}

// needsNoList reports whether the key is named by itself, so that a user without
// any configuration can sign.
func (o *keyOptions) needsNoList() bool { return o.plugin != "" || o.keyFile != "" }

// sourceSigner opens the key and certificates of --key-file and --cert-file.
func (a *app) sourceSigner(ctx context.Context, o *keyOptions) (signer.Signer, error) {
	key, err := a.readKey(ctx, &o.passphrase, o.keyFile)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	certs, err := a.readSource(ctx, o.certFile, config.MaxCertificateFileBytes)
	if err != nil {
		return nil, err
	}
	a.log.Debug("signing key", "source", o.keyFile)
	return fromPEM(o.keyFile, key, o.certFile, certs)
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
	a.warnPINFile(p.Name(), key.ID)
	a.log.Debug("signing key", "name", key.Name, "plugin", p.Name(), "version", p.Metadata().Version, "id", key.ID)
	return signer.FromPlugin(p, key.ID, merged)
}

// openKey reads a private key of the list and its certificate chain.
func (a *app) openKey(ctx context.Context, passphrase *passphraseOptions, keyPath, certPath string) (signer.Signer, error) {
	data, err := atomicfile.ReadLinked(keyPath, config.MaxKeyFileBytes)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if w := config.ReadableByOthers(keyPath); w != "" {
		a.warn("%s", w)
	}
	certs, err := atomicfile.ReadLinked(certPath, config.MaxCertificateFileBytes)
	if err != nil {
		return nil, err
	}
	key, err := a.clearKey(ctx, passphrase, data, keyPath)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return fromPEM(keyPath, key, certPath, certs)
}

// fromPEM makes a signer of a key and certificates, and names the source of what
// is wrong.
func fromPEM(keySource string, key []byte, certSource string, certs []byte) (signer.Signer, error) {
	s, err := signer.FromPEM(key, certs)
	switch {
	case err == nil:
		return s, nil
	case chainFault(err):
		return nil, inSource(certSource, err)
	}
	return nil, inSource(keySource, err)
}

// pluginHost runs the user's plugins. Where their directory is not known there
// are none.
func pluginHost(dirs config.Dirs) *plugin.Host {
	return &plugin.Host{Dir: dirs.Plugins(), Beside: pluginsBeside()}
}

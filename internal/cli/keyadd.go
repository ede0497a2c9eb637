package cli

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/spf13/cobra"
)

// keyAddOptions are the flags of key add.
type keyAddOptions struct {
	name        string
	makeDefault bool
	material    materialOptions
	held        keyOptions // of a key that a plugin holds
}

func (a *app) keyAddCommand() *cobra.Command {
	o := &keyAddOptions{}
	cmd := &cobra.Command{
		Use:   "add KEYFILE CERTFILE | NAME [--key FILE] --cert CHAIN | NAME --pkcs12 FILE | NAME --plugin PLUGIN --id ID [flags]",
		Short: "Add a key to the list",
		Long: `Add a key to the list of keys: a private key in a file with its certificate
chain, or one that a plugin holds. Key, chain and the rules for certificates
must fit, or nothing is listed and the command says what does not.

With --cert, the chain may be in any order, and what is missing is taken from
--intermediate and --root. The complete chain is kept in the configuration
directory; the private key of --key stays where it is. Without --key it is the
one that 'notation key generate NAME' has made.

With --pkcs12, key and certificates are taken from a .p12 or .pfx file. The key
is kept in the configuration directory, under the pass phrase of the file.

KEYFILE is a PEM file with a private key, PKCS#8, PKCS#1 or SEC 1; one in PKCS#8
may be encrypted. CERTFILE is a PEM file with the whole chain in order: signing
certificate first, root last. Both stay where they are.

With --plugin, NAME is the name in the list. The plugin is asked whether it
knows the key, if it can tell, before it is listed.`,
		Example: `  # Add a key under the name of its file, here release
  notation key add release.key release.crt

  # Add the key that 'key generate' made, with what the authority has sent
  notation key add release --cert release.crt --intermediate issuing-ca.crt --root root.crt

  # Take key and certificates from a PKCS#12 file, and make it the default key
  notation key add release --pkcs12 release.p12 --default

  # Add a key that a plugin holds
  notation key add release --plugin example-plugin --id 4711 --plugin-config region=eu`,
	}
	cmd = a.leaf(cmd, 1, 2, func(ctx context.Context, args []string) (document, error) {
		if err := o.material.check(a, cmd); err != nil {
			return nil, err
		}
		if o.material.given() {
			return a.addMaterial(ctx, cmd, o, args)
		}
		key, err := a.keyToAdd(ctx, cmd, o, args)
		if err != nil {
			return nil, err
		}
		return a.addKey(ctx, key, o.makeDefault)
	})
	cmd.Flags().StringVarP(&o.name, "name", "n", "", "`NAME` of the key; that of KEYFILE without its extension if not given")
	cmd.Flags().BoolVar(&o.makeDefault, "default", false, "make it the default key")
	o.material.register(cmd)
	o.held.registerPlugin(cmd)
	return cmd
}

// keyToAdd returns the key that is to be listed, when it has been tried.
func (a *app) keyToAdd(ctx context.Context, cmd *cobra.Command, o *keyAddOptions, args []string) (config.Key, error) {
	if err := o.held.check(a, cmd); err != nil {
		return config.Key{}, err
	}
	switch {
	case o.held.plugin == "" && len(o.held.config) > 0:
		return config.Key{}, a.usage(cmd, reason.UsageFlag, "--plugin-config needs --plugin, as a key in a file has no plugin", "name the plugin with --plugin")
	case o.held.plugin == "" && len(args) == 1:
		return config.Key{}, a.usage(cmd, reason.UsageArguments, "'notation key add' needs KEYFILE and CERTFILE, or --cert, or --pkcs12, or --plugin and --id for a key that a plugin holds",
			"write 'notation key add --name NAME KEYFILE CERTFILE' or 'notation key add NAME --key FILE --cert CHAIN'")
	case o.held.plugin == "":
		return a.fileKey(ctx, &o.material.passphrase, o.name, args[0], args[1])
	case len(args) == 2:
		return config.Key{}, a.usage(cmd, reason.UsageArguments, "a key that a plugin holds has no files, but got "+quote(args[0])+" and "+quote(args[1]), "write 'notation key add NAME --plugin PLUGIN --id ID'")
	case o.name != "" && o.name != args[0]:
		return config.Key{}, a.usage(cmd, reason.UsageFlag, "the key has two names, "+quote(args[0])+" and "+quote(o.name), "give one")
	}
	return a.heldKey(ctx, &o.held, args[0])
}

// fileKey returns the entry for a key in a file.
func (a *app) fileKey(ctx context.Context, passphrase *passphraseOptions, name, keyFile, certFile string) (config.Key, error) {
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(keyFile), filepath.Ext(keyFile))
	}
	if err := config.CheckName(name); err != nil {
		return config.Key{}, err
	}
	if _, err := a.openKey(ctx, passphrase, keyFile, certFile); err != nil {
		return config.Key{}, nameAFile(err)
	}
	key := config.Key{Name: name}
	var err error
	if key.KeyPath, err = filepath.Abs(keyFile); err == nil {
		key.CertPath, err = filepath.Abs(certFile)
	}
	if err == nil {
		err = checkStays(keyFile, key.KeyPath)
	}
	return key, err
}

// heldKey returns the entry for a key that a plugin holds. A plugin that makes
// whole envelopes only has no way to tell whether it knows a key.
func (a *app) heldKey(ctx context.Context, o *keyOptions, name string) (config.Key, error) {
	key := config.Key{Name: name, ID: o.id, PluginName: o.plugin}
	if err := config.CheckName(name); err != nil {
		return config.Key{}, err
	}
	var err error
	if key.PluginConfig, err = pairs("plugin-config", o.config); err != nil {
		return config.Key{}, err
	}
	host, err := a.plugins()
	if err != nil {
		return config.Key{}, err
	}
	ctx, cancel := a.network(ctx)
	defer cancel()
	p, err := host.Get(ctx, o.plugin)
	if err != nil {
		return config.Key{}, err
	}
	s, err := signer.FromPlugin(p, key.ID, key.PluginConfig)
	if err != nil {
		return config.Key{}, err
	}
	a.warnPINFile(p.Name(), key.ID)
	if !p.Can(plugin.CapabilityRaw) && !p.Can(plugin.CapabilityBlobEnvelope) {
		a.warn("plugin %s cannot tell whether it knows the key, so it was not asked", p.Name())
		return key, nil
	}
	_, err = s.Algorithm(ctx)
	return key, err
}

// addKey lists a key.
func (a *app) addKey(ctx context.Context, key config.Key, makeDefault bool) (document, error) {
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	doc := &keyDocument{Done: "added"}
	err = dirs.EditSigningKeys(ctx, a.env.Files, func(keys *config.SigningKeys) error {
		if err := keys.Add(key); err != nil {
			return err
		}
		if makeDefault {
			if err := keys.SetDefault(key.Name); err != nil {
				return err
			}
		}
		doc.Keys = []keyJSON{newKey(key, keys.DefaultName())}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return doc, nil
}

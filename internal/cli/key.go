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

func (a *app) keyCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "key",
		Short: "Manage the keys that 'sign' may use",
		Long: `Manage the list of keys that 'notation sign' may use, and which of them is the
default. The list names files and keys that plugins hold; keys themselves are
neither copied nor deleted.`,
		Example: `  # Which keys are there
  notation key list`,
	}, a.keyAddCommand(), a.keyListCommand(), a.keyLintCommand(), a.keyUpdateCommand(), a.keyDeleteCommand())
}

// keyJSON is a key in documents.
type keyJSON struct {
	Name       string `json:"name"`
	Default    bool   `json:"default"`
	KeyPath    string `json:"keyPath,omitempty"`
	CertPath   string `json:"certPath,omitempty"`
	ID         string `json:"id,omitempty"`
	PluginName string `json:"pluginName,omitempty"`
}

func newKey(k config.Key, defaultName string) keyJSON {
	return keyJSON{Name: k.Name, Default: k.Name == defaultName, KeyPath: k.KeyPath, CertPath: k.CertPath, ID: k.ID, PluginName: k.PluginName}
}

// keyDocument is the result of commands that change a key.
type keyDocument struct {
	Done string    `json:"done"` // added, updated or deleted
	Keys []keyJSON `json:"keys"`
	note string
}

func (d *keyDocument) text(p *page) {
	for _, k := range d.Keys {
		switch {
		case d.Done == "added" && k.Default:
			p.line("Added key %q, the default key.", k.Name)
		case d.Done == "added":
			p.line("Added key %q.", k.Name)
		case d.Done == "updated":
			p.line("Key %q is the default key.", k.Name)
		default:
			p.line("Deleted key %q from the list.", k.Name)
		}
	}
	if d.note != "" {
		p.line("%s", d.note)
	}
}

// keyAddOptions are the flags of key add.
type keyAddOptions struct {
	name        string
	makeDefault bool
	held        keyOptions // of a key that a plugin holds
}

func (a *app) keyAddCommand() *cobra.Command {
	o := &keyAddOptions{}
	cmd := &cobra.Command{
		Use:   "add KEYFILE CERTFILE | NAME --plugin PLUGIN --id ID [flags]",
		Short: "Add a key to the list",
		Long: `Add a key to the list of keys: a private key in a file with its certificate
chain, or one that a plugin holds.

KEYFILE is a PEM file with a private key, PKCS#8, PKCS#1 or SEC 1, without
password. CERTFILE is a PEM file with the chain: signing certificate first, root
last. Both stay where they are and are checked before they are listed.

With --plugin, NAME is the name in the list. The plugin is asked whether it
knows the key, if it can tell, before it is listed.`,
		Example: `  # Add a key under the name of its file, here release
  notation key add release.key release.crt

  # Choose the name, and make it the default key
  notation key add --default --name release-2026 release.key release.crt

  # Add a key that a plugin holds
  notation key add release --plugin example-plugin --id 4711 --plugin-config region=eu`,
	}
	cmd = a.leaf(cmd, 1, 2, func(ctx context.Context, args []string) (document, error) {
		key, err := a.keyToAdd(ctx, cmd, o, args)
		if err != nil {
			return nil, err
		}
		return a.addKey(ctx, key, o.makeDefault)
	})
	cmd.Flags().StringVarP(&o.name, "name", "n", "", "`NAME` of the key; that of KEYFILE without its extension if not given")
	cmd.Flags().BoolVar(&o.makeDefault, "default", false, "make it the default key")
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
		return config.Key{}, a.usage(cmd, reason.UsageArguments, "'notation key add' needs KEYFILE and CERTFILE, or --plugin and --id for a key that a plugin holds",
			"write 'notation key add --name NAME KEYFILE CERTFILE'")
	case o.held.plugin == "":
		return a.fileKey(o.name, args[0], args[1])
	case len(args) == 2:
		return config.Key{}, a.usage(cmd, reason.UsageArguments, "a key that a plugin holds has no files, but got "+quote(args[0])+" and "+quote(args[1]), "write 'notation key add NAME --plugin PLUGIN --id ID'")
	case o.name != "" && o.name != args[0]:
		return config.Key{}, a.usage(cmd, reason.UsageFlag, "the key has two names, "+quote(args[0])+" and "+quote(o.name), "give one")
	}
	return a.heldKey(ctx, &o.held, args[0])
}

// fileKey returns the entry for a key in a file.
func (a *app) fileKey(name, keyFile, certFile string) (config.Key, error) {
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(keyFile), filepath.Ext(keyFile))
	}
	if err := config.CheckName(name); err != nil {
		return config.Key{}, err
	}
	if _, err := a.openKey(keyFile, certFile); err != nil {
		return config.Key{}, nameAFile(err)
	}
	key := config.Key{Name: name}
	var err error
	if key.KeyPath, err = filepath.Abs(keyFile); err != nil {
		return config.Key{}, err
	}
	key.CertPath, err = filepath.Abs(certFile)
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

func (a *app) keyListCommand() *cobra.Command {
	return a.leaf(&cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the keys",
		Long:    "List the keys that 'notation sign' may use. The default key is marked with *.",
		Example: `  # Show the names and files of all keys
  notation key list`,
	}, 0, 0, func(context.Context, []string) (document, error) {
		dirs, err := a.dirs()
		if err != nil {
			return nil, err
		}
		keys, err := dirs.SigningKeys()
		if err != nil {
			return nil, err
		}
		doc := &keyListDocument{Keys: []keyJSON{}}
		for _, k := range keys.All() {
			doc.Keys = append(doc.Keys, newKey(k, keys.DefaultName()))
		}
		return doc, nil
	})
}

// keyListDocument is the result of key list.
type keyListDocument struct {
	Keys []keyJSON `json:"keys"`
}

func (d *keyListDocument) text(p *page) {
	if len(d.Keys) == 0 {
		p.line("No keys. Make a test key with 'notation cert generate-test --default NAME'.")
		return
	}
	rows := [][]cell{row("NAME", "KEY", "CERTIFICATE")}
	for _, k := range d.Keys {
		name := "  " + k.Name
		if k.Default {
			name = "* " + k.Name
		}
		if k.PluginName != "" {
			rows = append(rows, row(name, "plugin "+k.PluginName+", id "+k.ID, "-"))
			continue
		}
		rows = append(rows, row(name, k.KeyPath, k.CertPath))
	}
	rows[0][0].text = "  NAME"
	p.table("", rows)
}

func (a *app) keyUpdateCommand() *cobra.Command {
	var makeDefault bool
	cmd := &cobra.Command{
		Use:     "update NAME --default",
		Aliases: []string{"set"},
		Short:   "Make a key the default key",
		Long:    "Make a key the one that 'notation sign' uses when none is named.",
		Example: `  # Sign with the key release from now on
  notation key update release --default`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		if !makeDefault {
			return nil, a.usage(cmd, reason.UsageFlag, "'notation key update' needs --default, the one thing that it can change", "write 'notation key update "+escape(args[0])+" --default'")
		}
		dirs, err := a.dirs()
		if err != nil {
			return nil, err
		}
		doc := &keyDocument{Done: "updated"}
		err = dirs.EditSigningKeys(ctx, a.env.Files, func(keys *config.SigningKeys) error {
			key, err := keys.Find(args[0])
			if err != nil {
				return err
			}
			doc.Keys = []keyJSON{newKey(key, key.Name)}
			return keys.SetDefault(key.Name)
		})
		if err != nil {
			return nil, err
		}
		return doc, nil
	})
	cmd.Flags().BoolVar(&makeDefault, "default", false, "make it the default key")
	cmd.ValidArgsFunction = a.completeKeys
	return cmd
}

func (a *app) keyDeleteCommand() *cobra.Command {
	cmd := a.leaf(&cobra.Command{
		Use:        "delete NAME...",
		SuggestFor: []string{"rm", "remove"},
		Short:      "Remove keys from the list",
		Long: `Remove keys from the list. Their files stay; 'notation cert cleanup-test' also
removes the files of a test key. Either all of the names are removed or none.`,
		Example: `  # Forget two keys
  notation key delete old-release older-release`,
	}, 1, -1, func(ctx context.Context, args []string) (document, error) {
		dirs, err := a.dirs()
		if err != nil {
			return nil, err
		}
		doc := &keyDocument{Done: "deleted"}
		err = dirs.EditSigningKeys(ctx, a.env.Files, func(keys *config.SigningKeys) error {
			doc.Keys = nil
			defaultName := keys.DefaultName()
			removed, err := keys.RemoveAll(args)
			for _, k := range removed {
				doc.Keys = append(doc.Keys, newKey(k, defaultName))
				if k.IsLocal() {
					doc.note = "Files were not deleted."
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		return doc, nil
	})
	cmd.ValidArgsFunction = a.completeKeys
	return cmd
}

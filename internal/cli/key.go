package cli

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

func (a *app) keyCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "key",
		Short: "Manage the keys that 'sign' may use",
		Long: `Manage the list of keys that 'notation sign' may use, and which of them is the
default. The list names files; keys themselves are neither copied nor deleted.`,
		Example: `  # Which keys are there
  notation key list`,
	}, a.keyAddCommand(), a.keyListCommand(), a.keyUpdateCommand(), a.keyDeleteCommand())
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

func (a *app) keyAddCommand() *cobra.Command {
	var name string
	var makeDefault bool
	cmd := &cobra.Command{
		Use:   "add KEYFILE CERTFILE [flags]",
		Short: "Add a key to the list",
		Long: `Add a private key and its certificate chain to the list of keys.

KEYFILE is a PEM file with a private key, PKCS#8, PKCS#1 or SEC 1, without
password. CERTFILE is a PEM file with the chain: signing certificate first, root
last. Both stay where they are and are checked before they are listed.`,
		Example: `  # Add a key under the name of its file, here release
  notation key add release.key release.crt

  # Choose the name, and make it the default key
  notation key add --default --name release-2026 release.key release.crt`,
	}
	cmd = a.leaf(cmd, 1, 2, func(ctx context.Context, args []string) (document, error) {
		if len(args) == 1 {
			return nil, a.usage(cmd, reason.UsageArguments, "'notation key add' needs KEYFILE and CERTFILE; a name alone is for keys held by plugins, which this version does not support",
				"write 'notation key add --name NAME KEYFILE CERTFILE'")
		}
		return a.addKey(ctx, name, args[0], args[1], makeDefault)
	})
	cmd.Flags().StringVarP(&name, "name", "n", "", "`NAME` of the key; that of KEYFILE without its extension if not given")
	cmd.Flags().BoolVar(&makeDefault, "default", false, "make it the default key")
	a.unsupported(cmd, "plugins", "plugin", "id", "plugin-config")
	return cmd
}

func (a *app) addKey(ctx context.Context, name, keyFile, certFile string, makeDefault bool) (document, error) {
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(keyFile), filepath.Ext(keyFile))
	}
	if err := config.CheckName(name); err != nil {
		return nil, err
	}
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	if _, err := a.openKey(keyFile, certFile); err != nil {
		return nil, err
	}
	key := config.Key{Name: name}
	if key.KeyPath, err = filepath.Abs(keyFile); err != nil {
		return nil, err
	}
	if key.CertPath, err = filepath.Abs(certFile); err != nil {
		return nil, err
	}
	doc := &keyDocument{Done: "added"}
	err = dirs.EditSigningKeys(ctx, a.env.Files, func(keys *config.SigningKeys) error {
		if err := keys.Add(key); err != nil {
			return err
		}
		if makeDefault {
			if err := keys.SetDefault(name); err != nil {
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
		doc := &keyDocument{Done: "deleted", note: "Files were not deleted."}
		err = dirs.EditSigningKeys(ctx, a.env.Files, func(keys *config.SigningKeys) error {
			doc.Keys = nil
			defaultName := keys.DefaultName()
			removed, err := keys.RemoveAll(args)
			for _, k := range removed {
				doc.Keys = append(doc.Keys, newKey(k, defaultName))
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

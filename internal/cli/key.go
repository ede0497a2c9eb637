package cli

import (
	"context"

	"github.com/notaryv2/notation/internal/config"
	"github.com/spf13/cobra"
)

func (a *app) keyCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "key",
		Short: "Manage the keys that 'sign' may use",
		Long: `Make keys and ask for their certificates, and manage the list of keys that
'notation sign' may use, and which of them is the default. The list names files
and keys that plugins hold; no private key is ever deleted.`,
		Example: `  # Make a key, ask an authority for its certificate, and list both
  notation key generate release --algorithm ec-384 --encrypt
  notation key csr release --subject 'C=US, ST=WA, O=wabbit-networks.io, CN=release' -o release.csr
  notation key add release --cert release.crt

  # Which keys are there
  notation key list`,
	}, a.keyGenerateCommand(), a.keyRequestCommand(), a.keyAddCommand(), a.keyListCommand(), a.keyLintCommand(), a.keyUpdateCommand(), a.keyDeleteCommand())
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
	Done         string            `json:"done"` // added, updated or deleted
	Keys         []keyJSON         `json:"keys"`
	Certificates []certificateJSON `json:"certificates,omitempty"` // the chain that was kept, leaf first
	note         string
}

func (d *keyDocument) text(p *page) {
	for _, k := range d.Keys {
		switch {
		case d.Done == "added" && k.Default:
			p.line("Added key %q, the default key.", k.Name)
		case d.Done == "added":
			p.line("Added key %q.", k.Name)
		case d.Done == "updated" && len(d.Certificates) > 0 && k.Default:
			p.line("Key %q, the default key, signs with this certificate from now on.", k.Name)
		case d.Done == "updated" && len(d.Certificates) > 0:
			p.line("Key %q signs with this certificate from now on.", k.Name)
		case d.Done == "updated":
			p.line("Key %q is the default key.", k.Name)
		default:
			p.line("Deleted key %q from the list.", k.Name)
		}
	}
	var rows [][]cell
	for i, c := range d.Certificates {
		rows = append(rows, row("certificate "+decimal(i+1)+" of "+decimal(len(d.Certificates)), c.IssuedTo, "valid until "+c.Expiry))
	}
	p.table("  ", rows)
	if d.note != "" {
		p.line("%s", d.note)
	}
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

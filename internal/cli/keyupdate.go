package cli

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// keyUpdateOptions are the flags of key update.
type keyUpdateOptions struct {
	makeDefault bool
	material    materialOptions
}

func (a *app) keyUpdateCommand() *cobra.Command {
	o := &keyUpdateOptions{}
	cmd := &cobra.Command{
		Use:     "update NAME [--default] [--cert CHAIN] [flags]",
		Aliases: []string{"set"},
		Short:   "Renew the certificate of a key, or make it the default key",
		Long: `Give a key of the list a renewed certificate, or make it the one that 'notation
sign' uses when none is named.

With --cert, the chain is checked and completed as by 'notation key add', if need
be with the issuers of the old one, kept in the configuration directory, and used
from then on; the file of the old chain stays where it was. With --key, the key
is replaced too, or with --pkcs12 both. A warning says what verifiers will have
to change, if anything.`,
		Example: `  # Sign with the renewed certificate from now on
  notation key update release --cert release-2027.crt

  # Sign with a new key and its certificate under the old name
  notation key update release --key release-2027.key --cert release-2027.crt

  # Sign with the key release when no key is named
  notation key update release --default`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		if err := o.material.check(a, cmd); err != nil {
			return nil, err
		}
		if !o.makeDefault && !o.material.given() {
			return nil, a.usage(cmd, reason.UsageFlag, "'notation key update' needs --cert, --pkcs12 or --default: what to change", "write 'notation key update "+escape(args[0])+" --default'")
		}
		return a.updateKey(ctx, o, args[0])
	})
	cmd.Flags().BoolVar(&o.makeDefault, "default", false, "make it the default key")
	o.material.register(cmd)
	cmd.ValidArgsFunction = a.completeKeys
	return cmd
}

func (a *app) updateKey(ctx context.Context, o *keyUpdateOptions, name string) (document, error) {
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	if o.material.given() {
		return a.renewKey(ctx, dirs, o, name)
	}
	doc := &keyDocument{Done: "updated"}
	err = dirs.EditSigningKeys(ctx, a.env.Files, func(keys *config.SigningKeys) error {
		key, err := keys.Find(name)
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
}

// renewKey puts another chain, and perhaps another private key, under a name.
func (a *app) renewKey(ctx context.Context, dirs config.Dirs, o *keyUpdateOptions, name string) (document, error) {
	keys, err := dirs.SigningKeys()
	if err != nil {
		return nil, err
	}
	old, err := keys.Find(name)
	if err != nil {
		return nil, err
	}
	if !old.IsLocal() {
		return nil, reason.Errorf(reason.ConfigSigningKeys, "key %q is held by a plugin, which has its certificates, too", name).
			WithHint("renew the certificate in the key store, as the plugin's documentation says")
	}
	oldChain, err := readChain(old.CertPath)
	if err != nil { // which is no reason not to mend it
		a.log.Debug("the old chain cannot be read", "error", err)
		oldChain = nil
	}
	m, err := a.material(ctx, &o.material, old.KeyPath, oldChain)
	if err != nil {
		return nil, err
	}
	imported := m.keyPath == ""
	if imported { // under a name of its own, as the old key stays
		if m.keyPath, err = dirs.WriteKey(a.env.Files, name+"-"+config.Fingerprint(m.chain[0])[:16], m.keyPEM); err != nil {
			return nil, err
		}
	}
	a.warnRenewed(oldChain, m.chain)
	key, err := dirs.RenewKey(ctx, a.env.Files, config.NewKey{Name: name, KeyPath: m.keyPath, Chain: m.chain, Default: o.makeDefault})
	if err != nil {
		if imported {
			a.dropKey(dirs, m.keyPath)
		}
		return nil, err
	}
	defaultName := keys.DefaultName()
	if o.makeDefault {
		defaultName = name
	}
	return &keyDocument{Done: "updated", Keys: []keyJSON{newKey(key, defaultName)}, Certificates: newCertificates(m.chain)}, nil
}

// dropKey removes the file of a private key that was imported just now, if no
// key of the list came to use it: nobody would find it, and it would keep the
// next attempt from writing its own.
func (a *app) dropKey(dirs config.Dirs, path string) {
	keys, err := dirs.SigningKeys()
	if err != nil || slices.ContainsFunc(keys.All(), func(k config.Key) bool { return k.KeyPath == path }) {
		return
	}
	if err := a.env.Files.Remove(path); err != nil {
		a.warn("the private key %q was not listed and could not be removed", path)
	}
}

// warnRenewed says what verifiers will have to change, or what looks like a
// mistake.
func (a *app) warnRenewed(old, chain []*x509.Certificate) {
	if len(old) == 0 {
		return
	}
	leaf, root, oldRoot := chain[0], chain[len(chain)-1], old[len(old)-1]
	if !bytes.Equal(root.Raw, oldRoot.Raw) {
		a.warn("the root is another one, %q; verifiers must trust it, best before anything is signed under it", printedName(root.RawSubject))
	}
	if !bytes.Equal(leaf.RawSubject, old[0].RawSubject) {
		a.warn("the subject is no longer %q; verifiers whose trusted identities do not match %q must change them", printedName(old[0].RawSubject), printedName(leaf.RawSubject))
	}
	if leaf.NotAfter.Before(old[0].NotAfter) {
		a.warn("the certificate ends on %s, before the old one", printedTime(leaf.NotAfter))
	}
}

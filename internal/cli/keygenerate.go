package cli

import (
	"context"
	"crypto"
	"os"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/internal/keyfile"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// keyGenerateOptions are the flags of key generate.
type keyGenerateOptions struct {
	algorithm  keyAlgorithm
	encrypt    bool
	path       string
	passphrase passphraseOptions
}

func (a *app) keyGenerateCommand() *cobra.Command {
	o := &keyGenerateOptions{}
	cmd := &cobra.Command{
		Use:   "generate NAME --algorithm ALGORITHM [flags]",
		Short: "Make a private key",
		Long: `Make a private key and write it in PKCS#8 to a file that only you can read: among
the keys of the configuration directory or, with -o, elsewhere.

With --encrypt it is written under a pass phrase, which is needed whenever it is
to sign: PBES2 with PBKDF2 and AES-256, which other programs read, too.

The key cannot sign before it has a certificate. 'notation key csr NAME' writes
the request for one, and 'notation key add NAME --cert CHAIN' lists the key with
what the authority has issued.`,
		Example: `  # Make a key under a pass phrase that is asked for
  notation key generate release --algorithm ec-384 --encrypt

  # The same where nobody can be asked
  notation key generate release --algorithm rsa-3072 --encrypt --key-passphrase-file passphrase.txt`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		switch {
		case o.algorithm == "":
			return nil, a.usage(cmd, reason.UsageFlag, "--algorithm is missing", "ec-384 is a good choice where nothing else is asked for")
		case !o.encrypt && cmd.Flags().Changed("key-passphrase-file"):
			return nil, a.usage(cmd, reason.UsageFlag, "--key-passphrase-file needs --encrypt", "add --encrypt, or leave it out")
		}
		return a.generateKey(ctx, o, args[0])
	})
	f := cmd.Flags()
	f.Var(&choice[keyAlgorithm]{&o.algorithm, keyAlgorithms(), nil}, "algorithm", "rsa-2048, rsa-3072, rsa-4096, ec-256, ec-384 or ec-521; needed")
	f.BoolVar(&o.encrypt, "encrypt", false, "encrypt the key with a pass phrase")
	o.passphrase.register(cmd)
	a.registerOutput(cmd, &o.path, "write the key to `FILE`")
	completions(cmd, "algorithm", "rsa-2048", "rsa-3072", "rsa-4096", "ec-256", "ec-384", "ec-521")
	return cmd
}

func (a *app) generateKey(ctx context.Context, o *keyGenerateOptions, name string) (document, error) {
	dirs, err := a.dirs()
	if err != nil && o.path == "" {
		return nil, err
	}
	if err := config.CheckName(name); err != nil {
		return nil, err
	}
	// Before the key is made, which takes a while, and before anybody is asked.
	if o.path == "" {
		err = dirs.CheckNewKey(name)
	} else if _, statErr := os.Lstat(o.path); statErr == nil {
		err = reason.Errorf(reason.ConfigExists, "file %q is there already", o.path).WithHint("private keys are never replaced; name another file with -o")
	}
	if err != nil && (o.path == "" || reason.Of(err) == reason.ConfigExists) {
		return nil, err
	}
	var passphrase []byte
	if o.encrypt {
		if passphrase, err = o.passphrase.choose(ctx, a, "the new key "+quote(name)); err != nil {
			return nil, err
		}
		defer clear(passphrase)
	}
	key, err := o.algorithm.generate()
	if err != nil {
		return nil, reason.Wrap(reason.UsageInternal, err, "the key could not be made")
	}
	path, err := a.writeNewKey(dirs, o.path, name, key, passphrase)
	if err != nil {
		return nil, err
	}
	return &keyGeneratedDocument{Name: name, Algorithm: o.algorithm, KeyPath: path, Encrypted: o.encrypt, elsewhere: o.path != ""}, nil
}

// writeNewKey writes a private key among those of the configuration directory or
// to a path that the user named, and returns where.
func (a *app) writeNewKey(dirs config.Dirs, path, name string, key crypto.Signer, passphrase []byte) (string, error) {
	keyPEM, err := keyfile.Encode(key, passphrase)
	if err != nil {
		return "", err
	}
	defer clear(keyPEM)
	if path == "" {
		return dirs.WriteKey(a.env.Files, name, keyPEM)
	}
	return path, a.env.Files.Create(path, keyPEM, atomicfile.ModeSecret)
}

// keyGeneratedDocument is the result of key generate.
type keyGeneratedDocument struct {
	Name      string       `json:"name"`
	Algorithm keyAlgorithm `json:"algorithm"`
	KeyPath   string       `json:"keyPath"`
	Encrypted bool         `json:"encrypted"`
	elsewhere bool
}

func (d *keyGeneratedDocument) text(p *page) {
	how := "not encrypted"
	if d.Encrypted {
		how = "encrypted with the pass phrase"
	}
	p.line("Made the %s key %q, %s.", d.Algorithm, d.Name, how)
	p.table("  ", [][]cell{row("private key", d.KeyPath+" (mode 0600)")})
	if d.elsewhere {
		p.line("Ask for its certificate with 'notation key csr %s --key %s --subject DN'.", d.Name, d.KeyPath)
		return
	}
	p.line("Ask for its certificate with 'notation key csr %s --subject DN'.", d.Name)
}

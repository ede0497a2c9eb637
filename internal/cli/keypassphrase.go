package cli

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/internal/keyfile"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// passphraseVariable holds the pass phrase of keys.
const passphraseVariable = "NOTATION_KEY_PASSPHRASE"

// passphraseOptions say where the pass phrase of a key comes from. It is never
// an argument itself, which every user of a machine can see.
type passphraseOptions struct {
	file string
	mute bool // for keys that nobody has named: neither ask nor use what is for another
}

func (o *passphraseOptions) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.file, "key-passphrase-file", "", "read the pass phrase of the key from the first line of `FILE`, which may be env://VARIABLE or fd://NUMBER (default $"+passphraseVariable+"; else it is asked for on a terminal)")
}

// read returns the pass phrase for what is named, or nil if there is none to be
// had.
func (o *passphraseOptions) read(ctx context.Context, a *app, what string) ([]byte, error) {
	switch {
	case o.file != "":
		data, err := a.readSource(ctx, o.file, maxPasswordBytes)
		if err != nil {
			return nil, err
		}
		line, _, _ := bytes.Cut(data, []byte("\n"))
		return checkPassphrase(bytes.TrimSuffix(line, []byte("\r")), o.file)
	case o.mute:
		return nil, nil
	case a.env.Getenv(passphraseVariable) != "":
		return checkPassphrase([]byte(a.env.Getenv(passphraseVariable)), "$"+passphraseVariable)
	case !a.env.Terminal.Reads():
		return nil, nil
	}
	return a.askPassphrase(ctx, "Pass phrase of "+what+": ")
}

// need is read where there is no way on without.
func (o *passphraseOptions) need(ctx context.Context, a *app, what string) ([]byte, error) {
	passphrase, err := o.read(ctx, a, what)
	if err == nil && passphrase == nil {
		err = reason.Errorf(reason.SignerKeyEncrypted, "%s is encrypted, and there is no pass phrase", what).
			WithHint("give --key-passphrase-file FILE, or set $%s; on a terminal you are asked for it", passphraseVariable)
	}
	return passphrase, err
}

// choose is need for a key that is to be encrypted: a person types it twice.
func (o *passphraseOptions) choose(ctx context.Context, a *app, what string) ([]byte, error) {
	passphrase, err := o.need(ctx, a, what)
	if err != nil || o.file != "" || a.env.Getenv(passphraseVariable) != "" {
		return passphrase, err
	}
	again, err := a.askPassphrase(ctx, "The same once more: ")
	if err != nil {
		return nil, err
	}
	defer clear(again)
	if !bytes.Equal(passphrase, again) {
		return nil, reason.Errorf(reason.SignerPassphrase, "the two pass phrases differ").WithHint("run the command again, and type the same twice")
	}
	return passphrase, nil
}

// checkPassphrase refuses a pass phrase that is empty, as that of a secret that
// is not set, or too long.
func checkPassphrase(passphrase []byte, from string) ([]byte, error) {
	switch {
	case len(passphrase) == 0:
		return nil, reason.Errorf(reason.SignerPassphrase, "the pass phrase is empty").WithHint("look at %s", from)
	case len(passphrase) > keyfile.MaxPassphraseBytes:
		return nil, reason.Errorf(reason.SignerPassphrase, "the pass phrase is longer than %d bytes", keyfile.MaxPassphraseBytes).WithHint("look at %s", from)
	}
	return passphrase, nil
}

// askPassphrase asks a person. The time it takes is not that of any request.
func (a *app) askPassphrase(ctx context.Context, prompt string) ([]byte, error) {
	var typed string
	err := a.budget.waiting(func() error {
		fmt.Fprint(a.env.Stderr, escape(prompt)) //nolint:errcheck // whoever does not see it will not type
		var err error
		typed, err = a.env.Terminal.Password(ctx)
		fmt.Fprintln(a.env.Stderr) //nolint:errcheck // as above
		return err
	})
	if err != nil {
		return nil, reason.Wrap(reason.UsageStdin, err, "the pass phrase could not be read").WithHint("give it with --key-passphrase-file")
	}
	return checkPassphrase([]byte(typed), "what you type")
}

// unlockTime bounds the derivation of a key from a pass phrase. Most of it is
// bounded by what a file asks for; this is for the rest.
const unlockTime = time.Minute

// unlock does what derives a key, and returns when ctx ends or unlockTime is
// over. What cannot be stopped is then left behind, which ends with the program.
// It is no request, and spends nothing of the budget.
func unlock[T any](ctx context.Context, b *budget, do func() (T, error)) (value T, err error) {
	limited, cancel := context.WithTimeout(ctx, unlockTime)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	err = b.waiting(func() error {
		select {
		case r := <-done:
			value = r.value
			return r.err
		case <-limited.Done():
			if ctx.Err() != nil {
				return reason.Wrap(reason.UsageInterrupted, context.Cause(ctx), "interrupted while opening the private key").WithHint("run the command again")
			}
			return reason.Wrap(reason.SignerInterrupted, limited.Err(), "it takes too long to open the private key").
				WithHint("do not use the file if you do not know who made it; else encrypt it anew with fewer rounds")
		}
	})
	return value, err
}

// clearKey returns a private key in PEM that is not encrypted.
func (a *app) clearKey(ctx context.Context, o *passphraseOptions, key []byte, name string) ([]byte, error) {
	if !keyfile.Encrypted(key) {
		return key, nil
	}
	passphrase, err := o.need(ctx, a, "the private key "+named(name))
	if err != nil {
		return nil, err
	}
	sealed := bytes.Clone(key) // may outlive this call, whose caller clears key
	opened, err := unlock(ctx, a.budget, func() ([]byte, error) {
		defer clear(passphrase)
		return keyfile.Decrypt(sealed, passphrase)
	})
	if err != nil {
		return nil, inSource(name, err)
	}
	return opened, nil
}

// readKey reads a private key in PEM and opens it if it is encrypted. The caller
// clears it.
func (a *app) readKey(ctx context.Context, o *passphraseOptions, source string) ([]byte, error) {
	data, err := a.readSource(ctx, source, config.MaxKeyFileBytes)
	if err != nil {
		return nil, err
	}
	if !isSource(source) {
		if w := config.ReadableByOthers(source); w != "" {
			a.warn("%s", w)
		}
	}
	opened, err := a.clearKey(ctx, o, data, source)
	if err != nil {
		clear(data)
	}
	return opened, err
}

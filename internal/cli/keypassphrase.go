package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
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

// Kinds of places, besides files, that secrets are read from.
const (
	fromVariable   = "env://"
	fromDescriptor = "fd://"
)

// isSource reports whether a text names something else than a file.
func isSource(s string) bool {
	return strings.HasPrefix(s, fromVariable) || strings.HasPrefix(s, fromDescriptor)
}

// readSource reads a file or pipe, env://VARIABLE or fd://NUMBER.
func (a *app) readSource(ctx context.Context, source string, limit int64) ([]byte, error) {
	if name, ok := strings.CutPrefix(source, fromVariable); ok {
		value := a.env.Getenv(name)
		switch {
		case value == "":
			return nil, reason.Errorf(reason.UsageFlag, "%s names the variable %s, which is not set or empty", quote(source), quote(name)).WithHint("set it, or name a file")
		case int64(len(value)) > limit:
			return nil, reason.Errorf(reason.ConfigTooLarge, "variable %s is longer than %d bytes", quote(name), limit).WithHint("name another")
		}
		return []byte(value), nil
	}
	number, ok := strings.CutPrefix(source, fromDescriptor)
	if !ok {
		return readNamed(ctx, source, limit)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	switch {
	case err != nil || n == 1 || n == 2:
		return nil, reason.Errorf(reason.UsageFlag, "%s names no descriptor that can be read", quote(source)).WithHint("write fd://3 for a file that the shell opens with 3<FILE, or fd://0 for standard input")
	case n == 0:
		return a.readStdin(ctx, limit)
	}
	return readDescriptor(ctx, uintptr(n), source, limit)
}

// readDescriptor reads an open file of this process to its end, or until ctx
// ends.
func readDescriptor(ctx context.Context, fd uintptr, source string, limit int64) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() { // stays behind if ctx ends: not every system has a way to wake it
		f, err := ownDescriptor(fd, source)
		if err != nil {
			read <- result{err: err}
			return
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || info.IsDir() {
			read <- result{err: errors.Join(err, os.ErrInvalid)}
			return
		}
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		switch {
		case r.err != nil:
			return nil, reason.Wrap(reason.ConfigRead, pathCause(r.err), "%s cannot be read", quote(source)).WithHint("open it for this program, as a shell does with %d<FILE", fd)
		case int64(len(r.data)) > limit:
			return nil, reason.Errorf(reason.ConfigTooLarge, "%s is longer than %d bytes", quote(source), limit).WithHint("check what it is")
		}
		return r.data, nil
	case <-ctx.Done():
		return nil, reason.Wrap(reason.UsageInterrupted, context.Cause(ctx), "interrupted while reading %s", quote(source)).WithHint("run the command again")
	}
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
	opened, err := unlock(ctx, a.budget, func() ([]byte, error) {
		defer clear(passphrase)
		return keyfile.Decrypt(key, passphrase)
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

// inSource names what an error is about.
func inSource(source string, err error) error {
	if isSource(source) {
		return reason.Wrap(reason.Of(err), err, "%s", quote(source)).WithHint("%s", reason.Hint(err))
	}
	return config.InFile(source, err)
}

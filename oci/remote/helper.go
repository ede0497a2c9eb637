package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Words of the protocol of credential helpers, as Docker's documentation of
// "docker login" and the helpers themselves have it.
const (
	helperPrefix   = "docker-credential-"
	helperNotFound = "credentials not found in native keychain"
	helperToken    = "<token>" // in place of a user name: the secret is an identity token
)

// helperStore keeps credentials with a helper program. The one of oras-go ends
// the program with the context but not what the program has started, and then
// waits for that.
type helperStore struct{ name string }

var _ credentials.Store = helperStore{}

// helperDocument is what a helper reads and writes.
type helperDocument struct {
	ServerURL string `json:"ServerURL"`
	Username  string `json:"Username"`
	Secret    string `json:"Secret"`
}

// Get implements credentials.Store.
func (h helperStore) Get(ctx context.Context, address string) (auth.Credential, error) {
	out, err := h.run(ctx, "get", []byte(address))
	if err != nil {
		if err.Error() == helperNotFound {
			return auth.EmptyCredential, nil
		}
		return auth.EmptyCredential, err
	}
	var d helperDocument
	if err := json.Unmarshal(out, &d); err != nil {
		return auth.EmptyCredential, errors.New("the credential helper's answer is malformed") // err might repeat a secret
	}
	if d.Username == helperToken {
		return auth.Credential{RefreshToken: d.Secret}, nil
	}
	return auth.Credential{Username: d.Username, Password: d.Secret}, nil
}

// Put implements credentials.Store.
func (h helperStore) Put(ctx context.Context, address string, c auth.Credential) error {
	d := helperDocument{ServerURL: address, Username: c.Username, Secret: c.Password}
	if c.RefreshToken != "" {
		d.Username, d.Secret = helperToken, c.RefreshToken
	}
	in, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = h.run(ctx, "store", in)
	return err
}

// Delete implements credentials.Store.
func (h helperStore) Delete(ctx context.Context, address string) error {
	_, err := h.run(ctx, "erase", []byte(address))
	return err
}

// run runs the helper. A helper that is not installed gives exec.ErrNotFound.
// If ctx ends, the helper and all that it has started are ended.
func (h helperStore) run(ctx context.Context, action string, in []byte) ([]byte, error) {
	var out limitedBuffer
	cmd := exec.CommandContext(ctx, helperPrefix+h.name, action)
	cmd.Env = helperEnvironment()
	cmd.Stdin = bytes.NewReader(in)
	cmd.Stdout = &out
	cmd.Stderr = os.Stderr // where helpers ask for a touch or a PIN
	cmd.WaitDelay = helperGrace
	ownGroup(cmd)
	err := cmd.Start()
	if err == nil {
		err = cmd.Wait()
		if ctx.Err() != nil {
			endGroup(cmd)
		}
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case out.full:
		return nil, errors.New("the credential helper wrote too much")
	case errors.Is(err, exec.ErrWaitDelay):
		// It ended well, and something that it started keeps its output open.
		return out.Bytes(), nil
	case errors.As(err, &exit):
		if text := string(bytes.TrimSpace(out.Bytes())); text != "" {
			return nil, errors.New(text)
		}
	}
	return out.Bytes(), err
}

// helperEnvironment is that of this program without its own variables, among
// which are pass phrases and PINs of keys: a helper has no use for them.
func helperEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "NOTATION_") })
}

// limitedBuffer takes maxHelperOutput bytes and refuses more, which ends the
// copying to it.
type limitedBuffer struct {
	bytes.Buffer
	full bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxHelperOutput {
		b.full = true
		return 0, io.ErrShortWrite
	}
	return b.Buffer.Write(p)
}

// ReadFrom hides that of bytes.Buffer, which has no limit.
func (b *limitedBuffer) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{b}, r)
}

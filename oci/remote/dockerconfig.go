package remote

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// dockerConfig is what of Docker's config.json names helpers, and where the
// file is. It is Docker's file, so it is read as Docker reads it and not
// strictly.
type dockerConfig struct {
	CredsStore  string            `json:"credsStore"`
	CredHelpers map[string]string `json:"credHelpers"`

	name string // the path as it was given
	path string // the file itself, behind symbolic links
}

func (c *dockerConfig) helper(address string) string {
	if h := c.CredHelpers[address]; h != "" {
		return h
	}
	return c.CredsStore
}

// dockerPath returns where Docker's config.json is looked for.
func (s *CredentialStore) dockerPath() (string, error) {
	if s.o.DockerConfig != "" {
		return s.o.DockerConfig, nil
	}
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(dir, "config.json"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", reason.Wrap(reason.RegistryCredentials, err, "cannot tell where Docker's config.json is").
			WithHint("set HOME or DOCKER_CONFIG")
	}
	return filepath.Join(home, ".docker", "config.json"), nil
}

// dockerConfig reads Docker's config.json. That it does not exist is fine.
func (s *CredentialStore) dockerConfig(ctx context.Context) (*dockerConfig, error) {
	path, err := s.dockerPath()
	if err != nil {
		return nil, err
	}
	return await(ctx, func() (*dockerConfig, error) { return readDockerConfig(path) })
}

// await calls f and returns what it returns, or the cause of ctx's end if that
// comes first: a file system may hang. f then goes on with nobody listening.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

func readDockerConfig(path string) (*dockerConfig, error) {
	c := dockerConfig{name: path, path: path}
	fault := func(err error, hint string) error {
		return reason.Wrap(reason.RegistryCredentials, sanitised{err}, "cannot read %s", sanitised{errors.New(path)}).WithHint("%s", hint)
	}
	raw, err := c.read()
	switch {
	case errors.Is(err, errNotRegular):
		return nil, fault(err, "put a regular file in its place, or set DOCKER_CONFIG to another directory")
	case err != nil:
		return nil, fault(err, "repair or remove the file")
	case len(strings.TrimSpace(string(raw))) == 0:
		return &c, nil
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fault(err, "repair or remove the file")
	}
	return &c, nil
}

var errNotRegular = errors.New("it is no regular file")

// read returns the content of the file, nothing if there is none, and follows
// symbolic links to it. What it is is looked at before it is opened: a FIFO
// would wait for a writer, and opening a device may do something.
func (c *dockerConfig) read() ([]byte, error) {
	if _, err := os.Lstat(c.name); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	path, err := filepath.EvalSymlinks(c.name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errors.New("it is a symbolic link to nothing")
	}
	if err != nil {
		return nil, err
	}
	c.path = path
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	if err == nil && len(raw) > maxConfigFile {
		err = errors.New("the file is too long")
	}
	return raw, err
}

// file returns the credentials in the file. Changes are written to the file
// itself and leave links to it in place.
func (c *dockerConfig) file(ctx context.Context) (credentials.Store, error) {
	return await(ctx, func() (credentials.Store, error) {
		read, err := credentials.NewFileStore(c.path)
		return loginFile{read, c.path}, err
	})
}

// loginFile writes Docker's config.json under a lock against others of our
// kind, so that of two logins none is lost, and in one step. Reading is
// oras-go's.
type loginFile struct {
	credentials.Store
	path string
}

// Put implements [credentials.Store].
func (f loginFile) Put(ctx context.Context, address string, c auth.Credential) error {
	if strings.ContainsRune(c.Username, ':') {
		return credentials.ErrBadCredentialFormat
	}
	entry := map[string]string{}
	if c.Username != "" || c.Password != "" {
		entry["auth"] = base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password))
	}
	if c.RefreshToken != "" {
		entry["identitytoken"] = c.RefreshToken
	}
	if c.AccessToken != "" {
		entry["registrytoken"] = c.AccessToken
	}
	raw, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	return f.edit(ctx, func(logins map[string]json.RawMessage) { logins[address] = raw })
}

// Delete implements [credentials.Store].
func (f loginFile) Delete(ctx context.Context, address string) error {
	return f.edit(ctx, func(logins map[string]json.RawMessage) { delete(logins, address) })
}

// edit changes the logins and keeps what else the file holds.
func (f loginFile) edit(ctx context.Context, change func(logins map[string]json.RawMessage)) error {
	var w atomicfile.Writer
	if err := w.MkdirAll(filepath.Dir(f.path)); err != nil {
		return err
	}
	return w.Update(ctx, f.path, atomicfile.ModeSecret, func(old []byte) ([]byte, error) {
		file, logins := map[string]json.RawMessage{}, map[string]json.RawMessage{}
		if len(old) > 0 {
			if err := json.Unmarshal(old, &file); err != nil {
				return nil, err
			}
		}
		if auths := file["auths"]; auths != nil {
			if err := json.Unmarshal(auths, &logins); err != nil {
				return nil, err
			}
		}
		if file == nil { // the file says null
			file = map[string]json.RawMessage{}
		}
		if logins == nil {
			logins = map[string]json.RawMessage{}
		}
		change(logins)
		raw, err := json.Marshal(logins)
		if err != nil {
			return nil, err
		}
		file["auths"] = raw
		return json.MarshalIndent(file, "", "\t")
	})
}

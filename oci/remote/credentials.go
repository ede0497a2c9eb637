package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/reason"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Credential authenticates to one registry. Printing one shows no secret.
type Credential struct {
	Username string
	Password string
	// IdentityToken is exchanged for access tokens at the token service. It
	// takes the place of user name and password.
	IdentityToken string
	// RegistryToken is sent to the registry as it is.
	RegistryToken string
	// Source says for people where the credential was found.
	Source string
}

// CredentialFunc finds the credential for a registry, host[:port] as it stands
// in a reference. The zero Credential means that there is none. An error does
// not stop the client, which goes on without and names the error if the
// registry insists.
type CredentialFunc func(ctx context.Context, registry string) (Credential, error)

func (c Credential) isEmpty() bool { return c.forAuth() == auth.EmptyCredential }

func (c Credential) forAuth() auth.Credential {
	return auth.Credential{Username: c.Username, Password: c.Password, RefreshToken: c.IdentityToken, AccessToken: c.RegistryToken}
}

func (c Credential) sourceName() string {
	switch {
	case c.isEmpty():
		return "none"
	case c.Source == "":
		return "the caller"
	}
	return c.Source
}

// String names the source only.
func (c Credential) String() string { return "credential from " + c.sourceName() }

// GoString is String, so that no verb prints a secret.
func (c Credential) GoString() string { return c.String() }

// MarshalText is String, for encoders and for JSON logs.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// StoreOptions say where a [CredentialStore] looks.
type StoreOptions struct {
	// Explicit, if not empty, is used for every registry and nothing else is
	// looked at. Its Source should name the flags or variables it came from.
	Explicit Credential

	// CredsStore and CredHelpers, by registry, name credential helpers as
	// Docker's config.json does, by what follows "docker-credential-". They
	// come before Docker's own.
	CredsStore  string
	CredHelpers map[string]string

	// DockerConfig is the path of Docker's config.json. "": in the directory
	// that $DOCKER_CONFIG names, or else .docker in the user's home.
	DockerConfig string

	// Logger gets a debug line for each place that is looked at; nil: none.
	Logger *slog.Logger
}

// CredentialStore finds, keeps and forgets credentials: given ones, those of
// credential helpers, and those of Docker, so that whoever has logged in with
// Docker need not do so again. It is safe for concurrent use, and reads its
// files anew each time.
type CredentialStore struct {
	o   StoreOptions
	log *slog.Logger
}

// NewCredentialStore returns a store. Nothing is read yet.
func NewCredentialStore(o StoreOptions) *CredentialStore {
	s := &CredentialStore{o: o, log: o.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Find is a [CredentialFunc]. It looks, in this order, at the explicit
// credential, the helper for the registry, the helper for all, and in Docker's
// config.json at the same two and then at the credentials in the file. A
// missing file, helper or entry is no error. If nothing is found and a place
// failed otherwise, that is the error, with the code registry.credentials.
func (s *CredentialStore) Find(ctx context.Context, registry string) (Credential, error) {
	if !s.o.Explicit.isEmpty() {
		return s.o.Explicit, nil
	}
	places, err := s.places(registry)
	faults := []error{err}
	address := credentials.ServerAddressFromRegistry(registry)
	for _, p := range places {
		found, err := p.store.Get(ctx, address)
		switch {
		case ctx.Err() != nil:
			return Credential{}, context.Cause(ctx)
		case errors.Is(err, exec.ErrNotFound):
			s.log.Debug("credential helper is not installed", "place", p.name)
		case err != nil:
			s.log.Debug("credential place failed", "place", p.name, "error", err)
			faults = append(faults, reason.Wrap(reason.RegistryCredentials, sanitised{err}, "cannot look up a login in %s", p.name))
		case found != auth.EmptyCredential:
			return Credential{
				Username: found.Username, Password: found.Password, IdentityToken: found.RefreshToken,
				RegistryToken: found.AccessToken, Source: p.name,
			}, nil
		default:
			s.log.Debug("no credential here", "place", p.name, "registry", registry)
		}
	}
	return Credential{}, errors.Join(faults...)
}

// Saved says where a credential was put.
type Saved struct {
	Where string
	// Warning, if not "", is a sentence that the user should read.
	Warning string
}

// Save keeps a credential in the first helper configured for the registry
// that is installed, or else in Docker's config.json, which takes the
// platform's own helper if there is one and it holds nothing yet. The code of
// errors is registry.credentials.
func (s *CredentialStore) Save(ctx context.Context, registry string, c Credential) (Saved, error) {
	address := credentials.ServerAddressFromRegistry(registry)
	own, err := s.ownPlaces(registry)
	if err != nil {
		return Saved{}, err
	}
	for _, p := range own {
		switch err := p.store.Put(ctx, address, c.forAuth()); {
		case errors.Is(err, exec.ErrNotFound):
			s.log.Debug("credential helper is not installed", "place", p.name)
		case err != nil:
			return Saved{}, saveError(err, p.name)
		default:
			return Saved{Where: p.name}, nil
		}
	}
	return s.saveWithDocker(ctx, registry, c)
}

func (s *CredentialStore) saveWithDocker(ctx context.Context, registry string, c Credential) (Saved, error) {
	path, err := s.dockerConfigPath()
	if err != nil {
		return Saved{}, err
	}
	config, err := readDockerConfig(path)
	if err != nil {
		return Saved{}, err
	}
	address := credentials.ServerAddressFromRegistry(registry)
	if helper := config.helper(address); helper != "" {
		place, err := helperPlace(helper, path)
		if err != nil {
			return Saved{}, err
		}
		switch err := place.store.Put(ctx, address, c.forAuth()); {
		case err == nil:
			return Saved{Where: place.name}, nil
		case !errors.Is(err, exec.ErrNotFound):
			return Saved{}, saveError(err, place.name)
		}
		// As long as the helper is missing, Docker would not find a credential
		// in the file either; this program does.
		return s.saveInFile(ctx, path, address, c)
	}
	store, err := credentials.NewStore(path, credentials.StoreOptions{DetectDefaultNativeStore: true})
	if err != nil {
		return Saved{}, saveError(err, path)
	}
	switch err := store.Put(ctx, address, c.forAuth()); {
	case errors.Is(err, credentials.ErrPlaintextPutDisabled):
		return s.saveInFile(ctx, path, address, c)
	case err != nil:
		return Saved{}, saveError(err, path)
	}
	return Saved{Where: "the credential helper of this platform, now named in " + path}, nil
}

func (s *CredentialStore) saveInFile(ctx context.Context, path, address string, c Credential) (Saved, error) {
	file, err := credentials.NewFileStore(path)
	if err == nil {
		err = file.Put(ctx, address, c.forAuth())
	}
	if err != nil {
		return Saved{}, saveError(err, path)
	}
	return Saved{
		Where:   path,
		Warning: fmt.Sprintf("no credential helper is configured: the password is kept unencrypted in %s", path),
	}, nil
}

func saveError(err error, where string) error {
	return reason.Wrap(reason.RegistryCredentials, sanitised{err}, "cannot keep the login in %s", where).
		WithHint("check that the credential helper works and that the file can be written")
}

// Delete forgets the credential of a registry in every place where Find would
// look, and returns the places that held one. Explicit credentials are not
// touched. The code of errors is registry.credentials.
func (s *CredentialStore) Delete(ctx context.Context, registry string) ([]string, error) {
	places, err := s.places(registry)
	faults := []error{err}
	var removed []string
	address := credentials.ServerAddressFromRegistry(registry)
	for _, p := range places {
		found, err := p.store.Get(ctx, address)
		if errors.Is(err, exec.ErrNotFound) || err == nil && found == auth.EmptyCredential {
			continue
		}
		if err == nil {
			err = p.store.Delete(ctx, address)
		}
		if err != nil {
			faults = append(faults, reason.Wrap(reason.RegistryCredentials, sanitised{err}, "cannot remove the login from %s", p.name))
			continue
		}
		removed = append(removed, p.name)
	}
	return removed, errors.Join(faults...)
}

// place is a store and its name for people.
type place struct {
	name  string
	store credentials.Store
}

// places returns where to look for a registry's credential. With an error it
// returns the places that can be looked at all the same.
func (s *CredentialStore) places(registry string) ([]place, error) {
	places, ownErr := s.ownPlaces(registry)
	path, err := s.dockerConfigPath()
	if err != nil {
		return places, errors.Join(ownErr, err)
	}
	config, err := readDockerConfig(path)
	if err != nil {
		return places, errors.Join(ownErr, err)
	}
	faults := []error{ownErr}
	if helper := config.helper(credentials.ServerAddressFromRegistry(registry)); helper != "" {
		p, err := helperPlace(helper, path)
		faults = append(faults, err)
		if err == nil {
			places = append(places, p)
		}
	}
	file, err := credentials.NewFileStore(path)
	if err != nil {
		faults = append(faults, reason.Wrap(reason.RegistryCredentials, sanitised{err}, "cannot read %s", path))
	} else {
		places = append(places, place{path, file})
	}
	return places, errors.Join(faults...)
}

// ownPlaces are those that the options name.
func (s *CredentialStore) ownPlaces(registry string) ([]place, error) {
	var places []place
	var faults []error
	for _, helper := range []string{s.o.CredHelpers[registry], s.o.CredsStore} {
		if helper == "" {
			continue
		}
		p, err := helperPlace(helper, "notation's config.json")
		if err != nil {
			faults = append(faults, err)
			continue
		}
		places = append(places, p)
	}
	return places, errors.Join(faults...)
}

// helperPlace returns the store behind a credential helper. The name becomes
// part of a program's name and must not turn it into a path.
func helperPlace(helper, configuredIn string) (place, error) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	if strings.Trim(helper, allowed) != "" || strings.Contains(helper, "..") {
		return place{}, reason.Errorf(reason.RegistryCredentials, "%s names the credential helper %s, which is no plain name", configuredIn, quote(helper)).
			WithHint("write what follows docker-credential- in the name of the helper program")
	}
	return place{"docker-credential-" + helper + ", named in " + configuredIn, credentials.NewNativeStore(helper)}, nil
}

func (s *CredentialStore) dockerConfigPath() (string, error) {
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

// dockerConfig is what of Docker's config.json names helpers. It is Docker's
// file, so it is read as Docker reads it and not strictly.
type dockerConfig struct {
	CredsStore  string            `json:"credsStore"`
	CredHelpers map[string]string `json:"credHelpers"`
}

func (c *dockerConfig) helper(address string) string {
	if h := c.CredHelpers[address]; h != "" {
		return h
	}
	return c.CredsStore
}

// readDockerConfig reads Docker's config.json. That it does not exist is fine.
func readDockerConfig(path string) (*dockerConfig, error) {
	var c dockerConfig
	fault := func(err error) error {
		return reason.Wrap(reason.RegistryCredentials, sanitised{err}, "cannot read %s", path).WithHint("repair or remove the file")
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return &c, nil
	}
	if err != nil {
		return nil, fault(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, fault(err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	switch {
	case err != nil:
		return nil, fault(err)
	case len(raw) > maxConfigFile:
		return nil, fault(errors.New("the file is too long"))
	case len(strings.TrimSpace(string(raw))) == 0:
		return &c, nil
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fault(err)
	}
	return &c, nil
}

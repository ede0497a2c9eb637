package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
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
	places, err := s.places(ctx, registry)
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

// Save keeps a credential with the first helper configured for the registry or,
// if none is configured, in Docker's config.json, which takes the platform's
// own helper if there is one and the file holds nothing yet. A helper that is
// configured and not installed is an error: whoever has configured one does not
// want passwords in a file. The codes of errors
// are registry.credentials, registry.interrupted and registry.timeout.
func (s *CredentialStore) Save(ctx context.Context, registry string, c Credential) (Saved, error) {
	saved, err := s.save(ctx, registry, c)
	if err == nil || ctx.Err() == nil {
		return saved, err
	}
	code := reason.RegistryTimeout
	if errors.Is(ctx.Err(), context.Canceled) {
		code = reason.RegistryInterrupted
	}
	return Saved{}, reason.Wrap(code, context.Cause(ctx), "the login was still being kept").
		WithHint("log in again; see whether the credential helper waits for something")
}

func (s *CredentialStore) save(ctx context.Context, registry string, c Credential) (Saved, error) {
	address := credentials.ServerAddressFromRegistry(registry)
	own, err := s.ownPlaces(registry)
	if err != nil {
		return Saved{}, err
	}
	if len(own) > 0 {
		return own[0].save(ctx, address, c)
	}
	config, err := s.dockerConfig(ctx)
	if err != nil {
		return Saved{}, err
	}
	if helper := config.helper(address); helper != "" {
		p, err := helperPlace(helper, config.name)
		if err != nil {
			return Saved{}, err
		}
		return p.save(ctx, address, c)
	}
	return saveWithDocker(ctx, config, address, c)
}

func (p place) save(ctx context.Context, address string, c Credential) (Saved, error) {
	switch err := p.store.Put(ctx, address, c.forAuth()); {
	case errors.Is(err, exec.ErrNotFound):
		return Saved{}, reason.Errorf(reason.RegistryCredentials, "cannot keep the login: %s, is not installed", p.name).
			WithHint("install that credential helper, or remove it from the file that names it; nothing was kept")
	case err != nil:
		return Saved{}, saveError(err, p.name)
	}
	return Saved{Where: p.name}, nil
}

// saveWithDocker keeps a credential as Docker would where no helper is
// configured.
func saveWithDocker(ctx context.Context, config *dockerConfig, address string, c Credential) (Saved, error) {
	_, err := await(ctx, func() (struct{}, error) {
		store, err := credentials.NewStore(config.path, credentials.StoreOptions{DetectDefaultNativeStore: true})
		if err == nil {
			err = store.Put(ctx, address, c.forAuth())
		}
		return struct{}{}, err
	})
	switch {
	case err == nil:
		return Saved{Where: "the credential helper of this platform, now named in " + config.name}, nil
	case !errors.Is(err, credentials.ErrPlaintextPutDisabled):
		return Saved{}, saveError(err, config.name)
	}
	file, err := config.file(ctx)
	if err == nil {
		err = file.Put(ctx, address, c.forAuth())
	}
	if err != nil {
		return Saved{}, saveError(err, config.name)
	}
	return Saved{
		Where:   config.name,
		Warning: fmt.Sprintf("no credential helper is configured: the password is kept unencrypted in %s", config.name),
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
	places, err := s.places(ctx, registry)
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
func (s *CredentialStore) places(ctx context.Context, registry string) ([]place, error) {
	places, ownErr := s.ownPlaces(registry)
	config, err := s.dockerConfig(ctx)
	if err != nil {
		return places, errors.Join(ownErr, err)
	}
	faults := []error{ownErr}
	if helper := config.helper(credentials.ServerAddressFromRegistry(registry)); helper != "" {
		p, err := helperPlace(helper, config.name)
		faults = append(faults, err)
		if err == nil {
			places = append(places, p)
		}
	}
	file, err := config.file(ctx)
	if err != nil {
		faults = append(faults, reason.Wrap(reason.RegistryCredentials, sanitised{err}, "cannot read %s", config.name))
	} else {
		places = append(places, place{config.name, file})
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
	return place{helperPrefix + helper + ", named in " + configuredIn, helperStore{helper}}, nil
}

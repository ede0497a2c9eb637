package remote

import (
	"context"
	"net/http"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// Login checks a credential against a registry, host[:port], and saves it in
// the store. A registry that does not ask for credentials cannot check them;
// the warning says so. Errors have the codes registry.unauthorized for a
// credential that is refused, oci.reference for a registry that is no host
// name, and registry.*. o.Credentials is not used.
func Login(ctx context.Context, registry string, cred Credential, o Options, store *CredentialStore) (Saved, error) {
	if cred.isEmpty() {
		return Saved{}, reason.Errorf(reason.RegistryCredentials, "no user name and password to log in to %s with", quote(registry)).
			WithHint("give --username and --password-stdin")
	}
	name, err := parseRegistry(registry)
	if err != nil {
		return Saved{}, err
	}
	asked := false
	o.Credentials = func(context.Context, string) (Credential, error) {
		asked = true
		return cred, nil
	}
	c := NewClient(o)
	defer c.CloseIdleConnections()
	r := c.open(name)
	q := request{method: http.MethodGet, url: r.url("/v2/"), what: "a login", limit: maxErrorBody}
	p, err := r.do(ctx, q)
	if err != nil {
		return Saved{}, err
	}
	if !p.ok() {
		return Saved{}, r.statusError(q, p)
	}
	saved, err := store.Save(ctx, name.Registry(), cred)
	if err == nil && !asked {
		const unchecked = "the registry did not ask for credentials, so they are not checked"
		if saved.Warning != "" {
			saved.Warning = unchecked + "; " + saved.Warning
		} else {
			saved.Warning = unchecked
		}
	}
	return saved, err
}

// Logout removes the credential of a registry, host[:port], from the store and
// returns the places that held one.
func Logout(ctx context.Context, registry string, store *CredentialStore) ([]string, error) {
	name, err := parseRegistry(registry)
	if err != nil {
		return nil, err
	}
	return store.Delete(ctx, name.Registry())
}

// parseRegistry reads a host as references do, with its aliases.
func parseRegistry(registry string) (oci.Reference, error) {
	name, err := oci.ParseReference(registry + "/login/check")
	if err != nil || name.Repository() != "login/check" || name.Tag() != "" || name.Digest() != "" {
		return oci.Reference{}, reason.Errorf(reason.OCIReference, "%s is no registry", quote(registry)).
			WithHint("write HOST or HOST:PORT, without https:// and without a repository")
	}
	return name, nil
}

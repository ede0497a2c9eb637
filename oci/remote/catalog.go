package remote

import (
	"context"
	"iter"
	"net/http"
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// Repositories lists the repositories of a registry, host[:port], by its
// catalog: OCI distribution specification, "Catalog Listing", as registries
// have had it before it was specified. With a prefix, only the repository of that
// name and those below it are listed: team covers team and team/app, but not
// teams.
//
// Pages are asked for as the caller goes on, and only one is held. Names come in
// the order of the registry, and one may come again. The registry is not
// believed that a name is one: an error with the code registry.listing-entry is
// about one name that was left out, and the listing goes on. Every other error
// is its last, and what came before may not be all. A registry without a catalog
// has the error registry.no-catalog, also where it only denies it to this login
// and says so by 404; further codes are oci.reference and registry.*.
func (c *Client) Repositories(ctx context.Context, registry, prefix string) iter.Seq2[oci.Reference, error] {
	return func(yield func(oci.Reference, error) bool) {
		name, err := parseRegistry(registry)
		if err == nil && prefix != "" {
			_, err = repositoryOf(name.Registry(), prefix)
		}
		if err != nil {
			yield(oci.Reference{}, err)
			return
		}
		r := c.open(name)
		ctx := auth.WithScopes(ctx, auth.ScopeRegistryCatalog)
		n := nameListing{
			repository: r, what: "the catalog of registry " + name.Registry(), first: r.url("/v2/_catalog"),
			parse: parseCatalog, refused: r.noCatalog,
		}
		for text, err := range n.all(ctx) {
			var repo oci.Reference
			if err == nil {
				if prefix != "" && text != prefix && !strings.HasPrefix(text, prefix+"/") {
					continue
				}
				if repo, err = repositoryOf(name.Registry(), text); err != nil {
					err = n.unusable(text, err)
				}
			}
			if !yield(repo, err) || n.ended {
				return
			}
		}
	}
}

// repositoryOf reads the name of a repository within a registry. It must be
// spelled as this program would, so that a policy is asked about that very name.
func repositoryOf(registry, name string) (oci.Reference, error) {
	ref, err := oci.ParseRepository(registry + "/" + name)
	if err != nil {
		return oci.Reference{}, err
	}
	if ref.Registry() != registry || ref.Repository() != name {
		return oci.Reference{}, reason.Errorf(reason.OCIRepositoryName, "%s is another spelling of %s", quote(name), quote(ref.Repository()))
	}
	return ref, nil
}

// noCatalog says what a refusal of the catalog means.
func (r *Repository) noCatalog(q request, p *response) error {
	const list = "give the repositories to look at in a list, or name one"
	who := "registry " + r.name.Registry()
	switch {
	case isAbsent(p):
		return reason.Errorf(reason.RegistryNoCatalog, "%s answers %s to the request for its catalog, and so does not list its repositories", who, statusText(p.status)).
			WithHint("%s", list)
	case p.status == http.StatusUnauthorized, p.status == http.StatusForbidden:
		err := r.statusError(q, p)
		return reason.Wrap(reason.RegistryNoCatalog, err, "%s does not list its repositories for this login", who).
			WithHint("%s; or %s", list, reason.Hint(err))
	}
	return r.statusError(q, p)
}

// parseCatalog reads a page of a catalog. A null is a registry's empty list.
func parseCatalog(raw []byte) (iter.Seq[string], error) {
	var w struct {
		Repositories strictjson.Raw `json:"repositories"`
	}
	err := strictjson.UnmarshalOpen(raw, &w)
	return listedNames(w.Repositories, "repositories", err)
}

// listedNames returns the names in the member of a page that is called so, unless
// the page could not be decoded.
func listedNames(list strictjson.Raw, member string, err error) (iter.Seq[string], error) {
	switch {
	case err != nil:
		return nil, err
	case list == nil:
		return nil, reason.Errorf(reason.RegistryListing, "it has no member %q", member)
	case list.Kind() == 'n':
		return func(func(string) bool) {}, nil
	}
	return strictjson.Strings(list)
}

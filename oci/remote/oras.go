package remote

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"github.com/opencontainers/go-digest"
)

// This file speaks to registries of the ORAS artifacts-spec, the predecessor of
// the referrers API. docs/decisions/oras-artifacts.md tells when they are asked.

// needsPredecessor reports whether the predecessor's endpoints are worth asking:
// the registry has no referrers API, and under the tag stands nothing that was
// asked for. So nobody who finds something waits for them, and no registry with
// the API is asked at all. A tag that could not be read is an error already, and
// more requests to a registry in trouble would not change it.
func (c collector) needsPredecessor(api, tag *source) bool {
	if !api.absent || tag.err != nil {
		return false
	}
	for i := range tag.entries {
		if c.wants(&tag.entries[i].descriptor) {
			return false
		}
	}
	return true
}

// listPredecessor asks the two endpoints of the ORAS artifacts-spec at once. A
// registry that knows neither may answer them with any refusal.
func (r *Repository) listPredecessor(ctx context.Context, subject digest.Digest, c collector, actions []string) []*source {
	current := r.repoURL("_oras", "artifacts", "referrers")
	older := r.url("/oras/artifacts/v1/" + r.name.Repository() + "/manifests/" + string(subject) + "/referrers")
	query := url.Values{}
	if c.artifactType != "" {
		query.Set("artifactType", c.artifactType)
	}
	older.RawQuery = query.Encode()
	query.Set("digest", string(subject))
	current.RawQuery = query.Encode()

	sources := make([]*source, 2)
	var wg sync.WaitGroup
	for i, u := range []*url.URL{current, older} {
		wg.Go(func() {
			sources[i] = r.listPages(ctx, c, request{
				method: http.MethodGet, url: u, what: "the referrers of " + r.Name() + "@" + string(subject),
				accept: []string{"application/json"}, limit: maxIndex, actions: actions,
			}, refusesPredecessor, parsePredecessor)
			// That an old endpoint answers oddly is nothing to report: pages
			// outside of the registry's API are the rule.
			sources[i].warnings, sources[i].page = nil, nil
		})
	}
	wg.Wait()
	return sources
}

// refusesPredecessor reports whether a response says that an endpoint of the
// predecessor does not exist. Nobody knows how a registry that has never heard of
// it refuses it.
func refusesPredecessor(p *response) bool {
	return p.status >= 400 && p.status < 500 && !isTransient(p.status) || p.status == http.StatusNotImplemented
}

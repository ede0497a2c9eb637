package remote

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

// This file speaks to registries of the ORAS artifacts-spec, the predecessor of
// the referrers API. docs/decisions/oras-artifacts.md tells when they are asked.

// needsPredecessor reports whether the predecessor's endpoints are worth asking:
// the registry has no referrers API, and under the tag stands either nothing
// that was asked for or an artifact manifest, of which there may be more that
// only the predecessor lists. So nobody else who finds something waits for them,
// and no registry with the API is asked at all. A tag that could not be read is
// an error already, and more requests to a registry in trouble would not change
// it.
func (c collector) needsPredecessor(api, tag *source) bool {
	if !api.absent || tag.err != nil {
		return false
	}
	found := false
	for i := range tag.entries {
		d := &tag.entries[i].descriptor
		if d.MediaType == oci.MediaTypeORASManifest {
			return true
		}
		found = found || c.wants(d)
	}
	return !found
}

// takeOver asks for what the predecessor lists, for the first writer of a
// referrers tag: from then on readers may be content with the tag. It asks at the
// same time as the tag is written, so that nobody waits for it who has nothing to
// take over. The channel gives the entries once, at the latest when a writer would
// have waited longest; what could not be learned by then is left.
func (w *tagWriter) takeOver(ctx context.Context) <-chan []entry {
	taken := make(chan []entry, 1) // the sender never waits
	go func() {
		ctx, cancel := context.WithTimeout(ctx, w.r.client.timing.settleMax)
		defer cancel()
		c := collector{subject: w.subject, max: maxMerged}
		sources := w.r.listPredecessor(ctx, w.subject, c, actionsPush)
		listing, err := c.merge(sources)
		if err != nil {
			w.r.client.log.Debug("what older clients attached may not all be in the referrers tag", "subject", w.subject, "error", err)
		}
		var entries []entry
		for _, d := range listing.Referrers {
			// Only what says where it is: the rest is anybody's, and the tag's size is bounded.
			e, err := newEntry(oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, ArtifactType: d.ArtifactType})
			if err == nil {
				entries = append(entries, e)
			}
		}
		taken <- entries
	}()
	return taken
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

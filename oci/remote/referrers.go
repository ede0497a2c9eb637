package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// source is what one place said about the referrers of a subject.
type source struct {
	absent   bool // the registry has no such place
	entries  []entry
	more     bool // there was more than bounds allow
	warnings []error
	err      error

	// page says what came in place of a listing, if absent. It is an error if
	// no other place has a listing: whoever answers every request with a page
	// of its own says nothing about signatures.
	page *reason.Error
	// lost counts the entries that cannot be used and may be what was asked
	// for; lostErr is about the first.
	lost    int
	lostErr error
}

// add adds a page of a listing.
func (s *source) add(c collector, x *index) {
	s.entries = append(s.entries, x.entries...)
	for i := range x.unusable {
		u := &x.unusable[i]
		switch {
		case c.wants(&u.claim):
			s.lose(u.err)
		case len(s.warnings) < maxWarnings:
			s.warnings = append(s.warnings, u.err)
		}
	}
	if x.flooded {
		s.lose(reason.Errorf(reason.RegistryListingEntry, "more than %d entries of the listing cannot be used", maxUnusable))
	}
}

func (s *source) lose(err error) {
	if s.lost++; s.lost == 1 {
		s.lostErr = err
	}
}

// incomplete returns the error for entries that are lost, or nil.
func (s *source) incomplete() error {
	if s.lost == 0 {
		return nil
	}
	const hint = "have what the entry names pushed again, or have the entry removed from the listing"
	if s.lost == 1 {
		return reason.Wrap(reason.RegistryListingEntry, s.lostErr, "an entry of the listing may be what was asked for").WithHint(hint)
	}
	return reason.Wrap(reason.RegistryListingEntry, s.lostErr, "%d entries of the listing may be what was asked for", s.lost).WithHint(hint)
}

// Referrers implements [oci.Repository]. It asks the referrers API and the
// referrers tag at once and merges what they list; where there is no such API
// and the tag lists nothing that was asked for, or a manifest of the API's
// predecessor, it asks that. If only what is likely is wanted, and the registry
// has given this client a listing by its API before, the API alone is
// asked as long as it goes on doing so.
// A place that fails is an error, returned with what the others listed. Entries
// with another artifact type than the one asked for are dropped, as are those
// that name the subject itself. Codes: registry.*, oci.digest-algorithm.
func (r *Repository) Referrers(ctx context.Context, subject digest.Digest, o oci.ReferrersOptions) (oci.Listing, error) {
	l, _, _, err := r.list(ctx, subject, o, known{actions: actionsPull})
	return l, err
}

// known is what a listing need not ask for.
type known struct {
	api     *source
	tag     *tagState
	actions []string
}

// list is Referrers, with sources that are known already. It returns the two
// main sources as well.
func (r *Repository) list(ctx context.Context, subject digest.Digest, o oci.ReferrersOptions, k known) (oci.Listing, *source, *tagState, error) {
	if _, err := oci.ParseDigest(string(subject)); err != nil {
		return oci.Listing{}, nil, nil, err
	}
	limit := o.Max
	if limit <= 0 || limit > oci.MaxReferrers {
		limit = oci.MaxReferrers
	}
	c := collector{subject: subject, artifactType: o.ArtifactType, max: limit}
	var wg sync.WaitGroup
	likely := o.Likely && r.client.lists.has(r.host)
	if k.tag == nil && !likely {
		wg.Go(func() { k.tag = r.readTag(ctx, subject, k.actions, parseListing) })
	}
	if k.api == nil {
		k.api = r.listAPI(ctx, subject, c, k.actions)
	}
	wg.Wait()
	if whole := !k.api.absent && k.api.err == nil && k.api.lost == 0; whole && k.tag == nil {
		l, err := c.merge([]*source{k.api})
		l.Partial = true
		return l, k.api, nil, err
	} else if whole {
		r.client.lists.add(r.host)
	}
	if k.tag == nil {
		k.tag = r.readTag(ctx, subject, k.actions, parseListing)
	}

	sources := []*source{k.api, k.tag.source(c)}
	if c.needsPredecessor(sources[0], sources[1]) {
		sources = append(sources, r.listPredecessor(ctx, subject, c, k.actions)...)
	}
	l, err := c.merge(sources)
	return l, k.api, k.tag, err
}

// collector gathers entries of one subject, each claim once.
type collector struct {
	subject      digest.Digest
	artifactType string
	max          int
}

// claim is what an entry says about a manifest. Of two entries with one digest,
// the second may be the right one.
type claim struct {
	digest    digest.Digest
	size      int64
	mediaType string
}

// wants reports whether an entry belongs into the listing. One that does not
// say its type may be of any.
func (c collector) wants(d *oci.Descriptor) bool {
	return d.Digest != c.subject && oci.ReferrersOptions{ArtifactType: c.artifactType}.Wants(*d)
}

func (c collector) merge(sources []*source) (oci.Listing, error) {
	var l oci.Listing
	var faults []error
	fault := func(err error) {
		// One refusal is often the refusal of all.
		if err != nil && !hasCode(faults, reason.Of(err)) {
			faults = append(faults, err)
		}
	}
	seen := map[claim]bool{}
	nowhere := !slices.ContainsFunc(sources, func(s *source) bool { return !s.absent })
	for _, s := range sources {
		for i := range s.entries {
			d := &s.entries[i].descriptor
			said := claim{d.Digest, d.Size, d.MediaType}
			if seen[said] || !c.wants(d) {
				continue
			}
			if len(l.Referrers) == c.max {
				l.Truncated = true
				break
			}
			seen[said] = true
			l.Referrers = append(l.Referrers, *d)
		}
		l.Truncated = l.Truncated || s.more
		l.Warnings = append(l.Warnings, s.warnings[:min(len(s.warnings), maxWarnings-len(l.Warnings))]...)
		fault(s.err)
		fault(s.incomplete())
		switch {
		case s.page == nil:
		case nowhere:
			fault(s.page)
		case len(l.Warnings) < maxWarnings:
			l.Warnings = append(l.Warnings, s.page)
		}
	}
	if len(faults) == 1 {
		return l, faults[0]
	}
	return l, errors.Join(faults...)
}

func hasCode(errs []error, code reason.Code) bool {
	for _, err := range errs {
		if reason.Of(err) == code {
			return true
		}
	}
	return false
}

// isAbsent reports whether a response says that an API does not exist. The
// OCI distribution specification knows 404 only; registries also say that the
// method or the operation is not supported.
func isAbsent(p *response) bool {
	switch p.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	case http.StatusBadRequest:
		return hasErrorCode(p, "UNSUPPORTED")
	}
	return false
}

// listAPI asks the referrers API: OCI distribution specification, "Listing
// Referrers".
func (r *Repository) listAPI(ctx context.Context, subject digest.Digest, c collector, actions []string) *source {
	first := r.repoURL("referrers", string(subject))
	if c.artifactType != "" {
		first.RawQuery = url.Values{"artifactType": {c.artifactType}}.Encode()
	}
	what := "the referrers of " + r.Name() + "@" + string(subject)
	return r.listPages(ctx, c, request{
		method: http.MethodGet, url: first, what: what,
		accept: []string{ocispec.MediaTypeImageIndex}, limit: maxIndex, actions: actions,
	}, isAbsent, parseListing)
}

// listPages reads a listing page by page until it ends or is full.
func (r *Repository) listPages(ctx context.Context, c collector, q request, absent func(*response) bool, parse parser) *source {
	s := &source{}
	first, visited, total := true, map[string]bool{}, 0
	wanted := 0
	for ; ; first = false {
		visited[q.url.String()] = true
		p, err := r.do(ctx, q)
		switch {
		case err != nil:
			s.err = err
		case first && absent(p):
			s.absent = true
		case !p.ok():
			s.err = r.statusError(q, p)
		}
		if s.err != nil || s.absent {
			return s
		}
		x, err := parsePage(p, parse)
		if err != nil {
			r.badPage(s, q, p, err, first)
			return s
		}
		s.add(c, x)
		for i := range x.entries {
			if c.wants(&x.entries[i].descriptor) {
				wanted++
			}
		}
		total += len(p.body)
		next, err := nextPage(p.header, q.url)
		if err != nil || next == nil {
			s.err = err
			return s
		}
		if wanted >= c.max {
			s.more = true
			return s
		}
		if total > maxListing || len(visited) >= maxPages {
			s.err = reason.Errorf(reason.RegistryListing, "%s have not ended after %d pages of %d bytes with %d entries, %d of them of use",
				q.what, len(visited), total, len(s.entries), wanted).
				WithHint("remove other referrers from the artifact, or ask the registry's operator why the listing does not end")
			return s
		}
		if visited[next.String()] {
			s.err = reason.Errorf(reason.RegistryListing, "the pages of %s go round in a circle", q.what)
			return s
		}
		q.url = next
	}
}

// parsePage reads a page of a listing. No encoding was asked for, so that one
// which comes with an encoding cannot be read.
func parsePage(p *response, parse parser) (*index, error) {
	if encoding := p.header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, fmt.Errorf("it has the content encoding %s, which was not asked for", quote(encoding))
	}
	x, err := parse(p.body, contentType(p.header))
	if errors.Is(err, errNoIndex) && contentType(p.header) == ocispec.MediaTypeImageIndex {
		return nil, errors.New("it was sent as an image index, and is none")
	}
	return x, err
}

// badPage records a page that is no listing. If it is the first and was not
// even sent as one, the registry has no such API but an answer for every URL.
func (r *Repository) badPage(s *source, q request, p *response, err error, first bool) {
	if first && errors.Is(err, errNoIndex) {
		s.absent = true
		s.page = reason.Errorf(reason.RegistryNoListing, "registry %s answers %s to the request for %s with content of type %s, which is no listing",
			r.name.Registry(), statusText(p.status), q.what, quote(contentType(p.header))).
			WithHint("check whether a proxy or a captive portal answers in place of the registry; if it is the registry, it serves pages for paths that it does not know, and its operator has to make them 404")
		return
	}
	s.err = reason.Wrap(reason.RegistryListing, err, "registry %s sent a malformed list for %s", r.name.Registry(), q.what).
		WithHint("try again; if it persists, ask the registry's operator")
}

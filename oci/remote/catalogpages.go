package remote

import (
	"context"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// nameListing reads a list of names page by page, and holds one page at a time.
type nameListing struct {
	repository *Repository // that knows where the registry is
	what       string      // is listed, for people
	first      *url.URL
	actions    []string // what a token must allow
	parse      func(raw []byte) (iter.Seq[string], error)
	refused    func(q request, p *response) error // why there is no list

	pages, names, barren int
	unusables            int
	ended                bool // by what unusable has returned
}

// nameErrorHint is the remedy for a list that cannot be followed.
const nameErrorHint = "ask the registry's operator why its listing is not as the specification has it"

// all gives every name, as the registry writes it, and then perhaps an error.
func (n *nameListing) all(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		q := request{method: http.MethodGet, what: n.what, accept: []string{"application/json"}, limit: maxNamesPage, actions: n.actions}
		q.url = withPageSize(n.first)
		var places, contents circle
		seed := maphash.MakeSeed()
		last := ""
		for {
			p, err := n.page(ctx, &q)
			if err != nil {
				yield("", err)
				return
			}
			page, err := n.read(p)
			if err != nil {
				yield("", err)
				return
			}
			fresh, empty := false, true
			for name := range page {
				empty = false
				if name == last {
					continue // whoever continues after a name may repeat it
				}
				fresh, last = true, name
				if n.names++; !yield(name, nil) {
					return
				}
			}
			repeated := places.closed(maphash.String(seed, q.url.String())) || !empty && contents.closed(maphash.Bytes(seed, p.body))
			next, err := n.next(p, &q, repeated, fresh)
			if err != nil {
				yield("", err)
				return
			}
			if next == nil {
				return
			}
			q.url = next
		}
	}
}

// withPageSize asks for pages of a size that a thousand repositories need one
// request for.
func withPageSize(u *url.URL) *url.URL {
	sized := *u
	sized.RawQuery = url.Values{"n": {strconv.Itoa(namesPerPage)}}.Encode()
	return &sized
}

// page asks for one page. A registry that allows only smaller ones than are
// asked for may say so by 400, and is then asked for what it likes to give.
func (n *nameListing) page(ctx context.Context, q *request) (*response, error) {
	p, err := n.repository.do(ctx, *q)
	if err == nil && n.pages == 0 && p.status == http.StatusBadRequest && q.url.RawQuery != "" {
		q.url = n.first
		p, err = n.repository.do(ctx, *q)
	}
	switch {
	case err != nil:
		return nil, err
	case !p.ok():
		return nil, n.refused(*q, p)
	}
	n.pages++
	return p, nil
}

// read returns the names of a page.
func (n *nameListing) read(p *response) (iter.Seq[string], error) {
	registry := n.repository.name.Registry()
	if encoding := p.header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, reason.Errorf(reason.RegistryListing, "registry %s sent %s with the content encoding %s, which was not asked for", registry, n.what, quote(encoding)).
			WithHint(nameErrorHint)
	}
	page, err := n.parse(p.body)
	if err != nil {
		return nil, reason.Wrap(reason.RegistryListing, err, "registry %s sent a malformed list for %s", registry, n.what).
			WithHint(nameErrorHint)
	}
	return page, nil
}

// next returns where the next page is, nil if there is none, and refuses to go
// on where that would not end.
func (n *nameListing) next(p *response, q *request, repeated, fresh bool) (*url.URL, error) {
	next, err := nextPage(p.header, q.url)
	if err != nil || next == nil {
		return nil, err
	}
	if n.barren++; fresh {
		n.barren = 0
	}
	switch {
	case repeated:
		return nil, reason.Errorf(reason.RegistryListing, "the pages of %s go round in a circle", n.what).WithHint(nameErrorHint)
	case n.barren >= maxBarrenPages:
		return nil, reason.Errorf(reason.RegistryListing, "%s has %d pages in a row without a new name", n.what, n.barren).WithHint(nameErrorHint)
	case n.pages >= maxNamePages || n.names >= maxNames:
		return nil, reason.Errorf(reason.RegistryListing, "%s has not ended after %d pages with %d names", n.what, n.pages, n.names).
			WithHint(nameErrorHint)
	}
	return next, nil
}

// unusable says that a name was left out. When there were too many of these, it
// says so instead, and the listing has ended.
func (n *nameListing) unusable(name string, err error) error {
	if n.unusables++; n.unusables > maxUnusable {
		n.ended = true
		return reason.Errorf(reason.RegistryListing, "%s has more than %d names that cannot be used", n.what, maxUnusable).WithHint(nameErrorHint)
	}
	return reason.Wrap(reason.RegistryListingEntry, err, "%s has the name %s, which cannot be used", n.what, quote(name)).
		WithHint("have it removed from the registry; it was left out")
}

// circle notices when a sequence of values begins to repeat, at most three
// times the length of the circle after it was entered, and remembers one value
// only (R. P. Brent, An improved Monte Carlo factorization algorithm, 1980,
// section 2).
type circle struct {
	kept         uint64
	steps, power int
}

// closed takes the next value of the sequence.
func (c *circle) closed(value uint64) bool {
	if c.power > 0 && value == c.kept {
		return true
	}
	if c.steps++; c.steps > c.power {
		c.kept, c.power, c.steps = value, max(2*c.power, 1), 0
	}
	return false
}

package remote

import (
	"context"
	"iter"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
)

// Tags lists the tags of the repository: OCI distribution specification,
// "Listing Tags". How it goes on and ends is as with [Client.Repositories];
// those of the referrers tag schema are among them. A repository that is not
// there, or in which nothing has a tag, which not every registry tells apart, has
// the error oci.not-found; further codes are registry.*.
func (r *Repository) Tags(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		n := nameListing{
			repository: r, what: "the tags of " + r.Name(), first: r.repoURL("tags", "list"), actions: actionsPull,
			parse: parseTags, refused: r.statusError,
		}
		for tag, err := range n.all(ctx) {
			if err == nil {
				if err = oci.CheckTag(tag); err != nil {
					tag, err = "", n.unusable(tag, err)
				}
			}
			if !yield(tag, err) || n.ended {
				return
			}
		}
	}
}

// parseTags reads a page of tags. A null is a registry's empty list.
func parseTags(raw []byte) (iter.Seq[string], error) {
	var w struct {
		Tags strictjson.Raw `json:"tags"`
	}
	err := strictjson.UnmarshalOpen(raw, &w)
	return listedNames(w.Tags, "tags", err)
}

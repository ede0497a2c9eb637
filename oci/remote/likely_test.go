package remote

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestLikelyListing asks only the API of a registry that has answered it before,
// and everything as soon as the API's answer is of no use.
func TestLikelyListing(t *testing.T) {
	t.Parallel()
	a, b := descriptorOf("a", ""), descriptorOf("b", "type/b")
	unusable := says(ocispec.MediaTypeImageIndex, entries(`{"digest":"x"}`))
	for _, tt := range []struct {
		name        string
		first, then http.HandlerFunc // of the API
		asked       bool             // for all there is
		want        string
		tags        int64 // requests for the referrers tag
		partial     bool
		code        reason.Code
	}{
		{"as before", lists3(a), lists3(a), false, "a", 1, true, ""},
		{"an empty list", lists3(), lists3(), false, "", 1, true, ""},
		{"all is asked for", lists3(a), lists3(a), true, "a b", 2, false, ""},
		{"never had the API", nil, nil, false, "b", 2, false, ""},
		{"lost the API", lists3(a), nil, false, "b", 2, false, ""},
		{"has a page now", lists3(a), says("text/html", "<html>"), false, "b", 2, false, ""},
		{"has got the API", nil, lists3(a), false, "a b", 2, false, ""},
		{"was down", fails(403), lists3(a), false, "a b", 2, false, ""},
		{"is down", lists3(a), fails(403), false, "b", 2, false, reason.RegistryDenied},
		{"was unusable", unusable, lists3(a), false, "a b", 2, false, ""},
		{"is unusable", lists3(a), unusable, false, "b", 2, false, reason.RegistryListingEntry},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var tags atomic.Int64
			var then atomic.Bool
			r := open(t, places{
				api: func(w http.ResponseWriter, q *http.Request) {
					h := tt.first
					if then.Load() {
						h = tt.then
					}
					if h == nil {
						h = http.NotFound
					}
					h(w, q)
				},
				tag: func(w http.ResponseWriter, q *http.Request) { tags.Add(1); lists3(b)(w, q) },
			}, Options{})
			l, _ := r.Referrers(t.Context(), subjectDigest, oci.ReferrersOptions{Likely: true})
			if l.Partial {
				t.Error("nothing was known, and the listing is partial")
			}
			then.Store(true)
			l, err := r.Referrers(t.Context(), subjectDigest, oci.ReferrersOptions{Likely: !tt.asked})
			wantCode(t, err, tt.code)
			if got := names(l, "a", "b"); got != tt.want {
				t.Errorf("listed %q, want %q", got, tt.want)
			}
			if tags.Load() != tt.tags || l.Partial != tt.partial {
				t.Errorf("the tag was asked for %d times, want %d; partial %t", tags.Load(), tt.tags, l.Partial)
			}
		})
	}
}

// TestKnownListsAreBounded makes room for one more.
func TestKnownListsAreBounded(t *testing.T) {
	t.Parallel()
	var k knownLists
	for i := range maxKnownLists + 1 {
		k.add(string(rune('0' + i)))
	}
	if last := string(rune('0' + maxKnownLists)); len(k.hosts) != 1 || !k.has(last) {
		t.Errorf("%d hosts", len(k.hosts))
	}
}

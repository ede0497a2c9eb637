// Package everymode verifies with caches and without, and compares.
package everymode

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/cache"
	"github.com/notaryv2/notation/reason"
)

// Verify is Verify of v, in every mode: without caches, with empty ones, and with
// those that the second verification has filled. It returns the verdict of the
// last and fails the test if one differs. The repository must answer each time as
// it did before.
func Verify(t testing.TB, v *notation.Verifier, repo oci.Repository, ref oci.Reference) (*notation.Verdict, error) {
	t.Helper()
	with := *v
	if with.Now == nil {
		now := time.Now()
		with.Now = func() time.Time { return now } // which verdicts tell
	}
	with.Cache = nil
	want, wantErr := with.Verify(t.Context(), repo, ref)
	with.Cache = notation.NewCache()
	content := cache.New(cache.Options{Dir: t.TempDir()})
	defer content.Close()
	verdict, err := want, wantErr
	for _, mode := range []string{"cold", "warm"} {
		verdict, err = with.Verify(t.Context(), content.Repository(repo), ref)
		if !alike(wantErr, err) {
			t.Errorf("with caches %s: %v [%s], without: %v [%s]", mode, err, reason.Of(err), wantErr, reason.Of(wantErr))
		}
		if got, without := text(t, verdict), text(t, want); got != without {
			t.Errorf("the verdict with caches %s:\n%s\nwithout:\n%s", mode, got, without)
		}
	}
	return verdict, err
}

// alike reports whether two errors of a verification mean the same.
func alike(a, b error) bool {
	if (a == nil) != (b == nil) || reason.Of(a) != reason.Of(b) {
		return false
	}
	for _, kind := range []error{notation.ErrRejected, notation.ErrUnsigned, notation.ErrUndecided, notation.ErrSkipped} {
		if errors.Is(a, kind) != errors.Is(b, kind) {
			return false
		}
	}
	return true
}

// text returns what a verdict says whichever of several signatures was looked at
// first: of those of an artifact that passes, nothing but that there is one.
func text(t testing.TB, v *notation.Verdict) string {
	t.Helper()
	w := *v
	if w.Signatures = slices.Clone(v.Signatures); v.Accepted() != nil {
		w.Signatures, w.NotLookedAt = nil, 0
	}
	slices.SortFunc(w.Signatures, func(a, b notation.SignatureVerdict) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	raw, err := json.MarshalIndent(&w, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

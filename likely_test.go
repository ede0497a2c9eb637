package notation_test

import (
	"context"
	"errors"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// TestLikely has a repository give a part of its list first. What is left is
// asked for before anything but a yes is said.
func TestLikely(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	other := testpki.New(t, testpki.Options{Name: "other", KeySet: 1})
	const good, bad = true, false
	for name, tt := range map[string]struct {
		signatures []bool
		likely     int
		listFails  bool // the second time
		exhaustive bool
		want       error
		code       reason.Code
		lists      int
		seen       int // signatures in the verdict
	}{
		"a good one at once":            {[]bool{good, bad}, 1, false, false, nil, "", 1, 1},
		"a good one, and more unasked":  {[]bool{bad, good, bad}, 2, true, false, nil, "", 1, -1},
		"a good one elsewhere":          {[]bool{bad, good}, 1, false, false, nil, "", 2, -1},
		"nothing at first":              {[]bool{good}, 0, false, false, nil, "", 2, 1},
		"bad ones only":                 {[]bool{bad, bad}, 1, false, false, notation.ErrRejected, "", 2, 2},
		"bad ones, all at once":         {[]bool{bad, bad}, 2, false, false, notation.ErrRejected, "", 2, 2},
		"bad, and the rest unreachable": {[]bool{bad}, 1, true, false, notation.ErrUndecided, reason.RegistryUnreachable, 2, 1},
		"none, and the rest as well":    {nil, 0, true, false, notation.ErrUndecided, reason.RegistryUnreachable, 2, 0},
		"none anywhere":                 {nil, 0, false, false, notation.ErrUnsigned, "", 2, 0},
		"everything is wanted":          {[]bool{good, bad}, 1, false, true, nil, "", 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			repo.likely = &tt.likely
			artifact := repo.push("v1", "artifact")
			for i, ok := range tt.signatures {
				by := other
				if ok {
					by = chain
				}
				repo.attachEnvelope(t, artifact, seal(t, by, envelope.Request{Target: artifact}), map[string]string{"n": string(rune('a' + i))})
			}
			if tt.listFails {
				repo.onReferrers = func(context.Context) error {
					return reason.Errorf(reason.RegistryUnreachable, "the registry cannot be reached")
				}
			}
			v := verifierFor(t, chain)
			v.Exhaustive = tt.exhaustive
			verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
			if tt.want == nil && err != nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if tt.code != "" && reason.Of(err) != tt.code {
				t.Errorf("code %s, want %s", reason.Of(err), tt.code)
			}
			if n := repo.count("referrers"); n != tt.lists {
				t.Errorf("listed %d times, want %d", n, tt.lists)
			}
			if tt.seen >= 0 && len(verdict.Signatures) != tt.seen {
				t.Errorf("%d signatures in the verdict, want %d", len(verdict.Signatures), tt.seen)
			}
		})
	}
}

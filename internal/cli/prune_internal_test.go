package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/prune"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// failing is a store that knows of an artifact and deletes nothing.
type failing struct {
	oci.Store
	err error
}

func (f failing) Resolve(context.Context, oci.Reference) (oci.Descriptor, error) {
	return oci.Descriptor{}, f.err
}

func TestRemovalWords(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, o := range []prune.Removal{prune.Removed, prune.Kept, prune.Absent, prune.Delisted, prune.StillListed, prune.Unclear} {
		word := (&removalJSON{Outcome: o}).word().text
		if seen[word] || word == "" {
			t.Errorf("%s is %q", o, word)
		}
		seen[word] = true
	}
}

// TestRemovalsFail has deletions end before they begin, or fail one by one.
func TestRemovalsFail(t *testing.T) {
	t.Parallel()
	boom := reason.Errorf(reason.RegistryTimeout, "too slow").WithHint("try again")
	artifact, one := digest.FromString("artifact"), digest.FromString("one")
	opens := func(r oci.Repository, err error) func(target, string) (oci.Repository, error) {
		return func(target, string) (oci.Repository, error) { return r, err }
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("ended"))
	for name, tt := range map[string]struct {
		ctx     context.Context
		target  target
		open    func(target, string) (oci.Repository, error)
		outcome prune.Removal
	}{
		"not opened":     {t.Context(), target{typed: "x"}, opens(nil, boom), prune.Kept},
		"ended":          {ended, target{typed: "x"}, opens(failing{err: boom}, nil), prune.Kept},
		"fails":          {t.Context(), target{typed: "x"}, opens(failing{err: boom}, nil), prune.Kept},
		"no tarball":     {t.Context(), target{typed: "x", path: filepath.Join("testdata", "..", "prune.go")}, nil, prune.Kept},
		"cannot be kept": {t.Context(), target{typed: "x"}, opens(readOnly{}, nil), prune.Kept},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := &pruneDocument{done: true, Artifacts: []*prunedJSON{
				{Requested: "y", Signatures: []prunedSignatureJSON{}},
				{Requested: "x", target: tt.target, artifact: artifact, Signatures: []prunedSignatureJSON{
					{Action: pruneKeep, removalJSON: removalJSON{Digest: digest.FromString("two"), Outcome: prune.Kept}},
					{Action: pruneDelete, removalJSON: removalJSON{Digest: one, Outcome: prune.Kept}},
				}},
			}}
			err := doc.carryOut(tt.ctx, tt.open)
			if err == nil || doc.Artifacts[1].Error == nil || doc.Artifacts[0].Error != nil || doc.Artifacts[1].Signatures[1].Outcome != tt.outcome {
				t.Errorf("%v, %+v", err, doc.Artifacts[1])
			}
			p := &page{}
			doc.text(p)
			if got := p.b.String(); !strings.Contains(got, "not deleted  "+string(one)) || !strings.Contains(got, "Deleted 0 of 2 signatures.") {
				t.Error(got)
			}
		})
	}
}

// readOnly is a repository that nothing can be written to.
type readOnly struct{ oci.Repository }

// TestPruneDocument has references that could not be opened, and two to one
// artifact.
func TestPruneDocument(t *testing.T) {
	t.Parallel()
	good := verdictJSON{Requested: "a", Name: "a@1", Verdict: &notation.Verdict{Artifact: oci.Descriptor{Digest: "sha256:1"}}}
	again := good
	again.Requested = "b"
	broken := verdictJSON{Requested: "c", target: target{typed: "c"}, err: reason.Errorf(reason.OCILayout, "it is no layout")}
	doc := newPruneDocument(&verifyDocument{Verdicts: []verdictJSON{good, again, broken, broken}}, &pruneOptions{which: prune.Options{Expired: true}})
	if len(doc.Artifacts) != 3 || doc.Artifacts[0].Requested != "a" {
		t.Errorf("%+v", doc.Artifacts)
	}
	if err := doc.refused(); reason.Of(err) != reason.OCILayout {
		t.Error(err)
	}
	p := &page{}
	doc.text(p)
	if got := p.b.String(); got != "a@1\n  no signature is attached\nc\nc\nNothing was deleted: see the error.\n" {
		t.Errorf("%q", got)
	}
}

package test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
)

// manyArtifacts are signed in one run.
const manyArtifacts = 200

// TestSignManyAtOnce has a program sign many artifacts of a repository at the
// same time, with one key, one client and one set of options, and its memory.
func TestSignManyAtOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []registries.Kind{registries.GGCR, registries.GGCRTagSchema, registries.Olareg, registries.Distribution} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			r := registries.New(t, kind, registries.Options{})
			refs := pushMany(t, r)
			us := newParty(t, "us.example", 0)
			pace := audit.NewPace(0)
			repo := open(t, refs[0], registries.Anonymous)
			options := notation.SignOptions{Cache: notation.NewCache()}
			made := make([]notation.Signed, len(refs))
			var group sync.WaitGroup
			for i, ref := range refs {
				group.Go(func() {
					err := pace.Do(t.Context(), ref.Registry(), func(ctx context.Context) error {
						var err error
						made[i], err = notation.Sign(ctx, repo, ref, us.key, options)
						return err
					})
					if err != nil || made[i].Artifact.Digest != ref.Digest() {
						t.Errorf("%s: %v", ref, err)
					}
				})
			}
			group.Wait()
			for i, ref := range refs {
				checkAllListed(t, repo, ref, made[i:i+1])
			}
		})
	}
}

// pushMany pushes the artifacts and returns their references by digest.
func pushMany(t *testing.T, r *registries.Registry) []oci.Reference {
	t.Helper()
	repo, err := fixture.Repository(r.Host()+"/net-monitor:v1", registries.Username, registries.Password)
	if err != nil {
		t.Fatal(err)
	}
	refs := make([]oci.Reference, manyArtifacts)
	for i := range refs {
		image, err := fixture.PushImage(t.Context(), repo, fmt.Sprint("image ", i))
		if err != nil {
			t.Fatal(err)
		}
		refs[i] = parseReference(t, r.Host()+"/net-monitor@"+image.Digest.String())
	}
	return refs
}

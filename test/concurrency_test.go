package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
)

// concurrentSigners sign one artifact at the same time, and each who deletes
// deletes this many of their signatures.
const (
	concurrentSigners   = 100
	concurrentDeletions = 4
)

// TestConcurrentSignersLoseNothing has many clients that know nothing of each
// other write the one referrers tag of an artifact, in a registry that has no
// referrers API and does not honour If-Match.
//
// attack: REG-08
func TestConcurrentSignersLoseNothing(t *testing.T) {
	t.Parallel()
	r := registries.New(t, registries.GGCRTagSchema, registries.Options{})
	ref := pushTestImage(t, r, r.Host())
	us := newParty(t, "us.example", 0)
	var group sync.WaitGroup
	made := make([]notation.Signed, concurrentSigners)
	for i := range made {
		repo := open(t, ref, registries.Anonymous)
		group.Go(func() {
			o := notation.SignOptions{Metadata: map[string]string{"signer": fmt.Sprint(i)}}
			var err error
			if made[i], err = notation.Sign(t.Context(), repo, ref, us.key, o); err != nil {
				t.Errorf("signer %d: %v", i, err)
			}
		})
	}
	group.Wait()
	checkAllListed(t, open(t, ref, registries.Anonymous), ref, made)
}

// checkAllListed lists the signatures and looks for each that was made.
func checkAllListed(t *testing.T, repo *remote.Repository, ref oci.Reference, made []notation.Signed) {
	t.Helper()
	listing, err := repo.Referrers(t.Context(), ref.Digest(), oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, d := range listing.Referrers {
		listed[d.Digest.String()] = true
	}
	lost := 0
	for _, m := range made {
		if !listed[m.Signature.Digest.String()] {
			lost++
		}
	}
	if lost > 0 || len(listing.Referrers) != len(made) {
		t.Errorf("%d of %d signatures lost, %d listed", lost, len(made), len(listing.Referrers))
	}
}

// TestConcurrentProcessesLoseNothing is the same with as many processes of
// notation, and two registries that are processes as well. After the signers come
// some more at the same time as others that attach files, sign what they attach,
// and delete signatures.
//
// attack: REG-08
func TestConcurrentProcessesLoseNothing(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	// They wait most of the time, so they take only one turn between them.
	for _, kind := range []registries.Kind{registries.Distribution, registries.DockerRegistry} {
		group.Go(func() {
			t.Run(kind.String(), func(t *testing.T) {
				s := newStorm(t, kind)
				var signers, mixed [][]string
				for i := range concurrentSigners {
					signers = append(signers, s.sign(i))
				}
				s.run(t, signers)
				if s.check(t); len(s.referrers) != concurrentSigners {
					t.Errorf("%d signatures, not %d", len(s.referrers), concurrentSigners)
				}
				for i := range concurrentSigners / 20 {
					mixed = append(mixed, s.sign(concurrentSigners+i), s.attach(i), s.attach(concurrentSigners+i, "--sign"), s.delete(concurrentDeletions))
				}
				s.run(t, mixed)
				s.check(t)
			})
		})
	}
	group.Wait()
}

// storm is many processes that write the referrers of one image.
type storm struct {
	*home
	program   string // without the race detector: it is the registry's order of events that matters
	image     string // by digest
	file      string
	referrers []string // digests of what the processes have reported
	signed    []string // references of what is signed beside the image
}

func newStorm(t *testing.T, kind registries.Kind) *storm {
	t.Helper()
	toolbox.Need(t, "oras")
	r := registries.New(t, kind, registries.Options{})
	ref := pushTestImage(t, r, r.Host())
	s := &storm{home: newHome(t), image: ref.String(), file: filepath.Join(t.TempDir(), "sbom.json")}
	var err error
	if s.program, err = toolbox.Release(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// sign and attach return the arguments of a process, which i tells from others.
func (s *storm) sign(i int) []string {
	return []string{"sign", "--output", "json", "--user-metadata", fmt.Sprintf("signer=%d", i), s.image}
}

func (s *storm) attach(i int, flags ...string) []string {
	return slices.Concat([]string{"attach", "--output", "json", "--artifact-type", "sbom/example", "--annotation", fmt.Sprintf("number=%d", i)},
		flags, []string{s.image, s.file})
}

// delete takes n off what should be there.
func (s *storm) delete(n int) []string {
	args := append([]string{"signature", "delete", "--yes", "--output", "json", s.image}, s.referrers[:n]...)
	s.referrers = s.referrers[n:]
	return args
}

// run starts all processes at once and notes what they have made.
func (s *storm) run(t *testing.T, jobs [][]string) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, args := range jobs {
		group.Go(func() {
			out, err := s.try(t.Context(), s.program, args...)
			if err != nil {
				t.Error(err)
				return
			}
			type descriptor struct{ Digest string }
			var doc struct { // of sign, or of attach
				Signed              []struct{ Signature descriptor }
				Name                string
				Artifact, Signature descriptor
			}
			if err := json.Unmarshal(out, &doc); err != nil {
				t.Errorf("%v\n%s", err, out)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if len(doc.Signed) > 0 {
				s.referrers = append(s.referrers, doc.Signed[0].Signature.Digest)
				return
			}
			if doc.Artifact.Digest == "" {
				return // it has deleted
			}
			s.referrers = append(s.referrers, doc.Artifact.Digest)
			if doc.Signature.Digest != "" {
				s.signed = append(s.signed, doc.Name)
			}
		})
	}
	group.Wait()
}

// check looks for everything that the processes have made, and has oras look.
func (s *storm) check(t *testing.T) {
	t.Helper()
	var ours, others struct{ Referrers, Manifests []struct{ Digest string } }
	s.runJSON(t, &ours, "notation", "discover", "--output", "json", s.image)
	s.runJSON(t, &others, "oras", "discover", "--depth", "1", "--format", "json", s.image)
	slices.Sort(s.referrers)
	for by, found := range map[string][]struct{ Digest string }{"notation": ours.Manifests, "oras": others.Referrers} {
		var digests []string
		for _, f := range found {
			digests = append(digests, f.Digest)
		}
		slices.Sort(digests)
		if !slices.Equal(digests, s.referrers) {
			t.Errorf("%s finds %d, and %d were made", by, len(digests), len(s.referrers))
		}
	}
	if out := s.home.run(t, "notation", append([]string{"verify", s.image}, s.signed...)...); strings.Count(string(out), "Successfully") != len(s.signed)+1 {
		t.Errorf("%s", out)
	}
}

package notation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// covering is verifierFor with a policy under which indexes cover what they list.
func covering(t testing.TB, chain *testpki.Chain) *notation.Verifier {
	t.Helper()
	v := verifierFor(t, chain)
	p, err := v.Policy.Document().CoverManifests().Policy(trust.OCIPolicy, "policy.json")
	if err != nil {
		t.Fatal(err)
	}
	v.Policy = p
	return v
}

// image stores an image manifest and returns its entry for a platform.
func (r *fakeRepo) image(name, platform string) oci.Descriptor {
	d := r.put(fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{},"layers":[],"annotations":{"name":%q}}`, ocispec.MediaTypeImageManifest, name))
	d.MediaType = ocispec.MediaTypeImageManifest
	if parts := strings.SplitN(platform+"//", "/", 4); platform != "" {
		d.Platform = &ocispec.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
	}
	return d
}

// index stores an index of a media type and returns its descriptor.
func (r *fakeRepo) index(t testing.TB, mediaType string, entries ...oci.Descriptor) oci.Descriptor {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": mediaType, "manifests": entries})
	if err != nil {
		t.Fatal(err)
	}
	d := r.put(raw)
	d.MediaType = mediaType
	return d
}

const ociIndex = ocispec.MediaTypeImageIndex

// multi is an index with an index in it.
type multi struct {
	*fakeRepo
	amd, arm, proof, inner, root oci.Descriptor
}

func newMulti(t testing.TB) *multi {
	t.Helper()
	m := &multi{fakeRepo: newFakeRepo()}
	m.amd, m.arm, m.proof = m.image("amd", "linux/amd64"), m.image("arm", "linux/arm64/v8"), m.image("proof", "unknown/unknown")
	m.inner = m.index(t, oci.MediaTypeDockerList, m.arm, m.proof)
	m.root = m.index(t, ociIndex, m.amd, m.inner)
	return m
}

func words(all []notation.Decision) string {
	var list []string
	for _, d := range all {
		list = append(list, d.Verdict.Word())
	}
	return strings.Join(list, " ")
}

// checkDecision asserts what holds for every decision.
func checkDecision(t *testing.T, d notation.Decision) {
	t.Helper()
	v := d.Verdict
	if (d.Err == nil) != (v.Outcome == notation.Passed) || (v.CoveredBy == "") != (v.CoveringSignature == nil) {
		t.Errorf("%s: %v, covered by %q", v.Word(), d.Err, v.CoveredBy)
	}
	if told, ok := errors.AsType[*notation.VerdictError](d.Err); d.Err != nil && (!ok || told.Verdict != v || told.Cause == nil || told.Cause.Code == "") {
		t.Errorf("%v", d.Err)
	}
	if v.Outcome == notation.Passed && v.Accepted() == nil {
		t.Error("nobody vouches for it")
	}
	for _, f := range v.Findings {
		if v.Outcome == notation.Passed && (f.Outcome == notation.Failed || f.Outcome == notation.Undecided) {
			t.Errorf("passed with %+v", f)
		}
	}
	if _, err := json.Marshal(v); err != nil {
		t.Error(err)
	}
}

func TestVerifyRecursive(t *testing.T) {
	t.Parallel()
	chain, stranger := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{KeySet: 1})
	for _, c := range []struct {
		name   string
		sign   func(t *testing.T, m *multi) // by chain
		strict string                       // outcomes under version 1.0: root, amd, inner, arm, proof
		covers string                       // and where indexes cover what they list
	}{
		{"nothing", func(*testing.T, *multi) {}, "unsigned unsigned unsigned unsigned unsigned", "unsigned unsigned unsigned unsigned unsigned"},
		{"the index", func(t *testing.T, m *multi) { m.signAs(t, m.root, chain, notation.SignOptions{}) },
			"passed unsigned unsigned unsigned unsigned", "passed passed passed passed passed"},
		{"the index within", func(t *testing.T, m *multi) { m.signAs(t, m.inner, chain, notation.SignOptions{}) },
			"unsigned unsigned passed unsigned unsigned", "unsigned unsigned passed passed passed"},
		{"all", func(t *testing.T, m *multi) {
			for _, d := range []oci.Descriptor{m.root, m.amd, m.inner, m.arm, m.proof} {
				m.signAs(t, d, chain, notation.SignOptions{})
			}
		}, "passed passed passed passed passed", "passed passed passed passed passed"},
		{"all but the attestation", func(t *testing.T, m *multi) {
			for _, d := range []oci.Descriptor{m.root, m.amd, m.inner, m.arm} {
				m.signAs(t, d, chain, notation.SignOptions{})
			}
		}, "passed passed passed passed unsigned", "passed passed passed passed passed"},
		{"an image by a stranger", func(t *testing.T, m *multi) {
			m.signAs(t, m.root, chain, notation.SignOptions{})
			m.signAs(t, m.arm, stranger, notation.SignOptions{})
		}, "passed unsigned unsigned rejected unsigned", "passed passed passed passed passed"},
		{"the index by a stranger", func(t *testing.T, m *multi) {
			m.signAs(t, m.root, stranger, notation.SignOptions{})
			m.signAs(t, m.arm, chain, notation.SignOptions{})
		}, "rejected unsigned unsigned passed unsigned", "rejected unsigned unsigned passed unsigned"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMulti(t)
			c.sign(t, m)
			for want, v := range map[*string]*notation.Verifier{&c.strict: verifierFor(t, chain), &c.covers: covering(t, chain)} {
				all, err := v.VerifyRecursive(t.Context(), m, byDigest(t, m.root))
				if got := words(all); got != *want {
					t.Errorf("%s, want %s", got, *want)
				}
				if strings.Contains(*want, "rejected") != errors.Is(err, notation.ErrRejected) || (err == nil) != !strings.ContainsAny(*want, "ruj") {
					t.Error(err)
				}
				order := []oci.Descriptor{m.root, m.amd, m.inner, m.arm, m.proof}
				for i, d := range all {
					checkDecision(t, d)
					if d.Verdict.Artifact.Digest != order[i].Digest || d.Verdict.Platform != oci.PlatformName(order[i]) || (d.Verdict.Index == m.root.Digest) != (i > 0) {
						t.Errorf("%d: %+v", i, d.Verdict)
					}
				}
			}
		})
	}
}

// What is covered says by what, and what is not says why.
func TestCoverageIsShown(t *testing.T) {
	t.Parallel()
	chain, stranger := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{KeySet: 1})
	m := newMulti(t)
	m.signAs(t, m.inner, chain, notation.SignOptions{Metadata: map[string]string{"a": "b"}})
	m.signAs(t, m.arm, stranger, notation.SignOptions{})

	v := covering(t, chain)
	v.Metadata = map[string]string{"a": "b"}
	verdict, err := v.VerifyPlatform(t.Context(), m, byDigest(t, m.root), "linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Artifact.Digest != m.arm.Digest || verdict.CoveredBy != m.inner.Digest || verdict.Index != m.root.Digest || verdict.Platform != "linux/arm64/v8" ||
		verdict.Reference != scope+"@"+string(m.arm.Digest) || verdict.Accepted() != verdict.CoveringSignature || verdict.Accepted().Metadata["a"] != "b" {
		t.Errorf("%+v", verdict)
	}
	if f := finding(t, verdict.Findings, notation.CheckCoverage); f.Outcome != notation.Passed || !strings.Contains(f.Message, string(m.inner.Digest)) {
		t.Error(f)
	}
	if verdict.Signatures[0].Outcome != notation.Failed {
		t.Error("the stranger's signature is not shown as it is")
	}
	v.Metadata = map[string]string{"a": "c"}
	if verdict, err = v.VerifyPlatform(t.Context(), m, byDigest(t, m.root), "linux/arm64"); !errors.Is(err, notation.ErrRejected) || verdict.CoveredBy != "" {
		t.Error(err)
	}

	// An image beside that index is not in it.
	verdict, err = covering(t, chain).VerifyPlatform(t.Context(), m, byDigest(t, m.root), "linux/amd64")
	if f := finding(t, verdict.Findings, notation.CheckCoverage); !errors.Is(err, notation.ErrUnsigned) || f.Outcome != notation.Failed || f.Reason != reason.VerifyNotCovered {
		t.Error(f, err)
	}
	verdict, err = verifierFor(t, chain).VerifyPlatform(t.Context(), m, byDigest(t, m.root), "linux/amd64")
	if f := finding(t, verdict.Findings, notation.CheckCoverage); f.Outcome != notation.Skipped || f.Reason != reason.VerifyIndexNotAsked ||
		!strings.Contains(reason.Hint(err), "indexCovers") || !strings.Contains(reason.Hint(err), "Sign every manifest") {
		t.Error(f, reason.Hint(err))
	}
	// A rejected one says why its signature is no good, and of the index besides.
	_, err = verifierFor(t, chain).VerifyPlatform(t.Context(), m, byDigest(t, m.root), "linux/arm64/v8")
	if reason.Of(err) != reason.VerifyRootUntrusted || strings.Contains(reason.Hint(err), "indexCovers") {
		t.Error(reason.Of(err), reason.Hint(err))
	}
}

// Coverage needs the way through the index: not what is named by itself, and not
// what refers to something covered.
//
// attack: REG-03
func TestCoverageNeedsTheIndex(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	v := covering(t, chain)
	m := newMulti(t)
	m.signAs(t, m.root, chain, notation.SignOptions{})
	for name, verify := range map[string]func(context.Context, oci.Repository, oci.Reference) error{
		"Verify": func(ctx context.Context, r oci.Repository, ref oci.Reference) error {
			_, err := v.Verify(ctx, r, ref)
			return err
		},
		"VerifyRecursive": func(ctx context.Context, r oci.Repository, ref oci.Reference) error {
			_, err := v.VerifyRecursive(ctx, r, ref)
			return err
		},
	} {
		if err := verify(t.Context(), m, byDigest(t, m.arm)); !errors.Is(err, notation.ErrUnsigned) {
			t.Errorf("%s by itself: %v", name, err)
		}
	}
	sbom := m.put(fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"sbom/example","subject":{"mediaType":%q,"digest":%q,"size":%d}}`,
		ocispec.MediaTypeImageManifest, m.arm.MediaType, m.arm.Digest, m.arm.Size))
	sbom.MediaType = ocispec.MediaTypeImageManifest
	m.list(m.arm.Digest, sbom)
	all, err := v.VerifyRecursive(t.Context(), m, byDigest(t, m.root))
	if err != nil || slices.ContainsFunc(all, func(d notation.Decision) bool { return d.Verdict.Artifact.Digest == sbom.Digest }) {
		t.Error(words(all), err)
	}
	if _, err := v.Verify(t.Context(), m, byDigest(t, sbom)); !errors.Is(err, notation.ErrUnsigned) {
		t.Error(err)
	}
}

// An index that lists a manifest otherwise than it is gives no pass, whoever has
// signed what.
//
// attack: REG-02
func TestMisdescribed(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, c := range []struct {
		name   string
		change func(m *multi, d *oci.Descriptor)
		code   reason.Code
	}{
		{"other size", func(_ *multi, d *oci.Descriptor) { d.Size++ }, reason.VerifyIndex},
		{"other media type", func(_ *multi, d *oci.Descriptor) { d.MediaType = oci.MediaTypeDockerManifest }, reason.VerifyIndex},
		{"other digest", func(_ *multi, d *oci.Descriptor) { d.Digest = digest.FromString("else") }, reason.OCINotFound},
		{"an index", func(_ *multi, d *oci.Descriptor) { d.MediaType = ociIndex }, reason.OCIManifest},
		{"the registry lies about the size", func(m *multi, d *oci.Descriptor) {
			m.onResolve = func(ref oci.Reference) (oci.Descriptor, error) {
				raw := m.content[ref.Digest()]
				got := descriptor(ocispec.MediaTypeImageManifest, raw)
				if ref.Digest() != m.amd.Digest {
					got.MediaType = ociIndex
				} else {
					got.Size += 7
				}
				return got, nil
			}
		}, reason.VerifyArtifactClaim},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMulti(t)
			m.signAs(t, m.amd, chain, notation.SignOptions{})
			listed := m.amd
			c.change(m, &listed)
			root := m.index(t, ociIndex, listed)
			m.onResolveOff(func() { m.signAs(t, root, chain, notation.SignOptions{}) })
			for name, v := range map[string]*notation.Verifier{"strict": verifierFor(t, chain), "covering": covering(t, chain)} {
				verdict, err := v.VerifyPlatform(t.Context(), m, byDigest(t, root), "linux/amd64")
				checkDecision(t, notation.Decision{Verdict: verdict, Err: err})
				if reason.Of(err) != c.code {
					t.Errorf("%s: %v [%s]", name, err, reason.Of(err))
				}
				all, err := v.VerifyRecursive(t.Context(), m, byDigest(t, root))
				if err == nil || reason.Of(err) != c.code {
					t.Errorf("%s: %s: %v", name, words(all), err)
				}
				for _, d := range all {
					checkDecision(t, d)
				}
			}
		})
	}
}

func (r *fakeRepo) onResolveOff(do func()) {
	was := r.onResolve
	r.onResolve = nil
	do()
	r.onResolve = was
}

// A signed index does not vouch for what cannot be found, or is no such manifest.
func TestCoveredMustBeThere(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	v := covering(t, chain)
	m := newMulti(t)
	m.signAs(t, m.root, chain, notation.SignOptions{})
	m.onFetch = func(_ context.Context, d digest.Digest) ([]byte, error) {
		if d == m.amd.Digest {
			return nil, reason.Errorf(reason.RegistryTimeout, "slow")
		}
		return nil, nil
	}
	verdict, err := v.VerifyPlatform(t.Context(), m, byDigest(t, m.root), "linux/amd64")
	if !errors.Is(err, notation.ErrUndecided) || reason.Of(err) != reason.RegistryTimeout {
		t.Error(verdict, err)
	}
	m.onFetch = nil

	// Its bytes say that it is something else than registry and index do.
	other := m.put([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}`))
	other.MediaType, other.Platform = ocispec.MediaTypeImageManifest, m.amd.Platform
	root := m.index(t, ociIndex, other)
	m.signAs(t, root, chain, notation.SignOptions{})
	verdict, err = v.VerifyPlatform(t.Context(), m, byDigest(t, root), "linux/amd64")
	if f := finding(t, verdict.Findings, notation.CheckCoverage); !errors.Is(err, notation.ErrUnsigned) || f.Outcome != notation.Failed || f.Reason != reason.VerifyIndex {
		t.Error(f, err)
	}
}

// An index about which nothing can be said leaves open what it covers.
//
// attack: REG-09
func TestCoverageUndecided(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	m := newMulti(t)
	signature := m.signAs(t, m.root, chain, notation.SignOptions{})
	m.onFetch = func(_ context.Context, d digest.Digest) ([]byte, error) {
		if d == signature.Digest {
			return nil, reason.Errorf(reason.RegistryTimeout, "slow")
		}
		return nil, nil
	}
	all, err := covering(t, chain).VerifyRecursive(t.Context(), m, byDigest(t, m.root))
	if words(all) != "undecided undecided undecided undecided undecided" || !errors.Is(err, notation.ErrUndecided) {
		t.Error(words(all), err)
	}
	if f := finding(t, all[3].Verdict.Findings, notation.CheckCoverage); f.Outcome != notation.Undecided || f.Reason != reason.RegistryTimeout || !strings.Contains(f.Message, string(m.root.Digest)) {
		t.Error(f)
	}
	// Under version 1.0 it does not matter.
	all, err = verifierFor(t, chain).VerifyRecursive(t.Context(), m, byDigest(t, m.root))
	if words(all) != "undecided unsigned unsigned unsigned unsigned" || !errors.Is(err, notation.ErrUnsigned) {
		t.Error(words(all), err)
	}
	// One that another index covers passes all the same.
	m.signAs(t, m.inner, chain, notation.SignOptions{})
	all, _ = covering(t, chain).VerifyRecursive(t.Context(), m, byDigest(t, m.root))
	if words(all) != "undecided undecided passed passed passed" {
		t.Error(words(all))
	}
	// An image of which the signatures cannot be listed may still be covered.
	m.onFetch = nil
	m.onReferrers = func(context.Context) error {
		return reason.Errorf(reason.RegistryTimeout, "slow")
	}
	all, err = covering(t, chain).VerifyRecursive(t.Context(), m, byDigest(t, m.root))
	if words(all) != "passed passed passed passed passed" || err != nil {
		t.Error(words(all), err)
	}
}

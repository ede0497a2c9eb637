package notation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestVerifyPlatform(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	m := newMulti(t)
	m.signAs(t, m.arm, chain, notation.SignOptions{})
	twice := m.index(t, ociIndex, m.amd, m.image("again", "linux/amd64"), m.image("bare", ""))
	v := verifierFor(t, chain)
	for _, c := range []struct {
		name     string
		artifact oci.Descriptor
		platform string
		kind     error
		code     reason.Code
		hint     string
	}{
		{"in an index within", m.root, "linux/arm64/v8", nil, "", ""},
		{"without its variant", m.root, "linux/arm64", nil, "", ""},
		{"not signed", m.root, "linux/amd64", notation.ErrUnsigned, reason.VerifyUnsigned, "indexCovers"},
		{"none", m.root, "windows/amd64", notation.ErrUndecided, reason.PromotePlatform, `it has: "linux/amd64", "linux/arm64/v8", "unknown/unknown"`},
		{"hostile", m.root, "\x1b[2J", notation.ErrUndecided, reason.PromotePlatform, "it has: "},
		{"two", twice, "linux/amd64", notation.ErrUndecided, reason.PromotePlatform, "more than one"},
		{"no index", m.arm, "linux/arm64", notation.ErrUndecided, reason.PromotePlatform, "Leave out"},
		{"no platform", m.root, "", notation.ErrUndecided, reason.PromotePlatform, "it has: "},
		{"not there", descriptor(ociIndex, []byte("none")), "linux/arm64", notation.ErrUndecided, reason.OCINotFound, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			verdict, err := v.VerifyPlatform(t.Context(), m, byDigest(t, c.artifact), c.platform)
			checkDecision(t, notation.Decision{Verdict: verdict, Err: err})
			if !errors.Is(err, c.kind) || reason.Of(err) != c.code || c.hint != "" && !strings.Contains(err.Error()+reason.Hint(err), c.hint) {
				t.Errorf("%v [%s] %s", err, reason.Of(err), reason.Hint(err))
			}
			if err != nil && strings.ContainsRune(err.Error(), '\x1b') {
				t.Errorf("%q", err)
			}
			if c.kind == nil && verdict.Artifact.Digest != m.arm.Digest {
				t.Error(verdict.Artifact)
			}
		})
	}
}

func TestVerifyPlatforms(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	m := newMulti(t)
	m.signAs(t, m.root, chain, notation.SignOptions{})
	m.signAs(t, m.amd, chain, notation.SignOptions{})
	m.tags["v1"] = m.root
	m.requests = nil
	all, err := covering(t, chain).VerifyPlatforms(t.Context(), m, reference(t, scope+":v1"), "linux/arm64", "linux/amd64", "linux/s390x", "linux/arm64/v8")
	if words(all) != "passed passed undecided passed" || reason.Of(err) != reason.PromotePlatform {
		t.Error(words(all), err)
	}
	for _, d := range all {
		checkDecision(t, d)
	}
	if all[0].Verdict.CoveredBy != m.root.Digest || all[1].Verdict.CoveredBy != "" || all[2].Verdict.Platform != "linux/s390x" || all[3].Verdict.Platform != "linux/arm64/v8" {
		t.Error(all)
	}
	if all[0].Verdict == all[3].Verdict || &all[0].Verdict.CoveringSignature.Findings[0] == &all[3].Verdict.CoveringSignature.Findings[0] {
		t.Error("two verdicts share what a caller may change")
	}
	// The tag is resolved once, and nothing is judged twice: the index and two
	// images. The index within is not asked, as the one around it covers.
	if n := m.count("referrers"); n != 3 {
		t.Errorf("%d listings: %q", n, m.requests)
	}
	if _, err := covering(t, chain).VerifyPlatforms(t.Context(), m, reference(t, scope+":v1")); reason.Of(err) != reason.PromotePlatform {
		t.Error(err)
	}
}

// What the repository says of the index itself, as an entry of another index or
// of a layout does, is no platform to choose.
func TestPlatformOfTheIndex(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	m := newMulti(t)
	m.signAs(t, m.root, chain, notation.SignOptions{})
	named := m.root
	named.Platform = &ocispec.Platform{OS: "linux", Architecture: "s390x"}
	m.tags["v1"] = named
	verdict, err := covering(t, chain).VerifyPlatform(t.Context(), m, reference(t, scope+":v1"), "linux/s390x")
	if !errors.Is(err, notation.ErrUndecided) || reason.Of(err) != reason.PromotePlatform {
		t.Error(verdict.Word(), err)
	}
}

// The verdict on each index is made once, however many manifests ask for it.
func TestIndexIsJudgedOnce(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	m := newMulti(t)
	m.signAs(t, m.root, chain, notation.SignOptions{})
	m.requests = nil
	if all, err := covering(t, chain).VerifyRecursive(t.Context(), m, byDigest(t, m.root)); err != nil {
		t.Error(words(all), err)
	}
	if n := m.count("referrers"); n != 5 {
		t.Errorf("%d listings", n)
	}
}

// Nothing is asked of the repository where the policy settles it.
func TestIndexNotAsked(t *testing.T) {
	t.Parallel()
	m := newMulti(t)
	other := reference(t, "registry.example/other@"+string(m.root.Digest))
	skip := &notation.Verifier{Policy: statement(t, `"signatureVerification": {"level": "skip"}`)}
	for _, c := range []struct {
		name string
		v    *notation.Verifier
		ref  oci.Reference
		kind error
	}{
		{"no verifier", nil, byDigest(t, m.root), notation.ErrRejected},
		{"no policy", &notation.Verifier{}, byDigest(t, m.root), notation.ErrRejected},
		{"other repository", skip, other, notation.ErrRejected},
		{"skip", skip, byDigest(t, m.root), notation.ErrSkipped},
	} {
		for _, verify := range []func() ([]notation.Decision, error){
			func() ([]notation.Decision, error) { return c.v.VerifyRecursive(t.Context(), m, c.ref) },
			func() ([]notation.Decision, error) { return c.v.VerifyPlatforms(t.Context(), m, c.ref, "linux/amd64") },
		} {
			all, err := verify()
			if len(all) != 1 || !errors.Is(err, c.kind) || !errors.Is(all[0].Err, c.kind) {
				t.Errorf("%s: %s, %v", c.name, words(all), err)
			}
		}
	}
	if len(m.requests) > 0 {
		t.Error(m.requests)
	}
}

// attack: REG-02
// attack: REG-03
func TestHostileIndex(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, c := range []struct {
		name string
		make func(m *multi) oci.Descriptor
		kind error
		code reason.Code
	}{
		{"fifty deep", func(m *multi) oci.Descriptor {
			d := m.amd
			for range 50 {
				d = m.index(t, ociIndex, d)
			}
			return d
		}, notation.ErrRejected, reason.OCIIndexLimit},
		{"a hundred thousand entries", func(m *multi) oci.Descriptor {
			var inner []oci.Descriptor
			for i := range 10 {
				list := make([]oci.Descriptor, 10_000)
				for j := range list {
					list[j] = oci.Descriptor{MediaType: m.amd.MediaType, Digest: digest.FromString(fmt.Sprint(i, j)), Size: 1}
				}
				inner = append(inner, m.index(t, ociIndex, list...))
			}
			return m.index(t, ociIndex, inner...)
		}, notation.ErrRejected, reason.OCIIndexLimit},
		{"an image as well", func(m *multi) oci.Descriptor {
			d := m.put([]byte(`{"mediaType":"` + ociIndex + `","manifests":[],"layers":[]}`))
			d.MediaType = ociIndex
			return d
		}, notation.ErrRejected, reason.OCIIndex},
		{"an index that is gone", func(m *multi) oci.Descriptor {
			return m.index(t, ociIndex, descriptor(ociIndex, []byte("gone")))
		}, notation.ErrUndecided, reason.OCINotFound},
		{"another size for an index", func(m *multi) oci.Descriptor {
			d := m.inner
			d.Size += 5
			return m.index(t, ociIndex, d)
		}, notation.ErrUndecided, reason.OCISizeMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMulti(t)
			root := c.make(m)
			m.signAs(t, root, chain, notation.SignOptions{})
			all, err := covering(t, chain).VerifyRecursive(t.Context(), m, byDigest(t, root))
			if len(all) != 1 || !errors.Is(err, c.kind) || reason.Of(err) != c.code {
				t.Errorf("%s: %v [%s]", words(all), err, reason.Of(err))
			}
			checkDecision(t, all[0])
			verdict, err := covering(t, chain).VerifyPlatform(t.Context(), m, byDigest(t, root), "linux/amd64")
			checkDecision(t, notation.Decision{Verdict: verdict, Err: err})
			if !errors.Is(err, c.kind) || reason.Of(err) != c.code {
				t.Errorf("%v [%s]", err, reason.Of(err))
			}
			// An index that does not pass anyway keeps its own reason.
			m.listings[root.Digest] = nil
			all, err = covering(t, chain).VerifyRecursive(t.Context(), m, byDigest(t, root))
			if f := finding(t, all[0].Verdict.Findings, notation.CheckIndex); !errors.Is(err, notation.ErrUnsigned) || f.Reason != c.code {
				t.Error(f, err)
			}
		})
	}
}

func TestIndexInterrupted(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	m := newMulti(t)
	m.signAs(t, m.root, chain, notation.SignOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	m.onFetch = func(_ context.Context, d digest.Digest) ([]byte, error) {
		if d == m.inner.Digest {
			cancel()
			return nil, ctx.Err()
		}
		return nil, nil
	}
	all, err := covering(t, chain).VerifyRecursive(ctx, m, byDigest(t, m.root))
	if len(all) != 1 || !errors.Is(err, notation.ErrUndecided) || reason.Of(err) != reason.VerifyInterrupted {
		t.Error(words(all), err)
	}
	m.onResolve = func(oci.Reference) (oci.Descriptor, error) {
		return oci.Descriptor{MediaType: ociIndex, Digest: "md5:x"}, nil
	}
	m.onFetch = nil
	if _, err := covering(t, chain).VerifyPlatform(t.Context(), m, reference(t, scope+":v1"), "linux/amd64"); reason.Of(err) != reason.OCIDigestAlgorithm {
		t.Error(err)
	}
	verdict, err := covering(t, chain).VerifyPlatform(t.Context(), m, byDigest(t, m.root), "linux/amd64")
	if !errors.Is(err, notation.ErrUndecided) || verdict.Artifact.Digest != "" {
		t.Error(err)
	}
}

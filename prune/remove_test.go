package prune_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/prune"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// place is a layout with two images, each with an SBOM and a signature.
type place struct {
	oci.Store
	image, other         oci.Descriptor
	signature, sbom      oci.Descriptor
	elsewhere, malformed oci.Descriptor

	resolve   map[digest.Digest]error // what Resolve says after Delete was called
	deleted   int
	deleteErr error
	referrers func() (oci.Listing, error)
}

func (p *place) Resolve(ctx context.Context, ref oci.Reference) (oci.Descriptor, error) {
	if err := p.resolve[ref.Digest()]; err != nil && p.deleted > 0 {
		return oci.Descriptor{}, err
	}
	return p.Store.Resolve(ctx, ref)
}

func (p *place) Delete(ctx context.Context, manifest, subject digest.Digest) error {
	p.deleted++
	if p.deleteErr != nil {
		return p.deleteErr
	}
	return p.Store.Delete(ctx, manifest, subject)
}

func (p *place) Referrers(ctx context.Context, subject digest.Digest, o oci.ReferrersOptions) (oci.Listing, error) {
	if p.referrers != nil {
		return p.referrers()
	}
	return p.Store.Referrers(ctx, subject, o)
}

func newPlace(t *testing.T) *place {
	t.Helper()
	l, err := layout.Create(t.Context(), filepath.Join(t.TempDir(), "layout"), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &place{Store: l}
	empty := ocispec.DescriptorEmptyJSON
	if err := l.PutBlob(t.Context(), empty, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte("{}"))), nil }); err != nil {
		t.Fatal(err)
	}
	put := func(artifactType, salt string, subject *oci.Descriptor) oci.Descriptor {
		t.Helper()
		m := map[string]any{
			"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "config": ocispec.DescriptorEmptyJSON,
			"layers": []any{}, "annotations": map[string]string{"salt": salt},
		}
		if artifactType != "" {
			m["artifactType"] = artifactType
		}
		if subject != nil {
			m["subject"] = subject
		}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		d := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
		if err := l.PutManifest(t.Context(), d, raw); err != nil {
			t.Fatal(err)
		}
		return d
	}
	p.image, p.other = put("", "1", nil), put("", "2", nil)
	p.signature = put(oci.ArtifactTypeSignature, "s", &p.image) // malformed inside, and a signature all the same
	p.sbom = put("sbom/example", "b", &p.image)
	p.elsewhere = put(oci.ArtifactTypeSignature, "e", &p.other)
	p.malformed = put(oci.ArtifactTypeSignature, "m", nil)
	return p
}

func (p *place) ref(d oci.Descriptor) oci.Reference { return oci.Reference{}.WithDigest(d.Digest) }

// TestRemove removes signatures, and nothing that only a list calls one.
//
// attack: REG-03
func TestRemove(t *testing.T) {
	t.Parallel()
	boom := reason.Errorf(reason.RegistryTimeout, "too slow")
	gone := reason.Errorf(reason.OCINotFound, "gone")
	for _, tt := range []struct {
		name    string
		prepare func(*testing.T, *place)
		which   func(*place) digest.Digest // nil: the signature
		want    prune.Removal
		code    reason.Code
		stays   bool // no request to delete was made
	}{
		{"a signature", nil, nil, prune.Removed, "", false},
		{"an SBOM", nil, func(p *place) digest.Digest { return p.sbom.Digest }, prune.Kept, reason.OCINotSignature, true},
		{"the image", nil, func(p *place) digest.Digest { return p.image.Digest }, prune.Kept, reason.OCINotSignature, true},
		{"a blob", nil, func(*place) digest.Digest { return ocispec.DescriptorEmptyJSON.Digest }, prune.Kept, reason.OCINotSignature, true},
		{"a signature of another image", nil, func(p *place) digest.Digest { return p.elsewhere.Digest }, prune.Kept, reason.OCISubjectMismatch, true},
		{"a signature of nothing", nil, func(p *place) digest.Digest { return p.malformed.Digest }, prune.Kept, reason.OCISubjectMismatch, true},
		{"what was never there", nil, func(*place) digest.Digest { return digest.FromString("x") }, prune.Absent, reason.OCINotFound, true},
		{"not listed, as far as is known", func(_ *testing.T, p *place) {
			p.referrers = func() (oci.Listing, error) { return oci.Listing{}, boom }
		}, func(*place) digest.Digest { return digest.FromString("x") }, prune.Unclear, reason.RegistryTimeout, true},
		{"gone, and listed as something else", func(_ *testing.T, p *place) {
			p.referrers = func() (oci.Listing, error) {
				return oci.Listing{Referrers: []oci.Descriptor{{Digest: digest.FromString("x")}}}, nil
			}
		}, func(*place) digest.Digest { return digest.FromString("x") }, prune.Absent, reason.OCINotFound, true},
		{"gone, and listed", func(t *testing.T, p *place) {
			p.referrers = func() (oci.Listing, error) {
				return oci.Listing{Referrers: []oci.Descriptor{{Digest: digest.FromString("x"), ArtifactType: oci.ArtifactTypeSignature}}}, nil
			}
			p.Store = deletes{p.Store}
		}, func(*place) digest.Digest { return digest.FromString("x") }, prune.Delisted, reason.OCINotFound, false},
		{"gone, and stays listed", func(_ *testing.T, p *place) {
			p.referrers = func() (oci.Listing, error) {
				return oci.Listing{Referrers: []oci.Descriptor{{Digest: digest.FromString("x"), ArtifactType: oci.ArtifactTypeSignature}}}, nil
			}
			p.deleteErr = boom
		}, func(*place) digest.Digest { return digest.FromString("x") }, prune.StillListed, reason.RegistryTimeout, false},
		{"refused", func(_ *testing.T, p *place) { p.deleteErr = reason.Errorf(reason.RegistryDeleteRefused, "no") }, nil, prune.Kept, reason.RegistryDeleteRefused, false},
		{"in use", func(_ *testing.T, p *place) { p.deleteErr = reason.Errorf(reason.OCIInUse, "no") }, nil, prune.Kept, reason.OCIInUse, false},
		{"another was faster", func(_ *testing.T, p *place) { p.deleteErr = gone }, nil, prune.Absent, reason.OCINotFound, false},
		{"failed, and is there", func(_ *testing.T, p *place) { p.deleteErr = boom }, nil, prune.Kept, reason.RegistryTimeout, false},
		{"deleted, and its entry not", func(_ *testing.T, p *place) {
			p.deleteErr = boom
			p.resolve = map[digest.Digest]error{p.signature.Digest: gone}
		}, nil, prune.StillListed, reason.RegistryTimeout, false},
		{"failed, and nobody knows", func(_ *testing.T, p *place) {
			p.deleteErr = boom
			p.resolve = map[digest.Digest]error{p.signature.Digest: boom}
		}, nil, prune.Unclear, reason.RegistryTimeout, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			if tt.prepare != nil {
				tt.prepare(t, p)
			}
			which := p.signature.Digest
			if tt.which != nil {
				which = tt.which(p)
			}
			got, err := prune.Remove(t.Context(), p, p.ref(p.image), which)
			if got != tt.want || reason.Of(err) != tt.code || (err == nil) != (got == prune.Removed) || tt.stays == (p.deleted > 0) {
				t.Errorf("%s, %v with code %q, %d requests to delete", got, err, reason.Of(err), p.deleted)
			}
			if _, err := p.Store.Resolve(t.Context(), p.ref(p.sbom)); err != nil {
				t.Errorf("the SBOM: %v", err)
			}
			_, err = p.Store.Resolve(t.Context(), p.ref(p.signature))
			if there := err == nil; there == (got == prune.Removed) {
				t.Errorf("the signature: %v", err)
			}
		})
	}
}

// deletes is a store in which every deletion succeeds.
type deletes struct{ oci.Store }

func (deletes) Delete(context.Context, digest.Digest, digest.Digest) error { return nil }

func TestCheckFails(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if err := prune.Check(t.Context(), p, oci.Reference{}, p.signature.Digest); reason.Of(err) != reason.OCIDescriptor {
		t.Errorf("no artifact: %v", err)
	}
	for _, tt := range []struct {
		name string
		raw  []byte
		err  error
		code reason.Code
	}{
		{"unread", nil, reason.Errorf(reason.RegistryTimeout, "slow"), reason.RegistryTimeout},
		{"no manifest", []byte("["), nil, reason.OCINotSignature},
	} {
		s := &served{Store: p.Store, raw: tt.raw, err: tt.err}
		if err := prune.Check(t.Context(), s, p.ref(p.image), digest.FromBytes(tt.raw)); reason.Of(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := prune.Check(t.Context(), p, p.ref(p.image), p.signature.Digest); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := prune.Remove(ctx, p, p.ref(p.image), p.signature.Digest); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// served answers every request for a manifest with one text or error.
type served struct {
	oci.Store
	raw []byte
	err error
}

func (s *served) Resolve(_ context.Context, ref oci.Reference) (oci.Descriptor, error) {
	return oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: ref.Digest(), Size: int64(len(s.raw))}, nil
}

func (s *served) Fetch(context.Context, oci.Descriptor, int64) ([]byte, error) { return s.raw, s.err }

func TestLists(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ref, d := p.ref(p.image), p.signature.Digest
	if got := prune.Lists(t.Context(), p, ref, []digest.Digest{d, p.sbom.Digest, digest.FromString("x")}); len(got) != 1 || reason.Of(got[d]) != reason.RegistryStillListed {
		t.Errorf("%v", got)
	}
	if _, err := prune.Remove(t.Context(), p, ref, d); err != nil {
		t.Fatal(err)
	}
	if got := prune.Lists(t.Context(), p, ref, []digest.Digest{d}); len(got) != 0 {
		t.Errorf("%v", got)
	}
	p.referrers = func() (oci.Listing, error) { return oci.Listing{}, errors.New("too slow") }
	if got := prune.Lists(t.Context(), p, ref, []digest.Digest{d}); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

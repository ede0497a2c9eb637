package oci

import (
	"context"
	"slices"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// wireEntry is an entry of an index as it stands in JSON.
type wireEntry struct {
	wireDescriptor
	ArtifactType string `json:"artifactType"`
	Platform     *struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
		OSVersion    string `json:"os.version"`
	} `json:"platform"`
}

func (e *wireEntry) descriptor() Descriptor {
	d := e.bare()
	d.ArtifactType = e.ArtifactType
	if p := e.Platform; p != nil {
		d.Platform = &ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}
	}
	return d
}

// ParseIndex reads the entries of an OCI index or a Docker manifest list, in
// their order: media type, digest, size, and artifact type and platform where
// they say some. Each has passed [CheckDescriptor]: what is a manifest by its
// media type, within [MaxManifestSize], and what is none, as builders put their
// caches into indexes, within [MaxBlobSize]. What has the lists of another kind
// of manifest as well is refused: two readers would see two artifacts in it.
//
// raw may be at most [MaxManifestSize] bytes and is read strictly, but for
// unknown members. Errors have the codes oci.too-large, oci.manifest, oci.index
// and those of CheckDescriptor.
func ParseIndex(raw []byte) ([]Descriptor, error) {
	var w struct {
		Config    strictjson.Raw `json:"config"`
		Layers    strictjson.Raw `json:"layers"`
		Blobs     strictjson.Raw `json:"blobs"`
		Manifests *[]wireEntry   `json:"manifests"`
	}
	if err := unmarshalManifest(raw, &w); err != nil {
		return nil, err
	}
	if w.Config != nil || w.Layers != nil || w.Blobs != nil {
		return nil, reason.Errorf(reason.OCIIndex, "it is an index and has the content of an image or artifact as well").
			WithHint("distrust it, and have it pushed again by a tool that follows the OCI image specification")
	}
	if w.Manifests == nil {
		return nil, nil
	}
	list := make([]Descriptor, 0, len(*w.Manifests))
	for i := range *w.Manifests {
		d := (*w.Manifests)[i].descriptor()
		limit := int64(MaxManifestSize)
		if !IsManifest(d.MediaType) {
			limit = MaxBlobSize
		}
		if err := CheckDescriptor(d, limit); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// IndexEntry is a manifest of an index, or the index itself.
type IndexEntry struct {
	// Descriptor is what the index says of the manifest, as [ParseIndex] gives
	// it: nothing has compared that with the content, but for indexes.
	Descriptor Descriptor
	// Parent is the index that lists the manifest, the nearest to the root if
	// several do; "" for the root.
	Parent digest.Digest
	// Parents are all indexes that list it, Parent first; none for the root.
	Parents []digest.Digest
	// Platforms are all that it is listed for, each once; that of Descriptor is
	// the first.
	Platforms []ocispec.Platform
	// Depth is the number of steps from the root.
	Depth int
}

// WalkIndex returns all manifests of an index, which may hold indexes in turn:
// the root first, then those nearer to it before others, in the order of the
// indexes, each manifest once. A root that is no index gives just itself, and
// nothing is fetched. Indexes are fetched, and checked against their
// descriptors; other manifests are not. Entries that are no manifests by their
// media type are left out.
//
// The list is whole, or there is none: beyond [MaxIndexDepth], [MaxIndexManifests]
// and [MaxIndexBytes] it is refused, and so are indexes that give the same
// manifest two sizes or media types, as at most one of them can be right.
// Errors have the codes oci.index, oci.index-limit, those of [CheckManifest]
// and [ParseIndex], and those of repo.
func WalkIndex(ctx context.Context, repo Repository, root Descriptor) ([]IndexEntry, error) {
	if err := CheckDescriptor(root, MaxManifestSize); err != nil {
		return nil, err
	}
	w := &indexWalk{repo: repo, root: root, at: map[digest.Digest]int{root.Digest: 0}}
	first := IndexEntry{Descriptor: root}
	if root.Platform != nil {
		first.Platforms = []ocispec.Platform{*root.Platform}
	}
	w.entries = []IndexEntry{first}
	for done := 0; done < len(w.entries); {
		level := w.entries[done:]
		done = len(w.entries)
		if err := w.descend(ctx, level); err != nil {
			return nil, err
		}
	}
	return w.entries, nil
}

// indexWalk reads an index level by level.
type indexWalk struct {
	repo    Repository
	root    Descriptor
	entries []IndexEntry
	at      map[digest.Digest]int // index into entries
	listed  int                   // entries of all indexes together
	read    int64                 // bytes of all indexes together
}

// descend reads the indexes of a level and adds what they list.
func (w *indexWalk) descend(ctx context.Context, level []IndexEntry) error {
	var indexes []Descriptor
	for _, e := range level {
		if !IsIndex(e.Descriptor.MediaType) {
			continue
		}
		if e.Depth >= MaxIndexDepth {
			return w.beyond("indexes in it are nested deeper than %d", MaxIndexDepth)
		}
		if w.read += e.Descriptor.Size; w.read > MaxIndexBytes {
			return w.beyond("the indexes in it are larger than %d bytes together", MaxIndexBytes)
		}
		indexes = append(indexes, e.Descriptor)
	}
	lists := make([][]Descriptor, len(indexes))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(indexParallel)
	for i, d := range indexes {
		group.Go(func() (err error) {
			lists[i], err = FetchIndex(groupCtx, w.repo, d)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, list := range lists {
		for _, d := range list {
			if err := w.add(indexes[i].Digest, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// FetchIndex fetches the index d, checks it with [CheckManifest], and returns its
// entries as [ParseIndex] does. Errors have their codes and those of repo.
func FetchIndex(ctx context.Context, repo Repository, d Descriptor) ([]Descriptor, error) {
	raw, err := repo.Fetch(ctx, d, MaxManifestSize)
	if err != nil {
		return nil, err
	}
	if _, err := CheckManifest(d, raw); err != nil {
		return nil, err
	}
	list, err := ParseIndex(raw)
	if err != nil {
		return nil, reason.Wrap(reason.Of(err), err, "the index %s is not usable", d.Digest).WithHint("%s", reason.Hint(err))
	}
	return list, nil
}

// add records that an index lists d.
func (w *indexWalk) add(parent digest.Digest, d Descriptor) error {
	if !IsManifest(d.MediaType) {
		return nil
	}
	if w.listed++; w.listed > maxIndexListed {
		return w.beyond("it lists more than %d entries", maxIndexListed)
	}
	i, known := w.at[d.Digest]
	if !known {
		if len(w.entries) >= MaxIndexManifests {
			return w.beyond("it has more than %d manifests", MaxIndexManifests)
		}
		i = len(w.entries)
		w.at[d.Digest] = i
		depth := w.entries[w.at[parent]].Depth + 1
		w.entries = append(w.entries, IndexEntry{Descriptor: d, Parent: parent, Depth: depth})
	}
	e := &w.entries[i]
	if e.Descriptor.Size != d.Size || e.Descriptor.MediaType != d.MediaType {
		return reason.Errorf(reason.OCIIndex, "the index %s gives %s two sizes or media types", w.root.Digest, d.Digest).
			WithHint("distrust it, and have it pushed again")
	}
	if i > 0 && !slices.Contains(e.Parents, parent) {
		e.Parents = append(e.Parents, parent)
	}
	if d.Platform == nil {
		return nil
	}
	if e.Descriptor.Platform == nil {
		e.Descriptor.Platform = d.Platform
	}
	same := func(p ocispec.Platform) bool {
		return platformName(p) == PlatformName(d) && p.OSVersion == d.Platform.OSVersion
	}
	if !slices.ContainsFunc(e.Platforms, same) {
		e.Platforms = append(e.Platforms, *d.Platform)
	}
	return nil
}

func (w *indexWalk) beyond(format string, limit int) error {
	return reason.Errorf(reason.OCIIndexLimit, "the index %s is too large to be followed: "+format, w.root.Digest, limit).
		WithHint("check that the reference names what was meant; name its parts one by one")
}

// ChooseEntry returns the manifest of an index for a platform, wherever in
// nested indexes it stands, by the rules of [ChoosePlatform]. An index that is
// itself listed for the platform is meant only where no image in it, or beside
// it, is. The descriptor's platform is the one that was chosen.
func ChooseEntry(entries []IndexEntry, platform string) (IndexEntry, error) {
	var images, all []Descriptor
	for _, e := range entries {
		for _, p := range e.Platforms {
			d := e.Descriptor
			d.Platform = &p
			all = append(all, d)
			if !IsIndex(d.MediaType) {
				images = append(images, d)
			}
		}
	}
	candidates := images
	if !slices.ContainsFunc(images, func(d Descriptor) bool { return isForPlatform(d, platform) }) {
		candidates = all
	}
	chosen, err := ChoosePlatform(candidates, platform)
	if err != nil {
		return IndexEntry{}, err
	}
	e := entries[slices.IndexFunc(entries, func(e IndexEntry) bool { return e.Descriptor.Digest == chosen.Digest })]
	e.Descriptor = chosen
	return e, nil
}

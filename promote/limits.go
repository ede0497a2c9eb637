package promote

import "github.com/notaryv2/notation/oci"

// Bounds that hold where [Limits] sets none.
const (
	// MaxDepth bounds the steps from the root to a manifest: an index, an image
	// in it, its SBOM, the SBOM's signature are depths 0 to 3.
	MaxDepth = 12
	// MaxManifests bounds the manifests of a graph.
	MaxManifests = 10_000
	// MaxBlobs bounds the blobs of a graph, each counted once.
	MaxBlobs = 50_000
	// MaxManifestBytes bounds the manifests of a graph together.
	MaxManifestBytes = 256 << 20
	// MaxBytes bounds all content of a graph together.
	MaxBytes = 4 << 40
)

const (
	// defaultParallel bounds what is under way at the same time.
	defaultParallel = 6
	maxParallel     = 64
	// readParallel bounds the manifests that are being read at the same time,
	// each of up to oci.MaxManifestSize.
	readParallel = 6
	// storedTogether bounds the referrers of one subject that are handed to a
	// store together, and maxInFlight the bytes of those that all stores hold at
	// the same time, if each holds no more than sentTogether of its own.
	storedTogether = 256
	sentTogether   = 6
	maxInFlight    = 6 * oci.MaxManifestSize
	// maxCandidates bounds the things of one kind, attached to one manifest,
	// that are verified until one of them passes.
	maxCandidates = 32
	// maxKept bounds the manifests that are kept between reading and writing.
	// Others are read twice.
	maxKept = 8 << 20
	// maxClaims bounds the sizes and subjects that listings may give one
	// manifest.
	maxClaims = 4
	// maxWarnings bounds the warnings of a graph.
	maxWarnings = 100
	// progressStep is how many bytes of a blob pass between two events.
	progressStep = 1 << 20
)

// Limits bound a graph. A zero is the package's own bound, and more than that
// is cut to it, except for Bytes.
type Limits struct {
	Depth         int   // at most [MaxDepth]
	Manifests     int   // at most [MaxManifests]
	Blobs         int   // at most [MaxBlobs]
	ManifestBytes int64 // at most [MaxManifestBytes]
	Bytes         int64 // zero: [MaxBytes]
}

func (l Limits) orDefault() Limits {
	l.Depth = bound(l.Depth, MaxDepth)
	l.Manifests = bound(l.Manifests, MaxManifests)
	l.Blobs = bound(l.Blobs, MaxBlobs)
	l.ManifestBytes = bound(l.ManifestBytes, MaxManifestBytes)
	if l.Bytes <= 0 {
		l.Bytes = MaxBytes
	}
	return l
}

func bound[T int | int64](v, most T) T {
	if v <= 0 || v > most {
		return most
	}
	return v
}

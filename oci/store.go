package oci

import (
	"context"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Source is a repository whose content can be read as a stream, which is what
// copying from it takes. Implementations are safe for concurrent use.
type Source interface {
	Repository

	// Open returns the content of d, a manifest or a blob by its media type, of
	// at most [MaxBlobSize] bytes. The stream is checked as [NewVerifiedReader]
	// does: who reads it to io.EOF has the content that d describes. It is to
	// be closed, and ends with ctx. Not found: oci.not-found.
	Open(ctx context.Context, d Descriptor) (io.ReadCloser, error)
}

// VerifiedStream is a stream that compares what it gives with a descriptor, as
// [NewVerifiedReader] does. Those of [Source.Open] are, so that whoever stores
// what they give need not compute its digest again.
type VerifiedStream interface {
	io.ReadCloser

	// Verifies returns the descriptor: whoever reads the stream to io.EOF has
	// the content of that, and of nothing else.
	Verifies() Descriptor
}

// LeavingStream is a [VerifiedStream] that can leave it to whoever receives the
// content to compare the digest, as a registry does with what is uploaded.
type LeavingStream interface {
	VerifiedStream

	// LeaveDigest makes the stream check its size only. It is called before the
	// first Read, by who knows that the receiver compares.
	LeaveDigest()
}

// CheckStream returns a reader of the content of d, which r holds, with the
// checks of [NewVerifiedReader]. Of a [VerifiedStream] of d only the size is
// checked once more.
func CheckStream(r io.Reader, d Descriptor) io.Reader {
	if v, ok := r.(VerifiedStream); ok && v.Verifies().Digest == d.Digest && v.Verifies().Size == d.Size {
		return NewSizedReader(r, d)
	}
	return NewVerifiedReader(r, d)
}

// Store is a repository that content can be copied to, too. Whatever is put is
// checked against its descriptor, so nothing gets into a Store under a digest
// that is not its own. Putting what is there already succeeds.
type Store interface {
	Source

	// Has reports whether d, a manifest or a blob by its media type, is there.
	// Of a manifest that says nothing about what it names, and nothing about
	// whether it is listed among the referrers of its subject.
	Has(ctx context.Context, d Descriptor) (bool, error)

	// PutBlob stores the blob d, of at most [MaxBlobSize] bytes, from what open
	// returns. It holds no more than a small part of it in memory. open is
	// called once per try: a try that was cut short is repeated from the start
	// some times. An error of open, or of the stream, is in the error's tree.
	// Streams of [Source.Open] have been compared with their digests on the way,
	// or, if they are [LeavingStream]s, by the store itself.
	PutBlob(ctx context.Context, d Descriptor, open func() (io.ReadCloser, error)) error

	// Mount makes the blob d of the repository named from, as
	// [Repository.Name] gives it, part of this one without sending it. False
	// without an error says that this is not possible here, and that the blob
	// has to be put.
	Mount(ctx context.Context, d Descriptor, from string) (bool, error)

	// PutManifest stores the manifest d, whose bytes are raw, as it is. All
	// that it names should be there before. If it has a subject, it is among
	// the referrers of that afterwards, also in a registry without referrers
	// API, and whether the subject is there or not.
	PutManifest(ctx context.Context, d Descriptor, raw []byte) error

	// PutReferrers stores manifests that all refer to subject, as PutManifest
	// does with each of them, and makes them findable together: where referrers
	// stand in one list, it is written once and not once for each. content
	// returns the bytes of a manifest when they are needed; several goroutines
	// may call it at the same time. PutReferrers returns those that are there
	// and can be found, in any order, also with an error.
	PutReferrers(ctx context.Context, subject digest.Digest, manifests []Descriptor, content ContentFunc) ([]Descriptor, error)

	// Tag makes a tag name the manifest d, which is there; whatever the tag
	// named before stays, without it. The empty tag makes the manifest one that
	// others can see without knowing its digest, where that takes a list, as
	// in an image layout.
	Tag(ctx context.Context, d Descriptor, tag string) error

	// Delete removes a manifest and its entry in the lists of referrers. The
	// blobs that it names stay: others may name them too. subject is what the
	// manifest refers to, and "" leaves it to Delete to find out. If it is
	// given, an entry is removed also where the manifest is gone already;
	// without either, the error is oci.not-found. A registry that deletes
	// nothing gives registry.delete-refused.
	Delete(ctx context.Context, manifest, subject digest.Digest) error
}

// ContentFunc returns the content of a manifest.
type ContentFunc func(ctx context.Context, d Descriptor) ([]byte, error)

// CheckReferrer is [CheckManifest] for a manifest that has to refer to subject.
// If it refers to something else, or to nothing, the error has the code
// oci.manifest.
func CheckReferrer(d Descriptor, raw []byte, subject digest.Digest) (Manifest, error) {
	m, err := CheckManifest(d, raw)
	if err == nil && (m.Subject == nil || m.Subject.Digest != subject) {
		err = reason.Errorf(reason.OCIManifest, "%s does not refer to %s", d.Digest, subject)
	}
	return m, err
}

// CheckManifest checks that raw is the manifest that d describes, and reads what
// is common to all manifests. The subject, if there is one, has a usable digest.
// Errors have the codes of [CheckDescriptor], [VerifyContent] and
// [ParseManifest].
func CheckManifest(d Descriptor, raw []byte) (Manifest, error) {
	if err := CheckDescriptor(d, MaxManifestSize); err != nil {
		return Manifest{}, err
	}
	if err := VerifyContent(raw, d); err != nil {
		return Manifest{}, err
	}
	if !IsManifest(d.MediaType) {
		return Manifest{}, reason.Errorf(reason.OCIManifest, "%s has the media type %s, which is no manifest's", d.Digest, quote(d.MediaType))
	}
	m, err := ParseManifest(raw)
	if err != nil {
		return Manifest{}, reason.Wrap(reason.Of(err), err, "%s is not usable", d.Digest)
	}
	if m.MediaType != "" && m.MediaType != d.MediaType {
		return Manifest{}, reason.Errorf(reason.OCIManifest, "%s is described as %s, but says that it is %s",
			d.Digest, quote(d.MediaType), quote(m.MediaType))
	}
	if m.Subject != nil {
		if _, err := ParseDigest(string(m.Subject.Digest)); err != nil {
			return Manifest{}, reason.Wrap(reason.OCIManifest, err, "the subject of %s cannot be used", d.Digest)
		}
	}
	return m, nil
}

// CheckTag checks that tag follows the grammar of the OCI distribution
// specification, "Pulling manifests". The error has the code oci.reference.
func CheckTag(tag string) error {
	if isTag(tag) {
		return nil
	}
	return reason.Errorf(reason.OCIReference, "%s is no valid tag", quote(tag)).
		WithHint("a tag has 1 to %d letters, digits and . _ -, and starts with none of . and -", maxTagLength)
}

// IsReferrersTag reports whether a tag is one of the referrers tag schema (OCI
// distribution specification, "Referrers Tag Schema"), which belongs to the list
// of what is attached to a manifest: whoever moves it hides that manifest's
// signatures where there is no referrers API.
func IsReferrersTag(tag string) bool {
	algorithm, encoded, _ := strings.Cut(tag, "-")
	_, err := ParseDigest(string(digest.SHA256) + ":" + encoded) // longer ones are cut to its length
	return err == nil && slices.Contains([]digest.Algorithm{digest.SHA256, digest.SHA384, digest.SHA512}, digest.Algorithm(algorithm))
}

// NewVerifiedReader returns a reader of the content of d, which r holds. It
// gives the last bytes, and then io.EOF, only after it has found that size and
// digest are right and that r is at its end, and never reads more than
// d.Size+1 bytes. A digest that [ParseDigest] does not accept, or a size that is
// negative, is the error of the first Read. Errors have the codes of
// [VerifyContent], oci.descriptor and, with the cause, oci.read; those of r that
// have a reason are returned as they are.
func NewVerifiedReader(r io.Reader, d Descriptor) io.Reader {
	v := &verifiedReader{r: r, d: d, left: d.Size}
	if _, v.err = ParseDigest(string(d.Digest)); v.err == nil {
		v.err = checkSize(d, d.Size)
	}
	if v.err == nil {
		v.hash = d.Digest.Algorithm().Hash()
	}
	return v
}

// NewSizedReader is [NewVerifiedReader] without the digest: for content that
// whoever receives it compares, too, and that would be hashed twice.
func NewSizedReader(r io.Reader, d Descriptor) io.Reader {
	return &verifiedReader{r: r, d: d, left: d.Size, err: checkSize(d, d.Size)}
}

type verifiedReader struct {
	r    io.Reader
	d    Descriptor
	hash hash.Hash // nil: the digest is not compared
	left int64
	err  error // what every further Read returns
	done bool  // size and digest have been compared
}

func (v *verifiedReader) Read(p []byte) (int, error) {
	if v.err != nil || len(p) == 0 {
		return 0, v.err
	}
	if v.left == 0 {
		v.err = v.finish()
		return 0, v.err
	}
	n, err := v.r.Read(p[:min(int64(len(p)), v.left)])
	if v.hash != nil {
		v.hash.Write(p[:n]) // a hash never fails
	}
	v.left -= int64(n)
	switch {
	case v.left == 0:
		// The error, if there is one, comes again or does not matter any more.
		if v.err = v.finish(); v.err != io.EOF {
			return 0, v.err
		}
	case err == io.EOF:
		v.err = reason.Errorf(reason.OCISizeMismatch, "content of %s is %d bytes long, not %d", v.d.Digest, v.d.Size-v.left, v.d.Size)
	case err != nil && reason.Of(err) != "":
		v.err = err
	case err != nil:
		v.err = reason.Wrap(reason.OCIRead, err, "cannot read %s after %d of %d bytes", v.d.Digest, v.d.Size-v.left, v.d.Size)
	}
	if v.err != nil && v.err != io.EOF {
		return 0, v.err
	}
	return n, nil
}

// finish returns io.EOF if the content is what it should be.
func (v *verifiedReader) finish() error {
	if v.done {
		return io.EOF
	}
	v.done = true
	if err := expectEOF(v.r, v.d); err != nil {
		return err
	}
	if v.hash == nil {
		return io.EOF
	}
	if got := digest.NewDigest(v.d.Digest.Algorithm(), v.hash); got != v.d.Digest {
		return reason.Errorf(reason.OCIDigestMismatch, "content of %s has the digest %s", v.d.Digest, got)
	}
	return io.EOF
}

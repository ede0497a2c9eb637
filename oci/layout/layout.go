package layout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Options says how to open a layout. The zero value is for signing and
// listing; verification needs a Name.
type Options struct {
	// Name is the scope of a trust policy that the layout stands for,
	// "registry/repository". It may be empty.
	Name string
}

// Repository is an image layout. It is safe for concurrent use, also by
// several Repositories of one path and by several programs.
type Repository struct {
	path  string // absolute, without symbolic links
	given string // the path that Open was given, for errors
	name  string
	isTar bool

	scanned  sync.Mutex
	lastScan *tarball // guarded by scanned; valid while the file is the same
	known    known

	writing chan struct{} // holds one token; taken by the one who writes

	// before, if not nil, is called before each step of a change with the file
	// that it is about; its error is the step's. Tests set it.
	before func(step step, name string) error
}

var _ oci.Repository = (*Repository)(nil)

// Open returns the layout at path: a directory, or a regular file that is a
// tarball, whatever its name. A symbolic link to either is followed. Open
// checks the layout's version (OCI image specification, "oci-layout file");
// the rest is read when asked for. Errors have the codes oci.layout,
// oci.layout-version, oci.layout-tar, oci.layout-file, oci.too-large and
// oci.read.
func Open(path string, o Options) (*Repository, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(resolved)
	}
	if err != nil {
		e := reason.Wrap(reason.OCILayout, cause(err), "cannot open the image layout %s", quote(path))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, e.WithHint("check the path; what follows the last colon of PATH:tag is the tag")
		}
		return nil, e.WithHint("check who may read it")
	}
	r := &Repository{path: resolved, given: path, name: o.Name, writing: make(chan struct{}, 1)}
	switch {
	case info.IsDir():
	case info.Mode().IsRegular():
		r.isTar = true
	default:
		return nil, reason.Errorf(reason.OCILayout, "%s is %s, not an image layout", quote(path), atomicfile.Kind(info.Mode())).
			WithHint("name a layout directory or tarball")
	}
	f, err := r.files(context.Background())
	if err != nil {
		return nil, r.fault(err)
	}
	defer f.close()
	if err := checkVersion(f); err != nil {
		return nil, r.fault(err)
	}
	return r, nil
}

// checkVersion reads the marker that makes a directory a layout.
func checkVersion(f files) error {
	raw, err := readFile(f, ocispec.ImageLayoutFile, maxVersionSize)
	if reason.Of(err) == reason.OCINotFound {
		return reason.Errorf(reason.OCILayout, "there is no file %s, so this is no image layout", ocispec.ImageLayoutFile).
			WithHint("name the directory that holds %s; write a tarball from inside of it: tar -C DIR -cf FILE .", ocispec.ImageLayoutFile)
	}
	if err != nil {
		return err
	}
	var v struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := strictjson.UnmarshalOpen(raw, &v); err != nil {
		return reason.Wrap(reason.OCILayoutVersion, err, "the file %s is malformed", ocispec.ImageLayoutFile)
	}
	if patch, ok := strings.CutPrefix(v.Version, "1.0."); !ok || patch == "" || strings.Trim(patch, "0123456789") != "" {
		return reason.Errorf(reason.OCILayoutVersion, "image layout has the version %s, not %s", quote(v.Version), ocispec.ImageLayoutVersion)
	}
	return nil
}

// files opens the layout as it is now.
func (r *Repository) files(ctx context.Context) (files, error) {
	if err := ctx.Err(); err != nil {
		return nil, givenUp(err, "reading")
	}
	if r.isTar {
		return r.tarFiles(ctx)
	}
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return nil, reason.Wrap(reason.OCIRead, cause(err), "cannot open the directory").WithHint("check who may read it")
	}
	return dirFiles{root}, nil
}

// tarFiles opens the tarball, and scans it unless it is the one that was
// scanned last.
func (r *Repository) tarFiles(ctx context.Context) (tarFiles, error) {
	f, err := os.OpenFile(r.path, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return tarFiles{}, reason.Wrap(reason.OCIRead, cause(err), "cannot open the tarball").WithHint("check who may read it")
	}
	info, err := f.Stat()
	if err == nil {
		err = checkRegular("the tarball", info)
	}
	if err != nil {
		_ = f.Close()
		return tarFiles{}, openError("the tarball", err)
	}
	r.scanned.Lock()
	defer r.scanned.Unlock()
	if !r.lastScan.isOf(info) {
		t, err := scanTar(ctx, f, info.Size())
		if err != nil {
			_ = f.Close()
			return tarFiles{}, err
		}
		t.info = info
		r.lastScan = t
	}
	return tarFiles{r.lastScan, f}, nil
}

// Name returns [Options.Name].
func (r *Repository) Name() string { return r.name }

// Resolve implements [oci.Repository]. Registry and repository of ref play no
// part. The descriptor has media type, digest and size, no more. Where a
// manifest says its own media type, the index must not say another.
func (r *Repository) Resolve(ctx context.Context, ref oci.Reference) (oci.Descriptor, error) {
	d, err := r.resolve(ctx, ref)
	return d, r.fault(err)
}

func (r *Repository) resolve(ctx context.Context, ref oci.Reference) (oci.Descriptor, error) {
	if err := ref.CheckComplete(); err != nil {
		return oci.Descriptor{}, err
	}
	f, err := r.files(ctx)
	if err != nil {
		return oci.Descriptor{}, err
	}
	defer f.close()
	entries, err := readIndex(f, &r.known)
	if err != nil {
		return oci.Descriptor{}, err
	}
	var d oci.Descriptor
	if ref.Tag() != "" {
		d, err = findTag(entries, ref.Tag())
		if err == nil && ref.Digest() != "" && ref.Digest() != d.Digest {
			err = reason.Errorf(reason.OCITagMismatch, "tag %s names %s, not %s", quote(ref.Tag()), quote(string(d.Digest)), ref.Digest()).
				WithHint("find out who moved the tag and why; if the digest comes from somebody you trust, use it without the tag")
		}
	} else {
		d, err = findDigest(f, entries, ref.Digest())
	}
	if err != nil {
		return oci.Descriptor{}, err
	}
	return resolve(f, d)
}

// findDigest returns the descriptor of a manifest: that of the index or, as
// not all are listed there, one without media type.
func findDigest(f files, entries []indexEntry, d digest.Digest) (oci.Descriptor, error) {
	for i := range entries {
		if entries[i].Digest == string(d) {
			return entries[i].descriptor(), nil
		}
	}
	size, err := blobSize(f, d)
	return oci.Descriptor{Digest: d, Size: size}, err
}

// findTag returns the descriptor of the one manifest that has the tag.
func findTag(entries []indexEntry, tag string) (oci.Descriptor, error) {
	var found *indexEntry
	for i := range entries {
		e := &entries[i]
		if e.tag() != tag {
			continue
		}
		if found != nil && found.Digest != e.Digest {
			return oci.Descriptor{}, reason.Errorf(reason.OCILayoutIndex, "index gives the tag %s to more than one manifest", quote(tag)).
				WithHint("name the manifest by its digest: PATH@%s or PATH@%s", quote(found.Digest), quote(e.Digest))
		}
		found = e
	}
	if found == nil {
		return oci.Descriptor{}, reason.Errorf(reason.OCINotFound, "the layout has no tag %s", quote(tag)).
			WithHint("check the tag, or use PATH@digest")
	}
	return found.descriptor(), nil
}

// resolve reads the manifest that d names and completes d from it. A media
// type that is empty is the manifest's own.
func resolve(f files, d oci.Descriptor) (oci.Descriptor, error) {
	raw, err := readBlob(f, d, oci.MaxManifestSize)
	if err != nil {
		return oci.Descriptor{}, err
	}
	m, err := oci.ParseManifest(raw)
	if err != nil {
		return oci.Descriptor{}, err
	}
	switch {
	case d.MediaType == "":
		d.MediaType = m.MediaType
	case m.MediaType != "" && m.MediaType != d.MediaType:
		return oci.Descriptor{}, reason.Errorf(reason.OCILayoutIndex, "index gives %s the media type %s, but the manifest says %s",
			d.Digest, quote(d.MediaType), quote(m.MediaType))
	}
	if !oci.IsManifest(d.MediaType) {
		return oci.Descriptor{}, reason.Errorf(reason.OCIManifestType, "%s has the media type %s, which is no manifest's", d.Digest, quote(d.MediaType)).
			WithHint("name a manifest or an index, not one of its blobs")
	}
	return d, nil
}

// readIndex returns the entries of index.json.
func readIndex(f files, k *known) ([]indexEntry, error) {
	raw, err := readFile(f, ocispec.ImageIndexFile, maxIndexSize)
	if reason.Of(err) == reason.OCINotFound {
		return nil, reason.Errorf(reason.OCILayoutIndex, "image layout has no %s", ocispec.ImageIndexFile)
	}
	if err != nil {
		return nil, err
	}
	return k.parse(raw)
}

// Fetch implements [oci.Repository].
func (r *Repository) Fetch(ctx context.Context, d oci.Descriptor, limit int64) ([]byte, error) {
	f, err := r.files(ctx)
	if err != nil {
		return nil, r.fault(err)
	}
	defer f.close()
	content, err := readBlob(f, d, limit)
	return content, r.fault(err)
}

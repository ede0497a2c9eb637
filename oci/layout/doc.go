// Package layout reads and signs artifacts in an OCI image layout, a directory
// or a tarball, through the interface of package oci.
//
// [Open] takes the path of a layout as oras, skopeo, crane, docker and buildkit
// write it. A tag is an entry of index.json with that
// org.opencontainers.image.ref.name; a digest names any manifest among the
// blobs. Referrers are found by reading each manifest that the index, or an
// index below it, names: an index says nothing of subjects, and what it says
// of artifact types need not be true. Indexes that follow the referrers tag
// schema are entries like any other, so layouts copied from a registry without
// referrers API list their signatures too.
//
// A layout is not trusted. Content counts only after its size and digest were
// checked; only regular files inside the layout are opened, never symbolic
// links, devices or FIFOs; names are built from digests that were parsed; and
// everything is bounded, see limits.go. A tarball that holds links, absolute
// paths, sparse files or one name twice is refused as a whole.
//
// Attach never leaves a layout half written. Blobs go to temporary files that
// are synced and renamed; then index.json is replaced in the same way, or the
// whole tarball is, under an advisory lock beside it, so that concurrent
// signers lose nothing. What the index holds that this package does not know
// is kept. Whoever dies on the way leaves the old layout and perhaps a file
// whose name starts with ".notation-".
//
// Each call reads the layout anew, so a Repository needs no closing and sees
// what others write.
package layout

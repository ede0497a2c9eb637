package oci

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // makes SHA-256 available to go-digest
	_ "crypto/sha512" // makes SHA-384 and SHA-512 available to go-digest
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// hashOf returns the hash of a digest algorithm, or 0 for one that is not
// accepted. The OCI image specification registers others too, of which
// registries make no use.
func hashOf(a digest.Algorithm) crypto.Hash {
	switch a {
	case digest.SHA256:
		return crypto.SHA256
	case digest.SHA384:
		return crypto.SHA384
	case digest.SHA512:
		return crypto.SHA512
	}
	return 0
}

// ParseDigest reads a digest, ALGORITHM:HEX, of one of the algorithms sha256,
// sha384 and sha512 with lower-case hex of the right length (OCI image
// specification, descriptor, "Digests"). Errors have the codes
// oci.digest-algorithm and oci.descriptor.
func ParseDigest(s string) (digest.Digest, error) {
	algorithm, encoded, ok := strings.Cut(s, ":")
	if !ok {
		return "", reason.Errorf(reason.OCIDescriptor, "digest %s has no algorithm", quote(s)).
			WithHint("write ALGORITHM:HEX, as in sha256:%s...", "44136fa3")
	}
	h := hashOf(digest.Algorithm(algorithm))
	if h == 0 {
		return "", reason.Errorf(reason.OCIDigestAlgorithm, "digest algorithm %s is not accepted", quote(algorithm)).
			WithHint("use sha256, sha384 or sha512, in lower case")
	}
	if len(encoded) != 2*h.Size() || !isLowerHex(encoded) {
		return "", reason.Errorf(reason.OCIDescriptor, "digest %s is not %d lower-case hex digits after %s:",
			quote(s), 2*h.Size(), algorithm).WithHint("copy the whole digest")
	}
	return digest.Digest(s), nil
}

func isLowerHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// CheckDescriptor checks that d has a media type, a digest that [ParseDigest]
// accepts and a size from 0 to limit bytes. Errors have the codes
// oci.descriptor, oci.digest-algorithm and oci.too-large.
func CheckDescriptor(d Descriptor, limit int64) error {
	if _, err := ParseDigest(string(d.Digest)); err != nil {
		return err
	}
	if d.MediaType == "" || len(d.MediaType) > maxMediaTypeLength {
		return reason.Errorf(reason.OCIDescriptor, "descriptor of %s has no usable media type", d.Digest)
	}
	return checkSize(d, limit)
}

func checkSize(d Descriptor, limit int64) error {
	switch {
	case d.Size < 0:
		return reason.Errorf(reason.OCIDescriptor, "descriptor of %s has the negative size %d", d.Digest, d.Size)
	case d.Size > limit:
		return reason.Errorf(reason.OCITooLarge, "%s is said to be %d bytes long, more than the limit of %d", d.Digest, d.Size, limit)
	}
	return nil
}

// VerifyContent checks that content has the size and digest of d. Errors have
// the codes oci.size-mismatch, oci.digest-mismatch and those of [ParseDigest].
func VerifyContent(content []byte, d Descriptor) error {
	if _, err := ParseDigest(string(d.Digest)); err != nil {
		return err
	}
	if int64(len(content)) != d.Size {
		return reason.Errorf(reason.OCISizeMismatch, "content of %s is %d bytes long, not %d", d.Digest, len(content), d.Size)
	}
	if got := d.Digest.Algorithm().FromBytes(content); got != d.Digest {
		return reason.Errorf(reason.OCIDigestMismatch, "content of %s has the digest %s", d.Digest, got)
	}
	return nil
}

// ReadVerified reads the content of d from r to its end and checks its size
// and digest. Content longer than limit bytes is refused before anything is
// read, and never more than d.Size+1 bytes are read. The media type of d plays
// no part. Errors have the codes of [VerifyContent], oci.descriptor,
// oci.too-large and, with the cause, oci.read.
func ReadVerified(r io.Reader, d Descriptor, limit int64) ([]byte, error) {
	if _, err := ParseDigest(string(d.Digest)); err != nil {
		return nil, err
	}
	if err := checkSize(d, limit); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	// A size is only a claim: memory grows with what really arrives.
	b.Grow(int(min(d.Size, readChunk)) + bytes.MinRead)
	n, err := io.Copy(&b, io.LimitReader(r, d.Size))
	if err != nil {
		return nil, reason.Wrap(reason.OCIRead, err, "cannot read %s after %d of %d bytes", d.Digest, n, d.Size)
	}
	if n == d.Size {
		if err := expectEOF(r, d); err != nil {
			return nil, err
		}
	}
	if err := VerifyContent(b.Bytes(), d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// expectEOF checks that r holds no byte more.
func expectEOF(r io.Reader, d Descriptor) error {
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n > 0:
		return reason.Errorf(reason.OCISizeMismatch, "content of %s is longer than %d bytes", d.Digest, d.Size)
	case !errors.Is(err, io.EOF):
		return reason.Wrap(reason.OCIRead, err, "cannot read %s to its end", d.Digest)
	}
	return nil
}

// quote returns s in double quotes for an error message: in ASCII, with
// control and bidirectional characters and homoglyphs escaped, and cut short.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(s[:maxQuoted]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

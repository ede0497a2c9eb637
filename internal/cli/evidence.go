package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"

	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxEvidenceFileBytes bounds a file of --revocation-evidence that is no image
// layout. It has room for the longest list in PEM, which is a third longer than
// DER and has line breaks.
const maxEvidenceFileBytes = revocation.MaxCRLBytes / 2 * 3

// pemCRL is the type of the PEM block of a revocation list (RFC 7468 section 6).
const pemCRL = "X509 CRL"

// evidence are answers about revocation that were carried along, each once. They
// are trusted no more than if they had been fetched.
type evidence struct {
	answers revocation.Evidence
	seen    map[[sha256.Size]byte]bool
	bytes   int
	layouts map[string]bool // paths of those that were read
}

// add keeps an answer. It reports false if there are too many.
func (e *evidence) add(m revocation.Method, der []byte) bool {
	sum := sha256.Sum256(der)
	to := &e.answers.CRLs
	if m == revocation.OCSP {
		to = &e.answers.OCSP
	}
	switch {
	case e.seen[sum]:
		return true
	case len(*to) == revocation.MaxEvidence || e.bytes+len(der) > revocation.MaxEvidenceBytes:
		return false
	}
	if e.seen == nil {
		e.seen = map[[sha256.Size]byte]bool{}
	}
	e.seen[sum] = true
	e.bytes += len(der)
	*to = append(*to, der)
	return true
}

// errTooMuchEvidence says that more is given than will ever be looked at.
func errTooMuchEvidence() *reason.Error {
	return reason.Errorf(reason.UsageFlag, "more than %d answers about revocation, or more than %d bytes of them, are given", revocation.MaxEvidence, revocation.MaxEvidenceBytes).
		WithHint("give those about the certificates in question only")
}

// read reads the files of --revocation-evidence. An image layout among them
// gives the answers that lie in it.
func (e *evidence) read(ctx context.Context, a *app, files []string) error {
	for _, file := range files {
		if isLayout(file) {
			if err := e.readLayout(ctx, a, file); err != nil {
				return err
			}
			continue
		}
		data, err := readNamed(ctx, file, maxEvidenceFileBytes)
		if err != nil {
			return err
		}
		if err := e.readFile(file, data); err != nil {
			return err
		}
	}
	return nil
}

// isLayout reports whether a path is that of an image layout: a directory with
// its marker, or a tarball.
func isLayout(path string) bool {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return false
	case info.IsDir():
		_, err := os.Stat(filepath.Join(path, ocispec.ImageLayoutFile))
		return err == nil
	case !info.Mode().IsRegular():
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	const at, magic = 257, "ustar" // POSIX.1-2024, pax, "ustar Interchange Format"
	head := make([]byte, at+len(magic))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head[at:]) == magic
}

// readLayout reads the answers in a layout that was named for them.
func (e *evidence) readLayout(ctx context.Context, a *app, path string) error {
	l, err := layout.Open(path, layout.Options{})
	if err != nil {
		return err
	}
	before := len(e.answers.OCSP) + len(e.answers.CRLs)
	if err := e.carry(ctx, a, path, l); err != nil {
		return err
	}
	if len(e.answers.OCSP)+len(e.answers.CRLs) == before {
		a.warn("%s holds no answers about revocation, or none that are new", named(path))
	}
	return nil
}

// carry adds the answers that lie in the layout at a path, unless it was read
// before. What cannot be read is a warning: it could only have helped.
func (e *evidence) carry(ctx context.Context, a *app, path string, repo oci.Repository) error {
	if e.layouts[path] {
		return nil
	}
	if e.layouts == nil {
		e.layouts = map[string]bool{}
	}
	e.layouts[path] = true
	found, err := bundle.ReadEvidence(ctx, repo)
	if err != nil {
		return err
	}
	a.warnSome(found.Warnings, "answers about revocation in "+named(path)+" that are not used")
	for _, answer := range found.Answers {
		if !e.add(answer.Method, answer.DER) {
			return errTooMuchEvidence()
		}
	}
	a.log.Debug("answers about revocation in the layout", "path", path, "number", len(found.Answers))
	return nil
}

func (e *evidence) readFile(file string, data []byte) error {
	malformed := reason.Errorf(reason.UsageFlag, "file %q holds no answer about revocation", file).
		WithHint("give an OCSP response or a revocation list in DER, revocation lists in PEM, or a bundle")
	if !bytes.Contains(data, []byte("-----BEGIN")) || len(data) > 0 && data[0] == derSequence {
		return e.addAnswer(file, data, malformed)
	}
	lists := 0
	for rest := data; ; lists++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(bytes.TrimSpace(rest)) > 0 || lists == 0 {
				return malformed
			}
			return nil
		}
		if block.Type != pemCRL {
			return malformed
		}
		if err := e.addAnswer(file, block.Bytes, malformed); err != nil {
			return err
		}
	}
}

// derSequence is the first byte of a SEQUENCE in DER.
const derSequence = asn1.TagSequence | 0x20

// addAnswer tells by its beginning what a DER structure is: an OCSPResponse
// begins with an ENUMERATED (RFC 6960 section 4.2.1), a CertificateList with a
// SEQUENCE (RFC 5280 section 5.1). All else is for package revocation to judge.
func (e *evidence) addAnswer(file string, der []byte, malformed error) error {
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(der, &outer)
	if err != nil || len(rest) > 0 || outer.Class != asn1.ClassUniversal || outer.Tag != asn1.TagSequence || len(outer.Bytes) == 0 {
		return malformed
	}
	limit, method := revocation.MaxCRLBytes, revocation.CRL
	switch outer.Bytes[0] {
	case asn1.TagEnum:
		limit, method = revocation.MaxOCSPBytes, revocation.OCSP
	case derSequence:
	default:
		return malformed
	}
	if len(der) > limit {
		return reason.Errorf(reason.ConfigTooLarge, "the answer in file %q is longer than %d bytes", file, limit).
			WithHint("check that the path names what was meant")
	}
	if !e.add(method, der) {
		return errTooMuchEvidence()
	}
	return nil
}

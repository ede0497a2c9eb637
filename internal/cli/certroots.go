package cli

import (
	"crypto/x509"
	"slices"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
)

// mixed reports whether some file holds roots and other certificates.
func mixed(files []config.CertificateFile) bool {
	return slices.ContainsFunc(files, func(f config.CertificateFile) bool {
		return slices.ContainsFunc(f.Certs, selfIssued) && slices.ContainsFunc(f.Certs, func(c *x509.Certificate) bool { return !selfIssued(c) })
	})
}

// rootsOf returns the self-signed certificates of a file and says how many others
// there are. A file without any is refused: nothing of it would be trusted.
func (a *app) rootsOf(file string, certs []*x509.Certificate) ([]*x509.Certificate, error) {
	roots := slices.DeleteFunc(slices.Clone(certs), func(c *x509.Certificate) bool { return !selfIssued(c) })
	if len(roots) == 0 {
		return nil, reason.Errorf(reason.StoreAnchor, "file %q holds no self-signed certificate", file).
			WithHint("give the file of the root certificate")
	}
	if left := len(certs) - len(roots); left > 0 {
		a.warn("%s of %s not self-signed, and left out", counted(left, "certificate"), named(file)+map[bool]string{true: " is", false: " are"}[left == 1])
	}
	return roots, nil
}

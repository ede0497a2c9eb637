package timestamp

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// A search looks for a chain from a signer to a trusted root. A token holds a
// set of certificates, not a chain: in any order, with others among them, and
// with several for one issuer where authorities certify each other. So a path
// is found by names, and only a whole one is judged; the first good one wins.
type search struct {
	pool   []*x509.Certificate // of the token, leaf excluded
	roots  []*x509.Certificate
	judge  func(chain []*x509.Certificate) error
	steps  int
	trials int
	first  error // of the first path that was judged
}

// chain returns the chain of the signer, ending in one of the roots.
func (u *Unverified) chain(leaf *x509.Certificate, roots []*x509.Certificate) ([]*x509.Certificate, error) {
	s := search{judge: u.judge}
	for _, root := range roots {
		// An intermediate is no anchor: it would stay trusted when its root has
		// revoked it.
		if root != nil && bytes.Equal(root.RawSubject, root.RawIssuer) {
			s.roots = append(s.roots, root)
		}
	}
	for _, c := range u.Certificates() {
		if !bytes.Equal(c.Raw, leaf.Raw) {
			s.pool = append(s.pool, c)
		}
	}
	path := make([]*x509.Certificate, 1, maxChain)
	path[0] = leaf
	chain := s.walk(path)
	switch {
	case chain != nil:
		return chain, nil
	case s.first != nil:
		return nil, s.first
	}
	return nil, reason.Errorf(reason.TimestampRootUntrusted, "no chain leads from the time-stamping authority %s, issued by %s, to a trusted root",
		dn.Display(leaf.RawSubject), dn.Display(leaf.RawIssuer)).
		WithHint("If the authority is to be trusted, add the root certificate of its chain to a tsa trust store that the policy names, or give it with --timestamp-root-cert; the certificates between must be in the token.")
}

// walk extends the path by every issuer of its last certificate, trusted roots
// first, and returns the first chain that is good, or nil.
func (s *search) walk(path []*x509.Certificate) []*x509.Certificate {
	last := path[len(path)-1]
	for _, root := range s.roots {
		if bytes.Equal(root.Raw, last.Raw) {
			return s.try(path)
		}
	}
	if len(path) == maxChain {
		return nil
	}
	for _, root := range s.roots {
		if bytes.Equal(root.RawSubject, last.RawIssuer) {
			if chain := s.try(append(path, root)); chain != nil {
				return chain
			}
		}
	}
	for _, next := range s.pool {
		if !bytes.Equal(next.RawSubject, last.RawIssuer) || slices.ContainsFunc(path, next.Equal) {
			continue
		}
		if s.steps++; s.steps > maxSteps {
			return nil
		}
		if chain := s.walk(append(path, next)); chain != nil {
			return chain
		}
	}
	return nil
}

// try judges a whole path.
func (s *search) try(path []*x509.Certificate) []*x509.Certificate {
	if s.trials++; s.trials > maxTrials {
		return nil
	}
	if err := s.judge(path); err != nil {
		if s.first == nil {
			s.first = err
		}
		return nil
	}
	return path
}

// judge applies the rules to a path that ends in a trusted root.
func (u *Unverified) judge(chain []*x509.Certificate) error {
	if err := certchain.Check(chain, certchain.TimeStamping); err != nil {
		return reason.Wrap(reason.TimestampChain, err, "the certificates of the time-stamping authority break a rule")
	}
	if !u.data.signer.allows(chain) {
		return badSigningCertificate("leaves out a certificate of the chain")
	}
	earliest, latest := u.info.public().Range()
	for i, at := range []time.Time{earliest, latest} {
		if err := certchain.ValidAt(chain, at); err != nil {
			return reason.Wrap(reason.TimestampChainTime, err, "the time-stamping authority's certificates are not all valid at the %s time that the stamp may be of",
				[]string{"earliest", "latest"}[i]).WithHint(hintTampered)
		}
	}
	return nil
}

// allows reports whether the attributes name every certificate of the chain
// but for the root, in case they name more than the signer's: "the certificates
// after the first one limit the set of certificates that are used during
// signature validation" (RFC 5035 section 5.4.1).
func (s *signer) allows(chain []*x509.Certificate) bool {
	for _, ids := range [][]certID{s.certV2, s.certV1} {
		if len(ids) < 2 || len(chain) < 3 {
			continue
		}
		for _, c := range chain[1 : len(chain)-1] {
			if !slices.ContainsFunc(ids[1:], func(id certID) bool { return id.matches(c) }) {
				return false
			}
		}
	}
	return true
}

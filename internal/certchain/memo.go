package certchain

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"sync"
)

// Memo remembers what is true of certificates for ever: how their bytes parse,
// and that the signature of one holds under the key of another. It remembers no
// judgement: the rules are applied each time, and what was refused is refused
// anew. It is safe for concurrent use. The zero value, like nil, remembers
// nothing.
//
// It keeps what was of use lately. Whenever that is as much as it was made for,
// what nobody has asked for since the last time is dropped. So it takes at most
// twice as much.
type Memo struct {
	max int

	mu      sync.RWMutex
	recent  map[fingerprint]*fact
	size    int // of recent, in bytes
	earlier map[fingerprint]*fact
}

type fingerprint = [sha256.Size]byte

// fact is what is known about a certificate. It does not change: what is learned
// later makes a new one.
type fact struct {
	cert   *x509.Certificate
	issuer fingerprint // of the certificate whose key has signed it; zero: not known
}

// cost is about how many bytes of memory a fact takes.
func (f *fact) cost() int { return 2*len(f.cert.Raw) + parsedBytes + listedBytes*listed(f.cert) }

// listed counts what a certificate lists. A name of one byte, three in DER, can
// take fifty times as much once it is parsed.
func listed(c *x509.Certificate) int {
	return len(c.URIs) + len(c.DNSNames) + len(c.EmailAddresses) + len(c.IPAddresses) +
		len(c.Subject.Names) + len(c.Issuer.Names) + len(c.Extensions) +
		len(c.ExtKeyUsage) + len(c.UnknownExtKeyUsage) + len(c.Policies) + len(c.PolicyMappings) +
		len(c.OCSPServer) + len(c.IssuingCertificateURL) + len(c.CRLDistributionPoints) +
		len(c.PermittedDNSDomains) + len(c.ExcludedDNSDomains) + len(c.PermittedIPRanges) + len(c.ExcludedIPRanges) +
		len(c.PermittedEmailAddresses) + len(c.ExcludedEmailAddresses) + len(c.PermittedURIDomains) + len(c.ExcludedURIDomains)
}

// NewMemo returns a Memo that is to take about that many bytes of memory.
func NewMemo(bytes int) *Memo {
	return &Memo{max: bytes, recent: map[fingerprint]*fact{}}
}

func (m *Memo) get(f fingerprint) *fact {
	if m == nil {
		return nil
	}
	m.mu.RLock()
	known, late := m.recent[f], m.earlier[f]
	m.mu.RUnlock()
	if known == nil && late != nil {
		m.put(f, late)
		return late
	}
	return known
}

func (m *Memo) put(f fingerprint, known *fact) {
	if m == nil || m.max <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.recent[f]; !there {
		if m.size += known.cost(); m.size > m.max {
			m.earlier, m.recent, m.size = m.recent, map[fingerprint]*fact{}, known.cost()
		}
	}
	m.recent[f] = known
}

// LearnRoot remembers a self-signed certificate whose signature the caller has
// checked. What does not parse is not remembered.
func (m *Memo) LearnRoot(der []byte) {
	if chain, err := Parse([][]byte{der}); err == nil {
		f := sha256.Sum256(der)
		m.put(f, &fact{chain[0], f})
	}
}

// Facts are the memos that [Facts.Parse] and [Facts.Check] look into. Its zero
// value knows nothing.
type Facts struct {
	Anchors *Memo // of trust anchors; only read
	Seen    *Memo // read, and written
}

func (k Facts) get(f fingerprint) *fact {
	if known := k.Anchors.get(f); known != nil {
		return known
	}
	return k.Seen.get(f)
}

// empty reports whether there is nothing to look into, so that no digest need be
// computed.
func (k Facts) empty() bool { return k.Anchors == nil && k.Seen == nil }

// parse parses the certificate at a position, or remembers it.
func (k Facts) parse(raw []byte, position, of int) (*x509.Certificate, error) {
	if k.empty() {
		return parse(raw, position, of)
	}
	f := sha256.Sum256(raw)
	if known := k.get(f); known != nil {
		return known.cert, nil
	}
	// What is parsed refers to the bytes, and these are part of an envelope that
	// may be a thousand times as long and is to be forgotten.
	cert, err := parse(bytes.Clone(raw), position, of)
	if err == nil {
		k.Seen.put(f, &fact{cert: cert})
	}
	return cert, err
}

// signed reports whether the signature of cert holds under the key of issuer.
// Both are as Parse returns them.
func (k Facts) signed(cert, issuer *x509.Certificate) bool {
	if k.empty() {
		return holds(cert, issuer)
	}
	f, by := sha256.Sum256(cert.Raw), sha256.Sum256(issuer.Raw)
	if known := k.get(f); known != nil && known.issuer == by {
		return true
	}
	if !holds(cert, issuer) {
		return false
	}
	k.Seen.put(f, &fact{cert, by})
	return true
}

func holds(cert, issuer *x509.Certificate) bool {
	// CheckSignatureFrom would refuse a self-signed leaf as no authority.
	return issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

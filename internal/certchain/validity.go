package certchain

import (
	"crypto/x509"
	"time"

	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// ValidAt reports as an error the first certificate that is not valid at t.
// Both ends of the validity count as valid (RFC 5280 section 4.1.2.5), and as
// certificates know no smaller unit, so does the whole second of each. An empty
// chain is not valid at any time. The error is a *reason.Error with code
// cert.not-yet-valid, cert.expired or cert.chain-incomplete.
func ValidAt(chain []*x509.Certificate, t time.Time) error {
	if detail := chainPresent(link{chain: chain}); detail != "" {
		return fault(reason.CertChainIncomplete, "certificate chain %s", detail)
	}
	t = t.Truncate(time.Second)
	for i, c := range chain {
		switch {
		case t.Before(c.NotBefore):
			return reason.Errorf(reason.CertNotYetValid, "certificate %d of %d (%s) is valid from %s on, after %s",
				i+1, len(chain), dn.Display(c.RawSubject), stamp(c.NotBefore), stamp(t)).
				WithHint("Check the clock of this machine and of the one that signed, or wait until the certificate is valid.")
		case t.After(c.NotAfter):
			return reason.Errorf(reason.CertExpired, "certificate %d of %d (%s) expired at %s, before %s",
				i+1, len(chain), dn.Display(c.RawSubject), stamp(c.NotAfter), stamp(t)).
				WithHint("Renew the certificate and sign again; a signature with a time stamp stays valid beyond the certificate's end.")
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

package certchain

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// attack: CRT-04
func TestValidAt(t *testing.T) {
	t.Parallel()
	from, to := date(2024, 5, 6, 7, 8, 9), date(2025, 5, 6, 7, 8, 9)
	for position := range 3 {
		// One certificate has the shorter validity.
		chain := testpki.New(t, testpki.Options{
			NotBefore: from.AddDate(-1, 0, 0), NotAfter: to.AddDate(1, 0, 0),
			Modify: func(i int, c *x509.Certificate) {
				if i == position {
					c.NotBefore, c.NotAfter = from, to
				}
			},
		}).Certs
		for _, c := range []struct {
			at   time.Time
			code reason.Code
			says string
		}{
			{from.Add(-time.Nanosecond), reason.CertNotYetValid, "is valid from 2024-05-06T07:08:09Z on, after 2024-05-06T07:08:08Z"},
			{from, "", ""},
			{from.Add(time.Second), "", ""},
			{from.In(time.FixedZone("", 3600)), "", ""},
			{to.Add(-time.Second), "", ""},
			{to, "", ""},
			{to.Add(time.Second - time.Nanosecond), "", ""},
			{to.Add(time.Second), reason.CertExpired, "expired at 2025-05-06T07:08:09Z, before 2025-05-06T07:08:10Z"},
			{time.Time{}, reason.CertNotYetValid, "after 0001-01-01T00:00:00Z"},
		} {
			err := ValidAt(chain, c.at)
			if reason.Of(err) != c.code {
				t.Errorf("position %d at %v: %v, want %q", position, c.at, err, c.code)
			}
			if c.code == "" || err == nil {
				continue
			}
			checkError(t, err)
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: does not say %q", err, c.says)
			}
			// At the zero time every certificate is too young: the leaf is named.
			if want := fmt.Sprintf("certificate %d of 3 (CN=", position+1); !c.at.IsZero() && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v: does not name the certificate", err)
			}
		}
	}
}

func TestValidAtOfNothing(t *testing.T) {
	t.Parallel()
	for _, chain := range [][]*x509.Certificate{nil, {nil}} {
		if err := ValidAt(chain, date(2025, 1, 1, 0, 0, 0)); reason.Of(err) != reason.CertChainIncomplete {
			t.Error(err)
		}
	}
}

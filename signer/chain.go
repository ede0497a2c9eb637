package signer

import (
	"bytes"
	"crypto/x509"
	"strconv"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// badChain wraps the error of the certificate rules. Where only the order is
// wrong, or the root is missing, the hint says how to mend it. Chains are not
// reordered silently: what is signed should be what the user has laid out.
func badChain(chain []*x509.Certificate, err error) error {
	fault := reason.Wrap(reason.SignerChain, err, "the certificate chain cannot be used")
	order, complete := path(chain)
	switch {
	case !complete && selfIssued(chain[order[len(order)-1]]):
		return fault.WithHint("Remove the certificates that are not on the way from the first one to its root.")
	case !complete || !selfIssued(chain[order[len(order)-1]]):
		return fault.WithHint("The issuer of certificate %d is missing; append the certificates up to the self-signed root.", order[len(order)-1]+1)
	case !ascending(order):
		return fault.WithHint("Put the certificates in this order: %s.", numbers(order))
	}
	return fault.WithHint("%s", reason.Hint(err))
}

// path follows issuers by name from the first certificate and returns the
// positions passed, and whether they are all there are. It serves a hint, so it
// checks no signature.
func path(chain []*x509.Certificate) (order []int, complete bool) {
	used := make([]bool, len(chain))
	for at := 0; at >= 0; {
		order, used[at] = append(order, at), true
		next := -1
		for i, c := range chain {
			if !used[i] && !selfIssued(chain[at]) && bytes.Equal(c.RawSubject, chain[at].RawIssuer) {
				next = i
				break
			}
		}
		at = next
	}
	return order, len(order) == len(chain)
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

func ascending(order []int) bool {
	for i, n := range order {
		if n != i {
			return false
		}
	}
	return true
}

func numbers(order []int) string {
	s := make([]string, len(order))
	for i, n := range order {
		s[i] = strconv.Itoa(n + 1)
	}
	return strings.Join(s, ", ")
}

package notation

import (
	"crypto/x509"
	"time"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/timestamp"
	"github.com/notaryv2/notation/trust"
)

// timestamp judges the time stamp that the statement demands: it was made for
// this signature by an authority under a root of a tsa store, and the whole
// range in which it may have been made lies within the validity of every
// certificate of the signer. Whether the authority was revoked is for notRevoked.
func (t *trial) timestamp() Finding {
	c := &t.content
	if len(c.Timestamp) == 0 {
		return found(CheckAuthenticTimestamp, Failed, reason.Errorf(reason.VerifyTimestampMissing,
			"the statement %q demands a time stamp, and the signature has none", t.statement.Name()).
			WithHint("%s", t.withoutStamp()))
	}
	token, err := timestamp.Parse(c.Timestamp)
	if err != nil {
		return foundError(CheckAuthenticTimestamp, Failed, err, reason.VerifyTimestampMissing)
	}
	refs := t.statement.Stores(trust.TSA)
	roots, unread := t.roots(refs)
	verified, err := token.Verify(c.Signature, roots)
	if err != nil {
		if unread != nil { // it may hold the root that is missing
			return foundError(CheckAuthenticTimestamp, unloaded(unread), unread, reason.StoreUnreadable)
		}
		return foundError(CheckAuthenticTimestamp, Failed, err, reason.VerifyTimestampMissing)
	}
	info := verified.Info()
	store, _, _ := t.stores.Find(refs, info.Chain[len(info.Chain)-1])
	stamp := newTimestamp(&info)
	stamp.Store = store.String()
	if stamp.Earliest.After(t.at.Add(maxClockSkew)) {
		return found(CheckAuthenticTimestamp, Failed, reason.Errorf(reason.VerifyFutureTime,
			"the time stamp is of %s, which is yet to come", printedTime(stamp.Time)).
			WithHint("Check the clock of this machine; if it is right, do not trust this time-stamping authority."))
	}
	if err := validThroughout(c.Chain, stamp.Earliest, stamp.Latest); err != nil {
		return foundError(CheckAuthenticTimestamp, Failed, err, reason.CertExpired)
	}
	t.stamp, t.verdict.Timestamp = &info, stamp
	return passed(CheckAuthenticTimestamp, "all certificates were valid at the time of the stamp, "+printedTime(info.Time))
}

// withoutStamp is what can be done about a signature that has no time stamp.
func (t *trial) withoutStamp() string {
	switch {
	case anyExpired(t.content.Chain, t.at): // nothing else could help
		return "A certificate of the signer has expired; have the artifact signed again, with a time stamp."
	case t.statement.TimestampAfterCertExpiry():
		return "Have the artifact signed with a time stamp."
	}
	return "Have the artifact signed with a time stamp, or set verifyTimestamp to afterCertExpiry."
}

// roots returns the certificates of trust stores, and the error of the first
// store that cannot be loaded. One that may be there at the next attempt comes
// first.
func (t *trial) roots(refs []trust.StoreRef) (roots []*x509.Certificate, unread error) {
	for _, ref := range refs {
		certs, _, err := t.stores.Load(ref)
		if err != nil && (unread == nil || unloaded(unread) == Failed && unloaded(err) == Undecided) {
			unread = err
		}
		roots = append(roots, certs...)
	}
	return roots, unread
}

// validThroughout checks validity over a range of time. Certificates end with a
// whole second, so the range is widened to whole seconds.
func validThroughout(chain []*x509.Certificate, earliest, latest time.Time) error {
	if err := certchain.ValidAt(chain, earliest); err != nil {
		return err
	}
	if whole := latest.Truncate(time.Second); whole.Before(latest) {
		latest = whole.Add(time.Second)
	}
	return certchain.ValidAt(chain, latest)
}

// newTimestamp describes a verified token, but for the trust store.
func newTimestamp(info *timestamp.Info) *Timestamp {
	earliest, latest := info.Range()
	return &Timestamp{
		Time: info.Time, Earliest: earliest, Latest: latest, Policy: info.Policy,
		Authority: dn.Display(info.Chain[0].RawSubject), Fingerprint: fingerprint(info.Chain[0]),
	}
}

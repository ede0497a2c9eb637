package notation

import (
	"context"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/timestamp"
)

// stamper puts time stamps on signatures.
type stamper struct {
	client     *timestamp.Client // nil: none is asked for
	revocation revocation.Checker
	clock      func() time.Time
	lost       string // what comes of it if there is none, "nothing was signed"
}

func (o *SignOptions) stamper() *stamper {
	return &stamper{client: o.Timestamp, revocation: o.Revocation, clock: o.Now, lost: "nothing was signed"}
}

// countersign has an authority put its time stamp on a signature, and reads it
// again as a verifier will.
func (t *stamper) countersign(ctx context.Context, s *signed) error {
	if t.client == nil {
		return nil
	}
	if s.claims.Scheme == envelope.SchemeSigningAuthority { // the choice of a plugin
		return uselessStamp()
	}
	client := *t.client
	if client.Revocation == nil {
		client.Revocation = refuseRevoked(checkerOr(t.revocation, t.clock))
	}
	token, err := client.Stamp(ctx, s.claims.Signature, s.claims.Algorithm.Hash())
	if err != nil {
		return t.notStamped(err)
	}
	if s.raw, err = envelope.SetTimestamp(s.mediaType, s.raw, token); err != nil {
		return err
	}
	s.stamp, err = t.verify(&s.claims, token)
	return err
}

// verify judges the time stamp of a signature as a verifier will who trusts the
// same roots, but does not ask about revocation.
func (t *stamper) verify(c *envelope.Content, token []byte) (*Timestamp, error) {
	unverified, err := timestamp.Parse(token)
	if err != nil {
		return nil, err
	}
	verified, err := unverified.Verify(c.Signature, t.client.Roots)
	if err != nil {
		return nil, err
	}
	info := verified.Info()
	stamp := newTimestamp(&info)
	if stamp.Earliest.After(clockTime(t.clock).Add(maxClockSkew)) {
		return nil, reason.Errorf(reason.SignTimestamp, "the time stamp is of %s, which is yet to come", printedTime(stamp.Time)).
			WithHint("Check the clock of this machine, or use another time-stamping authority.")
	}
	if err := validThroughout(c.Chain, stamp.Earliest, stamp.Latest); err != nil {
		return nil, reason.Wrap(reason.SignTimestamp, err, "the time stamp would not help, as the signer's certificates are not valid throughout its time").
			WithHint("Renew the certificate, or check the clock of the time-stamping authority.")
	}
	return stamp, nil
}

// notStamped is the error where no authority gave a good time stamp. What the
// packages below advise is for verifiers in some cases.
func (t *stamper) notStamped(err error) error {
	hint := reason.Hint(err)
	switch code := reason.Of(err); code {
	case reason.TimestampImprint, reason.TimestampSignature, reason.TimestampChain, reason.TimestampChainTime, reason.TimestampCertificate, reason.TimestampRevocation:
		hint = "Use another time-stamping authority, and tell this one."
	}
	return reason.Wrap(reason.Of(err), err, "there is no time stamp, so %s", t.lost).WithHint("%s", hint)
}

// uselessStamp is the error where a time stamp is asked for and no verifier
// would look at it.
func uselessStamp() *reason.Error {
	return reason.Errorf(reason.SignTimestamp, "a signature of the scheme %s holds an authentic time, and no verifier looks at a time stamp of it", envelope.SchemeSigningAuthority).
		WithHint("Ask for no time stamp, or sign with the scheme %s.", envelope.SchemeX509)
}

// clockTime reads a clock, in UTC; nil: the system's.
func clockTime(clock func() time.Time) time.Time {
	if clock == nil {
		return time.Now().UTC()
	}
	return clock().UTC()
}

package notation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// judge decides about envelopes by one statement of a policy, at one instant.
// It is immutable and touches neither network nor clock.
type judge struct {
	statement  *trust.Statement
	stores     *trust.Stores
	timestamps bool              // the statement names a tsa store
	claimed    bool              // media type and size of the artifact are what a registry says
	metadata   map[string]string // that must have been signed
	at         time.Time
}

func newJudge(st *trust.Statement, stores *trust.Stores, metadata map[string]string, at time.Time) *judge {
	return &judge{statement: st, stores: stores, timestamps: len(st.Stores(trust.TSA)) > 0, metadata: metadata, at: at}
}

// anchorStores returns the stores of the statement that anchor signatures.
func (j *judge) anchorStores() []trust.StoreRef {
	return j.statement.Stores(trust.CA, trust.SigningAuthority)
}

// hopeless returns why no signature at all can pass, or nil: authenticity is
// enforced and none of the statement's stores can be loaded. One that could not
// be read comes first, as it may be there at the next attempt.
func (j *judge) hopeless() error {
	if j.statement.Action(trust.Authenticity) != trust.Enforce {
		return nil
	}
	var first error
	for _, ref := range j.anchorStores() {
		_, _, err := j.stores.Load(ref)
		if err == nil {
			return nil
		}
		if first == nil || unloaded(first) == Failed && unloaded(err) == Undecided {
			first = err
		}
	}
	return first
}

// envelope decides about one envelope. Once its signature holds, every check
// is made whatever the others say: all facts are at hand, and whoever has to
// mend something should learn of everything at once.
func (j *judge) envelope(mediaType string, raw []byte, artifact oci.Descriptor) SignatureVerdict {
	s := SignatureVerdict{MediaType: mediaType}
	verified, err := open(mediaType, raw)
	if err != nil {
		return j.unread(s, foundError(CheckIntegrity, Failed, err, reason.EnvelopeSignature))
	}
	c := verified.Content()
	s.describe(&c)
	s.Findings = make([]Finding, 0, 6)
	s.Findings = append(s.Findings,
		j.integrity(&c, artifact),
		j.act(trust.Authenticity, j.authenticity(&s, &c)),
		j.act(trust.AuthenticTimestamp, j.authenticTimestamp(&c)),
		j.act(trust.Expiry, j.expiry(&c)),
		j.act(trust.Revocation, j.revocation(&c)),
	)
	if len(j.metadata) > 0 {
		s.Findings = append(s.Findings, j.userMetadata(&c))
	}
	if s.Store == "" && size(s.Metadata) > maxMetadataBytes {
		s.Metadata = nil // anyone can sign as much as he likes
	}
	s.Outcome = Passed
	switch {
	case s.first(Failed) >= 0:
		s.Outcome = Failed
	case s.first(Undecided) >= 0:
		s.Outcome = Undecided
	}
	return s
}

// size returns the number of bytes of all keys and values.
func size(metadata map[string]string) int {
	n := 0
	for key, value := range metadata {
		n += len(key) + len(value)
	}
	return n
}

// open parses an envelope and checks its signature and certificate rules.
func open(mediaType string, raw []byte) (*envelope.Verified, error) {
	unverified, err := envelope.Parse(mediaType, raw)
	if err != nil {
		return nil, err
	}
	return unverified.Verify()
}

// unread completes the verdict on a signature of which nothing is known but
// what f says.
func (j *judge) unread(s SignatureVerdict, f Finding) SignatureVerdict {
	s.Outcome = f.Outcome
	s.Findings = append(make([]Finding, 0, 6), f)
	rest := []Check{CheckAuthenticity, CheckAuthenticTimestamp, CheckExpiry, CheckRevocation, CheckMetadata}
	if len(j.metadata) == 0 {
		rest = rest[:len(rest)-1]
	}
	for _, check := range rest {
		s.Findings = append(s.Findings, Finding{
			Check: check, Outcome: Skipped, Reason: reason.VerifyNotReached, Message: "not checked, as the integrity is not established",
		})
	}
	return s
}

// act applies the statement's action to what a check found, or could not find.
func (j *judge) act(check trust.Check, f Finding) Finding {
	if (f.Outcome == Failed || f.Outcome == Undecided) && j.statement.Action(check) == trust.Log {
		f.Outcome = Logged
	}
	return f
}

// describe fills in what the verified envelope says about itself.
func (s *SignatureVerdict) describe(c *envelope.Content) {
	leaf, root := c.Chain[0], c.Chain[len(c.Chain)-1]
	fingerprint := sha256.Sum256(leaf.Raw)
	s.Fingerprint = hex.EncodeToString(fingerprint[:])
	s.Subject = dn.Display(leaf.RawSubject)
	s.Issuer = s.Subject
	if !bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		s.Issuer = dn.Display(leaf.RawIssuer)
	}
	s.Root = s.Issuer
	if !bytes.Equal(root.RawSubject, leaf.RawIssuer) {
		s.Root = dn.Display(root.RawSubject)
	}
	s.Scheme = c.Scheme.String()
	s.SigningTime = c.SigningTime
	s.Expiry = c.Expiry
	s.Metadata = c.Target.Annotations
}

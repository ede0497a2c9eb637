package notation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/timestamp"
	"github.com/notaryv2/notation/trust"
)

// judge decides about envelopes by one statement of a policy, at one instant.
// It is immutable and looks at no clock. What it decides from is in the envelope
// and the trust stores, but for two things that it asks for once all the rest
// is good: a verification plugin, and whether certificates were revoked.
type judge struct {
	statement  *trust.Statement
	stores     *trust.Stores
	timestamps bool              // the statement names a tsa store
	claimed    bool              // media type and size of the artifact are what a registry says
	metadata   map[string]string // that must have been signed
	at         time.Time
	cache      *Cache // may be nil

	revocation        revocation.Checker
	evidence          revocation.Evidence
	requireRevocation bool
	plugins           *plugin.Host // nil: none
	pluginConfig      map[string]string
	asked             *asked   // about revocation
	running           *running // plugins
}

func newJudge(v *Verifier, st *trust.Statement, at time.Time) *judge {
	return &judge{
		statement: st, stores: v.Stores, timestamps: len(st.Stores(trust.TSA)) > 0, metadata: v.Metadata, at: at, cache: v.Cache,
		revocation: checkerOr(v.Revocation, v.Now), evidence: v.Evidence, requireRevocation: v.RequireRevocation,
		plugins: v.Plugins, pluginConfig: v.PluginConfig, asked: new(asked), running: new(running),
	}
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

// trial is the judgement of one envelope whose signature holds.
type trial struct {
	*judge
	verified *envelope.Verified
	content  envelope.Content
	verdict  *SignatureVerdict

	store     trust.StoreRef      // that holds the root
	rootFault *Finding            // why the chain does not lead to a trusted root; nil: it does
	stamp     *timestamp.Info     // of a time stamp that is good; nil: none was looked for or found
	answer    plugin.Verification // of the verification plugin; empty: not asked
}

// envelope decides about one envelope. Once its signature holds, every check
// that needs nothing but what is at hand is made whatever the others say:
// whoever has to mend something should learn of everything at once. Plugins are
// run and the network is asked only if all of these are good.
func (j *judge) envelope(ctx context.Context, mediaType string, raw []byte, artifact oci.Descriptor) SignatureVerdict {
	verified, err := open(mediaType, raw, j.facts())
	if err != nil {
		return j.broken(mediaType, err)
	}
	return j.verified(ctx, mediaType, verified, artifact)
}

// broken is the verdict on an envelope that does not hold by itself.
func (j *judge) broken(mediaType string, err error) SignatureVerdict {
	return j.unread(SignatureVerdict{MediaType: mediaType}, foundError(CheckIntegrity, Failed, err, reason.EnvelopeSignature))
}

// verified decides about an envelope whose signature holds.
func (j *judge) verified(ctx context.Context, mediaType string, verified *envelope.Verified, artifact oci.Descriptor) SignatureVerdict {
	s := SignatureVerdict{MediaType: mediaType}
	t := &trial{judge: j, verified: verified, content: verified.Content(), verdict: &s}
	s.describe(&t.content)
	t.findRoot()
	s.Findings = append(make([]Finding, 0, 6),
		t.integrity(artifact),
		t.act(trust.Authenticity, t.authenticity()),
		t.act(trust.AuthenticTimestamp, t.authenticTimestamp()),
		t.act(trust.Expiry, t.expiry()),
		Finding{Check: CheckRevocation, Outcome: Skipped, Reason: reason.VerifyNotReached, Message: "not asked, as the signature is not good enough anyway"},
	)
	if len(j.metadata) > 0 {
		s.Findings = append(s.Findings, t.userMetadata())
	}
	if t.content.VerificationPlugin != "" {
		t.consult(ctx)
	}
	if s.outcome() == Passed {
		s.Findings[indexRevocation] = t.act(trust.Revocation, t.notRevoked(ctx))
	}
	if s.Store == "" && size(s.Metadata) > maxMetadataBytes {
		s.Metadata = nil // anyone can sign as much as he likes
	}
	s.Outcome = s.outcome()
	return s
}

// The places of findings that are made anew after the others.
const (
	indexIntegrity    = 0
	indexAuthenticity = 1
	indexTimestamp    = 2
	indexRevocation   = 4
)

// outcome returns what the findings amount to.
func (s *SignatureVerdict) outcome() Outcome {
	switch {
	case s.first(Failed) >= 0:
		return Failed
	case s.first(Undecided) >= 0:
		return Undecided
	}
	return Passed
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
func open(mediaType string, raw []byte, facts certchain.Facts) (*envelope.Verified, error) {
	unverified, err := envelope.ParseKnown(mediaType, raw, facts)
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
	s.Fingerprint = fingerprint(leaf)
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
	s.CertificateExpiry = firstEnd(c.Chain)
	s.Metadata = c.Target.Annotations
}

// firstEnd returns when the first certificate of a chain ends.
func firstEnd(chain []*x509.Certificate) time.Time {
	end := chain[0].NotAfter
	for _, c := range chain[1:] {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end.UTC()
}

// fingerprint returns the SHA-256 of a certificate in lower-case hex.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

package notation

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// integrity says whether an envelope whose signature holds was made for this
// artifact and asks for nothing that is not understood. It is always enforced:
// an attribute that the signer marked critical must not be passed over by a
// policy that merely logs.
//
// What a signature demands of a verification plugin is for consult.
func (t *trial) integrity(artifact oci.Descriptor) Finding {
	c := &t.content
	if fault := otherArtifact(&c.Target, &artifact); fault != nil {
		if t.claimed && c.Target.Digest == artifact.Digest {
			return found(CheckIntegrity, Undecided, reason.Wrap(reason.VerifyArtifactClaim, fault,
				"what the registry says about the artifact contradicts the signature").
				WithHint("Check that the registry answers for the artifact as it was pushed, then try again."))
		}
		return found(CheckIntegrity, Failed, fault)
	}
	if unknown := critical(c.Extended); len(unknown) > 0 && c.VerificationPlugin == "" {
		return found(CheckIntegrity, Failed, unknownAttributes(unknown).
			WithHint("Ask the signer for a signature without these attributes."))
	}
	return passed(CheckIntegrity, "signed with "+c.Algorithm.String())
}

// critical returns the names of the critical attributes.
func critical(attributes []envelope.Attribute) []string {
	var names []string
	for _, a := range attributes {
		if a.Critical {
			names = append(names, a.Key)
		}
	}
	return names
}

func unknownAttributes(names []string) *reason.Error {
	shown := make([]quoted, len(names))
	for i, name := range names {
		shown[i] = quoted(name)
	}
	return reason.Errorf(reason.VerifyCriticalAttribute, "the signature marks as critical what is not known here: %s", list(shown))
}

// otherArtifact compares what was signed with the artifact in question. The
// artifact type is compared where both say one: a registry often tells none.
func otherArtifact(target, artifact *oci.Descriptor) *reason.Error {
	mismatch := func(what, signed, actual string) *reason.Error {
		return reason.Errorf(reason.VerifyOtherArtifact, "the signature is for another artifact: its %s is %s, not %s", what, quote(signed), quote(actual)).
			WithHint("Sign this artifact; a signature cannot be moved from one artifact to another.")
	}
	switch {
	case artifact.Digest == "" || target.Digest != artifact.Digest:
		return mismatch("digest", string(target.Digest), string(artifact.Digest))
	case target.Size != artifact.Size:
		return mismatch("size", strconv.FormatInt(target.Size, 10), strconv.FormatInt(artifact.Size, 10))
	case target.MediaType != artifact.MediaType:
		return mismatch("media type", target.MediaType, artifact.MediaType)
	case target.ArtifactType != "" && artifact.ArtifactType != "" && target.ArtifactType != artifact.ArtifactType:
		return mismatch("artifact type", target.ArtifactType, artifact.ArtifactType)
	}
	return nil
}

// storeTypeFor returns the only type of trust store that may anchor signatures
// of a scheme; for any other scheme the zero value, of which there is no store.
func storeTypeFor(s envelope.Scheme) trust.StoreType {
	switch s {
	case envelope.SchemeX509:
		return trust.CA
	case envelope.SchemeSigningAuthority:
		return trust.SigningAuthority
	}
	return 0
}

// findRoot looks whether the chain ends in a trusted root. Until it does, its
// certificates, and the addresses in them, are anybody's.
func (t *trial) findRoot() {
	chain, want := t.content.Chain, storeTypeFor(t.content.Scheme)
	root := chain[len(chain)-1]
	store, ok, err := t.stores.Find(t.statement.Stores(want), root)
	fault := Finding{}
	switch {
	case err != nil:
		fault = foundError(CheckAuthenticity, unloaded(err), err, reason.StoreUnreadable)
	case !ok:
		fault = found(CheckAuthenticity, Failed, t.untrustedRoot(t.verdict, want, root))
	default:
		t.store = store
		return
	}
	t.rootFault = &fault
}

// authenticity says whether the chain ends in a trusted root and the signer is
// a trusted identity, and records both in the verdict if so.
func (t *trial) authenticity() Finding {
	if t.rootFault != nil {
		return *t.rootFault
	}
	identity, ok, err := t.statement.MatchIdentity(t.content.Chain[0])
	switch {
	case err != nil:
		return foundError(CheckAuthenticity, Failed, err, reason.VerifyIdentityUntrusted)
	case !ok:
		return found(CheckAuthenticity, Failed, t.untrustedIdentity(t.verdict, t.content.Chain[0]))
	}
	t.verdict.Store, t.verdict.Identity = t.store.String(), identity.String()
	return passed(CheckAuthenticity, "root in "+t.verdict.Store+", identity "+t.verdict.Identity)
}

// unloaded tells a trust store that is no good, which is a no, from one that
// could not be read.
func unloaded(err error) Outcome {
	if trust.IsUnreadable(err) {
		return Undecided
	}
	return Failed
}

// untrustedIdentity names both sides, and the identity to add where the signer's
// subject can be one.
func (j *judge) untrustedIdentity(s *SignatureVerdict, leaf *x509.Certificate) *reason.Error {
	fault := reason.Errorf(reason.VerifyIdentityUntrusted, "the signer %s is none of the trusted identities of the statement %q: %s",
		s.Subject, j.statement.Name(), list(j.statement.Identities()))
	subject, err := dn.FromDER(leaf.RawSubject) // all of it: s.Subject may be shortened
	if err != nil {
		return fault
	}
	if missing := subject.Missing(); len(missing) > 0 {
		return fault.WithHint("Ask the signer for a certificate whose subject has %s, which a trusted identity must name.", strings.Join(missing, ", "))
	}
	id, err := trust.ParseIdentity("x509.subject: " + subject.String())
	if err != nil || len(id.String()) > maxHintedIdentity {
		return fault.WithHint("If this signer is to be trusted, add a trusted identity with C, ST, O and more of its subject to the statement.")
	}
	return fault.WithHint("If this signer is to be trusted, add the trusted identity %q to the statement.", id)
}

// untrustedRoot says as exactly as possible why no store vouches for the root.
func (j *judge) untrustedRoot(s *SignatureVerdict, want trust.StoreType, root *x509.Certificate) *reason.Error {
	if elsewhere, ok, _ := j.stores.Find(j.statement.Stores(), root); ok {
		return reason.Errorf(reason.VerifyStoreType,
			"the root %s is in the trust store %s, but signatures of the scheme %s are judged by stores of the type %s only", s.Root, elsewhere, s.Scheme, want).
			WithHint("If this root is to be trusted for that scheme, add it to a store of the type %s that the statement names.", want)
	}
	hint := fmt.Sprintf("If signatures under this root are to be trusted, add its certificate to a store of the type %s that the statement names.", want)
	for _, ref := range j.statement.Stores(want) {
		certs, _, _ := j.stores.Load(ref)
		for _, cert := range certs {
			if bytes.Equal(cert.RawSubject, root.RawSubject) {
				return reason.Errorf(reason.VerifyRootUntrusted,
					"the root %s is not the certificate of that name in the trust store %s", s.Root, ref).WithHint("%s", hint)
			}
		}
	}
	return reason.Errorf(reason.VerifyRootUntrusted,
		"the root %s is in no trust store of the type %s that the statement %q names", s.Root, want, j.statement.Name()).WithHint("%s", hint)
}

// authenticTimestamp says whether every certificate was valid when the
// signature was made, as far as an authentic time tells: the time that a
// signing authority vouches for, that of a time stamp, or else now.
func (t *trial) authenticTimestamp() Finding {
	c := &t.content
	if c.Scheme == envelope.SchemeSigningAuthority {
		if c.SigningTime.After(t.at) { // nobody can vouch for what has not been
			return found(CheckAuthenticTimestamp, Failed, reason.Errorf(reason.VerifyFutureTime,
				"the authentic signing time %s is later than now", printedTime(c.SigningTime)).
				WithHint("Check the clock of this machine; if it is right, do not trust this signing authority."))
		}
		return validAt(c.Chain, c.SigningTime, "at the authentic signing time")
	}
	if t.timestamps && (!t.statement.TimestampAfterCertExpiry() || anyExpired(c.Chain, t.at)) {
		return t.timestamp()
	}
	return validAt(c.Chain, t.at, "now")
}

func validAt(chain []*x509.Certificate, at time.Time, when string) Finding {
	if err := certchain.ValidAt(chain, at); err != nil {
		return foundError(CheckAuthenticTimestamp, Failed, err, reason.CertExpired)
	}
	return passed(CheckAuthenticTimestamp, "all certificates are valid "+when)
}

// anyExpired counts the whole last second of a certificate as valid, as
// certchain.ValidAt does.
func anyExpired(chain []*x509.Certificate, at time.Time) bool {
	at = at.Truncate(time.Second)
	return slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return at.After(c.NotAfter) })
}

// expiry says whether the signature's own expiry has passed. As with the "exp"
// of RFC 7519 section 4.1.4, the very instant of the expiry is too late.
func (t *trial) expiry() Finding {
	c := &t.content
	switch {
	case c.Expiry.IsZero():
		return passed(CheckExpiry, "the signature does not expire")
	case t.at.Before(c.Expiry):
		return passed(CheckExpiry, "expires at "+printedTime(c.Expiry))
	}
	return found(CheckExpiry, Failed, reason.Errorf(reason.VerifyExpired,
		"the signature expired at %s", printedTime(c.Expiry)).
		WithHint("Have the artifact signed again."))
}

// userMetadata says whether the signed metadata holds what the caller asks for.
func (t *trial) userMetadata() Finding {
	var missing []quoted
	for _, key := range slices.Sorted(maps.Keys(t.metadata)) {
		if value, ok := t.content.Target.Annotations[key]; !ok || value != t.metadata[key] {
			missing = append(missing, quoted(key))
		}
	}
	if len(missing) > 0 {
		return found(CheckMetadata, Failed, reason.Errorf(reason.VerifyMetadata,
			"the signed metadata lacks, or has another value for: %s", list(missing)).
			WithHint("Compare with the metadata that the signature holds, or verify without asking for it."))
	}
	return passed(CheckMetadata, "all the metadata asked for was signed")
}

func printedTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

package notation

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
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
func (j *judge) integrity(c *envelope.Content, artifact oci.Descriptor) Finding {
	if fault := otherArtifact(&c.Target, &artifact); fault != nil {
		if j.claimed && c.Target.Digest == artifact.Digest {
			return found(CheckIntegrity, Undecided, reason.Wrap(reason.VerifyArtifactClaim, fault,
				"what the registry says about the artifact contradicts the signature").
				WithHint("Check that the registry answers for the artifact as it was pushed, then try again."))
		}
		return found(CheckIntegrity, Failed, fault)
	}
	if c.VerificationPlugin != "" {
		return found(CheckIntegrity, Failed, reason.Errorf(reason.VerifyPluginUnavailable,
			"the signature demands the verification plugin %s, and plugins are not supported", quote(c.VerificationPlugin)).
			WithHint("Ask the signer for a signature that needs no verification plugin."))
	}
	var unknown []quoted
	for _, a := range c.Extended {
		if a.Critical {
			unknown = append(unknown, quoted(a.Key))
		}
	}
	if len(unknown) > 0 {
		return found(CheckIntegrity, Failed, reason.Errorf(reason.VerifyCriticalAttribute,
			"the signature marks as critical what this program does not know: %s", list(unknown)).
			WithHint("Ask the signer for a signature without these attributes."))
	}
	return passed(CheckIntegrity, "signed with "+c.Algorithm.String())
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

// authenticity says whether the chain ends in a trusted root and the signer is
// a trusted identity, and records both in s if so.
func (j *judge) authenticity(s *SignatureVerdict, c *envelope.Content) Finding {
	root, want := c.Chain[len(c.Chain)-1], storeTypeFor(c.Scheme)
	store, ok, err := j.stores.Find(j.statement.Stores(want), root)
	switch {
	case err != nil:
		return foundError(CheckAuthenticity, unloaded(err), err, reason.StoreUnreadable)
	case !ok:
		return found(CheckAuthenticity, Failed, j.untrustedRoot(s, want, root))
	}
	identity, ok, err := j.statement.MatchIdentity(c.Chain[0])
	switch {
	case err != nil:
		return foundError(CheckAuthenticity, Failed, err, reason.VerifyIdentityUntrusted)
	case !ok:
		return found(CheckAuthenticity, Failed, j.untrustedIdentity(s, c.Chain[0]))
	}
	s.Store, s.Identity = store.String(), identity.String()
	return passed(CheckAuthenticity, "root in "+s.Store+", identity "+s.Identity)
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
// signing authority vouches for, or else now.
func (j *judge) authenticTimestamp(c *envelope.Content) Finding {
	if c.Scheme == envelope.SchemeSigningAuthority {
		if c.SigningTime.After(j.at) { // nobody can vouch for what has not been
			return found(CheckAuthenticTimestamp, Failed, reason.Errorf(reason.VerifyFutureTime,
				"the authentic signing time %s is later than now", c.SigningTime.UTC().Format(time.RFC3339)).
				WithHint("Check the clock of this machine; if it is right, do not trust this signing authority."))
		}
		return validAt(c.Chain, c.SigningTime, "at the authentic signing time")
	}
	if j.timestamps && (!j.statement.TimestampAfterCertExpiry() || anyExpired(c.Chain, j.at)) {
		return j.timestamp(c)
	}
	return validAt(c.Chain, j.at, "now")
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

// timestamp stands where a time-stamp token will be judged.
func (j *judge) timestamp(c *envelope.Content) Finding {
	if len(c.Timestamp) == 0 {
		return found(CheckAuthenticTimestamp, Failed, reason.Errorf(reason.VerifyTimestampMissing,
			"the statement %q demands a time stamp, and the signature has none", j.statement.Name()).
			WithHint("Have the artifact signed with a time stamp, or set verifyTimestamp to afterCertExpiry."))
	}
	return found(CheckAuthenticTimestamp, Failed, reason.Errorf(reason.VerifyTimestampUnavailable,
		"the statement %q demands a time stamp, and this version cannot verify the one in the signature", j.statement.Name()).
		WithHint("Remove the tsa stores from the statement to judge certificates by the present time."))
}

// expiry says whether the signature's own expiry has passed. As with the "exp"
// of RFC 7519 section 4.1.4, the very instant of the expiry is too late.
func (j *judge) expiry(c *envelope.Content) Finding {
	switch {
	case c.Expiry.IsZero():
		return passed(CheckExpiry, "the signature does not expire")
	case j.at.Before(c.Expiry):
		return passed(CheckExpiry, "expires at "+c.Expiry.UTC().Format(time.RFC3339))
	}
	return found(CheckExpiry, Failed, reason.Errorf(reason.VerifyExpired,
		"the signature expired at %s", c.Expiry.UTC().Format(time.RFC3339)).
		WithHint("Have the artifact signed again."))
}

// revocation tells chains that name no way to ask from those that do. Live
// checks are not part of this version.
func (j *judge) revocation(c *envelope.Content) Finding {
	if j.statement.Action(trust.Revocation) == trust.Skip {
		return Finding{
			Check: CheckRevocation, Outcome: Skipped, Reason: reason.VerifySkippedByPolicy,
			Message: "the statement " + strconv.Quote(j.statement.Name()) + " skips this check",
		}
	}
	for i, cert := range c.Chain[:len(c.Chain)-1] {
		if namesRevocationSource(cert) {
			return found(CheckRevocation, Failed, reason.Errorf(reason.VerifyRevocationUnavailable,
				"certificate %d of the chain names an OCSP responder or a CRL, and this version cannot ask it", i+1).
				WithHint("Set the override \"revocation\" of the statement to log or skip."))
		}
	}
	return Finding{
		Check: CheckRevocation, Outcome: Skipped, Reason: reason.VerifyRevocationNoSource,
		Message: "not checked: no certificate names an OCSP responder or a CRL",
	}
}

// oidCRLDistributionPoints is from RFC 5280 section 4.2.1.13. The arcs are a
// function's, as a slice cannot be constant.
func oidCRLDistributionPoints() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 31} }

// namesRevocationSource reports whether a certificate says how its revocation
// can be checked. Distribution points that name no URI count as well: there is
// a way, even if it is not ours.
func namesRevocationSource(cert *x509.Certificate) bool {
	if len(cert.OCSPServer) > 0 || len(cert.CRLDistributionPoints) > 0 {
		return true
	}
	oid := oidCRLDistributionPoints()
	for i := range cert.Extensions {
		if cert.Extensions[i].Id.Equal(oid) {
			return true
		}
	}
	return false
}

// userMetadata says whether the signed metadata holds what the caller asks for.
func (j *judge) userMetadata(c *envelope.Content) Finding {
	var missing []quoted
	for _, key := range slices.Sorted(maps.Keys(j.metadata)) {
		if value, ok := c.Target.Annotations[key]; !ok || value != j.metadata[key] {
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

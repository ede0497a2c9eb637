package notation

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/timestamp"
)

// AttachOptions say how to attach a signature. The zero value attaches it as it
// is.
type AttachOptions struct {
	// Timestamp asks an authority for a time stamp, before anything is stored,
	// unless the signature has one that leads to the roots of the client; nil:
	// the signature stays as it is. Its field Revocation may be nil.
	Timestamp *timestamp.Client
	// Revocation learns whether the certificates of the time-stamping authority
	// were revoked; nil: live OCSP, then CRL.
	Revocation revocation.Checker
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// AttachedSignature says what AttachSignature has done.
type AttachedSignature struct {
	Artifact  oci.Descriptor // what was signed
	Signature oci.Descriptor // the signature manifest
	Envelope  oci.Descriptor // the one layer of it
	Timestamp *Timestamp     // that was asked for and is there; Store is empty
	// Already says that the signature was attached before. Nothing was stored.
	Already bool
	// Warnings say why verifiers may not accept the signature: it has expired, or
	// a certificate of its signer has.
	Warnings []error
}

// CheckArtifact reports whether the signature is for an artifact: media type,
// digest and size are the same, and so is the artifact type where both say one.
// The error has the code sign.other-artifact.
func (d *DetachedSignature) CheckArtifact(artifact oci.Descriptor) error {
	if fault := otherArtifact(&d.signed.claims.Target, &artifact); fault != nil {
		return reason.Wrap(reason.SignOtherArtifact, fault, "the signature cannot be attached to %s", quote(string(artifact.Digest))).
			WithHint("Name the artifact that was signed, %s, or have this one signed.", d.signed.claims.Target.Digest)
	}
	return nil
}

// AttachSignature stores a signature that was made elsewhere beside the artifact
// that ref names in repo, as [Sign] stores its own, and reads it back. It must
// be for exactly that artifact.
//
// A signature that is attached already is not stored again: the same bare
// signature over the same payload, under the same certificates, with the time stamp that this one has or, if
// one is asked for, with one that leads to the same roots. If the signatures that
// are there cannot all be looked at, nothing is stored.
//
// Errors have the codes sign.other-artifact and sign.timestamp, those of the time
// stamp, and those of repo.
func AttachSignature(ctx context.Context, repo oci.Repository, ref oci.Reference, d *DetachedSignature, o AttachOptions) (AttachedSignature, error) {
	if d == nil || len(d.signed.raw) == 0 {
		return AttachedSignature{}, reason.Errorf(reason.SignDetached, "there is no signature to attach").WithHint("Give one that OpenSignature has returned.")
	}
	if fault := checkReference(repo, ref); fault != nil {
		return AttachedSignature{}, fault
	}
	if o.Timestamp != nil && d.signed.claims.Scheme == envelope.SchemeSigningAuthority {
		return AttachedSignature{}, uselessStamp()
	}
	there, err := discover(ctx, repo, ref, false)
	if err != nil {
		return AttachedSignature{}, err
	}
	if err := d.CheckStored(ctx, repo, there.artifact); err != nil {
		return AttachedSignature{}, err
	}
	a := &attacher{signed: d.signed, now: clockTime(o.Now), stamper: &stamper{
		client: o.Timestamp, revocation: o.Revocation, clock: o.Now, lost: "nothing was attached",
	}}
	chain := a.signed.claims.Chain
	found, err := lookForExisting(ctx, repo, there.artifact, chain[len(chain)-1], there, a.same)
	if err != nil {
		return AttachedSignature{}, reason.Wrap(reason.Of(err), err, "it cannot be said whether the signature is attached already, so it was not attached").
			WithHint("%s", reason.Hint(err))
	}
	result := AttachedSignature{Artifact: d.Artifact(), Warnings: a.warnings()}
	if found != nil {
		result.Signature, result.Envelope, result.Timestamp, result.Already = found.manifest, found.envelope, found.stamp, true
		return result, nil
	}
	if err := a.stamp(ctx); err != nil {
		return AttachedSignature{}, err
	}
	attached, err := repo.Attach(ctx, ref.WithDigest(there.artifact.Digest), func(subject oci.Descriptor) (oci.Attachment, error) {
		if err := d.CheckArtifact(subject); err != nil {
			return oci.Attachment{}, err
		}
		return a.signed.attachment(subject, a.now)
	})
	if err != nil {
		return AttachedSignature{}, err
	}
	result.Signature, result.Envelope, result.Timestamp = attached.Manifest, a.signed.layer(), a.signed.stamp
	return result, nil
}

// CheckStored is [DetachedSignature.CheckArtifact] for an artifact of repo, and
// looks into its manifest where only that can tell the artifact type that was
// signed. Other errors are those of repo and of [oci.CheckManifest].
func (d *DetachedSignature) CheckStored(ctx context.Context, repo oci.Repository, artifact oci.Descriptor) error {
	if err := d.CheckArtifact(artifact); err != nil || d.signed.claims.Target.ArtifactType == "" || artifact.ArtifactType != "" {
		return err
	}
	raw, err := repo.Fetch(ctx, artifact, oci.MaxManifestSize)
	if err != nil {
		return err
	}
	m, err := oci.CheckManifest(artifact, raw)
	if err != nil {
		return err
	}
	artifact.ArtifactType = m.ArtifactType
	if artifact.ArtifactType == "" {
		artifact.ArtifactType = "none" // which no artifact type is
	}
	return d.CheckArtifact(artifact)
}

// attacher attaches one signature.
type attacher struct {
	signed  signed
	stamper *stamper
	now     time.Time
}

// stamp sees to it that the signature has the time stamp that is asked for.
func (a *attacher) stamp(ctx context.Context) error {
	if token := a.signed.claims.Timestamp; a.stamper.client != nil && token != nil {
		if stamp, err := a.stamper.verify(&a.signed.claims, token); err == nil {
			a.signed.stamp = stamp
			return nil
		}
	}
	return a.stamper.countersign(ctx, &a.signed)
}

// same reports whether a signature that is there is this one. The certificates are
// not signed: others for the same key would hold as well, and lead to a root that
// no verifier trusts.
func (a *attacher) same(_ context.Context, other *attached) (bool, error) {
	verified, err := open(other.envelope.MediaType, other.raw, certchain.Facts{})
	if err != nil {
		return false, nil
	}
	c, own := verified.Content(), &a.signed.claims
	if other.envelope.MediaType != a.signed.mediaType || !bytes.Equal(c.Signature, own.Signature) || !bytes.Equal(c.Payload, own.Payload) ||
		!slices.EqualFunc(c.Chain, own.Chain, (*x509.Certificate).Equal) {
		return false, nil
	}
	if a.stamper.client == nil {
		return own.Timestamp == nil || bytes.Equal(c.Timestamp, own.Timestamp), nil
	}
	if c.Timestamp == nil {
		return false, nil
	}
	other.stamp, err = a.stamper.verify(&c, c.Timestamp)
	return err == nil, nil
}

// warnings say what verifiers will not like.
func (a *attacher) warnings() []error {
	c := &a.signed.claims
	var all []error
	if !c.Expiry.IsZero() && !a.now.Before(c.Expiry) {
		all = append(all, reason.Errorf(reason.VerifyExpired, "the signature expired at %s", printedTime(c.Expiry)).WithHint("Have the artifact signed again."))
	}
	if c.Scheme == envelope.SchemeX509 && c.Timestamp == nil {
		if err := certchain.ValidAt(c.Chain, a.now); err != nil {
			all = append(all, err)
		}
	}
	return all
}

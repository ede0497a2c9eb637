package notation

import (
	"context"
	"crypto/sha256"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/timestamp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// defaultAgent is what an envelope says about who made it, unless the caller
// says otherwise. Nobody relies on it.
const defaultAgent = "notation"

// SignOptions says how to sign. The zero value signs in JWS, without expiry
// and without metadata.
type SignOptions struct {
	// MediaType of the envelope: envelope.MediaTypeJWS, which is the default,
	// or envelope.MediaTypeCOSE.
	MediaType string
	// Expiry of the signature after its signing time, in whole seconds; 0: none.
	Expiry time.Duration
	// Metadata is signed. Keys must not be empty nor begin with
	// "io.cncf.notary"; there may be 100 entries of 16 KiB together.
	Metadata map[string]string
	// Scheme is the signing scheme; 0: envelope.SchemeX509. With
	// envelope.SchemeSigningAuthority the signer vouches for the signing time,
	// and a time stamp cannot be asked for.
	Scheme envelope.Scheme
	// Timestamp asks an authority for a time stamp of the signature, before
	// anything is stored; nil: there is none. Its field Revocation may be nil.
	Timestamp *timestamp.Client
	// Revocation learns whether the certificates of the time-stamping authority
	// were revoked; nil: live OCSP, then CRL.
	Revocation revocation.Checker
	// VerificationPlugin names the plugin that verifiers must run, and
	// PluginMinVersion its lowest version (SemVer); "": none, and any.
	VerificationPlugin, PluginMinVersion string
	// Extended attributes are signed. Critical ones need a VerificationPlugin.
	Extended []envelope.Attribute
	// Agent names the signing program and its version, "notation/1.0.0". It is
	// not signed and never validated. "": a name of this library.
	Agent string
	// Now is the clock; nil: time.Now. The signing time is in whole seconds.
	Now func() time.Time
}

// Signed says what Sign has made.
type Signed struct {
	Artifact  oci.Descriptor // what was signed
	Signature oci.Descriptor // the signature manifest
	Envelope  oci.Descriptor // the one layer of it
	Timestamp *Timestamp     // nil: none was asked for; Store is empty
}

// Sign resolves ref in repo once, signs what it names with key and attaches the
// signature. The artifact and its tags stay as they are.
//
// What is signed is the artifact's media type, digest, size and, where repo
// tells it, artifact type, with the user's metadata; see specs/payload.md. What
// was stored is read back by the way a verifier takes: an error means that the
// artifact must not be taken as signed by this call.
//
// A time stamp is asked for before anything is stored: if no authority gives a
// good one, the repository stays as it was.
//
// Options are checked before anything is requested; errors of theirs have codes
// "sign.*". Others are those of repo and key.
func Sign(ctx context.Context, repo oci.Repository, ref oci.Reference, key signer.Signer, o SignOptions) (Signed, error) {
	request, err := o.request()
	if err != nil {
		return Signed{}, err
	}
	if fault := checkReference(repo, ref); fault != nil {
		return Signed{}, fault
	}
	if key == nil {
		return Signed{}, noKey()
	}
	var layer oci.Descriptor
	var stamp *Timestamp
	attached, err := repo.Attach(ctx, ref, func(subject oci.Descriptor) (oci.Attachment, error) {
		r := request
		r.Target = bare(subject)
		r.Target.Annotations = maps.Clone(o.Metadata)
		env, err := o.sign(ctx, key.Sign, r)
		if err != nil {
			return oci.Attachment{}, err
		}
		stamp = env.stamp
		layer = oci.Descriptor{MediaType: r.MediaType, Digest: digest.FromBytes(env.raw), Size: int64(len(env.raw))}
		annotations := map[string]string{
			oci.AnnotationThumbprints: oci.FormatThumbprints(env.thumbprints),
			ocispec.AnnotationCreated: r.SigningTime.Format(time.RFC3339),
		}
		for k, v := range env.annotations {
			if _, ours := annotations[k]; !ours {
				annotations[k] = v
			}
		}
		return oci.NewSignatureAttachment(subject, r.MediaType, env.raw, annotations)
	})
	if err != nil {
		return Signed{}, err
	}
	return Signed{Artifact: bare(attached.Subject), Signature: attached.Manifest, Envelope: layer, Timestamp: stamp}, nil
}

// request checks the options and turns them into a request without target.
func (o *SignOptions) request() (envelope.Request, error) {
	mediaType := o.MediaType
	switch mediaType {
	case "":
		mediaType = envelope.MediaTypeJWS
	case envelope.MediaTypeJWS, envelope.MediaTypeCOSE:
	default:
		return envelope.Request{}, reason.Errorf(reason.SignMediaType, "%s is no media type of a signature envelope", quote(mediaType)).
			WithHint("Use %s or %s.", envelope.MediaTypeJWS, envelope.MediaTypeCOSE)
	}
	if o.Expiry < 0 || o.Expiry%time.Second != 0 {
		return envelope.Request{}, reason.Errorf(reason.SignExpiry, "the expiry %s is not a positive number of whole seconds", o.Expiry).
			WithHint("Use a duration such as 24h.")
	}
	if err := checkMetadata(o.Metadata); err != nil {
		return envelope.Request{}, err
	}
	agent := o.Agent
	if agent == "" {
		agent = defaultAgent
	}
	if len(agent) > maxAgentBytes || !utf8.ValidString(agent) {
		return envelope.Request{}, reason.Errorf(reason.SignAgent, "the name of the signing agent is longer than %d bytes or is not UTF-8", maxAgentBytes)
	}
	if o.Scheme == envelope.SchemeSigningAuthority && o.Timestamp != nil {
		return envelope.Request{}, uselessStamp()
	}
	r := envelope.Request{
		MediaType: mediaType, Scheme: o.Scheme, SigningTime: o.now().Truncate(time.Second), Agent: agent,
		VerificationPlugin: o.VerificationPlugin, PluginMinVersion: o.PluginMinVersion, Extended: o.Extended,
	}
	if o.Expiry > 0 {
		r.Expiry = r.SigningTime.Add(o.Expiry)
	}
	return r, nil
}

func (o *SignOptions) now() time.Time {
	if o.Now == nil {
		return time.Now().UTC()
	}
	return o.Now().UTC()
}

// checkMetadata refuses metadata that could not be told from the format's own
// annotations, or that would not stay small.
func checkMetadata(metadata map[string]string) error {
	if len(metadata) > maxMetadata {
		return reason.Errorf(reason.SignMetadata, "there are %d entries of user metadata, more than the limit of %d", len(metadata), maxMetadata)
	}
	total := 0
	for key, value := range metadata {
		total += len(key) + len(value)
		switch {
		case key == "":
			return reason.Errorf(reason.SignMetadata, "an entry of the user metadata has no key").WithHint("Write KEY=VALUE.")
		case strings.HasPrefix(key, reservedPrefix):
			return reason.Errorf(reason.SignMetadataReserved, "the metadata key %s begins with %q, which is reserved", quote(key), reservedPrefix).
				WithHint("Choose another key.")
		case !utf8.ValidString(key) || !utf8.ValidString(value):
			return reason.Errorf(reason.SignMetadata, "the metadata entry %s is not UTF-8", quote(key))
		}
	}
	if total > maxMetadataBytes {
		return reason.Errorf(reason.SignMetadata, "the user metadata is %d bytes long, more than the limit of %d", total, maxMetadataBytes).
			WithHint("Attach large data as an artifact of its own and sign that.")
	}
	return nil
}

func noKey() *reason.Error {
	return reason.Errorf(reason.SignerKeyMissing, "there is nothing to sign with").WithHint("Give a Signer.")
}

// uselessStamp is the error where a time stamp is asked for and no verifier
// would look at it.
func uselessStamp() *reason.Error {
	return reason.Errorf(reason.SignTimestamp, "a signature of the scheme %s holds an authentic time, and no verifier looks at a time stamp of it", envelope.SchemeSigningAuthority).
		WithHint("Ask for no time stamp, or sign with the scheme %s.", envelope.SchemeX509)
}

// signed is an envelope that was read, and what goes with it.
type signed struct {
	raw         []byte
	thumbprints []oci.Thumbprint
	annotations map[string]string // for the manifest
	stamp       *Timestamp
}

// sign has a Signer sign r and verifies what it returned. A Signer may be
// anyone's, so the signature must hold and be for what was asked. Then it asks
// for the time stamp.
func (o *SignOptions) sign(ctx context.Context, do func(context.Context, envelope.Request) (signer.Result, error), r envelope.Request) (signed, error) {
	result, err := do(ctx, r)
	if err != nil {
		return signed{}, err
	}
	verified, err := open(r.MediaType, result.Envelope)
	if err != nil {
		return signed{}, err
	}
	claims := verified.Content()
	if otherArtifact(&claims.Target, &r.Target) != nil || !extends(claims.Target.Annotations, r.Target.Annotations) || !meets(&claims, &r) {
		return signed{}, reason.Errorf(reason.SignOtherTarget, "the signer returned a signature for something else than it was asked to sign").
			WithHint("Do not use this signer.")
	}
	s := signed{raw: result.Envelope, annotations: result.Annotations, thumbprints: make([]oci.Thumbprint, len(claims.Chain))}
	for i, cert := range claims.Chain {
		s.thumbprints[i] = sha256.Sum256(cert.Raw)
	}
	if o.Timestamp == nil {
		return s, nil
	}
	err = o.countersign(ctx, &s, &claims)
	return s, err
}

// extends reports whether signed metadata is what was asked for. A plugin that
// makes whole envelopes may add to it, but not under the names of the format.
func extends(signed, asked map[string]string) bool {
	for key, value := range asked {
		if got, ok := signed[key]; !ok || got != value {
			return false
		}
	}
	for key := range signed {
		if _, ok := asked[key]; !ok && strings.HasPrefix(key, reservedPrefix) {
			return false
		}
	}
	return true
}

// meets reports whether an envelope has the signed attributes that were asked
// for. It may have more, as the choice of a plugin.
func meets(c *envelope.Content, r *envelope.Request) bool {
	if r.Scheme != 0 && c.Scheme != r.Scheme || !r.Expiry.IsZero() && c.Expiry.IsZero() ||
		r.VerificationPlugin != "" && c.VerificationPlugin != r.VerificationPlugin ||
		r.PluginMinVersion != "" && c.PluginMinVersion != r.PluginMinVersion {
		return false
	}
	for _, asked := range r.Extended {
		if !slices.ContainsFunc(c.Extended, func(a envelope.Attribute) bool {
			return a.Key == asked.Key && a.Critical == asked.Critical && reflect.DeepEqual(a.Value, asked.Value)
		}) {
			return false
		}
	}
	return true
}

// countersign has an authority put its time stamp on the signature.
func (o *SignOptions) countersign(ctx context.Context, s *signed, claims *envelope.Content) error {
	if claims.Scheme == envelope.SchemeSigningAuthority { // the choice of a plugin
		return uselessStamp()
	}
	client := *o.Timestamp
	if client.Revocation == nil {
		client.Revocation = refuseRevoked(checkerOr(o.Revocation, o.Now))
	}
	token, err := client.Stamp(ctx, claims.Signature, claims.Algorithm.Hash())
	if err != nil {
		return notStamped(err)
	}
	if s.raw, err = envelope.SetTimestamp(claims.MediaType, s.raw, token); err != nil {
		return err
	}
	// Read again what is to be stored, as a verifier will.
	unverified, err := timestamp.Parse(token)
	if err != nil {
		return err
	}
	verified, err := unverified.Verify(claims.Signature, client.Roots)
	if err != nil {
		return err
	}
	info := verified.Info()
	stamp := newTimestamp(&info)
	if stamp.Earliest.After(o.now().Add(maxClockSkew)) {
		return reason.Errorf(reason.SignTimestamp, "the time stamp is of %s, which is yet to come", printedTime(stamp.Time)).
			WithHint("Check the clock of this machine, or use another time-stamping authority.")
	}
	if err := validThroughout(claims.Chain, stamp.Earliest, stamp.Latest); err != nil {
		return reason.Wrap(reason.SignTimestamp, err, "the time stamp would not help, as the signer's certificates are not valid throughout its time").
			WithHint("Renew the certificate, or check the clock of the time-stamping authority.")
	}
	s.stamp = stamp
	return nil
}

// notStamped is the error where no authority gave a good time stamp. What the
// packages below advise is for verifiers in some cases.
func notStamped(err error) error {
	hint := reason.Hint(err)
	switch code := reason.Of(err); code {
	case reason.TimestampImprint, reason.TimestampSignature, reason.TimestampChain, reason.TimestampChainTime, reason.TimestampCertificate, reason.TimestampRevocation:
		hint = "Use another time-stamping authority, and tell this one."
	}
	return reason.Wrap(reason.Of(err), err, "there is no time stamp, so nothing was signed").WithHint("%s", hint)
}

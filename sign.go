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
	"github.com/notaryv2/notation/internal/certchain"
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
	// SkipIfSigned stores no signature where one is attached already that is as
	// good as the one that would be made; see [Sign]. It plays no part in
	// SignBlob and SignRequest.
	SkipIfSigned bool
	// Cache keeps what is true of certificates for whoever signs with the same
	// options again; nil: nothing is kept. See [Cache].
	Cache *Cache
	// Now is the clock; nil: time.Now. The signing time is in whole seconds.
	Now func() time.Time
}

// facts returns what is known about certificates.
func (o *SignOptions) facts() certchain.Facts {
	if o.Cache == nil {
		return certchain.Facts{}
	}
	return certchain.Facts{Seen: o.Cache.certificates}
}

// Signed says what Sign has made.
type Signed struct {
	Artifact  oci.Descriptor // what was signed
	Signature oci.Descriptor // the signature manifest
	Envelope  oci.Descriptor // the one layer of it
	Timestamp *Timestamp     // nil: none was asked for; Store is empty
	// Skipped says that nothing was signed, as SkipIfSigned demands: Signature
	// and Envelope were there before. Store of Timestamp then means nothing.
	Skipped bool
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
// With SkipIfSigned, a signature that is attached already counts if a strict
// verifier who trusts nothing but the root of key's own chain accepts it now,
// revocation included; its signing certificate has the same subject as key's; it
// has the scheme, metadata and time stamp asked for; and it stays good for at
// least half of Expiry, or does not expire if that is 0; without a time stamp its
// certificates last for at least half of the time that a new one would be good.
// If the signatures cannot all be looked at, and none of the others counts,
// nothing is signed; the error then has a code "verify.*" or one of repo. Two
// callers at the same time may both sign.
//
// Any number of calls may run at the same time, with one key and the repositories
// of one registry client, as long as nobody changes what options refer to; they
// then share connections, tokens and what need be pushed only once. Different
// artifacts do not wait for each other; signatures of one artifact are pushed one
// after another. How many run at a time is for the caller to bound: see
// audit.Pace, which adapts to the registry.
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
	m := &maker{repo: repo, key: key, options: &o, request: request}
	if o.SkipIfSigned {
		found, err := m.lookFor(ctx, ref)
		if err != nil || found.Skipped {
			return found, err
		}
		ref = ref.WithDigest(found.Artifact.Digest)
	}
	attached, err := repo.Attach(ctx, ref, func(subject oci.Descriptor) (oci.Attachment, error) { return m.build(ctx, subject) })
	if err != nil {
		return Signed{}, err
	}
	return Signed{Artifact: bare(attached.Subject), Signature: attached.Manifest, Envelope: m.made.layer(), Timestamp: m.made.stamp}, nil
}

// maker makes one signature for an artifact of a repository.
type maker struct {
	repo    oci.Repository
	key     signer.Signer
	options *SignOptions
	request envelope.Request // without target

	made *signed // once key was asked; without time stamp before build has ended
}

// make has the key sign an artifact, unless it has done so.
func (m *maker) make(ctx context.Context, subject oci.Descriptor) error {
	r := m.request
	r.Target = bare(subject)
	r.Target.Annotations = maps.Clone(m.options.Metadata)
	if m.made != nil {
		// A repository that says one thing now and another then.
		if fault := otherArtifact(&m.made.claims.Target, &r.Target); fault != nil {
			return reason.Wrap(reason.SignOtherTarget, fault, "the repository describes the artifact in two ways").
				WithHint("Check that the registry answers for the artifact as it was pushed, then try again.")
		}
		return nil
	}
	made, err := m.options.primitive(ctx, m.key.Sign, r)
	if err != nil {
		return err
	}
	m.made = &made
	return nil
}

// build makes what is stored.
func (m *maker) build(ctx context.Context, subject oci.Descriptor) (oci.Attachment, error) {
	if err := m.make(ctx, subject); err != nil {
		return oci.Attachment{}, err
	}
	if err := m.options.stamper().countersign(ctx, m.made); err != nil {
		return oci.Attachment{}, err
	}
	return m.made.attachment(subject, m.request.SigningTime)
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
		MediaType: mediaType, Scheme: o.Scheme, SigningTime: clockTime(o.Now).Truncate(time.Second), Agent: agent,
		VerificationPlugin: o.VerificationPlugin, PluginMinVersion: o.PluginMinVersion, Extended: o.Extended,
	}
	if o.Expiry > 0 {
		r.Expiry = r.SigningTime.Add(o.Expiry)
	}
	return r, nil
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

// signed is an envelope whose signature holds, and what goes with it.
type signed struct {
	mediaType   string
	raw         []byte
	claims      envelope.Content
	annotations map[string]string // for the manifest, of the signer's choice
	stamp       *Timestamp        // that was verified
}

// layer returns the descriptor of the envelope.
func (s *signed) layer() oci.Descriptor {
	return oci.Descriptor{MediaType: s.mediaType, Digest: digest.FromBytes(s.raw), Size: int64(len(s.raw))}
}

// attachment returns the envelope as it is stored beside subject.
func (s *signed) attachment(subject oci.Descriptor, created time.Time) (oci.Attachment, error) {
	thumbprints := make([]oci.Thumbprint, len(s.claims.Chain))
	for i, cert := range s.claims.Chain {
		thumbprints[i] = sha256.Sum256(cert.Raw)
	}
	annotations := map[string]string{
		oci.AnnotationThumbprints: oci.FormatThumbprints(thumbprints),
		ocispec.AnnotationCreated: printedTime(created),
	}
	for k, v := range s.annotations {
		if _, ours := annotations[k]; !ours {
			annotations[k] = v
		}
	}
	return oci.NewSignatureAttachment(subject, s.mediaType, s.raw, annotations)
}

// sign has a Signer sign r, and then asks for the time stamp.
func (o *SignOptions) sign(ctx context.Context, do func(context.Context, envelope.Request) (signer.Result, error), r envelope.Request) (signed, error) {
	s, err := o.primitive(ctx, do, r)
	if err != nil {
		return signed{}, err
	}
	err = o.stamper().countersign(ctx, &s)
	return s, err
}

// primitive has a Signer sign r and verifies what it returned. A Signer may be
// anyone's, so the signature must hold and be for what was asked.
func (o *SignOptions) primitive(ctx context.Context, do func(context.Context, envelope.Request) (signer.Result, error), r envelope.Request) (signed, error) {
	result, err := do(ctx, r)
	if err != nil {
		return signed{}, err
	}
	verified, err := open(r.MediaType, result.Envelope, o.facts())
	if err != nil {
		return signed{}, err
	}
	claims := verified.Content()
	if otherArtifact(&claims.Target, &r.Target) != nil || !extends(claims.Target.Annotations, r.Target.Annotations) || !meets(&claims, &r) {
		return signed{}, reason.Errorf(reason.SignOtherTarget, "the signer returned a signature for something else than it was asked to sign").
			WithHint("Do not use this signer.")
	}
	return signed{mediaType: r.MediaType, raw: result.Envelope, claims: claims, annotations: result.Annotations}, nil
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

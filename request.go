package notation

import (
	"context"
	"encoding/base64"
	"maps"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
)

// MediaTypeRequest is the media type of a signing request
// (specs/signing-request.md).
const MediaTypeRequest = "application/vnd.notaryv2.notation.signing-request.v1+json"

// requestVersion is the version of signing requests that is written and read.
const requestVersion = "1.0"

// SigningRequest says what is to be signed by somebody who cannot reach the
// repository. It holds the manifest of the artifact, so that he sees for himself
// what has the digest that he signs. It is immutable; [Prepare] and
// [ParseRequest] give one of which the parts agree. Its zero value asks for
// nothing and is signed by nobody.
type SigningRequest struct {
	requested string
	name      string
	artifact  oci.Descriptor
	metadata  map[string]string
	expiry    time.Duration
	manifest  []byte
	content   RequestContent
}

// PrepareOptions say what else is asked for. The zero value is nothing.
type PrepareOptions struct {
	// Requested is the reference as the user has written it, and Name gives the
	// one with the digest to which it was resolved; "" and nil: what repo and
	// the reference tell. Both are for people to read, and nothing vouches for
	// them.
	Requested string
	Name      func(digest.Digest) string
	// Metadata and Expiry are as in SignOptions.
	Metadata map[string]string
	Expiry   time.Duration
}

// wireRequest is the JSON form.
type wireRequest struct {
	MediaType string            `json:"mediaType"`
	Version   string            `json:"version"`
	Requested string            `json:"requested"`
	Name      string            `json:"name"`
	Target    wireTarget        `json:"targetArtifact"`
	Metadata  map[string]string `json:"userMetadata,omitempty"`
	Expiry    int64             `json:"expirySeconds,omitempty"`
	Manifest  string            `json:"manifest"` // base64
}

type wireTarget struct {
	MediaType    string `json:"mediaType"`
	Digest       string `json:"digest"`
	Size         int64  `json:"size"`
	ArtifactType string `json:"artifactType,omitempty"`
}

// Prepare resolves ref in repo once and fetches the manifest that it names. What
// is asked to be signed is what [Sign] would sign. Nothing is written to repo.
//
// Options are checked before anything is requested; errors of theirs have codes
// "sign.*". Others are those of repo.
func Prepare(ctx context.Context, repo oci.Repository, ref oci.Reference, o PrepareOptions) (*SigningRequest, error) {
	checked := SignOptions{Metadata: o.Metadata, Expiry: o.Expiry}
	if _, err := checked.request(); err != nil {
		return nil, err
	}
	if fault := checkReference(repo, ref); fault != nil {
		return nil, fault
	}
	artifact, err := repo.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	raw, err := repo.Fetch(ctx, artifact, oci.MaxManifestSize)
	if err != nil {
		return nil, err
	}
	r := &SigningRequest{
		requested: o.Requested, artifact: bare(artifact), metadata: maps.Clone(o.Metadata), expiry: o.Expiry, manifest: raw,
		name: byDigest(repo.Name(), artifact),
	}
	if o.Name != nil {
		r.name = o.Name(artifact.Digest)
	}
	if r.requested == "" {
		r.requested = referenceText(repo, ref)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// ParseRequest reads a signing request of at most [MaxRequestBytes], strictly:
// no member is unknown or given twice, and the base64 is canonical. It compares
// the manifest with the descriptor of the artifact. Errors have the codes
// sign.request, sign.request-artifact and, about metadata and expiry, those of
// [SignOptions].
func ParseRequest(data []byte) (*SigningRequest, error) {
	malformed := func(err error) error {
		return reason.Wrap(reason.SignRequest, err, "this is no signing request").WithHint("Give a file that 'notation sign --prepare' has written.")
	}
	if len(data) > MaxRequestBytes {
		return nil, malformed(reason.Errorf(reason.SignRequest, "it is longer than %d bytes", MaxRequestBytes))
	}
	var w wireRequest
	if err := strictjson.Unmarshal(data, &w); err != nil {
		return nil, malformed(err)
	}
	if w.MediaType != MediaTypeRequest || w.Version != requestVersion {
		return nil, malformed(reason.Errorf(reason.SignRequest, "it is of the media type %s and version %s, not %s and %s", quote(w.MediaType), quote(w.Version), MediaTypeRequest, requestVersion))
	}
	manifest, err := base64.StdEncoding.DecodeString(w.Manifest)
	if err != nil || base64.StdEncoding.EncodeToString(manifest) != w.Manifest { // the decoder skips line breaks and stray bits
		return nil, malformed(reason.Errorf(reason.SignRequest, "its manifest is not in canonical base64"))
	}
	if w.Expiry < 0 || w.Expiry > int64(maxRequestExpiry/time.Second) {
		return nil, malformed(reason.Errorf(reason.SignExpiry, "its expiry of %d seconds is negative or longer than a hundred years", w.Expiry))
	}
	r := &SigningRequest{
		requested: w.Requested, name: w.Name, metadata: w.Metadata, expiry: time.Duration(w.Expiry) * time.Second, manifest: manifest,
		artifact: oci.Descriptor{MediaType: w.Target.MediaType, Digest: digest.Digest(w.Target.Digest), Size: w.Target.Size, ArtifactType: w.Target.ArtifactType},
	}
	if err := checkMetadata(r.metadata); err != nil {
		return nil, malformed(err)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// check compares the parts of a request with each other.
func (r *SigningRequest) check() error {
	if r.requested == "" || len(r.requested) > maxRequestName || len(r.name) > maxRequestName || !strings.HasSuffix("@"+r.name, "@"+string(r.artifact.Digest)) ||
		hasOtherDigest(r.requested, r.artifact.Digest) {
		return reason.Errorf(reason.SignRequest, "a name in the signing request is empty, longer than %d bytes, or of another digest than the artifact", maxRequestName).
			WithHint("Prepare the request again.")
	}
	wrong := func(err error) error {
		return reason.Wrap(reason.SignRequestArtifact, err, "the manifest in the signing request is not the artifact that it asks to have signed").
			WithHint("Sign nothing; have the request prepared again, and find out who changed it.")
	}
	m, err := oci.CheckManifest(r.artifact, r.manifest)
	if err != nil {
		return wrong(err)
	}
	if t := r.artifact.ArtifactType; t != "" && t != m.ArtifactType {
		return wrong(reason.Errorf(reason.SignRequestArtifact, "the artifact type is said to be %s, and is %s", quote(t), quote(m.ArtifactType)))
	}
	if r.content, err = contentOf(r.artifact.MediaType, m, r.manifest); err != nil {
		return wrong(err)
	}
	return nil
}

// hasOtherDigest reports whether a reference names something by its digest, and
// something else: no repository resolves it to that.
func hasOtherDigest(reference string, artifact digest.Digest) bool {
	d, err := oci.ParseDigest(reference[strings.LastIndexByte(reference, '@')+1:])
	return err == nil && d != artifact
}

// Encode returns the request as the text of a file, always the same for the
// same request. The error has the code sign.request: a name is not UTF-8.
func (r *SigningRequest) Encode() ([]byte, error) {
	raw, err := strictjson.Marshal(wireRequest{
		MediaType: MediaTypeRequest, Version: requestVersion, Requested: r.requested, Name: r.name,
		Target:   wireTarget{r.artifact.MediaType, string(r.artifact.Digest), r.artifact.Size, r.artifact.ArtifactType},
		Metadata: r.metadata, Expiry: int64(r.expiry / time.Second), Manifest: base64.StdEncoding.EncodeToString(r.manifest),
	})
	if err != nil {
		return nil, reason.Wrap(reason.SignRequest, err, "the signing request cannot be encoded").WithHint("Name the artifact in UTF-8.")
	}
	return append(raw, '\n'), nil
}

// Requested returns the reference as it was typed where the request was
// prepared. Nothing vouches for it, and it may hold anything.
func (r *SigningRequest) Requested() string { return r.requested }

// Name returns the reference with the digest. Nothing vouches for what stands
// before the digest, and it may hold anything.
func (r *SigningRequest) Name() string { return r.name }

// Artifact returns what is asked to be signed. The manifest has been compared
// with it.
func (r *SigningRequest) Artifact() oci.Descriptor { return r.artifact }

// Metadata returns the user metadata that is asked for. The result is the
// caller's own.
func (r *SigningRequest) Metadata() map[string]string { return maps.Clone(r.metadata) }

// Expiry returns for how long after the signing time the signature is asked to
// be good; 0: it does not expire.
func (r *SigningRequest) Expiry() time.Duration { return r.expiry }

// Content says what the manifest holds. It is shared and must not be changed.
func (r *SigningRequest) Content() RequestContent { return r.content }

// SignRequest signs what a request asks for. It reaches no repository, and no
// network unless key or a time stamp needs one.
//
// The metadata of the request and of o are signed together, and the expiry is
// that of either; a key with two values, and two expiries, are an error with the
// code sign.request-conflict. What key and options may be is as for [Sign].
func SignRequest(ctx context.Context, r *SigningRequest, key signer.Signer, o SignOptions) (*DetachedSignature, error) {
	if r == nil || r.artifact.Digest == "" {
		return nil, reason.Errorf(reason.SignRequest, "there is no signing request").WithHint("Give one that ParseRequest has returned.")
	}
	if err := o.merge(r); err != nil {
		return nil, err
	}
	request, err := o.request()
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, noKey()
	}
	request.Target = r.artifact
	request.Target.Annotations = o.Metadata
	s, err := o.sign(ctx, key.Sign, request)
	if err != nil {
		return nil, err
	}
	return &DetachedSignature{s}, nil
}

// merge adds what a request asks for to the options.
func (o *SignOptions) merge(r *SigningRequest) error {
	const hint = "Leave it to the request or to the command line, or have the request prepared again."
	metadata := r.Metadata()
	for key, value := range o.Metadata {
		if asked, ok := metadata[key]; ok && asked != value {
			return reason.Errorf(reason.SignRequestConflict, "the signing request and the options have two values for the metadata key %s", quote(key)).WithHint(hint)
		}
		if metadata == nil {
			metadata = map[string]string{}
		}
		metadata[key] = value
	}
	switch {
	case o.Expiry == 0:
		o.Expiry = r.expiry
	case r.expiry != 0 && r.expiry != o.Expiry:
		return reason.Errorf(reason.SignRequestConflict, "the signing request asks for an expiry of %s, and the options for %s", r.expiry, o.Expiry).WithHint(hint)
	}
	o.Metadata = metadata
	return nil
}

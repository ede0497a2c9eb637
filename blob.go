package notation

import (
	"context"
	"crypto"
	"io"
	"maps"
	"mime"
	"strings"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
)

// DefaultBlobMediaType is the media type of a blob that is said to have none.
const DefaultBlobMediaType = "application/octet-stream"

// SignBlobOptions says how to sign a blob.
type SignBlobOptions struct {
	SignOptions
	// BlobMediaType is the blob's media type, which is signed; "":
	// DefaultBlobMediaType.
	BlobMediaType string
}

// SignedBlob says what SignBlob has made.
type SignedBlob struct {
	Blob      oci.Descriptor // what was signed: media type, digest and size
	MediaType string         // of the envelope
	Envelope  []byte         // the detached signature
	Timestamp *Timestamp     // nil: none was asked for; Store is empty
}

// SignBlob signs the content of blob, which it reads once, to its end, in
// constant memory. The digest algorithm is that of the key (specs/payload.md).
//
// What key and options may be is as for [Sign]. The error has the code
// sign.blob if blob could not be read.
func SignBlob(ctx context.Context, blob io.Reader, key signer.Signer, o SignBlobOptions) (SignedBlob, error) {
	request, err := o.request()
	if err != nil {
		return SignedBlob{}, err
	}
	mediaType := o.BlobMediaType
	if mediaType == "" {
		mediaType = DefaultBlobMediaType
	}
	if key == nil {
		return SignedBlob{}, noKey()
	}
	if _, _, err := mime.ParseMediaType(mediaType); err != nil || !strings.Contains(mediaType, "/") {
		return SignedBlob{}, reason.Errorf(reason.SignBlob, "%s is no media type", quote(mediaType)).
			WithHint("Write TYPE/SUBTYPE, as in text/plain.")
	}
	alg, err := key.Algorithm(ctx)
	if err != nil {
		return SignedBlob{}, err
	}
	target, err := describeBlob(ctx, blob, digestAlgorithm(alg.Hash()))
	if err != nil {
		return SignedBlob{}, reason.Wrap(reason.SignBlob, err, "cannot read what is to be signed").WithHint("%s", reason.Hint(err))
	}
	target.MediaType = mediaType
	request.Target = target
	request.Target.Annotations = maps.Clone(o.Metadata)
	do := key.Sign
	if own, ok := key.(signer.BlobSigner); ok {
		do = own.SignBlob
	}
	env, err := o.sign(ctx, do, request)
	if err != nil {
		return SignedBlob{}, err
	}
	return SignedBlob{Blob: target, MediaType: request.MediaType, Envelope: env.raw, Timestamp: env.stamp}, nil
}

// digestAlgorithm returns the digest algorithm of a hash of the SHA-2 family.
func digestAlgorithm(h crypto.Hash) digest.Algorithm {
	switch h {
	case crypto.SHA384:
		return digest.SHA384
	case crypto.SHA512:
		return digest.SHA512
	}
	return digest.SHA256
}

// describeBlob reads a blob to its end and returns its digest and size.
func describeBlob(ctx context.Context, blob io.Reader, algorithm digest.Algorithm) (oci.Descriptor, error) {
	if blob == nil {
		return oci.Descriptor{}, reason.Errorf(reason.VerifyBlob, "there is none")
	}
	h := algorithm.Hash()
	buffer := make([]byte, blobBuffer)
	var size int64
	for {
		if ctx.Err() != nil {
			return oci.Descriptor{}, context.Cause(ctx)
		}
		n, err := blob.Read(buffer)
		h.Write(buffer[:n])
		size += int64(n)
		if err == io.EOF { //nolint:errorlint // as io.Reader has it
			return oci.Descriptor{Digest: digest.NewDigest(algorithm, h), Size: size}, nil
		}
		if err != nil {
			return oci.Descriptor{}, err
		}
	}
}

// VerifyBlobOptions says what is known about a blob and its signature. The zero
// value is nothing.
type VerifyBlobOptions struct {
	// Statement names the statement of the blob policy; "": the global one.
	Statement string
	// MediaType that must have been signed; "": any.
	MediaType string
	// EnvelopeType is the media type of the signature; "": found by its content.
	EnvelopeType string
	// Name is what the verdict calls the blob, such as its file name; "": its
	// digest.
	Name string
}

// VerifyBlob decides about the content of blob, which it reads at most once and
// in constant memory, and its detached signature. The policy must be one about
// blobs. Verdict and error are as those of [Verifier.VerifyEnvelope].
//
// A signature that does not hold by itself is refused before blob is read.
func (v *Verifier) VerifyBlob(ctx context.Context, blob io.Reader, signature []byte, o VerifyBlobOptions) (*Verdict, error) {
	verdict := &Verdict{Reference: o.Name, Time: v.now()}
	j, err := v.judgeBy(verdict, func(p *trust.Policy) (*trust.Statement, error) { return p.ForBlob(o.Statement) })
	if err != nil {
		return verdict, err
	}
	if err := j.hopeless(); err != nil {
		return verdict, verdict.end(CheckPolicy, unloaded(err), asReason(err, reason.StoreUnreadable, "no trust anchor can be read"))
	}
	mediaType := o.EnvelopeType
	if mediaType == "" {
		var ok bool
		if mediaType, ok = envelope.Detect(signature); !ok {
			return verdict, verdict.end(CheckReference, Failed, reason.Errorf(reason.VerifyEnvelopeType,
				"the signature is neither a JWS nor a COSE envelope").
				WithHint("Give the file with the signature, not the signed file."))
		}
	}
	verified, err := open(mediaType, signature, j.facts())
	if err != nil {
		verdict.Signatures = []SignatureVerdict{j.broken(mediaType, err)}
		return verdict, verdict.single()
	}
	content := verified.Content()
	signed := content.Target
	if want := digestAlgorithm(content.Algorithm.Hash()); signed.Digest.Algorithm() != want {
		s := SignatureVerdict{MediaType: mediaType}
		s.describe(&content)
		verdict.Signatures = []SignatureVerdict{j.unread(s, found(CheckIntegrity, Failed, reason.Errorf(reason.VerifyBlobDigest,
			"the signature holds a digest by %s, where its key demands %s", signed.Digest.Algorithm(), want).
			WithHint("Ask the signer for a signature that keeps to the format.")))}
		return verdict, verdict.single()
	}
	artifact, err := describeBlob(ctx, blob, signed.Digest.Algorithm())
	if err != nil {
		return verdict, verdict.end(CheckReference, Undecided, reason.Wrap(reason.VerifyBlob, err, "cannot read the blob").
			WithHint("Check the file, then try again."))
	}
	artifact.MediaType = signed.MediaType // nothing but the signature tells it
	if o.MediaType != "" {
		artifact.MediaType = o.MediaType
	}
	verdict.Artifact = artifact
	if verdict.Reference == "" {
		verdict.Reference = string(artifact.Digest)
	}
	verdict.Signatures = []SignatureVerdict{j.verified(ctx, mediaType, verified, artifact)}
	return verdict, verdict.single()
}

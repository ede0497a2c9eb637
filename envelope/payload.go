package envelope

import (
	"maps"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// reservedPrefix starts the annotation keys that users must not choose.
const reservedPrefix = "io.cncf.notary"

// payload is the signed JSON document; see specs/payload.md.
type payload struct {
	TargetArtifact *target `json:"targetArtifact"`
}

// target is the part of an OCI descriptor that may be signed. It is a type of
// its own because an OCI descriptor has more members, such as urls and data,
// and a signature must not vouch for what nobody looks at.
type target struct {
	MediaType    string            `json:"mediaType"`
	Digest       digest.Digest     `json:"digest"`
	Size         *int64            `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// parsePayload reads a payload strictly. Annotations under the reserved prefix
// are kept: they are signed, and their meaning is the verifier's business. Only
// users are kept from writing them.
func parsePayload(data []byte) (Descriptor, error) {
	var p payload
	if err := strictjson.Unmarshal(data, &p); err != nil {
		return Descriptor{}, reason.Wrap(reason.EnvelopePayload, err, "the payload is malformed")
	}
	t := p.TargetArtifact
	if t == nil {
		return Descriptor{}, reason.Errorf(reason.EnvelopePayload, "the payload has no targetArtifact")
	}
	if t.Size == nil {
		return Descriptor{}, reason.Errorf(reason.EnvelopePayload, "the payload's targetArtifact has no size")
	}
	d := Descriptor{
		MediaType: t.MediaType, Digest: t.Digest, Size: *t.Size,
		ArtifactType: t.ArtifactType, Annotations: t.Annotations,
	}
	return d, checkTarget(d)
}

// newPayload encodes the payload for a request. Nothing of the descriptor is
// signed but media type, digest, size, artifact type and annotations.
func newPayload(d Descriptor) ([]byte, error) {
	if err := checkTarget(d); err != nil {
		return nil, err
	}
	for key := range maps.Keys(d.Annotations) {
		if strings.HasPrefix(key, reservedPrefix) {
			return nil, reason.Errorf(reason.EnvelopeReservedAnnotation, "user metadata key %s is reserved", quote(key)).
				WithHint("choose a key that does not start with %s", reservedPrefix)
		}
	}
	data, err := strictjson.Marshal(payload{&target{
		MediaType: d.MediaType, Digest: d.Digest, Size: &d.Size,
		ArtifactType: d.ArtifactType, Annotations: d.Annotations,
	}})
	if err != nil {
		return nil, reason.Errorf(reason.EnvelopePayload, "the payload cannot be encoded: a string in it is not UTF-8")
	}
	return data, nil
}

func checkTarget(d Descriptor) error {
	if !isMediaType(d.MediaType) {
		return reason.Errorf(reason.EnvelopePayload, "media type %s of the artifact is malformed", quote(d.MediaType))
	}
	if d.ArtifactType != "" && !isMediaType(d.ArtifactType) {
		return reason.Errorf(reason.EnvelopePayload, "artifact type %s is malformed", quote(d.ArtifactType))
	}
	if !isDigest(d.Digest) {
		return reason.Errorf(reason.EnvelopePayload, "digest %s of the artifact is malformed or of an algorithm that is not allowed", quote(string(d.Digest)))
	}
	if d.Size < 0 {
		return reason.Errorf(reason.EnvelopePayload, "the artifact's size is negative")
	}
	if _, empty := d.Annotations[""]; empty {
		return reason.Errorf(reason.EnvelopePayload, "a user metadata key is empty")
	}
	return nil
}

// isMediaType accepts type/subtype with or without parameters, as printable
// ASCII. The grammar of RFC 6838 section 4.2 is left to those who interpret it.
func isMediaType(s string) bool {
	if len(s) > maxMediaTypeLength {
		return false
	}
	for _, b := range []byte(s) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	typ, subtype, ok := strings.Cut(s, "/")
	return ok && typ != "" && subtype != "" && !strings.HasPrefix(s, " ") && !strings.HasSuffix(s, " ")
}

// isDigest accepts the registered digest algorithms of the OCI image
// specification and SHA-384, in their one written form.
func isDigest(d digest.Digest) bool {
	algorithm, encoded, _ := strings.Cut(string(d), ":")
	size := map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}[algorithm]
	if size == 0 || len(encoded) != size {
		return false
	}
	for _, b := range []byte(encoded) {
		if (b < '0' || b > '9') && (b < 'a' || b > 'f') {
			return false
		}
	}
	return true
}

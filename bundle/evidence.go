package bundle

import (
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/opencontainers/go-digest"
)

// annotationSource is the annotation of an answer that says who was asked.
const annotationSource = "vnd.notaryv2.revocation.source"

// Evidence are the answers about revocation in a layout. Nothing of them has
// been checked: package revocation judges them when they are used.
type Evidence struct {
	Answers []Answer
	// Warnings say what could not be read and was left out.
	Warnings []error
}

// Answer is an OCSP response or a revocation list.
type Answer struct {
	revocation.Recorded
	Digest digest.Digest // of DER
}

// For returns the answers in the form in which a verifier takes them.
func (e *Evidence) For() revocation.Evidence {
	var out revocation.Evidence
	for _, a := range e.Answers {
		if a.Method == revocation.OCSP {
			out.OCSP = append(out.OCSP, a.DER)
		} else {
			out.CRLs = append(out.CRLs, a.DER)
		}
	}
	return out
}

// putEvidence stores answers.
func putEvidence(ctx context.Context, to oci.Store, answers []revocation.Recorded) error {
	layers := make([]layer, len(answers))
	for i, a := range answers {
		mediaType, extension := MediaTypeCRL, ".crl"
		if a.Method == revocation.OCSP {
			mediaType, extension = MediaTypeOCSP, ".ocsp"
		}
		l := layer{mediaType: mediaType, title: digest.FromBytes(a.DER).Encoded() + extension, content: a.DER}
		if a.Source != "" {
			l.annotations = map[string]string{annotationSource: a.Source}
		}
		layers[i] = l
	}
	return put(ctx, to, ArtifactTypeEvidence, TagEvidence, layers)
}

// ReadEvidence reads the answers about revocation that lie in a layout, be it a
// bundle or not. None are no error, and what cannot be read is a warning: it
// could only have helped. At most [MaxEvidence] answers of together
// [MaxEvidenceBytes] are read. The error is that of the layout, or of ctx.
func ReadEvidence(ctx context.Context, from oci.Repository) (*Evidence, error) {
	e := &Evidence{}
	layers, found, err := get(ctx, from, ArtifactTypeEvidence, TagEvidence, MaxEvidence)
	if ctx.Err() != nil {
		return e, err
	}
	if err != nil {
		if found {
			e.warn(err)
			return e, nil
		}
		return e, err
	}
	left := int64(MaxEvidenceBytes)
	for _, d := range layers {
		a, err := readAnswer(ctx, from, d, left)
		if ctx.Err() != nil {
			return e, context.Cause(ctx)
		}
		if err != nil {
			e.warn(err)
			continue
		}
		left -= d.Size
		e.Answers = append(e.Answers, a)
	}
	return e, nil
}

func (e *Evidence) warn(err error) {
	e.Warnings = append(e.Warnings, reason.Wrap(reason.BundleEvidence, err, "an answer about revocation in the layout is not used"))
}

func readAnswer(ctx context.Context, from oci.Repository, d oci.Descriptor, left int64) (Answer, error) {
	limits := map[string]int64{MediaTypeOCSP: revocation.MaxOCSPBytes, MediaTypeCRL: revocation.MaxCRLBytes}
	limit, ok := limits[d.MediaType]
	if !ok {
		return Answer{}, reason.Errorf(reason.BundleEvidence, "it has the media type %q", d.MediaType)
	}
	raw, err := fetch(ctx, from, d, min(limit, left))
	if err != nil {
		return Answer{}, err
	}
	said, err := revocation.ParseAnswer(raw)
	if err != nil {
		return Answer{}, err
	}
	if (said.Method == revocation.OCSP) != (d.MediaType == MediaTypeOCSP) {
		return Answer{}, reason.Errorf(reason.BundleEvidence, "it is something else than its media type %s says", d.MediaType)
	}
	return Answer{revocation.Recorded{Answer: said, DER: raw, Source: d.Annotations[annotationSource]}, d.Digest}, nil
}

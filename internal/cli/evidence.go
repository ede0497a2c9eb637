package cli

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/pem"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
)

// Bounds on --revocation-evidence.
const (
	// maxEvidence is how many answers may be given: more than the chains of a
	// signer and of an authority have certificates.
	maxEvidence = 32
	// maxEvidenceFileBytes has room for the longest list in PEM, which is a
	// third longer than DER and has line breaks.
	maxEvidenceFileBytes = revocation.MaxCRLBytes / 2 * 3
)

// pemCRL is the type of the PEM block of a revocation list (RFC 7468 section 6).
const pemCRL = "X509 CRL"

// readEvidence reads answers about revocation that were carried along. They are
// trusted no more than if they had been fetched.
func readEvidence(ctx context.Context, files []string) (revocation.Evidence, error) {
	var e revocation.Evidence
	for _, file := range files {
		data, err := readNamed(ctx, file, maxEvidenceFileBytes)
		if err != nil {
			return revocation.Evidence{}, err
		}
		if err := addEvidence(&e, file, data); err != nil {
			return revocation.Evidence{}, err
		}
		if len(e.OCSP)+len(e.CRLs) > maxEvidence {
			return revocation.Evidence{}, reason.Errorf(reason.UsageFlag, "--revocation-evidence gives more than %d answers", maxEvidence).
				WithHint("give those about the certificates in question only")
		}
	}
	return e, nil
}

func addEvidence(e *revocation.Evidence, file string, data []byte) error {
	malformed := reason.Errorf(reason.UsageFlag, "file %q holds no answer about revocation", file).
		WithHint("give an OCSP response or a revocation list in DER, or revocation lists in PEM")
	if !bytes.Contains(data, []byte("-----BEGIN")) || len(data) > 0 && data[0] == derSequence {
		return addAnswer(e, file, data, malformed)
	}
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(bytes.TrimSpace(rest)) > 0 || len(e.CRLs) == 0 {
				return malformed
			}
			return nil
		}
		if block.Type != pemCRL {
			return malformed
		}
		if len(e.CRLs) > maxEvidence {
			return nil // more than enough, as the caller says
		}
		if err := addAnswer(e, file, block.Bytes, malformed); err != nil {
			return err
		}
	}
}

// derSequence is the first byte of a SEQUENCE in DER.
const derSequence = asn1.TagSequence | 0x20

// addAnswer tells by its beginning what a DER structure is: an OCSPResponse
// begins with an ENUMERATED (RFC 6960 section 4.2.1), a CertificateList with a
// SEQUENCE (RFC 5280 section 5.1). All else is for package revocation to judge.
func addAnswer(e *revocation.Evidence, file string, der []byte, malformed error) error {
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(der, &outer)
	if err != nil || len(rest) > 0 || outer.Class != asn1.ClassUniversal || outer.Tag != asn1.TagSequence || len(outer.Bytes) == 0 {
		return malformed
	}
	limit, to := revocation.MaxCRLBytes, &e.CRLs
	switch outer.Bytes[0] {
	case asn1.TagEnum:
		limit, to = revocation.MaxOCSPBytes, &e.OCSP
	case derSequence:
	default:
		return malformed
	}
	if len(der) > limit {
		return reason.Errorf(reason.ConfigTooLarge, "the answer in file %q is longer than %d bytes", file, limit).
			WithHint("check that the path names what was meant")
	}
	*to = append(*to, der)
	return nil
}

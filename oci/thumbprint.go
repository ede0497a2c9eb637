package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// Thumbprint is the SHA-256 of a certificate's DER encoding.
type Thumbprint [sha256.Size]byte

// String returns the thumbprint in lower-case hex.
func (t Thumbprint) String() string { return hex.EncodeToString(t[:]) }

// FormatThumbprints returns the value of [AnnotationThumbprints]: a JSON array
// of the thumbprints, in the order of the chain, leaf first.
func FormatThumbprints(chain []Thumbprint) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, t := range chain {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + t.String() + `"`)
	}
	b.WriteByte(']')
	return b.String()
}

// ParseThumbprints reads the value of [AnnotationThumbprints], with at most
// [MaxThumbprints] entries. Nothing protects the annotation: it may help to
// choose what to look at first, and must decide nothing. Errors have the code
// oci.thumbprints, and mean that there is no such help.
func ParseThumbprints(s string) ([]Thumbprint, error) {
	fail := func(what string) error {
		return reason.Errorf(reason.OCIThumbprints, "annotation of certificate thumbprints %s", what)
	}
	if len(s) > maxThumbprintsText {
		return nil, fail("is too long")
	}
	var entries []string
	if err := strictjson.Unmarshal([]byte(s), &entries); err != nil {
		return nil, reason.Wrap(reason.OCIThumbprints, err, "annotation of certificate thumbprints is no JSON array of strings")
	}
	if len(entries) > MaxThumbprints {
		return nil, fail("has too many entries")
	}
	chain := make([]Thumbprint, len(entries))
	for i, e := range entries {
		if len(e) != 2*sha256.Size || !isLowerHex(e) {
			return nil, fail("has an entry that is not 64 lower-case hex digits: " + quote(e))
		}
		if _, err := hex.Decode(chain[i][:], []byte(e)); err != nil {
			return nil, fail("has an entry that is not hex")
		}
	}
	return chain, nil
}

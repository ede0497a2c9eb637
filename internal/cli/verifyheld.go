package cli

import "github.com/notaryv2/notation"

// Bounds on what a run of verify holds about signatures that do not pass. Anybody
// may have put these beside an artifact, a hundred and more, and none of them may
// cost the verifier its memory.
const (
	// heldSignatures is how many there are in all verdicts of a run together, as
	// far as heldAtLeast of each verdict are not more.
	heldSignatures = 100_000
	heldAtLeast    = 10
	// heldMetadata is how many bytes the metadata in them take.
	heldMetadata = 64 << 20
)

// hold leaves in a verdict that is one of so many what there is room for, which
// depends on nothing but their number, and returns how many signatures it has
// left out. None of these passes.
func hold(v *notation.Verdict, of int) (left int) {
	if v == nil || of < 2 {
		return 0
	}
	room, metadata := max(heldSignatures/of, heldAtLeast), heldMetadata/of
	kept := make([]notation.SignatureVerdict, 0, min(len(v.Signatures), room))
	for _, s := range v.Signatures {
		if s.Outcome != notation.Passed {
			if room == 0 {
				left++
				continue
			}
			room--
			size := 0
			for key, value := range s.Metadata {
				size += len(key) + len(value)
			}
			if metadata -= size; metadata < 0 {
				s.Metadata = nil
			}
		}
		kept = append(kept, s)
	}
	v.Signatures = kept
	return left
}

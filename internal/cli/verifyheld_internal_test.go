package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/opencontainers/go-digest"
)

// TestVerifyHolds bounds what is held of signatures that anybody may have made:
// evenly, so that it does not depend on which verdict came first, and never at the
// cost of one that passes.
func TestVerifyHolds(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 1<<10)
	made := func(failed int) *notation.Verdict {
		v := &notation.Verdict{}
		for range failed {
			v.Signatures = append(v.Signatures, notation.SignatureVerdict{Outcome: notation.Failed, Metadata: map[string]string{"k": text[1:]}})
		}
		v.Signatures = append(v.Signatures, notation.SignatureVerdict{Outcome: notation.Passed, Digest: "good", Metadata: map[string]string{"k": text}})
		return v
	}
	for _, tt := range []struct {
		of, failed, kept, metadata int
	}{
		{1, 200_000, 200_000, 200_000},
		{2, 60_000, 50_000, 32 << 10},
		{100, 100, 100, 100},
		{1000, 100, 100, 65},
		{2000, 100, 50, 32},
		{10_000, 100, 10, 6},
		{10_000, 0, 0, 0},
		{10_000_000, 100, 10, 0},
	} {
		v := made(tt.failed)
		left := hold(v, tt.of)
		metadata := 0
		for _, s := range v.Signatures {
			if s.Metadata != nil {
				metadata++
			}
		}
		last := v.Signatures[len(v.Signatures)-1]
		if left != tt.failed-tt.kept || len(v.Signatures) != tt.kept+1 || metadata != tt.metadata+1 || last.Digest != "good" || len(last.Metadata) != 1 {
			t.Errorf("of %d: %d left out, %d kept, %d with metadata; want %+v", tt.of, left, len(v.Signatures), metadata, tt)
		}
	}
	if hold(nil, 5) != 0 {
		t.Error("a verdict that is not there has signatures")
	}
	doc := verifyAll(t.Context(), make([]target, 10_000), 8, func(context.Context, target) []notation.Decision {
		v := made(12)
		v.Artifact.Digest = digest.FromString("x")
		return []notation.Decision{{Verdict: v}}
	})
	p := &page{}
	doc.Verdicts[9999].text(p)
	if doc.Verdicts[9999].MoreSignatures != 2 || !strings.Contains(p.b.String(), "  2 more signatures, not passed\n") {
		t.Errorf("%d\n%s", doc.Verdicts[9999].MoreSignatures, p.b.String())
	}
}

package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
)

// TestCopyProgress adds what is under way to what is at the destination.
func TestCopyProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &copyProgress{app: &app{env: Env{Stderr: &out}, log: slog.New(slog.DiscardHandler)}}
	all := promote.Totals{Bytes: 4 << 20}
	one, two := oci.Descriptor{Digest: digestOf([]byte("1"))}, oci.Descriptor{Digest: digestOf([]byte("2"))}
	p.event(promote.Event{Kind: promote.Started, Descriptor: one, All: all})
	if p.done(); p.bar != nil || out.Len() != 0 {
		t.Fatalf("a bar without a terminal: %q", out.String())
	}
	p.bar = newProgress(&out, func() time.Time { return now }, func() int { return 80 }, "dst", all.Bytes)
	for _, e := range []promote.Event{
		{Kind: promote.Advanced, Descriptor: one, Done: 1 << 20},
		{Kind: promote.Advanced, Descriptor: two, Done: 1 << 20},
		{Kind: promote.Finished, Descriptor: one, Action: promote.Copied, There: promote.Totals{Bytes: 2 << 20}},
	} {
		now = now.Add(time.Second)
		p.event(e)
	}
	if p.bar.read != 3<<20 || !strings.Contains(out.String(), " 50%") || !strings.Contains(out.String(), " 75%") {
		t.Errorf("%d bytes: %q", p.bar.read, out.String())
	}
	p.done()
}

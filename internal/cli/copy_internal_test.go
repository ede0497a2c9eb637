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
	p := &copyProgress{pause: func() {}, app: &app{env: Env{Stderr: &out}, log: slog.New(slog.DiscardHandler)}}
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

// TestCopyLines tells of a copy where nobody watches a terminal.
func TestCopyLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	l := newCopyLines(&out, func() time.Time { return now })
	l.done() // nothing to tell
	all := promote.Totals{Manifests: 2, Blobs: 300, Bytes: 4 << 30}
	blob := func(size int64) oci.Descriptor {
		return oci.Descriptor{MediaType: "a/b", Digest: digestOf([]byte("1")), Size: size}
	}
	step := func(after time.Duration, e promote.Event, done int64) {
		now = now.Add(after)
		e.All = all
		l.event(e, done)
	}
	step(time.Second, promote.Event{Kind: promote.Started, Descriptor: blob(1)}, 0)
	step(time.Second, promote.Event{Kind: promote.Finished, Descriptor: blob(1), Action: promote.Copied}, 1)
	step(time.Second, promote.Event{Kind: promote.Advanced, Descriptor: blob(1 << 30), Done: 1}, 2)
	if l.done(); out.Len() > 0 {
		t.Errorf("told of small things: %q", out.String())
	}
	step(27*time.Second, promote.Event{Kind: promote.Advanced, Descriptor: blob(1 << 30), Done: 1}, 300<<20)
	step(time.Second, promote.Event{Kind: promote.Finished, Descriptor: blob(1 << 30), Action: promote.Copied, There: promote.Totals{Blobs: 1, Bytes: 1 << 30}}, 1<<30)
	step(0, promote.Event{Kind: promote.Finished, Descriptor: blob(16 << 20), Action: promote.Mounted}, 1<<30)
	step(0, promote.Event{Kind: promote.Finished, Descriptor: blob(16 << 20), Action: promote.Skipped, There: promote.Totals{Blobs: 3, Bytes: 1<<30 + 32<<20}}, 2<<30)
	l.done()
	l.done()
	digest := string(blob(1).Digest)
	want := "300.0 MiB of 4.0 GiB, 10.0 MiB/s\n" +
		"Copied " + digest + ", 1.0 GiB; 1.0 GiB of 4.0 GiB\n" +
		"Mounted " + digest + ", 16.0 MiB; 1.0 GiB of 4.0 GiB\n" +
		"Already there: " + digest + ", 16.0 MiB; 2.0 GiB of 4.0 GiB\n" +
		"0 manifests and 3 blobs, 1.0 GiB, at the destination after 31s\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	for range 1000 {
		step(0, promote.Event{Kind: promote.Finished, Descriptor: blob(16 << 20), Action: promote.Copied}, 1)
	}
	if n := strings.Count(out.String(), "\n"); n > toldBlobs {
		t.Errorf("%d lines", n)
	}
	var none *copyLines
	none.event(promote.Event{}, 0)
	none.done()
	if (&app{format: formatJSON}).copyLines() != nil || (&app{debug: true}).copyLines() != nil {
		t.Error("told where nobody reads it")
	}
}

package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/opencontainers/go-digest"
)

// copyProgress shows how much is at the destination: with a bar on a terminal,
// and elsewhere with some lines.
type copyProgress struct {
	app   *app
	name  string
	pause func() // has no time pass while content is copied

	bar     *progress
	lines   *copyLines
	began   bool
	sending map[digest.Digest]int64 // bytes of what is under way
}

// event is told of every step. The first one comes when content begins to be
// copied, from when on the registry client notices by itself if nothing moves.
func (p *copyProgress) event(e promote.Event) {
	if !p.began {
		p.began = true
		p.pause()
		p.bar = p.app.progress(p.name, e.All.Bytes)
		p.lines = p.app.copyLines()
		p.sending = map[digest.Digest]int64{}
	}
	switch e.Kind {
	case promote.Advanced:
		p.sending[e.Descriptor.Digest] = e.Done
	case promote.Finished:
		delete(p.sending, e.Descriptor.Digest)
		p.app.log.Debug("at the destination", "digest", e.Descriptor.Digest, "action", string(e.Action))
	case promote.Started:
	}
	done := e.There.Bytes
	for _, n := range p.sending {
		done += n
	}
	p.lines.event(e, done)
	if p.bar == nil {
		return
	}
	p.bar.read = done
	p.bar.add(0)
}

func (p *copyProgress) done() {
	p.bar.done()
	p.lines.done()
}

// copyLines tells of a copy in plain lines: of each large blob, and of how far
// it is if that takes long. Their number is bounded, but for the latter, which
// time bounds. A nil value tells nothing.
type copyLines struct {
	w   io.Writer
	now func() time.Time

	began, told time.Time
	blobs       int // that had a line
	last        promote.Event
}

// copyLines returns what tells of a copy, nil where there is a bar, or nobody
// who reads text.
func (a *app) copyLines() *copyLines {
	if a.format == formatJSON || a.debug || a.progress("", 0) != nil {
		return nil
	}
	return newCopyLines(a.env.Stderr, time.Now)
}

func newCopyLines(w io.Writer, now func() time.Time) *copyLines {
	began := now()
	return &copyLines{w: w, now: now, began: began, told: began}
}

// event is told of every step, and of how many bytes are there or under way.
func (l *copyLines) event(e promote.Event, done int64) {
	if l == nil {
		return
	}
	l.last = e
	now := l.now()
	switch {
	case e.Kind == promote.Finished && isLarge(e.Descriptor) && l.blobs < toldBlobs:
		l.blobs++
		verb := map[promote.Action]string{promote.Copied: "Copied", promote.Mounted: "Mounted", promote.Skipped: "Already there:"}[e.Action]
		fmt.Fprintf(l.w, "%s %s, %s; %s of %s\n", verb, escape(string(e.Descriptor.Digest)), bytesText(e.Descriptor.Size), bytesText(done), bytesText(e.All.Bytes))
	case now.Sub(l.told) >= toldEvery:
		rate := float64(done) / now.Sub(l.began).Seconds()
		fmt.Fprintf(l.w, "%s of %s, %s/s\n", bytesText(done), bytesText(e.All.Bytes), bytesText(int64(rate)))
	default:
		return
	}
	l.told = now
}

func isLarge(d oci.Descriptor) bool { return d.Size >= toldBlob && !oci.IsManifest(d.MediaType) }

// done sums up, if there was anything to tell.
func (l *copyLines) done() {
	if l == nil || l.told == l.began {
		return
	}
	there := l.last.There
	fmt.Fprintf(l.w, "%s and %s, %s, at the destination after %s\n", counted(there.Manifests, "manifest"), counted(there.Blobs, "blob"),
		bytesText(there.Bytes), l.now().Sub(l.began).Round(time.Second))
	l.told = l.began // once
}

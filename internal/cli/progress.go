package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// What a progress bar looks like.
const (
	// progressAfter is how long reading must take for a bar to be shown.
	progressAfter = time.Second
	// progressEvery is the time between two changes of it.
	progressEvery = 100 * time.Millisecond
	// progressColumns is the width of a terminal that does not tell its own.
	progressColumns = 80
	// progressName bounds the width of the name before the bar.
	progressName = 24
	// progressBar bounds the width of the bar itself.
	progressBar = 40
)

// What is told of a copy where no bar can be drawn.
const (
	// toldBlob is the size from which a blob is worth a line of its own.
	toldBlob = 16 << 20
	// toldBlobs bounds these lines.
	toldBlobs = 100
	// toldEvery is after how long without a line one says how far it is.
	toldEvery = 30 * time.Second
)

// progress shows on a terminal how much of a file has been read. It draws when
// it is told of bytes, so that nothing runs beside the reading. A nil progress
// shows nothing.
type progress struct {
	w       io.Writer
	now     func() time.Time
	columns func() int

	name         string
	size         int64 // bytes in all; negative if not known
	read         int64
	began, drawn time.Time
	width        int // of the line that stands; 0: none
}

// progress returns what shows the reading of a file, nil unless a person is
// watching standard error.
func (a *app) progress(name string, size int64) *progress {
	f, ok := a.env.Stderr.(*os.File)
	if !ok || a.format == formatJSON || a.debug || a.env.Getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	columns := func() int {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
		return progressColumns
	}
	return newProgress(f, time.Now, columns, name, size)
}

func newProgress(w io.Writer, now func() time.Time, columns func() int, name string, size int64) *progress {
	return &progress{w: w, now: now, columns: columns, name: name, size: size, began: now()}
}

// add counts bytes and draws if it is time.
func (p *progress) add(n int) {
	if p == nil {
		return
	}
	p.read += int64(n)
	now := p.now()
	if now.Sub(p.began) < progressAfter || now.Sub(p.drawn) < progressEvery {
		return
	}
	p.drawn = now
	p.draw(p.line(now.Sub(p.began)))
}

// done removes the bar, for what is printed next.
func (p *progress) done() {
	if p == nil || p.width == 0 {
		return
	}
	p.draw("")
	fmt.Fprint(p.w, "\r")
}

// draw replaces the line that stands. It does so with blanks: not every
// terminal has a code that clears a line.
func (p *progress) draw(line string) {
	width := utf8.RuneCountInString(line)
	fmt.Fprint(p.w, "\r"+line+strings.Repeat(" ", max(p.width-width, 0)))
	p.width = width
}

// line returns what to show after a time, in one column less than there are:
// the last one makes some terminals begin a new line.
func (p *progress) line(elapsed time.Duration) string {
	room := p.columns() - 1
	rate := float64(p.read) / elapsed.Seconds()
	name := shorten(escape(p.name), progressName)
	text := fmt.Sprintf("  %s, %s/s", bytesText(p.read), bytesText(int64(rate)))
	if p.size <= 0 {
		return shorten(name+text, room)
	}
	done := min(float64(p.read)/float64(p.size), 1)
	left := time.Duration(float64(p.size-min(p.read, p.size)) / max(rate, 1) * float64(time.Second)).Round(time.Second)
	text = fmt.Sprintf(" %3d%%  %s of %s, %s/s, %s left", int(done*100), bytesText(p.read), bytesText(p.size), bytesText(int64(rate)), left)
	bar := min(room-utf8.RuneCountInString(name+text)-len(" []"), progressBar)
	if bar < len("[=>]") {
		return shorten(name+text, room)
	}
	full := int(done * float64(bar))
	return name + " [" + strings.Repeat("=", full) + strings.Repeat(" ", bar-full) + "]" + text
}

// shorten cuts the end of a text that is wider than there is room.
func shorten(text string, room int) string {
	const cut = "..."
	runes := []rune(text)
	if len(runes) <= room {
		return text
	}
	return string(runes[:max(room-len(cut), 0)]) + cut[:min(len(cut), max(room, 0))]
}

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	const step = 1024
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/step, units[0]
	for _, u := range units[1:] {
		if value < step {
			break
		}
		value, unit = value/step, u
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

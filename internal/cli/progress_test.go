package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestProgress draws with a clock and a width of its own.
func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	wide := 80
	p := newProgress(&out, func() time.Time { return now }, func() int { return wide }, "release.iso", 4<<30)
	for range 9 {
		now = now.Add(100 * time.Millisecond)
		p.add(64 << 20)
	}
	if out.Len() != 0 {
		t.Errorf("drawn within the first second: %q", out.String())
	}
	now = now.Add(100 * time.Millisecond)
	p.add(448 << 20)
	if got, want := out.String(), "\rrelease.iso [=====               ]  25%  1.0 GiB of 4.0 GiB, 1.0 GiB/s, 3s left"; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	out.Reset()
	now = now.Add(50 * time.Millisecond)
	p.add(1)
	if out.Len() != 0 {
		t.Errorf("drawn twice within a tenth of a second: %q", out.String())
	}
	p.done()
	if got := out.String(); strings.TrimLeft(got, "\r ") != "" || !strings.HasSuffix(got, "\r") || len(got) < wide-1 {
		t.Errorf("not removed: %q", got)
	}
	out.Reset()
	if p.done(); out.Len() != 0 {
		t.Errorf("removed twice: %q", out.String())
	}

	// It stays within the terminal, and shows nothing that a name could do to it.
	p.name = "\x1b[2J" + strings.Repeat("n", 50)
	for _, size := range []int64{-1, 0, 1, 4 << 30, 1 << 62} {
		p.size = size
		for wide = 1; wide < 120; wide++ {
			line := p.line(3 * time.Second)
			if utf8.RuneCountInString(line) > wide-1 || strings.ContainsAny(line, "\x1b\n\r") {
				t.Errorf("size %d, width %d: %q", size, wide, line)
			}
		}
	}
	p.name, p.size, p.read, wide = "standard input", -1, 3000<<20, 80
	if got, want := p.line(3*time.Second), "standard input  2.9 GiB, 1000.0 MiB/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var none *progress
	none.add(1)
	none.done()
}

func TestBytesText(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 20: "1.0 MiB", 1 << 30: "1.0 GiB", 1<<63 - 1: "8.0 EiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestProgressIsForTerminals shows nothing where nobody watches.
func TestProgressIsForTerminals(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, stderr := range map[string]io.Writer{"file": file, "buffer": &bytes.Buffer{}} {
		a := &app{env: Env{Stderr: stderr}.withDefaults()}
		if a.progress("blob", 1) != nil {
			t.Errorf("%s: shown", name)
		}
	}
}

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// TestSpoolFull loses nothing where the disk takes no more.
func TestSpoolFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "full")
	if err := os.WriteFile(path, []byte("b\nc\nhalf of what was wri"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path) // cannot be written
	if err != nil {
		t.Fatal(err)
	}
	s := spool{file: f, size: 4, close: f.Close}
	s.held.WriteString("a\n")
	if err := s.add([]byte("d")); err != nil {
		t.Error(err)
	}
	long := strings.Repeat("x", spoolWrite)
	for _, line := range []string{long, "e"} {
		if err := s.add([]byte(line)); err == nil {
			t.Error("written")
		}
	}
	var got []string
	for line := range s.lines(&err) {
		got = append(got, string(line))
	}
	if err != nil || !slices.Equal(got, []string{"a", "b", "c", "d", long, "e"}) {
		t.Errorf("%d lines: %v", len(got), err)
	}
}

// TestSignUnkept ends a run of which the results cannot be kept, tells what is
// signed, and holds nothing about what is not.
func TestSignUnkept(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	a := &app{format: formatJSON, command: "sign", env: Env{Stdout: &stdout, Stderr: &stderr}.withDefaults()}
	d := &signDocument{beside: func(print func()) { print() }}
	d.spool.failed = os.ErrPermission
	signed, left := signResult{}, signResult{notBegun: true}
	signed.Requested, signed.Signature = "r.example/app:1", &descriptorJSON{Digest: digest.FromString("x")}
	left.fail(reason.Errorf(reason.UsageInterrupted, "interrupted"))
	if err := d.add(a, signedTarget{results: []signResult{signed}}); err == nil {
		t.Error("the run goes on")
	}
	for range 3 {
		_ = d.add(a, signedTarget{results: []signResult{left}})
	}
	a.result = d
	if code := a.finish(d.end(t.Context(), a)); code != exitUndecided {
		t.Error(code)
	}
	if got := stdout.String(); strings.Count(got, `"requested"`) != 1 || !strings.Contains(got, signed.Requested) {
		t.Error(got)
	}
	if got := stderr.String(); !strings.Contains(got, "Error: There is no room for more results: permission denied; 1 artifact signed, and 3 left; ") || !strings.Contains(got, "$TMPDIR") {
		t.Error(got)
	}
}

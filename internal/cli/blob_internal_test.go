package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/reason"
)

// TestBlobChanges reads a file to which something happens meanwhile.
func TestBlobChanges(t *testing.T) {
	t.Parallel()
	appendTo := func(path string, content string) error {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(content)
		return errors.Join(err, f.Close())
	}
	for name, tt := range map[string]struct {
		change func(path string) error
		code   reason.Code
	}{
		"untouched": {func(string) error { return nil }, ""},
		"longer":    {func(p string) error { return appendTo(p, "more") }, reason.BlobChanged},
		"shorter":   {func(p string) error { return os.Truncate(p, 5) }, reason.BlobChanged},
		"rewritten": {func(p string) error {
			return errors.Join(os.WriteFile(p, []byte("9876543210"), 0o600), os.Chtimes(p, time.Time{}, time.Unix(1, 0)))
		}, reason.BlobChanged},
		"replaced": {func(p string) error {
			return errors.Join(os.WriteFile(p+".new", []byte("0123456789"), 0o600), os.Rename(p+".new", p))
		}, reason.BlobChanged},
		"removed": {os.Remove, reason.BlobChanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "blob")
			if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
				t.Fatal(err)
			}
			b, err := newApp().openBlob(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			ended := false
			b.ended = func() { ended = true }
			if _, err := io.ReadFull(b, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, b)
			if reason.Of(err) != tt.code || reason.Of(b.err) != tt.code || ended != (tt.code == "") {
				t.Errorf("%v, want %q; told of the end: %v", err, tt.code, ended)
			}
			if tt.code != "" && exitCode(err) != exitUndecided {
				t.Errorf("exit %d", exitCode(err))
			}
		})
	}
}

// TestAfterReading has --timeout count from the end of the blob.
func TestAfterReading(t *testing.T) {
	t.Parallel()
	a := newApp()
	a.timeout = timeoutFlag(time.Millisecond)
	ctx, begin, stop := a.afterReading(t.Context())
	defer stop()
	if ctx.Err() != nil {
		t.Error("ended before the blob was read")
	}
	begin()
	begin()
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		t.Errorf("%v", context.Cause(ctx))
	}
	a.timeout = 0
	ctx, begin, stop = a.afterReading(t.Context())
	begin()
	if ctx.Err() != nil {
		t.Error("ended without a limit")
	}
	stop()
}

// TestJoinJudgements takes the best of several verdicts on one blob.
func TestJoinJudgements(t *testing.T) {
	t.Parallel()
	judged := func(o notation.Outcome, failed int) blobJudgement {
		s := notation.SignatureVerdict{Outcome: o, Findings: make([]notation.Finding, 5)}
		for i := range s.Findings {
			s.Findings[i].Outcome = notation.Passed
		}
		if o == notation.Failed {
			s.Findings[failed].Outcome = notation.Failed
		}
		v := &notation.Verdict{Outcome: o, Signatures: []notation.SignatureVerdict{s}}
		if o == notation.Passed {
			return blobJudgement{v, nil}
		}
		return blobJudgement{v, &notation.VerdictError{Verdict: v}}
	}
	integrity, expired := judged(notation.Failed, 0), judged(notation.Failed, 3)
	undecided, passed, noEnvelope := judged(notation.Undecided, 0), judged(notation.Passed, 0), judged(notation.Failed, 0)
	noEnvelope.verdict.Signatures = nil
	for name, tt := range map[string]struct {
		all        []blobJudgement
		want       blobJudgement
		signatures int
	}{
		"passed last":           {[]blobJudgement{integrity, passed}, passed, 2},
		"passed first":          {[]blobJudgement{passed, integrity}, passed, 2},
		"undecided":             {[]blobJudgement{expired, undecided}, undecided, 2},
		"passed over undecided": {[]blobJudgement{undecided, passed}, passed, 2},
		"closest":               {[]blobJudgement{integrity, expired}, expired, 2},
		"no envelope":           {[]blobJudgement{noEnvelope, integrity}, integrity, 1},
		"alone":                 {[]blobJudgement{noEnvelope}, noEnvelope, 0},
	} {
		clones := make([]blobJudgement, len(tt.all))
		var want *notation.Verdict
		for i, j := range tt.all {
			v := *j.verdict
			clones[i] = blobJudgement{&v, j.err}
			if j == tt.want {
				want = &v
			}
		}
		got, err := joinJudgements(clones)
		if got != want || err != tt.want.err || len(got.Signatures) != tt.signatures {
			t.Errorf("%s: %v, %v", name, got.Outcome, err)
		}
	}
}

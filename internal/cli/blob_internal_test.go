package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
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
			a := newApp()
			a.timeout = timeoutFlag(time.Hour)
			_, spent, stop := a.spend(t.Context())
			defer stop()
			spent.run()
			b, err := a.openBlob(t.Context(), path, spent)
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			if spent.timer == nil {
				t.Error("the time does not pass before the blob is read")
			}
			if _, err := io.ReadFull(b, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			if spent.timer != nil {
				t.Error("the time passes while the blob is read")
			}
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, b)
			if reason.Of(err) != tt.code || reason.Of(b.err) != tt.code || spent.timer == nil {
				t.Errorf("%v, want %q; the time passes: %v", err, tt.code, spent.timer != nil)
			}
			if tt.code != "" && exitCode(err) != exitUndecided {
				t.Errorf("exit %d", exitCode(err))
			}
		})
	}
}

// TestBudget has time pass only while the budget runs, and once only for all
// that a command does.
func TestBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newApp()
		a.timeout = timeoutFlag(10 * time.Second)
		ctx, b, stop := a.spend(t.Context())
		defer stop()
		time.Sleep(time.Hour)
		for range 3 {
			b.run()
			b.run()
			time.Sleep(3 * time.Second)
			b.pause()
			b.pause()
			time.Sleep(time.Hour)
		}
		if ctx.Err() != nil {
			t.Fatalf("ended while nothing ran: %v", context.Cause(ctx))
		}
		b.run()
		time.Sleep(999 * time.Millisecond)
		if ctx.Err() != nil {
			t.Error("ended too early")
		}
		<-ctx.Done()
		cause := context.Cause(ctx)
		if !errors.Is(cause, context.DeadlineExceeded) || cause.Error() != "the time that --timeout allows, 10s, was up" {
			t.Errorf("%v", cause)
		}
		b.pause()
		b.run() // nothing is left
	})
	a := newApp()
	ctx, b, stop := a.spend(t.Context())
	b.run()
	b.pause()
	if ctx != t.Context() || b != nil {
		t.Error("there is a limit, and none was asked for")
	}
	stop()
}

// TestExplainTimeUp says that the time was up, whatever had noticed it.
func TestExplainTimeUp(t *testing.T) {
	t.Parallel()
	a := newApp()
	a.timeout = timeoutFlag(time.Nanosecond)
	undecided := reason.Wrap(reason.VerifyInterrupted, context.Canceled, "interrupted").WithHint("try again")
	if got := a.explainTimeUp(undecided); got != undecided { //nolint:errorlint // the very same
		t.Errorf("without a limit: %v", got)
	}
	ctx, cancel := a.network(t.Context())
	defer cancel()
	<-ctx.Done()
	const up = "the time that --timeout allows, 1ns, was up"
	for _, tt := range []struct {
		err        error
		text, hint string
	}{
		{nil, "", ""},
		{undecided, up + ": interrupted: context canceled", moreTime},
		{context.Cause(ctx), up, moreTime},
		{reason.Errorf(reason.RegistryUnauthorized, "401").WithHint("log in"), "401", "log in"},
		{reason.Wrap(reason.RegistryUnauthorized, context.Canceled, "401"), up + ": 401: context canceled", moreTime},
		{reason.Wrap(reason.VerifyInterrupted, context.Cause(ctx), "interrupted").WithHint("try again"), "interrupted: " + up, moreTime},
		{manyErrors{{"a: b", reason.Errorf(reason.UsageFlag, "wrong")}, {"c", undecided}}, "a: b: wrong", ""},
		{reason.Errorf(reason.UsageFlag, "wrong").WithHint("mend"), "wrong", "mend"},
	} {
		got := a.explainTimeUp(tt.err)
		if got == nil {
			if tt.err != nil {
				t.Errorf("%v is gone", tt.err)
			}
			continue
		}
		if got.Error() != tt.text || hintFor(got) != tt.hint || exitCode(got) != exitCode(tt.err) {
			t.Errorf("%v: %q, %q", tt.err, got, hintFor(got))
		}
		if many, ok := got.(manyErrors); ok && many[1].Error() != "c: "+up+": interrupted: context canceled" { //nolint:errorlint // the outermost
			t.Errorf("%v", many[1])
		}
	}
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

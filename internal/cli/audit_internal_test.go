package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

func TestPercent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n, of int
		want  string
	}{{0, 0, ""}, {0, 5, "0.0%"}, {5, 5, "100.0%"}, {1, 3, "33.3%"}, {1, 100_000, "< 0.1%"}, {99_999, 100_000, "99.9%"}} {
		if got := percent(tt.n, tt.of); got != tt.want {
			t.Errorf("%d of %d: %s, want %s", tt.n, tt.of, got, tt.want)
		}
	}
}

// TestAuditProgressLines tells some lines where there is no terminal, and how long
// the rest may take when it is known how much there is.
func TestAuditProgressLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		a := &app{env: Env{Stderr: &stderr}.withDefaults()}
		var of audit.Progress
		archive, err := audit.NewArchive()
		if err != nil {
			t.Fatal(err)
		}
		defer archive.Close()
		p := a.auditProgress(&of, "references")
		ref, err := oci.ParseReference("r.example/app:v1")
		if err != nil {
			t.Fatal(err)
		}
		targets := iter.Seq2[audit.Target, error](func(yield func(audit.Target, error) bool) {
			for range 100 {
				if !yield(audit.Target{Reference: ref}, nil) {
					return
				}
			}
			time.Sleep(40 * time.Second)
		})
		err = audit.Run(t.Context(), targets, archive, audit.Options{
			Open: func(oci.Reference) (audit.Repository, error) {
				time.Sleep(100 * time.Second)
				return nil, reason.Errorf(reason.OCIReference, "no")
			},
			Progress: &of,
		})
		p.done()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		if len(got) < 3 || got[0] != "0 artifacts, 0/s; 0 of more than 100 references" || got[1] != "0 artifacts, 0/s; 0 of 100 references" {
			t.Errorf("%q", got)
		}
		if last := p.line(time.Now()); !strings.Contains(last, "100 artifacts") || !strings.Contains(last, "100 did not pass; 100 of 100 references") {
			t.Error(last)
		}
	})
}

// TestAuditProgressLeft says how long the rest may take.
func TestAuditProgressLeft(t *testing.T) {
	t.Parallel()
	archive, err := audit.NewArchive()
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var of audit.Progress
	began := time.Now()
	p := &auditProgress{of: &of, what: "repositories", began: began}
	one, two := referenceTo(t, "r.example/a:v1"), referenceTo(t, "r.example/b:v1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan string, 1)
	err = audit.Run(ctx, func(yield func(audit.Target, error) bool) {
		_ = yield(audit.Target{Reference: one}, nil) && yield(audit.Target{Reference: two}, nil)
	}, archive, audit.Options{
		Pace: audit.NewPace(1), Progress: &of,
		Open: func(name oci.Reference) (audit.Repository, error) {
			if name == two {
				for !of.Snapshot().Whole || of.Snapshot().Done == 0 {
					if ctx.Err() != nil {
						break
					}
				}
				seen <- p.line(began.Add(10 * time.Second))
			}
			return nil, reason.Errorf(reason.OCIReference, "no")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if line := <-seen; line != "1 artifact, 0/s, 1 did not pass; 1 of 2 repositories, about 10s left" {
		t.Error(line)
	}
	// On a terminal, in one line that changes.
	var w bytes.Buffer
	p.bar, p.now = newProgress(&w, time.Now, func() int { return 60 }, "", -1), func() time.Time { return began.Add(2 * time.Second) }
	p.show()
	p.bar.done()
	if text := w.String(); !strings.HasPrefix(text, "\r2 artifacts, 1/s, 2 did not pass; 2 of 2 repositories") {
		t.Errorf("%q", text)
	}
}

func referenceTo(t *testing.T, s string) oci.Reference {
	t.Helper()
	r, err := oci.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReferenceLists(t *testing.T) {
	t.Parallel()
	collect := func(seq iter.Seq2[reference, error]) (list []reference, last error) {
		for r, err := range seq {
			if last = err; err == nil {
				list = append(list, r)
			}
		}
		return list, last
	}
	list, err := collect(references(strings.NewReader("\n# x\n  a \r\nb"), "f"))
	if err != nil || len(list) != 2 || list[0] != (reference{"a", "f:3"}) || list[1] != (reference{"b", "f:4"}) {
		t.Errorf("%v, %v", list, err)
	}
	for _, long := range []string{strings.Repeat("x", maxLineBytes+1), strings.Repeat("x", 10*maxLineBytes)} {
		if _, err := collect(references(strings.NewReader("a\n"+long), "f")); reason.Of(err) != reason.UsageArguments || !strings.Contains(err.Error(), "line 2 is longer") {
			t.Errorf("%v", err)
		}
	}
	a := &app{env: Env{Stdin: strings.NewReader("r.example/a\n")}.withDefaults()}
	f, err := a.openReferences(t.Context(), "-")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.check(f.targets(true)); err != nil || f.count != 1 || f.registries[0] != "r.example" {
		t.Errorf("%+v, %v", f, err)
	}
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte("r.example/a:v1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = a.openReferences(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if err := f.check(f.targets(true)); reason.Of(err) != reason.OCIRepositoryName || !strings.Contains(err.Error(), "list:1") {
		t.Errorf("%v", err)
	}
	f.done()
	if f, err = a.openReferences(t.Context(), path); err != nil { // nothing of which was read
		t.Fatal(err)
	}
	f.done()
	if _, err := collect(f.references()); reason.Of(err) != reason.ConfigRead {
		t.Errorf("a closed file: %v", err)
	}
}

// brokenPipe is a writer that takes nothing.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

// TestReportsFail says so where a report cannot be written, or the records not be
// read.
func TestReportsFail(t *testing.T) {
	t.Parallel()
	damaged := reason.Errorf(reason.AuditWrite, "it cannot be read again")
	record := audit.Record{Repository: "r.example/app", Outcome: "passed", Digest: "sha256:2897688afcd4378cbf5316e4ae12c96a62e217582fcf941bcf46a877b49fde4b"}
	broken := func(yield func(audit.Record, error) bool) { _ = yield(record, nil) && yield(audit.Record{}, damaged) }
	whole := func(yield func(audit.Record, error) bool) {
		for range 100 {
			if !yield(record, nil) {
				return
			}
		}
	}
	for _, format := range report.Formats() {
		if err := render(io.Discard, format, broken, reportAbout{}); !errors.Is(err, damaged) {
			t.Errorf("%s: %v", format, err)
		}
		if err := render(brokenPipe{}, format, whole, reportAbout{}); err == nil {
			t.Errorf("%s: nobody reads, and it is written", format)
		}
	}
	long := func(yield func(audit.Record, error) bool) {
		r := record
		r.Message = strings.Repeat("x", audit.MaxRecordBytes)
		yield(r, nil)
	}
	if err := render(io.Discard, report.JSONLines, long, reportAbout{}); reason.Of(err) != reason.AuditRecord {
		t.Errorf("%v", err)
	}
	a := &app{env: Env{Stdout: brokenPipe{}}.withDefaults()}
	if _, err := a.tellAudit(&auditDocument{}, &reportOptions{}, broken, nil); !errors.Is(err, damaged) {
		t.Errorf("%v", err)
	}
	toStdout := &reportOptions{reports: []reportTarget{{report.JSONLines, "-"}}}
	_, err := a.tellAudit(&auditDocument{}, toStdout, whole, nil)
	if reason.Of(err) != reason.AuditWrite || exitCode(err) != exitUndecided {
		t.Errorf("%v", err)
	}
}

// TestAuditTableText shows others, and what was left out.
func TestAuditTableText(t *testing.T) {
	t.Parallel()
	var p page
	table := &auditTable{Summary: audit.Summary{
		Artifacts: 9, Repositories: 1, Passed: 8, Undecided: 1, Unlisted: 1, MoreSigners: 3,
		Signers: []audit.SignerCount{{Signer: "CN=a\x1b", Store: "ca:x", Artifacts: 5}},
	}, NotPassed: []notPassedJSON{{Name: "r.example/x", Outcome: "undecided"}}}
	(&auditDocument{auditTable: table, Subject: "r.example", Complete: true, Own: 2, LeftOut: 1, Reports: []reportJSON{{"table", "x"}}}).text(&p)
	for _, want := range []string{"1 repository that could not be listed", "3          others", `CN=a\x1b`, "2 artifacts are signatures themselves", "1 name that the registry lists", "Wrote x\n", "undecided r.example/x\n"} {
		if !strings.Contains(p.b.String(), want) {
			t.Errorf("%q is missing:\n%s", want, p.b.String())
		}
	}
	if text := loginHint(reason.Errorf(reason.RegistryNoCatalog, "no").WithHint("give a list; or log in")); text != "; or log in" {
		t.Error(text)
	}
}

package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
)

var update = flag.Bool("update", false, "rewrite docs/audit-example.html and the examples of specs/audit-reports.md")

// maxExample bounds the page in the repository.
const maxExample = 100 << 10

// TestExamplePage compares the page that the documentation shows.
func TestExamplePage(t *testing.T) {
	t.Parallel()
	o := options()
	o.Details = 60
	page := render(t, report.HTML, o, example(2000)...)
	checkPage(t, page)
	if len(page) > maxExample {
		t.Errorf("the example has %d bytes", len(page))
	}
	path := filepath.Join("..", "..", "docs", "audit-example.html")
	if *update {
		write(t, path, page)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != page {
		t.Errorf("%s is not what is written now; run this test with -update (%v)", path, err)
	}
}

// TestSpecification makes the examples of the specification again.
func TestSpecification(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "specs", "audit-reports.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	records := specified(t)
	want := string(page)
	for _, form := range []struct{ info, text string }{
		{"json records", render(t, report.JSONLines, report.Options{}, records...)},
		{"xml junit", render(t, report.JUnit, report.Options{Title: "registry.example.com"}, records...)},
		{"json sarif", indented(t, render(t, report.SARIF, report.Options{Title: "registry.example.com", Version: "1.0.0"}, records...))},
	} {
		block := regexp.MustCompile("(?s)```" + form.info + "\n.*?```\n")
		if len(block.FindAllString(want, -1)) != 1 {
			t.Fatalf("there is no block %q", form.info)
		}
		want = block.ReplaceAllLiteralString(want, "```"+form.info+"\n"+form.text+"```\n")
	}
	if *update {
		write(t, path, want)
	} else if want != string(page) {
		t.Error("the examples are not what is written now; run this test with -update")
	}
}

// specified returns the records of the specification, through the reader of
// records.
func specified(t *testing.T) []audit.Record {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	all := example(2000)
	var lines strings.Builder
	seen := map[string]bool{}
	for _, r := range all {
		if kind := r.Outcome + string(r.Reason); !seen[kind] && (r.Outcome == "passed" || r.Outcome == "undecided" || r.Reason == "cert.expired") {
			seen[kind] = true
			line, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(line)
		}
	}
	write(t, path, lines.String())
	return merged(t, path)
}

func indented(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

package report_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// hostile are texts that mean something to whoever shows them.
func hostile() []string {
	return []string{
		`</script><script>alert(1)</script>`, `</style><img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, `' onmouseover='alert(1)`,
		`javascript:alert(1)`, `{{.Title}}`, `<!--`, `]]>`, `<![CDATA[`, `&lt;&#0;&#x1b;`, `%s%n`, `[click](https://evil.example/)`,
		"\x00\x01\x1b[2J\x07\x7f", "line\nfeed\r\n\ttab", "\u202egnp.exe\u2066", "\u200b\u200f\ufeff\u2028\u2029", "\xff\xfe\xc0\x80",
		"\ufffe\uffff\ufdd0", "e\u0301\u0300\u0302", "𝔉𝔞𝔨𝔢", strings.Repeat("long", 10_000), strings.Repeat("é\u202e", 3000),
	}
}

// recordOf puts a text wherever a record has one.
func recordOf(text, outcome string) audit.Record {
	return audit.Record{
		Repository: "registry.example.com/" + text, Tags: []string{text, "b" + text}, Digest: digest.Digest("sha256:" + text), Outcome: outcome,
		ExitCode: 1, Statement: text, Reason: reason.Code(text), Message: text, Hint: text, Time: at,
		Signatures: []audit.Signature{{
			Digest: digest.Digest(text), Outcome: outcome, Check: notation.Check(text), Reason: reason.Code(text), Signer: text,
			Identity: text, Store: text, Root: text, Expiry: at.AddDate(1, 0, 0),
		}},
	}
}

// allOutcomes are those of records, and one that is none.
func allOutcomes() []string {
	return []string{"passed", "rejected", "unsigned", "undecided", "skipped", "", "certainly"}
}

// TestHostileText tries each text in every place of every form, alone and
// together.
func TestHostileText(t *testing.T) {
	t.Parallel()
	var all []audit.Record
	for _, text := range hostile() {
		for _, outcome := range allOutcomes() {
			all = append(all, recordOf(text, outcome))
		}
	}
	for _, text := range hostile() {
		checkForms(t, text, all[:7]...)
		all = all[7:]
	}
}

func FuzzForms(f *testing.F) {
	for i, text := range hostile() {
		if len(text) > 1000 {
			continue // TestHostileText tries them
		}
		f.Add(text, allOutcomes()[i%len(allOutcomes())], i)
	}
	f.Fuzz(func(t *testing.T, text, outcome string, exit int) {
		r := recordOf(text, outcome)
		r.ExitCode = exit
		checkForms(t, text, r)
	})
}

// checkForms renders records, whose text is also in the options, in all forms but
// JSON lines, which are for programs, and checks that each is well formed and can
// be shown.
func checkForms(t *testing.T, text string, records ...audit.Record) {
	t.Helper()
	o := report.Options{Title: text, Policy: text, Version: text, Incomplete: text}
	for _, format := range []string{report.Table, report.JUnit, report.SARIF, report.HTML} {
		out := render(t, format, o, records...)
		// Nothing in these forms needs other characters than those that print.
		if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && (r == utf8.RuneError || !strconv.IsPrint(r)) }); i >= 0 {
			t.Fatalf("%s of %q holds %q", format, text, out[max(0, i-40):min(len(out), i+40)])
		}
		if limit := 64<<10 + 40<<10*len(records); len(out) > limit {
			t.Errorf("%s of %.40q has %d bytes", format, text, len(out))
		}
		switch format {
		case report.JUnit:
			checkXML(t, out)
		case report.SARIF:
			if !json.Valid([]byte(out)) {
				t.Errorf("the SARIF form of %q is no JSON", text)
			}
		case report.HTML:
			checkPage(t, out)
		}
	}
}

// checkXML checks that a text is well-formed XML.
func checkXML(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

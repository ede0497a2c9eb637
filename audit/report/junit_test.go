package report_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
	"github.com/opencontainers/go-digest"
)

// junitReport is the form as its readers know it: attributes that are not here
// are not written.
type junitReport struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	Suites  []struct {
		Name       string     `xml:"name,attr"`
		Tests      int        `xml:"tests,attr"`
		Failures   int        `xml:"failures,attr"`
		Errors     int        `xml:"errors,attr"`
		Skipped    int        `xml:"skipped,attr"`
		Time       string     `xml:"time,attr"`
		Timestamp  string     `xml:"timestamp,attr"`
		Unknown    []xml.Attr `xml:",any,attr"`
		Properties []struct {
			Name  string `xml:"name,attr"`
			Value string `xml:"value,attr"`
		} `xml:"properties>property"`
		Cases []struct {
			Class   string      `xml:"classname,attr"`
			Name    string      `xml:"name,attr"`
			Time    string      `xml:"time,attr"`
			Unknown []xml.Attr  `xml:",any,attr"`
			Failure *junitFault `xml:"failure"`
			Error   *junitFault `xml:"error"`
			Skipped *junitFault `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

type junitFault struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// parseJUnit reads a report and checks what its readers ask for: Jenkins's schema
// wants a name of each suite and case; the counts of suites, which some add up and
// others compute, must be those of their cases; two suites of one name are one to
// some; a case is told apart by class and name; times have no zone.
func parseJUnit(t *testing.T, text string) junitReport {
	t.Helper()
	checkXML(t, text)
	if !strings.HasPrefix(text, `<?xml version="1.0" encoding="UTF-8"?>`+"\n") {
		t.Error("it does not say that it is XML in UTF-8")
	}
	var r junitReport
	if err := xml.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range r.Suites {
		if s.Name == "" || names[s.Name] || len(s.Unknown) > 0 || s.Time != "0" {
			t.Errorf("suite %q is there twice, or has %v", s.Name, s.Unknown)
		}
		names[s.Name] = true
		if _, err := time.Parse("2006-01-02T15:04:05", s.Timestamp); s.Timestamp != "" && err != nil {
			t.Error(err)
		}
		failures, errs, skips := 0, 0, 0
		for _, c := range s.Cases {
			if c.Class == "" || c.Name == "" || c.Time != "0" || len(c.Unknown) > 0 || names[c.Class+"\x00"+c.Name] {
				t.Errorf("case %q of %q", c.Name, c.Class)
			}
			names[c.Class+"\x00"+c.Name] = true
			n := 0
			for fault, count := range map[*junitFault]*int{c.Failure: &failures, c.Error: &errs, c.Skipped: &skips} {
				if fault != nil {
					n++
					*count++
				}
			}
			if n > 1 {
				t.Errorf("case %q has %d outcomes", c.Name, n)
			}
		}
		if s.Tests != len(s.Cases) || s.Tests > report.SuiteCases || s.Failures != failures || s.Errors != errs || s.Skipped != skips {
			t.Errorf("suite %q counts %d %d %d %d, and has %d %d %d %d", s.Name, s.Tests, s.Failures, s.Errors, s.Skipped, len(s.Cases), failures, errs, skips)
		}
	}
	return r
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	r := parseJUnit(t, render(t, report.JUnit, options(), example(2000)...))
	var tests, failures, errs, skips int
	for _, s := range r.Suites {
		tests, failures, errs, skips = tests+s.Tests, failures+s.Failures, errs+s.Errors, skips+s.Skipped
	}
	// No statement is no failure of an artifact, but of the policy.
	if got, want := [...]int{len(r.Suites), tests, failures, errs, skips}, [...]int{72, 2000, 62 - 18 + 153, 24 + 18, 157}; got != want {
		t.Errorf("suites, tests, failures, errors, skipped are %d, want %d", got, want)
	}
	if r.Name != "notation audit of registry.example.com" || r.Suites[0].Properties[0].Value != options().Policy {
		t.Errorf("it is called %q", r.Name)
	}
}

// TestJUnitCase checks what is said of one artifact of each outcome.
func TestJUnitCase(t *testing.T) {
	t.Parallel()
	d := digest.FromString("x")
	for _, tt := range []struct {
		record           audit.Record
		name, kind, said string
	}{
		{audit.Record{Outcome: "passed", Tags: []string{"v1", "v2"}, Digest: d}, "v1@" + string(d), "", ""},
		{audit.Record{Outcome: "rejected", ExitCode: 1, Digest: d, Reason: "cert.expired", Message: "it is over"}, string(d), "failure", "cert.expired|rejected: it is over"},
		{audit.Record{Outcome: "rejected", ExitCode: 2, Digest: d, Reason: "policy.no-statement", Message: "none"}, string(d), "error", "policy.no-statement|rejected: none"},
		{audit.Record{Outcome: "unsigned", ExitCode: 4, Digest: d}, string(d), "failure", "unsigned|unsigned"},
		{audit.Record{Outcome: "undecided", ExitCode: 3, Tags: []string{"v1"}, Reason: "registry.timeout"}, "v1", "error", "registry.timeout|undecided"},
		{audit.Record{Outcome: "undecided", ExitCode: 3, Reason: "registry.denied"}, "(the repository)", "error", "registry.denied|undecided"},
		{audit.Record{Outcome: "skipped", Digest: d, Message: "as the policy says"}, string(d), "skipped", "|skipped: as the policy says"},
	} {
		tt.record.Repository = "localhost:5000/app"
		c := parseJUnit(t, render(t, report.JUnit, report.Options{}, tt.record)).Suites[0].Cases[0]
		kind, said := "", ""
		for name, fault := range map[string]*junitFault{"failure": c.Failure, "error": c.Error, "skipped": c.Skipped} {
			if fault != nil {
				kind, said = name, fault.Type+"|"+fault.Message
				if name != "skipped" && !strings.Contains(fault.Text, "artifact: localhost:5000/app") {
					t.Errorf("%s: the text does not name the artifact: %q", tt.name, fault.Text)
				}
			}
		}
		if c.Class != "localhost:5000/app" || c.Name != tt.name || kind != tt.kind || said != tt.said {
			t.Errorf("got %q %q %q %q, want %q %q %q", c.Class, c.Name, kind, said, tt.name, tt.kind, tt.said)
		}
	}
}

// TestJUnitSuites checks that suites are bounded, and that one that goes on has
// another name.
func TestJUnitSuites(t *testing.T) {
	t.Parallel()
	records := make([]audit.Record, 2*report.SuiteCases+1)
	for i := range records {
		records[i] = audit.Record{Repository: "r.example/large", Outcome: "passed", Digest: digest.FromString(fmt.Sprint(i))}
	}
	records = append(records, audit.Record{Repository: "r.example/next", Outcome: "passed", Digest: digest.FromString("")})
	var names []string
	for _, s := range parseJUnit(t, render(t, report.JUnit, report.Options{}, records...)).Suites {
		names = append(names, fmt.Sprint(s.Name, " ", s.Tests))
	}
	if got, want := strings.Join(names, ", "), "r.example/large 1000, r.example/large (2) 1000, r.example/large (3) 1, r.example/next 1"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestJUnitSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	r := parseJUnit(t, render(t, report.JUnit, report.Options{Incomplete: "it was stopped"}))
	if len(r.Suites) != 1 || r.Suites[0].Errors != 1 || !strings.Contains(r.Suites[0].Cases[0].Error.Message, "it was stopped") {
		t.Errorf("got %+v", r.Suites)
	}
	if r := parseJUnit(t, render(t, report.JUnit, report.Options{})); len(r.Suites) != 0 {
		t.Errorf("got %+v", r.Suites)
	}
}

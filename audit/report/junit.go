package report

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/notaryv2/notation/audit"
)

// junit is the report as a list of tests: a suite for each repository, a case for
// each artifact.
//
// Readers that add up the counts of suites must find them there, and they come
// before the cases. So a suite is held until it ends, which is where another
// repository begins, or with [SuiteCases].
type junit struct {
	w     *bufio.Writer
	o     Options
	begun bool

	repository string
	part       int // of the suites of the repository
	suite      suite
}

// suite is what is held of one suite.
type suite struct {
	cases                             bytes.Buffer
	tests, failures, errors, skippeds int
	time                              time.Time // of the first decision
}

// Add writes a case into the suite of its repository.
func (j *junit) Add(r audit.Record) error {
	name := clean(r.Repository, maxNameBytes)
	if name != j.repository || j.suite.tests >= SuiteCases {
		if err := j.endSuite(); err != nil {
			return err
		}
		if name != j.repository {
			j.repository, j.part = name, 0
		}
		j.part++
	}
	j.suite.add(&r)
	return nil
}

// Close ends the last suite and the document.
func (j *junit) Close() error {
	if err := j.endSuite(); err != nil {
		return err
	}
	j.begin()
	if j.o.Incomplete != "" {
		// Readers know no other way to say that something is missing.
		text := attribute(incomplete(&j.o))
		fmt.Fprintf(j.w, " <testsuite name=\"the audit\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" time=\"0\">\n"+
			"  <testcase classname=\"the audit\" name=\"complete\" time=\"0\"><error type=\"incomplete\" message=\"%s\">%s</error></testcase>\n </testsuite>\n", text, text)
	}
	_, err := j.w.WriteString("</testsuites>\n")
	return err
}

func (j *junit) begin() {
	if j.begun {
		return
	}
	j.begun = true
	title := "notation audit"
	if j.o.Title != "" {
		title += " of " + clean(j.o.Title, maxTitleBytes)
	}
	fmt.Fprintf(j.w, "%s<testsuites name=\"%s\">\n", xml.Header, attribute(title))
}

// endSuite writes the suite that is held.
func (j *junit) endSuite() error {
	s := &j.suite
	if s.tests == 0 {
		return nil
	}
	j.begin()
	name := j.repository
	if j.part > 1 {
		// Readers take two suites of one name for one and the same.
		name += fmt.Sprintf(" (%d)", j.part)
	}
	fmt.Fprintf(j.w, ` <testsuite name="%s" tests="%d" failures="%d" errors="%d" skipped="%d" time="0"`,
		attribute(name), s.tests, s.failures, s.errors, s.skippeds)
	if !s.time.IsZero() {
		fmt.Fprintf(j.w, ` timestamp="%s"`, s.time.UTC().Format("2006-01-02T15:04:05"))
	}
	j.w.WriteString(">\n")
	if j.o.Policy != "" {
		fmt.Fprintf(j.w, "  <properties><property name=\"policy\" value=\"%s\"/></properties>\n", attribute(clean(j.o.Policy, maxTitleBytes)))
	}
	if _, err := s.cases.WriteTo(j.w); err != nil {
		return err
	}
	_, err := j.w.WriteString(" </testsuite>\n")
	cases := s.cases
	cases.Reset()
	j.suite = suite{cases: cases}
	return err
}

// add writes a case.
func (s *suite) add(r *audit.Record) {
	s.tests++
	if !r.Time.IsZero() && (s.time.IsZero() || r.Time.Before(s.time)) {
		s.time = r.Time
	}
	fmt.Fprintf(&s.cases, `  <testcase classname="%s" name="%s" time="0"`, attribute(clean(r.Repository, maxNameBytes)), attribute(caseName(r)))
	switch o := outcomeOf(r); {
	case o == passed:
		s.cases.WriteString("/>\n")
		return
	case o == skipped:
		s.skippeds++
		fmt.Fprintf(&s.cases, "><skipped message=\"%s\"/></testcase>\n", attribute(headline(r)))
		return
	case definite(r):
		s.failures++
		s.fault("failure", r)
	default:
		s.errors++
		s.fault("error", r)
	}
}

func (s *suite) fault(element string, r *audit.Record) {
	fmt.Fprintf(&s.cases, "><%s type=\"%s\" message=\"%s\">", element, attribute(codeOf(r)), attribute(headline(r)))
	s.cases.WriteString(strings.ReplaceAll(attribute(explanation(r)), "&#xA;", "\n"))
	fmt.Fprintf(&s.cases, "</%s></testcase>\n", element)
}

// attribute escapes text for the value of an attribute. XML has no place for most
// control characters, not even escaped; clean has taken them out.
func attribute(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder has no errors
	return b.String()
}

// caseName returns what to call an artifact within its repository: the first of
// its tags and its digest, which together with the repository is a reference.
func caseName(r *audit.Record) string {
	var tag string
	if len(r.Tags) > 0 {
		tag = r.Tags[0]
	}
	switch {
	case tag != "" && r.Digest != "":
		tag += "@" + string(r.Digest)
	case r.Digest != "":
		tag = string(r.Digest)
	case tag == "":
		tag = "(the repository)"
	}
	return clean(tag, maxNameBytes)
}

// headline says in one line why an artifact did not pass.
func headline(r *audit.Record) string {
	if r.Message == "" {
		return outcomeOf(r).String()
	}
	return outcomeOf(r).String() + ": " + clean(r.Message, maxMessageBytes)
}

// explanation says all that is known about why an artifact did not pass, line by
// line.
func explanation(r *audit.Record) string {
	var b strings.Builder
	line := func(what, text string) {
		if text != "" {
			b.WriteString(what + ": " + text + "\n")
		}
	}
	line("artifact", artifactName(r))
	line("tags", tagList(r))
	line("outcome", outcomeOf(r).String())
	line("reason", clean(string(r.Reason), maxCodeBytes))
	line("message", clean(r.Message, maxMessageBytes))
	line("remedy", clean(r.Hint, maxMessageBytes))
	line("policy statement", clean(r.Statement, maxNameBytes))
	for i, s := range r.Signatures {
		if i == listedExamples {
			line("signatures", fmt.Sprintf("%s more", number(len(r.Signatures)-i)))
			break
		}
		text := clean(string(s.Digest), maxNameBytes) + " " + clean(s.Outcome, maxCodeBytes)
		if s.Reason != "" {
			text += ", " + clean(string(s.Reason), maxCodeBytes)
		}
		line("signature", text)
	}
	return b.String()
}

package report

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// What the SARIF form says of itself (SARIF 2.1.0, section 3.13).
const (
	sarifVersion = "2.1.0"
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	projectURI   = "https://github.com/notaryv2/notation"
	category     = "notation-audit/"
)

// sarif is the report as results of static analysis: one for each artifact that
// did not pass.
//
// The results of a run come before the tool that has found them, so that it need
// only name the rules that are used. The order of members means nothing (RFC 8259
// section 1).
type sarif struct {
	w *bufio.Writer
	o Options

	run     int // the number of the one that is being written, from 1
	results int // in it
	rules   []sarifRule
	index   map[string]int // of rules
	known   map[string]reason.Entry
	counts  counts // of all records since the last run began
	first   time.Time
	last    time.Time
}

// The objects of SARIF 2.1.0 that are written, with the section of each.
type (
	sarifText struct { // 3.11, 3.12
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifRule struct { // reportingDescriptor, 3.49
		ID                   string          `json:"id"`
		ShortDescription     sarifText       `json:"shortDescription"`
		FullDescription      sarifText       `json:"fullDescription"`
		Help                 sarifText       `json:"help"`
		DefaultConfiguration sarifConfig     `json:"defaultConfiguration"`
		Properties           sarifProperties `json:"properties"`
	}
	sarifConfig struct { // 3.50
		Level string `json:"level"`
	}
	sarifProperties struct { // 3.8
		Tags []string `json:"tags"`
	}
	sarifResult struct { // 3.27
		RuleID              string            `json:"ruleId"`
		RuleIndex           *int              `json:"ruleIndex,omitempty"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		Locations           []sarifLocation   `json:"locations"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		Properties          sarifDetails      `json:"properties"`
	}
	sarifLocation struct { // 3.28
		PhysicalLocation sarifPhysical  `json:"physicalLocation"`
		LogicalLocations []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct { // 3.29
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           sarifRegion   `json:"region"`
	}
	sarifArtifact struct { // 3.4
		URI string `json:"uri"`
	}
	sarifRegion struct { // 3.30
		StartLine int `json:"startLine"`
	}
	sarifLogical struct { // 3.33
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
	sarifDetails struct {
		Outcome   string   `json:"outcome"`
		ExitCode  int      `json:"exitCode"`
		Statement string   `json:"statement,omitempty"`
		Tags      []string `json:"artifactTags,omitempty"`
		MoreTags  int      `json:"moreArtifactTags,omitzero"`
	}
	sarifTool struct { // 3.18, 3.19
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Version        string      `json:"version,omitempty"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifAutomation struct { // 3.17
		ID string `json:"id"`
	}
	sarifInvocation struct { // 3.20
		ExecutionSuccessful bool          `json:"executionSuccessful"`
		StartTimeUTC        time.Time     `json:"startTimeUtc,omitzero"`
		EndTimeUTC          time.Time     `json:"endTimeUtc,omitzero"`
		Notifications       []sarifNotice `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotice struct { // 3.58
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifCounts struct {
		Passed    int `json:"passed"`
		Rejected  int `json:"rejected"`
		Unsigned  int `json:"unsigned"`
		Undecided int `json:"undecided"`
		Skipped   int `json:"skipped"`
	}
	// sarifRest is what follows the results of a run (3.14).
	sarifRest struct {
		Tool              sarifTool         `json:"tool"`
		AutomationDetails sarifAutomation   `json:"automationDetails"`
		Invocations       []sarifInvocation `json:"invocations"`
		ColumnKind        string            `json:"columnKind"`
		Properties        struct {
			Title     string      `json:"title,omitempty"`
			Policy    string      `json:"policy,omitempty"`
			Artifacts sarifCounts `json:"artifacts"`
		} `json:"properties"`
	}
)

// Add writes a result, unless the artifact passed.
func (s *sarif) Add(r audit.Record) error {
	if s.run == 0 || s.results >= RunResults && outcomeOf(&r) != passed {
		if err := s.nextRun(); err != nil {
			return err
		}
	}
	s.counts[outcomeOf(&r)]++
	if !r.Time.IsZero() && (s.first.IsZero() || r.Time.Before(s.first)) {
		s.first = r.Time
	}
	if r.Time.After(s.last) {
		s.last = r.Time
	}
	if outcomeOf(&r) == passed {
		return nil
	}
	if s.results > 0 {
		s.w.WriteByte(',')
	}
	s.results++
	return s.value("\n", s.result(&r))
}

// Close ends the last run and the document.
func (s *sarif) Close() error {
	if s.run == 0 {
		if err := s.nextRun(); err != nil {
			return err
		}
	}
	if err := s.endRun(); err != nil {
		return err
	}
	_, err := s.w.WriteString("]}\n")
	return err
}

// nextRun ends the run that is being written, and begins another.
func (s *sarif) nextRun() error {
	begin := "{\"$schema\":\"" + sarifSchema + "\",\"version\":\"" + sarifVersion + "\",\"runs\":["
	if s.run > 0 {
		if err := s.endRun(); err != nil {
			return err
		}
		begin = ","
	}
	known := s.known
	if known == nil {
		known = entries()
	}
	*s = sarif{w: s.w, o: s.o, run: s.run + 1, index: map[string]int{}, known: known, rules: []sarifRule{}}
	_, err := s.w.WriteString(begin + "\n{\"results\":[")
	return err
}

// endRun writes what follows the results.
func (s *sarif) endRun() error {
	rest := sarifRest{
		Tool: sarifTool{sarifDriver{Name: "notation", InformationURI: projectURI, Version: clean(s.o.Version, maxCodeBytes), Rules: s.rules}},
		// What is audited apart is kept apart, as are the runs of one audit: a
		// service that is given another run of the same category drops the one that
		// it had.
		AutomationDetails: sarifAutomation{category},
		Invocations:       []sarifInvocation{s.invocation()},
		ColumnKind:        "utf16CodeUnits",
	}
	if s.o.Title != "" {
		rest.AutomationDetails.ID += clean(s.o.Title, maxTitleBytes) + "/"
	}
	if s.run > 1 {
		rest.AutomationDetails.ID += strconv.Itoa(s.run) + "/"
	}
	c := &s.counts
	rest.Properties.Title, rest.Properties.Policy = clean(s.o.Title, maxTitleBytes), clean(s.o.Policy, maxTitleBytes)
	rest.Properties.Artifacts = sarifCounts{c[passed], c[rejected], c[unsigned], c[undecided], c[skipped]}
	text, err := strictjson.Marshal(rest)
	if err != nil {
		return err
	}
	s.w.WriteString("],\n")
	_, err = s.w.Write(text[1:]) // its members follow the results
	return err
}

// invocation says when the audit was made, and whether it saw everything.
func (s *sarif) invocation() sarifInvocation {
	i := sarifInvocation{
		ExecutionSuccessful: s.o.Incomplete == "",
		StartTimeUTC:        cmp.Or(s.o.Started, s.first).UTC().Truncate(time.Millisecond), EndTimeUTC: s.last.UTC().Truncate(time.Millisecond),
	}
	if !i.ExecutionSuccessful {
		i.Notifications = []sarifNotice{{"error", sarifText{Text: sarifEscape(incomplete(&s.o))}}}
	}
	return i
}

// value writes a value as JSON.
func (s *sarif) value(before string, v any) error {
	text, err := strictjson.Marshal(v)
	if err != nil {
		return err
	}
	s.w.WriteString(before)
	_, err = s.w.Write(text)
	return err
}

// result returns what is said of an artifact that did not pass.
func (s *sarif) result(r *audit.Record) sarifResult {
	code := codeOf(r)
	stable := fingerprint(r, code)
	out := sarifResult{
		RuleID: code, RuleIndex: s.rule(r, code), Level: level(r),
		Message: sarifText{Text: message(r)},
		Locations: []sarifLocation{{
			PhysicalLocation: sarifPhysical{sarifArtifact{location(r)}, sarifRegion{1}},
			LogicalLocations: []sarifLogical{{artifactName(r), "resource"}},
		}},
		// GitHub looks at no other name than the first.
		PartialFingerprints: map[string]string{"primaryLocationLineHash": stable + ":1", "repositoryDigestReason/v1": stable},
		Properties: sarifDetails{
			Outcome: outcomeOf(r).String(), ExitCode: r.ExitCode, Statement: clean(r.Statement, maxNameBytes),
			MoreTags: max(r.MoreTags, 0) + max(0, len(r.Tags)-maxTagsShown),
		},
	}
	for _, tag := range r.Tags[:min(len(r.Tags), maxTagsShown)] {
		out.Properties.Tags = append(out.Properties.Tags, clean(tag, maxNameBytes))
	}
	return out
}

// level returns how grave a result is: an error is a definite no; a warning, that
// nothing could be found out; a note, that nothing was to be.
func level(r *audit.Record) string {
	switch {
	case outcomeOf(r) == skipped:
		return "note"
	case definite(r):
		return "error"
	default:
		return "warning"
	}
}

// rule returns the index of the rule for a reason, and adds it if it is new; nil
// if there are too many.
func (s *sarif) rule(r *audit.Record, code string) *int {
	i, ok := s.index[code]
	if ok {
		return &i
	}
	if len(s.rules) >= maxReasons {
		return nil
	}
	entry, ok := s.known[code]
	if !ok {
		entry = reason.Entry{
			Meaning: "The artifact is " + outcomeOf(r).String() + ", for a reason that this version does not know.",
			Remedy:  "See the message of the result.",
		}
		if r.Reason == "" {
			entry.Meaning = "The artifact is " + outcomeOf(r).String() + "."
		}
	}
	i = len(s.rules)
	s.index[code] = i
	s.rules = append(s.rules, sarifRule{
		ID: code, ShortDescription: sarifText{Text: sarifEscape(entry.Meaning)}, FullDescription: sarifText{Text: sarifEscape(entry.Meaning)},
		Help:                 sarifText{Text: sarifEscape(entry.Meaning + " Remedy: " + entry.Remedy), Markdown: sarifEscape(entry.Meaning + "\n\n**Remedy:** " + entry.Remedy)},
		DefaultConfiguration: sarifConfig{level(r)},
		Properties:           sarifProperties{[]string{"security", "supply-chain"}},
	})
	return &i
}

// message says in a sentence or two what stands in the way.
func message(r *audit.Record) string {
	text := artifactName(r)
	if tags := tagList(r); tags != "" {
		text += " (" + tags + ")"
	}
	text += " is " + outcomeOf(r).String()
	if r.Message != "" {
		text += ": " + clean(r.Message, maxMessageBytes)
	}
	text += "."
	if r.Hint != "" {
		text += " Remedy: " + clean(r.Hint, maxMessageBytes) + "."
	}
	return sarifEscape(text)
}

// sarifEscape keeps text from being read as a link (section 3.11.6) or a
// placeholder (section 3.11.5).
func sarifEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `{`, `{{`, `}`, `}}`).Replace(s)
}

// location returns the reference of an artifact as a relative URI (section 3.4.3):
// services take no URI with a scheme that they do not know. In its first segment,
// the registry, a colon would be taken for the end of a scheme (RFC 3986 section
// 4.2).
func location(r *audit.Record) string {
	registry, path, _ := strings.Cut(artifactName(r), "/")
	uri := url.PathEscape(registry)
	uri = strings.ReplaceAll(uri, ":", "%3A")
	if path == "" {
		return uri
	}
	return uri + "/" + (&url.URL{Path: "/" + path}).EscapedPath()[1:]
}

// fingerprint names a result for as long as the same artifact of the same
// repository does not pass for the same reason, whatever its tags and the words
// of the message: SHA-256 over repository, artifact and code, each ended by a
// zero byte, in lower-case hex. The artifact is the digest or, where there is none,
// the tag after a colon.
func fingerprint(r *audit.Record, code string) string {
	artifact := string(r.Digest)
	if artifact == "" && len(r.Tags) > 0 {
		artifact = ":" + r.Tags[0]
	}
	sum := sha256.Sum256([]byte(r.Repository + "\x00" + artifact + "\x00" + code + "\x00"))
	return hex.EncodeToString(sum[:])
}

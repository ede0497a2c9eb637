package report_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// object is a JSON object.
type object = map[string]any

// shape is what the schema of SARIF 2.1.0 says of an object: members that it must
// have and others that it may have, of those that are written here, with their
// kinds. A kind in brackets is an array of it; a name is that of another shape.
type shape map[string]string

var shapes = map[string]shape{
	"log": {"$schema?": "uri", "version!": "version", "runs!": "[run]"},
	"run": {
		"tool!": "tool", "results?": "[result]", "automationDetails?": "automation", "invocations?": "[invocation]",
		"columnKind?": "columnKind", "properties?": "bag",
	},
	"tool": {"driver!": "component"},
	"component": {
		"name!": "string", "informationUri?": "uri", "version?": "string", "rules?": "[rule]",
	},
	"rule": {
		"id!": "string", "shortDescription?": "multiformat", "fullDescription?": "multiformat", "help?": "multiformat",
		"defaultConfiguration?": "configuration", "properties?": "bag",
	},
	"configuration": {"level?": "level"},
	"multiformat":   {"text!": "string", "markdown?": "string"},
	"message":       {"text!": "string"},
	"automation":    {"id?": "string"},
	"invocation": {
		"executionSuccessful!": "bool", "startTimeUtc?": "time", "endTimeUtc?": "time", "toolExecutionNotifications?": "[notification]",
	},
	"notification": {"message!": "message", "level?": "level"},
	"result": {
		"ruleId?": "string", "ruleIndex?": "index", "level?": "level", "message!": "message", "locations?": "[location]",
		"partialFingerprints?": "strings", "properties?": "bag",
	},
	"location":         {"physicalLocation?": "physicalLocation", "logicalLocations?": "[logicalLocation]"},
	"physicalLocation": {"artifactLocation!": "artifactLocation", "region?": "region"},
	"artifactLocation": {"uri?": "uriReference"},
	"region":           {"startLine?": "line"},
	"logicalLocation":  {"fullyQualifiedName?": "string", "kind?": "string"},
}

// checkShape checks a value against a kind.
func checkShape(t *testing.T, at, kind string, value any) {
	t.Helper()
	if element, ok := strings.CutPrefix(kind, "["); ok {
		list, ok := value.([]any)
		if !ok {
			t.Fatalf("%s is no array", at)
		}
		for i, v := range list {
			checkShape(t, fmt.Sprintf("%s/%d", at, i), strings.TrimSuffix(element, "]"), v)
		}
		return
	}
	if s, ok := shapes[kind]; ok {
		o, ok := value.(object)
		if !ok {
			t.Fatalf("%s is no object", at)
		}
		for member := range o {
			if s[member+"!"] == "" && s[member+"?"] == "" {
				t.Errorf("%s has a member %s", at, member)
			}
		}
		for member, kind := range s {
			name := member[:len(member)-1]
			if v, there := o[name]; there {
				checkShape(t, at+"/"+name, kind, v)
			} else if strings.HasSuffix(member, "!") {
				t.Errorf("%s has no member %s", at, name)
			}
		}
		return
	}
	checkScalar(t, at, kind, value)
}

func checkScalar(t *testing.T, at, kind string, value any) {
	t.Helper()
	text, isText := value.(string)
	number, isNumber := value.(float64)
	ok := false
	switch kind {
	case "string":
		ok = isText && text != ""
	case "bool":
		_, ok = value.(bool)
	case "bag":
		_, ok = value.(object)
	case "strings":
		var o object
		o, ok = value.(object)
		for _, v := range o {
			_, is := v.(string)
			ok = ok && is
		}
	case "version":
		ok = text == "2.1.0"
	case "columnKind":
		ok = text == "utf16CodeUnits" || text == "unicodeCodePoints"
	case "level":
		ok = slices.Contains([]string{"none", "note", "warning", "error"}, text)
	case "index":
		ok = isNumber && number >= -1 && number == float64(int(number))
	case "line":
		ok = isNumber && number >= 1
	case "time":
		_, err := time.Parse(time.RFC3339, text)
		ok = err == nil && strings.HasSuffix(text, "Z")
	case "uri":
		u, err := url.Parse(text)
		ok = err == nil && u.IsAbs()
	case "uriReference":
		u, err := url.Parse(text)
		// Services take a URI with a scheme for one that they cannot follow.
		ok = err == nil && !u.IsAbs() && u.Host == "" && text != ""
	default:
		t.Fatalf("there is no kind %s", kind)
	}
	if !ok {
		t.Errorf("%s is no %s: %.200v", at, kind, value)
	}
}

type sarifLog struct {
	Runs []struct {
		Results []struct {
			RuleID    string
			RuleIndex *int
			Level     string
			Message   struct{ Text string }
			Locations []struct {
				PhysicalLocation struct{ ArtifactLocation struct{ URI string } }
			}
			PartialFingerprints map[string]string
		}
		Tool struct {
			Driver struct {
				Version string
				Rules   []struct {
					ID   string
					Help struct{ Text string }
				}
			}
		}
		AutomationDetails struct{ ID string }
		Invocations       []struct{ ExecutionSuccessful bool }
		Properties        struct{ Artifacts map[string]int }
	}
}

// parseSARIF reads a log, checks it against the schema's facts, and that rules
// and results belong together.
func parseSARIF(t *testing.T, text string) sarifLog {
	t.Helper()
	var any object
	if err := json.Unmarshal([]byte(text), &any); err != nil {
		t.Fatal(err)
	}
	checkShape(t, "", "log", any)
	var log sarifLog
	if err := json.Unmarshal([]byte(text), &log); err != nil {
		t.Fatal(err)
	}
	categories := map[string]bool{}
	for _, run := range log.Runs {
		if id := run.AutomationDetails.ID; categories[id] || !strings.HasSuffix(id, "/") {
			t.Errorf("category %q is there twice, or is none", id)
		}
		categories[run.AutomationDetails.ID] = true
		if len(run.Results) > report.RunResults {
			t.Errorf("a run has %d results", len(run.Results))
		}
		prints := map[string]bool{}
		for _, r := range run.Results {
			if r.RuleIndex != nil && run.Tool.Driver.Rules[*r.RuleIndex].ID != r.RuleID {
				t.Errorf("rule %d is not %q", *r.RuleIndex, r.RuleID)
			}
			if p := r.PartialFingerprints["primaryLocationLineHash"]; !printed.MatchString(p) || prints[p] {
				t.Errorf("fingerprint %q", p)
			} else {
				prints[p] = true
			}
		}
	}
	return log
}

var printed = regexp.MustCompile(`^[0-9a-f]{64}:1$`)

func TestSARIF(t *testing.T) {
	t.Parallel()
	log := parseSARIF(t, render(t, report.SARIF, options(), example(2000)...))
	levels := map[string]int{}
	for _, r := range log.Runs[0].Results {
		levels[r.Level]++
	}
	if got, want := fmt.Sprint(levels), fmt.Sprint(map[string]int{"error": 62 - 18 + 153, "warning": 24 + 18, "note": 157}); got != want {
		t.Errorf("levels are %s, want %s", got, want)
	}
	if got := log.Runs[0].Properties.Artifacts["passed"]; got != 1604 || len(log.Runs) != 1 {
		t.Errorf("%d have passed in %d runs", got, len(log.Runs))
	}
	if !log.Runs[0].Invocations[0].ExecutionSuccessful || log.Runs[0].Tool.Driver.Version != "1.0.0" ||
		log.Runs[0].AutomationDetails.ID != "notation-audit/registry.example.com/" {
		t.Errorf("the run is %+v", log.Runs[0].AutomationDetails)
	}
	remedies := map[string]string{}
	for _, e := range reason.All() {
		remedies[string(e.Code)] = e.Remedy
	}
	for _, rule := range log.Runs[0].Tool.Driver.Rules {
		if !strings.Contains(rule.Help.Text, remedies[rule.ID]) || remedies[rule.ID] == "" {
			t.Errorf("rule %s does not tell the remedy: %s", rule.ID, rule.Help.Text)
		}
	}
}

// TestSARIFResult checks what does and what does not change the fingerprint, what
// becomes of a port, and that no text is taken for a link.
func TestSARIFResult(t *testing.T) {
	t.Parallel()
	base := audit.Record{
		Repository: "localhost:5000/team/app", Digest: digest.FromString("x"), Tags: []string{"v1"}, Outcome: "rejected", ExitCode: 1, Reason: "cert.expired",
		Message: `see [this](https://evil.example) {0} \o/`, Time: at,
	}
	result := func(change func(r *audit.Record)) (fingerprint, text, uri string) {
		r := base
		change(&r)
		found := parseSARIF(t, render(t, report.SARIF, report.Options{}, r)).Runs[0].Results[0]
		return found.PartialFingerprints["primaryLocationLineHash"], found.Message.Text, found.Locations[0].PhysicalLocation.ArtifactLocation.URI
	}
	stable, text, uri := result(func(*audit.Record) {})
	if want := "localhost%3A5000/team/app@" + string(base.Digest); uri != want {
		t.Errorf("the location is %s, want %s", uri, want)
	}
	if !strings.Contains(text, `see \[this\](https://evil.example) {{0}} \\o/`) {
		t.Errorf("the message is %s", text)
	}
	for name, tt := range map[string]struct {
		change func(r *audit.Record)
		same   bool
	}{
		"tags":       {func(r *audit.Record) { r.Tags = nil }, true},
		"words":      {func(r *audit.Record) { r.Message, r.Hint = "else", "else" }, true},
		"time":       {func(r *audit.Record) { r.Time = at.AddDate(1, 0, 0) }, true},
		"repository": {func(r *audit.Record) { r.Repository = "localhost:5000/team/other" }, false},
		"digest":     {func(r *audit.Record) { r.Digest = digest.FromString("y") }, false},
		"no digest":  {func(r *audit.Record) { r.Digest = "" }, false},
		"reason":     {func(r *audit.Record) { r.Reason = "cert.not-yet-valid" }, false},
		"no reason":  {func(r *audit.Record) { r.Reason = "" }, false},
	} {
		if got, _, _ := result(tt.change); (got == stable) != tt.same {
			t.Errorf("another %s: the fingerprint is %s, and was %s", name, got, stable)
		}
	}
	first, _, _ := result(func(r *audit.Record) { r.Digest, r.Tags = "", []string{"a"} })
	if second, _, _ := result(func(r *audit.Record) { r.Digest, r.Tags = "", []string{"b"} }); first == second {
		t.Error("two tags that could not be resolved have one fingerprint")
	}
}

// TestSARIFRuns checks that more results than a service takes of a run are in a
// further run, and that none is lost.
func TestSARIFRuns(t *testing.T) {
	t.Parallel()
	var records []audit.Record
	for i := range report.RunResults + 10 {
		r := audit.Record{Repository: "r.example/a", Digest: digest.FromString(fmt.Sprint(i)), Outcome: "unsigned", ExitCode: 4, Reason: reason.VerifyUnsigned}
		records = append(records, r)
	}
	records = append(records, audit.Record{Repository: "r.example/b", Outcome: "passed", Digest: digest.FromString("")})
	log := parseSARIF(t, render(t, report.SARIF, report.Options{Title: "r.example"}, records...))
	var got []string
	for _, run := range log.Runs {
		got = append(got, fmt.Sprint(run.AutomationDetails.ID, " ", len(run.Results), " ", run.Properties.Artifacts["passed"]))
	}
	if got, want := strings.Join(got, ", "), "notation-audit/r.example/ 25000 0, notation-audit/r.example/2/ 10 1"; got != want {
		t.Errorf("got %s", got)
	}
}

// TestSARIFRules checks that rules are bounded, and that codes of other versions
// are told.
func TestSARIFRules(t *testing.T) {
	t.Parallel()
	var records []audit.Record
	for i := range 1002 {
		records = append(records, audit.Record{
			Repository: "r.example/a", Digest: digest.FromString("x"), Outcome: "rejected", ExitCode: 1, Reason: reason.Code(fmt.Sprint("other.", i)),
		})
	}
	run := parseSARIF(t, render(t, report.SARIF, report.Options{}, records...)).Runs[0]
	if len(run.Tool.Driver.Rules) != 1000 || run.Results[1001].RuleIndex != nil || run.Results[1001].RuleID != "other.1001" {
		t.Errorf("there are %d rules", len(run.Tool.Driver.Rules))
	}
	if help := run.Tool.Driver.Rules[0].Help.Text; !strings.Contains(help, "does not know") {
		t.Errorf("the help is %q", help)
	}
}

func TestSARIFSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	text := render(t, report.SARIF, report.Options{Incomplete: "it was stopped", Started: at})
	if log := parseSARIF(t, text); log.Runs[0].Invocations[0].ExecutionSuccessful || !strings.Contains(text, "it was stopped") || !strings.Contains(text, `"results":[]`) {
		t.Errorf("got %s", text)
	}
}

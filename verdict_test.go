package notation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/trust"
)

// documented is the verdict that specs/verdict.md shows.
func documented() notation.Verdict {
	artifact := oci.Descriptor{
		MediaType: "application/vnd.oci.image.manifest.v1+json", Size: 553,
		Digest: "sha256:2897688afcd4378cbf5316e4ae12c96a62e217582fcf941bcf46a877b49fde4b",
	}
	return notation.Verdict{
		Reference: "registry.example/net-monitor@" + string(artifact.Digest),
		Artifact:  artifact,
		Scope:     "registry.example/net-monitor",
		Statement: "wabbit",
		Level:     trust.Permissive,
		Outcome:   notation.Passed,
		Time:      time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		Findings: []notation.Finding{{
			Check: notation.CheckDiscovery, Outcome: notation.Logged, Reason: "verify.listing",
			Message: "cannot list the signatures: connection reset", Hint: "Try again.",
		}},
		Signatures: []notation.SignatureVerdict{{
			Digest:      "sha256:60019bdfbf0a196f75aae28debac0da1ea5f0003bfd4650495259479dea50da2",
			MediaType:   "application/jose+json",
			Outcome:     notation.Passed,
			Subject:     "CN=release,O=wabbit-networks.io,ST=WA,C=US",
			Issuer:      "CN=issuing,O=wabbit-networks.io,ST=WA,C=US",
			Fingerprint: "8c8a8c78aed41e9f4e791e32df25ef415bbe2b1a93d8039470227b6b00d51368",
			Identity:    "x509.subject: C=US,ST=WA,O=wabbit-networks.io",
			Store:       "ca:wabbit-networks.io",
			Root:        "CN=root,O=wabbit-networks.io,ST=WA,C=US",
			Scheme:      "notary.x509",
			SigningTime: time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC),
			Expiry:      time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC),
			Metadata:    map[string]string{"commit": "abc"},
			Findings: []notation.Finding{
				{Check: notation.CheckIntegrity, Outcome: notation.Passed, Message: "signed with RSASSA-PSS-SHA-256"},
				{Check: notation.CheckAuthenticity, Outcome: notation.Passed, Message: "root in ca:wabbit-networks.io, identity x509.subject: C=US,ST=WA,O=wabbit-networks.io"},
				{Check: notation.CheckAuthenticTimestamp, Outcome: notation.Passed, Message: "all certificates are valid now"},
				{Check: notation.CheckExpiry, Outcome: notation.Logged, Reason: "verify.expired", Message: "the signature expired at 2026-11-22T08:30:00Z", Hint: "Have the artifact signed again."},
				{Check: notation.CheckRevocation, Outcome: notation.Skipped, Reason: "verify.revocation-no-source", Message: "not checked: 2 of 2 certificates name neither an OCSP responder nor a CRL"},
			},
		}},
		NotLookedAt: 1,
	}
}

// TestDocumentedExample keeps specs/verdict.md equal to what is written.
func TestDocumentedExample(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("specs/verdict.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := bytes.Cut(page, []byte("```json\n"))
	want, _, ok := bytes.Cut(after, []byte("```"))
	if !ok {
		t.Fatal("no example")
	}
	got, err := json.MarshalIndent(documented(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(got, '\n'), want) {
		t.Errorf("the verdict is\n%s", got)
	}
}

// TestSchema keeps the schema's members and words equal to those of the types.
func TestSchema(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("specs/verdict.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Required   []string `json:"required"`
		Properties map[string]struct {
			Enum []string `json:"enum"`
		} `json:"properties"`
	}
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	members := func(v any) (all, always []string) {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			name, rest, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			all = append(all, name)
			if rest == "" {
				always = append(always, name)
			}
		}
		return all, always
	}
	compare := func(what string, got object, all, always []string) {
		var names []string
		for name := range got.Properties {
			names = append(names, name)
		}
		for _, s := range [][]string{names, all, always, got.Required} {
			slices.Sort(s)
		}
		if !slices.Equal(names, all) || !slices.Equal(got.Required, always) {
			t.Errorf("%s: schema has %v, required %v; the type %v, always %v", what, names, got.Required, all, always)
		}
	}
	all, always := members(notation.Verdict{})
	compare("verdict", schema.object, append(all, "verdictVersion", "outcome", "level"), append(always, "verdictVersion", "outcome"))
	all, always = members(notation.SignatureVerdict{})
	compare("signature", schema.Defs["signature"], all, always)
	all, always = members(notation.Timestamp{})
	compare("timestamp", schema.Defs["timestamp"], all, always)
	all, always = members(notation.Finding{})
	compare("finding", schema.Defs["finding"], all, always)

	var words []string
	for _, o := range outcomes {
		words = append(words, notation.Verdict{Outcome: o}.Word())
	}
	for _, word := range schema.Properties["outcome"].Enum {
		if !slices.Contains(words, word) {
			t.Errorf("no outcome is %q", word)
		}
	}
}

var outcomes = []notation.Outcome{
	notation.Failed, notation.Passed, notation.Logged, notation.Skipped, notation.Unsigned, notation.Undecided,
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	want := []string{"failed", "passed", "logged", "skipped", "unsigned", "undecided"}
	for i, o := range outcomes {
		text, err := o.MarshalText()
		if o.String() != want[i] || string(text) != want[i] || err != nil {
			t.Errorf("%d is %s, %s", i, o, text)
		}
		verdict := notation.Verdict{Outcome: o}
		if word := verdict.Word(); word != want[i] && (o != notation.Failed || word != "rejected") {
			t.Errorf("%s is the word of %s", word, o)
		}
	}
	if s := notation.Outcome(99).String(); s != "Outcome(99)" {
		t.Error(s)
	}
	if new(notation.Outcome).String() != "failed" || fmt.Sprint(notation.CheckExpiry) != "expiry" {
		t.Error("zero outcome or check")
	}
}

// TestEmptyVerdict has lists, and no member that would look like a decision.
func TestEmptyVerdict(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(&notation.Verdict{Signatures: []notation.SignatureVerdict{{}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"verdictVersion":"1.0","outcome":"rejected","reference":"","scope":"","statement":"","time":"0001-01-01T00:00:00Z",` +
		`"findings":[],"signatures":[{"outcome":"failed","findings":[]}],"notLookedAt":0}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}

package audit

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// TestSpecification reads the examples of specs/audit.md.
func TestSpecification(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "specs", "audit.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, block := range regexp.MustCompile("(?ms)^```json (\\w+)\\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1) {
		kind, text := block[1], strings.TrimSpace(block[2])
		seen[kind]++
		r, err := ParseRecord([]byte(text))
		switch kind {
		case "record":
			wantCode(t, err, "")
			line := strings.TrimSpace(lineOf(t, r))
			if again, err := ParseRecord([]byte(line)); err != nil || again.Name() != r.Name() {
				t.Errorf("%s: %v", line, err)
			}
			// Every member of the example is one that is written.
			for _, member := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(text, -1) {
				if !strings.Contains(line, member[0]) {
					t.Errorf("%s is not written: %s", member[0], line)
				}
			}
		case "refused":
			wantCode(t, err, reason.AuditRecord)
		case "header":
			if m, ok, err := parseMark([]byte(text)); !ok || err != nil || m.Fingerprint == "" {
				t.Errorf("%s is no header: %v", text, err)
			}
		case "mark":
			m, ok, err := parseMark([]byte(text))
			if !ok || err != nil || m.Run == "" {
				t.Errorf("%s is no mark: %v", text, err)
			}
		default:
			t.Errorf("a block of the kind %s", kind)
		}
	}
	if seen["record"] != 3 || seen["refused"] != 2 || seen["header"] != 1 || seen["mark"] != 1 {
		t.Errorf("%v", seen)
	}
	for _, member := range regexp.MustCompile(`json:"(\w+)`).FindAllStringSubmatch(source(t, "record.go")+source(t, "coverage.go"), -1) {
		if !strings.Contains(string(raw), "`"+member[1]+"`") {
			t.Errorf("the member %s is not described", member[1])
		}
	}
}

func source(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

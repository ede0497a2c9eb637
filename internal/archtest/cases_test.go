package archtest

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// caseRow is a row of docs/security/attacks-cases.md.
	caseRow = regexp.MustCompile(`^\| ([A-Z]{2,3}-\d{2}) \| (.+) \| (.+) \|$`)
	// caseTest is one test that a row names.
	caseTest = regexp.MustCompile("`([^`]+)`")
	// caseName is how a Go test is named there: directory, function, case.
	caseName = regexp.MustCompile(`^(\S+): ((?:Test|Fuzz|Example)\w*)(?:/(.+))?$`)
)

// testSources returns, by directory, all test files of the repository, and all
// scripts by path.
func testSources(t *testing.T) (tests map[string]string, scripts map[string]bool) {
	t.Helper()
	tests, scripts = map[string]string{}, map[string]bool{}
	files(t, func(path string, data []byte) {
		switch {
		case strings.HasSuffix(path, "_test.go"):
			dir := filepath.ToSlash(filepath.Dir(path))
			tests[dir] += string(data)
		case strings.HasSuffix(path, ".txtar"):
			scripts[path] = true
		}
	})
	return tests, scripts
}

// TestEveryCaseIsTried looks up each test that docs/security/attacks-cases.md
// names, and wants a case for each row in force.
func TestEveryCaseIsTried(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(root, "docs", "security", "attacks-cases.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, scripts := testSources(t)
	cases := map[string]int{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| id |") {
			continue
		}
		row := caseRow.FindStringSubmatch(line)
		if row == nil {
			t.Errorf("a row cannot be read: %s", line)
			continue
		}
		cases[row[1]]++
		named := caseTest.FindAllStringSubmatch(row[3], -1)
		if len(named) == 0 {
			t.Errorf("%s, %s: no test", row[1], row[2])
		}
		for _, n := range named {
			if !scripts[n[1]] && !testExists(tests, n[1]) {
				t.Errorf("%s, %s: there is no test %s", row[1], row[2], n[1])
			}
		}
	}
	table := attackTable(t)
	for _, id := range slices.Sorted(maps.Keys(table)) {
		if table[id] == "in force" && cases[id] == 0 {
			t.Errorf("no case of %s is listed", id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(cases)) {
		if _, ok := table[id]; !ok {
			t.Errorf("cases of %s are listed, and it is not in the table", id)
		}
	}
}

// testExists reports whether a directory has a test and the test's case is
// written there as a string.
func testExists(tests map[string]string, name string) bool {
	m := caseName.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	source := tests[m[1]]
	if !strings.Contains(source, "\nfunc "+m[2]+"(") {
		return false
	}
	return m[3] == "" || strings.Contains(source, `"`+m[3]+`"`) || strings.Contains(source, "`"+m[3]+"`")
}

package archtest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// attackRow is a row of docs/security/attacks.md.
	attackRow = regexp.MustCompile(`(?m)^\| ([A-Z]{2,3}-\d{2}) \|.*\| (in force|later) \|$`)
	// attackComment is how a test says which row it tries.
	attackComment = regexp.MustCompile(`(?m)^\s*(?://|#) attack: (.*)$`)
	attackID      = regexp.MustCompile(`^[A-Z]{2,3}-\d{2}$`)
	// sharedSection and sharedRow are how ../shared/attacks.md is written.
	sharedSection = regexp.MustCompile(`^## .*\(([A-Z]{2,3})\)$`)
	sharedRow     = regexp.MustCompile(`^(\d{2}) `)
)

// attackTable returns the ids of the project's own table and their status.
func attackTable(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docs", "security", "attacks.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, m := range attackRow.FindAllStringSubmatch(string(data), -1) {
		if _, twice := table[m[1]]; twice {
			t.Errorf("attacks.md has %s twice", m[1])
		}
		table[m[1]] = m[2]
	}
	if rows := strings.Count(string(data), "\n| ") - strings.Count(string(data), "\n| id |"); rows != len(table) {
		t.Errorf("attacks.md has %d rows, of which %d can be read", rows, len(table))
	}
	return table
}

// TestEveryAttackIsTried compares the table with the tests, both ways.
func TestEveryAttackIsTried(t *testing.T) {
	t.Parallel()
	table := attackTable(t)
	tried := map[string][]string{}
	files(t, func(path string, data []byte) {
		if !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, ".txtar") {
			return
		}
		for _, m := range attackComment.FindAllStringSubmatch(string(data), -1) {
			if id := strings.TrimSpace(m[1]); attackID.MatchString(id) {
				tried[id] = append(tried[id], path)
			} else {
				t.Errorf("%s: %q is not one id", path, m[1])
			}
		}
	})
	for _, id := range slices.Sorted(maps.Keys(table)) {
		if table[id] == "in force" && len(tried[id]) == 0 {
			t.Errorf("no test tries %s", id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(tried)) {
		if _, ok := table[id]; !ok {
			t.Errorf("%v: attack %s is not in the table", tried[id], id)
		}
	}
}

// TestAttackTableIsWhole compares the ids with those of the list from which the
// table was made, where that lies beside this repository. Areas that the list does
// not have are of this repository's own.
func TestAttackTableIsWhole(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(root, "..", "shared", "attacks.md"))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("../shared/attacks.md is not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	section := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if m := sharedSection.FindStringSubmatch(line); m != nil {
			section = m[1]
		} else if m := sharedRow.FindStringSubmatch(line); m != nil && section != "" {
			want = append(want, fmt.Sprintf("%s-%s", section, m[1]))
		}
	}
	slices.Sort(want)
	got := slices.DeleteFunc(slices.Sorted(maps.Keys(attackTable(t))), func(id string) bool {
		area, _, _ := strings.Cut(id, "-")
		return !slices.ContainsFunc(want, func(listed string) bool { return strings.HasPrefix(listed, area+"-") })
	})
	if !slices.Equal(got, want) {
		t.Errorf("the table has\n%v\nwant\n%v", got, want)
	}
}

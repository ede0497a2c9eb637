package doctest

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/notaryv2/notation/test/toolbox"
	"github.com/rogpeppe/go-internal/txtar"
)

// scenarioPage shows commands of scripts, in blocks "sh scenario NAME".
const (
	scenarioPage = "docs/scenarios.md"
	scenarioInfo = "sh scenario "
)

// TestScenarioPage looks for each command of docs/scenarios.md in its script,
// where it runs. The commands of a block have the order of the script.
func TestScenarioPage(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(filepath.Join(toolbox.Root(), "test", "testdata", "scenarios", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts: %v", len(scripts), err)
	}
	shown := map[string]bool{}
	for _, b := range blocks(t, scenarioPage) {
		name, ok := strings.CutPrefix(b.info, scenarioInfo)
		if !ok {
			continue // TestEveryBlockIsKnown
		}
		shown[name] = true
		rest := scriptCommands(t, name)
		for line := range strings.Lines(b.text) {
			line = strings.TrimSuffix(line, "\n")
			for len(rest) > 0 && rest[0] != line {
				rest = rest[1:]
			}
			if len(rest) == 0 {
				t.Errorf("%s does not run, after the lines before it: %s", name, line)
				break
			}
			rest = rest[1:]
		}
	}
	for _, script := range scripts {
		if name := strings.TrimSuffix(filepath.Base(script), ".txtar"); !shown[name] {
			t.Errorf("%s says nothing about %s", scenarioPage, name)
		}
	}
}

// How scripts begin a command that must succeed, one that must not, and one that
// runs a file of the script.
var (
	succeeds = regexp.MustCompile(`^exec (.*)`)
	fails    = regexp.MustCompile(`^exits (?:-mixed )?(\d) (.*)`)
	runsFile = regexp.MustCompile(`^sh -eu (\S+)`)
)

// scriptCommands returns the commands of a script as the page shows them, with
// those of files where these are run.
func scriptCommands(t *testing.T, name string) []string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join(toolbox.Root(), "test", "testdata", "scenarios", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(archive.Comment)) {
		line = strings.TrimSpace(line)
		if m := fails.FindStringSubmatch(line); m != nil {
			line = m[2] + " # exit code " + m[1]
		} else if m := succeeds.FindStringSubmatch(line); m != nil {
			line = m[1]
		}
		all = append(all, line)
		m := runsFile.FindStringSubmatch(line)
		for _, file := range archive.Files {
			if m != nil && m[1] == file.Name {
				all = append(all, strings.Split(string(file.Data), "\n")...)
			}
		}
	}
	return all
}

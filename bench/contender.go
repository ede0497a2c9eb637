package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

//go:embed contenders.json
var builtIn []byte

// A contender is a program with the command lines by which it does the tasks.
// docs/benchmarks.md tells how to add one.
type contender struct {
	Name    string `json:"name"`
	Program string `json:"program"`
	// Floor says that it does less than the tasks ask for, so that no ratio is
	// taken to it.
	Floor bool `json:"floor"`
	// Most bounds the artifacts that it gets in tasks about many, as for a loop that
	// would take an hour; 0: as many as there are.
	Most int `json:"most"`
	// AtOnce is how many artifacts it has under way at a time by the task's name, so
	// that it can be told what it could have reached; 0: that is not asked.
	AtOnce map[string]int `json:"atOnce"`
	// SignsItself says that it understands no signatures but its own, so that
	// artifacts are signed for it by its own command.
	SignsItself bool `json:"signsItself"`
	// Environment is added to an environment that is otherwise almost empty.
	// Placeholders in it are replaced.
	Environment map[string]string `json:"environment"`
	// Setup is run once, before anything is measured.
	Setup [][]string `json:"setup"`
	// Commands are command lines by the task's name.
	Commands map[string][]string `json:"commands"`
}

// values replace placeholders in a command line, such as {reference}.
type values map[string]string

// placeholder is what values replace. Braces with anything else between them
// belong to the contender.
var placeholder = regexp.MustCompile(`\{(program|home|cache|key|chain|root|reference|single|signatures|list|file)\}`)

// expand returns the command line with its placeholders replaced. One that has
// no value is an error.
func expand(line []string, v values) ([]string, error) {
	expanded := make([]string, len(line))
	var missing error
	for i, word := range line {
		expanded[i] = placeholder.ReplaceAllStringFunc(word, func(name string) string {
			value, ok := v[strings.Trim(name, "{}")]
			if !ok {
				missing = fmt.Errorf("there is no %s for the command %q", name, line)
			}
			return value
		})
	}
	return expanded, missing
}

// readContenders reads a table from a file; "" is the one that is built in.
func readContenders(path string) ([]contender, error) {
	if path == "" {
		return parseContenders(builtIn)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxTable {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxTable)
	}
	all, err := parseContenders(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

func (c *contender) checkTask(name string) error {
	if !slices.ContainsFunc(tasks(), func(t task) bool { return t.name == name }) {
		return fmt.Errorf("%s: there is no task %q", c.Name, name)
	}
	return nil
}

func parseContenders(raw []byte) ([]contender, error) {
	var all []contender
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, c := range all {
		if c.Name == "" || c.Program == "" || seen[c.Name] {
			return nil, fmt.Errorf("a contender needs a program and a name of its own, unlike %q", c.Name)
		}
		seen[c.Name] = true
		for name := range c.AtOnce {
			if err := c.checkTask(name); err != nil {
				return nil, err
			}
		}
		if c.Most < 0 || slices.ContainsFunc(slices.Collect(maps.Values(c.AtOnce)), func(n int) bool { return n < 0 }) {
			return nil, fmt.Errorf("%s: a number of artifacts is less than 0", c.Name)
		}
		for name, line := range c.Commands {
			if err := c.checkTask(name); err != nil {
				return nil, err
			}
			if len(line) == 0 {
				return nil, fmt.Errorf("%s: the command for %s is empty", c.Name, name)
			}
		}
		if c.SignsItself && c.Commands["sign"] == nil {
			return nil, fmt.Errorf("%s signs itself and has no command for sign", c.Name)
		}
		if slices.ContainsFunc(c.Setup, func(line []string) bool { return len(line) == 0 }) {
			return nil, fmt.Errorf("%s: a command of its setup is empty", c.Name)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the table is empty")
	}
	return all, nil
}

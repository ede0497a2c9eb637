package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// commandTimeout bounds one command of the demo.
const commandTimeout = time.Minute

// stage is where the commands run: a throw-away home directory, and the
// account of what has happened.
type stage struct {
	dir    string
	env    []string
	colour bool
	rows   []row
}

// row is a line of the summary.
type row struct {
	step, expected, got string
}

// newStage makes the home directory. Nothing of the caller's environment is
// passed on but what programs need to run at all.
func newStage(dir, bin string) (*stage, error) {
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &stage{
		dir: home,
		env: []string{
			"HOME=" + home,
			"TMPDIR=" + dir,
			"PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH"),
		},
		colour: terminal && os.Getenv("NO_COLOR") == "",
	}, nil
}

// say prints a paragraph that tells what comes next.
func (s *stage) say(format string, args ...any) {
	fmt.Printf("\n%s\n", s.paint("1;34", "# "+fmt.Sprintf(format, args...)))
}

// paint colours text where that is wanted.
func (s *stage) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// export sets a variable for the commands that follow, as a shell would.
func (s *stage) export(name, value string) {
	fmt.Println(s.paint("1", fmt.Sprintf("$ export %s=%s", name, value)))
	s.env = append(slices.Clone(s.env), name+"="+value)
}

// run shows a command line, runs it in a shell and shows what it prints. The
// step is as expected if it ends with the exit code and what it prints has a
// line that begins with each of lines.
func (s *stage) run(ctx context.Context, step, line string, exit int, lines ...string) error {
	fmt.Println(s.paint("1", "$ "+line))
	limited, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(limited, "sh", "-c", line)
	cmd.Dir, cmd.Env = s.dir, s.env
	// One writer for both streams, and so one pipe: the lines come in the order
	// in which they would on a terminal. They are kept to be looked at.
	var printed bytes.Buffer
	both := io.MultiWriter(os.Stdout, &printed)
	cmd.Stdout, cmd.Stderr = both, both
	err := cmd.Run()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else if err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	if exit != 0 {
		fmt.Println(s.paint("33", fmt.Sprintf("(exit code %d)", got)))
	}
	r := row{step, fmt.Sprintf("exit %d", exit), fmt.Sprintf("exit %d", got)}
	if exit != 0 && strings.Contains(printed.String(), "Successfully") {
		r.got += ", claims success"
	}
	for _, want := range lines {
		short := fmt.Sprintf(", %q", firstWords(want))
		r.expected += short
		if strings.Contains("\n"+printed.String(), "\n"+want) {
			r.got += short
		}
	}
	s.rows = append(s.rows, r)
	return nil
}

// firstWords returns the words of a line before what differs from run to run.
func firstWords(line string) string {
	words := strings.Fields(line)
	return strings.Join(words[:min(2, len(words))], " ")
}

// check adds a row about something that the demo has looked up itself.
func (s *stage) check(step, expected, got string) {
	s.rows = append(s.rows, row{step, expected, got})
}

// summary prints what was expected and what came of it, and returns how many
// rows differ.
func (s *stage) summary() int {
	step, expected := len("step"), len("expected")
	for _, r := range s.rows {
		step, expected = max(step, len(r.step)), max(expected, len(r.expected))
	}
	fmt.Printf("\n%s\n", s.paint("1", fmt.Sprintf("   %-*s  %-*s  got", step, "step", expected, "expected")))
	differences := 0
	for _, r := range s.rows {
		mark := s.paint("32", "ok")
		got := "the same"
		if r.expected != r.got {
			mark, got = s.paint("31", "NO"), r.got
			differences++
		}
		fmt.Printf("%s %-*s  %-*s  %s\n", mark, step, r.step, expected, r.expected, got)
	}
	if differences > 0 {
		fmt.Printf("\n%s\n", s.paint("31", fmt.Sprintf("%d of %d steps differ", differences, len(s.rows))))
	} else {
		fmt.Printf("\n%s\n", s.paint("32", fmt.Sprintf("all %d steps as expected", len(s.rows))))
	}
	return differences
}

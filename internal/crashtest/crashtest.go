// Package crashtest kills programs in the middle of what they write, fails
// them, and fills their disks, so that tests can look at what is left.
//
// A test describes a [Change] on disk, and [Change.Test] makes it again and
// again: in a process that is killed before its first step, in one that is
// killed before its second, until one lives to the end; then with an I/O error
// in place of each step; then with a limit on the size of files, which the
// system enforces in the middle of a write, as a full disk does. After each, the
// test looks at the files. [Mounts] lets a test have real file systems of its
// own: a full one, a second one.
//
// The process is the test program itself, run for this one test.
package crashtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// variable tells a child what becomes of it: the kind of its fate, a number and
// the directory.
const variable = "NOTATION_CRASHTEST"

// Kinds of fates.
const (
	kindKill  = "kill"  // before a step
	kindLimit = "limit" // no file may be longer than that many bytes
)

const (
	maxSteps   = 1000
	exitFailed = 3
	dying      = "dying\n" // what a child says before it is killed
)

// Change is something that a program does to the files of a directory.
type Change struct {
	// Prepare puts into dir, which is new and empty, what is there before.
	Prepare func(t *testing.T, dir string)

	// Do makes the change. It calls step before each of its steps and takes
	// step's error for that of the step. It mostly runs in another process, so
	// all it knows is dir.
	Do func(dir string, step func() error) error

	// Check looks at what is there afterwards.
	Check func(t *testing.T, dir string, f Fate)

	// MinSteps is how many steps there are at least.
	MinSteps int

	// Longest is the size in bytes of the longest file that is written; 0: file
	// sizes are not limited.
	Longest int
}

// Fate is what became of a Change.
type Fate struct {
	// Name says what was done to it, "killed before step 3".
	Name string
	// Killed says that it was, and Done that it has ended without error.
	Killed, Done bool
	// Code is that of the error.
	Code reason.Code
}

// Child reports whether this process is one that [Change.Test] has started. A
// TestMain that prepares what such a process does not need can leave it out.
func Child() bool { return os.Getenv(variable) != "" }

// Test makes the change with every fate. The test that calls it should have
// done nothing before, as the other processes would do that, too.
func (c Change) Test(t *testing.T) {
	t.Helper()
	if v := os.Getenv(variable); v != "" {
		c.play(v)
	}
	steps := 0
	for c.once(t, kindKill, steps, "killed before step "+strconv.Itoa(steps)).Killed {
		if steps++; steps > maxSteps {
			t.Fatalf("there is no end after %d steps", maxSteps)
		}
	}
	if steps < c.MinSteps {
		t.Errorf("there are %d steps only", steps)
	}
	for step := range steps {
		c.failing(t, step)
	}
	if c.Longest > 0 && canLimit {
		for _, n := range []int{0, 1, c.Longest / 2, c.Longest - 1} {
			c.once(t, kindLimit, n, "files of "+strconv.Itoa(n)+" bytes")
		}
	}
}

// failing makes the change with an I/O error at a step, in this process.
func (c Change) failing(t *testing.T, at int) {
	t.Helper()
	dir := t.TempDir()
	c.Prepare(t, dir)
	n := 0
	err := c.Do(dir, func() error {
		if n++; n == at+1 {
			return syscall.EIO
		}
		return nil
	})
	c.Check(t, dir, Fate{Name: "I/O error at step " + strconv.Itoa(at), Done: err == nil, Code: reason.Of(err)})
}

// once makes the change once, in another process.
func (c Change) once(t *testing.T, kind string, at int, name string) Fate {
	t.Helper()
	dir := t.TempDir()
	c.Prepare(t, dir)
	cmd := exec.Command(os.Args[0], "-test.run="+pattern(t.Name()))
	// What a TestMain makes there, nobody else would remove.
	temp := t.TempDir()
	cmd.Env = append(os.Environ(), variable+"="+kind+" "+strconv.Itoa(at)+" "+dir, "GORACE=atexit_sleep_ms=0",
		"TMPDIR="+temp, "TMP="+temp, "TEMP="+temp)
	var out, diagnostics strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err := cmd.Run()
	f := Fate{Name: name, Killed: out.String() == dying, Done: err == nil}
	if f.Done && out.Len() > 0 {
		t.Fatalf("the test has not reached the change: %s", out.String())
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == exitFailed {
		f.Code = reason.Code(out.String())
	} else if !f.Done && !f.Killed {
		t.Fatalf("%s: %v\n%s%s", name, err, out.String(), diagnostics.String())
	}
	c.Check(t, dir, f)
	return f
}

// pattern returns what -test.run takes for one test.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// play makes the change and ends the process.
func (c Change) play(v string) {
	kind, rest, _ := strings.Cut(v, " ")
	number, dir, _ := strings.Cut(rest, " ")
	at, err := strconv.Atoi(number)
	if err == nil && kind == kindLimit {
		err = limitFiles(at)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	n := 0
	err = c.Do(dir, func() error {
		n++
		if kind == kindKill && n == at+1 {
			die()
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		_, _ = io.WriteString(os.Stdout, string(reason.Of(err)))
		os.Exit(exitFailed)
	}
	os.Exit(0)
}

// die ends this process as kill -9 does: nothing deferred runs.
func die() {
	_, _ = io.WriteString(os.Stdout, dying)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Kill() == nil {
		select {}
	}
	os.Exit(1)
}

package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/cli"
	"github.com/rogpeppe/go-internal/testscript"
)

const (
	// modeProgram is notation with caches as [cachemodes.Variable] says. It is this
	// test program under that name, and only where a script runs in such a mode.
	modeProgram = "notation"
	// repeatedVariable names the file to which it writes the commands that it has
	// run again, and differences.
	repeatedVariable = "NOTATION_TEST_REPEATED"
	differs          = "DIFFERS: "
)

// TestAttackScriptsInEveryCacheMode runs the scripts that try attacks without
// caches, and with each command that verifies run again, with caches that have
// seen it, with empty ones and without any.
func TestAttackScriptsInEveryCacheMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []cachemodes.Mode{cachemodes.Off, cachemodes.Warm} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			for _, dir := range scriptDirectories() {
				if dir == localScripts {
					t.Run(filepath.Base(dir), func(t *testing.T) {
						t.Parallel()
						runScripts(t, attackScripts(t, dir), 0, mode)
					})
					continue
				}
				// What is kept depends only on whether there is a referrers API.
				for _, kind := range twoKinds() {
					t.Run(filepath.Base(dir)+"/"+kind.String(), func(t *testing.T) {
						t.Parallel()
						runScripts(t, attackScripts(t, dir), kind, mode)
					})
				}
			}
		})
	}
}

func scriptDirectories() []string { return []string{localScripts, registryScripts, scenarios} }

// attackScripts returns the scripts of a directory that try attacks and verify
// something.
func attackScripts(t *testing.T, dir string) []string {
	t.Helper()
	command := regexp.MustCompile(`(?m)\bnotation(-at \S+)?( -\S+)* (blob )?(verify|inspect|list|audit|tree|discover|pull|copy|bundle|prune|attach-signature|sign .*--skip-if-signed) `)
	files := slices.DeleteFunc(scriptsIn(t, dir), func(file string) bool {
		script, err := os.ReadFile(file)
		return err == nil && !(cachemodes.IsAttackScript(script) && command.Match(script))
	})
	if len(files) == 0 {
		t.Fatalf("no script in %s tries an attack", dir)
	}
	return files
}

// TestAllScriptsAreFound: an attack in a directory of its own would be tried with
// caches as written only.
func TestAllScriptsAreFound(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir("testdata", func(path string, entry os.DirEntry, err error) error {
		known := slices.Contains(scriptDirectories(), filepath.ToSlash(filepath.Dir(path)))
		if err == nil && strings.HasSuffix(path, ".txtar") && !known {
			t.Errorf("%s is run by nobody", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// setUpMode puts modeProgram before notation, and looks at what it has done when
// the script ends.
func setUpMode(env *testscript.Env, program, self string, mode cachemodes.Mode) error {
	if mode == cachemodes.AsWritten {
		return nil
	}
	if err := os.Symlink(self, program); err != nil {
		return err
	}
	log := filepath.Join(filepath.Dir(program), "repeated")
	env.Setenv(cachemodes.Variable, string(mode))
	env.Setenv(repeatedVariable, log)
	t, ok := env.T().(testing.TB)
	if !ok {
		return fmt.Errorf("%T is no testing.TB", env.T())
	}
	env.Defer(func() {
		said, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) || strings.Contains(string(said), differs) {
			t.Errorf("with caches %s: %v\n%s", mode, err, said)
		}
		if len(said) == 0 && !t.Failed() {
			t.Errorf("no command was run with caches %s", mode)
		}
	})
	return nil
}

// inCacheMode runs notation as the environment says.
func inCacheMode(args []string, now func() time.Time) int {
	run := func(args []string, getenv func(string) string, in io.Reader, out, err io.Writer) int {
		return cli.Run(context.Background(), args, cli.Env{Stdin: in, Stdout: out, Stderr: err, Getenv: getenv, Now: now})
	}
	switch cachemodes.Current() {
	case cachemodes.Off:
		note(args)
		if len(args) > 0 {
			args = append([]string{cachemodes.NoCache}, args...)
		}
	case cachemodes.Warm:
		return again(args, run)
	}
	return run(args, os.Getenv, os.Stdin, os.Stdout, os.Stderr)
}

// again runs a command, and again to see whether it says the same.
func again(args []string, run func(args []string, getenv func(string) string, in io.Reader, out, err io.Writer) int) int {
	var read bytes.Buffer // of standard input, if it was asked for
	var stdin io.Reader = io.TeeReader(os.Stdin, &read)
	result := func(cache string, args []string) cachemodes.Result {
		var out, err bytes.Buffer
		code := run(args, func(name string) string {
			if cache != "" && name == "NOTATION_CACHE" {
				return cache
			}
			return os.Getenv(name)
		}, stdin, &out, &err)
		stdin = bytes.NewReader(read.Bytes())
		return cachemodes.Result{Code: code, Stdout: out.String(), Stderr: err.String()}
	}
	first := result("", args)
	fmt.Fprint(os.Stdout, first.Stdout)
	fmt.Fprint(os.Stderr, first.Stderr)
	empty, err := os.MkdirTemp(filepath.Dir(os.Getenv(repeatedVariable)), "cache")
	if err == nil {
		defer os.RemoveAll(empty)
		err = cachemodes.Again(args, first, empty, func(cache string, args []string) cachemodes.Result {
			note(args)
			return result(cache, args)
		})
	}
	if err != nil {
		note([]string{differs, err.Error()})
	}
	return first.Code
}

// note writes down what was run.
func note(words []string) {
	f, err := os.OpenFile(os.Getenv(repeatedVariable), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer f.Close()
	fmt.Fprintln(f, strings.Join(words, " "))
}

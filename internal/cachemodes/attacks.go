package cachemodes

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// attackComment is what the comment of a test that tries an attack begins with,
// without the mark of a comment and spaces.
const attackComment = "attack: "

// IsAttackScript reports whether a script says that it tries an attack.
func IsAttackScript(script []byte) bool {
	for line := range strings.Lines(string(script)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "#"); ok && strings.HasPrefix(strings.TrimSpace(text), attackComment) {
			return true
		}
	}
	return false
}

// Attack is a test function that tries an attack.
type Attack struct {
	Name string
	Body *ast.BlockStmt
}

// Attacks returns the tests in a directory that try attacks: those with a comment
// that says so above them, within, or in the table that they go through. Such a
// comment elsewhere is an error.
func Attacks(dir string) ([]Attack, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	var all []Attack
	for _, file := range files {
		for _, group := range file.Comments {
			for _, c := range group.List {
				if !strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(c.Text, "//")), attackComment) {
					continue
				}
				found := testsOf(files, declarationAt(file, c.Pos()))
				if len(found) == 0 {
					return nil, fmt.Errorf("%v: the comment stands at no test", set.Position(c.Pos()))
				}
				for _, f := range found {
					if a := (Attack{f.Name.Name, f.Body}); !slices.Contains(all, a) {
						all = append(all, a)
					}
				}
			}
		}
	}
	return all, nil
}

// declarationAt returns the declaration whose comment or body is at a position, or
// nil.
func declarationAt(file *ast.File, at token.Pos) ast.Decl {
	for _, decl := range file.Decls {
		begin := decl.Pos()
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Doc != nil {
				begin = d.Doc.Pos()
			}
		case *ast.GenDecl:
			if d.Doc != nil {
				begin = d.Doc.Pos()
			}
		}
		if begin <= at && at < decl.End() {
			return decl
		}
	}
	return nil
}

// testsOf returns a declaration that is a test, or the tests that name what it
// declares, or what names that, and so on.
func testsOf(files []*ast.File, decl ast.Decl) (tests []*ast.FuncDecl) {
	if decl == nil {
		return nil
	}
	if f, ok := decl.(*ast.FuncDecl); ok && isTest(f) {
		return []*ast.FuncDecl{f}
	}
	users, names := map[ast.Decl]bool{decl: true}, declared(decl)
	for more := true; more; {
		more = false
		for _, file := range files {
			for _, d := range file.Decls {
				if users[d] || !mentions(d, names) {
					continue
				}
				users[d], more = true, true
				if f, ok := d.(*ast.FuncDecl); ok && isTest(f) {
					tests = append(tests, f)
				} else {
					names = append(names, declared(d)...)
				}
			}
		}
	}
	return tests
}

// declared returns the names of functions and variables that are declared.
func declared(decl ast.Decl) (names []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		return []string{d.Name.Name}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if values, ok := spec.(*ast.ValueSpec); ok {
				for _, name := range values.Names {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

func mentions(decl ast.Decl, names []string) (found bool) {
	ast.Inspect(decl, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && slices.Contains(names, id.Name)
		return !found
	})
	return found
}

func isTest(f *ast.FuncDecl) bool {
	return f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz"))
}

// RunAttacks runs the attack tests of the package under test in every mode but the
// one that they are in as written. It fails if one of them fails or did not run.
// In a process that has been given a mode all tests have it, and there is nothing
// to do.
func RunAttacks(t *testing.T, asWritten Mode) {
	t.Helper()
	if mode := Current(); mode != AsWritten {
		t.Skipf("all tests run with caches %s", mode)
	}
	attacks, err := Attacks(".")
	if err != nil || len(attacks) == 0 {
		t.Fatalf("%d attack tests: %v", len(attacks), err)
	}
	for _, mode := range []Mode{Off, Cold, Warm} {
		if mode == asWritten {
			continue
		}
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			runAttacks(t, mode, attacks)
		})
	}
}

func runAttacks(t *testing.T, mode Mode, attacks []Attack) {
	t.Helper()
	var names []string
	for _, a := range attacks {
		names = append(names, a.Name)
	}
	args := []string{"-test.v", "-test.run=^(" + strings.Join(names, "|") + ")$"}
	if end, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+time.Until(end).Truncate(time.Second).String())
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), Variable+"="+string(mode), "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("with caches %s: %v\n%s", mode, err, failures(string(out)))
	}
	for _, name := range names {
		if !strings.Contains("\n"+string(out), "\n--- PASS: "+name+" (") && !strings.Contains("\n"+string(out), "\n--- SKIP: "+name+" (") {
			t.Errorf("with caches %s, %s did not run", mode, name)
		}
	}
}

// failures leaves out what is said about tests that pass.
func failures(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		text := strings.TrimSpace(line)
		if !strings.HasPrefix(text, "=== ") && !strings.HasPrefix(text, "--- PASS") && !strings.HasPrefix(text, "--- SKIP") {
			b.WriteString(line)
		}
	}
	return b.String()
}

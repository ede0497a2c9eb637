package reason_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

var update = flag.Bool("update", false, "rewrite docs/reason-codes.md")

const docFile = "../docs/reason-codes.md"

var codeForm = regexp.MustCompile(`^[a-z]+(\.[a-z0-9]+(-[a-z0-9]+)*)$`)

func TestEntriesAreWellFormed(t *testing.T) {
	t.Parallel()
	seen := map[reason.Code]bool{}
	for _, e := range reason.All() {
		switch {
		case !codeForm.MatchString(string(e.Code)):
			t.Errorf("%q is not of the form area.word-word", e.Code)
		case seen[e.Code]:
			t.Errorf("%s is listed twice", e.Code)
		case !isSentence(e.Meaning) || !isSentence(e.Remedy):
			t.Errorf("%s: meaning and remedy must be sentences with a full stop", e.Code)
		}
		seen[e.Code] = true
	}
}

func isSentence(s string) bool {
	return len(s) > 10 && strings.HasSuffix(s, ".") && !strings.ContainsAny(s, "\n|")
}

// TestDocumented keeps the table that users read equal to the codes.
func TestDocumented(t *testing.T) {
	t.Parallel()
	want := page()
	if *update {
		if err := os.WriteFile(docFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date; run: go test ./reason -update", docFile)
	}
}

func page() []byte {
	var b bytes.Buffer
	b.WriteString(`# Reason codes

Every finding of a verdict that is not ` + "`passed`" + `, and every error, carries one of these codes.
Codes are stable: scripts may rely on them. The sentences beside them may be reworded.
A code is never given a new meaning; one that is no longer used stays reserved.

`)
	area := ""
	for _, e := range reason.All() {
		a, _, _ := strings.Cut(string(e.Code), ".")
		if a != area {
			area = a
			fmt.Fprintf(&b, "\n## %s\n\n| code | what it says | what to do |\n|---|---|---|\n", area)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e.Code, e.Meaning, e.Remedy)
	}
	return b.Bytes()
}

// TestEveryCodeIsUsed finds constants of this package that no product code
// refers to, and constants that no entry documents.
func TestEveryCodeIsUsed(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, e := range reason.All() {
		documented[string(e.Code)] = true
	}
	constants := codeConstants(t)
	used := usedSelectors(t)
	for name, code := range constants {
		if !documented[code] {
			t.Errorf("reason.%s (%s) has no entry", name, code)
		}
		if !used[name] {
			t.Errorf("reason.%s (%s) is used by no product code", name, code)
		}
	}
	if len(constants) != len(documented) {
		t.Errorf("%d constants, %d entries", len(constants), len(documented))
	}
}

// codeConstants returns the names of this package's Code constants and their
// values.
func codeConstants(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != len(spec.Names) {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Code" {
				return true
			}
			for i, name := range spec.Names {
				if lit, ok := spec.Values[i].(*ast.BasicLit); ok {
					constants[name.Name] = strings.Trim(lit.Value, `"`)
				}
			}
			return true
		})
	}
	if len(constants) == 0 {
		t.Fatal("no constants found")
	}
	return constants
}

// usedSelectors returns every X of reason.X in the module's product code.
func usedSelectors(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != ".." && (strings.HasPrefix(name, ".") || name == "test" || name == "tools" || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "reason" {
					used[sel.Sel.Name] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}

func TestOfAndHint(t *testing.T) {
	t.Parallel()
	inner := reason.Errorf("area.inner", "inner %d", 1).WithHint("do %s", "this")
	outer := reason.Wrap("area.outer", fmt.Errorf("between: %w", inner), "outer")
	for _, tt := range []struct {
		name string
		err  error
		code reason.Code
		hint string
		text string
	}{
		{"nil", nil, "", "", ""},
		{"plain", errors.New("plain"), "", "", "plain"},
		{"direct", inner, "area.inner", "do this", "inner 1"},
		{"outermost code, first hint", outer, "area.outer", "do this", "outer: between: inner 1"},
		{"joined", errors.Join(errors.New("x"), outer), "area.outer", "do this", "x\nouter: between: inner 1"},
		{"no hint", reason.Errorf("area.none", "none"), "area.none", "", "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := reason.Of(tt.err); got != tt.code {
				t.Errorf("Of = %q, want %q", got, tt.code)
			}
			if got := reason.Hint(tt.err); got != tt.hint {
				t.Errorf("Hint = %q, want %q", got, tt.hint)
			}
			if tt.err != nil && tt.err.Error() != tt.text {
				t.Errorf("Error = %q, want %q", tt.err, tt.text)
			}
		})
	}
	if inner.Unwrap() != nil || outer.Unwrap() == nil {
		t.Error("Unwrap")
	}
}

package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Lengths above which a reader loses the overview: the first is said, the
// second is an error.
const (
	longFile     = 500
	tooLongFile  = 600
	longFunction = 60
)

// files calls see with each file of the repository that is kept in it, with
// its path from the root.
func files(t *testing.T, see func(path string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			if name == ".git" || name == ".cache" || name == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		see(name, data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goFiles calls see with each Go file that is no test and belongs to the
// product's module.
func goFiles(t *testing.T, see func(path string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	files(t, func(path string, data []byte) {
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasPrefix(path, "test/") || strings.HasPrefix(path, "tools/") {
			return
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("parse: %v", err)
			return
		}
		see(path, set, file)
	})
}

// TestNoStateAtPackageLevel forbids what other code could change, or what runs
// before main: exported variables but for sentinel errors, and init functions.
func TestNoStateAtPackageLevel(t *testing.T) {
	t.Parallel()
	goFiles(t, func(path string, set *token.FileSet, file *ast.File) {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%v: function init", set.Position(d.Pos()))
				}
				lines := set.Position(d.End()).Line - set.Position(d.Pos()).Line
				if lines > longFunction {
					t.Logf("%s: function %s has %d lines", path, d.Name.Name, lines)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					checkVariables(t, set, d.Tok, spec)
				}
			}
		}
	})
}

func checkVariables(t *testing.T, set *token.FileSet, tok token.Token, spec ast.Spec) {
	t.Helper()
	values, ok := spec.(*ast.ValueSpec)
	if !ok || tok != token.VAR {
		return
	}
	for _, name := range values.Names {
		if name.IsExported() && !strings.HasPrefix(name.Name, "Err") {
			t.Errorf("%v: exported variable %s", set.Position(name.Pos()), name.Name)
		}
	}
}

func TestEveryPackageTellsItsStory(t *testing.T) {
	t.Parallel()
	told, seen := map[string]bool{}, map[string]bool{}
	goFiles(t, func(path string, _ *token.FileSet, file *ast.File) {
		dir := filepath.Dir(path)
		seen[dir] = true
		told[dir] = told[dir] || file.Doc != nil
	})
	for dir := range seen {
		if !told[dir] {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	files(t, func(path string, data []byte) {
		if !strings.HasSuffix(path, ".go") {
			return
		}
		switch n := bytes.Count(data, []byte("\n")); {
		case n > tooLongFile:
			t.Errorf("%s has %d lines, more than %d", path, n, tooLongFile)
		case n > longFile:
			t.Logf("%s has %d lines, more than %d", path, n, longFile)
		}
	})
}

// unwanted matches what has no place in any file: directories of one machine,
// and how, where or by whom the work was done. The words are put together
// here, so that this file does not match itself.
var unwanted = regexp.MustCompile(strings.Join([]string{
	`(^|[^\w.-])/` + `work/`,
	`(^|[^\w.-])/` + `root/`,
	`/tmp/` + `bash_jobs`,
	`\.` + `library/`,
	`(?i)\b(chat` + `gpt|clau` + `de|anthro` + `pic|language mod` + `el|ll` + `m|sub-?` + `agents?|ai-gen` + `erated)\b`,
	`(?i)co-` + `authored-by:`,
}, "|"))

func TestFilesSpeakOfTheProjectOnly(t *testing.T) {
	t.Parallel()
	files(t, func(path string, data []byte) {
		if bytes.IndexByte(data, 0) >= 0 {
			return
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			if m := unwanted.Find(line); m != nil {
				t.Errorf("%s:%d: %q", path, i+1, m)
			}
		}
	})
}

func TestNoModuleIsWrapped(t *testing.T) {
	t.Parallel()
	found := 0
	files(t, func(path string, data []byte) {
		if base := filepath.Base(path); base != "go.mod" && base != "go.sum" {
			return
		}
		found++
		if bytes.Contains(data, []byte("github.com/"+"notaryproject/")) {
			t.Errorf("%s names a module of the specification's reference implementation", path)
		}
	})
	if found < 4 {
		t.Errorf("only %d files go.mod and go.sum were found", found)
	}
}

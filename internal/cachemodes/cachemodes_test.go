package cachemodes_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/cachemodes"
)

// verbs are the methods of a Verifier, and the function that is the program.
func verbs() []string {
	return []string{"Verify", "VerifyEnvelope", "VerifyBlob", "VerifyRecursive", "VerifyPlatform", "VerifyPlatforms"}
}

// TestEveryAttackRunsInEveryMode looks at the attack tests of every package, and
// at the helpers beside them. Where they verify, the package has to run them in
// every mode, or they have to do so themselves; and where a Verifier is made, it
// has to be given the cache of the mode. Scripts are looked at in the module test.
func TestEveryAttackRunsInEveryMode(t *testing.T) {
	t.Parallel()
	var run []string
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, dir)
		if err != nil || slices.Contains([]string{".git", ".cache", "bin", "test", "tools", "bench"}, name) {
			return fs.SkipDir
		}
		attacks, err := cachemodes.Attacks(dir)
		if err != nil || len(attacks) == 0 {
			return err
		}
		p := read(t, dir, attacks)
		if p.runs {
			run = append(run, filepath.ToSlash(name))
		}
		for _, at := range p.verifies {
			if !p.runs {
				t.Errorf("%s verifies in one mode of the caches only: call everymode.Verify there, or cachemodes.RunAttacks in a test of the package", at)
			}
		}
		for _, at := range p.uncached {
			if !p.runs {
				continue // it is not used, or everymode does
			}
			t.Errorf("%s makes a Verifier without the cache of the mode", at)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(run, " "); got != ". internal/cli revocation" {
		t.Errorf("the attack tests of these packages run in every mode: %s", got)
	}
}

// sources is what the tests of a package do.
type sources struct {
	runs               bool     // RunAttacks is called
	verifies, uncached []string // positions
}

func read(t *testing.T, dir string, attacks []cachemodes.Attack) (p sources) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, path := range paths {
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			name := f.Name.Name
			attack := slices.ContainsFunc(attacks, func(a cachemodes.Attack) bool { return a.Name == name })
			test := strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Example") || strings.HasPrefix(name, "Benchmark") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "example") || strings.HasPrefix(name, "benchmark")
			ast.Inspect(f.Body, func(n ast.Node) bool {
				p.runs = p.runs || calls(n, "cachemodes", "RunAttacks")
				if attack || !test {
					p.look(set, n)
				}
				return true
			})
		}
	}
	return p
}

// look takes down what a node does.
func (p *sources) look(set *token.FileSet, n ast.Node) {
	at := func() string { return set.Position(n.Pos()).String() }
	switch n := n.(type) {
	case *ast.CallExpr:
		f, ok := n.Fun.(*ast.SelectorExpr)
		if ok && slices.Contains(verbs(), f.Sel.Name) && takesContext(n) || calls(n, "cli", "Run") {
			p.verifies = append(p.verifies, at())
		}
	case *ast.CompositeLit:
		s, ok := n.Type.(*ast.SelectorExpr)
		if !ok || s.Sel.Name != "Verifier" || len(n.Elts) == 0 {
			return
		}
		cached := slices.ContainsFunc(n.Elts, func(e ast.Expr) bool {
			pair, ok := e.(*ast.KeyValueExpr)
			if !ok {
				return false
			}
			key, ok := pair.Key.(*ast.Ident)
			return ok && key.Name == "Cache"
		})
		if id, ok := s.X.(*ast.Ident); ok && id.Name == "notation" && !cached {
			p.uncached = append(p.uncached, at())
		}
	}
}

// takesContext reports whether the first argument of a call looks like a context.
func takesContext(call *ast.CallExpr) bool {
	if len(call.Args) == 0 {
		return false
	}
	switch first := call.Args[0].(type) {
	case *ast.Ident:
		return strings.Contains(strings.ToLower(first.Name), "ctx")
	case *ast.CallExpr:
		f, ok := first.Fun.(*ast.SelectorExpr)
		return ok && (f.Sel.Name == "Context" || f.Sel.Name == "Background")
	}
	return false
}

// calls reports whether a node calls a function of a package.
func calls(n ast.Node, pkg, name string) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != name {
		return false
	}
	id, ok := f.X.(*ast.Ident)
	return ok && id.Name == pkg
}

func TestAttacks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ source, want string }{
		"above":         {"// It tries.\n//\n// attack: X-01\nfunc TestA(t *testing.T) {}\nfunc TestB(t *testing.T) {}", "TestA"},
		"within, twice": {"func TestA(t *testing.T) {\n\t// attack: X-01\n\t// attack: X-02\n}", "TestA"},
		"in its table":  {"var table = []int{\n\t// attack: X-01\n\t1,\n}\nfunc TestA(t *testing.T) { _ = table }\nfunc TestB(t *testing.T) {}\nfunc TestC(t *testing.T) { for range table {} }", "TestA TestC"},
		"in a helper":   {"func help() {\n\t// attack: X-01\n}\nfunc TestA(t *testing.T) { help() }", "TestA"},
		"further away":  {"func help() {\n\t// attack: X-01\n}\nvar all = []func(){help}\nfunc TestA(t *testing.T) { _ = all }\nfunc TestB(t *testing.T) {}", "TestA"},
		"nowhere":       {"// attack: X-01\n\nvar unused int", "error"},
		"another word":  {"// attacks: X-01\nfunc TestA(t *testing.T) {}", ""},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a_test.go"), []byte("package a\n\n"+tt.source+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		attacks, err := cachemodes.Attacks(dir)
		var names []string
		for _, a := range attacks {
			names = append(names, a.Name)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for script, want := range map[string]bool{"exec x\n# attack: X-01\n": true, "#attack: X-01\n": true, "# attacks\n": false, "exec attack: x\n": false} {
		if got := cachemodes.IsAttackScript([]byte(script)); got != want {
			t.Errorf("%q: %t", script, got)
		}
	}
}

func TestAgain(t *testing.T) {
	t.Parallel()
	said := func(code int, out string) cachemodes.Result { return cachemodes.Result{Code: code, Stdout: out} }
	for name, tt := range map[string]struct {
		args  string
		first cachemodes.Result
		then  []cachemodes.Result // the last one from then on
		runs  int
		fails bool
	}{
		"the same":                   {"verify x", said(1, "no"), []cachemodes.Result{said(1, "no")}, 3, false},
		"yes the second time":        {"verify x", said(1, "no"), []cachemodes.Result{said(0, "yes")}, 1, true},
		"yes with an empty cache":    {"verify x", said(1, "no"), []cachemodes.Result{said(1, "no"), said(0, "")}, 2, true},
		"yes without caches":         {"verify x", said(1, "no"), []cachemodes.Result{said(1, "no"), said(1, "no"), said(0, "")}, 3, true},
		"another artifact":           {"verify x", said(0, "a@sha256:12"), []cachemodes.Result{said(0, "a@sha256:13")}, 1, true},
		"another signature":          {"verify x", said(0, "sha256:12"), []cachemodes.Result{said(0, "sha256:13")}, 3, false},
		"later":                      {"verify x", said(0, "2026-01-02T03:04:05Z"), []cachemodes.Result{said(0, "2026-01-02T03:04:06.5Z")}, 3, false},
		"in another order":           {"list x", said(0, "├── a\n└── b"), []cachemodes.Result{said(0, "├── b\n└── a")}, 3, false},
		"another fault":              {"verify x", said(3, "a"), []cachemodes.Result{said(3, "b")}, 3, false},
		"undecided, then a no":       {"verify x", said(3, "a"), []cachemodes.Result{said(1, "a")}, 1, true},
		"a flag first":               {"-ojson blob verify x", said(0, ""), []cachemodes.Result{said(0, "")}, 3, false},
		"what writes, refused":       {"sign x", said(1, "a"), []cachemodes.Result{said(1, "b")}, 3, false},
		"what writes, and has":       {"copy x y", said(0, ""), []cachemodes.Result{said(1, "")}, 0, false},
		"what does not verify":       {"copy --no-verify x y", said(3, ""), []cachemodes.Result{said(1, "")}, 0, false},
		"what has waited":            {"verify --timeout=2s x", said(3, ""), []cachemodes.Result{said(1, "")}, 0, false},
		"what is wrong by itself":    {"copy x", said(2, ""), []cachemodes.Result{said(1, "")}, 0, false},
		"something else of the kind": {"cert list", said(0, ""), []cachemodes.Result{said(1, "")}, 0, false},
	} {
		runs := 0
		var caches, without int
		err := cachemodes.Again(strings.Fields(tt.args), tt.first, "empty", func(cache string, args []string) cachemodes.Result {
			runs++
			if cache == "empty" {
				caches++
			}
			if args[0] == cachemodes.NoCache {
				without++
			}
			return tt.then[min(runs, len(tt.then))-1]
		})
		if (err != nil) != tt.fails || runs != tt.runs {
			t.Errorf("%s: %d runs, %v", name, runs, err)
		}
		if runs == 3 && (caches != 1 || without != 1) {
			t.Errorf("%s: %d runs with empty caches, %d without", name, caches, without)
		}
	}
}

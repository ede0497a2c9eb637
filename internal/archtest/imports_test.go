package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/notaryv2/notation"

// floors lists the packages from the bottom up. A package may import packages
// of lower floors only, so there is no cycle and no arrow that points up. The
// programs under examples/ stand above everything.
func floors() [][]string {
	return [][]string{
		{"reason"},
		{"internal/strictjson", "internal/atomicfile", "internal/cachedir"},
		{"internal/dn"},
		{"internal/certchain"},
		{"envelope"},
		{"oci"},
		{"oci/remote", "oci/layout", "oci/cache"},
		{"timestamp", "revocation", "plugin"},
		{"trust"},
		{"signer", "internal/keyfile"},
		{""},
		{"promote", "prune", "audit"},
		{"bundle"},
		{"audit/report"},
		{"internal/config"},
		{"internal/testpki", "internal/testoras", "internal/testterminal", "internal/crashtest", "internal/cachemodes", "internal/cachemodes/everymode", "internal/archtest"},
		{"internal/cli"},
		{"cmd/notation"},
	}
}

// rooms names the one package that may import a library, or several where
// they share it.
func rooms() map[string][]string {
	return map[string][]string{
		"oras.land/oras-go":                      {"oci/remote"},
		"github.com/spf13/cobra":                 {"internal/cli"},
		"github.com/spf13/pflag":                 {"internal/cli"},
		"github.com/veraison/go-cose":            {"envelope"},
		"github.com/fxamacker/cbor":              {"envelope"},
		"github.com/go-json-experiment":          {"internal/strictjson"},
		"github.com/gofrs/flock":                 {"internal/atomicfile", "oci/layout", "plugin"},
		"golang.org/x/crypto/cryptobyte":         {"timestamp"},
		"golang.org/x/crypto/scrypt":             {"internal/keyfile"},
		"software.sslmate.com/src/go-pkcs12":     {"internal/keyfile"},
		"golang.org/x/mod":                       {"plugin"},
		"golang.org/x/term":                      {"internal/cli"},
		"github.com/google/go-cmp":               {},
		"github.com/notaryproject":               {},
		"github.com/google/go-containerregistry": {},
	}
}

// pure lists the packages that decide from what they are given, and what must
// not come with them, however indirectly.
func pure() (packages, forbidden []string) {
	return []string{"reason", "internal/certchain", "internal/dn", "envelope", "oci", "trust"},
		[]string{"github.com/spf13/", "oras.land/", "net/http", "os/exec", "os/user", "plugin"}
}

// core lists the packages that a program that only verifies needs, and what
// must not come with them. It asks about revocation and runs plugins, and so has
// net/http and os/exec (docs/decisions/asking-last.md).
func core() (packages, forbidden []string) {
	return []string{"timestamp", "revocation", "plugin", "signer", ""},
		[]string{"github.com/spf13/", "oras.land/", "plugin"}
}

// A listed package is what "go list -json" says of it.
type listed struct {
	ImportPath   string
	Dir          string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
	CgoFiles     []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

// name returns the package's path within the module, "" for the root.
func (p listed) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

var packages = sync.OnceValues(func() ([]listed, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,TestImports,XTestImports,Deps,CgoFiles,GoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

// root is the repository's root directory, as seen from this package's.
var root = filepath.Join("..", "..")

func list(t *testing.T) []listed {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

// floorOf returns the floor of a package, or -1.
func floorOf(name string) int {
	if strings.HasPrefix(name, "examples/") {
		return len(floors())
	}
	return slices.IndexFunc(floors(), func(f []string) bool { return slices.Contains(f, name) })
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		floor := floorOf(p.name())
		if floor < 0 {
			t.Errorf("package %q stands on no floor: add it to the table", p.name())
			continue
		}
		for _, path := range p.Imports {
			below, ok := within(path)
			if ok && floorOf(below) >= floor {
				t.Errorf("package %q imports %q, which is not below it", p.name(), below)
			}
		}
		if strings.HasPrefix(p.name(), "internal/testpki") {
			continue
		}
		if slices.Contains(p.Imports, module+"/internal/testpki") {
			t.Errorf("package %q imports the test PKI outside of its tests", p.name())
		}
	}
}

// within returns the path within this module of an import path.
func within(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestLibrariesStayInTheirRooms(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for library, owners := range rooms() {
				if strings.HasPrefix(path, library) && !slices.Contains(owners, p.name()) {
					t.Errorf("package %q imports %s, which is for %q only", p.name(), path, owners)
				}
			}
		}
	}
}

func TestVerifyingStaysLight(t *testing.T) {
	t.Parallel()
	for _, part := range []func() (packages, forbidden []string){pure, core} {
		names, forbidden := part()
		for _, p := range list(t) {
			if !slices.Contains(names, p.name()) {
				continue
			}
			for _, dep := range p.Deps {
				for _, f := range forbidden {
					if dep == f || strings.HasSuffix(f, "/") && strings.HasPrefix(dep, f) {
						t.Errorf("package %q depends on %s", p.name(), dep)
					}
				}
			}
		}
	}
}

func TestNothingNeedsCgo(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		if len(p.CgoFiles) > 0 {
			t.Errorf("package %q uses cgo: %v", p.name(), p.CgoFiles)
		}
	}
}

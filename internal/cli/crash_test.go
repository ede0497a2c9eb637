package cli_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/cli"
	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// runBelow runs a command of the user whose home is below dir.
func runBelow(dir string, step func() error, args ...string) (code int, output string) {
	var out bytes.Buffer
	code = cli.Run(context.Background(), args, cli.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, GOOS: "linux",
		Getenv: func(name string) string { return map[string]string{"HOME": filepath.Join(dir, "home")}[name] },
		Files:  atomicfile.Writer{Before: func(atomicfile.Op, string) error { return step() }},
	})
	return code, out.String()
}

// TestBlobSignKilled signs a file with every fate: there is the old signature or
// the new one, whole, or none, and the file can be signed.
//
// attack: FS-04
func TestBlobSignKilled(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"first signature": false, "with force": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sign := func(dir string, step func() error) error {
				args := []string{"blob", "sign", "-k", "acme", "-m", "build=new", filepath.Join(dir, "home", "file")}
				if again {
					args = append(args, "--force")
				}
				code, output := runBelow(dir, step, args...)
				switch {
				case code == 0 || !again && strings.Contains(output, "is there already"):
					return nil
				case strings.Contains(output, string(reason.ConfigWrite)), strings.Contains(output, "could not be written"):
					return reason.Errorf(reason.ConfigWrite, "%s", output)
				}
				return errors.New(output)
			}
			verify := func(t *testing.T, dir string, f crashtest.Fate) string {
				t.Helper()
				home := filepath.Join(dir, "home")
				if _, err := os.Stat(filepath.Join(home, "file.jws.sig")); err != nil {
					return ""
				}
				code, output := runBelow(dir, func() error { return nil }, "blob", "verify", "--ca-cert", filepath.Join(home, "acme-root.crt"), filepath.Join(home, "file"))
				if code != 0 {
					t.Errorf("%s: %s", f.Name, output)
				}
				if strings.Contains(output, "build=new") {
					return "new"
				}
				return "old"
			}
			old := ""
			if again {
				old = "old"
			}
			crashtest.Change{
				Prepare: func(t *testing.T, dir string) {
					home := filepath.Join(dir, "home")
					if err := os.Mkdir(home, 0o700); err != nil {
						t.Fatal(err)
					}
					u := &user{t: t, home: home, vars: map[string]string{"HOME": home}, env: cli.Env{GOOS: "linux"}}
					s := u.newSigner("acme", testpki.Options{})
					file := filepath.Join(home, "file")
					root, err := os.ReadFile(s.root)
					if err := errors.Join(err, os.WriteFile(file, []byte("content"), 0o600), os.WriteFile(filepath.Join(home, "acme-root.crt"), root, 0o600)); err != nil {
						t.Fatal(err)
					}
					if again {
						u.ok("blob", "sign", "-k", "acme", file)
					}
				},
				Do: sign,
				Check: func(t *testing.T, dir string, f crashtest.Fate) {
					if got := verify(t, dir, f); got != "new" && (got != old || f.Done) {
						t.Errorf("%s: the signature is the %q one", f.Name, got)
					}
					if !f.Done && !f.Killed && f.Code != reason.ConfigWrite {
						t.Errorf("%s: the error has the code %q", f.Name, f.Code)
					}
					if left, _ := filepath.Glob(filepath.Join(dir, "home", ".*.tmp")); len(left) > 0 && !f.Killed {
						t.Errorf("%s: leaves %v", f.Name, left)
					}
					if err := sign(dir, func() error { return nil }); err != nil {
						t.Errorf("%s: it cannot be done again: %v", f.Name, err)
					}
					if got := verify(t, dir, f); got != "new" {
						t.Errorf("%s: done again, the signature is the %q one", f.Name, got)
					}
				},
				MinSteps: 7,
				Longest:  1000,
			}.Test(t)
		})
	}
}

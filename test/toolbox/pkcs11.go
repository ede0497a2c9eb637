package toolbox

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// PKCS11Plugin builds cmd/notation-pkcs11 as "make pkcs11" does, and returns its
// path.
func PKCS11Plugin() (string, error) {
	path := filepath.Join(Root(), ".cache", "test", "pkcs11", "notation-pkcs11")
	return path, once("pkcs11", func() error {
		return build(filepath.Join(Root(), "cmd", "notation-pkcs11"), path, "CGO_ENABLED=1", "-ldflags=-s -w", ".")
	})
}

// SoftHSM makes an empty store of SoftHSM in dir. It returns its module and its
// configuration file, for $SOFTHSM2_CONF. Without SoftHSM the test is skipped,
// or fails in CI.
func SoftHSM(t testing.TB, dir string) (module, config string) {
	t.Helper()
	for _, program := range []string{"softhsm2-util", "pkcs11-tool"} {
		Need(t, program)
	}
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			module = path
		}
	}
	if module == "" {
		Missing(t, fmt.Errorf("the library of SoftHSM is not where it is looked for"))
	}
	config = filepath.Join(dir, "softhsm2.conf")
	store := filepath.Join(dir, "tokens")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, "directories.tokendir = %s\nlog.level = ERROR\n", store), 0o600); err != nil {
		t.Fatal(err)
	}
	return module, config
}

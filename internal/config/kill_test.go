//go:build unix

package config_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// Environment of the child process that is killed.
const (
	envDir   = "CONFIG_TEST_DIR"
	envCert  = "CONFIG_TEST_CERT"
	envDieAt = "CONFIG_TEST_DIE_AT"
	died     = 42 // the child's exit code when it dies as told
)

// TestMain lets the test binary play the program that is killed.
func TestMain(m *testing.M) {
	if os.Getenv(envDir) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// child makes a test key and dies before the step that it is told.
func child() int {
	data, err := os.ReadFile(os.Getenv(envCert))
	if err != nil {
		return 1
	}
	certs, err := trust.ParseCertificates(data)
	if err != nil {
		return 1
	}
	dieAt, err := strconv.Atoi(os.Getenv(envDieAt))
	if err != nil {
		return 1
	}
	w := atomicfile.Writer{Before: func(atomicfile.Op, string) error {
		if dieAt--; dieAt == -1 {
			os.Exit(died) // no deferred function runs, as with SIGKILL
		}
		return nil
	}}
	d := config.Dirs{Config: os.Getenv(envDir)}
	if err := d.AddTestKey(context.Background(), w, config.TestKey{Name: "acme", KeyPEM: []byte("key"), Cert: certs[0], Default: true}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestKilledWhileMakingAKey dies before each step in turn. The key is
// registered only with all of its files; what is left can be removed, and then
// the name is free again.
//
// attack: FS-04
func TestKilledWhileMakingAKey(t *testing.T) {
	t.Parallel()
	cert := root(t, "acme")
	certFile := put(t, newDirs(t), "acme.crt", string(config.EncodeCertificates([]*x509.Certificate{cert})))
	key := config.TestKey{Name: "acme", KeyPEM: []byte("key"), Cert: cert}
	for step := 0; ; step++ {
		d := newDirs(t)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envDir+"="+d.Config, envCert+"="+certFile, envDieAt+"="+strconv.Itoa(step), "GORACE=atexit_sleep_ms=0")
		out, err := cmd.CombinedOutput()
		exit, killed := errors.AsType[*exec.ExitError](err)
		if killed && exit.ExitCode() != died {
			t.Fatalf("child: %v\n%s", err, out)
		}
		keys, err := d.SigningKeys()
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		complete := true
		files := d.TestKeyFiles("acme")
		for _, path := range []string{files.Key, files.Cert, files.Copy, files.Stored} {
			if data, err := os.ReadFile(path); err != nil {
				complete = false
			} else if path == files.Key && string(data) != "key" || path != files.Key && string(data) != read(t, certFile) {
				t.Errorf("step %d: %s is torn", step, path)
			}
		}
		if len(keys.All()) == 1 && !complete {
			t.Errorf("step %d: a key is registered whose files are missing", step)
		}
		var w atomicfile.Writer
		if _, err := d.RemoveTestKey(t.Context(), w, "acme"); err != nil && reason.Of(err) != reason.ConfigKeyUnknown {
			t.Errorf("step %d: removal: %v", step, err)
		}
		if err := d.AddTestKey(t.Context(), w, key); err != nil {
			t.Errorf("step %d: a second try: %v", step, err)
		}
		if !killed {
			if step < 20 {
				t.Errorf("only %d steps", step)
			}
			break
		}
	}
}

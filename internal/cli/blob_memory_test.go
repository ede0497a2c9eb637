//go:build linux

package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// envBlobArgs has the test binary play the program: it holds the arguments, one
// a line, and envBlobHome the home directory.
const (
	envBlobArgs = "CLI_TEST_BLOB_ARGS"
	envBlobHome = "CLI_TEST_BLOB_HOME"
)

// TestBlobMemory signs and verifies a small and a large file in processes of
// their own: the large one takes no more memory.
func TestBlobMemory(t *testing.T) {
	if args := os.Getenv(envBlobArgs); args != "" {
		commandsIn(t, os.Getenv(envBlobHome))(strings.Split(args, "\n")...)
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s\n", status)
		return
	}
	t.Parallel()
	const slack = 8 << 10 // KiB by which two runs of the same may differ
	home := t.TempDir()
	commandsIn(t, home)("cert", "generate-test", "--algorithm", "ec-256", "--default", "memory")
	root := filepath.Join(home, ".config", "notation", "certificate", "memory.crt")
	peak := func(args ...string) (kib int) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBlobMemory$")
		cmd.Env = append(os.Environ(), envBlobArgs+"="+strings.Join(args, "\n"), envBlobHome+"="+home)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		// Not ru_maxrss, which begins with that of the parent.
		_, status, _ := strings.Cut(string(out), "VmHWM:")
		if _, err := fmt.Sscanf(status, "%d kB", &kib); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return kib
	}
	small, large := sparse(t, 1<<10), sparse(t, 256<<20)
	for _, command := range [][]string{{"blob", "sign"}, {"blob", "verify", "--ca-cert", root}} {
		few, many := peak(append(command, small)...), peak(append(command, large)...)
		t.Logf("%s: %d KiB for 1 KiB, %d KiB for 256 MiB", command[1], few, many)
		if many > few+slack {
			t.Errorf("%s takes %d KiB for a small file and %d KiB for a large one", command[1], few, many)
		}
	}
}

package crashtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// mountsVariable is set in a process that has its own mounts.
const mountsVariable = "NOTATION_CRASHTEST_MOUNTS"

// Mounts runs the test that calls it once more, in a process with mounts of its
// own, and returns false; there it returns true, and [Disk] and [Bind] can be
// used. The test must do nothing more when it gets false. Where the system does
// not allow it, the test is skipped.
func Mounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mountsVariable) != "" {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Skipf("mounts cannot be made private: %v", err)
		}
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run="+pattern(t.Name()))
	cmd.Env = append(os.Environ(), mountsVariable+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case cmd.Process == nil:
		t.Skipf("a process cannot have mounts of its own here: %v", err)
	case err != nil:
		t.Fatalf("with its own mounts: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("with its own mounts:\n%s", out)
	case !strings.Contains(string(out), "--- PASS"):
		t.Fatalf("with its own mounts, the test did not run:\n%s", out)
	}
	return false
}

// Disk mounts a new file system of so many bytes, in whole pages, at dir, which
// is made if need be. It is there until the test ends. See [Mounts].
func Disk(t *testing.T, dir string, size int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	mount(t, "tmpfs", dir, "tmpfs", 0, "mode=0755,size="+strconv.Itoa(size))
}

// Bind mounts a file at another's path, so that nothing can be renamed over it.
func Bind(t *testing.T, from, to string) {
	t.Helper()
	mount(t, from, to, "", syscall.MS_BIND, "")
}

func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		t.Skipf("%s cannot be mounted: %v", source, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) })
}

// Fill leaves exactly so many bytes, in whole pages, of a [Disk] free.
func Fill(t *testing.T, dir string, free int) {
	t.Helper()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		t.Fatal(err)
	}
	used := int(stat.Bavail)*int(stat.Bsize) - free
	if used < 0 {
		t.Fatalf("there are less than %d bytes free", free)
	}
	if err := os.WriteFile(filepath.Join(dir, ".ballast"), make([]byte, used), 0o600); err != nil {
		t.Fatal(err)
	}
}

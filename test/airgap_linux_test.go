package test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	"golang.org/x/sys/unix"
)

// isolationVariable names the directory of the bundle to a test process that
// runs in a network of its own.
const isolationVariable = "NOTATION_TEST_ISOLATED"

// TestAirGapWithoutNetwork does what the isolated side does in a network
// namespace that holds nothing but a loopback interface, so that there is
// nothing to reach but the registry in it. Of the addresses in the certificates,
// which are loopback ones, nobody listens there.
func TestAirGapWithoutNetwork(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(isolationVariable); dir != "" {
		isolatedSide(t, dir)
		return
	}
	alone := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		alone.Cloneflags |= syscall.CLONE_NEWUSER
		alone.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		alone.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	try := exec.CommandContext(t.Context(), "true")
	try.SysProcAttr = alone
	if err := try.Run(); err != nil {
		toolbox.Missing(t, err) // network namespaces are not permitted here
	}
	g, _ := connected(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestAirGapWithoutNetwork$", "-test.v", "-test.timeout", (3 * time.Minute).String())
	cmd.Env = append(os.Environ(), isolationVariable+"="+g.dir, isolationVariable+"_ARTIFACTS="+g.digest+" "+g.sbom)
	cmd.SysProcAttr = alone
	text, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(text), "--- PASS: TestAirGapWithoutNetwork") {
		t.Fatalf("%v\n%s", err, text)
	}
}

// isolatedSide is the part that runs in the namespace.
func isolatedSide(t *testing.T, dir string) {
	t.Helper()
	artifacts := strings.Fields(os.Getenv(isolationVariable + "_ARTIFACTS"))
	if err := loopbackUp(); err != nil {
		t.Fatal(err)
	}
	interfaces, err := net.Interfaces()
	if err != nil || len(interfaces) != 1 {
		t.Fatalf("%v: this is no network of its own: %v", err, interfaces)
	}
	isolated(t, airGap{dir: filepath.Clean(dir), digest: artifacts[0], sbom: artifacts[1]}, registries.New(t, registries.Olareg, registries.Options{}).Host())
}

// loopbackUp sets the loopback interface up, as "ip link set lo up" does.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request)
}

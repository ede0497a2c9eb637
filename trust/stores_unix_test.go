//go:build unix

package trust_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// TestStoreOnDisk: what a real file system may hold in place of a certificate
// is neither opened nor followed, by os.DirFS and by os.Root.
func TestStoreOnDisk(t *testing.T) {
	t.Parallel()
	root := testpki.New(t, testpki.Options{}).Root()
	write := func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, root.Raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		make func(t *testing.T, store string)
		code reason.Code
	}{
		"regular file": {func(t *testing.T, store string) { write(t, filepath.Join(store, "r.pem")) }, ""},
		// A hard link is a regular file: nothing tells it from the first name.
		"hard link": {func(t *testing.T, store string) {
			write(t, filepath.Join(store, "..", "r"))
			if err := os.Link(filepath.Join(store, "..", "r"), filepath.Join(store, "r.pem")); err != nil {
				t.Fatal(err)
			}
		}, ""},
		"link": {func(t *testing.T, store string) {
			write(t, filepath.Join(store, "..", "r"))
			if err := os.Symlink("../r", filepath.Join(store, "r.pem")); err != nil {
				t.Fatal(err)
			}
		}, reason.StoreNotRegular},
		"linked store": {func(t *testing.T, store string) {
			if err := os.Rename(store, store+"2"); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(store+"2", "r.pem"))
			if err := os.Symlink(store+"2", store); err != nil {
				t.Fatal(err)
			}
		}, reason.StoreNotRegular},
		"pipe": {func(t *testing.T, store string) {
			if err := syscall.Mkfifo(filepath.Join(store, "r.pem"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, reason.StoreNotRegular},
		"socket": {func(t *testing.T, store string) {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(store, "r.pem"), Net: "unix"})
			if err != nil {
				t.Skip(err) // the path of the temporary directory may be too long
			}
			t.Cleanup(func() { l.Close() })
		}, reason.StoreNotRegular},
		"unreadable": {func(t *testing.T, store string) {
			if os.Geteuid() == 0 {
				t.Skip("root reads everything")
			}
			write(t, filepath.Join(store, "r.pem"))
			if err := os.Chmod(filepath.Join(store, "r.pem"), 0); err != nil {
				t.Fatal(err)
			}
		}, reason.StoreUnreadable},
		"written by others": {func(t *testing.T, store string) {
			write(t, filepath.Join(store, "r.pem"))
			if err := os.Chmod(filepath.Join(store, "r.pem"), 0o666); err != nil { // whatever the umask is
				t.Fatal(err)
			}
		}, ""},
	} {
		// attack: FS-01
		// attack: FS-03
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := filepath.Join(dir, "ca", "acme")
			if err := os.MkdirAll(store, 0o700); err != nil {
				t.Fatal(err)
			}
			tt.make(t, store)
			r, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for _, fsys := range []fs.FS{os.DirFS(dir), r.FS()} {
				certs, warnings, err := trust.NewStores(fsys).Load(caAcme)
				if tt.code != "" {
					wantCode(t, err, tt.code)
					continue
				}
				if err != nil || len(certs) != 1 || (len(warnings) > 0) != (name == "written by others") {
					t.Errorf("%d certificates, %v, %v", len(certs), warnings, err)
				}
			}
		})
	}
}

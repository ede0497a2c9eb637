//go:build unix

package crashtest_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/notaryv2/notation/reason"
)

// TestFates makes a careless change and finds it with every fate.
func TestFates(t *testing.T) {
	t.Parallel()
	seen, fates := map[string]int{}, map[crashtest.Fate]int{}
	crashtest.Change{
		Prepare: func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "file"), []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		Do: func(dir string, step func() error) error {
			path := filepath.Join(dir, "file")
			if err := step(); err != nil {
				return reason.Wrap(reason.ConfigWrite, err, "first step")
			}
			if err := os.WriteFile(path, []byte("new content"), 0o600); err != nil {
				return reason.Wrap(reason.ConfigRead, err, "write")
			}
			return step()
		},
		Check: func(t *testing.T, dir string, f crashtest.Fate) {
			data, err := os.ReadFile(filepath.Join(dir, "file"))
			if err != nil {
				t.Fatal(err)
			}
			seen[string(data)]++
			fates[f]++
		},
		MinSteps: 2,
		Longest:  len("new content"),
	}.Test(t)
	// Kills and errors before either step, and no fault at all; limits of 0, 1,
	// 5 and 10 bytes.
	for content, n := range map[string]int{"old": 2, "new content": 3, "": 1, "n": 1, "new c": 1, "new conten": 1} {
		if seen[content] != n {
			t.Errorf("%q was seen %d times, want %d", content, seen[content], n)
		}
	}
	for _, f := range []crashtest.Fate{
		{Name: "killed before step 0", Killed: true},
		{Name: "killed before step 1", Killed: true},
		{Name: "killed before step 2", Done: true},
		{Name: "I/O error at step 0", Code: reason.ConfigWrite},
		{Name: "I/O error at step 1"},
		{Name: "files of 0 bytes", Code: reason.ConfigRead},
		{Name: "files of 10 bytes", Code: reason.ConfigRead},
	} {
		if fates[f] != 1 {
			t.Errorf("%+v is not among %v", f, fates)
		}
	}
}

// TestDisk fills a disk.
func TestDisk(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "disk")
	crashtest.Disk(t, dir, 64<<10)
	crashtest.Fill(t, dir, 4<<10)
	if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, 4<<10), 0o600); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b"), make([]byte, 1), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, filepath.Join(dir, "a")); !errors.Is(err, syscall.EXDEV) {
		t.Errorf("%v", err)
	}
	crashtest.Bind(t, filepath.Join(dir, "a"), other)
	if err := os.Remove(other); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("%v", err)
	}
}

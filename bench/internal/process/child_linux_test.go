package process

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]stat{
		"7 (a) S 3 4 5 6 7 8 9 10 11 12 150 25 0 0 20":        {"a", 3, 1750 * time.Millisecond},
		"7 (a) b (c) ) S 3 4 5 6 7 8 9 10 11 12 1 0 0 0 20\n": {"a) b (c) ", 3, tick},
		"7 (a) S 3 4 5 6 7 8 9 10 11 12 1":                    {},
		"7 (a) S x 4 5 6 7 8 9 10 11 12 1 2":                  {},
		"7 (a) S 3 4 5 6 7 8 9 10 11 12 x 2":                  {},
		"7 )a( S 3":                                           {},
		"":                                                    {},
	} {
		got, err := parseStat([]byte(text))
		if (err == nil) != (want != stat{}) || err == nil && got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// TestChildren finds a child and what it has used, and not the child of another.
func TestChildren(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found, err := Children("cat")
	if err != nil || !slices.Contains(found, cmd.Process.Pid) {
		t.Errorf("%d is not among %v, %v", cmd.Process.Pid, found, err)
	}
	if _, err := Of(cmd.Process.Pid); err != nil {
		t.Error(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := Of(cmd.Process.Pid); err == nil {
		t.Error("what has ended is still known")
	}
	if found, err := Children("no such program"); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

// TestSelf counts what this process does.
func TestSelf(t *testing.T) {
	t.Parallel()
	before, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	for {
		after, err := Self()
		if err != nil {
			t.Fatal(err)
		}
		if after > before {
			break
		}
	}
	if s, err := Of(os.Getpid()); err != nil || s < 0 {
		t.Errorf("%v, %v", s, err)
	}
}

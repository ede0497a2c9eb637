package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/notaryv2/notation/test/toolbox"
)

// contender is a program that copies.
type contender struct {
	name string
	path string
	args []string
	home string
}

// find returns the contenders, ours first.
func find(notation, home string) ([]contender, error) {
	all := []contender{
		{name: "notation", path: notation, args: []string{"copy", "--no-verify"}},
		{name: "crane", args: []string{"copy"}},
		{name: "oras", args: []string{"cp", "-r", "--from-plain-http", "--to-plain-http", "--no-tty"}},
	}
	for i := range all {
		all[i].home = home
		if all[i].path != "" {
			continue
		}
		var err error
		if all[i].path, err = toolbox.Find(all[i].name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// run is what one copy cost.
type run struct {
	wall, cpu time.Duration
	memory    int64 // the most that was resident, in bytes
}

// copy runs the contender, with an empty environment but for a home directory.
func (c contender) copy(ctx context.Context, source, target string) (run, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.path, append(c.args, source, target)...)
	cmd.Env = []string{"HOME=" + c.home, "TMPDIR=" + c.home}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err := cmd.Run()
	r := run{wall: time.Since(begin)}
	if err != nil {
		return r, fmt.Errorf("%s: %w\n%s", c.name, err, out.Bytes())
	}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.memory = int64(usage.Maxrss)
		if runtime.GOOS == "linux" { // which counts in KiB
			r.memory <<= 10
		}
	}
	return r, nil
}

//go:build unix

// Command runner runs the command line in its arguments, with its own
// environment and output, and writes to file descriptor 3 one line that says
// what that has used: wall time and processor time in nanoseconds, peak memory
// in bytes, exit code. Children that the command has waited for count, too.
//
// It is a program of its own because Linux counts the memory of whoever starts
// a process towards the peak of that process. So this one is small: what it
// imports bounds from below what can be measured.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// reportDescriptor is where the report goes.
const reportDescriptor = 3

func main() {
	// Whoever is measured is not to hold it open.
	syscall.CloseOnExec(reportDescriptor)
	report := os.NewFile(reportDescriptor, "report")
	if report == nil || len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "runner: run by the benchmark only")
		os.Exit(2)
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	begin := time.Now()
	err := cmd.Run()
	wall := time.Since(begin)
	state := cmd.ProcessState
	if state == nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		os.Exit(1)
	}
	var peak int64
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		peak = int64(usage.Maxrss)
		if runtime.GOOS != "darwin" {
			peak <<= 10 // everybody else counts in KiB
		}
	}
	if _, err := fmt.Fprintln(report, wall.Nanoseconds(), (state.UserTime() + state.SystemTime()).Nanoseconds(), peak, state.ExitCode()); err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		os.Exit(1)
	}
}

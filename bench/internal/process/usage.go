//go:build unix

package process

import (
	"syscall"
	"time"
)

// Self returns the processor time that this process has used, user and system,
// without that of its children.
func Self() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

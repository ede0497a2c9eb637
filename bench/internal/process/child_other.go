//go:build unix && !linux

package process

import (
	"errors"
	"time"
)

// Of is not known here.
func Of(int) (time.Duration, error) {
	return 0, errors.New("the processor time of another process can be read on Linux only")
}

// Children are not known here.
func Children(string) ([]int, error) { return nil, nil }

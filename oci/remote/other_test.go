//go:build !unix

package remote

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }

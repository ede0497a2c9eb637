//go:build !unix

package crashtest

import "errors"

const canLimit = false

func limitFiles(int) error { return errors.ErrUnsupported }

package atomicfile

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/notaryv2/notation/reason"
)

// ReadNamed is [ReadLinked] for a path on the command line, which may also be
// one of the pipes that a shell has opened for this process, as it does for
// <(command). It is read to its end, which must come within limit bytes, or
// until ctx ends. A FIFO that stands in a directory for all to see is refused
// as ever: whoever opens it may wait for a writer for good.
func ReadNamed(ctx context.Context, path string, limit int64) ([]byte, error) {
	if !isHanded(path) {
		return ReadLinked(path, limit)
	}
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() { // stays behind if ctx ends: not every system has a way to wake it
		f, err := os.Open(path)
		if err != nil {
			read <- result{err: err}
			return
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		if r.err != nil {
			return nil, readError(path, r.err)
		}
		return bounded(path, r.data, limit)
	case <-ctx.Done():
		return nil, reason.Wrap(reason.UsageInterrupted, context.Cause(ctx), "interrupted while reading %q", path).
			WithHint("run the command again")
	}
}

// isHanded reports whether a path names an open descriptor of this process that
// is a pipe.
func isHanded(path string) bool {
	dir, name := filepath.Split(filepath.Clean(path))
	if _, err := strconv.ParseUint(name, 10, 31); err != nil || dir != "/dev/fd/" && dir != "/proc/self/fd/" {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

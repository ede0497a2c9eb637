package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
)

// spoolWrite is how many bytes are written to the file of a spool at a time.
const spoolWrite = 64 << 10

// spool keeps lines until they can be printed: some in memory, and what does not
// fit there in a temporary file, which goes with the process. Where that cannot be
// written, nothing that was kept is lost: what comes then is held as well, so that
// whoever adds it should come to an end. Its zero value is empty.
type spool struct {
	held    bytes.Buffer
	file    *os.File
	size    int64        // of what is in the file, in whole lines
	pending bytes.Buffer // after these
	failed  error        // why nothing more goes into the file; nil: it does
	close   func() error
}

// add keeps a line, which holds no line break. It is kept even with an error, which
// says that there is no room for more.
func (s *spool) add(line []byte) error {
	if s.file == nil && s.failed == nil && s.held.Len()+len(line) >= maxSpooled {
		s.failed = s.create()
	}
	to := &s.pending
	if s.file == nil && s.failed == nil {
		to = &s.held
	}
	to.Write(line)
	to.WriteByte('\n')
	if s.pending.Len() >= spoolWrite && s.failed == nil {
		s.failed = s.flush()
	}
	return s.failed
}

// flush writes what is pending. What a full disk has taken of it only in part is
// not looked at when the lines are read.
func (s *spool) flush() error {
	if _, err := s.file.WriteAt(s.pending.Bytes(), s.size); err != nil {
		return err
	}
	s.size += int64(s.pending.Len())
	s.pending.Reset()
	return nil
}

func (s *spool) create() error {
	f, err := os.CreateTemp("", "notation-*.jsonl")
	if err != nil {
		return err
	}
	// Where a file that is open can be removed, no crash leaves it behind.
	removed := os.Remove(f.Name()) == nil
	s.close = func() error {
		err := f.Close()
		if !removed {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		return err
	}
	s.file = f
	return nil
}

// lines gives all lines, and sets err where that fails. The spool is empty then.
func (s *spool) lines(err *error) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		in := []io.Reader{&s.held}
		if s.file != nil {
			defer func() { *err = errors.Join(*err, s.close()) }()
			if _, *err = s.file.Seek(0, io.SeekStart); *err != nil {
				return
			}
			in = append(in, io.LimitReader(s.file, s.size))
		}
		lines := bufio.NewReader(io.MultiReader(append(in, &s.pending)...))
		for {
			line, readErr := lines.ReadBytes('\n')
			if readErr == io.EOF {
				return
			}
			if readErr != nil {
				*err = readErr
				return
			}
			if !yield(bytes.TrimSuffix(line, []byte("\n"))) {
				return
			}
		}
	}
}

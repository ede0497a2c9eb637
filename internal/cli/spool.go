package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
)

// spool keeps lines until they can be printed: some in memory, and what does not
// fit there in a temporary file, which goes with the process. Its zero value is
// empty.
type spool struct {
	held  bytes.Buffer
	file  *os.File
	w     *bufio.Writer
	close func() error
}

// add keeps a line, which holds no line break.
func (s *spool) add(line []byte) error {
	if s.file == nil && s.held.Len()+len(line) >= maxSpooled {
		if err := s.create(); err != nil {
			return err
		}
	}
	if s.file == nil {
		s.held.Write(line)
		s.held.WriteByte('\n')
		return nil
	}
	_, err := s.w.Write(append(line, '\n'))
	return err
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
	s.file, s.w = f, bufio.NewWriter(f)
	return nil
}

// lines gives all lines, and sets err where that fails. The spool is empty then.
func (s *spool) lines(err *error) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		in := io.Reader(&s.held)
		if s.file != nil {
			defer func() { *err = errors.Join(*err, s.close()) }()
			if *err = errors.Join(*err, s.w.Flush()); *err != nil {
				return
			}
			if _, *err = s.file.Seek(0, io.SeekStart); *err != nil {
				return
			}
			in = io.MultiReader(in, s.file)
		}
		lines := bufio.NewReader(in)
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

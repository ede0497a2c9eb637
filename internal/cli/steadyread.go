package cli

import (
	"errors"
	"hash/maphash"
	"io"
	"sync"
)

// steadyBlock is how many bytes of a list are compared at a time.
const steadyBlock = 64 << 10

// errChanged says that a file is not what it was when it was read first.
var errChanged = errors.New("it has changed since it was read first")

// steadyReader gives a file that is read more than once, and nothing of it that
// is not what it was the first time. A list is checked as a whole before anything
// is done about it, and read again when it is: a line that somebody has put into
// it meanwhile would have passed no check, and one that is gone would be missed by
// nobody. It holds eight bytes for each block.
type steadyReader struct {
	from io.ReaderAt
	seed maphash.Seed

	mu    sync.Mutex
	sums  map[int64]uint64 // by number of block
	block []byte           // that was read last
	at    int64            // its number; negative: none was
}

// steady returns a reader of the first size bytes of a file.
func steady(from io.ReaderAt, size int64) *steadyReader {
	return &steadyReader{from: io.NewSectionReader(from, 0, size), seed: maphash.MakeSeed(), sums: map[int64]uint64{}, at: -1}
}

// ReadAt implements [io.ReaderAt].
func (s *steadyReader) ReadAt(p []byte, off int64) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n < len(p) {
		at := off + int64(n)
		if err := s.load(at / steadyBlock); err != nil {
			return n, err
		}
		rest := s.block[min(at%steadyBlock, int64(len(s.block))):]
		if len(rest) == 0 {
			return n, io.EOF
		}
		n += copy(p[n:], rest)
	}
	return n, nil
}

// load reads a block. s.mu is held.
func (s *steadyReader) load(number int64) error {
	if number == s.at {
		return nil
	}
	s.at = -1
	s.block = append(s.block[:0], make([]byte, steadyBlock)...)
	n, err := s.from.ReadAt(s.block, number*steadyBlock)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.block = s.block[:n]
	sum := maphash.Bytes(s.seed, s.block)
	if known, ok := s.sums[number]; ok && known != sum {
		return errChanged
	}
	s.sums[number], s.at = sum, number
	return nil
}

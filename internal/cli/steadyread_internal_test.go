package cli

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"testing"
	"testing/iotest"
)

// TestSteadyRead gives what is there, however it is asked for, and nothing that
// was not there the first time.
func TestSteadyRead(t *testing.T) {
	t.Parallel()
	content := make([]byte, 3*steadyBlock+100)
	_, _ = rand.New(rand.NewSource(1)).Read(content)
	for _, size := range []int{0, 1, steadyBlock - 1, steadyBlock, steadyBlock + 1, 3*steadyBlock + 50} {
		from := bytes.NewReader(content) // is longer than what was there at first
		s := steady(from, int64(size))
		if err := iotest.TestReader(io.NewSectionReader(s, 0, int64(size)), content[:size]); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		for range 2 {
			got, err := io.ReadAll(io.NewSectionReader(s, 0, int64(size)))
			if err != nil || !bytes.Equal(got, content[:size]) {
				t.Errorf("%d bytes: %d, %v", size, len(got), err)
			}
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"a byte":    func(b []byte) []byte { b[steadyBlock+5]++; return b },
		"shorter":   func(b []byte) []byte { return b[:2*steadyBlock+7] },
		"a block":   func(b []byte) []byte { return b[:steadyBlock] },
		"last byte": func(b []byte) []byte { b[len(b)-1]++; return b },
	} {
		from := bytes.NewReader(content)
		s := steady(from, int64(len(content)))
		if _, err := io.Copy(io.Discard, io.NewSectionReader(s, 0, int64(len(content)))); err != nil {
			t.Fatal(err)
		}
		from.Reset(change(bytes.Clone(content)))
		got, err := io.ReadAll(io.NewSectionReader(s, 0, int64(len(content))))
		if !errors.Is(err, errChanged) || !bytes.Equal(got, content[:len(got)]) {
			t.Errorf("%s: %v after %d bytes", name, err, len(got))
		}
	}
	broken := steady(io.NewSectionReader(unreadable{}, 0, 10), 10)
	if _, err := broken.ReadAt(make([]byte, 1), 0); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

type unreadable struct{}

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

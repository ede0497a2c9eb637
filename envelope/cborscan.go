package envelope

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

// CBOR major types (RFC 8949 section 3.1) and the bytes that a tagged
// COSE_Sign1 starts with (RFC 9052 section 4.2).
const (
	majorUint   = 0
	majorNegInt = 1
	majorBytes  = 2
	majorText   = 3
	majorArray  = 4
	majorMap    = 5
	majorTag    = 6
	majorSimple = 7

	coseTag    = 0xd2 // tag 18
	coseArray4 = 0x84
)

// scanner walks over CBOR and gives out slices of it, so that what was signed
// is verified, and what is not to change is passed on, as the bytes received.
// It accepts only what has one encoding (RFC 8949 section 4.2.1, but for the
// order of map keys, which carries no meaning): definite lengths, integers and
// lengths in their shortest form, map keys that are integers or text and occur
// once. So equal keys are equal bytes. Depth and lengths are bounded before
// anything is allocated for them.
type scanner struct {
	data []byte
	pos  int
}

func cborError(format string, args ...any) error {
	return reason.Errorf(reason.EnvelopeCBOR, "the COSE envelope is malformed: "+format, args...)
}

// head reads the head of an item: its major type and argument.
func (s *scanner) head() (major byte, arg uint64, err error) {
	if s.pos >= len(s.data) {
		return 0, 0, cborError("it ends too early")
	}
	initial := s.data[s.pos]
	s.pos++
	major, info := initial>>5, initial&0x1f
	if info < 24 {
		return major, uint64(info), nil
	}
	if info > 27 {
		return 0, 0, cborError("an item has an indefinite or reserved length")
	}
	width := 1 << (info - 24)
	if len(s.data)-s.pos < width {
		return 0, 0, cborError("it ends too early")
	}
	var wide [8]byte
	copy(wide[8-width:], s.data[s.pos:])
	s.pos += width
	arg = binary.BigEndian.Uint64(wide[:])
	if major == majorSimple {
		if info == 24 {
			return 0, 0, cborError("it holds a simple value that is not known")
		}
		return major, uint64(info), nil // a float, which has no shorter form of the same kind
	}
	if width == 1 && arg < 24 || width > 1 && arg>>(4*width) == 0 {
		return 0, 0, cborError("a number or length is not in its shortest form")
	}
	return major, arg, nil
}

// item reads one item with everything in it and returns its bytes.
func (s *scanner) item(depth int) ([]byte, error) {
	start := s.pos
	if err := s.skip(depth); err != nil {
		return nil, err
	}
	return s.data[start:s.pos], nil
}

func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return reason.Errorf(reason.EnvelopeTooLarge, "the COSE envelope is nested deeper than %d levels", maxDepth)
	}
	major, arg, err := s.head()
	if err != nil {
		return err
	}
	switch major {
	case majorBytes, majorText:
		text, err := s.take(arg)
		if err == nil && major == majorText && !utf8.Valid(text) {
			return cborError("a text is not UTF-8")
		}
		return err
	case majorArray:
		return s.elements(arg, depth)
	case majorMap:
		return s.pairs(arg, depth, func([]byte, []byte) error { return nil })
	case majorTag:
		return s.skip(depth + 1)
	case majorSimple:
		if arg < 20 || arg == 23 {
			return cborError("it holds a simple value that is not known")
		}
	}
	return nil
}

// take returns the next n bytes.
func (s *scanner) take(n uint64) ([]byte, error) {
	if n > uint64(len(s.data)-s.pos) {
		return nil, cborError("a length reaches beyond the end")
	}
	b := s.data[s.pos : s.pos+int(n) : s.pos+int(n)]
	s.pos += int(n)
	return b, nil
}

func (s *scanner) elements(n uint64, depth int) error {
	if n > uint64(len(s.data)-s.pos) {
		return cborError("a length reaches beyond the end")
	}
	for range n {
		if err := s.skip(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// pairs reads n pairs of a map, calls f with each key and value and refuses
// keys that occur twice.
func (s *scanner) pairs(n uint64, depth int, f func(key, value []byte) error) error {
	if n > uint64(len(s.data)-s.pos)/2 {
		return cborError("a length reaches beyond the end")
	}
	var seen map[string]bool
	for range n {
		if s.pos < len(s.data) {
			if major := s.data[s.pos] >> 5; major != majorUint && major != majorNegInt && major != majorText {
				return cborError("a map key is neither integer nor text")
			}
		}
		key, err := s.item(depth + 1)
		if err != nil {
			return err
		}
		value, err := s.item(depth + 1)
		if err != nil {
			return err
		}
		if seen[string(key)] {
			return cborError("a map key is given twice")
		}
		if seen == nil {
			seen = make(map[string]bool, min(n, maxUnprotected))
		}
		seen[string(key)] = true
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}

// end refuses what follows the last item.
func (s *scanner) end() error {
	if s.pos != len(s.data) {
		return cborError("something follows its end, from byte %d on", s.pos)
	}
	return nil
}

// bytesOf returns the content of a raw item that is a byte string.
func bytesOf(raw []byte) ([]byte, bool) { return contentOf(raw, majorBytes) }

// textOf returns the content of a raw item that is a text.
func textOf(raw []byte) (string, bool) {
	b, ok := contentOf(raw, majorText)
	return string(b), ok
}

// contentOf returns the content of a raw byte string or text, which is well
// formed because the scanner gave it out.
func contentOf(raw []byte, want byte) ([]byte, bool) {
	s := scanner{data: raw}
	major, n, err := s.head()
	if err != nil || major != want {
		return nil, false
	}
	b, err := s.take(n)
	return b, err == nil
}

// label is the key of a COSE header parameter: an integer or a text.
type label struct {
	text   string // "" for an integer
	number int64
}

// labelOf reads a raw label.
func labelOf(raw []byte) (label, error) {
	s := scanner{data: raw}
	major, arg, err := s.head()
	if err != nil {
		return label{}, err
	}
	switch {
	case major == majorUint && int64(arg) >= 0:
		return label{number: int64(arg)}, nil
	case major == majorNegInt && int64(arg) >= 0:
		return label{number: -1 - int64(arg)}, nil
	case major == majorText:
		text, _ := textOf(raw)
		// A text such as "33" would be taken for the integer by a reader that
		// keeps labels as strings.
		if _, err := strconv.ParseInt(text, 10, 64); err == nil || text == "" {
			return label{}, reason.Errorf(reason.EnvelopeHeader, "label %s is a text where an integer label would stand", quote(text))
		}
		return label{text: text}, nil
	}
	return label{}, cborError("a header label is neither text nor an integer of 64 bits")
}

// String returns the text or the decimal number.
func (l label) String() string {
	if l.text != "" {
		return l.text
	}
	return strconv.FormatInt(l.number, 10)
}

// key is the label as the encoder takes it.
func (l label) key() any {
	if l.text != "" {
		return l.text
	}
	return l.number
}

package strictjson

import (
	"bytes"
	"fmt"
	"strconv"
)

// EscapeUnprintable returns a JSON text in which characters that a terminal may
// act upon, above all control characters and those that change the direction of
// writing, are \u escapes. It says the same: outside strings JSON holds none.
func EscapeUnprintable(data []byte) []byte {
	if bytes.IndexFunc(data, func(r rune) bool { return !strconv.IsPrint(r) }) < 0 {
		return data
	}
	var b bytes.Buffer
	for _, r := range string(data) {
		switch {
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

package envelope_test

import (
	"strings"
	"testing"

	"github.com/notaryv2/notation/envelope"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, data, want string }{
		{"nothing", "", ""},
		{"an object", "{", envelope.MediaTypeJWS},
		{"an object after white space", " \t\r\n{}", envelope.MediaTypeJWS},
		{"white space only", "  ", ""},
		{"white space without end", strings.Repeat(" ", envelope.MaxSize) + "{", ""},
		{"a byte order mark", "\ufeff{}", ""},
		{"an array", "[{}]", ""},
		{"the compact serialization", "eyJhbGciOiJub25lIn0..", ""},
		{"COSE_Sign1, tagged", "\xd2\x84", envelope.MediaTypeCOSE},
		{"COSE_Sign1, tag in a longer form", "\xd8\x12\x84", ""},
		{"COSE_Sign1, untagged", "\x84", ""},
		{"COSE_Sign", "\xd8\x62\x84", ""},
		{"COSE after white space", " \xd2\x84", ""},
		{"PEM", "-----BEGIN CERTIFICATE-----", ""},
		{"PKCS#7", "\x30\x82", ""},
	} {
		got, ok := envelope.Detect([]byte(tt.data))
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %q, %t", tt.name, got, ok)
		}
	}
}

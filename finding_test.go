package notation

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                         "",
		"plain, naïve text":        "plain, naïve text",
		"two\nlines":               "two; lines",
		"\x1b[2Jx\u202ey\x00":      `\x1b[2Jx\u202ey\x00`,
		"bad \xff utf-8":           `bad \ufffd utf-8`,
		strings.Repeat("a", 1000):  strings.Repeat("a", 1000),
		strings.Repeat("a", 1001):  strings.Repeat("a", 1000) + "...",
		strings.Repeat("aé", 1000): strings.Repeat("aé", 333) + "a...",
	} {
		if got := printable(in); got != want || !utf8.ValidString(got) {
			t.Errorf("printable(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	if got := quote("é\x1b"); got != `"\u00e9\x1b"` {
		t.Error(got)
	}
	if got := quote(strings.Repeat("a", 161)); got != `"`+strings.Repeat("a", 160)+`"...` {
		t.Error(got)
	}
}

// TestCodes prefers an error's own code to the fallback.
func TestCodes(t *testing.T) {
	t.Parallel()
	plain, own := errors.New("x"), reason.Errorf(reason.VerifyExpired, "y").WithHint("z")
	if f := foundError(CheckExpiry, Failed, plain, reason.VerifyResolve); f.Reason != reason.VerifyResolve || f.Hint != "" {
		t.Errorf("%+v", f)
	}
	if f := foundError(CheckExpiry, Failed, errors.Join(plain, own), reason.VerifyResolve); f.Reason != reason.VerifyExpired || f.Hint != "z" || f.Message != "x; y" {
		t.Errorf("%+v", f)
	}
}

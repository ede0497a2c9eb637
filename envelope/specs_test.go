package envelope_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// specBlock finds the fenced examples of a specification. The info string says
// the notation, what the example is, and the code that refuses it, if any.
var specBlock = regexp.MustCompile("(?ms)^```(json|hex) ([a-z]+) ?([a-z.-]*)\n(.*?)^```$")

// TestSpecs runs the examples of the specifications.
func TestSpecs(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for file, minimum := range map[string]int{"payload.md": 6, "envelope-jws.md": 11, "envelope-cose.md": 5} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("..", "specs", file))
			if err != nil {
				t.Fatal(err)
			}
			blocks := specBlock.FindAllStringSubmatch(string(text), -1)
			if len(blocks) < minimum {
				t.Errorf("%d examples, want at least %d", len(blocks), minimum)
			}
			for _, b := range blocks {
				mediaType, data := specExample(t, chain, b[1], b[2], b[4])
				_, err := verify(mediaType, data)
				if b[3] != "" {
					wantReason(t, err, reason.Code(b[3]))
				} else if err != nil {
					t.Errorf("%v: %s", err, b[4])
				}
			}
		})
	}
}

// specExample puts an example into an envelope that is good otherwise.
func specExample(t *testing.T, chain *testpki.Chain, notation, what, example string) (mediaType string, data []byte) {
	t.Helper()
	if notation == "hex" {
		raw, err := hex.DecodeString(strings.Join(strings.Fields(example), ""))
		if err != nil {
			t.Fatal(err)
		}
		if what == "envelope" {
			return envelope.MediaTypeCOSE, raw
		}
		f := newCOSE(chain)
		f.rawProtected = bstr(raw)
		return envelope.MediaTypeCOSE, f.encode(t)
	}
	f := newJWS(chain)
	switch what {
	case "envelope":
		return envelope.MediaTypeJWS, []byte(example)
	case "payload":
		f.payload = example
	case "protected":
		f.protected = example
	case "header":
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(example), &members); err != nil {
			t.Fatal(err)
		}
		for name, value := range members {
			f.header[name] = string(value)
		}
	default:
		t.Fatalf("an example of %q", what)
	}
	return envelope.MediaTypeJWS, f.encode(t)
}

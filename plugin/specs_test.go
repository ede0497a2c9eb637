package plugin

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

var specExample = regexp.MustCompile("(?ms)^```json ([^\n]+)\n(.*?)^```$")

// TestSpecification runs the examples of specs/plugin.md.
func TestSpecification(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "specs", "plugin.md"))
	must(t, err)
	examples := specExample.FindAllStringSubmatch(string(text), -1)
	if len(examples) < 14 || strings.Count(string(text), "```json") != len(examples) {
		t.Fatalf("%d examples were found", len(examples))
	}
	for _, e := range examples {
		words, data := strings.Fields(e[1]), []byte(e[2])
		var want reason.Code
		if len(words) > 2 {
			want = reason.Code(words[2])
		}
		switch words[0] {
		case "error":
			if fault, err := parseError(data); err != nil || fault.Message == "" {
				t.Errorf("%s: %v", data, err)
			}
		case "request":
			if _, stderr, code := run(t, full(t), string(data), words[1]); code != 0 {
				t.Errorf("%s: %s", data, stderr)
			}
		case "answer":
			if err := specAnswer(Command(words[1]), data); reason.Of(err) != want {
				t.Errorf("%s: %v, want %q", data, err, want)
			}
		default:
			t.Errorf("%q", e[1])
		}
	}
}

func specAnswer(command Command, data []byte) error {
	switch command {
	case CommandMetadata:
		_, err := parseMetadata(data, "com.example.vault")
		return err
	case CommandDescribeKey:
		var r DescribeKeyResponse
		if err := decode(data, &r); err != nil {
			return err
		}
		_, err := r.check("build")
		return err
	}
	var r VerifySignatureResponse
	if err := decode(data, &r); err != nil {
		return err
	}
	_, err := r.check(&VerifySignatureRequest{
		Signature:   Signature{UnprocessedAttributes: []string{"com.example.stage"}},
		TrustPolicy: TrustPolicy{SignatureVerification: []Capability{CapabilityTrustedIdentity}},
	})
	return err
}

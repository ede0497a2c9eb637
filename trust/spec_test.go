package trust_test

import (
	"crypto/x509"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// specBlock is a fenced block of a specification.
type specBlock struct {
	info []string // the words after ```json
	text string
	lead string // the last line before it
}

var fence = regexp.MustCompile("(?s)([^\n]*)\n\n```json ?([^\n]*)\n(.*?)```")

func specBlocks(t *testing.T, name string) []specBlock {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "specs", name))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []specBlock
	for _, m := range fence.FindAllStringSubmatch(string(data), -1) {
		blocks = append(blocks, specBlock{lead: m[1], info: strings.Fields(m[2]), text: m[3]})
	}
	if want := strings.Count(string(data), "```json"); len(blocks) != want || want < 8 {
		t.Fatalf("%d of %d blocks are read", len(blocks), want)
	}
	return blocks
}

// checkLead asserts that the text before a refused example names its code.
func checkLead(t *testing.T, b specBlock, code reason.Code) {
	t.Helper()
	if refused := strings.HasPrefix(b.lead, "Refused with `"+string(code)+"`"); code != "" && !refused {
		t.Errorf("%q does not say that the example is refused with %s", b.lead, code)
	}
}

func TestPolicySpecification(t *testing.T) {
	t.Parallel()
	for _, b := range specBlocks(t, "trust-policy.md") {
		parse := map[string]func(string, []byte) (*trust.Policy, error){"oci": trust.ParsePolicy, "blob": trust.ParseBlobPolicy}[b.info[0]]
		var want reason.Code
		if len(b.info) > 1 {
			want = reason.Code(b.info[1])
		}
		_, err := parse("policy.json", []byte(b.text))
		if len(each(err)) > 1 || reason.Of(err) != want {
			t.Errorf("%v, want %q:\n%s", err, want, b.text)
		}
		checkLead(t, b, want)
	}
}

func TestStoreSpecification(t *testing.T) {
	t.Parallel()
	one, two := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{KeySet: 1})
	contents := map[string]*fstest.MapFile{
		"root":         file(pemOf(one.Root())),
		"other root":   file(two.Root().Raw),
		"intermediate": file(pemOf(one.Certs[1])),
		"self-signed":  file(pemOf(testpki.New(t, testpki.Options{Length: 1}).Leaf())),
		"key":          file(one.KeyPEM()),
		"link":         {Data: []byte("elsewhere.pem"), Mode: fs.ModeSymlink | 0o777},
		"text":         file([]byte("some text\n")),
	}
	for _, b := range specBlocks(t, "trust-store.md") {
		if b.info[0] != "store" {
			t.Fatalf("a block %q", b.info)
		}
		ref, err := trust.ParseStoreRef(b.info[1])
		if err != nil {
			t.Fatal(err)
		}
		var want reason.Code
		if len(b.info) > 2 {
			want = reason.Code(b.info[2])
		}
		var tree map[string]string
		if err := json.Unmarshal([]byte(b.text), &tree); err != nil {
			t.Fatal(err)
		}
		fsys := fstest.MapFS{}
		counted := 0
		for path, what := range tree {
			if contents[what] == nil {
				t.Fatalf("%s holds %q", path, what)
			}
			if fsys[path] = contents[what]; filepath.Dir(path) == filepath.Join(ref.Type.String(), ref.Name) && what != "text" {
				counted++
			}
		}
		var certs []*x509.Certificate
		var warnings []error
		certs, warnings, err = trust.NewStores(fsys).Load(ref)
		if reason.Of(err) != want {
			t.Errorf("%v, want %q:\n%s", err, want, b.text)
		}
		if want == "" && (len(certs) != counted || len(warnings) != len(tree)-counted) {
			t.Errorf("%d certificates, %v:\n%s", len(certs), warnings, b.text)
		}
		checkLead(t, b, want)
	}
}

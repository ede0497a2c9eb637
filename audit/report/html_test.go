package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/audit/report"
)

var (
	tag       = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z0-9:-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?)*)\s*(/?)>`)
	attribute = regexp.MustCompile(`\s([a-zA-Z0-9:-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?`)
	style     = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	script    = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	policies  = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]*)">`)
)

// checkPage checks that a page is one document whose elements nest, which has one
// style and one script, those of the policy, and nothing that would load or run
// anything else.
func checkPage(t *testing.T, page string) {
	t.Helper()
	checkPolicy(t, page)
	page = script.ReplaceAllString(style.ReplaceAllString(page, ""), "")
	page = strings.TrimPrefix(page, "<!doctype html>")
	void := []string{"meta", "input"}
	known := []string{
		"html", "head", "meta", "title", "body", "a", "header", "main", "footer", "section", "article", "h1", "h2", "h3", "p", "dl", "div", "dt", "dd", "ul", "li",
		"span", "strong", "b", "small", "code", "details", "summary", "svg", "rect", "text", "line", "table", "thead", "tbody", "tr", "th", "td",
		"form", "label", "input", "fieldset", "legend", "output",
	}
	var open []string
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		name := m[2]
		if !slices.Contains(known, name) {
			t.Fatalf("the page has an element %q", m[0])
		}
		for _, a := range attribute.FindAllStringSubmatch(m[3], -1) {
			attr := a[1]
			if strings.HasPrefix(attr, "on") || slices.Contains([]string{"style", "src", "srcset", "action", "xlink:href", "data", "poster", "background"}, attr) ||
				attr == "href" && !strings.HasPrefix(a[2], "#") {
				t.Fatalf("the page has an attribute %q", m[0])
			}
		}
		switch {
		case slices.Contains(void, name) || m[4] != "":
		case m[1] == "":
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			t.Fatalf("%s ends %v", name, open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Fatalf("%v do not end", open)
	}
	if rest := tag.ReplaceAllString(page, ""); strings.ContainsAny(rest, "<>") {
		i := strings.IndexAny(rest, "<>")
		t.Fatalf("the page has markup that is none: %q", rest[max(0, i-40):min(len(rest), i+40)])
	}
}

// checkPolicy checks that the page allows its own style and script, and nothing
// else, and that there are no others.
func checkPolicy(t *testing.T, page string) {
	t.Helper()
	hash := func(found [][]string) string {
		if len(found) != 1 {
			t.Fatalf("there are %d", len(found))
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'",
		hash(style.FindAllStringSubmatch(page, -1)), hash(script.FindAllStringSubmatch(page, -1)))
	got := policies.FindAllStringSubmatchIndex(page, -1)
	if len(got) != 1 || page[got[0][2]:got[0][3]] != want {
		t.Fatalf("the policy is not %s", want)
	}
	if first := strings.Index(page, "<style>"); first < got[0][0] {
		t.Error("the style comes before the policy")
	}
}

// TestPage checks what the page says of a registry of some size.
func TestPage(t *testing.T) {
	t.Parallel()
	page := render(t, report.HTML, options(), example(2000)...)
	checkPage(t, page)
	for _, want := range []string{
		`<html lang="en">`, "<title>Signatures of registry.example.com</title>", "<strong>80.2 %</strong>", "of 2,000 artifacts pass the trust policy",
		"1,648 of them are signed, of which 1,604 meet the trust policy. Of 199 it is not known",
		`<b>1,604</b> <span class="word">passed</span>`, `<b>153</b> <span class="word">unsigned</span>`,
		"<code>cert.expired</code>", "Renew the certificate and sign again", "CN=Upstream Mirror,O=Partner GmbH,L=München", "<td>ca:partners</td>",
		"229 within 30 days", "2026-05-25", `<th scope="row">registry.example.com/payments/proxy</th>`, "2,000 of 2,000",
		"CN=Example Code Signing Root R2", "(no statement applies)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	// Only the message of a record names an address, as text.
	if strings.Contains(strings.ReplaceAll(page, "GET https://registry.example.com/v2/", ""), "://") {
		t.Error("the page names an address")
	}
	if len(page) > 1<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

// TestPageIsBounded makes a page of many artifacts: it lists the worst of them, and
// says how many it leaves out.
func TestPageIsBounded(t *testing.T) {
	t.Parallel()
	records := example(3000)
	o := options()
	for details, rows := range map[int]int{0: report.DefaultDetails, 7: 7, -1: 0, report.MaxDetails + 1: 3000} {
		o.Details = details
		page := render(t, report.HTML, o, records...)
		checkPage(t, page)
		_, list, _ := strings.Cut(page, `id="artifacts"`)
		if got := strings.Count(list, `<td><span class="badge`); got != rows {
			t.Errorf("%d details: there are %d rows", details, got)
		}
		left := 3000 - rows
		if said := fmt.Sprintf("%d,%03d more artifacts are in the JSON lines", left/1000, left%1000); left > 0 && !strings.Contains(page, said) {
			t.Errorf("%d details: the page does not say that %d are left out", details, left)
		}
		if rows == 7 && strings.Count(list, `class="badge rejected"`) != 7 {
			t.Error("the worst are not first")
		}
	}
}

// TestPageOfNothing is about an audit that has found nothing, and one in which
// nothing passes.
func TestPageOfNothing(t *testing.T) {
	t.Parallel()
	page := render(t, report.HTML, report.Options{})
	checkPage(t, page)
	for _, want := range []string{"<strong>0 %</strong>", "Audit of signatures", "Nothing: all that was looked at passes", "no artifacts"} {
		if !strings.Contains(page, want) {
			t.Errorf("the empty page does not say %q", want)
		}
	}
	r := recordOf("x", "unsigned")
	page = render(t, report.HTML, report.Options{Incomplete: "the registry has given no answer", Now: at, Started: at}, r)
	checkPage(t, page)
	for _, want := range []string{"Not everything was looked at: the registry has given no answer.", "of 1 artifact pass", "No artifact passes", "2026-05-04 09:30 UTC"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestPageColours checks the contrast of whatever is written upon what, in light
// and dark, against WCAG 2.2 (1.4.3): 4.5 to 1.
func TestPageColours(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`--([a-z]+): (#[0-9a-f]{3,6})`)
	light, rest, _ := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	dark, rest, _ := strings.Cut(rest, "* { box-sizing")
	_, printed, _ := strings.Cut(rest, "@media print")
	for name, block := range map[string]string{"light": light, "dark": dark, "print": printed} {
		colours := map[string]string{}
		for _, m := range variable.FindAllStringSubmatch(block, -1) {
			colours[m[1]] = m[2]
		}
		check := func(text, ground string) {
			if c := contrast(t, colours[text], colours[ground]); c < 4.5 {
				t.Errorf("%s: %s upon %s has a contrast of %.2f", name, text, ground, c)
			}
		}
		for _, ground := range []string{"paper", "card"} {
			for _, text := range []string{"ink", "soft", "link", "passed"} {
				check(text, ground)
			}
		}
		check("ink", "ground")
		for _, o := range []string{"passed", "rejected", "unsigned", "undecided", "skipped"} {
			check("badge", o)
		}
	}
}

// TestOneSignatureCovers is about an artifact that passes by the signature of an
// index, and about one that passes although nobody vouches for its signer.
func TestOneSignatureCovers(t *testing.T) {
	t.Parallel()
	covered, logged := recordOf("a", "passed"), recordOf("b", "passed")
	covered.Signatures = nil
	logged.Signatures[0].Store, logged.Signatures[0].Signer = "", "CN=Claims To Be Root"
	out := render(t, report.HTML, options(), covered, logged)
	if strings.Contains(out, "Claims To Be") {
		t.Error("a signer is named for whom nobody vouches")
	}
	for _, want := range []string{"the signature of an index", "nobody vouches", "1 with its index"} {
		if !strings.Contains(out, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	checkPage(t, out)
}

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newApp() *app { return &app{env: Env{}.withDefaults()} }

// TestExamplesParse reads every example of every command as a shell and the
// flag parser would: commands and flags in it exist.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	for _, cmd := range append(tree(newApp().root(nil)), newApp().manCommand()) {
		lines := 0
		for line := range strings.Lines(cmd.Example) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			lines++
			words := shellWords(line)
			if words[0] != "notation" {
				t.Errorf("%s: %q does not begin with notation", cmd.CommandPath(), line)
			}
			found, rest, err := newApp().root(nil).Find(words[1:])
			if err != nil || found.HasSubCommands() {
				t.Errorf("%s: %q is no command: %v", cmd.CommandPath(), line, err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: %q: %v", cmd.CommandPath(), line, err)
			}
			if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%s: %q: %v", cmd.CommandPath(), line, err)
			}
		}
		if lines == 0 {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
	}
}

// shellWords splits a command line at spaces outside of single quotes.
func shellWords(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words[len(words)-1] += part
			continue
		}
		fields := strings.Fields(part)
		if strings.HasSuffix(part, " ") {
			fields = append(fields, "")
		}
		words = append(words, fields...)
	}
	return words
}

// TestHelpTexts holds what every command and flag says of itself to one form.
func TestHelpTexts(t *testing.T) {
	t.Parallel()
	for _, cmd := range tree(newApp().root(nil)) {
		path := cmd.CommandPath()
		switch {
		case cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || len(cmd.Short) > 70:
			t.Errorf("%s: short: %q", path, cmd.Short)
		case !strings.HasSuffix(cmd.Long, ".") && cmd.HasParent() && cmd.Name() != "completion":
			t.Errorf("%s: long: %q", path, cmd.Long)
		}
		for line := range strings.Lines(cmd.Long) {
			if len(line) > 82 && strings.Contains(cmd.Long, "\n") {
				t.Errorf("%s: long line %q", path, line)
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") || f.Usage[:1] != strings.ToLower(f.Usage[:1]) && !strings.HasPrefix(f.Usage, "REF") {
				t.Errorf("%s --%s: usage %q", path, f.Name, f.Usage)
			}
		})
		if cmd.InheritedFlags().Lookup("output") == nil && cmd.Flags().Lookup("output") == nil {
			t.Errorf("%s has no --output", path)
		}
	}
}

func TestManPages(t *testing.T) {
	t.Parallel()
	for _, cmd := range tree(newApp().root(nil)) {
		page := manPage(cmd)
		for _, section := range []string{".TH NOTATION", ".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n", ".SH GLOBAL OPTIONS\n", ".SH EXAMPLES\n", ".SH EXIT STATUS\n", ".SH SEE ALSO\n.BR "} {
			if !strings.Contains(page, section) {
				t.Errorf("%s: no %q", cmd.CommandPath(), section)
			}
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if has := strings.Contains(page, roff("--"+f.Name)); has == f.Hidden {
				t.Errorf("%s: --%s: %v", cmd.CommandPath(), f.Name, has)
			}
		})
	}
	if got := roff("a-b\n.request\n'quote\\"); got != "a\\-b\n\\&.request\n\\&'quote\\e" {
		t.Errorf("%q", got)
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{notation.ErrSkipped, exitOK},
		{fmt.Errorf("x: %w", notation.ErrRejected), exitRejected},
		{notation.ErrUnsigned, exitUnsigned},
		{notation.ErrUndecided, exitUndecided},
		{context.Canceled, exitUndecided},
		{reason.Wrap(reason.ConfigLock, context.DeadlineExceeded, "x"), exitUndecided},
		{reason.Errorf(reason.UsageFlag, "x"), exitUsage},
		{reason.Errorf(reason.UsageInterrupted, "x"), exitUndecided},
		{reason.Errorf(reason.ConfigNoPolicy, "x"), exitUsage},
		{reason.Errorf(reason.PolicySyntax, "x"), exitUsage},
		{reason.Errorf(reason.PolicyNoStatement, "x"), exitRejected},
		{reason.Errorf(reason.StoreAnchor, "x"), exitUsage},
		{reason.Errorf(reason.SignerKeyFormat, "x"), exitUsage},
		{reason.Errorf(reason.SignMetadataReserved, "x"), exitUsage},
		{reason.Errorf(reason.OCIReference, "x"), exitUsage},
		{reason.Errorf(reason.OCITagMismatch, "x"), exitUsage},
		{reason.Errorf(reason.OCINotFound, "x"), exitUndecided},
		{reason.Errorf(reason.RegistryUnauthorized, "x"), exitUndecided},
		{reason.Errorf(reason.TimestampURL, "x"), exitUsage},
		{reason.Errorf(reason.TimestampRootUntrusted, "x"), exitUsage},
		{reason.Errorf(reason.TimestampUnreachable, "x"), exitUndecided},
		{reason.Errorf(reason.TimestampRefused, "x"), exitUndecided},
		{reason.Errorf(reason.TimestampRevocation, "x"), exitUndecided},
		{reason.Errorf(reason.RevocationUnavailable, "x"), exitUndecided},
		{reason.Errorf(reason.PluginNotFound, "x"), exitUsage},
		{reason.Errorf(reason.PluginName, "x"), exitUsage},
		{reason.Errorf(reason.PluginUnsafe, "x"), exitUsage},
		{reason.Errorf(reason.PluginAnswer, "x"), exitUsage},
		{reason.Errorf(reason.PluginChecksum, "x"), exitUsage},
		{reason.Errorf(reason.PluginTimeout, "x"), exitUndecided},
		{reason.Errorf(reason.PluginFailed, "x"), exitUndecided},
		{reason.Errorf(reason.PluginDownload, "x"), exitUndecided},
		{reason.Errorf(reason.PluginRefused, "x"), exitUndecided},
		{reason.Wrap(reason.PluginRefused, &plugin.Error{Code: plugin.CodeValidation}, "x"), exitUsage},
		{reason.Wrap(reason.PluginRefused, &plugin.Error{Code: plugin.CodeUnsupportedVersion}, "x"), exitUsage},
		{reason.Wrap(reason.PluginRefused, &plugin.Error{Code: plugin.CodeAccessDenied}, "x"), exitUndecided},
		{reason.Wrap(reason.PluginRefused, &plugin.Error{Code: plugin.CodeThrottled}, "x"), exitUndecided},
		{errors.New("anything else"), exitUndecided},
		{refError{"r", notation.ErrUnsigned}, exitUnsigned},
		{manyErrors{{"a", notation.ErrUndecided}, {"b", notation.ErrRejected}, {"c", notation.ErrUnsigned}}, exitRejected},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
	// Best to worst.
	order := []int{exitOK, exitUndecided, exitUsage, exitUnsigned, exitRejected}
	for i, a := range order {
		for j, b := range order {
			if got := worse(a, b); got != order[max(i, j)] {
				t.Errorf("worse(%d, %d) = %d", a, b, got)
			}
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"12h": 12 * time.Hour, "30d": 30 * day, "1d12h": 36 * time.Hour, "90s": 90 * time.Second, "1.5h": 90 * time.Minute,
		"36500d": maxDuration,
		"":       0, "0": 0, "0s": 0, "-1h": 0, "d": 0, "1d-1h": 0, "1w": 0, "1": 0, "36501d": 0, "99999999999d": 0, "36500d1s": 0, "1h1d": 0, "+1d": 0, "9999999h": 0,
	} {
		got, err := parseDuration(s)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for d, want := range map[time.Duration]string{2 * time.Minute: "2m", 24 * time.Hour: "24h", 90 * time.Second: "1m30s", 0: "0s", time.Hour + time.Second: "1h0m1s"} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"12h", "30d", "1d12h", "d", "-1d", "1.5h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDuration(s)
		if err == nil && (d <= 0 || d > maxDuration) || err != nil && d != 0 {
			t.Errorf("%q: %v, %v", s, d, err)
		}
	})
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"sign", "sign", 0}, {"sgin", "sign", 2}, {"verfy", "verify", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}, {strings.Repeat("a", 100), "a", 64}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: %d", tt.a, tt.b, got)
		}
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"the key is missing": "The key is missing.", "done.": "Done.", "really?": "Really?", "a\nb": "A; b.",
		"localhost:5000/x: gone": "localhost:5000/x: gone.", "/etc/x is odd": "/etc/x is odd.", "--flag is odd": "--flag is odd.",
		"x \x1b[31m": `X \x1b[31m.`, "a \u202eb": `A \u202eb.`, "": "", "time-stamping": "Time-stamping.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestHostileTextIsEscaped puts what a terminal acts upon into every kind of
// output.
func TestHostileTextIsEscaped(t *testing.T) {
	t.Parallel()
	const hostile = "a\x1b]0;x\x07\r\nb\u202e\u2066c\u200d\u009b1m\U000e0041\u2028é"
	p := &page{}
	p.line("%s", hostile)
	p.table("", [][]cell{row("x", hostile), row(hostile)})
	n := node{label: hostile}
	n.add("%s", hostile)
	p.tree("", []node{n})
	body, err := marshal(map[string]string{"k" + hostile: hostile})
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"text": p.b.String(), "json": string(body), "error": sentence(hostile), "quote": quote(hostile)} {
		if i := strings.IndexFunc(text, func(r rune) bool {
			return r != '\n' && r != 'é' && (r < ' ' || r > '~') && !strings.ContainsRune("├└─│", r)
		}); i >= 0 {
			t.Errorf("%s: %q", what, text[i:])
		}
	}
	if want := `"a\u001b]0;x\u0007\r\nb\u202e\u2066c\u200d\u009b1m\udb40\udc41\u2028é"`; !strings.Contains(string(body), want) {
		t.Errorf("json: %s\nwant: %s", body, want)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	rows := func() [][]cell {
		return [][]cell{row("A", "LONGER", "C"), {{"äöü", good}, {"x", bad}, {"-", plain}}, row("  a note that is longer than any column"), row("a", "b")}
	}
	p := &page{}
	p.table("  ", rows())
	want := "  A    LONGER  C\n  äöü  x       -\n    a note that is longer than any column\n  a    b\n"
	if p.b.String() != want {
		t.Errorf("got\n%swant\n%s", p.b.String(), want)
	}
	coloured := &page{color: true}
	coloured.table("  ", rows())
	stripped := strings.NewReplacer(string(good), "", string(bad), "", reset, "").Replace(coloured.b.String())
	if stripped != want || stripped == coloured.b.String() {
		t.Errorf("coloured: %q", coloured.b.String())
	}
}

func TestCommonName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"CN=a,O=b": "CN=a", "O=b,CN=a": "CN=a", "O=b": "O=b", "": "", "CN=" + strings.Repeat("é", 50): "CN=" + strings.Repeat("é", 34) + "...",
	} {
		if got := commonName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestShortDigest(t *testing.T) {
	t.Parallel()
	if got := shortDigest("sha256:0123456789abcdef"); got != "sha256:0123456789ab" {
		t.Error(got)
	}
	if got := shortDigest(""); got != "-" {
		t.Error(got)
	}
}

func TestJSONValue(t *testing.T) {
	t.Parallel()
	if got := jsonValue(math.Inf(1)); got != "+Inf" {
		t.Errorf("%v", got)
	}
	if got := jsonValue("x"); got != "x" {
		t.Errorf("%v", got)
	}
	if got := printedName([]byte{1}); !strings.HasPrefix(got, "(") {
		t.Errorf("%v", got)
	}
}

// TestDescribe shows attributes that no signature of this program has.
func TestDescribe(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	var s signatureJSON
	s.describe(envelope.Content{
		Algorithm: envelope.ECDSASHA256, Scheme: envelope.SchemeSigningAuthority, SigningTime: at, VerificationPlugin: "p", PluginMinVersion: "1.0.0",
		Extended:  []envelope.Attribute{{Key: "signingScheme", Value: "a lie"}, {Key: "x", Value: []any{math.NaN()}}, {Key: "y", Value: int64(7)}},
		Timestamp: []byte{1}, Agent: "a\u202eb",
	})
	want := map[string]any{
		"contentType": envelope.MediaTypePayload, "signingScheme": "notary.x509.signingAuthority", "authenticSigningTime": "2030-01-02T03:04:05Z",
		"verificationPlugin": "p", "verificationPluginMinVersion": "1.0.0", "x": "[NaN]", "y": int64(7),
	}
	if !maps.Equal(s.Signed, want) || s.Unsigned.Timestamp == nil {
		t.Errorf("%v", s.Signed)
	}
	p := &page{}
	(&inspectDocument{Signatures: []signatureJSON{s, {Integrity: integrityJSON{Outcome: "failed", Message: "m", Reason: "r"}}}}).text(p)
	for _, text := range []string{"timestamp signature: cannot be read: ", `signing agent: a\u202eb`, "m [r]"} {
		if !strings.Contains(p.b.String(), text) {
			t.Errorf("%q is missing:\n%s", text, p.b.String())
		}
	}
}

// TestInsecureRegistries uses plain HTTP where the flag or config.json says so.
func TestInsecureRegistries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		flag     bool
		settings string
		want     bool
	}{
		{false, "{}", false}, {true, "{}", true},
		{false, `{"insecureRegistries":["r.example:5000"]}`, true}, {false, `{"insecureRegistries":["r.example"]}`, false},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(tt.settings), 0o600); err != nil {
			t.Fatal(err)
		}
		a := newApp()
		a.log = slog.New(slog.DiscardHandler)
		a.env.Getenv = func(name string) string { return map[string]string{"NOTATION_CONFIG": dir}[name] }
		o := registryOptions{plainHTTP: tt.flag}
		options, _, err := o.client(t.Context(), a, remote.Credential{})
		if err != nil || options.PlainHTTP("r.example:5000") != tt.want {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestDockerConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		goos string
		env  map[string]string
		want string
	}{
		{"linux", map[string]string{"HOME": "/h", "USERPROFILE": "/u"}, "/h/.docker/config.json"},
		{"windows", map[string]string{"HOME": "/h", "USERPROFILE": "/u"}, "/u/.docker/config.json"},
		{"linux", map[string]string{"HOME": "/h", "DOCKER_CONFIG": "/d"}, "/d/config.json"},
		{"linux", nil, ""},
	} {
		a := newApp()
		a.env.GOOS, a.env.Getenv = tt.goos, func(name string) string { return tt.env[name] }
		if got := filepath.ToSlash(a.dockerConfig()); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

// TestWrongDocumentIsAnError cannot encode its result.
func TestWrongDocumentIsAnError(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	a := newApp()
	a.env.Stdout, a.env.Stderr, a.format = &stdout, &stderr, formatJSON
	a.result = unencodable{F: func() {}}
	if code := a.finish(nil); code != exitUndecided || stdout.Len() != 0 || !strings.HasPrefix(stderr.String(), "Error: ") {
		t.Errorf("%d, %q, %q", code, stdout.String(), stderr.String())
	}
	stderr.Reset()
	if code := a.finish(notation.ErrUnsigned); code != exitUnsigned || strings.Count(stderr.String(), "Error: ") != 2 || !strings.Contains(stderr.String(), "could not be written") {
		t.Errorf("%d, %q", code, stderr.String())
	}
}

type unencodable struct{ F func() }

func (unencodable) text(*page) {}

func TestNoTerminal(t *testing.T) {
	t.Parallel()
	var none noTerminal
	if _, err := none.Password(t.Context()); err == nil || none.Reads() || none.Shows() {
		t.Error("a terminal that is none")
	}
}

func TestUnknownShell(t *testing.T) {
	t.Parallel()
	if _, err := completionScript(&cobra.Command{}, "tcsh"); err == nil {
		t.Error("no error")
	}
}

// TestTimeRange shows a time once where the authority claims to be exact.
func TestTimeRange(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, stamp := range map[string]*notation.Timestamp{
		"2030-01-02T03:04:05Z":                           {Earliest: at, Latest: at},
		"2030-01-02T03:04:04.5Z to 2030-01-02T03:04:05Z": {Earliest: at.Add(-time.Second / 2), Latest: at},
	} {
		if got := timeRange(stamp); got != want {
			t.Errorf("%s", got)
		}
	}
}

package trust_test

import (
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// scoped returns a statement of that name and scopes.
func scoped(name string, scopes ...string) trust.StatementDocument {
	return statement(func(s *trust.StatementDocument) { s.Name, s.RegistryScopes = name, scopes })
}

func TestForRepository(t *testing.T) {
	t.Parallel()
	exact := scoped("exact", "registry.example/a", "localhost:5000/net-monitor", "docker.io/library/alpine", "[::1]:5000/a")
	secure := scoped("secure", "secure.example:443/a", "plain.example:80/a")
	other := scoped("other", "registry.example/ab", "registry.example/a/b", "10.0.0.1:5000/z", "[2001:db8::1]/z")
	all := scoped("all", "*")
	withAll := mustPolicy(t, trust.OCIPolicy, all, exact, secure, other)
	withoutAll := mustPolicy(t, trust.OCIPolicy, exact, secure, other)
	for name, tt := range map[string]struct {
		scope string
		want  string      // with a statement for *
		code  reason.Code // the error, with and without a statement for *
		near  string      // in the hint if there is none
	}{
		"exact":                 {scope: "registry.example/a", want: "exact"},
		"longer":                {scope: "registry.example/ab", want: "other"},
		"below":                 {scope: "registry.example/a/b", want: "other"},
		"with port":             {scope: "localhost:5000/net-monitor", want: "exact"},
		"Docker Hub":            {scope: "docker.io/library/alpine", want: "exact"},
		"IPv6":                  {scope: "[::1]:5000/a", want: "exact"},
		"another repository":    {scope: "registry.example/b", want: "all", near: `"registry.example/a"`},
		"another registry":      {scope: "mirror.example/net-monitor", want: "all", near: `"localhost:5000/net-monitor"`},
		"prefix of a scope":     {scope: "registry.example/a/b/c", want: "all", near: `"registry.example/a/b"`},
		"another port":          {scope: "registry.example:5000/a", want: "all", near: `"registry.example/a"`},
		"port for none":         {scope: "localhost/net-monitor", want: "all"},
		"nothing near":          {scope: "elsewhere.example/some/thing", want: "all"},
		"port 443":              {scope: "registry.example:443/a", code: reason.PolicyScopeAlias},
		"port 80":               {scope: "registry.example:80/a", code: reason.PolicyScopeAlias},
		"without port 443":      {scope: "secure.example/a", code: reason.PolicyScopeAlias},
		"port 443 for 80":       {scope: "plain.example:443/a", code: reason.PolicyScopeAlias},
		"hub with port":         {scope: "docker.io:443/library/alpine", code: reason.PolicyScopeAlias},
		"hub index with port":   {scope: "index.docker.io:443/library/alpine", code: reason.PolicyScopeAlias},
		"hub API with port":     {scope: "registry-1.docker.io:443/library/alpine", code: reason.PolicyScopeAlias},
		"hub API, port 80":      {scope: "registry-1.docker.io:80/library/alpine", code: reason.PolicyScopeAlias},
		"hub with port, short":  {scope: "registry-1.docker.io:443/alpine", code: reason.PolicyScopeAlias},
		"hub, other port":       {scope: "registry-1.docker.io:444/library/alpine", want: "all", near: `"docker.io/library/alpine"`},
		"IPv4":                  {scope: "10.0.0.1:5000/z", want: "other"},
		"IPv4-mapped IPv6":      {scope: "[::ffff:10.0.0.1]:5000/z", code: reason.PolicyScope},
		"IPv6 with port":        {scope: "[2001:db8::1]:443/z", code: reason.PolicyScopeAlias},
		"upper-case host":       {scope: "REGISTRY.example/a", code: reason.PolicyScope},
		"upper-case repository": {scope: "registry.example/A", code: reason.PolicyScope},
		"trailing dot":          {scope: "registry.example./a", code: reason.PolicyScope},
		"trailing slash":        {scope: "registry.example/a/", code: reason.PolicyScope},
		"Docker Hub alias":      {scope: "index.docker.io/library/alpine", code: reason.PolicyScope},
		"Docker Hub registry":   {scope: "registry-1.docker.io/library/alpine", code: reason.PolicyScope},
		"without library":       {scope: "docker.io/alpine", code: reason.PolicyScope},
		"short name":            {scope: "alpine", code: reason.PolicyScope},
		"long IPv6":             {scope: "[0:0:0:0:0:0:0:1]:5000/a", code: reason.PolicyScope},
		"IDN":                   {scope: "régistry.example/a", code: reason.PolicyScope},
		"with tag":              {scope: "registry.example/a:v1", code: reason.PolicyScope},
		"with digest":           {scope: "registry.example/a@sha256:" + strings.Repeat("0", 64), code: reason.PolicyScope},
		"wildcard":              {scope: "*", code: reason.PolicyScope},
		"registry only":         {scope: "registry.example", code: reason.PolicyScope},
		"escape":                {scope: "registry.example/\x1b[31m", code: reason.PolicyScope},
		"endless":               {scope: "registry.example/" + strings.Repeat("a/", 1<<20), code: reason.PolicyScope},
	} {
		// attack: POL-02
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := withAll.ForRepository(tt.scope)
			if tt.code != "" {
				wantCode(t, err, tt.code)
			} else if err != nil || s.Name() != tt.want {
				t.Fatalf("with *: %v, %v, want %q", s, err, tt.want)
			}
			s, err = withoutAll.ForRepository(tt.scope)
			switch {
			case tt.code != "":
				wantCode(t, err, tt.code)
			case tt.want != "all":
				if err != nil || s.Name() != tt.want {
					t.Errorf("without *: %v, %v, want %q", s, err, tt.want)
				}
			default:
				wantCode(t, err, reason.PolicyNoStatement)
				hint := reason.Hint(err)
				if !strings.Contains(hint, `add "`+tt.scope+`" to the registryScopes of a statement of oci.json`) ||
					!strings.Contains(hint, tt.near) || tt.near == "" && strings.Contains(hint, "it names") && !strings.Contains(hint, "net-monitor") {
					t.Errorf("hint %q", hint)
				}
			}
		})
	}
}

// attack: POL-02
func TestRefusedScopes(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{
		"", "registry.example", "registry.example/", "/a", "alpine", "library/alpine", "docker.io/alpine",
		"index.docker.io/library/alpine", "registry.example/a:v1",
		"registry.example/a@sha256:" + strings.Repeat("0", 64), "registry.example/*", "*.example/a",
		"registry.example/a*", "**", "REGISTRY.example/a", "registry.example/A", "registry.example./a",
		"https://registry.example/a", "user@registry.example/a", "registry.example/a ", " registry.example/a",
		"registry.example/a/../b", "registry.example//a", "régistry.example/a", "registry.example/é",
		"::1/a", "[::1/a", "[0:0:0:0:0:0:0:1]/a", "[::1%eth0]/a", "registry.example:0/a", "registry.example:/a",
		"registry.example:00443/a", "registry.example/a\x00", "registry.example/a\n",
	} {
		_, err := document(scoped("s", scope)).Policy(trust.OCIPolicy, "")
		wantCode(t, err, reason.PolicyScope)
	}
}

func TestEmptyScope(t *testing.T) {
	t.Parallel()
	p := mustPolicy(t, trust.OCIPolicy, scoped("exact", "registry.example/a"))
	_, err := p.ForRepository("")
	wantCode(t, err, reason.PolicyNoStatement)
	if got := reason.Hint(err); !strings.Contains(got, "--scope") {
		t.Errorf("hint %q", got)
	}
	p = mustPolicy(t, trust.OCIPolicy, scoped("all", "*"))
	if s, err := p.ForRepository(""); err != nil || s.Name() != "all" {
		t.Errorf("%v, %v", s, err)
	}
}

func TestForBlob(t *testing.T) {
	t.Parallel()
	named := func(name string, global bool) trust.StatementDocument {
		return blobStatement(func(s *trust.StatementDocument) { s.Name, s.GlobalPolicy = name, global })
	}
	p := mustPolicy(t, trust.BlobPolicy, named("releases", false), named("drafts", true))
	without := mustPolicy(t, trust.BlobPolicy, named("releases", false))
	for name, want := range map[string]string{"": "drafts", "releases": "releases", "drafts": "drafts"} {
		if s, err := p.ForBlob(name); err != nil || s.Name() != want {
			t.Errorf("%q: %v, %v", name, s, err)
		}
	}
	if s, _ := p.ForBlob(""); !s.Global() || s.Scopes() != nil {
		t.Errorf("global %v, scopes %v", s.Global(), s.Scopes())
	}
	for name, hint := range map[string]string{
		"release":  `it has "releases"`,
		"Releases": `it has "releases"`,
		"relaeses": `it has "releases"`,
		"other":    "name a statement that is there, or add one to blob.json",
		"\x1b":     "name a statement",
	} {
		_, err := p.ForBlob(name)
		wantCode(t, err, reason.PolicyNoStatement)
		if got := reason.Hint(err); !strings.Contains(got, hint) {
			t.Errorf("%q: hint %q", name, got)
		}
	}
	_, err := without.ForBlob("")
	wantCode(t, err, reason.PolicyNoStatement)

	_, err = p.ForRepository("registry.example/a")
	wantCode(t, err, reason.PolicyNoStatement)
	_, err = mustPolicy(t, trust.OCIPolicy, scoped("all", "*")).ForBlob("")
	wantCode(t, err, reason.PolicyNoStatement)
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"a", "a", 1},
		{"reg/a", "reg/ab", 1},
		{"reg/abcdefgh", "reg/a", 1},
		{"abc", "abd", 1},
		{"abc", "acb", 2},
		{"abc", "xyz", 3},
		{"abcdef", "ghijkl", 3},
		{"abcdef", "xbcdefgh", 3},
		{"kitten", "mittens", 2},
	} {
		if got := trust.Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := trust.Distance(tt.b, tt.a); got != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	p := mustPolicy(t, trust.OCIPolicy,
		scoped("one", "registry.example/a"), scoped("many", "registry.example/b", "registry.example/c"), scoped("all", "*"))
	b := mustPolicy(t, trust.BlobPolicy,
		blobStatement(func(s *trust.StatementDocument) { s.Name = "one" }),
		blobStatement(func(s *trust.StatementDocument) { s.Name, s.GlobalPolicy = "all", true }))
	for name, tt := range map[string]struct {
		policy *trust.Policy
		scope  string
		want   []string // * before the one that applies
		code   reason.Code
	}{
		"exact": {p, "registry.example/a", []string{
			`*it names "registry.example/a" exactly`,
			`none of its 2 scopes is "registry.example/a"`,
			`it holds for *, but statement "one" names the repository exactly`,
		}, ""},
		"any": {p, "registry.example/x", []string{
			`it names only "registry.example/a"`,
			`none of its 2 scopes is "registry.example/x"`,
			`*it holds for *, and no statement names "registry.example/x"`,
		}, ""},
		"no scope": {p, "", []string{
			`it names repositories, and the artifact has no scope`,
			`it names repositories, and the artifact has no scope`,
			`*it holds for *, and the artifact has no scope of its own`,
		}, ""},
		"alias": {p, "registry.example:443/a", []string{
			`it names only "registry.example/a"`,
			`none of its 2 scopes is "registry.example:443/a"`,
			`it holds for *, but the scope is another spelling of one that a statement names`,
		}, reason.PolicyScopeAlias},
		"no scope at all": {p, "alpine", nil, reason.PolicyScope},
		"blob, global":    {b, "", []string{"it is not global and was not asked for by name", "*it is the global statement, and no other was asked for"}, ""},
		"blob, by name":   {b, "one", []string{"*it was asked for by name", `"one" was asked for`}, ""},
		"blob, none":      {b, "x", []string{`"x" was asked for`, `"x" was asked for`}, reason.PolicyNoStatement},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := tt.policy.Explain(tt.scope)
			if reason.Of(err) != tt.code {
				t.Errorf("error %v, want %q", err, tt.code)
			}
			if len(all) != len(tt.want) {
				t.Fatalf("%d explanations, want %d", len(all), len(tt.want))
			}
			for i, e := range all {
				got := e.Why
				if e.Applies {
					got = "*" + got
				}
				if got != tt.want[i] {
					t.Errorf("%s: %s, want %s", e.Statement.Name(), got, tt.want[i])
				}
				if !strings.HasPrefix(e.Where, tt.policy.Kind().String()+".json:") {
					t.Errorf("where %q", e.Where)
				}
			}
		})
	}
}

func TestExplainLines(t *testing.T) {
	t.Parallel()
	p, err := trust.ParsePolicy("p.json", []byte(`{"trustPolicies": [
  {"name": "a {[\"", "registryScopes": ["r.io/a"], "signatureVerification": {"level": "skip"}},

  {
    "name": "b", "registryScopes": ["r.io/b"], "signatureVerification": {"level": "skip"}
  }
], "version": "1.0"}`))
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.Explain("r.io/b")
	if err != nil {
		t.Fatal(err)
	}
	if all[0].Where != "p.json:2" || all[1].Where != "p.json:4" {
		t.Errorf("%q and %q", all[0].Where, all[1].Where)
	}
}

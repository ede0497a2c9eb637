package cli_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

// TestDoctor plants one fault after the other into a configuration.
//
// attack: FS-03
func TestDoctor(t *testing.T) {
	t.Parallel()
	root := pemOf(testpki.New(t, testpki.Options{Name: "acme"}).Root())
	leaf := pemOf(testpki.New(t, testpki.Options{Name: "acme"}).Leaf())
	write := func(path, text string) func(*user) error {
		return func(u *user) error { return os.WriteFile(u.path(path), []byte(text), 0o600) }
	}
	chmod := func(mode os.FileMode, path ...string) func(*user) error {
		return func(u *user) error { return os.Chmod(u.path(path...), mode) }
	}
	for name, tt := range map[string]struct {
		plant func(*user) error
		code  int
		want  []string
	}{
		"good":             {func(*user) error { return nil }, 0, []string{"ok configuration", "ok trust policy <nil> | oci", "ok trust stores <nil> | ca:acme", "note trust policy config.no-policy | blob", "ok clock", "note clock doctor.clock-unchecked"}},
		"directory mode":   {chmod(0o777), 0, []string{"warning configuration doctor.mode", "warning trust policy doctor.mode"}},
		"settings":         {write("config.json", `{"signatureFormat":"pgp"}`), 2, []string{"problem configuration config.settings"}},
		"settings syntax":  {write("config.json", `{`), 2, []string{"problem configuration config.settings"}},
		"plain HTTP":       {write("config.json", `{"insecureRegistries":["r.example"]}`), 0, []string{"note configuration doctor.plain-http", "r.example"}},
		"policy syntax":    {write("trustpolicy.oci.json", `{"version":"2.0","trustPolicies":[{}]}`), 2, []string{"problem trust policy policy."}},
		"policy is a link": {func(u *user) error { return os.Symlink("trustpolicy.oci.json", u.path("trustpolicy.blob.json")) }, 2, []string{"problem trust policy config.not-regular | blob"}},
		"blob policy":      {write("trustpolicy.blob.json", `{"version":"1.0","trustPolicies":[{"name":"b","signatureVerification":{"level":"strict"},"trustStores":["ca:none"],"trustedIdentities":["*"]}]}`), 2, []string{"problem trust policy store.not-found | blob", "note trust policy policy.no-global"}},
		"named store":      {write("truststore/x509/ca/acme/bad.crt", leaf), 2, []string{"problem trust policy store.anchor | oci"}},
		"other store": {func(u *user) error {
			return errors.Join(os.Mkdir(u.path("truststore/x509/ca/two"), 0o700), write("truststore/x509/ca/two/x.crt", leaf)(u))
		}, 2, []string{"problem trust stores store.anchor | ca:two"}},
		"unused store": {func(u *user) error {
			return errors.Join(os.Mkdir(u.path("truststore/x509/ca/two"), 0o700), write("truststore/x509/ca/two/x.crt", root)(u), chmod(0o666, "truststore/x509/ca/two/x.crt")(u))
		}, 0, []string{"note trust stores doctor.unused-store | ca:two", "warning trust stores doctor.expires-soon", "warning trust stores store.writable"}},
		"stray store": {write("truststore/x509/ca/stray", "x"), 0, []string{"warning trust stores store.ignored"}},
		"stamp URL":   {write("config.json", `{"timestampUrls":["ftp://tsa.example","http://u:geheim@tsa.example/x","tsa","http://%zz","http://tsa.example"],"timestampRootCerts":["truststore/x509/ca/acme/root.crt"]}`), 2, []string{"problem time stamps doctor.timestamp-url | ftp://tsa.example", "warning time stamps doctor.timestamp-url | http://tsa.example/x", "ok time stamps", "1 root of"}},
		"stamp roots": {write("config.json", `{"timestampUrls":["http://tsa.example"],"timestampRootCerts":["nowhere.crt","bad.crt"]}`), 2, []string{"problem time stamps config.read"}},
		"stamp leaf": {func(u *user) error {
			return errors.Join(write("config.json", `{"timestampRootCerts":["leaf.crt"]}`)(u), write("leaf.crt", leaf)(u))
		}, 2, []string{"problem time stamps store.anchor", "note time stamps doctor.timestamp-roots"}},
		"no stamp roots": {write("config.json", `{"timestampUrls":["http://tsa.example"]}`), 2, []string{"problem time stamps doctor.timestamp-roots"}},
		"broken stamp root": {func(u *user) error {
			return errors.Join(write("config.json", `{"timestampUrls":["http://tsa.example"]}`)(u), os.MkdirAll(u.path("truststore/x509/tsa/t"), 0o700))
		}, 2, []string{"problem time stamps store.empty"}},
		"default key": {write("signingkeys.json", `{"default":"none","keys":[{"name":"k","keyPath":"/nowhere","certPath":"/nowhere"}]}`), 2, []string{"warning keys config.key-unknown", "problem keys config.read | k"}},
		"keys writable": {func(u *user) error {
			return errors.Join(write("signingkeys.json", `{"keys":[]}`)(u), chmod(0o666, "signingkeys.json")(u))
		}, 0, []string{"warning keys doctor.mode | signingkeys.json", "note keys config.no-default-key"}},
		"settings writable": {func(u *user) error { return errors.Join(write("config.json", `{}`)(u), chmod(0o666, "config.json")(u)) }, 0, []string{"warning configuration doctor.mode | config.json", "signature format jws"}},
		"plugin":            {func(u *user) error { return os.MkdirAll(u.path("plugins", "broken"), 0o700) }, 2, []string{"problem plugins plugin.not-found | broken"}},
		"plugins no dir":    {write("plugins", "x"), 2, []string{"problem plugins plugin."}},
		"proxy": {func(u *user) error {
			u.vars["HTTPS_PROXY"], u.vars["no_proxy"], u.vars["http_proxy"] = "http://u:geheim@proxy.example:3128", "a.example", "proxy.example"
			return nil
		}, 0, []string{"note proxy doctor.proxy | $HTTPS_PROXY | requests go through http://proxy.example:3128, except for a.example"}},
		"bad proxy": {func(u *user) error { u.vars["HTTPS_PROXY"] = "http://:geheim@"; return nil }, 0, []string{"warning proxy doctor.proxy"}},
		"cache": {func(u *user) error {
			return errors.Join(os.MkdirAll(u.home+"/.cache/notation", 0o777), os.Chmod(u.home+"/.cache/notation", 0o777), os.WriteFile(u.home+"/.cache/notation/x", []byte("x"), 0o600))
		}, 0, []string{"warning cache doctor.mode", "ok cache <nil> | <nil> | 0.0 MiB in 1 file in"}},
		"cache read-only": {func(u *user) error {
			return errors.Join(os.MkdirAll(u.home+"/.cache", 0o700), os.Mkdir(u.home+"/.cache/notation", 0o500))
		}, 0, []string{"warning cache doctor.directory", "cannot be written"}},
		"cache is a file": {func(u *user) error {
			return errors.Join(os.MkdirAll(u.home+"/.cache", 0o700), os.WriteFile(u.home+"/.cache/notation", nil, 0o600))
		}, 0, []string{"warning cache doctor.directory", "is no directory"}},
		"cache under file": {func(u *user) error { return os.WriteFile(u.home+"/.cache", nil, 0o600) }, 0, []string{"warning cache doctor.directory", "cannot be looked at"}},
		"early clock":      {func(u *user) error { u.env.Now = func() time.Time { return time.Unix(0, 0) }; return nil }, 0, []string{"warning clock doctor.clock", "newest certificate"}},
		"no home":          {func(u *user) error { u.vars = nil; return nil }, 2, []string{"problem configuration config.home", "note plugins doctor.directory", "note cache doctor.directory"}},
		"no directory":     {func(u *user) error { u.vars["NOTATION_CONFIG"] = u.write("file", ""); return nil }, 2, []string{"problem configuration doctor.directory"}},
		"under a file":     {func(u *user) error { u.vars["NOTATION_CONFIG"] = u.write("file", "") + "/sub"; return nil }, 2, []string{"problem configuration doctor.directory", "cannot be looked at"}},
		"empty":            {func(u *user) error { u.vars["NOTATION_CONFIG"] = u.home + "/nowhere"; return nil }, 0, []string{"note configuration doctor.directory", "note trust stores store.not-found", "note keys config.no-default-key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.ok("cert", "add", "--name", "acme", u.write("root.crt", root))
			if err := tt.plant(u); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, u.home)
			r := u.run("doctor", "-ojson").want(tt.code)
			got := findings(r.json())
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
			text := u.run("doctor").want(tt.code, "checks, ")
			if strings.Contains(text.stdout+text.stderr+r.stdout, "geheim") {
				t.Errorf("a secret is shown:\n%s%s", text.stdout, text.stderr)
			}
			if after := snapshot(t, u.home); after != before {
				t.Errorf("doctor changed\n%s\nto\n%s", before, after)
			}
		})
	}
}

// TestDoctorRegistry looks at registries in all states.
func TestDoctorRegistry(t *testing.T) {
	t.Parallel()
	type server struct {
		handler func(reg *registry) http.Handler
		args    []string
		ref     string // after the host; "": the artifact by digest
		now     time.Duration
		code    int
		want    []string
		vars    map[string]string
	}
	// Requests to the registry, but for what is answered otherwise.
	except := func(answer func(w http.ResponseWriter, r *http.Request) bool) func(*registry) http.Handler {
		return func(reg *registry) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !answer(w, r) {
					reg.ServeHTTP(w, r)
				}
			})
		}
	}
	asIs := except(func(http.ResponseWriter, *http.Request) bool { return false })
	login := func(reg *registry) http.Handler { reg.user, reg.password = "alice", secret; return reg }
	part := func(text string, status int) func(*registry) http.Handler {
		return except(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, text) {
				w.WriteHeader(status)
				return true
			}
			return false
		})
	}
	for name, tt := range map[string]server{
		"good":          {asIs, nil, "", 0, 0, []string{"ok reference", "ok registry", "was opened", "answers GET /v2/ with 200", "note registry doctor.plain-http", "ok clock", "ok login", "ok artifact", "ok signatures <nil> | <nil> | the registry has the referrers API", "1 signature listed", `statement "starter" applies`}, nil},
		"tag":           {asIs, nil, ":v1", 0, 0, []string{"note reference", "'v1' is a tag"}, nil},
		"unsigned":      {asIs, nil, ":v2", 0, 0, []string{"no signature is listed"}, nil},
		"clock ahead":   {asIs, nil, "", 5 * time.Minute, 0, []string{"warning clock doctor.clock", "ahead of that of the registry"}, nil},
		"clock wrong":   {asIs, nil, "", -3 * time.Hour, 2, []string{"problem clock doctor.clock", "behind that of the registry"}, nil},
		"no date":       {except(func(w http.ResponseWriter, _ *http.Request) bool { w.Header()["Date"] = nil; return false }), nil, "", 0, 0, []string{"note clock doctor.clock-unchecked"}, nil},
		"login":         {login, []string{"-u", "alice", "-p", secret}, "", 0, 0, []string{"answers GET /v2/ with 401", "the login from --username and --password is used", "1 signature listed"}, nil},
		"login in env":  {login, nil, "", 0, 0, []string{"the login from $NOTATION_USERNAME and $NOTATION_PASSWORD is used"}, map[string]string{"NOTATION_USERNAME": "alice", "NOTATION_PASSWORD": secret}},
		"wrong login":   {login, []string{"-u", "alice", "-p", "wrong-" + secret}, "", 0, 3, []string{"problem artifact registry.unauthorized"}, nil},
		"no login":      {login, nil, "", 0, 3, []string{"note login doctor.anonymous", "problem artifact registry.unauthorized"}, nil},
		"half a login":  {asIs, []string{"-u", "alice"}, "", 0, 2, []string{"problem registry usage.flag"}, nil},
		"CA file":       {asIs, []string{"--ca-file", "/nowhere"}, "", 0, 2, []string{"problem registry config.read"}, nil},
		"not there":     {asIs, nil, ":none", 0, 3, []string{"problem artifact oci.not-found"}, nil},
		"no referrers":  {part("/referrers/", 404), nil, "", 0, 0, []string{"note signatures doctor.referrers", "no referrers API, and the artifact has no referrers tag"}, nil},
		"bad listing":   {part("/referrers/", 418), nil, "", 0, 3, []string{"problem signatures registry.response"}, nil},
		"no registry":   {part("", 404), nil, "", 0, 3, []string{"problem registry oci.not-found"}, nil},
		"bad reference": {asIs, nil, "/UPPER:v1", 0, 2, []string{"problem reference oci.reference"}, nil},
		"helper":        {asIs, nil, "", 0, 0, []string{"warning login registry.credentials"}, map[string]string{"DOCKER_CONFIG": "bad"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			inner := newRegistry(t)
			signer := u.newSigner("acme", testpki.Options{})
			u.ok("cert", "add", "--name", "acme", signer.root)
			digest := inner.push("v1", "app")
			inner.push("v2", "bare")
			u.ok("sign", "-k", "acme", inner.host+"/app@"+digest)
			s := httptest.NewServer(tt.handler(inner))
			t.Cleanup(s.Close)
			host := strings.TrimPrefix(s.URL, "http://")
			for k, v := range tt.vars {
				if v == "bad" {
					v = t.TempDir()
					if err := os.WriteFile(v+"/config.json", []byte("{"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				u.vars[k] = v
			}
			if tt.now != 0 {
				u.env.Now = func() time.Time { return time.Now().Add(tt.now) }
			}
			ref := host + "/app" + tt.ref
			if tt.ref == "" {
				ref = host + "/app@" + digest
			}
			before := snapshot(t, u.home)
			args := append([]string{"doctor", "-ojson", ref}, tt.args...)
			r := u.run(args...)
			got := findings(r.json())
			// A short-lived certificate in the wrong time is a problem of its own.
			if r.code != tt.code {
				t.Errorf("exit %d, want %d\n%s%s", r.code, tt.code, got, r.stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
			if strings.Contains(r.stdout+r.stderr, secret) {
				t.Error("the password is shown")
			}
			if after := snapshot(t, u.home); after != before {
				t.Errorf("doctor changed\n%s\nto\n%s", before, after)
			}
		})
	}
}

// TestDoctorUnreachable goes on after what it cannot reach, in bounded time.
func TestDoctorUnreachable(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.run("doctor", "127.0.0.1:1/app:v1").want(3, "problem", "there is no login", "not compared", "no answer from registry")
	if got := findings(u.run("doctor", "-ojson", "127.0.0.1:1/app:v1").json()); strings.Contains(got, "artifact") {
		t.Errorf("asked on:\n%s", got)
	}
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hang.Close)
	u.run("doctor", "--timeout", "50ms", strings.TrimPrefix(hang.URL, "http://")+"/app:v1").want(3, "problem  registry")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u.runWith(ctx, "", "doctor", strings.TrimPrefix(hang.URL, "http://")+"/app:v1").want(3)

	// A configuration that is wrong is worse than a registry that is not there.
	if err := errors.Join(os.MkdirAll(u.path(), 0o700), os.WriteFile(u.path("config.json"), []byte("{"), 0o600)); err != nil {
		t.Fatal(err)
	}
	u.run("doctor", "127.0.0.1:1/app:v1").want(2, "config.json", "no answer from registry")
}

// TestDoctorPolicyForReference says which statement applies.
func TestDoctorPolicyForReference(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]string{"skip": "warning trust policy policy.skips", "audit": "ok trust policy"} {
		u := newUser(t)
		u.ok("cert", "add", "-n", "acme", u.write("root.crt", pemOf(testpki.New(t, testpki.Options{}).Root())))
		trusts := `,"trustStores":["ca:acme"],"trustedIdentities":["*"]`
		if level == "skip" {
			trusts = ""
		}
		u.ok("policy", "import", "--force", u.write("p.json", fmt.Sprintf(`{"version":"1.0","trustPolicies":[{"name":"one","registryScopes":["127.0.0.1:1/app"],
			"signatureVerification":{"level":%q}%s}]}`, level, trusts)))
		got := findings(u.run("doctor", "-ojson", "127.0.0.1:1/app:v1").want(3).json())
		if !strings.Contains(got, want) || !strings.Contains(got, `statement "one" applies`) {
			t.Errorf("%s:\n%s", level, got)
		}
		got = findings(u.run("doctor", "-ojson", "127.0.0.1:1/other:v1").want(2).json())
		if !strings.Contains(got, "problem trust policy policy.no-statement") {
			t.Errorf("%s:\n%s", level, got)
		}
	}
}

// TestDoctorTLS names the version, or what is wrong with the certificate.
func TestDoctorTLS(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	s := httptest.NewTLSServer(reg)
	t.Cleanup(s.Close)
	ref := strings.TrimPrefix(s.URL, "https://") + "/app@" + reg.push("v1", "app")
	u.ok("doctor", "--ca-file", u.write("ca.crt", pemOf(s.Certificate())), ref).want(0, "TLS 1.3; the registry's certificate is valid until")
	u.ok("doctor", "--insecure-skip-tls-verify", ref).want(0, "TLS 1.3", "Warning: The registry's certificate is not verified")
	other := u.write("other.crt", pemOf(testpki.New(t, testpki.Options{}).Root()))
	u.run("doctor", "--ca-file", other, ref).want(3, "no trusted TLS connection", "--ca-file")
	u.run("doctor", "--insecure-registry", ref).want(3, "problem")
}

// TestDoctorMany bounds what it tells.
func TestDoctorMany(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var keys, scopes []string
	for i := range 201 {
		keys = append(keys, fmt.Sprintf(`{"name":"k%d","keyPath":"/nowhere","certPath":"/nowhere"}`, i))
	}
	for i := range 60 {
		scopes = append(scopes, fmt.Sprintf(`{"name":"s%d","registryScopes":["r.example/%d"],"signatureVerification":{"level":"audit"},"trustStores":["ca:acme"],"trustedIdentities":["*"]}`, i, i))
	}
	u.ok("cert", "add", "-n", "acme", u.write("root.crt", pemOf(testpki.New(t, testpki.Options{}).Root())))
	if err := errors.Join(os.WriteFile(u.path("signingkeys.json"), []byte(`{"keys":[`+strings.Join(keys, ",")+`]}`), 0o600),
		os.WriteFile(u.path("trustpolicy.oci.json"), []byte(`{"version":"1.0","trustPolicies":[`+strings.Join(scopes, ",")+`]}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	got := findings(u.run("doctor", "-ojson").want(2).json())
	if !strings.Contains(got, "note keys doctor.many") || !strings.Contains(got, "note trust policy doctor.many") || strings.Count(got, "\n") > 600 {
		t.Errorf("%s", got)
	}
}

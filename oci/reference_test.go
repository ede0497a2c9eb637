package oci

import (
	"strings"
	"testing"
	"unicode"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

const (
	hexA    = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	digestA = "sha256:" + hexA
)

func TestParseReference(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxRepositoryLength)
	sha512 := "sha512:" + strings.Repeat("0", 128)
	sha384 := "sha384:" + strings.Repeat("f", 96)
	tests := []struct{ in, registry, repository, tag, digest string }{
		{"localhost:5000/net-monitor:v1", "localhost:5000", "net-monitor", "v1", ""},
		{"localhost/app", "localhost", "app", "", ""},
		{"LocalHost/app", "localhost", "app", "", ""},
		{"registry.example.com/a/b/c@" + digestA, "registry.example.com", "a/b/c", "", digestA},
		{"registry.example.com/a:v1@" + digestA, "registry.example.com", "a", "v1", digestA},
		{"registry.example.com/a@" + sha512, "registry.example.com", "a", "", sha512},
		{"registry.example.com/a@" + sha384, "registry.example.com", "a", "", sha384},
		{"127.0.0.1:5000/a", "127.0.0.1:5000", "a", "", ""},
		{"host:1/a", "host:1", "a", "", ""},
		{"r.io/" + long, "r.io", long, "", ""},
		{"r.io/a:" + strings.Repeat("T", maxTagLength), "r.io", "a", strings.Repeat("T", maxTagLength), ""},
		{"r.io/a:_", "r.io", "a", "_", ""},
		{"r.io/a.b_c__d---e/f", "r.io", "a.b_c__d---e/f", "", ""},
		{"xn--bcher-kva.example/a", "xn--bcher-kva.example", "a", "", ""},
		{"1.example/a", "1.example", "a", "", ""},

		// attack: POL-02
		// One repository, one spelling: Docker Hub's aliases and library/.
		{"alpine", "docker.io", "library/alpine", "", ""},
		{"alpine:3.20", "docker.io", "library/alpine", "3.20", ""},
		{"alpine@" + digestA, "docker.io", "library/alpine", "", digestA},
		{"user/app:1", "docker.io", "user/app", "1", ""},
		{"a/b/c", "docker.io", "a/b/c", "", ""},
		{"docker.io/alpine", "docker.io", "library/alpine", "", ""},
		{"Docker.IO/alpine", "docker.io", "library/alpine", "", ""},
		{"docker.io/library/alpine", "docker.io", "library/alpine", "", ""},
		{"index.docker.io/alpine", "docker.io", "library/alpine", "", ""},
		{"registry-1.docker.io/user/app", "docker.io", "user/app", "", ""},
		// A port is part of the name, even the usual one.
		{"docker.io:443/alpine", "docker.io:443", "alpine", "", ""},
		{"r.io:443/a", "r.io:443", "a", "", ""},
		{"r.io:80/a", "r.io:80", "a", "", ""},
		// An upper-case host is lowered.
		{"Registry.Example.COM/a:V1", "registry.example.com", "a", "V1", ""},
		// An IPv6 address has its canonical form.
		{"[::1]:5000/a:v1", "[::1]:5000", "a", "v1", ""},
		{"[0:0:0:0:0:0:0:1]/a", "[::1]", "a", "", ""},
		{"[::ffff:10.0.0.1]:5000/a", "10.0.0.1:5000", "a", "", ""},
		{"[::FFFF:0a00:0001]/a", "10.0.0.1", "a", "", ""},
		{"[2001:DB8::A]:443/a", "[2001:db8::a]:443", "a", "", ""},
	}
	for _, tt := range tests {
		r, err := ParseReference(tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		want := Reference{tt.registry, tt.repository, tt.tag, digest.Digest(tt.digest)}
		if r != want {
			t.Errorf("%q: got %+v, want %+v", tt.in, r, want)
		}
		if r.Registry() != tt.registry || r.Repository() != tt.repository || r.Tag() != tt.tag || r.Digest() != digest.Digest(tt.digest) {
			t.Errorf("%q: accessors disagree with %+v", tt.in, want)
		}
		if again, err := ParseReference(r.String()); err != nil || again != r {
			t.Errorf("%q: %q does not read back: %v", tt.in, r, err)
		}
		if by := r.WithDigest(digestA); by.String() != r.Name()+"@"+digestA {
			t.Errorf("%q: by digest it is %q", tt.in, by)
		}
		if complete := tt.tag != "" || tt.digest != ""; complete != (r.CheckComplete() == nil) {
			t.Errorf("%q: CheckComplete says %v", tt.in, r.CheckComplete())
		}
	}
}

func TestParseReferenceRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, hint string }{
		{"empty", "", "registry/repository"},
		{"too long", "r.io/" + strings.Repeat("a", MaxReferenceLength), ""},
		{"https", "https://r.io/a:v1", "drop https:// and write r.io/a:v1"},
		{"http with escape", "http://r.io/\x1b[31m", `\x1b`},
		{"oci scheme", "oci://a", "drop oci://"},
		{"user and password", "user:secret@r.io/a", "login"},
		{"two at signs", "r.io/a@" + digestA + "@" + digestA, "login"},
		{"space", "r.io/a b", "remove it"},
		{"leading space", " r.io/a", "remove it"},
		{"newline", "r.io/a\n", "remove it"},
		{"NUL", "r.io/a\x00", "remove it"},
		{"DEL", "r.io/a\x7f", "remove it"},
		{"no repository", "r.io/", "registry/repository"},
		{"only a host", "registry.example.com", "HOST/REPOSITORY"},
		{"only a host with port", "localhost:5000", "HOST/REPOSITORY"},
		{"only an IPv6 host", "[::1]", "HOST/REPOSITORY"},
		{"only an IPv6 host with port", "[::1]:5000", "HOST/REPOSITORY"},
		{"upper-case repository", "r.io/App", "r.io/app"[5:]},
		{"upper-case user", "User/app", "lower case"},
		{"repository ends in separator", "r.io/a-", "lower-case letters"},
		{"repository starts with separator", "r.io/_a", "lower-case letters"},
		{"three underscores", "r.io/a___b", "lower-case letters"},
		{"two dots", "r.io/a..b", "lower-case letters"},
		{"dot dot", "r.io/../b", "lower-case letters"},
		{"empty part", "r.io/a//b", "lower-case letters"},
		{"leading slash", "/a", "lower-case letters"},
		{"wildcard", "r.io/*", "lower-case letters"},
		{"repository too long", "r.io/" + strings.Repeat("a", maxRepositoryLength+1), ""},
		{"empty tag", "r.io/a:", "a tag has"},
		{"tag too long", "r.io/a:" + strings.Repeat("a", maxTagLength+1), "a tag has"},
		{"tag with dot first", "r.io/a:.v", "a tag has"},
		{"tag with hyphen first", "r.io/a:-v", "a tag has"},
		{"tag with plus", "r.io/a:1+2", "a tag has"},
		{"two tags", "r.io/a:b:c", "lower-case letters"},
		{"empty digest", "r.io/a@", "ALGORITHM:HEX"},
		{"digest without algorithm", "r.io/a@" + hexA, "ALGORITHM:HEX"},
		{"short digest", "r.io/a@sha256:" + hexA[1:], "whole digest"},
		{"upper-case digest", "r.io/a@sha256:" + strings.ToUpper(hexA), "whole digest"},
		{"unknown algorithm", "r.io/a@md5:d41d8cd98f00b204e9800998ecf8427e", "sha256"},
		{"upper-case algorithm", "r.io/a@SHA256:" + hexA, "sha256"},
		{"digest with path", "r.io/a@sha256:../../x", "login"},
		{"host with underscore", "my_host:5000/a", `"my_host" is none`},
		{"host label with hyphen", "-a.io/a", "host name"},
		{"host label ends in hyphen", "a-.io/a", "host name"},
		{"empty host label", "a..io/a", "host name"},
		{"empty host", ":5000/a", "host name"},
		{"host too long", strings.Repeat("a.", 127) + "io/a", ""},
		{"label too long", strings.Repeat("a", 64) + ".io/a", "host name"},
		{"no port", "r.io:/a", "a port is"},
		{"port 0", "r.io:0/a", "a port is"},
		{"port too large", "r.io:65536/a", "a port is"},
		{"port with plus", "r.io:+80/a", "a port is"},
		{"port that is a name", "r.io:http/a", "a port is"},
		{"IPv6 without brackets", "::1/a", "in brackets"},
		{"IPv6 with zone", "[fe80::1%eth0]/a", "[::1]"},
		{"IPv4 in brackets", "[127.0.0.1]/a", "[::1]"},
		{"bracket open", "[::1/a", "[::1]"},
		{"junk after bracket", "[::1]x/a", "[::1]"},

		// attack: POL-02
		{"trailing dot in host", "r.io./a", "drop the dot"},
		{"trailing dot before port", "r.io.:443/a", "drop the dot"},
		{"leading zero in port", "r.io:0443/a", "leading zero"},
		{"IDN", "b\u00fccher.example/a", "punycode"},
		{"homoglyph in repository", "r.io/\u0430pp", "punycode"},
		{"bidi override", "r.io/a\u202eb", "punycode"},
		{"short IPv4", "127.1/a", "four numbers"},
		{"octal IPv4", "127.0.0.01/a", "four numbers"},
		{"number as host", "2130706433:80/a", "four numbers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := ParseReference(tt.in)
			if reason.Of(err) != reason.OCIReference {
				t.Fatalf("got %+v and error %v", r, err)
			}
			if r != (Reference{}) {
				t.Errorf("got %+v together with an error", r)
			}
			if hint := reason.Hint(err); !strings.Contains(hint, tt.hint) {
				t.Errorf("hint %q does not hold %q", hint, tt.hint)
			}
			checkPrintable(t, err)
			if strings.Contains(err.Error()+reason.Hint(err), "secret") {
				t.Errorf("a password is repeated: %v", err)
			}
		})
	}
}

// checkPrintable checks that an error may be shown on a terminal and follows
// the form of this project's messages.
func checkPrintable(t *testing.T, err error) {
	t.Helper()
	msg := err.Error()
	for _, c := range msg + reason.Hint(err) {
		if !unicode.IsPrint(c) { // neither control characters nor bidirectional ones
			t.Errorf("message holds %+q: %q", c, msg)
			return
		}
	}
	if len(msg) > 1500 || strings.HasSuffix(msg, ".") && !strings.HasSuffix(msg, "...") {
		t.Errorf("message is too long or ends in a full stop: %q", msg)
	}
}

func TestCheckComplete(t *testing.T) {
	t.Parallel()
	err := Reference{registry: "r.io", repository: "a"}.CheckComplete()
	if reason.Of(err) != reason.OCIReferenceIncomplete || !strings.Contains(reason.Hint(err), "@digest") {
		t.Errorf("got %v, hint %q", err, reason.Hint(err))
	}
}

func TestParseRepository(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"docker.io/library/alpine", "docker.io/user/app", "localhost:5000/net-monitor", "localhost/a",
		"registry.example.com/a/b", "r.io:443/a", "[::1]:5000/a", "docker.io:443/alpine",
	} {
		r, err := ParseRepository(s)
		if err != nil || r.Name() != s || r.String() != s {
			t.Errorf("%q: got %q, %v", s, r, err)
		}
	}
	// attack: POL-02
	for _, tt := range []struct{ name, in, hint string }{
		{"short name", "alpine", "write docker.io/library/alpine"},
		{"short name with user", "user/app", "write docker.io/user/app"},
		{"library left out", "docker.io/alpine", "write docker.io/library/alpine"},
		{"alias", "index.docker.io/library/alpine", "write docker.io/library/alpine"},
		{"other alias", "registry-1.docker.io/alpine", "write docker.io/library/alpine"},
		{"upper-case host", "R.io/a", "write r.io/a"},
		{"long IPv6", "[0:0::1]/a", "write [::1]/a"},
		{"tag", "r.io/a:v1", "write r.io/a"},
		{"digest", "r.io/a@" + digestA, "write r.io/a"},
		{"both", "r.io/a:v1@" + digestA, "write r.io/a"},
		{"any", "*", "in full"},
		{"wildcard in part", "r.io/a*", "in full"},
		{"wildcard host", "*.r.io/a", "in full"},
		{"question mark", "r.io/?", "in full"},
		{"host alone", "r.io", "HOST/REPOSITORY"},
		{"prefix", "r.io/a/", "lower-case letters"},
		{"trailing dot", "r.io./a", "drop the dot"},
		{"IDN", "r\u00e9g.io/a", "punycode"},
		{"scheme", "https://r.io/a", "drop https://"},
		{"space", "r.io/a ", "remove it"},
		{"empty", "", "registry/repository"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := ParseRepository(tt.in)
			if reason.Of(err) != reason.OCIRepositoryName || !strings.Contains(reason.Hint(err), tt.hint) {
				t.Fatalf("got %+v, %v, hint %q", r, err, reason.Hint(err))
			}
			checkPrintable(t, err)
		})
	}
	// attack: POL-02
	a, _ := ParseRepository("reg.io/a")
	ab, _ := ParseRepository("reg.io/ab")
	if a == ab || a.Name() == ab.Name() {
		t.Error("reg.io/a and reg.io/ab are the same scope")
	}
}

func TestParseLayoutReference(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, path, tag, digest string }{
		{"dir:v1", "dir", "v1", ""},
		{"./a/b.tar:v1", "./a/b.tar", "v1", ""},
		{"dir@" + digestA, "dir", "", digestA},
		{"/abs/x.tar@" + digestA, "/abs/x.tar", "", digestA},
		{`C:\dir:v1`, `C:\dir`, "v1", ""},
		{`C:/dir/x.tar@` + digestA, `C:/dir/x.tar`, "", digestA},
		{"a:b:v1", "a:b", "v1", ""},
		{"me@host/dir:v1", "me@host/dir", "v1", ""},
		{"me@host:v1", "me@host", "v1", ""},
		{"me@shabby:v1", "me@shabby", "v1", ""},
		{"a@b@" + digestA, "a@b", "", digestA},
		{"a@sha256:x/dir:v1", "a@sha256:x/dir", "v1", ""},
		{"a:v1@" + digestA, "a:v1", "", digestA},
		{"dir with space:v1", "dir with space", "v1", ""},
		{"b\u00fccher:v1", "b\u00fccher", "v1", ""},
		{"d:v1", "d", "v1", ""},
		{"dir@x/y:v1", "dir@x/y", "v1", ""},
	} {
		path, ref, err := parseLayoutReference(tt.in, false)
		if err != nil || path != tt.path || ref.Tag() != tt.tag || string(ref.Digest()) != tt.digest || ref.Name() != "" {
			t.Errorf("%q: got %q, %+v, %v", tt.in, path, ref, err)
		}
		if path+ref.String() != tt.in {
			t.Errorf("%q: parts do not add up: %q and %q", tt.in, path, ref)
		}
	}
	for _, tt := range []struct {
		name, in, hint string
		code           reason.Code
	}{
		{"empty", "", "PATH:tag", reason.OCIReference},
		{"too long", strings.Repeat("a", maxPathLength) + ":v1", "", reason.OCIReference},
		{"NUL", "a\x00:v1", "", reason.OCIReference},
		{"nothing after path", "dir", "dir:tag", reason.OCIReferenceIncomplete},
		{"Windows path alone", `C:\dir`, "tag", reason.OCIReferenceIncomplete},
		{"no path before tag", ":v1", "PATH:tag", reason.OCIReference},
		{"no path before digest", "@" + digestA, "PATH:tag", reason.OCIReference},
		{"empty tag", "dir:", "a tag has", reason.OCIReference},
		{"bad tag", "dir:a b", "a tag has", reason.OCIReference},
		{"cut digest", "dir@sha256:abc", "whole digest", reason.OCIReference},
		{"upper-case digest", "dir@SHA256:" + hexA, "lower case", reason.OCIReference},
		{"other algorithm", "dir@sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", "sha256", reason.OCIReference},
		{"misspelt algorithm", "dir@sah256:" + hexA, "sha256", reason.OCIReference},
		{"misspelt with hyphen", "dir@sha-256:abc", "sha256", reason.OCIReference},
		{"drive on Windows", "d:v1", `.\d:v1`, reason.OCIReference},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, ref, err := parseLayoutReference(tt.in, true)
			if reason.Of(err) != tt.code || !strings.Contains(reason.Hint(err), tt.hint) {
				t.Fatalf("got %+v, %v, hint %q", ref, err, reason.Hint(err))
			}
			checkPrintable(t, err)
		})
	}
	if path, _, err := ParseLayoutReference("dir:v1"); path != "dir" || err != nil {
		t.Errorf("got %q, %v", path, err)
	}
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{
		"alpine", "localhost:5000/a:v1", "r.io/a/b@" + digestA, "[::1]:5000/a", "https://x", "User@r.io/a", "R.IO:443/x:y@" + digestA,
		"docker.io/alpine", "127.1/a", "r.io./a", "*",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReference(s)
		if err != nil {
			if reason.Of(err) == "" {
				t.Fatalf("error without code: %v", err)
			}
			checkPrintable(t, err)
		} else {
			again, err := ParseReference(r.String())
			if err != nil || again != r {
				t.Fatalf("%q became %q, which reads as %+v, %v", s, r, again, err)
			}
			// What any spelling leads to is a scope that a policy can hold.
			if _, err := ParseRepository(r.Name()); err != nil {
				t.Fatalf("%q gives a name that is no scope: %v", s, err)
			}
		}
		if r, err := ParseRepository(s); err == nil && (r.Name() != s || r.Tag() != "" || r.Digest() != "") {
			t.Fatalf("scope %q was read as %+v", s, r)
		}
	})
}

func FuzzLayoutReference(f *testing.F) {
	for _, s := range []string{"dir:v1", "dir@" + digestA, `C:\dir:v1`, "a@b:c", "x:y@sha256:z", "d:v1", "dir"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, windows bool) {
		path, ref, err := parseLayoutReference(s, windows)
		if err != nil {
			checkPrintable(t, err)
			return
		}
		if path == "" || path+ref.String() != s || (ref.Tag() == "") == (ref.Digest() == "") {
			t.Fatalf("%q gives %q and %+v", s, path, ref)
		}
	})
}

func BenchmarkParseReference(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseReference("registry.example.com:5000/net/monitor:v1@" + digestA); err != nil {
			b.Fatal(err)
		}
	}
}

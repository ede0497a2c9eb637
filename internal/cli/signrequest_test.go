package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	keys "github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
)

// offline makes a request for image and signs it, on two machines.
func (u *user) offline(keeper *user, image string, flags ...string) (request, signature string) {
	u.t.Helper()
	dir := u.t.TempDir()
	request, signature = filepath.Join(dir, "request"), filepath.Join(dir, "signature")
	u.ok("sign", "--prepare", image, "-o", request)
	keeper.ok(append([]string{"sign", "--request", request, "-o", signature}, flags...)...)
	return request, signature
}

func TestSignElsewhere(t *testing.T) {
	t.Parallel()
	here, there := newUser(t), newUser(t)
	reg := newRegistry(t)
	acme := there.newSigner("acme", testpki.Options{})
	image, digest := reg.host+"/app:v1", reg.push("v1", "image")
	dir := t.TempDir()
	request, signature := filepath.Join(dir, "app.request"), filepath.Join(dir, "app.sig")

	r := here.ok("sign", "--prepare", "-m", "build=1", "--expiry", "30d", image, "-o", request)
	r.want(0, "Request to sign, in "+request, `"`+image+`"`, `"`+reg.host+"/app@"+digest+`"`, `"application/vnd.oci.image.manifest.v1+json"`, `metadata      "build"="1"`, "expires       720h after it is signed", "Tag 'v1' may be moved")
	if len(reg.referrers) != 0 {
		t.Error("something was stored")
	}
	asked := reg.requests.Load()
	r = there.ok("sign", "-k", "acme", "--request", request, "-m", "by=acme", "--signature-format", "cose", "-o", signature)
	r.want(0, "Signed what is asked for in "+request, `"`+image+`"`, "Signature, in "+signature, "application/cose", "O=acme", `"by"="acme"`, "expires at")
	if reg.requests.Load() != asked || strings.Contains(r.stdout, "Successfully signed") {
		t.Errorf("%d requests; %s", reg.requests.Load()-asked, r.stdout)
	}
	for _, file := range []string{request, signature} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v %v", file, info.Mode(), err)
		}
	}
	r = here.ok("attach-signature", image, signature)
	r.want(0, "Attached to "+reg.host+"/app@"+digest+": signature sha256:", "file         "+signature, "fingerprint", `"build"="1"`)
	here.ok("attach-signature", image, signature, signature).want(0, "Already attached to "+reg.host+"/app@"+digest)
	if len(reg.referrers[digest]) != 1 {
		t.Errorf("%d signatures", len(reg.referrers[digest]))
	}
	here.ok("verify", "--ca-cert", acme.root, "-m", "build=1", "-m", "by=acme", image)

	// In JSON, all of it.
	doc := here.ok("sign", "--prepare", image, "-o", "json", "-o", filepath.Join(dir, "two")).json()
	if at(doc, "request", "artifact", "digest") != digest || at(doc, "request", "requested") != image || at(doc, "signature") != nil {
		t.Errorf("%v", doc)
	}
	doc = there.ok("sign", "-o", "json", "-k", "acme", "--request", filepath.Join(dir, "two"), "-o", filepath.Join(dir, "two.sig")).json()
	if at(doc, "signature", "signer", "subject") == nil || at(doc, "signature", "envelope", "mediaType") != "application/jose+json" {
		t.Errorf("%v", doc)
	}
	doc = here.ok("attach-signature", "-o", "json", image, filepath.Join(dir, "two.sig"), signature).json()
	if at(doc, "attached", 0, "signature", "digest") == nil || at(doc, "attached", 0, "skipped") != nil || at(doc, "attached", 1, "skipped") != true {
		t.Errorf("%v", doc)
	}
}

// Whatever is in a request, it is quoted when it is shown.
func TestRequestIsShownQuoted(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	digest := reg.push("v1", "image")
	request, _ := u.offline(u, reg.host+"/app:v1", "-k", "acme")
	bent := strings.ReplaceAll(u.read(request), `"`+reg.host+`/app:v1"`, `"x\u001b[2J\u202e\" signed"`)
	r := u.ok("sign", "-k", "acme", "--request", u.write("bent", bent), "-o", filepath.Join(t.TempDir(), "sig"))
	r.want(0, digest)
	if strings.ContainsAny(r.stdout, "\x1b\u202e") || !strings.Contains(r.stdout, `"x\x1b[2J\u202e\" signed"`) {
		t.Errorf("%q", r.stdout)
	}
	// An index shows its images, and no more than a screenful of them.
	var many []string
	for i := range 25 {
		many = append(many, reg.push(fmt.Sprintf("i%d", i), fmt.Sprint(i)))
	}
	index := reg.index(many...)
	u.ok("sign", "--prepare", reg.host+"/app@"+index, "-o", filepath.Join(t.TempDir(), "index")).want(0, "manifest", many[0], "5 more manifests")
	layer := `{"mediaType":"a/b","digest":"` + digestOf(nil) + `","size":0}`
	long := reg.put("application/vnd.oci.image.manifest.v1+json", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"x/y",`+
		`"config":`+layer+`,"subject":`+layer+`,"layers":[`+strings.Repeat(layer+",", 21)+layer+`]}`)
	u.ok("sign", "--prepare", reg.host+"/app@"+long, "-o", filepath.Join(t.TempDir(), "long")).want(0, `artifact type  "x/y"`, "attached to", "config", "2 more layers")
}

func TestSignElsewhereRefuses(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	image, digest := reg.host+"/app:v1", reg.push("v1", "image")
	other := reg.host + "/app@" + reg.push("v2", "other")
	request, signature := u.offline(u, image, "-k", "acme")
	metadata := filepath.Join(t.TempDir(), "metadata")
	u.ok("sign", "--prepare", image, "-m", "a=b", "-e", "1h", "-o", metadata)
	dir := t.TempDir()
	free := filepath.Join(dir, "free")
	if err := os.Symlink(request, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	before := u.read(request)
	for _, tt := range []struct {
		code int
		text string
		args []string
	}{
		{2, "--prepare and --request are two steps", []string{"sign", "--prepare", "--request", request, "-o", free}},
		{2, "--key is for the machine that signs", []string{"sign", "--prepare", "-k", "acme", image, "-o", free}},
		{2, "--timestamp-url is for the machine that signs", []string{"sign", "--prepare", "--timestamp-url", "http://x.example", image, "-o", free}},
		{2, "--recursive and --prepare cannot be mixed", []string{"sign", "--prepare", "--recursive", image, "-o", free}},
		{2, "--from-file and --prepare cannot be mixed", []string{"sign", "--prepare", "--from-file", request, "-o", free}},
		{2, "A request is about one artifact", []string{"sign", "--prepare", image, other, "-o", free}},
		{2, "A request is about one artifact", []string{"sign", "--prepare", "-o", free}},
		{2, "--output is missing", []string{"sign", "--prepare", image}},
		{2, "--output is missing", []string{"sign", "--prepare", image, "-o", "json"}},
		{2, "cannot be '-'", []string{"sign", "--prepare", image, "-o", "-"}},
		{2, "There is no directory", []string{"sign", "--prepare", image, "-o", filepath.Join(dir, "none", "x")}},
		{2, "is there already", []string{"sign", "--prepare", image, "-o", request}},
		{2, "is a symbolic link", []string{"sign", "--prepare", image, "--force", "-o", filepath.Join(dir, "link")}},
		{2, "is a directory", []string{"sign", "--prepare", image, "--force", "-o", dir}},
		{2, "KEY=VALUE", []string{"sign", "--prepare", image, "-m", "x", "-o", free}},
		{2, "reserved", []string{"sign", "--prepare", image, "-m", "io.cncf.notary.x=y", "-o", free}},
		{3, "app:none", []string{"sign", "--prepare", reg.host + "/app:none", "-o", free}},
		{2, "", []string{"sign", "--prepare", "no reference", "-o", free}},
		{2, "", []string{"sign", "--prepare", "--oci-layout", filepath.Join(dir, "no-layout") + ":v1", "-o", free}},

		{2, "--oci-layout and --request cannot be mixed", []string{"sign", "--oci-layout", "--request", request, "-k", "acme", "-o", free}},
		{2, "--username and --request cannot be mixed", []string{"sign", "-u", "x", "-p", "y", "--request", request, "-k", "acme", "-o", free}},
		{2, "--skip-if-signed and --request cannot be mixed", []string{"sign", "--skip-if-signed", "--request", request, "-k", "acme", "-o", free}},
		{2, "--request says what to sign", []string{"sign", "--request", request, "-k", "acme", image, "-o", free}},
		{2, "--output is missing", []string{"sign", "--request", request, "-k", "acme"}},
		{2, "would replace the request", []string{"sign", "--request", request, "-k", "acme", "-o", request, "--force"}},
		{2, "is there already", []string{"sign", "--request", request, "-k", "acme", "-o", signature}},
		{2, "", []string{"sign", "--request", filepath.Join(dir, "none"), "-k", "acme", "-o", free}},
		{2, "This is no signing request", []string{"sign", "--request", signature, "-k", "acme", "-o", free}},
		{2, "is not the artifact", []string{"sign", "--request", u.write("bent", strings.Replace(before, digest, digestOf(nil), 2)), "-k", "acme", "-o", free}},
		{2, "two values for the metadata key", []string{"sign", "--request", metadata, "-k", "acme", "-m", "a=c", "-o", free}},
		{2, "asks for an expiry of", []string{"sign", "--request", metadata, "-k", "acme", "-e", "2h", "-o", free}},
		{2, "", []string{"sign", "--request", request, "-k", "none", "-o", free}},
		{2, "two ways to vouch", []string{"sign", "--request", request, "-k", "acme", "--signing-authority", "--timestamp-url", "http://x.example", "-o", free}},
		{3, "nothing was signed", []string{"sign", "--request", request, "-k", "acme", "--timestamp-url", "http://127.0.0.1:1", "--timestamp-root-cert", acme.root, "-o", free}},

		{2, "--output names a file", []string{"sign", "-k", "acme", image, "-o", free}},
		{2, "--force needs", []string{"sign", "-k", "acme", image, "--force"}},

		{2, "needs REF and SIGNATURE", []string{"attach-signature", image}},
		{2, "no reference", []string{"attach-signature", "no reference", signature}},
		{2, "", []string{"attach-signature", image, filepath.Join(dir, "none")}},
		{2, "neither a JWS nor a COSE", []string{"attach-signature", image, acme.root}},
		{2, "malformed", []string{"attach-signature", image, request}},
		{2, "cannot be attached", []string{"attach-signature", other, signature}},
		{3, "app:none", []string{"attach-signature", reg.host + "/app:none", signature}},
		{3, "nothing was attached", []string{"attach-signature", "--timestamp-url", "http://127.0.0.1:1", "--timestamp-root-cert", acme.root, image, signature}},
		{2, "no http or https", []string{"attach-signature", "--timestamp-url", "x", image, signature}},
		{2, "", []string{"attach-signature", "--oci-layout", filepath.Join(dir, "no-layout") + ":v1", signature}},
	} {
		if r := u.run(tt.args...).want(tt.code, tt.text); strings.Contains(r.stdout, "Attached") || strings.Contains(r.stdout, "Signed") {
			t.Errorf("%v: %s", tt.args, r.stdout)
		}
	}
	if _, err := os.Stat(free); err == nil || u.read(request) != before || len(reg.referrers) != 0 {
		t.Error("something was written")
	}
	// --force replaces, and the result is whole.
	u.ok("sign", "--prepare", image, "--force", "-o", request)
	u.ok("sign", "--request", request, "-k", "acme", "--force", "-o", signature)
	u.ok("attach-signature", image, signature)
}

// typedSignature returns a file with a signature for what a tag names, as an
// artifact of some type.
func (u *user) typedSignature(r *registry, tag, artifactType string) string {
	u.t.Helper()
	c := testpki.New(u.t, testpki.Options{})
	key, err := keys.New(c.Key, c.Certs)
	if err != nil {
		u.t.Fatal(err)
	}
	m := r.manifests[tag]
	made, err := key.Sign(u.t.Context(), envelope.Request{
		MediaType: envelope.MediaTypeJWS, SigningTime: c.Certs[0].NotBefore.Add(time.Hour),
		Target: envelope.Descriptor{MediaType: m.mediaType, Digest: digest.FromBytes(m.content), Size: int64(len(m.content)), ArtifactType: artifactType},
	})
	if err != nil {
		u.t.Fatal(err)
	}
	return u.write("typed", string(made.Envelope))
}

// If one file is no good, none is stored.
func TestAttachSignatureAllOrNone(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	image := reg.host + "/app:v1"
	reg.push("v1", "image")
	reg.push("v2", "other")
	_, first := u.offline(u, image, "-k", "acme")
	_, second := u.offline(u, reg.host+"/app:v2", "-k", "acme")
	typed := u.typedSignature(reg, "v1", "x/y") // only the manifest says that the artifact is of another type
	for _, bad := range []string{second, typed, u.write("damaged", strings.Replace(u.read(first), `"signature":"`, `"signature":"AAAA`, 1))} {
		doc := u.run("attach-signature", "-o", "json", image, first, bad).want(2).json()
		if at(doc, "attached", 0, "signature") != nil || at(doc, "attached", 0, "error") != nil || at(doc, "attached", 1, "error") == nil || len(reg.referrers) != 0 {
			t.Errorf("%v", doc)
		}
	}
	_, expired := u.offline(u, image, "-k", "acme", "-e", "1s")
	u.env.Now = func() time.Time { return time.Now().Add(time.Hour) }
	u.ok("attach-signature", image, first, expired).want(0, "verifiers may not accept it", "expired at")
}

func TestAttachSignatureTimestamp(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	tsa := u.newAuthority(testpki.Options{KeySet: 1})
	reg := newRegistry(t)
	image, digest := reg.host+"/app:v1", reg.push("v1", "image")
	_, signature := u.offline(u, image, "-k", "acme")
	_, vouched := u.offline(u, image, "-k", "acme", "--signing-authority")
	stamp := []string{"--timestamp-url", tsa.url, "--timestamp-root-cert", tsa.root}
	u.ok(append([]string{"attach-signature", image, signature}, stamp...)...).want(0, "Attached to", "time stamp")
	u.ok(append([]string{"attach-signature", image, signature}, stamp...)...).want(0, "Already attached to", "time stamp")
	u.run(append([]string{"attach-signature", image, vouched}, stamp...)...).want(2, "no verifier looks at a time stamp of it")
	if len(reg.referrers[digest]) != 1 {
		t.Errorf("%d signatures", len(reg.referrers[digest]))
	}
	// What config.json asks for is for signatures that can make use of it.
	config := fmt.Sprintf(`{"timestampUrls":[%q],"timestampRootCerts":[%q]}`, tsa.url, tsa.root)
	if err := os.WriteFile(u.path("config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	u.ok("attach-signature", image, vouched).want(0, "Attached to")
	_, signature = u.offline(u, image, "-k", "acme", "--timestamp-url", "")
	u.ok("attach-signature", image, signature).want(0, "time stamp")
	u.ok("verify", "--ca-cert", acme.root, "--tsa-cert", tsa.root, image)
}

// TestSignRequestIsShownFirst shows what is to be signed before the key is
// opened, to who might be about to type its passphrase.
func TestSignRequestIsShownFirst(t *testing.T) {
	t.Parallel()
	here, there := newUser(t), newUser(t)
	path, digest := here.layout("image")
	request := filepath.Join(t.TempDir(), "request")
	here.ok("sign", "--prepare", "--oci-layout", "-m", "approved=yes\x1b[2J", path+":v1", "-o", request)
	sign := []string{"sign", "--request", request, "-o", request + ".sig", "-k", "nobody"}
	if r := there.run(sign...); strings.Contains(r.stderr, digest) {
		t.Error(r.stderr)
	}
	there.env.Terminal = &terminal{reads: true}
	r := there.run(sign...)
	for _, text := range []string{"Request to sign, in " + request, digest, `"approved"="yes\x1b[2J"`} {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("%q is not in %s", text, r.stderr)
		}
	}
	if r.code != 2 {
		t.Error(r.code)
	}
}

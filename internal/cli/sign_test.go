package cli_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

func TestSkipIfSigned(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	u.newSigner("other", testpki.Options{KeySet: 1})
	reg := newRegistry(t)
	image, digest := reg.host+"/app:v1", reg.push("v1", "image")
	signed := func(want int) {
		t.Helper()
		if n := len(reg.referrers[digest]); n != want {
			t.Errorf("%d signatures, want %d", n, want)
		}
	}
	u.ok("sign", "--skip-if-signed", "-k", "acme", image).want(0, "Successfully signed "+reg.host+"/app@"+digest)
	r := u.ok("sign", "--skip-if-signed", "-k", "acme", image).want(0, "Already signed "+reg.host+"/app@"+digest+"\n  signature sha256:")
	if signed(1); strings.Contains(r.stdout, "Successfully") {
		t.Error(r.stdout)
	}
	doc := u.ok("sign", "--skip-if-signed", "-o", "json", "-k", "acme", image).json()
	if at(doc, "signed", 0, "skipped") != true || at(doc, "signed", 0, "signature", "digest") == nil || at(doc, "signed", 0, "envelope", "size") == nil {
		t.Errorf("%v", doc)
	}
	u.ok("sign", "--skip-if-signed", "-k", "other", image).want(0, "Successfully signed")
	signed(2)
	u.ok("sign", "--skip-if-signed", "-k", "acme", "-m", "a=b", image).want(0, "Successfully signed")
	u.ok("sign", "--skip-if-signed", "-k", "acme", "-m", "a=b", image).want(0, "Already signed")
	doc = u.ok("sign", "-o", "json", "-k", "acme", image).json()
	if signed(4); at(doc, "signed", 0, "skipped") != nil {
		t.Errorf("%v", doc)
	}
}

// attack: REG-09
func TestSkipIfSignedUndecided(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	image, digest := reg.host+"/app:v1", reg.push("v1", "image")
	u.ok("sign", "-k", "acme", image)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		reg.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	image = strings.Replace(image, reg.host, strings.TrimPrefix(front.URL, "http://"), 1)
	u.run("sign", "--skip-if-signed", "-k", "acme", image).wantError(3, "so nothing was signed")
	if len(reg.referrers[digest]) != 1 {
		t.Error("it was signed again")
	}
}

func TestSignRecursive(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	images := []string{reg.push("v1", "one"), reg.push("v2", "two")}
	inner := reg.index(images[1])
	entry := func(mediaType, digest, platform string) string {
		return `{"mediaType":"application/vnd.oci.image.` + mediaType + `.v1+json","digest":"` + digest + `","size":` + strconv.Itoa(len(reg.manifests[digest].content)) + platform + `}`
	}
	root := reg.put("application/vnd.oci.image.index.v1+json", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[`+strings.Join([]string{
		entry("manifest", images[0], `,"platform":{"os":"linux","architecture":"arm64"}`),
		entry("manifest", images[0], ""), // twice
		entry("index", inner, ""),
		entry("manifest", images[1], `,"platform":{"os":"linux","architecture":"amd64"}`),
	}, ",")+`]}`)
	index := reg.host + "/app@" + root
	count := func(digest string) int { return len(reg.referrers[digest]) }

	// Some images, not the index.
	doc := u.ok("sign", "-o", "json", "-k", "acme", "--platform", "linux/arm64", "--platform", "linux/arm64", index).json()
	if at(doc, "signed", 0, "platform") != "linux/arm64" || at(doc, "signed", 0, "parent") != root || at(doc, "signed", 0, "requested") != index ||
		at(doc, "signed", 0, "artifact", "digest") != images[0] || at(doc, "signed", 1) != nil || count(images[0]) != 1 || count(root) != 0 {
		t.Errorf("%v", doc)
	}
	// The index and one image, the index last.
	r := u.ok("sign", "-k", "acme", "--recursive", "--platform", "linux/amd64", index)
	if i, j := strings.Index(r.stdout, images[1]), strings.Index(r.stdout, root); i < 0 || j < i || count(images[0]) != 1 || count(images[1]) != 1 || count(root) != 1 || count(inner) != 0 {
		t.Errorf("%s", r.stdout)
	}
	// All of them, those that were there before included.
	doc = u.ok("sign", "-o", "json", "-k", "acme", "--recursive", "--skip-if-signed", index).json()
	var skipped, all int
	for i := 0; at(doc, "signed", i) != nil; i++ {
		if all++; at(doc, "signed", i, "skipped") == true {
			skipped++
		}
	}
	if all != 4 || skipped != 3 || count(inner) != 1 || count(root) != 1 {
		t.Errorf("%d of %d skipped: %v", skipped, all, doc)
	}
	for _, d := range append(images, inner, root) {
		u.ok("verify", "--ca-cert", acme.root, reg.host+"/app@"+d)
	}
	u.ok("sign", "-k", "acme", "--recursive", reg.host+"/app:v1").want(0, "Successfully signed "+reg.host+"/app@"+images[0], "Tag 'v1' may be moved")

	u.run("sign", "-k", "acme", "--platform", "linux/s390x", index).wantError(3, "no manifest for the platform", "linux/arm64")
	u.run("sign", "-k", "acme", "--platform", "linux/arm64", reg.host+"/app:v1").wantError(2, "it is no index")
	u.run("sign", "-k", "acme", "--recursive", reg.host+"/app:none").wantError(3)
}

// What could be signed is, and the rest is told.
func TestSignRecursivePartly(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	good, gone := reg.push("v1", "one"), reg.push("v2", "two")
	root := reg.index(good, gone)
	reg.mu.Lock()
	delete(reg.manifests, gone)
	reg.mu.Unlock()
	index := reg.host + "/app@" + root
	r := u.run("sign", "-k", "acme", "--recursive", index).want(3, "Successfully signed "+reg.host+"/app@"+good, "Successfully signed "+index, "Error: "+reg.host+"/app@"+gone)
	if strings.Contains(r.stdout, gone) {
		t.Errorf("%s", r.stdout)
	}
	doc := u.run("sign", "-o", "json", "-k", "acme", "--recursive", "--skip-if-signed", index).want(3).json()
	if at(doc, "signed", 0, "skipped") != true || at(doc, "signed", 1, "error") == nil || at(doc, "signed", 2, "skipped") != true {
		t.Errorf("%v", doc)
	}
	// An index that cannot be read as a whole is signed in no part.
	bad := reg.put("application/vnd.oci.image.index.v1+json", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"`+digestOf(nil)+`","size":9}]}`)
	u.run("sign", "-k", "acme", "--recursive", reg.host+"/app@"+bad, reg.host+"/app:v1").want(3, "Successfully signed "+reg.host+"/app@"+good)
	if len(reg.referrers[bad]) != 0 {
		t.Error("signed in part")
	}
}

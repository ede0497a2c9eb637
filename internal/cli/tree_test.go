package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// put stores a manifest of any kind and returns its digest.
func (r *registry) put(mediaType, content string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := manifest{mediaType, []byte(content)}
	r.manifests[digestOf(m.content)] = m
	return digestOf(m.content)
}

// index stores an index of manifests that are there and returns its digest.
func (r *registry) index(digests ...string) string {
	var entries []string
	for i, d := range digests {
		r.mu.Lock()
		m := r.manifests[d]
		r.mu.Unlock()
		entries = append(entries, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"platform":{"os":"linux","architecture":"arch%d"}}`, m.mediaType, d, len(m.content), i))
	}
	const indexType = "application/vnd.oci.image.index.v1+json"
	return r.put(indexType, `{"schemaVersion":2,"mediaType":"`+indexType+`","manifests":[`+strings.Join(entries, ",")+`]}`)
}

func TestTree(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	one, two := reg.push("one", "one"), reg.push("two", "two")
	index := reg.host + "/app@" + reg.index(one, two, one)
	u.ok("sign", "-k", "acme", index)
	sbom, sbomDigest := u.attach("--artifact-type", "sbom/example", "--sign", "-k", "acme", reg.host+"/app@"+one, u.write("f", "x"))
	u.ok("tree", index).want(0, index+"\n", "linux/arch0", "linux/arch1", "│   └── "+sbomDigest+" sbom/example, ", "signature by CN=", ", intact", "Not verified", "6 manifests")
	for _, line := range []string{"--ca-cert x", "--scope x", "--offline", "-m a=b"} {
		u.run(append([]string{"tree", index}, strings.Fields(line)...)...).wantError(2, "needs --verify")
	}

	// Everything but the signatures has a verdict, and the worst decides.
	r := u.run("tree", "--verify", "--ca-cert", acme.root, index).want(4, "sbom/example, ", ": passed, signed by CN=", "linux/arch1", ": unsigned")
	if strings.Contains(r.stdout, "Successfully") {
		t.Errorf("%s", r.stdout)
	}
	u.ok("tree", "--verify", "--ca-cert", acme.root, sbom).want(0, ": passed")
	doc := u.run("tree", "-o", "json", "--verify", "--ca-cert", acme.root, index).want(4).json()
	for _, tt := range []struct {
		want any
		path []any
	}{
		{index, []any{"reference"}},
		{true, []any{"whole"}},
		{true, []any{"verified"}},
		{"passed", []any{"tree", "verdict", "verdict", "outcome"}},
		{one, []any{"tree", "manifests", 0, "digest"}},
		{float64(4), []any{"tree", "manifests", 0, "verdict", "exitCode"}},
		{nil, []any{"tree", "manifests", 2}},
		{sbomDigest, []any{"tree", "manifests", 0, "referrers", 0, "digest"}},
		{"passed", []any{"tree", "manifests", 0, "referrers", 0, "referrers", 0, "signature", "integrity", "outcome"}},
		{nil, []any{"tree", "manifests", 0, "referrers", 0, "referrers", 0, "verdict"}},
	} {
		if got := at(doc, tt.path...); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.path, got, tt.want)
		}
	}
	u.run("tree", reg.host+"/app:none").wantError(3)
	u.run("tree", "--verify", index).wantError(2, "no trust policy")
}

// TestTreeOfHostileGraphs shows graphs that are odd, endless or lie.
//
// attack: REG-03
func TestTreeOfHostileGraphs(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})

	// A chain of indexes each of which the root names, too, is shown in one line
	// each and no deeper than its shortest way.
	chain := []string{reg.push("leaf", "leaf")}
	for i := range 8 {
		chain = append(chain, reg.index(chain[i]))
	}
	flat := u.ok("tree", reg.host+"/app@"+reg.index(chain...))
	if n := strings.Count(flat.stdout, "shown elsewhere"); n != 8 || strings.Contains(flat.stdout, "│   │   ├") {
		t.Errorf("%d\n%s", n, flat.stdout)
	}

	// Deeper than the bound.
	for i := 8; i < 20; i++ {
		chain = append(chain, reg.index(chain[i]))
	}
	u.run("tree", reg.host+"/app@"+chain[len(chain)-1]).want(3, "goes deeper than", "This is not all", "(not read)")

	// A referrer that is a stranger is left out, one that is gone too, and one
	// that is not what it is said to be leaves the graph unfinished.
	image := reg.push("v1", "image")
	name := reg.host + "/app@" + image
	entry := func(digest string, size int) string {
		return fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d}`, digest, size)
	}
	stranger := reg.push("stranger", "stranger")
	reg.referrers[image] = []string{entry(stranger, len(manifestOf("stranger"))), entry(digestOf([]byte("gone")), 9), entry(image, len(manifestOf("image")))}
	u.ok("tree", name).want(0, "is listed as a referrer", "and is gone", "1 manifest and 1 blob, ")
	reg.referrers[image] = append(reg.referrers[image], entry(stranger, 3))
	u.run("tree", "--verify", "--ca-cert", acme.root, name).want(3, "is listed as a referrer", ": undecided")
	reg.referrers[image] = []string{entry(stranger, 3)}
	u.run("tree", name).want(3, "This is not all")

	// Of a million referrers no more than the bound is looked at.
	reg.referrers[image] = nil
	for i := range 2500 {
		reg.referrers[image] = append(reg.referrers[image], entry(digestOf([]byte{byte(i), byte(i >> 8)}), 9))
	}
	requests := reg.requests.Load()
	u.run("tree", name).want(3, "has more than 2000 manifests", "This is not all")
	if n := reg.requests.Load() - requests; n > 20 {
		t.Errorf("%d requests", n)
	}

	// A signature that was moved to another artifact is no signature of that.
	signed := reg.push("signed", "signed")
	u.ok("sign", "-k", "acme", reg.host+"/app@"+signed)
	for d, m := range reg.manifests {
		if strings.Contains(string(m.content), `"subject"`) && strings.HasPrefix(d, "sha256:") {
			moved := reg.put(m.mediaType, strings.Replace(string(m.content), signed, stranger, 1))
			reg.referrers[stranger] = []string{entry(moved, len(m.content))}
			break
		}
	}
	u.ok("tree", reg.host+"/app@"+stranger).want(0, "failed: the signature is for another artifact")
}

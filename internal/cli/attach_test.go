package cli_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// attach attaches a file and returns the name and the digest of the new artifact.
func (u *user) attach(args ...string) (name, digest string) {
	u.t.Helper()
	doc := u.ok(append([]string{"attach", "-o", "json"}, args...)...).json()
	name, _ = at(doc, "name").(string)
	digest, _ = at(doc, "artifact", "digest").(string)
	return name, digest
}

func TestAttach(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	u.newSigner("acme", testpki.Options{})
	image := reg.host + "/app:v1"
	subject := reg.push("v1", "image")
	sbom, notes := u.write("sbom.json", `{"sbom":1}`), u.write("a b.txt", "notes")
	r := u.ok("attach", "--artifact-type", "sbom/example", "--annotation", "tool=x", "--sign", "-k", "acme", image, sbom+":application/json", notes)
	r.want(0, "Attached "+reg.host+"/app@sha256:", "\n  to "+reg.host+"/app@"+subject, "sbom.json  application/json", "a b.txt    application/octet-stream", "Successfully signed "+reg.host+"/app@sha256:", "Tag 'v1' may be moved")

	// The artifact is what the OCI image specification says of artifacts.
	_, digest := u.attach("--artifact-type", "sbom/example", "--annotation", "org.opencontainers.image.created=2020-01-01T00:00:00Z", image, sbom+":application/json")
	var m map[string]any
	if err := json.Unmarshal(reg.manifests[digest].content, &m); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		want any
		path []any
	}{
		{"application/vnd.oci.image.manifest.v1+json", []any{"mediaType"}},
		{"sbom/example", []any{"artifactType"}},
		{"application/vnd.oci.empty.v1+json", []any{"config", "mediaType"}},
		{subject, []any{"subject", "digest"}},
		{"application/json", []any{"layers", 0, "mediaType"}},
		{digestOf([]byte(`{"sbom":1}`)), []any{"layers", 0, "digest"}},
		{"sbom.json", []any{"layers", 0, "annotations", "org.opencontainers.image.title"}},
		{"2020-01-01T00:00:00Z", []any{"annotations", "org.opencontainers.image.created"}},
	} {
		if got := at(m, tt.path...); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.path, got, tt.want)
		}
	}
	if string(reg.blobs[digestOf([]byte("{}"))]) != "{}" || string(reg.blobs[digestOf([]byte(`{"sbom":1}`))]) != `{"sbom":1}` {
		t.Error("a blob is missing")
	}
	if reg.manifests["v1"].content == nil || digestOf(reg.manifests["v1"].content) != subject {
		t.Error("the tag has moved")
	}
}

func TestAttachRefuses(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	image := reg.host + "/app@" + reg.push("v1", "image")
	file, hidden := u.write("f.txt", "x"), u.write(".hidden", "x")
	other := u.write("F.TXT", "y")
	before := len(reg.manifests) + len(reg.blobs)
	for name, tt := range map[string]struct {
		code  int
		args  []string
		texts []string
	}{
		"no type":         {2, []string{image, file}, []string{"--artifact-type is missing"}},
		"bad type":        {2, []string{"--artifact-type", "sbom", image, file}, []string{"cannot be 'sbom'", "TYPE/SUBTYPE"}},
		"signature":       {2, []string{"--artifact-type", "application/vnd.cncf.notary.signature", image, file}, []string{"notation sign"}},
		"empty type":      {2, []string{"--artifact-type", "application/vnd.oci.empty.v1+json", image, file}, []string{"--artifact-type"}},
		"annotation":      {2, []string{"--artifact-type", "a/b", "--annotation", "x", image, file}, []string{"KEY=VALUE"}},
		"key":             {2, []string{"--artifact-type", "a/b", "--key", "x", image, file}, []string{"--key needs --sign"}},
		"no key":          {2, []string{"--artifact-type", "a/b", "--sign", image, file}, []string{"no default key"}},
		"no file":         {2, []string{"--artifact-type", "a/b", image}, []string{"needs REF and FILE"}},
		"gone":            {2, []string{"--artifact-type", "a/b", image, file + "x"}, []string{"could not be read"}},
		"directory":       {2, []string{"--artifact-type", "a/b", image, filepath.Dir(file)}, []string{"is a directory"}},
		"standard input":  {2, []string{"--artifact-type", "a/b", image, "-"}, []string{"has no name"}},
		"hidden":          {2, []string{"--artifact-type", "a/b", image, hidden}, []string{"full stop"}},
		"same name":       {2, []string{"--artifact-type", "a/b", image, file, other}, []string{"same name"}},
		"no such subject": {3, []string{"--artifact-type", "a/b", reg.host + "/app:none", file}, nil},
		"no reference":    {2, []string{"--artifact-type", "a/b", reg.host + "/app", file}, []string{"neither tag nor digest"}},
	} {
		t.Run(name, func(t *testing.T) {
			u.run(append([]string{"attach"}, tt.args...)...).wantError(tt.code, tt.texts...)
		})
	}
	if len(reg.manifests)+len(reg.blobs) != before {
		t.Error("something was stored")
	}
}

// TestAttachedAndNotSigned has no time stamp to be had: what is attached is there,
// and the error says where.
func TestAttachedAndNotSigned(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	u.newSigner("acme", testpki.Options{})
	root := u.newAuthority(testpki.Options{KeySet: 1}).root
	image := reg.host + "/app@" + reg.push("v1", "image")
	dir, _ := u.layout("image")
	tarball := u.packed(dir)
	file := u.write("f", "x")
	args := []string{"attach", "--artifact-type", "a/b", "--sign", "-k", "acme", "--timestamp-url", "http://127.0.0.1:1", "--timestamp-root-cert", root}
	r := u.run(append(args, "-o", "json", image, file)...).want(3, "but not signed")
	doc := r.json()
	digest, _ := at(doc, "artifact", "digest").(string)
	if reg.manifests[digest].content == nil || at(doc, "signature") != nil || !strings.Contains(r.stderr, "attached as "+reg.host+"/app@"+digest) && !strings.Contains(r.stderr, "Attached as "+reg.host+"/app@"+digest) {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	before := u.read(tarball)
	u.run(append(args, "--oci-layout", tarball+":v1", file)...).wantError(3)
	if u.read(tarball) != before {
		t.Error("the tarball was changed")
	}
}

// TestAttachToLayouts attaches in a directory and in a tarball, signs there, and
// reads it back.
func TestAttachToLayouts(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	dir, _ := u.layout("image")
	file := u.write("sbom.json", "{}")
	for _, path := range []string{dir, u.packed(dir)} {
		name, digest := u.attach("--oci-layout", "--artifact-type", "sbom/example", "--sign", "-k", "acme", path+":v1", file)
		if name != path+"@"+digest {
			t.Errorf("name %q", name)
		}
		doc := u.ok("discover", "--oci-layout", "-o", "json", "--artifact-type", "sbom/example", path+":v1").json()
		if at(doc, "references", 0, "digest") != digest || at(doc, "manifests", 0, "reference") != name || at(doc, "manifests", 1) != nil {
			t.Errorf("%v", doc)
		}
		to := filepath.Join(t.TempDir(), "new", "dir")
		u.ok("pull", "--oci-layout", "--ca-cert", acme.root, "-o", to, name).want(0, "Successfully verified signature for "+name, filepath.Join(to, "sbom.json"))
		if u.read(filepath.Join(to, "sbom.json")) != "{}" {
			t.Error("other content")
		}
		before := snapshot(t, filepath.Dir(path))
		u.run("attach", "--oci-layout", "--artifact-type", "a/b", "--sign", "-k", "none", path+":v1", file).wantError(2)
		if snapshot(t, filepath.Dir(path)) != before {
			t.Error("a failed attach has left something")
		}
	}
}

// packed packs a layout directory into a tarball.
func (u *user) packed(dir string) string {
	u.t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close()); err != nil {
		u.t.Fatal(err)
	}
	return u.write("layout.tar", b.String())
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	u.newSigner("acme", testpki.Options{})
	image := reg.host + "/app@" + reg.push("v1", "image")
	u.ok("discover", image).want(0, image+"\n", "nothing is attached")
	u.ok("sign", "-k", "acme", image)
	file := u.write("f", "x")
	_, sbom := u.attach("--artifact-type", "sbom/example", image, file)
	_, scan := u.attach("--artifact-type", "scan/example", image, file)
	u.ok("discover", image).want(0, "sbom/example  ", sbom, scan, "application/vnd.cncf.notary.signature")
	u.ok("discover", "--artifact-type", "none/example", image).want(0, "nothing of the type none/example is attached")
	doc := u.ok("discover", "-o", "json", "--artifact-type", "sbom/example", image).json()
	if at(doc, "references", 0, "digest") != sbom || at(doc, "references", 1) != nil || at(doc, "manifests", 0, "artifactType") != "sbom/example" {
		t.Errorf("%v", doc)
	}

	// What the listing says is not believed: strangers are left out, what cannot
	// be read makes the answer undecided, and the right claim is found.
	subject := image[strings.LastIndex(image, "@")+1:]
	stranger := reg.push("other", "stranger")
	honest := reg.referrers[subject]
	entry := func(digest, size string) string {
		return `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + digest + `","size":` + size + `}`
	}
	size := len(reg.manifests[stranger].content)
	reg.referrers[subject] = append([]string{entry(stranger, strconv.Itoa(size)), entry(sbom, "17")}, honest...)
	r := u.ok("discover", image).want(0, "and is none", sbom)
	if strings.Contains(r.stdout, stranger) || strings.Count(r.stdout, sbom) != 1 {
		t.Errorf("%s", r.stdout)
	}
	reg.referrers[subject] = append([]string{entry(digestOf([]byte("gone")), "17"), entry(digestOf([]byte("x")), "99999999")}, honest...)
	r = u.run("discover", "-o", "json", image).want(3)
	if at(r.json(), "references", 2, "digest") == nil {
		t.Errorf("%s", r.stdout)
	}
	reg.referrers[subject] = []string{entry(digestOf([]byte("gone")), "17")}
	u.run("discover", image).want(3, "not known whether anything is attached")
}

// TestPullRefuses fetches what does not pass, is not what its digest says, or has
// no place: nothing is written.
//
// attack: REG-02
func TestPullRefuses(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	image := reg.host + "/app@" + reg.push("v1", "image")
	u.ok("sign", "-k", "acme", image)
	unsigned, _ := u.attach("--artifact-type", "a/b", image, u.write("f", "unsigned"))
	good, _ := u.attach("--artifact-type", "a/b", "--sign", "-k", "acme", image, u.write("f", "new"), u.write("g", "g"))
	other := newUser(t).newSigner("other", testpki.Options{})
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "g"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		code  int
		dir   string
		args  []string
		texts []string
	}{
		"unsigned":     {4, "", []string{"--ca-cert", acme.root, unsigned}, []string{"Unsigned " + unsigned}},
		"rejected":     {1, "", []string{"--ca-cert", other.root, good}, []string{"Rejected " + good}},
		"no policy":    {2, "", []string{good}, []string{"no trust policy"}},
		"no files":     {3, "", []string{"--ca-cert", acme.root, image}, []string{"holds no files", "notation discover"}},
		"not there":    {3, "", []string{"--ca-cert", acme.root, reg.host + "/app:none"}, nil},
		"there":        {2, full, []string{"--ca-cert", acme.root, good}, []string{"is there already", "--force"}},
		"scope":        {2, "", []string{"--scope", "r/a", good}, []string{"--scope needs --oci-layout"}},
		"no directory": {2, filepath.Join(full, "g"), []string{"--ca-cert", acme.root, good}, []string{"could not be written into"}},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "new", "deep")
			if tt.dir != "" {
				dir, parent = tt.dir, full
			}
			before := snapshot(t, parent)
			r := u.run(append([]string{"pull", "-o", dir}, tt.args...)...).want(tt.code, tt.texts...)
			if strings.Contains(r.stdout, "Successfully") {
				t.Errorf("claims success: %s", r.stdout)
			}
			if snapshot(t, parent) != before {
				t.Error("something was written")
			}
		})
	}
	u.ok("pull", "--ca-cert", acme.root, "-o", full, "--force", good)
	if u.read(filepath.Join(full, "g")) != "g" || u.read(filepath.Join(full, "f")) != "new" {
		t.Error("not replaced")
	}
	if entries, err := os.ReadDir(full); err != nil || len(entries) != 2 {
		t.Errorf("%v %v", entries, err)
	}

	// A blob that is not what its digest says is not written.
	delete(reg.blobs, digestOf([]byte("g")))
	reg.blobs[digestOf([]byte("g"))] = []byte("h")
	dir := t.TempDir()
	u.run("pull", "--ca-cert", acme.root, "-o", dir, good).wantError(3, "could not be fetched")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v %v", entries, err)
	}
}

// TestPullOfOtherKinds fetches from what other tools push.
func TestPullOfOtherKinds(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	reg.blobs[digestOf([]byte("x"))] = []byte("x")
	layer := func(annotations string) string {
		return `{"mediaType":"a/b","digest":"` + digestOf([]byte("x")) + `","size":1,"annotations":{` + annotations + `}}`
	}
	const orasType, imageType = "application/vnd.cncf.oras.artifact.manifest.v1+json", "application/vnd.oci.image.manifest.v1+json"
	const title, config = `"org.opencontainers.image.title":"f"`, `"config":{"mediaType":"a/c","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}`
	for name, tt := range map[string]struct {
		mediaType, members string
		code               int
		text               string
	}{
		"ORAS artifact":     {orasType, `"artifactType":"a/b","blobs":[` + layer(title) + `]`, 0, ""},
		"unnamed layer":     {imageType, `"schemaVersion":2,` + config + `,"layers":[` + layer("") + "," + layer(title) + `]`, 0, ""},
		"packed directory":  {imageType, `"schemaVersion":2,` + config + `,"layers":[` + layer(title+`,"io.deis.oras.content.unpack":"true"`) + `]`, 0, "packed directory"},
		"no named layer":    {imageType, `"schemaVersion":2,` + config + `,"layers":[` + layer("") + `]`, 3, "holds no files"},
		"two kinds":         {imageType, `"schemaVersion":2,` + config + `,"layers":[` + layer(title) + `],"blobs":[` + layer(title) + `]`, 3, "two kinds"},
		"malformed":         {imageType, `"schemaVersion":2,` + config + `,"layers":[{"digest":7}]`, 3, "malformed"},
		"malformed digest":  {imageType, `"schemaVersion":2,` + config + `,"layers":[{"mediaType":"a/b","digest":"md5:7","size":1,"annotations":{` + title + `}}]`, 3, "md5"},
		"index":             {"application/vnd.oci.image.index.v1+json", `"schemaVersion":2,"manifests":[]`, 3, "is an index"},
		"more than allowed": {imageType, `"schemaVersion":2,` + config + `,"layers":[` + strings.Repeat(layer(title)+",", 1000) + layer(title) + `]`, 3, "more than 1000 files"},
	} {
		t.Run(name, func(t *testing.T) {
			ref := reg.host + "/app@" + reg.put(tt.mediaType, `{"mediaType":"`+tt.mediaType+`",`+tt.members+`}`)
			u.ok("sign", "-k", "acme", ref)
			dir := t.TempDir()
			u.run("pull", "--ca-cert", acme.root, "-o", dir, ref).want(tt.code, tt.text)
			entries, err := os.ReadDir(dir)
			if err != nil || (len(entries) == 1) != (tt.code == 0) {
				t.Errorf("%v %v", entries, err)
			}
		})
	}
	skip := u.write("skip.json", `{"version":"1.0","trustPolicies":[{"name":"lenient","registryScopes":["`+reg.host+`/app"],"signatureVerification":{"level":"skip"}}]}`)
	unsigned, _ := u.attach("--artifact-type", "a/b", reg.host+"/app@"+reg.push("v1", "image"), u.write("f", "x"))
	dir := t.TempDir()
	r := u.ok("pull", "--policy", skip, "--trust-store", t.TempDir(), "-o", dir, unsigned).want(0, "was not verified", "policy statement \"lenient\" says skip")
	if strings.Contains(r.stdout, "Successfully") || u.read(filepath.Join(dir, "f")) != "x" {
		t.Errorf("%s", r.stdout)
	}
}

// TestPullNames signs artifacts whose files have names that lead elsewhere.
func TestPullNames(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	content := []byte("content")
	reg.blobs[digestOf(content)] = content
	artifact := func(names ...string) string {
		var layers []map[string]any
		for _, n := range names {
			layers = append(layers, map[string]any{"mediaType": "a/b", "digest": digestOf(content), "size": len(content),
				"annotations": map[string]string{"org.opencontainers.image.title": n}})
		}
		raw, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": "a/b",
			"config": map[string]any{"mediaType": "application/vnd.oci.empty.v1+json", "digest": digestOf([]byte("{}")), "size": 2}, "layers": layers})
		if err != nil {
			t.Fatal(err)
		}
		m := manifest{"application/vnd.oci.image.manifest.v1+json", raw}
		reg.mu.Lock()
		reg.manifests[digestOf(raw)] = m
		reg.mu.Unlock()
		name := reg.host + "/app@" + digestOf(raw)
		u.ok("sign", "-k", "acme", name)
		return name
	}
	for _, names := range [][]string{
		{"../x"}, {"a/../../x"}, {"/etc/x"}, {"a//x"}, {"./x"}, {"a/."}, {".."}, {"."}, {""}, {`..\x`}, {`C:\x`}, {"C:x"}, {"x:stream"}, {".bashrc"}, {"a/.git/x"},
		{"x\n"}, {"x\u202etxt"}, {"x."}, {"x "}, {" x"}, {"con"}, {"a/NUL.txt"}, {"x*"}, {"x?"}, {strings.Repeat("x", 300)}, {strings.Repeat("x/", 20) + "x"},
		{strings.Repeat("x/", 700) + "x"}, {"x", "x"}, {"x", "X"}, {"x", "x/y"}, {"good", "../bad"},
	} {
		parent := t.TempDir()
		u.run("pull", "--ca-cert", acme.root, "-o", filepath.Join(parent, "d"), artifact(names...)).wantError(3)
		if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
			t.Errorf("%q: %v %v", names, entries, err)
		}
	}
	dir, outside := t.TempDir(), t.TempDir()
	u.ok("pull", "--ca-cert", acme.root, "-o", dir, artifact("a b/c.tar.gz", "ü"))
	if u.read(filepath.Join(dir, "a b", "c.tar.gz")) != "content" || u.read(filepath.Join(dir, "ü")) != "content" {
		t.Error("not written")
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	u.run("pull", "--ca-cert", acme.root, "--force", "-o", dir, artifact("zzz", "link/x")).wantError(2)
	u.run("pull", "--ca-cert", acme.root, "--force", "-o", dir, artifact("yyy", "a b")).wantError(2, "A directory stands where")
	u.ok("pull", "--ca-cert", acme.root, "--force", "-o", dir, artifact("link"))
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("%v %v", entries, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("%v %v", entries, err)
	}
}

// TestPullOutput: -o of pull is a directory and a format at the same time.
func TestPullOutput(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir := filepath.Join(t.TempDir(), "json")
	r := u.run("pull", "-o", dir, "-o", "json", "localhost:1/nothing:v1")
	r.want(2, `"command": "pull"`)
	if _, err := os.Lstat(dir); err == nil {
		t.Error("a directory was made")
	}
	u.run("pull", "-o", "yaml", "localhost:1/nothing:v1").want(2, "./yaml")
}

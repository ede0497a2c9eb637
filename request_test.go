package notation_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/timestamp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	blobDigest    = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	imageManifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"sbom/example",` +
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"` + blobDigest + `","size":2},` +
		`"layers":[{"mediaType":"text/plain","digest":"` + blobDigest + `","size":2}],` +
		`"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + blobDigest + `","size":9}}`
	indexManifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` +
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + blobDigest + `","size":2,"platform":{"os":"linux","architecture":"arm64"}}]}`
)

// prepared returns a request for imageManifest, and what a repository says.
func prepared(t testing.TB, o notation.PrepareOptions) (*notation.SigningRequest, *fakeRepo, oci.Descriptor) {
	t.Helper()
	repo := newFakeRepo()
	artifact := repo.push("v1", imageManifest)
	r, err := notation.Prepare(t.Context(), repo, reference(t, scope+":v1"), o)
	if err != nil {
		t.Fatal(err)
	}
	return r, repo, artifact
}

func encoded(t testing.TB, r *notation.SigningRequest) []byte {
	t.Helper()
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestOfflineSigning signs in three steps and verifies the result.
func TestOfflineSigning(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
		r, repo, artifact := prepared(t, notation.PrepareOptions{Metadata: map[string]string{"build": "1"}, Expiry: time.Hour})
		if len(repo.listings) != 0 || repo.count("resolve") != 1 {
			t.Errorf("requests %v", repo.requests)
		}
		read, err := notation.ParseRequest(encoded(t, r))
		if err != nil {
			t.Fatal(err)
		}
		c := read.Content()
		if read.Requested() != scope+":v1" || read.Name() != scope+"@"+string(artifact.Digest) || read.Artifact().Digest != artifact.Digest ||
			read.Expiry() != time.Hour || !maps.Equal(read.Metadata(), map[string]string{"build": "1"}) ||
			c.ArtifactType != "sbom/example" || c.Config == nil || len(c.Layers) != 1 || c.Subject == nil || c.Subject.Size != 9 {
			t.Errorf("read %+v", read)
		}
		signature, err := notation.SignRequest(t.Context(), read, signerFor(t, chain), notation.SignOptions{
			MediaType: mediaType, Metadata: map[string]string{"build": "1", "by": "me"}, SkipIfSigned: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		opened, err := notation.OpenSignature("", signature.Envelope())
		if err != nil {
			t.Fatal(err)
		}
		info := opened.Info()
		if opened.MediaType() != mediaType || opened.Artifact().Digest != artifact.Digest || opened.Timestamp() != nil || len(info.Metadata) != 2 ||
			info.Expiry.Sub(info.SigningTime) != time.Hour || info.Subject == "" || info.Issuer == "" || info.Root == "" || len(info.Fingerprint) != 64 || info.Scheme != "notary.x509" {
			t.Errorf("opened %+v", info)
		}
		attached, err := notation.AttachSignature(t.Context(), repo, reference(t, scope+":v1"), opened, notation.AttachOptions{})
		if err != nil || attached.Already || attached.Envelope.MediaType != mediaType || len(attached.Warnings) != 0 {
			t.Fatalf("%+v: %v", attached, err)
		}
		m, err := oci.ParseSignatureManifest(repo.content[attached.Signature.Digest], artifact.Digest)
		if err != nil || m.Annotations[oci.AnnotationThumbprints] != thumbprints(chain)[oci.AnnotationThumbprints] || m.Annotations[ocispec.AnnotationCreated] == "" {
			t.Errorf("%v: %+v", err, m)
		}
		if _, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact)); err != nil {
			t.Error(err)
		}
	}
}

func TestPrepareFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, ref, content string
		o                  notation.PrepareOptions
		bend               func(*fakeRepo)
		code               reason.Code
	}{
		{"no such tag", ":v2", imageManifest, notation.PrepareOptions{}, nil, reason.OCINotFound},
		{"no tag", "", imageManifest, notation.PrepareOptions{}, nil, reason.VerifyReference},
		{"reserved metadata", ":v1", imageManifest, notation.PrepareOptions{Metadata: map[string]string{"io.cncf.notary.x": "y"}}, nil, reason.SignMetadataReserved},
		{"fractional expiry", ":v1", imageManifest, notation.PrepareOptions{Expiry: 1}, nil, reason.SignExpiry},
		{"no manifest", ":v1", "artifact", notation.PrepareOptions{}, nil, reason.SignRequestArtifact},
		{"two kinds of layers", ":v1", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[{"mediaType":"a/b","digest":"` + blobDigest + `","size":1}],"blobs":[{"mediaType":"a/b","digest":"` + blobDigest + `","size":1}]}`, notation.PrepareOptions{}, nil, reason.SignRequestArtifact},
		{"layers and images", ":v1", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[],"manifests":[]}`, notation.PrepareOptions{}, nil, reason.SignRequestArtifact},
		{"layers no list", ":v1", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":{}}`, notation.PrepareOptions{}, nil, reason.SignRequestArtifact},
		{"odd layer", ":v1", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[{"mediaType":"a/b","digest":"x","size":1}]}`, notation.PrepareOptions{}, nil, reason.SignRequestArtifact},
		{"odd config", ":v1", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"a/b","digest":"` + blobDigest + `","size":-1}}`, notation.PrepareOptions{}, nil, reason.SignRequestArtifact},
		{"name too long", ":v1", imageManifest, notation.PrepareOptions{Requested: strings.Repeat("x", 8<<10+1)}, nil, reason.SignRequest},
		{"name of another digest", ":v1", imageManifest, notation.PrepareOptions{Name: func(digest.Digest) string { return "x@sha256:0" }}, nil, reason.SignRequest},
		{"manifest gone", ":v1", imageManifest, notation.PrepareOptions{}, func(r *fakeRepo) {
			r.onFetch = func(context.Context, digest.Digest) ([]byte, error) { return nil, notFound("it") }
		}, reason.OCINotFound},
		{"artifact type lies", ":v1", imageManifest, notation.PrepareOptions{}, func(r *fakeRepo) {
			d := r.tags["v1"]
			r.onResolve = func(oci.Reference) (oci.Descriptor, error) {
				return with(d, func(d *oci.Descriptor) { d.ArtifactType = "other/type" }), nil
			}
		}, reason.SignRequestArtifact},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			repo.push("v1", tt.content)
			if tt.bend != nil {
				tt.bend(repo)
			}
			r, err := notation.Prepare(t.Context(), repo, reference(t, scope+tt.ref), tt.o)
			if r != nil || reason.Of(err) != tt.code || reason.Hint(err) == "" && tt.code != reason.OCINotFound {
				t.Errorf("%v (%s), want %s", err, reason.Of(err), tt.code)
			}
		})
	}
	r, _, _ := prepared(t, notation.PrepareOptions{Requested: "\xff"})
	if _, err := r.Encode(); reason.Of(err) != reason.SignRequest {
		t.Errorf("a name that is not UTF-8: %v", err)
	}
}

// What comes from elsewhere is read strictly, and nothing of it is believed.
func TestParseRequestRefuses(t *testing.T) {
	t.Parallel()
	r, _, artifact := prepared(t, notation.PrepareOptions{Metadata: map[string]string{"a": "b"}, Expiry: time.Hour})
	good := string(encoded(t, r))
	other := base64.StdEncoding.EncodeToString([]byte(indexManifest))
	manifest := base64.StdEncoding.EncodeToString([]byte(imageManifest))
	for name, tt := range map[string]struct {
		from, to string
		code     reason.Code
	}{
		"no JSON":                  {good, "x", reason.SignRequest},
		"an array":                 {good, "[]", reason.SignRequest},
		"nothing":                  {good, "{}", reason.SignRequest},
		"too long":                 {good, strings.Repeat(" ", notation.MaxRequestBytes+1), reason.SignRequest},
		"trailing bytes":           {good, good + "{}", reason.SignRequest},
		"another type":             {"signing-request", "other", reason.SignRequest},
		"another version":          {`"1.0"`, `"1.1"`, reason.SignRequest},
		"unknown member":           {`"version"`, `"x":1,"version"`, reason.SignRequest},
		"member twice":             {`"version"`, `"version":"1.0","version"`, reason.SignRequest},
		"another case":             {`"version"`, `"Version"`, reason.SignRequest},
		"unknown member of target": {`"size"`, `"urls":[],"size"`, reason.SignRequest},
		"line break in base64":     {manifest[:8], manifest[:8] + `\n`, reason.SignRequest},
		"no base64":                {manifest, "%", reason.SignRequest},
		"stray bits":               {manifest, "e31=", reason.SignRequest},
		"negative expiry":          {"3600", "-1", reason.SignRequest},
		"endless expiry":           {"3600", "9223372036854775807", reason.SignRequest},
		"no name typed":            {`"` + scope + `:v1"`, `""`, reason.SignRequest},
		"name of another digest":   {"@" + string(artifact.Digest), "@" + blobDigest, reason.SignRequest},
		"reference by another":     {`"` + scope + `:v1"`, `"` + scope + "@" + blobDigest + `"`, reason.SignRequest},
		"name without a digest":    {scope + "@" + string(artifact.Digest), "x", reason.SignRequest},
		"reserved metadata":        {`"a":`, `"io.cncf.notary.a":`, reason.SignRequest},
		"metadata without key":     {`"a":`, `"":`, reason.SignRequest},
		// attack: REG-02
		"another manifest":       {manifest, other, reason.SignRequestArtifact},
		"another size":           {`"size":` + jsonNumber(artifact.Size), `"size":1`, reason.SignRequestArtifact},
		"another media type":     {`"mediaType":"application/vnd.oci.image.manifest`, `"mediaType":"application/vnd.oci.image.index`, reason.SignRequestArtifact},
		"another artifact type":  {`"size":`, `"artifactType":"x/y","size":`, reason.SignRequestArtifact},
		"media type of no thing": {`"mediaType":"application/vnd.oci.image.manifest.v1+json"`, `"mediaType":""`, reason.SignRequestArtifact},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(good, tt.from) {
				t.Fatalf("%q is not in %s", tt.from, good)
			}
			r, err := notation.ParseRequest([]byte(strings.ReplaceAll(good, tt.from, tt.to)))
			if r != nil || reason.Of(err) != tt.code || reason.Hint(err) == "" {
				t.Errorf("%v (%s), want %s", err, reason.Of(err), tt.code)
			}
		})
	}
	// The size is signed as the artifact type is: where it is right, both are.
	typed := strings.Replace(good, `"size":`+jsonNumber(artifact.Size), `"size":`+jsonNumber(artifact.Size)+`,"artifactType":"sbom/example"`, 1)
	read, err := notation.ParseRequest([]byte(typed))
	if err != nil || read.Artifact().ArtifactType != "sbom/example" {
		t.Errorf("artifact type: %v", err)
	}
}

func jsonNumber(n int64) string {
	data, _ := json.Marshal(n)
	return string(data)
}

func TestSignRequestFails(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	r, _, _ := prepared(t, notation.PrepareOptions{Metadata: map[string]string{"build": "1"}, Expiry: time.Hour})
	plain, _, _ := prepared(t, notation.PrepareOptions{})
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		r    *notation.SigningRequest
		key  fakeSigner
		o    notation.SignOptions
		code reason.Code
	}{
		{"no request", nil, signerFor(t, chain).Sign, notation.SignOptions{}, reason.SignRequest},
		{"zero request", new(notation.SigningRequest), signerFor(t, chain).Sign, notation.SignOptions{}, reason.SignRequest},
		{"no key", r, nil, notation.SignOptions{}, reason.SignerKeyMissing},
		{"metadata conflicts", r, signerFor(t, chain).Sign, notation.SignOptions{Metadata: map[string]string{"build": "2"}}, reason.SignRequestConflict},
		{"expiry conflicts", r, signerFor(t, chain).Sign, notation.SignOptions{Expiry: time.Minute}, reason.SignRequestConflict},
		{"reserved metadata", plain, signerFor(t, chain).Sign, notation.SignOptions{Metadata: map[string]string{"io.cncf.notary": ""}}, reason.SignMetadataReserved},
		{"time stamp of no use", r, signerFor(t, chain).Sign, notation.SignOptions{Scheme: envelope.SchemeSigningAuthority, Timestamp: &timestamp.Client{}}, reason.SignTimestamp},
		{"no authority", r, signerFor(t, chain).Sign, notation.SignOptions{Timestamp: &timestamp.Client{URLs: []string{"http://127.0.0.1:1"}, Roots: []*x509.Certificate{chain.Root()}}}, reason.TimestampUnreachable},
		{"media type", r, signerFor(t, chain).Sign, notation.SignOptions{MediaType: "x/y"}, reason.SignMediaType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var err error
			if tt.key == nil {
				_, err = notation.SignRequest(t.Context(), tt.r, nil, tt.o)
			} else {
				_, err = notation.SignRequest(t.Context(), tt.r, tt.key, tt.o)
			}
			if reason.Of(err) != tt.code || reason.Hint(err) == "" {
				t.Errorf("%v (%s), want %s", err, reason.Of(err), tt.code)
			}
		})
	}
	failing := fakeSigner(func(context.Context, envelope.Request) (signer.Result, error) { return signer.Result{}, boom })
	if _, err := notation.SignRequest(t.Context(), r, failing, notation.SignOptions{}); !errors.Is(err, boom) {
		t.Errorf("%v lost its cause", err)
	}
	// What both sides ask for alike is no conflict, and either may ask alone.
	same := notation.SignOptions{Metadata: map[string]string{"build": "1"}, Expiry: time.Hour}
	for _, r := range []*notation.SigningRequest{r, plain} {
		s, err := notation.SignRequest(t.Context(), r, signerFor(t, chain), same)
		if err != nil || s.Info().Metadata["build"] != "1" || s.Info().Expiry.IsZero() {
			t.Errorf("%v", err)
		}
	}
}

func TestOpenSignatureRefuses(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	env := seal(t, chain, envelope.Request{Target: target()})
	broken := bytes.Replace(env, []byte(`"signature":"`), []byte(`"signature":"AAAA`), 1)
	for name, tt := range map[string]struct {
		mediaType string
		raw       []byte
		code      reason.Code
	}{
		"nothing":            {"", nil, reason.SignDetached},
		"text":               {"", []byte("no signature"), reason.SignDetached},
		"a request":          {"", []byte("{}"), reason.EnvelopeJSON},
		"broken":             {"", broken, reason.EnvelopeSignature},
		"another media type": {envelope.MediaTypeCOSE, env, reason.EnvelopeMediaType},
	} {
		if d, err := notation.OpenSignature(tt.mediaType, tt.raw); d != nil || reason.Of(err) != tt.code {
			t.Errorf("%s: %v (%s), want %s", name, err, reason.Of(err), tt.code)
		}
	}
}

// requestBlock finds the examples of specs/signing-request.md.
var requestBlock = regexp.MustCompile("(?ms)^```json request ?([a-z.-]*)\n(.*?)^```$")

func TestRequestSpecification(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("specs", "signing-request.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := requestBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 3 {
		t.Errorf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		r, err := notation.ParseRequest([]byte(b[2]))
		if reason.Of(err) != reason.Code(b[1]) {
			t.Errorf("%v, want %q, for %s", err, b[1], b[2])
		}
		if err == nil && (r.Expiry() != 24*time.Hour || r.Metadata()["buildId"] != "101") {
			t.Errorf("read %+v", r)
		}
	}
	for _, says := range []string{notation.MediaTypeRequest, string(reason.SignRequestConflict), string(reason.SignMetadataReserved)} {
		if !strings.Contains(string(text), "`"+says+"`") {
			t.Errorf("%s is not in the specification", says)
		}
	}
}

// FuzzParseRequest looks for a request that is accepted and not what it says: its
// manifest must be the artifact, and its text must be read the same again.
func FuzzParseRequest(f *testing.F) {
	r, _, _ := prepared(f, notation.PrepareOptions{Metadata: map[string]string{"a": "b"}, Expiry: time.Hour})
	f.Add(encoded(f, r))
	repo := newFakeRepo()
	d := repo.push("v1", indexManifest)
	repo.onResolve = func(oci.Reference) (oci.Descriptor, error) {
		return with(d, func(d *oci.Descriptor) { d.MediaType = ocispec.MediaTypeImageIndex }), nil
	}
	index, err := notation.Prepare(f.Context(), repo, reference(f, scope+":v1"), notation.PrepareOptions{})
	if err != nil || len(index.Content().Manifests) != 1 || index.Content().Manifests[0].Platform == nil {
		f.Fatalf("%v: %+v", err, index)
	}
	f.Add(encoded(f, index))
	f.Add([]byte(`{"mediaType":"` + notation.MediaTypeRequest + `","version":"1.0"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := notation.ParseRequest(data)
		if err != nil {
			if reason.Of(err) == "" {
				t.Errorf("no reason: %v", err)
			}
			return
		}
		again, err := notation.ParseRequest(encoded(t, r))
		if err != nil || again.Artifact().Digest != r.Artifact().Digest || again.Name() != r.Name() || !maps.Equal(again.Metadata(), r.Metadata()) {
			t.Errorf("%v: read again as %+v", err, again)
		}
		if oci.CheckDescriptor(r.Artifact(), oci.MaxManifestSize) != nil {
			t.Errorf("artifact %+v", r.Artifact())
		}
	})
}

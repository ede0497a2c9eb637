package remote_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/opencontainers/go-digest"
)

const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`

// registry is as much of a registry as the examples need: one image, tagged
// v1, and the referrers API with one signature.
func registry(w http.ResponseWriter, r *http.Request) {
	image := digest.FromString(manifest)
	switch path := strings.TrimPrefix(r.URL.Path, "/v2/net-monitor/"); path {
	case "manifests/v1", "manifests/" + string(image):
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", string(image))
		w.Header().Set("Content-Length", fmt.Sprint(len(manifest)))
		if r.Method == http.MethodGet {
			fmt.Fprint(w, manifest)
		}
	case "referrers/" + string(image):
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
			{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":617,"artifactType":%q}]}`,
			digest.FromString("a signature"), oci.ArtifactTypeSignature)
	default:
		http.NotFound(w, r)
	}
}

// Resolve an artifact, list its signatures and fetch its manifest.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(registry)) // stands for a real one
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")

	ref, err := oci.ParseReference(host + "/net-monitor:v1")
	if err != nil {
		fmt.Println(err)
		return
	}
	// Credentials come from Docker's configuration, if they are needed at all.
	logins := remote.NewCredentialStore(remote.StoreOptions{})
	repo, err := remote.New(ref, remote.Options{Credentials: logins.Find})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	image, err := repo.Resolve(ctx, ref)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(image.Digest)

	listing, err := repo.Referrers(ctx, image.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	if err != nil {
		fmt.Println(err) // never the same as "no signature"
		return
	}
	fmt.Println(len(listing.Referrers), "candidate")

	content, err := repo.Fetch(ctx, image, oci.MaxManifestSize)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(content), "bytes, digest and size checked")
	// Output:
	// sha256:b22c7289dd3b4785a3795c90e15d16bd66bd29b444b8974fe29ed0443ce50405
	// 1 candidate
	// 76 bytes, digest and size checked
}

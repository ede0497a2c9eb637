package layout_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
)

func ExampleOpen() {
	dir, err := writeLayout()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	path, ref, err := oci.ParseLayoutReference(dir + ":v1")
	if err != nil {
		fmt.Println(err)
		return
	}
	repo, err := layout.Open(path, layout.Options{Name: "registry.example.com/app"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	attached, err := repo.Attach(ctx, ref, func(subject oci.Descriptor) (oci.Attachment, error) {
		return oci.NewSignatureAttachment(subject, "application/cose", []byte("a signature envelope"), nil)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	listing, err := repo.Referrers(ctx, attached.Subject.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(listing.Referrers), "signature of", repo.Name())
	// Output: 1 signature of registry.example.com/app
}

// writeLayout writes an image layout with one empty image index in it.
func writeLayout() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "layout"); err != nil {
		return "", err
	}
	const index = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	const name = "dff9de10919148711140d349bf03f1a99eb06f94b03e51715ccebfa7cdc518e2"
	for file, content := range map[string]string{
		"oci-layout":           `{"imageLayoutVersion":"1.0.0"}`,
		"index.json":           `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:` + name + `","size":88,"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}`,
		"blobs/sha256/" + name: index,
	} {
		file = filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

package oci_test

import (
	"fmt"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

func ExampleParseReference() {
	for _, s := range []string{"alpine:3.20", "localhost:5000/net-monitor:v1", "https://registry.example.com/app:v1"} {
		ref, err := oci.ParseReference(s)
		if err != nil {
			fmt.Println(reason.Of(err), "-", reason.Hint(err))
			continue
		}
		fmt.Println(ref)
	}
	// Output:
	// docker.io/library/alpine:3.20
	// localhost:5000/net-monitor:v1
	// oci.reference - drop https:// and write registry.example.com/app:v1
}

func ExampleParseRepository() {
	_, err := oci.ParseRepository("alpine")
	fmt.Println(err)
	fmt.Println(reason.Hint(err))
	// Output:
	// "alpine" is not written in full and in lower case
	// write docker.io/library/alpine
}

func ExampleParseLayoutReference() {
	path, ref, err := oci.ParseLayoutReference("build/app.tar:v1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(path, ref.Tag())
	// Output: build/app.tar v1
}

func ExampleNewSignatureAttachment() {
	artifact := oci.Descriptor{
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Digest:    "sha256:2897688afcd4378cbf5316e4ae12c96a62e217582fcf941bcf46a877b49fde4b",
		Size:      553,
	}
	envelope := []byte("the bytes of a signature envelope")
	attachment, err := oci.NewSignatureAttachment(artifact, "application/cose", envelope, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	// Whoever finds the manifest among the artifact's referrers reads it back.
	m, err := oci.ParseSignatureManifest(attachment.Manifest, artifact.Digest)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Envelope.MediaType, m.Envelope.Size)
	fmt.Printf("%s\n", m.Inline)
	// Output:
	// application/cose 33
	// the bytes of a signature envelope
}

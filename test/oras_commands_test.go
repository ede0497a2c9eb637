package test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"path/filepath"

	"github.com/notaryv2/notation/internal/testoras"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"
)

// attachORAS attaches a file as an artifact manifest of the ORAS artifacts-spec,
// as clients of that time did, and sets a variable to the manifest's digest.
func attachORAS(ts *testscript.TestScript, neg bool, args []string) {
	args = flags(ts, neg, args, "attach-oras VARIABLE REFERENCE ARTIFACT-TYPE MEDIA-TYPE FILE", 5, 5, func(*flag.FlagSet) {})
	repo := repository(ts, args[1])
	file := []byte(ts.ReadFile(args[4]))
	blob := ocispec.Descriptor{
		MediaType: args[3], Digest: digest.FromBytes(file), Size: int64(len(file)),
		Annotations: map[string]string{ocispec.AnnotationTitle: filepath.Base(args[4])},
	}
	ts.Check(repo.Blobs().Push(context.Background(), blob, bytes.NewReader(file)))
	subject := descriptor(ts, args[1])
	manifest, err := json.Marshal(map[string]any{
		"mediaType": testoras.MediaType, "artifactType": args[2], "blobs": []ocispec.Descriptor{blob},
		"subject": ocispec.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	})
	ts.Check(err)
	d := ocispec.Descriptor{MediaType: testoras.MediaType, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
	ts.Check(repo.Manifests().Push(context.Background(), d, bytes.NewReader(manifest)))
	ts.Setenv(args[0], d.Digest.String())
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
)

// freshPrefix is what the names of repositories begin with where artifacts lie
// that nobody has signed yet.
const freshPrefix = "bench/fresh"

// parallel calls f for 0 to n-1, with so many at once, and returns the errors.
// After the first one no more are begun.
func parallel(n, atOnce int, f func(int) error) error {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		next  int
		all   error
	)
	for range min(n, atOnce) {
		group.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := i >= n || all != nil
				mu.Unlock()
				if stop {
					return
				}
				if err := f(i); err != nil {
					mu.Lock()
					all = errors.Join(all, err)
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return all
}

// push pushes n new artifacts past the proxies and returns their names,
// REPOSITORY@DIGEST. They lie in repositories that begin with the prefix, and
// those of one repository differ in an annotation only: what belongs to them is
// pushed once.
func (w *world) push(ctx context.Context, prefix string, n int) ([]string, error) {
	first := w.pushed[prefix]
	w.pushed[prefix] += n
	var repositories []string
	for i := first / perRepository; i <= (first+n-1)/perRepository; i++ {
		repositories = append(repositories, fmt.Sprintf("%s-%03d", prefix, i))
	}
	image, err := w.pushBlobs(ctx, repositories)
	if err != nil {
		return nil, err
	}
	names := make([]string, n)
	err = parallel(n, parallelPushes, func(i int) error {
		number := first + i
		repository := repositories[number/perRepository-first/perRepository]
		manifest := image
		manifest.Annotations = map[string]string{"number": fmt.Sprintf("%s %d", repository, number)}
		raw, err := json.Marshal(manifest)
		if err != nil {
			return err
		}
		names[i] = repository + "@" + digest.FromBytes(raw).String()
		return w.putManifest(ctx, repository, manifest.MediaType, fmt.Sprintf("v%d", number), raw)
	})
	return names, err
}

// pushBlobs pushes what belongs to an image to some repositories, and returns its
// manifest.
func (w *world) pushBlobs(ctx context.Context, repositories []string) (ocispec.Manifest, error) {
	layer, config := []byte("bench"), []byte(`{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers"}}`)
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    content.NewDescriptorFromBytes(ocispec.MediaTypeImageConfig, config),
		Layers:    []ocispec.Descriptor{content.NewDescriptorFromBytes(ocispec.MediaTypeImageLayer, layer)},
	}
	return m, parallel(len(repositories), parallelPushes, func(i int) error {
		repo, err := fixture.Repository(w.registry.Host()+"/"+repositories[i], "", "")
		if err != nil {
			return err
		}
		repo.Client = w.client
		return errors.Join(
			repo.Push(ctx, m.Config, bytes.NewReader(config)),
			repo.Push(ctx, m.Layers[0], bytes.NewReader(layer)),
		)
	})
}

// putManifest pushes a manifest past the proxies, by a tag or its digest.
func (w *world) putManifest(ctx context.Context, repository, mediaType, name string, raw []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, w.registry.URL()+"/v2/"+repository+"/manifests/"+name, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", mediaType)
	resp, err := w.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// The connection is used again once all is read.
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("put manifest %s: %s: %s", name, resp.Status, text)
	}
	return nil
}

// signedFor returns n artifacts that the entrant can verify, and makes those
// that are not there yet: by the library or, where the entrant understands no
// others, by its own command.
func (w *world) signedFor(ctx context.Context, e *entrant, n int) ([]string, error) {
	prefix := e.prefix()
	all := w.signed[prefix]
	if missing := n - len(all); missing > 0 {
		w.say("push and sign %d artifacts of %s", missing, prefix)
		more, err := w.push(ctx, prefix, missing)
		if err != nil {
			return nil, err
		}
		if e.SignsItself {
			err = w.signByCommand(ctx, e, more)
		} else {
			err = w.signByLibrary(ctx, more)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
		w.signed[prefix] = all
	}
	return all[:n], nil
}

func (w *world) signByLibrary(ctx context.Context, artifacts []string) error {
	client := remote.NewClient(remote.Options{})
	defer client.CloseIdleConnections()
	return parallel(len(artifacts), parallelSigns, func(i int) error {
		ref, err := oci.ParseReference(w.registry.Host() + "/" + artifacts[i])
		if err != nil {
			return err
		}
		repo, err := client.Repository(ref)
		if err != nil {
			return err
		}
		_, err = notation.Sign(ctx, repo, ref, w.authority.signer, notation.SignOptions{})
		return err
	})
}

func (w *world) signByCommand(ctx context.Context, e *entrant, artifacts []string) error {
	return parallel(len(artifacts), parallelFills, func(i int) error {
		_, err := w.run(ctx, e, e.Commands["sign"], values{"reference": w.registry.Host() + "/" + artifacts[i]})
		return err
	})
}

// artifactsFor returns n artifacts that the entrant is to work on in a row.
func (w *world) artifactsFor(ctx context.Context, e *entrant, r row, n int) ([]string, error) {
	if r.kind == signing {
		return w.push(ctx, freshPrefix, n)
	}
	return w.signedFor(ctx, e, n)
}

// inputs returns what replaces placeholders in the command of a row over n
// artifacts, with references at host.
func (w *world) inputs(ctx context.Context, e *entrant, r row, n int, host string) (values, error) {
	switch {
	case r.crowded:
		crowd, err := w.crowd(ctx, r.plain)
		if err != nil {
			return nil, err
		}
		single, err := w.signedFor(ctx, e, 1)
		if err != nil {
			return nil, err
		}
		return values{
			"reference":  host + "/" + crowd,
			"single":     host + "/" + single[0],
			"signatures": fmt.Sprint(w.config.signatures),
		}, nil
	case r.network():
		artifacts, err := w.artifactsFor(ctx, e, r, n)
		if err != nil {
			return nil, err
		}
		var list strings.Builder
		for _, name := range artifacts {
			fmt.Fprintf(&list, "%s/%s\n", host, name)
		}
		path := filepath.Join(e.home, "references.txt")
		first, _, _ := strings.Cut(list.String(), "\n")
		return values{"reference": first, "list": path}, os.WriteFile(path, []byte(list.String()), 0o600)
	case r.kind == signingFile || r.kind == verifyingFile:
		return w.fileFor(ctx, e, r)
	default:
		return nil, nil
	}
}

// fileFor returns the file, signed by the entrant if it is to verify it.
func (w *world) fileFor(ctx context.Context, e *entrant, r row) (values, error) {
	if w.file == "" {
		path := filepath.Join(w.dir, "file")
		w.say("write a file of %d MiB", w.config.fileSize>>20)
		if err := writeRandom(path, w.config.fileSize); err != nil {
			return nil, err
		}
		w.file = path
	}
	v := values{"file": w.file}
	if line := e.Commands["sign-blob"]; r.kind == verifyingFile && !e.blobOK && line != nil {
		if _, err := w.run(ctx, e, line, v); err != nil {
			return nil, err
		}
		e.blobOK = true
	}
	return v, nil
}

// writeRandom writes a file that nothing can compress or leave out.
func writeRandom(path string, size int64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	source := rand.NewChaCha8([32]byte{1})
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(source, size), make([]byte, copyBuffer))
	return err
}

// kindOf returns the kind of registry of a name.
func kindOf(name string) (registries.Kind, error) {
	var names []string
	for _, k := range registries.All() {
		if k.String() == name {
			return k, nil
		}
		names = append(names, k.String())
	}
	return 0, fmt.Errorf("there is no registry %q, only %s", name, strings.Join(names, ", "))
}

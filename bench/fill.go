package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
)

// signed are the digests of a repository's signed artifacts.
type signed []string

// freshRepository is where artifacts lie that nobody has signed yet.
const freshRepository = "bench/fresh"

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

// push pushes n new artifacts past the proxies and returns their digests.
func (w *world) push(ctx context.Context, repository string, n int) (signed, error) {
	digests := make(signed, n)
	first := w.pushed
	w.pushed += n
	err := parallel(n, parallelPushes, func(i int) error {
		tag := fmt.Sprintf("v%d", first+i)
		repo, err := fixture.Repository(w.registry.Host()+"/"+repository+":"+tag, "", "")
		if err != nil {
			return err
		}
		image, err := fixture.PushImage(ctx, repo, repository+" "+tag)
		digests[i] = image.Digest.String()
		return err
	})
	return digests, err
}

// signedFor returns n artifacts that the entrant can verify, and makes those
// that are not there yet: by the library or, where the entrant understands no
// others, by its own command.
func (w *world) signedFor(ctx context.Context, e *entrant, n int) (signed, error) {
	repository := e.repository()
	all := w.signed[repository]
	if missing := n - len(all); missing > 0 {
		w.say("push and sign %d artifacts of %s", missing, repository)
		more, err := w.push(ctx, repository, missing)
		if err != nil {
			return nil, err
		}
		if e.SignsItself {
			err = w.signByCommand(ctx, e, more)
		} else {
			err = w.signByLibrary(ctx, repository, more)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
		w.signed[repository] = all
	}
	return all[:n], nil
}

func (w *world) signByLibrary(ctx context.Context, repository string, artifacts signed) error {
	client := remote.NewClient(remote.Options{})
	defer client.CloseIdleConnections()
	return parallel(len(artifacts), parallelPushes, func(i int) error {
		ref, err := oci.ParseReference(w.registry.Host() + "/" + repository + "@" + artifacts[i])
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

func (w *world) signByCommand(ctx context.Context, e *entrant, artifacts signed) error {
	return parallel(len(artifacts), parallelFills, func(i int) error {
		_, err := w.run(ctx, e, e.Commands["sign"], values{"reference": w.registry.Host() + "/" + e.repository() + "@" + artifacts[i]})
		return err
	})
}

// referencesFor returns what the entrant is to work on in a row, and where it
// lies.
func (w *world) referencesFor(ctx context.Context, e *entrant, r row) (repository string, artifacts signed, err error) {
	n := r.artifacts(w.config)
	if r.kind == signing {
		artifacts, err = w.push(ctx, freshRepository, n)
		return freshRepository, artifacts, err
	}
	artifacts, err = w.signedFor(ctx, e, n)
	return e.repository(), artifacts, err
}

// inputs returns what replaces placeholders in the command of a row, with
// references at host.
func (w *world) inputs(ctx context.Context, e *entrant, r row, host string) (values, error) {
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
			"reference":  host + "/" + crowdRepository + "@" + crowd.String(),
			"single":     host + "/" + e.repository() + "@" + single[0],
			"signatures": fmt.Sprint(w.config.signatures),
		}, nil
	case r.network():
		repository, artifacts, err := w.referencesFor(ctx, e, r)
		if err != nil {
			return nil, err
		}
		var list strings.Builder
		for _, d := range artifacts {
			fmt.Fprintf(&list, "%s/%s@%s\n", host, repository, d)
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

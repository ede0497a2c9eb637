package remote

import (
	"context"
	"sync"

	"github.com/notaryv2/notation/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// sharedConfigs remember for each repository that it has the empty object, which
// is the config of every signature. So it is pushed once for a client and
// repository and not with each signature; and not by several at the same moment,
// which distribution refuses.
type sharedConfigs struct {
	mu    sync.Mutex
	repos map[string]*configPush
}

// configPush is the push of the config to a repository.
type configPush struct {
	begun bool
	done  chan struct{}
	err   error // when done; nil: it is there
	again bool  // when done: whoever pushed has given up, which says nothing about the registry
}

func newSharedConfigs() *sharedConfigs { return &sharedConfigs{repos: map[string]*configPush{}} }

func isSharedConfig(d oci.Descriptor) bool {
	return d.Digest == ocispec.DescriptorEmptyJSON.Digest && d.Size == ocispec.DescriptorEmptyJSON.Size
}

// sharedConfig returns the config among blobs, or nil.
func sharedConfig(blobs []oci.Blob) *oci.Blob {
	for i := range blobs {
		if isSharedConfig(blobs[i].Descriptor) {
			return &blobs[i]
		}
	}
	return nil
}

func (r *Repository) configKey() string {
	return r.scheme + "://" + r.host + "/" + r.name.Repository()
}

// claim reports whether the caller is the first who is going to need the config
// in a repository, and so likely to be the one to push it.
func (s *sharedConfigs) claim(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, first := s.get(key)
	return first
}

// get returns the entry of a repository, and whether there was none. s.mu is held.
func (s *sharedConfigs) get(key string) (p *configPush, first bool) {
	if p := s.repos[key]; p != nil {
		return p, false
	}
	if len(s.repos) >= maxSharedConfigs {
		clear(s.repos) // at worst it is pushed once more
	}
	p = &configPush{done: make(chan struct{})}
	s.repos[key] = p
	return p, true
}

// once has do push the config, or waits for somebody else's push. done says that
// do was called.
func (s *sharedConfigs) once(ctx context.Context, key string, do func() error) (done bool, err error) {
	for {
		s.mu.Lock()
		p, _ := s.get(key)
		mine := !p.begun
		p.begun = true
		s.mu.Unlock()
		if mine {
			err := do()
			s.end(ctx, key, p, err)
			return true, err
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
		if !p.again {
			return false, p.err
		}
	}
}

func (s *sharedConfigs) end(ctx context.Context, key string, p *configPush, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.err, p.again = err, err != nil && ctx.Err() != nil
	if err != nil && s.repos[key] == p {
		delete(s.repos, key)
	}
	close(p.done)
}

// forget has the config pushed again by whoever needs it next.
func (s *sharedConfigs) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.repos, key)
}

// pushConfig pushes the config unless the repository has it, through a session if
// there is one. A session that is not needed is ended.
func (r *Repository) pushConfig(ctx context.Context, b oci.Blob, open session, ok bool) error {
	done, err := r.client.configs.once(ctx, r.configKey(), func() error { return r.pushBlob(ctx, b, open, ok) })
	if !done && ok {
		(&sessions{r: r, list: []session{open}}).cancel(ctx)
	}
	if !done && err != nil && ctx.Err() != nil {
		return r.transportError(ctx, request{what: "an upload to " + r.Name()}, err)
	}
	return err
}

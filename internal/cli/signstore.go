package cli

import (
	"context"
	"sync"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/signer"
)

const (
	// maxKeyProcesses bounds the processes of a plugin that sign at the same
	// time. A service that holds keys answers within some tenths of a second, so
	// that these make some dozen signatures a second; many tokens have no room
	// for more sessions.
	maxKeyProcesses = 8
	// maxStamping bounds the signatures that are being time-stamped at the same
	// time: authorities serve the public, and turn away who asks for too much.
	maxStamping = 4
	// storeGrace is how long a signature that is being stored may take once an
	// interrupt has come. It is then known to be there, which is worth a moment.
	storeGrace = 3 * time.Second
)

// keyHolder bounds how often a key is used at the same time.
type keyHolder struct {
	signer.Signer
	places chan struct{}
}

// holdKey bounds the use of a key that a plugin holds; others are as fast as the
// machine.
func holdKey(key signer.Signer, most int) signer.Signer {
	if _, plugin := key.(signer.BlobSigner); !plugin {
		return key
	}
	return &keyHolder{key, make(chan struct{}, min(most, maxKeyProcesses))}
}

// Sign implements [signer.Signer].
func (k *keyHolder) Sign(ctx context.Context, r envelope.Request) (signer.Result, error) {
	select {
	case k.places <- struct{}{}:
	case <-ctx.Done():
		return signer.Result{}, context.Cause(ctx)
	}
	defer func() { <-k.places }()
	return k.Signer.Sign(ctx, r)
}

// storage is a repository in which one signature is being stored. An interrupt
// ends everything before that at once, and leaves the storing some time.
type storage struct {
	oci.Repository
	stamping chan struct{} // places for those who ask for a time stamp; nil: nobody does
	found    func()        // is told when the artifact has been found; nil: nobody

	mu    sync.Mutex
	ended error // the interrupt
	begun bool  // to store
}

// guard returns a context that ends as ctx does, but for the time that storing has.
func (s *storage) guard(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended = context.Cause(ctx)
		if !s.begun || isTimeUp(s.ended) {
			cancel(s.ended)
			return
		}
		end := time.AfterFunc(storeGrace, func() { cancel(s.ended) })
		context.AfterFunc(work, func() { end.Stop() })
	})
	return work, func() {
		stop()
		cancel(nil)
	}
}

// Attach implements [oci.Repository].
func (s *storage) Attach(ctx context.Context, ref oci.Reference, build func(oci.Descriptor) (oci.Attachment, error)) (oci.Attached, error) {
	return s.Repository.Attach(ctx, ref, func(subject oci.Descriptor) (oci.Attachment, error) {
		if s.found != nil {
			s.found()
		}
		if s.stamping != nil {
			select {
			case s.stamping <- struct{}{}:
				defer func() { <-s.stamping }()
			case <-ctx.Done():
				return oci.Attachment{}, context.Cause(ctx)
			}
		}
		a, err := build(subject)
		if err == nil {
			err = s.begin()
		}
		return a, err
	})
}

// begin says that something is going to be stored, unless an interrupt has come.
func (s *storage) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = s.ended == nil
	return s.ended
}

// interrupted reports whether an interrupt has come, and whether something may
// have been stored then. Where there is no storage, neither is so.
func (s *storage) interrupted() (ended, stored bool) {
	if s == nil {
		return false, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended != nil, s.begun
}

// sign makes and stores one signature.
func (s *storage) sign(ctx context.Context, ref oci.Reference, key signer.Signer, o notation.SignOptions) (notation.Signed, error) {
	work, end := s.guard(ctx)
	defer end()
	return notation.Sign(work, s, ref, key, o)
}

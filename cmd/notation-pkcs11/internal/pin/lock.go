package pin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/notaryv2/notation/reason"
)

// Guard keeps the programs of one user apart that use the same module.
//
// A program that logs in does so alone: a hundred of them with a wrong PIN then
// spend one try and not all, since each looks at the token's count first. And
// while one logs in no other looks for tokens and keys, because a module that
// keeps its tokens in files, such as SoftHSM, writes to them then, and whoever
// reads in that moment finds half a token. Signing is not guarded.
//
// It is safe for concurrent use within a process, whose goroutines it does not
// keep apart but for logging in. Locks end with the process.
type Guard struct {
	dir  string
	file *flock.Flock
	err  error         // why there is no file
	turn chan struct{} // held while the lock changes
}

// NewGuard returns a guard with a lock in dir, which is made if it is missing,
// for the user alone. name may be any text.
func NewGuard(dir, name string) *Guard {
	g := &Guard{dir: dir, turn: make(chan struct{}, 1)}
	if dir == "" {
		g.err = os.ErrNotExist
		return g
	}
	if g.err = os.MkdirAll(dir, 0o700); g.err == nil {
		g.file = flock.New(g.path(name, ".lock"), flock.SetPermissions(0o600))
	}
	return g
}

// path returns the path of a file that is about what a text names.
func (g *Guard) path(name, extension string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(g.dir, hex.EncodeToString(sum[:16])+extension)
}

// refusedExtension is that of empty files which say that a PIN was refused.
const refusedExtension = ".refused"

// Refused reports whether a PIN of the token of that name was refused and none
// was taken since, as far as [Guard.Remember] was told. It is for tokens that do
// not tell themselves, and knows nothing of the PIN.
func (g *Guard) Refused(token string) bool {
	if g.err != nil {
		return false
	}
	_, err := os.Lstat(g.path(token, refusedExtension))
	return err == nil
}

// Remember remembers whether the last PIN of a token was refused. Whoever is to
// be kept from trying one must not look before: see [Guard.Alone].
func (g *Guard) Remember(token string, refused bool) error {
	if g.err != nil {
		return g.err
	}
	path := g.path(token, refusedExtension)
	if !refused {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Look waits until nobody logs in, and lets nobody do so until Done. Where there
// can be no lock it does nothing: to look without one is safe for the PIN.
func (g *Guard) Look(ctx context.Context) error {
	if err := g.take(ctx); err != nil {
		return err
	}
	defer func() { <-g.turn }()
	g.look(ctx)
	return ctx.Err()
}

func (g *Guard) look(ctx context.Context) {
	if g.err == nil && !g.file.RLocked() {
		_, _ = g.file.TryRLockContext(ctx, lockRetry)
	}
}

// Done ends Look.
func (g *Guard) Done() {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.err == nil {
		_ = g.file.Unlock()
	}
}

// Alone does something while no other program looks or is alone, and looks
// afterwards. Without a lock it is not done. The error is that of do, or a
// *reason.Error with the code token.pin-lock or token.interrupted.
func (g *Guard) Alone(ctx context.Context, do func() error) error {
	if err := g.take(ctx); err != nil {
		return err
	}
	defer func() { <-g.turn }()
	err := g.err
	if err == nil {
		_ = g.file.Unlock()
		_, err = g.file.TryLockContext(ctx, lockRetry)
	}
	switch {
	case ctx.Err() != nil:
		return waited(ctx)
	case err != nil:
		return reason.Wrap(reason.TokenPINLock, err, "the lock that guards the PIN against wrong tries cannot be taken").
			WithHint("Set $NOTATION_CACHE to a directory that you may write.")
	}
	defer g.look(ctx)
	defer func() { _ = g.file.Unlock() }()
	return do()
}

func (g *Guard) take(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return waited(ctx)
	}
}

func waited(ctx context.Context) error {
	return reason.Wrap(reason.TokenInterrupted, ctx.Err(), "another program was using the token, and the time was up").
		WithHint("Try again, or allow more time.")
}

package pin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
// keep apart but for logging in. Locks end with the process; until then
// whoever looks has to say that it is done, or the others wait.
type Guard struct {
	dir  string
	name string
	file *flock.Flock
	err  error         // why there is no file
	turn chan struct{} // held while the lock changes
}

// NewGuard returns a guard with a lock in dir, which is made if it is missing,
// for the user alone. name may be any text; it says in messages what is guarded,
// as in "module /usr/lib/m.so".
func NewGuard(dir, name string) *Guard {
	g := &Guard{dir: dir, name: name, turn: make(chan struct{}, 1)}
	if dir == "" {
		g.err = os.ErrNotExist
		return g
	}
	if g.err = os.MkdirAll(dir, 0o700); g.err == nil {
		g.file = flock.New(g.path(name, ".lock"), flock.SetPermissions(0o600))
	}
	return g
}

// ForModule returns the guard of all programs that use the module of a path.
func ForModule(dir, path string) *Guard { return NewGuard(dir, "module "+path) }

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

// Look waits until nobody logs in, and lets nobody do so until Done; whoever does
// not call Done keeps all others from logging in as long as the process lives.
// Where there can be no lock it does nothing: to look without one is safe for the
// PIN. The error is a *reason.Error with the code token.interrupted; it does not
// look then. That comes after 45 seconds at the latest.
func (g *Guard) Look(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	if err := g.take(waiting); err != nil {
		return err
	}
	defer func() { <-g.turn }()
	return g.look(waiting)
}

// look is Look for whoever has the turn.
func (g *Guard) look(waiting context.Context) error {
	if g.err != nil || g.file.RLocked() {
		return nil
	}
	if _, err := g.file.TryRLockContext(waiting, lockRetry); err != nil && waiting.Err() != nil {
		return g.waited(waiting.Err())
	}
	return nil
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
// afterwards, if it can, until Done. Without a lock it is not done. The error is
// that of do, or a *reason.Error with the code token.pin-lock or, after four
// minutes at the latest, token.interrupted. What is done has no such bound.
func (g *Guard) Alone(ctx context.Context, do func() error) error {
	waiting, cancel := context.WithTimeout(ctx, aloneWait)
	defer cancel()
	if err := g.take(waiting); err != nil {
		return err
	}
	defer func() { <-g.turn }()
	if err := g.lock(waiting); err != nil {
		return err
	}
	defer g.lookAgain(ctx)
	if ctx.Err() != nil {
		return g.waited(ctx.Err())
	}
	return do()
}

// lock takes the lock for this program alone, or has none.
func (g *Guard) lock(waiting context.Context) error {
	err := g.err
	if err == nil {
		_ = g.file.Unlock()
		_, err = g.file.TryLockContext(waiting, lockRetry)
	}
	switch {
	case err == nil:
		return nil
	case waiting.Err() != nil:
		return g.waited(waiting.Err())
	}
	return reason.Wrap(reason.TokenPINLock, err, "the lock that guards the PIN against wrong tries cannot be taken").
		WithHint("Set $NOTATION_CACHE to a directory that you may write.")
}

// lookAgain lets others look and does so, too. What was to be done alone is done
// by then, and so it is no fault if that takes too long.
func (g *Guard) lookAgain(ctx context.Context) {
	_ = g.file.Unlock()
	waiting, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	_ = g.look(waiting)
}

// take waits for the turn among the goroutines of this process.
func (g *Guard) take(waiting context.Context) error {
	if waiting.Err() != nil {
		return g.waited(waiting.Err())
	}
	select {
	case g.turn <- struct{}{}:
		return nil
	case <-waiting.Done():
		return g.waited(waiting.Err())
	}
}

// waited says what was waited for, and how to find out who has it.
func (g *Guard) waited(err error) error {
	hint := "Try again when nobody is asked for a PIN any more."
	if g.err == nil {
		hint = fmt.Sprintf("See which program has the file %s open: it may be asking for a PIN, or hang. Try again when it has ended.", quote(g.file.Path()))
	}
	return reason.Wrap(reason.TokenInterrupted, err, "another program was using the %s for as long as it was waited for", strings.Trim(quote(g.name), `"`)).
		WithHint("%s", hint)
}

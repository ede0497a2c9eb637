// Package token signs with keys on PKCS #11 tokens: smart cards, HSMs, and
// whatever else has a module.
//
// [Load] loads a module, [Module.Open] chooses a token by a URI, and
// [Token.Key] a key on it. Everything that is public is found without logging
// in, so a PIN is only used when a signature is to be made; then the process
// logs in once, however many signatures follow and however many goroutines make
// them, and keeps a bounded number of sessions.
//
// A PIN is tried at most once in the life of a Token. Before that the token is
// asked how many tries are left, under a lock that all programs of the user
// share: a PIN from a file or variable is not tried if a wrong one was given
// before, and at the last try only a person decides.
//
// Errors are of type *reason.Error with codes "token.*". Texts from a token are
// quoted in them.
package token

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/reason"
)

// cryptoki is what is needed of a module: of *pkcs11.Ctx, whose methods are
// those of PKCS #11.
type cryptoki interface {
	GetInfo() (pkcs11.Info, error)
	GetSlotList(tokenPresent bool) ([]uint, error)
	GetSlotInfo(slot uint) (pkcs11.SlotInfo, error)
	GetTokenInfo(slot uint) (pkcs11.TokenInfo, error)
	OpenSession(slot, flags uint) (pkcs11.SessionHandle, error)
	CloseSession(h pkcs11.SessionHandle) error
	Login(h pkcs11.SessionHandle, user uint, pin string) error
	FindObjectsInit(h pkcs11.SessionHandle, template []*pkcs11.Attribute) error
	FindObjects(h pkcs11.SessionHandle, most int) ([]pkcs11.ObjectHandle, bool, error)
	FindObjectsFinal(h pkcs11.SessionHandle) error
	GetAttributeValue(h pkcs11.SessionHandle, o pkcs11.ObjectHandle, a []*pkcs11.Attribute) ([]*pkcs11.Attribute, error)
	SignInit(h pkcs11.SessionHandle, m []*pkcs11.Mechanism, o pkcs11.ObjectHandle) error
	Sign(h pkcs11.SessionHandle, data []byte) ([]byte, error)
	Finalize() error
}

var _ cryptoki = (*pkcs11.Ctx)(nil)

// Module is a loaded PKCS #11 library. It is safe for concurrent use.
type Module struct {
	c      cryptoki
	path   string
	info   pkcs11.Info
	shared bool
	guard  *pin.Guard
}

// Load loads a module, which runs code of it, and initialises it for use by
// several threads. path is absolute: a bare name would be searched for in
// places that the environment decides. A file that any user may change is not
// loaded. lockDir is for the locks of [pin.Guard]; the module is looked at until
// it is closed or released, or the first signature is made or fails, and until
// then no other program can log in. The error has the code
// token.module or token.interrupted.
func Load(ctx context.Context, path, lockDir string) (*Module, error) {
	if err := checkModule(path); err != nil {
		return nil, err
	}
	guard := pin.ForModule(lockDir, path)
	if err := guard.Look(ctx); err != nil {
		return nil, err
	}
	m, err := initialise(path)
	if err != nil {
		guard.Done()
		return nil, err
	}
	m.guard = guard
	return m, nil
}

func initialise(path string) (*Module, error) {
	c := pkcs11.New(path)
	if c == nil {
		return nil, reason.Errorf(reason.TokenModule, "%s is no PKCS #11 module that can be loaded here", quote(path)).
			WithHint("Give the library of the token's maker for this operating system and processor, with all libraries that it needs.")
	}
	// Another user of the library in this process may have initialised it, and
	// then has to end its use as well.
	err := c.Initialize()
	shared := errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED))
	if err != nil && !shared {
		return nil, moduleFault(path, err)
	}
	m, err := newModule(c, path)
	if err != nil {
		return nil, err
	}
	m.shared = shared
	return m, nil
}

func newModule(c cryptoki, path string) (*Module, error) {
	info, err := c.GetInfo()
	if err != nil {
		return nil, moduleFault(path, err)
	}
	return &Module{c: c, path: path, info: info}, nil
}

func moduleFault(path string, err error) error {
	return reason.Wrap(reason.TokenModule, err, "the PKCS #11 module %s cannot be used", quote(path)).
		WithHint("Check the module's own configuration, and that the service behind it runs, such as pcscd.")
}

// checkModule looks at the file before code of it runs, and at the directories
// that it lies in and is linked from: who may write there may replace it.
func checkModule(path string) error {
	if !filepath.IsAbs(path) {
		return reason.Errorf(reason.TokenModule, "the PKCS #11 module %s is not named by an absolute path", quote(path)).
			WithHint("Give the whole path, such as /usr/lib/softhsm/libsofthsm2.so.")
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		resolved = path // of which the next look says what is wrong
	}
	for _, file := range []string{path, filepath.Dir(path), filepath.Dir(resolved)} {
		info, err := os.Stat(file)
		if err != nil {
			return reason.Errorf(reason.TokenModule, "there is no PKCS #11 module %s: %v", quote(path), errors.Unwrap(err)).
				WithHint("Install the module of the token's maker, or correct the path: --plugin-config module=/path or $NOTATION_PKCS11_MODULE.")
		}
		mode := info.Mode()
		switch {
		case file == path && !mode.IsRegular():
			return reason.Errorf(reason.TokenModule, "the PKCS #11 module %s is no regular file", quote(path)).
				WithHint("Give the path of the library itself.")
		case runtime.GOOS != "windows" && mode.Perm()&0o002 != 0 && mode&os.ModeSticky == 0:
			return reason.Errorf(reason.TokenModule, "the PKCS #11 module %s will not be loaded: any user may change %s", quote(path), quote(file)).
				WithHint("If nobody has, take the permission away: chmod o-w %s", quote(file))
		}
	}
	return nil
}

// Path returns the path that the module was loaded from.
func (m *Module) Path() string { return m.path }

// Release ends looking at the module, so that other programs can log in. The
// module stays loaded, and its keys can sign.
func (m *Module) Release() { m.guard.Done() }

// Close ends the use of the module. Tokens and keys of it are of no use then.
func (m *Module) Close() error {
	defer m.guard.Done()
	if m.shared {
		return nil
	}
	if err := m.c.Finalize(); err != nil {
		return fmt.Errorf("finalize the module: %w", err)
	}
	return nil
}

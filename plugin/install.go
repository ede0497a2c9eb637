package plugin

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
)

// Names in the plugin directory that are no plugins'. They start with a dot, as
// no plugin's name can.
const (
	lockName    = ".lock"
	stagePrefix = ".install-"
	trashPrefix = ".removed-"
)

// InstallOptions are the choices of [Host.Install]. The zero value is the safe
// one.
type InstallOptions struct {
	// Force replaces a plugin of the same or a later version, and one that is
	// broken.
	Force bool

	// Client fetches URLs; nil is a client that follows the proxy settings of
	// the environment. Its CheckRedirect is not used.
	Client *http.Client
}

// Installed says what [Host.Install] has done.
type Installed struct {
	Metadata Metadata
	Path     string // of the program
	Previous string // the version that was replaced; "" if there was none or it could not be told
}

// Install installs or upgrades one plugin. The checksum, if there is one, is
// compared before anything is looked into. Then the program is unpacked beside
// the others and asked for its metadata, so installing a plugin runs it. Only
// then does it take its place, in one step: whatever goes wrong before, what
// was installed stays whole.
//
// The error has the code plugin.source, plugin.download, plugin.checksum,
// plugin.archive, plugin.installed, plugin.write or plugin.lock, or one that
// [Host.Get] gives for the new program.
func (h *Host) Install(ctx context.Context, source InstallSource, o InstallOptions) (*Installed, error) {
	if err := source.check(); err != nil {
		return nil, err
	}
	unlock, err := h.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := checkPath(h.Dir, os.Stat, fs.FileMode.IsDir, "directory"); err != nil {
		return nil, err
	}
	stage, err := h.stage()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(stage)

	if err := h.step("fetch"); err != nil {
		return nil, err
	}
	file, err := source.fetch(ctx, o.Client, filepath.Join(stage, "source"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := h.step("unpack"); err != nil {
		return nil, err
	}
	programs := filepath.Join(stage, "programs")
	name, err := unpack(file, source.fileName(), programs)
	if err != nil {
		return nil, err
	}
	if err := h.step("try"); err != nil {
		return nil, err
	}
	trial := &Host{Dir: programs, Env: h.Env, grace: h.grace}
	fresh, err := trial.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	installed := &Installed{Metadata: fresh.Metadata(), Path: filepath.Join(h.Dir, name, fileName(name))}
	if installed.Previous, err = h.mayReplace(ctx, fresh, o.Force); err != nil {
		return nil, err
	}
	if err := h.publish(programs, name); err != nil {
		return nil, err
	}
	return installed, nil
}

// mayReplace says whether a plugin that is there may give way to fresh, and
// what version it has.
func (h *Host) mayReplace(ctx context.Context, fresh *Plugin, force bool) (string, error) {
	old, err := h.Get(ctx, fresh.name)
	switch {
	case reason.Of(err) == reason.PluginNotFound:
		return "", nil
	case ctx.Err() != nil:
		return "", err
	case err != nil && !force:
		return "", reason.Wrap(reason.PluginInstalled, err, "the plugin %s is installed and is broken, so its version cannot be told", fresh.name).
			WithHint("Replace it with --force.")
	case err != nil:
		return "", nil
	}
	have, get := old.metadata.Version, fresh.metadata.Version
	if order := CompareVersions(get, have); order <= 0 && !force {
		return "", reason.Errorf(reason.PluginInstalled, "the plugin %s is installed in version %s, and version %s is not later", fresh.name, have, get).
			WithHint("Keep it, or replace it with --force.")
	}
	return have, nil
}

// publish moves the program from the staging directory to its place.
func (h *Host) publish(programs, name string) error {
	if err := h.step("publish"); err != nil {
		return err
	}
	dir := filepath.Join(h.Dir, name)
	from, to, changed := filepath.Join(programs, name), dir, h.Dir
	switch info, err := os.Lstat(dir); {
	case err == nil && !info.IsDir():
		return unsafe("%q is no directory", dir).WithHint("Remove it, and install the plugin again.")
	case err == nil:
		from, to, changed = filepath.Join(from, fileName(name)), filepath.Join(dir, fileName(name)), dir
	case !errors.Is(err, fs.ErrNotExist):
		return writeFault(err)
	}
	// The program's entry in its new directory goes to the disk first.
	if err := syncDir(filepath.Join(programs, name)); err != nil {
		return writeFault(err)
	}
	if err := os.Rename(from, to); err != nil {
		return writeFault(err)
	}
	return h.sync(changed)
}

// sync makes a change of a directory durable.
func (h *Host) sync(dir string) error {
	if err := h.step("sync"); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return writeFault(err)
	}
	return nil
}

// Uninstall removes a plugin, be it broken or not, and everything in its
// directory. A symbolic link in that place is removed and not followed.
func (h *Host) Uninstall(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	dir := filepath.Join(h.Dir, name)
	missing := reason.Errorf(reason.PluginNotFound, "the plugin %s is not installed", quote(name)).
		WithHint("See what is with 'notation plugin list'.")
	if _, err := os.Lstat(dir); h.Dir == "" || errors.Is(err, fs.ErrNotExist) {
		return missing
	}
	unlock, err := h.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := h.sweep(); err != nil {
		return err
	}
	trash, err := os.MkdirTemp(h.Dir, trashPrefix)
	if err != nil {
		return writeFault(err)
	}
	defer os.RemoveAll(trash)
	if err := h.step("remove"); err != nil {
		return err
	}
	err = os.Rename(dir, filepath.Join(trash, name)) // gone for others before it is taken apart
	if errors.Is(err, fs.ErrNotExist) {
		return missing
	}
	if err != nil {
		return writeFault(err)
	}
	return h.sync(h.Dir) // lest it be back after a power failure
}

// lock makes the plugin directory and keeps other installations out of it.
func (h *Host) lock(ctx context.Context) (unlock func(), err error) {
	if h.Dir == "" {
		return nil, reason.Errorf(reason.PluginDirectory, "there is no directory for plugins")
	}
	if err := h.step("directory"); err != nil {
		return nil, err
	}
	if err := (atomicfile.Writer{}).MkdirAll(h.Dir); err != nil {
		return nil, writeFault(err)
	}
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock := flock.New(filepath.Join(h.Dir, lockName))
	if _, err := lock.TryLockContext(waiting, lockRetry); err != nil {
		return nil, reason.Wrap(reason.PluginLock, safePath(err), "the plugin directory %q cannot be locked", h.Dir).
			WithHint("Another program may be installing a plugin; try again when it has ended.")
	}
	return func() { _ = lock.Unlock() }, nil
}

// stage makes a directory for what is being installed, on the file system where
// it will go. The lock must be held.
func (h *Host) stage() (string, error) {
	if err := h.step("stage"); err != nil {
		return "", err
	}
	if err := h.sweep(); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(h.Dir, stagePrefix)
	if err != nil {
		return "", writeFault(err)
	}
	return dir, nil
}

// sweep removes what others left when they died. The lock must be held.
func (h *Host) sweep() error {
	entries, err := os.ReadDir(h.Dir)
	if err != nil {
		return h.unreadable(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagePrefix) || strings.HasPrefix(e.Name(), trashPrefix) {
			_ = os.RemoveAll(filepath.Join(h.Dir, e.Name()))
		}
	}
	return nil
}

// step is where tests interrupt.
func (h *Host) step(name string) error {
	if h.before == nil {
		return nil
	}
	if err := h.before(name); err != nil {
		return writeFault(err)
	}
	return nil
}

func writeFault(err error) error {
	return reason.Wrap(reason.PluginWrite, safePath(err), "the plugin directory cannot be changed").
		WithHint("Check permissions and free space.")
}

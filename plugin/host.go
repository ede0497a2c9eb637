package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// Host runs the plugins of one directory. Its zero value has none. It must not
// be changed once it is in use, and is then safe for concurrent use.
type Host struct {
	// Dir holds a directory for each plugin, with its program in it:
	// <Dir>/<name>/notation-<name>, on Windows with the suffix .exe.
	Dir string

	// Beside names programs outside of Dir by the name of the plugin: those that
	// come with the host, and are as trustworthy as itself. Their directories are
	// not looked at, only the programs. One of the same name in Dir goes first.
	Beside map[string]string

	// Env is the environment from which that of plugins is made, by leaving out
	// credentials that are not theirs; nil is this process's own.
	Env []string

	grace  time.Duration           // until a plugin that should end is killed; 0: graceTime
	before func(step string) error // called before each change of Dir, and what it returns is the step's error
}

// NewHost returns the host for the plugins in dir, which need not exist.
func NewHost(dir string) *Host { return &Host{Dir: dir} }

// Plugin is a plugin that was found and has told what it can do. It is safe for
// concurrent use; each call starts a process. Its zero value can do nothing.
type Plugin struct {
	host     *Host
	name     string
	metadata Metadata
}

// Name returns the name under which the plugin is installed.
func (p *Plugin) Name() string { return p.name }

// Metadata returns what the plugin says about itself; it has been checked, and
// its texts can be printed. The value is the caller's own.
func (p *Plugin) Metadata() Metadata { return p.metadata.clone() }

// Can reports whether the plugin has a capability.
func (p *Plugin) Can(c Capability) bool { return slices.Contains(p.metadata.Capabilities, c) }

// need returns an error unless the plugin has the capability.
func (p *Plugin) need(c Capability) error {
	if p.Can(c) {
		return nil
	}
	return reason.Errorf(reason.PluginCapability, "the plugin %s does not have the capability %s", quote(p.name), c).
		WithHint("Use a plugin that has it; 'notation plugin list' shows the capabilities.")
}

// Get finds the plugin of the given name and asks it for its metadata. The
// error has the code plugin.name, plugin.not-found or plugin.unsafe if nothing
// was run, plugin.metadata or plugin.contract if the metadata will not do, or
// that of a failed call.
func (h *Host) Get(ctx context.Context, name string) (*Plugin, error) {
	p := &Plugin{host: h, name: name}
	answer, err := p.run(ctx, CommandMetadata, MetadataRequest{})
	if err != nil {
		return nil, err
	}
	if p.metadata, err = parseMetadata(answer, name); err != nil {
		return nil, err
	}
	return p, nil
}

// Listed is an entry of the plugin directory. Err, if not nil, says why it is
// not usable; Metadata is then empty.
type Listed struct {
	Name     string // as in the directory; it may hold anything if Err is not nil
	Metadata Metadata
	Err      error
}

// List asks every plugin for its metadata, a few at a time. The result is
// ordered by name, and one broken plugin is no error of the whole. Files beside
// the plugins' directories, and names that start with a dot, are passed over.
func (h *Host) List(ctx context.Context) ([]Listed, error) {
	names, err := h.names()
	if err != nil {
		return nil, err
	}
	all := make([]Listed, len(names))
	var group errgroup.Group
	group.SetLimit(listAtOnce)
	for i, name := range names {
		group.Go(func() error {
			all[i].Name = name
			p, err := h.Get(ctx, name)
			if err != nil {
				all[i].Err = err
				return nil
			}
			all[i].Metadata = p.Metadata()
			return nil
		})
	}
	_ = group.Wait() // each error is in its entry
	if err := ctx.Err(); err != nil {
		return nil, reason.Wrap(reason.PluginInterrupted, err, "listing the plugins was interrupted")
	}
	return all, nil
}

// names returns the names of what may be plugins, in order.
func (h *Host) names() ([]string, error) {
	names, err := h.installed()
	if err != nil {
		return nil, err
	}
	for name, program := range h.Beside {
		if _, err := os.Lstat(program); err == nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// installed returns what may be plugins in Dir.
func (h *Host) installed() ([]string, error) {
	if h.Dir == "" {
		return nil, nil
	}
	dir, err := os.Open(h.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, h.unreadable(err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxPlugins + 1)
	if err != nil && len(entries) == 0 && !errors.Is(err, io.EOF) {
		return nil, h.unreadable(err)
	}
	if len(entries) > maxPlugins {
		return nil, reason.Errorf(reason.PluginDirectory, "the plugin directory %q has more than %d entries", h.Dir, maxPlugins)
	}
	var names []string
	for _, e := range entries {
		if !e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (h *Host) unreadable(err error) error {
	return reason.Wrap(reason.PluginDirectory, safePath(err), "the plugin directory %q cannot be read", h.Dir).
		WithHint("Check that it is a directory, and who may read it.")
}

// locate returns the absolute path of a plugin's program after it has been
// checked. It is done again before each start.
func (h *Host) locate(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	missing := reason.Errorf(reason.PluginNotFound, "the plugin %s is not installed", quote(name)).
		WithHint("Install it with 'notation plugin install'.")
	program, err := h.locateInstalled(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return program, err
	}
	program, ok := h.Beside[name]
	if !ok {
		return "", missing
	}
	switch err := checkPath(program, os.Lstat, fs.FileMode.IsRegular, "regular file"); {
	case errors.Is(err, fs.ErrNotExist):
		return "", missing
	case err != nil:
		return "", err
	}
	return filepath.Abs(program)
}

// locateInstalled is locate for the plugins in Dir, with fs.ErrNotExist for
// none.
func (h *Host) locateInstalled(name string) (string, error) {
	if h.Dir == "" {
		return "", fs.ErrNotExist
	}
	base, err := filepath.Abs(h.Dir)
	if err != nil {
		return "", h.unreadable(err)
	}
	dir := filepath.Join(base, name)
	program := filepath.Join(dir, fileName(name))
	for _, check := range []func() error{
		func() error { return checkPath(base, os.Stat, fs.FileMode.IsDir, "directory") },
		func() error { return checkPath(dir, os.Lstat, fs.FileMode.IsDir, "directory") },
		func() error { return checkPath(program, os.Lstat, fs.FileMode.IsRegular, "regular file") },
	} {
		if err := check(); err != nil {
			return "", err
		}
	}
	return program, nil
}

// checkPath holds one element of a plugin's path against the rules: its kind,
// its owner, and who may change it. Only the plugin directory itself may be
// reached through a symbolic link, as that is the user's own setting.
func checkPath(path string, stat func(string) (fs.FileInfo, error), kind func(fs.FileMode) bool, noun string) error {
	info, err := stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		return unsafe("%q cannot be looked at: %w", path, safePath(err))
	}
	mode := info.Mode()
	switch {
	case !kind(mode):
		return unsafe("%q is no %s", path, noun).WithHint("Install the plugin again; symbolic links are not followed.")
	case !ownedByUs(info):
		return unsafe("%q belongs to another user", path).WithHint("Make it belong to you or to root, if you trust it.")
	case runtime.GOOS == "windows": // its permissions are not in the mode
		return nil
	case mode.Perm()&0o022 != 0:
		return unsafe("%q can be changed by other users", path).WithHint("If nobody has, take the permission away: chmod go-w %q", path)
	case mode.IsDir():
		return nil
	case mode&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		return unsafe("%q runs with the rights of its owner or group", path).WithHint("Take that away: chmod ug-s %q", path)
	case mode.Perm()&0o111 == 0:
		return unsafe("%q is not executable", path).WithHint("Make it executable: chmod u+x %q", path)
	}
	return nil
}

func unsafe(format string, args ...any) *reason.Error {
	return reason.Wrap(reason.PluginUnsafe, fmt.Errorf(format, args...), "the plugin will not be run")
}

// call runs a command and decodes the answer.
func (p *Plugin) call(ctx context.Context, command Command, request, answer any) error {
	data, err := p.run(ctx, command, request)
	if err != nil {
		return err
	}
	if err := decode(data, answer); err != nil {
		return malformed(command, err)
	}
	return nil
}

func malformed(command Command, err error) error {
	return reason.Wrap(reason.PluginAnswer, err, "the plugin's answer to %s cannot be read", command).
		WithHint("Tell the maker of the plugin.")
}

// lie is the error for an answer that is well-formed and not true.
func lie(code reason.Code, format string, args ...any) *reason.Error {
	return reason.Errorf(code, "the plugin's answer is wrong: "+format, args...).
		WithHint("Do not use this plugin; tell its maker.")
}

// run starts the plugin with one command and returns its standard output.
func (p *Plugin) run(ctx context.Context, command Command, request any) ([]byte, error) {
	if p.host == nil {
		return nil, reason.Errorf(reason.PluginNotFound, "there is no plugin")
	}
	program, err := p.host.locate(p.name)
	if err != nil {
		return nil, err
	}
	data, err := strictjson.Marshal(request)
	if err != nil {
		return nil, reason.Errorf(reason.PluginRequest, "the plugin %s cannot be asked: a text of the request is not UTF-8", p.name)
	}
	return p.host.execute(ctx, process{name: p.name, program: program, command: command, input: data})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/notaryv2/notation/test/proxy"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	"github.com/opencontainers/go-digest"
)

// world is what a run takes place in: a registry, the proxies in front of it,
// keys, and the contenders that could be made ready.
type world struct {
	config    config
	dir       string
	runner    string // path of the program that runs commands
	hello     string // path of the program that does nothing
	authority *authority
	registry  *registries.Registry
	waves     *proxy.Proxy                   // counts round trips
	straight  map[time.Duration]*proxy.Proxy // by round-trip time
	entrants  []*entrant
	missing   []string               // why a contender takes no part, one line each
	signed    map[string]signed      // by repository
	crowds    map[bool]digest.Digest // artifacts with many signatures, by whether they are plain
	pushed    int                    // artifacts pushed so far
	file      string                 // to be signed; "" until it is there
	progress  io.Writer
	close     []func() error
}

// An entrant is a contender that takes part.
type entrant struct {
	contender
	path   string // of its program
	home   string
	blobOK bool // its signature of the file is there
	// learned says what it has run last with its cache kept.
	learned string
}

// newWorld starts everything. The caller ends it, after an error too.
func newWorld(ctx context.Context, c config, progress io.Writer) (_ *world, err error) {
	w := &world{config: c, straight: map[time.Duration]*proxy.Proxy{}, signed: map[string]signed{}, crowds: map[bool]digest.Digest{}, progress: progress}
	if w.dir, err = os.MkdirTemp(c.dir, "notation-bench-"); err != nil {
		return w, err
	}
	w.close = append(w.close, func() error { return os.RemoveAll(w.dir) })
	if w.runner, err = goBuild(ctx, w.dir, "runner"); err != nil {
		return w, err
	}
	if w.hello, err = goBuild(ctx, w.dir, "hello"); err != nil {
		return w, err
	}
	if w.authority, err = newAuthority(w.dir); err != nil {
		return w, err
	}
	if w.registry, err = registries.Start(c.registry, registries.Options{}); err != nil {
		return w, err
	}
	w.close = append(w.close, w.registry.Close)
	if w.waves, err = w.proxy(proxy.Options{}); err != nil {
		return w, err
	}
	for _, rtt := range c.rtts {
		if w.straight[rtt], err = w.proxy(proxy.Options{Straight: true, RTT: rtt}); err != nil {
			return w, err
		}
	}
	for i, c := range c.contenders {
		if err := w.enter(ctx, i, c); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w *world) proxy(o proxy.Options) (*proxy.Proxy, error) {
	p, err := proxy.Start(w.registry.Addr, o)
	if err == nil {
		w.close = append(w.close, func() error { p.Close(); return nil })
	}
	return p, err
}

// end stops everything and removes what was written.
func (w *world) end() error {
	var all error
	for i := len(w.close) - 1; i >= 0; i-- {
		all = errors.Join(all, w.close[i]())
	}
	return all
}

// enter makes a contender ready, or notes that its program is missing.
func (w *world) enter(ctx context.Context, n int, c contender) error {
	e := &entrant{contender: c, home: filepath.Join(w.dir, fmt.Sprintf("home-%d", n))}
	var err error
	if e.path, err = w.find(c.Program); err != nil {
		w.missing = append(w.missing, fmt.Sprintf("%s takes no part: %v", c.Name, err))
		return nil
	}
	if err := os.Mkdir(e.home, 0o700); err != nil {
		return err
	}
	for _, line := range c.Setup {
		if _, err := w.run(ctx, e, line, nil); err != nil {
			return fmt.Errorf("set up %s: %w", c.Name, err)
		}
	}
	w.entrants = append(w.entrants, e)
	return nil
}

// find returns the path of a contender's program.
func (w *world) find(program string) (string, error) {
	switch program {
	case "notation":
		if w.config.notation != "" {
			return w.config.notation, nil
		}
		return toolbox.Release()
	case "hello":
		return w.hello, nil
	case "cosign":
		path, err := toolbox.Find(program)
		if err != nil {
			err = errors.New(`it is not built; "make tools" builds it`)
		}
		return path, err
	default:
		return toolbox.Find(program)
	}
}

// cache is where the entrant may keep what it has learned.
func (e *entrant) cache() string { return filepath.Join(e.home, "cache") }

// run runs a command of an entrant. more replaces further placeholders.
func (w *world) run(ctx context.Context, e *entrant, line []string, more values) (sample, error) {
	v := values{
		"program": e.path, "home": e.home, "cache": e.cache(),
		"key": w.authority.keyFile, "chain": w.authority.chainFile, "root": w.authority.rootFile,
	}
	for name, value := range more {
		v[name] = value
	}
	expanded, err := expand(line, v)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", e.Name, err)
	}
	// Little is inherited: no proxy, no configuration of whoever measures.
	env := []string{"HOME=" + e.home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + e.home, "XDG_CACHE_HOME=" + e.cache()}
	for name, value := range e.Environment {
		env = append(env, name+"="+value)
	}
	if env, err = expand(env, v); err != nil {
		return sample{}, fmt.Errorf("%s: %w", e.Name, err)
	}
	return run(ctx, w.runner, command{line: expanded, env: env, dir: e.home})
}

// unfit is what a repository's name cannot hold.
var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// repository returns the repository with the artifacts that the entrant can
// verify.
func (e *entrant) repository() string {
	if !e.SignsItself {
		return "bench/library"
	}
	return "bench/by-" + strings.Trim(unfit.ReplaceAllString(strings.ToLower(e.Name), "-"), "-")
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.progress, format+"\n", args...) }

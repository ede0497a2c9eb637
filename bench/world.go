package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/bench/internal/process"
	"github.com/notaryv2/notation/test/proxy"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
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
	child     int                            // the registry's process; 0: it is this one, or not known
	client    *http.Client                   // fills the registry
	waves     *proxy.Proxy                   // counts round trips
	straight  map[time.Duration]*proxy.Proxy // by round-trip time
	entrants  []*entrant
	missing   []string            // why a contender takes no part, one line each
	signed    map[string][]string // artifacts by the prefix of their repositories
	crowds    map[bool]string     // artifacts with many signatures, by whether they are plain
	pushed    map[string]int      // how many there are by the prefix of their repositories
	file      string              // to be signed; "" until it is there
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
	counted map[string]counted // by task
}

// newWorld starts everything. The caller ends it, after an error too.
func newWorld(ctx context.Context, c config, progress io.Writer) (_ *world, err error) {
	transport := &http.Transport{MaxIdleConnsPerHost: parallelPushes}
	w := &world{
		config: c, progress: progress, client: &http.Client{Transport: transport},
		straight: map[time.Duration]*proxy.Proxy{},
		signed:   map[string][]string{}, crowds: map[bool]string{}, pushed: map[string]int{},
	}
	w.close = append(w.close, func() error { transport.CloseIdleConnections(); return nil })
	if w.dir, err = os.MkdirTemp(c.dir, "notation-bench-"); err != nil {
		return w, err
	}
	w.close = append(w.close, func() error { return os.RemoveAll(w.dir) })
	if w.runner, err = process.Build(ctx, w.dir, "runner"); err != nil {
		return w, err
	}
	if w.hello, err = process.Build(ctx, w.dir, "hello"); err != nil {
		return w, err
	}
	if w.authority, err = newAuthority(w.dir); err != nil {
		return w, err
	}
	if err := w.startRegistry(); err != nil {
		return w, err
	}
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

// startRegistry starts the registry and looks for its process.
func (w *world) startRegistry() error {
	program := map[registries.Kind]string{registries.Distribution: "registry", registries.DockerRegistry: "docker-registry"}[w.config.registry]
	before, err := process.Children(program)
	if err != nil {
		return err
	}
	if w.registry, err = registries.Start(w.config.registry, registries.Options{}); err != nil {
		return err
	}
	w.close = append(w.close, w.registry.Close)
	after, err := process.Children(program)
	if err != nil {
		return err
	}
	for _, pid := range after {
		if !slices.Contains(before, pid) {
			w.child = pid
		}
	}
	return nil
}

// around returns the processor time that the registry and the proxies have used,
// and false if it is not known. This process does little else while a contender
// runs.
func (w *world) around() (time.Duration, bool) {
	own, err := process.Self()
	switch w.config.registry {
	case registries.Distribution, registries.DockerRegistry:
		if err != nil || w.child == 0 {
			return 0, false
		}
		child, err := process.Of(w.child)
		return own + child, err == nil
	}
	return own, err == nil
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
	e := &entrant{contender: c, home: filepath.Join(w.dir, fmt.Sprintf("home-%d", n)), counted: map[string]counted{}}
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
	case "cosign", "minisign":
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
func (w *world) run(ctx context.Context, e *entrant, line []string, more values) (process.Sample, error) {
	v := values{
		"program": e.path, "home": e.home, "cache": e.cache(),
		"key": w.authority.keyFile, "chain": w.authority.chainFile, "root": w.authority.rootFile,
	}
	for name, value := range more {
		v[name] = value
	}
	expanded, err := expand(line, v)
	if err != nil {
		return process.Sample{}, fmt.Errorf("%s: %w", e.Name, err)
	}
	// Little is inherited: no proxy, no configuration of whoever measures.
	env := []string{"HOME=" + e.home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + e.home, "XDG_CACHE_HOME=" + e.cache()}
	for name, value := range e.Environment {
		env = append(env, name+"="+value)
	}
	if env, err = expand(env, v); err != nil {
		return process.Sample{}, fmt.Errorf("%s: %w", e.Name, err)
	}
	return process.Run(ctx, w.runner, process.Command{Line: expanded, Env: env, Dir: e.home})
}

// unfit is what a repository's name cannot hold.
var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// prefix is what the names of the repositories begin with whose artifacts the
// entrant can verify.
func (e *entrant) prefix() string {
	if !e.SignsItself {
		return "bench/library"
	}
	return "bench/by-" + strings.Trim(unfit.ReplaceAllString(strings.ToLower(e.Name), "-"), "-")
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.progress, format+"\n", args...) }

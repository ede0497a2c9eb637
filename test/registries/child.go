package registries

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/notaryv2/notation/test/toolbox"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of a child process.
const (
	startTimeout = time.Minute // until it says that it listens
	maxLog       = 1 << 20     // bytes of its log that are kept
)

// configuration is a template for distribution's configuration file, which
// both versions understand. Port 0 lets the kernel choose a free port; the
// registry logs which.
const configuration = `version: 0.1
log:
  level: info
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: %s
  delete:
    enabled: %t
  maintenance:
    uploadpurging:
      enabled: false
http:
  addr: 127.0.0.1:0
`

// basicConfiguration is added for Basic authentication.
const basicConfiguration = `auth:
  htpasswd:
    realm: test
    path: %s
`

// startChild starts a registry as a child process and returns its address.
func (r *Registry) startChild(program string, basic, deletes bool) (string, error) {
	path, err := toolbox.Find(program)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "registry-")
	if err != nil {
		return "", err
	}
	r.onClose(func() error { return os.RemoveAll(dir) })
	config, err := configure(dir, basic, deletes)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, "serve", config)
	cmd.Dir = dir
	// Nothing is inherited: variables that begin with REGISTRY_ would change
	// the configuration, and v3 would send traces.
	cmd.Env = []string{"HOME=" + dir, "OTEL_TRACES_EXPORTER=none"}
	cmd.Stdout, cmd.Stderr = r.log, r.log
	cmd.SysProcAttr = toolbox.DieWithParent()
	if err := cmd.Start(); err != nil {
		return "", err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	r.onClose(func() error {
		// Its storage is thrown away: there is nothing to finish.
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		<-exited
		return nil
	})
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case port := <-r.log.port:
		return "127.0.0.1:" + strconv.Itoa(port), nil
	case err := <-exited:
		exited <- err
		return "", fmt.Errorf("%s ended before it listened: %w\n%s", program, err, r.Log())
	case <-timer.C:
		return "", fmt.Errorf("%s does not listen after %v\n%s", program, startTimeout, r.Log())
	}
}

// configure writes the configuration into dir and returns its path.
func configure(dir string, basic, deletes bool) (string, error) {
	text := fmt.Sprintf(configuration, filepath.Join(dir, "data"), deletes)
	if basic {
		hash, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		users := filepath.Join(dir, "htpasswd")
		if err := os.WriteFile(users, fmt.Appendf(nil, "%s:%s\n", Username, hash), 0o600); err != nil {
			return "", err
		}
		text += fmt.Sprintf(basicConfiguration, users)
	}
	path := filepath.Join(dir, "config.yml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// listening is what distribution logs once it listens, in every version.
var listening = regexp.MustCompile(`listening on 127\.0\.0\.1:(\d+)`)

// logBuffer keeps the first bytes of a log and finds the port in it.
type logBuffer struct {
	mu    sync.Mutex
	text  []byte
	found bool
	port  chan int
}

func newLogBuffer() *logBuffer { return &logBuffer{port: make(chan int, 1)} }

// Write never fails; what is over the bound is dropped.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p[:min(len(p), maxLog-len(b.text))]...)
	if b.found {
		return len(p), nil
	}
	if m := listening.FindSubmatch(b.text); m != nil {
		if port, err := strconv.Atoi(string(m[1])); err == nil {
			b.found = true
			b.port <- port
		}
	}
	return len(p), nil
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

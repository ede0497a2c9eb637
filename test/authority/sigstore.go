package authority

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/notaryv2/notation/test/toolbox"
)

// startTimeout is how long sigstore's server may take until it listens.
const startTimeout = time.Minute

// maxChain bounds the certificate chain that the server tells, in bytes.
const maxChain = 1 << 20

// serving is what the server logs once it listens.
var serving = regexp.MustCompile(`Serving timestamp server at (http://127\.0\.0\.1:\d+)`)

// oneAtATime is held while there is a server: each also listens on port 2112
// for its metrics.
var oneAtATime sync.Mutex

// Sigstore is sigstore's timestamp-server, with keys of its own.
type Sigstore struct {
	URL  string
	Root []byte // its root certificate, in PEM

	cmd *exec.Cmd
	log *os.File
}

// NewSigstore starts a server, once the one before has been closed. It logs to
// the file "log" in dir, which must exist.
func NewSigstore(dir string) (*Sigstore, error) {
	program, err := toolbox.Find("timestamp-server")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "serve", "--host", "127.0.0.1", "--port", "0", "--disable-ntp-monitoring",
		"--timestamp-signer", "memory", "--include-chain-in-response")
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = toolbox.DieWithParent()
	oneAtATime.Lock()
	if err := cmd.Start(); err != nil {
		oneAtATime.Unlock()
		return nil, errors.Join(err, log.Close())
	}
	s := &Sigstore{cmd: cmd, log: log}
	if err := s.await(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the server.
func (s *Sigstore) Close() error {
	defer oneAtATime.Unlock()
	err := s.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	_ = s.cmd.Wait() // it was killed
	return errors.Join(err, s.log.Close())
}

// await waits until the log says that the server listens, and asks for its
// chain.
func (s *Sigstore) await() error {
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(s.log.Name())
		if err != nil {
			return err
		}
		if m := serving.FindSubmatch(text); m != nil {
			s.URL = string(m[1]) + "/api/v1/timestamp"
			return s.chain()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("timestamp-server does not listen after %v\n%s", startTimeout, text)
		}
	}
}

// chain keeps the last certificate of the server's chain.
func (s *Sigstore) chain() error {
	response, err := http.Get(s.URL + "/certchain")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxChain))
	if err != nil {
		return err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		s.Root = pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
	}
	if s.Root == nil {
		return fmt.Errorf("timestamp-server tells no certificate chain, but %q", text)
	}
	return nil
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
)

// serveVariable names the kind of registry that this program is to be, instead
// of what it is otherwise. A registry that runs in the measuring process would
// be measured as well: Linux counts, as memory of a program that was just
// started, what its parent had.
const serveVariable = "COPYBENCH_SERVE"

// serve runs a registry until standard input ends.
func serve(name string) (err error) {
	kind, err := kindOf(name)
	if err != nil {
		return err
	}
	r, err := registries.Start(kind, registries.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	fmt.Println(r.Host())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func kindOf(name string) (registries.Kind, error) {
	i := slices.IndexFunc(registries.All(), func(k registries.Kind) bool { return k.String() == name })
	if i < 0 {
		return 0, fmt.Errorf("registry kind %q is not known", name)
	}
	return registries.All()[i], nil
}

// server is a registry in a process of its own.
type server struct {
	host  string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startServer starts this program anew, as a registry.
func startServer(ctx context.Context, kind string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.CommandContext(ctx, self)}
	s.cmd.Env = append(os.Environ(), serveVariable+"="+kind)
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = toolbox.DieWithParent()
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("registry %s does not start: %w", kind, err), s.close())
	}
	s.host = strings.TrimSpace(line)
	return s, nil
}

func (s *server) close() error { return errors.Join(s.stdin.Close(), s.cmd.Wait()) }

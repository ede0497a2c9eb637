// Command demo runs the project's announcement, and a little more, against two
// registries that it starts on the loopback interface, and shows each command
// with its output. One registry has the referrers API, the other has not. Where
// openssl is installed, it is a time-stamping authority.
//
// Everything lives in a temporary directory, the home directory included, and
// is gone when the demo ends. It exits 1 if anything was other than expected.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/notaryv2/notation/test/registries"
)

func main() {
	os.Exit(run())
}

func run() int {
	program := flag.String("notation", "", "the notation `program` to show; built where none is named")
	flag.Parse()
	// An interrupt ends the command that runs; then everything is cleaned up.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	differences, err := show(ctx, *program)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	if differences > 0 {
		return 1
	}
	return 0
}

// show runs the demo in a directory of its own and returns how many steps went
// otherwise than expected.
func show(ctx context.Context, program string) (differences int, err error) {
	dir, err := os.MkdirTemp("", "notation-demo-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bin, err := install(ctx, dir, program)
	if err != nil {
		return 0, err
	}
	first, err := start(registries.GGCR, "5000")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, first.Close()) }()
	second, err := start(registries.GGCRTagSchema, "5001")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, second.Close()) }()

	s, err := newStage(dir, bin)
	if err != nil {
		return 0, err
	}
	if err := walkthrough(ctx, s, first.Host(), second.Host()); err != nil {
		return 0, err
	}
	return s.summary(), nil
}

// install puts the program into dir under its own name, building it where none
// is given, and returns the directory it is in.
func install(ctx context.Context, dir, program string) (string, error) {
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return "", err
	}
	target := filepath.Join(bin, "notation")
	if program != "" {
		program, err := filepath.Abs(program)
		if err != nil {
			return "", err
		}
		return bin, os.Symlink(program, target)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", target, "github.com/notaryv2/notation/cmd/notation")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build notation: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return bin, nil
}

// start starts a registry on the port of the announcement, or on any other if
// that one is taken.
func start(kind registries.Kind, port string) (*registries.Registry, error) {
	r, err := registries.Start(kind, registries.Options{Addr: net.JoinHostPort("127.0.0.1", port)})
	if err != nil {
		r, err = registries.Start(kind, registries.Options{})
	}
	return r, err
}

package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"golang.org/x/term"
)

// Env is what a run sees of the world beside the files and the network.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	GOOS           string           // decides where the configuration lies; "": this system's
	Now            func() time.Time // nil: time.Now
	Terminal       Terminal         // nil: no stream is a terminal
	Files          atomicfile.Writer

	// Notify returns a context that ends when the process is told to; nil: the
	// context of Run is all there is.
	Notify func(context.Context) (context.Context, context.CancelFunc)

	// OutlivePipe has writing to Stdout fail once nobody reads it any longer, where
	// that would end the process, whatever it is just storing; nil: it fails anyway.
	OutlivePipe func()
}

// Terminal is the person in front of the program, if there is one.
type Terminal interface {
	// Reads reports whether standard input is a terminal.
	Reads() bool
	// Shows reports whether standard output is a terminal.
	Shows() bool
	// Password reads a line from standard input without showing it.
	Password(ctx context.Context) (string, error)
}

// Main runs the program with the arguments, streams and environment of the
// process and returns its exit code.
func Main() int {
	return Run(context.Background(), os.Args[1:], Env{
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Getenv:   os.Getenv,
		Terminal: osTerminal{in: os.Stdin, out: os.Stdout},
		Notify:   notify,

		OutlivePipe: func() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) },
	})
}

// notify has a first interrupt cancel what is going on. A second one ends the
// process at once.
func notify(ctx context.Context) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func (e Env) withDefaults() Env {
	if e.Stdin == nil {
		e.Stdin = eof{}
	}
	if e.Stdout == nil {
		e.Stdout = io.Discard
	}
	if e.Stderr == nil {
		e.Stderr = io.Discard
	}
	if e.Getenv == nil {
		e.Getenv = func(string) string { return "" }
	}
	if e.GOOS == "" {
		e.GOOS = runtime.GOOS
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Notify == nil {
		e.Notify = context.WithCancel
	}
	if e.OutlivePipe == nil {
		e.OutlivePipe = func() {}
	}
	if e.Terminal == nil {
		e.Terminal = noTerminal{}
	}
	return e
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

type noTerminal struct{}

func (noTerminal) Reads() bool { return false }
func (noTerminal) Shows() bool { return false }
func (noTerminal) Password(context.Context) (string, error) {
	return "", errors.New("standard input is no terminal")
}

type osTerminal struct{ in, out *os.File }

func (t osTerminal) Reads() bool { return term.IsTerminal(int(t.in.Fd())) }
func (t osTerminal) Shows() bool { return term.IsTerminal(int(t.out.Fd())) }

// Password restores the terminal when ctx ends before the line does: an
// interrupt must not leave it without echo. Nor must SIGQUIT, which elsewhere ends
// the program with a picture of what it is doing.
func (t osTerminal) Password(ctx context.Context) (string, error) {
	outer := ctx
	ctx, stop := signal.NotifyContext(outer, syscall.SIGQUIT)
	defer stop()
	fd := int(t.in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return string(l.text), l.err
	case <-ctx.Done():
		err := outer.Err()
		if err == nil {
			err = errors.New("interrupted")
		}
		return "", errors.Join(err, term.Restore(fd, state))
	}
}

//go:build unix

package pin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Terminal returns an Asker at the controlling terminal of the process. dir is
// for the lock that has programs ask one after another.
//
// A host of plugins starts each in a process group of its own, which is in the
// background: whoever reads there is stopped by the kernel. So the group takes
// the foreground for as long as it asks and then gives it back. It does that
// only if its parent has the foreground: a job that was put into the background
// must not take the terminal from the shell. Several plugins ask in turn.
func Terminal(dir string) Asker {
	return func(ctx context.Context, q Question) (string, error) {
		tty, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			return "", ErrNobody
		}
		defer tty.Close()
		var value string
		err = NewGuard(dir, "terminal").Alone(ctx, func() error {
			value, err = ask(ctx, tty, q)
			return err
		})
		return value, err
	}
}

// ask asks with echo off. Whatever happens, the terminal is left as it was.
func ask(ctx context.Context, tty *os.File, q Question) (string, error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	// A background process that changes the terminal is stopped unless it
	// ignores these; and one that was stopped here would leave the echo off.
	signal.Ignore(syscall.SIGTTOU, syscall.SIGTTIN, syscall.SIGTSTP)
	defer signal.Reset(syscall.SIGTTOU, syscall.SIGTTIN, syscall.SIGTSTP)

	fd := int(tty.Fd())
	back, err := foreground(fd)
	if err != nil {
		return "", err
	}
	defer back()
	state, err := term.GetState(fd)
	if err != nil {
		return "", ErrNobody
	}
	defer func() { _ = term.Restore(fd, state) }()

	fmt.Fprint(tty, q.text())
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	defer fmt.Fprintln(tty)
	select {
	case <-ctx.Done(): // the reader ends with the process, which has nothing left to do
		return "", context.Canceled
	case l := <-read:
		defer clear(l.text)
		if l.err != nil {
			return "", fmt.Errorf("the terminal gave none: %w", plain(l.err))
		}
		return string(l.text), nil
	}
}

// text is what the person sees.
func (q Question) text() string {
	state := ""
	switch {
	case q.Last:
		state = "This is the last try: if the PIN is wrong, the token locks it.\n"
	case q.Low:
		state = "A wrong PIN was given since the last good one.\n"
	}
	return state + "PIN of the token " + strconv.QuoteToASCII(q.Token) + ": "
}

// foreground puts this process's group into the foreground of the terminal and
// returns what undoes that. ErrNobody means that the terminal is somebody
// else's.
func foreground(fd int) (back func(), err error) {
	own := unix.Getpgrp()
	now, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil {
		return nil, ErrNobody
	}
	if now == own {
		return func() {}, nil
	}
	parent, err := unix.Getpgid(unix.Getppid())
	if err != nil || parent != now {
		return nil, fmt.Errorf("%w: this program runs in the background", ErrNobody)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, own); err != nil {
		return nil, ErrNobody
	}
	return func() { _ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, now) }, nil
}

func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
)

// Kinds of places, besides files, that secrets are read from.
const (
	fromVariable   = "env://"
	fromDescriptor = "fd://"
)

// isSource reports whether a text names something else than a file.
func isSource(s string) bool {
	return strings.HasPrefix(s, fromVariable) || strings.HasPrefix(s, fromDescriptor)
}

// readSource reads a file or pipe, env://VARIABLE or fd://NUMBER.
func (a *app) readSource(ctx context.Context, source string, limit int64) ([]byte, error) {
	if name, ok := strings.CutPrefix(source, fromVariable); ok {
		return a.readVariable(name, limit)
	}
	if !strings.HasPrefix(source, fromDescriptor) {
		return readNamed(ctx, source, limit)
	}
	fd, ok := descriptorOf(source)
	switch {
	case !ok || fd == 1 || fd == 2:
		return nil, reason.Errorf(reason.UsageFlag, "what follows %s is the number of no descriptor that can be read", fromDescriptor).
			WithHint("write fd://3 for a file that the shell opens with 3<FILE, or fd://0 for standard input")
	case fd == 0:
		return a.readStdin(ctx, limit)
	}
	return readDescriptor(ctx, fd, source, limit)
}

// readVariable returns the value of a variable. A shell that was given env://$V
// instead of env://V has put the secret in the place of the name, so what may be
// one is not repeated.
func (a *app) readVariable(name string, limit int64) ([]byte, error) {
	value := a.env.Getenv(name)
	switch {
	case value == "" && isVariableName(name):
		return nil, reason.Errorf(reason.UsageFlag, "the variable %s of %s is not set or empty", quote(name), fromVariable).WithHint("set it, or name a file")
	case value == "":
		return nil, reason.Errorf(reason.UsageFlag, "the variable of %s is not set or empty; what was given for its name is not shown, as it may be the secret itself", fromVariable).
			WithHint("write env://NAME with the name of the variable, and not its value, as env://$NAME does in a shell")
	case int64(len(value)) > limit:
		return nil, reason.Errorf(reason.ConfigTooLarge, "variable %s is longer than %d bytes", quote(name), limit).WithHint("name another")
	}
	return []byte(value), nil
}

// isVariableName reports whether a text looks like the name that people give to a
// variable, and hardly like a secret: capital letters, digits and underscores
// (POSIX.1-2017, section 8.1), with an underscore among them or of letters only.
func isVariableName(s string) bool {
	const longest = 64
	capital := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	if s == "" || len(s) > longest || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for _, r := range s {
		if !capital(r) && r != '_' && (r < '0' || r > '9' || !strings.Contains(s, "_")) {
			return false
		}
	}
	return true
}

// descriptorOf returns the number of fd://NUMBER.
func descriptorOf(source string) (fd uintptr, ok bool) {
	number, ok := strings.CutPrefix(source, fromDescriptor)
	n, err := strconv.ParseUint(number, 10, 16)
	return uintptr(n), ok && err == nil
}

// sameDescriptor reports whether two sources are one descriptor, which can be
// read once.
func sameDescriptor(a, b string) bool {
	one, ok := descriptorOf(a)
	other, also := descriptorOf(b)
	return ok && also && one == other
}

// withhold keeps from programs that are run later, such as plugins and credential
// helpers, what secrets were read from: variables are taken out of the
// environment, and descriptors are not handed on.
func (a *app) withhold(sources ...string) {
	for _, source := range sources {
		name, ok := strings.CutPrefix(source, fromVariable)
		if ok && name != "" && os.Getenv(name) == a.env.Getenv(name) { // and not only in an environment that a test made up
			_ = os.Unsetenv(name) // fails for names that no variable has
		}
		if fd, ok := descriptorOf(source); ok && fd > 2 {
			closeOnExec(fd)
		}
	}
}

// readDescriptor reads a file that was opened for this process to its end, or
// until ctx ends.
func readDescriptor(ctx context.Context, fd uintptr, source string, limit int64) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() { // stays behind if ctx ends: not every system has a way to wake it
		f, err := ownDescriptor(fd, source)
		if err != nil {
			read <- result{err: err}
			return
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || info.IsDir() {
			read <- result{err: errors.Join(err, os.ErrInvalid)}
			return
		}
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		switch {
		case r.err != nil:
			return nil, reason.Wrap(reason.ConfigRead, pathCause(r.err), "%s cannot be read", quote(source)).WithHint("open it for this program, as a shell does with %d<FILE", fd)
		case int64(len(r.data)) > limit:
			return nil, reason.Errorf(reason.ConfigTooLarge, "%s is longer than %d bytes", quote(source), limit).WithHint("check what it is")
		}
		return r.data, nil
	case <-ctx.Done():
		return nil, reason.Wrap(reason.UsageInterrupted, context.Cause(ctx), "interrupted while reading %s", quote(source)).WithHint("run the command again")
	}
}

// inSource names what an error is about.
func inSource(source string, err error) error {
	if isSource(source) {
		return reason.Wrap(reason.Of(err), err, "%s", quote(source)).WithHint("%s", reason.Hint(err))
	}
	return config.InFile(source, err)
}

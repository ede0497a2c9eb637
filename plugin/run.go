package plugin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/notaryv2/notation/reason"
)

// process is one start of a plugin.
type process struct {
	name    string // of the plugin, well-formed
	program string // absolute path, checked
	command Command
	input   []byte
}

// timeout returns how long a plugin may take for a command.
func (c Command) timeout() time.Duration {
	switch c {
	case CommandGenerateSignature, CommandGenerateEnvelope:
		return signTimeout
	case CommandVerifySignature:
		return verifyTimeout
	case CommandDescribeKey:
		return describeTimeout
	}
	return metadataTimeout
}

// errFlood ends a plugin that writes too much.
var errFlood = errors.New("too much output")

// execute runs a plugin to its end and returns its standard output if that is
// all that it had to say. Whatever happens, no process of its group is left.
func (h *Host) execute(ctx context.Context, p process) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, p.command.timeout())
	defer cancel()
	running, stop := context.WithCancelCause(limited)
	defer stop(nil)

	flood := func() { stop(errFlood) }
	stdout := &bounded{keep: maxStdout, limit: maxStdout, overflow: flood}
	stderr := &bounded{keep: maxStderr, limit: maxStderrRead, overflow: flood}
	cmd, err := h.start(running, p, stdout, stderr)
	if err == nil {
		err = cmd.Wait()
		endGroup(cmd)
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return p.accept(stdout.kept.Bytes())
	case errors.Is(context.Cause(running), errFlood), errors.Is(err, errFlood):
		return nil, reason.Errorf(reason.PluginOutput, "the plugin %s was ended because it wrote too much to %s", p.name, p.command).
			WithHint("Tell the maker of the plugin.")
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, reason.Wrap(reason.PluginInterrupted, ctx.Err(), "the plugin %s was interrupted during %s", p.name, p.command)
	case running.Err() != nil:
		return nil, reason.Wrap(reason.PluginTimeout, running.Err(), "the plugin %s was ended because it took too long for %s", p.name, p.command).
			WithHint("Try again; the key service behind the plugin may be slow, or wait for somebody.")
	case errors.Is(err, exec.ErrWaitDelay):
		return nil, reason.Errorf(reason.PluginOutput, "the plugin %s ended during %s and left a process that kept its output open", p.name, p.command).
			WithHint("Tell the maker of the plugin.")
	case errors.As(err, &exit):
		return nil, p.refuse(exit, stderr.kept.Bytes())
	}
	return nil, reason.Wrap(reason.PluginStart, safePath(err), "the plugin %s cannot be started", p.name).
		WithHint("Check that the plugin is made for this system.")
}

// start starts the process. A program that was just written may still be open
// for writing in a child that another goroutine is about to start, so "text
// file busy" is tried again for a moment.
func (h *Host) start(ctx context.Context, p process, stdout, stderr io.Writer) (*exec.Cmd, error) {
	env := h.Env
	if env == nil {
		env = os.Environ()
	}
	wait := busyWait
	for try := 1; ; try++ {
		cmd := exec.CommandContext(ctx, p.program, string(p.command))
		cmd.Env = environment(env, p.name)
		cmd.Stdin = bytes.NewReader(p.input)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		cmd.WaitDelay = h.grace
		if h.grace == 0 {
			cmd.WaitDelay = graceTime
		}
		ownGroup(cmd)
		err := cmd.Start()
		if err == nil || !isBusy(err) || try == maxBusyTries {
			return cmd, err
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// accept takes the output of a plugin that ended well. An error document has no
// place there.
func (p *process) accept(output []byte) ([]byte, error) {
	var document struct {
		Code *string `json:"errorCode"`
	}
	if err := decode(output, &document); err != nil {
		return nil, malformed(p.command, err)
	}
	if document.Code != nil {
		return nil, lie(reason.PluginAnswer, "it reports the error %s to %s and says that all is well", quote(*document.Code), p.command)
	}
	return output, nil
}

// refuse makes an error of what a plugin that failed wrote to standard error.
func (p *process) refuse(exit *exec.ExitError, output []byte) error {
	fault, err := parseError(output)
	if err == nil {
		return reason.Wrap(reason.PluginRefused, fault, "the plugin %s refused %s", p.name, p.command).
			WithHint("The plugin's own message says why; see its documentation.")
	}
	said := "nothing"
	if text := bytes.TrimSpace(output); len(text) > 0 {
		said = quote(string(text))
	}
	return reason.Wrap(reason.PluginFailed, exit, "the plugin %s failed during %s without an error that the protocol knows; it said %s", p.name, p.command, said).
		WithHint("Tell the maker of the plugin.")
}

// parseError reads an error document.
func parseError(data []byte) (*Error, error) {
	fault := &Error{}
	if err := decode(data, fault); err != nil {
		return nil, err
	}
	if fault.Code == "" || len(fault.Metadata) > maxItems {
		return nil, errors.New("no error code, or too much metadata")
	}
	return fault, nil
}

// bounded keeps the first bytes that are written to it, drops the rest, and
// calls overflow when there is no end to it.
type bounded struct {
	kept     bytes.Buffer
	seen     int
	keep     int
	limit    int
	overflow func()
}

func (b *bounded) Write(data []byte) (int, error) {
	b.seen += len(data)
	b.kept.Write(data[:min(len(data), b.keep-b.kept.Len())])
	if b.seen > b.limit {
		b.overflow()
		return 0, errFlood
	}
	return len(data), nil
}

package cli_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/cli"
)

// TestAttacksInEveryCacheMode runs the attack tests with --no-cache, and with each
// command that verifies run again; as written, each user begins without caches.
func TestAttacksInEveryCacheMode(t *testing.T) {
	t.Parallel()
	cachemodes.RunAttacks(t, cachemodes.Cold)
}

// inCacheMode runs a command as the process has been told to.
func (u *user) inCacheMode(ctx context.Context, stdin string, args []string) cachemodes.Result {
	u.t.Helper()
	if cachemodes.Current() == cachemodes.Off && len(args) > 0 {
		return u.once(ctx, stdin, "", append([]string{cachemodes.NoCache}, args...))
	}
	first := u.once(ctx, stdin, "", args)
	if cachemodes.Current() == cachemodes.Warm && u.env.Stdin == nil && ctx.Err() == nil && !u.changes {
		err := cachemodes.Again(args, first, u.t.TempDir(), func(cache string, args []string) cachemodes.Result {
			return u.once(ctx, stdin, cache, args)
		})
		if err != nil {
			u.t.Error(err)
		}
	}
	return first
}

// once runs a command, with another directory for caches unless that is "".
func (u *user) once(ctx context.Context, stdin, cache string, args []string) cachemodes.Result {
	var stdout, stderr bytes.Buffer
	env := u.env
	if env.Stdin == nil {
		env.Stdin = strings.NewReader(stdin)
	}
	env.Stdout, env.Stderr = &stdout, &stderr
	env.Getenv = func(name string) string {
		if u.asks != nil {
			u.asks(name)
		}
		if cache != "" && name == "NOTATION_CACHE" {
			return cache
		}
		return u.vars[name]
	}
	code := cli.Run(ctx, args, env)
	return cachemodes.Result{Code: code, Stdout: stdout.String(), Stderr: stderr.String()}
}

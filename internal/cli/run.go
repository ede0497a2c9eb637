package cli

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/oci/cache"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// defaultTimeout bounds what a command does over the network, all retries
// included.
const defaultTimeout = 2 * time.Minute

// app is one run of the program.
type app struct {
	env     Env
	format  format
	debug   bool
	timeout timeoutFlag
	noCache bool
	content func() *cache.Cache // made when first asked for
	opened  *cache.Cache        // if it was
	log     *slog.Logger
	bounded context.Context // by --timeout, if anything was; to learn whether it has passed
	budget  *budget         // of bounded

	command  string // "cert add"; "" until it is known
	warnings []string
	result   document
}

// Run runs one command and returns the exit code.
func Run(ctx context.Context, args []string, env Env) int {
	a := &app{env: env.withDefaults(), timeout: timeoutFlag(defaultTimeout), log: slog.New(slog.DiscardHandler)}
	a.content = sync.OnceValue(a.openCache)
	if wantsJSON(args) {
		a.format = formatJSON // for errors before the flag itself is read
	}
	root := a.root(args)
	root.SetArgs(args)
	root.SetIn(a.env.Stdin)
	root.SetOut(a.env.Stdout)
	root.SetErr(a.env.Stderr)
	err := root.ExecuteContext(ctx)
	a.opened.Close()
	return a.finish(err)
}

// action is what a command does. The document may come with an error, as the
// verdict on an artifact that was rejected does; both are shown.
type action func(ctx context.Context, args []string) (document, error)

// runs makes do the action of a command.
func (a *app) runs(cmd *cobra.Command, do action) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		if cmd.Name() != "version" { // never waits, and its start is measured: listening for signals takes a tenth of it
			var stop context.CancelFunc
			ctx, stop = a.env.Notify(ctx)
			defer stop()
		}
		var err error
		a.result, err = do(ctx, args)
		if err != nil && ctx.Err() != nil && exitCode(err) == exitUndecided {
			return reason.Wrap(reason.UsageInterrupted, err, "interrupted").WithHint("run the command again")
		}
		return a.explainTimeUp(err)
	}
	return cmd
}

// prepare is called before every action, after its flags have been read.
func (a *app) prepare(cmd *cobra.Command, _ []string) error {
	if a.debug {
		a.log = slog.New(slog.NewTextHandler(a.env.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if a.format == formatTree {
		if cmd.Name() != "inspect" {
			return a.usage(cmd, reason.UsageFlag, "--output tree is known to 'inspect' only", "use --output text or --output json")
		}
		a.format = formatText
	}
	return a.refuseEmpty(cmd)
}

// dirs returns the user's directories.
func (a *app) dirs() (config.Dirs, error) { return config.Locate(a.env.GOOS, a.env.Getenv) }

// warn records a sentence that is shown on standard error at once and in the
// JSON document.
func (a *app) warn(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	a.warnings = append(a.warnings, s)
	fmt.Fprintln(a.env.Stderr, "Warning: "+sentence(s))
}

package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

func (a *app) loginCommand() *cobra.Command {
	o := &registryOptions{}
	cmd := &cobra.Command{
		Use:   "login HOST [flags]",
		Short: "Log in to a registry",
		Long: `Check a user name and password against a registry and keep them: in the
credential helper of config.json where there is one, else where Docker keeps
its own. Whoever has logged in with Docker need not do it again.

What is not given is asked for if standard input is a terminal.`,
		Example: `  # Log in with a password that another program prints
  notation login --username alice --password-stdin registry.example.com

  # Be asked for both
  notation login localhost:5000`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		return a.login(ctx, o, args[0])
	})
	o.register(cmd)
	return cmd
}

func (a *app) login(ctx context.Context, o *registryOptions, host string) (document, error) {
	if err := a.askCredential(ctx, &o.credentials); err != nil {
		return nil, err
	}
	given, err := o.credentials.read(ctx, a)
	if err != nil {
		return nil, err
	}
	if _, err := a.dirs(); err != nil && a.dockerConfig() == "" {
		return nil, err // nowhere to keep the login
	}
	options, store, err := o.client(ctx, a, remote.Credential{})
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.network(ctx)
	defer cancel()
	saved, err := remote.Login(ctx, host, given, options, store)
	if err != nil {
		return nil, err
	}
	if saved.Warning != "" {
		a.warn("%s", saved.Warning)
	}
	return &loginDocument{Registry: host, Username: given.Username, Where: []string{saved.Where}}, nil
}

// askCredential asks a person for what was not given.
func (a *app) askCredential(ctx context.Context, o *credentialOptions) error {
	haveUser := o.username != "" || a.env.Getenv("NOTATION_USERNAME") != ""
	havePassword := o.password != "" || o.passwordStdin || a.env.Getenv("NOTATION_PASSWORD") != ""
	if haveUser && havePassword {
		return nil
	}
	if o.passwordStdin || !a.env.Terminal.Reads() {
		return reason.Errorf(reason.UsageFlag, "a user name and a password are needed, and standard input is no terminal to ask for them").
			WithHint("give --username and --password-stdin, or set $NOTATION_USERNAME and $NOTATION_PASSWORD")
	}
	if !haveUser {
		fmt.Fprint(a.env.Stderr, "Username: ")
		line, err := a.readLine(ctx)
		if err != nil {
			return err
		}
		o.username = strings.TrimSpace(line)
	}
	if !havePassword {
		fmt.Fprint(a.env.Stderr, "Password: ")
		password, err := a.env.Terminal.Password(ctx)
		fmt.Fprintln(a.env.Stderr)
		if err != nil {
			return reason.Wrap(reason.UsageStdin, err, "the password could not be read").WithHint("give it with --password-stdin")
		}
		o.password, o.typed = password, true
	}
	return nil
}

// maxLineBytes bounds a line that a person types.
const maxLineBytes = 4096

// readLine reads a line of standard input, or until ctx ends.
func (a *app) readLine(ctx context.Context) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := bufio.NewReaderSize(io.LimitReader(a.env.Stdin, maxLineBytes), 1).ReadString('\n')
		if err == io.EOF && line != "" {
			err = nil
		}
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		if r.err != nil {
			return "", reason.Wrap(reason.UsageStdin, r.err, "no answer on standard input").
				WithHint("give what is asked for with flags instead; see --help")
		}
		return r.line, nil
	case <-ctx.Done():
		return "", reason.Wrap(reason.UsageInterrupted, context.Cause(ctx), "interrupted while waiting for an answer")
	}
}

// loginDocument is the result of login and logout.
type loginDocument struct {
	Registry string   `json:"registry"`
	Username string   `json:"username,omitempty"`
	Where    []string `json:"where"` // the credential helpers or files
	out      bool
}

func (d *loginDocument) text(p *page) {
	if !d.out {
		p.line("Logged in to %s; the login is kept in %s.", d.Registry, strings.Join(d.Where, ", "))
		return
	}
	if len(d.Where) == 0 {
		p.line("There was no login to %s.", d.Registry)
		return
	}
	p.line("Logged out of %s; the login was removed from %s.", d.Registry, strings.Join(d.Where, ", "))
}

func (a *app) logoutCommand() *cobra.Command {
	return a.leaf(&cobra.Command{
		Use:   "logout HOST",
		Short: "Log out of a registry",
		Long: `Remove the user name and password of a registry from every place in which they
would be found. This logs Docker out, too, where it shares them. Tokens that were
kept for later runs, of any registry, are removed as well.`,
		Example: `  # Log out
  notation logout registry.example.com`,
	}, 1, 1, func(ctx context.Context, args []string) (document, error) {
		_, store, err := (&registryOptions{}).client(ctx, a, remote.Credential{})
		if err != nil {
			return nil, err
		}
		ctx, cancel := a.network(ctx)
		defer cancel()
		where, err := remote.Logout(ctx, args[0], store)
		if err != nil {
			return nil, err
		}
		if where == nil {
			where = []string{}
		}
		if dirs, _ := a.dirs(); dirs.Cache != "" { // with --no-cache, too
			remote.ForgetTokens(filepath.Join(dirs.Cache, tokenDir))
		}
		return &loginDocument{Registry: args[0], Where: where, out: true}, nil
	})
}

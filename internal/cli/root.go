package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// root builds the command tree for one run. Nothing is shared between runs.
func (a *app) root(args []string) *cobra.Command {
	root := a.group(&cobra.Command{
		Use:   "notation",
		Short: "Sign artifacts and verify who signed them",
		Long: `Notation signs artifacts in OCI registries and verifies signatures against a
trust policy.

A signature is stored beside the artifact in its registry, and neither the
artifact nor its tags change. Trust is yours to define: certificates go into
trust stores, and a trust policy says which of them may vouch for what.

Exit codes:
  0  yes
  1  rejected by the trust policy
  2  the command line or the configuration is wrong
  3  could not decide: registry, network or credentials
  4  the artifact is not signed`,
		Example: `  # Sign an image with a new test key, trust its certificate, and verify
  notation cert generate-test --default wabbit-networks.io
  notation sign localhost:5000/net-monitor:v1
  notation cert add --name wabbit-networks.io ~/.config/notation/certificate/wabbit-networks.io.crt
  notation verify localhost:5000/net-monitor:v1`,
	}, a.commands(args)...)
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentPreRunE = a.prepare
	root.SetFlagErrorFunc(a.flagError)
	root.SetHelpCommand(a.helpCommand(root))
	flags := root.PersistentFlags()
	flags.BoolP("help", "h", false, "show help")
	flags.BoolVarP(&a.debug, "debug", "d", false, "tell on standard error what happens, without secrets")
	flags.VarP(&choice[format]{&a.format, []format{formatText, formatJSON}, []format{formatTree}}, "output", "o", "text or json")
	flags.Var(&a.timeout, "timeout", "time that all requests of the command may take together, such as 30s; 0 for no limit; to read a file is no request")
	flags.BoolVar(&a.noCache, "no-cache", false, "use nothing that earlier runs have kept, such as signatures and answers about revocation, and keep nothing")
	flags.SortFlags = false
	completions(root, "output", string(formatText), string(formatJSON))
	return root
}

// commands returns the commands of the first level: the one that the first
// argument names, which is all that such a run needs, or else all of them. It
// keeps the start short.
func (a *app) commands(args []string) []*cobra.Command {
	all := []struct {
		names string
		build func() *cobra.Command
	}{
		{"sign", a.signCommand}, {"verify", a.verifyCommand}, {"audit", a.auditCommand}, {"inspect", a.inspectCommand}, {"list ls", a.listCommand}, {"blob", a.blobCommand},
		{"attach", a.attachCommand}, {"attach-signature", a.attachSignatureCommand}, {"discover", a.discoverCommand}, {"tree", a.treeCommand}, {"pull", a.pullCommand}, {"copy", a.copyCommand}, {"bundle", a.bundleCommand},
		{"signature", a.signatureCommand}, {"prune", a.pruneCommand},
		{"cert certificate", a.certCommand}, {"key", a.keyCommand}, {"plugin", a.pluginCommand}, {"policy", a.policyCommand},
		{"doctor", a.doctorCommand}, {"login", a.loginCommand}, {"logout", a.logoutCommand},
		{"version", a.versionCommand}, {"completion", a.completionCommand}, {"", a.manCommand}, // man needs all
	}
	var cmds []*cobra.Command
	for _, c := range all {
		if len(args) > 0 && args[0] != "" && slices.Contains(strings.Fields(c.names), args[0]) {
			return []*cobra.Command{c.build()}
		}
	}
	for _, c := range all {
		cmds = append(cmds, c.build())
	}
	return cmds
}

// group makes cmd a command that only has sub-commands.
func (a *app) group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		a.command = commandName(cmd)
		if len(args) > 0 {
			return a.unknownCommand(cmd, args[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		return a.usage(cmd, reason.UsageCommand, quote(cmd.CommandPath())+" needs a sub-command", "use one of "+strings.Join(names, ", "))
	}
	cmd.AddCommand(children...)
	return cmd
}

// leaf makes cmd a command that does something: it takes between least and
// most arguments (most < 0: any number), described by names.
func (a *app) leaf(cmd *cobra.Command, least, most int, do action) *cobra.Command {
	_, names, _ := strings.Cut(cmd.Use, " ")
	cmd.DisableFlagsInUseLine = true
	cmd.Flags().SortFlags = false
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		a.command = commandName(cmd)
		switch {
		case len(args) < least:
			return a.usage(cmd, reason.UsageArguments, fmt.Sprintf("%s needs %s", quote(cmd.CommandPath()), missing(names, least)),
				"write "+quote(strings.TrimSpace(cmd.CommandPath()+" "+names)))
		case most == 0 && len(args) > 0:
			return a.usage(cmd, reason.UsageArguments, fmt.Sprintf("%s takes no argument, but got %s", quote(cmd.CommandPath()), quote(args[0])), "")
		case most > 0 && len(args) > most:
			return a.usage(cmd, reason.UsageArguments, fmt.Sprintf("%s does not know what to do with %s", quote(cmd.CommandPath()), quote(args[most])),
				"write "+quote(cmd.CommandPath()+" "+names))
		}
		return nil
	}
	return a.runs(cmd, do)
}

// missing says what a command needs: "REF" or "KEYFILE CERTFILE".
func missing(names string, least int) string {
	var words []string
	for w := range strings.FieldsSeq(names) {
		if w = strings.TrimSuffix(w, "..."); !strings.HasPrefix(w, "[") && len(words) < least {
			words = append(words, w)
		}
	}
	return strings.Join(words, " and ")
}

// commandName returns the words of a command without the program's: "cert add".
func commandName(cmd *cobra.Command) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}

// helpCommand is "notation help COMMAND".
func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show help about a command",
		Long:  "Show help about a command, as its flag --help does.",
		Example: `  # What can be done with certificates
  notation help cert`,
		DisableFlagsInUseLine: true,
		RunE: func(_ *cobra.Command, args []string) error {
			a.command = "help"
			cmd, rest, err := root.Find(args)
			if err != nil || cmd == nil {
				return a.unknownCommand(root, strings.Join(args, " "))
			}
			if len(rest) > 0 {
				return a.unknownCommand(cmd, rest[0])
			}
			return cmd.Help()
		},
	}
}

// completions makes the shell offer fixed words for a flag.
func completions(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeKeys makes the shell offer the names of the user's keys.
func (a *app) completeKeys(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	dirs, err := a.dirs()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	keys, err := dirs.SigningKeys()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, k := range keys.All() {
		names = append(names, k.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

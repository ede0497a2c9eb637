package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	cmd := &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes commands and flags in a shell",
		Long: `Print a script that makes a shell complete the commands and flags of this
program. SHELL is bash, zsh, fish or powershell.

  bash        source <(notation completion bash)
  zsh         notation completion zsh > "${fpath[1]}/_notation"
  fish        notation completion fish > ~/.config/fish/completions/notation.fish
  powershell  notation completion powershell | Out-String | Invoke-Expression`,
		Example: `  # For bash
  notation completion bash`,
		ValidArgs: shells,
	}
	cmd = a.leaf(cmd, 1, 1, func(_ context.Context, args []string) (document, error) {
		if !slices.Contains(shells, args[0]) {
			return nil, a.usage(cmd, reason.UsageArguments, "there is no completion for "+quote(args[0]), "use one of "+strings.Join(shells, ", "))
		}
		script, err := completionScript(cmd.Root(), args[0])
		if err != nil {
			return nil, reason.Wrap(reason.UsageInternal, err, "the script could not be made")
		}
		return &completionDocument{Shell: args[0], Script: script}, nil
	})
	return cmd
}

func completionScript(root *cobra.Command, shell string) (string, error) {
	var b bytes.Buffer
	var err error
	switch shell {
	case "bash":
		err = root.GenBashCompletionV2(&b, true)
	case "zsh":
		err = root.GenZshCompletion(&b)
	case "fish":
		err = root.GenFishCompletion(&b, true)
	case "powershell":
		err = root.GenPowerShellCompletionWithDesc(&b)
	default:
		err = fmt.Errorf("unknown shell %q", shell)
	}
	return b.String(), err
}

// completionDocument is the result of completion.
type completionDocument struct {
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

func (d *completionDocument) text(p *page) { p.raw(d.Script) }

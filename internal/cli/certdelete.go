package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

func (a *app) certDeleteCommand() *cobra.Command {
	o := &storeOptions{}
	var all, yes bool
	cmd := &cobra.Command{
		Use:        "delete FILE... [flags]",
		SuggestFor: []string{"rm", "remove"},
		Short:      "Stop trusting certificates",
		Long: `Delete files from a trust store, or with --all the whole store. FILE is a name
as 'notation cert list' shows it. The trust policy is not changed.

Without --yes the command asks first, and refuses if there is nobody to ask.`,
		Example: `  # Delete one file of the store ca:wabbit-networks.io
  notation cert delete --name wabbit-networks.io root-2025.crt

  # Delete the whole store without being asked
  notation cert delete --type ca --store wabbit-networks.io --all --yes`,
	}
	cmd = a.leaf(cmd, 0, -1, func(ctx context.Context, args []string) (document, error) {
		switch {
		case all && len(args) > 0:
			return nil, a.usage(cmd, reason.UsageArguments, "--all deletes every file, so no file can be named beside it", "give one or the other")
		case !all && len(args) == 0:
			return nil, a.usage(cmd, reason.UsageArguments, "'notation cert delete' needs FILE or --all", "see the files with 'notation cert list'")
		}
		ref, err := o.ref(a, cmd)
		if err != nil {
			return nil, err
		}
		dirs, err := a.dirs()
		if err != nil {
			return nil, err
		}
		var names []string
		for _, name := range args { // each once
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if all {
			if names, err = dirs.StoreFiles(ref); err != nil {
				return nil, err
			}
			if len(names) == 0 {
				return nil, reason.Errorf(reason.ConfigRead, "there is no trust store %s", ref).WithHint("see the stores with 'notation cert list'")
			}
		}
		if err := a.confirm(ctx, yes, fmt.Sprintf("Delete %s from trust store %s?", strings.Join(names, ", "), ref)); err != nil {
			return nil, err
		}
		if err := dirs.RemoveCertificates(a.env.Files, ref, names); err != nil {
			return nil, err
		}
		left, err := dirs.StoreFiles(ref)
		if err == nil && len(left) == 0 && a.policyNames(dirs, ref) {
			a.warn("the trust policy still names %s, which is empty now", ref)
		}
		return &removedDocument{Removed: names, from: " from trust store " + ref.String()}, err
	})
	o.register(cmd)
	o.complete(a, cmd, true)
	cmd.Flags().BoolVarP(&all, "all", "a", false, "delete every file of the store")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// removedDocument is the result of commands that delete files.
type removedDocument struct {
	Removed []string `json:"removed"`
	from    string
}

func (d *removedDocument) text(p *page) {
	for _, r := range d.Removed {
		p.line("Deleted %s%s.", r, d.from)
	}
}

// confirm asks a yes-or-no question unless the answer was given by a flag.
func (a *app) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if !a.env.Terminal.Reads() {
		return reason.Errorf(reason.UsageConfirm, "this must be confirmed, and standard input is no terminal").
			WithHint("give --yes to go ahead without being asked")
	}
	fmt.Fprint(a.env.Stderr, escape(question)+" [y/N] ")
	answer, err := a.readLine(ctx)
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return reason.Errorf(reason.UsageConfirm, "not confirmed, so nothing was changed").WithHint("answer y, or give --yes")
}

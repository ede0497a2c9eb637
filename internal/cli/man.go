package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand writes the manual pages. It is hidden: packagers run it, users
// read the result. The pages are written by the few lines below and not by
// cobra's generator, which would link a Markdown processor into the program.
func (a *app) manCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages",
		Long:   "Write a manual page for every command into the directory DIR, which is made if need be.",
		Hidden: true,
		Example: `  # Write them where man finds them
  notation man ~/.local/share/man/man1`,
	}
	cmd = a.leaf(cmd, 1, 1, func(_ context.Context, args []string) (document, error) {
		if err := a.env.Files.MkdirAll(args[0]); err != nil {
			return nil, err
		}
		doc := &manDocument{}
		for _, c := range tree(cmd.Root()) {
			path := filepath.Join(args[0], pageName(c)+".1")
			if err := a.env.Files.Write(path, []byte(manPage(c)), atomicfile.ModePublic); err != nil {
				return nil, err
			}
			doc.Pages = append(doc.Pages, path)
		}
		return doc, nil
	})
	return cmd
}

// manDocument is the result of man.
type manDocument struct {
	Pages []string `json:"pages"`
}

func (d *manDocument) text(p *page) {
	for _, page := range d.Pages {
		p.line("%s", page)
	}
}

// tree returns cmd and all commands below it that users see.
func tree(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			all = append(all, tree(c)...)
		}
	}
	return all
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage returns the manual page of a command in the man(7) macros.
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	name := pageName(cmd)
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"notation %s\" \"Notation manual\"\n", roff(strings.ToUpper(name)), roff(buildVersion().Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(synopsis(cmd)))
	b.WriteString(".SH DESCRIPTION\n.nf\n" + roff(cmd.Long) + "\n.fi\n")
	if cmd.HasAvailableLocalFlags() {
		b.WriteString(".SH OPTIONS\n")
		manFlags(&b, cmd.LocalNonPersistentFlags())
	}
	global := cmd.InheritedFlags()
	if !cmd.HasParent() {
		global = cmd.PersistentFlags()
	}
	b.WriteString(".SH GLOBAL OPTIONS\n")
	manFlags(&b, global)
	if cmd.Example != "" {
		b.WriteString(".SH EXAMPLES\n.nf\n" + roff(cmd.Example) + "\n.fi\n")
	}
	b.WriteString(".SH EXIT STATUS\n0 yes; 1 rejected by the trust policy; 2 wrong command line or configuration; 3 could not decide; 4 not signed.\n")
	var also []string
	if cmd.HasParent() {
		also = append(also, pageName(cmd.Parent()))
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			also = append(also, pageName(c))
		}
	}
	b.WriteString(".SH SEE ALSO\n")
	for i, name := range also {
		comma := ","
		if i == len(also)-1 {
			comma = ""
		}
		fmt.Fprintf(&b, ".BR %s (1)%s\n", roff(name), comma)
	}
	return b.String()
}

func synopsis(cmd *cobra.Command) string {
	if cmd.HasSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

func manFlags(b *strings.Builder, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		spelled := "--" + f.Name
		if f.Shorthand != "" {
			spelled = "-" + f.Shorthand + ", " + spelled
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(spelled+" "+value)), roff(usage))
	})
}

// roff escapes text for the man macros: the escape character, hyphens that
// must stay hyphens, and lines that would be requests.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

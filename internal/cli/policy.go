package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

func (a *app) policyCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "policy",
		Short: "Manage the trust policy",
		Long: `Manage the trust policy: which signers are trusted for which repositories, and
which checks a signature must pass. It is kept in trustpolicy.oci.json of the
configuration directory.`,
		Example: `  # Look at the trust policy
  notation policy show`,
	}, a.policyInitCommand(), a.policyImportCommand(), a.policyShowCommand(), a.policyExplainCommand(), a.policyLintCommand())
}

// policyWrittenDocument is the result of policy init and import.
type policyWrittenDocument struct {
	Path       string   `json:"path"`
	Statements []string `json:"statements"` // their names
}

func (d *policyWrittenDocument) text(p *page) {
	p.line("Wrote the trust policy %s with %s.", d.Path, countStatements(d.Statements))
}

func countStatements(names []string) string {
	if len(names) == 1 {
		return "statement " + names[0]
	}
	return "statements " + strings.Join(names, ", ")
}

// writePolicy parses a policy and, only if it is valid, writes it.
func (a *app) writePolicy(ctx context.Context, file string, data []byte, force bool) (document, error) {
	policy, err := trust.ParsePolicy(file, data)
	if err != nil {
		return nil, err
	}
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	if err := dirs.WritePolicy(ctx, a.env.Files, data, force); err != nil {
		return nil, err
	}
	doc := &policyWrittenDocument{Path: dirs.PolicyFile()}
	for _, s := range policy.Statements() {
		doc.Statements = append(doc.Statements, s.Name())
	}
	return doc, nil
}

func (a *app) policyInitCommand() *cobra.Command {
	var name string
	var stores, identities []string
	var force bool
	cmd := &cobra.Command{
		Use:   "init [flags]",
		Short: "Write a trust policy",
		Long: `Write a trust policy of one statement, which holds for every repository and
enforces every check. An existing policy is replaced only with --force.

A trusted identity is '*' for every signer under the roots of the stores, or
'x509.subject: ' followed by a subject with at least C, ST and O.`,
		Example: `  # Trust one signer under the roots of the store ca:wabbit-networks.io
  notation policy init --name production --trust-store ca:wabbit-networks.io --trusted-identity 'x509.subject: C=US, ST=WA, O=wabbit-networks.io'`,
	}
	cmd = a.leaf(cmd, 0, 0, func(ctx context.Context, _ []string) (document, error) {
		switch {
		case len(stores) == 0:
			return nil, a.usage(cmd, reason.UsageFlag, "'notation policy init' needs --trust-store", "name a trust store, such as ca:wabbit-networks.io")
		case len(identities) == 0:
			return nil, a.usage(cmd, reason.UsageFlag, "'notation policy init' needs --trusted-identity", "name a subject as in 'x509.subject: C=US, ST=WA, O=Notary', or '*' for every signer under the roots of the stores")
		}
		for _, s := range stores {
			if _, err := trust.ParseStoreRef(s); err != nil {
				return nil, err
			}
		}
		for _, s := range identities {
			if _, err := trust.ParseIdentity(s); err != nil {
				return nil, err
			}
		}
		data, err := config.NewPolicy(name, stores, identities)
		if err != nil {
			return nil, err
		}
		doc, err := a.writePolicy(ctx, newPolicyName, data, force)
		if err != nil {
			return nil, withoutPlace(newPolicyName, err)
		}
		a.warnMissingStores(stores)
		return doc, nil
	})
	f := cmd.Flags()
	f.StringVarP(&name, "name", "n", "default", "`NAME` of the statement")
	f.StringArrayVar(&stores, "trust-store", nil, "trust store `TYPE:NAME` to trust; may be given again")
	f.StringArrayVar(&identities, "trusted-identity", nil, "`IDENTITY` to trust; may be given again")
	f.BoolVar(&force, "force", false, "replace an existing policy")
	a.unsupported(cmd, "policies for files", "global")
	f.Lookup("global").NoOptDefVal = "true" // it takes no value
	return cmd
}

// newPolicyName stands for a file in the messages of the policy parser.
const newPolicyName = "the new policy"

// withoutPlace leaves file:line: member out of what the policy parser says of a
// text that the user has not written.
func withoutPlace(file string, err error) error {
	rest, ok := strings.CutPrefix(err.Error(), file+":")
	if !ok {
		return err
	}
	parts := strings.SplitN(rest, ": ", 3)
	rest, _, _ = strings.Cut(parts[len(parts)-1], "\n")
	return reason.Errorf(reason.Of(err), "%s", rest).WithHint("%s", reason.Hint(err))
}

// warnMissingStores mentions stores of a new policy that cannot be loaded.
func (a *app) warnMissingStores(names []string) {
	stores, err := a.stores("")
	if err != nil {
		return
	}
	for _, name := range names {
		ref, err := trust.ParseStoreRef(name)
		if err != nil {
			continue
		}
		if _, _, err := stores.Load(ref); err != nil {
			a.warn("the policy names %s, but %s", ref, err)
		}
	}
}

func (a *app) policyImportCommand() *cobra.Command {
	var force bool
	cmd := a.leaf(&cobra.Command{
		Use:   "import FILE [flags]",
		Short: "Take a file as the trust policy",
		Long: `Take a copy of FILE as the trust policy. It is checked first; one that is not
valid changes nothing. An existing policy is replaced only with --force.`,
		Example: `  # Replace the trust policy
  notation policy import --force policy.json`,
	}, 1, 1, func(ctx context.Context, args []string) (document, error) {
		file, err := config.ReadPolicyAt(args[0])
		if err != nil {
			return nil, err
		}
		return a.writePolicy(ctx, file.Path, file.Data, force)
	})
	cmd.Flags().BoolVar(&force, "force", false, "replace an existing policy")
	return cmd
}

func (a *app) policyShowCommand() *cobra.Command {
	var path string
	cmd := a.leaf(&cobra.Command{
		Use:   "show [flags]",
		Short: "Show the trust policy",
		Long:  "Show the trust policy as it is written. One that is not valid is shown too, with what is wrong.",
		Example: `  # Show the policy and keep a copy
  notation policy show`,
	}, 0, 0, func(ctx context.Context, _ []string) (document, error) {
		_, file, err := a.policy(ctx, path)
		if file.Data == nil {
			return nil, err
		}
		return &policyShowDocument{Path: file.Path, Policy: asJSON(file.Data), data: file.Data}, err
	})
	registerPolicyFlag(cmd, &path)
	return cmd
}

func registerPolicyFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "policy", "", "trust policy `FILE` instead of that of the configuration directory")
}

// asJSON returns data, or its text as a JSON string if it is no JSON.
func asJSON(data []byte) any {
	if json.Valid(data) {
		return json.RawMessage(data)
	}
	return string(data)
}

// policyShowDocument is the result of policy show.
type policyShowDocument struct {
	Path   string `json:"path"`
	Policy any    `json:"policy"`
	data   []byte
}

func (d *policyShowDocument) text(p *page) {
	for line := range strings.Lines(string(d.data)) {
		// A tab is harmless, and common in JSON; whatever else cannot be printed
		// is escaped, as the file may be anything.
		for i, field := range strings.Split(strings.TrimRight(line, "\r\n"), "\t") {
			if i > 0 {
				p.raw("\t")
			}
			p.raw(escape(field))
		}
		p.raw("\n")
	}
}

func (a *app) policyExplainCommand() *cobra.Command {
	var path string
	cmd := a.leaf(&cobra.Command{
		Use:   "explain REF [flags]",
		Short: "Show which statement of the trust policy applies to an artifact",
		Long: `Show which statement of the trust policy applies to an artifact or repository,
what it asks for, and why the other statements do not apply. Nothing is sent
over the network. If no statement applies, the exit code is 1: every signature
would be rejected.`,
		Example: `  # Which statement is asked about this image
  notation policy explain registry.example.com/net-monitor:v1`,
	}, 1, 1, func(ctx context.Context, args []string) (document, error) {
		ref, err := oci.ParseReference(args[0])
		if err != nil {
			return nil, err
		}
		policy, file, err := a.policy(ctx, path)
		if err != nil {
			return nil, err
		}
		explanations, err := policy.Explain(ref.Name())
		if explanations == nil {
			return nil, err
		}
		doc := &explainDocument{Policy: file.Path, Scope: ref.Name()}
		for _, e := range explanations {
			doc.Statements = append(doc.Statements, newExplained(e))
		}
		return doc, err
	})
	registerPolicyFlag(cmd, &path)
	return cmd
}

// explainDocument is the result of policy explain.
type explainDocument struct {
	Policy     string          `json:"policy"` // the file
	Scope      string          `json:"scope"`
	Statements []explainedJSON `json:"statements"`
}

type explainedJSON struct {
	Name       string            `json:"name"`
	Where      string            `json:"where"`
	Applies    bool              `json:"applies"`
	Why        string            `json:"why"`
	Level      string            `json:"level"`
	Checks     map[string]string `json:"checks"`
	Stores     []string          `json:"trustStores"`
	Identities []string          `json:"trustedIdentities"`

	order []trust.Check
}

func newExplained(e trust.Explanation) explainedJSON {
	s := e.Statement
	out := explainedJSON{
		Name: s.Name(), Where: e.Where, Applies: e.Applies, Why: e.Why, Level: s.Level().String(),
		Checks: map[string]string{}, Stores: []string{}, Identities: []string{},
	}
	for c := trust.Integrity; c <= trust.Revocation; c++ {
		out.Checks[c.String()] = s.Action(c).String()
		out.order = append(out.order, c)
	}
	for _, ref := range s.Stores() {
		out.Stores = append(out.Stores, ref.String())
	}
	for _, id := range s.Identities() {
		out.Identities = append(out.Identities, id.String())
	}
	return out
}

func (d *explainDocument) text(p *page) {
	for _, s := range d.Statements {
		if !s.Applies {
			continue
		}
		p.line("Statement %q applies to %s: %s.", s.Name, d.Scope, s.Why)
		rows := [][]cell{row("where", s.Where), row("level", s.Level)}
		for _, c := range s.order {
			rows = append(rows, row(c.String(), s.Checks[c.String()]))
		}
		rows = append(rows, row("trust stores", strings.Join(s.Stores, ", ")), row("identities", strings.Join(s.Identities, "; ")))
		p.table("  ", rows)
	}
	for _, s := range d.Statements {
		if !s.Applies {
			p.line("Statement %q does not apply: %s.", s.Name, s.Why)
		}
	}
}

func (a *app) policyLintCommand() *cobra.Command {
	o := &trustOptions{}
	cmd := a.leaf(&cobra.Command{
		Use:   "lint [flags]",
		Short: "Find what is wrong or dangerous in the trust policy",
		Long: `Find what is wrong or dangerous in the trust policy and the trust stores that it
names, before a verification does. An error means that signatures which should
pass are rejected, and makes the exit code 2; warnings and notices do not.`,
		Example: `  # Look over the policy of the configuration directory
  notation policy lint

  # Look over a policy before it is imported
  notation policy lint --policy policy.json --trust-store certs/`,
	}, 0, 0, func(ctx context.Context, _ []string) (document, error) { return a.lint(ctx, o) })
	registerPolicyFlag(cmd, &o.policy)
	cmd.Flags().StringVar(&o.store, "trust-store", "", "directory `DIR` of trust stores, TYPE/NAME/FILE, instead of that of the configuration directory")
	return cmd
}

func (a *app) lint(ctx context.Context, o *trustOptions) (document, error) {
	policy, file, err := a.policy(ctx, o.policy)
	if err != nil {
		return nil, err
	}
	stores, err := a.stores(o.store)
	if err != nil {
		return nil, err
	}
	doc := &lintDocument{Policy: file.Path, Issues: []issueJSON{}}
	broken := 0
	for _, issue := range trust.Lint(policy, stores, a.env.Now()) {
		if issue.Severity == trust.Broken {
			broken++
		}
		doc.Issues = append(doc.Issues, issueJSON{
			Severity: issue.Severity.String(), Code: issue.Code, Where: issue.Where, Message: issue.Message, Hint: issue.Hint,
		})
	}
	if broken > 0 {
		return doc, reason.Errorf(reason.UsagePolicyBroken, "the trust policy rejects good signatures, for %s", count(broken, "reason")).
			WithHint("correct what is shown as error")
	}
	return doc, nil
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// lintDocument is the result of policy lint.
type lintDocument struct {
	Policy string      `json:"policy"` // the file
	Issues []issueJSON `json:"issues"`
}

type issueJSON struct {
	Severity string      `json:"severity"` // notice, warning or error
	Code     reason.Code `json:"code"`
	Where    string      `json:"where"`
	Message  string      `json:"message"`
	Hint     string      `json:"hint,omitempty"`
}

func (d *lintDocument) text(p *page) {
	if len(d.Issues) == 0 {
		p.line("Nothing to say against %s.", d.Policy)
		return
	}
	styles := map[string]style{trust.Warning.String(): warned, trust.Broken.String(): bad}
	var rows [][]cell
	for _, i := range d.Issues {
		rows = append(rows, []cell{{i.Severity, styles[i.Severity]}, {text: i.Where + ": " + i.Message + " [" + string(i.Code) + "]"}})
		if i.Hint != "" {
			rows = append(rows, row("", sentence(i.Hint)))
		}
	}
	p.table("", rows)
}

package cli

import (
	"cmp"
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
configuration directory. That for files is managed by 'notation blob policy'.`,
		Example: `  # Look at the trust policy
  notation policy show`,
	}, a.policyCommands(trust.OCIPolicy)...)
}

// policyCommands are the same for both kinds of policies.
func (a *app) policyCommands(kind trust.Kind) []*cobra.Command {
	return []*cobra.Command{
		a.policyInitCommand(kind), a.policyImportCommand(kind), a.policyShowCommand(kind), a.policyExplainCommand(kind), a.policyLintCommand(kind),
	}
}

// policyCommandName is what comes before the sub-command.
func policyCommandName(kind trust.Kind) string {
	if kind == trust.BlobPolicy {
		return "notation blob policy"
	}
	return "notation policy"
}

// parsePolicy reads the text of a policy of a kind.
func parsePolicy(kind trust.Kind, file string, data []byte) (*trust.Policy, error) {
	if kind == trust.BlobPolicy {
		return trust.ParseBlobPolicy(file, data)
	}
	return trust.ParsePolicy(file, data)
}

// policy reads and parses the trust policy of a kind at path, or the user's for
// "".
func (a *app) policy(kind trust.Kind, path string) (*trust.Policy, config.PolicyFile, error) {
	file, err := a.policyFile(kind, path)
	if err != nil {
		return nil, file, err
	}
	for _, w := range file.Warnings {
		a.warn("%s", w)
	}
	a.log.Debug("trust policy", "kind", kind.String(), "file", file.Path)
	policy, err := parsePolicy(kind, file.Path, file.Data)
	return policy, file, err
}

func (a *app) policyFile(kind trust.Kind, path string) (config.PolicyFile, error) {
	if path != "" {
		file, err := config.ReadPolicyAt(path)
		return file, nameAFile(err)
	}
	dirs, err := a.dirs()
	if err != nil {
		return config.PolicyFile{}, err
	}
	return dirs.ReadPolicyOf(kind)
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
func (a *app) writePolicy(ctx context.Context, kind trust.Kind, file string, data []byte, force bool) (document, error) {
	policy, err := parsePolicy(kind, file, data)
	if err != nil {
		return nil, err
	}
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	if err := dirs.WritePolicy(ctx, a.env.Files, kind, data, force); err != nil {
		return nil, err
	}
	doc := &policyWrittenDocument{Path: dirs.PolicyFileOf(kind)}
	for _, s := range policy.Statements() {
		doc.Statements = append(doc.Statements, s.Name())
	}
	return doc, nil
}

func (a *app) policyImportCommand(kind trust.Kind) *cobra.Command {
	var force bool
	cmd := a.leaf(&cobra.Command{
		Use:   "import FILE [flags]",
		Short: "Take a file as the trust policy",
		Long: `Take a copy of FILE as the trust policy. It is checked first; one that is not
valid changes nothing. An existing policy is replaced only with --force.`,
		Example: `  # Replace the trust policy
  ` + policyCommandName(kind) + ` import --force policy.json`,
	}, 1, 1, func(ctx context.Context, args []string) (document, error) {
		file, err := config.ReadPolicyAt(args[0])
		if err != nil {
			return nil, nameAFile(err)
		}
		return a.writePolicy(ctx, kind, file.Path, file.Data, force)
	})
	cmd.Flags().BoolVar(&force, "force", false, "replace an existing policy")
	return cmd
}

func (a *app) policyShowCommand(kind trust.Kind) *cobra.Command {
	var path string
	cmd := a.leaf(&cobra.Command{
		Use:   "show [flags]",
		Short: "Show the trust policy",
		Long:  "Show the trust policy as it is written. One that is not valid is shown too, with what is wrong.",
		Example: `  # Show the trust policy
  ` + policyCommandName(kind) + ` show`,
	}, 0, 0, func(ctx context.Context, _ []string) (document, error) {
		_, file, err := a.policy(kind, path)
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

func (a *app) policyExplainCommand(kind trust.Kind) *cobra.Command {
	var path string
	signer := &explainSignerOptions{}
	cmd := &cobra.Command{
		Use:   "explain REF [flags]",
		Short: "Show which statement of the trust policy applies to an artifact",
		Long: `Show which statement of the trust policy applies to an artifact or repository,
what it asks for, and why the other statements do not apply. Nothing is sent
over the network. If no statement applies, the exit code is 1: every signature
would be rejected.

With --cert, the certificates of a signer, it names the root and the trusted
identity by which the statement trusts that signer, or says what it lacks; the
exit code is then 1.`,
		Example: `  # Which statement is asked about this image
  notation policy explain registry.example.com/net-monitor:v1

  # By which root and identity is this signer trusted
  notation policy explain --cert release.crt registry.example.com/net-monitor:v1`,
	}
	least := 1
	if kind == trust.BlobPolicy {
		least = 0
		cmd.Use = "explain [NAME] [flags]"
		cmd.Short = "Show which statement of the trust policy applies to a file"
		cmd.Long = `Show which statement of the trust policy applies to files: the global one, or
with NAME the one that 'notation blob verify --policy-name NAME' asks for. It
shows what the statement asks for, and why the others do not apply. If none
applies, the exit code is 1: every signature would be rejected.

With --cert, the certificates of a signer, it names the root and the trusted
identity by which the statement trusts that signer, or says what it lacks; the
exit code is then 1.`
		cmd.Example = `  # Which statement holds for files when none is named
  notation blob policy explain`
	}
	cmd = a.leaf(cmd, least, 1, func(ctx context.Context, args []string) (document, error) {
		doc := &explainDocument{kind: kind}
		switch {
		case kind != trust.BlobPolicy:
			ref, err := oci.ParseReference(args[0])
			if err != nil {
				return nil, err
			}
			doc.Scope = ref.Name()
		case len(args) > 0:
			doc.PolicyName = args[0]
		}
		policy, file, err := a.policy(kind, path)
		if explained, err := doc.explain(policy, file, err); err != nil {
			return explained, err
		}
		return doc, a.explainSigner(cmd, signer, doc, policy)
	})
	registerPolicyFlag(cmd, &path)
	signer.register(cmd)
	return cmd
}

// explain fills in what the policy says about the scope or name.
func (d *explainDocument) explain(policy *trust.Policy, file config.PolicyFile, err error) (document, error) {
	if err != nil {
		return nil, err
	}
	explanations, err := policy.Explain(cmp.Or(d.Scope, d.PolicyName))
	if explanations == nil {
		return nil, err
	}
	d.Policy = file.Path
	for _, e := range explanations {
		s := newExplained(e)
		if d.kind != trust.BlobPolicy && e.Statement.Level() != trust.SkipAll {
			s.Covers = "itself"
			if e.Statement.IndexCoversManifests() {
				s.Covers = "manifests"
			}
		}
		d.Statements = append(d.Statements, s)
	}
	return d, err
}

// explainDocument is the result of policy explain.
type explainDocument struct {
	Policy     string          `json:"policy"`               // the file
	Scope      string          `json:"scope,omitempty"`      // of a policy for artifacts
	PolicyName string          `json:"policyName,omitempty"` // of a policy for files; "": the global one
	Statements []explainedJSON `json:"statements"`
	Signer     *matchedJSON    `json:"signer,omitempty"` // of --cert

	kind trust.Kind
}

type explainedJSON struct {
	Name       string            `json:"name"`
	Where      string            `json:"where"`
	Applies    bool              `json:"applies"`
	Why        string            `json:"why"`
	Level      string            `json:"level"`
	Checks     map[string]string `json:"checks"`
	Timestamp  string            `json:"verifyTimestamp"`
	Covers     string            `json:"indexCovers,omitempty"` // of a policy for artifacts
	Stores     []string          `json:"trustStores"`
	Identities []string          `json:"trustedIdentities"`

	order   []trust.Check
	stamped string // what Timestamp means for the statement
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
	out.Timestamp, out.stamped = "always", "looked at always: a signature needs one"
	if s.TimestampAfterCertExpiry() {
		out.Timestamp, out.stamped = "afterCertExpiry", "looked at once a certificate has expired, when a signature needs one"
	}
	if len(s.Stores(trust.TSA)) == 0 {
		out.stamped = "not looked at, as no trust store of type tsa is named"
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
		p.line("Statement %q applies to %s: %s.", s.Name, cmp.Or(d.Scope, "files"), s.Why)
		rows := [][]cell{row("where", s.Where), row("level", s.Level)}
		for _, c := range s.order {
			rows = append(rows, row(c.String(), s.Checks[c.String()]))
		}
		rows = append(rows, row("time stamps", s.stamped))
		switch s.Covers {
		case "itself":
			rows = append(rows, row("indexes", "the signature of an index covers itself only"))
		case "manifests":
			rows = append(rows, row("indexes", "the signature of an index covers the manifests that it lists, too"))
		}
		rows = append(rows, row("trust stores", strings.Join(s.Stores, ", ")), row("identities", strings.Join(s.Identities, "; ")))
		p.table("  ", rows)
	}
	d.Signer.text(p)
	for _, s := range d.Statements {
		if !s.Applies {
			p.line("Statement %q does not apply: %s.", s.Name, s.Why)
		}
	}
}

func (a *app) policyLintCommand(kind trust.Kind) *cobra.Command {
	o := &trustOptions{kind: kind}
	cmd := a.leaf(&cobra.Command{
		Use:   "lint [flags]",
		Short: "Find what is wrong or dangerous in the trust policy",
		Long: `Find what is wrong or dangerous in the trust policy and the trust stores that it
names, before a verification does. An error means that signatures which should
pass are rejected, and makes the exit code 2; warnings and notices do not.`,
		Example: `  # Look over the policy of the configuration directory
  ` + policyCommandName(kind) + ` lint

  # Look over a policy before it is imported
  ` + policyCommandName(kind) + ` lint --policy policy.json --trust-store certs/`,
	}, 0, 0, func(ctx context.Context, _ []string) (document, error) { return a.lint(ctx, o) })
	registerPolicyFlag(cmd, &o.policy)
	cmd.Flags().StringVar(&o.store, "trust-store", "", "directory `DIR` of trust stores, TYPE/NAME/FILE, instead of that of the configuration directory")
	return cmd
}

func (a *app) lint(ctx context.Context, o *trustOptions) (document, error) {
	policy, file, err := a.policy(o.policyKind(), o.policy)
	if err != nil {
		return nil, err
	}
	stores, err := a.stores(o.store)
	if err != nil {
		return nil, err
	}
	dir, err := a.storeDir(o.store)
	if err != nil {
		return nil, err
	}
	doc := &lintDocument{Policy: file.Path, TrustStore: dir, Issues: []issueJSON{}}
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
	Policy     string      `json:"policy"`     // the file
	TrustStore string      `json:"trustStore"` // the directory that the files of stores are named from
	Issues     []issueJSON `json:"issues"`
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
	p.line("Files of trust stores are in %s.", d.TrustStore)
}

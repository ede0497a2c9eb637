package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

// Bounds of doctor. What is beyond is counted and told.
const (
	maxDoctorKeys    = 200     // keys looked at one by one
	maxDoctorIssues  = 50      // of one trust policy
	maxDoctorEntries = 100_000 // of the cache directory
	// probeTime bounds each question to the registry.
	probeTime = 15 * time.Second
	// clockOff is how far this machine's clock may be from the registry's.
	clockOff = time.Minute
	// clockWrong is when certificates and time stamps begin to be judged wrongly.
	clockWrong = 10 * time.Minute
)

func (a *app) doctorCommand() *cobra.Command {
	o := &registryOptions{stateless: true}
	cmd := &cobra.Command{
		Use:   "doctor [REF] [flags]",
		Short: "Check what usually goes wrong",
		Long: `Check what usually goes wrong, and say what to do about it: configuration,
signing keys, trust policies and stores, certificates about to expire, the
clock, plugins, the cache, time stamps and proxies. With REF, an artifact in a
registry, also whether the registry can be reached, which login is used, whether
the artifact and its signatures can be listed, and which statement of the trust
policy applies.

Nothing is changed, signed or verified. Plugins are asked what they can do, which
runs them. All checks are made, whatever the others find. Of the outcomes ok,
note, warning and problem, only a problem makes the exit code other than 0: 2 if
it is in the configuration, 3 if the registry could not be asked.`,
		Example: `  # Is everything in order on this machine
  notation doctor

  # Why can this artifact not be verified here
  notation doctor registry.example.com/net-monitor:v1`,
	}
	cmd = a.leaf(cmd, 0, 1, func(ctx context.Context, args []string) (document, error) {
		ctx, cancel := a.network(ctx)
		defer cancel()
		d := &doctor{app: a, now: a.env.Now()}
		doc := &doctorDocument{}
		d.local(ctx)
		if len(args) > 0 {
			doc.Reference = args[0]
			d.registry(ctx, o, args[0])
		} else {
			d.list.area = "clock"
			d.list.add(outcomeNote, "", reason.DoctorClockUnchecked, "give a reference to an artifact, as in 'notation doctor REF'",
				"not compared with another clock: without a registry there is none to ask")
		}
		doc.Checks = d.list.all
		return doc, d.verdict()
	})
	o.register(cmd)
	return cmd
}

// doctor is one run of the checks.
type doctor struct {
	*app
	now    time.Time
	list   checklist
	newest time.Time // the latest notBefore of a certificate that was seen

	dirs     config.Dirs
	settings config.Settings
	policies map[trust.Kind]*trust.Policy // those that parse
}

// verdict returns the error that the problems amount to.
func (d *doctor) verdict() error {
	n := d.list.count(outcomeProblem)
	switch d.list.exit {
	case exitOK:
		return nil
	case exitUsage:
		return reason.Errorf(reason.UsageProblems, "found %s", count(n, "problem")).WithHint("correct what is shown as problem, the first one first")
	}
	return reason.Errorf(reason.DoctorUndecided, "not everything could be looked at, for %s", count(n, "problem")).
		WithHint("see what is shown as problem, and try again with --debug")
}

// local makes the checks that ask nobody.
func (d *doctor) local(ctx context.Context) {
	d.list.area = "configuration"
	dirs, err := d.app.dirs()
	if err != nil {
		d.list.problem("", err)
	}
	d.dirs = dirs
	if dirs.Config != "" {
		d.configuration()
		d.keys(ctx)
		d.trustPolicies()
		d.stores()
		d.timestamps(ctx)
	}
	d.clock(buildTime())
	d.plugins(ctx)
	d.cache()
	d.proxies()
}

// doctorDocument is the result of doctor.
type doctorDocument struct {
	Reference string      `json:"reference,omitempty"` // as typed
	Checks    []checkJSON `json:"checks"`
}

func (d *doctorDocument) text(p *page) {
	p.table("", checkRows(d.Checks))
	list := checklist{all: d.Checks}
	p.line("%s, %s, %s.", count(len(d.Checks), "check"), count(list.count(outcomeProblem), "problem"), count(list.count(outcomeWarning), "warning"))
}

// saw remembers when certificates begin to be valid: no clock is earlier.
func (d *doctor) saw(t time.Time) {
	if t.After(d.newest) {
		d.newest = t
	}
}

// keys checks the signing keys. Of one that is in order, there is one line.
func (d *doctor) keys(ctx context.Context) {
	d.list.area = "keys"
	keys, err := d.dirs.SigningKeys()
	if err != nil {
		d.list.problem("signingkeys.json", err)
		return
	}
	if w := writableFile(d.dirs.SigningKeysFile()); w != nil {
		d.list.say(outcomeWarning, "signingkeys.json", w)
	}
	all := keys.All()
	if len(all) == 0 {
		d.list.add(outcomeNote, "", reason.ConfigNoDefaultKey, "list a key with 'notation key add' to sign; verifying needs none", "no key is listed")
		return
	}
	if _, err := keys.Default(); err != nil {
		o := outcomeNote
		if keys.DefaultName() != "" { // it names one that is not there
			o = outcomeWarning
		}
		d.list.say(o, "", err)
	}
	for _, key := range all[:min(len(all), maxDoctorKeys)] {
		one := &checklist{}
		d.lintKey(ctx, one, d.dirs, key, &passphraseOptions{mute: true})
		if key.IsLocal() {
			if certs, err := readCertificates(ctx, key.CertPath); err == nil {
				d.saw(certs[0].NotBefore)
			}
		}
		d.keySummary(key, keys.DefaultName(), one)
	}
	if len(all) > maxDoctorKeys {
		d.list.add(outcomeNote, "", reason.DoctorMany, "look at the others with 'notation key lint NAME'",
			"only the first "+decimal(maxDoctorKeys)+" of "+decimal(len(all))+" keys were looked at")
	}
}

const andMore = "; it is not the only one, see 'notation key lint'"

// keySummary adds what a key is not praised for, and whether it can sign.
func (d *doctor) keySummary(key config.Key, defaultName string, one *checklist) {
	d.list.area = "keys"
	warned := map[reason.Code]int{} // where it is, from 1; what holds for a whole chain is said once
	for _, c := range one.all {
		switch at := warned[c.Code]; {
		case c.Outcome == outcomeOK:
		case c.Outcome == outcomeWarning && at > 0:
			if first := &d.list.all[at-1]; !strings.HasSuffix(first.Message, andMore) {
				first.Message += andMore
			}
		default:
			d.list.add(c.Outcome, c.Subject, c.Code, c.Hint, c.Message)
			warned[c.Code] = len(d.list.all)
		}
	}
	d.list.exit = worse(d.list.exit, one.exit)
	if one.count(outcomeProblem) > 0 {
		return
	}
	what := "can sign"
	if key.Name == defaultName {
		what += ", the default key"
	}
	d.list.ok(key.Name, "%s", what)
}

// trustPolicies checks the policies of both kinds and the stores that they name.
func (d *doctor) trustPolicies() {
	d.policies = map[trust.Kind]*trust.Policy{}
	stores, _ := openStores(d.dirs.TrustStore(), false) // d.stores tells what is wrong
	for _, kind := range []trust.Kind{trust.OCIPolicy, trust.BlobPolicy} {
		d.list.area = "trust policy"
		file, err := d.dirs.ReadPolicyOf(kind)
		if reason.Of(err) == reason.ConfigNoPolicy {
			d.list.say(outcomeNote, kind.String(), err)
			continue
		}
		if err != nil {
			d.list.problem(kind.String(), err)
			continue
		}
		for _, w := range file.Warnings {
			d.list.add(outcomeWarning, kind.String(), reason.DoctorMode, "take the permission away with chmod go-w, or remove the file that is not used", w)
		}
		policy, err := parsePolicy(kind, file.Path, file.Data)
		if err != nil {
			for _, each := range eachFault(err) {
				d.list.problem(kind.String(), each)
			}
			continue
		}
		d.policies[kind] = policy
		d.policyIssues(kind, policy, stores)
	}
}

// eachFault returns the errors that were joined, one for each fault.
func eachFault(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the tree is taken apart here
		return joined.Unwrap()
	}
	return []error{err}
}

func (d *doctor) policyIssues(kind trust.Kind, policy *trust.Policy, stores *trust.Stores) {
	outcomes := map[trust.Severity]outcome{trust.Notice: outcomeNote, trust.Warning: outcomeWarning, trust.Broken: outcomeProblem}
	issues := trust.Lint(policy, stores, d.now)
	broken := false
	for i, issue := range issues {
		o := outcomes[issue.Severity]
		if issue.Code == reason.StoreExpiresSoon {
			o = outcomeWarning
		}
		if i >= maxDoctorIssues && o != outcomeProblem {
			continue
		}
		if o == outcomeProblem {
			broken = true
			d.list.exit = worse(d.list.exit, exitUsage)
		}
		d.list.add(o, kind.String(), issue.Code, issue.Hint, issue.Where+": "+issue.Message)
	}
	if len(issues) > maxDoctorIssues {
		d.list.add(outcomeNote, kind.String(), reason.DoctorMany, "see all of them with 'notation policy lint'", "there is more to say against the policy")
	}
	if !broken {
		d.list.ok(kind.String(), "%s, with %s", policy.File(), count(len(policy.Statements()), "statement"))
	}
}

// stores checks the trust stores that are there. Those that a policy names and
// that are missing or broken have been told with the policy.
func (d *doctor) stores() {
	d.list.area = "trust stores"
	stores, err := openStores(d.dirs.TrustStore(), false)
	if err == nil {
		err = danglingStores(d.dirs)
	}
	if err != nil {
		d.list.problem("", err)
		return
	}
	refs, warnings, err := storeRefs(d.dirs, stores)
	if err != nil {
		d.list.problem("", err)
		return
	}
	for _, w := range warnings {
		d.list.say(outcomeWarning, "", w)
	}
	if len(refs) == 0 {
		d.list.add(outcomeNote, "", reason.StoreNotFound, "trust a certificate with 'notation cert add --name NAME FILE' to verify", "there is none")
	}
	for _, ref := range refs {
		d.store(stores, ref)
	}
}

func (d *doctor) store(stores *trust.Stores, ref trust.StoreRef) {
	named := d.namedBy(ref)
	anchors, warnings, err := stores.Anchors(ref)
	switch {
	case err != nil && named: // told with the policy
		return
	case err != nil:
		d.list.problem(ref.String(), err)
		return
	}
	clean := true
	for _, w := range warnings {
		if !named {
			d.list.say(outcomeWarning, ref.String(), w)
		}
		clean = clean && named
	}
	for _, anchor := range anchors {
		c := anchor.Certificate
		d.saw(c.NotBefore)
		if named || c.NotAfter.Sub(d.now) >= expirySoon {
			continue // the policy's lint tells
		}
		clean = false
		code, verb := reason.DoctorExpiresSoon, "expires"
		if d.now.After(c.NotAfter) {
			code, verb = reason.StoreExpired, "has expired"
		}
		d.list.add(outcomeWarning, ref.String(), code, "add the new root beside it", "the certificate of "+printedName(c.RawSubject)+" "+verb+" on "+printedTime(c.NotAfter))
	}
	switch {
	case !named && ref.Type != trust.TSA || !named && len(d.settings.TimestampURLs) == 0:
		d.list.add(outcomeNote, ref.String(), reason.DoctorUnusedStore, "name it in trustStores of a statement, or delete it with 'notation cert delete'",
			count(len(anchors), "certificate")+"; no trust policy names the store")
	case clean:
		d.list.ok(ref.String(), "%s", count(len(anchors), "certificate"))
	}
}

// namedBy reports whether a policy names a store.
func (d *doctor) namedBy(ref trust.StoreRef) bool {
	for _, policy := range d.policies {
		for _, s := range policy.Statements() {
			if slices.Contains(s.Stores(), ref) {
				return true
			}
		}
	}
	return false
}

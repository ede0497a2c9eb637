package cli

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

// purpose is something that a certificate may be used for. The last three are
// the types of trust store that may hold it.
type purpose string

const (
	forSigning      purpose = "signing"
	forTimestamping purpose = "timestamping"
	forAnchor       purpose = "anchor" // of --for: any type of trust store
)

// purposes returns every purpose that is reported, in that order.
func purposes() []purpose {
	return []purpose{forSigning, forTimestamping, inStore(trust.CA), inStore(trust.SigningAuthority), inStore(trust.TSA)}
}

func inStore(t trust.StoreType) purpose { return purpose(t.String()) }

// covers reports whether p, of --for, asks about q.
func (p purpose) covers(q purpose) bool {
	return p == "" || p == q || p == forAnchor && q != forSigning && q != forTimestamping
}

func (a *app) certLintCommand() *cobra.Command {
	var asked purpose
	cmd := &cobra.Command{
		Use:   "lint FILE... [flags]",
		Short: "Find what would make certificates unusable",
		Long: `Find what would make certificates unusable for code signing, for time stamping,
and as a trust anchor in each type of trust store, and what to do about it. No
trust store is looked at, and nothing is sent over the network.

FILE holds one certificate in DER, or one or more in PEM. Several certificates
are a chain, which must begin with the signing certificate and end with the
root, unless every one is self-signed: then they are roots.

A fault makes a certificate unusable for the purposes that it names. A warning
does not. The exit code is 2 if a file can be used for nothing or, with --for,
not for that purpose.`,
		Example: `  # Can these files be used, and for what
  notation cert lint release.crt root.crt

  # Is this chain good for signing
  notation cert lint --for signing release.crt`,
	}
	cmd = a.leaf(cmd, 1, -1, func(ctx context.Context, args []string) (document, error) {
		return a.lintCertificates(ctx, args, asked)
	})
	cmd.Flags().Var(&choice[purpose]{&asked, []purpose{forSigning, forTimestamping, forAnchor}, nil}, "for", "the purpose that matters: signing, timestamping or anchor; any if not given")
	completions(cmd, "for", string(forSigning), string(forTimestamping), string(forAnchor))
	return cmd
}

func (a *app) lintCertificates(ctx context.Context, files []string, asked purpose) (document, error) {
	doc := &certLintDocument{Files: make([]lintedFileJSON, len(files)), asked: asked}
	var errs manyErrors
	for i, file := range files {
		linted := &doc.Files[i]
		linted.File, linted.Certificates, linted.UsableFor = file, []lintedJSON{}, []purpose{}
		certs, err := readCertificates(ctx, file)
		if err == nil {
			linted.judge(certs, a.env.Now())
			err = linted.verdict(asked)
		}
		if err != nil {
			linted.Error = newErrorJSON(err)
			errs = append(errs, refError{"", err})
		}
	}
	return doc, errs.asError()
}

// certLintDocument is the result of cert lint.
type certLintDocument struct {
	Files []lintedFileJSON `json:"files"`
	asked purpose
}

// lintedFileJSON is one file of certificates.
type lintedFileJSON struct {
	File         string       `json:"file"` // as typed
	UsableFor    []purpose    `json:"usableFor"`
	Certificates []lintedJSON `json:"certificates"`
	Chain        *chainJSON   `json:"chain,omitempty"` // absent if the certificates are none
	Error        *errorJSON   `json:"error,omitempty"`
}

// lintedJSON is one certificate, judged by itself in its role.
type lintedJSON struct {
	certificateJSON
	NotBefore string       `json:"notBefore"`
	Role      string       `json:"role"` // leaf or issuer
	UsableFor []purpose    `json:"usableFor"`
	Faults    []faultJSON  `json:"faults"`
	Warnings  []remarkJSON `json:"warnings"`
}

// chainJSON is what the certificates of a file are among each other.
type chainJSON struct {
	UsableFor []purpose   `json:"usableFor"` // signing, timestamping: with all that is said of the certificates
	Faults    []faultJSON `json:"faults"`
}

// faultJSON is a rule that is broken.
type faultJSON struct {
	For         []purpose   `json:"for"` // what it makes impossible
	Certificate int         `json:"certificate,omitempty"`
	Rule        string      `json:"rule"`
	Source      string      `json:"source,omitempty"`
	Code        reason.Code `json:"code"`
	Message     string      `json:"message"` // the rest of a sentence that begins with the certificate, or the chain
	Hint        string      `json:"hint"`
}

// addFault adds a fault for a purpose, once.
func addFault(list []faultJSON, p purpose, f faultJSON) []faultJSON {
	for i := range list {
		if list[i].Rule == f.Rule && list[i].Message == f.Message && list[i].Certificate == f.Certificate {
			if !slices.Contains(list[i].For, p) {
				list[i].For = append(list[i].For, p)
			}
			return list
		}
	}
	f.For = []purpose{p}
	return append(list, f)
}

func newFault(v certchain.Violation) faultJSON {
	return faultJSON{Rule: v.Rule.ID, Source: v.Rule.Source, Code: v.Rule.Code, Message: v.Detail, Hint: v.Rule.Remedy}
}

// usable returns the purposes of a list that no fault speaks against.
func usable(of []purpose, faults []faultJSON) []purpose {
	left := []purpose{}
	for _, p := range of {
		if !slices.ContainsFunc(faults, func(f faultJSON) bool { return slices.Contains(f.For, p) }) {
			left = append(left, p)
		}
	}
	return left
}

// judge fills in what there is to say about the certificates of a file.
func (l *lintedFileJSON) judge(certs []*x509.Certificate, now time.Time) {
	roots := !slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return !selfIssued(c) })
	chain := len(certs) > 1 && !roots
	for i, c := range certs {
		role := certchain.Leaf
		if chain && i > 0 || !chain && isAuthority(c) {
			role = certchain.Issuer
		}
		one := newLinted(c, role, now)
		if role == certchain.Issuer && !chain { // nothing stands below it
			for _, p := range []purpose{forSigning, forTimestamping} {
				one.Faults = addFault(one.Faults, p, authorityFault())
			}
		}
		if len(certs) == 1 && !selfIssued(c) && role == certchain.Leaf {
			one.Warnings = append(one.Warnings, remarkJSON{reason.DoctorIncompleteChain, "comes without its issuers, which signing needs",
				"put the issuers after it into the file, the root last"})
		}
		one.UsableFor = usable(purposes(), one.Faults)
		l.Certificates = append(l.Certificates, one)
	}
	if chain || len(certs) == 1 && roots && !isAuthority(certs[0]) {
		l.Chain = judgeChain(certs)
		for _, one := range l.Certificates {
			l.Chain.UsableFor = slices.DeleteFunc(l.Chain.UsableFor, func(p purpose) bool { return !slices.Contains(one.UsableFor, p) })
		}
	}
	l.UsableFor = l.uses(roots)
}

// uses returns what the file as it is can be used for: its chain for signing
// and time stamping, all of its certificates as anchors.
func (l *lintedFileJSON) uses(roots bool) []purpose {
	uses := []purpose{}
	for _, p := range purposes() {
		all := !slices.ContainsFunc(l.Certificates, func(c lintedJSON) bool { return !slices.Contains(c.UsableFor, p) })
		switch {
		case !forAnchor.covers(p) && l.Chain != nil:
			all = slices.Contains(l.Chain.UsableFor, p)
		case !forAnchor.covers(p) && roots:
			all = false // several roots are no chain
		}
		if all {
			uses = append(uses, p)
		}
	}
	return uses
}

func isAuthority(c *x509.Certificate) bool { return c.BasicConstraintsValid && c.IsCA }

// judgeChain finds what is wrong among the certificates of a chain. What one of
// them shows by itself is left out.
func judgeChain(certs []*x509.Certificate) *chainJSON {
	j := &chainJSON{Faults: []faultJSON{}}
	for _, profile := range []struct {
		purpose purpose
		rules   certchain.Profile
	}{{forSigning, certchain.CodeSigning}, {forTimestamping, certchain.TimeStamping}} {
		for _, v := range certchain.Lint(certs, profile.rules) {
			if v.Rule.Single() {
				continue
			}
			f := newFault(v)
			if v.Subject != "" {
				f.Certificate = v.Position + 1
			}
			j.Faults = addFault(j.Faults, profile.purpose, f)
		}
	}
	j.UsableFor = usable([]purpose{forSigning, forTimestamping}, j.Faults)
	return j
}

// authorityFault is why a certificate authority does not sign artifacts: the
// rule that a leaf would break.
func authorityFault() faultJSON {
	f := faultJSON{Code: reason.CertLeafCA, Message: "is a certificate authority, which signs certificates and no artifacts"}
	for _, rule := range certchain.Rules(certchain.CodeSigning) {
		if rule.Code == reason.CertLeafCA {
			f.Rule, f.Source, f.Hint = rule.ID, rule.Source, rule.Remedy
		}
	}
	return f
}

// newLinted judges one certificate by itself.
func newLinted(c *x509.Certificate, role certchain.Role, now time.Time) lintedJSON {
	one := lintedJSON{
		certificateJSON: newCertificate(c), NotBefore: printedTime(c.NotBefore), Role: "leaf",
		Faults: []faultJSON{}, Warnings: []remarkJSON{},
	}
	if role == certchain.Issuer {
		one.Role = "issuer"
	}
	signing := certchain.LintCertificate(c, role, certchain.CodeSigning)
	one.broken(forSigning, signing)
	one.broken(forTimestamping, certchain.LintCertificate(c, role, certchain.TimeStamping))
	one.encoding(c)
	one.validity(c, now)
	one.anchor(c, role, signing)
	one.Warnings = append(one.Warnings, remarks(c, role, now)...)
	return one
}

// broken adds violations. That a leaf is an authority says it all: what
// authorities' certificates have besides, and a leaf's must not, is left out.
func (l *lintedJSON) broken(p purpose, violations []certchain.Violation) {
	authority := slices.ContainsFunc(violations, func(v certchain.Violation) bool { return v.Rule.Code == reason.CertLeafCA })
	for _, v := range violations {
		if !authority || !v.Rule.LeafOnly() || v.Rule.Code == reason.CertLeafCA {
			l.Faults = addFault(l.Faults, p, newFault(v))
		}
	}
}

// encoding adds what is wrong with the certificate's bytes.
func (l *lintedJSON) encoding(c *x509.Certificate) {
	if _, err := certchain.Parse([][]byte{c.Raw}); err != nil && reason.Of(err) != reason.CertTooLarge { // a rule has said that
		for _, p := range purposes() {
			l.Faults = addFault(l.Faults, p, faultJSON{Rule: "encoding", Code: reason.Of(err), Message: "is malformed: " + err.Error(), Hint: reason.Hint(err)})
		}
	}
}

// validity adds that nothing can be signed now. An anchor that has expired may
// still vouch for signatures with a time stamp, and may soon be one if it is
// not valid yet.
func (l *lintedJSON) validity(c *x509.Certificate, now time.Time) {
	err := certchain.ValidAt([]*x509.Certificate{c}, now)
	if err == nil {
		return
	}
	f := faultJSON{Rule: "validity", Source: "RFC 5280 section 4.1.2.5", Code: reason.Of(err), Message: "expired on " + printedTime(c.NotAfter),
		Hint: "have it renewed; signatures with a time stamp stay good"}
	if f.Code == reason.CertNotYetValid {
		f.Message, f.Hint = "is not valid before "+printedTime(c.NotBefore), "check the clock, or wait"
	}
	for _, p := range []purpose{forSigning, forTimestamping} {
		l.Faults = addFault(l.Faults, p, f)
	}
	if selfIssued(c) {
		l.Warnings = append(l.Warnings, remarkJSON{f.Code, f.Message + ", so that as an anchor it vouches only for signatures made in its time", f.Hint})
	}
}

// anchor adds what keeps the certificate from being a trust anchor of each
// type of store.
func (l *lintedJSON) anchor(c *x509.Certificate, role certchain.Role, signing []certchain.Violation) {
	if role == certchain.Leaf && isAuthority(c) {
		signing = certchain.LintCertificate(c, certchain.Issuer, certchain.CodeSigning)
	}
	for _, t := range []trust.StoreType{trust.CA, trust.SigningAuthority, trust.TSA} {
		p := inStore(t)
		if !selfIssued(c) {
			l.Faults = addFault(l.Faults, p, faultJSON{Rule: "anchor", Code: reason.StoreAnchor, Message: "is no root: its issuer is another certificate",
				Hint: "trust the root certificate at the end of its chain, and name the signer in trustedIdentities"})
			continue
		}
		weak := false
		for _, v := range signing {
			l.Faults = addFault(l.Faults, p, newFault(v))
			weak = weak || slices.Contains([]reason.Code{reason.CertKeyType, reason.CertKeySize, reason.CertKeyParameters, reason.CertTooLarge, reason.CertSignatureHash}, v.Rule.Code)
		}
		if weak {
			continue // its own signature is not worth verifying
		}
		if err := trust.CheckAnchor(t, c); err != nil {
			l.Faults = addFault(l.Faults, p, faultJSON{Rule: "anchor", Code: reason.Of(err), Message: "cannot be an anchor: " + err.Error(), Hint: reason.Hint(err)})
		}
	}
}

// verdict returns the error for a file that cannot be used as asked.
func (l *lintedFileJSON) verdict(asked purpose) error {
	if slices.ContainsFunc(l.UsableFor, asked.covers) {
		return nil
	}
	what := "anything"
	if asked != "" {
		what = plainly([]purpose{asked})
	}
	return reason.Errorf(reason.UsageCertUnusable, "file %q cannot be used for %s", l.File, what).WithHint("correct what is shown as fault")
}

// plainly names purposes for people.
func plainly(list []purpose) string {
	words := map[purpose]string{forSigning: "code signing", forTimestamping: "time stamping", forAnchor: "trust stores"}
	var out, stores []string
	for _, p := range list {
		if w := words[p]; w != "" {
			out = append(out, w)
			continue
		}
		stores = append(stores, string(p))
	}
	if len(stores) > 0 {
		out = append(out, "trust stores of type "+strings.Join(stores, ", "))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, "; ")
}

func (d *certLintDocument) text(p *page) {
	for i, f := range d.Files {
		if len(f.Certificates) == 0 {
			continue // told as an error
		}
		if i > 0 {
			p.line("")
		}
		s := good
		if f.Error != nil {
			s = bad
		}
		p.styledLine(s, "%s: usable for %s", f.File, plainly(f.UsableFor))
		for n, c := range f.Certificates {
			p.line("  certificate %d of %d, %s: %s, valid from %s until %s", n+1, len(f.Certificates), c.Role, c.IssuedTo, c.NotBefore, c.Expiry)
			rows := d.faultRows(c.Faults)
			for _, w := range c.Warnings {
				rows = append(rows, []cell{{"warning", warned}, {text: string(w.Code)}, {text: remedied(w.Message, w.Hint)}})
			}
			p.table("    ", rows)
		}
		if f.Chain != nil && len(d.faultRows(f.Chain.Faults)) > 0 {
			p.line("  chain")
			p.table("    ", d.faultRows(f.Chain.Faults))
		}
	}
}

// faultRows are the lines of the faults that matter, one each.
func (d *certLintDocument) faultRows(faults []faultJSON) [][]cell {
	var rows [][]cell
	for _, f := range faults {
		if !slices.ContainsFunc(f.For, d.asked.covers) {
			continue
		}
		what := f.Message
		if f.Certificate > 0 {
			what = "certificate " + decimal(f.Certificate) + " " + what
		}
		rows = append(rows, []cell{{"fault", bad}, {text: f.Rule}, {text: remedied("for "+plainly(f.For)+": "+what, f.Hint)}})
	}
	return rows
}

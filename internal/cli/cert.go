package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

func (a *app) certCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:     "cert",
		Aliases: []string{"certificate"},
		Short:   "Manage trust stores and test certificates",
		Long: `Manage the certificates that a trust policy may trust, and certificates for
tests.

A trust store has a type and a name, as in ca:wabbit-networks.io. Stores of
type ca hold the roots of signing certificates, signingAuthority those of
signing services, tsa those of time-stamping authorities.`,
		Example: `  # Which certificates are in the trust stores
  notation cert list`,
	},
		a.certAddCommand(), a.certListCommand(), a.certExpiringCommand(), a.certShowCommand(), a.certLintCommand(), a.certDeleteCommand(),
		a.certGenerateTestCommand(), a.certCleanupTestCommand(),
	)
}

// storeOptions name a trust store: --type and --store, or --name for a store
// of type ca.
type storeOptions struct {
	typ, store, name string
}

func (o *storeOptions) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.name, "name", "n", "", "`NAME` of a trust store of type ca; short for --type ca --store NAME")
	cmd.Flags().StringVarP(&o.typ, "type", "t", "", "type of the trust store: ca, signingAuthority or tsa")
	cmd.Flags().StringVarP(&o.store, "store", "s", "", "`NAME` of the trust store")
	completions(cmd, "type", trust.CA.String(), trust.SigningAuthority.String(), trust.TSA.String())
}

// complete makes the shell offer the names of the stores that are there and,
// for a command whose arguments are files of one, those files.
func (o *storeOptions) complete(a *app, cmd *cobra.Command, files bool) {
	stores := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return o.names(a), cobra.ShellCompDirectiveNoFileComp
	}
	for _, flag := range []string{"name", "store"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, stores) // fails for a flag that is not there only
	}
	if !files {
		return
	}
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		ref, err := o.ref(a, cmd)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		dirs, err := a.dirs()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, err := dirs.StoreFiles(ref)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// names returns the names of the stores of the type that was given, by default
// ca.
func (o *storeOptions) names(a *app) []string {
	typ := trust.CA
	if o.typ != "" {
		var err error
		if typ, err = trust.ParseStoreType(o.typ); err != nil {
			return nil
		}
	}
	stores, err := a.stores("")
	if err != nil {
		return nil
	}
	refs, _, err := stores.Refs()
	if err != nil {
		return nil
	}
	var names []string
	for _, ref := range refs {
		if ref.Type == typ {
			names = append(names, ref.Name)
		}
	}
	return names
}

// ref returns the store that must have been named.
func (o *storeOptions) ref(a *app, cmd *cobra.Command) (trust.StoreRef, error) {
	switch {
	case o.name != "" && (o.typ != "" || o.store != ""):
		return trust.StoreRef{}, a.usage(cmd, reason.UsageFlag, "--name stands for --type ca and --store, and cannot be mixed with them", "give one or the other")
	case o.name != "":
		return trust.StoreRef{Type: trust.CA, Name: o.name}, trust.CheckStoreName(o.name)
	case o.typ == "" || o.store == "":
		return trust.StoreRef{}, a.usage(cmd, reason.UsageFlag, quote(cmd.CommandPath())+" needs the name of a trust store", "give --name NAME, or --type TYPE and --store NAME")
	}
	typ, err := trust.ParseStoreType(o.typ)
	if err != nil {
		return trust.StoreRef{}, err
	}
	return trust.StoreRef{Type: typ, Name: o.store}, trust.CheckStoreName(o.store)
}

func (a *app) certAddCommand() *cobra.Command {
	o := &storeOptions{}
	rootsOnly := false
	cmd := &cobra.Command{
		Use:   "add FILE... [flags]",
		Short: "Trust certificates",
		Long: `Add root certificates to a trust store: all of them or, after an error, none.

FILE holds one certificate in DER, or one or more in PEM, such as a bundle. Only
self-signed certificates can be trusted; if a bundle holds others, such as the
intermediates below its roots, --roots-only leaves them out. A certificate that
the store holds already is left as it is.

Where there is no trust policy yet, a starter policy is written too: it trusts
every signer under the certificates of the store, for every repository. While
the starter policy is as it was written, further stores are added to it. A
policy that you wrote or changed is never touched.`,
		Example: `  # Trust a certificate in the store ca:wabbit-networks.io
  notation cert add --name wabbit-networks.io wabbit-networks.io.crt

  # Trust the roots of a bundle
  notation cert add --name wabbit-networks.io --roots-only bundle.pem

  # At length, with two files
  notation cert add --type ca --store wabbit-networks.io root-2025.crt root-2026.crt`,
	}
	cmd = a.leaf(cmd, 1, -1, func(ctx context.Context, args []string) (document, error) {
		ref, err := o.ref(a, cmd)
		if err != nil {
			return nil, err
		}
		return a.addCertificates(ctx, ref, args, rootsOnly)
	})
	o.register(cmd)
	cmd.Flags().BoolVar(&rootsOnly, "roots-only", false, "leave out the certificates of FILE that are not self-signed")
	o.complete(a, cmd, false)
	return cmd
}

func (a *app) addCertificates(ctx context.Context, ref trust.StoreRef, args []string, rootsOnly bool) (document, error) {
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	files := make([]config.CertificateFile, len(args))
	for i, file := range args {
		certs, err := readCertificates(ctx, file)
		if err != nil {
			return nil, err
		}
		if rootsOnly {
			if certs, err = a.rootsOf(file, certs); err != nil {
				return nil, err
			}
		}
		if err := usableKeys(certs); err != nil {
			return nil, config.InFile(file, err)
		}
		files[i] = config.CertificateFile{Path: file, Certs: certs}
	}
	if ref.Type != trust.TSA {
		if err := dirs.CheckStarter(); err != nil { // before anything is trusted
			return nil, err
		}
	}
	added, err := dirs.AddCertificates(a.env.Files, ref, files)
	if err != nil && mixed(files) {
		err = withHint(err, "trust the root at the end of its chain; --roots-only leaves out what is no root", reason.StoreAnchor)
	}
	if err != nil {
		return nil, err
	}
	doc := &certAddDocument{Store: ref.String()}
	for i, f := range files {
		doc.Files = append(doc.Files, addedJSON{File: f.Path, Path: added[i].Path, New: added[i].New, Had: added[i].Had})
		a.warnUnfit(ref.Type, f)
	}
	if ref.Type == trust.TSA {
		// A policy that names a tsa store asks for time stamps: that is a
		// decision, not a default.
		doc.Policy = policyForeign
		return doc, nil
	}
	starter, err := dirs.TrustInStarter(ctx, a.env.Files, ref)
	if err != nil {
		return nil, errors.Join(err, a.takeBack(dirs, ref, added))
	}
	doc.Policy = starterWords[starter]
	if starter == config.StarterForeign && a.policyNames(dirs, ref) {
		doc.Policy = policyNames
	}
	return doc, nil
}

// takeBack removes what was added to a store.
func (a *app) takeBack(dirs config.Dirs, ref trust.StoreRef, added []config.AddedFile) error {
	var names []string
	for _, f := range added {
		if f.Path != "" {
			names = append(names, filepath.Base(f.Path))
		}
	}
	return dirs.RemoveCertificates(a.env.Files, ref, names)
}

// usableKeys refuses certificates under which no signature can pass, as their
// own key is of a kind or size that no chain may have.
func usableKeys(certs []*x509.Certificate) error {
	for _, c := range certs {
		for _, v := range certchain.Lint([]*x509.Certificate{c}, certchain.CodeSigning) {
			switch v.Rule.Code {
			case reason.CertKeyType, reason.CertKeySize, reason.CertKeyParameters:
				return reason.Errorf(v.Rule.Code, "the certificate of %q cannot vouch for signatures: it %s", printedName(c.RawSubject), v.Detail).WithHint("%s", v.Rule.Remedy)
			}
		}
	}
	return nil
}

// warnUnfit mentions certificates that are not valid now, and those under which
// no chain will pass.
func (a *app) warnUnfit(t trust.StoreType, f config.CertificateFile) {
	now := a.env.Now()
	for _, c := range f.Certs {
		switch {
		case now.After(c.NotAfter):
			a.warn("the certificate of %q expired on %s", printedName(c.RawSubject), printedTime(c.NotAfter))
		case now.Before(c.NotBefore):
			a.warn("the certificate of %q is not valid before %s", printedName(c.RawSubject), printedTime(c.NotBefore))
		}
		for _, fault := range anchorFaults(t, c, now) {
			a.warn("the certificate of %q cannot vouch for any signature, as it %s", printedName(c.RawSubject), fault.Message)
		}
	}
}

// policyNames reports whether some statement of the user's policy names a
// store. A policy that cannot be read names none.
func (a *app) policyNames(dirs config.Dirs, ref trust.StoreRef) bool {
	file, err := dirs.ReadPolicy()
	if err != nil {
		return false
	}
	policy, err := trust.ParsePolicy(file.Path, file.Data)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(policy.Statements(), func(s *trust.Statement) bool { return slices.Contains(s.Stores(), ref) })
}

// What became of the trust policy, in documents.
const (
	policyForeign  = "untouched"
	policyNames    = "namesStore"
	policyWritten  = "starterWritten"
	policyExtended = "starterExtended"
)

var starterWords = map[config.Starter]string{
	config.StarterForeign:  policyForeign,
	config.StarterWritten:  policyWritten,
	config.StarterExtended: policyExtended,
	config.StarterNames:    policyNames,
}

// certAddDocument is the result of cert add.
type certAddDocument struct {
	Store  string      `json:"store"`
	Files  []addedJSON `json:"files"`
	Policy string      `json:"policy"`
}

type addedJSON struct {
	File string `json:"file"`           // as typed
	Path string `json:"path,omitempty"` // in the store; absent if nothing was new
	New  int    `json:"new"`
	Had  int    `json:"had"`
}

func (d *certAddDocument) text(p *page) {
	for _, f := range d.Files {
		if f.New == 0 {
			p.line("%s was in trust store %s already.", f.File, d.Store)
			continue
		}
		p.line("Added %s to trust store %s as %s.", f.File, d.Store, filepath.Base(f.Path))
	}
	switch d.Policy {
	case policyWritten:
		p.line("Wrote a starter trust policy that trusts every signer under %s, for every repository; look at it with 'notation policy show'.", d.Store)
	case policyExtended:
		p.line("Added %s to the starter trust policy; look at it with 'notation policy show'.", d.Store)
	case policyForeign:
		p.line("The trust policy was not changed; to use the store, add %q to the trustStores of one of its statements.", d.Store)
	}
}

func (a *app) certListCommand() *cobra.Command {
	o := &storeOptions{}
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "List the certificates in the trust stores",
		Long: `List the certificates in all trust stores, or in those of one type or name. A
store that cannot be loaded is reported, and makes the exit code 2.`,
		Example: `  # All trust stores
  notation cert list

  # Those of time-stamping authorities
  notation cert list --type tsa`,
	}
	cmd = a.leaf(cmd, 0, 0, func(context.Context, []string) (document, error) {
		return a.listCertificates(o)
	})
	o.register(cmd)
	o.complete(a, cmd, false)
	return cmd
}

func (a *app) listCertificates(o *storeOptions) (document, error) {
	if o.typ != "" {
		if _, err := trust.ParseStoreType(o.typ); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{o.store, o.name} {
		if name != "" {
			if err := trust.CheckStoreName(name); err != nil {
				return nil, err
			}
		}
	}
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	if err := danglingStores(dirs); err != nil {
		return nil, err
	}
	stores, err := a.stores("")
	if err != nil {
		return nil, err
	}
	refs, warnings, err := storeRefs(dirs, stores)
	if err != nil {
		return nil, refError{"trust stores", err}
	}
	doc := &certListDocument{Certificates: []storedJSON{}, now: a.env.Now()}
	var errs manyErrors
	for _, ref := range refs {
		wanted := (o.typ == "" || ref.Type.String() == o.typ) && (o.store == "" || ref.Name == o.store) &&
			(o.name == "" || ref.Type == trust.CA && ref.Name == o.name)
		if !wanted {
			continue
		}
		anchors, warned, err := stores.Anchors(ref)
		warnings = append(warnings, warned...)
		if err != nil {
			errs = append(errs, refError{"trust store " + ref.String(), err})
		}
		for _, anchor := range anchors {
			doc.Certificates = append(doc.Certificates, newStored(ref, anchor))
		}
	}
	for _, w := range warnings {
		a.warn("trust store: %s", w)
	}
	doc.ignored = len(warnings)
	if len(doc.Certificates) == 0 && len(errs) > 0 {
		return nil, errs // "no certificates" would be another answer
	}
	return doc, errs.asError()
}

// danglingStores refuses a directory of trust stores that is a link to nothing,
// which would pass for a directory without stores.
func danglingStores(dirs config.Dirs) error {
	for _, dir := range []string{filepath.Dir(dirs.TrustStore()), dirs.TrustStore()} {
		if _, err := os.Lstat(dir); err != nil {
			return nil // not there, or for whoever opens it to tell
		}
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return reason.Errorf(reason.StoreNotRegular, "the directory of trust stores %q is a symbolic link to nothing", dir).
				WithHint("put the directory itself in its place")
		}
	}
	return nil
}

// storeRefs lists the trust stores, and besides those links that stand in the
// place of one: to load them fails, and says so.
func storeRefs(dirs config.Dirs, stores *trust.Stores) (refs []trust.StoreRef, warnings []error, err error) {
	refs, warnings, err = stores.Refs()
	if err != nil {
		return nil, nil, err
	}
	for _, t := range []trust.StoreType{trust.CA, trust.SigningAuthority, trust.TSA} {
		entries, err := os.ReadDir(filepath.Join(dirs.TrustStore(), t.String()))
		if err != nil {
			continue // Refs has told, or there is none
		}
		for _, e := range entries {
			ref := trust.StoreRef{Type: t, Name: e.Name()}
			if e.Type()&fs.ModeSymlink == 0 || trust.CheckStoreName(ref.Name) != nil {
				continue
			}
			refs = append(refs, ref)
			of := path.Join(t.String(), ref.Name) + " is ignored"
			warnings = slices.DeleteFunc(warnings, func(w error) bool { return strings.HasPrefix(w.Error(), of) })
		}
	}
	return refs, warnings, nil
}

// certListDocument is the result of cert list.
type certListDocument struct {
	Certificates []storedJSON `json:"certificates"`
	now          time.Time
	ignored      int // entries among the stores that were not read
}

type storedJSON struct {
	Type string `json:"type"`
	Name string `json:"store"`
	File string `json:"file"`
	certificateJSON
	notAfter time.Time
}

func newStored(ref trust.StoreRef, anchor trust.Anchor) storedJSON {
	return storedJSON{
		Type: ref.Type.String(), Name: ref.Name, File: path.Base(anchor.File),
		certificateJSON: newCertificate(anchor.Certificate), notAfter: anchor.Certificate.NotAfter,
	}
}

func (d *certListDocument) text(p *page) {
	if len(d.Certificates) == 0 && d.ignored > 0 {
		p.line("No certificates could be read; see the warnings.")
		return
	}
	if len(d.Certificates) == 0 {
		p.line("No certificates. Trust one with 'notation cert add --name NAME FILE'.")
		return
	}
	rows := [][]cell{row("TYPE", "STORE", "FILE", "SUBJECT", "EXPIRES")}
	for _, c := range d.Certificates {
		r := row(c.Type, c.Name, c.File, commonName(c.IssuedTo), c.Expiry)
		if d.now.After(c.notAfter) {
			r[4].text += " (expired)"
			r[4].style = bad
		}
		rows = append(rows, r)
	}
	p.table("", rows)
}

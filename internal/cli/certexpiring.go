package cli

import (
	"cmp"
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// expiringWithin is what --within is if it is not given.
const expiringWithin = 30 * day

// expiringOptions are the flags of cert expiring.
type expiringOptions struct {
	within        waitFlag
	ignoreExpired bool
}

func (a *app) certExpiringCommand() *cobra.Command {
	o := &expiringOptions{within: waitFlag(expiringWithin)}
	cmd := a.leaf(&cobra.Command{
		Use:   "expiring [flags]",
		Short: "List the certificates that expire soon",
		Long: `List the certificates of all trust stores, and those of the keys that 'notation
sign' may use, that have expired or will within a time. The exit code is 0 if
there is none, and 1 if there is one; 2 or 3 mean that some certificates could
not be looked at. Nothing is sent over the network.

A plugin has the certificates of the keys that it holds; a warning names those
keys. An expired root may be kept on purpose, for signatures with a time stamp:
--ignore-expired leaves out such certificates of trust stores.`,
		Example: `  # What must be renewed within three months
  notation cert expiring --within 90d

  # The same for a program that raises an alarm
  notation cert expiring --within 90d --ignore-expired --output json`,
	}, 0, 0, func(context.Context, []string) (document, error) { return a.expiring(o) })
	cmd.Flags().Var(&o.within, "within", "how far to look ahead, such as 90d")
	cmd.Flags().Lookup("within").DefValue = "30d" // as people write it
	cmd.Flags().BoolVar(&o.ignoreExpired, "ignore-expired", false, "leave out the certificates of trust stores that have expired already")
	return cmd
}

func (a *app) expiring(o *expiringOptions) (document, error) {
	if _, err := a.dirs(); err != nil {
		return nil, err
	}
	now := a.env.Now()
	until := now.Add(time.Duration(o.within))
	doc := &expiringDocument{Until: printedTime(until), Certificates: []expiringJSON{}, now: now, within: span(time.Duration(o.within))}
	list, err := a.listCertificates(&storeOptions{})
	var errs manyErrors
	if many, ok := err.(manyErrors); ok { //nolint:errorlint // the outermost, which holds the others
		errs = many
	} else if err != nil {
		errs = append(errs, refError{"", err})
	}
	if stored, ok := list.(*certListDocument); ok {
		for _, c := range stored.Certificates {
			if doc.Looked++; c.notAfter.After(until) || o.ignoreExpired && c.notAfter.Before(now) {
				continue
			}
			doc.Certificates = append(doc.Certificates, expiringJSON{Store: c.Type + ":" + c.Name, File: c.File, certificateJSON: c.certificateJSON, notAfter: c.notAfter})
		}
	}
	errs = append(errs, a.expiringKeys(doc, until)...)
	doc.partial = len(errs) > 0
	slices.SortStableFunc(doc.Certificates, func(x, y expiringJSON) int { return x.notAfter.Compare(y.notAfter) })
	for i := range doc.Certificates {
		doc.Certificates[i].Expired = doc.Certificates[i].notAfter.Before(now)
	}
	if n := len(doc.Certificates); n > 0 {
		errs = append(errs, refError{"", reason.Errorf(reason.UsageCertExpiring, "%s expired or will within %s", map[bool]string{true: "1 certificate has", false: decimal(n) + " certificates have"}[n == 1], doc.within).
			WithHint("have them renewed; give a key its new certificate with 'notation key update NAME --cert CHAIN', and add new roots with 'notation cert add'")})
	}
	return doc, errs.asError()
}

// expiringKeys adds the certificates of the keys of the list.
func (a *app) expiringKeys(doc *expiringDocument, until time.Time) (errs manyErrors) {
	dirs, err := a.dirs()
	if err != nil {
		return manyErrors{{"", err}}
	}
	keys, err := dirs.SigningKeys()
	if err != nil {
		return manyErrors{{"", err}}
	}
	for _, key := range keys.All() {
		if !key.IsLocal() {
			a.warn("key %q is held by plugin %s, whose certificates were not looked at", key.Name, key.PluginName)
			continue
		}
		chain, err := readChain(key.CertPath)
		if err != nil {
			errs = append(errs, refError{"key " + named(key.Name), err})
			continue
		}
		doc.Looked += len(chain)
		for _, c := range chain {
			if !c.NotAfter.After(until) {
				doc.Certificates = append(doc.Certificates, newExpiring(key.Name, key.CertPath, c))
			}
		}
	}
	return errs
}

// expiringDocument is the result of cert expiring.
type expiringDocument struct {
	Until        string         `json:"until"`        // when what expires soon ends
	Looked       int            `json:"looked"`       // how many certificates were looked at
	Certificates []expiringJSON `json:"certificates"` // the first to expire comes first
	now          time.Time
	within       string
	partial      bool // something could not be looked at
}

// expiringJSON is one certificate of a trust store or of a key.
type expiringJSON struct {
	Store string `json:"store,omitempty"` // TYPE:NAME
	Key   string `json:"key,omitempty"`   // its name
	File  string `json:"file"`
	certificateJSON
	Expired  bool `json:"expired"`
	notAfter time.Time
}

func newExpiring(key, file string, c *x509.Certificate) expiringJSON {
	return expiringJSON{Key: key, File: file, certificateJSON: newCertificate(c), notAfter: c.NotAfter}
}

func (d *expiringDocument) text(p *page) {
	if len(d.Certificates) == 0 && d.partial {
		p.line("None of %s that could be looked at expires within %s.", counted(d.Looked, "certificate"), d.within)
		return
	}
	if len(d.Certificates) == 0 {
		p.line("None of %s expires within %s.", counted(d.Looked, "certificate"), d.within)
		return
	}
	rows := [][]cell{row("OF", "FILE", "SUBJECT", "EXPIRES", "IN")}
	for _, c := range d.Certificates {
		left := cell{span(c.notAfter.Sub(d.now)), warned}
		if c.Expired {
			left = cell{"expired", bad}
		}
		rows = append(rows, append(row(cmp.Or(c.Store, "key "+c.Key), c.File, commonName(c.IssuedTo), c.Expiry), left))
	}
	p.table("", rows)
}

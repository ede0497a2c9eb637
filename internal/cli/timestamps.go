package cli

import (
	"context"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/timestamp"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

// timestampOptions say which time-stamping authorities a signature is shown to
// and which roots they must lead to. What is not on the command line comes from
// config.json, the roots at last from the trust stores of type tsa.
type timestampOptions struct {
	urls  []string
	roots []string

	asked []string // the addresses, once they are known, from wherever
}

func (o *timestampOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.urls, "timestamp-url", nil, "have the signature time-stamped by the authority at `URL` (RFC 3161); may be given again, for when the first one fails; '' for none (default: timestampUrls of config.json)")
	f.StringArrayVar(&o.roots, "timestamp-root-cert", nil, "root certificate `FILE` of the authority; may be given again (default: timestampRootCerts of config.json, else the trust stores of type tsa)")
}

// hide leaves out of what an error says whatever may be secret in the addresses.
func (o *timestampOptions) hide(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, address := range o.asked {
		if u, parseErr := url.Parse(address); parseErr == nil {
			text = strings.NewReplacer(address, printableURL(address), u.Redacted(), printableURL(address), escape(u.Redacted()), printableURL(address)).Replace(text)
		}
	}
	if text == err.Error() {
		return err
	}
	return reworded{text: text, err: err}
}

// demanded reports whether the command line asks for a time stamp.
func (o *timestampOptions) demanded() bool {
	return slices.ContainsFunc(o.urls, func(url string) bool { return url != "" })
}

// client returns whom to ask for time stamps, nil for nobody. Revocation is not
// set.
func (o *timestampOptions) client(ctx context.Context, a *app, cmd *cobra.Command, dirs config.Dirs, settings config.Settings) (*timestamp.Client, error) {
	urls := settings.TimestampURLs
	if len(o.urls) > 0 {
		urls = o.urls
	}
	if slices.Contains(o.urls, "") {
		if len(o.urls) > 1 {
			return nil, a.usage(cmd, reason.UsageFlag, "--timestamp-url '' asks for no time stamp, and another --timestamp-url for one", "give one or the other")
		}
		urls = nil
	}
	if len(urls) == 0 {
		if len(o.roots) > 0 {
			return nil, a.usage(cmd, reason.UsageFlag, "--timestamp-root-cert needs --timestamp-url, as no time stamp is asked for", "name the authority with --timestamp-url")
		}
		return nil, nil
	}
	for _, u := range urls { // also those that are asked only if others fail
		if err := checkAuthority(u); err != nil {
			return nil, err
		}
	}
	o.asked = urls
	roots, err := o.anchors(ctx, a, dirs, settings)
	if err != nil {
		return nil, err
	}
	if len(roots) == 0 {
		return nil, a.usage(cmd, reason.UsageFlag, "a time stamp was asked for, and no root certificate is known that it must lead to",
			"give the root certificate of the authority with --timestamp-root-cert, or add it with 'notation cert add --type tsa --store NAME FILE'")
	}
	for _, u := range urls {
		a.log.Debug("time stamp", "authority", printableURL(u), "roots", len(roots))
	}
	return &timestamp.Client{URLs: urls, Roots: roots}, nil
}

// anchors returns the root certificates from the first place that names any.
func (o *timestampOptions) anchors(ctx context.Context, a *app, dirs config.Dirs, settings config.Settings) ([]*x509.Certificate, error) {
	files := settings.TimestampRootCerts
	if len(o.roots) > 0 {
		files = o.roots
	}
	if len(files) == 0 {
		return a.authorities(dirs)
	}
	var roots []*x509.Certificate
	for _, file := range files {
		certs, err := readAnchors(ctx, trust.TSA, file)
		if err != nil {
			return nil, err
		}
		roots = append(roots, certs...)
	}
	return roots, nil
}

// authorities returns the certificates of all the user's trust stores of type
// tsa.
func (a *app) authorities(dirs config.Dirs) ([]*x509.Certificate, error) {
	if dirs.Config == "" {
		return nil, nil
	}
	stores, err := openStores(dirs.TrustStore(), false)
	if err != nil {
		return nil, err
	}
	refs, _, err := stores.Refs()
	if err != nil {
		return nil, err
	}
	var roots []*x509.Certificate
	for _, ref := range refs {
		if ref.Type != trust.TSA {
			continue
		}
		certs, warnings, err := stores.Load(ref)
		if err != nil {
			return nil, err
		}
		for _, w := range warnings {
			a.warn("trust store: %s", w)
		}
		roots = append(roots, certs...)
	}
	return roots, nil
}

// stampedJSON is the time stamp of a signature that was made, verified.
type stampedJSON struct {
	Time      time.Time `json:"time"`
	Authority string    `json:"authority"`
	Policy    string    `json:"policy"`
}

func newStamped(t *notation.Timestamp) *stampedJSON {
	if t == nil {
		return nil
	}
	return &stampedJSON{Time: t.Time, Authority: t.Authority, Policy: t.Policy}
}

// text says nothing of a time stamp that is not there.
func (s *stampedJSON) text(p *page) {
	if s != nil {
		p.line("  time stamp %s by %s", s.Time.Format(time.RFC3339Nano), s.Authority)
	}
}

package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

func (a *app) certShowCommand() *cobra.Command {
	o := &storeOptions{}
	cmd := &cobra.Command{
		Use:   "show FILE [flags]",
		Short: "Show the certificates of a file in a trust store",
		Long: `Show what the certificates of one file in a trust store say: whose they are, who
has issued them, until when they are valid, what their keys may be used for,
where their revocation can be learned, and whether they can be trust anchors.
FILE is a name as 'notation cert list' shows it. A file that keeps the store from
being loaded is shown, too.`,
		Example: `  # Show a certificate of the store ca:wabbit-networks.io
  notation cert show --name wabbit-networks.io wabbit-networks.io.crt

  # The same, at length
  notation cert show --type ca --store wabbit-networks.io wabbit-networks.io.crt`,
	}
	cmd = a.leaf(cmd, 1, 1, func(_ context.Context, args []string) (document, error) {
		ref, err := o.ref(a, cmd)
		if err != nil {
			return nil, err
		}
		return a.showCertificates(ref, args[0])
	})
	o.register(cmd)
	o.complete(a, cmd, true)
	return cmd
}

func (a *app) showCertificates(ref trust.StoreRef, name string) (document, error) {
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	names, err := dirs.StoreFiles(ref)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, name) {
		return nil, reason.Errorf(reason.ConfigRead, "trust store %s has no certificate file %q", ref, name).
			WithHint("see its files with 'notation cert list --type %s --store %s'", ref.Type, ref.Name)
	}
	file := filepath.Join(dirs.Store(ref), name)
	data, err := atomicfile.Read(file, config.MaxCertificateFileBytes)
	if err != nil {
		return nil, err
	}
	certs, err := trust.ParseCertificates(data)
	if err != nil {
		return nil, config.InFile(file, err)
	}
	doc := &certShowDocument{Certificates: []shownJSON{}}
	for _, c := range certs {
		doc.Certificates = append(doc.Certificates, newShown(ref, trust.Anchor{Certificate: c, File: name}, a.env.Now()))
	}
	return doc, nil
}

// certShowDocument is the result of cert show.
type certShowDocument struct {
	Certificates []shownJSON `json:"certificates"`
}

type shownJSON struct {
	storedJSON
	NotBefore          string   `json:"notBefore"`
	SerialNumber       string   `json:"serialNumber"`
	SignatureAlgorithm string   `json:"signatureAlgorithm"`
	CA                 bool     `json:"ca"`
	Key                string   `json:"key"`
	KeyFingerprint     string   `json:"publicKeySHA256"` // of the SubjectPublicKeyInfo
	KeyUsage           []string `json:"keyUsage"`
	ExtendedKeyUsage   []string `json:"extendedKeyUsage"`
	OCSP               []string `json:"ocspResponders"`
	CRLs               []string `json:"crlDistributionPoints"`

	// Anchor is whether the certificate can be one of its store, by the rules
	// that 'cert lint' applies; AnchorFaults are the reasons why not.
	Anchor       bool        `json:"anchor"`
	AnchorFaults []faultJSON `json:"anchorFaults,omitempty"`

	validity string
}

func newShown(ref trust.StoreRef, anchor trust.Anchor, now time.Time) shownJSON {
	c := anchor.Certificate
	s := shownJSON{
		storedJSON: newStored(ref, anchor), NotBefore: printedTime(c.NotBefore), SerialNumber: fmt.Sprintf("%x", c.SerialNumber),
		SignatureAlgorithm: c.SignatureAlgorithm.String(), CA: isAuthority(c),
		Key: describeKey(c), KeyFingerprint: fingerprintOf(c.RawSubjectPublicKeyInfo),
		KeyUsage: keyUsages(c), ExtendedKeyUsage: extendedKeyUsages(c),
		OCSP: append([]string{}, c.OCSPServer...), CRLs: append([]string{}, c.CRLDistributionPoints...),
		AnchorFaults: anchorFaults(ref.Type, c, now),
	}
	s.Anchor = len(s.AnchorFaults) == 0
	switch {
	case now.After(c.NotAfter):
		s.validity = " (expired)"
	case now.Before(c.NotBefore):
		s.validity = " (not valid yet)"
	case c.NotAfter.Sub(now) < expirySoon:
		s.validity = " (in " + span(c.NotAfter.Sub(now)) + ")"
	}
	return s
}

// anchorFaults returns what keeps a certificate from being an anchor of a type
// of trust store, by the rules of 'cert lint'.
func anchorFaults(t trust.StoreType, c *x509.Certificate, now time.Time) []faultJSON {
	role := certchain.Leaf
	if isAuthority(c) {
		role = certchain.Issuer
	}
	out := []faultJSON{}
	for _, f := range newLinted(c, role, now).Faults {
		if slices.Contains(f.For, inStore(t)) {
			f.For = []purpose{inStore(t)}
			out = append(out, f)
		}
	}
	return out
}

func fingerprintOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// describeKey names the kind of a certificate's key, as in "RSA, 2048 bits".
func describeKey(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA, %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "EC, " + key.Curve.Params().Name
	}
	return c.PublicKeyAlgorithm.String()
}

// keyUsages returns the bits of keyUsage by their names in RFC 5280, section
// 4.2.1.3.
func keyUsages(c *x509.Certificate) []string {
	out := []string{}
	for i, name := range []string{
		"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
	} {
		if c.KeyUsage&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// extendedKeyUsages returns the purposes of extendedKeyUsage by their names in
// RFC 5280, section 4.2.1.12, others by their identifiers.
func extendedKeyUsages(c *x509.Certificate) []string {
	names := map[x509.ExtKeyUsage]string{
		x509.ExtKeyUsageAny: "anyExtendedKeyUsage", x509.ExtKeyUsageServerAuth: "serverAuth", x509.ExtKeyUsageClientAuth: "clientAuth",
		x509.ExtKeyUsageCodeSigning: "codeSigning", x509.ExtKeyUsageEmailProtection: "emailProtection",
		x509.ExtKeyUsageTimeStamping: "timeStamping", x509.ExtKeyUsageOCSPSigning: "OCSPSigning",
	}
	out := []string{}
	for _, usage := range c.ExtKeyUsage {
		name := names[usage]
		if name == "" {
			name = fmt.Sprintf("another (%d)", usage)
		}
		out = append(out, name)
	}
	for _, id := range c.UnknownExtKeyUsage {
		out = append(out, asn1.ObjectIdentifier(id).String())
	}
	return out
}

func (d *certShowDocument) text(p *page) {
	for i, c := range d.Certificates {
		if i > 0 {
			p.line("")
		}
		anchor := []cell{{text: "trust anchor"}, {"yes, in stores of type " + c.Type, good}}
		if !c.Anchor {
			anchor[1] = cell{"no, not in stores of type " + c.Type, bad}
		}
		rows := [][]cell{
			row("subject", c.IssuedTo),
			row("issuer", issuer(c)),
			row("valid from", c.NotBefore),
			row("valid until", c.Expiry+c.validity),
			row("serial number", c.SerialNumber),
			row("signature algorithm", c.SignatureAlgorithm),
			row("key", c.Key),
			row("key usage", orNone(c.KeyUsage)),
			row("extended key usage", orNone(c.ExtendedKeyUsage)),
			row("may issue certificates", map[bool]string{true: "yes", false: "no"}[c.CA]),
			row("OCSP responders", orNone(c.OCSP)),
			row("revocation lists", orNone(c.CRLs)),
			row("SHA-256 fingerprint", c.Fingerprint),
			row("SHA-256 of public key", c.KeyFingerprint),
			anchor,
		}
		for _, f := range c.AnchorFaults {
			rows = append(rows, row("", remedied(f.Rule+": "+f.Message, f.Hint)))
		}
		p.table("", rows)
	}
}

func issuer(c shownJSON) string {
	if c.IssuedBy == c.IssuedTo {
		return c.IssuedBy + " (itself)"
	}
	return c.IssuedBy
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none named"
	}
	return strings.Join(list, ", ")
}

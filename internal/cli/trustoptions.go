package cli

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

// trustOptions say whom a verification trusts. Without any, the files of the
// configuration directory do; with --policy and --trust-store, or --ca-cert,
// that directory is not looked at.
type trustOptions struct {
	kind       trust.Kind // of the policy; 0: that for artifacts
	policy     string
	store      string
	caCerts    []string
	tsaCerts   []string
	identities []string
}

func (o *trustOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.policy, "policy", "", "trust policy `FILE` instead of that of the configuration directory")
	f.StringVar(&o.store, "trust-store", "", "directory `DIR` of trust stores, TYPE/NAME/FILE, instead of that of the configuration directory")
	f.StringArrayVar(&o.caCerts, "ca-cert", nil, "trust the root certificates in `FILE` for whatever is verified, without any policy; may be given again")
	f.StringArrayVar(&o.tsaCerts, "tsa-cert", nil, "with --ca-cert, trust the time-stamping authorities under the root certificates in `FILE`: a signature whose certificate has expired passes if such a one has stamped it in time; may be given again")
	f.StringArrayVar(&o.identities, "identity", nil, "with --ca-cert, trust only signers with this subject `DN`, as in 'C=US, ST=WA, O=Notary'; may be given again")
}

// stateless reports whether nothing of the configuration directory is needed.
func (o *trustOptions) stateless() bool {
	return len(o.caCerts) > 0 || o.policy != "" && o.store != ""
}

// statelessHelp says in the help what the options do.
const statelessHelp = `Nothing of the home directory is needed with --policy and --trust-store, or
with --ca-cert. --ca-cert alone trusts no time-stamping authority, so that a
signature passes only as long as its certificates last; --tsa-cert names the
roots of authorities.`

// commandLineStore is the name of the store and the statement that --ca-cert
// makes up.
const commandLineStore = "command-line"

// verifier returns the verifier that the options ask for.
func (a *app) verifier(ctx context.Context, cmd *cobra.Command, o *trustOptions) (*notation.Verifier, error) {
	switch {
	case len(o.caCerts) > 0 && (o.policy != "" || o.store != ""):
		return nil, a.usage(cmd, reason.UsageFlag, "--ca-cert stands for a policy and its trust store, and cannot be mixed with --policy or --trust-store", "give one or the other")
	case len(o.identities) > 0 && len(o.caCerts) == 0:
		return nil, a.usage(cmd, reason.UsageFlag, "--identity needs --ca-cert", "identities of a trust policy are in its trustedIdentities")
	case len(o.tsaCerts) > 0 && len(o.caCerts) == 0:
		return nil, a.usage(cmd, reason.UsageFlag, "--tsa-cert needs --ca-cert", "time-stamping authorities of a trust policy are in its stores of type tsa")
	case len(o.caCerts) > 0:
		return o.fromCertificates(ctx)
	}
	policy, _, err := a.policy(o.policyKind(), o.policy)
	if err != nil {
		return nil, err
	}
	stores, err := a.stores(o.store)
	if err != nil {
		return nil, err
	}
	return &notation.Verifier{Policy: policy, Stores: stores, Now: a.env.Now}, nil
}

// fromCertificates makes a policy of --ca-cert, --tsa-cert and --identity. It
// asks for a time stamp only of signatures that would not pass without: nothing
// that passes fails when --tsa-cert is added.
func (o *trustOptions) fromCertificates(ctx context.Context) (*notation.Verifier, error) {
	anchors := map[trust.StoreRef][]*x509.Certificate{}
	var names []string
	for _, given := range []struct {
		typ   trust.StoreType
		files []string
	}{{trust.CA, o.caCerts}, {trust.TSA, o.tsaCerts}} {
		ref := trust.StoreRef{Type: given.typ, Name: commandLineStore}
		for _, file := range given.files {
			certs, err := readAnchors(ctx, given.typ, file)
			if err != nil {
				return nil, err
			}
			anchors[ref] = append(anchors[ref], certs...)
		}
		if len(given.files) > 0 {
			names = append(names, ref.String())
		}
	}
	identities := []string{"*"}
	if len(o.identities) > 0 {
		identities = nil
		for _, dn := range o.identities {
			identity := "x509.subject: " + strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(dn), "x509.subject:"))
			if _, err := trust.ParseIdentity(identity); err != nil {
				return nil, identityError([]string{dn}, err)
			}
			identities = append(identities, identity)
		}
	}
	kind := o.policyKind()
	document := newPolicy(kind, commandLineStore, true, names, identities)
	if len(o.tsaCerts) > 0 {
		document.Statements[0].SignatureVerification.VerifyTimestamp = "afterCertExpiry"
	}
	policy, err := document.Policy(kind, "--identity")
	if err != nil {
		return nil, identityError(o.identities, withoutPlace("--identity", err))
	}
	return &notation.Verifier{Policy: policy, Stores: trust.NewMemoryStores(anchors)}, nil
}

func identityError(given []string, err error) error {
	return reason.Wrap(reason.UsageFlag, err, "flag '--identity' cannot be %s", quotedOr(given)).
		WithHint("write the subject with at least C, ST and O, as in 'C=US, ST=WA, O=Notary'")
}

// policyKind returns the kind of the policy that is asked.
func (o *trustOptions) policyKind() trust.Kind { return cmp.Or(o.kind, trust.OCIPolicy) }

// stores opens the trust stores in dir, or the user's for "". A directory that
// holds x509, as the configuration's truststore does, stands for what is in
// that. Symbolic links that lead out of it are not followed.
func (a *app) stores(dir string) (*trust.Stores, error) {
	found, err := a.storeDir(dir)
	if err != nil {
		return nil, err
	}
	return openStores(found, dir != "")
}

// storeDir returns the directory in which stores looks.
func (a *app) storeDir(dir string) (string, error) {
	if dir == "" {
		dirs, err := a.dirs()
		return dirs.TrustStore(), err
	}
	if info, err := os.Stat(filepath.Join(dir, "x509")); err == nil && info.IsDir() {
		dir = filepath.Join(dir, "x509")
	}
	return dir, nil
}

// openStores opens the trust stores in a directory. Unless it must be there,
// one that is not holds none.
func openStores(dir string, must bool) (*trust.Stores, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) && !must {
		return trust.NewMemoryStores(nil), nil
	}
	if err != nil {
		return nil, reason.Wrap(reason.ConfigRead, pathCause(err), "trust store %q could not be opened", dir).
			WithHint("name a directory that holds ca/NAME/FILE")
	}
	return trust.NewStores(root.FS()), nil
}

func pathCause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// readCertificates reads the certificates of a file that the user named, and
// that is there to stay.
func readCertificates(_ context.Context, file string) ([]*x509.Certificate, error) {
	data, err := readLinked(file, config.MaxCertificateFileBytes)
	if err != nil {
		return nil, err
	}
	return parseCertificates(file, data)
}

// readAnchors reads the trust anchors of a file or pipe that the user named.
func readAnchors(ctx context.Context, t trust.StoreType, file string) ([]*x509.Certificate, error) {
	data, err := readNamed(ctx, file, config.MaxCertificateFileBytes)
	if err != nil {
		return nil, err
	}
	certs, err := parseCertificates(file, data)
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		if err := trust.CheckAnchor(t, c); err != nil {
			return nil, config.InFile(file, err)
		}
	}
	return certs, nil
}

func parseCertificates(file string, data []byte) ([]*x509.Certificate, error) {
	certs, err := trust.ParseCertificates(data)
	if err != nil {
		return nil, config.InFile(file, err)
	}
	return certs, nil
}

// storeWarnings shows what is odd about the stores that verdicts rest on: those of
// the statements that applied.
func (a *app) storeWarnings(v *notation.Verifier, applied func(statement string) bool) {
	seen := map[trust.StoreRef]bool{}
	for _, s := range v.Policy.Statements() {
		if !applied(s.Name()) {
			continue
		}
		for _, ref := range s.Stores() {
			if seen[ref] {
				continue
			}
			seen[ref] = true
			_, warnings, _ := v.Stores.Load(ref) // an error is the verdict's to tell
			for _, w := range warnings {
				a.warn("trust store: %s", w)
			}
		}
	}
}

package cli

import (
	"cmp"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

// explainSignerOptions are the flags of policy explain about a signer.
type explainSignerOptions struct {
	cert  string
	store string
}

func (o *explainSignerOptions) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.cert, "cert", "", "`FILE` with the certificate chain of a signer, the signing certificate first and the root last")
	cmd.Flags().StringVar(&o.store, "trust-store", "", "with --cert, directory `DIR` of trust stores, TYPE/NAME/FILE, instead of that of the configuration directory")
}

// matchedJSON says why a statement trusts a signer, or how far it does.
type matchedJSON struct {
	certificateJSON
	Root     string `json:"root"`               // subject of the last certificate
	Store    string `json:"store,omitempty"`    // TYPE:NAME, of the trust store that holds the root; absent: none
	Identity string `json:"identity,omitempty"` // the trusted identity that matches; absent: none
}

// explainSigner adds to an explanation by which root and identity the statement
// that applies trusts the signer of --cert. The statement's other checks, such
// as that of validity, are for a signature.
func (a *app) explainSigner(cmd *cobra.Command, o *explainSignerOptions, doc *explainDocument, policy *trust.Policy) error {
	if o.cert == "" {
		return a.onlyWith(cmd, []string{"trust-store"}, "cert")
	}
	chain, err := readChain(o.cert)
	if err != nil {
		return err
	}
	if err := certchain.Check(chain, certchain.CodeSigning); err != nil {
		return config.InFile(o.cert, err)
	}
	statement, err := applies(policy, doc)
	if err != nil {
		return err
	}
	if statement.Level() == trust.SkipAll {
		a.warn("statement %q verifies nothing, so whose certificates these are does not matter", statement.Name())
		return nil
	}
	stores, err := a.stores(o.store)
	if err != nil {
		return err
	}
	leaf, root := chain[0], chain[len(chain)-1]
	doc.Signer = &matchedJSON{certificateJSON: newCertificate(leaf), Root: printedName(root.RawSubject)}
	ref, found, err := stores.Find(append(statement.Stores(trust.CA), statement.Stores(trust.SigningAuthority)...), root)
	if err != nil {
		return err
	}
	if found {
		doc.Signer.Store = ref.String()
	}
	identity, matches, err := statement.MatchIdentity(leaf)
	if err != nil {
		return err
	}
	if matches {
		doc.Signer.Identity = identity.String()
	}
	switch {
	case !found:
		return reason.Errorf(reason.VerifyRootUntrusted, "the root %q is in no trust store that the statement %q names", doc.Signer.Root, statement.Name()).
			WithHint("if signatures under this root are to be trusted, add its certificate to one of them with 'notation cert add'")
	case !matches:
		return reason.Errorf(reason.VerifyIdentityUntrusted, "the signer %q is none of the trusted identities of the statement %q", doc.Signer.IssuedTo, statement.Name()).
			WithHint("if this signer is to be trusted, add its subject to the trustedIdentities of the statement")
	}
	return nil
}

// applies returns the statement that an explanation says applies.
func applies(policy *trust.Policy, doc *explainDocument) (*trust.Statement, error) {
	if doc.kind == trust.BlobPolicy {
		return policy.ForBlob(doc.PolicyName)
	}
	return policy.ForRepository(doc.Scope)
}

func (s *matchedJSON) text(p *page) {
	if s == nil {
		return
	}
	p.line("Signer %s:", s.IssuedTo)
	store, identity := cell{cmp.Or(s.Store, "in no trust store of the statement"), good}, cell{cmp.Or(s.Identity, "none matches"), good}
	if s.Store == "" {
		store.style = bad
	}
	if s.Identity == "" {
		identity.style = bad
	}
	p.table("  ", [][]cell{row("root", s.Root), {{text: "trust store"}, store}, {{text: "identity"}, identity}})
}

package trust_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// A policy need not come from a file: a program may hold it as text.
func ExampleParsePolicy() {
	policy, err := trust.ParsePolicy("policy in memory", []byte(`{
	  "version": "1.0",
	  "trustPolicies": [{
	    "name": "net-monitor",
	    "registryScopes": ["localhost:5000/net-monitor"],
	    "signatureVerification": {"level": "strict", "override": {"revocation": "log"}},
	    "trustStores": ["ca:wabbit-networks.io"],
	    "trustedIdentities": ["x509.subject: C=US, ST=WA, O=wabbit-networks.io"]
	  }]
	}`))
	if err != nil {
		log.Fatal(err)
	}
	s, err := policy.ForRepository("localhost:5000/net-monitor")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Name(), s.Level(), s.Stores(), s.Identities())
	fmt.Println("expiry:", s.Action(trust.Expiry), "revocation:", s.Action(trust.Revocation))

	_, err = policy.ForRepository("localhost:5000/net-logger")
	fmt.Println(reason.Of(err))
	// Output:
	// net-monitor strict [ca:wabbit-networks.io] [x509.subject: C=US,ST=WA,O=wabbit-networks.io]
	// expiry: enforce revocation: log
	// policy.no-statement
}

// An error names file, line and member, and says what to write.
func ExampleParsePolicy_refused() {
	_, err := trust.ParsePolicy("trustpolicy.oci.json", []byte(`{
  "version": "1.0",
  "trustPolicies": [{
    "name": "net-monitor",
    "registryScopes": ["alpine"],
    "signatureVerification": {"level": "strict"},
    "trustStores": ["ca:wabbit-networks.io"],
    "trustedIdentities": ["*"]
  }]
}`))
	fmt.Println(err)
	fmt.Println(reason.Of(err))
	fmt.Println(reason.Hint(err))
	// Output:
	// trustpolicy.oci.json:5: trustPolicies[0].registryScopes[0]: no fully qualified repository: "alpine" is not written in full and in lower case
	// policy.scope
	// write docker.io/library/alpine
}

// Explain says why each statement applies or not.
func ExamplePolicy_Explain() {
	policy, err := trust.ParsePolicy("p.json", []byte(`{"version": "1.0", "trustPolicies": [
  {"name": "drafts", "registryScopes": ["registry.example/drafts"], "signatureVerification": {"level": "skip"}},
  {"name": "others", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
   "trustStores": ["ca:acme"], "trustedIdentities": ["*"]}
]}`))
	if err != nil {
		log.Fatal(err)
	}
	all, err := policy.Explain("registry.example/drafts")
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range all {
		fmt.Println(e.Where, e.Statement.Name(), e.Applies, "because", e.Why)
	}
	// Output:
	// p.json:2 drafts true because it names "registry.example/drafts" exactly
	// p.json:3 others false because it holds for *, but statement "drafts" names the repository exactly
}

// A program that writes policies fills a Document, which is checked when it is
// encoded.
func ExampleDocument_Encode() {
	doc := trust.Starter(trust.BlobPolicy, trust.StoreRef{Type: trust.CA, Name: "acme"})
	doc.Statements[0].SignatureVerification.Override = map[string]string{"expiry": "log"}
	text, err := doc.Encode(trust.BlobPolicy)
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(text)
	// Output:
	// {
	//   "version": "1.0",
	//   "trustPolicies": [
	//     {
	//       "name": "starter",
	//       "signatureVerification": {
	//         "level": "strict",
	//         "override": {
	//           "expiry": "log"
	//         }
	//       },
	//       "trustStores": [
	//         "ca:acme"
	//       ],
	//       "trustedIdentities": [
	//         "*"
	//       ],
	//       "globalPolicy": true
	//     }
	//   ]
	// }
}

// Stores are read from any file system laid out as TYPE/NAME/FILE.
func ExampleNewStores() {
	stores := trust.NewStores(os.DirFS("testdata/truststore"))
	certs, warnings, err := stores.Load(trust.StoreRef{Type: trust.CA, Name: "wabbit-networks.io"})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range certs {
		fmt.Println(c.Subject)
	}
	for _, w := range warnings {
		if reason.Of(w) == reason.StoreIgnored {
			fmt.Println("warning:", w)
		}
	}
	// Output:
	// CN=wabbit-networks.io root CA,O=wabbit-networks.io,ST=WA,C=US
	// warning: ca/wabbit-networks.io/README.txt is ignored: it does not end in .pem, .crt or .cer
}

// Lint finds what is dangerous before verification meets it.
func ExampleLint() {
	policy, err := trust.Starter(trust.OCIPolicy, trust.StoreRef{Type: trust.CA, Name: "missing"}).Policy(trust.OCIPolicy, "p.json")
	if err != nil {
		log.Fatal(err)
	}
	for _, issue := range trust.Lint(policy, trust.NewStores(os.DirFS("testdata/truststore")), time.Now()) {
		fmt.Println(issue.Severity, issue.Code, issue.Where)
	}
	// Output:
	// notice policy.no-timestamp p.json:12: trustPolicies[0].trustStores
	// error store.not-found p.json:13: trustPolicies[0].trustStores[0]
	// notice policy.any-identity p.json:16: trustPolicies[0].trustedIdentities[0]
	// warning policy.any-scope p.json:7: trustPolicies[0].registryScopes[0]
}

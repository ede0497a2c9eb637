package trust_test

import (
	"fmt"
	"strings"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// oci returns a policy of one statement, whose parts may be replaced.
func oci(replacements ...string) string { return replaced(goodOCI, replacements...) }

func blob(replacements ...string) string { return replaced(goodBlob, replacements...) }

func replaced(text string, replacements ...string) string {
	for i := 0; i < len(replacements); i += 2 {
		if strings.Count(text, replacements[i]) != 1 {
			panic(fmt.Sprintf("%q is not once in %s", replacements[i], text))
		}
		text = strings.Replace(text, replacements[i], replacements[i+1], 1)
	}
	return text
}

const goodOCI = `{
  "version": "1.0",
  "trustPolicies": [
    {
      "name": "one",
      "registryScopes": ["registry.example/a"],
      "signatureVerification": {"level": "strict"},
      "trustStores": ["ca:acme"],
      "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme"]
    },
    {
      "name": "two",
      "registryScopes": ["*"],
      "signatureVerification": {"level": "audit"},
      "trustStores": ["ca:all", "tsa:all"],
      "trustedIdentities": ["*"]
    }
  ]
}`

const goodBlob = `{
  "version": "1.0",
  "trustPolicies": [
    {
      "name": "one",
      "signatureVerification": {"level": "strict"},
      "trustStores": ["ca:acme"],
      "trustedIdentities": ["*"],
      "globalPolicy": true
    },
    {
      "name": "two",
      "signatureVerification": {"level": "skip"}
    }
  ]
}`

type refusedPolicy struct {
	blob     bool
	text     string
	codes    []reason.Code
	messages []string // each after "policy.json:"
}

func refused(text string, code reason.Code, message string) refusedPolicy {
	return refusedPolicy{text: text, codes: []reason.Code{code}, messages: []string{message}}
}

func refusedBlob(text string, code reason.Code, message string) refusedPolicy {
	r := refused(text, code, message)
	r.blob = true
	return r
}

var refusedPolicies = map[string]refusedPolicy{
	"empty file":                 refused("", reason.PolicySyntax, "1: "),
	"no object":                  refused("[]", reason.PolicySyntax, "1: "),
	"two documents":              refused(goodOCI+"{}", reason.PolicySyntax, "19: "),
	"byte order mark":            refused("\ufeff"+goodOCI, reason.PolicySyntax, "1: "),
	"invalid UTF-8":              refused(oci(`"one"`, "\"\xff\""), reason.PolicySyntax, "5: trustPolicies[0].name"),
	"null for a list":            refused(oci(`["registry.example/a"]`, "null"), reason.PolicySyntax, "6: trustPolicies[0].registryScopes"),
	"null for the statements":    refused(`{"version":"1.0","trustPolicies":null}`, reason.PolicySyntax, "1: trustPolicies"),
	"string for a list":          refused(oci(`["registry.example/a"]`, `"registry.example/a"`), reason.PolicySyntax, "6: trustPolicies[0].registryScopes"),
	"number for a string":        refused(oci(`"one"`, "1"), reason.PolicySyntax, "5: trustPolicies[0].name"),
	"deep nesting":               refused(strings.Repeat("[", 100_000), reason.PolicySyntax, "1: "),
	"top-level member twice":     refused(oci(`"version": "1.0",`, `"version": "1.0", "version": "1.0",`), reason.PolicySyntax, "2: "),
	"member twice":               refused(oci(`"name": "one",`, `"name": "one", "name": "one",`), reason.PolicySyntax, "5: trustPolicies[0]: "),
	"override member twice":      refused(oci(`"strict"`, `"strict", "override": {"expiry": "log", "expiry": "enforce"}`), reason.PolicySyntax, "7: trustPolicies[0].signatureVerification.override: "),
	"top-level case variant":     refused(oci(`"trustPolicies"`, `"TrustPolicies"`), reason.PolicySyntax, "3: "),
	"case variant":               refused(oci(`"registryScopes": ["*"]`, `"registryscopes": ["*"]`), reason.PolicySyntax, "13: trustPolicies[1]: "),
	"case variant beside it":     refused(oci(`"name": "one",`, `"name": "one", "Name": "x",`), reason.PolicySyntax, "5: trustPolicies[0]: "),
	"case variant of level":      refused(oci(`"level": "strict"`, `"Level": "strict"`), reason.PolicySyntax, "7: trustPolicies[0].signatureVerification: "),
	"unknown top-level member":   refused(oci(`"version": "1.0",`, `"version": "1.0", "comment": "",`), reason.PolicySyntax, "2: "),
	"unknown member":             refused(oci(`"name": "one",`, `"name": "one", "comment": "",`), reason.PolicySyntax, "5: trustPolicies[0]: "),
	"globalPolicy in OCI policy": refused(oci(`"name": "one",`, `"name": "one", "globalPolicy": true,`), reason.PolicySyntax, "5: trustPolicies[0]: "),
	"scopes in blob policy":      refusedBlob(blob(`"name": "one",`, `"name": "one", "registryScopes": ["*"],`), reason.PolicySyntax, "5: trustPolicies[0]: "),

	"no version":         refused(`{"trustPolicies":[]}`, reason.PolicyVersion, "1: version: "),
	"version 1.2":        refused(oci(`"1.0"`, `"1.2"`), reason.PolicyVersion, "2: version: "),
	"version 1.2, newer": refused(oci(`"1.0",`, `"1.2", "trustRoots": {},`), reason.PolicyVersion, "2: version: "),
	"version 1.1, more":  refused(oci(`"1.0",`, `"1.1", "trustRoots": {},`), reason.PolicySyntax, "2: "),
	"version 1":          refused(oci(`"1.0"`, `"1"`), reason.PolicyVersion, "2: version: "),
	"version 2":          refused(oci(`"1.0"`, `"2.0"`), reason.PolicyVersion, "2: version: "),
	"no statements":      refused(`{"version":"1.0"}`, reason.PolicyEmpty, "1: trustPolicies: "),
	"empty statements":   refused(`{"version":"1.0","trustPolicies":[]}`, reason.PolicyEmpty, "1: trustPolicies: "),

	"no name":               refused(oci(`"name": "one",`, ``), reason.PolicyName, "4: trustPolicies[0].name: "),
	"blank name":            refused(oci(`"one"`, `" "`), reason.PolicyName, "5: trustPolicies[0].name: "),
	"long name":             refused(oci(`"one"`, `"`+strings.Repeat("x", trust.MaxNameBytes+1)+`"`), reason.PolicyName, "5: trustPolicies[0].name: "),
	"name with escape":      refused(oci(`"one"`, `"\u001b[31m"`), reason.PolicyName, "5: trustPolicies[0].name: "),
	"name with bidi":        refused(oci(`"one"`, `"a\u202eb"`), reason.PolicyName, "5: trustPolicies[0].name: "),
	"name twice":            refused(oci(`"two"`, `"one"`), reason.PolicyName, `12: trustPolicies[1].name: the name "one" is taken by trustPolicies[0] (line 4)`),
	"name twice among blob": refusedBlob(blob(`"two"`, `"one"`), reason.PolicyName, "12: trustPolicies[1].name: "),

	"no level":           refused(oci(`{"level": "strict"}`, `{}`), reason.PolicyLevel, "7: trustPolicies[0].signatureVerification.level: "),
	"no verification":    refused(oci(`"signatureVerification": {"level": "strict"},`, ``), reason.PolicyLevel, "4: trustPolicies[0].signatureVerification.level: "),
	"unknown level":      refused(oci(`"strict"`, `"lenient"`), reason.PolicyLevel, "7: trustPolicies[0].signatureVerification.level: "),
	"level in caps":      refused(oci(`"strict"`, `"Strict"`), reason.PolicyLevel, "7: trustPolicies[0].signatureVerification.level: "),
	"override integrity": override("integrity", "log"),
	"enforce integrity":  override("integrity", "enforce"),
	"override unknown":   override("everything", "log"),
	"override in caps":   override("Expiry", "log"),
	"skip authenticity":  override("authenticity", "skip"),
	"skip timestamp":     override("authenticTimestamp", "skip"),
	"skip expiry":        override("expiry", "skip"),
	"unknown action":     override("revocation", "ignore"),
	"no action":          override("revocation", ""),
	"override skip":      refused(oci(`"audit"`, `"skip", "override": {"expiry": "log"}`, `["*"],`, `["registry.example/b"],`, `"trustStores": ["ca:all", "tsa:all"],`, ``, `"trustedIdentities": ["*"]`, `"trustStores": []`), reason.PolicySkip, "14: trustPolicies[1].signatureVerification.override: "),
	"bad verifyTime":     refused(oci(`"strict"`, `"strict", "verifyTimestamp": "never"`), reason.PolicyVerifyTimestamp, "7: trustPolicies[0].signatureVerification.verifyTimestamp: "),
	"verifyTime in caps": refused(oci(`"strict"`, `"strict", "verifyTimestamp": "Always"`), reason.PolicyVerifyTimestamp, "7: trustPolicies[0].signatureVerification.verifyTimestamp: "),

	"no scopes":                refused(oci(`["registry.example/a"]`, `[]`), reason.PolicyScope, "6: trustPolicies[0].registryScopes: "),
	"scopes missing":           refused(oci(`"registryScopes": ["registry.example/a"],`, ``), reason.PolicyScope, "4: trustPolicies[0].registryScopes: "),
	"* beside others":          refused(oci(`["*"],`, `["*", "registry.example/b"],`), reason.PolicyScope, "13: trustPolicies[1].registryScopes[0]: "),
	"others beside *":          refused(oci(`["*"],`, `["registry.example/b", "*"],`), reason.PolicyScope, "13: trustPolicies[1].registryScopes[1]: "),
	"* in two statements":      refused(oci(`["registry.example/a"]`, `["*"]`), reason.PolicyScopeTwice, "13: trustPolicies[1].registryScopes[0]: "),
	"* twice in one":           {text: oci(`["*"],`, `["*", "*"],`), codes: []reason.Code{reason.PolicyScope, reason.PolicyScope}},
	"scope in two":             refused(oci(`["*"],`, `["registry.example/a"],`), reason.PolicyScopeTwice, `13: trustPolicies[1].registryScopes[0]: scope "registry.example/a" is already in trustPolicies[0].registryScopes[0] (line 6)`),
	"scope twice in one":       refused(oci(`["registry.example/a"]`, `["registry.example/a", "registry.example/a"]`), reason.PolicyScopeTwice, "6: trustPolicies[0].registryScopes[1]: "),
	"skip on *":                refused(oci(`"audit"`, `"skip"`, `"trustStores": ["ca:all", "tsa:all"],`, ``, `"trustedIdentities": ["*"]`, `"trustStores": []`), reason.PolicySkip, "13: trustPolicies[1].registryScopes[0]: "),
	"skip with stores":         refused(skipping(`"trustStores": ["ca:all"]`), reason.PolicySkip, "6: trustPolicies[0].trustStores: "),
	"skip with identities":     refused(skipping(`"trustedIdentities": ["*"]`), reason.PolicySkip, "6: trustPolicies[0].trustedIdentities: "),
	"skip with verifyTime":     refused(`{"version":"1.0","trustPolicies":[{"name":"n","registryScopes":["registry.example/a"],"signatureVerification":{"level":"skip","verifyTimestamp":"always"}}]}`, reason.PolicySkip, "1: trustPolicies[0].signatureVerification.verifyTimestamp: "),
	"indexCovers in 1.0":       refused(oci(`"strict"`, `"strict", "indexCovers": "itself"`), reason.PolicyIndexCovers, "7: trustPolicies[0].signatureVerification.indexCovers: "),
	"indexCovers empty in 1.0": refused(oci(`"strict"`, `"strict", "indexCovers": ""`), reason.PolicyIndexCovers, "7: trustPolicies[0].signatureVerification.indexCovers: "),
	"indexCovers empty":        refused(oci(`"1.0"`, `"1.1"`, `"strict"`, `"strict", "indexCovers": ""`), reason.PolicyIndexCovers, "7: trustPolicies[0].signatureVerification.indexCovers: "),
	"indexCovers null":         refused(oci(`"1.0"`, `"1.1"`, `"strict"`, `"strict", "indexCovers": null`), reason.PolicySyntax, "7: trustPolicies[0].signatureVerification.indexCovers: "),
	"empty of files":           refusedBlob(blob(`{"level": "strict"`, `{"level": "strict", "indexCovers": ""`), reason.PolicyIndexCovers, "6: trustPolicies[0].signatureVerification.indexCovers: "),
	"indexCovers unknown":      refused(oci(`"1.0"`, `"1.1"`, `"strict"`, `"strict", "indexCovers": "images"`), reason.PolicyIndexCovers, "7: trustPolicies[0].signatureVerification.indexCovers: "),
	"indexCovers in caps":      refused(oci(`"1.0"`, `"1.1"`, `"strict"`, `"strict", "indexCovers": "Manifests"`), reason.PolicyIndexCovers, "7: trustPolicies[0].signatureVerification.indexCovers: "),
	"indexCovers twice":        refused(oci(`"1.0"`, `"1.1"`, `"strict"`, `"strict", "indexCovers": "itself", "indexCovers": "manifests"`), reason.PolicySyntax, "7: trustPolicies[0].signatureVerification: "),
	"indexCovers of files":     refusedBlob(blob(`"1.0"`, `"1.1"`, `{"level": "strict"`, `{"level": "strict", "indexCovers": "manifests"`), reason.PolicyIndexCovers, "6: trustPolicies[0].signatureVerification.indexCovers: "),
	"skip with indexCovers":    refused(`{"version":"1.1","trustPolicies":[{"name":"n","registryScopes":["registry.example/a"],"signatureVerification":{"level":"skip","indexCovers":"itself"}}]}`, reason.PolicySkip, "1: trustPolicies[0].signatureVerification.indexCovers: "),
	"two global blob":          refusedBlob(blob(`{"level": "skip"}`, `{"level": "audit"}, "globalPolicy": true, "trustStores": ["ca:a"], "trustedIdentities": ["*"]`), reason.PolicyGlobal, "13: trustPolicies[1].globalPolicy: "),
	"global skip":              refusedBlob(blob(`{"level": "skip"}`, `{"level": "skip"}, "globalPolicy": true`), reason.PolicySkip, "13: trustPolicies[1].globalPolicy: "),
	"global blob as a string":  refusedBlob(blob(`true`, `"true"`), reason.PolicySyntax, "9: trustPolicies[0].globalPolicy: "),

	"no stores":             stores(`[]`, ": "),
	"stores missing":        refused(oci(`"trustStores": ["ca:acme"],`, ``), reason.PolicyStore, "4: trustPolicies[0].trustStores: "),
	"only tsa":              stores(`["tsa:acme"]`, ": "),
	"store without type":    stores(`["acme"]`, "[0]: "),
	"store without name":    stores(`["ca:"]`, "[0]: "),
	"store type in caps":    stores(`["CA:acme"]`, "[0]: "),
	"store of no type":      stores(`["ca:acme", "root:acme"]`, "[1]: "),
	"store twice":           stores(`["ca:acme", "ca:acme"]`, "[1]: "),
	"store ..":              stores(`["ca:.."]`, "[0]: "),
	"store path":            stores(`["ca:../../etc"]`, "[0]: "),
	"store with two colons": stores(`["ca:a:b"]`, "[0]: "),
	"store with NUL":        stores(`["ca:a\u0000"]`, "[0]: "),

	"no identities":      identities(`[]`, reason.PolicyIdentity, ": "),
	"identities missing": refused(oci(`"trustStores": ["ca:acme"],`, `"trustStores": ["ca:acme"]`, `"trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme"]`, ``), reason.PolicyIdentity, "4: trustPolicies[0].trustedIdentities: "),
	"* beside identity":  identities(`["x509.subject: C=US, ST=WA, O=Acme", "*"]`, reason.PolicyIdentity, "[1]: "),
	"no prefix":          identities(`["C=US, ST=WA, O=Acme"]`, reason.PolicyIdentity, "[0]: "),
	"prefix in caps":     identities(`["X509.subject: C=US, ST=WA, O=Acme"]`, reason.PolicyIdentity, "[0]: "),
	"no name in it":      identities(`["x509.subject:"]`, reason.PolicyIdentity, "[0]: "),
	"pattern":            identities(`["x509.subject: *"]`, reason.PolicyIdentity, "[0]: "),
	"no C":               identities(`["x509.subject: ST=WA, O=Acme"]`, reason.PolicyIdentity, "[0]: "),
	"no ST":              identities(`["x509.subject: C=US, O=Acme"]`, reason.PolicyIdentity, "[0]: "),
	"no O":               identities(`["x509.subject: C=US, ST=WA, CN=Acme"]`, reason.PolicyIdentity, "[0]: "),
	"identity twice":     identities(`["x509.subject: C=US, ST=WA, O=Acme", "x509.subject: O=Acme, S=WA, C=US"]`, reason.PolicyOverlap, "[1]: "),
	"identity within":    identities(`["x509.subject: C=US, ST=WA, O=Acme, CN=x", "x509.subject: C=US, ST=WA, O=Acme"]`, reason.PolicyOverlap, "[1]: "),
	"long identity":      identities(`["x509.subject: C=US, ST=WA, O=`+strings.Repeat("x", trust.MaxIdentityBytes)+`"]`, reason.PolicyIdentity, "[0]: "),
}

func override(check, action string) refusedPolicy {
	return refused(oci(`"strict"`, fmt.Sprintf(`"strict", "override": {%q: %q}`, check, action)), reason.PolicyOverride,
		"7: trustPolicies[0].signatureVerification.override."+check+": ")
}

func stores(list, message string) refusedPolicy {
	return refused(oci(`["ca:acme"]`, list), reason.PolicyStore, "8: trustPolicies[0].trustStores"+message)
}

func identities(list string, code reason.Code, message string) refusedPolicy {
	return refused(oci(`["x509.subject: C=US, ST=WA, O=Acme"]`, list), code, "9: trustPolicies[0].trustedIdentities"+message)
}

func skipping(member string) string {
	return `{"version": "1.0", "trustPolicies": [{
  "name": "n",
  "registryScopes": ["registry.example/a"],
  "signatureVerification": {
    "level": "skip"},
  ` + member + `}]}`
}

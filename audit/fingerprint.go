package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/trust"
)

// Fingerprint returns a digest of what the verdicts of a verifier rest on beside
// the artifacts: the policy, the certificates of the stores that it names, the
// answers about revocation that were carried along, and what else is demanded.
// Answers that are fetched, plugins and the clock are not in it. More strings, in their order, are what else matters to the caller.
func Fingerprint(v *notation.Verifier, more ...string) string {
	h := sha256.New()
	part(h, "audit", FormatVersion)
	if v.Policy != nil {
		fingerprintPolicy(h, v)
	}
	for _, m := range []map[string]string{v.Metadata, v.PluginConfig} {
		part(h, strconv.Itoa(len(m)))
		for _, key := range slices.Sorted(maps.Keys(m)) {
			part(h, key, m[key])
		}
	}
	for _, answers := range [][][]byte{v.Evidence.OCSP, v.Evidence.CRLs} {
		part(h, strconv.Itoa(len(answers)))
		for _, der := range answers {
			part(h, string(der))
		}
	}
	part(h, strconv.Itoa(v.MaxSignatures), strconv.FormatBool(v.Exhaustive), strconv.FormatBool(v.RequireRevocation))
	part(h, more...)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// part writes texts so that no two lists of them are the same bytes.
func part(h hash.Hash, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
}

// fingerprintPolicy writes the policy as it was understood, and what its stores
// hold. A store that cannot be loaded is that, whatever the cause.
func fingerprintPolicy(h hash.Hash, v *notation.Verifier) {
	text, err := v.Policy.Document().Encode(v.Policy.Kind())
	if err != nil { // of a policy that is not parsed from a file
		part(h, err.Error())
	}
	part(h, string(text))
	seen := map[trust.StoreRef]bool{}
	for _, s := range v.Policy.Statements() {
		for _, ref := range s.Stores() {
			if seen[ref] {
				continue
			}
			seen[ref] = true
			anchors, _, err := v.Stores.Load(ref)
			part(h, ref.String(), strconv.FormatBool(err == nil), strconv.Itoa(len(anchors)))
			for _, a := range anchors {
				part(h, string(a.Raw))
			}
		}
	}
}

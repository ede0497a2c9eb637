package trust

import (
	"maps"
	"slices"
	"strings"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// level reads signatureVerification.level into s.level and s.actions.
func (b *builder) level(s *Statement) {
	at := s.pointer("signatureVerification", "level")
	const hint = "the levels are strict, permissive, audit and skip"
	name := s.doc.SignatureVerification.Level
	n, ok := enumValue(levelNames[:], name)
	switch {
	case name == "":
		b.add(at, reason.PolicyLevel, hint, "the statement has no verification level")
	case !ok:
		b.add(at, reason.PolicyLevel, hint, "%s is no verification level", show(name))
	}
	s.level = Level(n) // Strict, should there be an error
	s.actions = s.level.actions()
}

// override reads signatureVerification.override into s.actions.
func (b *builder) override(s *Statement) {
	override := s.doc.SignatureVerification.Override
	for _, name := range slices.Sorted(maps.Keys(override)) {
		at := s.pointer("signatureVerification", "override", name)
		check, ok := enumValue(checkNames[:], name)
		if !ok {
			b.add(at, reason.PolicyOverride, "the checks are authenticity, authenticTimestamp, expiry and revocation, written exactly so",
				"%s is no check that can be overridden", show(name))
			continue
		}
		if Check(check) == Integrity {
			b.add(at, reason.PolicyOverride, "remove it; a signature that does not hold says nothing", "integrity cannot be overridden")
			continue
		}
		action, ok := enumValue(actionNames[:], override[name])
		switch {
		case !ok:
			b.add(at, reason.PolicyOverride, "write enforce or log, or skip for revocation", "%s is no action", show(override[name]))
		case Action(action) == Skip && Check(check) != Revocation:
			b.add(at, reason.PolicyOverride, "write log, so that a failure is reported and does not reject", "%s cannot be skipped", name)
		default:
			s.actions[check] = Action(action)
		}
	}
}

func (b *builder) verifyTimestamp(s *Statement) {
	switch v := s.doc.SignatureVerification.VerifyTimestamp; v {
	case "", "always":
	case "afterCertExpiry":
		s.afterCertExpiry = true
	default:
		b.add(s.pointer("signatureVerification", "verifyTimestamp"), reason.PolicyVerifyTimestamp,
			"write always or afterCertExpiry", "%s says nothing about time stamps", show(v))
	}
}

// indexCovers reads signatureVerification.indexCovers. Version 1.0 has no such
// member: a file that other programs would refuse must not pass for one.
func (b *builder) indexCovers(s *Statement) {
	v := s.doc.SignatureVerification.IndexCovers
	at := s.pointer("signatureVerification", "indexCovers")
	switch {
	case v == "" && !s.doc.SignatureVerification.coversEmpty:
	case b.policy.kind == BlobPolicy:
		b.add(at, reason.PolicyIndexCovers, "remove it", "files are in no index")
	case b.policy.version == version10:
		b.add(at, reason.PolicyIndexCovers, `write "version": "1.1", or remove it`, "version %q has no indexCovers", version10)
	case v == coversManifests:
		s.indexCoversManifests = true
	case v != coversItself:
		b.add(at, reason.PolicyIndexCovers, "write itself or manifests", "%s says nothing about what the signature of an index covers", show(v))
	}
}

// The words of signatureVerification.indexCovers.
const (
	coversItself    = "itself"
	coversManifests = "manifests"
)

// skip checks that a statement that verifies nothing says nothing else: what
// it says would look as if it counted.
func (b *builder) skip(s *Statement) {
	const hint = "remove it, or choose another level than skip"
	v := s.doc.SignatureVerification
	verification := s.pointer("signatureVerification")
	for _, m := range []struct {
		at    pointer
		given bool
	}{
		{verification.to("override"), len(v.Override) > 0},
		{verification.to("verifyTimestamp"), v.VerifyTimestamp != ""},
		{verification.to("indexCovers"), v.IndexCovers != ""},
		{s.pointer("trustStores"), len(s.doc.TrustStores) > 0},
		{s.pointer("trustedIdentities"), len(s.doc.TrustedIdentities) > 0},
	} {
		if m.given {
			b.add(m.at, reason.PolicySkip, hint, "level skip verifies nothing and cannot be customised")
		}
	}
}

// global reads globalPolicy.
func (b *builder) global(s *Statement) {
	if !s.doc.GlobalPolicy {
		return
	}
	at := s.pointer("globalPolicy")
	if s.level == SkipAll {
		b.add(at, reason.PolicySkip, "name the statement when a blob need not be verified", "a statement of level skip cannot be global")
		return
	}
	if b.policy.fallback != nil {
		b.add(at, reason.PolicyGlobal, "remove one of the two", "%s is the global statement already", b.member(b.fallbackAt))
		return
	}
	b.policy.fallback, b.fallbackAt = s, at
}

// scopes reads registryScopes.
func (b *builder) scopes(s *Statement) {
	scopes := s.doc.RegistryScopes
	at := s.pointer("registryScopes")
	switch {
	case len(scopes) == 0:
		b.add(at, reason.PolicyScope, "name repositories, as in localhost:5000/net-monitor, or * for all others", "the statement has no scope")
	case len(scopes) > maxScopes:
		b.add(at, reason.PolicyTooLarge, "use several statements, or the scope *", "the statement has more than %d scopes", maxScopes)
		return
	}
	for i, scope := range scopes {
		at := at.to(i)
		switch {
		case scope == anyScope && len(scopes) > 1:
			b.add(at, reason.PolicyScope, "write * alone, and the others in a statement of their own", "* stands beside other scopes")
		case scope == anyScope:
			b.anyScope(s, at)
		default:
			b.scope(s, at, scope)
		}
	}
}

// anyScope makes s the statement for what no other names.
func (b *builder) anyScope(s *Statement, at pointer) {
	if s.level == SkipAll {
		b.add(at, reason.PolicySkip, "name the repositories that need not be verified", "level skip cannot hold for *")
		return
	}
	if b.policy.fallback != nil {
		b.add(at, reason.PolicyScopeTwice, "a scope may stand in one statement only", "scope * is already in %s", b.member(b.fallbackAt))
		return
	}
	b.policy.fallback, b.fallbackAt = s, at
}

func (b *builder) scope(s *Statement, at pointer, scope string) {
	if err := checkScope(scope); err != nil {
		b.addError(at, err)
		return
	}
	if other := b.policy.byScope[scope]; other != nil {
		b.add(at, reason.PolicyScopeTwice, "a scope may stand in one statement only, once", "scope %s is already in %s",
			show(scope), b.member(other.pointer("registryScopes", slices.Index(other.doc.RegistryScopes, scope))))
		return
	}
	b.policy.byScope[scope] = s
	if endpoint := endpointOf(scope); b.policy.byEndpoint[endpoint] == "" {
		b.policy.byEndpoint[endpoint] = scope
	}
}

// checkScope reports what is no fully qualified repository.
func checkScope(scope string) *reason.Error {
	if len(scope) > maxScopeBytes {
		return reason.Errorf(reason.PolicyScope, "the scope is longer than %d bytes", maxScopeBytes).
			WithHint("write registry/repository")
	}
	if _, err := oci.ParseRepository(scope); err != nil {
		return reason.Wrap(reason.PolicyScope, err, "no fully qualified repository").WithHint("%s", reason.Hint(err))
	}
	return nil
}

// stores reads trustStores.
func (b *builder) stores(s *Statement) {
	at := s.pointer("trustStores")
	names := s.doc.TrustStores
	switch {
	case len(names) == 0:
		b.add(at, reason.PolicyStore, "name at least one, as in ca:wabbit-networks.io", "the statement names no trust store")
		return
	case len(names) > maxStoreRefs:
		b.add(at, reason.PolicyTooLarge, "put certificates that are trusted together into one store", "the statement names more than %d trust stores", maxStoreRefs)
		return
	}
	onlyTSA := true
	for i, name := range names {
		ref, err := ParseStoreRef(name)
		if err != nil {
			b.addError(at.to(i), reason.Wrap(reason.PolicyStore, err, "no trust store").WithHint("%s", reason.Hint(err)))
			onlyTSA = false // a doubt that the first error covers
			continue
		}
		if slices.Contains(s.stores, ref) {
			b.add(at.to(i), reason.PolicyStore, "remove one of the two", "trust store %s is named twice", ref)
			continue
		}
		onlyTSA = onlyTSA && ref.Type == TSA
		s.stores = append(s.stores, ref)
	}
	if onlyTSA {
		b.add(at, reason.PolicyStore, "add a store of type ca or signingAuthority: a tsa store vouches for times, not for signers",
			"the statement names no store for signers")
	}
}

// identities reads trustedIdentities.
func (b *builder) identities(s *Statement) {
	at := s.pointer("trustedIdentities")
	texts := s.doc.TrustedIdentities
	switch {
	case len(texts) == 0:
		b.add(at, reason.PolicyIdentity, "name the subjects that may sign, as in x509.subject: C=US, ST=WA, O=wabbit-networks.io, or * for anyone in the trust stores",
			"the statement names no trusted identity")
		return
	case len(texts) > maxIdentities:
		b.add(at, reason.PolicyTooLarge, "use several statements, or a pattern with fewer attributes", "the statement names more than %d identities", maxIdentities)
		return
	}
	var parsed []int // index into texts of each of s.identities
	for i, text := range texts {
		if text == anyIdentity && len(texts) > 1 {
			b.add(at.to(i), reason.PolicyIdentity, "write * alone; it covers every other", "* stands beside other identities")
			continue
		}
		id, err := parseIdentity(text)
		if err != nil {
			b.addError(at.to(i), err)
			continue
		}
		if j := slices.IndexFunc(s.identities, id.overlaps); j >= 0 {
			b.add(at.to(i), reason.PolicyOverlap, "keep the one that is meant, or add an attribute in which they differ",
				"of %s and %s, one covers the other", show(text), show(texts[parsed[j]]))
			continue
		}
		s.identities, parsed = append(s.identities, id), append(parsed, i)
	}
}

// endpointOf returns one spelling for all scopes that name the same repository
// of the same host. ParseRepository leaves one freedom, the default ports:
// registry.example and registry.example:443 are one server over HTTPS, but two
// strings. Without its port a host may be one of those that ParseReference
// knows under several names, so that it is asked once more.
func endpointOf(scope string) string {
	host, repository, _ := strings.Cut(scope, "/")
	for _, port := range []string{":443", ":80"} {
		host = strings.TrimSuffix(host, port)
	}
	endpoint := host + "/" + repository
	if r, err := oci.ParseReference(endpoint); err == nil {
		endpoint = r.Name()
	}
	return endpoint
}

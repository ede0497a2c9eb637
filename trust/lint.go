package trust

import (
	"slices"
	"time"

	"github.com/notaryv2/notation/reason"
)

// Severity ranks what Lint finds. The zero value is none.
type Severity uint8

// The severities, the mildest first.
const (
	// Notice: worth knowing; it may well be meant so.
	Notice Severity = iota + 1
	// Warning: it weakens trust, or will stop working.
	Warning
	// Broken: signatures that should pass are rejected.
	Broken
)

var severityNames = [...]string{Notice: "notice", Warning: "warning", Broken: "error"}

// String returns "notice", "warning" or "error".
func (s Severity) String() string { return enumName("Severity", severityNames[:], uint8(s)) }

// Issue is one thing that is wrong or dangerous in a policy or its stores.
type Issue struct {
	Severity Severity
	Code     reason.Code
	Where    string // file, line and member of the policy
	Message  string // one sentence, without its full stop
	Hint     string // what to do about it
}

// Lint finds what is wrong or dangerous in a policy that parses, and in the
// trust stores that it names, judged at an instant. It returns at most 200
// issues, those of a statement in the order of the file. With stores nil, only
// the policy itself is looked at.
func Lint(p *Policy, stores *Stores, at time.Time) []Issue {
	l := &linter{policy: p, stores: stores, at: at, seen: map[StoreRef]bool{}}
	for _, s := range p.Statements() {
		if l.full() {
			break
		}
		l.statement(s)
	}
	if p.Kind() == BlobPolicy && p.fallback == nil {
		l.add(Notice, pointer("").to("trustPolicies"), reason.PolicyNoGlobal, `set "globalPolicy": true in the statement that is to hold by default`,
			"no statement is global, so each verification must name one")
	}
	if p.Version() == version11 && !slices.ContainsFunc(p.Statements(), func(s *Statement) bool { return s.doc.SignatureVerification.IndexCovers != "" }) {
		l.add(Notice, pointer("").to("version"), reason.PolicyNewerVersion, `write "version": "1.0"`,
			"nothing in the policy needs version 1.1, which programs that know only 1.0 refuse")
	}
	return l.issues
}

type linter struct {
	policy *Policy
	stores *Stores
	at     time.Time
	seen   map[StoreRef]bool // stores that were looked at
	issues []Issue
}

func (l *linter) full() bool { return len(l.issues) >= maxIssues }

func (l *linter) add(severity Severity, at pointer, code reason.Code, hint, format string, args ...any) {
	l.addError(severity, at, reason.Errorf(code, format, args...).WithHint("%s", hint))
}

func (l *linter) addError(severity Severity, at pointer, e error) {
	if l.full() {
		return
	}
	l.issues = append(l.issues, Issue{
		Severity: severity,
		Code:     reason.Of(e),
		Where:    l.policy.where(at),
		Message:  e.Error(),
		Hint:     reason.Hint(e),
	})
}

func (l *linter) statement(s *Statement) {
	l.level(s)
	l.aliases(s)
	if s.level == SkipAll {
		return
	}
	l.timestamps(s)
	if s.indexCoversManifests {
		l.add(Notice, s.pointer("signatureVerification", "indexCovers"), reason.PolicyIndexCoversMany, "write itself if each image is to have a signature of its own",
			"whoever may sign an index vouches for everything in it: an image without a good signature of its own passes")
	}
	var signers []Anchor
	complete := l.stores != nil
	for i, ref := range s.stores {
		if l.stores == nil {
			break
		}
		anchors := l.store(s.pointer("trustStores", i), ref)
		if ref.Type != TSA {
			complete = complete && len(anchors) > 0
			signers = append(signers, anchors...)
		}
	}
	l.anyone(s, signers, complete)
	if complete {
		l.unmatched(s, signers)
	}
}

// level reports checks whose failure does not reject.
func (l *linter) level(s *Statement) {
	verification := s.pointer("signatureVerification")
	at := verification.to("level")
	switch s.level {
	case SkipAll:
		l.add(Warning, at, reason.PolicySkips, "choose strict once the signatures are in place", "nothing is verified: unsigned artifacts are neither found nor refused")
		return
	case Audit:
		l.add(Warning, at, reason.PolicyLogsOnly, "choose strict once the log shows no failures", "level audit lets signatures of untrusted signers pass")
	case Permissive:
		l.add(Notice, at, reason.PolicyLogsOnly, "choose strict, or override the one check that must not reject", "level permissive lets expired and revoked signatures pass")
	}
	base := s.level.actions()
	for check := Authenticity; check <= Revocation; check++ {
		action := s.actions[check]
		if action == base[check] || action == Enforce {
			continue
		}
		at := verification.to("override", check)
		switch {
		case action == Skip:
			l.add(Warning, at, reason.PolicyRevocationOff, "write log, so that a revoked certificate is at least seen", "certificates are never checked for revocation")
		case check == Authenticity:
			l.add(Warning, at, reason.PolicyLogsOnly, "remove the override", "signatures of untrusted signers pass")
		default:
			l.add(Notice, at, reason.PolicyLogsOnly, "remove the override unless it is meant so", "a signature passes although its check %s fails", check)
		}
	}
}

// aliases reports scopes that name the same repository of the same server.
func (l *linter) aliases(s *Statement) {
	for i, scope := range s.doc.RegistryScopes {
		first, ok := l.policy.byEndpoint[endpointOf(scope)]
		if ok && first != scope {
			l.add(Warning, s.pointer("registryScopes", i), reason.PolicyScopeAlias, "keep the spelling that references use, and only that",
				"%s and %s are the same repository unless it is reached by plain HTTP", show(scope), show(first))
		}
	}
}

// timestamps reports stores and settings for time stamps that miss each other.
func (l *linter) timestamps(s *Statement) {
	at := s.pointer("trustStores")
	verifyTimestamp := s.pointer("signatureVerification", "verifyTimestamp")
	ca, tsa := len(s.Stores(CA)) > 0, len(s.Stores(TSA)) > 0
	if !ca {
		l.add(Notice, at, reason.PolicyNoCAStore, "add a store of type ca unless every signature comes from a signing authority",
			"no store is of type ca, so that signatures of the scheme notary.x509, the usual one, are rejected")
	}
	switch {
	case tsa && !ca:
		l.add(Warning, at, reason.PolicyTimestampUnused, "remove the tsa store, or add a store of type ca",
			"the tsa store is never used: only signatures judged by a ca store have their time stamps verified")
	case tsa && s.afterCertExpiry:
		l.add(Notice, verifyTimestamp, reason.PolicyTimestampLate, "write always, so that a bad time stamp is found at once",
			"time stamps are verified only after a certificate has expired")
	case !tsa && s.doc.SignatureVerification.VerifyTimestamp != "":
		l.add(Warning, verifyTimestamp, reason.PolicyTimestampUnused, "add a store of type tsa, or remove verifyTimestamp",
			"it has no effect, because no store is of type tsa")
	case !tsa:
		consequence := "stop verifying"
		if s.Action(AuthenticTimestamp) == Log {
			consequence = "are logged as outdated"
		}
		l.add(Notice, at, reason.PolicyNoTimestamp, "add a store of type tsa, and sign with a time stamp; or sign anew before that day",
			"no store is of type tsa, so that signatures %s when the signer's certificate expires", consequence)
	}
}

// anyone reports an identity * over authorities that issue to others.
func (l *linter) anyone(s *Statement, signers []Anchor, complete bool) {
	if !slices.ContainsFunc(s.identities, Identity.IsAny) {
		return
	}
	authorities, public := 0, ""
	for _, a := range signers {
		if !isCA(a.Certificate) {
			continue // its one key signs, and nobody else
		}
		authorities++
		if name := publicAuthority(a.Certificate); name != "" && public == "" {
			public = name
		}
	}
	at := s.pointer("trustedIdentities", 0)
	const hint = "name the subjects that may sign, as in x509.subject: C=US, ST=WA, O=wabbit-networks.io"
	switch {
	case complete && authorities == 0:
		return
	case public != "":
		l.add(Warning, at, reason.PolicyAnyIdentity, hint, "anyone to whom %s has issued a certificate may sign: it issues to the public", show(public))
	case authorities > 1:
		l.add(Warning, at, reason.PolicyAnyIdentity, hint, "anyone to whom one of %d authorities has issued a certificate may sign", authorities)
	default:
		l.add(Notice, at, reason.PolicyAnyIdentity, hint, "anyone to whom an authority in the trust stores has issued a certificate may sign")
	}
	if s == l.policy.fallback && l.policy.kind == OCIPolicy {
		l.add(Warning, s.pointer("registryScopes", 0), reason.PolicyAnyScope, "name the repositories, or the identities, or both",
			"whoever may sign for one repository may sign for all of them: both scope and identity are *")
	}
}

// unmatched reports identities that no anchor can lead to: all anchors are
// self-signed signing certificates, and none has such a subject.
func (l *linter) unmatched(s *Statement, signers []Anchor) {
	if slices.ContainsFunc(signers, func(a Anchor) bool { return isCA(a.Certificate) }) {
		return
	}
	for i, id := range s.identities {
		if !slices.ContainsFunc(signers, func(a Anchor) bool { return id.Matches(a.Certificate) }) {
			l.add(Broken, s.pointer("trustedIdentities", i), reason.PolicyIdentityUnmatched, "copy the subject from: notation cert show",
				"no certificate in the trust stores has this subject, and none of them may issue others")
		}
	}
}

package notation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/trust"
)

// Verifier decides whether artifacts are trusted. It is read-only and safe for
// concurrent use. Its zero value rejects everything.
type Verifier struct {
	Policy *trust.Policy // nil: everything is rejected
	Stores *trust.Stores // nil: there are no anchors

	// Revocation learns whether certificates were revoked. Nil never means that
	// nothing is asked: it is live OCSP, then CRL, as revocation.New gives it
	// for no options, and answers are kept in memory.
	Revocation revocation.Checker
	// Evidence holds answers about revocation that came with the artifact. They
	// are judged as if they had been fetched. Authentic is not looked at.
	Evidence revocation.Evidence
	// RequireRevocation refuses, where the policy does not skip the check,
	// chains that name nobody to ask about revocation.
	RequireRevocation bool

	// Plugins runs the verification plugin that a signature demands; nil: such
	// signatures are rejected.
	Plugins *plugin.Host
	// PluginConfig is passed on to verification plugins.
	PluginConfig map[string]string

	// Cache makes the second verification of a chain cheaper; nil: none.
	Cache *Cache

	// Now is the clock; nil: time.Now. It is read once per operation.
	Now func() time.Time

	// Metadata must be among the signed user metadata of a signature, or that
	// signature is rejected.
	Metadata map[string]string

	// MaxSignatures bounds the signatures looked at per artifact; 0 or less
	// means DefaultMaxSignatures. When it is reached without success the
	// decision is ErrUndecided, as there may be a good one behind.
	MaxSignatures int

	// Exhaustive looks at every signature within the bounds; otherwise Verify
	// stops at the first one that passes.
	Exhaustive bool
}

// Verify decides about the artifact that ref names in repo. The trust policy
// is asked for the scope repo.Name(). ref must hold a tag or a digest and, if
// it names a repository, that of repo.
//
// The error is nil exactly if the verdict's outcome is Passed. Otherwise it is
// a [*VerdictError]; errors.Is tells ErrRejected, ErrUnsigned, ErrUndecided and
// ErrSkipped apart, and reason.Of and reason.Hint say why and what to do. The
// verdict is never nil.
//
// A tag is resolved once, and the digest that Verify reports is the one that it
// verified. Nothing is requested from repo if the policy has no statement for
// it, if the statement's level is skip, or if no signature could pass anyway
// for lack of a trust anchor.
//
// A signature that cannot be fetched is Undecided in the verdict and hides no
// other. Verify returns when ctx ends.
func (v *Verifier) Verify(ctx context.Context, repo oci.Repository, ref oci.Reference) (*Verdict, error) {
	return v.verify(ctx, repo, ref, v.begin(repo, ref), nil)
}

// begin returns the verdict of an operation that begins now.
func (v *Verifier) begin(repo oci.Repository, ref oci.Reference) *Verdict {
	return &Verdict{Reference: referenceText(repo, ref), Scope: nameOf(repo), Time: v.now()}
}

// verify completes a verdict that has begun. listed, if there is one, is what an
// index says of the artifact; what is something else is rejected.
func (v *Verifier) verify(ctx context.Context, repo oci.Repository, ref oci.Reference, verdict *Verdict, listed *oci.Descriptor) (*Verdict, error) {
	j, err := v.prepare(ctx, repo, ref, verdict)
	if err != nil {
		return verdict, err
	}
	d, err := discover(ctx, repo, ref, !v.Exhaustive)
	if err != nil {
		return verdict, verdict.unresolved(err)
	}
	verdict.resolve(repo, d.artifact)
	if listed != nil {
		if fault, outcome := misdescribed(ctx, repo, *listed, d.artifact); fault != nil {
			return verdict, verdict.end(CheckIndex, outcome, fault)
		}
	}
	s := newSearch(v, repo, j, d)
	s.run(ctx)
	if d.listing.Partial && !s.passed() && ctx.Err() == nil && d.rest(ctx, repo) {
		again := *j // what the first search has left behind still reads j
		again.running = new(running)
		s = newSearch(v, repo, &again, d)
		s.run(ctx)
	}
	return verdict, verdict.conclude(d, s)
}

// prepare does what needs nothing of repo, or ends the verdict with the error
// why there is no need to ask it anything.
func (v *Verifier) prepare(ctx context.Context, repo oci.Repository, ref oci.Reference, verdict *Verdict) (*judge, error) {
	if fault := checkReference(repo, ref); fault != nil {
		return nil, verdict.end(CheckReference, Failed, fault)
	}
	j, err := v.judge(verdict)
	if err != nil {
		return nil, err
	}
	if err := j.hopeless(); err != nil {
		return nil, verdict.end(CheckPolicy, unloaded(err), asReason(err, reason.StoreUnreadable, "no trust anchor can be read"))
	}
	if ctx.Err() != nil {
		return nil, verdict.end(CheckDiscovery, Undecided, interrupted(ctx))
	}
	j.claimed = true
	return j, nil
}

// resolve records which artifact the reference names.
func (v *Verdict) resolve(repo oci.Repository, artifact oci.Descriptor) {
	v.Artifact = bare(artifact)
	v.Reference = byDigest(repo.Name(), v.Artifact)
}

// unresolved ends a verdict whose reference cannot be resolved.
func (v *Verdict) unresolved(err error) error {
	return v.end(CheckReference, unresolved(err), asReason(err, reason.VerifyResolve, "cannot resolve the reference"))
}

// VerifyEnvelope decides about one envelope that is at hand, for an artifact of
// which media type, digest and size are known, without any registry. mediaType
// is that of the envelope, and scope the repository, registry/repository, that
// the trust policy is asked for. Verdict and error are as those of Verify, but
// ErrUnsigned never occurs, and ErrUndecided only if ctx has ended, or a trust
// store, a plugin or somebody who knows about revocation could not be asked.
func (v *Verifier) VerifyEnvelope(ctx context.Context, env []byte, mediaType string, artifact oci.Descriptor, scope string) (*Verdict, error) {
	artifact = bare(artifact)
	verdict := &Verdict{Reference: byDigest(scope, artifact), Artifact: artifact, Scope: scope, Time: v.now()}
	j, err := v.judge(verdict)
	if err != nil {
		return verdict, err
	}
	if ctx.Err() != nil {
		return verdict, verdict.end(CheckDiscovery, Undecided, interrupted(ctx))
	}
	verdict.Signatures = []SignatureVerdict{j.envelope(ctx, mediaType, env, artifact)}
	return verdict, verdict.single()
}

// single concludes a verdict on the one signature that there is.
func (v *Verdict) single() error {
	switch s := v.Signatures[0]; s.Outcome {
	case Passed:
		v.Outcome = Passed
		return nil
	case Undecided:
		v.Outcome = Undecided
		return &VerdictError{Verdict: v, Cause: s.doubt()}
	}
	return v.reject()
}

func (v *Verifier) now() time.Time {
	if v == nil || v.Now == nil {
		return time.Now().UTC()
	}
	return v.Now().UTC()
}

// judge finds the statement that applies and makes the judge of this operation,
// or ends the verdict with the error why there is none.
func (v *Verifier) judge(verdict *Verdict) (*judge, error) {
	return v.judgeBy(verdict, func(p *trust.Policy) (*trust.Statement, error) { return p.ForRepository(verdict.Scope) })
}

// judgeBy is judge with the statement that find finds.
func (v *Verifier) judgeBy(verdict *Verdict, find func(*trust.Policy) (*trust.Statement, error)) (*judge, error) {
	if v == nil || v.Policy == nil {
		return nil, verdict.end(CheckPolicy, Failed, reason.Errorf(reason.VerifyNoPolicy,
			"the verifier was given no trust policy").WithHint("Set Verifier.Policy."))
	}
	st, err := find(v.Policy)
	if err != nil {
		return nil, verdict.end(CheckPolicy, Failed, asReason(err, reason.VerifyNoPolicy, "no statement of the trust policy applies"))
	}
	verdict.Statement, verdict.Level = st.Name(), st.Level()
	if st.Level() == trust.SkipAll {
		return nil, verdict.end(CheckPolicy, Skipped, reason.Errorf(reason.VerifySkippedByPolicy,
			"the statement %q has the level skip, so nothing was verified", st.Name()).
			WithHint("Give the statement another level if this artifact is to be verified."))
	}
	if v.Stores == nil {
		return nil, verdict.end(CheckPolicy, Failed, reason.Errorf(reason.VerifyNoStores,
			"the verifier was given no trust stores").WithHint("Set Verifier.Stores."))
	}
	return newJudge(v, st, verdict.Time), nil
}

// checkReference refuses a reference that cannot be meant for repo: the policy
// is asked about the repository, so the artifact must come from there.
func checkReference(repo oci.Repository, ref oci.Reference) *reason.Error {
	if repo == nil {
		return reason.Errorf(reason.VerifyReference, "there is no repository in which to look for %s", quote(ref.String())).
			WithHint("Open the repository that the reference names.")
	}
	if ref.Tag() == "" && ref.Digest() == "" {
		return reason.Errorf(reason.VerifyReference, "the reference %s names no artifact", quote(ref.String())).
			WithHint("Add a tag or, better, a digest.")
	}
	if ref.Name() != "" && ref.Name() != repo.Name() {
		return reason.Errorf(reason.VerifyReference, "the reference is to the repository %s, but the one at hand is %s", quote(ref.Name()), quote(repo.Name())).
			WithHint("Open the repository that the reference names.")
	}
	return nil
}

// nameOf returns the name of a repository, "" for none at all.
func nameOf(repo oci.Repository) string {
	if repo == nil {
		return ""
	}
	return repo.Name()
}

// referenceText returns the reference as it was given, complete with the
// repository where ref, as that of a layout, names none.
func referenceText(repo oci.Repository, ref oci.Reference) string {
	if ref.Name() != "" {
		return ref.String()
	}
	if name := nameOf(repo); name != "" {
		return name + ref.String()
	}
	return strings.TrimLeft(ref.String(), ":@")
}

// byDigest returns registry/repository@digest, or the digest alone.
func byDigest(name string, d oci.Descriptor) string {
	if name == "" {
		return string(d.Digest)
	}
	return name + "@" + string(d.Digest)
}

// bare reduces a descriptor to what identifies an artifact.
func bare(d oci.Descriptor) oci.Descriptor {
	return oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, ArtifactType: d.ArtifactType}
}

// asReason returns err as it is if it carries its own code, else wrapped.
func asReason(err error, code reason.Code, message string) *reason.Error {
	if own, ok := err.(*reason.Error); ok { //nolint:errorlint // the outermost, or none
		return own
	}
	if own := reason.Of(err); own != "" {
		code = own
	}
	return reason.Wrap(code, err, "%s", message).WithHint("%s", reason.Hint(err))
}

// interrupted is the error where ctx has ended.
func interrupted(ctx context.Context) *reason.Error { return interruptedBy(context.Cause(ctx)) }

func interruptedBy(err error) *reason.Error {
	return reason.Wrap(reason.VerifyInterrupted, err, "verification was interrupted").
		WithHint("Allow more time, or try again.")
}

// end concludes a verdict with a finding about the artifact as a whole.
func (v *Verdict) end(c Check, o Outcome, cause *reason.Error) error {
	finding := o
	if o == Unsigned { // an outcome of verdicts only: the check itself has failed
		finding = Failed
	}
	v.Findings = append(v.Findings, found(c, finding, cause))
	v.Outcome = o
	return &VerdictError{Verdict: v, Cause: cause}
}

// reject concludes a verdict none of whose signatures passed. The cause is
// taken from the signature that came closest.
func (v *Verdict) reject() error {
	v.Outcome = Failed
	closest, f := v.closest()
	subject := "the signature"
	if closest.Digest != "" {
		subject += " " + string(closest.Digest)
	}
	if n := len(v.Signatures); n > 1 {
		subject = fmt.Sprintf("none of %d signatures is good enough; the closest, %s,", n, closest.Digest)
	}
	return &VerdictError{Verdict: v, Cause: &reason.Error{
		Code: f.Reason, Message: subject + " fails the check " + string(f.Check) + ": " + f.Message, Hint: f.Hint,
	}}
}

// closest returns the signature that came closest to passing, and its first
// failed finding.
func (v *Verdict) closest() (SignatureVerdict, Finding) {
	best := slices.IndexFunc(v.Signatures, func(s SignatureVerdict) bool { return s.first(Failed) >= 0 })
	for i := range v.Signatures {
		if v.Signatures[i].first(Failed) >= 0 && v.Signatures[i].closerThan(&v.Signatures[best]) {
			best = i
		}
	}
	s := v.Signatures[best]
	return s, s.Findings[s.first(Failed)]
}

// closerThan orders signatures that failed. One under a trusted root comes
// first, whatever else it lacks: advice that starts from a stranger's would lead
// to trust in that stranger. Then the later the first failure the closer, and
// few failures count more than many.
func (s *SignatureVerdict) closerThan(t *SignatureVerdict) bool {
	return cmp.Or(
		cmp.Compare(s.known(), t.known()),
		cmp.Compare(s.first(Failed), t.first(Failed)),
		cmp.Compare(t.failures(), s.failures()),
	) > 0
}

// known ranks a signature by its signer: 0 if the envelope tells none, 1 for a
// stranger, 2 for one under a trusted root.
func (s *SignatureVerdict) known() int {
	if s.Subject == "" {
		return 0
	}
	for _, f := range s.Findings {
		if f.Reason == reason.VerifyRootUntrusted || f.Reason == reason.VerifyStoreType {
			return 1
		}
	}
	return 2
}

func (s *SignatureVerdict) failures() (n int) {
	for _, f := range s.Findings {
		if f.Outcome == Failed {
			n++
		}
	}
	return n
}

// first returns the index of the first finding with the outcome o, or -1.
func (s *SignatureVerdict) first(o Outcome) int {
	return slices.IndexFunc(s.Findings, func(f Finding) bool { return f.Outcome == o })
}

// doubt returns why a signature with the outcome Undecided is that.
func (s *SignatureVerdict) doubt() *reason.Error {
	f := s.Findings[s.first(Undecided)]
	return &reason.Error{Code: f.Reason, Message: f.Message, Hint: f.Hint}
}

package audit

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// The words of [Record.Outcome], as [notation.Verdict.Word] has them.
const (
	outcomePassed    = "passed"
	outcomeRejected  = "rejected"
	outcomeUnsigned  = "unsigned"
	outcomeUndecided = "undecided"
	outcomeSkipped   = "skipped"
)

// maxQuoted bounds, in bytes, what an error repeats of a file.
const maxQuoted = 160

// quote makes foreign text safe for a terminal.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(s[:maxQuoted]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// NewRecord returns what is kept of a verdict and its error, as they come from a
// [Verifier], about an artifact in a repository that tags named. exitCode is what
// 'notation verify' would have returned.
func NewRecord(repository string, tags []string, verdict *notation.Verdict, err error, exitCode int) Record {
	r := Record{Repository: repository, Outcome: outcomeUndecided, ExitCode: exitCode}
	r.addTags(tags)
	r.explain(err)
	if verdict == nil {
		return r
	}
	r.Outcome, r.Digest, r.Statement, r.Time = verdict.Word(), verdict.Artifact.Digest, verdict.Statement, verdict.Time
	for i := range verdict.Signatures {
		if i == MaxSignatures {
			break
		}
		r.Signatures = append(r.Signatures, newSignature(&verdict.Signatures[i]))
	}
	return r
}

// explain records what stands in the way.
func (r *Record) explain(err error) {
	if err == nil {
		return
	}
	r.Reason, r.Message, r.Hint = reason.Of(err), err.Error(), reason.Hint(err)
	if verdict, ok := errors.AsType[*notation.VerdictError](err); ok && verdict.Cause != nil {
		r.Reason, r.Message, r.Hint = verdict.Cause.Code, verdict.Cause.Error(), verdict.Cause.Hint
	}
	r.Message, r.Hint = shortened(r.Message), shortened(r.Hint)
}

// shortened cuts a text that would make a record too long: what one artifact has
// to say must not end the audit of all.
func shortened(s string) string {
	if len(s) <= maxMessageBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessageBytes], "") + "…"
}

func newSignature(v *notation.SignatureVerdict) Signature {
	s := Signature{
		Digest: v.Digest, Outcome: v.Outcome.String(), Signer: v.Subject, Identity: v.Identity, Store: v.Store, Root: v.Root,
		Expiry: v.Expiry, CertificateExpiry: v.CertificateExpiry,
		Timestamped: v.Timestamp != nil || v.Scheme == envelope.SchemeSigningAuthority.String(),
	}
	if i := slices.IndexFunc(v.Findings, func(f notation.Finding) bool { return f.Outcome == v.Outcome }); i >= 0 && v.Outcome != notation.Passed {
		s.Check, s.Reason = v.Findings[i].Check, v.Findings[i].Reason
	}
	return s
}

// addTags adds those tags that are not there yet, in order, and reports whether
// there were any. Beyond [MaxTags] they are only counted.
func (r *Record) addTags(tags []string) bool {
	all := slices.Concat(r.Tags, tags)
	slices.Sort(all)
	all = slices.Compact(all)
	if r.MoreTags > 0 || len(all) == len(r.Tags) {
		return false // the count is that of the first look
	}
	if len(all) > MaxTags {
		all, r.MoreTags = all[:MaxTags], len(all)-MaxTags
	}
	r.Tags = all
	return true
}

// lasts returns when what the record says ends by itself, in seconds: with the
// first end of a signature that the artifact passes by.
func (r *Record) lasts() int64 {
	until := int64(math.MaxInt64)
	for i := range r.Signatures {
		if s := &r.Signatures[i]; r.Outcome == outcomePassed && s.Outcome == outcomePassed && !s.Ends().IsZero() {
			until = min(until, s.Ends().Unix())
		}
	}
	return until
}

// encode returns the record as a line.
func (r *Record) encode() ([]byte, error) {
	text, err := strictjson.Marshal(r)
	text = strictjson.EscapeUnprintable(text)
	if err != nil || len(text) >= MaxRecordBytes {
		// Its texts are bounded, and signatures and tags as well.
		return nil, reason.Wrap(reason.AuditRecord, err, "what was found out about %s cannot be written in %d bytes", quote(r.Name()), MaxRecordBytes)
	}
	return append(text, '\n'), nil
}

// Encode returns the record as one line of JSON lines, with its line feed. The
// error has the code audit.record: it is longer than [MaxRecordBytes].
func (r Record) Encode() ([]byte, error) { return r.encode() }

// Name returns what to call the artifact: registry/repository@digest, else that
// with a tag, else the repository.
func (r Record) Name() string {
	switch {
	case r.Digest != "":
		return r.Repository + "@" + string(r.Digest)
	case len(r.Tags) > 0:
		return r.Repository + ":" + r.Tags[0]
	}
	return r.Repository
}

// ParseRecord reads a line of JSON lines. Members that are unknown are left out.
// What is in it is not to be believed more than the file that it comes from, and
// not to be printed as it is. The error has the code audit.record.
func ParseRecord(text []byte) (Record, error) {
	var r Record
	if err := strictjson.UnmarshalOpen(text, &r); err != nil {
		return Record{}, reason.Wrap(reason.AuditRecord, err, "it is no record")
	}
	if err := r.check(); err != nil {
		return Record{}, reason.Wrap(reason.AuditRecord, err, "it is no record")
	}
	r.Time = r.Time.UTC()
	return r, nil
}

// check refuses what no run writes.
func (r *Record) check() error {
	name, err := oci.ParseRepository(r.Repository)
	if err != nil || name.Name() != r.Repository {
		return errors.New("it names no repository")
	}
	if r.Digest != "" {
		if _, err := oci.ParseDigest(string(r.Digest)); err != nil {
			return err
		}
	}
	switch {
	case len(r.Tags) > MaxTags || len(r.Signatures) > MaxSignatures || r.MoreTags < 0 || r.MoreTags > maxMoreTags:
		return errors.New("it is about more tags or signatures than a record holds")
	case !slices.IsSorted(r.Tags) || len(slices.Compact(slices.Clone(r.Tags))) != len(r.Tags):
		return errors.New("its tags are not in order")
	case r.Digest == "" && len(r.Tags) > 1:
		return errors.New("several tags without a digest are no artifact")
	case r.Time.IsZero():
		return errors.New("it does not say when it was decided")
	}
	for _, tag := range r.Tags {
		if err := oci.CheckTag(tag); err != nil {
			return err
		}
	}
	codes := map[string][]int{
		outcomePassed: {0}, outcomeSkipped: {0}, outcomeRejected: {1, 2, 3}, outcomeUnsigned: {4}, outcomeUndecided: {2, 3},
	}
	if !slices.Contains(codes[r.Outcome], r.ExitCode) {
		return errors.New("outcome " + quote(r.Outcome) + " and exit code " + strconv.Itoa(r.ExitCode) + " do not go together")
	}
	if r.Outcome != outcomeUndecided && r.Digest == "" && r.Outcome != outcomeRejected && r.Outcome != outcomeSkipped {
		return errors.New("it decides about no artifact")
	}
	return r.checkSignatures()
}

func (r *Record) checkSignatures() error {
	for i := range r.Signatures {
		s := &r.Signatures[i]
		if _, err := oci.ParseDigest(string(s.Digest)); err != nil && s.Digest != "" {
			return err
		}
		if s.Outcome != outcomePassed && s.Outcome != "failed" && s.Outcome != outcomeUndecided {
			return errors.New("a signature has the outcome " + quote(s.Outcome))
		}
		if s.Outcome == outcomePassed && s.Reason != "" {
			return errors.New("a signature has passed and says why not")
		}
	}
	return nil
}

// trimmed is a line without its end.
func trimmed(text []byte) []byte { return bytes.TrimRight(text, "\r\n") }

package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
)

// Exit codes. Scripts rely on them; specs/cli-json.md documents them.
const (
	exitOK        = 0 // yes
	exitRejected  = 1 // no: the trust policy says so
	exitUsage     = 2 // the command line or the configuration is wrong
	exitUndecided = 3 // could not decide: registry, network, credentials
	exitUnsigned  = 4 // no: there is no signature
)

// severity orders exit codes for a run over several artifacts, which ends with
// the worst. A definite no outranks a missing answer: it stays a no however
// often one tries again.
var severity = [...]int{exitOK: 0, exitUndecided: 1, exitUsage: 2, exitUnsigned: 3, exitRejected: 4}

// worse returns the worse of two exit codes.
func worse(a, b int) int {
	if severity[b] > severity[a] {
		return b
	}
	return a
}

// misconfigured reports whether a verdict rests on no look at the artifact: the
// trust policy or a trust store cannot be used, or the reference contradicts
// itself. The library fails closed and says rejected; for a script it is the
// caller's own files or arguments that are wrong.
func misconfigured(err error) bool {
	verdict, ok := errors.AsType[*notation.VerdictError](err)
	if !ok || verdict.Cause == nil || verdict.Verdict == nil {
		return false
	}
	code := verdict.Cause.Code
	switch area, _, _ := strings.Cut(string(code), "."); {
	case code == reason.PolicyNoStatement:
		return false
	case code == reason.OCITagMismatch, code == reason.OCIReference, code == reason.OCIReferenceIncomplete:
		return true
	case area == "store":
		return true
	case area == "policy":
		// The codes are also those of a signer's subject, which is no fault of the file.
		return slices.ContainsFunc(verdict.Verdict.Findings, func(f notation.Finding) bool {
			return f.Check == notation.CheckPolicy && f.Reason == code
		})
	}
	return false
}

// exitCode is the one place that turns an error into an exit code. What the
// library decided comes first; then what an error is about.
func exitCode(err error) int {
	if many, ok := errors.AsType[auditFailure](err); ok {
		return many.exit
	}
	switch {
	case err == nil, errors.Is(err, notation.ErrSkipped):
		return exitOK
	case reason.Of(err) == reason.StoreUnreadable:
		return exitUndecided // it may be readable at the next attempt
	case misconfigured(err):
		return exitUsage
	case errors.Is(err, notation.ErrRejected):
		return exitRejected
	case errors.Is(err, notation.ErrUnsigned):
		return exitUnsigned
	case errors.Is(err, notation.ErrUndecided),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return exitUndecided
	}
	code := reason.Of(err)
	switch code {
	case reason.UsageInterrupted, reason.SignerInterrupted:
		return exitUndecided
	case reason.PolicyNoStatement, reason.VerifyRootUntrusted, reason.VerifyIdentityUntrusted:
		return exitRejected // every signature would be
	case reason.UsageCertExpiring:
		return exitRejected // a definite no to the one question asked, as of openssl x509 -checkend
	case reason.OCIReference, reason.OCIReferenceIncomplete, reason.OCIRepositoryName,
		reason.OCITagMismatch, reason.OCILayout:
		return exitUsage // the user named something that cannot be
	case reason.AuditState, reason.AuditInUse, reason.AuditRecord, reason.AuditTooMany:
		return exitUsage // files that the user has named, or more than one run is for
	case reason.TimestampURL, reason.TimestampRootUntrusted:
		return exitUsage // other codes of the area are about what an authority has answered, or has not
	case reason.PluginRefused:
		return refusalCode(err)
	case reason.PluginTimeout, reason.PluginInterrupted, reason.PluginFailed, reason.PluginDownload, reason.PluginLock:
		return exitUndecided // may go better at the next attempt
	}
	area, _, _ := strings.Cut(string(code), ".")
	switch area {
	case "usage", "config", "policy", "store", "signer", "sign", "cert", "envelope", "plugin", "bundle":
		return exitUsage
	}
	return exitUndecided
}

// refusalCode is the exit code where a plugin reports an error of its own: 2
// if it was asked for something that cannot be, 3 if something in its way keeps
// it from answering, be it only a right.
func refusalCode(err error) int {
	own, ok := errors.AsType[*plugin.Error](err)
	if ok && (own.Code == plugin.CodeValidation || own.Code == plugin.CodeUnsupportedVersion) {
		return exitUsage
	}
	return exitUndecided
}

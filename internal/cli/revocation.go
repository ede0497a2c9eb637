package cli

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/notaryv2/notation/revocation"
	"github.com/spf13/cobra"
)

// revocationOptions say how to learn whether certificates were revoked.
type revocationOptions struct {
	timeout waitFlag
	offline bool
	require bool

	record *revocation.Recorder // keeps what is learned; nil: nothing does
}

// register adds the flags of commands that verify.
func (o *revocationOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	o.registerTimeout(cmd)
	f.BoolVar(&o.offline, "offline", false, "ask nobody about revocation: only answers from before and those of --revocation-evidence count")
	f.BoolVar(&o.require, "require-revocation", false, "refuse signers whose certificates name nobody to ask about revocation, unless the trust policy skips the check")
}

// registerTimeout adds the flags of commands that sign.
func (o *revocationOptions) registerTimeout(cmd *cobra.Command) {
	o.timeout = waitFlag(revocation.DefaultTimeout)
	cmd.Flags().Var(&o.timeout, "revocation-timeout", "time that finding out about the revocation of a certificate chain may take, such as 10s")
}

// checker returns who is asked about revocation. Answers are kept in the user's
// cache directory, or in memory if there is none; nothing is made there before
// there is something to keep.
func (o *revocationOptions) checker(a *app) revocation.Checker {
	settings, err := a.settings()
	if err != nil { // the settings only allow more
		a.log.Debug("revocation is checked without the settings", "error", err)
	}
	live := revocation.New(revocation.Options{
		Now: a.env.Now, Timeout: time.Duration(o.timeout), CacheDir: a.cacheDir(), Offline: o.offline,
		PrivateRedirects: settings.RevocationPrivateRedirects, Record: o.record,
	})
	if !a.debug {
		return live
	}
	return loggedChecker{live, a.log}
}

// loggedChecker tells what came of each question.
type loggedChecker struct {
	checker revocation.Checker
	log     *slog.Logger
}

// Check implements revocation.Checker.
func (l loggedChecker) Check(ctx context.Context, chain []*x509.Certificate, e revocation.Evidence) []revocation.Result {
	results := l.checker.Check(ctx, chain, e)
	for i, r := range results {
		args := []any{"certificate", printedName(chain[i].RawSubject), "status", r.Status.String(), "method", string(r.Method), "source", r.Source, "cached", r.FromCache, "carried", r.Carried}
		if r.Err != nil {
			args = append(args, "why", r.Err.Error())
		}
		l.log.Debug("revocation", args...)
	}
	return results
}

package notation

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/trust"
)

// live is the checker of verifiers that are given none and go by the time of
// the system. They share what it remembers, which it bounds and judges anew each
// time.
var live = sync.OnceValue(func() *revocation.Live { return revocation.New(revocation.Options{}) })

// checkerOr returns checker or, if that is nil, a live one with the given clock.
func checkerOr(checker revocation.Checker, now func() time.Time) revocation.Checker {
	switch {
	case checker != nil:
		return checker
	case now != nil:
		return revocation.New(revocation.Options{Now: now})
	}
	return live()
}

// notRevoked says whether a certificate of the signer's chain was revoked, or
// one of the chain of the authority whose time stamp counts. Nobody is asked
// about a chain that leads to no trusted root: the addresses in it are whatever
// its maker wrote.
func (t *trial) notRevoked(ctx context.Context) Finding {
	if t.statement.Action(trust.Revocation) == trust.Skip {
		return Finding{
			Check: CheckRevocation, Outcome: Skipped, Reason: reason.VerifySkippedByPolicy,
			Message: "the statement " + strconv.Quote(t.statement.Name()) + " skips this check",
		}
	}
	if t.rootFault != nil {
		return t.notAsked()
	}
	var signer, authority []revocation.Result
	var group sync.WaitGroup
	if t.stamp != nil {
		_, latest := t.stamp.Range()
		group.Go(func() {
			authority = t.asked.check(ctx, t.judge, t.stamp.Chain, revocation.Evidence{Authentic: latest})
		})
	}
	judged, byPlugin := t.answer.Results[plugin.CapabilityRevocationCheck]
	if !byPlugin {
		signer = t.asked.check(ctx, t.judge, t.content.Chain, revocation.Evidence{Authentic: t.authentic(), Independent: t.independent()})
	}
	group.Wait()
	if byPlugin && !judged.Success {
		return found(CheckRevocation, Failed, refusedByPlugin(t.content.VerificationPlugin, "revocation", judged.Reason))
	}
	f := t.summary(append(signer, authority...), byPlugin)
	if ctx.Err() != nil && f.Outcome == Undecided {
		fault := interrupted(ctx)
		fault.Message += "; " + f.Message
		return found(CheckRevocation, Undecided, fault)
	}
	return f
}

// notAsked is the finding where the policy merely logs that the chain leads to
// no trusted root, or that this cannot be told.
func (t *trial) notAsked() Finding {
	if t.rootFault.Outcome == Undecided {
		return Finding{
			Check: CheckRevocation, Outcome: Undecided, Reason: t.rootFault.Reason, Hint: t.rootFault.Hint,
			Message: printable("nobody was asked, as it is not known whether the root is trusted: " + t.rootFault.Message),
		}
	}
	return found(CheckRevocation, Failed, reason.Errorf(reason.VerifyRevocationUntrusted,
		"nobody was asked, as the chain leads to no trusted root and the addresses in it may be anybody's").
		WithHint("Add the root to a trust store of the statement, or set its override for revocation to skip."))
}

// asked remembers, for one operation, what was learned about chains: many
// signatures of an artifact tend to have few signers.
type asked struct {
	mu     sync.Mutex
	chains map[string]func() []revocation.Result
}

// check asks about one chain, or waits for the answer that another signature
// has asked for. e says by when the signature existed.
func (a *asked) check(ctx context.Context, j *judge, chain []*x509.Certificate, e revocation.Evidence) []revocation.Result {
	key := fmt.Append(nil, e.Authentic.UnixNano(), e.Independent)
	for _, c := range chain {
		sum := sha256.Sum256(c.Raw)
		key = append(key, sum[:]...)
	}
	a.mu.Lock()
	learn, ok := a.chains[string(key)]
	if !ok {
		e.OCSP, e.CRLs = j.evidence.OCSP, j.evidence.CRLs
		learn = sync.OnceValue(func() []revocation.Result { return complete(j.revocation.Check(ctx, chain, e), chain) })
		if a.chains == nil {
			a.chains = map[string]func() []revocation.Result{}
		}
		a.chains[string(key)] = learn
	}
	a.mu.Unlock()
	return learn()
}

// complete refuses the results of a Checker that are not one for each
// certificate but the root: what it leaves out it does not vouch for.
func complete(results []revocation.Result, chain []*x509.Certificate) []revocation.Result {
	if want := len(chain) - 1; len(results) != want {
		return []revocation.Result{{Status: revocation.Unavailable, Err: reason.Errorf(reason.RevocationUnavailable,
			"the checker answered about %d certificates, and was asked about %d", len(results), want)}}
	}
	return results
}

// authentic returns an instant by which the signature certainly existed, as
// somebody trusted says, or zero.
func (t *trial) authentic() time.Time {
	switch {
	case t.verdict.Findings[indexTimestamp].Outcome != Passed: // at best logged
		return time.Time{}
	case t.content.Scheme == envelope.SchemeSigningAuthority:
		return t.content.SigningTime
	case t.stamp == nil:
		return time.Time{}
	}
	_, latest := t.stamp.Range()
	return latest
}

// independent reports whether a thief of a key of the signer's chain could not
// have made the time stamp as well: no authority of the signer stands in the
// chain of who made it, but the root, which is trusted for both.
func (t *trial) independent() bool {
	if t.stamp == nil {
		return false
	}
	signer := t.content.Chain[:len(t.content.Chain)-1]
	return !slices.ContainsFunc(t.stamp.Chain, func(c *x509.Certificate) bool {
		return slices.ContainsFunc(signer, c.Equal)
	})
}

// summary makes one finding of what is known about each certificate: the worst
// decides. A certificate that names nobody to ask is said to be unchecked, and
// never counted as good.
func (t *trial) summary(results []revocation.Result, byPlugin bool) Finding {
	if i := worst(results); i >= 0 {
		outcome := Undecided
		if s := results[i].Status; s == revocation.Revoked || s == revocation.Unknown {
			outcome = Failed
		}
		err := results[i].Err
		if err == nil { // of a Checker that gives no reasons
			err = reason.Errorf(reason.RevocationUnavailable, "the revocation status of a certificate is %s", results[i].Status)
		}
		return foundError(CheckRevocation, outcome, err, reason.RevocationUnavailable)
	}
	code, message := unchecked(results)
	if len(results) == 0 && byPlugin {
		code = ""
	}
	switch {
	case code == "":
		return passed(CheckRevocation, asOf(results, byPlugin, t.content.VerificationPlugin))
	case t.requireRevocation:
		return found(CheckRevocation, Failed, reason.Errorf(code, "%s", message).
			WithHint("Have the artifact signed with certificates that say how their revocation can be checked, or do not require it."))
	}
	return Finding{Check: CheckRevocation, Outcome: Skipped, Reason: code, Message: message}
}

// unchecked says of which certificates nobody can tell whether they were
// revoked. The code is "" if there are none.
func unchecked(results []revocation.Result) (code reason.Code, message string) {
	if len(results) == 0 {
		return reason.VerifyRevocationNoSource, "not checked: the one certificate is its own root, and nobody else vouches for it"
	}
	unasked := 0
	for _, r := range results {
		if r.Status != revocation.NoSource {
			continue
		}
		unasked++
		if r.Err != nil && r.Err.Code != reason.RevocationNoSource { // those who were asked do not tell
			return r.Err.Code, printable("not checked: " + r.Err.Error())
		}
	}
	if unasked == 0 {
		return "", ""
	}
	return reason.VerifyRevocationNoSource, fmt.Sprintf("not checked: %d of %d certificates name neither an OCSP responder nor a CRL", unasked, len(results))
}

// worst returns the index of the worst of the results that stand in the way, or
// -1. A revocation weighs more than an answer that is missing.
func worst(results []revocation.Result) int {
	at := -1
	for i, r := range results {
		if r.Status == revocation.Good || r.Status == revocation.NoSource {
			continue
		}
		if at < 0 || weight(r.Status) > weight(results[at].Status) {
			at = i
		}
	}
	return at
}

func weight(s revocation.Status) int {
	switch s {
	case revocation.Revoked:
		return 2
	case revocation.Unknown:
		return 1
	}
	return 0
}

// asOf says how it is known that nothing was revoked, how fresh that is, and
// until when it will do. Answers that were carried along are said to be that.
func asOf(results []revocation.Result, byPlugin bool, name string) string {
	var by []string
	var oldest, until time.Time
	for i, r := range results {
		how := string(r.Method)
		switch {
		case r.Carried:
			how += " (carried)"
		case r.FromCache:
			how += " (cached)"
		}
		if !slices.Contains(by, how) {
			by = append(by, how)
		}
		if oldest.IsZero() || r.ThisUpdate.Before(oldest) {
			oldest = r.ThisUpdate
		}
		if i == 0 || r.NextUpdate.Before(until) { // zero, which is not said, is the least
			until = r.NextUpdate
		}
	}
	if byPlugin {
		by = append(by, "the plugin "+quote(name))
	}
	text := "no certificate is revoked, says " + strings.Join(by, ", ")
	if !oldest.IsZero() {
		text += ", as of " + printedTime(oldest)
		if !until.IsZero() {
			text += ", until " + printedTime(until)
		}
	}
	return text
}

// refuseRevoked returns the hook of a time-stamping client that refuses an
// authority whose certificates are revoked, or of which that cannot be learned.
func refuseRevoked(checker revocation.Checker) func(context.Context, []*x509.Certificate, time.Time) error {
	return func(ctx context.Context, chain []*x509.Certificate, at time.Time) error {
		results := complete(checker.Check(ctx, chain, revocation.Evidence{Authentic: at}), chain)
		i := worst(results)
		if i < 0 {
			return nil
		}
		if err := results[i].Err; err != nil {
			return err
		}
		return reason.Errorf(reason.RevocationUnavailable, "the revocation status of a certificate is %s", results[i].Status)
	}
}

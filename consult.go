package notation

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// consult has the verification plugin that the signature demands take part, and
// corrects the findings by what it says. Nothing of a plugin runs before the
// envelope's integrity and the chain of trust hold; nor, as it would be of no
// use, for a signature that fails for another reason, unless that may be just
// what the plugin decides.
//
// What the plugin leaves undone fails the check on integrity, which no policy
// turns off: the signer has said that the signature is not to be accepted
// without it.
func (t *trial) consult(ctx context.Context) {
	findings := t.verdict.Findings
	name := t.content.VerificationPlugin
	others := slices.ContainsFunc(findings, func(f Finding) bool {
		return f.Check != CheckAuthenticity && (f.Outcome == Failed || f.Outcome == Undecided)
	})
	switch rejected := t.verdict.outcome() != Passed; {
	case findings[indexIntegrity].Outcome != Passed:
		return
	case t.rootFault != nil && rejected, others:
		findings[indexIntegrity] = Finding{
			Check: CheckIntegrity, Outcome: Skipped, Reason: reason.VerifyPluginNotRun,
			Message: "the plugin " + quote(name) + " was not run, as the signature is not good enough anyway",
		}
		return
	case t.rootFault != nil: // which the policy merely logs
		findings[indexIntegrity] = found(CheckIntegrity, t.rootFault.Outcome, reason.Errorf(reason.VerifyPluginNotRun,
			"the signature demands the plugin %s, which is not run before the chain of trust holds: %s", quote(name), t.rootFault.Message).
			WithHint("%s", t.rootFault.Hint))
		return
	}
	if !t.running.start(ctx) {
		findings[indexIntegrity] = found(CheckIntegrity, Undecided, interrupted(ctx))
		return
	}
	defer t.running.done()
	p, fault := t.openPlugin(ctx, name)
	if fault != nil {
		findings[indexIntegrity] = *fault
		return
	}
	identity := p.Can(plugin.CapabilityTrustedIdentity)
	if f := findings[indexAuthenticity]; !identity && (f.Outcome == Failed || f.Outcome == Undecided) {
		findings[indexIntegrity].Message += "; the plugin " + quote(name) + " was not asked, as the signature is not good enough anyway"
		return
	}
	if findings[indexIntegrity] = t.ask(ctx, p); findings[indexIntegrity].Outcome != Passed {
		return
	}
	if len(t.answer.Results) > 0 || len(critical(t.content.Extended)) > 0 {
		t.verdict.Plugin = name + " " + p.Metadata().Version
	}
	if identity {
		findings[indexAuthenticity] = t.act(trust.Authenticity, t.identityByPlugin(name))
	}
}

// running counts the plugins that run. An operation that ends early leaves the
// rest of its work behind, but not a process: one that does not heed its end is
// killed only if this process lives long enough to do it.
//
// It also keeps plugins from being started by the hundred: whoever has any
// certificate under a trusted root can attach signatures that demand one.
type running struct {
	mu    sync.Mutex
	ended bool
	group sync.WaitGroup
	once  sync.Once
	slots chan struct{}
	found map[string]func() (*plugin.Plugin, error)
}

// start waits for its turn and reports whether another plugin may be run.
func (r *running) start(ctx context.Context) bool {
	r.once.Do(func() { r.slots = make(chan struct{}, maxPlugins) })
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		<-r.slots
		return false
	}
	r.group.Add(1)
	return true
}

func (r *running) done() {
	<-r.slots
	r.group.Done()
}

// end lets no more plugins start, and waits for those that run. Their context
// must be done, or they are waited for as long as they like.
func (r *running) end() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.group.Wait()
}

// get asks a plugin what it can do, once in an operation.
func (r *running) get(ctx context.Context, host *plugin.Host, name string) (*plugin.Plugin, error) {
	r.mu.Lock()
	find, ok := r.found[name]
	if !ok {
		if r.found == nil {
			r.found = map[string]func() (*plugin.Plugin, error){}
		}
		find = sync.OnceValues(func() (*plugin.Plugin, error) { return host.Get(ctx, name) })
		r.found[name] = find
	}
	r.mu.Unlock()
	return find()
}

// openPlugin finds the plugin and asks what it can do.
func (t *trial) openPlugin(ctx context.Context, name string) (*plugin.Plugin, *Finding) {
	if t.plugins == nil {
		f := found(CheckIntegrity, Failed, reason.Errorf(reason.VerifyPluginUnavailable,
			"the signature demands the verification plugin %s, and plugins are not allowed here", quote(name)).
			WithHint("Set Verifier.Plugins, or ask the signer for a signature that needs no verification plugin."))
		return nil, &f
	}
	p, err := t.running.get(ctx, t.plugins, name)
	if err == nil {
		err = p.Meets(t.content.PluginMinVersion)
	}
	if err != nil {
		f := pluginFault(name, err)
		return nil, &f
	}
	return p, nil
}

// ask puts to the plugin the checks that it can make and the policy wants, and
// the critical attributes, and returns the finding on integrity.
func (t *trial) ask(ctx context.Context, p *plugin.Plugin) Finding {
	r := plugin.VerifyRequest{Envelope: t.verified, Config: t.pluginConfig}
	if p.Can(plugin.CapabilityTrustedIdentity) {
		r.Capabilities = append(r.Capabilities, plugin.CapabilityTrustedIdentity)
	}
	if p.Can(plugin.CapabilityRevocationCheck) && t.statement.Action(trust.Revocation) != trust.Skip {
		r.Capabilities = append(r.Capabilities, plugin.CapabilityRevocationCheck)
	}
	for _, id := range t.statement.Identities() {
		r.TrustedIdentities = append(r.TrustedIdentities, id.String())
	}
	answer, err := p.VerifySignature(ctx, r)
	if err != nil {
		return pluginFault(p.Name(), err)
	}
	if len(answer.Unprocessed) > 0 {
		return found(CheckIntegrity, Failed, unknownAttributes(answer.Unprocessed).
			WithHint("Install a version of the plugin %s that processes them.", quote(p.Name())))
	}
	t.answer = *answer
	f := t.verdict.Findings[indexIntegrity]
	if len(r.Capabilities) == 0 && len(critical(t.content.Extended)) == 0 {
		f.Message += "; nothing was left to be judged by the plugin " + quote(p.Name())
		return f
	}
	f.Message += ", accepted by the plugin " + quote(p.Name())
	return f
}

// identityByPlugin is the finding on authenticity where the plugin judges the
// signer in place of the trusted identities.
func (t *trial) identityByPlugin(name string) Finding {
	t.verdict.Store, t.verdict.Identity = "", ""
	judged := t.answer.Results[plugin.CapabilityTrustedIdentity]
	if !judged.Success {
		return found(CheckAuthenticity, Failed, refusedByPlugin(name, "the signer's identity", judged.Reason))
	}
	t.verdict.Store = t.store.String()
	return passed(CheckAuthenticity, "root in "+t.verdict.Store+", identity accepted by the plugin "+quote(name))
}

// refusedByPlugin says what the plugin has refused. Its reason was made
// printable by the host.
func refusedByPlugin(name, what, why string) *reason.Error {
	if why == "" {
		why = "it gives no reason"
	}
	return reason.Errorf(reason.VerifyPluginRefused, "the plugin %s does not accept %s: %s", quote(name), what, why).
		WithHint("See what the plugin says; its documentation tells what it demands.")
}

// pluginFault is the finding where a plugin gives no answer. That is no answer
// of ours either, unless the plugin is missing, too old or unsafe, breaks the
// protocol, or finds fault with what it was asked.
func pluginFault(name string, err error) Finding {
	outcome := Failed
	switch reason.Of(err) {
	case reason.PluginTimeout, reason.PluginInterrupted, reason.PluginFailed, reason.PluginStart:
		outcome = Undecided
	case reason.PluginRefused:
		own, ok := errors.AsType[*plugin.Error](err)
		if !ok || own.Code != plugin.CodeValidation && own.Code != plugin.CodeUnsupportedVersion {
			outcome = Undecided
		}
	}
	fault := reason.Wrap(reason.Of(err), err, "the signature demands the verification plugin %s", quote(name))
	return found(CheckIntegrity, outcome, fault.WithHint("%s", reason.Hint(err)))
}

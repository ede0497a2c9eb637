package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// registry checks the way to an artifact and to its signatures.
func (d *doctor) registry(ctx context.Context, o *registryOptions, typed string) {
	d.list.area = "reference"
	t, err := (&targetOptions{}).parse(typed)
	if err != nil {
		d.list.problem("", err)
		return
	}
	if t.ref.Digest() == "" {
		d.list.add(outcomeNote, "", reason.OCIReference, "name the artifact by digest where it must be a certain one", fmt.Sprintf("%s is a tag, which may be moved", quote(t.ref.Tag())))
	} else {
		d.list.ok("", "%s", t.ref.String())
	}
	d.statement(t.ref)

	d.list.area = "registry"
	explicit, err := o.credentials.read(ctx, d.app)
	if err != nil {
		d.list.problem("", err)
		return
	}
	options, store, err := o.client(ctx, d.app, explicit)
	if err != nil {
		d.list.problem("", err)
		return
	}
	client := remote.NewClient(options)
	defer client.CloseIdleConnections()
	reached := d.reach(ctx, client, t.ref)
	d.credentials(ctx, store, t.ref, reached)
	if reached.Status != 0 { // else every further question fails for the same reason
		d.artifact(ctx, client, t.ref)
	}
}

// statement says which statement of the trust policy applies.
func (d *doctor) statement(ref oci.Reference) {
	d.list.area = "trust policy"
	policy := d.policies[trust.OCIPolicy]
	if policy == nil {
		return // told
	}
	s, err := policy.ForRepository(ref.Name())
	if err != nil {
		d.list.problem(ref.Name(), err)
		return
	}
	if s.Level() == trust.SkipAll {
		d.list.add(outcomeWarning, ref.Name(), reason.PolicySkips, "see 'notation policy explain'", s.String()+" applies, which verifies nothing")
		return
	}
	d.list.ok(ref.Name(), "%s applies, level %s", s, s.Level())
}

// reach asks whether a registry is there, and compares the clocks.
func (d *doctor) reach(ctx context.Context, client *remote.Client, ref oci.Reference) remote.Reach {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	r := client.Reach(ctx, ref)
	d.tellReach(r)
	d.compareClocks(r)
	return r
}

// tellReach says how far the registry was reached, step by step.
func (d *doctor) tellReach(r remote.Reach) {
	host := r.Host
	if r.Proxy != "" {
		d.list.add(outcomeNote, host, reason.DoctorProxy, "", "is reached through the proxy "+r.Proxy)
	}
	if len(r.Addresses) > 0 {
		d.list.ok(host, "the name stands for %s", strings.Join(r.Addresses, ", "))
	}
	if r.Connected != "" && r.Proxy == "" {
		d.list.ok(host, "a connection to %s was opened", r.Connected)
	}
	if r.TLS != "" {
		d.list.ok(host, "%s; the registry's certificate is valid until %s", r.TLS, printedTime(r.NotAfter))
		if left := r.NotAfter.Sub(d.now); left >= 0 && left < expirySoon/4 {
			d.list.add(outcomeWarning, host, reason.DoctorExpiresSoon, "tell the registry's operator", "the registry's certificate expires in "+span(left))
		}
	}
	if r.PlainHTTP {
		d.list.add(outcomeNote, host, reason.DoctorPlainHTTP, "use HTTPS, unless the registry is on this machine", "is spoken to in plain HTTP: whoever is on the way can read and change what is sent")
	}
	if r.Err != nil {
		d.list.remote(host, r.Err)
	} else {
		d.list.ok(host, "answers GET /v2/ with %d", r.Status)
	}
}

// compareClocks compares this machine's clock with the registry's. That of Env
// stands for the former, corrected for the time since it was read.
func (d *doctor) compareClocks(r remote.Reach) {
	defer func(area string) { d.list.area = area }(d.list.area)
	d.list.area = "clock"
	if r.Date.IsZero() {
		d.list.add(outcomeNote, "", reason.DoctorClockUnchecked, "compare it with another clock", "not compared: the registry told no time")
		return
	}
	off := d.env.Now().Sub(r.Date)
	size := off.Abs()
	direction := "ahead of"
	if off < 0 {
		direction = "behind"
	}
	says := fmt.Sprintf("%s %s that of the registry %s", span(size), direction, r.Host)
	switch {
	case size > clockWrong:
		d.list.problem("", reason.Errorf(reason.DoctorClock, "the clock of this machine is %s", says).
			WithHint("set the clock, best by NTP; if the registry's is wrong, tell its operator"))
	case size > clockOff:
		d.list.add(outcomeWarning, "", reason.DoctorClock, "set the clock, best by NTP; if the registry's is wrong, tell its operator", "the clock of this machine is "+says)
	default:
		d.list.ok("", "agrees with that of the registry to within %s", span(clockOff))
	}
}

// credentials says which login is used, and never what it is.
func (d *doctor) credentials(ctx context.Context, store *remote.CredentialStore, ref oci.Reference, r remote.Reach) {
	d.list.area = "login"
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cred, err := store.Find(ctx, ref.Registry())
	switch {
	case err != nil:
		d.list.say(outcomeWarning, ref.Registry(), err)
	case cred != (remote.Credential{}):
		d.list.ok(ref.Registry(), "the login from %s is used", cred.Source)
	case r.Status == 0:
		d.list.add(outcomeNote, ref.Registry(), reason.DoctorAnonymous, "log in with 'notation login "+ref.Registry()+"' if the registry asks for it", "there is no login")
	case r.Login:
		d.list.add(outcomeNote, ref.Registry(), reason.DoctorAnonymous, "if it is refused, log in with 'notation login "+ref.Registry()+"'",
			"there is no login, and the registry asks for one or hands out anonymous access")
	default:
		d.list.ok(ref.Registry(), "there is no login, and the registry asks for none")
	}
}

// artifact resolves the reference and lists its signatures.
func (d *doctor) artifact(ctx context.Context, client *remote.Client, ref oci.Reference) {
	d.list.area = "artifact"
	repo, err := client.Repository(ref)
	if err != nil {
		d.list.problem("", err)
		return
	}
	bounded, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	desc, err := repo.Resolve(bounded, ref)
	if err != nil {
		d.list.remote("", err)
		return
	}
	d.list.ok("", "%s@%s, %s, %s", ref.Name(), desc.Digest, desc.MediaType, count(int(desc.Size), "byte"))

	d.list.area = "signatures"
	listing, cancelListing := context.WithTimeout(ctx, probeTime)
	defer cancelListing()
	found, err := repo.Discover(listing, desc.Digest, oci.ReferrersOptions{})
	if err != nil {
		d.list.remote("", err)
	}
	for _, w := range found.Listing.Warnings {
		d.list.say(outcomeWarning, "", w)
	}
	switch {
	case found.API && found.Tag:
		d.list.ok("", "the registry has the referrers API, and the artifact a referrers tag besides")
	case found.API:
		d.list.ok("", "the registry has the referrers API")
	case found.Tag:
		d.list.add(outcomeNote, "", reason.DoctorReferrers, "", "the registry has no referrers API; the referrers tag is used")
	case err == nil:
		d.list.add(outcomeNote, "", reason.DoctorReferrers, "", "the registry has no referrers API, and the artifact has no referrers tag yet; signing writes one")
	}
	if err != nil {
		return
	}
	n := 0
	wanted := oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature}
	for _, each := range found.Listing.Referrers {
		if wanted.Wants(each) {
			n++
		}
	}
	if n == 0 {
		d.list.add(outcomeNote, "", reason.DoctorReferrers, "sign it with 'notation sign'", "no signature is listed")
		return
	}
	d.list.ok("", "%s listed, none of them looked at", count(n, "signature"))
}

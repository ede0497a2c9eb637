package cli_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

// whys returns what was decided about each signature of a document of prune.
func whys(doc map[string]any) map[string]string {
	all := map[string]string{}
	artifacts, _ := doc["artifacts"].([]any)
	for i := range artifacts {
		signatures, _ := at(doc, "artifacts", i, "signatures").([]any)
		for _, s := range signatures {
			all[at(s, "digest").(string)] = fmt.Sprint(at(s, "action"), " ", at(s, "why"), " ", at(s, "outcome"))
		}
	}
	return all
}

func TestPrune(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme, other := u.newSigner("acme", testpki.Options{}), u.newSigner("other", testpki.Options{KeySet: 1})
	path, _ := u.layout("one")
	now := time.Now().Truncate(time.Second)
	u.env.Now = func() time.Time { return now }
	expires := u.signed(path, "acme", "-e", "1h")
	now = now.Add(time.Minute)
	older := u.signed(path, "acme")
	now = now.Add(time.Minute)
	newer := u.signed(path, "acme")
	stranger := u.signed(path, "other")
	now = now.Add(2 * time.Hour)
	prune := func(args ...string) []string {
		return append([]string{"prune", "--ca-cert", acme.root, "--oci-layout", "--scope", "r.example/app", path + ":v1"}, args...)
	}
	for _, tt := range []struct {
		flags []string
		want  map[string]string
	}{
		{[]string{"--expired"}, map[string]string{expires: "delete expired kept", older: "keep passes kept", newer: "keep passes kept", stranger: "keep notAsked kept"}},
		{[]string{"--untrusted"}, map[string]string{expires: "delete untrusted kept", older: "keep passes kept", newer: "keep passes kept", stranger: "delete untrusted kept"}},
		{[]string{"--keep", "1"}, map[string]string{expires: "keep notAsked kept", older: "delete superseded kept", newer: "keep passes kept", stranger: "keep notAsked kept"}},
	} {
		r := u.ok(append(prune("-o", "json", "--dry-run"), tt.flags...)...)
		if got := whys(r.json()); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%v: %v", tt.flags, got)
		}
	}
	if got := u.listedSignatures(path); len(got) != 4 {
		t.Fatalf("left: %v", got)
	}

	// Whoever is asked sees what would go. What is signed meanwhile stays.
	u.run(prune("--expired")...).wantError(2, "must be confirmed")
	u.env.Terminal = &terminal{reads: true}
	u.runWith(t.Context(), "n\n", prune("--expired")...).want(2, "delete  "+expires, "keep    "+newer, "Delete 1 signature? [y/N]", "ot confirmed")
	var meantime string
	u.env.Stdin = &meanwhile{do: func() {
		m := *u // the same home, without the terminal
		m.env.Stdin, m.env.Terminal = nil, nil
		meantime = m.signed(path, "acme")
	}}
	r := u.run(prune("--expired", "--untrusted", "--keep", "1")...).want(0, "Delete 3 signatures? [y/N]", "deleted  "+expires, "deleted  "+older, "deleted  "+stranger, "kept     "+newer, "Deleted 3 of 4 signatures.")
	if strings.Contains(r.stdout, meantime) {
		t.Error("what was signed meanwhile was looked at")
	}
	got := u.listedSignatures(path)
	want := []string{meantime, newer}
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("left: %v", got)
	}
	u.ok(prune("-y", "--expired", "--untrusted", "--keep", "2")...).want(0, "Nothing to delete.")

	// Under a policy that trusts somebody else, nothing is left to pass.
	r = u.ok("prune", "-o", "json", "-y", "--untrusted", "--ca-cert", other.root, "--oci-layout", "--scope", "r.example/app", path+":v1")
	for d, why := range whys(r.json()) {
		if why != "keep nothingPasses kept" {
			t.Errorf("%s: %s", d, why)
		}
	}
}

func TestPruneRefuses(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	path, _ := u.layout("one")
	good, _ := u.layout("two")
	u.signed(path, "acme")
	u.signed(good, "acme")
	skip := u.write("skip.json", `{"version":"1.0","trustPolicies":[{"name":"off","registryScopes":["r.example/app"],"signatureVerification":{"level":"skip"}}]}`)
	stores := u.stores(acme)
	layout := func(args ...string) []string {
		return append([]string{"prune", "-y", "--expired", "--oci-layout", "--scope", "r.example/app"}, args...)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		text string
	}{
		"nothing asked":    {[]string{"prune", "-y", "--ca-cert", acme.root, "r.example/app:v1"}, 2, "othing says which"},
		"keep none":        {[]string{"prune", "-y", "--keep", "0", "--ca-cert", acme.root, "r.example/app:v1"}, 2, "at least 1"},
		"scope alone":      {[]string{"prune", "-y", "--keep", "1", "--scope", "r.example/app", "r.example/app:v1"}, 2, "needs --oci-layout"},
		"no policy":        {layout(path + ":v1"), 2, "trust policy"},
		"no reference":     {layout("--ca-cert", acme.root), 2, "needs a reference"},
		"password for two": {[]string{"prune", "-y", "--expired", "--ca-cert", acme.root, "-u", "x", "-p", "y", "localhost:1/app:v1", "localhost:2/app:v1"}, 2, "two registries"},
		"evidence":         {layout("--ca-cert", acme.root, "--revocation-evidence", path+"/none", path+":v1"), 2, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := *u
			v.t = t
			v.run(tt.args...).want(tt.code, tt.text)
		})
	}
	u.run(layout("--policy", skip, "--trust-store", stores, path+":v1")...).want(2, "nothing tells good signatures from others", "says skip", "Nothing was deleted")
	u.run(layout("--ca-cert", acme.root, path+"x:v1", good+":v1")...).want(2, "Nothing was deleted")
	u.run(layout("--ca-cert", acme.root, "--max-signatures", "1", path+":v1", good+":none")...).want(3, "none", "Nothing was deleted")
}

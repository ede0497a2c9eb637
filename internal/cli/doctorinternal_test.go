package cli

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/reason"
)

func newDoctor(now time.Time) *doctor {
	return &doctor{app: &app{env: Env{Now: func() time.Time { return now }}.withDefaults()}, now: now}
}

// TestDoctorClockBeforeBuild cannot be: the program would come from the future.
func TestDoctorClockBeforeBuild(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	d := newDoctor(now)
	d.clock(now.Add(time.Second))
	if len(d.list.all) != 1 || d.list.all[0].Outcome != outcomeProblem || d.list.exit != exitUsage || !strings.Contains(d.list.all[0].Message, "before this program was built") {
		t.Errorf("%+v", d.list.all)
	}
	d = newDoctor(now)
	d.clock(now.Add(-time.Second))
	if d.list.exit != exitOK || d.list.all[0].Outcome != outcomeOK {
		t.Errorf("%+v", d.list.all)
	}
	if built := buildTime(); built.After(time.Now().Add(365 * day)) {
		t.Errorf("built %v", built)
	}
}

// TestDoctorCompareClocks at both thresholds, in both directions.
func TestDoctorCompareClocks(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	for off, want := range map[time.Duration]outcome{
		0: outcomeOK, clockOff: outcomeOK, clockOff + time.Second: outcomeWarning, clockWrong: outcomeWarning, clockWrong + time.Second: outcomeProblem,
	} {
		for _, sign := range []time.Duration{1, -1} {
			d := newDoctor(now)
			d.compareClocks(remote.Reach{Date: now.Add(sign * off)})
			if got := d.list.all[0].Outcome; got != want {
				t.Errorf("%v: %s, want %s", sign*off, got, want)
			}
		}
	}
}

// TestDoctorTellReach shows what came before a fault, too.
func TestDoctorTellReach(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	d := newDoctor(now)
	d.tellReach(remote.Reach{Host: "r.example", Addresses: []string{"192.0.2.1", "192.0.2.2"}, Connected: "192.0.2.1:443", TLS: "TLS 1.3", NotAfter: now.Add(day), Status: 200})
	d.tellReach(remote.Reach{Host: "r.example", Proxy: "http://proxy:3128", Connected: "192.0.2.9:3128", PlainHTTP: true, Err: reason.Errorf(reason.RegistryTimeout, "late")})
	var got []string
	for _, c := range d.list.all {
		got = append(got, string(c.Outcome)+" "+c.Message)
	}
	for _, want := range []string{
		"ok the name stands for 192.0.2.1, 192.0.2.2", "ok a connection to 192.0.2.1:443 was opened", "ok TLS 1.3; the registry's certificate is valid until 2031-05-07T07:08:09Z",
		"warning the registry's certificate expires in 24 hours", "ok answers GET /v2/ with 200", "note is reached through the proxy http://proxy:3128", "problem late",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	if strings.Contains(strings.Join(got, ""), "192.0.2.9") {
		t.Errorf("the proxy's address is shown as the registry's: %q", got)
	}
}

func TestChecklist(t *testing.T) {
	t.Parallel()
	var list checklist
	list.say(outcomeWarning, "", errors.New("plain"))
	if list.all[0].Code != reason.UsageInternal {
		t.Errorf("%+v", list.all)
	}
	list.remote("", reason.Errorf(reason.RegistryTimeout, "late"))
	if list.exit != exitUndecided {
		t.Errorf("exit %d", list.exit)
	}
	list.remote("", reason.Errorf(reason.OCIReference, "wrong"))
	if list.exit != exitUsage || list.count(outcomeProblem) != 2 {
		t.Errorf("exit %d", list.exit)
	}
	if got := remedied("one\ntwo.", ""); got != "one; two." {
		t.Errorf("%q", got)
	}
	if got := remedied("one.", "do it"); got != "one. Do it." {
		t.Errorf("%q", got)
	}
	for d, want := range map[time.Duration]string{time.Second: "1 second", 90 * time.Minute: "90 minutes", 3 * time.Hour: "3 hours", 10 * day: "10 days"} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for address, want := range map[string]string{"http://u:p@h/x?y": "http://h/x", "plain": "plain", "http://%zz": "an address that cannot be parsed"} {
		if got := printableURL(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
	if eachFault(errors.New("x"))[0].Error() != "x" {
		t.Error("eachFault")
	}
}

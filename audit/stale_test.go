package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/opencontainers/go-digest"
)

// TestKnownEnds finds out again what has ended by itself, or was decided in the
// future: a state file turns no into yes otherwise.
func TestKnownEnds(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	sign := func(s ...Signature) []Signature { return s }
	good := Signature{Outcome: outcomePassed, Store: "ca:a"}
	ends, cert, stamped := good, good, good
	ends.Expiry = at.Add(2 * hour)
	cert.CertificateExpiry = at.Add(2 * hour)
	stamped.CertificateExpiry, stamped.Timestamped = at.Add(2*hour), true
	failed := ends
	failed.Outcome = "failed"
	for name, tt := range map[string]struct {
		signatures []Signature
		now        time.Time
		want       bool
	}{
		"before the end":             {sign(ends), at.Add(hour), true},
		"at the end":                 {sign(ends), at.Add(2 * hour), false},
		"after the end":              {sign(ends), at.Add(3 * hour), false},
		"after the certificate":      {sign(cert), at.Add(3 * hour), false},
		"stamped":                    {sign(stamped), at.Add(3 * hour), true},
		"another failed and ended":   {sign(failed, good), at.Add(3 * hour), true},
		"one of two that passed":     {sign(good, ends), at.Add(3 * hour), false},
		"decided later than now":     {sign(good), at.Add(-time.Second), false},
		"decided in another century": {sign(good), at.AddDate(-100, 0, 0), false},
	} {
		r := record("a", "1", outcomePassed, "v1")
		r.Signatures = tt.signatures
		a := archive(t)
		add(t, a, r)
		if got, _, err := a.known(r.Repository, r.Digest, r.Tags, at.Add(-DefaultMaxAge), tt.now); err != nil || got != tt.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestOldRecordsAreNotTold tells of what a run has come across, and not of what
// others have left in its state file.
func TestOldRecordsAreNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRegistry{repos: map[string][]fakeTag{
			"a": {{"v1", "good 1"}, {"latest", "good 1"}, {"v2", "bad"}, {"v3", "gone"}}, "b": {{"v1", "good 2"}}, "c": {{"v1", "busy"}},
		}, listErr: map[string]error{"b": reason.Errorf(reason.RegistryListing, "the pages go round")}}
		path := filepath.Join(t.TempDir(), "state")
		run := func(want ...string) {
			t.Helper()
			a, _ := state(t, path, "sha256:f")
			o := f.options()
			wantCode(t, Run(t.Context(), f.catalog(t), a, o), "")
			wantTexts(t, all(t, a.Records()), want...)
			if a.Len() != len(want) {
				t.Errorf("%d records, want %d", a.Len(), len(want))
			}
			wantCode(t, a.Close(), "")
			m, err := OpenMerged(path)
			wantCode(t, err, "")
			for _, r := range all(t, m.Records()) {
				if r.Outcome == outcomeUndecided && !strings.Contains(strings.Join(want, "\n"), outcomeUndecided) {
					t.Errorf("%s is still undecided", r.Name())
				}
			}
			wantCode(t, m.Close(), "")
		}
		run("a latest,v1 passed", "a v2 rejected verify.root-untrusted", "a v3 undecided oci.not-found", "b v1 passed", "b  undecided registry.listing", "c v1 undecided registry.unavailable")
		// All is well now: the tag is there, the list ends, the registry has time,
		// another image is the latest, and the bad one was removed.
		f.listErr = nil
		f.repos["a"] = []fakeTag{{"v1", "good 1"}, {"latest", "good 3"}, {"v3", "good 4"}}
		f.repos["c"] = []fakeTag{{"v1", "good 5"}}
		run("a v1 passed", "a latest passed", "a v3 passed", "b v1 passed", "c v1 passed")
		// Whoever asks about less is told about less.
		delete(f.repos, "a")
		f.verified.Store(0)
		run("b v1 passed", "c v1 passed")
		if n := f.verified.Load(); n != 0 {
			t.Errorf("%d were verified again", n)
		}
	})
}

// TestNamedTwice makes one record of what a list, or a registry, names in several
// places.
func TestNamedTwice(t *testing.T) {
	t.Parallel()
	f := many(40, 1)
	f.repos["a"] = []fakeTag{{"v1", "good 1"}, {"v2", "good 1"}, {"v3", "busy"}, {"v4", "busy"}}
	var refs []string
	for i := range 40 {
		for _, tag := range []string{"v1", "v2", "v3", "v4"} {
			refs = append(refs, host+"/a:"+tag, fmt.Sprintf("%s/team-%d/app-%d:v0", host, i%7, i))
		}
	}
	for range 5 {
		a := archive(t)
		var p Progress
		o := f.options()
		o.Progress = &p
		wantCode(t, Run(t.Context(), list(t, refs...), a, o), "")
		got := slices.DeleteFunc(all(t, a.Records()), func(r Record) bool { return r.Repository != host+"/a" })
		wantTexts(t, got, "a v1,v2 passed", "a v3,v4 undecided registry.unavailable")
		if n := p.Snapshot().Known; n != 0 {
			t.Errorf("%d are told as looked at by earlier runs", n)
		}
		if a.Len() != 42 {
			t.Errorf("%d records", a.Len())
		}
	}
}

// TestStateStaysSmall writes a state file anew when most of it does not count, and
// loses nothing that does.
func TestStateStaysSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	night := at
	most := int64(0)
	for range 40 {
		a, _, err := OpenState(path, "sha256:f", night.Add(-DefaultMaxAge))
		wantCode(t, err, "")
		for i := range 300 {
			r := record("a", fmt.Sprint(i), outcomePassed, "v1")
			r.Time, r.Statement = night, strings.Repeat("x", 500)
			add(t, a, r)
		}
		wantCode(t, a.Close(), "")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, info.Size())
		night = night.Add(25 * time.Hour)
	}
	if most > 3*compactFrom {
		t.Errorf("%d bytes", most)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// What counts is kept, and what is too old is not known.
	for _, tt := range []struct {
		since time.Time
		want  int
	}{{night.Add(-26 * time.Hour), 300}, {night, 0}} {
		a, s, err := OpenState(path, "sha256:f", tt.since)
		wantCode(t, err, "")
		if s.Records != tt.want || a.Len() != tt.want || len(all(t, a.Records())) != tt.want {
			t.Errorf("%+v, want %d", s, tt.want)
		}
		wantCode(t, a.Close(), "")
	}
}

// TestStateInUseWhenCompacted leaves nobody the file that was replaced.
func TestStateInUseWhenCompacted(t *testing.T) {
	t.Parallel()
	path := file(t, headerLine, strings.Repeat(lineOf(t, record("a", "1", outcomePassed, "v1")), 2*compactFrom/200))
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	a, s := state(t, path, "sha256:f")
	if s.Records != 1 {
		t.Errorf("%+v", s)
	}
	_, _, err = OpenState(path, "sha256:f", time.Time{})
	wantCode(t, err, reason.AuditInUse)
	add(t, a, record("b", "1", outcomePassed))
	wantCode(t, a.Close(), "")
	raw, err := os.ReadFile(path)
	if err != nil || int64(len(raw)) > before.Size()/10 || bytes.Count(raw, []byte("\n")) != 3 {
		t.Errorf("%d bytes of %d, %v", len(raw), before.Size(), err)
	}
}

// TestStateByTwoNames notices that another run has the same file by another name,
// and tells nobody of what it has not found out itself.
func TestStateByTwoNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	a, _ := state(t, one, "sha256:f")
	if err := os.Link(one, two); err != nil {
		t.Skip(err)
	}
	b, _ := state(t, two, "sha256:f")
	add(t, a, record("a", "1", outcomeRejected, "v1"))
	add(t, b, record("a", "2", outcomePassed, "v1"), record("a", "3", outcomePassed, "v1"))
	var last error
	for r, err := range a.Records() {
		if last = err; err == nil {
			t.Errorf("%s %s", r.Name(), r.Outcome)
		}
	}
	wantCode(t, last, reason.AuditWrite)
	wantCode(t, a.Close(), "")
	wantCode(t, b.Close(), "")
}

// TestLongMessages keeps what a hostile registry makes somebody say.
func TestLongMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é\x1b", MaxRecordBytes)
	cause := reason.Errorf(reason.RegistryResponse, "%s", long).WithHint("%s", long)
	for _, r := range []Record{
		NewRecord(host+"/a", []string{"v1"}, nil, cause, 3),
		NewRecord(host+"/a", nil, &notation.Verdict{Outcome: notation.Undecided, Time: at}, &notation.VerdictError{Verdict: &notation.Verdict{}, Cause: cause}, 3),
	} {
		r.Time = at
		wantCode(t, archive(t).Add(r), "")
		line := lineOf(t, r)
		if _, err := ParseRecord([]byte(strings.TrimSpace(line))); err != nil || len(line) > 100<<10 {
			t.Errorf("%d bytes, %v", len(line), err)
		}
	}
}

// TestFingerprintOfEvidence differs with the answers that were carried along.
func TestFingerprintOfEvidence(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, e := range []revocation.Evidence{{}, {OCSP: [][]byte{{1}}}, {CRLs: [][]byte{{1}}}, {CRLs: [][]byte{{1}, {2}}}, {CRLs: [][]byte{{1, 2}}}} {
		seen[Fingerprint(&notation.Verifier{Evidence: e})]++
	}
	if len(seen) != 5 {
		t.Errorf("%v", seen)
	}
}

// TestNoRunWrites refuses records that cannot be merged in any order.
func TestNoRunWrites(t *testing.T) {
	t.Parallel()
	hash := digest.FromString("1")
	for _, r := range []Record{
		{Tags: []string{"b", "a"}, Digest: hash}, {Tags: []string{"a", "a"}, Digest: hash}, {Tags: []string{"a", "b"}}, {MoreTags: maxMoreTags + 1, Digest: hash},
	} {
		r.Repository, r.Outcome, r.ExitCode, r.Time = host+"/a", outcomeUndecided, 3, at
		_, err := ParseRecord([]byte(strings.TrimSpace(lineOf(t, r))))
		wantCode(t, err, reason.AuditRecord)
	}
	r := record("a", "1", outcomePassed)
	r.Time = time.Time{}
	_, err := ParseRecord([]byte(strings.TrimSpace(lineOf(t, r))))
	wantCode(t, err, reason.AuditRecord)
	r.Time = at.In(time.FixedZone("", 3600))
	back, err := ParseRecord([]byte(strings.TrimSpace(lineOf(t, r))))
	if err != nil || back.Time.Location() != time.UTC || !back.Time.Equal(at) {
		t.Errorf("%v, %v", back.Time, err)
	}
}

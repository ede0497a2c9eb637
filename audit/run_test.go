package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

func (f *fakeRegistry) options() Options {
	return Options{Open: f.open, Verifier: f}
}

// TestOutcomes has one record for each digest, with all its tags.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	signature := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.cncf.notary.signature",
		"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},
		"layers":[{"mediaType":"application/jose+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}],
		"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}}`
	f := &fakeRegistry{repos: map[string][]fakeTag{
		"a":      {{"v1", "good 1"}, {"v1.0", "good 1"}, {"v2", "good 2"}, {"latest", "good 2"}, {"\x1b", ""}},
		"b":      {{"v1", "bad 1"}, {"v2", "unsigned"}, {"v3", "skip"}, {"v4", "gone"}},
		"c":      {{"v1", "stranger"}},
		"d":      {},
		"e":      {{"sha256-" + strings.Repeat("0", 64), "unsigned too"}, {"sha256-" + strings.Repeat("1", 64), "index of referrers"}, {"sig", signature}, {"lies", strings.Replace(signature, "jose+json", "x", 1)}},
		"gone/x": {{"v1", "good 3"}},
		"f":      {{"v1", "good 4"}},
	}, listErr: map[string]error{"f": reason.Errorf(reason.RegistryListing, "the pages go round")}}
	f.order = []string{"a", "b", "c", "d", "e", "f", "cannot-open", "nothing-there"}
	a, o := archive(t), f.options()
	var p Progress
	var warned []error
	o.Progress, o.Warn = &p, func(err error) { warned = append(warned, err) }
	wantCode(t, Run(t.Context(), f.catalog(t), a, o), "")
	wantTexts(t, all(t, a.Records()),
		"a v1,v1.0 passed", "a latest,v2 passed",
		"b v1 rejected verify.root-untrusted", "b v2 unsigned verify.unsigned", "b v3 skipped verify.skipped-by-policy", "b v4 undecided oci.not-found",
		"c v1 rejected policy.no-statement", "e sha256-"+strings.Repeat("0", 64)+" unsigned verify.unsigned", "e lies unsigned verify.unsigned", "f v1 passed", "f  undecided registry.listing", "cannot-open  undecided oci.reference",
	)
	want := Snapshot{Targets: 8, Done: 8, Whole: true, Records: 12, NotPassed: 9, Undecided: 3, Empty: 2, Absent: 1, LeftOut: 1, Signatures: 1, Referrers: 1}
	if got := p.Snapshot(); got != want || len(warned) != 1 {
		t.Errorf("%+v, want %+v; %v", got, want, warned)
	}
	for _, r := range all(t, a.Records()) {
		line, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseRecord(trimmed(line)); err != nil || back.Name() != r.Name() {
			t.Errorf("%s: %v", line, err)
		}
		if r.Time.IsZero() || r.Time.Location() != time.UTC {
			t.Errorf("%s: time %v", r.Name(), r.Time)
		}
	}
}

// TestList looks at references as they are given, and folds those of one digest.
func TestList(t *testing.T) {
	t.Parallel()
	good, bare := string(digest.FromString("good 1")), string(digest.FromString("unsigned"))
	f := &fakeRegistry{repos: map[string][]fakeTag{"a": {{"v1", "good 1"}, {"v2", "good 1"}, {"v3", "unsigned"}}, "b": {{"v1", "good 1"}}}}
	a := archive(t)
	wantCode(t, Run(t.Context(), list(t, host+"/a:v1", host+"/a@"+good, host+"/a:v2", host+"/b:v1", host+"/a:v3", host+"/a@"+bare, host+"/a:none", host+"/none:v1"), a, f.options()), "")
	wantTexts(t, all(t, a.Records()), "a v1,v2 passed", "b v1 passed", "a v3 unsigned verify.unsigned", "a none undecided oci.not-found", "none v1 undecided oci.not-found")
	for name, n := range f.counts {
		if n != 1 {
			t.Errorf("%s was verified %d times", name, n)
		}
	}
	// A whole repository in a list must be there.
	a = archive(t)
	wantCode(t, Run(t.Context(), list(t, host+"/a", host+"/none"), a, f.options()), "")
	wantTexts(t, all(t, a.Records()), "a v1,v2 passed", "a v3 unsigned verify.unsigned", "none  undecided oci.not-found")
}

// TestTagsPattern looks at matching tags only, and says if there are none.
func TestTagsPattern(t *testing.T) {
	t.Parallel()
	f := &fakeRegistry{repos: map[string][]fakeTag{"a": {{"v1", "good 1"}, {"rc1", "bad"}}}}
	o := f.options()
	o.Tags = regexp.MustCompile(`^v\d+$`)
	a := archive(t)
	wantCode(t, Run(t.Context(), f.catalog(t), a, o), "")
	wantTexts(t, all(t, a.Records()), "a v1 passed")
	o.Tags = regexp.MustCompile(`^x$`)
	wantCode(t, Run(t.Context(), f.catalog(t), archive(t), o), reason.AuditNothing)
	wantCode(t, Run(t.Context(), list(t), archive(t), o), reason.AuditNothing)
}

// TestKnown does not look again at what is decided, but at the rest.
func TestKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRegistry{repos: map[string][]fakeTag{"a": {{"v1", "good 1"}, {"v2", "bad"}, {"v3", "busy"}}}}
		a := archive(t)
		wantCode(t, Run(t.Context(), f.catalog(t), a, f.options()), "")
		f.repos["a"] = append(f.repos["a"], fakeTag{"v4", "good 1"})
		f.verified.Store(0)
		var p Progress
		o := f.options()
		o.Progress = &p
		wantCode(t, Run(t.Context(), f.catalog(t), a, o), "")
		if n := f.verified.Load(); n != 1 || p.Snapshot().Known != 2 {
			t.Errorf("%d were verified again, %+v", n, p.Snapshot())
		}
		wantTexts(t, all(t, a.Records()), "a v1,v4 passed", "a v2 rejected verify.root-untrusted", "a v3 undecided registry.unavailable")
		time.Sleep(DefaultMaxAge + time.Second)
		f.verified.Store(0)
		wantCode(t, Run(t.Context(), f.catalog(t), a, f.options()), "")
		if n := f.verified.Load(); n != 3 {
			t.Errorf("%d of 3 were verified again after a day", n)
		}
	})
}

// TestHangingRepository goes on with the others and tells what hung.
func TestHangingRepository(t *testing.T) {
	t.Parallel()
	// attack: REG-05
	synctest.Test(t, func(t *testing.T) {
		f := many(200, 2)
		f.repos["hangs/list"], f.repos["hangs/tag"], f.repos["hangs/verify"] = nil, []fakeTag{{"v1", "good"}}, []fakeTag{{"v1", "good"}}
		f.wait = func(ctx context.Context, what string) error {
			verb, name, _ := strings.Cut(what, " ")
			if name == host+"/hangs/list" || verb == "resolve" && strings.Contains(name, "hangs/tag") || verb == "verify" && strings.Contains(name, "hangs/verify") {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			time.Sleep(20 * time.Millisecond)
			return nil
		}
		a, o := archive(t), f.options()
		var p Progress
		o.Timeout, o.Progress = time.Minute, &p
		begin := time.Now()
		go func() {
			time.Sleep(10 * time.Second)
			if n := p.Snapshot().Records; n != 200 {
				t.Errorf("%d of the others after ten seconds", n)
			}
		}()
		wantCode(t, Run(t.Context(), f.catalog(t), a, o), "")
		if took := time.Since(begin); took > 2*time.Minute {
			t.Errorf("it took %v", took)
		}
		var undecided []Record
		for _, r := range all(t, a.Records()) {
			if r.Outcome == outcomeUndecided {
				undecided = append(undecided, r)
				if !strings.Contains(r.Message, "it took longer than 1m0s") {
					t.Errorf("%s", r.Message)
				}
			}
		}
		wantTexts(t, undecided, "hangs/list  undecided registry.timeout", "hangs/tag v1 undecided", "hangs/verify v1 undecided verify.listing")
	})
}

// TestBusyForEver ends, and decides about nothing.
func TestBusyForEver(t *testing.T) {
	t.Parallel()
	// attack: REG-06
	synctest.Test(t, func(t *testing.T) {
		f := many(3000, 1)
		pace := NewPace(0)
		f.wait = func(ctx context.Context, what string) error {
			for range 4 {
				time.Sleep(time.Second)
				pace.Busy(host, 5*time.Second)
			}
			return reason.Errorf(reason.RegistryUnavailable, "429")
		}
		a, o := archive(t), f.options()
		o.Pace = pace
		begin := time.Now()
		wantCode(t, Run(t.Context(), f.catalog(t), a, o), "")
		if took := time.Since(begin); took > 10*time.Minute {
			t.Errorf("it took %v", took)
		}
		down := 0
		for _, r := range all(t, a.Records()) {
			if r.Outcome != outcomeUndecided {
				t.Fatalf("%+v", r)
			}
			if r.Reason == reason.AuditRegistryDown {
				down++
			}
		}
		if a.Len() != 3000 || down < 2900 {
			t.Errorf("%d records, %d without asking", a.Len(), down)
		}
	})
}

// TestConcurrency uses what it may, and no more.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := many(50, 100)
		f.wait = func(ctx context.Context, _ string) error {
			time.Sleep(20 * time.Millisecond)
			return ctx.Err()
		}
		a, o := archive(t), f.options()
		o.Pace = NewPace(64)
		begin := time.Now()
		wantCode(t, Run(t.Context(), f.catalog(t), a, o), "")
		took, requests := time.Since(begin), f.resolved.Load()+f.verified.Load()+f.listed.Load()
		bound := time.Duration(requests/64) * 20 * time.Millisecond
		if took > bound*5/4 {
			t.Errorf("%d requests took %v, %v would do", requests, took, bound)
		}
		if n := f.most.Load(); n > 64 || n < 60 {
			t.Errorf("%d at a time", n)
		}
		if a.Len() != 50*50 {
			t.Errorf("%d records", a.Len())
		}
	})
}

// TestOneLargeRepository lists and looks by parts, and verifies nothing twice.
func TestOneLargeRepository(t *testing.T) {
	t.Parallel()
	const tags = 2*tagsOfOne + tagsOfOne/2
	f := &countingRegistry{tags: tags}
	a, err := NewArchive()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	o := Options{Open: f.open, Verifier: f}
	targets := func(yield func(Target, error) bool) { yield(Target{Reference: ref(t, host+"/big"), Listed: true}, nil) }
	wantCode(t, Run(t.Context(), targets, a, o), "")
	if a.Len() != tags/4 || f.verified.Load() != tags/4 {
		t.Errorf("%d records, %d verified, of %d", a.Len(), f.verified.Load(), tags/4)
	}
	for r := range a.Records() {
		if len(r.Tags) != 4 {
			t.Fatalf("%+v", r)
		}
	}
}

// countingRegistry has one repository, in which each artifact has four tags, far
// apart.
type countingRegistry struct {
	fakeRepository
	tags     int
	verified atomic.Int64
}

func (f *countingRegistry) open(oci.Reference) (Repository, error) { return f, nil }

func (f *countingRegistry) Tags(context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i := range f.tags {
			if !yield(fmt.Sprint("v", i), nil) {
				return
			}
		}
	}
}

func (f *countingRegistry) Resolve(_ context.Context, r oci.Reference) (oci.Descriptor, error) {
	var n int
	if _, err := fmt.Sscanf(r.Tag(), "v%d", &n); err != nil {
		return oci.Descriptor{}, err
	}
	return oci.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest.FromString(fmt.Sprint(n % (f.tags / 4))), Size: 1}, nil
}

func (f *countingRegistry) Verify(_ context.Context, repo oci.Repository, r oci.Reference) (v *notationVerdict, err error) {
	f.verified.Add(1)
	return passedVerdict(repo, r), nil
}

// TestMemoryIsFlat audits ten times as much in the same memory, but for the index.
func TestMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	used := func(n int) uint64 {
		a := archive(t)
		r := &endlessRegistry{}
		targets := func(yield func(Target, error) bool) {
			for i := range n / 10 {
				if !yield(Target{Reference: ref(t, fmt.Sprintf("%s/team-%d/app-%d", host, i%100, i)), Listed: true}, nil) {
					return
				}
			}
		}
		wantCode(t, Run(t.Context(), targets, a, Options{Open: r.open, Verifier: r}), "")
		if a.Len() != n {
			t.Errorf("%d records of %d", a.Len(), n)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		runtime.KeepAlive(a)
		return m.HeapAlloc
	}
	small, large := used(1000), used(100_000)
	if large > small+40<<20 {
		t.Errorf("%d bytes for a thousand, %d for a hundred thousand", small, large)
	}
	t.Logf("%d KiB for a thousand, %d KiB for a hundred thousand", small>>10, large>>10)
}

// endlessRegistry has ten artifacts in whatever repository.
type endlessRegistry struct{ fakeRepository }

func (r *endlessRegistry) open(name oci.Reference) (Repository, error) {
	return &endlessRegistry{fakeRepository{name: name}}, nil
}

func (r *endlessRegistry) Tags(context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i := range 10 {
			if !yield(fmt.Sprint("v", i), nil) {
				return
			}
		}
	}
}

func (r *endlessRegistry) Resolve(_ context.Context, ref oci.Reference) (oci.Descriptor, error) {
	return oci.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest.FromString(ref.String()), Size: 1}, nil
}

func (r *endlessRegistry) Verify(_ context.Context, repo oci.Repository, ref oci.Reference) (*notationVerdict, error) {
	return passedVerdict(repo, ref), nil
}

// TestInterrupted stops soon and keeps what is done.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := many(1000, 1)
		f.wait = func(ctx context.Context, _ string) error {
			select {
			case <-time.After(20 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("enough"))
		defer cancel()
		a := archive(t)
		begin := time.Now()
		err := Run(ctx, f.catalog(t), a, f.options())
		wantCode(t, err, reason.AuditInterrupted)
		if took := time.Since(begin); took > 400*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		records := all(t, a.Records())
		if len(records) == 0 || len(records) == 1000 {
			t.Errorf("%d records", len(records))
		}
		for _, r := range records {
			if r.Outcome != outcomePassed {
				t.Errorf("%+v", r)
			}
		}
		// Again, and it is whole.
		wantCode(t, Run(t.Context(), f.catalog(t), a, f.options()), "")
		if a.Len() != 1000 {
			t.Errorf("%d records", a.Len())
		}
	})
}

// TestListingFails tells what there is and that it is not all.
func TestListingFails(t *testing.T) {
	t.Parallel()
	f := many(3, 1)
	a := archive(t)
	targets := func(yield func(Target, error) bool) {
		for tgt, err := range f.catalog(t) {
			if !yield(tgt, err) {
				return
			}
		}
		for range 50 {
			if !yield(Target{}, reason.Errorf(reason.RegistryListingEntry, "a name is none")) {
				return
			}
		}
		yield(Target{}, reason.Errorf(reason.RegistryListing, "the pages go round"))
	}
	warned := 0
	o := f.options()
	o.Warn = func(error) { warned++ }
	wantCode(t, Run(t.Context(), targets, a, o), reason.RegistryListing)
	if a.Len() != 3 || warned != maxToldErrors {
		t.Errorf("%d records, %d warnings", a.Len(), warned)
	}
}

// TestDiskFull ends the run with what is there.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	f := many(100, 1)
	a, err := NewArchive()
	if err != nil {
		t.Fatal(err)
	}
	_ = a.file.Close()
	wantCode(t, Run(t.Context(), f.catalog(t), a, f.options()), reason.AuditWrite)
	wantCode(t, a.Close(), reason.AuditWrite)
}

func names(records []Record) (list []string) {
	for _, r := range records {
		list = append(list, r.Name())
	}
	return list
}

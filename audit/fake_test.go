package audit

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// host is the registry of most tests.
const host = "r.example"

// fakeRegistry is many repositories. What an image is called says what its
// verdict is: see verdictOf.
type fakeRegistry struct {
	repos   map[string][]fakeTag // by name within the registry
	order   []string             // of the catalog; nil: any
	wait    func(ctx context.Context, what string) error
	listErr map[string]error // that ends the tags of a repository

	resolved, verified, listed, fetched atomic.Int64
	underWay, most                      atomic.Int64

	mu     sync.Mutex
	counts map[string]int // verifications by name@digest
}

// fakeTag is a tag and the content that it names.
type fakeTag struct{ tag, content string }

func (f *fakeRegistry) open(name oci.Reference) (Repository, error) {
	if strings.Contains(name.Name(), "cannot-open") {
		return nil, reason.Errorf(reason.OCIReference, "no")
	}
	return &fakeRepository{f, name}, nil
}

// catalog gives the repositories as targets.
func (f *fakeRegistry) catalog(t testing.TB) iter.Seq2[Target, error] {
	t.Helper()
	names := f.order
	if names == nil {
		for name := range f.repos {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	return func(yield func(Target, error) bool) {
		for _, name := range names {
			if !yield(Target{Reference: ref(t, host+"/"+name), Listed: true}, nil) {
				return
			}
		}
	}
}

func list(t testing.TB, refs ...string) iter.Seq2[Target, error] {
	t.Helper()
	return func(yield func(Target, error) bool) {
		for _, r := range refs {
			if !yield(Target{Reference: ref(t, r)}, nil) {
				return
			}
		}
	}
}

func ref(t testing.TB, s string) oci.Reference {
	t.Helper()
	r, err := oci.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// step is one request.
func (f *fakeRegistry) step(ctx context.Context, what string) error {
	n := f.underWay.Add(1)
	defer f.underWay.Add(-1)
	for {
		most := f.most.Load()
		if n <= most || f.most.CompareAndSwap(most, n) {
			break
		}
	}
	if f.wait == nil {
		return ctx.Err()
	}
	return f.wait(ctx, what)
}

// Verify implements Verifier.
func (f *fakeRegistry) Verify(ctx context.Context, repo oci.Repository, r oci.Reference) (*notation.Verdict, error) {
	f.verified.Add(1)
	f.mu.Lock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[r.String()]++
	f.mu.Unlock()
	v := &notation.Verdict{Reference: r.String(), Scope: repo.Name(), Time: time.Now().UTC(), Statement: "s"}
	end := func(o notation.Outcome, cause *reason.Error) (*notation.Verdict, error) {
		v.Outcome = o
		return v, &notation.VerdictError{Verdict: v, Cause: cause}
	}
	if err := f.step(ctx, "verify "+r.String()); err != nil {
		return end(notation.Undecided, reason.Wrap(reason.VerifyListing, err, "cannot list the signatures").WithHint("try again"))
	}
	d, err := repo.Resolve(ctx, r)
	if err != nil {
		return end(notation.Undecided, reason.Wrap(reason.Of(err), err, "cannot resolve"))
	}
	v.Artifact = d
	content := repo.(interface{ content(digest.Digest) string }).content(d.Digest)
	return f.verdictOf(v, content, end)
}

func (f *fakeRegistry) verdictOf(v *notation.Verdict, content string, end func(notation.Outcome, *reason.Error) (*notation.Verdict, error)) (*notation.Verdict, error) {
	signature := notation.SignatureVerdict{
		Digest: digest.FromString("signature of " + content), Outcome: notation.Passed, Subject: "CN=alice", Store: "ca:acme", Identity: "*", Root: "CN=root",
		CertificateExpiry: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	word, _, _ := strings.Cut(content, " ")
	switch word {
	case "good":
		v.Outcome, v.Signatures = notation.Passed, []notation.SignatureVerdict{signature}
		return v, nil
	case "bad":
		signature.Outcome = notation.Failed
		signature.Findings = []notation.Finding{{Check: notation.CheckIntegrity, Outcome: notation.Passed}, {Check: notation.CheckAuthenticity, Outcome: notation.Failed, Reason: reason.VerifyRootUntrusted}}
		v.Signatures = []notation.SignatureVerdict{signature}
		return end(notation.Failed, reason.Errorf(reason.VerifyRootUntrusted, "the root is not trusted").WithHint("trust it"))
	case "stranger":
		v.Statement, v.Artifact = "", oci.Descriptor{}
		return end(notation.Failed, reason.Errorf(reason.PolicyNoStatement, "no statement applies"))
	case "skip":
		return end(notation.Skipped, reason.Errorf(reason.VerifySkippedByPolicy, "the statement says skip"))
	case "busy":
		return end(notation.Undecided, reason.Errorf(reason.RegistryUnavailable, "the registry is busy"))
	}
	return end(notation.Unsigned, reason.Errorf(reason.VerifyUnsigned, "the artifact has no signature"))
}

// fakeRepository is one of them.
type fakeRepository struct {
	*fakeRegistry
	name oci.Reference
}

func (r *fakeRepository) Name() string { return r.name.Name() }

func (r *fakeRepository) tags() []fakeTag { return r.repos[r.name.Repository()] }

func (r *fakeRepository) Tags(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		r.listed.Add(1)
		if err := r.step(ctx, "tags "+r.Name()); err != nil {
			yield("", reason.Wrap(reason.RegistryTimeout, errors.Join(err, context.Cause(ctx)), "no tags"))
			return
		}
		if _, ok := r.repos[r.name.Repository()]; !ok {
			yield("", reason.Errorf(reason.OCINotFound, "no such repository"))
			return
		}
		for _, t := range r.tags() {
			if t.tag == "\x1b" {
				if !yield("", reason.Errorf(reason.RegistryListingEntry, "a name is none")) {
					return
				}
				continue
			}
			if !yield(t.tag, nil) {
				return
			}
		}
		if err := r.listErr[r.name.Repository()]; err != nil {
			yield("", err)
		}
	}
}

func (r *fakeRepository) Resolve(ctx context.Context, ref oci.Reference) (oci.Descriptor, error) {
	r.resolved.Add(1)
	if err := r.step(ctx, "resolve "+ref.String()); err != nil {
		return oci.Descriptor{}, err
	}
	for _, t := range r.tags() {
		if (t.tag == ref.Tag() || ref.Tag() == "" && ref.Digest() == digest.FromString(t.content)) && t.content != "gone" {
			mediaType := ocispec.MediaTypeImageManifest
			if strings.HasPrefix(t.content, "index") {
				mediaType = ocispec.MediaTypeImageIndex
			}
			return oci.Descriptor{MediaType: mediaType, Digest: digest.FromString(t.content), Size: int64(len(t.content))}, nil
		}
	}
	return oci.Descriptor{}, reason.Errorf(reason.OCINotFound, "it is gone")
}

func (r *fakeRepository) content(d digest.Digest) string {
	for _, t := range r.tags() {
		if digest.FromString(t.content) == d {
			return t.content
		}
	}
	return ""
}

func (r *resolvedRepository) content(d digest.Digest) string {
	return r.Repository.(*fakeRepository).content(d)
}

func (r *fakeRepository) Fetch(_ context.Context, d oci.Descriptor, _ int64) ([]byte, error) {
	r.fetched.Add(1)
	return []byte(r.content(d.Digest)), nil
}

func (r *fakeRepository) Referrers(context.Context, digest.Digest, oci.ReferrersOptions) (oci.Listing, error) {
	return oci.Listing{}, nil
}

func (r *fakeRepository) Attach(context.Context, oci.Reference, func(oci.Descriptor) (oci.Attachment, error)) (oci.Attached, error) {
	return oci.Attached{}, errors.New("not here")
}

func archive(t testing.TB) *Archive {
	t.Helper()
	a, err := NewArchive()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func all(t testing.TB, seq iter.Seq2[Record, error]) (list []Record) {
	t.Helper()
	for r, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// texts are the records, short: repository, tags, outcome, reason.
func texts(records []Record) (list []string) {
	for _, r := range records {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", strings.TrimPrefix(r.Repository, host+"/"), strings.Join(r.Tags, ","), r.Outcome, r.Reason)))
	}
	slices.Sort(list)
	return list
}

func wantTexts(t testing.TB, records []Record, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := texts(records); !slices.Equal(got, want) {
		t.Errorf("records:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func wantCode(t testing.TB, err error, code reason.Code) {
	t.Helper()
	if reason.Of(err) != code || (err == nil) != (code == "") {
		t.Fatalf("error %v has the code %q, want %q", err, reason.Of(err), code)
	}
	if err != nil && strings.ContainsFunc(err.Error()+reason.Hint(err), func(c rune) bool { return c < ' ' && c != '\n' || c > '~' }) {
		t.Errorf("not safe to print: %q", err)
	}
}

// many is a registry of n repositories with tags tags each.
func many(n, tags int) *fakeRegistry {
	f := &fakeRegistry{repos: map[string][]fakeTag{}}
	for i := range n {
		name := fmt.Sprintf("team-%d/app-%d", i%7, i)
		for j := range tags {
			f.repos[name] = append(f.repos[name], fakeTag{fmt.Sprintf("v%d", j), fmt.Sprintf("good %d %d", i, j/2)})
		}
	}
	return f
}

type notationVerdict = notation.Verdict

// passedVerdict is that on an artifact that is good.
func passedVerdict(repo oci.Repository, r oci.Reference) *notation.Verdict {
	return &notation.Verdict{Outcome: notation.Passed, Scope: repo.Name(), Time: time.Now().UTC(), Artifact: oci.Descriptor{Digest: r.Digest()}, Statement: "s",
		Signatures: []notation.SignatureVerdict{{Digest: r.Digest(), Outcome: notation.Passed, Subject: "CN=alice", Store: "ca:acme"}}}
}

type certificate = x509.Certificate

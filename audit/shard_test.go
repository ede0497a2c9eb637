package audit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// divisions are those there are.
var divisions = []Division{ByArtifact, ByRepository}

// TestShards covers everything exactly once, in whatever order it is listed, and
// merges to the whole.
func TestShards(t *testing.T) {
	t.Parallel()
	f := many(40, 3)
	f.repos["team-0/bad"] = []fakeTag{{"v1", "bad"}, {"v2", "gone"}}
	f.repos["team-0/empty"] = nil
	for i := range 200 {
		f.repos["huge"] = append(f.repos["huge"], fakeTag{fmt.Sprint("build-", i), fmt.Sprint("good huge ", i)})
	}
	whole := archive(t)
	wantCode(t, Run(t.Context(), f.catalog(t), whole, f.options()), "")
	want := texts(all(t, whole.Records()))
	for n := 1; n <= 16; n++ {
		for _, by := range divisions {
			t.Run(fmt.Sprintf("%d by %s", n, by), func(t *testing.T) {
				t.Parallel()
				var paths []string
				tags, digests := map[string]int{}, map[string]int{}
				for i := range n {
					a := f.shard(t, Shard{i, n, by})
					for _, r := range all(t, a.Records()) {
						digests[r.Name()]++
						for _, tag := range r.Tags {
							tags[r.Repository+":"+tag]++
						}
					}
					paths = append(paths, file(t, report(t, a.Records())))
				}
				if len(tags) != 40*3+2+200 {
					t.Errorf("%d tags", len(tags))
				}
				exactlyOnce(t, tags)
				if by == ByRepository {
					exactlyOnce(t, digests)
				}
				m, err := OpenMerged(paths...)
				wantCode(t, err, "")
				defer m.Close()
				if got := texts(all(t, m.Records())); !slices.Equal(got, want) {
					t.Errorf("merged:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
}

// shard runs one shard, over a catalog in another order each time.
func (f *fakeRegistry) shard(t *testing.T, s Shard) *Archive {
	t.Helper()
	g := &fakeRegistry{repos: f.repos}
	for name := range f.repos {
		g.order = append(g.order, name)
	}
	rand.Shuffle(len(g.order), func(i, j int) { g.order[i], g.order[j] = g.order[j], g.order[i] })
	a, o := archive(t), g.options()
	o.Shard = s
	wantCode(t, Run(t.Context(), g.catalog(t), a, o), "")
	return a
}

func exactlyOnce(t *testing.T, counts map[string]int) {
	t.Helper()
	for name, n := range counts {
		if n != 1 {
			t.Errorf("%s is in %d shards", name, n)
		}
	}
}

// TestShardsOfLists divides references, by tag or digest, and whole repositories.
func TestShardsOfLists(t *testing.T) {
	t.Parallel()
	var refs []string
	for i := range 300 {
		name := fmt.Sprint(host, "/app-", i%3)
		refs = append(refs, fmt.Sprint(name, ":v", i), name+"@"+string(digest.FromString(fmt.Sprint(i))), fmt.Sprint(name, ":v", i, "@", digest.FromString(fmt.Sprint("both", i))))
	}
	for _, n := range []int{1, 2, 3, 7, 16, 64, 65, 100, 1000, MaxShards} {
		for _, by := range divisions {
			for _, name := range refs {
				r := ref(t, name)
				repository := ref(t, r.Name())
				holders, offers := 0, 0
				for i := range n {
					s := Shard{i, n, by}
					if s.Holds(r) {
						if holders++; !s.Holds(repository) {
							t.Errorf("%s is in %v, and its repository is not", name, s)
						}
					}
					if s.Holds(repository) {
						offers++
					}
				}
				k := map[Division]int{ByArtifact: min(n, maxSpread), ByRepository: 1}[by]
				if holders != 1 || offers != k {
					t.Fatalf("%s is in %d of %d shards by %s, its repository in %d, want 1 and %d", name, holders, n, by, offers, k)
				}
				if n > 1000 {
					break // one is enough: there are a million to ask
				}
			}
		}
	}
}

// TestShardsAreBalanced divides one huge repository, and many, evenly.
func TestShardsAreBalanced(t *testing.T) {
	t.Parallel()
	const tags = 20_000
	for _, tt := range []struct{ repositories, n int }{{1, 2}, {1, 3}, {1, 8}, {1, 16}, {1, 64}, {1000, 8}, {1000, 100}, {1000, 1}} {
		sizes := make([]int, tt.n)
		for i := range tags {
			r := ref(t, fmt.Sprintf("%s/app-%d:build-%d", host, i%tt.repositories, i))
			for shard := range sizes {
				if (Shard{Index: shard, Count: tt.n}).Holds(r) {
					sizes[shard]++
				}
			}
		}
		mean := tags / tt.n
		if least, most := slices.Min(sizes), slices.Max(sizes); least < mean*3/4 || most > mean*5/4 {
			t.Errorf("%d shards of %d repositories have from %d to %d artifacts, %d in the mean", tt.n, tt.repositories, least, most, mean)
		}
	}
	// By repository, one is all.
	one := 0
	for i := range 8 {
		if (Shard{i, 8, ByRepository}).Holds(ref(t, host+"/huge:v1")) {
			one++
		}
		if (Shard{i, 8, ByRepository}).Holds(ref(t, host+"/huge:v1")) != (Shard{i, 8, ByRepository}).Holds(ref(t, host+"/huge:v2")) {
			t.Error("a repository is divided")
		}
	}
	if one != 1 {
		t.Errorf("in %d shards", one)
	}
}

// TestShardsAreStable pins which shard a reference is in: one release must not
// divide otherwise than another, or machines with both would miss something.
func TestShardsAreStable(t *testing.T) {
	t.Parallel()
	sum := string(digest.FromString("x"))
	for _, tt := range []struct {
		name string
		n    int
		by   Division
		want int
	}{
		{"r.example/app:v1", 7, ByArtifact, 4}, {"r.example/app:v2", 7, ByArtifact, 2}, {"r.example/app@" + sum, 7, ByArtifact, 5},
		{"r.example/app:v1@" + sum, 7, ByArtifact, 5}, {"r.example/app:v1", 1000, ByArtifact, 298}, {"r.example/app:v1", 7, ByRepository, 6},
		{"r.example/app", 7, ByRepository, 6},
	} {
		if !(Shard{tt.want, tt.n, tt.by}).Holds(ref(t, tt.name)) {
			t.Errorf("%s is not in shard %d of %d by %s any more", tt.name, tt.want, tt.n, tt.by)
		}
	}
}

// TestShardsWhenTagsChange leaves all others where they are.
func TestShardsWhenTagsChange(t *testing.T) {
	t.Parallel()
	before := &fakeRegistry{repos: map[string][]fakeTag{}}
	for i := range 100 {
		before.repos["app"] = append(before.repos["app"], fakeTag{fmt.Sprint("v", i), fmt.Sprint("good ", i)})
	}
	after := &fakeRegistry{repos: map[string][]fakeTag{"other": {{"v1", "good"}}}}
	for i := range 150 {
		if i%3 > 0 {
			after.repos["app"] = append(after.repos["app"], fakeTag{fmt.Sprint("v", i), fmt.Sprint("good ", i)})
		}
	}
	places := func(f *fakeRegistry) map[string]int {
		in := map[string]int{}
		for i := range 5 {
			for _, r := range all(t, f.shard(t, Shard{Index: i, Count: 5}).Records()) {
				in[r.Repository+":"+r.Tags[0]] = i
			}
		}
		return in
	}
	old, moved := places(before), 0
	for name, i := range places(after) {
		if was, ok := old[name]; ok && was != i {
			moved++
		}
	}
	if moved > 0 {
		t.Errorf("%d artifacts are in another shard", moved)
	}
}

func TestParseShard(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Shard{
		"0/1": {Count: 1}, "3/4": {Index: 3, Count: 4}, "999999/1000000": {Index: 999_999, Count: 1_000_000},
		"4/4": {}, "1": {}, "": {}, "-1/4": {}, "+1/4": {}, "a/b": {}, "1/0": {}, "0/1000001": {}, "1/2/3": {}, "0x1/4": {}, "1 /4": {},
	} {
		got, err := ParseShard(text)
		if got != want || (err == nil) != (want != Shard{}) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if err == nil && got.String() != text {
			t.Errorf("%q: %s", text, got)
		}
	}
	if (Shard{}).String() != "" {
		t.Error("the whole has a name")
	}
	for _, word := range Divisions() {
		if d, err := ParseDivision(word); err != nil || d.String() != word {
			t.Errorf("%s: %v, %v", word, d, err)
		}
	}
	if _, err := ParseDivision("tag"); err == nil || Division(9).String() != "Division(9)" {
		t.Error("a division that is none")
	}
}

package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/notaryv2/notation/oci"
)

// Shard is one of several parts that an audit is split into: the Index-th, from
// 0, of Count. Every reference is in exactly one, whoever asks, in whatever order,
// and whatever else there is: all that counts is how it is written. The zero value
// is the whole.
type Shard struct {
	Index, Count int
	// By is what is divided. The zero value divides artifacts.
	By Division
}

// Division is what the work is divided by. The zero value is ByArtifact.
type Division uint8

const (
	// ByArtifact divides what is in a repository, by the tags or digests as they
	// are written in references, so that shards are of equal size whatever the
	// sizes of repositories. Each repository is divided among at most 64 shards,
	// and each of these lists its tags. A digest with several tags may be in
	// several shards, and be verified in each; merged it is one again.
	ByArtifact Division = iota
	// ByRepository leaves repositories whole, so that each is listed in one shard
	// only, and the tags of one digest stay together. A shard is as large as the
	// largest repository in it, or larger.
	ByRepository
)

// divisionWords are what divisions are called.
var divisionWords = [...]string{ByArtifact: "artifact", ByRepository: "repository"}

// Divisions returns what [ParseDivision] knows. The slice is the caller's.
func Divisions() []string { return append([]string(nil), divisionWords[:]...) }

// ParseDivision reads "artifact" or "repository".
func ParseDivision(s string) (Division, error) {
	for d, word := range divisionWords {
		if s == word {
			return Division(d), nil
		}
	}
	return 0, fmt.Errorf("it is not one of %s", strings.Join(Divisions(), ", "))
}

// String returns "artifact" or "repository".
func (d Division) String() string {
	if int(d) < len(divisionWords) {
		return divisionWords[d]
	}
	return fmt.Sprintf("Division(%d)", d)
}

// ParseShard reads INDEX/COUNT, as in 0/4 for the first of four. What is divided
// is for the caller to set.
func ParseShard(s string) (Shard, error) {
	index, count, ok := strings.Cut(s, "/")
	i, errIndex := strconv.Atoi(index)
	n, errCount := strconv.Atoi(count)
	switch {
	case !ok || errIndex != nil || errCount != nil || strings.ContainsAny(s, "+-"):
		return Shard{}, errors.New("it is not INDEX/COUNT, such as 0/4 for the first of four")
	case n < 1 || n > MaxShards:
		return Shard{}, fmt.Errorf("the number of shards is from 1 to %d", MaxShards)
	case i >= n:
		return Shard{}, fmt.Errorf("the shards of %d are 0/%d to %d/%d", n, n, n-1, n)
	}
	return Shard{Index: i, Count: n}, nil
}

// String returns INDEX/COUNT, or "" for the whole.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// Holds reports whether a reference is in the shard: an artifact by tag or digest,
// or a repository of which anything may be.
//
// With H(x) the first eight bytes of the SHA-256 of x as a number, most
// significant first, a repository has the k shards from H(registry/repository)
// on, modulo Count, where k is Count, 64 at most, and 1 by repository. Of these
// the artifact registry/repository:tag, or registry/repository@digest where there
// is a digest, has the one that H of just that, modulo k, counts from the first.
func (s Shard) Holds(ref oci.Reference) bool {
	if s.Count <= 1 {
		return true
	}
	n := uint64(s.Count)
	k := min(n, maxSpread)
	if s.By == ByRepository {
		k = 1
	}
	// From the first shard of the repository to this one.
	steps := (uint64(s.Index) + n - number(ref.Name())%n) % n
	switch {
	case steps >= k:
		return false
	case k == 1 || whole(ref):
		return true
	}
	name := ref.Name() + ":" + ref.Tag()
	if d := ref.Digest(); d != "" {
		name = ref.Name() + "@" + string(d)
	}
	return number(name)%k == steps
}

// number is what a name counts as.
func number(name string) uint64 {
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint64(sum[:8])
}

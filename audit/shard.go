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
// 0, of Count. Every repository is in exactly one, whoever asks and in whatever
// order, by a digest of its name. So all that has to be known is the name: a
// shard lists the catalog, which is cheap, and asks nothing about the
// repositories of the others. The zero value is the whole.
type Shard struct{ Index, Count int }

// ParseShard reads INDEX/COUNT, as in 0/4 for the first of four.
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
	return Shard{i, n}, nil
}

// String returns INDEX/COUNT, or "" for the whole.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// Holds reports whether the repository of a reference is in the shard: the
// SHA-256 of its name, registry/repository, whose first eight bytes are read as
// a number, most significant first, and divided by Count, leaves Index.
func (s Shard) Holds(name oci.Reference) bool {
	if s.Count <= 1 {
		return true
	}
	sum := sha256.Sum256([]byte(name.Name()))
	return binary.BigEndian.Uint64(sum[:8])%uint64(s.Count) == uint64(s.Index)
}

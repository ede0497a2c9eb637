package audit

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Archive keeps records in a file, of which it has an index in memory: some
// hundred bytes for each artifact. It is safe for concurrent use.
//
// A record about an artifact that there is one about already takes its place.
// [Archive.Records] gives them in one order, whatever that of their coming:
// by repository, and in it by a hash of the digest or tag.
type Archive struct {
	path  string // for errors; "": a temporary file
	close func() error
	state *stateFile // nil: it is no state file

	mu    sync.Mutex
	file  *os.File
	end   int64 // of the last whole line
	index map[place]entry
	names map[string]uint32 // of repositories
	repos []string          // by number
	fault error             // of the last write; nothing is written after it
}

// place is where a record stands in the order.
type place struct {
	repository uint32
	artifact   artifactKey
}

// artifactKey stands for a digest, or for a tag without one. It is long enough
// that nobody makes two artifacts of one.
type artifactKey [16]byte

// entry is where a record is in the file, and what is asked of it most.
type entry struct {
	offset  int64
	length  int32
	decided bool  // neither undecided nor without digest
	time    int64 // of the decision, in seconds
}

// NewArchive returns an archive in a temporary file, which goes with Close, or
// with the process.
func NewArchive() (*Archive, error) {
	f, err := os.CreateTemp("", "notation-audit-*.jsonl")
	if err != nil {
		return nil, writeFault("", err)
	}
	// Where a file that is open can be removed, no crash leaves it behind.
	removed := os.Remove(f.Name()) == nil
	return newArchive("", f, func() error {
		err := f.Close()
		if !removed {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		return err
	}), nil
}

func newArchive(path string, f *os.File, closeFile func() error) *Archive {
	return &Archive{path: path, file: f, close: closeFile, index: map[place]entry{}, names: map[string]uint32{}}
}

// Close ends the use of the archive. What is in a state file is on the disk then.
func (a *Archive) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	if a.state != nil && a.fault == nil {
		err = a.file.Sync()
	}
	if closeErr := a.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return writeFault(a.path, err)
	}
	return nil
}

// Len returns the number of records.
func (a *Archive) Len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.index)
}

// Add keeps a record. Errors have the codes audit.write, audit.record and
// audit.too-many.
func (a *Archive) Add(r Record) error {
	line, err := r.encode()
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fault != nil {
		return a.fault
	}
	p := a.placeOf(&r)
	if _, there := a.index[p]; !there && len(a.index) >= MaxRecords {
		return tooMany()
	}
	offset, err := a.append(line)
	if err != nil {
		return err
	}
	a.index[p] = newEntry(&r, offset, len(line))
	if a.state != nil {
		a.state.wrote(a.file)
	}
	return nil
}

func tooMany() error {
	return reason.Errorf(reason.AuditTooMany, "there are more than %d artifacts", MaxRecords).
		WithHint("split the work with --shard")
}

// append writes a whole line at the end. a.mu is held.
func (a *Archive) append(line []byte) (offset int64, err error) {
	if _, err := a.file.WriteAt(line, a.end); err != nil {
		a.fault = writeFault(a.path, err)
		_ = a.file.Truncate(a.end) // what is left of the line is no record
		return 0, a.fault
	}
	offset = a.end
	a.end += int64(len(line))
	return offset, nil
}

func writeFault(path string, err error) error {
	what := "the temporary file of the audit"
	if path != "" {
		what = "the state file " + quote(path)
	}
	return reason.Wrap(reason.AuditWrite, err, "%s could not be written", what).WithHint("check permissions and free space")
}

// placeOf returns the place of a record. a.mu is held.
func (a *Archive) placeOf(r *Record) place {
	number, ok := a.names[r.Repository]
	if !ok {
		number = uint32(len(a.repos))
		a.names[r.Repository] = number
		a.repos = append(a.repos, r.Repository)
	}
	return place{number, keyOf(r.Digest, r.Tags)}
}

// keyOf returns the key of an artifact: of its digest or, where there is none,
// of the tag that could not be resolved or, where there is none either, of the
// repository as a whole.
func keyOf(d digest.Digest, tags []string) artifactKey {
	name := "@" + string(d)
	if d == "" {
		name = ":" + strings.Join(tags[:min(len(tags), 1)], "")
	}
	sum := sha256.Sum256([]byte(name))
	return artifactKey(sum[:])
}

func newEntry(r *Record, offset int64, length int) entry {
	return entry{
		offset: offset, length: int32(length), time: r.Time.Unix(),
		decided: r.Digest != "" && r.Outcome != outcomeUndecided,
	}
}

// known reports whether there is a record about an artifact that was decided not
// before since, and adds the tags to it that it does not have.
func (a *Archive) known(repository string, d digest.Digest, tags []string, since time.Time) (bool, error) {
	a.mu.Lock()
	number, ok := a.names[repository]
	e, there := a.index[place{number, keyOf(d, nil)}]
	a.mu.Unlock()
	if !ok || !there || !e.decided || e.time < since.Unix() {
		return false, nil
	}
	r, err := a.read(e)
	if err != nil {
		return false, err
	}
	if r.addTags(tags) {
		return true, a.Add(r)
	}
	return true, nil
}

// read reads a record back. It was checked when it was written, or found.
func (a *Archive) read(e entry) (Record, error) {
	line := make([]byte, e.length)
	if _, err := a.file.ReadAt(line, e.offset); err != nil {
		return Record{}, a.readFault(err)
	}
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, a.readFault(err)
	}
	return r, nil
}

func (a *Archive) readFault(err error) error {
	return reason.Wrap(reason.AuditWrite, err, "what was found out could not be read again").
		WithHint("check whether another program has changed the file")
}

// Records gives the records in the order of the archive, as they are when it
// begins. An error is the last.
func (a *Archive) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, e := range a.sorted() {
			r, err := a.read(e)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// sorted returns the entries in their order.
func (a *Archive) sorted() []entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	type item struct {
		rank     uint32 // of the repository among all
		artifact artifactKey
		entry    entry
	}
	byName := make([]uint32, len(a.repos))
	for i := range byName {
		byName[i] = uint32(i)
	}
	slices.SortFunc(byName, func(x, y uint32) int { return strings.Compare(a.repos[x], a.repos[y]) })
	rank := make([]uint32, len(a.repos))
	for i, number := range byName {
		rank[number] = uint32(i)
	}
	items := make([]item, 0, len(a.index))
	for p, e := range a.index {
		items = append(items, item{rank[p.repository], p.artifact, e})
	}
	slices.SortFunc(items, func(x, y item) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), slices.Compare(x.artifact[:], y.artifact[:]))
	})
	entries := make([]entry, len(items))
	for i := range items {
		entries[i] = items[i].entry
	}
	return entries
}

// lines gives the lines of a file of records with their offsets and numbers. The
// last one is torn if it does not end with a line feed. A line that is too long
// is an error, which is the last.
func lines(r io.Reader) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		var l line
		for {
			l.number++
			l.offset += int64(len(l.text))
			l.text = l.text[:0]
			for {
				part, err := b.ReadSlice('\n')
				l.text = append(l.text, part...)
				switch {
				case len(l.text) > MaxRecordBytes:
					yield(l, reason.Errorf(reason.AuditRecord, "line %d is longer than %d bytes", l.number, MaxRecordBytes))
					return
				case errors.Is(err, bufio.ErrBufferFull):
					continue
				case errors.Is(err, io.EOF):
					if l.torn = true; len(l.text) > 0 {
						yield(l, nil)
					}
					return
				case err != nil:
					yield(l, reason.Wrap(reason.AuditRecord, err, "line %d could not be read", l.number))
					return
				}
				break
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// line is one line of a file. text is good until the next.
type line struct {
	text   []byte
	offset int64
	number int
	torn   bool
}

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
// A record about an artifact that there is one about already takes its place, but
// those that one [Run] has added become one. [Archive.Records] gives them in one
// order, whatever that of their coming: by repository, and in it by a hash of the
// digest or tag. Once a run has begun, it gives what that run has come across, and
// not what runs before have left: of an artifact that is not there any more, or
// was not asked about, nobody is told that it passes.
type Archive struct {
	path  string // for errors; "": a temporary file
	close func() error
	state *stateFile // nil: it is no state file

	mu      sync.Mutex
	file    *os.File
	end     int64 // of the last whole line
	index   map[place]entry
	names   map[string]uint32 // of repositories
	repos   []string          // by number
	fault   error             // of the last write; nothing is written after it
	running bool              // a run has begun
	current int               // records that it has come across
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
	seen    bool  // by the run that is under way
	time    int64 // of the decision, in seconds
	until   int64 // when what it rests on ends by itself, in seconds
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

// Len returns the number of records that Records gives.
func (a *Archive) Len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running {
		return a.current
	}
	return len(a.index)
}

// Add keeps a record. Errors have the codes audit.write, audit.record and
// audit.too-many.
func (a *Archive) Add(r Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.add(r)
}

// add is Add. a.mu is held.
func (a *Archive) add(r Record) error {
	if a.fault != nil {
		return a.fault
	}
	p := a.placeOf(&r)
	before, there := a.index[p]
	if !there && len(a.index) >= MaxRecords {
		return tooMany()
	}
	if a.running && there && before.seen {
		// As where a list, or a catalog, names something twice.
		other, err := a.read(p, before)
		if err != nil {
			return err
		}
		r.join(&other)
	}
	return a.put(p, &r)
}

// put writes a record, and has it take its place. a.mu is held.
func (a *Archive) put(p place, r *Record) error {
	line, err := r.encode()
	if err != nil {
		return err
	}
	offset, err := a.append(line)
	if err != nil {
		return err
	}
	if a.running && !a.index[p].seen {
		a.current++
	}
	a.index[p] = newEntry(r, offset, len(line))
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
		offset: offset, length: int32(length), time: r.Time.Unix(), until: r.lasts(), seen: true,
		decided: r.Digest != "" && r.Outcome != outcomeUndecided,
	}
}

// forgetUndecided drops what is not decided. a.mu is held, or nobody else has the
// archive.
func (a *Archive) forgetUndecided() {
	for p, e := range a.index {
		if !e.decided {
			delete(a.index, p)
		}
	}
}

// known reports whether there is a record about an artifact that was decided not
// before since nor after now, and still holds. It then is one that the run has come
// across, by these tags. earlier says that it is of an earlier run: this one has not
// come across the artifact before.
func (a *Archive) known(repository string, d digest.Digest, tags []string, since, now time.Time) (known, earlier bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	number, ok := a.names[repository]
	p := place{number, keyOf(d, nil)}
	e, there := a.index[p]
	at := now.Unix()
	if !ok || !there || !e.decided || e.time < since.Unix() || e.time > at || e.until <= at {
		return false, false, nil
	}
	earlier = !a.running || !e.seen
	r, err := a.read(p, e)
	if err != nil {
		return false, false, err
	}
	before := r
	if a.running && !e.seen {
		r.Tags, r.MoreTags = nil, 0 // what else has named it need not any more
	}
	r.addTags(tags)
	if !slices.Equal(r.Tags, before.Tags) || r.MoreTags != before.MoreTags {
		return true, earlier, a.put(p, &r)
	}
	if a.running && !e.seen {
		e.seen = true
		a.current++
		a.index[p] = e
	}
	return true, earlier, nil
}

// errChanged is the cause where a record is not the one that was written.
var errChanged = errors.New("it is the record of something else")

// read reads back the record of a place. It was checked when it was written, or
// found; here it is only made sure that it is that one, as somebody may have opened
// the file by another name. a.mu is held.
func (a *Archive) read(p place, e entry) (Record, error) {
	line := make([]byte, e.length)
	if _, err := a.file.ReadAt(line, e.offset); err != nil {
		return Record{}, a.readFault(err)
	}
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, a.readFault(err)
	}
	if r.Repository != a.repos[p.repository] || keyOf(r.Digest, r.Tags) != p.artifact || r.Time.Unix() != e.time {
		return Record{}, a.readFault(errChanged)
	}
	return r, nil
}

func (a *Archive) readFault(err error) error {
	return reason.Wrap(reason.AuditWrite, err, "what was found out could not be read again").
		WithHint("check whether another program has changed the file")
}

// Records gives the records in the order of the archive, as they are when it
// begins: those of the last run or, if there was none, all. An error is the last.
func (a *Archive) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, at := range a.sorted() {
			a.mu.Lock()
			r, err := a.read(at.place, at.entry)
			a.mu.Unlock()
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// kept is where the record of a place is.
type kept struct {
	place place
	entry entry
}

// sorted returns what Records gives, in its order.
func (a *Archive) sorted() []kept {
	a.mu.Lock()
	defer a.mu.Unlock()
	byName := make([]uint32, len(a.repos))
	for i := range byName {
		byName[i] = uint32(i)
	}
	slices.SortFunc(byName, func(x, y uint32) int { return strings.Compare(a.repos[x], a.repos[y]) })
	rank := make([]uint32, len(a.repos)) // of the repository among all
	for i, number := range byName {
		rank[number] = uint32(i)
	}
	items := make([]kept, 0, len(a.index))
	for p, e := range a.index {
		if e.seen {
			items = append(items, kept{p, e})
		}
	}
	slices.SortFunc(items, func(x, y kept) int {
		return cmp.Or(cmp.Compare(rank[x.place.repository], rank[y.place.repository]), slices.Compare(x.place.artifact[:], y.place.artifact[:]))
	})
	return items
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

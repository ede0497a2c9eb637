package audit

import (
	"bytes"
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// Merged is the records of several files as if one run had found them out.
// [Merged.Missing] says whether that run would have looked at everything.
//
// A file that is in the order of [Archive.Records], as every report of records
// is, is read as it is asked for, so that any number of records can be merged.
// Others, such as state files, are read at once, and are bounded by what an
// [Archive] holds.
type Merged struct {
	inputs  []input
	covered covered
}

// input is one file: in order, or in an archive.
type input struct {
	path string
	file *os.File
	kept *Archive // nil: the file is in order
}

// OpenMerged opens files of records. Each is read once and checked as a whole; a
// file that is cut off, or has a line that is no record, is an error with the
// code audit.record. The last line of a state file may be cut off.
func OpenMerged(paths ...string) (*Merged, error) {
	if len(paths) > MaxMerged {
		return nil, reason.Errorf(reason.AuditTooMany, "%d files are more than the %d that are merged at a time", len(paths), MaxMerged).
			WithHint("merge them in several steps")
	}
	m := &Merged{covered: covered{}}
	for _, path := range paths {
		in, about, err := openInput(path)
		if err == nil {
			m.inputs = append(m.inputs, in)
			err = m.covered.add(about)
		}
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// Missing says in a clause what the files say to be missing: a run that ended
// before everything was looked at, or shards that no file is of; "": nothing.
// Files that say nothing about themselves are taken to be whole.
func (m *Merged) Missing() string { return m.covered.missing() }

// Coverage returns what the files say that they are about, for whoever writes
// them into one; none if nothing is missing.
func (m *Merged) Coverage() []Coverage { return m.covered.parts() }

// Close closes the files.
func (m *Merged) Close() error {
	var errs []error
	for _, in := range m.inputs {
		if in.kept != nil {
			errs = append(errs, in.kept.Close())
		} else {
			errs = append(errs, in.file.Close())
		}
	}
	return errors.Join(errs...)
}

func openInput(path string) (in input, about covered, err error) {
	unreadable := func(err error) error {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return reason.Wrap(reason.AuditRecord, err, "the file of records %s could not be read", quote(path)).
			WithHint("name a file that a run has written")
	}
	info, err := os.Stat(path) // a FIFO would wait for a writer
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return input{}, nil, unreadable(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return input{}, nil, unreadable(err)
	}
	in = input{path: path, file: f}
	looked, err := look(f)
	if err != nil {
		_ = f.Close()
		return input{}, nil, reason.Wrap(reason.AuditRecord, err, "the file of records %s cannot be used", quote(path)).
			WithHint("get it again from the run that has written it")
	}
	if looked.ordered {
		return in, looked.about, nil
	}
	defer f.Close()
	in.kept, err = keep(f)
	return in, looked.about, err
}

// looked is what there is to know about a file before its records are read.
type looked struct {
	ordered bool // it is all records, in order, and marks about whole runs
	about   covered

	isState bool
	silent  bool // it is a state file that has not said yet what it is about
	any     bool // there is a last record
	last    sortKey
}

// look checks every line of a file.
func look(r io.Reader) (*looked, error) {
	k := &looked{ordered: true, about: covered{}}
	for l, err := range lines(r) {
		switch {
		case err != nil:
			return nil, err
		case l.torn && !k.isState:
			return nil, lineError(l.number, errors.New("it is cut off"))
		case l.torn:
		default:
			err = k.line(l.text)
		}
		if err != nil {
			return nil, lineError(l.number, err)
		}
	}
	if k.silent {
		k.about.note(Coverage{})
	}
	return k, nil
}

// line checks a line.
func (k *looked) line(text []byte) error {
	m, isMark, err := parseMark(text)
	if err != nil {
		return err
	}
	if isMark {
		return k.mark(&m)
	}
	r, err := ParseRecord(trimmed(text))
	if err != nil {
		return err
	}
	this := sortKeyOf(&r)
	if k.ordered = k.ordered && (!k.any || k.last.compare(this) < 0); k.ordered {
		k.last, k.any = this, true
	}
	return nil
}

func (k *looked) mark(m *mark) error {
	if m.Fingerprint != "" {
		clear(k.about)
		k.isState, k.silent, k.ordered = true, true, false
	}
	if m.Run == "" {
		return nil
	}
	k.silent, k.ordered = false, k.ordered && m.Run != runBegun
	part, err := m.coverage()
	if err != nil {
		return err
	}
	k.about.note(part)
	if len(k.about) > MaxCoverage {
		return fmt.Errorf("the file is about more than %d parts of audits", MaxCoverage)
	}
	return nil
}

func lineError(number int, err error) error {
	return reason.Wrap(reason.AuditRecord, err, "line %d", number)
}

// keep puts the records that count into an archive.
func keep(f *os.File) (*Archive, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, writeFault("", err)
	}
	a, err := NewArchive()
	if err != nil {
		return nil, err
	}
	for r, err := range records(f, func(m *mark) {
		if m.Fingerprint != "" {
			clear(a.index)
		}
		if m.Run == runBegun {
			a.forgetUndecided()
		}
	}) {
		if err == nil {
			err = a.Add(r)
		}
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

// records gives the records of a file that has been checked, and tells of the
// marks between them.
func records(r io.Reader, marked func(*mark)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for l, err := range lines(r) {
			if l.torn && err == nil {
				return
			}
			var rec Record
			if err == nil {
				var m mark
				var isMark bool
				if m, isMark, err = parseMark(l.text); isMark && err == nil {
					marked(&m)
					continue
				}
			}
			if err == nil {
				rec, err = ParseRecord(trimmed(l.text))
			}
			if err != nil {
				err = lineError(l.number, err)
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

func (in *input) records() iter.Seq2[Record, error] {
	if in.kept != nil {
		return in.kept.Records()
	}
	return records(io.NewSectionReader(in.file, 0, 1<<62), func(*mark) {})
}

// Records gives the records in the order of [Archive.Records]. Where several are
// about one artifact, it is the one that decides, of those the latest, and of
// those the worst, with the tags of all: the order of the files means nothing. An
// error is the last.
func (m *Merged) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var h cursors
		for i := range m.inputs {
			next, stop := iter.Pull2(m.inputs[i].records())
			defer stop()
			c := &cursor{next: next}
			switch ok, err := c.advance(); {
			case err != nil:
				yield(Record{}, err)
				return
			case ok:
				h = append(h, c)
			}
		}
		heap.Init(&h)
		var held *Record
		var key sortKey
		for len(h) > 0 {
			c := h[0]
			if held != nil && c.key.compare(key) == 0 {
				held.join(&c.record)
			} else {
				if held != nil && !yield(*held, nil) {
					return
				}
				r := c.record
				held, key = &r, c.key
			}
			switch ok, err := c.advance(); {
			case err != nil:
				yield(Record{}, err)
				return
			case ok:
				heap.Fix(&h, 0)
			default:
				heap.Pop(&h)
			}
		}
		if held != nil {
			yield(*held, nil)
		}
	}
}

// join makes of two records about one artifact the one that counts.
func (r *Record) join(other *Record) {
	tags, more := slices.Concat(r.Tags, other.Tags), max(r.MoreTags, other.MoreTags)
	if r.yieldsTo(other) {
		*r = *other
	}
	r.Tags, r.MoreTags = nil, 0
	r.addTags(tags)
	r.MoreTags = min(r.MoreTags+more, maxMoreTags)
}

// yieldsTo reports whether of two records about one artifact the other counts:
// the one that decides, of those the latest, and of those the worst. Which of two
// that are as bad is in their text, so that nothing depends on their order.
func (r *Record) yieldsTo(other *Record) bool {
	decides := func(r *Record) int {
		if r.Outcome == outcomeUndecided {
			return 0
		}
		return 1
	}
	worst := []string{outcomePassed, outcomeSkipped, outcomeUnsigned, outcomeRejected}
	first := cmp.Or(cmp.Compare(decides(other), decides(r)), other.Time.Compare(r.Time),
		cmp.Compare(slices.Index(worst, other.Outcome), slices.Index(worst, r.Outcome)))
	if first == 0 {
		first = bytes.Compare(other.untagged(), r.untagged())
	}
	return first > 0
}

// untagged is what a record says but for its tags, of which all are kept.
func (r *Record) untagged() []byte {
	bare := *r
	bare.Tags, bare.MoreTags = nil, 0
	text, _ := strictjson.Marshal(bare) // what cannot be written is as bad as anything
	return text
}

// sortKey is where a record stands in the order.
type sortKey struct {
	repository string
	artifact   artifactKey
}

func sortKeyOf(r *Record) sortKey { return sortKey{r.Repository, keyOf(r.Digest, r.Tags)} }

func (k sortKey) compare(other sortKey) int {
	return cmp.Or(strings.Compare(k.repository, other.repository), slices.Compare(k.artifact[:], other.artifact[:]))
}

// cursor is at one record of an input.
type cursor struct {
	next   func() (Record, error, bool)
	record Record
	key    sortKey
}

// advance goes to the next record, and reports whether there is one.
func (c *cursor) advance() (bool, error) {
	r, err, ok := c.next()
	if !ok || err != nil {
		return false, err
	}
	c.record, c.key = r, sortKeyOf(&r)
	return true, nil
}

// cursors is a heap of those that are not at their end, the first record first.
type cursors []*cursor

func (h cursors) Len() int           { return len(h) }
func (h cursors) Less(i, j int) bool { return h[i].key.compare(h[j].key) < 0 }
func (h cursors) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *cursors) Push(x any)        { *h = append(*h, x.(*cursor)) }
func (h *cursors) Pop() any {
	old := *h
	c := old[len(old)-1]
	*h = old[:len(old)-1]
	return c
}

package audit

import (
	"cmp"
	"container/heap"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// Merged is the records of several files as if one run had found them out.
//
// A file that is in the order of [Archive.Records], as every report of records
// is, is read as it is asked for, so that any number of records can be merged.
// Others, such as state files, are read at once, and are bounded by what an
// [Archive] holds.
type Merged struct {
	inputs []input
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
	m := &Merged{}
	for _, path := range paths {
		in, err := openInput(path)
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		m.inputs = append(m.inputs, in)
	}
	return m, nil
}

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

func openInput(path string) (in input, err error) {
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
		return input{}, unreadable(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return input{}, unreadable(err)
	}
	in = input{path: path, file: f}
	switch ordered, err := inOrder(f); {
	case err != nil:
		_ = f.Close()
		return input{}, reason.Wrap(reason.AuditRecord, err, "the file of records %s cannot be used", quote(path)).
			WithHint("get it again from the run that has written it")
	case ordered:
		return in, nil
	}
	defer f.Close()
	in.kept, err = keep(f)
	if err != nil {
		return input{}, err
	}
	return in, nil
}

// inOrder checks every line of a file, and reports whether it is all records, in
// order.
func inOrder(r io.Reader) (bool, error) {
	ordered, isState, any := true, false, false
	var last, this sortKey
	for l, err := range lines(r) {
		if err != nil {
			return false, err
		}
		if l.torn && isState {
			return false, nil
		}
		if l.torn {
			return false, lineError(l.number, errors.New("it is cut off"))
		}
		if h, ok := parseHeader(l.text); ok {
			if h.Audit != FormatVersion {
				return false, lineError(l.number, errors.New("it is of version "+quote(h.Audit)+", which this program does not know"))
			}
			isState, ordered = true, false
			continue
		}
		r, err := ParseRecord(trimmed(l.text))
		if err != nil {
			return false, lineError(l.number, err)
		}
		this = sortKeyOf(&r)
		if ordered = ordered && (!any || last.compare(this) < 0); ordered {
			last, any = this, true
		}
	}
	return ordered, nil
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
	for r, err := range records(f) {
		if err == nil {
			err = a.Add(r)
		} else if _, ok := errors.AsType[startOver](err); ok {
			clear(a.index)
			err = nil
		}
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

// startOver is not an error but says that what came before does not count.
type startOver struct{}

func (startOver) Error() string { return "another header" }

// records gives the records of a file that has been checked.
func records(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for l, err := range lines(r) {
			var rec Record
			switch _, isHeader := parseHeader(l.text); {
			case err != nil:
			case l.torn:
				return
			case isHeader:
				err = startOver{}
			default:
				if rec, err = ParseRecord(trimmed(l.text)); err != nil {
					err = lineError(l.number, err)
				}
			}
			_, goOn := errors.AsType[startOver](err)
			if !yield(rec, err) || err != nil && !goOn {
				return
			}
		}
	}
}

func (in *input) records() iter.Seq2[Record, error] {
	if in.kept != nil {
		return in.kept.Records()
	}
	return records(io.NewSectionReader(in.file, 0, 1<<62))
}

// Records gives the records in the order of [Archive.Records]. Where several are
// about one artifact, it is the one that decides, and of those the latest, with
// the tags of all. An error is the last.
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
	decides := func(r *Record) int {
		if r.Outcome == outcomeUndecided {
			return 0
		}
		return 1
	}
	tags, more := slices.Concat(r.Tags, other.Tags), max(r.MoreTags, other.MoreTags)
	if cmp.Or(cmp.Compare(decides(other), decides(r)), other.Time.Compare(r.Time)) > 0 {
		*r = *other
	}
	r.MoreTags = 0
	r.addTags(tags)
	r.MoreTags = max(r.MoreTags, more)
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

package audit

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// FormatVersion is the version of the JSON form of records and of state files.
// Within a major version members are only added.
const FormatVersion = "1.0"

// stateFile is what an [Archive] knows about itself as a state file.
type stateFile struct {
	unsynced int
	synced   time.Time
}

// wrote is told of each line. It flushes them to the disk in batches: what a
// crash of the machine costs is found out again.
func (s *stateFile) wrote(f *os.File) {
	s.unsynced++
	if now := time.Now(); s.unsynced >= syncRecords || now.Sub(s.synced) >= syncEvery {
		_ = f.Sync() // a disk that is full says so to the next write, and Close syncs again
		s.unsynced, s.synced = 0, now
	}
}

// State says what was found in a state file.
type State struct {
	Records int  // that count
	Changed bool // there were others, which rest on another policy or other stores and do not count
	Torn    bool // the last line was not written to its end, and was removed
}

// OpenState opens the state file at path, and makes it if there is none. Nobody
// else can open it until it is closed. Records of before since do not count, and
// neither do those that rest on something else than fingerprint says: the work
// begins anew. They stay in the file until more than half of it, and of a
// megabyte, does not count, and it is written anew without.
//
// A file that is neither empty nor a state file stays as it is and is an error
// with the code audit.state; that of one in use is audit.in-use.
func OpenState(path, fingerprint string, since time.Time) (*Archive, State, error) {
	a, state, err := openState(path, fingerprint, since)
	if err != nil || !a.wasteful() || a.compact(fingerprint) != nil {
		return a, state, err // a file that cannot be written anew is as good as before
	}
	_ = a.close()
	a, again, err := openState(path, fingerprint, since)
	state.Records = again.Records
	return a, state, err
}

func openState(path, fingerprint string, since time.Time) (*Archive, State, error) {
	f, release, err := atomicfile.OpenExclusive(path, atomicfile.ModeSecret)
	switch {
	case errors.Is(err, atomicfile.ErrInUse):
		return nil, State{}, reason.Wrap(reason.AuditInUse, err, "the state file %s cannot be used", quote(path)).
			WithHint("wait until the other run has ended, or name another file")
	case err != nil:
		return nil, State{}, reason.Wrap(reason.AuditState, err, "the state file %s cannot be opened", quote(path)).
			WithHint("check its directory and permissions, or name another file")
	}
	a := newArchive(path, f, func() error { release(); return nil })
	a.state = &stateFile{synced: time.Now()}
	state, err := a.load(fingerprint, since)
	if err != nil {
		release()
		return nil, State{}, err
	}
	return a, state, nil
}

// load reads the file, and writes a header if the last one is not the one that
// is to be.
func (a *Archive) load(fingerprint string, since time.Time) (State, error) {
	var state State
	var last *mark // that has a fingerprint
	for l, err := range lines(a.file) {
		if err != nil {
			return state, a.stateFault(l.number, err)
		}
		if l.torn {
			if last == nil && !isHeaderCut(l.text) {
				return state, a.stateFault(l.number, errForeign)
			}
			state.Torn = true
			break
		}
		switch m, isMark, err := parseMark(l.text); {
		case err != nil:
			return state, a.stateFault(l.number, err)
		case isMark && m.Fingerprint != "":
			state.Changed = state.Changed || len(a.index) > 0
			clear(a.index)
			last = &m
		case last == nil:
			return state, a.stateFault(l.number, errForeign)
		case isMark && m.Run == runBegun:
			a.forgetUndecided()
		case isMark:
		case last.Fingerprint != fingerprint:
			state.Changed = true
		default:
			if err := a.found(&l, since); err != nil {
				return state, err
			}
		}
		a.end = l.offset + int64(len(l.text))
	}
	if state.Torn {
		if err := a.file.Truncate(a.end); err != nil {
			return state, writeFault(a.path, err)
		}
	}
	if state.Records = len(a.index); last != nil && last.Fingerprint == fingerprint {
		state.Changed = state.Changed && state.Records == 0
		return state, nil
	}
	text, err := headerOf(fingerprint)
	if err == nil {
		_, err = a.append(text)
	}
	return state, err
}

func headerOf(fingerprint string) ([]byte, error) {
	text, err := strictjson.Marshal(mark{Audit: FormatVersion, Fingerprint: fingerprint})
	return append(text, '\n'), err
}

// wasteful reports whether so much of the file does not count that it is to be
// written anew: lines are only appended, and runs every night would fill a disk.
func (a *Archive) wasteful() bool {
	var counts int64
	for _, e := range a.index {
		counts += int64(e.length)
	}
	return a.end > compactFrom && a.end/2 > counts
}

// compact puts a file in place of this one that holds what counts, in the order
// in which it was found. It says nothing of runs: which records they would be
// about is not known any more.
func (a *Archive) compact(fingerprint string) error {
	entries := slices.SortedFunc(maps.Values(a.index), func(x, y entry) int { return cmp.Compare(x.offset, y.offset) })
	return (atomicfile.Writer{}).Stream(a.path, atomicfile.ModeSecret, func(w io.Writer) error {
		text, err := headerOf(fingerprint)
		if err == nil {
			_, err = w.Write(text)
		}
		for _, e := range entries {
			if err != nil {
				return err
			}
			_, err = io.Copy(w, io.NewSectionReader(a.file, e.offset, int64(e.length)))
		}
		return err
	})
}

// begin says that a run begins: what it finds out from here on is what Records
// gives, and what is undecided is found out again.
func (a *Archive) begin(part Coverage) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgetUndecided()
	for p, e := range a.index {
		e.seen = false
		a.index[p] = e
	}
	a.running, a.current = true, 0
	return a.sayRun(part, runBegun)
}

// complete says that a run has looked at everything.
func (a *Archive) complete(part Coverage) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sayRun(part, runComplete)
}

// sayRun writes a mark into a state file. a.mu is held.
func (a *Archive) sayRun(part Coverage, run string) error {
	if a.state == nil {
		return nil
	}
	text, err := part.line(run)
	if err == nil {
		_, err = a.append(text)
	}
	return err
}

var errForeign = errors.New("the file does not begin as a state file does")

// isHeaderCut reports whether a text may be the beginning of a header that was
// being written when the program died. Any other file is somebody else's.
func isHeaderCut(text []byte) bool {
	const begin = markBegin + `"` + FormatVersion + `","fingerprint":"`
	n := min(len(text), len(begin))
	return string(text[:n]) == begin[:n]
}

// found takes a record from the file into the index. The last about an artifact
// counts, also if it is too old to.
func (a *Archive) found(l *line, since time.Time) error {
	r, err := ParseRecord(trimmed(l.text))
	if err != nil {
		return a.stateFault(l.number, err)
	}
	p := a.placeOf(&r)
	if r.Time.Before(since) {
		delete(a.index, p)
		return nil
	}
	if _, there := a.index[p]; !there && len(a.index) >= MaxRecords {
		return tooMany()
	}
	a.index[p] = newEntry(&r, l.offset, len(l.text))
	return nil
}

func (a *Archive) stateFault(number int, err error) error {
	return reason.Wrap(reason.AuditState, err, "the state file %s cannot be used, as of line %d", quote(a.path), number).
		WithHint("name another file, or remove it to start over")
}

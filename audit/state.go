package audit

import (
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// FormatVersion is the version of the JSON form of records and of state files.
// Within a major version members are only added.
const FormatVersion = "1.0"

// header is the first line of a state file, and any later one after which what
// comes before does not count. It is no record, as it has none of the members
// that a record always has.
type header struct {
	Audit string `json:"audit"` // FormatVersion
	// Fingerprint is that of what the verdicts rest on.
	Fingerprint string `json:"fingerprint"`
}

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
// else can open it until it is closed. Records that rest on something else than
// fingerprint says stay in the file and do not count any more: the work begins
// anew. A file that is neither empty nor a state file stays as it is and is an
// error with the code audit.state; that of one in use is audit.in-use.
func OpenState(path, fingerprint string) (*Archive, State, error) {
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
	state, err := a.load(fingerprint)
	if err != nil {
		release()
		return nil, State{}, err
	}
	return a, state, nil
}

// load reads the file, and writes a header if the last one is not the one that
// is to be.
func (a *Archive) load(fingerprint string) (State, error) {
	var state State
	var last *header
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
		h, isHeader := parseHeader(l.text)
		switch {
		case isHeader && h.Audit != FormatVersion:
			return state, reason.Errorf(reason.AuditState, "the state file %s is of version %s, which this program does not know", quote(a.path), quote(h.Audit)).
				WithHint("name another file, or use the program that has written it")
		case isHeader:
			state.Changed = state.Changed || len(a.index) > 0
			clear(a.index)
			last = &h
		case last == nil:
			return state, a.stateFault(l.number, errForeign)
		case last.Fingerprint != fingerprint:
			state.Changed = true
		default:
			if err := a.found(&l); err != nil {
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
	text, err := strictjson.Marshal(header{FormatVersion, fingerprint})
	if err == nil {
		_, err = a.append(append(text, '\n'))
	}
	return state, err
}

var errForeign = errors.New("the file does not begin as a state file does")

// isHeaderCut reports whether a text may be the beginning of a header that was
// being written when the program died. Any other file is somebody else's.
func isHeaderCut(text []byte) bool {
	const begin = `{"audit":"` + FormatVersion + `","fingerprint":"`
	n := min(len(text), len(begin))
	return string(text[:n]) == begin[:n]
}

// parseHeader reports whether a line is a header.
func parseHeader(text []byte) (header, bool) {
	var h header
	if json.Unmarshal(text, &h) != nil || h.Audit == "" {
		return header{}, false
	}
	return h, true
}

// found takes a record from the file into the index.
func (a *Archive) found(l *line) error {
	r, err := ParseRecord(trimmed(l.text))
	if err != nil {
		return a.stateFault(l.number, err)
	}
	p := a.placeOf(&r)
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

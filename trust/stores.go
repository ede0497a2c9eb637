package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"sync"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/reason"
)

// Stores are trust stores, each a set of trust anchors. They are read-only and
// safe for concurrent use. The zero value, like nil, holds none. A Stores must
// not be copied.
//
// A store loads as a whole or not at all. One file that cannot be read, or that
// holds anything but trust anchors, makes the store fail with an error that
// names the file: passing over it would silently distrust what it held.
type Stores struct {
	fsys   fs.FS
	memory map[StoreRef][]*x509.Certificate

	mu     sync.Mutex
	loaded map[StoreRef]*slot
	memo   *certchain.Memo // of the anchors that were read
}

// slot holds a store once it has been read.
type slot struct {
	mu    sync.Mutex
	store *store
}

// store is what was found when a store was asked for.
type store struct {
	anchors  []Anchor
	index    map[thumbprint]int // into anchors
	warnings []error
	err      error
}

type thumbprint = [sha256.Size]byte

// NewStores returns the trust stores in fsys, whose root holds the directories
// ca, signingAuthority and tsa, and in these a directory for each store. Each
// store is read when first asked for, once. specs/trust-store.md says which
// files count. Symbolic links are refused where fsys can tell them apart
// ([fs.ReadLinkFS], as os.DirFS and os.Root do).
func NewStores(fsys fs.FS) *Stores { return &Stores{fsys: fsys} }

// NewMemoryStores returns stores that hold the given certificates. They are
// checked as those of a file are, when a store is first asked for.
func NewMemoryStores(certs map[StoreRef][]*x509.Certificate) *Stores {
	s := &Stores{memory: make(map[StoreRef][]*x509.Certificate, len(certs))}
	for ref, list := range certs {
		s.memory[ref] = slices.Clone(list)
	}
	return s
}

// Load returns the certificates of one store, each once, with warnings about
// entries that were ignored or that others may write. It reads the store at
// most once; a failure, too, is remembered, unless something could not be read
// ([IsUnreadable]). The certificates are shared and must not be changed.
//
// Errors have codes that begin with "store.": store.not-found if there is no
// such store, store.empty if there is nothing in it.
func (s *Stores) Load(ref StoreRef) (certs []*x509.Certificate, warnings []error, err error) {
	anchors, warnings, err := s.Anchors(ref)
	for _, a := range anchors {
		certs = append(certs, a.Certificate)
	}
	return certs, warnings, err
}

// Anchors is like [Stores.Load] and says of each certificate where it is.
func (s *Stores) Anchors(ref StoreRef) (anchors []Anchor, warnings []error, err error) {
	st := s.get(ref)
	return slices.Clone(st.anchors), slices.Clone(st.warnings), st.err
}

// Find returns the first of the stores refs that holds cert, the same byte for
// byte: two roots of one name with different keys are two roots. It returns
// false if none does.
//
// A store that cannot be loaded does not matter if another one holds cert. If
// none does, its error is returned, for then nobody can tell.
func (s *Stores) Find(refs []StoreRef, cert *x509.Certificate) (ref StoreRef, found bool, err error) {
	if cert == nil || len(cert.Raw) == 0 {
		return StoreRef{}, false, nil
	}
	sum := sha256.Sum256(cert.Raw)
	var errs []error
	for _, ref := range refs {
		st := s.get(ref)
		if st.err != nil {
			errs = append(errs, st.err)
			continue
		}
		if i, ok := st.index[sum]; ok && bytes.Equal(st.anchors[i].Certificate.Raw, cert.Raw) {
			return ref, true, nil
		}
	}
	return StoreRef{}, false, joinCapped(errs[:min(len(errs), maxProblems)], len(errs) > maxProblems)
}

// Thumbprints returns the SHA-256 of each anchor of the stores refs in
// lower-case hex, as the annotation io.cncf.notary.x509chain.thumbprint#S256
// has it. It is for ordering candidates and decides nothing: stores that
// cannot be loaded are left out.
func (s *Stores) Thumbprints(refs []StoreRef) map[string]bool {
	all := map[string]bool{}
	for _, ref := range refs {
		for sum := range s.get(ref).index {
			all[hex.EncodeToString(sum[:])] = true
		}
	}
	return all
}

// Memo reads the stores refs and returns what is known of all anchors read so
// far, for the packages of this module. A store that cannot be loaded adds
// nothing. The result may be nil.
func (s *Stores) Memo(refs []StoreRef) *certchain.Memo {
	if s == nil {
		return nil
	}
	for _, ref := range refs {
		s.get(ref)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memo
}

// Refs lists the stores that are there, ordered by type and name, without
// loading them. Warnings name what stands among them and is no store.
func (s *Stores) Refs() (refs []StoreRef, warnings []error, err error) {
	if s == nil {
		return nil, nil, nil
	}
	if s.fsys == nil {
		return slices.SortedFunc(maps.Keys(s.memory), StoreRef.compare), nil, nil
	}
	for _, t := range []StoreType{CA, SigningAuthority, TSA} {
		entries, err := readTypeDir(s.fsys, t)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for _, e := range entries {
			ref := StoreRef{Type: t, Name: e.Name()}
			if nameErr := CheckStoreName(e.Name()); nameErr != nil || !e.IsDir() {
				warnings = append(warnings, ignored(path.Join(t.String(), e.Name()), "it is no trust store"))
				continue
			}
			refs = append(refs, ref)
		}
	}
	return refs, warnings, nil
}

// get returns a store, read if it has not been before.
func (s *Stores) get(ref StoreRef) *store {
	if err := ref.check(); err != nil {
		return &store{err: err}
	}
	if s == nil || s.fsys == nil && s.memory == nil {
		return &store{err: errNotFound(ref)}
	}
	s.mu.Lock()
	at := s.loaded[ref]
	if at == nil {
		at = new(slot)
		if s.loaded == nil {
			s.loaded, s.memo = map[StoreRef]*slot{}, certchain.NewMemo(math.MaxInt)
		}
		s.loaded[ref] = at
	}
	memo := s.memo
	s.mu.Unlock()

	at.mu.Lock()
	defer at.mu.Unlock()
	if at.store != nil {
		return at.store
	}
	st := s.read(ref)
	if !IsUnreadable(st.err) {
		at.store = st
	}
	for _, a := range st.anchors {
		memo.LearnRoot(a.Certificate.Raw) // whose signature checkAnchor has seen to hold
	}
	return st
}

// IsUnreadable reports whether err, of a method of [Stores], says that a file or
// directory could not be read, with the code store.unreadable. What is in it is
// then not known, and trying again may help.
func IsUnreadable(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the tree is walked here
		return slices.ContainsFunc(joined.Unwrap(), IsUnreadable)
	}
	return reason.Of(err) == reason.StoreUnreadable
}

// read loads ref.
func (s *Stores) read(ref StoreRef) *store {
	st := new(store)
	var found []Anchor
	var err error
	if s.fsys != nil {
		found, st.warnings, err = readStore(s.fsys, ref)
	} else {
		found, err = s.fromMemory(ref)
	}
	if err != nil {
		st.err = err
		return st
	}
	st.index = make(map[thumbprint]int, len(found))
	for _, a := range found {
		sum := sha256.Sum256(a.Certificate.Raw)
		if first, ok := st.index[sum]; ok {
			if a.File != "" {
				st.warnings = append(st.warnings, ignored(a.File, "its certificate is also in "+plain(st.anchors[first].File)))
			}
			continue
		}
		st.index[sum] = len(st.anchors)
		st.anchors = append(st.anchors, a)
	}
	return st
}

func (s *Stores) fromMemory(ref StoreRef) ([]Anchor, error) {
	certs, ok := s.memory[ref]
	switch {
	case !ok:
		return nil, errNotFound(ref)
	case len(certs) == 0:
		return nil, errEmpty(ref)
	case len(certs) > maxCertificatesPerStore:
		return nil, errTooMany(ref)
	}
	var anchors []Anchor
	for _, cert := range certs {
		if err := checkAnchor(ref.Type, cert); err != nil {
			e := *err
			e.Message = "trust store " + ref.String() + ": " + e.Message
			return nil, &e
		}
		anchors = append(anchors, Anchor{Certificate: cert})
	}
	return anchors, nil
}

func errNotFound(ref StoreRef) error {
	return reason.Errorf(reason.StoreNotFound, "there is no trust store %s", ref).
		WithHint("add a certificate to it: notation cert add --type %s --store %s FILE", ref.Type, ref.Name)
}

func errEmpty(ref StoreRef) error {
	return reason.Errorf(reason.StoreEmpty, "trust store %s holds no certificate", ref).
		WithHint("add one: notation cert add --type %s --store %s FILE", ref.Type, ref.Name)
}

func errTooMany(ref StoreRef) error {
	return reason.Errorf(reason.StoreTooLarge, "trust store %s holds more than %d certificates", ref, maxCertificatesPerStore).
		WithHint("trust fewer roots; each of them can vouch for signers")
}

package revocation

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// Recorder keeps the answers that a [Live] has used. It may be shared by
// several. The zero value is ready.
type Recorder struct {
	mu    sync.Mutex
	seen  map[[sha256.Size]byte]bool
	kept  []Recorded
	bytes int
	full  bool
}

// Recorded is an answer as it came, with what it says about itself.
type Recorded struct {
	Answer
	DER    []byte
	Source string // URL that was asked
}

// add keeps an answer, each once. A nil Recorder keeps none.
func (r *Recorder) add(raw []byte, source string) {
	if r == nil {
		return
	}
	a, err := ParseAnswer(raw)
	if err != nil {
		return // it was judged, so this cannot be
	}
	sum := sha256.Sum256(raw)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.seen[sum]:
		return
	case len(r.kept) == MaxEvidence || r.bytes+len(raw) > MaxEvidenceBytes:
		r.full = true
		return
	}
	if r.seen == nil {
		r.seen = map[[sha256.Size]byte]bool{}
	}
	r.seen[sum] = true
	r.bytes += len(raw)
	r.kept = append(r.kept, Recorded{Answer: a, DER: raw, Source: source})
}

// Answers returns what was kept, responses before lists, and those by who was
// asked. The error has the code revocation.too-large: there were more than
// [MaxEvidence], or more than [MaxEvidenceBytes] bytes.
func (r *Recorder) Answers() ([]Recorded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.kept)
	slices.SortFunc(all, func(a, b Recorded) int {
		return cmp.Or(cmp.Compare(b.Method, a.Method), cmp.Compare(a.Source, b.Source), bytes.Compare(a.DER, b.DER))
	})
	if r.full {
		return all, reason.Errorf(reason.RevocationTooLarge, "there are more than %d answers about revocation, or they are longer than %d bytes together", MaxEvidence, MaxEvidenceBytes)
	}
	return all, nil
}

// Answer is what an OCSP response or a revocation list says about itself. Nothing
// of it has been checked.
type Answer struct {
	Method Method
	// By is who says so: for a list its issuer, for a response the name of the
	// responder, both as RFC 4514 prints them, or "key " and the SHA-1 of the
	// responder's key in hex.
	By string
	// Serials are the serial numbers, in hex, that a response is about.
	Serials    []string
	Delta      bool      // a list of changes only
	ThisUpdate time.Time // of a response the first one
	NextUpdate time.Time // likewise; zero: not stated
}

// ParseAnswer reads an OCSP response or a revocation list in DER. Errors have
// the codes revocation.ocsp-syntax, revocation.ocsp-status, revocation.crl-syntax
// and revocation.too-large.
func ParseAnswer(raw []byte) (Answer, error) {
	in := der(raw)
	outer, ok := in.take(tagSequence)
	if !ok || len(in) > 0 {
		return Answer{}, reason.Errorf(reason.RevocationCRLSyntax, "neither an OCSP response nor a revocation list: it is not one DER sequence")
	}
	if !outer.is(tagEnumerated) {
		f, err := frameOf(raw)
		if err != nil {
			return Answer{}, err
		}
		return Answer{Method: CRL, By: dn.Display(f.issuer), Delta: f.base != nil, ThisUpdate: f.this, NextUpdate: f.next}, nil
	}
	r, err := parseOCSP(raw)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Method: OCSP, By: "key " + hex.EncodeToString(r.byKey)}
	if r.byName != nil {
		a.By = dn.Display(r.byName)
	}
	for i := range r.singles {
		s := &r.singles[i]
		a.Serials = append(a.Serials, hex.EncodeToString(s.serial))
		if i == 0 {
			a.ThisUpdate, a.NextUpdate = s.answer.this, s.answer.next
			continue
		}
		// One that does not say how long it holds makes that true of all.
		a.ThisUpdate, a.NextUpdate = earlier(a.ThisUpdate, s.answer.this), earlier(a.NextUpdate, s.answer.next)
	}
	return a, nil
}

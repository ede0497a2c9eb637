package revocation

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/notaryv2/notation/reason"
)

// A Checker learns the revocation status of certificates. It is safe for
// concurrent use.
type Checker interface {
	// Check returns one result for each certificate of the chain but the
	// last, in the order of the chain: leaf first, each followed by its
	// issuer, root last. It must be a chain whose signatures and rules hold.
	// The root vouches for itself and is not checked, so a chain of one has no
	// results, and nothing is known about it.
	Check(ctx context.Context, chain []*x509.Certificate, e Evidence) []Result
}

// Evidence is what came with a signature. Its zero value is none.
type Evidence struct {
	// Authentic is an instant before or at which the signature certainly
	// existed, as somebody trusted says: the end of the range that a verified
	// time stamp gives, or the authentic signing time. The signer's own claim
	// is no such time. Zero if there is none.
	//
	// A certificate whose revocation takes effect after it is good, see
	// [Result.RevokedAt]. A revocation takes effect at its invalidityDate or,
	// if earlier or alone, its revocation date. These dates count if the
	// reason is stated and is one of unspecified, affiliationChanged,
	// superseded and cessationOfOperation. For any other, the key may have
	// been in other or unfaithful hands before, and the revocation holds for
	// all time (RFC 3161 section 4), unless the time is Independent and there
	// is an invalidityDate, or the reason is privilegeWithdrawn.
	Authentic time.Time
	// Independent says that who vouches for Authentic holds no key that the
	// chain certifies, as a time-stamping authority does not for the chain of
	// a signer. It is false for the authority's own chain and for that of a
	// signing authority: a thief of such a key writes the time as well, and it
	// will be one before the theft.
	Independent bool
	// OCSP holds responses and CRLs revocation lists, complete and delta, in
	// DER. They are judged as if they had been fetched. They count where nobody
	// who can be asked gives an answer, and where they are newer than the
	// answer and no better. They may be about any certificates: of each kind the
	// first [MaxEvidence] are looked at, and of those about one certificate ten
	// are judged.
	OCSP, CRLs [][]byte
}

// Status is what is known about a certificate.
type Status uint8

// The statuses. The zero value is not an answer.
const (
	Unavailable Status = iota // there is somebody to ask, and no usable answer
	NoSource                  // nobody can be asked: the certificate names nobody, or outlives what they keep
	Unknown                   // the authority does not know the certificate, or is revoked itself
	Revoked                   // revoked or on hold
	Good                      // not revoked, says somebody entitled to
)

// String returns the name of the status, such as "noSource".
func (s Status) String() string {
	switch s {
	case NoSource:
		return "noSource"
	case Unknown:
		return "unknown"
	case Revoked:
		return "revoked"
	case Good:
		return "good"
	default:
		return "unavailable"
	}
}

// Method is how a status was learned; "" if it was not.
type Method string

// The methods.
const (
	OCSP Method = "OCSP"
	CRL  Method = "CRL"
)

// Reason is why a certificate was revoked, as RFC 5280 section 5.3.1 names it.
// "" means that no reason is stated.
type Reason string

// The reasons. Other numbers read as "unknown".
const (
	Unspecified          Reason = "unspecified"
	KeyCompromise        Reason = "keyCompromise"
	CACompromise         Reason = "cACompromise"
	AffiliationChanged   Reason = "affiliationChanged"
	Superseded           Reason = "superseded"
	CessationOfOperation Reason = "cessationOfOperation"
	CertificateHold      Reason = "certificateHold"
	RemoveFromCRL        Reason = "removeFromCRL"
	PrivilegeWithdrawn   Reason = "privilegeWithdrawn"
	AACompromise         Reason = "aACompromise"

	unknownReason Reason = "unknown"
)

func reasonOf(number byte) Reason {
	names := [...]Reason{
		Unspecified, KeyCompromise, CACompromise, AffiliationChanged, Superseded, CessationOfOperation,
		CertificateHold, unknownReason, RemoveFromCRL, PrivilegeWithdrawn, AACompromise,
	}
	if int(number) < len(names) {
		return names[number]
	}
	return unknownReason
}

// Result is what is known about one certificate.
type Result struct {
	Status Status
	Method Method // that gave the status
	Source string // URL that was asked, even if long ago; "" if Carried
	// RevokedAt is when the certificate was revoked. If the status is Good,
	// the revocation came after the authentic time and does not count.
	RevokedAt      time.Time
	InvalidityDate time.Time // since when the key is thought to be in other hands, if stated
	Reason         Reason
	ThisUpdate     time.Time // since when the answer holds
	NextUpdate     time.Time // until when; zero if an OCSP response does not say
	FromCache      bool
	Carried        bool // the answer is one of [Evidence]
	// Err says why the status is not Good. It is nil if it is.
	Err *reason.Error
}

// answer is what one source says about one certificate.
type answer struct {
	status     Status
	revokedAt  time.Time
	invalidity time.Time // zero if not stated
	reason     Reason
	this, next time.Time
	method     Method
	source     string
	cached     bool
	carried    bool
	silent     bool // a revocation need not be in it any more, see [question.silent]
}

// counts reports whether a revocation holds for a signature that certainly
// existed at the authentic time; see [Evidence].
func (a *answer) counts(q question) bool {
	if q.authentic.IsZero() {
		return true
	}
	from, dated := a.revokedAt, q.independent && (!a.invalidity.IsZero() || a.reason == PrivilegeWithdrawn)
	if !a.invalidity.IsZero() && a.invalidity.Before(from) {
		from = a.invalidity
	}
	switch a.reason {
	case Unspecified, AffiliationChanged, Superseded, CessationOfOperation:
		dated = true
	}
	return !dated || !q.authentic.Before(from)
}

// settle says what an answer means for a signature that certainly existed at
// the authentic time: a revocation that came later is good, and that no
// revocation is told of means nothing where none need be.
func (a answer) settle(q question) answer {
	switch {
	case a.status == Revoked && !a.counts(q):
		a.status = Good
	case a.status == Good && a.silent:
		a.status = NoSource
	}
	return a
}

// silent reports whether an answer as of this, which tells of no revocation,
// leaves open whether there was one, because the certificate or its issuer had
// expired by then.
//
// A list names "all unexpired certificates, within its scope, that have been
// revoked" (RFC 5280 section 5), and good says that no certificate "currently
// within its validity interval is revoked" (RFC 6960 section 2.2). An authority
// that keeps more says so, and since which expiry: by archiveCutoff (RFC 6960
// section 4.4.4) or expiredCertsOnCRL (Rec. ITU-T X.509, extension 2.5.29.60).
// kept is that date, or zero.
//
// For an issuer that has expired nobody can speak: the path to who signed the
// answer must be valid (RFC 5280 section 6.3.3 (f)).
func (q question) silent(this, kept time.Time) bool {
	if this.After(q.issuer.NotAfter) {
		return true
	}
	return this.After(q.cert.NotAfter) && (kept.IsZero() || kept.After(q.cert.NotAfter))
}

// notKept is the fault of a source whose answer is silent.
func notKept(source string) *reason.Error {
	return reason.Errorf(reason.RevocationNotKept, "%s need not tell of a revocation any more, as the certificate or its authority has expired", shown(source))
}

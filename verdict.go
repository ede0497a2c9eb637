package notation

import (
	"fmt"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
)

// Outcome of a verdict, of a signature or of a finding. The zero value is
// Failed.
type Outcome uint8

// The outcomes. A verdict is Passed, Failed ("rejected"), Unsigned, Undecided
// or Skipped; a signature Passed, Failed or Undecided; a finding anything but
// Unsigned.
const (
	Failed    Outcome = iota // checked, and not good enough
	Passed                   // checked, and good
	Logged                   // failed, but the policy only wants that recorded
	Skipped                  // not checked; the reason says why
	Unsigned                 // the artifact certainly has no signature
	Undecided                // could not be checked: something could not be read
)

var outcomeNames = [...]string{
	Failed: "failed", Passed: "passed", Logged: "logged", Skipped: "skipped",
	Unsigned: "unsigned", Undecided: "undecided",
}

// String returns the outcome in one lower-case word. That of a rejected
// verdict is "failed" here; see [Verdict.Word].
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("Outcome(%d)", o)
}

// MarshalText implements [encoding.TextMarshaler] with String.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Check names what a finding is about.
type Check string

// The checks of a signature, in the order of their findings. The first five
// are those of trust policies and always there; CheckMetadata is there if the
// verifier asks for metadata.
const (
	CheckIntegrity          Check = "integrity"
	CheckAuthenticity       Check = "authenticity"
	CheckAuthenticTimestamp Check = "authenticTimestamp"
	CheckExpiry             Check = "expiry"
	CheckRevocation         Check = "revocation"
	CheckMetadata           Check = "metadata"
)

// The checks of an artifact as a whole.
const (
	CheckPolicy    Check = "policy"    // which statement applies, and can it be used
	CheckReference Check = "reference" // which artifact is meant
	CheckDiscovery Check = "discovery" // which signatures there are
	CheckIndex     Check = "index"     // which manifests an index lists, and are they what it says
	CheckCoverage  Check = "coverage"  // does the signature of an index cover the artifact
)

// String returns the check's name, as in JSON and in policy files.
func (c Check) String() string { return string(c) }

// Finding is the result of one check.
type Finding struct {
	Check   Check   `json:"check"`
	Outcome Outcome `json:"outcome"`
	// Reason is a stable code of docs/reason-codes.md; "" if Passed.
	Reason reason.Code `json:"reason,omitempty"`
	// Message says in one sentence what was found. It is safe to print.
	Message string `json:"message,omitempty"`
	// Hint says what a user can do about it; "" if there is nothing to say.
	Hint string `json:"hint,omitempty"`
}

// SignatureVerdict is what was found about one signature. What an envelope
// says about itself is there only if its integrity could be established, and
// is to be believed only if Outcome is Passed. Under a policy that merely logs
// authenticity, Passed says nothing about who signed: Store and Identity are
// empty unless that check has passed.
type SignatureVerdict struct {
	Digest    digest.Digest `json:"digest,omitempty"`    // of the signature manifest; "" for a bare envelope
	MediaType string        `json:"mediaType,omitempty"` // of the envelope
	Outcome   Outcome       `json:"outcome"`

	Subject     string `json:"subject,omitempty"`     // of the signing certificate, RFC 4514, shortened if very long
	Issuer      string `json:"issuer,omitempty"`      // of the signing certificate, RFC 4514
	Fingerprint string `json:"fingerprint,omitempty"` // of the signing certificate, SHA-256, lower-case hex
	Identity    string `json:"identity,omitempty"`    // the trusted identity that matched
	Store       string `json:"store,omitempty"`       // the trust store that holds the root, "ca:NAME"
	Root        string `json:"root,omitempty"`        // subject of the chain's last certificate, RFC 4514

	// Plugin is name and version of the verification plugin that has accepted
	// the signature, if it demands one. Where Identity is empty and Store is
	// not, the plugin has judged the identity.
	Plugin string `json:"plugin,omitempty"`

	Scheme string `json:"scheme,omitempty"` // "notary.x509" or "notary.x509.signingAuthority"
	// SigningTime is what the signer says; with the scheme notary.x509 nothing
	// vouches for it.
	SigningTime time.Time `json:"signingTime,omitzero"`
	Expiry      time.Time `json:"expiry,omitzero"` // zero: none
	// CertificateExpiry is when the first certificate of the chain ends. A good
	// time stamp, or the signing time of an authority, keeps a signature beyond.
	CertificateExpiry time.Time `json:"certificateExpiry,omitzero"`
	// Timestamp is the time stamp, if it was verified and is good.
	Timestamp *Timestamp `json:"timestamp,omitempty"`
	// Metadata is the signed user metadata, unescaped. Of a signature that lacks
	// authenticity it is left out if it is longer than 16 KiB, keys and values.
	Metadata map[string]string `json:"metadata,omitempty"`

	// Findings holds one finding per check, in the order of the Check constants.
	Findings []Finding `json:"findings"`
}

// Timestamp is a verified time stamp.
type Timestamp struct {
	// Time is when the authority says that it saw the signature, and Earliest
	// and Latest are that less and plus its inaccuracy. UTC.
	Time     time.Time `json:"time"`
	Earliest time.Time `json:"earliest"`
	Latest   time.Time `json:"latest"`
	// Policy is the dotted object identifier of the authority's policy.
	Policy      string `json:"policy"`
	Authority   string `json:"authority"`   // subject of its certificate, RFC 4514
	Fingerprint string `json:"fingerprint"` // of its certificate, SHA-256, lower-case hex
	Store       string `json:"store"`       // the trust store that holds its root, "tsa:NAME"
}

// Verdict says what was decided about an artifact and why. It is a plain
// value; its JSON form is specified in specs/verdict.md.
type Verdict struct {
	// Reference is registry/repository@digest; the reference as given if it was
	// not resolved; the digest alone where there is no repository name.
	Reference string `json:"reference"`
	// Artifact is what was verified: media type, digest, size and, where known,
	// artifact type. Zero if the reference was not resolved.
	Artifact oci.Descriptor `json:"artifact,omitzero"`

	// Index is the index that was named and in which the artifact was found; "":
	// the artifact itself was named.
	Index digest.Digest `json:"index,omitempty"`
	// Platform, os/architecture[/variant], is what the artifact is for by the
	// index. Nothing but the index's signature, if it is good, vouches for it;
	// escape it before printing.
	Platform string `json:"platform,omitempty"`
	// CoveredBy is the index by whose signature the artifact passes, having no
	// good one of its own; "" if it has one, or does not pass.
	CoveredBy digest.Digest `json:"coveredBy,omitempty"`
	// CoveringSignature is that signature. Nil if and only if CoveredBy is "".
	CoveringSignature *SignatureVerdict `json:"coveringSignature,omitempty"`

	Scope     string      `json:"scope"`     // the repository that the policy was asked about
	Statement string      `json:"statement"` // name of the policy statement that applied; "": none
	Level     trust.Level `json:"-"`         // of that statement
	Outcome   Outcome     `json:"-"`         // Failed means rejected
	Time      time.Time   `json:"time"`      // the instant for which this was decided, UTC

	// Findings are about the artifact as a whole: no statement applies, the
	// listing failed, the limit was reached. Often there are none.
	Findings []Finding `json:"findings"`
	// Signatures are those looked at, in the order of the registry's listing.
	Signatures []SignatureVerdict `json:"signatures"`
	// NotLookedAt counts the candidates left alone, because one before them
	// passed or because a limit was reached. A candidate may turn out to be no
	// signature.
	NotLookedAt int `json:"notLookedAt"`
}

// Word returns the verdict's outcome in one word: "passed", "rejected",
// "unsigned", "undecided" or "skipped".
func (v Verdict) Word() string {
	if v.Outcome == Failed {
		return "rejected"
	}
	return v.Outcome.String()
}

// Accepted returns the signature that the artifact passes by, or nil: the first
// of its own that passed, or else that of the index that covers it.
func (v Verdict) Accepted() *SignatureVerdict {
	for i := range v.Signatures {
		if v.Signatures[i].Outcome == Passed {
			return &v.Signatures[i]
		}
	}
	return v.CoveringSignature
}

package audit

import (
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Record is what an audit found out about one artifact. Its JSON form, on one
// line, is what runs keep, what shards are merged from, and what every report is
// made of; specs/audit.md specifies it. A Record holds a summary of the verdict
// on the artifact: what is needed to say who signed it, what fails and why, and
// what expires when.
type Record struct {
	// Repository is registry/repository, the scope that the policy was asked
	// about.
	Repository string `json:"repository"`
	// Tags are those that named the artifact when they were listed, in order;
	// none if it was given by its digest.
	Tags []string `json:"tags,omitempty"`
	// MoreTags counts those that are not among Tags, which are at most MaxTags.
	MoreTags int `json:"moreTags,omitzero"`
	// Digest is that of the artifact; "" if a tag could not be resolved or, where
	// there is no tag either, the tags of the repository could not be listed.
	Digest digest.Digest `json:"digest,omitempty"`

	// Outcome is that of the verdict: passed, rejected, unsigned, undecided or
	// skipped.
	Outcome string `json:"outcome"`
	// ExitCode is what 'notation verify' would have returned for it.
	ExitCode int `json:"exitCode"`
	// Statement is the name of the policy's statement that applied; "": none.
	Statement string `json:"statement,omitempty"`
	// Reason, Message and Hint say what stands in the way, if anything does.
	Reason  reason.Code `json:"reason,omitempty"`
	Message string      `json:"message,omitempty"`
	Hint    string      `json:"hint,omitempty"`

	// Signatures are those that were looked at, at most 100.
	Signatures []Signature `json:"signatures,omitempty"`

	// Time is the instant for which it was decided, UTC.
	Time time.Time `json:"time"`
}

// Signature is the part of a Record about one signature. What it says of the
// signer is to be believed only if Outcome is passed.
type Signature struct {
	Digest   digest.Digest  `json:"digest"`
	Outcome  string         `json:"outcome"` // passed, failed or undecided
	Check    notation.Check `json:"check,omitempty"`
	Reason   reason.Code    `json:"reason,omitempty"` // why it did not pass
	Signer   string         `json:"signer,omitempty"` // subject of the certificate, RFC 4514
	Identity string         `json:"identity,omitempty"`
	Store    string         `json:"store,omitempty"`
	Root     string         `json:"root,omitempty"`
	// Expiry is that of the signature, zero if it has none. CertificateExpiry is
	// when the first certificate of the chain ends, and Timestamped says that a
	// good time stamp, or the word of a signing authority, keeps the signature
	// beyond that.
	Expiry            time.Time `json:"expiry,omitzero"`
	CertificateExpiry time.Time `json:"certificateExpiry,omitzero"`
	Timestamped       bool      `json:"timestamped,omitzero"`
}

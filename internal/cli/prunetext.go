package cli

import (
	"time"

	"github.com/notaryv2/notation/prune"
	"github.com/opencontainers/go-digest"
)

// What is to be done with a signature.
const (
	pruneKeep   = "keep"
	pruneDelete = "delete"
)

// pruneDocument is the result of prune.
type pruneDocument struct {
	DryRun    bool          `json:"dryRun"`
	Artifacts []*prunedJSON `json:"artifacts"`

	stopped bool // something could not be decided, so nothing was deleted
	done    bool // what was to go was deleted, or tried to
}

// prunedJSON is what became of the signatures of one artifact.
type prunedJSON struct {
	Requested  string                `json:"requested"` // as typed
	Name       string                `json:"name,omitempty"`
	Signatures []prunedSignatureJSON `json:"signatures"`
	Error      *errorJSON            `json:"error,omitempty"`

	target   target
	artifact digest.Digest
	err      error
}

func (p *prunedJSON) fail(err error) { p.err, p.Error = err, newErrorJSON(err) }

// prunedSignatureJSON is what was to become of a signature, why, and what has.
type prunedSignatureJSON struct {
	Action  string    `json:"action"`
	Why     prune.Why `json:"why"`
	Message string    `json:"message"`
	removalJSON
	Signer string    `json:"signer,omitempty"` // the subject of the certificate
	Time   time.Time `json:"time,omitzero"`    // of signing, as the signature says
}

func newPrunedSignature(d *prune.Decision) prunedSignatureJSON {
	s := prunedSignatureJSON{
		Action: pruneKeep, Why: d.Why, Message: d.Message, removalJSON: removalJSON{Digest: d.Digest, Outcome: prune.Kept},
		Signer: d.Signature.Subject, Time: d.Signature.SigningTime,
	}
	if d.Delete {
		s.Action = pruneDelete
	}
	return s
}

// text shows the same table whether anything is deleted or not.
func (d *pruneDocument) text(p *page) {
	for _, artifact := range d.Artifacts {
		artifact.text(p, d.done)
	}
	switch n := d.count(true); {
	case d.stopped:
		p.styledLine(bad, "Nothing was deleted: see the error.")
	case n == 0:
		p.line("Nothing to delete.")
	case d.done:
		p.line("Deleted %d of %s.", d.removed(), counted(n+d.count(false), "signature"))
	case d.DryRun:
		p.line("Would delete %d of %s; --dry-run changes nothing.", n, counted(n+d.count(false), "signature"))
	}
}

// removed counts the signatures that are no more.
func (d *pruneDocument) removed() (n int) {
	for _, p := range d.Artifacts {
		for _, s := range p.Signatures {
			if s.Outcome == prune.Removed {
				n++
			}
		}
	}
	return n
}

func (p *prunedJSON) text(out *page, done bool) {
	name := p.Name
	if name == "" {
		name = p.Requested
	}
	out.line("%s", name)
	var rows [][]cell
	for i := range p.Signatures {
		s := &p.Signatures[i]
		signed := "-"
		if !s.Time.IsZero() {
			signed = s.Time.UTC().Format(time.RFC3339)
		}
		signer := "-"
		if s.Signer != "" {
			signer = commonName(s.Signer)
		}
		what := cell{text: s.Action}
		switch {
		case done && s.Action == pruneDelete:
			what = s.word()
		case done:
			what.text = "kept"
		}
		rows = append(rows, []cell{what, {text: string(s.Digest)}, {text: signer}, {text: signed}, {text: s.Message}})
	}
	switch {
	case p.Error != nil && len(rows) == 0: // the error says it
	case len(rows) == 0:
		out.line("  no signature is attached")
	default:
		out.table("  ", rows)
	}
}

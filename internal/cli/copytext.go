package cli

import (
	"fmt"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
)

// verification says what was done to verify one side of a copy.
type verification string

const (
	verificationPassed  verification = "passed"
	verificationSkipped verification = "skipped" // the policy says skip
	verificationFailed  verification = "failed"
	notAsked            verification = "off"         // --no-verify
	noPolicyThere       verification = "noPolicy"    // there is no trust policy
	noStatement         verification = "noStatement" // none of the policy applies
	notReached          verification = "notReached"  // it ended before
)

// verificationOf tells a verdict that lets a copy go on from one that was not
// asked for.
func verificationOf(v *verdictJSON) verification {
	if v.Verdict != nil && v.Verdict.Outcome == notation.Passed {
		return verificationPassed
	}
	return verificationSkipped
}

// copyDocument is the result of copy.
type copyDocument struct {
	Source      copySideJSON    `json:"source"`
	Destination copySideJSON    `json:"destination"`
	Artifact    *descriptorJSON `json:"artifact,omitempty"` // what was copied; with --platform, the image
	Tag         string          `json:"tag,omitempty"`      // which names it at the destination

	Required  []copyRequiredJSON `json:"required,omitempty"`  // what was looked at for --require-artifact-type
	Signature *descriptorJSON    `json:"signature,omitempty"` // the manifest of the signature that --sign has added, or found
	Envelope  *descriptorJSON    `json:"envelope,omitempty"`
	Timestamp *stampedJSON       `json:"timestamp,omitempty"`

	AlreadySigned bool `json:"alreadySigned,omitempty"` // it was found

	Copied    copyTotalsJSON `json:"copied"`
	Skipped   copyTotalsJSON `json:"skipped"`
	Mounted   copyTotalsJSON `json:"mounted"`
	Manifests []copyItemJSON `json:"manifests"`
	Blobs     []copyItemJSON `json:"blobs"`
	Took      int64          `json:"milliseconds"` // from the first request on

	whole bool   // all is there, and the tag, if there was to be one
	tag   string // that was to be moved
}

type copySideJSON struct {
	Name         string       `json:"name,omitempty"`
	Verification verification `json:"verification"`
	Verdict      *verdictJSON `json:"verdict,omitempty"`
}

type copyRequiredJSON struct {
	ArtifactType string `json:"artifactType"`
	copySideJSON
}

type copyTotalsJSON struct {
	Manifests int   `json:"manifests"`
	Blobs     int   `json:"blobs"`
	Size      int64 `json:"size"`
}

type copyItemJSON struct {
	descriptorJSON
	ArtifactType string         `json:"artifactType,omitempty"`
	Action       promote.Action `json:"action"`
}

func newCopyDocument() *copyDocument {
	return &copyDocument{
		Source: copySideJSON{Verification: notReached}, Destination: copySideJSON{Verification: notReached},
		Manifests: []copyItemJSON{}, Blobs: []copyItemJSON{},
	}
}

// without says of both sides why they are not verified.
func (d *copyDocument) without(why verification) {
	d.Source.Verification, d.Destination.Verification = why, why
}

// begin names the artifact.
func (d *copyDocument) begin(c *copying, root oci.Descriptor) {
	d.Artifact = newDescriptor(bare(root))
	d.Source.Name, d.Destination.Name = c.src.name(root.Digest), c.dst.name(root.Digest)
	d.tag = c.dst.ref.Tag()
}

// took says how long it has taken.
func (d *copyDocument) took(t time.Duration) { d.Took = t.Milliseconds() }

// fill says what is at the destination.
func (d *copyDocument) fill(c *copying, report *promote.Report, whole bool) {
	d.whole, d.Tag = whole, report.Tag
	d.Artifact = newDescriptor(report.Root)
	d.Destination.Name = c.dst.name(report.Root.Digest)
	for action, totals := range map[promote.Action]*copyTotalsJSON{promote.Copied: &d.Copied, promote.Skipped: &d.Skipped, promote.Mounted: &d.Mounted} {
		t := report.Totals(action)
		*totals = copyTotalsJSON{Manifests: t.Manifests, Blobs: t.Blobs, Size: t.Bytes}
	}
	for _, item := range report.Manifests {
		d.Manifests = append(d.Manifests, newCopyItem(item))
	}
	for _, item := range report.Blobs {
		d.Blobs = append(d.Blobs, newCopyItem(item))
	}
}

func newCopyItem(i promote.Item) copyItemJSON {
	return copyItemJSON{descriptorJSON: *newDescriptor(i.Descriptor), ArtifactType: artifactTypeOf(i.Descriptor), Action: i.Action}
}

func (d *copyDocument) text(p *page) {
	if !d.whole {
		d.failureText(p)
		return
	}
	d.Source.text(p)
	for _, r := range d.Required {
		if r.Verification == verificationPassed {
			r.text(p)
		}
	}
	d.Destination.text(p)
	if d.Signature != nil {
		done := "Successfully signed" // scripts look for it at the beginning of a line
		if d.AlreadySigned {
			done = "Already signed"
		}
		p.line("%s %s", done, d.Destination.Name)
		p.line("  signature %s", d.Signature.Digest)
		d.Timestamp.text(p)
	}
	p.line("Copied %s", d.Source.Name)
	p.line("  to %s", d.Destination.Name)
	d.totalsText(p)
	if d.Tag == "" {
		p.line("  no tag was moved, as none was given")
		return
	}
	p.line("  tag %s names it now", d.Tag)
}

// failureText shows the verdict that stopped the copy, and what is there.
func (d *copyDocument) failureText(p *page) {
	for _, side := range []copySideJSON{d.Source, d.Destination} {
		if side.Verification == verificationFailed {
			side.text(p)
		}
	}
	for _, r := range d.Required {
		if r.Verification == verificationFailed && len(d.Manifests) == 0 {
			r.text(p)
		}
	}
	if len(d.Manifests)+len(d.Blobs) == 0 {
		return // an error says what became of it
	}
	p.styledLine(bad, "Not finished %s", d.Destination.Name)
	d.totalsText(p)
	if d.Signature != nil && !d.AlreadySigned {
		p.line("  signature %s was added", d.Signature.Digest)
	}
	switch {
	case d.Tag != "": // another artifact of a bundle was not finished
		p.line("  tag %s names it now", d.Tag)
	case d.tag != "":
		p.line("  tag %s was not moved", d.tag)
	}
}

func (d *copyDocument) totalsText(p *page) {
	var rows [][]cell
	for _, r := range []struct {
		action promote.Action
		copyTotalsJSON
	}{{promote.Copied, d.Copied}, {promote.Skipped, d.Skipped}, {promote.Mounted, d.Mounted}} {
		if r.copyTotalsJSON != (copyTotalsJSON{}) || r.action == promote.Copied {
			rows = append(rows, row(string(r.action), counted(r.Manifests, "manifest"), counted(r.Blobs, "blob"), bytesText(r.Size)))
		}
	}
	p.table("  ", rows)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// text says how one side was verified, or that it was not, and why.
func (s *copySideJSON) text(p *page) {
	why := ""
	switch s.Verification {
	case notAsked:
		why = "--no-verify was given"
	case noPolicyThere:
		why = "there is no trust policy"
	case noStatement:
		why = "no statement of the trust policy applies"
	case notReached:
		return
	default:
		s.Verdict.text(p)
		return
	}
	p.styledLine(warned, "%s not verified: %s", s.Name, why)
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Bounds on what is told of a run of sign on standard error. The results
// themselves are all told.
const (
	maxSignErrors = 100 // that are told apart
	maxSignTags   = 20  // references by tag
)

// maxSpooled is how many bytes of the JSON document are held. What is longer lies
// in a temporary file until the exit code, which comes first in it, is known.
const maxSpooled = 8 << 20

// signDocument is the result of sign. Text is printed as results come, and is
// not held; nor is the JSON form.
type signDocument struct {
	beside func(func()) // has something printed beside what shows the progress
	spool  spool        // of JSON, one result a line
	failed []byte       // text that could not be printed
	tags   int

	signed, skipped, unbegun int
	unsure                   []string
	errs                     manyErrors
	moreErrs                 int
	listErr                  error // why the rest of the list is not known
}

type signedJSON struct {
	Requested string          `json:"requested"` // as typed
	Name      string          `json:"name,omitempty"`
	Artifact  *descriptorJSON `json:"artifact,omitempty"`
	Signature *descriptorJSON `json:"signature,omitempty"` // the signature manifest
	Envelope  *descriptorJSON `json:"envelope,omitempty"`
	Timestamp *stampedJSON    `json:"timestamp,omitempty"`
	Skipped   bool            `json:"skipped,omitempty"`  // it was signed before
	Platform  string          `json:"platform,omitempty"` // for which an index lists it
	Parent    digest.Digest   `json:"parent,omitempty"`   // the index that lists it
	Error     *errorJSON      `json:"error,omitempty"`
}

// descriptorJSON is the part of an OCI descriptor that says what it names.
type descriptorJSON struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
}

func newDescriptor(d envelope.Descriptor) *descriptorJSON {
	return &descriptorJSON{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

func (s *signedJSON) succeed(t target, signed notation.Signed) {
	s.Name = t.name(signed.Artifact.Digest)
	s.Artifact = newDescriptor(signed.Artifact)
	s.Signature = newDescriptor(signed.Signature)
	s.Envelope = newDescriptor(signed.Envelope)
	s.Timestamp = newStamped(signed.Timestamp)
	s.Skipped = signed.Skipped
}

func (s *signedJSON) text(p *page) {
	if s.Signature == nil {
		return // told as an error
	}
	if s.Skipped {
		p.line("Already signed %s", s.Name)
	} else {
		p.line("Successfully signed %s", s.Name) // scripts look for it at the beginning of a line
	}
	if s.Platform != "" {
		p.line("  platform %s", strconv.Quote(s.Platform))
	}
	p.line("  signature %s", s.Signature.Digest)
	s.Timestamp.text(p)
}

// add tells what came of a reference. An error says that it cannot be told.
func (d *signDocument) add(a *app, t signedTarget) error {
	if t.target.ref.Digest() == "" && t.digest != "" {
		if d.tags++; d.tags <= maxSignTags {
			d.beside(func() { a.recommendDigest(t.target, t.digest) })
		}
	}
	p := &page{color: a.colours()}
	var err error
	for i := range t.results {
		s := &t.results[i]
		d.count(s)
		switch {
		case a.format != formatJSON:
			s.text(p)
		case !s.notBegun || d.spool.failed == nil: // the others are many
			err = errors.Join(err, d.keep(s))
		}
	}
	switch {
	case err != nil:
		return err
	case len(d.failed) > 0:
		d.failed = append(d.failed, p.b.Bytes()...)
	case p.b.Len() > 0:
		d.beside(func() { _, err = a.env.Stdout.Write(p.b.Bytes()) })
		if err != nil {
			d.failed = p.b.Bytes()
		}
		return err
	}
	return nil
}

// keep keeps the JSON form of a result. An error says that no more can be kept.
func (d *signDocument) keep(s *signResult) error {
	line, err := marshal(s.signedJSON)
	if err != nil {
		return err
	}
	return d.spool.add(line)
}

func (d *signDocument) count(s *signResult) {
	switch {
	case s.Skipped:
		d.skipped++
	case s.err == nil:
		d.signed++
	case s.notBegun && !isTimeUp(s.err):
		d.unbegun++
		return
	case s.unsure:
		d.unsure = append(d.unsure, s.target.typed)
		return
	}
	if s.err == nil {
		return
	}
	e := refError{named(s.target.typed), s.err}
	if len(d.errs) < maxSignErrors {
		d.errs = append(d.errs, e)
		return
	}
	d.moreErrs++
	if severity[exitCode(s.err)] > severity[exitCode(d.errs.worst().err)] {
		d.errs[maxSignErrors-1] = e // it decides the exit code
	}
}

// end returns the error of a run, which ctx may have ended.
func (d *signDocument) end(ctx context.Context, a *app) error {
	if d.tags > maxSignTags {
		a.warn("there are %d more tags that may be moved to other artifacts; to name these, write the digests", d.tags-maxSignTags)
	}
	if d.moreErrs > 0 {
		d.errs = append(d.errs, refError{"", reworded{text: "there are " + strconv.Itoa(d.moreErrs) + " more errors, each in the result with --output json", err: d.errs.worst().err}})
	}
	if d.unbegun == 0 && len(d.unsure) == 0 || isTimeUp(context.Cause(ctx)) {
		return d.withList(d.errs).asError()
	}
	if d.signed+d.skipped+len(d.errs)+len(d.unsure) == 0 {
		return reason.Errorf(reason.UsageInterrupted, "nothing was signed").WithHint("run it again")
	}
	for _, name := range d.unsure {
		a.warn("%s may be signed, or not: its signature was being stored", named(name))
	}
	text := d.tally()
	if len(d.failed) > 0 {
		a.warn("what is signed could not all be written to standard output: %s", text) // where else would it be said
	}
	interrupted := error(reason.Errorf(reason.UsageInterrupted, "%s", text))
	if err := d.spool.failed; err != nil {
		interrupted = reason.Errorf(reason.UsageInterrupted, "there is no room for more results: %s; %s", err, text).
			WithHint("make room where temporary files are, or name another directory for them with $TMPDIR")
	}
	if all := d.withList(d.errs); len(all) > 0 && exitCode(all) != exitUndecided {
		return append(all, refError{"", interrupted})
	}
	for _, e := range d.errs {
		a.warn("%s", e.Error()) // of an interrupted run one error is shown
	}
	return interrupted
}

// tally says what has become of the artifacts of an interrupted run.
func (d *signDocument) tally() string {
	text := count(d.signed, "artifact") + " signed"
	if d.skipped > 0 {
		text += ", " + strconv.Itoa(d.skipped) + " signed before"
	}
	if failed := len(d.errs) + max(d.moreErrs-1, 0); failed > 0 {
		text += ", " + strconv.Itoa(failed) + " not signed because of errors"
	}
	if len(d.unsure) > 0 {
		text += ", " + strconv.Itoa(len(d.unsure)) + " of which it is not known"
	}
	return text + ", and " + strconv.Itoa(d.unbegun) + " left; run the command again with --skip-if-signed to sign the rest"
}

// withList adds to errors why there is no more of the list.
func (d *signDocument) withList(errs manyErrors) manyErrors {
	if d.listErr != nil {
		errs = append(errs, refError{"", d.listErr})
	}
	return errs
}

func (d *signDocument) text(p *page) { p.raw(string(d.failed)) }

// members implements streamed.
func (d *signDocument) members(w io.Writer) error {
	_, err := io.WriteString(w, `  "signed": [`)
	separator := "\n    "
	for line := range d.spool.lines(&err) {
		var b bytes.Buffer
		b.WriteString(separator)
		separator = ",\n    "
		if err = json.Indent(&b, line, "    ", "  "); err == nil {
			_, err = w.Write(b.Bytes())
		}
		if err != nil {
			return err
		}
	}
	if err == nil {
		end := "\n  ]"
		if separator[0] != ',' {
			end = "]"
		}
		_, err = io.WriteString(w, end)
	}
	return err
}

package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// attachSignatureOptions are the flags of attach-signature.
type attachSignatureOptions struct {
	targets    targetOptions
	timestamps timestampOptions
	revocation revocationOptions
}

func (a *app) attachSignatureCommand() *cobra.Command {
	o := &attachSignatureOptions{}
	cmd := &cobra.Command{
		Use:   "attach-signature REF SIGNATURE... [flags]",
		Short: "Store signatures that were made elsewhere",
		Long: `Store signatures beside the artifact that they were made for, as 'notation sign'
stores its own. Each SIGNATURE is a file with an envelope in JWS or COSE, such as
'notation sign --request' writes.

All files are read first. If one of them is damaged, or was made for another
artifact, nothing is stored. Who has signed is shown; whether that signer is
trusted is what 'notation verify' tells.

A signature that is there already is not stored again. With --timestamp-url, a
signature gets a time stamp if it has none that leads to the given roots; a time
stamp is no part of what was signed.`,
		Example: `  # Store a signature that was made on a machine without network
  notation attach-signature localhost:5000/net-monitor:v1 net-monitor.sig

  # Store two, and have both time-stamped
  notation attach-signature --timestamp-url http://timestamp.example.com --timestamp-root-cert tsa-root.pem localhost:5000/net-monitor:v1 first.sig second.sig

  # Store it in an image layout
  notation attach-signature --oci-layout ./layout:v1 net-monitor.sig`,
	}
	cmd = a.leaf(cmd, 2, -1, func(ctx context.Context, args []string) (document, error) {
		return a.attachSignatures(ctx, cmd, o, args[0], args[1:])
	})
	o.timestamps.register(cmd)
	o.revocation.registerTimeout(cmd)
	cmd.Flags().BoolVar(&o.targets.registry.forceTag, "force-referrers-tag", false, "write the referrers tag also where the registry has the referrers API")
	o.targets.register(cmd)
	return cmd
}

func (a *app) attachSignatures(ctx context.Context, cmd *cobra.Command, o *attachSignatureOptions, typed string, files []string) (document, error) {
	t, err := o.targets.parse(typed)
	if err != nil {
		return nil, err
	}
	settings, err := a.settings()
	if err != nil {
		return nil, err
	}
	dirs, _ := a.dirs() // without which there are no trust stores to find roots in
	client, err := o.timestamps.client(ctx, a, cmd, dirs, settings)
	if err != nil {
		return nil, err
	}
	options := notation.AttachOptions{Timestamp: client, Revocation: o.revocation.checker(a), Now: a.env.Now}
	doc := &attachSignatureDocument{Attached: make([]attachedSignatureJSON, len(files))}
	signatures, err := doc.open(ctx, files)
	if err != nil {
		return doc, err
	}
	repo, err := a.openOne(ctx, &o.targets, t, "")
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.network(ctx)
	defer cancel()
	artifact, err := repo.Resolve(ctx, t.ref)
	if err != nil {
		return nil, err
	}
	doc.Name, doc.Artifact = t.name(artifact.Digest), newDescriptor(artifact)
	if err := doc.each(ctx, func(i int) error { return signatures[i].CheckStored(ctx, repo, artifact) }); err != nil {
		return doc, err
	}
	a.recommendDigest(t, artifact.Digest)
	return doc, doc.each(ctx, func(i int) error {
		return o.timestamps.hide(doc.Attached[i].attach(ctx, a, repo, t.ref.WithDigest(artifact.Digest), signatures[i], o.without(options, signatures[i])))
	})
}

// without leaves out the time stamp that only config.json asks for where no
// verifier would look at it.
func (o *attachSignatureOptions) without(options notation.AttachOptions, s *notation.DetachedSignature) notation.AttachOptions {
	if !o.timestamps.demanded() && s.Info().Scheme == envelope.SchemeSigningAuthority.String() {
		options.Timestamp = nil
	}
	return options
}

// attachSignatureDocument is the result of attach-signature.
type attachSignatureDocument struct {
	Name     string                  `json:"name,omitempty"`
	Artifact *descriptorJSON         `json:"artifact,omitempty"`
	Attached []attachedSignatureJSON `json:"attached"`
}

type attachedSignatureJSON struct {
	detachedJSON
	Signature *descriptorJSON `json:"signature,omitempty"` // the signature manifest
	Skipped   bool            `json:"skipped,omitempty"`   // it was there before
	Error     *errorJSON      `json:"error,omitempty"`
}

// open reads all the files.
func (d *attachSignatureDocument) open(ctx context.Context, files []string) ([]*notation.DetachedSignature, error) {
	all := make([]*notation.DetachedSignature, len(files))
	for i, file := range files {
		d.Attached[i].Path = file
	}
	return all, d.each(ctx, func(i int) error {
		raw, err := readNamed(ctx, files[i], envelope.MaxSize)
		if err != nil {
			return err
		}
		if all[i], err = notation.OpenSignature("", raw); err != nil {
			return err
		}
		d.Attached[i].detachedJSON = *newDetached(files[i], all[i])
		return nil
	})
}

// each calls do for every file and collects the errors under their names.
func (d *attachSignatureDocument) each(ctx context.Context, do func(i int) error) error {
	files := make([]target, len(d.Attached))
	for i := range files {
		files[i].typed = d.Attached[i].Path
	}
	return each(ctx, files, func(i int, _ target) error {
		err := do(i)
		d.Attached[i].Error = newErrorJSON(err)
		return err
	})
}

// attach stores one signature.
func (s *attachedSignatureJSON) attach(ctx context.Context, a *app, repo oci.Repository, ref oci.Reference, d *notation.DetachedSignature, o notation.AttachOptions) error {
	attached, err := notation.AttachSignature(ctx, repo, ref, d, o)
	if err != nil {
		return err
	}
	s.Signature, s.Envelope = newDescriptor(attached.Signature), newDescriptor(attached.Envelope)
	s.Timestamp, s.Skipped = newStamped(attached.Timestamp), attached.Already
	for _, w := range attached.Warnings {
		a.warn("%s: verifiers may not accept it: %s", named(s.Path), w)
	}
	return nil
}

func (d *attachSignatureDocument) text(p *page) {
	for i := range d.Attached {
		s := &d.Attached[i]
		switch {
		case s.Signature == nil:
			continue // told as an error
		case s.Skipped:
			p.line("Already attached to %s: signature %s", d.Name, s.Signature.Digest)
		default:
			p.line("Attached to %s: signature %s", d.Name, s.Signature.Digest)
		}
		p.table("  ", append([][]cell{row("file", s.Path)}, s.rows()...))
	}
}

// detachedJSON is a signature in a file, with what it says about itself.
type detachedJSON struct {
	Path        string            `json:"path"`
	Envelope    *descriptorJSON   `json:"envelope,omitempty"`
	Signer      *signerJSON       `json:"signer,omitempty"`
	Scheme      string            `json:"signingScheme,omitempty"`
	SigningTime time.Time         `json:"signingTime,omitzero"`
	Expiry      time.Time         `json:"expiry,omitzero"`
	Metadata    map[string]string `json:"userMetadata,omitempty"`
	Timestamp   *stampedJSON      `json:"timestamp,omitempty"`
}

// signerJSON is who a signature says has made it.
type signerJSON struct {
	Subject     string `json:"subject"`
	Issuer      string `json:"issuer"`
	Root        string `json:"root"`
	Fingerprint string `json:"fingerprint"`
}

func newDetached(path string, s *notation.DetachedSignature) *detachedJSON {
	info, raw := s.Info(), s.Envelope()
	return &detachedJSON{
		Path:     path,
		Envelope: &descriptorJSON{MediaType: s.MediaType(), Digest: digest.FromBytes(raw), Size: int64(len(raw))},
		Signer:   &signerJSON{info.Subject, info.Issuer, info.Root, info.Fingerprint},
		Scheme:   info.Scheme, SigningTime: info.SigningTime, Expiry: info.Expiry, Metadata: info.Metadata,
	}
}

// rows show a signature.
func (s *detachedJSON) rows() [][]cell {
	rows := [][]cell{
		row("envelope", contentText(*s.Envelope)),
		row("signer", s.Signer.Subject),
		row("fingerprint", s.Signer.Fingerprint),
		row("root", s.Signer.Root),
	}
	if !s.SigningTime.IsZero() {
		rows = append(rows, row("signed at", printedTime(s.SigningTime)))
	}
	rows = append(rows, metadataRows(s.Metadata)...)
	if !s.Expiry.IsZero() {
		rows = append(rows, row("expires at", printedTime(s.Expiry)))
	}
	if s.Timestamp != nil {
		rows = append(rows, row("time stamp", s.Timestamp.Time.Format(time.RFC3339Nano)+" by "+s.Timestamp.Authority))
	}
	return rows
}

func metadataRows(metadata map[string]string) [][]cell {
	var rows [][]cell
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		rows = append(rows, row("metadata", strconv.Quote(key)+"="+strconv.Quote(metadata[key])))
	}
	return rows
}

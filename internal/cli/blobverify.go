package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// blobVerifyOptions are the flags of blob verify.
type blobVerifyOptions struct {
	signature string
	mediaType string
	statement string
	trust     trustOptions
	judging   judgingOptions
	metadata  []string
}

func (a *app) blobVerifyCommand() *cobra.Command {
	o := &blobVerifyOptions{trust: trustOptions{kind: trust.BlobPolicy}}
	cmd := &cobra.Command{
		Use:   "verify FILE... [flags]",
		Short: "Verify the signatures of files against the trust policy",
		Long: `Verify whether files are signed by someone whom the trust policy for files
trusts.

The signature is looked for beside FILE, as FILE.jws.sig and FILE.cose.sig,
unless --signature names it. If both are there, both are looked at, and one that
passes is enough. The result is one verdict for each file, in their order, and
the worst of them decides the exit code: from best to worst 0, 3, 2, 4, 1. It is
4 where there is no signature beside the file.

FILE is a regular file or a link to one. With - standard input is verified, and
--signature is needed.

` + statelessHelp,
		Example: `  # Verify with the global statement of the trust policy for files
  notation blob verify release.tar.gz

  # Verify with another statement, and demand a media type and signed metadata
  notation blob verify --policy-name releases --media-type application/gzip --user-metadata version=1.0 release.tar.gz

  # Trust one root certificate and one signer under it
  notation blob verify --ca-cert root.pem --identity 'C=US, ST=WA, O=wabbit-networks.io' release.tar.gz

  # Verify what another program pipes in
  notation blob verify --signature release.tar.jws.sig -`,
	}
	cmd = a.leaf(cmd, 1, -1, func(ctx context.Context, args []string) (document, error) {
		return a.blobVerify(ctx, cmd, o, args)
	})
	f := cmd.Flags()
	f.StringVarP(&o.signature, "signature", "s", "", "`FILE` that holds the signature, instead of the one beside the signed file")
	f.StringVar(&o.mediaType, "media-type", "", "`TYPE` that the file must have been signed with; any if not given")
	f.StringVar(&o.statement, "policy-name", "", "`NAME` of the statement of the trust policy to verify with; the global one if not given")
	f.StringArrayVarP(&o.metadata, "user-metadata", "m", nil, "`KEY=VALUE` that must be among the signed metadata; may be given again")
	o.trust.register(cmd)
	o.judging.register(cmd)
	return cmd
}

func (a *app) blobVerify(ctx context.Context, cmd *cobra.Command, o *blobVerifyOptions, args []string) (document, error) {
	switch {
	case o.signature != "" && len(args) > 1:
		return nil, a.usage(cmd, reason.UsageFlag, "--signature names one signature, and there are several files", "verify one file at a time, or put each signature beside its file")
	case o.signature == "" && slices.Contains(args, standardInput):
		return nil, a.usage(cmd, reason.UsageArguments, "standard input has no signature beside it", "name the file of the signature with --signature")
	case o.statement != "" && len(o.trust.caCerts) > 0:
		return nil, a.usage(cmd, reason.UsageFlag, "--ca-cert stands for a policy of one statement, and cannot be mixed with --policy-name", "give one or the other")
	case o.mediaType != "" && !isMediaType(o.mediaType):
		return nil, notMediaType(o.mediaType)
	}
	metadata, err := pairs("user-metadata", o.metadata)
	if err != nil {
		return nil, err
	}
	verifier, err := a.verifier(ctx, cmd, &o.trust)
	if err != nil {
		return nil, err
	}
	if err := o.named(verifier.Policy); err != nil {
		return nil, err
	}
	if err := o.judging.apply(ctx, a, verifier); err != nil {
		return nil, err
	}
	verifier.Now, verifier.Metadata = a.env.Now, metadata
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	budget.run()
	doc := &blobVerifyDocument{Verdicts: make([]blobVerdictJSON, len(args))}
	plain := &verifyDocument{Verdicts: make([]verdictJSON, len(args))}
	for i, arg := range args {
		doc.Verdicts[i] = a.verifyBlob(ctx, budget, verifier, o, arg)
		plain.Verdicts[i] = doc.Verdicts[i].verdictJSON
	}
	a.storeWarnings(verifier, plain.applied)
	for _, v := range plain.Verdicts {
		if v.Verdict != nil {
			a.warnLenient(v, len(metadata) > 0)
		}
	}
	return doc, plain.errors(o.trust.store)
}

// named reports that there is no statement of the name that was asked for, which
// the user has mistyped. Nothing is rejected for that.
func (o *blobVerifyOptions) named(policy *trust.Policy) error {
	if o.statement == "" {
		return nil
	}
	if _, err := policy.ForBlob(o.statement); err != nil {
		var names []string
		for _, s := range policy.Statements()[:min(len(policy.Statements()), 10)] {
			names = append(names, s.Name())
		}
		return reason.Errorf(reason.UsageFlag, "flag '--policy-name' cannot be %s: the trust policy has no statement of that name", quote(o.statement)).
			WithHint("name one that it has, such as %s; 'notation blob policy show' shows all", quotedOr(names))
	}
	return nil
}

// verifyBlob decides about one blob.
func (a *app) verifyBlob(ctx context.Context, budget *budget, verifier *notation.Verifier, o *blobVerifyOptions, typed string) blobVerdictJSON {
	t := target{typed: blobName(typed)}
	signatures, err := o.signatures(ctx, typed)
	if err == nil {
		err = context.Cause(ctx)
	}
	var verdict *notation.Verdict
	if err == nil {
		verdict, err = a.judgeBlob(ctx, budget, verifier, o, typed, signatures)
	}
	out := blobVerdictJSON{verdictJSON: newVerdict(t, nil, err), Signatures: []signatureFileJSON{}}
	out.Requested, out.Verdict, out.Name = typed, verdict, t.typed
	for _, s := range signatures {
		if verdict == nil || verdict.Statement == "" || verdict.Outcome == notation.Skipped {
			break // nothing was looked at
		}
		out.Signatures = append(out.Signatures, signatureFileJSON{Path: s.path, Digest: digest.FromBytes(s.content)})
	}
	return out
}

// signatureFile is a signature that was read from a file.
type signatureFile struct {
	path    string
	content []byte
}

// signatures reads the signature that was named, or those beside the blob. That
// there is none is no error; that one cannot be read is.
func (o *blobVerifyOptions) signatures(ctx context.Context, typed string) ([]signatureFile, error) {
	if typed != standardInput {
		if _, err := statBlob(typed); err != nil {
			return nil, err
		}
	}
	if o.signature != "" {
		content, err := readNamed(ctx, o.signature, envelope.MaxSize)
		if err != nil {
			return nil, err
		}
		return []signatureFile{{o.signature, content}}, nil
	}
	var found []signatureFile
	for _, f := range []signatureFormat{formatJWS, formatCOSE} {
		path := signaturePath(typed, "", f)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue // nothing else means that there is none
		}
		content, err := atomicfile.ReadLinked(path, envelope.MaxSize)
		if err != nil {
			return nil, err
		}
		found = append(found, signatureFile{path, content})
	}
	return found, nil
}

// judgeBlob has each signature judged, and joins the verdicts.
func (a *app) judgeBlob(ctx context.Context, budget *budget, verifier *notation.Verifier, o *blobVerifyOptions, typed string, signatures []signatureFile) (*notation.Verdict, error) {
	if len(signatures) == 0 {
		return a.unsignedBlob(ctx, verifier, o, typed)
	}
	judged := make([]blobJudgement, len(signatures))
	for i, s := range signatures {
		judged[i].verdict, judged[i].err = a.judgeSignature(ctx, budget, verifier, o, typed, s)
		if judged[i].verdict == nil {
			return nil, judged[i].err // the blob itself cannot be read
		}
		for n := range judged[i].verdict.Signatures { // by which text and JSON tell them apart
			judged[i].verdict.Signatures[n].Digest = digest.FromBytes(s.content)
		}
	}
	return joinJudgements(judged)
}

func (a *app) judgeSignature(ctx context.Context, budget *budget, verifier *notation.Verifier, o *blobVerifyOptions, typed string, s signatureFile) (*notation.Verdict, error) {
	b, err := a.openBlob(ctx, typed, budget)
	if err != nil {
		return nil, err
	}
	defer b.close()
	envelopeType := envelopeTypeOf(s.path, s.content)
	verdict, err := verifier.VerifyBlob(ctx, b, s.content, notation.VerifyBlobOptions{
		Statement: o.statement, MediaType: o.mediaType, EnvelopeType: envelopeType, Name: b.name,
	})
	return verdict, reword(verdict, err, o.trust.wording, o.judging.wording, mediaTypeWording(verdict, o.mediaType, envelopeType, s.content))
}

// blobJudgement is what came of one signature.
type blobJudgement struct {
	verdict *notation.Verdict
	err     error
}

// rank orders outcomes of several signatures of one blob: one that passes is
// enough, and one that could not be decided may be good.
func (j blobJudgement) rank() int {
	order := []notation.Outcome{notation.Failed, notation.Undecided, notation.Skipped, notation.Passed}
	return slices.Index(order, j.verdict.Outcome)
}

// reached counts the checks that the signature passed before the first that it
// failed.
func (j blobJudgement) reached() int {
	for _, s := range j.verdict.Signatures {
		if i := slices.IndexFunc(s.Findings, func(f notation.Finding) bool { return f.Outcome == notation.Failed }); i >= 0 {
			return i
		}
	}
	return -1
}

// joinJudgements returns the best verdict, or of several that reject the one
// that comes closest, with the signatures of all.
func joinJudgements(all []blobJudgement) (*notation.Verdict, error) {
	best := slices.MaxFunc(all, func(a, b blobJudgement) int {
		if a.rank() != b.rank() {
			return a.rank() - b.rank()
		}
		return a.reached() - b.reached()
	})
	var signatures []notation.SignatureVerdict
	for _, j := range all {
		signatures = append(signatures, j.verdict.Signatures...)
	}
	best.verdict.Signatures = signatures
	return best.verdict, best.err
}

// unsignedBlob is the verdict on a blob without a signature beside it. As of an
// artifact in a registry, the trust policy has the first word.
func (a *app) unsignedBlob(ctx context.Context, verifier *notation.Verifier, o *blobVerifyOptions, typed string) (*notation.Verdict, error) {
	statement, err := verifier.Policy.ForBlob(o.statement)
	if err != nil || statement.Level() == trust.SkipAll {
		return verifier.VerifyBlob(ctx, nil, nil, notation.VerifyBlobOptions{Statement: o.statement, Name: typed})
	}
	cause := reason.Errorf(reason.VerifyUnsigned, "there is neither %q nor %q", signaturePath(typed, "", formatJWS), signaturePath(typed, "", formatCOSE)).
		WithHint("name the signature with --signature, or have the file signed with 'notation blob sign'")
	verdict := &notation.Verdict{
		Reference: typed, Statement: statement.Name(), Level: statement.Level(), Outcome: notation.Unsigned, Time: a.env.Now().UTC(),
		Findings: []notation.Finding{{
			Check: notation.CheckDiscovery, Outcome: notation.Failed, Reason: cause.Code, Message: cause.Error(), Hint: cause.Hint,
		}},
	}
	return verdict, &notation.VerdictError{Verdict: verdict, Cause: cause}
}

// blobVerifyDocument is the result of blob verify.
type blobVerifyDocument struct {
	Verdicts []blobVerdictJSON `json:"verdicts"`
}

// blobVerdictJSON is what was decided about one blob.
type blobVerdictJSON struct {
	verdictJSON
	Signatures []signatureFileJSON `json:"signatureFiles"` // those looked at
}

type signatureFileJSON struct {
	Path   string        `json:"path"`
	Digest digest.Digest `json:"digest"` // as in the verdict
}

func (d *blobVerifyDocument) text(p *page) {
	for i, v := range d.Verdicts {
		if i > 0 {
			p.line("")
		}
		v.text(p)
	}
}

// text shows the verdict, then what exactly it is about.
func (v blobVerdictJSON) text(p *page) {
	v.verdictJSON.text(p)
	if v.Verdict == nil {
		return
	}
	if d := v.Verdict.Artifact; d.Digest != "" {
		p.line("  file %s, %s, %s", d.MediaType, count(int(d.Size), "byte"), d.Digest)
	}
	for _, s := range v.Signatures {
		p.line("  signature %s %s", shortDigest(s.Digest), s.Path)
	}
}

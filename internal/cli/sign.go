package cli

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// signOptions are the flags of sign.
type signOptions struct {
	targets  targetOptions
	key      string
	format   signatureFormat
	expiry   spanFlag
	metadata []string
}

// signatureFormat is the value of --signature-format.
type signatureFormat string

const (
	formatJWS  signatureFormat = "jws"
	formatCOSE signatureFormat = "cose"
)

// mediaType returns the envelope's media type.
func (f signatureFormat) mediaType() string {
	if f == formatCOSE {
		return envelope.MediaTypeCOSE
	}
	return envelope.MediaTypeJWS
}

func (a *app) signCommand() *cobra.Command {
	o := &signOptions{}
	cmd := &cobra.Command{
		Use:   "sign REF... [flags]",
		Short: "Sign artifacts",
		Long: `Sign artifacts and store the signatures beside them in the registry.

REF is registry/repository@digest or registry/repository:tag. A tag is resolved
once; what is signed is the digest that it named, which is printed. The artifact
and its tags do not change, and earlier signatures stay.

Each signature is read back the way a verifier will look for it. If it is not
found, the command fails.`,
		Example: `  # Sign with the default key
  notation sign localhost:5000/net-monitor@sha256:9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7

  # Sign with another key, in COSE, for 30 days, with metadata
  notation sign --key release --signature-format cose --expiry 30d --user-metadata buildId=101 localhost:5000/net-monitor:v1

  # Sign every reference that another program prints; tags are refused
  notation sign --require-digest --from-file - --output json

  # Sign an artifact in an image layout
  notation sign --oci-layout ./layout:v1`,
	}
	cmd = a.leaf(cmd, 0, -1, func(ctx context.Context, args []string) (document, error) {
		return a.sign(ctx, cmd, o, args)
	})
	f := cmd.Flags()
	f.StringVarP(&o.key, "key", "k", "", "`NAME` of the key, as in 'notation key list'; the default key if not given")
	f.Var(&choice[signatureFormat]{&o.format, []signatureFormat{formatJWS, formatCOSE}, nil}, "signature-format", "jws or cose (default: signatureFormat of config.json, else jws)")
	f.VarP(&o.expiry, "expiry", "e", "time after which the signature no longer counts, such as 12h or 30d; never if not given")
	f.StringArrayVarP(&o.metadata, "user-metadata", "m", nil, "`KEY=VALUE` to be signed with the artifact; may be given again")
	f.BoolVar(&o.targets.registry.forceTag, "force-referrers-tag", false, "write the referrers tag also where the registry has the referrers API")
	o.targets.registerMany(cmd)
	a.unsupported(cmd, "plugins", "plugin", "id", "plugin-config")
	a.unsupported(cmd, "time stamps", "timestamp-url", "timestamp-root-cert")
	completions(cmd, "signature-format", string(formatJWS), string(formatCOSE))
	_ = cmd.RegisterFlagCompletionFunc("key", a.completeKeys)
	return cmd
}

func (a *app) sign(ctx context.Context, cmd *cobra.Command, o *signOptions, args []string) (document, error) {
	targets, err := a.targets(ctx, cmd, &o.targets, args)
	if err != nil {
		return nil, err
	}
	metadata, err := pairs("user-metadata", o.metadata)
	if err != nil {
		return nil, err
	}
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	settings, err := dirs.Settings()
	if err != nil {
		return nil, err
	}
	key, err := a.signer(dirs, o.key)
	if err != nil {
		return nil, err
	}
	open, err := a.opener(ctx, &o.targets, targets...)
	if err != nil {
		return nil, err
	}
	options := notation.SignOptions{
		MediaType: cmp.Or(o.format, signatureFormat(settings.SignatureFormat), formatJWS).mediaType(),
		Expiry:    time.Duration(o.expiry),
		Metadata:  metadata,
		Agent:     "notation/" + buildVersion().Version,
		Now:       a.env.Now,
	}
	ctx, cancel := a.network(ctx)
	defer cancel()
	doc := &signDocument{Signed: make([]signedJSON, len(targets))}
	// One after another: the referrers of an artifact that is named twice are
	// then written in order.
	return doc, each(ctx, targets, func(i int, t target) error {
		doc.Signed[i].Requested = t.typed
		repo, err := open(t, "")
		if err == nil {
			var signed notation.Signed
			if signed, err = notation.Sign(ctx, repo, t.ref, key, options); err == nil {
				doc.Signed[i].succeed(t, signed)
				a.recommendDigest(t, signed.Artifact.Digest)
			}
		}
		doc.Signed[i].Error = newErrorJSON(err)
		return err
	})
}

// signer opens a key of the user's by name, or the default key for "".
func (a *app) signer(dirs config.Dirs, name string) (signer.Signer, error) {
	keys, err := dirs.SigningKeys()
	if err != nil {
		return nil, err
	}
	find := keys.Default
	if name != "" {
		find = func() (config.Key, error) { return keys.Find(name) }
	}
	key, err := find()
	if err != nil {
		return nil, err
	}
	if !key.IsLocal() {
		return nil, reason.Errorf(reason.UsageUnsupported, "key %q is held by plugin %q, and this version does not support plugins", key.Name, key.PluginName).
			WithHint("name another key with --key, or use a later version")
	}
	a.log.Debug("signing key", "name", key.Name, "file", key.KeyPath)
	return a.openKey(key.KeyPath, key.CertPath)
}

// openKey reads a private key and its certificate chain.
func (a *app) openKey(keyPath, certPath string) (signer.Signer, error) {
	key, err := atomicfile.ReadLinked(keyPath, config.MaxKeyFileBytes)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if w := config.ReadableByOthers(keyPath); w != "" {
		a.warn("%s", w)
	}
	certs, err := atomicfile.ReadLinked(certPath, config.MaxCertificateFileBytes)
	if err != nil {
		return nil, err
	}
	s, err := signer.FromPEM(key, certs)
	if err != nil {
		switch area, _, _ := strings.Cut(string(reason.Of(err)), "."); {
		case area == "cert", reason.Of(err) == reason.SignerCertificates, reason.Of(err) == reason.SignerChain, reason.Of(err) == reason.SignerCertificateTime:
			return nil, config.InFile(certPath, err)
		}
		return nil, config.InFile(keyPath, err)
	}
	return s, nil
}

// signDocument is the result of sign.
type signDocument struct {
	Signed []signedJSON `json:"signed"`
}

type signedJSON struct {
	Requested string          `json:"requested"` // as typed
	Name      string          `json:"name,omitempty"`
	Artifact  *descriptorJSON `json:"artifact,omitempty"`
	Signature *descriptorJSON `json:"signature,omitempty"` // the signature manifest
	Envelope  *descriptorJSON `json:"envelope,omitempty"`
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
}

func (d *signDocument) text(p *page) {
	for _, s := range d.Signed {
		if s.Name == "" {
			continue // told as an error
		}
		p.line("Successfully signed %s", s.Name) // scripts look for it at the beginning of a line
		p.line("  signature %s", s.Signature.Digest)
	}
}

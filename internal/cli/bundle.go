package cli

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// bundleArgument is how a bundle is called in usage lines.
const bundleArgument = "FILE.tar"

func (a *app) bundleCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "bundle",
		Short: "Carry artifacts into a network that nothing else gets into",
		Long: `Carry artifacts with their signatures in a file.

A bundle is an OCI image layout as a tarball, which other tools read too. It
holds artifacts with all that is attached to them and, if wanted, the answers
about revocation that are needed to verify them where nobody can be asked, and
a trust policy with its trust stores.

Whoever has the file in hand can change it. That does not make anything in it
pass: artifacts are verified against the trust policy of who receives them, and
answers about revocation are signed by the authorities. But nothing vouches for
a trust policy that came in the same file as what it is to judge, so none is
used by itself; see 'notation bundle trust'.`,
		Example: `  # On the connected side
  notation bundle export -o net-monitor.tar --with-revocation localhost:5000/net-monitor:v1

  # On the isolated side
  notation bundle import --offline net-monitor.tar registry.internal:5000`,
	}, a.bundleExportCommand(), a.bundleImportCommand(), a.bundleShowCommand(), a.bundleTrustCommand())
}

func (a *app) bundleShowCommand() *cobra.Command {
	return a.leaf(&cobra.Command{
		Use:   "show " + bundleArgument,
		Short: "Show what is in a bundle",
		Long: `Show what a bundle says that it holds: artifacts, where they came from, and
their sizes; answers about revocation, and until when they hold; the trust
policy and the fingerprints of the certificates in its stores.

Nothing of that is verified. That the bundle is an image layout, and that the
manifests it names are there, is.`,
		Example: `  # What is in a bundle
  notation bundle show net-monitor.tar

  # Its digests, for a script
  notation bundle show --output json net-monitor.tar`,
	}, 1, 1, func(ctx context.Context, args []string) (document, error) {
		b, err := bundle.Open(ctx, args[0])
		if err != nil {
			return nil, err
		}
		return a.describeBundle(ctx, args[0], b)
	})
}

// describeBundle reads what a bundle says of itself.
func (a *app) describeBundle(ctx context.Context, path string, b *bundle.Bundle) (*bundleDocument, error) {
	e, err := b.Evidence(ctx)
	if err != nil {
		return nil, err
	}
	a.warnSome(e.Warnings, "answers about revocation that cannot be read")
	t, err := b.Trust(ctx)
	if err != nil {
		a.warn("the trust policy and stores in %s cannot be used: %s", named(path), err)
		t = nil
	}
	doc := newBundleDocument(path, &b.Contents, e.Answers, t, a.env.Now())
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		doc.Size = info.Size()
	}
	return doc, nil
}

func (a *app) bundleTrustCommand() *cobra.Command {
	var dir string
	cmd := a.leaf(&cobra.Command{
		Use:   "trust " + bundleArgument + " -o DIR",
		Short: "Take the trust policy and stores out of a bundle, to review them",
		Long: `Write the trust policy and trust stores of a bundle into a new directory, and
print the SHA-256 fingerprint of every certificate.

They came with the artifacts that they are to judge, so whoever could replace
the one could replace the other. Compare the fingerprints, and the policy, with
what you were told in another way. Until then nothing uses them: this command
does not write into the configuration directory. Afterwards, name them with
--policy and --trust-store, or put them in place with 'notation policy import'
and 'notation cert add'.`,
		Example: `  # Take out, compare, then use
  notation bundle trust net-monitor.tar -o reviewed
  notation verify --offline --policy reviewed/trustpolicy.oci.json --trust-store reviewed/truststore --oci-layout net-monitor.tar:v1`,
	}, 1, 1, func(ctx context.Context, args []string) (document, error) {
		return a.bundleTrust(ctx, args[0], dir)
	})
	a.registerOutput(cmd, &dir, "write into `DIR`, which must not exist")
	return cmd
}

func (a *app) bundleTrust(ctx context.Context, path, dir string) (document, error) {
	if dir == "" {
		return nil, reason.Errorf(reason.UsageFlag, "where to write the trust policy and stores is not said").WithHint("add -o DIR, with the name of a new directory")
	}
	if err := a.checkNewDirectory(dir); err != nil {
		return nil, err
	}
	b, err := bundle.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	t, err := b.Trust(ctx)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, reason.Errorf(reason.BundleNoTrust, "%s holds no trust policy", named(path)).
			WithHint("have the policy brought along in another way, or the bundle made with --with-trust")
	}
	if err := writeNewDirectory(a.env.Files, dir, t.Files()); err != nil {
		return nil, err
	}
	doc := &bundleTrustDocument{Path: dir, Policy: filepath.Join(dir, bundle.PolicyFile), TrustStore: filepath.Join(dir, filepath.Dir(filepath.FromSlash(bundle.StoreDir)))}
	doc.Certificates = newBundleTrust(t).Certificates
	return doc, nil
}

// checkNewDirectory refuses a directory that is there, or would be part of the
// configuration: what is carried is trusted by nobody yet.
func (a *app) checkNewDirectory(dir string) error {
	if err := bundle.CheckNew(dir); err != nil {
		return err
	}
	dirs, err := a.dirs()
	if err != nil {
		return nil // no configuration that could be meant
	}
	if within(resolved(dirs.Config), resolved(dir)) {
		return reason.Errorf(reason.BundleExists, "%s is in the configuration directory, where the trust policy would be used before anybody has looked at it", named(dir)).
			WithHint("name a directory elsewhere, review what is in it, and then use 'notation policy import' and 'notation cert add'")
	}
	return nil
}

// resolved returns a path without symbolic links, as far as it is there.
func resolved(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Clean(path)
	}
	for rest := ""; ; {
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			return filepath.Join(real, rest)
		}
		parent := filepath.Dir(abs)
		if parent == abs {
			return filepath.Join(abs, rest)
		}
		abs, rest = parent, filepath.Join(filepath.Base(abs), rest)
	}
}

// within reports whether a path is a directory or below it. Both are absolute.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// writeNewDirectory writes files, by their names with slashes, into a directory
// that appears when all of them are written.
func writeNewDirectory(w atomicfile.Writer, dir string, files map[string][]byte) (err error) {
	failed := func(err error) error {
		return reason.Wrap(reason.ConfigWrite, pathCause(err), "the directory %s could not be written", quote(dir)).
			WithHint("check the path and who may write there")
	}
	temp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".notation-trust-*")
	if err != nil {
		return failed(err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(temp)
		}
	}()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		path := filepath.Join(temp, filepath.FromSlash(name))
		if err := w.MkdirAll(filepath.Dir(path)); err != nil {
			return failed(err)
		}
		if err := w.Create(path, files[name], atomicfile.ModePublic); err != nil {
			return failed(err)
		}
	}
	if err := os.Rename(temp, dir); err != nil {
		return failed(err)
	}
	return nil
}

// originWording says of an artifact in a bundle that no statement of the policy
// applies to which repository the bundle says that it is from. It is not used
// by itself: whoever had the file in hand could have chosen the statement.
func originWording(ctx context.Context, t target) wording {
	return func(code reason.Code, message, hint string) (newMessage, newHint string) {
		if code != reason.PolicyNoStatement || t.path == "" {
			return message, hint
		}
		b, err := bundle.Open(ctx, t.path)
		if err != nil {
			return message, hint
		}
		for _, a := range b.Contents.Artifacts {
			if d := t.ref.Digest(); d == a.Descriptor.Digest || d == "" && t.ref.Tag() == a.Name {
				return message, hint + "; the bundle says that it was in " + a.Origin.Name() + ", which is for you to believe"
			}
		}
		return message, hint
	}
}

// bundleDocument is the result of bundle show and, with what was done to verify
// the artifacts, of bundle export.
type bundleDocument struct {
	Path       string               `json:"path"`
	Size       int64                `json:"size,omitempty"` // of the file
	Created    string               `json:"created"`
	Artifacts  []bundleArtifactJSON `json:"artifacts"`
	Revocation []bundleAnswerJSON   `json:"revocation"`
	Trust      *bundleTrustJSON     `json:"trust,omitempty"`
	// VerifiableUntil is what export found out by trying.
	VerifiableUntil string `json:"verifiableUntil,omitempty"`

	now      time.Time
	exported bool
}

type bundleArtifactJSON struct {
	Name      string `json:"name"`   // its tag in the bundle
	Origin    string `json:"origin"` // as the bundle says
	Tag       string `json:"tag,omitempty"`
	Reference string `json:"reference"` // in the bundle, for --oci-layout
	descriptorJSON
	Manifests int           `json:"manifests"`
	Blobs     int           `json:"blobs"`
	TotalSize int64         `json:"totalSize"`
	Source    *copySideJSON `json:"source,omitempty"` // of export
}

type bundleAnswerJSON struct {
	Method     string   `json:"method"`
	By         string   `json:"by"`
	Serials    []string `json:"serials,omitempty"`
	Delta      bool     `json:"delta,omitempty"`
	Source     string   `json:"source,omitempty"` // URL that was asked
	ThisUpdate string   `json:"thisUpdate"`
	NextUpdate string   `json:"nextUpdate,omitempty"`
	Digest     string   `json:"digest"`
	Size       int      `json:"size"`

	until time.Time // zero: not said
}

type bundleTrustJSON struct {
	Policy       string                  `json:"policy"` // its digest
	Certificates []bundleCertificateJSON `json:"certificates"`
}

type bundleCertificateJSON struct {
	Store string `json:"store"`
	certificateJSON
}

func newBundleDocument(path string, c *bundle.Contents, answers []bundle.Answer, t *bundle.Trust, now time.Time) *bundleDocument {
	d := &bundleDocument{Path: path, Created: printedTime(c.Created), Artifacts: []bundleArtifactJSON{}, Revocation: []bundleAnswerJSON{}, now: now}
	for i := range c.Artifacts {
		a := &c.Artifacts[i]
		d.Artifacts = append(d.Artifacts, bundleArtifactJSON{
			Name: a.Name, Origin: a.Origin.Name(), Tag: a.Origin.Tag(), Reference: path + "@" + string(a.Descriptor.Digest),
			descriptorJSON: *newDescriptor(a.Descriptor), Manifests: a.Manifests, Blobs: a.Blobs, TotalSize: a.Bytes,
		})
	}
	for i := range answers {
		a := &answers[i]
		j := bundleAnswerJSON{
			Method: string(a.Method), By: a.By, Serials: a.Serials, Delta: a.Delta, Source: a.Source,
			ThisUpdate: printedTime(a.ThisUpdate), Digest: string(a.Digest), Size: len(a.DER), until: a.NextUpdate,
		}
		if !a.NextUpdate.IsZero() {
			j.NextUpdate = printedTime(a.NextUpdate)
		}
		d.Revocation = append(d.Revocation, j)
	}
	if t != nil {
		d.Trust = newBundleTrust(t)
	}
	return d
}

func newBundleTrust(t *bundle.Trust) *bundleTrustJSON {
	out := &bundleTrustJSON{Policy: digestOfBytes(t.Policy), Certificates: []bundleCertificateJSON{}}
	for i := range t.Stores {
		c := &t.Stores[i]
		out.Certificates = append(out.Certificates, bundleCertificateJSON{c.Store.String(), newCertificate(c.Certificate)})
	}
	slices.SortStableFunc(out.Certificates, func(a, b bundleCertificateJSON) int {
		return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return out
}

// bundleTrustDocument is the result of bundle trust.
type bundleTrustDocument struct {
	Path         string                  `json:"path"`
	Policy       string                  `json:"policy"`     // file
	TrustStore   string                  `json:"trustStore"` // directory
	Certificates []bundleCertificateJSON `json:"certificates"`
}

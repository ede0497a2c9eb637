package cli

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/timestamp"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

func (a *app) inspectCommand() *cobra.Command {
	o := &lookOptions{}
	cmd := &cobra.Command{
		Use:   "inspect REF [flags]",
		Short: "Show what the signatures of an artifact say",
		Long: `Show what the signatures that are attached to an artifact say, and whether each
is intact.

Nothing here is a verdict: a signature that is intact may be anybody's. Whether
it is trusted is what 'notation verify' tells. --output tree is the same as
--output text.`,
		Example: `  # Show the signatures as a tree
  notation inspect localhost:5000/net-monitor:v1

  # Show them as JSON
  notation inspect --output json localhost:5000/net-monitor:v1`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		ctx, cancel := a.network(ctx)
		defer cancel()
		seen, err := a.look(ctx, cmd, o, args[0], true)
		if err != nil {
			return nil, err
		}
		doc := &inspectDocument{
			Reference: seen.target.name(seen.artifact.Digest), MediaType: seen.artifact.MediaType, Verified: false,
			Signatures: make([]signatureJSON, len(seen.signatures)), nothing: seen.nothing(),
		}
		for i := range seen.signatures {
			doc.Signatures[i] = inspect(&seen.signatures[i])
		}
		return doc, seen.doubt
	})
	o.register(cmd)
	return cmd
}

// inspect reads one signature as far as it can be read.
func inspect(s *attached) signatureJSON {
	out := signatureJSON{Digest: s.manifest.Digest, EnvelopeType: s.parsed.Envelope.MediaType}
	if s.err != nil {
		out.Integrity = newIntegrity(s.err)
		if s.unread {
			out.Integrity.Outcome = "undecided"
		}
		return out
	}
	parsed, err := envelope.Parse(s.parsed.Envelope.MediaType, s.envelope)
	if err != nil {
		out.Integrity = newIntegrity(err)
		return out
	}
	_, err = parsed.Verify()
	out.describe(parsed.Claims())
	out.Integrity = newIntegrity(err)
	return out
}

// inspectDocument is the result of inspect. Its members from signatures down
// are those that other programs of the field print; verified and integrity are
// this program's own.
type inspectDocument struct {
	Reference  string          `json:"reference"`
	MediaType  string          `json:"mediaType"`
	Verified   bool            `json:"verified"` // always false: inspect does not verify
	Signatures []signatureJSON `json:"signatures"`
	nothing    string
}

type signatureJSON struct {
	Digest             digest.Digest     `json:"digest"`
	Integrity          integrityJSON     `json:"integrity"`
	SignatureAlgorithm string            `json:"signatureAlgorithm,omitempty"`
	EnvelopeType       string            `json:"signatureEnvelopeType,omitempty"`
	Signed             map[string]any    `json:"signedAttributes,omitempty"`
	UserDefined        map[string]string `json:"userDefinedAttributes,omitempty"`
	Unsigned           *unsignedJSON     `json:"unsignedAttributes,omitempty"`
	Certificates       []certificateJSON `json:"certificates,omitempty"`
	Artifact           *descriptorJSON   `json:"signedArtifact,omitempty"`
}

// integrityJSON says whether the envelope is what its signer made. "passed"
// does not say who that was.
type integrityJSON struct {
	Outcome string      `json:"outcome"` // passed, failed or undecided
	Reason  reason.Code `json:"reason,omitempty"`
	Message string      `json:"message,omitempty"`
}

func newIntegrity(err error) integrityJSON {
	if err == nil {
		return integrityJSON{Outcome: "passed"}
	}
	return integrityJSON{Outcome: "failed", Reason: reason.Of(err), Message: err.Error()}
}

type unsignedJSON struct {
	SigningAgent string         `json:"signingAgent,omitempty"`
	Timestamp    *timestampJSON `json:"timestampSignature,omitempty"`
}

// timestampJSON is what a time stamp says. Nothing of it is verified.
type timestampJSON struct {
	Timestamp    string            `json:"timestamp,omitempty"`
	Certificates []certificateJSON `json:"certificates,omitempty"` // in the token's order
	Error        string            `json:"error,omitempty"`        // why it cannot be read

	claims    timestamp.Info
	authority string
}

func newTimestamp(token []byte) *timestampJSON {
	parsed, err := timestamp.Parse(token)
	if err != nil {
		return &timestampJSON{Error: err.Error()}
	}
	t := &timestampJSON{claims: parsed.Claims()}
	t.Timestamp = t.claims.Time.UTC().Format(time.RFC3339Nano)
	for _, c := range parsed.Certificates() {
		t.Certificates = append(t.Certificates, newCertificate(c))
		if t.authority == "" && slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageTimeStamping) {
			t.authority = printedName(c.RawSubject)
		}
	}
	return t
}

// line says in one line what the time stamp claims.
func (t *timestampJSON) line() string {
	if t.Error != "" {
		return "cannot be read: " + t.Error
	}
	return fmt.Sprintf("%s, accurate to %s, policy %s, by %s; not verified",
		t.Timestamp, t.claims.Accuracy, t.claims.Policy, cmp.Or(t.authority, "an authority that it does not show"))
}

type certificateJSON struct {
	Fingerprint string `json:"SHA256Fingerprint"`
	IssuedTo    string `json:"issuedTo"`
	IssuedBy    string `json:"issuedBy"`
	Expiry      string `json:"expiry"`
}

func newCertificate(c *x509.Certificate) certificateJSON {
	return certificateJSON{
		Fingerprint: config.Fingerprint(c),
		IssuedTo:    printedName(c.RawSubject),
		IssuedBy:    printedName(c.RawIssuer),
		Expiry:      printedTime(c.NotAfter),
	}
}

// printedName returns a DER name as text, as trusted identities write it.
func printedName(der []byte) string {
	name, err := dn.FromDER(der)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return name.String()
}

func printedTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// describe fills in what the envelope says.
func (s *signatureJSON) describe(c envelope.Content) {
	s.SignatureAlgorithm = c.Algorithm.String()
	s.Artifact = newDescriptor(c.Target)
	s.UserDefined = c.Target.Annotations
	s.Signed = map[string]any{
		"contentType":   envelope.MediaTypePayload,
		"signingScheme": c.Scheme.String(),
	}
	switch {
	case c.SigningTime.IsZero():
	case c.Scheme == envelope.SchemeSigningAuthority:
		s.Signed["authenticSigningTime"] = printedTime(c.SigningTime)
	default:
		s.Signed["signingTime"] = printedTime(c.SigningTime)
	}
	if !c.Expiry.IsZero() {
		s.Signed["expiry"] = printedTime(c.Expiry)
	}
	if c.VerificationPlugin != "" {
		s.Signed["verificationPlugin"] = c.VerificationPlugin
	}
	if c.PluginMinVersion != "" {
		s.Signed["verificationPluginMinVersion"] = c.PluginMinVersion
	}
	for _, e := range c.Extended {
		if _, ours := s.Signed[e.Key]; !ours {
			s.Signed[e.Key] = jsonValue(e.Value)
		}
	}
	if c.Agent != "" || c.Timestamp != nil {
		s.Unsigned = &unsignedJSON{SigningAgent: c.Agent}
	}
	if c.Timestamp != nil {
		s.Unsigned.Timestamp = newTimestamp(c.Timestamp)
	}
	for _, cert := range c.Chain {
		s.Certificates = append(s.Certificates, newCertificate(cert))
	}
}

// jsonValue returns v, or its text if JSON has no form for it, as for a CBOR
// number that is not finite.
func jsonValue(v any) any {
	if _, err := json.Marshal(v); err != nil {
		return fmt.Sprint(v)
	}
	return v
}

// shownValue returns the value of an attribute for people.
func shownValue(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

func (d *inspectDocument) text(p *page) {
	p.line("%s", d.Reference)
	p.line("Not verified against any trust policy.")
	if len(d.Signatures) == 0 {
		p.line("  %s", d.nothing)
		return
	}
	n := node{label: oci.ArtifactTypeSignature}
	for _, s := range d.Signatures {
		n.children = append(n.children, s.node())
	}
	p.tree("", []node{n})
}

func (s signatureJSON) node() node {
	n := node{label: string(s.Digest)}
	n.add("integrity: %s", s.Integrity.Outcome)
	if s.Integrity.Message != "" {
		n.add("%s [%s]", s.Integrity.Message, s.Integrity.Reason)
	}
	if s.SignatureAlgorithm == "" {
		return n
	}
	n.add("signature algorithm: %s", s.SignatureAlgorithm)
	n.add("signature envelope type: %s", s.EnvelopeType)
	signed := n.add("signed attributes")
	for _, k := range slices.Sorted(maps.Keys(s.Signed)) {
		signed.add("%s: %s", k, shownValue(s.Signed[k]))
	}
	if len(s.UserDefined) > 0 {
		user := n.add("user defined attributes")
		for _, k := range slices.Sorted(maps.Keys(s.UserDefined)) {
			user.add("%s: %s", k, s.UserDefined[k])
		}
	}
	if s.Unsigned != nil {
		unsigned := n.add("unsigned attributes")
		if s.Unsigned.SigningAgent != "" {
			unsigned.add("signing agent: %s", s.Unsigned.SigningAgent)
		}
		if s.Unsigned.Timestamp != nil {
			stamp := unsigned.add("timestamp signature: %s", s.Unsigned.Timestamp.line())
			addCertificates(stamp, s.Unsigned.Timestamp.Certificates)
		}
	}
	addCertificates(n.add("certificates"), s.Certificates)
	artifact := n.add("signed artifact")
	artifact.add("media type: %s", s.Artifact.MediaType)
	artifact.add("digest: %s", s.Artifact.Digest)
	artifact.add("size: %d", s.Artifact.Size)
	return n
}

func addCertificates(n *node, certs []certificateJSON) {
	for _, c := range certs {
		cert := n.add("SHA256 fingerprint: %s", c.Fingerprint)
		cert.add("issued to: %s", c.IssuedTo)
		cert.add("issued by: %s", c.IssuedBy)
		cert.add("expiry: %s", c.Expiry)
	}
}

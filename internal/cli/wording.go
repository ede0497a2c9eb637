package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// The library speaks of policies, statements and stores. Where the user has
// written none of these but flags, what it says is put in terms of the flags.
// Outcomes and codes stay.

// wording returns message and hint of a finding in other words, or as they are.
type wording func(code reason.Code, message, hint string) (newMessage, newHint string)

// reword applies wordings to whatever in a verdict is not as it should be, and
// to the error that belongs to the verdict.
func reword(verdict *notation.Verdict, err error, wordings ...wording) error {
	if verdict == nil {
		return err
	}
	for _, w := range wordings {
		rewordFindings(verdict.Findings, w)
		for i := range verdict.Signatures {
			rewordFindings(verdict.Signatures[i].Findings, w)
		}
		if verdict.CoveringSignature != nil {
			rewordFindings(verdict.CoveringSignature.Findings, w)
		}
		if told, ok := errors.AsType[*notation.VerdictError](err); ok && told.Cause != nil {
			cause := *told.Cause
			cause.Message, cause.Hint = w(cause.Code, cause.Message, cause.Hint)
			err = &notation.VerdictError{Verdict: told.Verdict, Cause: &cause}
		}
	}
	return err
}

func rewordFindings(findings []notation.Finding, w wording) {
	for i := range findings {
		if f := &findings[i]; f.Outcome != notation.Passed {
			f.Message, f.Hint = w(f.Reason, f.Message, f.Hint)
		}
	}
}

// wording puts the statement that --ca-cert makes up in terms of the flags.
func (o *trustOptions) wording(code reason.Code, message, hint string) (newMessage, newHint string) {
	if len(o.caCerts) == 0 {
		return message, hint
	}
	statement := fmt.Sprintf("the statement %q", commandLineStore)
	ca, authority := " is in no trust store of the type ca that "+statement+" names", " is in no trust store of the type signingAuthority that "+statement+" names"
	message = strings.NewReplacer(
		ca, " is not in a file of --ca-cert",
		authority, " is that of a signing authority, which --ca-cert trusts none of",
		" in the trust store ca:"+commandLineStore, " in a file of --ca-cert",
		" is none of the trusted identities of "+statement+": ", " is not the one of --identity: ",
		statement+" demands a time stamp", "a certificate of the signer has expired, so that a time stamp is needed",
	).Replace(message)
	const otherScheme = "use --policy and --trust-store, with a store of the type signingAuthority"
	switch code {
	case reason.VerifyRootUntrusted:
		hint = "if signatures under this root are to be trusted, give its certificate with --ca-cert FILE"
		if strings.Contains(message, "signing authority") {
			hint = otherScheme
		}
	case reason.VerifyStoreType:
		hint = otherScheme
	case reason.VerifyIdentityUntrusted:
		hint = "if this signer is to be trusted, give --identity with C, ST, O and more of its subject" + identityOfHint(hint)
	case reason.VerifyTimestampMissing:
		hint = "have it signed again, with a time stamp"
	case reason.TimestampRootUntrusted:
		hint = "if this authority is to be trusted, give its root certificate with --tsa-cert FILE"
	case reason.CertExpired:
		if len(o.tsaCerts) == 0 {
			hint = "if the signature has a time stamp, give the root certificate of its authority with --tsa-cert FILE; otherwise have it signed again"
		}
	}
	return message, hint
}

// identityOfHint returns the trusted identity that a hint proposes for a policy,
// as a value of --identity.
func identityOfHint(hint string) string {
	_, rest, _ := strings.Cut(hint, `trusted identity "`)
	quoted, err := strconv.QuotedPrefix(`"` + rest)
	if err != nil {
		return ""
	}
	identity, err := strconv.Unquote(quoted)
	if err != nil {
		return ""
	}
	if _, err := trust.ParseIdentity(identity); err != nil || strings.Contains(identity, "'") {
		return "" // an apostrophe is not for a shell's quotes
	}
	return ", as in --identity '" + strings.TrimSpace(strings.TrimPrefix(identity, "x509.subject:")) + "'"
}

// noPluginDirectory is the remedy where no plugin can be found for lack of a
// place to look in.
const noPluginDirectory = "the directory of the plugins is not known; set $NOTATION_LIBEXEC to it, or $HOME"

// wording says of a plugin that is not found why that is so.
func (o *judgingOptions) wording(code reason.Code, message, hint string) (newMessage, newHint string) {
	if code == reason.PluginNotFound && !o.pluginsKnown {
		return message, noPluginDirectory
	}
	return message, hint
}

// indexWording names the command and the policy by which a manifest of an index
// can pass that has no good signature of its own.
func (o *trustOptions) indexWording(code reason.Code, message, hint string) (newMessage, newHint string) {
	if code != reason.VerifyIndexNotAsked && (code != reason.VerifyUnsigned || !strings.Contains(hint, "indexCovers")) {
		return message, hint
	}
	hint = "sign it too, as with 'notation sign --recursive'; or, if its index is signed, let that do by a trust policy of \"version\": \"1.1\" with \"indexCovers\": \"manifests\""
	if len(o.caCerts) > 0 {
		hint += ", given with --policy and --trust-store in place of --ca-cert"
	}
	return message, hint
}

// mediaTypeWording tells, of a file that is the signed one, that it was signed
// under another media type than --media-type asks for. It corrects the verdict,
// too: what the file is, only its signature says.
func mediaTypeWording(verdict *notation.Verdict, asked, envelopeType string, signature []byte) wording {
	same := func(_ reason.Code, message, hint string) (newMessage, newHint string) { return message, hint }
	parsed, err := envelope.Parse(envelopeType, signature)
	if err != nil || verdict == nil || asked == "" {
		return same
	}
	signed := parsed.Claims().Target
	if signed.Digest != verdict.Artifact.Digest || signed.Size != verdict.Artifact.Size || signed.MediaType == asked {
		return same
	}
	verdict.Artifact.MediaType = signed.MediaType
	return func(code reason.Code, message, hint string) (newMessage, newHint string) {
		if code != reason.VerifyOtherArtifact {
			return message, hint
		}
		before, _, _ := strings.Cut(message, "the signature is for another artifact")
		return before + fmt.Sprintf("the file was signed as %q, and --media-type asks for %q", signed.MediaType, asked),
			"leave --media-type out, or ask for the type that was signed"
	}
}

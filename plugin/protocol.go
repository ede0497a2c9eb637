package plugin

import "time"

// ContractVersion is the version of the protocol.
const ContractVersion = "1.0"

// A Command is the only argument of a plugin.
type Command string

// The commands.
const (
	CommandMetadata          Command = "get-plugin-metadata"
	CommandDescribeKey       Command = "describe-key"
	CommandGenerateSignature Command = "generate-signature"
	CommandGenerateEnvelope  Command = "generate-envelope"
	CommandVerifySignature   Command = "verify-signature"
)

// A Capability is something that a plugin can do.
type Capability string

// The capabilities, with the commands that each takes.
const (
	CapabilityRaw             Capability = "SIGNATURE_GENERATOR.RAW"               // describe-key, generate-signature
	CapabilityEnvelope        Capability = "SIGNATURE_GENERATOR.ENVELOPE"          // generate-envelope
	CapabilityBlobEnvelope    Capability = "SIGNATURE_GENERATOR.ENVELOPE_FOR_BLOB" // describe-key, generate-envelope
	CapabilityTrustedIdentity Capability = "SIGNATURE_VERIFIER.TRUSTED_IDENTITY"   // verify-signature
	CapabilityRevocationCheck Capability = "SIGNATURE_VERIFIER.REVOCATION_CHECK"   // verify-signature
)

func (c Capability) known() bool {
	switch c {
	case CapabilityRaw, CapabilityEnvelope, CapabilityBlobEnvelope:
		return true
	}
	return c.verifies()
}

// verifies reports whether the capability is one of verify-signature.
func (c Capability) verifies() bool {
	return c == CapabilityTrustedIdentity || c == CapabilityRevocationCheck
}

// Metadata is what a plugin says about itself. All members are required.
type Metadata struct {
	Name                      string       `json:"name"`
	Description               string       `json:"description"`
	Version                   string       `json:"version"` // SemVer 2.0.0
	URL                       string       `json:"url"`
	SupportedContractVersions []string     `json:"supportedContractVersions"`
	Capabilities              []Capability `json:"capabilities"`
}

// MetadataRequest asks for [Metadata]. It alone has no contract version.
type MetadataRequest struct {
	PluginConfig map[string]string `json:"pluginConfig,omitempty"`
}

// DescribeKeyRequest asks what kind of key a key id names.
type DescribeKeyRequest struct {
	ContractVersion string            `json:"contractVersion"`
	KeyID           string            `json:"keyId"`
	PluginConfig    map[string]string `json:"pluginConfig,omitempty"`
}

// DescribeKeyResponse answers a [DescribeKeyRequest].
type DescribeKeyResponse struct {
	KeyID   string `json:"keyId"`   // as in the request
	KeySpec string `json:"keySpec"` // such as RSA-2048 or EC-256
}

// GenerateSignatureRequest asks for a signature over Payload, which is not
// hashed yet.
type GenerateSignatureRequest struct {
	ContractVersion string            `json:"contractVersion"`
	KeyID           string            `json:"keyId"`
	KeySpec         string            `json:"keySpec"`
	HashAlgorithm   string            `json:"hashAlgorithm"` // such as SHA-256
	Payload         []byte            `json:"payload"`
	PluginConfig    map[string]string `json:"pluginConfig,omitempty"`
}

// GenerateSignatureResponse answers a [GenerateSignatureRequest].
type GenerateSignatureResponse struct {
	KeyID            string   `json:"keyId"`            // as in the request
	Signature        []byte   `json:"signature"`        // as envelope.VerifyPrimitive describes it
	SigningAlgorithm string   `json:"signingAlgorithm"` // such as RSASSA-PSS-SHA-256
	CertificateChain [][]byte `json:"certificateChain"` // DER, leaf first, root last
}

// GenerateEnvelopeRequest asks for a complete signature envelope over Payload.
type GenerateEnvelopeRequest struct {
	ContractVersion         string            `json:"contractVersion"`
	KeyID                   string            `json:"keyId"`
	PayloadType             string            `json:"payloadType"`
	SignatureEnvelopeType   string            `json:"signatureEnvelopeType"` // media type
	Payload                 []byte            `json:"payload"`
	ExpiryDurationInSeconds uint64            `json:"expiryDurationInSeconds,omitzero"`
	PluginConfig            map[string]string `json:"pluginConfig,omitempty"`
}

// GenerateEnvelopeResponse answers a [GenerateEnvelopeRequest].
type GenerateEnvelopeResponse struct {
	SignatureEnvelope     []byte            `json:"signatureEnvelope"`
	SignatureEnvelopeType string            `json:"signatureEnvelopeType"` // as in the request
	Annotations           map[string]string `json:"annotations,omitempty"` // for the signature's manifest
}

// VerifySignatureRequest asks for judgements on a signature whose integrity and
// chain of trust were established by the host.
type VerifySignatureRequest struct {
	ContractVersion string            `json:"contractVersion"`
	Signature       Signature         `json:"signature"`
	TrustPolicy     TrustPolicy       `json:"trustPolicy"`
	PluginConfig    map[string]string `json:"pluginConfig,omitempty"`
}

// Signature is what a plugin learns of a signature.
type Signature struct {
	CriticalAttributes    CriticalAttributes `json:"criticalAttributes"`
	UnprocessedAttributes []string           `json:"unprocessedAttributes"` // names of extended attributes, to be processed
	CertificateChain      [][]byte           `json:"certificateChain"`      // DER, leaf first, root last
}

// CriticalAttributes are the signed attributes that a verifier must understand.
type CriticalAttributes struct {
	ContentType                  string         `json:"contentType"`
	SigningScheme                string         `json:"signingScheme"`
	Expiry                       time.Time      `json:"expiry,omitzero"`
	AuthenticSigningTime         time.Time      `json:"authenticSigningTime,omitzero"`
	VerificationPlugin           string         `json:"verificationPlugin"`
	VerificationPluginMinVersion string         `json:"verificationPluginMinVersion,omitzero"`
	ExtendedAttributes           map[string]any `json:"extendedAttributes,omitempty"` // bytes in base64
}

// TrustPolicy is what a plugin learns of the policy, and is asked.
type TrustPolicy struct {
	TrustedIdentities     []string     `json:"trustedIdentities"`
	SignatureVerification []Capability `json:"signatureVerification"` // to give results for
}

// VerifySignatureResponse answers a [VerifySignatureRequest].
type VerifySignatureResponse struct {
	VerificationResults map[Capability]Result `json:"verificationResults"` // one for each capability asked, no other
	ProcessedAttributes []string              `json:"processedAttributes"` // of those that were unprocessed
}

// Result is the judgement of a plugin. The zero value is no.
type Result struct {
	Success bool   `json:"success"`
	Reason  string `json:"reason,omitempty"` // a sentence; on the host's side it can be printed as it is
}

// An ErrorCode says what kind of fault a plugin reports.
type ErrorCode string

// The error codes of the protocol.
const (
	CodeValidation         ErrorCode = "VALIDATION_ERROR"
	CodeUnsupportedVersion ErrorCode = "UNSUPPORTED_CONTRACT_VERSION"
	CodeAccessDenied       ErrorCode = "ACCESS_DENIED"
	CodeTimeout            ErrorCode = "TIMEOUT"
	CodeThrottled          ErrorCode = "THROTTLED"
	CodeError              ErrorCode = "ERROR"
)

// Error is the fault that a plugin reports. An author returns one to choose the
// code; the host finds one, by errors.As, in the error of a call.
type Error struct {
	Code     ErrorCode         `json:"errorCode"`
	Message  string            `json:"errorMessage,omitzero"`
	Metadata map[string]string `json:"errorMetadata,omitempty"`
}

// Error returns code and message, shortened and safe to print.
func (e *Error) Error() string {
	if e.Message == "" {
		return shown(string(e.Code))
	}
	return shown(string(e.Code)) + ": " + shown(e.Message)
}

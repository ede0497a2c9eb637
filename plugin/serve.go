package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/notaryv2/notation/internal/strictjson"
)

// KeyDescriber knows the kinds of keys.
type KeyDescriber interface {
	DescribeKey(ctx context.Context, r *DescribeKeyRequest) (*DescribeKeyResponse, error)
}

// RawSigner makes bare signatures.
type RawSigner interface {
	GenerateSignature(ctx context.Context, r *GenerateSignatureRequest) (*GenerateSignatureResponse, error)
}

// EnvelopeSigner makes whole envelopes.
type EnvelopeSigner interface {
	GenerateEnvelope(ctx context.Context, r *GenerateEnvelopeRequest) (*GenerateEnvelopeResponse, error)
}

// SignatureVerifier judges signatures.
type SignatureVerifier interface {
	VerifySignature(ctx context.Context, r *VerifySignatureRequest) (*VerifySignatureResponse, error)
}

// Program is a plugin as its author writes it. Each capability in the metadata
// needs the fields that serve its commands; [Capability] says which they are.
//
// A method that returns an *[Error] chooses the code that the user sees; other
// errors are reported as ERROR, or as TIMEOUT if they are a passed deadline.
type Program struct {
	Metadata Metadata // SupportedContractVersions may be nil: the one of this package
	Keys     KeyDescriber
	Raw      RawSigner
	Envelope EnvelopeSigner
	Verifier SignatureVerifier
}

// Serve does what the arguments of this process ask and returns the exit code,
// which main hands to os.Exit. Requests are read from standard input, and
// nothing but the answer must be written to standard output.
func Serve(ctx context.Context, p Program) int {
	return p.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// Run is [Serve] with the arguments, without the program's name, and the
// streams given. It answers on stdout and returns 0, or reports an error
// document on stderr and returns 1. A panic of a method is reported as ERROR.
func (p Program) Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	answer, err := p.serve(ctx, args, stdin)
	if err == nil {
		if _, err = stdout.Write(append(answer, '\n')); err == nil {
			return 0
		}
	}
	document, err := strictjson.Marshal(faultOf(err))
	if err != nil { // a text that is not UTF-8
		document, _ = strictjson.Marshal(&Error{Code: CodeError, Message: "the error cannot be told"})
	}
	_, _ = stderr.Write(append(document, '\n'))
	return 1
}

func (p *Program) serve(ctx context.Context, args []string, stdin io.Reader) (answer []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			answer, err = nil, fmt.Errorf("the plugin failed: %v", r)
		}
	}()
	if err := p.check(); err != nil {
		return nil, err
	}
	if len(args) != 1 {
		return nil, invalid("this is a plugin: the one argument is a command of the plugin protocol")
	}
	request, err := io.ReadAll(io.LimitReader(stdin, maxRequest+1))
	if err != nil {
		return nil, err
	}
	if len(request) > maxRequest {
		return nil, invalid("the request has more than %d bytes", maxRequest)
	}
	return p.answer(ctx, Command(args[0]), request)
}

func (p *Program) answer(ctx context.Context, command Command, request []byte) ([]byte, error) {
	offered := func(cs ...Capability) bool {
		return slices.ContainsFunc(cs, func(c Capability) bool { return slices.Contains(p.Metadata.Capabilities, c) })
	}
	switch {
	case command == CommandMetadata:
		return handle(request, func(*MetadataRequest) (*Metadata, error) { return &p.Metadata, nil })
	case command == CommandDescribeKey && offered(CapabilityRaw, CapabilityBlobEnvelope):
		return handle(request, func(r *DescribeKeyRequest) (*DescribeKeyResponse, error) { return p.Keys.DescribeKey(ctx, r) })
	case command == CommandGenerateSignature && offered(CapabilityRaw):
		return handle(request, func(r *GenerateSignatureRequest) (*GenerateSignatureResponse, error) {
			return p.Raw.GenerateSignature(ctx, r)
		})
	case command == CommandGenerateEnvelope && offered(CapabilityEnvelope, CapabilityBlobEnvelope):
		return handle(request, func(r *GenerateEnvelopeRequest) (*GenerateEnvelopeResponse, error) {
			return p.Envelope.GenerateEnvelope(ctx, r)
		})
	case command == CommandVerifySignature && offered(CapabilityTrustedIdentity, CapabilityRevocationCheck):
		return handle(request, func(r *VerifySignatureRequest) (*VerifySignatureResponse, error) {
			return p.Verifier.VerifySignature(ctx, r)
		})
	}
	return nil, invalid("this plugin has no command %s", quote(string(command)))
}

// handle decodes a request, has it answered and encodes the answer. The version
// is looked at first: a request of another one may have other members.
func handle[Request, Answer any](data []byte, serve func(*Request) (*Answer, error)) ([]byte, error) {
	var version struct {
		ContractVersion *string `json:"contractVersion"`
	}
	if err := decode(data, &version); err != nil {
		return nil, invalid("the request cannot be read: %v", err)
	}
	var request Request
	_, optional := any(&request).(*MetadataRequest)
	switch {
	case version.ContractVersion == nil && !optional:
		return nil, invalid("the request has no contractVersion")
	case version.ContractVersion != nil && *version.ContractVersion != ContractVersion:
		return nil, &Error{Code: CodeUnsupportedVersion, Message: "this plugin speaks version " + ContractVersion + " of the plugin protocol"}
	}
	if err := decode(data, &request); err != nil {
		return nil, invalid("the request cannot be read: %v", err)
	}
	answer, err := serve(&request)
	if err != nil {
		return nil, err
	}
	if answer == nil {
		return nil, errors.New("the plugin has no answer")
	}
	return strictjson.Marshal(answer)
}

func invalid(format string, args ...any) error {
	return &Error{Code: CodeValidation, Message: fmt.Sprintf(format, args...)}
}

// faultOf returns the error document for an error.
func faultOf(err error) *Error {
	var fault *Error
	switch {
	case errors.As(err, &fault) && fault != nil && fault.Code != "":
		return fault
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: CodeTimeout, Message: err.Error()}
	}
	return &Error{Code: CodeError, Message: err.Error()}
}

// check completes the metadata, and tells an author what is missing.
func (p *Program) check() error {
	if p.Metadata.SupportedContractVersions == nil {
		p.Metadata.SupportedContractVersions = []string{ContractVersion}
	}
	if err := p.Metadata.check(); err != nil {
		return err
	}
	for _, c := range p.Metadata.Capabilities {
		served := p.Verifier != nil
		switch c {
		case CapabilityRaw:
			served = p.Keys != nil && p.Raw != nil
		case CapabilityEnvelope:
			served = p.Envelope != nil
		case CapabilityBlobEnvelope:
			served = p.Keys != nil && p.Envelope != nil
		}
		if !served {
			return fmt.Errorf("the plugin has the capability %s, and nothing that serves its commands", c)
		}
	}
	return nil
}

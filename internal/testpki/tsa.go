package testpki

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// TSA is a time-stamping authority (RFC 3161) that can be told to misbehave.
// It answers over HTTP, being an http.Handler, and without. Its encoder is its
// own, so that a fault in the reader under test cannot cancel out.
//
// Set the fields before its first use; then it may be used concurrently.
type TSA struct {
	*Chain
	Policy    string           // default OIDExampleTSA; a request for another gets that one
	Now       func() time.Time // default time.Now
	Accuracy  [][]byte         // default one second; see [Accuracy]
	OmitRoot  bool             // leave the root out of tokens
	PSS       bool             // sign with RSASSA-PSS
	TokenHash crypto.Hash      // of signed attributes and content; default SHA-256

	ModifyToken func(*Token)      // bends each token before it is signed
	ModifyReply func(*StampReply) // bends each reply before it is sent
}

// NewTSA makes an authority with a chain of its own.
func NewTSA(t testing.TB, o Options) *TSA {
	t.Helper()
	o.TSA = true
	return &TSA{Chain: New(t, o)}
}

// StampRequest is a TimeStampReq.
type StampRequest struct {
	Version int
	Hash    string // object identifier
	Imprint []byte
	Policy  string // "": none asked for
	Nonce   *big.Int
	CertReq bool
}

// ParseStampRequest reads a TimeStampReq (RFC 3161 section 2.4.1).
func ParseStampRequest(der []byte) (*StampRequest, error) {
	var request struct {
		Version int
		Imprint struct {
			Algorithm struct {
				ID         asn1.ObjectIdentifier
				Parameters asn1.RawValue `asn1:"optional"`
			}
			Digest []byte
		}
		Policy  asn1.ObjectIdentifier `asn1:"optional"`
		Nonce   *big.Int              `asn1:"optional"`
		CertReq bool                  `asn1:"optional"`
	}
	rest, err := asn1.Unmarshal(der, &request)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("bytes after the request")
	}
	parsed := &StampRequest{
		Version: request.Version, Hash: request.Imprint.Algorithm.ID.String(), Imprint: request.Imprint.Digest,
		Nonce: request.Nonce, CertReq: request.CertReq,
	}
	if request.Policy != nil {
		parsed.Policy = request.Policy.String()
	}
	return parsed, nil
}

// Token returns a good token that answers a request, not yet signed.
func (a *TSA) Token(r *StampRequest) *Token {
	policy, now, accuracy, hash := a.Policy, time.Now, a.Accuracy, a.TokenHash
	if r.Policy != "" {
		policy = r.Policy
	}
	if policy == "" {
		policy = OIDExampleTSA
	}
	if a.Now != nil {
		now = a.Now
	}
	if accuracy == nil {
		accuracy = Accuracy(1, 0, 0)
	}
	if hash == 0 {
		hash = crypto.SHA256
	}
	token := &Token{
		Info: TSTInfo{
			Version: 1, Policy: policy, Hash: r.Hash, Imprint: r.Imprint, Serial: big.NewInt(now().UnixNano()),
			Time: StampTime(now()), Accuracy: accuracy, Nonce: r.Nonce,
		},
		Version: 3, Type: OIDSignedData, ContentType: OIDTSTInfo, Digests: []string{HashOID(hash)},
		Signers: []TokenSigner{{Key: a.Key, Cert: a.Leaf(), Hash: hash, PSS: a.PSS, Version: 1}},
	}
	if r.CertReq {
		token.Certificates = a.DER()
		if a.OmitRoot && len(token.Certificates) > 1 {
			token.Certificates = token.Certificates[:len(token.Certificates)-1]
		}
	}
	return token
}

// Stamp returns a token over a message, bent by ModifyToken.
func (a *TSA) Stamp(t testing.TB, message []byte, h crypto.Hash) []byte {
	t.Helper()
	token, err := a.stamp(&StampRequest{Version: 1, Hash: HashOID(h), Imprint: stampDigest(h, message), CertReq: true})
	if err != nil {
		t.Fatalf("testpki: time stamp: %v", err)
	}
	return token
}

func (a *TSA) stamp(r *StampRequest) ([]byte, error) {
	token := a.Token(r)
	if a.ModifyToken != nil {
		a.ModifyToken(token)
	}
	return token.Encode()
}

// StampReply is a TimeStampResp and the HTTP around it.
type StampReply struct {
	Request *StampRequest

	HTTPStatus int
	Header     http.Header // Content-Type is set
	Body       []byte      // nil: the parts below, encoded

	Status  int      // PKIStatus; 0: granted
	Text    []string // PKIFreeText
	Failure []byte   // element PKIFailureInfo; nil: none
	Token   []byte   // nil: none
}

// Encode returns the TimeStampResp as DER.
func (r *StampReply) Encode() []byte {
	info := [][]byte{stampInteger(int64(r.Status))}
	if r.Text != nil {
		var texts [][]byte
		for _, text := range r.Text {
			texts = append(texts, DER(UTF8String, []byte(text)))
		}
		info = append(info, DER(0x30, texts...))
	}
	info = append(info, r.Failure)
	return DER(0x30, DER(0x30, info...), r.Token)
}

// FailureInfo encodes a PKIFailureInfo with one bit set.
func FailureInfo(bit int) []byte {
	octets := make([]byte, bit/8+1)
	octets[bit/8] = 0x80 >> (bit % 8)
	return DER(0x03, []byte{byte(7 - bit%8)}, octets)
}

// maxStampRequest bounds the bodies that ServeHTTP reads, in bytes.
const maxStampRequest = 1 << 16

// ServeHTTP answers a query (RFC 3161 section 3.4). What is none gets an HTTP
// error.
func (a *TSA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxStampRequest))
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "this is no time-stamp query", http.StatusBadRequest)
		return
	}
	request, err := ParseStampRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply := &StampReply{Request: request, HTTPStatus: http.StatusOK, Header: http.Header{}}
	reply.Header.Set("Content-Type", "application/timestamp-reply")
	if reply.Token, err = a.stamp(request); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if a.ModifyReply != nil {
		a.ModifyReply(reply)
	}
	out := reply.Body
	if out == nil {
		out = reply.Encode()
	}
	for name, values := range reply.Header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	}
	w.WriteHeader(reply.HTTPStatus)
	// A client that gives up early is what some tests are about.
	_, _ = w.Write(out)
}

// IssueTSA issues another time-stamping certificate under the authority's own
// issuer, for the same subject and the given key.
func (a *TSA) IssueTSA(t testing.TB, key crypto.Signer, modify func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := *a.Leaf()
	template.SerialNumber = serial(t)
	template.ExtraExtensions = template.Extensions
	if modify != nil {
		modify(&template)
	}
	return Issue(t, &template, a.Certs[1], key.Public(), a.Keys[1])
}

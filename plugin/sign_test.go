package plugin

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// keyFile stores key and chain and returns the plugin configuration with it.
func keyFile(t testing.TB, c *testpki.Chain) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	must(t, os.WriteFile(path, append(c.KeyPEM(), c.CertPEM()...), 0o600))
	return map[string]string{"file": path}
}

func TestSignRaw(t *testing.T) {
	t.Parallel()
	h := newHost(t, "serve")
	p := get(t, h)
	for _, name := range testpki.Algorithms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain := testpki.New(t, testpki.Options{Algorithm: name})
			config := keyFile(t, chain)
			alg, err := p.DescribeKey(t.Context(), "key", config)
			must(t, err)
			if want, _ := envelope.AlgorithmFor(chain.Leaf().PublicKey); alg != want {
				t.Fatalf("%v, want %v", alg, want)
			}
			for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
				unsigned, err := envelope.New(request(mediaType), alg)
				must(t, err)
				signature, certs, err := p.SignRaw(t.Context(), "key", alg, unsigned.ToBeSigned(), config)
				must(t, err)
				if _, err := unsigned.Seal(signature, certs); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func request(mediaType string) envelope.Request {
	return envelope.Request{
		MediaType: mediaType, SigningTime: time.Now(), Agent: "test",
		Target: envelope.Descriptor{
			MediaType: "application/vnd.oci.image.manifest.v1+json", Size: 3,
			Digest:      "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
			Annotations: map[string]string{"stage": "prod"},
		},
	}
}

func TestServedErrors(t *testing.T) {
	t.Parallel()
	p := get(t, newHost(t, "serve"))
	_, err := p.DescribeKey(t.Context(), "denied", nil)
	refuses(t, err, reason.PluginRefused)
	if !strings.Contains(err.Error(), `ACCESS_DENIED: no\x1b[31m`) {
		t.Errorf("%q", err)
	}
	_, err = p.DescribeKey(t.Context(), "panic", nil)
	refuses(t, err, reason.PluginRefused)
	if !strings.Contains(err.Error(), "out of cheese") {
		t.Errorf("%q", err)
	}
	config := keyFile(t, testpki.New(t, testpki.Options{}))
	_, _, err = p.SignRaw(t.Context(), "key", envelope.RSASSAPSSSHA256, []byte("p"), config)
	refuses(t, err, reason.PluginRefused)
	_, _, err = p.SignRaw(t.Context(), "key", envelope.ECDSASHA256, []byte("p"), nil)
	refuses(t, err, reason.PluginRefused)
	_, _, err = p.SignEnvelope(t.Context(), "key", request(envelope.MediaTypeJWS), nil)
	refuses(t, err, reason.PluginCapability)
	_, _, err = p.SignBlobEnvelope(t.Context(), "key", request(envelope.MediaTypeJWS), nil)
	refuses(t, err, reason.PluginCapability)
	_, err = p.VerifySignature(t.Context(), VerifyRequest{})
	refuses(t, err, reason.PluginCapability)
}

// attack: PLG-04
func TestDescribeKeyLies(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"another key":   `{"keyId":"other","keySpec":"EC-256"}`,
		"no key":        `{"keySpec":"EC-256"}`,
		"no spec":       `{"keyId":"k"}`,
		"unknown spec":  `{"keyId":"k","keySpec":"ED25519"}`,
		"weak spec":     `{"keyId":"k","keySpec":"RSA-1024"}`,
		"algorithm":     `{"keyId":"k","keySpec":"ECDSA-SHA-256"}`,
		"wrong type":    `{"keyId":1,"keySpec":"EC-256"}`,
		"in other case": `{"keyid":"k","keySpec":"EC-256"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := get(t, answering(t, map[Command]said{CommandDescribeKey: {Out: answer}})).DescribeKey(t.Context(), "k", nil)
			want := reason.PluginKey
			if name == "wrong type" || name == "in other case" {
				want = reason.PluginAnswer
			}
			refuses(t, err, want)
		})
	}
}

// rawAnswer returns a true answer to generate-signature for the key "k".
func rawAnswer(t *testing.T, chain *testpki.Chain, payload []byte) *GenerateSignatureResponse {
	t.Helper()
	alg, err := envelope.AlgorithmFor(chain.Leaf().PublicKey)
	must(t, err)
	signature, err := envelope.SignPrimitive(chain.Key, alg, payload)
	must(t, err)
	return &GenerateSignatureResponse{KeyID: "k", Signature: signature, SigningAlgorithm: alg.String(), CertificateChain: chain.DER()}
}

// attack: PLG-04
func TestSignRawLies(t *testing.T) {
	t.Parallel()
	chain, other := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{KeySet: 1})
	rsa := testpki.New(t, testpki.Options{Algorithm: "rsa-2048"})
	tsa := testpki.New(t, testpki.Options{TSA: true})
	payload := []byte("payload")
	for name, tt := range map[string]struct {
		change func(r *GenerateSignatureResponse)
		code   reason.Code
	}{
		"nothing":           {func(*GenerateSignatureResponse) {}, ""},
		"another key id":    {func(r *GenerateSignatureResponse) { r.KeyID = "K" }, reason.PluginKey},
		"another algorithm": {func(r *GenerateSignatureResponse) { r.SigningAlgorithm = "ECDSA-SHA-384" }, reason.PluginKey},
		"no algorithm":      {func(r *GenerateSignatureResponse) { r.SigningAlgorithm = "" }, reason.PluginKey},
		"another key's algorithm": {func(r *GenerateSignatureResponse) {
			*r = *rawAnswer(t, rsa, payload)
		}, reason.PluginKey},
		"another key, same name": {func(r *GenerateSignatureResponse) {
			*r = *rawAnswer(t, rsa, payload)
			r.SigningAlgorithm = "ECDSA-SHA-256"
		}, reason.PluginSignature},
		"no chain":              {func(r *GenerateSignatureResponse) { r.CertificateChain = nil }, reason.PluginChain},
		"no certificate":        {func(r *GenerateSignatureResponse) { r.CertificateChain[0] = []byte("x") }, reason.PluginChain},
		"chain without root":    {func(r *GenerateSignatureResponse) { r.CertificateChain = r.CertificateChain[:2] }, reason.PluginChain},
		"chain out of order":    {func(r *GenerateSignatureResponse) { swap(r.CertificateChain) }, reason.PluginChain},
		"chain of a time stamp": {func(r *GenerateSignatureResponse) { *r = *rawAnswer(t, tsa, payload) }, reason.PluginChain},
		"chain of another key":  {func(r *GenerateSignatureResponse) { r.CertificateChain = other.DER() }, reason.PluginSignature},
		"no signature":          {func(r *GenerateSignatureResponse) { r.Signature = nil }, reason.PluginSignature},
		"long signature":        {func(r *GenerateSignatureResponse) { r.Signature = make([]byte, maxSignature+1) }, reason.PluginSignature},
		"other payload": {func(r *GenerateSignatureResponse) {
			r.Signature = rawAnswer(t, chain, []byte("Payload")).Signature
		}, reason.PluginSignature},
		"signature in DER": {func(r *GenerateSignatureResponse) { r.Signature = append([]byte{0x30, 0x44}, r.Signature...) }, reason.PluginSignature},
	} {
		answer := rawAnswer(t, chain, payload)
		tt.change(answer)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := get(t, answering(t, map[Command]said{CommandGenerateSignature: {Out: toJSON(t, answer)}}))
			signature, certs, err := p.SignRaw(t.Context(), "k", envelope.ECDSASHA256, payload, nil)
			if tt.code == "" {
				must(t, err)
				return
			}
			refuses(t, err, tt.code)
			if signature != nil || certs != nil {
				t.Error("there is a result")
			}
		})
	}
}

func swap(der [][]byte) { der[1], der[2] = der[2], der[1] }

func TestSignRequests(t *testing.T) {
	t.Parallel()
	p := get(t, answering(t, map[Command]said{}))
	_, err := p.DescribeKey(t.Context(), "", nil)
	refuses(t, err, reason.PluginRequest)
	_, err = p.DescribeKey(t.Context(), "bad\xff", nil)
	refuses(t, err, reason.PluginRequest)
	_, _, err = p.SignRaw(t.Context(), strings.Repeat("k", maxKeyID+1), envelope.ECDSASHA256, nil, nil)
	refuses(t, err, reason.PluginRequest)
	_, _, err = p.SignRaw(t.Context(), "k", 0, nil, nil)
	refuses(t, err, reason.PluginRequest)
	_, _, err = p.SignRaw(t.Context(), "k", envelope.ECDSASHA256, make([]byte, maxPayload+1), nil)
	refuses(t, err, reason.PluginRequest)
	_, _, err = p.SignRaw(t.Context(), "k", envelope.ECDSASHA256, nil, nil)
	refuses(t, err, reason.PluginAnswer)
	_, _, err = p.SignEnvelope(t.Context(), "", request(envelope.MediaTypeJWS), nil)
	refuses(t, err, reason.PluginRequest)
	_, _, err = p.SignEnvelope(t.Context(), "k", request(envelope.MediaTypeJWS), nil)
	refuses(t, err, reason.PluginAnswer)
	_, _, err = (&Plugin{}).SignRaw(t.Context(), "k", envelope.ECDSASHA256, nil, nil)
	refuses(t, err, reason.PluginCapability)
	for _, change := range []func(r *envelope.Request){
		func(r *envelope.Request) { r.VerificationPlugin = "p" },
		func(r *envelope.Request) { r.Extended = []envelope.Attribute{{Key: "a", Value: "b"}} },
		func(r *envelope.Request) { r.VerificationPlugin, r.PluginMinVersion = "p", "1.0.0" },
	} {
		r := request(envelope.MediaTypeJWS)
		change(&r)
		_, _, err = p.SignEnvelope(t.Context(), "k", r, nil)
		refuses(t, err, reason.PluginRequest)
	}
	_, _, err = p.SignEnvelope(t.Context(), "k", request("text/plain"), nil)
	if reason.Of(err) == "" || reason.Of(err) == reason.PluginAnswer {
		t.Error(err)
	}
	r := request(envelope.MediaTypeJWS)
	r.Target.Annotations = map[string]string{"io.cncf.notary.x": "y"}
	_, _, err = p.SignEnvelope(t.Context(), "k", r, nil)
	refuses(t, err, reason.EnvelopeReservedAnnotation)
}

// seal makes an envelope with a key of the test.
func seal(t testing.TB, r envelope.Request, chain *testpki.Chain) []byte {
	t.Helper()
	alg, err := envelope.AlgorithmFor(chain.Leaf().PublicKey)
	must(t, err)
	unsigned, err := envelope.New(r, alg)
	must(t, err)
	signature, err := envelope.SignPrimitive(chain.Key, alg, unsigned.ToBeSigned())
	must(t, err)
	data, err := unsigned.Seal(signature, chain.Certs)
	must(t, err)
	return data
}

// attack: PLG-04
func TestSignEnvelope(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	expired := testpki.New(t, testpki.Options{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	annotate := func(key, value string) func(r *envelope.Request, _ *GenerateEnvelopeResponse) {
		return func(r *envelope.Request, _ *GenerateEnvelopeResponse) {
			r.Target.Annotations = maps.Clone(r.Target.Annotations)
			r.Target.Annotations[key] = value
		}
	}
	manifest := func(key, value string) func(r *envelope.Request, a *GenerateEnvelopeResponse) {
		return func(_ *envelope.Request, a *GenerateEnvelopeResponse) { a.Annotations = map[string]string{key: value} }
	}
	for name, tt := range map[string]struct {
		ask    func(r *envelope.Request)                              // changes what is asked
		made   func(r *envelope.Request, a *GenerateEnvelopeResponse) // changes what is made
		after  func(a *GenerateEnvelopeResponse)                      // changes the answer
		signer *testpki.Chain
		code   reason.Code
	}{
		"as asked":         {},
		"annotation added": {made: annotate("build", "1")},
		"own choices": {made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) {
			r.Scheme, r.VerificationPlugin, r.PluginMinVersion = envelope.SchemeSigningAuthority, "com.example.plugin", "1.0.0"
			r.Expiry = r.SigningTime.Add(time.Hour)
			r.Extended = []envelope.Attribute{{Key: "com.example.job", Critical: true, Value: "1"}}
		}},
		"manifest annotation": {made: manifest("com.example.job", "1")},
		"expiry":              {ask: func(r *envelope.Request) { r.Expiry = r.SigningTime.Add(24 * time.Hour) }},
		"expiry by its clock": {ask: func(r *envelope.Request) { r.Expiry = r.SigningTime.Add(24 * time.Hour) }, made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) {
			r.Expiry = r.Expiry.Add(time.Minute)
		}},
		"scheme": {ask: func(r *envelope.Request) { r.Scheme = envelope.SchemeSigningAuthority }},

		"other scheme": {ask: func(r *envelope.Request) { r.Scheme = envelope.SchemeX509 }, made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) {
			r.Scheme = envelope.SchemeSigningAuthority
		}, code: reason.PluginEnvelope},
		"no expiry": {ask: func(r *envelope.Request) { r.Expiry = r.SigningTime.Add(24 * time.Hour) }, made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) {
			r.Expiry = time.Time{}
		}, code: reason.PluginEnvelope},
		"later expiry": {ask: func(r *envelope.Request) { r.Expiry = r.SigningTime.Add(24 * time.Hour) }, made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) {
			r.Expiry = r.Expiry.Add(time.Hour)
		}, code: reason.PluginEnvelope},
		"earlier expiry": {ask: func(r *envelope.Request) { r.Expiry = r.SigningTime.Add(24 * time.Hour) }, made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) {
			r.Expiry = r.Expiry.Add(-time.Hour)
		}, code: reason.PluginEnvelope},
		"other digest": {made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) {
			r.Target.Digest = "sha256:54136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
		}, code: reason.PluginEnvelope},
		"other size":          {made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) { r.Target.Size++ }, code: reason.PluginEnvelope},
		"other media type":    {made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) { r.Target.MediaType = "a/b" }, code: reason.PluginEnvelope},
		"artifact type":       {made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) { r.Target.ArtifactType = "a/b" }, code: reason.PluginEnvelope},
		"metadata changed":    {made: annotate("stage", "test"), code: reason.PluginEnvelope},
		"metadata dropped":    {made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) { r.Target.Annotations = nil }, code: reason.PluginEnvelope},
		"other envelope type": {made: func(r *envelope.Request, _ *GenerateEnvelopeResponse) { r.MediaType = envelope.MediaTypeCOSE }, code: reason.PluginEnvelope},
		"says other type":     {after: func(a *GenerateEnvelopeResponse) { a.SignatureEnvelopeType = envelope.MediaTypeCOSE }, code: reason.PluginEnvelope},
		"no envelope":         {after: func(a *GenerateEnvelopeResponse) { a.SignatureEnvelope = nil }, code: reason.PluginEnvelope},
		"broken signature":    {after: func(a *GenerateEnvelopeResponse) { a.SignatureEnvelope = breakJWS(t, a.SignatureEnvelope) }, code: reason.PluginEnvelope},
		"expired certificate": {signer: expired, code: reason.PluginChain},
		"reserved annotation": {made: manifest("io.cncf.notary.x509chain.thumbprint#S256", "[]"), code: reason.PluginEnvelope},
		"manifest time":       {made: manifest("org.opencontainers.image.created", "now"), code: reason.PluginEnvelope},
		"empty annotation":    {made: manifest("", "now"), code: reason.PluginEnvelope},
		"long annotation":     {made: manifest("a", strings.Repeat("x", maxText)), code: reason.PluginEnvelope},
		"many annotations": {after: func(a *GenerateEnvelopeResponse) {
			a.Annotations = map[string]string{}
			for i := range maxItems + 1 {
				a.Annotations[fmt.Sprint(i)] = ""
			}
		}, code: reason.PluginEnvelope},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := request(envelope.MediaTypeJWS)
			if tt.ask != nil {
				tt.ask(&asked)
			}
			answer := &GenerateEnvelopeResponse{SignatureEnvelopeType: asked.MediaType}
			made := asked
			if tt.made != nil {
				tt.made(&made, answer)
			}
			if tt.signer == nil {
				tt.signer = chain
			}
			answer.SignatureEnvelope = seal(t, made, tt.signer)
			if tt.after != nil {
				tt.after(answer)
			}
			checkEnvelope(t, asked, answer, tt.code)
		})
	}
}

// attack: PLG-04
func TestReservedMetadataAdded(t *testing.T) {
	t.Parallel()
	asked, signed := request(envelope.MediaTypeJWS).Target, request(envelope.MediaTypeJWS).Target
	must(t, checkTarget(asked, signed))
	signed.Annotations["io.cncf.notary.x"] = "y"
	refuses(t, checkTarget(asked, signed), reason.PluginEnvelope)
}

func checkEnvelope(t *testing.T, asked envelope.Request, answer *GenerateEnvelopeResponse, code reason.Code) {
	t.Helper()
	p := get(t, answering(t, map[Command]said{CommandGenerateEnvelope: {Out: toJSON(t, answer)}}))
	data, annotations, err := p.SignEnvelope(t.Context(), "k", asked, nil)
	blob, _, blobErr := p.SignBlobEnvelope(t.Context(), "k", asked, nil)
	if code == "" {
		must(t, err)
		must(t, blobErr)
		if string(data) != string(answer.SignatureEnvelope) || string(blob) != string(data) || !maps.Equal(annotations, answer.Annotations) {
			t.Error("the result is not what the plugin made")
		}
		return
	}
	refuses(t, err, code)
	refuses(t, blobErr, code)
	if data != nil || annotations != nil {
		t.Error("there is a result")
	}
}

// breakJWS changes the last byte of the payload's digest.
func breakJWS(t testing.TB, data []byte) []byte {
	t.Helper()
	var members map[string]json.RawMessage
	must(t, json.Unmarshal(data, &members))
	s := []byte(members["signature"])
	if s[3] != 'A' {
		s[3] = 'A'
	} else {
		s[3] = 'B'
	}
	members["signature"] = s
	return []byte(toJSON(t, members))
}

// What a plugin is asked is what the protocol says, to the letter.
func TestSignRequestsSent(t *testing.T) {
	t.Parallel()
	record := filepath.Join(t.TempDir(), "record")
	p := get(t, answering(t, map[Command]said{}, "EXAMPLE_RECORD="+record))
	r := request(envelope.MediaTypeCOSE)
	r.Expiry = r.SigningTime.Add(90 * time.Minute)
	_, _ = p.DescribeKey(t.Context(), "k", map[string]string{"a": "b"})
	_, _, _ = p.SignRaw(t.Context(), "k", envelope.ECDSASHA384, []byte("hello"), nil)
	_, _, _ = p.SignEnvelope(t.Context(), "k", r, map[string]string{"a": "b"})
	payload := `{"targetArtifact":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":3,"annotations":{"stage":"prod"}}}`
	for command, want := range map[Command]string{
		CommandDescribeKey:       `{"contractVersion":"1.0","keyId":"k","pluginConfig":{"a":"b"}}`,
		CommandGenerateSignature: `{"contractVersion":"1.0","keyId":"k","keySpec":"EC-384","hashAlgorithm":"SHA-384","payload":"aGVsbG8="}`,
		CommandGenerateEnvelope: `{"contractVersion":"1.0","keyId":"k","payloadType":"application/vnd.cncf.notary.payload.v1+json","signatureEnvelopeType":"application/cose","payload":` +
			toJSON(t, []byte(payload)) + `,"expiryDurationInSeconds":5400,"pluginConfig":{"a":"b"}}`,
	} {
		got, err := os.ReadFile(record + "." + string(command))
		must(t, err)
		if string(got) != want {
			t.Errorf("%s:\n%s\nwant\n%s", command, got, want)
		}
	}
}

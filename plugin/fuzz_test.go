package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
)

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(toJSON(f, goodMetadata("test", all()...))))
	f.Add([]byte(`{"name":null}`))
	f.Add([]byte(`{"name":"test","Name":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMetadata(data, "test")
		if err != nil {
			coded(t, err)
			return
		}
		if m.Name != "test" || !isVersion(m.Version) || len(m.Capabilities) == 0 || !printable(m.Description+m.URL) {
			t.Errorf("%+v", m)
		}
	})
}

// coded fails the test unless the error is one of ours and can be printed.
func coded(t testing.TB, err error) {
	t.Helper()
	if reason.Of(err) == "" || !printable(err.Error()) {
		t.Errorf("%q has the code %q", err.Error(), reason.Of(err))
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"keyId":"k","keySpec":"EC-256"}`))
	f.Add([]byte(`{"keyId":"k","signature":"AQ==","signingAlgorithm":"ECDSA-SHA-256","certificateChain":["AQ=="]}`))
	f.Add([]byte(`{"signatureEnvelope":"e30=","signatureEnvelopeType":"application/jose+json","annotations":{"a":"b"}}`))
	f.Add([]byte(`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":true,"reason":"\u001b"}},"processedAttributes":["a"]}`))
	f.Add([]byte(`{"errorCode":"ERROR","errorMessage":"m","errorMetadata":null}`))
	asked := &VerifySignatureRequest{
		Signature:   Signature{UnprocessedAttributes: []string{"a", "b"}},
		TrustPolicy: TrustPolicy{SignatureVerification: []Capability{CapabilityTrustedIdentity}},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var describe DescribeKeyResponse
		if decode(data, &describe) == nil {
			if alg, err := describe.check("k"); err != nil {
				coded(t, err)
			} else if alg.KeySpec() != describe.KeySpec {
				t.Error(alg)
			}
		}
		var generate GenerateSignatureResponse
		if decode(data, &generate) == nil {
			if _, err := generate.check("k", envelope.ECDSASHA256, []byte("payload")); err == nil {
				t.Error("a signature was made up")
			}
		}
		var sealed GenerateEnvelopeResponse
		if decode(data, &sealed) == nil {
			if err := sealed.check(request(envelope.MediaTypeJWS)); err == nil {
				t.Error("an envelope was made up")
			}
		}
		var verify VerifySignatureResponse
		if decode(data, &verify) == nil {
			if v, err := verify.check(asked); err != nil {
				coded(t, err)
			} else if len(v.Results) != 1 || len(v.Processed)+len(v.Unprocessed) != 2 || !printable(v.Results[CapabilityTrustedIdentity].Reason) {
				t.Errorf("%+v", v)
			}
		}
		if fault, err := parseError(data); err == nil && !printable(fault.Error()) {
			t.Errorf("%q", fault.Error())
		}
	})
}

// FuzzRequest is the author's side.
func FuzzRequest(f *testing.F) {
	f.Add("describe-key", []byte(`{"contractVersion":"1.0","keyId":"k"}`))
	f.Add("verify-signature", []byte(`{"contractVersion":"1.0","signature":{"unprocessedAttributes":null}}`))
	f.Add("get-plugin-metadata", []byte(`{}`))
	p := full(f)
	f.Fuzz(func(t *testing.T, command string, data []byte) {
		run(t, p, string(data), command)
	})
}

func FuzzArchive(f *testing.F) {
	f.Add(makeTar(f, item{name: fileName("p"), body: "x"}, item{name: "LICENSE"}))
	f.Add(makeZip(f, item{name: fileName("p"), body: "x"}, item{name: "../x"}))
	f.Add(zipped(f, sparsePAX(f)))
	f.Add([]byte("#!/bin/sh"))
	f.Fuzz(func(t *testing.T, data []byte) {
		base := t.TempDir()
		name, err := unpack(bytes.NewReader(data), fileName("p"), filepath.Join(base, "into"))
		entries, readErr := os.ReadDir(base)
		must(t, readErr)
		if len(entries) > 1 {
			t.Errorf("%v beside the directory", entries)
		}
		if err != nil {
			coded(t, err)
			return
		}
		info, err := os.Lstat(filepath.Join(base, "into", name, fileName(name)))
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o755 {
			t.Errorf("%q: %v, %v", name, info, err)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	h := answering(b, map[Command]said{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Get(b.Context(), "test"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseMetadata(b *testing.B) {
	data := []byte(toJSON(b, goodMetadata("test", all()...)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseMetadata(data, "test"); err != nil {
			b.Fatal(err)
		}
	}
}

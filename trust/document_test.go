package trust_test

import (
	"bytes"
	"testing"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

func TestStarter(t *testing.T) {
	t.Parallel()
	stores := []trust.StoreRef{{Type: trust.CA, Name: "wabbit-networks.io"}, {Type: trust.TSA, Name: "time"}}
	got, err := trust.Starter(trust.OCIPolicy, stores...).Encode(trust.OCIPolicy)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "version": "1.0",
  "trustPolicies": [
    {
      "name": "starter",
      "registryScopes": [
        "*"
      ],
      "signatureVerification": {
        "level": "strict"
      },
      "trustStores": [
        "ca:wabbit-networks.io",
        "tsa:time"
      ],
      "trustedIdentities": [
        "*"
      ]
    }
  ]
}
`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	// A starter policy can be told by building it again from its own stores.
	p, err := trust.ParsePolicy("", got)
	if err != nil {
		t.Fatal(err)
	}
	again, err := trust.Starter(trust.OCIPolicy, p.Statements()[0].Stores()...).Encode(trust.OCIPolicy)
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("%s, %v", again, err)
	}

	p, err = trust.Starter(trust.BlobPolicy, stores...).Policy(trust.BlobPolicy, "")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := p.ForBlob(""); err != nil || s.Name() != "starter" {
		t.Errorf("%v, %v", s, err)
	}
	_, err = trust.Starter(trust.OCIPolicy).Encode(trust.OCIPolicy)
	wantCode(t, err, reason.PolicyStore)
}

func TestDocumentIsChecked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind trust.Kind
		doc  trust.Document
		code reason.Code
	}{
		"empty":                {trust.OCIPolicy, trust.Document{}, reason.PolicyVersion},
		"no statement":         {trust.OCIPolicy, document(), reason.PolicyEmpty},
		"scopes in a blob":     {trust.BlobPolicy, document(statement()), reason.PolicySyntax},
		"global in OCI":        {trust.OCIPolicy, document(statement(func(s *trust.StatementDocument) { s.GlobalPolicy = true })), reason.PolicySyntax},
		"invalid UTF-8":        {trust.OCIPolicy, document(statement(func(s *trust.StatementDocument) { s.Name = "\xff" })), reason.PolicySyntax},
		"invalid UTF-8 in map": {trust.OCIPolicy, document(statement(func(s *trust.StatementDocument) { s.SignatureVerification.Override = map[string]string{"\xff": "log"} })), reason.PolicySyntax},
		"no scope":             {trust.OCIPolicy, document(blobStatement()), reason.PolicyScope},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := tt.doc.Encode(tt.kind)
			if data != nil {
				t.Error("a text is returned")
			}
			wantCode(t, err, tt.code)
			if _, err := tt.doc.Policy(tt.kind, "file"); reason.Of(err) != tt.code {
				t.Errorf("Policy: %v", err)
			}
		})
	}
}

// TestDocumentOfPolicy: what is read can be changed without changing the policy.
func TestDocumentOfPolicy(t *testing.T) {
	t.Parallel()
	p := mustPolicy(t, trust.OCIPolicy, statement(func(s *trust.StatementDocument) {
		s.SignatureVerification.Override = map[string]string{"expiry": "log"}
	}))
	before, err := p.Document().Encode(trust.OCIPolicy)
	if err != nil {
		t.Fatal(err)
	}
	d := p.Document()
	s := &d.Statements[0]
	s.Name, s.RegistryScopes[0], s.TrustStores[0], s.TrustedIdentities[0] = "x", "*", "ca:x", "*"
	s.SignatureVerification.Override["expiry"] = "enforce"
	if _, err := d.Encode(trust.OCIPolicy); err != nil {
		t.Error(err)
	}
	after, err := p.Document().Encode(trust.OCIPolicy)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("%s, %v", after, err)
	}
}

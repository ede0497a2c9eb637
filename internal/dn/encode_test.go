package dn

import (
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// TestEncode writes names in the usual order, whichever they were given in.
func TestEncode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"C=US, ST=WA, O=wabbit-networks.io, CN=release":                                  "CN=release,O=wabbit-networks.io,ST=WA,C=US",
		"CN=release,O=wabbit-networks.io,ST=WA,C=US":                                     "CN=release,O=wabbit-networks.io,ST=WA,C=US",
		"CN=a, OU=one, OU=two, O=b, STREET=s, L=l, ST=x, C=DE":                           "CN=a,OU=two,OU=one,O=b,STREET=s,L=l,ST=x,C=DE",
		"O=Ünïcode, C=FR, ST=x, emailAddress=a@example.com, serialNumber=17, DC=example": "DC=example,serialNumber=17,emailAddress=a@example.com,O=Ünïcode,ST=x,C=FR",
		"CN=a+UID=b, O=c": "UID=b+CN=a,O=c",
		"1.2.3.4=x, O=c":  "1.2.3.4=#0c0178,O=c",
		`O=a\, b, jurisdictionC=US, dnQualifier=q`: `dnQualifier=q,jurisdictionC=US,O=a\, b`,
	} {
		name := mustParse(t, text)
		der, err := name.Encode()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		back, err := FromDER(der)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !name.Matches(back) || !back.Matches(name) {
			t.Errorf("%s became %s, which is another name", text, back)
		}
		if got := back.String(); got != want && !strings.Contains(text, "+") {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"C=USA, O=x", "C=us, O=x", "C=D1", "emailAddress=ü@example.com", "DC=ü", "serialNumber=a_b", "serialNumber=*"} {
		if _, err := mustParse(t, text).Encode(); reason.Of(err) != reason.CertNameSyntax {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := (Name{}).Encode(); reason.Of(err) != reason.CertNameSyntax {
		t.Error(err)
	}
}

// TestEncodeStringTypes uses PrintableString where RFC 5280 demands it.
func TestEncodeStringTypes(t *testing.T) {
	t.Parallel()
	der, err := mustParse(t, "C=US,O=x").Encode()
	if err != nil {
		t.Fatal(err)
	}
	var rdns []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &rdns); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{asn1.TagPrintableString, asn1.TagUTF8String} {
		var pair struct {
			OID   asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		if _, err := asn1.Unmarshal(rdns[i].Bytes, &pair); err != nil || pair.Value.Tag != want {
			t.Errorf("attribute %v has tag %d, want %d: %v", pair.OID, pair.Value.Tag, want, err)
		}
	}
}

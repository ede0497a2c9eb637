package trust_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// TestParseIdentityRefuses: what the parser of policies refuses, it refuses to
// other callers too, and returns nothing that could match.
//
// attack: POL-01
func TestParseIdentityRefuses(t *testing.T) {
	t.Parallel()
	leaf := testpki.New(t, testpki.Options{}).Leaf()
	for _, text := range []string{"", "**", "* ", "x509.subject:", "x509.subject: *", "C=US, ST=WA, O=Acme", "x509.subject: C=US", "x509.subject: C=US, ST=WA, O=" + strings.Repeat("x", trust.MaxIdentityBytes)} {
		id, err := trust.ParseIdentity(text)
		wantCode(t, err, reason.PolicyIdentity)
		if id.IsAny() || id.Matches(leaf) || id.String() != "" {
			t.Errorf("%q: %v", text, id)
		}
	}
}

// TestTSAAnchorIsCA: whatever the basic constraints look like, a tsa store holds
// authorities.
//
// attack: TSP-05
func TestTSAAnchorIsCA(t *testing.T) {
	t.Parallel()
	constraints := func(value []byte) *x509.Certificate {
		return testpki.New(t, testpki.Options{Length: 1, Modify: func(_ int, c *x509.Certificate) {
			c.BasicConstraintsValid = false
			if value != nil {
				c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: value})
			}
		}}).Leaf()
	}
	for name, tt := range map[string]struct {
		constraints []byte
		ok          bool
	}{
		"none":   {nil, false},
		"denied": {[]byte{0x30, 0}, false},
		"given":  {[]byte{0x30, 3, 1, 1, 0xff}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert := constraints(tt.constraints)
			if err := trust.CheckAnchor(trust.CA, cert); err != nil {
				t.Error(err)
			}
			if err := trust.CheckAnchor(trust.TSA, cert); tt.ok && err != nil {
				t.Error(err)
			} else if !tt.ok {
				wantCode(t, err, reason.StoreAnchor)
			}
		})
	}
}

// TestDamagedBlockFirst: after a bad block nothing is read any more.
func TestDamagedBlockFirst(t *testing.T) {
	t.Parallel()
	text := string(pemOf(testpki.New(t, testpki.Options{}).Root()))
	certs, err := trust.ParseCertificates([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + text))
	wantCode(t, err, reason.StoreCertificate)
	if len(certs) != 0 {
		t.Errorf("%d certificates", len(certs))
	}
}

// TestUnknownCheckIsEnforced: the first value that is no check.
func TestUnknownCheckIsEnforced(t *testing.T) {
	t.Parallel()
	s := mustPolicy(t, trust.OCIPolicy, statement(func(s *trust.StatementDocument) {
		s.SignatureVerification.Level = "audit"
		s.SignatureVerification.VerifyTimestamp = "afterCertExpiry"
	})).Statements()[0]
	if got := s.Action(trust.Revocation + 1); got != trust.Enforce {
		t.Error(got)
	}
	if !s.TimestampAfterCertExpiry() {
		t.Error("afterCertExpiry is lost")
	}
}

// TestPolicyKeepsItsText: the caller may use its buffer again.
func TestPolicyKeepsItsText(t *testing.T) {
	t.Parallel()
	data := []byte(goodOCI)
	p, err := trust.ParsePolicy("p.json", data)
	if err != nil {
		t.Fatal(err)
	}
	before := trust.Lint(p, nil, testTime)
	clear(data)
	if after := trust.Lint(p, nil, testTime); !slices.Equal(before, after) {
		t.Errorf("%v, before %v", after, before)
	}
}

// TestRefsOfSomeTypes: that there is no store of a type is no fault.
func TestRefsOfSomeTypes(t *testing.T) {
	t.Parallel()
	root := testpki.New(t, testpki.Options{}).Root()
	refs, warnings, err := trust.NewStores(fstest.MapFS{"tsa/acme/r.pem": file(root.Raw)}).Refs()
	if err != nil || len(warnings) != 0 || !slices.Equal(refs, []trust.StoreRef{tsAcme}) {
		t.Errorf("%v, %v, %v", refs, warnings, err)
	}
	refs, warnings, err = trust.NewStores(fstest.MapFS{}).Refs()
	if err != nil || len(refs)+len(warnings) != 0 {
		t.Errorf("%v, %v, %v", refs, warnings, err)
	}
}

// TestNearlyDevices: names that only look like those of devices.
func TestNearlyDevices(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"COMA", "com-", "lpt.1", "LPT_", "com:1"} {
		if err := trust.CheckStoreName(name); (err == nil) != (name != "com:1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKubernetesVolume: a mounted ConfigMap or Secret is a directory of links
// into "..data", itself a link. The store is refused, and the message says what
// to do.
//
// attack: FS-01
func TestKubernetesVolume(t *testing.T) {
	t.Parallel()
	root := testpki.New(t, testpki.Options{}).Root()
	link := func(target string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
	}
	for name, fsys := range map[string]fstest.MapFS{
		"files": {
			"ca/acme/..2026_11_23_10_00_00.1/r.crt": file(root.Raw),
			"ca/acme/..data":                        link("..2026_11_23_10_00_00.1"),
			"ca/acme/r.crt":                         link("..data/r.crt"),
		},
		"store": {
			"ca/..2026_11_23_10_00_00.1/acme/r.crt": file(root.Raw),
			"ca/..data":                             link("..2026_11_23_10_00_00.1"),
			"ca/acme":                               link("..data/acme"),
		},
		"type": {
			"..2026_11_23_10_00_00.1/ca/acme/r.crt": file(root.Raw),
			"..data":                                link("..2026_11_23_10_00_00.1"),
			"ca":                                    link("..data/ca"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certs, _, err := trust.NewStores(fsys).Load(caAcme)
			wantCode(t, err, reason.StoreNotRegular)
			if hint := reason.Hint(err); len(certs) != 0 || !strings.Contains(hint, "Kubernetes") || !strings.Contains(hint, "subPath") || !strings.Contains(hint, "init container") {
				t.Errorf("%d certificates, hint %q", len(certs), hint)
			}
		})
	}
}

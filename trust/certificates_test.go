package trust_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

func pemOf(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func TestParseCertificates(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	root, text := chain.Root(), pemOf(chain.Root())
	for name, tt := range map[string]struct {
		data []byte
		want []*x509.Certificate
	}{
		"DER":              {root.Raw, chain.Certs[2:]},
		"PEM":              {text, chain.Certs[2:]},
		"bundle":           {pemOf(chain.Certs...), chain.Certs},
		"CRLF":             {bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), chain.Certs[2:]},
		"no last newline":  {bytes.TrimSpace(text), chain.Certs[2:]},
		"blank lines":      {slicesConcat("\n\n", string(text), "\n\n", string(text), "\n"), []*x509.Certificate{root, root}},
		"explanatory text": {slicesConcat("Certificate:\n    Data: - one -- two\n", string(text), "# and\n0 s:C = US\n", string(text)), []*x509.Certificate{root, root}},
		"text begins by 0": {slicesConcat("0 s:C = US\n", string(text)), chain.Certs[2:]},
		"indented body":    {bytes.ReplaceAll(text, []byte("\nM"), []byte("\n  M")), chain.Certs[2:]},
		"one line":         {oneLine(text), chain.Certs[2:]},
		"byte order mark":  {slicesConcat("\ufeff", string(text)), chain.Certs[2:]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := trust.ParseCertificates(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%d certificates, want %d", len(got), len(tt.want))
			}
			for i := range got {
				if !got[i].Equal(tt.want[i]) {
					t.Errorf("certificate %d is another", i)
				}
			}
		})
	}
}

func slicesConcat(parts ...string) []byte { return []byte(strings.Join(parts, "")) }

// oneLine returns PEM text with its body in one line.
func oneLine(text []byte) []byte {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return []byte(lines[0] + "\n" + strings.Join(lines[1:len(lines)-1], "") + "\n" + lines[len(lines)-1] + "\n")
}

// attack: FS-01
func TestRefusedCertificates(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	text := string(pemOf(chain.Root()))
	der := chain.Root().Raw
	block := func(label string, content []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: content})
	}
	ecKey, rsaKey := testpki.Key(t, "ec-256", 0).(*ecdsa.PrivateKey), testpki.Key(t, "rsa-2048", 0).(*rsa.PrivateKey)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	if ecKey.Curve != elliptic.P256() {
		t.Fatal("not the short form that this test is about")
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	big := testpki.New(t, testpki.Options{Length: 1, Modify: func(_ int, c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: make([]byte, trust.MaxCertificateBytes)})
	}}).Leaf()

	for name, tt := range map[string]struct {
		data []byte
		code reason.Code
	}{
		"empty":                  {nil, reason.StoreCertificate},
		"white space":            {[]byte(" \n\t"), reason.StoreCertificate},
		"text":                   {[]byte("hello"), reason.StoreCertificate},
		"a web page":             {[]byte("<!DOCTYPE html><html>"), reason.StoreCertificate},
		"byte order mark within": {slicesConcat(text, "\ufeff", text), reason.StoreCertificate},
		"byte order mark alone":  {[]byte("\ufeff"), reason.StoreCertificate},
		"DER, truncated":         {der[:len(der)-1], reason.StoreCertificate},
		"DER, trailing":          {append(bytes.Clone(der), 0), reason.StoreCertificate},
		"DER, two":               {append(bytes.Clone(der), der...), reason.StoreCertificate},
		"DER, then PEM":          {append(bytes.Clone(der), text...), reason.StoreCertificate},
		"DER, no certificate":    {[]byte{0x30, 0x80, 0, 0}, reason.StoreCertificate},
		"PEM, no certificate":    {block("CERTIFICATE", []byte("hello")), reason.StoreCertificate},
		"PEM, empty block":       {block("CERTIFICATE", nil), reason.StoreCertificate},
		"PEM, two in a block":    {block("CERTIFICATE", append(bytes.Clone(der), der...)), reason.StoreCertificate},
		"no end":                 {[]byte(text[:len(text)-10]), reason.StoreCertificate},
		"no end line":            {[]byte(text[:strings.Index(text, "-----END")]), reason.StoreCertificate},
		"no beginning":           {[]byte(text[strings.Index(text, "\n")+1:]), reason.StoreCertificate},
		"second damaged":         {slicesConcat(text, strings.Replace(text, "M", "!", 1)), reason.StoreCertificate},
		"second without begin":   {slicesConcat(text, text[strings.Index(text, "\n")+1:]), reason.StoreCertificate},
		"second without end":     {slicesConcat(text, text[:len(text)-40]), reason.StoreCertificate},
		"end missing between":    {slicesConcat(text[:strings.Index(text, "-----END")], text), reason.StoreCertificate},
		"text before boundary":   {slicesConcat("x ", text), reason.StoreCertificate},
		"text after boundary":    {[]byte(strings.Replace(text, "CERTIFICATE-----\n", "CERTIFICATE----- x\n", 1)), reason.StoreCertificate},
		"headers":                {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: der}), reason.StoreCertificate},
		"bad base64":             {[]byte("-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"), reason.StoreCertificate},
		"trailing bits":          {[]byte("-----BEGIN CERTIFICATE-----\nMB==\n-----END CERTIFICATE-----\n"), reason.StoreCertificate},
		"OpenSSL's own":          {block("TRUSTED CERTIFICATE", der), reason.StoreCertificate},
		"old label":              {block("X509 CERTIFICATE", der), reason.StoreCertificate},
		"lower-case label":       {block("certificate", der), reason.StoreCertificate},
		"PKCS #7":                {block("PKCS7", der), reason.StoreCertificate},
		"CMS":                    {block("CMS", der), reason.StoreCertificate},
		"public key":             {block("PUBLIC KEY", der), reason.StoreCertificate},
		"request":                {block("CERTIFICATE REQUEST", der), reason.StoreCertificate},
		"CRL":                    {block("X509 CRL", der), reason.StoreCertificate},
		"terminal escape":        {[]byte("-----BEGIN \x1b[31m-----\n"), reason.StoreCertificate},
		"key":                    {chain.KeyPEM(), reason.StorePrivateKey},
		"certificate, then key":  {slicesConcat(text, string(chain.KeyPEM())), reason.StorePrivateKey},
		"key, then certificate":  {slicesConcat(string(chain.KeyPEM()), text), reason.StorePrivateKey},
		"SEC 1 key":              {block("EC PRIVATE KEY", sec1), reason.StorePrivateKey},
		"encrypted key":          {block("ENCRYPTED PRIVATE KEY", der), reason.StorePrivateKey},
		"OpenSSH key":            {block("OPENSSH PRIVATE KEY", der), reason.StorePrivateKey},
		"key in disguise":        {block("CERTIFICATE", pkcs8), reason.StorePrivateKey},
		"DER, SEC 1 key":         {sec1, reason.StorePrivateKey},
		"DER, PKCS #8 key":       {pkcs8, reason.StorePrivateKey},
		"DER, PKCS #1 key":       {x509.MarshalPKCS1PrivateKey(rsaKey), reason.StorePrivateKey},
		"large file":             {bytes.Repeat([]byte("\n"), trust.MaxCertificateFileBytes+1), reason.StoreTooLarge},
		"large certificate":      {big.Raw, reason.StoreTooLarge},
		"many certificates":      {bytes.Repeat([]byte(text), trust.MaxCertificatesPerFile+1), reason.StoreTooLarge},
	} {
		// attack: CRT-02
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certs, err := trust.ParseCertificates(tt.data)
			if certs != nil {
				t.Errorf("%d certificates are returned", len(certs))
			}
			wantCode(t, err, tt.code)
		})
	}
}

func TestCertificateBounds(t *testing.T) {
	t.Parallel()
	text := pemOf(testpki.New(t, testpki.Options{}).Root())
	certs, err := trust.ParseCertificates(bytes.Repeat(text, trust.MaxCertificatesPerFile))
	if err != nil || len(certs) != trust.MaxCertificatesPerFile {
		t.Errorf("%d, %v", len(certs), err)
	}
	full := append(bytes.Repeat([]byte("\n"), trust.MaxCertificateFileBytes-len(text)), text...)
	if certs, err := trust.ParseCertificates(full); err != nil || len(certs) != 1 {
		t.Errorf("%d, %v", len(certs), err)
	}
}

func TestCheckAnchor(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Length: 4})
	single := testpki.New(t, testpki.Options{Length: 1})
	other := testpki.New(t, testpki.Options{KeySet: 1})
	// The name of the root, signed by the root of the same name that came before.
	rollover := testpki.Reissue(t, other.Root(), chain.Root(), chain.Keys[3])
	sha1 := testpki.Parse(t, testpki.RawFrom(chain.Root()).Sign(t, chain.Keys[3], x509.ECDSAWithSHA1))
	tampered := *chain.Root()
	tampered.Signature = bytes.Clone(tampered.Signature)
	tampered.Signature[len(tampered.Signature)-1] ^= 1
	cross := testpki.Reissue(t, chain.Certs[2], other.Root(), other.Keys[2])

	all := []trust.StoreType{trust.CA, trust.SigningAuthority, trust.TSA}
	signers := all[:2]
	for name, tt := range map[string]struct {
		cert *x509.Certificate
		ok   []trust.StoreType
	}{
		"root":                  {chain.Root(), all},
		"self-signed leaf":      {single.Leaf(), signers},
		"intermediate":          {chain.Certs[1], nil},
		"upper intermediate":    {chain.Certs[2], nil},
		"leaf":                  {chain.Leaf(), nil},
		"cross-signed":          {cross, nil},
		"self-issued, rollover": {rollover, nil},
		"SHA-1":                 {sha1, nil},
		"broken signature":      {&tampered, nil},
		"none":                  {nil, nil},
		"not parsed":            {&x509.Certificate{}, nil},
	} {
		// attack: CRT-05
		// attack: CRT-03
		// attack: TSP-05
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, typ := range all {
				err := trust.CheckAnchor(typ, tt.cert)
				if strings.Contains(" "+strings.Join(names(tt.ok), " ")+" ", " "+typ.String()+" ") {
					if err != nil {
						t.Errorf("%s: %v", typ, err)
					}
					continue
				}
				wantCode(t, err, reason.StoreAnchor)
			}
		})
	}
}

func names(types []trust.StoreType) []string {
	var all []string
	for _, t := range types {
		all = append(all, t.String())
	}
	return all
}

// TestStrictBase64 has a whole certificate in a block whose last character
// holds bits that belong to nothing.
func TestStrictBase64(t *testing.T) {
	t.Parallel()
	// A subject of the right length makes the base64 end in a padded group.
	root := testpki.New(t, testpki.Options{}).Root()
	for name := "x"; len(root.Raw)%3 == 0; name += "x" {
		root = testpki.New(t, testpki.Options{Name: name}).Root()
	}
	text := string(pemOf(root))
	i := strings.Index(text, "=") - 1
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	text = text[:i] + string(alphabet[strings.IndexByte(alphabet, text[i])+1]) + text[i+1:]
	_, err := trust.ParseCertificates([]byte(text))
	wantCode(t, err, reason.StoreCertificate)
	if !strings.Contains(err.Error(), "is not valid base64") {
		t.Error(err)
	}
}

// TestAnchorOfAnotherName has a certificate that names another issuer and is
// signed by its own key all the same.
//
// attack: CRT-05
func TestAnchorOfAnotherName(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	template := *chain.Root()
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: "another"}}
	cert := testpki.Issue(t, &template, parent, chain.Keys[2].Public(), chain.Keys[2])
	err := trust.CheckAnchor(trust.CA, cert)
	wantCode(t, err, reason.StoreAnchor)
	if !strings.Contains(err.Error(), "is no root") {
		t.Error(err)
	}
}

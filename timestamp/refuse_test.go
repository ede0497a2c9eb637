package timestamp_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/timestamp"
)

// A refusal is a token that is good but for one thing.
type refusal struct {
	name   string
	code   reason.Code
	modify func(*testpki.Token)
}

func refuse(t *testing.T, tsa *testpki.TSA, cases []refusal) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := verify(bent(t, tsa, tt.modify), message, tsa.Root())
			wantCode(t, err, tt.code)
			if v != nil || v.Token() != nil || !v.Info().Time.IsZero() {
				t.Error("something was verified")
			}
		})
	}
}

// attack: TSP-01
func TestImprint(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	sum := func(h crypto.Hash, data string) []byte {
		d := h.New()
		d.Write([]byte(data))
		return d.Sum(nil)
	}
	imprint := func(oid string, digest []byte) func(*testpki.Token) {
		return func(k *testpki.Token) { k.Info.Hash, k.Info.Imprint = oid, digest }
	}
	refuse(t, tsa, []refusal{
		{"the payload instead of the signature", reason.TimestampImprint, imprint(testpki.OIDSHA256, sum(crypto.SHA256, "the payload"))},
		{"the message itself", reason.TimestampImprintHash, imprint(testpki.OIDSHA256, message)},
		{"too short", reason.TimestampImprintHash, imprint(testpki.OIDSHA256, sum(crypto.SHA256, string(message))[:31])},
		{"too long", reason.TimestampImprintHash, imprint(testpki.OIDSHA256, append(sum(crypto.SHA256, string(message)), 0))},
		{"empty", reason.TimestampImprintHash, imprint(testpki.OIDSHA256, nil)},
		{"of another algorithm's length", reason.TimestampImprintHash, imprint(testpki.OIDSHA512, sum(crypto.SHA256, string(message)))},
		{"SHA-1", reason.TimestampImprintHash, imprint(testpki.OIDSHA1, sum(crypto.SHA1, string(message)))},
		{"SHA-224", reason.TimestampImprintHash, imprint(testpki.OIDSHA224, sum(crypto.SHA224, string(message)))},
		{"MD5", reason.TimestampImprintHash, imprint("1.2.840.113549.2.5", sum(crypto.MD5, string(message)))},
		{"one bit off", reason.TimestampImprint, func(k *testpki.Token) { k.Info.Imprint[7] ^= 1 }},
	})
	_, err := verify(tsa.Stamp(t, message, crypto.SHA256), nil, tsa.Root())
	wantCode(t, err, reason.TimestampImprint)
}

// attack: TSP-02
func TestSignerAttributes(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{Length: 4})
	other := newTSA(t, testpki.Options{Length: 4}).Leaf()
	leaf := tsa.Leaf()
	set := func(change func(all [][]byte) [][]byte) func(*testpki.Token) {
		return func(k *testpki.Token) { signer(k).Attributes = change(attributes(k)) }
	}
	drop := func(i int) func(*testpki.Token) {
		return set(func(all [][]byte) [][]byte { return slices.Delete(all, i, i+1) })
	}
	twice := func(i int) func(*testpki.Token) {
		return set(func(all [][]byte) [][]byte { return append(all, all[i]) })
	}
	replace := func(i int, with ...[]byte) func(*testpki.Token) {
		return set(func(all [][]byte) [][]byte { return append(slices.Delete(all, i, i+1), with...) })
	}
	id := func(c *x509.Certificate) []byte { return testpki.ESSCertIDV2(c, crypto.SHA256, true) }
	short := testpki.DER(0x30, testpki.DER(0x04, []byte("short")))
	wrongSerial := *leaf
	wrongSerial.SerialNumber = serialOf(4)
	wrongIssuer := *leaf
	wrongIssuer.RawIssuer = other.RawSubject
	many := make([][]byte, 17)
	for i := range many {
		many[i] = id(tsa.Certs[min(i, 2)])
	}
	bare := func(c *x509.Certificate) []byte { return testpki.ESSCertIDV2(c, crypto.SHA256, false) }
	certCode, attrCode := reason.TimestampSigningCertificate, reason.TimestampAttributes
	refuse(t, tsa, []refusal{
		{"no signed attributes", attrCode, func(k *testpki.Token) { signer(k).NoAttributes = true }},
		{"empty signed attributes", attrCode, func(k *testpki.Token) { signer(k).Attributes = [][]byte{} }},
		{"content-type missing", attrCode, drop(0)},
		{"content-type twice", attrCode, twice(0)},
		{"content-type of two values", attrCode, replace(0, testpki.SignedAttribute(testpki.OIDContentType, testpki.OID(testpki.OIDTSTInfo), testpki.OID(testpki.OIDTSTInfo)))},
		{"content-type of no value", attrCode, replace(0, testpki.SignedAttribute(testpki.OIDContentType))},
		{"content-type of data", attrCode, replace(0, testpki.SignedAttribute(testpki.OIDContentType, testpki.OID(testpki.OIDData)))},
		{"message-digest missing", attrCode, drop(1)},
		{"message-digest twice", attrCode, twice(1)},
		{"message-digest of two values", attrCode, replace(1, testpki.SignedAttribute(testpki.OIDMessageDigest, testpki.DER(4), testpki.DER(4)))},
		{"message-digest of other content", reason.TimestampSignature, replace(1, testpki.SignedAttribute(testpki.OIDMessageDigest, testpki.DER(4, make([]byte, 32))))},
		{"signing-certificate missing", certCode, drop(2)},
		{"signing-certificate-v2 twice", attrCode, twice(2)},
		{"signing-certificate twice", attrCode, set(func(all [][]byte) [][]byte {
			return append(all, v1(testpki.ESSCertID(leaf, true)), v1(testpki.ESSCertID(leaf, true)))
		})},
		{"signing-certificate of two values", certCode, replace(2, testpki.SignedAttribute(testpki.OIDSigningCertV2, testpki.SigningCertificate(id(leaf)), testpki.SigningCertificate(id(leaf))))},
		{"signing-certificate of another", certCode, replace(2, v2(id(other)))},
		{"signing-certificate of the issuer", certCode, replace(2, v2(id(tsa.Certs[1])))},
		{"the signer second", certCode, replace(2, v2(id(tsa.Certs[1]), id(leaf)))},
		{"the versions disagree", certCode, replace(2, v2(id(leaf)), v1(testpki.ESSCertID(other, true)))},
		{"version 1 of another", certCode, replace(2, v1(testpki.ESSCertID(other, true)))},
		{"empty list", certCode, replace(2, v2())},
		{"too many", certCode, replace(2, v2(many...))},
		{"short digest", certCode, replace(2, v2(short))},
		{"short digest of version 1", certCode, replace(2, v1(short))},
		{"SHA-1 in version 2", certCode, replace(2, v2(testpki.ESSCertIDV2(leaf, crypto.SHA1, true)))},
		{"algorithm is none", certCode, replace(2, v2(testpki.DER(0x30, testpki.DER(0x30), testpki.DER(0x04, make([]byte, 32)))))},
		{"other serial number", certCode, replace(2, v2(testpki.ESSCertIDV2(&wrongSerial, crypto.SHA256, true)))},
		{"other issuer", certCode, replace(2, v2(testpki.ESSCertIDV2(&wrongIssuer, crypto.SHA256, true)))},
		{"other serial number in version 1", certCode, replace(2, v1(testpki.ESSCertID(&wrongSerial, true)))},
		{"issuer is no directory name", certCode, replace(2, v2(testpki.DER(0x30, testpki.DER(0x04, make([]byte, 32)), testpki.DER(0x30, testpki.DER(0x30, testpki.DER(0x82, []byte("host"))), testpki.DER(2, []byte{1})))))},
		{"an intermediate not named", certCode, replace(2, v2(id(leaf), id(tsa.Certs[1])))},
		{"a stranger named instead", certCode, replace(2, v2(bare(leaf), bare(tsa.Certs[1]), bare(other)))},
		{"attribute is no sequence", reason.TimestampEncoding, replace(2, testpki.DER(0x04))},
		{"too many attributes", reason.TimestampTooLarge, set(func(all [][]byte) [][]byte {
			for i := range 32 {
				all = append(all, testpki.SignedAttribute("1.2."+big.NewInt(int64(i)).String()))
			}
			return all
		})},
		{"identifier of another", certCode, func(k *testpki.Token) {
			signer(k).Identifier = testpki.DER(0x30, other.RawIssuer, testpki.StampInteger(other.SerialNumber))
		}},
		{"certificate not in the token", certCode, func(k *testpki.Token) { k.Certificates = k.Certificates[1:] }},
		{"no certificates", certCode, func(k *testpki.Token) { k.Certificates = nil }},
	})
}

// attack: TSP-02
func TestSigners(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{KeySet: 1, TSA: true})
	algorithm := func(der []byte) func(*testpki.Token) {
		return func(k *testpki.Token) { signer(k).AlgorithmDER = der }
	}
	refuse(t, tsa, []refusal{
		{"none", reason.TimestampSigners, func(k *testpki.Token) { k.Signers = nil }},
		{"two, both good", reason.TimestampSigners, func(k *testpki.Token) { k.Signers = append(k.Signers, k.Signers[0]) }},
		{"two, the second bad", reason.TimestampSigners, func(k *testpki.Token) {
			bad := k.Signers[0]
			bad.Mangle = func(b []byte) []byte { return append(b, 0) }
			k.Signers = append(k.Signers, bad)
		}},
		{"two, the first bad", reason.TimestampSigners, func(k *testpki.Token) {
			bad := k.Signers[0]
			bad.Key = stranger.Key
			k.Signers = append([]testpki.TokenSigner{bad}, k.Signers...)
		}},
		{"another's key", reason.TimestampSignature, func(k *testpki.Token) { signer(k).Key = stranger.Key }},
		{"mangled signature", reason.TimestampSignature, func(k *testpki.Token) {
			signer(k).Mangle = func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
		}},
		{"empty signature", reason.TimestampSignature, func(k *testpki.Token) { signer(k).Mangle = func([]byte) []byte { return nil } }},
		{"content type data", reason.TimestampContentType, func(k *testpki.Token) { k.ContentType = testpki.OIDData }},
		{"message is no signed data", reason.TimestampContentType, func(k *testpki.Token) { k.Type = testpki.OIDData }},
		{"SHA-1", reason.TimestampAlgorithm, func(k *testpki.Token) { signer(k).Hash = crypto.SHA1 }},
		{"digest not announced", reason.TimestampAlgorithm, func(k *testpki.Token) { k.Digests = []string{testpki.OIDSHA512} }},
		{"none announced", reason.TimestampAlgorithm, func(k *testpki.Token) { k.Digests = nil }},
		{"too many announced", reason.TimestampTooLarge, func(k *testpki.Token) { k.Digests = slices.Repeat(k.Digests, 17) }},
		{"digest with parameters", reason.TimestampAlgorithm, func(k *testpki.Token) {
			signer(k).DigestDER = testpki.DER(0x30, testpki.OID(testpki.OIDSHA256), testpki.DER(4))
		}},
		{"ECDSA with parameters", reason.TimestampAlgorithm, algorithm(testpki.DER(0x30, testpki.OID("1.2.840.10045.4.3.2"), testpki.DER(4)))},
		{"digests disagree", reason.TimestampAlgorithm, algorithm(testpki.DER(0x30, testpki.OID("1.2.840.10045.4.3.3")))},
		{"ECDSA with SHA-1", reason.TimestampAlgorithm, algorithm(testpki.DER(0x30, testpki.OID("1.2.840.10045.4.1")))},
		{"Ed25519", reason.TimestampAlgorithm, algorithm(testpki.DER(0x30, testpki.OID("1.3.101.112")))},
		{"RSA under an EC key", reason.TimestampSignature, algorithm(testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.11"), testpki.DER(5)))},
		{"plain RSA with parameters", reason.TimestampAlgorithm, algorithm(testpki.DER(0x30, testpki.OID(testpki.OIDRSAEncryption), testpki.DER(4)))},
		{"PSS without parameters", reason.TimestampAlgorithm, algorithm(testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.10")))},
		{"PSS by default SHA-1", reason.TimestampAlgorithm, algorithm(testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.10"), testpki.DER(0x30)))},
		{"PSS with another mask", reason.TimestampAlgorithm, algorithm(pss(testpki.OIDSHA256, testpki.OIDSHA512, 32))},
		{"PSS with a shorter salt", reason.TimestampAlgorithm, algorithm(pss(testpki.OIDSHA256, testpki.OIDSHA256, 20))},
		{"PSS with another digest", reason.TimestampAlgorithm, algorithm(pss(testpki.OIDSHA512, testpki.OIDSHA512, 64))},
		{"PSS with SHA-1", reason.TimestampAlgorithm, algorithm(pss(testpki.OIDSHA1, testpki.OIDSHA1, 20))},
		{"PSS without mask", reason.TimestampAlgorithm, algorithm(testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.10"), testpki.DER(0x30,
			testpki.DER(0xa0, testpki.DER(0x30, testpki.OID(testpki.OIDSHA256))),
			testpki.DER(0xa1, testpki.DER(0x30, testpki.OID(testpki.OIDSHA256))),
			testpki.DER(0xa2, testpki.DER(2, []byte{32})))))},
		{"version 3 with issuer", reason.TimestampEncoding, func(k *testpki.Token) { signer(k).Version = 3 }},
		{"version 1 with key identifier", reason.TimestampEncoding, func(k *testpki.Token) { signer(k).Identifier = testpki.DER(0x80, []byte{1}) }},
		{"bad identifier", reason.TimestampEncoding, func(k *testpki.Token) { signer(k).Identifier = testpki.DER(0x30) }},
		{"version 9 of the message", reason.TimestampEncoding, func(k *testpki.Token) { k.Version = 9 }},
		{"too many certificates", reason.TimestampTooLarge, func(k *testpki.Token) {
			for i := range 33 {
				k.Certificates = append(k.Certificates, testpki.DER(0x30, testpki.StampInteger(serialOf(int64(i)))))
			}
		}},
		{"attribute certificate", reason.TimestampEncoding, func(k *testpki.Token) { k.Certificates = append(k.Certificates, testpki.DER(0xa2)) }},
		{"version 2 of the information", reason.TimestampVersion, func(k *testpki.Token) { k.Info.Version = 2 }},
		{"trailing bytes in the information", reason.TimestampEncoding, func(k *testpki.Token) { k.Info.Trailer = testpki.DER(5) }},
		{"bad ordering", reason.TimestampEncoding, func(k *testpki.Token) { k.Info.Ordering = testpki.DER(1, []byte{1}) }},
		{"huge nonce", reason.TimestampEncoding, func(k *testpki.Token) { k.Info.Nonce = new(big.Int).Lsh(big.NewInt(1), 1000) }},
		{"huge serial number", reason.TimestampEncoding, func(k *testpki.Token) { k.Info.Serial = new(big.Int).Lsh(big.NewInt(1), 1000) }},
		{"critical extension", reason.TimestampExtension, func(k *testpki.Token) { k.Info.Extensions = [][]byte{extension("1.2.3", true)} }},
		{"extension twice", reason.TimestampExtension, func(k *testpki.Token) {
			k.Info.Extensions = [][]byte{extension("1.2.3", false), extension("1.2.3", false)}
		}},
		{"no extension", reason.TimestampEncoding, func(k *testpki.Token) { k.Info.Extensions = [][]byte{} }},
		{"broken extension", reason.TimestampEncoding, func(k *testpki.Token) { k.Info.Extensions = [][]byte{testpki.DER(0x30)} }},
		{"extension without value", reason.TimestampEncoding, func(k *testpki.Token) {
			k.Info.Extensions = [][]byte{testpki.DER(0x30, testpki.OID("1.2.3"))}
		}},
		{"too many extensions", reason.TimestampTooLarge, func(k *testpki.Token) {
			for i := range 17 {
				k.Info.Extensions = append(k.Info.Extensions, extension("1.2."+big.NewInt(int64(i)).String(), false))
			}
		}},
		{"empty content", reason.TimestampEncoding, func(k *testpki.Token) { k.Content = []byte{} }},
	})
}

// pss encodes RSASSA-PSS with parameters.
func pss(hash, mask string, salt byte) []byte {
	h := func(oid string) []byte { return testpki.DER(0x30, testpki.OID(oid), testpki.DER(5)) }
	return testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.10"), testpki.DER(0x30,
		testpki.DER(0xa0, h(hash)),
		testpki.DER(0xa1, testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.8"), h(mask))),
		testpki.DER(0xa2, testpki.DER(2, []byte{salt}))))
}

// attack: TSP-03
func TestTimeAndAccuracy(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	at := func(text string) func(*testpki.Token) { return func(k *testpki.Token) { k.Info.Time = text } }
	accuracy := func(elements ...[]byte) func(*testpki.Token) {
		return func(k *testpki.Token) { k.Info.Accuracy = elements }
	}
	small := func(tag byte, n ...byte) []byte { return testpki.DER(tag, n) }
	var cases []refusal
	for _, text := range []string{
		"20260504030201", "20260504030201+0000", "20260504030201+0200", "20260504050201-0200", "202605040302Z", "2026050403Z",
		"20260504030201.Z", "20260504030201,5Z", "20260504030201.1234567890Z", "20260504030201.5xZ", "20260504030260Z", "20260504240000Z",
		"20261304030201Z", "20260230030201Z", "00000101000000Z", "260504030201Z", "2026-05-04T03:02:01Z", "", "Z", "\x1b[2J0504030201Z",
		"+0260504030201Z", "20260504030201z", "202605040302015Z",
	} {
		cases = append(cases, refusal{"time " + text, reason.TimestampTime, at(text)})
	}
	refuse(t, tsa, append(cases, []refusal{
		{"negative seconds", reason.TimestampAccuracy, accuracy(small(2, 0xff))},
		{"negative milliseconds", reason.TimestampAccuracy, accuracy(small(0x80, 0xff))},
		{"negative microseconds", reason.TimestampAccuracy, accuracy(small(0x81, 0x80))},
		{"no milliseconds", reason.TimestampAccuracy, accuracy(small(0x80, 0))},
		{"1000 milliseconds", reason.TimestampAccuracy, accuracy(small(0x80, 3, 0xe8))},
		{"1000 microseconds", reason.TimestampAccuracy, accuracy(small(0x81, 3, 0xe8))},
		{"over a day", reason.TimestampAccuracy, accuracy(small(2, 1, 0x51, 0x81))},
		{"overflowing a duration", reason.TimestampAccuracy, accuracy(small(2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))},
		{"overflowing 64 bits", reason.TimestampAccuracy, accuracy(small(2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))},
		{"longer than needed", reason.TimestampAccuracy, accuracy(small(2, 0, 1))},
		{"empty integer", reason.TimestampAccuracy, accuracy(small(2))},
		{"out of order", reason.TimestampEncoding, accuracy(small(0x81, 1), small(0x80, 1))},
		{"twice", reason.TimestampEncoding, accuracy(small(2, 1), small(2, 1))},
		{"something else", reason.TimestampEncoding, accuracy(small(0x82, 1))},
	}...))
}

func TestUnreadableSigner(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	broken := append(bytes.Clone(tsa.Leaf().Raw), 0)
	broken = testpki.DER(0x30, broken[4:])
	fake := *tsa.Leaf()
	fake.Raw = broken
	token := bent(t, tsa, func(k *testpki.Token) {
		signer(k).Cert = &fake
		k.Certificates[0] = broken
	})
	_, err := verify(token, message, tsa.Root())
	wantCode(t, err, reason.TimestampCertificate)
}

// attack: TSP-06
func TestParseRefusesBytes(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	good := tsa.Stamp(t, message, crypto.SHA256)
	for name, tt := range map[string]struct {
		token []byte
		code  reason.Code
	}{
		"nothing":       {nil, reason.TimestampEncoding},
		"trailing byte": {append(bytes.Clone(good), 0), reason.TimestampEncoding},
		"cut off":       {good[:len(good)-1], reason.TimestampEncoding},
		"too large":     {make([]byte, timestamp.MaxTokenSize+1), reason.TimestampTooLarge},
		"BER":           {append(append([]byte{0x30, 0x80}, good[4:]...), 0, 0), reason.TimestampEncoding},
		"HTML":          {[]byte("<html>"), reason.TimestampEncoding},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := timestamp.Parse(tt.token)
			wantCode(t, err, tt.code)
			if name == "BER" && !strings.Contains(err.Error(), "indefinite lengths") {
				t.Errorf("%v", err)
			}
		})
	}
	for i := range good {
		for _, mask := range []byte{0x01, 0x80} {
			changed := bytes.Clone(good)
			changed[i] ^= mask
			v, err := verify(changed, message, tsa.Root())
			if err == nil && !sameMeaning(v, tsa) {
				t.Errorf("byte %d can be changed", i)
			}
			if err != nil && reason.Of(err) == "" {
				t.Errorf("byte %d: %v has no reason", i, err)
			}
		}
		if _, err := timestamp.Parse(good[:i]); err == nil {
			t.Errorf("%d bytes are enough", i)
		}
	}
}

// sameMeaning reports whether a token still says what the authority signed.
// What is not signed may change: versions, unneeded certificates.
func sameMeaning(v *timestamp.Verified, tsa *testpki.TSA) bool {
	info := v.Info()
	return info.Time.Equal(stampTime) && info.Policy == testpki.OIDExampleTSA && info.Accuracy == time.Second &&
		info.Chain[0].Equal(tsa.Leaf()) && info.Chain[2].Equal(tsa.Root())
}

func TestZeroValues(t *testing.T) {
	t.Parallel()
	for _, u := range []*timestamp.Unverified{nil, {}} {
		if u.Claims().Serial != nil || u.Certificates() != nil {
			t.Error("claims of nothing")
		}
		_, err := u.Verify(message, nil)
		wantCode(t, err, reason.TimestampEmpty)
	}
	for _, v := range []*timestamp.Verified{nil, {}} {
		if !v.Info().Time.IsZero() || v.Token() != nil {
			t.Error("content of nothing")
		}
	}
}

func TestMessagesAreSafe(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{Name: "a\x1b[31m\u202eb"})
	_, err := verify(tsa.Stamp(t, message, crypto.SHA256), message)
	wantCode(t, err, reason.TimestampRootUntrusted)
	if strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
}

package envelope_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/opencontainers/go-digest"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

var (
	// algorithms maps the names that testpki gives to keys.
	algorithms = map[string]envelope.Algorithm{
		"rsa-2048": envelope.RSASSAPSSSHA256, "rsa-3072": envelope.RSASSAPSSSHA384, "rsa-4096": envelope.RSASSAPSSSHA512,
		"ec-256": envelope.ECDSASHA256, "ec-384": envelope.ECDSASHA384, "ec-521": envelope.ECDSASHA512,
	}
	mediaTypes  = []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE}
	signingTime = time.Date(2026, 3, 4, 5, 6, 7, 890, time.FixedZone("", 3600))
	target      = envelope.Descriptor{
		MediaType: "application/vnd.oci.image.manifest.v1+json",
		Digest:    digest.FromString("manifest"),
		Size:      1234,
	}
)

const (
	goodPayload = `{"targetArtifact":{"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}}`
	goodProtected = `{"alg":"ES256","crit":["io.cncf.notary.signingScheme"],` +
		`"cty":"application/vnd.cncf.notary.payload.v1+json","io.cncf.notary.signingScheme":"notary.x509",` +
		`"io.cncf.notary.signingTime":"2026-03-04T05:06:07Z"}`
)

// sign makes a primitive signature, as a signer outside this package would.
func sign(t testing.TB, key crypto.Signer, hash crypto.Hash, message []byte) []byte {
	t.Helper()
	h := hash.New()
	h.Write(message)
	var opts crypto.SignerOpts = hash
	if _, ok := key.Public().(*rsa.PublicKey); ok {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	sig, err := key.Sign(rand.Reader, h.Sum(nil), opts)
	if err != nil {
		t.Fatal(err)
	}
	if pub, ok := key.Public().(*ecdsa.PublicKey); ok {
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(sig, &rs); err != nil {
			t.Fatal(err)
		}
		width := (pub.Params().N.BitLen() + 7) / 8
		sig = append(rs.R.FillBytes(make([]byte, width)), rs.S.FillBytes(make([]byte, width))...)
	}
	return sig
}

// seal signs a request with a chain's key.
func seal(t testing.TB, r envelope.Request, chain *testpki.Chain) []byte {
	t.Helper()
	alg, err := envelope.AlgorithmFor(chain.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	u, err := envelope.New(r, alg)
	if err != nil {
		t.Fatal(err)
	}
	data, err := u.Seal(sign(t, chain.Key, alg.Hash(), u.ToBeSigned()), chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func request(mediaType string) envelope.Request {
	return envelope.Request{MediaType: mediaType, Target: target, SigningTime: signingTime}
}

// verify parses and verifies.
func verify(mediaType string, data []byte) (*envelope.Verified, error) {
	u, err := envelope.Parse(mediaType, data)
	if err != nil {
		return nil, err
	}
	return u.Verify()
}

// wantReason checks that an error has a code, that it is ours and that its
// text is fit for a terminal.
func wantReason(t testing.TB, err error, want ...reason.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	e, ok := errors.AsType[*reason.Error](err)
	if !ok {
		t.Fatalf("%T %q is no *reason.Error", err, err)
	}
	found := false
	for _, code := range want {
		found = found || e.Code == code
	}
	if !found {
		t.Errorf("%q has reason %s, want %s", err, e.Code, want)
	}
	text := err.Error() + reason.Hint(err)
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) || len(text) > 1000 {
		t.Errorf("unsafe text %q", text)
	}
}

func b64url(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// jwsForge is a JWS envelope made by hand. Every text in it is signed and
// written as it stands, so a case is wrong in the one respect that it changes.
type jwsForge struct {
	chain                 *testpki.Chain
	payload, protected    string            // before base64
	payload64, protect64  string            // instead of the base64 of these
	header                map[string]string // member to JSON text
	signature             string            // instead of the base64 of the signature
	extra                 string            // further members of the envelope, each with a comma before it
	hash                  crypto.Hash
	dropHeader, dropChain bool
}

func newJWS(chain *testpki.Chain) *jwsForge {
	return &jwsForge{chain: chain, payload: goodPayload, protected: goodProtected, header: map[string]string{}, hash: crypto.SHA256}
}

func (f *jwsForge) encode(t testing.TB) []byte {
	t.Helper()
	protected, payload := b64url(f.protected), b64url(f.payload)
	if f.protect64 != "" {
		protected = f.protect64
	}
	if f.payload64 != "" {
		payload = f.payload64
	}
	signature := f.signature
	if signature == "" {
		signature = b64url(string(sign(t, f.chain.Key, f.hash, []byte(protected+"."+payload))))
	}
	if !f.dropChain && f.header["x5c"] == "" {
		f.header["x5c"] = x5c(f.chain.DER())
	}
	var header []string
	for name, value := range f.header {
		header = append(header, quoteJSON(name)+":"+value)
	}
	out := `{"payload":"` + payload + `","protected":"` + protected + `"`
	if !f.dropHeader {
		out += `,"header":{` + strings.Join(header, ",") + `}`
	}
	return []byte(out + `,"signature":"` + signature + `"` + f.extra + `}`)
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func x5c(der [][]byte) string {
	b, err := json.Marshal(der)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// The functions below write CBOR by hand, head in the shortest form.

func head(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n <= 0xff:
		return []byte{major<<5 | 24, byte(n)}
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	case n <= 0xffffffff:
		return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n))
	}
	return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, n)
}

func cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func num(n int64) []byte {
	if n < 0 {
		return head(1, uint64(-1-n))
	}
	return head(0, uint64(n))
}

func bstr(b []byte) []byte { return cat(head(2, uint64(len(b))), b) }
func text(s string) []byte { return cat(head(3, uint64(len(s))), []byte(s)) }
func tag(n uint64, item []byte) []byte {
	return cat(head(6, n), item)
}

func array(items ...[]byte) []byte {
	return cat(head(4, uint64(len(items))), cat(items...))
}

// pair is a raw key and its raw value.
type pair [2][]byte

func cborMap(pairs ...pair) []byte {
	out := head(5, uint64(len(pairs)))
	for _, p := range pairs {
		out = cat(out, p[0], p[1])
	}
	return out
}

// coseForge is a COSE envelope made by hand, like jwsForge.
type coseForge struct {
	chain        *testpki.Chain
	protected    []pair
	rawProtected []byte // the item, instead of the pairs
	unprotected  []pair
	rawUnprot    []byte
	payload      []byte // the item
	signature    []byte // the item
	start        []byte // tag and array head
	trail        []byte
}

const (
	scheme       = "io.cncf.notary.signingScheme"
	timeName     = "io.cncf.notary.signingTime"
	authTimeName = "io.cncf.notary.authenticSigningTime"
	expiryName   = "io.cncf.notary.expiry"
	pluginName   = "io.cncf.notary.verificationPlugin"
	versionName  = "io.cncf.notary.verificationPluginMinVersion"
	tokenName    = "io.cncf.notary.timestampSignature"
	agentName    = "io.cncf.notary.signingAgent"
)

var goodTime = tag(1, num(1772600767))

func newCOSE(chain *testpki.Chain) *coseForge {
	return &coseForge{
		chain: chain,
		protected: []pair{
			{num(1), num(-7)},
			{num(2), array(text(scheme))},
			{num(3), text(envelope.MediaTypePayload)},
			{text(timeName), goodTime},
			{text(scheme), text("notary.x509")},
		},
		unprotected: []pair{{num(33), certArray(chain.DER())}},
		payload:     bstr([]byte(goodPayload)),
		start:       []byte{0xd2, 0x84},
	}
}

func certArray(der [][]byte) []byte {
	items := make([][]byte, len(der))
	for i := range der {
		items[i] = bstr(der[i])
	}
	return array(items...)
}

// set replaces the value of a key, or adds it.
func (f *coseForge) set(key, value []byte) {
	f.remove(key)
	f.protected = append(f.protected, pair{key, value})
}

func (f *coseForge) remove(key []byte) {
	for i, p := range f.protected {
		if string(p[0]) == string(key) {
			f.protected = append(f.protected[:i:i], f.protected[i+1:]...)
			return
		}
	}
}

func (f *coseForge) encode(t testing.TB) []byte {
	t.Helper()
	protected := f.rawProtected
	if protected == nil {
		protected = bstr(cborMap(f.protected...))
	}
	unprotected := f.rawUnprot
	if unprotected == nil {
		unprotected = cborMap(f.unprotected...)
	}
	signature := f.signature
	if signature == nil {
		signature = bstr(sign(t, f.chain.Key, crypto.SHA256, array(text("Signature1"), protected, bstr(nil), f.payload)))
	}
	return cat(f.start, protected, unprotected, f.payload, signature, f.trail)
}

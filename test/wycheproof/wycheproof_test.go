// Package wycheproof holds the primitives of package envelope against the test
// vectors of Project Wycheproof.
//
// A vector is in our table if its key, hash and, for RSA, its salt and mask
// are those of one of the six algorithms. Such a vector must be judged as it
// says, where "acceptable" counts as invalid. Every other vector, a valid one
// too, must be refused whatever algorithm is claimed for it.
package wycheproof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/notaryv2/notation/envelope"
)

// all are the six algorithms.
func all() []envelope.Algorithm {
	return []envelope.Algorithm{
		envelope.RSASSAPSSSHA256, envelope.RSASSAPSSSHA384, envelope.RSASSAPSSSHA512,
		envelope.ECDSASHA256, envelope.ECDSASHA384, envelope.ECDSASHA512,
	}
}

// hexBytes is a byte string in hexadecimal.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// vectors is a file of signatures.
type vectors struct {
	TestGroups []group `json:"testGroups"`
}

type group struct {
	KeySize   int    `json:"keySize"`
	SHA       string `json:"sha"`
	MGFSHA    string `json:"mgfSha"`
	SaltLen   int    `json:"sLen"`
	PublicKey struct {
		Curve        string   `json:"curve"`
		Uncompressed hexBytes `json:"uncompressed"`
		Modulus      hexBytes `json:"modulus"`
		Exponent     hexBytes `json:"publicExponent"`
	} `json:"publicKey"`
	Tests []struct {
		ID        int      `json:"tcId"`
		Comment   string   `json:"comment"`
		Message   hexBytes `json:"msg"`
		Signature hexBytes `json:"sig"`
		Result    string   `json:"result"`
	} `json:"tests"`
}

// curves are those of which Go can make a key. Others cannot even be named.
func curves() map[string]elliptic.Curve {
	return map[string]elliptic.Curve{
		"secp224r1": elliptic.P224(),
		"secp256r1": elliptic.P256(),
		"secp384r1": elliptic.P384(),
		"secp521r1": elliptic.P521(),
	}
}

// key returns the group's key; nil if Go has none of its kind.
func (g *group) key(t *testing.T) crypto.PublicKey {
	t.Helper()
	if len(g.PublicKey.Modulus) > 0 {
		return &rsa.PublicKey{
			N: new(big.Int).SetBytes(g.PublicKey.Modulus),
			E: int(new(big.Int).SetBytes(g.PublicKey.Exponent).Int64()),
		}
	}
	curve, ok := curves()[g.PublicKey.Curve]
	if !ok {
		return nil
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, g.PublicKey.Uncompressed)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// algorithm returns which of the six the group is made for; 0 for none.
func (g *group) algorithm() envelope.Algorithm {
	type ec struct{ curve, hash string }
	type pss struct {
		bits      int
		hash, mgf string
		salt      int
	}
	if g.PublicKey.Curve != "" {
		return map[ec]envelope.Algorithm{
			{"secp256r1", "SHA-256"}: envelope.ECDSASHA256,
			{"secp384r1", "SHA-384"}: envelope.ECDSASHA384,
			{"secp521r1", "SHA-512"}: envelope.ECDSASHA512,
		}[ec{g.PublicKey.Curve, g.SHA}]
	}
	return map[pss]envelope.Algorithm{
		{2048, "SHA-256", "SHA-256", 32}: envelope.RSASSAPSSSHA256,
		{3072, "SHA-384", "SHA-384", 48}: envelope.RSASSAPSSSHA384,
		{4096, "SHA-512", "SHA-512", 64}: envelope.RSASSAPSSSHA512,
	}[pss{g.KeySize, g.SHA, g.MGFSHA, g.SaltLen}]
}

// becomesOurs reports whether a vector is invalid in its group, of signatures
// without salt, only because it has the salt that ours have.
func (g *group) becomesOurs(comment string) bool {
	return g.KeySize == 2048 && g.SHA == "SHA-256" && g.MGFSHA == "SHA-256" &&
		g.SaltLen == 0 && comment == "s_len changed to 32"
}

// count counts vectors of each algorithm by what they are.
type count struct{ valid, invalid int }

// TestSignatures runs all ECDSA vectors with raw signatures and all RSA-PSS
// vectors.
//
// attack: ENV-09
func TestSignatures(t *testing.T) {
	t.Parallel()
	counts, foreign := map[envelope.Algorithm]count{}, 0
	for _, file := range names(t, "ecdsa_*_p1363_test.json", "rsa_pss_*_test.json") {
		var v vectors
		read(t, file, &v)
		for _, g := range v.TestGroups {
			key, alg := g.key(t), g.algorithm()
			if key == nil {
				continue
			}
			for _, test := range g.Tests {
				valid := alg != 0 && test.Result == "valid" || g.becomesOurs(test.Comment)
				if got := accepted(key, alg, test.Message, test.Signature); got != valid {
					t.Errorf("%s %d (%s): accepted is %v", file, test.ID, test.Comment, got)
				}
				c := counts[alg]
				switch {
				case alg == 0:
					foreign++
				case valid:
					c.valid++
				default:
					c.invalid++
				}
				counts[alg] = c
			}
		}
	}
	delete(counts, 0)
	for _, alg := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%v: %d valid and %d invalid vectors", alg, counts[alg].valid, counts[alg].invalid)
	}
	t.Logf("%d vectors of other algorithms, all refused", foreign)
	// Wycheproof has no RSA-PSS vectors of 3072 bits with SHA-384.
	for _, alg := range all() {
		if alg != envelope.RSASSAPSSSHA384 && (counts[alg].valid < 60 || counts[alg].invalid < 40) {
			t.Errorf("%v: only %+v vectors were found", alg, counts[alg])
		}
	}
	if foreign < 1000 {
		t.Errorf("only %d vectors of other algorithms were found", foreign)
	}
}

// accepted reports whether the signature is accepted under alg, or under any
// algorithm at all if alg is 0.
func accepted(key crypto.PublicKey, alg envelope.Algorithm, message, signature []byte) bool {
	if alg != 0 {
		return envelope.VerifyPrimitive(alg, key, message, signature) == nil
	}
	return slices.ContainsFunc(all(), func(a envelope.Algorithm) bool {
		return envelope.VerifyPrimitive(a, key, message, signature) == nil
	})
}

// jsonWebSignatures is a file of JWS in compact serialization.
type jsonWebSignatures struct {
	TestGroups []struct {
		Public jsonWebKey `json:"public"`
		Tests  []struct {
			ID      int    `json:"tcId"`
			Comment string `json:"comment"`
			JWS     any    `json:"jws"`
			Result  string `json:"result"`
		} `json:"tests"`
	} `json:"testGroups"`
}

type jsonWebKey struct {
	KeyType string `json:"kty"`
	Curve   string `json:"crv"`
	X       string `json:"x"`
	Y       string `json:"y"`
	N       string `json:"n"`
	E       string `json:"e"`
}

// key returns the key; nil if it is none that signs.
func (k jsonWebKey) key(t *testing.T) crypto.PublicKey {
	t.Helper()
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if k.KeyType == "RSA" {
		e := new(big.Int).SetBytes(decode(k.E))
		return &rsa.PublicKey{N: new(big.Int).SetBytes(decode(k.N)), E: int(e.Int64())}
	}
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-521": elliptic.P521()}[k.Curve]
	if k.KeyType != "EC" || curve == nil {
		if k.KeyType != "" && k.KeyType != "oct" {
			t.Fatalf("key of type %s %s", k.KeyType, k.Curve)
		}
		return nil
	}
	width := (curve.Params().BitSize + 7) / 8
	point := make([]byte, 1+2*width)
	point[0] = 4 // uncompressed, SEC 1 section 2.3.3
	x, y := decode(k.X), decode(k.Y)
	copy(point[1+width-len(x):], x)
	copy(point[1+2*width-len(y):], y)
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// keyUse are tests of what a JSON Web Key says it is for, with signatures that
// are good: another use, other operations, and PS256 where the key says PS512
// but its size says PS256. Our keys come in certificates, which say what they
// are for in their own way; package certchain judges that.
func keyUse(comment string) bool {
	return slices.Contains([]string{"rejectWrongUse", "rejectWrongKeyOps", "UsingPS256"}, comment)
}

// TestJSONWebSignatures runs the vectors of JWS through the parts of a JWS that
// a Notary envelope shares with all others: the protected header's algorithm,
// the signing input, the signature.
//
// attack: ENV-01
func TestJSONWebSignatures(t *testing.T) {
	t.Parallel()
	var v jsonWebSignatures
	read(t, "json_web_signature_test.json", &v)
	valid, invalid := 0, 0
	for _, g := range v.TestGroups {
		key := g.Public.key(t)
		if key == nil {
			continue
		}
		demanded, err := envelope.AlgorithmFor(key)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range g.Tests {
			compact, ok := test.JWS.(string)
			if !ok || keyUse(test.Comment) {
				continue
			}
			alg, input, signature := split(compact)
			// A longer hash than the key's is good JWS, but not ours.
			want := test.Result == "valid" && alg == demanded
			if want {
				valid++
			} else {
				invalid++
			}
			if got := alg != 0 && accepted(key, alg, input, signature); got != want {
				t.Errorf("%d (%s): accepted is %v", test.ID, test.Comment, got)
			}
		}
	}
	t.Logf("%d valid and %d invalid vectors", valid, invalid)
	if valid < 8 || invalid < 300 {
		t.Errorf("only %d valid and %d invalid vectors were found", valid, invalid)
	}
}

// split takes a compact JWS apart. The algorithm is 0 if it is none of ours, or
// if the parts are no base64url.
func split(compact string) (alg envelope.Algorithm, input, signature []byte) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return 0, nil, nil
	}
	encoding := base64.RawURLEncoding.Strict()
	protected, err := encoding.DecodeString(parts[0])
	if err != nil {
		return 0, nil, nil
	}
	if _, err := encoding.DecodeString(parts[1]); err != nil {
		return 0, nil, nil
	}
	signature, err = encoding.DecodeString(parts[2])
	if err != nil {
		return 0, nil, nil
	}
	var header struct {
		Alg string `json:"alg"`
	}
	if err := json.Unmarshal(protected, &header); err != nil {
		return 0, nil, nil
	}
	alg = map[string]envelope.Algorithm{
		"PS256": envelope.RSASSAPSSSHA256, "PS384": envelope.RSASSAPSSSHA384, "PS512": envelope.RSASSAPSSSHA512,
		"ES256": envelope.ECDSASHA256, "ES384": envelope.ECDSASHA384, "ES512": envelope.ECDSASHA512,
	}[header.Alg]
	return alg, []byte(parts[0] + "." + parts[1]), signature
}

// names returns the files that match a pattern.
func names(t *testing.T, patterns ...string) []string {
	t.Helper()
	var found []string
	for _, pattern := range patterns {
		matches, err := fs.Glob(wycheproof.TestVectors, pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, matches...)
	}
	return found
}

func read(t *testing.T, file string, v any) {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

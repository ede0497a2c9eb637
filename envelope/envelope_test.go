package envelope_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veraison/go-cose"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, alg := range algorithms {
		for _, mediaType := range mediaTypes {
			t.Run(name+" "+mediaType, func(t *testing.T) {
				t.Parallel()
				chain := testpki.New(t, testpki.Options{Algorithm: name})
				r := request(mediaType)
				r.Agent = "test/1.0"
				data := seal(t, r, chain)
				v, err := verify(mediaType, data)
				if err != nil {
					t.Fatal(err)
				}
				got := v.Content()
				want := envelope.Content{
					MediaType: mediaType, Algorithm: alg, Scheme: envelope.SchemeX509,
					SigningTime: signingTime.UTC().Truncate(time.Second), Target: target, Chain: chain.Certs, Agent: "test/1.0",
					Payload: got.Payload, Signature: got.Signature,
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
				if want := `{"targetArtifact":{"mediaType":"` + target.MediaType + `","digest":"` + string(target.Digest) + `","size":1234}}`; string(got.Payload) != want {
					t.Errorf("payload %s, want %s", got.Payload, want)
				}
			})
		}
	}
}

// everything is a request that uses all that there is.
func everything(mediaType string) envelope.Request {
	r := request(mediaType)
	r.Target.Annotations = map[string]string{"a": "<&>\u2028", "io.wabbit-networks.buildId": "123"}
	r.Target.ArtifactType = "application/vnd.example+type"
	r.Target.URLs = []string{"https://example.invalid"} // not to be signed
	r.Target.Data = []byte("not to be signed")
	r.Scheme = envelope.SchemeSigningAuthority
	r.Expiry = signingTime.Add(90*time.Minute + 300*time.Millisecond)
	r.VerificationPlugin = "com.example.plugin"
	r.PluginMinVersion = "1.2.3-rc.1+build"
	r.Extended = []envelope.Attribute{
		{Key: "com.example.z", Critical: true, Value: map[string]any{"list": []any{int64(-1), 1.5, nil, true, "é"}}},
		{Key: "com.example.a", Value: int64(1) << 62},
		{Key: "kid", Value: "1"},
	}
	r.Agent = "test"
	return r
}

func TestEverything(t *testing.T) {
	t.Parallel()
	for _, mediaType := range mediaTypes {
		t.Run(mediaType, func(t *testing.T) {
			t.Parallel()
			chain := testpki.New(t, testpki.Options{Length: 1})
			r := everything(mediaType)
			if mediaType == envelope.MediaTypeCOSE {
				r.Extended = append(r.Extended, envelope.Attribute{Key: "raw", Value: []byte{1, 2}})
			}
			v, err := verify(mediaType, seal(t, r, chain))
			if err != nil {
				t.Fatal(err)
			}
			c := v.Content()
			r.Target.URLs, r.Target.Data = nil, nil
			slices.SortFunc(r.Extended, func(a, b envelope.Attribute) int { return strings.Compare(a.Key, b.Key) })
			want := envelope.Content{
				MediaType: mediaType, Algorithm: envelope.ECDSASHA256, Scheme: r.Scheme,
				SigningTime: time.Date(2026, 3, 4, 4, 6, 7, 0, time.UTC), Expiry: time.Date(2026, 3, 4, 5, 36, 7, 0, time.UTC),
				VerificationPlugin: r.VerificationPlugin, PluginMinVersion: r.PluginMinVersion, Extended: r.Extended,
				Payload: c.Payload, Target: r.Target, Chain: chain.Certs, Signature: c.Signature, Agent: "test",
			}
			if !reflect.DeepEqual(c, want) {
				t.Errorf("got  %+v\nwant %+v", c, want)
			}
			if bytes.Contains(c.Payload, []byte("not to be signed")) || bytes.Contains(c.Payload, []byte("urls")) {
				t.Errorf("payload holds too much: %s", c.Payload)
			}
		})
	}
}

// TestContentIsACopy changes everything that an envelope gives out.
func TestContentIsACopy(t *testing.T) {
	t.Parallel()
	for _, mediaType := range mediaTypes {
		chain := testpki.New(t, testpki.Options{})
		r := everything(mediaType)
		data := seal(t, r, chain)
		data, err := envelope.SetTimestamp(mediaType, data, []byte{0x30, 0})
		if err != nil {
			t.Fatal(err)
		}
		u, err := envelope.Parse(mediaType, data)
		if err != nil {
			t.Fatal(err)
		}
		clear(data) // not retained
		v, err := u.Verify()
		if err != nil {
			t.Fatal(err)
		}
		for _, get := range []func() envelope.Content{u.Claims, v.Content} {
			c, before := get(), get()
			clear(c.Payload)
			clear(c.Signature)
			clear(c.Timestamp)
			clear(c.Chain)
			clear(c.Target.Annotations)
			for _, e := range c.Extended {
				if m, ok := e.Value.(map[string]any); ok {
					clear(m["list"].([]any))
					clear(m)
				}
			}
			clear(c.Extended)
			if after := get(); !reflect.DeepEqual(before, after) {
				t.Errorf("%s: the envelope changed", mediaType)
			}
		}
	}
}

func TestZeroValues(t *testing.T) {
	t.Parallel()
	for _, u := range []*envelope.Unverified{nil, {}} {
		if _, err := u.Verify(); reason.Of(err) != reason.EnvelopeEmpty {
			t.Errorf("Verify: %v", err)
		}
		if c := u.Claims(); !reflect.DeepEqual(c, envelope.Content{}) {
			t.Errorf("Claims: %+v", c)
		}
	}
	for _, v := range []*envelope.Verified{nil, {}} {
		if c := v.Content(); !reflect.DeepEqual(c, envelope.Content{}) {
			t.Errorf("Content: %+v", c)
		}
	}
	for _, u := range []*envelope.Unsigned{nil, {}} {
		if u.ToBeSigned() != nil {
			t.Error("ToBeSigned of nothing")
		}
		if _, err := u.Seal([]byte{1}, nil); reason.Of(err) != reason.EnvelopeEmpty {
			t.Errorf("Seal: %v", err)
		}
	}
	if s := envelope.Algorithm(0).String() + envelope.Algorithm(9).String() + envelope.Scheme(0).String(); s != "nonenonenone" {
		t.Error(s)
	}
	if envelope.Algorithm(0).Hash() != 0 || envelope.Algorithm(0).KeySpec() != "" {
		t.Error("the zero algorithm has a hash or a key")
	}
}

// TestForges checks that the envelopes which the tests bend are good as long
// as nobody bends them.
func TestForges(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	if _, err := verify(envelope.MediaTypeJWS, newJWS(chain).encode(t)); err != nil {
		t.Error(err)
	}
	if _, err := verify(envelope.MediaTypeCOSE, newCOSE(chain).encode(t)); err != nil {
		t.Error(err)
	}
}

// attack: ENV-08
func TestParseMediaTypeAndSize(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	jws, cose := newJWS(chain).encode(t), newCOSE(chain).encode(t)
	padded := func(n int) []byte {
		return append(slices.Clone(jws), bytes.Repeat([]byte(" "), n-len(jws))...)
	}
	for _, tt := range []struct {
		name, mediaType string
		data            []byte
		want            reason.Code
	}{
		{"as long as allowed", envelope.MediaTypeJWS, padded(envelope.MaxSize), ""},
		{"one byte longer", envelope.MediaTypeJWS, padded(envelope.MaxSize + 1), reason.EnvelopeTooLarge},
		{"one byte longer, COSE", envelope.MediaTypeCOSE, make([]byte, envelope.MaxSize+1), reason.EnvelopeTooLarge},
		{"COSE called JWS", envelope.MediaTypeJWS, cose, reason.EnvelopeMediaType},
		{"JWS called COSE", envelope.MediaTypeCOSE, jws, reason.EnvelopeMediaType},
		{"no media type", "", jws, reason.EnvelopeMediaType},
		{"media type in another case", "application/JOSE+json", jws, reason.EnvelopeMediaType},
		{"media type with a parameter", envelope.MediaTypeCOSE + `; cose-type="cose-sign1"`, cose, reason.EnvelopeMediaType},
		{"hostile media type", "\x1b[2J\u202e", jws, reason.EnvelopeMediaType},
		{"compact serialization", envelope.MediaTypeJWS, []byte("e30.e30.AAAA"), reason.EnvelopeJSON},
		{"empty JWS", envelope.MediaTypeJWS, nil, reason.EnvelopeJSON},
		{"empty COSE", envelope.MediaTypeCOSE, nil, reason.EnvelopeCBOR},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := envelope.Parse(tt.mediaType, tt.data)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, tt.want)
		})
	}
}

// attack: ENV-01
func TestAlgorithmMustFitKey(t *testing.T) {
	t.Parallel()
	for _, mediaType := range mediaTypes {
		for key := range algorithms {
			t.Run(mediaType+" "+key, func(t *testing.T) {
				t.Parallel()
				chain := testpki.New(t, testpki.Options{Algorithm: key, CAAlgorithm: "ec-256"})
				for other, alg := range algorithms {
					if other == key {
						continue
					}
					u, err := envelope.New(request(mediaType), alg)
					if err != nil {
						t.Fatal(err)
					}
					// Where the kinds agree this is a mathematically good signature.
					_, err = u.Seal(sign(t, chain.Key, alg.Hash(), u.ToBeSigned()), chain.Certs)
					wantReason(t, err, reason.EnvelopeAlgorithm)
				}
			})
		}
	}
}

// attack: ENV-09
func TestPartsSwapped(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	other := testpki.New(t, testpki.Options{KeySet: 1, Name: "other"})
	a, b := request(envelope.MediaTypeJWS), request(envelope.MediaTypeJWS)
	b.Target.Size++
	b.SigningTime = b.SigningTime.Add(time.Second)
	members := func(data []byte) map[string]any {
		m := map[string]any{}
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := members(seal(t, a, chain))
	for _, second := range []map[string]any{members(seal(t, b, chain)), members(seal(t, b, other))} {
		for _, name := range []string{"payload", "protected", "header", "signature"} {
			if reflect.DeepEqual(first[name], second[name]) {
				continue
			}
			mixed := maps.Clone(first)
			mixed[name] = second[name]
			data, err := json.Marshal(mixed)
			if err != nil {
				t.Fatal(err)
			}
			_, err = verify(envelope.MediaTypeJWS, data)
			wantReason(t, err, reason.EnvelopeSignature)
		}
	}
	// COSE: protected header, payload and signature, by their raw items.
	f, g := newCOSE(chain), newCOSE(chain)
	g.set(text(timeName), tag(1, num(1772600768)))
	g.payload = bstr([]byte(strings.Replace(goodPayload, `"size":2`, `"size":3`, 1)))
	var fm, gm cose.Sign1Message
	for m, data := range map[*cose.Sign1Message][]byte{&fm: f.encode(t), &gm: g.encode(t)} {
		if err := m.UnmarshalCBOR(data); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(f *coseForge){
		"payload":   func(f *coseForge) { f.payload = g.payload },
		"protected": func(f *coseForge) { f.protected = g.protected },
		"signature": func(f *coseForge) { f.signature = bstr(gm.Signature) },
		"chain":     func(f *coseForge) { f.unprotected = []pair{{num(33), certArray(other.DER())}} },
	} {
		mixed := newCOSE(chain)
		mixed.signature = bstr(fm.Signature)
		change(mixed)
		_, err := verify(envelope.MediaTypeCOSE, mixed.encode(t))
		if err == nil {
			t.Errorf("%s swapped: accepted", name)
			continue
		}
		wantReason(t, err, reason.EnvelopeSignature)
	}
}

// attack: ENV-07
func TestCutOff(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Length: 1})
	for mediaType, data := range map[string][]byte{envelope.MediaTypeJWS: newJWS(chain).encode(t), envelope.MediaTypeCOSE: newCOSE(chain).encode(t)} {
		for n := range data {
			_, err := envelope.Parse(mediaType, data[:n])
			wantReason(t, err, reason.EnvelopeJSON, reason.EnvelopeCBOR)
		}
	}
}

// TestChangedByte changes single bytes: either the envelope is refused, or what
// was signed is the same.
//
// attack: ENV-09
func TestChangedByte(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Length: 1})
	for _, mediaType := range mediaTypes {
		data := seal(t, everything(mediaType), chain)
		good, err := verify(mediaType, data)
		if err != nil {
			t.Fatal(err)
		}
		want := good.Content()
		want.Agent, want.Signature = "", nil
		for i := 0; i < len(data); i += 5 {
			changed := bytes.Clone(data)
			changed[i] ^= 1 << (i % 8)
			v, err := verify(mediaType, changed)
			if err != nil {
				continue
			}
			got := v.Content()
			got.Agent, got.Signature = "", nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: byte %d changes the content to %+v", mediaType, i, got)
			}
		}
	}
}

func TestVerifyChecksTheChain(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	f := newJWS(chain)
	f.header["x5c"] = x5c(chain.DER()[:2])
	_, err := verify(envelope.MediaTypeJWS, f.encode(t))
	if code := string(reason.Of(err)); !strings.HasPrefix(code, "cert.") {
		t.Errorf("chain without its root: %v (%s)", err, code)
	}
	u, err := envelope.New(request(envelope.MediaTypeCOSE), envelope.ECDSASHA256)
	if err != nil {
		t.Fatal(err)
	}
	_, err = u.Seal(sign(t, chain.Key, envelope.ECDSASHA256.Hash(), u.ToBeSigned()), chain.Certs[:2])
	if code := string(reason.Of(err)); !strings.HasPrefix(code, "cert.") {
		t.Errorf("sealed without the root: %v (%s)", err, code)
	}
	f.header["x5c"] = `["MA=="]`
	_, err = verify(envelope.MediaTypeJWS, f.encode(t))
	if code := string(reason.Of(err)); !strings.HasPrefix(code, "cert.") {
		t.Errorf("no certificate: %v (%s)", err, code)
	}
}

// TestGoCOSE lets another implementation read and verify our COSE envelopes.
func TestGoCOSE(t *testing.T) {
	t.Parallel()
	for name, alg := range algorithms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain := testpki.New(t, testpki.Options{Algorithm: name, CAAlgorithm: "ec-256"})
			r := everything(envelope.MediaTypeCOSE)
			var m cose.Sign1Message
			if err := m.UnmarshalCBOR(seal(t, r, chain)); err != nil {
				t.Fatal(err)
			}
			number, err := m.Headers.Protected.Algorithm()
			if err != nil {
				t.Fatal(err)
			}
			verifier, err := cose.NewVerifier(number, chain.Leaf().PublicKey)
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			if err := m.Verify(nil, verifier); err != nil {
				t.Error(err)
			}
		})
	}
}

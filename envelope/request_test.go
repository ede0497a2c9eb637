package envelope_test

import (
	"bytes"
	"crypto/x509"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	attribute := func(key string, value any) func(*envelope.Request) {
		return func(r *envelope.Request) { r.Extended = []envelope.Attribute{{Key: key, Value: value}} }
	}
	var nested any = "x"
	for range 40 {
		nested = []any{nested}
	}
	var many []envelope.Attribute
	for i := range 65 {
		many = append(many, envelope.Attribute{Key: strings.Repeat("x", i+1), Critical: true})
	}
	for name, tt := range map[string]struct {
		bend func(r *envelope.Request)
		want reason.Code
	}{
		"no media type":          {func(r *envelope.Request) { r.MediaType = "" }, reason.EnvelopeMediaType},
		"other media type":       {func(r *envelope.Request) { r.MediaType = "application/json" }, reason.EnvelopeMediaType},
		"unknown scheme":         {func(r *envelope.Request) { r.Scheme = 3 }, reason.EnvelopeScheme},
		"no signing time":        {func(r *envelope.Request) { r.SigningTime = time.Time{} }, reason.EnvelopeTime},
		"early signing time":     {func(r *envelope.Request) { r.SigningTime = time.Unix(-1, 0) }, reason.EnvelopeTime},
		"late expiry":            {func(r *envelope.Request) { r.Expiry = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC) }, reason.EnvelopeTime},
		"expiry before signing":  {func(r *envelope.Request) { r.Expiry = r.SigningTime.Add(-time.Second) }, reason.EnvelopeTime},
		"expiry in the second":   {func(r *envelope.Request) { r.Expiry = r.SigningTime.Add(time.Nanosecond) }, reason.EnvelopeTime},
		"version without plugin": {func(r *envelope.Request) { r.PluginMinVersion = "1.0.0" }, reason.EnvelopePlugin},
		"bad version":            {func(r *envelope.Request) { r.VerificationPlugin, r.PluginMinVersion = "p", "v1" }, reason.EnvelopePlugin},
		"bad plugin":             {func(r *envelope.Request) { r.VerificationPlugin = "\n" }, reason.EnvelopePlugin},
		"agent not UTF-8":        {func(r *envelope.Request) { r.Agent = "\xff" }, reason.EnvelopeHeader},
		"attribute without name": {attribute("", nil), reason.EnvelopeHeader},
		"known attribute":        {attribute(expiryName, "x"), reason.EnvelopeHeader},
		"unprotected attribute":  {attribute(agentName, "x"), reason.EnvelopeHeader},
		"standard parameter":     {attribute("alg", "x"), reason.EnvelopeHeader},
		"name not UTF-8":         {attribute("\xff", nil), reason.EnvelopeHeader},
		"int":                    {attribute("a", 1), reason.EnvelopeExtended},
		"time":                   {attribute("a", signingTime), reason.EnvelopeExtended},
		"string not UTF-8":       {attribute("a", "\xff"), reason.EnvelopeExtended},
		"NaN":                    {attribute("a", math.NaN()), reason.EnvelopeExtended},
		"infinity":               {attribute("a", []any{math.Inf(-1)}), reason.EnvelopeExtended},
		"struct in a map":        {attribute("a", map[string]any{"b": struct{}{}}), reason.EnvelopeExtended},
		"key not UTF-8":          {attribute("a", map[string]any{"\xff": nil}), reason.EnvelopeExtended},
		"too deep":               {attribute("a", nested), reason.EnvelopeExtended},
		"cyclic":                 {func(r *envelope.Request) { v := []any{nil}; v[0] = v; attribute("a", v)(r) }, reason.EnvelopeExtended},
		"twice":                  {func(r *envelope.Request) { r.Extended = []envelope.Attribute{{Key: "a"}, {Key: "a"}} }, reason.EnvelopeExtended},
		"critical standard name": {func(r *envelope.Request) { r.Extended = []envelope.Attribute{{Key: "kid", Critical: true}} }, reason.EnvelopeCritical},
		"65 attributes":          {func(r *envelope.Request) { r.Extended = many }, reason.EnvelopeTooLarge},
		"a long attribute":       {attribute("a", strings.Repeat("x", 64<<10)), reason.EnvelopeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, mediaType := range mediaTypes {
				r := request(mediaType)
				tt.bend(&r)
				_, err := envelope.New(r, envelope.ECDSASHA256)
				if err == nil {
					t.Fatalf("%s: accepted", mediaType)
				}
				wantReason(t, err, tt.want)
			}
		})
	}
	for _, alg := range []envelope.Algorithm{0, 7, 255} {
		_, err := envelope.New(request(envelope.MediaTypeJWS), alg)
		wantReason(t, err, reason.EnvelopeAlgorithm)
	}
	// What one format has and the other has not.
	r := request(envelope.MediaTypeJWS)
	attribute("a", []byte{1})(&r)
	_, err := envelope.New(r, envelope.ECDSASHA256)
	wantReason(t, err, reason.EnvelopeExtended)
	r = request(envelope.MediaTypeCOSE)
	attribute("42", "x")(&r)
	_, err = envelope.New(r, envelope.ECDSASHA256)
	wantReason(t, err, reason.EnvelopeExtended)
}

func TestEmptyContainersReadBack(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, mediaType := range mediaTypes {
		r := request(mediaType)
		r.Extended = []envelope.Attribute{{Key: "list", Value: []any(nil)}, {Key: "map", Value: map[string]any(nil)}, {Key: "nil"}}
		v, err := verify(mediaType, seal(t, r, chain))
		if err != nil {
			t.Fatal(err)
		}
		want := []envelope.Attribute{{Key: "list", Value: []any{}}, {Key: "map", Value: map[string]any{}}, {Key: "nil"}}
		if got := v.Content().Extended; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v", mediaType, got)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	other := testpki.New(t, testpki.Options{KeySet: 1})
	for _, mediaType := range mediaTypes {
		u, err := envelope.New(request(mediaType), envelope.ECDSASHA256)
		if err != nil {
			t.Fatal(err)
		}
		good := sign(t, chain.Key, envelope.ECDSASHA256.Hash(), u.ToBeSigned())
		for name, tt := range map[string]struct {
			signature []byte
			chain     []*x509.Certificate
			want      reason.Code
		}{
			"no chain":          {good, nil, reason.EnvelopeChain},
			"a nil certificate": {good, []*x509.Certificate{nil}, reason.EnvelopeChain},
			"too many":          {good, make([]*x509.Certificate, 11), reason.EnvelopeChain},
			"no signature":      {nil, chain.Certs, ""},
			"wrong signature":   {append([]byte{good[0] ^ 1}, good[1:]...), chain.Certs, reason.EnvelopeSignature},
			"another's chain":   {good, other.Certs, reason.EnvelopeSignature},
		} {
			_, err := u.Seal(tt.signature, tt.chain)
			switch {
			case err == nil:
				t.Errorf("%s: accepted", name)
			case tt.want != "":
				wantReason(t, err, tt.want)
			}
		}
		_, err = u.Seal(good, []*x509.Certificate{{}})
		if !strings.HasPrefix(string(reason.Of(err)), "cert.") {
			t.Errorf("an empty certificate: %v", err)
		}
		// ToBeSigned gives out a copy.
		clear(u.ToBeSigned())
		if _, err := u.Seal(good, chain.Certs); err != nil {
			t.Error(err)
		}
	}
}

func TestSetTimestamp(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	token := append([]byte{0x30, 0x82, 0x03, 0xe8}, make([]byte, 1000)...)
	later := []byte{0x30, 1, 0}
	jws, cose := newJWS(chain), newCOSE(chain)
	jws.header["com.example"] = `{"kept" : [1.50, null]}`
	unprotect(text("com.example"), tag(99, []byte{0xf9, 0x3e, 0}))(cose)
	for mediaType, data := range map[string][]byte{envelope.MediaTypeJWS: jws.encode(t), envelope.MediaTypeCOSE: cose.encode(t)} {
		before, err := verify(mediaType, data)
		if err != nil {
			t.Fatal(err)
		}
		original := bytes.Clone(data)
		stamped, err := envelope.SetTimestamp(mediaType, data, token)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(original, data) {
			t.Error("the envelope given was changed")
		}
		again, err := envelope.SetTimestamp(mediaType, stamped, later)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct{ data, token []byte }{{stamped, token}, {again, later}} {
			after, err := verify(mediaType, tt.data)
			if err != nil {
				t.Fatal(err)
			}
			want := before.Content()
			want.Timestamp = tt.token
			if got := after.Content(); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
			if !bytes.Contains(tt.data, []byte("com.example")) {
				t.Error("an unknown parameter was lost")
			}
		}
	}
	good := newJWS(chain).encode(t)
	for _, bad := range [][]byte{nil, {}, {0x30}, {0x30, 1}, {0x30, 0, 0}, {0x31, 0}, {0x10, 0}, []byte("PEM"), append([]byte{0x30, 0x83, 1, 0, 0}, make([]byte, 1<<16)...)} {
		_, err := envelope.SetTimestamp(envelope.MediaTypeJWS, good, bad)
		wantReason(t, err, reason.EnvelopeTimestamp)
	}
	_, err := envelope.SetTimestamp(envelope.MediaTypeJWS, []byte("{}"), token)
	wantReason(t, err, reason.EnvelopeJSON)
	_, err = envelope.SetTimestamp(envelope.MediaTypeCOSE, good, token)
	wantReason(t, err, reason.EnvelopeMediaType)
	_, err = envelope.SetTimestamp("", good, token)
	wantReason(t, err, reason.EnvelopeMediaType)
	full := newJWS(chain)
	full.header["com.example"] = quoteJSON(strings.Repeat("x", envelope.MaxSize-len(good)-100))
	_, err = envelope.SetTimestamp(envelope.MediaTypeJWS, full.encode(t), token)
	wantReason(t, err, reason.EnvelopeTooLarge)
}

// TestSetTimestampInterop stamps another implementation's envelopes anew.
func TestSetTimestampInterop(t *testing.T) {
	t.Parallel()
	cases, envelopes := interop(t)
	for i, c := range cases {
		mediaType := mediaTypeOf(c.Format)
		stamped, err := envelope.SetTimestamp(mediaType, envelopes[i], []byte{0x30, 0})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if _, err := verify(mediaType, stamped); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

package strictjson

import (
	"encoding/json"
	"strings"
	"testing"
)

// BenchmarkEnvelope reads the outer object of a JWS envelope, which is most of
// what is strictly read in a verification: a payload, a protected header and a
// chain of three certificates, all of them long strings.
func BenchmarkEnvelope(b *testing.B) {
	type header struct {
		X5C       []string       `json:"x5c"`
		Agent     string         `json:"io.cncf.notary.signingAgent,omitempty"`
		Timestamp string         `json:"io.cncf.notary.timestampSignature,omitempty"`
		Unknown   map[string]Raw `json:",embed"`
	}
	type jws struct {
		Payload   string `json:"payload"`
		Protected string `json:"protected"`
		Header    header `json:"header"`
		Signature string `json:"signature"`
	}
	data, err := json.Marshal(map[string]any{
		"payload": strings.Repeat("eyJ0", 80), "protected": strings.Repeat("eyJh", 90), "signature": strings.Repeat("c2ln", 85),
		"header": map[string]any{
			"x5c":                         []string{strings.Repeat("MIID", 260), strings.Repeat("MIID", 230), strings.Repeat("MIID", 220)},
			"io.cncf.notary.signingAgent": "notation/1.0.0",
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var e jws
		if err := Unmarshal(data, &e); err != nil || len(e.Header.X5C) != 3 {
			b.Fatal(err)
		}
	}
}

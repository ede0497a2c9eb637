package envelope_test

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// attack: ENV-10
func TestPayload(t *testing.T) {
	t.Parallel()
	const (
		mediaType = `"mediaType":"application/vnd.oci.image.manifest.v1+json"`
		size      = `"size":2`
	)
	hex := strings.Repeat("ab", 64)
	digestOf := func(s string) string { return `"digest":"` + s + `"` }
	sha256 := digestOf("sha256:" + hex[:64])
	wrap := func(members ...string) string {
		return `{"targetArtifact":{` + strings.Join(members, ",") + `}}`
	}
	chain := testpki.New(t, testpki.Options{})
	for _, tt := range []struct {
		name, payload string
		good          bool
	}{
		{"plain", wrap(mediaType, sha256, size), true},
		{"SHA-384", wrap(mediaType, digestOf("sha384:"+hex[:96]), size), true},
		{"SHA-512", wrap(mediaType, digestOf("sha512:"+hex), size), true},
		{"artifact type", wrap(mediaType, sha256, size, `"artifactType":"sbom/example"`), true},
		{"metadata", wrap(mediaType, sha256, size, `"annotations":{"a":"b","c":""}`), true},
		{"empty metadata", wrap(mediaType, sha256, size, `"annotations":{}`), true},
		{"reserved metadata of another tool", wrap(mediaType, sha256, size, `"annotations":{"io.cncf.notary.x":"y"}`), true},
		{"media type with a parameter", wrap(`"mediaType":"text/plain; charset=utf-8"`, sha256, size), true},
		{"size zero", wrap(mediaType, sha256, `"size":0`), true},
		{"largest size", wrap(mediaType, sha256, `"size":9223372036854775807`), true},
		{"white space", " " + wrap(mediaType, sha256, size) + "\n", true},

		{"empty object", `{}`, false},
		{"not JSON", `x`, false},
		{"null", `null`, false},
		{"array", `[]`, false},
		{"null targetArtifact", `{"targetArtifact":null}`, false},
		{"targetArtifact a string", `{"targetArtifact":"sha256:` + hex[:64] + `"}`, false},
		{"targetArtifact an array", `{"targetArtifact":[{` + mediaType + `,` + sha256 + `,` + size + `}]}`, false},
		{"targetArtifact in another case", strings.Replace(wrap(mediaType, sha256, size), "targetA", "TargetA", 1), false},
		{"targetArtifact twice", `{"targetArtifact":{},` + wrap(mediaType, sha256, size)[1:], false},
		{"member beside it", strings.TrimSuffix(wrap(mediaType, sha256, size), "}") + `,"more":1}`, false},
		{"no media type", wrap(sha256, size), false},
		{"no digest", wrap(mediaType, size), false},
		{"no size", wrap(mediaType, sha256), false},
		{"null size", wrap(mediaType, sha256, `"size":null`), false},
		{"negative size", wrap(mediaType, sha256, `"size":-1`), false},
		{"fractional size", wrap(mediaType, sha256, `"size":2.5`), false},
		{"size with a zero fraction", wrap(mediaType, sha256, `"size":2.0`), false},
		{"size with an exponent", wrap(mediaType, sha256, `"size":2e0`), false},
		{"size as a string", wrap(mediaType, sha256, `"size":"2"`), false},
		{"size of 2^63", wrap(mediaType, sha256, `"size":9223372036854775808`), false},
		{"digest twice", wrap(mediaType, sha256, sha256, size), false},
		{"digest in another case beside it", wrap(mediaType, sha256, size, strings.Replace(sha256, "d", "D", 1)), false},
		{"digest without algorithm", wrap(mediaType, digestOf(hex[:64]), size), false},
		{"digest with an empty algorithm", wrap(mediaType, digestOf(":"+hex[:64]), size), false},
		{"digest of MD5", wrap(mediaType, digestOf("md5:"+hex[:32]), size), false},
		{"digest of SHA-1", wrap(mediaType, digestOf("sha1:"+hex[:40]), size), false},
		{"digest too short", wrap(mediaType, digestOf("sha256:"+hex[:63]), size), false},
		{"digest too long", wrap(mediaType, digestOf("sha256:"+hex[:65]), size), false},
		{"digest of another algorithm's length", wrap(mediaType, digestOf("sha512:"+hex[:64]), size), false},
		{"digest in upper case", wrap(mediaType, digestOf("sha256:"+strings.ToUpper(hex[:64])), size), false},
		{"digest algorithm in upper case", wrap(mediaType, digestOf("SHA256:"+hex[:64]), size), false},
		{"digest not hex", wrap(mediaType, digestOf("sha256:"+strings.Repeat("g", 64)), size), false},
		{"digest with a path", wrap(mediaType, digestOf("sha256:../../"+hex[:58]), size), false},
		{"empty media type", wrap(`"mediaType":""`, sha256, size), false},
		{"media type without slash", wrap(`"mediaType":"text"`, sha256, size), false},
		{"media type with a control character", wrap(`"mediaType":"a/b\u001b"`, sha256, size), false},
		{"media type not ASCII", wrap(`"mediaType":"a/é"`, sha256, size), false},
		{"media type too long", wrap(`"mediaType":"a/`+strings.Repeat("b", 255)+`"`, sha256, size), false},
		{"malformed artifact type", wrap(mediaType, sha256, size, `"artifactType":"x"`), false},
		{"null artifact type", wrap(mediaType, sha256, size, `"artifactType":null`), false},
		{"null metadata", wrap(mediaType, sha256, size, `"annotations":null`), false},
		{"null in the metadata", wrap(mediaType, sha256, size, `"annotations":{"a":null}`), false},
		{"number in the metadata", wrap(mediaType, sha256, size, `"annotations":{"a":1}`), false},
		{"metadata key twice", wrap(mediaType, sha256, size, `"annotations":{"a":"1","a":"2"}`), false},
		{"empty metadata key", wrap(mediaType, sha256, size, `"annotations":{"":"1"}`), false},
		{"urls", wrap(mediaType, sha256, size, `"urls":[]`), false},
		{"data", wrap(mediaType, sha256, size, `"data":"e30="`), false},
		{"platform", wrap(mediaType, sha256, size, `"platform":{}`), false},
		{"trailing bytes", wrap(mediaType, sha256, size) + "x", false},
		{"byte order mark", "\xef\xbb\xbf" + wrap(mediaType, sha256, size), false},
		{"lone surrogate", wrap(mediaType, sha256, size, `"annotations":{"a":"\ud800"}`), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j, c := newJWS(chain), newCOSE(chain)
			j.payload, c.payload = tt.payload, bstr([]byte(tt.payload))
			for mediaType, data := range map[string][]byte{envelope.MediaTypeJWS: j.encode(t), envelope.MediaTypeCOSE: c.encode(t)} {
				v, err := verify(mediaType, data)
				if !tt.good {
					wantReason(t, err, reason.EnvelopePayload)
					continue
				}
				if err != nil {
					t.Error(err)
				} else if string(v.Content().Payload) != tt.payload {
					t.Errorf("payload is %q", v.Content().Payload)
				}
			}
		})
	}
}

// attack: ENV-10
func TestNewRefusesTargets(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		bend func(d *envelope.Descriptor)
		want reason.Code
	}{
		"zero":                    {func(d *envelope.Descriptor) { *d = envelope.Descriptor{} }, reason.EnvelopePayload},
		"no media type":           {func(d *envelope.Descriptor) { d.MediaType = "" }, reason.EnvelopePayload},
		"no digest":               {func(d *envelope.Descriptor) { d.Digest = "" }, reason.EnvelopePayload},
		"weak digest":             {func(d *envelope.Descriptor) { d.Digest = digest.Digest("md5:" + strings.Repeat("0", 32)) }, reason.EnvelopePayload},
		"negative size":           {func(d *envelope.Descriptor) { d.Size = -1 }, reason.EnvelopePayload},
		"artifact type":           {func(d *envelope.Descriptor) { d.ArtifactType = "x" }, reason.EnvelopePayload},
		"reserved":                {metadata("io.cncf.notary.x", ""), reason.EnvelopeReservedAnnotation},
		"reserved prefix":         {metadata("io.cncf.notary", ""), reason.EnvelopeReservedAnnotation},
		"reserved without dot":    {metadata("io.cncf.notaryproject", ""), reason.EnvelopeReservedAnnotation},
		"empty key":               {metadata("", "x"), reason.EnvelopePayload},
		"value that is not UTF-8": {metadata("a", "\xff"), reason.EnvelopePayload},
		"key that is not UTF-8":   {metadata("\xff", "a"), reason.EnvelopePayload},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, mediaType := range mediaTypes {
				r := request(mediaType)
				tt.bend(&r.Target)
				_, err := envelope.New(r, envelope.ECDSASHA256)
				wantReason(t, err, tt.want)
			}
		})
	}
}

func metadata(key, value string) func(*envelope.Descriptor) {
	return func(d *envelope.Descriptor) { d.Annotations = map[string]string{key: value} }
}

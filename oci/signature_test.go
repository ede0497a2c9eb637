package oci

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var testSubject = Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digestA, Size: 2}

const testEnvelope = `{"payload":"","protected":"","header":{},"signature":""}`

// object is a JSON object under construction.
type object = map[string]any

func descriptorOf(mediaType string, content string) object {
	return object{"mediaType": mediaType, "digest": string(digest.FromString(content)), "size": len(content)}
}

func subjectObject() object {
	return object{"mediaType": testSubject.MediaType, "digest": string(testSubject.Digest), "size": testSubject.Size}
}

// imageForm, legacyForm and orasForm are the three forms of a signature.
func imageForm() object {
	return object{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "artifactType": ArtifactTypeSignature,
		"config":  descriptorOf(ocispec.MediaTypeEmptyJSON, "{}"),
		"layers":  []any{descriptorOf(mediaTypeJWS, testEnvelope)},
		"subject": subjectObject(),
	}
}

func legacyForm() object {
	m := imageForm()
	delete(m, "artifactType")
	m["config"].(object)["mediaType"] = ArtifactTypeSignature
	return m
}

func orasForm() object {
	return object{
		"mediaType": MediaTypeORASManifest, "artifactType": ArtifactTypeSignature,
		"blobs": []any{descriptorOf(mediaTypeJWS, testEnvelope)}, "subject": subjectObject(),
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseSignatureManifest(t *testing.T) {
	t.Parallel()
	tests := map[string]func() object{
		"image manifest": imageForm,
		"older form":     legacyForm,
		"ORAS manifest":  orasForm,
		"without mediaType": func() object {
			m := legacyForm()
			delete(m, "mediaType")
			return m
		},
		"type in both places": func() object {
			m := imageForm()
			m["config"].(object)["mediaType"] = ArtifactTypeSignature
			return m
		},
		"config of any content in the older form": func() object {
			m := legacyForm()
			m["config"] = descriptorOf(ArtifactTypeSignature, "anything")
			return m
		},
		"COSE": func() object {
			m := imageForm()
			m["layers"] = []any{descriptorOf(mediaTypeCOSE, testEnvelope)}
			return m
		},
		"unknown members": func() object {
			m := imageForm()
			m["vendor"] = object{"x": []int{1}}
			m["layers"].([]any)[0].(object)["vendor"] = nil
			return m
		},
		// attack: REG-07
		"foreign urls are not kept": func() object {
			m := imageForm()
			m["layers"].([]any)[0].(object)["urls"] = []string{"http://127.0.0.1:1/x"}
			return m
		},
		"sha512 envelope": func() object {
			m := imageForm()
			m["layers"].([]any)[0].(object)["digest"] = string(digest.SHA512.FromString(testEnvelope))
			return m
		},
	}
	for name, form := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := ParseSignatureManifest(encode(t, form()), testSubject.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if m.Subject.Digest != testSubject.Digest || m.Subject.Size != 2 || m.Subject.MediaType != testSubject.MediaType {
				t.Errorf("subject is %+v", m.Subject)
			}
			if m.Envelope.Size != int64(len(testEnvelope)) || m.Envelope.URLs != nil || m.Inline != nil {
				t.Errorf("envelope is %+v, inline %q", m.Envelope, m.Inline)
			}
		})
	}
}

func TestParseSignatureManifestInline(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString([]byte(testEnvelope))
	with := func(form func() object, list string, data any) []byte {
		m := form()
		m[list].([]any)[0].(object)["data"] = data
		return encode(t, m)
	}
	for name, raw := range map[string][]byte{
		"image": with(imageForm, "layers", good), "older": with(legacyForm, "layers", good), "ORAS": with(orasForm, "blobs", good),
	} {
		m, err := ParseSignatureManifest(raw, testSubject.Digest)
		if err != nil || string(m.Inline) != testEnvelope {
			t.Errorf("%s: got %q, %v", name, m.Inline, err)
		}
	}
	if m, err := ParseSignatureManifest(with(imageForm, "layers", nil), testSubject.Digest); err != nil || m.Inline != nil {
		t.Errorf("null: got %q, %v", m.Inline, err)
	}

	// attack: REG-04
	for name, data := range map[string]string{
		"other content of the same size": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), len(testEnvelope))),
		"shorter":                        base64.StdEncoding.EncodeToString([]byte(testEnvelope[1:])),
		"longer":                         base64.StdEncoding.EncodeToString([]byte(testEnvelope + " ")),
		"empty":                          "",
		"not base64":                     "*",
		"base64url":                      "-_-_",
		"no padding":                     strings.TrimRight(good, "="),
		"line break":                     good[:8] + "\n" + good[8:],
		"carriage return":                good[:8] + "\r" + good[8:],
		"trailing bits":                  trailingBits(good),
		"trailing text":                  good + "AAAA",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseSignatureManifest(with(imageForm, "layers", data), testSubject.Digest)
			if reason.Of(err) != reason.OCIInlineData {
				t.Fatalf("got %v", err)
			}
			checkPrintable(t, err)
		})
	}
}

// trailingBits sets a bit in the last character that no byte holds.
func trailingBits(s string) string {
	i := strings.IndexByte(s, '=')
	if i < 0 {
		panic("needs padding")
	}
	return s[:i-1] + string(s[i-1]+1) + s[i:]
}

func TestParseSignatureManifestRefuses(t *testing.T) {
	t.Parallel()
	edit := func(form func() object, change func(m object)) func() object {
		return func() object {
			m := form()
			change(m)
			return m
		}
	}
	set := func(form func() object, member string, v any) func() object {
		return edit(form, func(m object) { m[member] = v })
	}
	layer := func(form func() object, list, member string, v any) func() object {
		return edit(form, func(m object) { m[list].([]any)[0].(object)[member] = v })
	}
	config := func(form func() object, member string, v any) func() object {
		return edit(form, func(m object) { m["config"].(object)[member] = v })
	}
	layers := func(n int) []any {
		l := make([]any, n)
		for i := range l {
			l[i] = descriptorOf(mediaTypeJWS, testEnvelope)
		}
		return l
	}
	tests := map[string]struct {
		form func() object
		code reason.Code
	}{
		// attack: REG-04
		"no layer":                   {set(imageForm, "layers", []any{}), reason.OCILayers},
		"layers missing":             {edit(imageForm, func(m object) { delete(m, "layers") }), reason.OCILayers},
		"two layers":                 {set(imageForm, "layers", layers(2)), reason.OCILayers},
		"10,000 layers":              {set(imageForm, "layers", layers(10_000)), reason.OCILayers},
		"two blobs":                  {set(orasForm, "blobs", layers(2)), reason.OCILayers},
		"no blob":                    {set(orasForm, "blobs", []any{}), reason.OCILayers},
		"null blobs":                 {set(orasForm, "blobs", nil), reason.OCILayers},
		"layers and manifests":       {set(imageForm, "manifests", []any{}), reason.OCIManifest},
		"layers and null manifests":  {set(imageForm, "manifests", nil), reason.OCIManifest},
		"blobs and manifests":        {set(orasForm, "manifests", []any{}), reason.OCIManifest},
		"layers and blobs":           {set(imageForm, "blobs", []any{}), reason.OCIManifest},
		"blobs and layers":           {set(orasForm, "layers", []any{}), reason.OCIManifest},
		"blobs and config":           {set(orasForm, "config", descriptorOf("a/b", "")), reason.OCIManifest},
		"image config":               {config(imageForm, "mediaType", ocispec.MediaTypeImageConfig), reason.OCIConfig},
		"empty config with content":  {set(imageForm, "config", descriptorOf(ocispec.MediaTypeEmptyJSON, "xx")), reason.OCIConfig},
		"empty config of other size": {config(imageForm, "size", 3), reason.OCIConfig},
		"no config":                  {edit(imageForm, func(m object) { delete(m, "config") }), reason.OCIConfig},
		"null config":                {set(imageForm, "config", nil), reason.OCIConfig},
		"config size negative":       {config(legacyForm, "size", -1), reason.OCIConfig},
		"config size enormous":       {config(legacyForm, "size", int64(1)<<62), reason.OCIConfig},
		"config digest bad":          {config(legacyForm, "digest", "sha256:../x"), reason.OCIConfig},
		"config data lies":           {config(imageForm, "data", "e31="), reason.OCIInlineData},
		"config data in older form":  {config(legacyForm, "data", "e31="), reason.OCIInlineData},

		// attack: REG-03
		"no subject":               {edit(imageForm, func(m object) { delete(m, "subject") }), reason.OCISubjectMismatch},
		"null subject":             {set(imageForm, "subject", nil), reason.OCISubjectMismatch},
		"another subject":          {set(imageForm, "subject", descriptorOf("a/b", "other")), reason.OCISubjectMismatch},
		"subject without size":     {edit(imageForm, func(m object) { m["subject"].(object)["size"] = -2 }), reason.OCIDescriptor},
		"subject enormous":         {edit(imageForm, func(m object) { m["subject"].(object)["size"] = int64(1) << 62 }), reason.OCITooLarge},
		"subject without type":     {edit(imageForm, func(m object) { delete(m["subject"].(object), "mediaType") }), reason.OCIDescriptor},
		"artifactType lies":        {set(imageForm, "artifactType", "sbom/example"), reason.OCINotSignature},
		"artifactType denies":      {set(legacyForm, "artifactType", "sbom/example"), reason.OCINotSignature},
		"no artifactType at all":   {edit(imageForm, func(m object) { delete(m, "artifactType") }), reason.OCINotSignature},
		"artifactType in capitals": {set(imageForm, "artifactType", strings.ToUpper(ArtifactTypeSignature)), reason.OCINotSignature},
		"ORAS without type":        {edit(orasForm, func(m object) { delete(m, "artifactType") }), reason.OCINotSignature},
		"an index": {func() object {
			return object{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": []any{}, "subject": subjectObject()}
		}, reason.OCIManifestType},
		"an index that does not say so": {func() object {
			return object{"schemaVersion": 2, "manifests": []any{}, "subject": subjectObject()}
		}, reason.OCIManifestType},
		"an index that says it is a signature": {func() object {
			return object{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "artifactType": ArtifactTypeSignature, "manifests": []any{}, "subject": subjectObject()}
		}, reason.OCIManifestType},
		"an index with layers, untyped": {edit(imageForm, func(m object) {
			delete(m, "mediaType")
			delete(m, "config")
			m["manifests"] = []any{}
		}), reason.OCIManifest},
		"an index with a config, untyped": {edit(imageForm, func(m object) {
			delete(m, "mediaType")
			delete(m, "layers")
			m["manifests"] = []any{}
		}), reason.OCIManifest},
		"an index with blobs, untyped": {func() object {
			return object{"schemaVersion": 2, "manifests": []any{}, "blobs": []any{}, "subject": subjectObject()}
		}, reason.OCIManifest},
		"an index without manifests": {set(imageForm, "mediaType", ocispec.MediaTypeImageIndex), reason.OCIManifestType},
		"a Docker manifest":          {set(imageForm, "mediaType", "application/vnd.docker.distribution.manifest.v2+json"), reason.OCIManifestType},
		"hostile media type":         {set(imageForm, "mediaType", "a/b\x1b[31m\u202e"), reason.OCIManifestType},
		"schema version 1":           {set(imageForm, "schemaVersion", 1), reason.OCIManifest},
		"schema version missing":     {edit(imageForm, func(m object) { delete(m, "schemaVersion") }), reason.OCIManifest},

		// attack: REG-02
		"envelope size negative":     {layer(imageForm, "layers", "size", -1), reason.OCIDescriptor},
		"envelope size zero":         {layer(imageForm, "layers", "size", 0), reason.OCIDescriptor},
		"envelope size over limit":   {layer(imageForm, "layers", "size", MaxEnvelopeSize+1), reason.OCITooLarge},
		"envelope size 2^62":         {layer(orasForm, "blobs", "size", int64(1)<<62), reason.OCITooLarge},
		"envelope size fractional":   {layer(imageForm, "layers", "size", 1.5), reason.OCIManifest},
		"envelope digest algorithm":  {layer(imageForm, "layers", "digest", "md5:d41d8cd98f00b204e9800998ecf8427e"), reason.OCIDigestAlgorithm},
		"envelope digest path":       {layer(imageForm, "layers", "digest", "sha256:../../../etc/passwd"), reason.OCIDescriptor},
		"envelope digest missing":    {edit(imageForm, func(m object) { delete(m["layers"].([]any)[0].(object), "digest") }), reason.OCIDescriptor},
		"envelope type other":        {layer(imageForm, "layers", "mediaType", "application/json"), reason.OCIEnvelopeType},
		"envelope type with charset": {layer(imageForm, "layers", "mediaType", mediaTypeJWS+"; charset=utf-8"), reason.OCIEnvelopeType},
		"envelope type missing":      {edit(orasForm, func(m object) { delete(m["blobs"].([]any)[0].(object), "mediaType") }), reason.OCIDescriptor},
		"envelope type too long":     {layer(imageForm, "layers", "mediaType", strings.Repeat("a", 300)), reason.OCIDescriptor},
		"annotations of numbers":     {set(imageForm, "annotations", object{"a": 1}), reason.OCIManifest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := ParseSignatureManifest(encode(t, tt.form()), testSubject.Digest)
			if reason.Of(err) != tt.code {
				t.Fatalf("got %+v, %v (%s), want %s", m, err, reason.Of(err), tt.code)
			}
			checkPrintable(t, err)
		})
	}
}

func TestParseSignatureManifestRefusesText(t *testing.T) {
	t.Parallel()
	good := string(encode(t, imageForm()))
	for name, tt := range map[string]struct {
		raw  string
		code reason.Code
	}{
		"empty":           {"", reason.OCIManifest},
		"no object":       {"[]", reason.OCIManifest},
		"trailing bytes":  {good + "x", reason.OCIManifest},
		"two documents":   {good + good, reason.OCIManifest},
		"duplicate":       {strings.Replace(good, `{`, `{"subject":{},`, 1), reason.OCIManifest},
		"case variant":    {strings.Replace(good, `{`, `{"Subject":{"digest":"x"},`, 1), reason.OCIManifest},
		"duplicate inner": {strings.Replace(good, `"size":2`, `"size":2,"size":2`, 1), reason.OCIManifest},
		"nested deep":     {strings.Replace(good, `{`, `{"x":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`,`, 1), reason.OCIManifest},
		"too long":        {good + strings.Repeat(" ", MaxManifestSize), reason.OCITooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseSignatureManifest([]byte(tt.raw), testSubject.Digest)
			if reason.Of(err) != tt.code {
				t.Fatalf("got %v", err)
			}
			checkPrintable(t, err)
		})
	}
}

func TestNewSignatureAttachment(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{
		AnnotationThumbprints: FormatThumbprints([]Thumbprint{{1}, {2}}), "org.opencontainers.image.created": "2030-01-02T03:04:05Z", "a": "<&>",
	}
	subject := testSubject
	subject.Annotations = map[string]string{"not": "copied"}
	subject.ArtifactType = "not/copied"
	a, err := NewSignatureAttachment(subject, mediaTypeJWS, []byte(testEnvelope), annotations)
	if err != nil {
		t.Fatal(err)
	}
	data := base64.StdEncoding.EncodeToString([]byte(testEnvelope))
	layer := fmt.Sprintf(`"mediaType":"application/jose+json","digest":"%s","size":%d`, digest.FromString(testEnvelope), len(testEnvelope))
	tail := `"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + digestA + `","size":2},` +
		`"annotations":{"a":"<&>","io.cncf.notary.x509chain.thumbprint#S256":"[\"01` + strings.Repeat("0", 62) + `\",\"02` + strings.Repeat("0", 62) + `\"]",` +
		`"org.opencontainers.image.created":"2030-01-02T03:04:05Z"}}`
	want := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.cncf.notary.signature",` +
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"` + digestA + `","size":2,"data":"e30="},` +
		`"layers":[{` + layer + `,"data":"` + data + `"}],` + tail
	if string(a.Manifest) != want {
		t.Errorf("manifest is\n%s\nwant\n%s", a.Manifest, want)
	}
	want = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.cncf.notary.signature","digest":"` + digestA + `","size":2},` +
		`"layers":[{` + layer + `}],` + tail
	if string(a.Legacy) != want {
		t.Errorf("older form is\n%s\nwant\n%s", a.Legacy, want)
	}
	for _, b := range a.Blobs {
		if err := VerifyContent(b.Content, b.Descriptor); err != nil {
			t.Error(err)
		}
	}
	if len(a.Blobs) != 2 {
		t.Errorf("%d blobs", len(a.Blobs))
	}
	again, err := NewSignatureAttachment(subject, mediaTypeJWS, []byte(testEnvelope), annotations)
	if err != nil || !bytes.Equal(a.Manifest, again.Manifest) || !bytes.Equal(a.Legacy, again.Legacy) {
		t.Error("not deterministic")
	}
}

func TestNewSignatureAttachmentSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size   int
		inline bool
		code   reason.Code
	}{
		{0, false, reason.OCIDescriptor},
		{1, true, ""},
		{MaxInlineSize, true, ""},
		{MaxInlineSize + 1, false, ""},
		{MaxEnvelopeSize, false, ""},
		{MaxEnvelopeSize + 1, false, reason.OCITooLarge},
	} {
		a, err := NewSignatureAttachment(testSubject, mediaTypeCOSE, make([]byte, tt.size), nil)
		if reason.Of(err) != tt.code {
			t.Errorf("%d bytes: got %v", tt.size, err)
		}
		if err != nil {
			continue
		}
		m, err := ParseSignatureManifest(a.Manifest, testSubject.Digest)
		if err != nil || tt.inline != (m.Inline != nil) || m.Envelope.Size != int64(tt.size) {
			t.Errorf("%d bytes: got %+v, %v", tt.size, m.Envelope, err)
		}
	}
}

func TestNewSignatureAttachmentRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		subject     Descriptor
		mediaType   string
		annotations map[string]string
		code        reason.Code
	}{
		"media type":        {testSubject, "application/json", nil, reason.OCIEnvelopeType},
		"no media type":     {testSubject, "", nil, reason.OCIDescriptor},
		"no subject":        {Descriptor{}, mediaTypeJWS, nil, reason.OCIDescriptor},
		"subject size":      {Descriptor{MediaType: "a/b", Digest: digestA, Size: -1}, mediaTypeJWS, nil, reason.OCIDescriptor},
		"invalid UTF-8":     {testSubject, mediaTypeJWS, map[string]string{"a": "\xff"}, reason.OCIAttachment},
		"invalid UTF-8 key": {testSubject, mediaTypeJWS, map[string]string{"\xff": "a"}, reason.OCIAttachment},
		"too long":          {testSubject, mediaTypeJWS, map[string]string{"a": strings.Repeat("x", MaxManifestSize)}, reason.OCITooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := NewSignatureAttachment(tt.subject, tt.mediaType, []byte(testEnvelope), tt.annotations)
			if reason.Of(err) != tt.code || a.Manifest != nil {
				t.Fatalf("got %v (%s)", err, reason.Of(err))
			}
		})
	}
}

func FuzzSignatureManifest(f *testing.F) {
	for _, form := range []func() object{imageForm, legacyForm, orasForm} {
		f.Add(encode(f, form()))
	}
	f.Add([]byte(`{"schemaVersion":2,"layers":[],"manifests":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseSignatureManifest(raw, testSubject.Digest)
		if err != nil {
			if reason.Of(err) == "" {
				t.Fatalf("error without code: %v", err)
			}
			checkPrintable(t, err)
			return
		}
		if m.Subject.Digest != testSubject.Digest || checkEnvelope(m.Envelope) != nil {
			t.Fatalf("accepted %+v", m)
		}
		if m.Inline != nil && VerifyContent(m.Inline, m.Envelope) != nil {
			t.Fatal("accepted wrong data")
		}
		if general, err := ParseManifest(raw); err != nil || general.Subject == nil || general.ArtifactType != ArtifactTypeSignature {
			t.Fatalf("ParseManifest reads it as %+v, %v", general, err)
		}
	})
}

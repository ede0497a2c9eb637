package strictjson

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

type inner struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

type doc struct {
	Text    string            `json:"text"`
	Flag    bool              `json:"flag"`
	Number  float64           `json:"number"`
	Inner   inner             `json:"inner"`
	Pointer *inner            `json:"pointer"`
	List    []string          `json:"list"`
	Map     map[string]string `json:"map"`
	Any     any               `json:"any"`
	Raw     Raw               `json:"raw"`
	V1Raw   json.RawMessage   `json:"v1raw"`
}

func TestUnmarshalAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     doc
	}{
		{"empty object", `{}`, doc{}},
		{"white space around", " \r\n\t{} \n", doc{}},
		{"all members", `{"text":"a\u00e9\ud83d\ude00\n","flag":true,"number":1.5e2,"inner":{"name":"n","size":-7},` +
			`"pointer":{"name":"p","size":9223372036854775807},"list":["x"],"map":{"k":"v"},"any":{"a":[1,null]},"raw":[null]}`,
			doc{
				Text: "aé😀\n", Flag: true, Number: 150, Inner: inner{"n", -7}, Pointer: &inner{"p", 1<<63 - 1},
				List: []string{"x"}, Map: map[string]string{"k": "v"}, Any: map[string]any{"a": []any{1.0, nil}}, Raw: Raw(`[null]`),
			}},
		{"null for pointer, interface and raw values", `{"pointer":null,"any":null,"raw":null,"v1raw":null}`,
			doc{Raw: Raw("null"), V1Raw: json.RawMessage("null")}},
		{"the letter n in a string is no null", `{"text":"null \"null\" \\"}`, doc{Text: `null "null" \`}},
		{"same name at different levels", `{"inner":{"name":"text"},"text":"name"}`, doc{Text: "name", Inner: inner{Name: "text"}}},
		{"as deep as allowed", `{"any":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}`, doc{Any: nest(MaxDepth - 1)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, f := range []func([]byte, any) error{Unmarshal, UnmarshalOpen} {
				var got doc
				if err := f([]byte(tt.in), &got); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, tt.want) {
					t.Errorf("got %+v\nwant %+v", got, tt.want)
				}
			}
		})
	}
}

func nest(n int) any {
	v := []any{}
	for range n - 1 {
		v = []any{v}
	}
	return v
}

// attack: ENV-05
func TestUnmarshalRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		message  string // must stand in the error
		sentinel error
	}{
		{"duplicate member", `{"text":"a","text":"a"}`, `line 1, column 13: member "text" is given twice`, ErrDuplicate},
		{"duplicate member by escape", `{"text":"a","\u0074ext":"a"}`, `"text" is given twice`, ErrDuplicate},
		{"duplicate member in a struct", "{\n \"inner\": {\"size\":1,\n  \"size\":1}}", `line 3, column 3: member "size" is given twice at "/inner"`, ErrDuplicate},
		{"duplicate member in a map", `{"map":{"k":"1","k":"2"}}`, `"k" is given twice`, ErrDuplicate},
		{"duplicate member in any", `{"any":[{"k":"1","k":"2"}]}`, `"k" is given twice`, ErrDuplicate},
		{"duplicate member in a raw value", `{"raw":{"a":{"k":"1","k":"2"}}}`, `"k" is given twice`, ErrDuplicate},
		{"null for a struct", `{"inner":null}`, `null stands where a value is required at "/inner"`, ErrNull},
		{"null for a string", `{"text": null}`, `line 1, column 10: null stands`, ErrNull},
		{"null for a bool", `{"flag":null}`, "null stands", ErrNull},
		{"null for a number", `{"number":null}`, "null stands", ErrNull},
		{"null for a slice", `{"list":null}`, "null stands", ErrNull},
		{"null in a slice", `{"list":["a",null]}`, `at "/list/1"`, ErrNull},
		{"null for a map", `{"map":null}`, "null stands", ErrNull},
		{"null in a map", `{"map":{"k":null}}`, "null stands", ErrNull},
		{"null behind a pointer", `{"pointer":{"name":null}}`, "null stands", ErrNull},
		{"null for the document", `null`, "null stands", ErrNull},
		{"byte order mark", "\xef\xbb\xbf{}", "byte order mark", nil},
		{"byte order mark in UTF-16", "\xff\xfe{\x00}\x00", "not valid JSON", nil},
		{"invalid UTF-8 in a value", "{\"text\":\"\xff\"}", "UTF-8", nil},
		{"invalid UTF-8 in a name", "{\"\xc0\xaf\":\"\"}", "UTF-8", nil},
		{"invalid UTF-8 in a raw value", "{\"raw\":\"\xff\"}", "UTF-8", nil},
		{"surrogate as UTF-8", "{\"text\":\"\xed\xa0\x80\"}", "UTF-8", nil},
		{"lone high surrogate", `{"text":"\ud800"}`, "surrogate", nil},
		{"lone low surrogate", `{"text":"\udc00x"}`, "surrogate", nil},
		{"surrogates in the wrong order", `{"any":"\udc00\ud800"}`, "surrogate", nil},
		{"lone surrogate in a raw value", `{"raw":["\ud800"]}`, "surrogate", nil},
		{"one level too deep", strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), "column 65: objects and arrays are nested too deep", ErrDepth},
		{"100,000 deep", `{"raw":` + strings.Repeat(`[`, 100_000) + strings.Repeat("]", 100_000) + `}`, "nested too deep", ErrDepth},
		{"100,000 deep, open", strings.Repeat(`{"a":`, 100_000), "nested too deep", ErrDepth},
		{"1e400 as a float", `{"number":1e400}`, "out of range", nil},
		{"1e400 as anything", `{"any":1e400}`, "out of range", nil},
		{"1e400 as an integer", `{"inner":{"size":1e400}}`, "a number does not fit here", nil},
		{"fraction as an integer", `{"inner":{"size":1.0}}`, `a number does not fit here`, nil},
		{"integer too large", `{"inner":{"size":9223372036854775808}}`, "out of range", nil},
		{"trailing brace", `{}}`, "not valid JSON", nil},
		{"second document", `{} {}`, "not valid JSON", nil},
		{"trailing NUL", "{}\x00", "not valid JSON", nil},
		{"comment", `{}//`, "not valid JSON", nil},
		{"trailing comma", `{"text":"a",}`, "not valid JSON", nil},
		{"empty", ``, "ends before", nil},
		{"only space", ` `, "ends before", nil},
		{"cut off", `{"text":"a`, "ends before", nil},
		{"cut off after a backslash", `{"text":"a\`, "ends before", nil},
		{"string for a number", `{"number":"1"}`, `a string does not fit here at "/number"`, nil},
		{"object for a list", `{"list":{}}`, "a JSON object does not fit here", nil},
		{"array for an object", `{"inner":[]}`, "a JSON array does not fit here", nil},
		{"number for a string", `{"text":1}`, "a number does not fit here", nil},
		{"boolean for a string", `{"text":true}`, "a boolean does not fit here", nil},
		{"raw control character", "{\"text\":\"\n\"}", "not valid JSON", nil},
		{"single quotes", `{'text':''}`, "not valid JSON", nil},
		{"NaN", `{"number":NaN}`, "not valid JSON", nil},
		{"leading zero", `{"number":01}`, "not valid JSON", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, f := range []func([]byte, any) error{Unmarshal, UnmarshalOpen} {
				check(t, f([]byte(tt.in), new(doc)), tt.message, tt.sentinel)
			}
		})
	}
}

func check(t *testing.T, err error, message string, sentinel error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %T %v, want an *Error", err, err)
	}
	if !strings.Contains(err.Error(), message) {
		t.Errorf("got %q, want %q in it", err, message)
	}
	if sentinel != nil && !errors.Is(err, sentinel) {
		t.Errorf("%q is not %q", err, sentinel)
	}
	if e.Line < 1 || e.Column < 1 {
		t.Errorf("%q has no position", err)
	}
}

// attack: ENV-05
func TestUnknownAndCaseVariant(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`{"Text":"a"}`, `{"TEXT":"a"}`, `{"text":"a","Text":"b"}`, `{"Text":"b","text":"a"}`,
		`{"inner":{"Name":"x"}}`, `{"te_xt":"a"}`, `{"pointer":{"Size":1}}`, "{\"li\u017ft\":[\"a\"]}",
	} {
		check(t, Unmarshal([]byte(in), new(doc)), "is not known here", ErrUnknown)
		if err := UnmarshalOpen([]byte(in), new(doc)); err == nil {
			t.Errorf("UnmarshalOpen accepts %s", in)
		} else if !strings.Contains(err.Error(), "differs only by case") {
			t.Errorf("UnmarshalOpen(%s): %v", in, err)
		}
	}
	for _, in := range []string{`{"other":1}`, `{"inner":{"more":{"a":null}}}`, `{"":""}`} {
		check(t, Unmarshal([]byte(in), new(doc)), "is not known here", ErrUnknown)
		if err := UnmarshalOpen([]byte(in), new(doc)); err != nil {
			t.Errorf("UnmarshalOpen(%s): %v", in, err)
		}
	}
	// What is ignored must still be unambiguous.
	check(t, UnmarshalOpen([]byte(`{"other":{"a":1,"a":2}}`), new(doc)), "given twice", ErrDuplicate)
	// A variant that says the same is harmless.
	if err := UnmarshalOpen([]byte(`{"Text":""}`), new(doc)); err != nil {
		t.Error(err)
	}
}

func TestErrorsAreSafeToPrint(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[2J\u202e\u0007" + strings.Repeat("x", 5000)
	name, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{
		`{` + string(name) + `:1}`,
		`{"any":{` + string(name) + `:1,` + string(name) + `:1}}`,
		`{"map":{` + string(name) + `:null}}`,
		"{\x1b:1}",
		"{\"text\":\"\x1b\"}",
		"{} \u202e",
	} {
		err := Unmarshal([]byte(in), new(doc))
		if err == nil {
			t.Fatalf("%q accepted", in)
		}
		if s := err.Error(); strings.ContainsAny(s, "\x1b\u202e\a") || len(s) > 500 {
			t.Errorf("unsafe message %q", s)
		}
	}
}

func TestUnmarshalTarget(t *testing.T) {
	t.Parallel()
	if err := Unmarshal([]byte(`{}`), doc{}); err == nil {
		t.Error("a target that is no pointer is accepted")
	}
	if err := UnmarshalOpen([]byte(`{}`), nil); err == nil {
		t.Error("a nil target is accepted")
	}
	if err := Unmarshal([]byte(`{}`), (*doc)(nil)); err == nil {
		t.Error("a nil pointer is accepted")
	}
	var d ocispec.Manifest
	if err := UnmarshalOpen([]byte(`{"schemaVersion":2,"config":{"mediaType":"a","digest":"b","size":1},"layers":[],"x":null}`), &d); err != nil || d.SchemaVersion != 2 {
		t.Errorf("manifest: %v %+v", err, d)
	}
}

func TestPosition(t *testing.T) {
	t.Parallel()
	const text = "\n{\n  \"ä\": {\"b\": [1, {\"c\" : \"x\"}]},\n\t\"a/b\": [\n[]] , \"\": 3\n}"
	tests := []struct {
		pointer      string
		line, column int
	}{
		{"", 2, 1},
		{"/ä", 3, 8},
		{"/ä/b", 3, 14},
		{"/ä/b/0", 3, 15},
		{"/ä/b/1", 3, 18},
		{"/ä/b/1/c", 3, 25},
		{"/ä/b/1/d", 3, 18}, // closest parent
		{"/ä/b/2", 3, 14},
		{"/a~1b", 4, 9},
		{"/a~1b/0", 5, 1},
		{"/", 5, 11},
		{"/none/at/all", 2, 1},
	}
	for _, tt := range tests {
		if line, column := Position([]byte(text), tt.pointer); line != tt.line || column != tt.column {
			t.Errorf("%q: got %d:%d, want %d:%d", tt.pointer, line, column, tt.line, tt.column)
		}
	}
	for _, broken := range []string{"", "{", `{"a":`, `{"a":}`, "\x00", strings.Repeat("[", 1000)} {
		if line, column := Position([]byte(broken), "/a/0"); line != 1 || column < 1 {
			t.Errorf("%q: %d:%d", broken, line, column)
		}
	}
}

func TestMarshal(t *testing.T) {
	t.Parallel()
	got, err := Marshal(struct {
		Z string         `json:"z"`
		A map[string]any `json:"a"`
		E string         `json:"e,omitempty"`
	}{"<&>\u2028\"\n", map[string]any{"b": 1, "a": []byte{1, 2}}, ""})
	if want := `{"z":"<&>` + "\u2028" + `\"\n","a":{"a":"AQI=","b":1}}`; err != nil || string(got) != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
	if _, err := Marshal("\xff"); err == nil {
		t.Error("invalid UTF-8 is encoded")
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]any{
		`null`: nil, `true`: true, `"a"`: "a", `9223372036854775807`: int64(1<<63 - 1), `-9223372036854775808`: int64(-1 << 63),
		`-0`: int64(0), `1.0`: 1.0, `1e2`: 100.0, `[1,[2.5],{}]`: []any{int64(1), []any{2.5}, map[string]any{}},
		` {"a":{"b":[null]}} `: map[string]any{"a": map[string]any{"b": []any{nil}}},
	} {
		got, err := Value(Raw(in))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v %v, want %#v", in, got, err, want)
		}
	}
	for in, message := range map[string]string{
		`9223372036854775808`: "out of range", `{"a":-1e400}`: "out of range", `{"a":1,"a":1}`: "given twice",
		`1 1`: "not valid JSON", `[01]`: "not valid JSON", ``: "ends before", `"\ud800"`: "surrogate", `-`: "ends before",
		strings.Repeat("[", 100): "nested too deep",
	} {
		_, err := Value(Raw(in))
		check(t, err, message, nil)
	}
}

func FuzzStrictJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"text":"a","inner":{"name":"n","size":1},"list":["a"],"map":{"a":"b"},"any":[1,2,{"x":null}],"raw":{"a":1}}`,
		`{"text":null}`, `{"Text":"x"}`, `{"text":"\ud800"}`, `{"any":1e400}`, `[[[[[[`, `{"text":"\\\"n"}`, "\xef\xbb\xbf{}",
		`{"pointer":null,"pointer":null}`, `{"number":-0.0}`, `{"inner":{"size":1.0}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, standard doc
		if err := UnmarshalOpen(data, new(doc)); err != nil {
			if e, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T is no *Error", err)
			} else {
				Position(data, e.Pointer)
			}
		}
		if Unmarshal(data, &strict) != nil {
			return
		}
		// What is accepted, every reader reads alike.
		if err := json.Unmarshal(data, &standard); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", data, err)
		}
		if !reflect.DeepEqual(normal(strict), normal(standard)) {
			t.Fatalf("%q: got %+v, encoding/json %+v", data, strict, standard)
		}
		var open doc
		if err := UnmarshalOpen(data, &open); err != nil || !reflect.DeepEqual(strict, open) {
			t.Fatalf("%q: UnmarshalOpen differs: %+v %v", data, open, err)
		}
	})
}

// normal levels what the two decoders may do differently without a
// difference of meaning.
func normal(d doc) doc {
	if len(d.Raw) == 0 {
		d.Raw = nil
	}
	return d
}

func BenchmarkUnmarshal(b *testing.B) {
	data := []byte(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + strings.Repeat("ab", 32) +
		`","size":16724,"annotations":{"a":"b","commit":"c0ffee"}}`)
	for name, f := range map[string]func([]byte, any) error{"strict": Unmarshal, "open": UnmarshalOpen} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var d ocispec.Descriptor
				if err := f(data, &d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

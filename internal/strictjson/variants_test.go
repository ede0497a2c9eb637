package strictjson

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// sample has a member of every kind that the types of this project have.
type sample struct {
	MediaType string            `json:"mediaType"`
	Size      int64             `json:"size"`
	Untagged  bool              // by its Go name
	Nested    *nested           `json:"nested-one"`
	List      []nested          `json:"list"`
	ByName    map[string]nested `json:"byName"`
	Notes     map[string]string `json:"annotations"`
	Raw       Raw               `json:"raw"`
	Message   json.RawMessage   `json:"message"`
	Time      time.Time         `json:"time"`
	Any       any               `json:"any"`
	Left      string            `json:"-"`
	Rest      map[string]Raw    `json:",embed"`
}

type nested struct {
	Digest    string `json:"digest"`
	MediaType string `json:"mediaType"`
}

type ambiguous struct {
	A string `json:"some-name"`
	B string `json:"someName"`
}

type own struct{ text string }

func (o *own) UnmarshalJSON(b []byte) error { o.text = string(b); return nil }

type from struct{}

func (*from) UnmarshalJSONFrom(d *jsontext.Decoder) error { return d.SkipValue() }

func TestNamesOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value any
		want  bool
	}{
		{&sample{}, false}, {&nested{}, false}, {&map[string]Raw{}, false}, {&[]Raw{}, false}, {new(string), false}, {new(any), false},
		{&own{}, false}, {&[]own{}, false}, {&ambiguous{}, true}, {&map[string]from{}, true},
		{&struct {
			X string `json:"naïve"`
		}{}, true},
		{&struct {
			X string `json:"'quoted,name'"`
		}{}, true},
	} {
		if got := namesOf(reflect.TypeOf(tt.value)).unclear; got != tt.want {
			t.Errorf("%T: %t", tt.value, got)
		}
	}
}

func TestMayVary(t *testing.T) {
	t.Parallel()
	n := namesOf(reflect.TypeFor[*sample]())
	for text, want := range map[string]bool{
		`{}`:                            false,
		`{"mediaType":"x"}`:             false,
		`{"mediatype":"x"}`:             true,
		`{"media_type":"x"}`:            true,
		`{"Media-Type" : "x"}`:          true,
		`{"media\u0054ype":"x"}`:        true,
		`{"mediaTypé":"x"}`:             true,
		`{"other":"mediatype"}`:         false,
		`{"other":["MEDIATYPE"]}`:       false,
		`{"annotations":{"SIZE":"1"}}`:  true,
		`{"annotations":{"a.b/c":"1"}}`: false,
		`{"nested-one":{"Digest":"x"}}`: true,
		`{"NestedOne":{}}`:              true,
		`{"untagged":true}`:             true,
		`{"Untagged":true}`:             false,
		`{"x":"a\"mediatype\":"}`:       false,
		`{"x":"cut`:                     true,
	} {
		if got := n.mayVary([]byte(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// FuzzVariants: where no name may be read in another way, the loose reading is
// the strict one.
func FuzzVariants(f *testing.F) {
	for _, text := range []string{
		`{"mediaType":"x","size":1,"Untagged":true}`, `{"mediatype":"x"}`, `{"list":[{"digest":"a"},{"Digest":"b"}]}`,
		`{"byName":{"MediaType":{"digest":"x"}}}`, `{"annotations":{"size":"1"},"any":{"SIZE":2}}`, `{"raw":{"size":1},"x":null}`, `{"Si\u007ae":1}`,
	} {
		f.Add([]byte(text))
	}
	n := namesOf(reflect.TypeFor[*sample]())
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, loose sample
		if unmarshal(data, &strict, jsonv2.RejectUnknownMembers(false)) != nil || n.mayVary(data) {
			return
		}
		if err := unmarshal(data, &loose, jsonv2.MatchCaseInsensitiveNames(true)); err != nil || !reflect.DeepEqual(strict, loose) {
			t.Errorf("%q: %+v and %+v, %v", data, strict, loose, err)
		}
	})
}

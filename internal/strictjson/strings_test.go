package strictjson

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestStrings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		raw  string
		want []string
		says string
	}{
		{`[]`, nil, ""},
		{` [ "a" , "\u00e4\n", "" ] `, []string{"a", "ä\n", ""}, ""},
		{`{"a":"b"}`, nil, "a JSON object stands where an array of strings is required"},
		{`null`, nil, "null stands where an array of strings is required"},
		{`["a",null]`, nil, "null stands where a string is required at \"/1\""},
		{`["a",["b"]]`, nil, "a JSON array stands where a string is required at"},
		{`["a",7]`, nil, "a number stands where a string is required"},
		{`["a"`, nil, "ends"},
		{``, nil, "not valid JSON"},
	} {
		all, err := Strings(Raw(tt.raw))
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok || tt.says == "" || !strings.Contains(err.Error(), tt.says) || all != nil {
				t.Errorf("%s: %v", tt.raw, err)
			}
			continue
		}
		if got := slices.Collect(all); tt.says != "" || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q", tt.raw, got)
		}
		for range all {
			break // whoever has enough may stop
		}
	}
}

package cli

import "testing"

func TestOutputFlag(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		args   []string
		path   string
		format format
		err    string
	}{
		{"none", nil, "", "", ""},
		{"format", []string{"json"}, "", formatJSON, ""},
		{"path", []string{"some/dir"}, "some/dir", "", ""},
		{"both", []string{"some/dir", "json"}, "some/dir", formatJSON, ""},
		{"file of a format's name", []string{"text", "./json"}, "./json", formatText, ""},
		{"two paths", []string{"a", "b"}, "a", "", "it names a second path"},
		{"empty", []string{""}, "", "", "it is empty"},
		{"another program's format", []string{"yaml"}, "", "", "it is one of text and json, or a path; write ./yaml for a file of that name"},
		{"in capitals", []string{"JSON"}, "", "", "it is one of text and json, or a path; write ./JSON for a file of that name"},
		{"tree", []string{"tree"}, "", "", "it is one of text and json, or a path; write ./tree for a file of that name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var path string
			var chosen format
			flag := &outputFlag{&path, &chosen}
			got := ""
			for _, arg := range tt.args {
				if err := flag.Set(arg); err != nil {
					got = err.Error()
				}
			}
			if path != tt.path || flag.String() != tt.path || chosen != tt.format || got != tt.err {
				t.Errorf("path %q, format %q, error %q", path, chosen, got)
			}
		})
	}
}

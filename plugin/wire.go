package plugin

import (
	"bytes"

	"github.com/notaryv2/notation/internal/strictjson"
)

// extended is the only object whose members may be null and mean it.
const extended = "extendedAttributes"

// decode reads exactly one JSON document, strictly but for two things that
// programs of other makers do: members that are not known are passed over, and
// a member that is null is as good as absent, as encoders of several languages
// write empty lists that way.
func decode(data []byte, v any) error {
	if bytes.Contains(data, []byte("null")) {
		clean, err := withoutNulls(data)
		if err != nil {
			return err
		}
		data = clean
	}
	return strictjson.UnmarshalOpen(data, v)
}

func withoutNulls(data strictjson.Raw) (strictjson.Raw, error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return data, nil
	}
	var members map[string]strictjson.Raw
	if err := strictjson.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	for name, value := range members {
		switch {
		case string(value) == "null":
			delete(members, name)
		case name != extended:
			clean, err := withoutNulls(value)
			if err != nil {
				return nil, err
			}
			members[name] = clean
		}
	}
	return strictjson.Marshal(members)
}

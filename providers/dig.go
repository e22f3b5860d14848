package providers

import (
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Dig is what lies in a JSON value at a path of member names and, in lists, of places counted from 0; nil: nothing does.
// It is for answers whose form varies; what always looks the same is decoded into a struct.
func Dig(raw jsontext.Value, path ...string) jsontext.Value {
	for _, name := range path {
		if raw.Kind() == '[' {
			list, n := Items(raw), -1
			if i, err := strconv.Atoi(name); err == nil {
				n = i
			}
			if raw = nil; n < len(list) && n >= 0 {
				raw = list[n]
			}
			continue
		}
		var members map[string]jsontext.Value
		_ = json.Unmarshal(raw, &members, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		raw = members[name]
	}
	return raw
}

// Items are the values of a list; nil: it is none.
func Items(raw jsontext.Value) (list []jsontext.Value) {
	_ = json.Unmarshal(raw, &list, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return list
}

// Plain is the text or the number at a path, digit for digit; anything else is empty.
func Plain(raw jsontext.Value, path ...string) string {
	var t Text
	_ = json.Unmarshal(Dig(raw, path...), &t, jsontext.AllowInvalidUTF8(true))
	return string(t)
}

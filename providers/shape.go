package providers

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Shape is what a field's values are, as far as ways of reading one record differ: a list has JSON, a query other JSON,
// an export nothing but texts. A contact must be the same however it was read, or each way would undo the other's.
type Shape int

// The shapes of values.
const (
	AnyShape     Shape = iota // what is JSON stays JSON
	TextShape                 // a text as it is
	NumberShape               // a number, without zeros at the end of its fraction
	BooleanShape              // true or false
	MomentShape               // a time, in UTC
	LookupShape               // the id of another record, or an object with one
	ChoicesShape              // a list of texts, or of objects with a name
)

// Value is a field's value in the one form that all ways of reading share: a text, a bool, a list of texts or JSON. Nil:
// there is none. In a text, choices have the separator between them.
func (s Shape) Value(raw jsontext.Value, separator string) any {
	switch kind := raw.Kind(); {
	case kind == '"':
		return s.read(Plain(raw), separator)
	case kind == '0' || kind == 't' || kind == 'f':
		return s.read(string(raw), separator)
	case kind == '{' && s == LookupShape:
		return s.read(Plain(raw, "id"), separator)
	case kind == '[' && s == ChoicesShape:
		var list []string
		for _, item := range Items(raw) {
			list = append(list, cmp.Or(Plain(item), Plain(item, "name")))
		}
		return s.read(strings.Join(list, separator), separator)
	case kind == '{' || kind == '[':
		return raw
	}
	return nil
}

// read is a value that came as a text. What doesn't fit the shape stays as it is.
func (s Shape) read(text, separator string) any {
	text = strings.ReplaceAll(text, "\r\n", "\n") // a CSV reader makes no difference between them
	if text == "" {
		return nil
	}
	switch s {
	case NumberShape, AnyShape:
		if v := decimal(text); v.Kind() == '0' && v.IsValid() {
			return v
		}
		if v := jsontext.Value(text); s == AnyShape && strings.ContainsRune("{[tf", rune(v.Kind())) && v.IsValid() {
			return v
		}
	case BooleanShape:
		if text == "true" || text == "false" {
			return text == "true"
		}
	case MomentShape:
		if t, err := ParseTime(text); err == nil && !t.IsZero() {
			return t.Format(time.RFC3339Nano)
		}
	case ChoicesShape:
		return strings.Split(text, separator)
	case TextShape, LookupShape:
	}
	return text
}

// decimal is a number without an exponent and without zeros at the end of its fraction. Other texts change as little.
func decimal(text string) jsontext.Value {
	if n, err := strconv.ParseFloat(text, 64); err == nil && strings.ContainsAny(text, "eE") {
		text = strconv.FormatFloat(n, 'f', -1, 64)
	}
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return jsontext.Value(text)
}

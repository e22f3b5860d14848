package zoho

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// standard are the fields that every account is asked for, if its module has them.
const standard = "Full_Name First_Name Last_Name Email Secondary_Email Phone Mobile Home_Phone Other_Phone Fax Account_Name Owner Title Department" +
	" Mailing_Street Mailing_City Mailing_State Mailing_Zip Mailing_Country Email_Opt_Out Tag Created_Time Modified_Time"

// shape is what a field's values are, as far as they look different in a list, in COQL and in an export.
type shape int

const (
	other   shape = iota // what is JSON stays JSON
	text                 // a text as it is
	number               // a number, without zeros at the end of its fraction
	boolean              // true or false
	moment               // a time, in UTC
	lookup               // the id of another record
	choices              // a list of texts
	absent               // never in a list nor in an export: left out
)

// field is a field of the module that is read.
type field struct {
	name  string
	shape shape
}

// fieldOf knows the standard fields by name, others by the module's metadata.
func fieldOf(name, dataType string) field {
	switch name {
	case "Account_Name", "Owner":
		dataType = "lookup"
	case "Created_Time", "Modified_Time":
		dataType = "datetime"
	case "Tag":
		dataType = "multiselectpicklist"
	case "Email_Opt_Out":
		dataType = "boolean"
	default:
		if slices.Contains(strings.Fields(standard), name) {
			dataType = "text"
		}
	}
	return field{name, map[string]shape{
		"text": text, "textarea": text, "email": text, "phone": text, "website": text, "picklist": text, "autonumber": text, "date": text, "bigint": text,
		"integer": number, "double": number, "currency": number, "percent": number, "decimal": number, "boolean": boolean, "datetime": moment,
		"lookup": lookup, "ownerlookup": lookup, "userlookup": lookup, "multiselectpicklist": choices, "subform": absent,
		"multiselectlookup": absent, "multiuserlookup": absent, "fileupload": absent, "imageupload": absent, "profileimage": absent,
	}[dataType]}
}

// maxNames is how many fields one call asks for: 50 are allowed [doc], the id among them.
const maxNames = 49

// module reads the fields of the module, once per source: the standard ones that it has, then all custom ones and the
// configured ones by name. Odd metadata costs its field's shape, never the field. The order is the same for every
// source: page tokens are bound to it.
func (c *contacts) module(ctx context.Context, seen *providers.Observation) error {
	if len(c.fields) > 0 {
		return nil
	}
	a := ask{op: "zoho: read fields"}
	var body struct {
		Fields []record `json:"fields"`
	}
	if _, err := c.get(ctx, a, "/crm/v8/settings/fields?module=Contacts", &body, seen); err != nil {
		return err
	}
	types := map[string]string{}
	names := append(strings.Fields(standard), c.cfg.Fields...)
	var custom []string
	for _, m := range body.Fields {
		name := plain(m["api_name"])
		if types[name] = cmp.Or(plain(m["data_type"]), "unknown"); string(m["custom_field"]) == "true" {
			custom = append(custom, name)
		}
	}
	slices.Sort(custom)
	for _, name := range append(names, custom...) {
		f := fieldOf(name, types[name])
		if name != "" && types[name] != "" && f.shape != absent && !slices.Contains(c.fields, f) {
			c.fields = append(c.fields, f)
		}
	}
	if len(c.fields) == 0 {
		return odd(a, "the answer names no field of contacts")
	}
	for part := range slices.Chunk(c.fields, maxNames) {
		c.names = append(c.names, namesOf(part))
	}
	return nil
}

func namesOf(fields []field) (names []string) {
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}

// plain is a text or a number; anything else is empty.
func plain(raw jsontext.Value) string {
	var t providers.Text
	_ = json.Unmarshal(raw, &t)
	return string(t)
}

// value is a field's value in the one form that all ways share: a text, a bool, a list of texts or JSON. Nil: none.
func (f field) value(raw jsontext.Value) any {
	switch kind := raw.Kind(); {
	case kind == '"':
		return f.read(plain(raw))
	case kind == '0' || kind == 't' || kind == 'f':
		return f.read(string(raw))
	case kind == '{' && f.shape == lookup:
		return f.read(member(raw, "id"))
	case kind == '[' && f.shape == choices:
		var items []jsontext.Value
		_ = json.Unmarshal(raw, &items) // it was decoded once
		list := make([]string, len(items))
		for i, item := range items { // tags are objects
			list[i] = cmp.Or(plain(item), member(item, "name"))
		}
		return f.read(strings.Join(list, ";"))
	case kind == '{' || kind == '[':
		return raw
	}
	return nil
}

// member is a text of an object; empty: it has none.
func member(raw jsontext.Value, name string) string {
	var r record
	_ = json.Unmarshal(raw, &r, jsontext.AllowDuplicateNames(true))
	return plain(r[name])
}

// read is a value that came as a text, as all of an export do. What doesn't fit its field's shape stays as it is.
func (f field) read(s string) any {
	s = strings.ReplaceAll(s, "\r\n", "\n") // a CSV reader makes no difference between them
	if s == "" {
		return nil
	}
	switch f.shape {
	case number, other:
		if v := decimal(s); v.Kind() == '0' && v.IsValid() {
			return v
		}
		if v := jsontext.Value(s); f.shape == other && strings.ContainsRune("{[tf", rune(v.Kind())) && v.IsValid() {
			return v
		}
	case boolean:
		if b, err := strconv.ParseBool(s); err == nil {
			return b
		}
	case moment:
		if t, err := providers.ParseTime(s); err == nil && !t.IsZero() {
			return t.Format(time.RFC3339Nano)
		}
	case choices:
		return strings.Split(s, ";")
	case text, lookup, absent:
	}
	return s
}

// decimal is a number without an exponent and without zeros at the end of its fraction. Other texts change as little.
func decimal(s string) jsontext.Value {
	if n, err := strconv.ParseFloat(s, 64); err == nil && strings.ContainsAny(s, "eE") {
		s = strconv.FormatFloat(n, 'f', -1, 64)
	}
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return jsontext.Value(s)
}

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

// maxNames is how many fields one call asks for: 50 are allowed [doc], the id among them.
const maxNames = 49

// shape is what a field's values are, as far as they look different in a list, in COQL and in an export.
type shape int

const (
	other   shape = iota // what is JSON stays JSON
	text                 // a text as it is
	number               // a number, without zeros at the end of its fraction
	boolean              // true or false
	moment               // a time, in UTC
	lookup               // the id of another record
	choices              // a list of texts; in an export with ";" between
	tags                 // a list of texts; in an export with "," between [?]
	absent               // never in a list nor in an export: left out
)

// shapeOf knows a field by its name or by the data type of its metadata.
func shapeOf(name, dataType string) shape {
	shapes := map[string]shape{
		"Account_Name": lookup, "Owner": lookup, "Created_Time": moment, "Modified_Time": moment, "Tag": tags,
		"text": text, "textarea": text, "email": text, "phone": text, "website": text, "picklist": text, "autonumber": text, "date": text, "bigint": text,
		"integer": number, "double": number, "currency": number, "percent": number, "decimal": number, "boolean": boolean, "datetime": moment,
		"lookup": lookup, "ownerlookup": lookup, "userlookup": lookup, "multiselectpicklist": choices,
		"subform": absent, "multiselectlookup": absent, "multiuserlookup": absent, "fileupload": absent, "imageupload": absent, "profileimage": absent,
	}
	return cmp.Or(shapes[name], shapes[dataType])
}

// field is a field of the module that is read.
type field struct {
	name  string
	shape shape
}

// module reads the fields of the module, once per source: the standard and the configured ones that it has, then all
// custom ones by name. Odd metadata costs its field's shape, never the field. The order is the same for every source:
// page tokens are bound to it.
func (c *contacts) module(ctx context.Context) error {
	if len(c.fields) > 0 {
		return nil
	}
	a := ask{op: "zoho: read fields"}
	body, err := c.get(ctx, a, "/crm/v8/settings/fields?module=Contacts")
	if err != nil {
		return err
	}
	var has, custom []field
	for _, m := range items(dig(body, "fields")) {
		f := field{name: plain(m, "api_name")}
		f.shape = shapeOf(f.name, plain(m, "data_type"))
		if has = append(has, f); string(dig(m, "custom_field")) == "true" {
			custom = append(custom, f)
		}
	}
	wanted := append(strings.Fields(standard), c.cfg.Fields...)
	place := func(f field) int { return slices.Index(wanted, f.name) }
	has = slices.DeleteFunc(has, func(f field) bool { return place(f) < 0 })
	slices.SortStableFunc(has, func(a, b field) int { return place(a) - place(b) })
	slices.SortFunc(custom, func(a, b field) int { return strings.Compare(a.name, b.name) })
	for _, f := range append(has, custom...) {
		if f.shape != absent && f.name != "" && !slices.Contains(c.fields, f) {
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

// record is what came of a contact. Any member may be null or missing.
type record map[string]jsontext.Value

// items are those of a list; nil: it is none.
func items(raw jsontext.Value) (list []jsontext.Value) {
	_ = json.Unmarshal(raw, &list, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return list
}

// dig is what lies at a path of names and of "0", the first of a list; nil: nothing does.
func dig(raw jsontext.Value, path ...string) jsontext.Value {
	for _, name := range path {
		var r record
		if list := items(raw); name == "0" && len(list) > 0 {
			r = record{name: list[0]}
		} else {
			_ = json.Unmarshal(raw, &r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		}
		raw = r[name]
	}
	return raw
}

// plain is the text or the number at a path, digit for digit; anything else is empty.
func plain(raw jsontext.Value, path ...string) string {
	var t providers.Text
	_ = json.Unmarshal(dig(raw, path...), &t, jsontext.AllowInvalidUTF8(true))
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
		return f.read(plain(raw, "id"))
	case kind == '[' && (f.shape == choices || f.shape == tags):
		var list []string
		for _, item := range items(raw) {
			list = append(list, cmp.Or(plain(item), plain(item, "name"))) // tags are objects
		}
		return f.read(strings.Join(list, f.separator()))
	case kind == '{' || kind == '[':
		return raw
	}
	return nil
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
		if s == "true" || s == "false" {
			return s == "true"
		}
	case moment:
		if t, err := providers.ParseTime(s); err == nil && !t.IsZero() {
			return t.Format(time.RFC3339Nano)
		}
	case choices, tags:
		return strings.Split(s, f.separator())
	case text, lookup, absent:
	}
	return s
}

func (f field) separator() string {
	if f.shape == tags {
		return ","
	}
	return ";"
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

// reader makes a contact of one record. More holds the members that were read apart, by id; nil: none were. A record
// that is missing there went between the two calls: it is called deleted, which the engine confirms. The error is a
// [*providers.RecordError].
func (c *contacts) reader(more map[string]record) func(raw jsontext.Value) (providers.Contact, error) {
	return func(raw jsontext.Value) (providers.Contact, error) {
		var r record
		if err := providers.DecodeRecord(raw, &r); err != nil {
			return providers.Contact{}, err
		}
		id := plain(r["id"])
		if id == "" {
			return providers.Contact{}, &providers.RecordError{Reason: "no_id"}
		}
		values := make(map[string]any, len(c.fields))
		for _, f := range c.fields {
			raw, ok := r[f.name]
			if !ok {
				raw = more[id][f.name]
			}
			if v := f.value(raw); v != nil {
				values[f.name] = v
			}
		}
		contact, err := build(id, values)
		contact.Deleted = more != nil && more[id] == nil
		return contact, err
	}
}

// build moves the values that contacts of all providers have to their places; the rest is custom.
func build(id string, values map[string]any) (_ providers.Contact, bad error) {
	take := func(name string) (s string) {
		switch v := values[name].(type) {
		case nil:
		case string:
			s = v
		default:
			bad = &providers.RecordError{Reason: "bad_shape", Field: name}
		}
		delete(values, name)
		return s
	}
	addresses := func(labels ...string) (list []providers.Address) { // a name and a label each
		for i := 0; i < len(labels); i += 2 {
			if value := take(labels[i]); value != "" {
				list = append(list, providers.Address{Value: value, Label: labels[i+1], Primary: i == 0})
			}
		}
		return list
	}
	contact := providers.Contact{
		ExternalID: id, Name: take("Full_Name"), FirstName: take("First_Name"), LastName: take("Last_Name"),
		Emails:         addresses("Email", "primary", "Secondary_Email", "secondary"),
		Phones:         addresses("Phone", "work", "Mobile", "mobile", "Home_Phone", "home", "Other_Phone", "other", "Fax", "fax"),
		OrganizationID: take("Account_Name"), OwnerID: take("Owner"), JobTitle: take("Title"),
	}
	contact.Name = cmp.Or(contact.Name, strings.TrimSpace(contact.FirstName+" "+contact.LastName))
	contact.CreatedAt, _ = providers.ParseTime(take("Created_Time")) // nothing is decided by it
	changed := take("Modified_Time")
	var err error
	if contact.UpdatedAt, err = providers.ParseTime(changed); err != nil {
		bad = &providers.RecordError{Reason: "bad_time", Field: "Modified_Time", Detail: changed}
	}
	if len(values) > 0 {
		contact.CustomFields, err = json.Marshal(values, json.Deterministic(true))
	}
	return contact, cmp.Or(bad, err)
}

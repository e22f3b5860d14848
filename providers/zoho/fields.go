package zoho

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// standard are the fields that every account is asked for, if its module has them.
const standard = "Full_Name First_Name Last_Name Email Secondary_Email Phone Mobile Home_Phone Other_Phone Fax Account_Name Owner Title Department" +
	" Mailing_Street Mailing_City Mailing_State Mailing_Zip Mailing_Country Email_Opt_Out Tag Created_Time Modified_Time"

// maxNames is how many fields one call asks for: 50 are allowed [doc], the id among them.
const maxNames = 49

// left are fields that are never in a list nor in an export.
const left = "subform multiselectlookup multiuserlookup fileupload imageupload profileimage"

// shapeOf knows a field by its name or by the data type of its metadata.
func shapeOf(name, dataType string) providers.Shape {
	const (
		text, number, moment = providers.TextShape, providers.NumberShape, providers.MomentShape
		lookup, choices      = providers.LookupShape, providers.ChoicesShape
	)
	shapes := map[string]providers.Shape{
		"Account_Name": lookup, "Owner": lookup, "Created_Time": moment, "Modified_Time": moment, "Tag": choices,
		"text": text, "textarea": text, "email": text, "phone": text, "website": text, "picklist": text, "autonumber": text, "date": text, "bigint": text,
		"integer": number, "double": number, "currency": number, "percent": number, "decimal": number, "boolean": providers.BooleanShape, "datetime": moment,
		"lookup": lookup, "ownerlookup": lookup, "userlookup": lookup, "multiselectpicklist": choices,
	}
	return cmp.Or(shapes[name], shapes[dataType])
}

// field is a field of the module that is read.
type field struct {
	name  string
	shape providers.Shape
}

// module reads the fields of the module, once per source: the standard and the configured ones that it has, then all
// custom ones by name. Odd metadata costs its field's shape, never the field. The order is the same for every source:
// page tokens are bound to it.
func (c *contacts) module(ctx context.Context) error {
	if len(c.fields) > 0 {
		return nil
	}
	ask := providers.Ask{Op: "read fields", Path: "/crm/v8/settings/fields", Query: url.Values{"module": {"Contacts"}}}
	body, err := c.send(ctx, ask)
	if err != nil {
		return err
	}
	wanted := append(strings.Fields(standard), c.cfg.Fields...)
	place := func(f field) int { return slices.Index(wanted, f.name) }
	var has, custom []field
	for _, m := range providers.Items(providers.Dig(body, "fields")) {
		name, kind := providers.Plain(m, "api_name"), providers.Plain(m, "data_type")
		f := field{name, shapeOf(name, kind)}
		switch {
		case name == "" || slices.Contains(strings.Fields(left), kind):
		case string(providers.Dig(m, "custom_field")) == "true":
			custom = append(custom, f)
		case place(f) >= 0:
			has = append(has, f)
		}
	}
	slices.SortFunc(has, func(a, b field) int { return place(a) - place(b) })
	slices.SortFunc(custom, func(a, b field) int { return strings.Compare(a.name, b.name) })
	if c.fields = slices.Compact(append(has, custom...)); len(c.fields) == 0 {
		return c.Unexpected(ask, "the answer names no field of contacts")
	}
	names := make([]string, len(c.fields))
	for i, f := range c.fields {
		names[i] = f.name
	}
	c.names = slices.Collect(slices.Chunk(names, maxNames))
	return nil
}

// record is what came of a contact. Any member may be null or missing.
type record map[string]jsontext.Value

// reader makes a contact of one record. More holds the members that were read apart, by id; nil: none were. A record
// that is missing there went between the two calls: it is called deleted, which the engine confirms. The error is a
// [*providers.RecordError].
func (c *contacts) reader(more map[string]record) func(raw jsontext.Value) (providers.Contact, error) {
	return func(raw jsontext.Value) (providers.Contact, error) {
		var r record
		if err := providers.DecodeRecord(raw, &r); err != nil {
			return providers.Contact{}, err
		}
		id := cmp.Or(providers.Plain(r["id"]), providers.Plain(r["Id"])) // as exports have it [seen]
		values := make(map[string]any, len(c.fields))
		for _, f := range c.fields {
			raw, ok := r[f.name]
			if !ok {
				raw = more[id][f.name]
			}
			between := map[bool]string{true: ",", false: ";"}[f.name == "Tag"] // choices in an export [?]
			if v := f.shape.Value(raw, between); v != nil {
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
	contact.CreatedAt, _ = providers.ParseTime(take("Created_Time")) // nothing is decided by it
	var err error
	contact.UpdatedAt, err = providers.RecordTime("Modified_Time", take("Modified_Time"))
	if len(values) > 0 {
		contact.CustomFields, _ = json.Marshal(values, json.Deterministic(true)) // texts, bools and JSON that was read
	}
	return contact, cmp.Or(bad, err)
}

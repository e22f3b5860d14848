package zoho

import (
	"cmp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

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
	take := func(name string) string {
		v, there := values[name]
		s, ok := v.(string)
		if there && !ok {
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
		if contact.CustomFields, err = json.Marshal(values, json.Deterministic(true)); err != nil {
			bad = &providers.RecordError{Reason: "bad_shape"}
		}
	}
	return contact, bad
}

package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

type rawJSON = json.RawMessage

func rawFields(text []byte) map[string]rawJSON {
	fields := map[string]rawJSON{}
	_ = json.Unmarshal(text, &fields) // it was read when it was put
	return fields
}

// allFields are those of the metadata, without the odd ones.
var allFields = func() []*zohoField {
	all := make([]*zohoField, len(zohoFields))
	for i := range zohoFields {
		all[i] = &zohoFields[i]
	}
	return all
}()

// appendContact renders a record as lists do, with its id and the fields asked.
func (v *contactView) appendContact(b []byte, o *zohoOrg, r record, fields []*zohoField) []byte {
	v.look(o, r)
	b = append(b, `{"id":`...)
	b = appendID(b, o.recordID(r.id))
	for _, f := range fields {
		if text, ok := v.put[f.name]; ok {
			b = appendKey(b, f.name)
			b = append(b, text...)
			continue
		}
		v.read(f)
		if v.form == formMissing {
			continue
		}
		b = appendKey(b, f.name)
		b = v.appendList(b)
	}
	return append(b, '}')
}

// appendKey begins a member after the first.
func appendKey(b []byte, name string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	return append(b, `":`...)
}

// fullName is what lists of deleted contacts call one.
func (v *contactView) fullName(o *zohoOrg, r record) string {
	v.look(o, r)
	v.read(zohoFieldByName["Full_Name"])
	if v.form != formText {
		v.read(zohoFieldByName["Last_Name"])
	}
	return v.cell()
}

// putContact reads a contact that a test wrote, as JSON in the form of the list.
func (o *zohoOrg) putContact(text string, settings ZohoSettings) (record, error) {
	var fields struct {
		ID           string     `json:"id"`
		CreatedTime  *time.Time `json:"Created_Time"`
		ModifiedTime *time.Time `json:"Modified_Time"`
	}
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return record{}, fmt.Errorf("read the contact: %w", err)
	}
	n := o.numberOf(fields.ID)
	if n == 0 {
		return record{}, fmt.Errorf("a contact of org %d needs an id from %d", o.zgid, o.recordID(1))
	}
	for name := range rawFields([]byte(text)) {
		if name != "id" && settings.field(name) == nil {
			return record{}, fmt.Errorf("contacts have no field %q", name)
		}
	}
	seconds := func(at *time.Time) int64 {
		if at == nil {
			return noTime
		}
		return at.Unix()
	}
	return record{id: n, added: seconds(fields.CreatedTime), updated: seconds(fields.ModifiedTime), raw: []byte(text)}, nil
}

// numberOf reads an id in digits; 0 if it is no contact of the org.
func (o *zohoOrg) numberOf(id string) int64 {
	n, err := parseID(id)
	if err != nil {
		return 0
	}
	return o.recordNumber(n)
}

func parseID(text string) (int64, error) {
	if text == "" || len(text) > 19 {
		return 0, errors.New("not an id")
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, errors.New("not an id")
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read an id: %w", err)
	}
	return n, nil
}

package sandbox

import (
	"net/http"
	"strconv"
	"strings"
)

// oddZohoFields are in the metadata and the records while OddFields is set: one
// whose metadata lacks keys and one of a type that nobody knows.
// [bug: airbytehq/airbyte#31433, #27422]
var oddZohoFields = []zohoField{
	{"Legacy_Code", "text", "", func(v *contactView) { v.say("legacy ", strconv.FormatInt(v.r.id, 10)) }},
	{"Geo_Position", "geolocation", "jsonobject", func(v *contactView) {
		v.form, v.text = formLiteral, append(v.text[:0], `{"latitude":59.33,"longitude":18.06,"source":{"kind":"gps"}}`...)
	}},
}

// field finds a field of contacts; nil if there is none. That of the id is not
// among them.
func (s ZohoSettings) field(name string) *zohoField {
	if f := zohoFieldByName[name]; f != nil || !s.OddFields {
		return f
	}
	for i := range oddZohoFields {
		if oddZohoFields[i].name == name {
			return &oddZohoFields[i]
		}
	}
	return nil
}

// fields are all that a contact has.
func (s ZohoSettings) fields() []*zohoField {
	all := append(make([]*zohoField, 0, len(allFields)+len(oddZohoFields)), allFields...)
	for i := range oddZohoFields {
		if s.OddFields {
			all = append(all, &oddZohoFields[i])
		}
	}
	return all
}

// fieldLengths are the lengths of the types whose values have one.
var fieldLengths = map[string]int{
	"text": 255, "email": 100, "phone": 30, "textarea": 32000, "picklist": 120, "lookup": 120, "ownerlookup": 120,
	"integer": 9, "currency": 16, "multiselectpicklist": 2000, "date": 20, "datetime": 120, "boolean": 5, "formula": 16, "profileimage": 255,
}

// listFields is GET /crm/v8/settings/fields.
func (z *Zoho) listFields(w http.ResponseWriter, r *http.Request, s zohoSession) {
	query := r.URL.Query()
	refused := knownParams(query, []string{"module", "type"})
	switch {
	case refused != nil:
	case query.Get("module") == "":
		missing := refuse(http.StatusBadRequest, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing",
			map[string]any{"param_name": "module", "param": "module"})
		refused = &missing
	case query.Get("module") != contactsModule:
		refused = &invalidModule
	case query.Has("type") && query.Get("type") != "all":
		invalid := invalidParam("type", "the sandbox serves type all")
		refused = &invalid
	}
	if refused != nil {
		refused.in(s.settings.ErrorForm).write(w)
		return
	}
	list := []map[string]any{metadata(zohoField{name: "id", dataType: "bigint", jsonType: "string"}, s.org.recordID(fieldIDs+1))}
	for i, f := range s.settings.fields() {
		list = append(list, metadata(*f, s.org.recordID(fieldIDs+int64(i)+2)))
	}
	writeZoho(w, http.StatusOK, map[string]any{"fields": list})
}

// metadata is what the API tells of a field; a field without a JSON type lacks
// its length too.
func metadata(f zohoField, id int64) map[string]any {
	label := strings.ReplaceAll(f.name, "_", " ")
	shown := map[string]any{
		"id": strconv.FormatInt(id, 10), "api_name": f.name, "data_type": f.dataType, "custom_field": f.custom(),
		"field_label": label, "display_label": label, "system_mandatory": f.name == "Last_Name", "visible": true,
		"read_only": f.dataType == "formula" || f.dataType == "bigint", "pick_list_values": []any{}, "lookup": map[string]any{},
		"formula": map[string]any{}, "multiselectlookup": map[string]any{},
	}
	if f.jsonType == "" {
		return shown
	}
	shown["json_type"] = f.jsonType
	if length, ok := fieldLengths[f.dataType]; ok {
		shown["length"] = length
	}
	if f.dataType == "formula" {
		shown["formula"] = map[string]any{"return_type": "currency"}
	}
	return shown
}

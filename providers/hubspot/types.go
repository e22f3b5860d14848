package hubspot

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// Properties that are more than a custom field. Search orders by the id and filters by the time of modification.
const (
	objectID   = "hs_object_id"
	modified   = "lastmodifieddate"
	merged     = "hs_merged_object_ids"      // "388;401"
	mergedVIDs = "hs_calculated_merged_vids" // "388:1795593600000;401:…"
)

// properties are all that is asked for. Without them only six come; a list that makes the address longer than 6,000
// characters would be refused [bug: dlt-hub/verified-sources#305].
const properties = "email,hs_additional_emails,firstname,lastname,phone,mobilephone,company,jobtitle,hubspot_owner_id,lifecyclestage,createdate," +
	modified + "," + objectID + "," + merged + "," + mergedVIDs

// record is a contact as the API shows it. Every property is a text or null [spec].
type record struct {
	ID         providers.Text            `json:"id"`
	Properties map[string]providers.Text `json:"properties"`
	Archived   bool                      `json:"archived"`
}

// read makes a contact of one record, and deleted ones of those that were merged into it. The error is a
// [*providers.RecordError]. A contact without lastmodifieddate has no time, as search doesn't show it: updatedAt is
// another one by moments.
func read(raw jsontext.Value) (one providers.Contact, lost []providers.Contact, _ error) {
	var r record
	if err := providers.DecodeRecord(raw, &r); err != nil {
		return one, nil, err
	}
	p := func(name string) string { return string(r.Properties[name]) }
	updated, err := providers.ParseTime(p(modified))
	switch {
	case r.ID == "":
		return one, nil, &providers.RecordError{Reason: "no_id"}
	case err != nil:
		return one, nil, &providers.RecordError{Reason: "bad_time", Field: modified, Detail: p(modified)}
	}
	custom, _ := json.Marshal(struct { // of texts
		Company string `json:"company,omitzero"`
		Stage   string `json:"lifecyclestage,omitzero"`
	}{p("company"), p("lifecyclestage")})
	if string(custom) == "{}" {
		custom = nil
	}
	created, _ := providers.ParseTime(p("createdate")) // nothing is decided by it
	one = providers.Contact{
		ExternalID: string(r.ID), Name: strings.TrimSpace(p("firstname") + " " + p("lastname")), FirstName: p("firstname"), LastName: p("lastname"),
		Emails:  addresses("", append([]string{p("email")}, strings.Split(p("hs_additional_emails"), ";")...)...),
		Phones:  append(addresses("phone", p("phone")), addresses("mobilephone", p("mobilephone"))...),
		OwnerID: p("hubspot_owner_id"), JobTitle: p("jobtitle"), CustomFields: custom,
		CreatedAt: created, UpdatedAt: updated, Deleted: r.Archived,
	}
	for entry := range strings.SplitSeq(p(merged)+";"+p(mergedVIDs), ";") {
		if id, _, _ := strings.Cut(strings.TrimSpace(entry), ":"); id != "" && id != one.ExternalID {
			lost = append(lost, mergedInto(one.ExternalID, id))
		}
	}
	return one, lost, nil
}

// mergedInto is a record that ended in another.
func mergedInto(survivor, id string) providers.Contact {
	return providers.Contact{ExternalID: id, MergedInto: survivor, Deleted: true}
}

// addresses drops blanks and doubles. The first one is the primary, as a person typed it; the others were one text.
func addresses(label string, values ...string) (list []providers.Address) {
	for i, value := range values {
		trimmed := strings.TrimSpace(value)
		if i > 0 {
			value = trimmed
		}
		if trimmed != "" && !slices.ContainsFunc(list, func(a providers.Address) bool { return strings.TrimSpace(a.Value) == trimmed }) {
			list = append(list, providers.Address{Value: value, Label: label, Primary: i == 0 && label != "mobilephone"})
		}
	}
	return list
}

package hubspot

import (
	"strings"

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

// read implements [providers.Reader]. Every property is a text or null [spec]. A contact without lastmodifieddate has no
// time, as search doesn't show it: updatedAt is another one by moments.
func read(raw jsontext.Value) (one providers.Contact, _ error) {
	var r struct {
		ID         providers.Text            `json:"id"`
		Properties map[string]providers.Text `json:"properties"`
		Archived   bool                      `json:"archived"`
	}
	if err := providers.DecodeRecord(raw, &r); err != nil {
		return one, err
	}
	p := func(name string) string { return string(r.Properties[name]) }
	updated, err := providers.RecordTime(modified, p(modified))
	if err != nil {
		return one, err
	}
	created, _ := providers.ParseTime(p("createdate")) // nothing is decided by it
	emails := []providers.Address{{Value: p("email"), Primary: true}}
	for more := range strings.SplitSeq(p("hs_additional_emails"), ";") {
		emails = append(emails, providers.Address{Value: strings.TrimSpace(more)})
	}
	one = providers.Contact{
		ExternalID: string(r.ID), Name: strings.TrimSpace(p("firstname") + " " + p("lastname")), FirstName: p("firstname"), LastName: p("lastname"),
		Emails: providers.Addresses(emails...),
		Phones: providers.Addresses(
			providers.Address{Value: p("phone"), Label: "phone", Primary: true},
			providers.Address{Value: p("mobilephone"), Label: "mobilephone"}),
		OwnerID: p("hubspot_owner_id"), JobTitle: p("jobtitle"), Deleted: r.Archived,
		CustomFields: providers.CustomFields(map[string]string{"company": p("company"), "lifecyclestage": p("lifecyclestage")}),
		CreatedAt:    created, UpdatedAt: updated,
	}
	for entry := range strings.SplitSeq(p(merged)+";"+p(mergedVIDs), ";") {
		if id, _, _ := strings.Cut(strings.TrimSpace(entry), ":"); id != "" && id != one.ExternalID {
			one.Absorbed = append(one.Absorbed, id)
		}
	}
	return one, nil
}

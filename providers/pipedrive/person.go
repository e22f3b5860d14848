package pipedrive

import (
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// person is a record of API v2 as far as it is kept. Everything but id may be null or missing [seen]; v1's email and
// phone are not read.
type person struct {
	ID           providers.Text `json:"id"`
	Name         string         `json:"name"`
	FirstName    string         `json:"first_name"`
	LastName     string         `json:"last_name"`
	OwnerID      providers.Text `json:"owner_id"`
	OrgID        providers.Text `json:"org_id"`
	JobTitle     string         `json:"job_title"`
	AddTime      providers.Text `json:"add_time"`
	UpdateTime   providers.Text `json:"update_time"`
	Emails       []address      `json:"emails"`
	Phones       []address      `json:"phones"`
	IsDeleted    bool           `json:"is_deleted"`
	CustomFields jsontext.Value `json:"custom_fields"`
}

// address is free text of a person, kept as it came.
type address struct {
	Value   providers.Text `json:"value"`
	Label   providers.Text `json:"label"`
	Primary bool           `json:"primary"`
}

// read implements [providers.Reader].
func read(raw jsontext.Value) (one providers.Contact, _ error) {
	var p person
	if err := providers.DecodeRecord(raw, &p); err != nil {
		return one, err
	}
	updated, err := providers.RecordTime("update_time", string(p.UpdateTime))
	switch fields := p.CustomFields.Kind(); {
	case err != nil:
		return one, err
	case fields != '{' && fields != 'n' && p.CustomFields != nil:
		return one, &providers.RecordError{Reason: "bad_shape", Field: "custom_fields"}
	case fields != '{' || string(p.CustomFields) == "{}":
		p.CustomFields = nil
	}
	created, _ := providers.ParseTime(string(p.AddTime)) // nothing is decided by it
	return providers.Contact{
		ExternalID: string(p.ID), Name: p.Name, FirstName: p.FirstName, LastName: p.LastName,
		Emails: addresses(p.Emails), Phones: addresses(p.Phones),
		OrganizationID: string(p.OrgID), OwnerID: string(p.OwnerID), JobTitle: p.JobTitle,
		CustomFields: p.CustomFields, CreatedAt: created, UpdatedAt: updated, Deleted: p.IsDeleted,
	}, nil
}

func addresses(from []address) (to []providers.Address) {
	for _, a := range from {
		to = append(to, providers.Address{Value: string(a.Value), Label: string(a.Label), Primary: a.Primary})
	}
	return to
}

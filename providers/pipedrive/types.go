package pipedrive

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// envelope is what every good answer looks like. A missing success is one. The end of a list is a next_cursor that is
// null, empty or missing, at any level.
type envelope[T any] struct {
	Success *bool `json:"success"`
	Data    T     `json:"data"`
	Extra   *struct {
		NextCursor *string `json:"next_cursor"`
	} `json:"additional_data"`
}

// refusal is the union of the envelopes of bad answers [doc: Responses] [bug: pipedrive/client-php#234]. A member may
// be an object where a text is promised.
type refusal struct {
	Error     jsontext.Value `json:"error"`
	ErrorInfo jsontext.Value `json:"error_info"`
	Code      jsontext.Value `json:"code"`
	ErrorCode jsontext.Value `json:"errorCode"`
}

// user is GET /api/v1/users/me as far as it is kept.
type user struct {
	ID            providers.Text `json:"id"`
	CompanyID     providers.Text `json:"company_id"`
	CompanyName   string         `json:"company_name"`
	CompanyDomain string         `json:"company_domain"`
}

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

// read makes a contact of one record. The error is a [*providers.RecordError].
func read(raw jsontext.Value) (providers.Contact, error) {
	var p person
	if err := providers.DecodeRecord(raw, &p); err != nil {
		return providers.Contact{}, err
	}
	updated, err := providers.ParseTime(string(p.UpdateTime))
	switch fields := p.CustomFields.Kind(); {
	case p.ID == "":
		return providers.Contact{}, &providers.RecordError{Reason: "no_id"}
	case err != nil:
		return providers.Contact{}, &providers.RecordError{Reason: "bad_time", Field: "update_time", Detail: string(p.UpdateTime)}
	case fields != '{' && fields != 'n' && p.CustomFields != nil:
		return providers.Contact{}, &providers.RecordError{Reason: "bad_shape", Field: "custom_fields"}
	case fields != '{' || string(p.CustomFields) == "{}":
		p.CustomFields = nil
	}
	created, err := providers.ParseTime(string(p.AddTime))
	if err != nil {
		created = time.Time{} // nothing is decided by it
	}
	return providers.Contact{
		ExternalID: string(p.ID), Name: p.Name, FirstName: p.FirstName, LastName: p.LastName,
		Emails: addresses(p.Emails), Phones: addresses(p.Phones),
		OrganizationID: string(p.OrgID), OwnerID: string(p.OwnerID), JobTitle: p.JobTitle,
		CustomFields: p.CustomFields, CreatedAt: created, UpdatedAt: updated, Deleted: p.IsDeleted,
	}, nil
}

func addresses(from []address) []providers.Address {
	if len(from) == 0 {
		return nil
	}
	to := make([]providers.Address, len(from))
	for i, a := range from {
		to[i] = providers.Address{Value: string(a.Value), Label: string(a.Label), Primary: a.Primary}
	}
	return to
}

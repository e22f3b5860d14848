package pipedrive

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// text is a JSON string or number, as it came: ids are numbers in the spec, and texts in some answers. Null is empty.
type text string

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	kind := dec.PeekKind()
	if kind == '{' || kind == '[' {
		return &json.SemanticError{JSONKind: kind, Err: errors.New("neither a text nor a number")}
	}
	token, err := dec.ReadToken()
	switch {
	case err != nil:
		return err
	case kind == 'n':
		*t = ""
	case kind == '"' || kind == '0':
		*t = text(token.String())
	default:
		return &json.SemanticError{JSONKind: kind, Err: errors.New("neither a text nor a number")}
	}
	return nil
}

// envelope is what every answer says beside its data. A missing success is one.
type envelope struct {
	Success *bool `json:"success"`
}

// listing is GET /api/v2/persons. The end of a list is a next_cursor that is null, empty or missing, at any level.
type listing struct {
	envelope
	Data  people `json:"data"`
	Extra *struct {
		NextCursor *string `json:"next_cursor"`
	} `json:"additional_data"`
}

// people reads the records of a page one by one, so that a bad one spoils no other.
type people struct {
	seen     bool // there was a "data", be it null
	contacts []providers.Contact
	failures []providers.Failure
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (p *people) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	p.seen = true
	token, err := dec.ReadToken()
	if err != nil || token.Kind() == 'n' {
		return err
	}
	if token.Kind() != '[' {
		return &json.SemanticError{JSONKind: token.Kind(), Err: errors.New("not a list")}
	}
	for dec.PeekKind() != ']' {
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if contact, failure := read(raw); failure != nil {
			p.failures = append(p.failures, *failure)
		} else {
			p.contacts = append(p.contacts, contact)
		}
	}
	_, err = dec.ReadToken()
	return err
}

// reading is GET /api/v2/persons/{id}.
type reading struct {
	envelope
	Data jsontext.Value `json:"data"`
}

// person is a record of API v2 as far as it is kept. Everything but id may be null or missing [seen], v1's email and
// phone are not read.
type person struct {
	ID           text           `json:"id"`
	Name         string         `json:"name"`
	FirstName    string         `json:"first_name"`
	LastName     string         `json:"last_name"`
	OwnerID      text           `json:"owner_id"`
	OrgID        text           `json:"org_id"`
	JobTitle     string         `json:"job_title"`
	AddTime      text           `json:"add_time"`
	UpdateTime   text           `json:"update_time"`
	Emails       []address      `json:"emails"`
	Phones       []address      `json:"phones"`
	IsDeleted    bool           `json:"is_deleted"`
	CustomFields jsontext.Value `json:"custom_fields"`
}

// address is free text of a person; nothing about it is a reason to leave the record out.
type address struct {
	Value   text `json:"value"`
	Label   text `json:"label"`
	Primary bool `json:"primary"`
}

// read makes a contact of one record, or says why it can't. The result shares no memory with raw.
func read(raw jsontext.Value) (providers.Contact, *providers.Failure) {
	var p person
	err := json.Unmarshal(raw, &p, jsontext.AllowDuplicateNames(true))
	updated, timeErr := providers.ParseTime(string(p.UpdateTime))
	failure := providers.Failure{ExternalID: string(p.ID)}
	switch {
	case len(raw) > providers.MaxRecord:
		failure.Reason = "too_large"
	case err != nil:
		failure.Reason, failure.Field = "bad_shape", field(err)
	case p.ID == "":
		failure.Reason = "no_id"
	case len(p.CustomFields) > 0 && p.CustomFields.Kind() != '{' && p.CustomFields.Kind() != 'n':
		failure.Reason, failure.Field = "bad_shape", "custom_fields"
	case timeErr != nil:
		failure.Reason, failure.Detail = "bad_time", providers.Cut(string(p.UpdateTime), 100)
	default:
		return p.contact(updated), nil
	}
	if failure.ExternalID == "" && failure.Reason != "no_id" { // it may come behind what was bad
		failure.ExternalID = identify(raw)
	}
	failure.Payload = slices.Clone(providers.Cut([]byte(raw), providers.MaxFailurePayload))
	return providers.Contact{}, &failure
}

// field names the member of a record in which decoding stopped.
func field(err error) string {
	e, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(string(e.JSONPointer), "/"), "/")
	return name
}

func identify(raw jsontext.Value) string {
	var p struct {
		ID text `json:"id"`
	}
	_ = json.Unmarshal(raw, &p, jsontext.AllowDuplicateNames(true)) // without an id it stays empty
	return string(p.ID)
}

func (p *person) contact(updated time.Time) providers.Contact {
	created, err := providers.ParseTime(string(p.AddTime))
	if err != nil {
		created = time.Time{} // only the change time decides anything
	}
	c := providers.Contact{
		ExternalID: string(p.ID), Name: p.Name, FirstName: p.FirstName, LastName: p.LastName,
		Emails: addresses(p.Emails), Phones: addresses(p.Phones),
		OrganizationID: string(p.OrgID), OwnerID: string(p.OwnerID), JobTitle: p.JobTitle,
		CreatedAt: created, UpdatedAt: updated, Deleted: p.IsDeleted,
	}
	if p.CustomFields.Kind() == '{' && len(p.CustomFields) > len("{}") {
		c.CustomFields = p.CustomFields
	}
	return c
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

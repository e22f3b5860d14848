package providers

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Layout says where things are in good answers, by names of members, one inside the other, with dots between them; and
// where the cursor goes in the next question.
type Layout struct {
	Records string // the list of records
	Next    string // the cursor of the next page, a text; null, empty or missing: the list has ended
	Total   string // how many records the whole list has; empty: it isn't told
	Record  string // the only record; empty: the answer is the record
	Cursor  string // the query's parameter for a cursor; empty: [Ask.Cursor] is sent in another way

	NullIsEmpty bool // null for a list is an empty one
}

// List asks for a page of a list. A source's [Page.Next] may be another one than the provider's.
func (c *Caller) List(ctx context.Context, ask Ask, read Reader) (Page, error) {
	var body map[string]jsontext.Value
	seen, err := c.Ask(ctx, ask, &body)
	if err != nil {
		return Page{Observation: seen}, err
	}
	layout := c.api.Layout
	list, next := inside(body, layout.Records), inside(body, layout.Next)
	if list.Kind() == 'n' && layout.NullIsEmpty {
		list = jsontext.Value("[]")
	}
	page, err := c.Page(ask, seen, list, read)
	if err != nil {
		return Page{Observation: seen}, err
	}
	if next != nil && next.Kind() != 'n' && next.Kind() != '"' {
		return Page{Observation: seen}, c.Unexpected(ask, "the answer has an unexpected form at /"+strings.ReplaceAll(layout.Next, ".", "/"))
	}
	page.Next = Cursor(Plain(next))
	page.Total, _ = strconv.ParseInt(Plain(inside(body, layout.Total)), 10, 64)
	return page, nil
}

// ReadOne asks for one record by its id; see [Caller.Record].
func (c *Caller) ReadOne(ctx context.Context, ask Ask, id string, read Reader) (Contact, Observation, error) {
	var raw jsontext.Value
	ask.Record = true
	seen, err := c.Ask(ctx, ask, &raw)
	if err != nil {
		return Contact{}, seen, err
	}
	if c.api.Layout.Record != "" {
		raw = Dig(raw, strings.Split(c.api.Layout.Record, ".")...)
	}
	return c.Record(ask, seen, raw, id, read)
}

// inside is what lies in an answer's members at a path with dots.
func inside(body map[string]jsontext.Value, path string) jsontext.Value {
	names := strings.Split(path, ".")
	return Dig(body[names[0]], names[1:]...)
}

// Reader makes a contact of one record; its error is a [*RecordError].
type Reader = func(raw jsontext.Value) (Contact, error)

// Page makes a page of a list in an answer to [Caller.Ask]; the adapter adds [Page.Next]. Records that ended in others
// ([Contact.Absorbed]) come after them, as deleted. What is no list, null included, is [SchemaChanged]: it would be an
// empty page.
func (c *Caller) Page(ask Ask, seen Observation, list jsontext.Value, read Reader) (Page, error) {
	var records []jsontext.Value
	if list.Kind() == 'n' || json.Unmarshal(list, &records, jsontext.AllowDuplicateNames(true)) != nil {
		return Page{Observation: seen}, c.Unexpected(ask, "the answer has no list of contacts")
	}
	contacts, failures := ReadRecords(records, read)
	var ended []Contact
	for i, one := range contacts {
		for _, id := range one.Absorbed {
			ended = append(ended, mergedInto(one.ExternalID, id))
		}
		contacts[i].Absorbed = nil
	}
	return Page{Contacts: append(contacts, ended...), Failures: failures, Observation: seen}, nil
}

// IDs are those of the records that a page holds. Those that ended in others are only mentioned.
func (p Page) IDs() (ids []string) {
	for _, one := range p.Contacts {
		if one.MergedInto == "" {
			ids = append(ids, one.ExternalID)
		}
	}
	for _, one := range p.Failures {
		ids = append(ids, one.ExternalID)
	}
	return ids
}

// Deletions are the records of a page as those of a list of deletions.
func (p Page) Deletions() DeletedPage {
	return DeletedPage{ExternalIDs: p.IDs(), Next: p.Next, Observation: p.Observation}
}

// Record makes the answer to a confirming read of one record in an answer to [Caller.Ask], as
// [ContactSource.ReadContact] promises it. Another record than the one that was asked for is [SchemaChanged], unless the
// provider answers with [API.Survivors].
func (c *Caller) Record(ask Ask, seen Observation, raw jsontext.Value, id string, read Reader) (Contact, Observation, error) {
	if raw.Kind() != '{' {
		return Contact{}, seen, c.Unexpected(ask, "the answer has no record")
	}
	one, failure := ReadRecord(raw, read)
	one.Absorbed = nil
	switch {
	case failure != nil:
		return Contact{}, seen, &Error{
			Kind: InvalidRequest, Op: c.op(ask), Status: http.StatusOK, Code: failure.Reason, Detail: failure.Field, Record: failure,
		}
	case one.ExternalID != id && c.api.Survivors:
		return mergedInto(one.ExternalID, id), seen, nil
	case one.ExternalID != id:
		return Contact{}, seen, c.Unexpected(ask, "the answer is about another record")
	}
	return one, seen, nil
}

// mergedInto is a record that ended in another.
func mergedInto(survivor, id string) Contact {
	return Contact{ExternalID: id, MergedInto: survivor, Deleted: true}
}

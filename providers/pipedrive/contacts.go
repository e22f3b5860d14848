package pipedrive

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// maxLimit is the largest page; a larger limit is refused [spec].
const maxLimit = 500

// contacts is the [providers.ContactSource] of one account.
type contacts struct {
	base    string
	account providers.Account
	http    *providers.HTTP
}

// ListContacts implements [providers.ContactSource]: GET /api/v2/persons, 10 tokens a page [spec].
func (c *contacts) ListContacts(ctx context.Context, req providers.ListRequest) (providers.Page, error) {
	a := ask{op: "pipedrive: list contacts", what: aList, cursor: req.Cursor != "", everWorked: c.account.EverWorked}
	answer, err := c.http.Get(ctx, a.op, c.base+"/api/v2/persons?"+query(req).Encode())
	if err != nil {
		return providers.Page{}, err
	}
	var list listing
	if err := decode(answer, a, &list, &list.envelope); err != nil {
		return providers.Page{}, err
	}
	if !list.Data.seen { // an object, but no list of anything: never an empty page
		return providers.Page{}, &providers.Error{Kind: providers.SchemaChanged, Op: a.op, Status: answer.Status, Detail: "the answer has no data"}
	}
	page := providers.Page{Contacts: list.Data.contacts, Failures: list.Data.failures, Observation: observe(answer)}
	if list.Extra != nil && list.Extra.NextCursor != nil {
		page.Next = providers.Cursor(*list.Extra.NextCursor)
	}
	return page, nil
}

// query is the same for every page of a walk but for the cursor, which is bound to filter and order. A sweep has no
// updated_since: rows without an update time are invisible to it [bug: airbytehq/airbyte#59676].
func query(req providers.ListRequest) url.Values {
	limit := maxLimit
	if req.Limit > 0 {
		limit = min(req.Limit, maxLimit)
	}
	q := url.Values{"limit": {strconv.Itoa(limit)}, "sort_by": {"id"}, "sort_direction": {"asc"}}
	if !req.UpdatedSince.IsZero() {
		q.Set("sort_by", "update_time")
		q.Set("updated_since", req.UpdatedSince.UTC().Format("2006-01-02T15:04:05Z")) // a fraction is refused [seen]
	}
	if req.Cursor != "" {
		q.Set("cursor", string(req.Cursor))
	}
	return q
}

// ReadContact implements [providers.ContactSource]: GET /api/v2/persons/{id}, 1 token [spec].
func (c *contacts) ReadContact(ctx context.Context, externalID string) (providers.Contact, providers.Observation, error) {
	a := ask{op: "pipedrive: read contact", what: aRecord, everWorked: c.account.EverWorked}
	answer, err := c.http.Get(ctx, a.op, c.base+"/api/v2/persons/"+url.PathEscape(externalID))
	if err != nil {
		return providers.Contact{}, providers.Observation{}, err
	}
	var one reading
	if err := decode(answer, a, &one, &one.envelope); err != nil {
		return providers.Contact{}, observe(answer), err
	}
	if one.Data.Kind() != jsontext.KindBeginObject {
		return providers.Contact{}, observe(answer), &providers.Error{Kind: providers.SchemaChanged, Op: a.op, Status: answer.Status, Detail: "the answer has no record"}
	}
	contact, failure := read(one.Data)
	switch {
	case failure != nil:
		return providers.Contact{}, observe(answer), &providers.Error{Kind: providers.InvalidRequest, Op: a.op, Status: answer.Status, Code: failure.Reason, Detail: failure.Field}
	case contact.ExternalID != externalID:
		return providers.Contact{}, observe(answer), &providers.Error{Kind: providers.SchemaChanged, Op: a.op, Status: answer.Status, Detail: "the answer is about another record"}
	}
	return contact, observe(answer), nil
}

// observe reads the headers. Those of the day are not in the docs and are sometimes missing [seen].
func observe(answer *providers.Answer) providers.Observation {
	o := providers.Observation{Date: answer.Date(), Usage: providers.Usage{
		BurstLimit:     number(answer.Header, "x-ratelimit-limit"),
		BurstRemaining: number(answer.Header, "x-ratelimit-remaining"),
		DailyLimit:     number(answer.Header, headerDailyLimit),
		DailyRemaining: number(answer.Header, headerDailyLeft),
	}}
	if o.Usage.BurstLimit != nil {
		o.Usage.BurstWindow = 2 * time.Second // rolling [doc: Rate limiting]
	}
	return o
}

func number(header http.Header, name string) *int64 {
	n, err := strconv.ParseInt(header.Get(name), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

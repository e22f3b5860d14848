package pipedrive

import (
	"context"
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
	base       string
	http       *providers.HTTP
	everWorked bool
}

// ListContacts implements [providers.ContactSource]: GET /api/v2/persons, 10 tokens a page [spec].
func (c *contacts) ListContacts(ctx context.Context, req providers.ListRequest) (providers.Page, error) {
	a := ask{op: "pipedrive: list contacts", cursor: req.Cursor != "", everWorked: c.everWorked}
	answer, err := c.http.Get(ctx, a.op, c.base+"/api/v2/persons?"+query(req).Encode())
	if err != nil {
		return providers.Page{}, err
	}
	list, err := decode[jsontext.Value](answer, a)
	if err != nil {
		return providers.Page{}, err
	}
	page := providers.Page{Observation: observe(answer)}
	var ok bool
	if page.Contacts, page.Failures, ok = providers.ReadRecords(list.Data, read); !ok { // never an empty page
		return providers.Page{}, odd(answer, a, "the answer has no list of persons")
	}
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
	a := ask{op: "pipedrive: read contact", record: true, everWorked: c.everWorked}
	answer, err := c.http.Get(ctx, a.op, c.base+"/api/v2/persons/"+url.PathEscape(externalID))
	if err != nil {
		return providers.Contact{}, providers.Observation{}, err
	}
	seen := observe(answer)
	one, err := decode[jsontext.Value](answer, a)
	if err != nil {
		return providers.Contact{}, seen, err
	}
	if one.Data.Kind() != '{' {
		return providers.Contact{}, seen, odd(answer, a, "the answer has no record")
	}
	contact, failure := providers.ReadRecord(one.Data, read)
	switch {
	case failure != nil:
		return providers.Contact{}, seen, &providers.Error{Kind: providers.InvalidRequest, Op: a.op, Status: answer.Status, Code: failure.Reason, Detail: failure.Field, Record: failure}
	case contact.ExternalID != externalID:
		return providers.Contact{}, seen, odd(answer, a, "the answer is about another record")
	}
	return contact, seen, nil
}

// observe reads the headers. Those of the day are not in the docs and are sometimes missing [seen].
func observe(answer *providers.Answer) providers.Observation {
	usage := providers.Usage{
		BurstLimit: answer.Number("x-ratelimit-limit"), BurstRemaining: answer.Number("x-ratelimit-remaining"),
		DailyLimit: answer.Number("x-daily-ratelimit-token-limit"), DailyRemaining: answer.Number(headerDailyLeft),
	}
	if usage.BurstLimit != nil {
		usage.BurstWindow = 2 * time.Second // rolling [doc: Rate limiting]
	}
	return providers.Observation{Date: answer.Date(), Usage: usage}
}

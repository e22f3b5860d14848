package pipedrive

import (
	"context"
	"net/url"
	"strconv"

	"example.com/enlace/providers"
)

// maxLimit is the largest page; a larger limit is refused [spec].
const maxLimit = 500

const pathPersons = "/api/v2/persons"

// contacts is the [providers.ContactSource] of one account.
type contacts struct{ *providers.Caller }

// ListContacts implements [providers.ContactSource]: 10 tokens a page [spec]. The question is the same for every page of
// a walk but for the cursor, which is bound to filter and order. A sweep has no updated_since: rows without an update
// time are invisible to it [bug: airbytehq/airbyte#59676].
func (c *contacts) ListContacts(ctx context.Context, req providers.ListRequest) (providers.Page, error) {
	q := url.Values{"limit": {strconv.Itoa(req.Size(maxLimit))}, "sort_by": {"id"}, "sort_direction": {"asc"}}
	if !req.UpdatedSince.IsZero() {
		q.Set("sort_by", "update_time")
		q.Set("updated_since", req.UpdatedSince.UTC().Format("2006-01-02T15:04:05Z")) // a fraction is refused [seen]
	}
	return c.List(ctx, providers.Ask{
		Op: "list contacts", Path: pathPersons, Query: q, Cursor: req.Cursor, Usage: providers.Usage{Spent: 10},
	}, read)
}

// ReadContact implements [providers.ContactSource]: 1 token [spec].
func (c *contacts) ReadContact(ctx context.Context, id string) (providers.Contact, providers.Observation, error) {
	return c.ReadOne(ctx, providers.Ask{
		Op: "read contact", Path: pathPersons + "/" + url.PathEscape(id), Usage: providers.Usage{Spent: 1},
	}, id, read)
}

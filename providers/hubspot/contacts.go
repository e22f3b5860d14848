package hubspot

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"example.com/enlace/providers"
)

// The largest pages; a larger limit is refused [doc].
const (
	maxList   = 100
	maxSearch = 200
)

// contacts is the [providers.ContactSource] of one account.
type contacts struct{ *providers.Caller }

// ListContacts implements [providers.ContactSource]: a sweep reads the store, changes come from the index of search.
func (c *contacts) ListContacts(ctx context.Context, req providers.ListRequest) (providers.Page, error) {
	if req.UpdatedSince.IsZero() {
		return c.list(ctx, "list contacts", req.Cursor, req.Limit, false)
	}
	return c.changed(ctx, req)
}

func (c *contacts) list(ctx context.Context, op string, after providers.Cursor, limit int, archived bool) (providers.Page, error) {
	q := query(archived)
	q.Set("limit", strconv.Itoa(min(cmp.Or(limit, maxList), maxList)))
	if after != "" {
		q.Set("after", string(after))
	}
	return c.List(ctx, providers.Ask{Op: op, Path: pathContacts, Query: q, Cursor: after != ""}, read)
}

func query(archived bool) url.Values {
	return url.Values{"archived": {strconv.FormatBool(archived)}, "properties": {properties}}
}

// changed is a page of the records changed in a window, in the order of ids: search's own cursor counts rows, and loses
// some as they move [bug: airbytehq/airbyte#43317].
func (c *contacts) changed(ctx context.Context, req providers.ListRequest) (providers.Page, error) {
	ask := providers.Ask{Op: "list changes"}
	window, err := c.Window(ask, req)
	if err != nil {
		return providers.Page{}, err
	}
	filters := []filter{where(modified, "GTE", window.From), where(objectID, "GT", window.Last)}
	if window.Upper != 0 {
		filters = append(filters, where(modified, "LTE", window.Upper))
	}
	page, err := c.search(ctx, ask, min(cmp.Or(req.Limit, maxSearch), maxSearch), filters...)
	if err != nil {
		return page, err
	}
	return c.Advance(ask, window, page)
}

// filter is a condition of a search.
type filter map[string]string

func where(property, operator string, value int64) filter {
	return filter{"propertyName": property, "operator": operator, "value": strconv.FormatInt(value, 10)}
}

// search reads contacts that meet all filters, in the order of ids. No header tells its pace: 5 a second for all apps
// together [doc], of which we take half [rule].
func (c *contacts) search(ctx context.Context, ask providers.Ask, limit int, filters ...filter) (providers.Page, error) {
	ask.Method, ask.Path = "POST", pathContacts+"/search"
	ask.Body = map[string]any{
		"filterGroups": []map[string][]filter{{"filters": filters}}, "properties": strings.Split(properties, ","),
		"sorts": []filter{{"propertyName": objectID, "direction": "ASCENDING"}}, "limit": limit,
	}
	page, err := c.List(ctx, ask, read)
	if err == nil {
		page.Usage = providers.Usage{BurstLimit: new(int64(5)), BurstWindow: 2 * time.Second}
	}
	return page, err
}

// ReadContact implements [providers.ContactSource]. An archived contact is absent until it is asked for as such.
func (c *contacts) ReadContact(ctx context.Context, id string) (providers.Contact, providers.Observation, error) {
	one, seen, err := c.readOne(ctx, id, false)
	if providers.KindOf(err) == providers.NotFound {
		return c.readOne(ctx, id, true)
	}
	return one, seen, err
}

func (c *contacts) readOne(ctx context.Context, id string, archived bool) (providers.Contact, providers.Observation, error) {
	ask := providers.Ask{Op: "read contact", Path: pathContacts + "/" + url.PathEscape(id), Query: query(archived)}
	return c.ReadOne(ctx, ask, id, read)
}

// CountContacts implements [providers.ContactCounter]. The index is late by moments: about so many.
func (c *contacts) CountContacts(ctx context.Context) (int64, providers.Observation, error) {
	page, err := c.search(ctx, providers.Ask{Op: "count contacts"}, 1, where(objectID, "GT", 0))
	return page.Total, page.Observation, err
}

// ListDeleted implements [providers.DeletedLister] by all archived contacts, whatever since is: no filter and no order
// are promised. Those that were merged away, purged or erased are not among them.
func (c *contacts) ListDeleted(ctx context.Context, _ time.Time, cursor providers.Cursor) (providers.DeletedPage, error) {
	page, err := c.list(ctx, "list deletions", cursor, 0, true)
	return providers.DeletedPage{ExternalIDs: page.IDs(), Next: page.Next, Observation: page.Observation}, err
}

package hubspot

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// The largest pages; a larger limit is refused [doc].
const (
	maxList   = 100
	maxSearch = 200
)

// contacts is the [providers.ContactSource] of one account.
type contacts struct {
	url        string
	http       *providers.HTTP
	everWorked bool
}

// ListContacts implements [providers.ContactSource]: a sweep reads the store, changes come from the index of search.
func (c *contacts) ListContacts(ctx context.Context, req providers.ListRequest) (providers.Page, error) {
	if req.UpdatedSince.IsZero() {
		return c.list(ctx, "hubspot: list contacts", req.Cursor, req.Limit, false)
	}
	return c.changed(ctx, "hubspot: list changes", req)
}

func (c *contacts) list(ctx context.Context, op string, after providers.Cursor, limit int, archived bool) (providers.Page, error) {
	q := query(archived)
	q.Set("limit", strconv.Itoa(min(cmp.Or(limit, maxList), maxList)))
	if after != "" {
		q.Set("after", string(after))
	}
	return c.page(ctx, ask{op: op, cursor: after != "", everWorked: c.everWorked}, providers.Request{URL: c.url + "?" + q.Encode()})
}

func query(archived bool) url.Values {
	return url.Values{"archived": {strconv.FormatBool(archived)}, "properties": {properties}}
}

// changed is a page of the records changed in a window, in the order of ids: search's own cursor counts rows, and loses
// some as they move [bug: airbytehq/airbyte#43317]. The first answer closes the window; it is in the cursor, in
// milliseconds, with the last id read.
func (c *contacts) changed(ctx context.Context, op string, req providers.ListRequest) (providers.Page, error) {
	from, upper, last := req.UpdatedSince.Truncate(time.Second).UnixMilli(), int64(0), int64(0)
	if req.Cursor != "" {
		if _, err := fmt.Sscanf(string(req.Cursor), "%d|%d|%d", &from, &upper, &last); err != nil {
			return providers.Page{}, &providers.Error{Kind: providers.CursorExpired, Op: op, Err: err}
		}
	}
	filters := []filter{where(modified, "GTE", from), where(objectID, "GT", last)}
	if upper != 0 {
		filters = append(filters, where(modified, "LTE", upper))
	}
	page, err := c.search(ctx, op, min(cmp.Or(req.Limit, maxSearch), maxSearch), filters...)
	if err != nil || page.Next == "" { // a short page alone is no end
		return page, err
	}
	if upper == 0 {
		if upper = page.Date.UnixMilli(); page.Date.IsZero() {
			upper = time.Now().UnixMilli()
		}
	}
	reached := last
	for _, id := range idsOf(page) {
		n, _ := strconv.ParseInt(id, 10, 64)
		reached = max(reached, n)
	}
	if reached == last {
		return providers.Page{}, ask{op: op}.odd("the list of changes does not go on")
	}
	page.Next = providers.Cursor(fmt.Sprintf("%d|%d|%d", from, upper, reached))
	return page, nil
}

// idsOf are the records that a list held; those that were merged away it only mentioned.
func idsOf(page providers.Page) (ids []string) {
	for _, one := range page.Contacts {
		if one.MergedInto == "" {
			ids = append(ids, one.ExternalID)
		}
	}
	for _, one := range page.Failures {
		ids = append(ids, one.ExternalID)
	}
	return ids
}

// filter is a condition of a search.
type filter map[string]string

func where(property, operator string, value int64) filter {
	return filter{"propertyName": property, "operator": operator, "value": strconv.FormatInt(value, 10)}
}

// search reads contacts that meet all filters, in the order of ids.
func (c *contacts) search(ctx context.Context, op string, limit int, filters ...filter) (providers.Page, error) {
	body := map[string]any{
		"filterGroups": []map[string][]filter{{"filters": filters}}, "properties": strings.Split(properties, ","),
		"sorts": []filter{{"propertyName": objectID, "direction": "ASCENDING"}}, "limit": limit,
	}
	page, err := c.page(ctx, ask{op: op, everWorked: c.everWorked}, providers.Request{Method: "POST", URL: c.url + "/search", Body: body})
	if err == nil { // no header tells it: 5 a second for all apps together [doc], of which we take half [rule]
		five := int64(5)
		page.Usage = providers.Usage{BurstLimit: &five, BurstWindow: 2 * time.Second}
	}
	return page, err
}

// page reads an answer of list and search. Contacts that were merged into one of its records come with it, as deleted.
func (c *contacts) page(ctx context.Context, a ask, r providers.Request) (providers.Page, error) {
	var list struct {
		Total   int64          `json:"total"`
		Results jsontext.Value `json:"results"`
		Paging  struct {
			Next struct {
				After providers.Text `json:"after"`
			} `json:"next"`
		} `json:"paging"`
	}
	answer, err := a.do(ctx, c.http, r, &list)
	if err != nil {
		return providers.Page{}, err
	}
	if list.Results.Kind() != '[' {
		return providers.Page{}, a.odd("the answer has no list of contacts") // never an empty page
	}
	page := providers.Page{Next: providers.Cursor(list.Paging.Next.After), Total: list.Total, Observation: observe(answer)}
	var lost []providers.Contact
	page.Contacts, page.Failures, _ = providers.ReadRecords(list.Results, func(raw jsontext.Value) (providers.Contact, error) {
		one, gone, err := read(raw)
		lost = append(lost, gone...)
		return one, err
	})
	page.Contacts = append(page.Contacts, lost...)
	return page, nil
}

// ReadContact implements [providers.ContactSource]. An archived contact is absent until it is asked for as such.
func (c *contacts) ReadContact(ctx context.Context, externalID string) (providers.Contact, providers.Observation, error) {
	one, seen, err := c.readOne(ctx, externalID, false)
	if providers.KindOf(err) == providers.NotFound {
		return c.readOne(ctx, externalID, true)
	}
	return one, seen, err
}

func (c *contacts) readOne(ctx context.Context, id string, archived bool) (one providers.Contact, seen providers.Observation, _ error) {
	a := ask{op: "hubspot: read contact", record: true, everWorked: c.everWorked}
	var raw jsontext.Value
	answer, err := a.do(ctx, c.http, providers.Request{URL: c.url + "/" + url.PathEscape(id) + "?" + query(archived).Encode()}, &raw)
	if err != nil {
		return one, seen, err
	}
	if raw.Kind() != '{' {
		return one, seen, a.odd("the answer has no record")
	}
	one, failure := providers.ReadRecord(raw, func(raw jsontext.Value) (one providers.Contact, err error) {
		one, _, err = read(raw)
		return one, err
	})
	seen = observe(answer)
	if failure != nil {
		return one, seen, &providers.Error{Kind: providers.InvalidRequest, Op: a.op, Status: answer.Status, Code: failure.Reason, Detail: failure.Field, Record: failure}
	}
	if one.ExternalID != id { // the survivor of a merge in which the one that was asked for ended
		one = mergedInto(one.ExternalID, id)
	}
	return one, seen, nil
}

// CountContacts implements [providers.ContactCounter]. The index is late by moments: about so many.
func (c *contacts) CountContacts(ctx context.Context) (int64, providers.Observation, error) {
	page, err := c.search(ctx, "hubspot: count contacts", 1, where(objectID, "GT", 0))
	return page.Total, page.Observation, err
}

// ListDeleted implements [providers.DeletedLister] by all archived contacts, whatever since is: no filter and no order
// are promised. Those that were merged away, purged or erased are not among them.
func (c *contacts) ListDeleted(ctx context.Context, _ time.Time, cursor providers.Cursor) (providers.DeletedPage, error) {
	page, err := c.list(ctx, "hubspot: list deletions", cursor, 0, true)
	return providers.DeletedPage{ExternalIDs: idsOf(page), Next: page.Next, Observation: page.Observation}, err
}

// observe reads the headers. A daily budget is not told to apps of many accounts [doc].
func observe(answer *providers.Answer) providers.Observation {
	usage := providers.Usage{BurstLimit: answer.Number("X-HubSpot-RateLimit-Max"), BurstRemaining: answer.Number("X-HubSpot-RateLimit-Remaining")}
	if ms := answer.Number("X-HubSpot-RateLimit-Interval-Milliseconds"); ms != nil {
		usage.BurstWindow = time.Duration(*ms) * time.Millisecond
	}
	return providers.Observation{Date: answer.Date(), Usage: usage}
}

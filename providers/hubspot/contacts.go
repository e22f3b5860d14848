package hubspot

import (
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
	base       string
	http       *providers.HTTP
	everWorked bool
}

// ListContacts implements [providers.ContactSource]: a sweep reads the store, changes come from the index of search.
func (c *contacts) ListContacts(ctx context.Context, req providers.ListRequest) (providers.Page, error) {
	a := ask{op: "hubspot: list contacts", everWorked: c.everWorked}
	if !req.UpdatedSince.IsZero() {
		return c.changed(ctx, a, req)
	}
	return c.list(ctx, a, req, false)
}

func (c *contacts) list(ctx context.Context, a ask, req providers.ListRequest, archived bool) (providers.Page, error) {
	q := query(archived)
	q.Set("limit", strconv.Itoa(atMost(req.Limit, maxList)))
	if a.cursor = req.Cursor != ""; a.cursor {
		q.Set("after", string(req.Cursor))
	}
	return c.page(ctx, a, providers.Request{URL: c.base + "?" + q.Encode()})
}

func query(archived bool) url.Values {
	return url.Values{"archived": {strconv.FormatBool(archived)}, "properties": {properties}}
}

func atMost(limit, most int) int {
	if limit == 0 {
		return most
	}
	return min(limit, most)
}

// filter is a condition of a search; all of them must hold.
type filter struct {
	Property string `json:"propertyName"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

// changed is a page of the records changed in a window, in the order of ids: search's own cursor counts rows, and loses
// some as they move [bug: airbytehq/airbyte#43317]. The window is closed by the first answer's time.
func (c *contacts) changed(ctx context.Context, a ask, req providers.ListRequest) (providers.Page, error) {
	from, upper, last := req.UpdatedSince.Truncate(time.Second).UnixMilli(), int64(0), int64(0)
	filters := []filter{}
	if req.Cursor != "" {
		if _, err := fmt.Sscanf(string(req.Cursor), "%d|%d|%d", &from, &upper, &last); err != nil {
			return providers.Page{}, &providers.Error{Kind: providers.CursorExpired, Op: a.op, Err: err}
		}
		filters = append(filters, filter{modified, "LTE", strconv.FormatInt(upper, 10)})
	}
	filters = append(filters, filter{modified, "GTE", strconv.FormatInt(from, 10)}, filter{objectID, "GT", strconv.FormatInt(last, 10)})
	page, err := c.search(ctx, a, atMost(req.Limit, maxSearch), filters)
	if err != nil || page.Next == "" {
		return page, err
	}
	if upper == 0 {
		if upper = page.Date.UnixMilli(); page.Date.IsZero() {
			upper = time.Now().UnixMilli()
		}
	}
	reached := last
	for _, one := range page.Contacts {
		if !one.Deleted { // one that was merged away isn't in the order
			reached = max(reached, number(one.ExternalID))
		}
	}
	for _, one := range page.Failures {
		reached = max(reached, number(one.ExternalID))
	}
	if reached == last {
		return providers.Page{}, a.odd("the list of changes does not go on")
	}
	page.Next = providers.Cursor(fmt.Sprintf("%d|%d|%d", from, upper, reached))
	return page, nil
}

func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

func (c *contacts) search(ctx context.Context, a ask, limit int, filters []filter) (providers.Page, error) {
	body := map[string]any{"limit": limit, "properties": strings.Split(properties, ","), "sorts": []map[string]string{{"propertyName": objectID, "direction": "ASCENDING"}}}
	body["filterGroups"] = []map[string][]filter{{"filters": filters}}
	if filters == nil {
		body["filterGroups"] = []string{}
	}
	page, err := c.page(ctx, a, providers.Request{Method: "POST", URL: c.base + "/search", Body: body})
	if err == nil { // its answers have no headers about it: 5 a second, of which we take half [doc] [rule]
		limit := int64(5)
		page.Usage = providers.Usage{BurstLimit: &limit, BurstWindow: 2 * time.Second}
	}
	return page, err
}

// page reads an answer of list and search.
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
	page := providers.Page{Next: providers.Cursor(list.Paging.Next.After), Total: list.Total, Observation: observe(answer)}
	var lost []providers.Contact
	if list.Results.Kind() == '[' {
		page.Contacts, page.Failures, _ = providers.ReadRecords(list.Results, func(raw jsontext.Value) (providers.Contact, error) {
			one, merged, err := read(raw)
			lost = append(lost, merged...)
			return one, err
		})
		page.Contacts = append(page.Contacts, lost...)
		return page, nil
	}
	return providers.Page{}, a.odd("the answer has no list of contacts") // never an empty page
}

// ReadContact implements [providers.ContactSource]. An archived contact is absent until it is asked for as such.
func (c *contacts) ReadContact(ctx context.Context, externalID string) (providers.Contact, providers.Observation, error) {
	one, seen, err := c.readOne(ctx, externalID, false)
	if providers.KindOf(err) == providers.NotFound {
		return c.readOne(ctx, externalID, true)
	}
	return one, seen, err
}

func (c *contacts) readOne(ctx context.Context, id string, archived bool) (providers.Contact, providers.Observation, error) {
	a := ask{op: "hubspot: read contact", record: true, everWorked: c.everWorked}
	var raw jsontext.Value
	answer, err := a.do(ctx, c.http, providers.Request{URL: c.base + "/" + url.PathEscape(id) + "?" + query(archived).Encode()}, &raw)
	if err != nil {
		return providers.Contact{}, providers.Observation{}, err
	}
	seen := observe(answer)
	if raw.Kind() != '{' {
		return providers.Contact{}, seen, a.odd("the answer has no record")
	}
	one, failure := providers.ReadRecord(raw, func(raw jsontext.Value) (one providers.Contact, err error) {
		one, _, err = read(raw)
		return one, err
	})
	switch {
	case failure != nil:
		return one, seen, &providers.Error{Kind: providers.InvalidRequest, Op: a.op, Status: answer.Status, Code: failure.Reason, Detail: failure.Field, Record: failure}
	case one.ExternalID != id: // it was merged away: this is the survivor [doc]
		return mergedInto(one.ExternalID, id), seen, nil
	}
	return one, seen, nil
}

// CountContacts implements [providers.ContactCounter] by the index, which is late by moments: about that many.
func (c *contacts) CountContacts(ctx context.Context) (int64, providers.Observation, error) {
	page, err := c.search(ctx, ask{op: "hubspot: count contacts", everWorked: c.everWorked}, 1, nil)
	return page.Total, page.Observation, err
}

// ListDeleted implements [providers.DeletedLister]: all archived contacts, whatever since is, as no order is promised.
// Those that were merged away, purged or erased are not among them.
func (c *contacts) ListDeleted(ctx context.Context, _ time.Time, cursor providers.Cursor) (providers.DeletedPage, error) {
	page, err := c.list(ctx, ask{op: "hubspot: list deletions", everWorked: c.everWorked}, providers.ListRequest{Cursor: cursor}, true)
	deleted := providers.DeletedPage{Next: page.Next, Observation: page.Observation}
	for _, one := range page.Contacts {
		deleted.ExternalIDs = append(deleted.ExternalIDs, one.ExternalID)
	}
	return deleted, err
}

func observe(answer *providers.Answer) providers.Observation {
	usage := providers.Usage{BurstLimit: answer.Number("X-HubSpot-RateLimit-Max"), BurstRemaining: answer.Number("X-HubSpot-RateLimit-Remaining")}
	if ms := answer.Number("X-HubSpot-RateLimit-Interval-Milliseconds"); ms != nil {
		usage.BurstWindow = time.Duration(*ms) * time.Millisecond
	}
	return providers.Observation{Date: answer.Date(), Usage: usage}
}

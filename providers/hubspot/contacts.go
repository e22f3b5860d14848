package hubspot

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// The largest pages of a list and of a search; a larger limit is refused [doc].
const maxList, maxSearch = 100, 200

// Search orders by the id and filters by the time of modification.
const objectID, modified = "hs_object_id", "lastmodifieddate"

// properties are all that is asked for. Without them only six come; a list that makes the address longer than 6,000
// characters would be refused [bug: dlt-hub/verified-sources#305].
const properties = "email,hs_additional_emails,firstname,lastname,phone,mobilephone,company,jobtitle,hubspot_owner_id,lifecyclestage," +
	"createdate,lastmodifieddate,hs_object_id,hs_merged_object_ids,hs_calculated_merged_vids"

// contacts is the [providers.ContactSource] of one account.
type contacts struct{ *providers.Caller }

// stored is a question to the store, which lags behind nothing, about contacts that are archived or not.
func stored(op, path string, archived bool) providers.Ask {
	q := url.Values{"archived": {strconv.FormatBool(archived)}, "properties": {properties}}
	return providers.Ask{Op: op, Path: pathContacts + path, Query: q}
}

// ListContacts implements [providers.ContactSource]: a sweep reads the store, changes come from the index of search.
func (c *contacts) ListContacts(ctx context.Context, req providers.ListRequest) (providers.Page, error) {
	if req.UpdatedSince.IsZero() {
		return c.list(ctx, stored("list contacts", "", false), req)
	}
	return c.changed(ctx, req)
}

func (c *contacts) list(ctx context.Context, ask providers.Ask, req providers.ListRequest) (providers.Page, error) {
	ask.Cursor = req.Cursor
	ask.Query.Set("limit", strconv.Itoa(req.Size(maxList)))
	return c.List(ctx, ask, read)
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
	page, err := c.search(ctx, ask, req.Size(maxSearch), filters...)
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
	ask.Usage = providers.Usage{BurstLimit: new(int64(5)), BurstWindow: 2 * time.Second}
	ask.Body = map[string]any{
		"filterGroups": []map[string][]filter{{"filters": filters}}, "properties": strings.Split(properties, ","),
		"sorts": []filter{{"propertyName": objectID, "direction": "ASCENDING"}}, "limit": limit,
	}
	return c.List(ctx, ask, read)
}

// ReadContact implements [providers.ContactSource]. An archived contact is absent until it is asked for as such.
func (c *contacts) ReadContact(ctx context.Context, id string) (providers.Contact, providers.Observation, error) {
	one, seen, err := c.ReadOne(ctx, stored("read contact", "/"+url.PathEscape(id), false), id, read)
	if providers.KindOf(err) == providers.NotFound {
		return c.ReadOne(ctx, stored("read archived contact", "/"+url.PathEscape(id), true), id, read)
	}
	return one, seen, err
}

// CountContacts implements [providers.ContactCounter]. The index is late by moments: about so many.
func (c *contacts) CountContacts(ctx context.Context) (int64, providers.Observation, error) {
	page, err := c.search(ctx, providers.Ask{Op: "count contacts"}, 1, where(objectID, "GT", 0))
	return page.Total, page.Observation, err
}

// ListDeleted implements [providers.DeletedLister] by all archived contacts, whatever since is: no filter and no order
// are promised. Those that were merged away, purged or erased are not among them.
func (c *contacts) ListDeleted(ctx context.Context, _ time.Time, cursor providers.Cursor) (providers.DeletedPage, error) {
	page, err := c.list(ctx, stored("list deletions", "", true), providers.ListRequest{Cursor: cursor})
	return page.Deletions(), err
}

// read implements [providers.Reader]. Every property is a text or null [spec]. A contact without lastmodifieddate has no
// time, as search doesn't show it: updatedAt is another one by moments.
func read(raw jsontext.Value) (one providers.Contact, _ error) {
	var r struct {
		ID         providers.Text            `json:"id"`
		Properties map[string]providers.Text `json:"properties"`
		Archived   bool                      `json:"archived"`
	}
	if err := providers.DecodeRecord(raw, &r); err != nil {
		return one, err
	}
	p := func(name string) string { return string(r.Properties[name]) }
	updated, err := providers.RecordTime(modified, p(modified))
	created, _ := providers.ParseTime(p("createdate")) // nothing is decided by it
	emails := []providers.Address{{Value: p("email"), Primary: true}}
	for more := range strings.SplitSeq(p("hs_additional_emails"), ";") {
		emails = append(emails, providers.Address{Value: strings.TrimSpace(more)})
	}
	one = providers.Contact{
		ExternalID: string(r.ID), FirstName: p("firstname"), LastName: p("lastname"),
		Emails: providers.Addresses(emails...),
		Phones: providers.Addresses(
			providers.Address{Value: p("phone"), Label: "phone", Primary: true},
			providers.Address{Value: p("mobilephone"), Label: "mobilephone"}),
		OwnerID: p("hubspot_owner_id"), JobTitle: p("jobtitle"), Deleted: r.Archived,
		CustomFields: providers.CustomFields(map[string]string{"company": p("company"), "lifecyclestage": p("lifecyclestage")}),
		CreatedAt:    created, UpdatedAt: updated,
	}
	// "388;401" and "388:1795593600000;401:…": the lost ids, with the time of their end.
	for entry := range strings.SplitSeq(p("hs_merged_object_ids")+";"+p("hs_calculated_merged_vids"), ";") {
		if id, _, _ := strings.Cut(strings.TrimSpace(entry), ":"); id != "" && id != one.ExternalID {
			one.Absorbed = append(one.Absorbed, id)
		}
	}
	return one, err
}

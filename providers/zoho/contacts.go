package zoho

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

const (
	maxPage   = 200  // records of a list [doc]
	maxCount  = 10   // pages of a list that can be had by number [doc]
	maxKeyset = 2000 // records of a query [doc: COQL limitations]
	maxIDs    = 100  // ids of a list by ids [?]
)

// contacts is the [providers.ContactSource] of one account.
type contacts struct {
	*providers.Caller

	cfg    Config
	fields []field               // empty: not read yet
	names  [][]string            // of the fields, as many as one call may ask for each time
	opened *export               // the export that is being read; nil: none
	seen   providers.Observation // of the answers to the question that is being answered
}

// send asks at the price of a credit, unless the question names another, and returns the JSON of a good answer. Nil: the
// provider says that there is nothing, by 204, or by 304 if it was told since when.
func (c *contacts) send(ctx context.Context, ask providers.Ask) (body jsontext.Value, err error) {
	ask.Nothing, ask.Usage.Spent = true, cmp.Or(ask.Usage.Spent, 1)
	seen, err := c.Ask(ctx, ask, &body)
	c.seen.Add(seen)
	return body, err
}

// position is what a cursor says: the next page of a way.
type position struct {
	Way   Mode   `json:"way"`
	Last  string `json:"last,omitzero"`  // the largest id that a sweep has read
	Token string `json:"token,omitzero"` // of the list's next page
	Page  int    `json:"page,omitzero"`  // of a list without tokens, or of the exports; from 1
	Job   string `json:"job,omitzero"`   // the export; empty: it is still to be asked for
	Row   int    `json:"row,omitzero"`   // of the export: so many were read
}

func (p position) cursor() providers.Cursor {
	text, _ := json.Marshal(p) // texts and numbers, always
	return providers.Cursor(text)
}

// parse reads a cursor; the error is one that has expired. Ids are digits: they become part of a query or of a path.
func parse(cursor providers.Cursor, changes bool) (p position, err error) {
	if json.Unmarshal([]byte(cursor), &p) != nil || strings.Trim(p.Last+p.Job, "0123456789") != "" || p.Page < 0 || p.Row < 0 ||
		p.Way != List && (changes || p.Way != Keyset && p.Way != Bulk) {
		return p, &providers.Error{Kind: providers.CursorExpired, Op: "zoho: read the cursor", Detail: "the stored cursor is not of this list"}
	}
	return p, nil
}

// ListContacts implements [providers.ContactSource].
func (c *contacts) ListContacts(ctx context.Context, req providers.ListRequest) (page providers.Page, err error) {
	c.seen = providers.Observation{}
	if page, err = c.begin(ctx, req); err != nil {
		page = providers.Page{}
	}
	page.Observation = c.seen // also of a failure: it has cost as much
	return page, err
}

// begin finds out where and how a page is read.
func (c *contacts) begin(ctx context.Context, req providers.ListRequest) (page providers.Page, err error) {
	at, changes := position{Way: List}, !req.UpdatedSince.IsZero()
	if req.Cursor != "" {
		if at, err = parse(req.Cursor, changes); err != nil {
			return page, err
		}
	}
	if changes && req.Cursor == "" && len(c.fields) == 0 { // the fields are worth a call only if something changed
		if body, err := c.send(ctx, listing(req, at, []string{"Modified_Time"}, 1)); err != nil || body == nil {
			return page, err
		}
	}
	if err := c.module(ctx); err != nil {
		return page, err
	}
	if !changes && req.Cursor == "" {
		at.Way = choose(c.cfg.Full, req.Expected, c.cfg.ListLimit, len(c.names))
	}
	page, err = c.read(ctx, req, at)
	for plainer := map[Mode]Mode{Bulk: Keyset, Keyset: List}; req.Cursor == "" && plainer[at.Way] != "" && mayNot(err); {
		at.Way = plainer[at.Way]
		page, err = c.read(ctx, req, at)
	}
	return page, err
}

// choose is the way of a sweep that begins. A list of so many records is served in pages of 200 at a credit each, and
// so small an account needs nothing more; beyond it the cheaper one is taken. COQL costs 3 credits for 2,000 records. An
// export costs 50 for 200,000 records, and we reckon 10 for asking whether it is ready. Fields beyond the first 50 cost
// COQL another credit for 100 records each time, and an export nothing. How many records there are is an estimate: a
// list that proves too long goes on as keyset.
func choose(full Mode, expected, listLimit int64, calls int) Mode {
	upTo := func(each int64) int64 { return (expected + each - 1) / each }
	switch {
	case full != Auto && full != "":
		return full
	case expected <= listLimit:
		return List
	case 3*upTo(maxKeyset)+int64(calls-1)*upTo(maxIDs) <= (50+10)*upTo(maxJob):
		return Keyset
	}
	return Bulk
}

// mayNot says that the provider refuses a way to this account for good: another will do.
func mayNot(err error) bool {
	kind := providers.KindOf(err)
	return err != nil && (kind == providers.NeedsReauth || kind == providers.Blocked || kind == providers.Misconfigured)
}

// listing is a page of GET /Contacts. It is the same for every page of a walk but for the token, which is bound to all
// of it [doc].
func listing(req providers.ListRequest, at position, names []string, limit int) providers.Ask {
	q := url.Values{"fields": {strings.Join(names, ",")}, "per_page": {strconv.Itoa(limit)}, "sort_by": {"id"}, "sort_order": {"asc"}}
	if !req.UpdatedSince.IsZero() {
		q.Set("sort_by", "Modified_Time")
	}
	if at.Token != "" {
		q.Set("page_token", at.Token)
	} else if at.Page > 0 {
		q.Set("page", strconv.Itoa(at.Page))
	}
	return providers.Ask{Op: "list contacts", Path: "/crm/v8/Contacts", Query: q, Header: since(req.UpdatedSince)}
}

// since asks for what happened at or after a second; zero: for all.
func since(t time.Time) http.Header {
	if t.IsZero() {
		return nil
	}
	return http.Header{headerSince: {t.UTC().Format("2006-01-02T15:04:05+00:00")}}
}

// query is a page of POST /coql from the last id on: an offset would end at 100,000 records.
func query(at position, names []string, limit int) providers.Ask {
	text := fmt.Sprintf("select id, %s from Contacts where id > '%s' order by id asc limit %d", strings.Join(names, ", "), cmp.Or(at.Last, "0"), limit)
	price := 1 + int64(min((limit-1)/200, 1)+(limit-1)/1000)
	return providers.Ask{
		Op: "query contacts", Method: http.MethodPost, Path: "/crm/v8/coql", Body: map[string]string{"select_query": text},
		Usage: providers.Usage{Spent: price},
	}
}

// read reads the page at a position.
func (c *contacts) read(ctx context.Context, req providers.ListRequest, at position) (page providers.Page, err error) {
	if at.Way == Bulk {
		return c.bulk(ctx, req, at)
	}
	ask := listing(req, at, c.names[0], min(cmp.Or(req.Limit, maxPage), maxPage))
	if at.Way == Keyset {
		ask = query(at, c.names[0], min(cmp.Or(req.Limit, maxKeyset), maxKeyset))
	}
	changes := ask.Header != nil
	body, err := c.send(ctx, ask)
	if e, ok := errors.AsType[*providers.Error](err); ok && e.Code == tooLong && !changes && at.Way == List {
		return c.read(ctx, req, position{Way: Keyset, Last: at.Last})
	}
	if err != nil || body == nil {
		return page, err
	}
	records, more, err := c.listed(ask, body)
	if err != nil {
		return page, err
	}
	ids := idsOf(records)
	rest, err := c.more(ctx, ids)
	if err != nil {
		return page, err
	}
	page.Contacts, page.Failures = providers.ReadRecords(records, c.reader(rest))
	if !more {
		return page, nil
	}
	next := position{Way: at.Way, Last: ids[len(ids)-1], Token: providers.Plain(body, "info", "next_page_token")}
	switch {
	case at.Way == Keyset || next.Token != "":
	case at.Page < maxCount: // [?]
		next.Page = max(at.Page, 1) + 1
	case changes:
		return page, &providers.Error{Kind: providers.ListTooLong, Op: "zoho: list contacts", Detail: "the list goes on without a page token"}
	default:
		next.Way = Keyset
	}
	page.Next = next.cursor()
	return page, nil
}

// listed are the records of an answer, and whether there are more. One that has no list, doesn't say whether it goes on,
// or goes on without a record is refused: it would be an empty page.
func (c *contacts) listed(ask providers.Ask, body jsontext.Value) (records []jsontext.Value, more bool, err error) {
	records, info := providers.Items(providers.Dig(body, "data")), providers.Dig(body, "info", "more_records")
	more = info.Kind() == 't'
	if records == nil || !more && info.Kind() != 'f' || more && len(idsOf(records)) == 0 {
		return nil, false, c.Unexpected(ask, "the answer has no list of records, or does not say whether it goes on")
	}
	return records, more, nil
}

func idsOf(records []jsontext.Value) (ids []string) {
	for _, raw := range records {
		if id := providers.Plain(raw, "id"); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// more reads the fields beyond those of the first call, 100 records a call; nil: there are none.
func (c *contacts) more(ctx context.Context, ids []string) (found map[string]record, err error) {
	for _, names := range c.names[1:] {
		if found == nil {
			found = map[string]record{}
		}
		for part := range slices.Chunk(ids, maxIDs) {
			q := url.Values{"ids": {strings.Join(part, ",")}, "fields": {strings.Join(names, ",")}, "per_page": {strconv.Itoa(maxIDs)}}
			body, err := c.send(ctx, providers.Ask{Op: "list more fields", Path: "/crm/v8/Contacts", Query: q})
			if err != nil {
				return nil, err
			}
			for _, raw := range providers.Items(providers.Dig(body, "data")) {
				id := providers.Plain(raw, "id")
				r := found[id]
				if json.Unmarshal(raw, &r, jsontext.AllowDuplicateNames(true)) == nil { // adds to what is there
					found[id] = r
				}
			}
		}
	}
	return found, nil
}

// ReadContact implements [providers.ContactSource]. It brings all fields of the record, however many. A contact in the
// recycle bin is as absent as one that never was.
func (c *contacts) ReadContact(ctx context.Context, externalID string) (contact providers.Contact, seen providers.Observation, err error) {
	c.seen = providers.Observation{}
	if err := c.module(ctx); err != nil {
		return contact, c.seen, err
	}
	ask := providers.Ask{Op: "read contact", Path: "/crm/v8/Contacts/" + url.PathEscape(externalID), Record: true}
	body, err := c.send(ctx, ask)
	if err == nil && body == nil {
		err = &providers.Error{Kind: providers.NotFound, Op: "zoho: read contact", Status: http.StatusNoContent}
	}
	if err != nil {
		return contact, c.seen, err
	}
	return c.Record(ask, c.seen, providers.Dig(body, "data", "0"), externalID, c.reader(nil))
}

// CountContacts implements [providers.ContactCounter].
func (c *contacts) CountContacts(ctx context.Context) (n int64, seen providers.Observation, err error) {
	c.seen = providers.Observation{}
	ask := providers.Ask{Op: "count contacts", Path: "/crm/v8/Contacts/actions/count"}
	body, err := c.send(ctx, ask)
	if err != nil {
		return 0, c.seen, err
	}
	if n, err = strconv.ParseInt(providers.Plain(body, "count"), 10, 64); err != nil { // a text in one spec, a number in the other
		return 0, c.seen, c.Unexpected(ask, "the answer has no count")
	}
	return n, c.seen, nil
}

// ListDeleted implements [providers.DeletedLister]: what lies in the recycle bin, 60 days, and what was deleted for good,
// 120 days [doc]. Its cursor is the number of a page: there are no tokens here.
func (c *contacts) ListDeleted(ctx context.Context, from time.Time, cursor providers.Cursor) (page providers.DeletedPage, err error) {
	c.seen = providers.Observation{}
	number, _ := strconv.ParseUint(string(cursor), 10, 31)
	number = max(number, 1) // what is no cursor of ours is the beginning
	q := url.Values{"type": {"all"}, "per_page": {strconv.Itoa(maxPage)}, "page": {strconv.FormatUint(number, 10)}}
	ask := providers.Ask{Op: "list deletions", Path: "/crm/v8/Contacts/deleted", Query: q, Header: since(from)}
	body, err := c.send(ctx, ask)
	if page.Observation = c.seen; err != nil || body == nil {
		return page, err
	}
	records, more, err := c.listed(ask, body)
	if page.ExternalIDs = idsOf(records); more {
		page.Next = providers.Cursor(strconv.FormatUint(number+1, 10))
	}
	return page, err
}

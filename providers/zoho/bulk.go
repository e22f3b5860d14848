package zoho

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/enlace/providers"
)

const (
	maxJob    = 200_000          // records of an export [doc]
	maxRows   = 2000             // records of a page of an export
	pollAfter = 15 * time.Second // [rule]
	maxJobAge = 12 * time.Hour   // an export that isn't ready by then never will be [rule]
)

// export is an export that is being read.
type export struct {
	*providers.Export

	job  string
	more bool // there are more records than it has
}

// bulk asks for an export, or looks whether it is ready, or reads a page of it.
func (c *contacts) bulk(ctx context.Context, req providers.ListRequest, at position) (page providers.Page, err error) {
	if at.Job == "" {
		at.Page = max(at.Page, 1)
		at.Job, err = c.order(ctx, at.Page)
		return providers.Page{Next: at.cursor(), Wait: pollAfter}, err
	}
	if c.opened == nil || c.opened.job != at.Job || c.opened.Row() > at.Row {
		ready, err := c.open(ctx, at.Job)
		if err != nil || !ready {
			return providers.Page{Next: at.cursor(), Wait: pollAfter}, err
		}
	}
	records, err := c.opened.Read(at.Row, min(cmp.Or(req.Limit, maxRows), maxRows))
	page.Contacts, page.Failures = providers.ReadRecords(records, c.reader(nil))
	switch at.Row = c.opened.Row(); {
	case err == nil:
		page.Next = at.cursor()
	case errors.Is(err, io.EOF) && c.opened.more:
		page.Next, err = position{Way: Bulk, Page: at.Page + 1}.cursor(), nil
	case errors.Is(err, io.EOF):
		err = nil
	default:
		_ = c.Close() // it may have come broken: the next call fetches it again
	}
	return page, err
}

// order creates the job of an export.
func (c *contacts) order(ctx context.Context, page int) (job string, err error) {
	query := map[string]any{"module": map[string]string{"api_name": "Contacts"}, "fields": append(slices.Concat(c.names...), "id"), "page": page}
	ask := providers.Ask{
		Op: "order an export", Method: http.MethodPost, Path: "/crm/bulk/v8/read", Body: map[string]any{"file_type": "csv", "query": query},
		Usage: providers.Usage{Spent: 50},
	}
	body, err := c.send(ctx, ask)
	if job = providers.Plain(body, "data", "0", "details", "id"); err == nil && job == "" {
		err = c.Unexpected(ask, "the answer names no job")
	}
	return job, err
}

// open fetches an export if it is ready. One that failed, or that is gone after a day, is a cursor that has expired.
func (c *contacts) open(ctx context.Context, id string) (ready bool, err error) {
	ask := providers.Ask{Op: "look for the export", Path: "/crm/bulk/v8/read/" + id, Record: true}
	body, err := c.send(ctx, ask)
	if err != nil {
		return false, providers.Expired(err)
	}
	job := providers.Dig(body, "data", "0")
	state := providers.Plain(job, "state")
	made, _ := providers.ParseTime(providers.Plain(job, "created_time")) // one that can't be read is young
	switch {
	case state == "":
		return false, c.Unexpected(ask, "the answer is not about the job")
	case state == "COMPLETED":
	case strings.HasPrefix(state, "FAIL"), !made.IsZero() && c.seen.Date.Sub(made) > maxJobAge:
		return false, &providers.Error{Kind: providers.CursorExpired, Op: "zoho: look for the export", Detail: "the export failed"}
	default: // ADDED, IN PROGRESS, QUEUED [?]
		return false, nil
	}
	_ = c.Close()
	ask = providers.Ask{Op: "fetch the export", Path: ask.Path + "/result", Record: true, Usage: providers.Usage{Spent: 1}}
	file, seen, err := c.OpenExport(ctx, ask)
	c.seen.Add(seen)
	if err != nil {
		return false, providers.Expired(err)
	}
	c.opened = &export{Export: file, job: id, more: providers.Dig(job, "result", "more_records").Kind() == 't'}
	return true, nil
}

// Close implements [io.Closer]: the export's file is gone.
func (c *contacts) Close() error {
	if c.opened == nil {
		return nil
	}
	file := c.opened.Export
	c.opened = nil
	return file.Close()
}

package zoho

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

const (
	maxJob      = 200_000          // records of an export [doc]
	maxRows     = 2000             // records of a page of an export
	pollAfter   = 15 * time.Second // [rule]
	maxJobAge   = 12 * time.Hour   // an export that isn't ready by then never will be [rule]
	maxZip      = 4 << 30          // bytes of an export as it is sent
	maxUnpacked = 32 << 30         // bytes of an export, by its own word, which package zip holds it to
	maxRow      = 16 << 20         // bytes of one row
)

// export is an export that is being read.
type export struct {
	job   string
	more  bool // there are more records than it has
	file  *os.File
	names []string // of its columns
	rows  *csv.Reader
	limit *io.LimitedReader // of a row
	row   int               // so many were read
}

// bulk asks for an export, or looks whether it is ready, or reads a page of it.
func (c *contacts) bulk(ctx context.Context, req providers.ListRequest, at position) (page providers.Page, err error) {
	if at.Job == "" {
		at.Page = max(at.Page, 1)
		at.Job, err = c.order(ctx, at.Page)
		return providers.Page{Next: at.cursor(), Wait: pollAfter}, err
	}
	if c.opened == nil || c.opened.job != at.Job || c.opened.row > at.Row {
		ready, err := c.open(ctx, at)
		if err != nil || !ready {
			return providers.Page{Next: at.cursor(), Wait: pollAfter}, err
		}
	}
	e := c.opened
	records, err := e.read(at.Row, min(cmp.Or(req.Limit, maxRows), maxRows))
	page = c.contactsOf(records, nil)
	switch at.Row = e.row; {
	case err == nil:
		page.Next = at.cursor()
	case errors.Is(err, io.EOF) && e.more:
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
	a := ask{op: "zoho: ask for an export", credits: 50}
	body, err := c.send(ctx, a, providers.Request{Method: http.MethodPost, URL: "/crm/bulk/v8/read", Body: map[string]any{
		"file_type": "csv",
		"query":     map[string]any{"module": map[string]string{"api_name": "Contacts"}, "fields": append([]string{"id"}, namesOf(c.fields)...), "page": page},
	}})
	if job = plain(body, "data", "0", "details", "id"); err == nil && job == "" {
		err = odd(a, "the answer names no job")
	}
	return job, err
}

// open fetches an export if it is ready. One that failed, or that is gone after a day, is a cursor that has expired.
func (c *contacts) open(ctx context.Context, at position) (ready bool, err error) {
	a := ask{op: "zoho: look for the export", gone: providers.CursorExpired}
	path := "/crm/bulk/v8/read/" + at.Job
	body, err := c.get(ctx, a, path)
	if err != nil {
		return false, err
	}
	job := dig(body, "data", "0")
	state := plain(job, "state")
	made, _ := providers.ParseTime(plain(job, "created_time")) // one that can't be read is young
	switch {
	case state == "":
		return false, odd(a, "the answer is not about the job")
	case strings.HasPrefix(state, "FAIL"), !made.IsZero() && c.seen.Date.Sub(made) > maxJobAge:
		return false, &providers.Error{Kind: providers.CursorExpired, Op: a.op, Status: http.StatusOK, Detail: "the export failed"}
	case state != "COMPLETED": // ADDED, IN PROGRESS, QUEUED [?]
		return false, nil
	}
	_ = c.Close()
	file, err := os.CreateTemp("", "enlace-zoho-*.zip")
	if err != nil {
		return false, &providers.Error{Kind: providers.Internal, Op: a.op, Err: err}
	}
	_ = os.Remove(file.Name()) // gone with its last handle, even if we are killed; where that can't be, by [contacts.Close]
	c.opened = &export{job: at.Job, more: dig(job, "result", "more_records").Kind() == 't', file: file}
	if err = c.download(ctx, path+"/result"); err != nil {
		_ = c.Close()
	}
	return err == nil, err
}

// download fills the export's file and begins it.
func (c *contacts) download(ctx context.Context, path string) error {
	a := ask{op: "zoho: fetch the export", gone: providers.CursorExpired}
	ctx, cancel := context.WithTimeout(ctx, 20*c.cfg.Timeout)
	defer cancel()
	answer, err := c.files.Download(ctx, a.op, c.base+path, c.opened.file, maxZip)
	if err != nil {
		return err
	}
	if err := c.observe(answer, a); err != nil {
		return err
	}
	return c.opened.begin()
}

// begin opens the CSV and reads its header. What is no ZIP is a page on the way.
func (e *export) begin() error {
	size, err := e.file.Seek(0, io.SeekEnd)
	if err != nil {
		return e.failed(providers.Internal, err)
	}
	archive, err := zip.NewReader(e.file, size)
	if err != nil {
		return e.failed(providers.Transient, err)
	}
	if len(archive.File) != 1 || archive.File[0].UncompressedSize64 > maxUnpacked {
		return e.failed(providers.SchemaChanged, errors.New("it is not one file of a size that makes sense"))
	}
	from, err := archive.File[0].Open()
	if err != nil {
		return e.failed(providers.Transient, err)
	}
	e.limit = &io.LimitedReader{R: from, N: maxRow}
	e.rows = csv.NewReader(e.limit)
	if e.names, err = e.rows.Read(); err != nil {
		return e.failed(providers.SchemaChanged, err)
	}
	for i, name := range e.names {
		if e.names[i] = strings.TrimPrefix(name, "\ufeff"); e.names[i] == "Id" { // [seen]
			e.names[i] = "id"
		}
	}
	return nil
}

func (e *export) failed(kind providers.ErrorKind, err error) error {
	return &providers.Error{Kind: kind, Op: "zoho: read the export", Err: fmt.Errorf("row %d: %w", e.row, err)}
}

// read makes records of the rows after so many, at most limit; at the end the error is [io.EOF]. Cells are texts, and an
// empty one is no value. A file that isn't CSV, or has a row beyond all measure, is not the provider's; one that can't be
// unpacked came broken.
func (e *export) read(after, limit int) (records []jsontext.Value, err error) {
	for e.row < after+limit {
		e.limit.N = maxRow
		cells, err := e.rows.Read()
		_, bad := errors.AsType[*csv.ParseError](err)
		switch {
		case bad || e.limit.N <= 0:
			return nil, e.failed(providers.SchemaChanged, cmp.Or(err, errors.New("it is too large")))
		case errors.Is(err, io.EOF):
			return records, io.EOF
		case err != nil:
			return nil, e.failed(providers.Transient, err)
		}
		if e.row++; e.row <= after {
			continue
		}
		members := make(map[string]string, len(cells))
		for i, cell := range cells {
			if cell != "" {
				members[e.names[i]] = providers.CleanText(cell)
			}
		}
		raw, err := json.Marshal(members, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return nil, e.failed(providers.Internal, err)
		}
		records = append(records, raw)
	}
	return records, nil
}

// Close implements [io.Closer]: it removes the export's file.
func (c *contacts) Close() error {
	if c.opened == nil {
		return nil
	}
	file := c.opened.file
	c.opened = nil
	err := file.Close()
	_ = os.Remove(file.Name())
	return err //nolint:wrapcheck // it says all
}

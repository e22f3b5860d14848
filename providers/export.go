package providers

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ExportTimeout bounds the download of an export.
const ExportTimeout = 10 * time.Minute

// Bounds of an export.
const (
	maxExport       = 4 << 30  // bytes as it is sent
	maxUnpacked     = 32 << 30 // bytes of its file, by its own word, which package zip holds it to
	maxExportRecord = 16 << 20 // bytes of one row
)

// Export is a list that a provider has prepared as a file: CSV, the only one in a ZIP. It is kept in a temporary file
// and unpacked row by row. For use by one goroutine at a time; Close it.
type Export struct {
	op      string
	file    *os.File
	limit   *io.LimitedReader
	rows    *csv.Reader
	columns []string
	row     int // so many were read
}

// OpenExport fetches an export. It is nil beside an answer that isn't a good one, for the adapter to judge. The error is
// an [*Error]: [Transient] for a file that came broken, [SchemaChanged] for one of another kind.
func (h *HTTP) OpenExport(ctx context.Context, op, url string) (e *Export, answer *Answer, err error) {
	file, err := os.CreateTemp("", "enlace-export-*.zip")
	if err != nil {
		return nil, nil, &Error{Kind: Internal, Op: op, Err: err}
	}
	_ = os.Remove(file.Name()) // gone with its last handle, even if we are killed; where that can't be, by Close
	e = &Export{op: op, file: file}
	ctx, cancel := context.WithTimeout(ctx, ExportTimeout)
	defer cancel()
	if answer, err = h.Download(ctx, op, url, file, maxExport); err == nil && answer.OK() {
		if err = e.begin(); err == nil {
			return e, answer, nil
		}
	}
	_ = e.Close()
	return nil, answer, err
}

// begin opens the file and reads its header. What is no ZIP is a page on the way.
func (e *Export) begin() error {
	size, err := e.file.Seek(0, io.SeekEnd)
	if err != nil {
		return e.failed(Internal, err)
	}
	archive, err := zip.NewReader(e.file, size)
	if err != nil {
		return e.failed(Transient, err)
	}
	if len(archive.File) != 1 || archive.File[0].UncompressedSize64 > maxUnpacked {
		return e.failed(SchemaChanged, errors.New("it is not one file of a size that makes sense"))
	}
	from, err := archive.File[0].Open()
	if err != nil {
		return e.failed(Transient, err)
	}
	e.limit = &io.LimitedReader{R: from, N: maxExportRecord}
	e.rows = csv.NewReader(e.limit)
	if e.columns, err = e.rows.Read(); err != nil {
		return e.failed(SchemaChanged, err)
	}
	e.columns[0] = strings.TrimPrefix(e.columns[0], "\ufeff")
	return nil
}

func (e *Export) failed(kind ErrorKind, err error) error {
	return &Error{Kind: kind, Op: e.op, Err: fmt.Errorf("row %d: %w", e.row, err)}
}

// Row is how many rows were read.
func (e *Export) Row() int { return e.row }

// Read makes a JSON object of texts of each row after so many, at most limit; an empty cell is no member. It only goes
// forward. At the end of the file the error is [io.EOF], beside the last rows; otherwise it is an [*Error].
func (e *Export) Read(after, limit int) (records []jsontext.Value, err error) {
	for e.row < after+limit {
		e.limit.N = maxExportRecord
		cells, err := e.rows.Read()
		_, bad := errors.AsType[*csv.ParseError](err)
		switch {
		case e.limit.N <= 0:
			return nil, e.failed(SchemaChanged, errors.New("it is too large"))
		case bad:
			return nil, e.failed(SchemaChanged, errors.New("it is not CSV"))
		case errors.Is(err, io.EOF):
			return records, io.EOF
		case err != nil:
			return nil, e.failed(Transient, err)
		}
		if e.row++; e.row <= after {
			continue
		}
		members := make(map[string]string, len(cells))
		for i, cell := range cells {
			if cell != "" {
				members[e.columns[i]] = CleanText(cell)
			}
		}
		raw, err := json.Marshal(members, json.Deterministic(true))
		if err != nil {
			return nil, e.failed(Internal, err)
		}
		records = append(records, raw)
	}
	return records, nil
}

// Expired makes of an export that isn't there any more ([NotFound]) a cursor that has expired.
func Expired(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == NotFound {
		e.Become(CursorExpired, "", 0)
	}
	return err
}

// Close implements [io.Closer]: the file is gone.
func (e *Export) Close() error {
	err := e.file.Close()
	_ = os.Remove(e.file.Name())
	if err != nil {
		return e.failed(Internal, err)
	}
	return nil
}

// OpenExport fetches an export of an account, judged as [Caller.Ask] judges; see [HTTP.OpenExport].
func (c *Caller) OpenExport(ctx context.Context, ask Ask) (*Export, Observation, error) {
	if err := pay(ctx, ask.Usage.Spent); err != nil {
		return nil, Observation{}, err
	}
	file, answer, err := c.http.OpenExport(ctx, c.op(ask), c.base+ask.Path)
	if err != nil {
		return nil, Observation{}, err
	}
	seen := Observation{Date: answer.Date(), Usage: c.api.Usage.read(answer, ask.Usage)}
	if file == nil {
		return nil, seen, c.judge(answer, ask)
	}
	return file, seen, nil
}

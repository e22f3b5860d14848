package sandbox

import (
	"archive/zip"
	"compress/flate"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// bulkChunk is how many records are looked at in one go.
const bulkChunk = 2000

// downloadBulk is GET /crm/bulk/v8/read/{id}/result: a ZIP with one CSV, written
// as it is made.
func (z *Zoho) downloadBulk(w http.ResponseWriter, r *http.Request, s zohoSession) {
	j, state := z.poll(r.PathValue("id"), s, 0)
	if state != bulkCompleted {
		bulkNotFound(http.StatusBadRequest, r).in(s.settings.ErrorForm).write(w)
		return
	}
	w.Header().Set("Content-Type", "application/x-download")
	w.Header().Set("Content-Disposition", `attachment;filename=`+j.id+`.zip`)
	if j.writeZIP(w) != nil {
		panic(http.ErrAbortHandler) // the client went away
	}
}

func (j *bulkJob) writeZIP(w io.Writer) error {
	archive := zip.NewWriter(w)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	file, err := archive.Create(j.id + ".csv")
	if err != nil {
		return fmt.Errorf("begin the file: %w", err)
	}
	if err := j.writeCSV(file); err != nil {
		return fmt.Errorf("write the rows: %w", err)
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

// writeCSV writes the header and the job's rows in order of ids.
func (j *bulkJob) writeCSV(w io.Writer) error {
	rows := csv.NewWriter(w)
	cells := []string{j.idHeader}
	for _, f := range j.fields {
		cells = append(cells, f.name)
	}
	if err := rows.Write(cells); err != nil {
		return err //nolint:wrapcheck // the caller says what was written
	}
	var view contactView
	asked := walk{order: byID, limit: bulkChunk, keep: zohoSession{settings: ZohoSettings{Visible: j.visible}}.sees}
	skip, left := (j.page-1)*j.size, j.size
	for more := true; more && left > 0; {
		var found []record
		found, more = j.contacts.page(asked)
		for _, r := range found {
			asked.after = &key{0, r.id}
			if skip > 0 {
				skip--
				continue
			}
			if left--; left < 0 {
				break
			}
			if err := rows.Write(view.appendCells(cells[:0], j.org, r, j.fields)); err != nil {
				return err //nolint:wrapcheck // the caller says what was written
			}
		}
	}
	rows.Flush()
	return rows.Error() //nolint:wrapcheck // the caller says what was written
}

func (v *contactView) appendCells(cells []string, o *zohoOrg, r record, fields []*zohoField) []string {
	v.look(o, r)
	cells = append(cells, strconv.FormatInt(o.recordID(r.id), 10))
	for _, f := range fields {
		v.read(f)
		cells = append(cells, v.cell())
	}
	return cells
}

package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Limits of bulk reads. [doc: Bulk Read; the price [?]]
const (
	bulkPrice    = 50 // credits for each job
	bulkMostPage = 50 // that page reaches; page_token goes on
	bulkLife     = 24 * time.Hour
)

// States of a job. [spec30: bulk_read.json]
const (
	bulkInProgress = "IN PROGRESS"
	bulkCompleted  = "COMPLETED"
	bulkFailed     = "FAILURE"
)

// bulkJob is a bulk read. Its records are those of the moment when it was made.
type bulkJob struct {
	id       string
	org      *zohoOrg
	fields   []*zohoField
	page     int
	size     int // rows at most
	created  time.Time
	contacts *records
	visible  int64
	idHeader string
	fails    bool
	polls    int // so far; guarded by Zoho.mu
}

// bulkJobs are those of all orgs that are not over yet. Guarded by Zoho.mu.
type bulkJobs struct {
	byID map[string]*bulkJob
	last int64
}

// snapshot is a copy of the records, which costs what was changed and not what
// was generated.
func (s *records) snapshot() *records {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := &records{size: s.size, begun: s.begun, ended: s.ended, seed: s.seed, tick: s.tick, lastID: s.lastID}
	copied.changed = make(map[int64]record, len(s.changed))
	for id, r := range s.changed {
		r.before = nil
		copied.changed[id] = r
	}
	return copied
}

// bulkRequest is the body of POST /crm/bulk/v8/read.
type bulkRequest struct {
	Callback json.RawMessage `json:"callback"`
	FileType string          `json:"file_type"`
	Query    struct {
		Module struct {
			APIName string `json:"api_name"`
		} `json:"module"`
		Fields    []string        `json:"fields"`
		Page      *int            `json:"page"`
		PageToken string          `json:"page_token"`
		CVID      json.RawMessage `json:"cvid"`
		Criteria  json.RawMessage `json:"criteria"`
	} `json:"query"`
}

// createBulk is POST /crm/bulk/v8/read.
func (z *Zoho) createBulk(w http.ResponseWriter, r *http.Request, s zohoSession) {
	asked, refused := readBulk(w, r)
	job := &bulkJob{org: s.org, page: 1, size: s.settings.BulkPage, visible: s.settings.Visible, idHeader: s.settings.BulkIDHeader, fails: quirk(r) == FaultBulkFailure}
	if refused == nil {
		refused = job.ask(asked, s.settings)
	}
	if refused == nil && asked.Query.PageToken != "" {
		refused = z.resumeBulk(job, asked.Query.PageToken)
	}
	if refused != nil {
		refused.in(s.settings.ErrorForm).write(w)
		return
	}
	job.created, job.contacts = z.sandbox.Now(), s.org.contacts.snapshot()
	z.mu.Lock()
	for id, old := range z.jobs.byID {
		if job.created.Sub(old.created) >= bulkLife {
			delete(z.jobs.byID, id)
		}
	}
	z.jobs.last++
	job.id = strconv.FormatInt(s.org.recordID(jobIDs+z.jobs.last), 10)
	z.jobs.byID[job.id] = job
	z.mu.Unlock()
	writeZoho(w, http.StatusCreated, map[string]any{
		"data": []any{map[string]any{
			"status": "success", "code": "ADDED_SUCCESSFULLY", "message": "Added successfully.",
			"details": map[string]any{
				"id": job.id, "operation": "read", "state": s.settings.BulkFirstState,
				"created_by": s.org.minifiedUser(), "created_time": job.createdTime(),
			},
		}},
		"info": map[string]any{},
	})
}

func (j *bulkJob) createdTime() string { return j.created.In(zones[0]).Format(zohoTimeForm) }

func bulkError(code, message string, details map[string]any) *zohoRefusal {
	refused := refuse(http.StatusBadRequest, code, message, details)
	return &refused
}

func readBulk(w http.ResponseWriter, r *http.Request) (asked bulkRequest, refused *zohoRefusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	switch {
	case err == nil && len(bytes.TrimSpace(body)) == 0:
		return asked, bulkError("REQUEST_BODY_IS_EMPTY", "The request body is empty", nil)
	case err != nil, json.Unmarshal(body, &asked) != nil:
		return asked, bulkError("REQUEST_BODY_NOT_READABLE", "The request body is not readable", nil)
	}
	return asked, nil
}

// ask checks what a job is to read; what the sandbox does not serve is refused.
func (j *bulkJob) ask(asked bulkRequest, settings ZohoSettings) *zohoRefusal {
	given := func(text json.RawMessage) bool { return len(text) > 0 && string(text) != "null" }
	q := asked.Query
	switch {
	case q.Module.APIName != contactsModule:
		return bulkError("MODULE_NOT_AVAILABLE", "The module is not available", map[string]any{"resource": q.Module.APIName})
	case asked.FileType != "" && asked.FileType != "csv", given(asked.Callback):
		return bulkError("NOT_SUPPORTED_FEATURE", "The feature is not supported", nil)
	case given(q.Criteria):
		return bulkError("CRITERIA_NOT_SUPPORTED", "The criteria is not supported", nil)
	case given(q.CVID):
		return bulkError("CVID_NOT_SUPPORTED", "The cvid is not supported", nil)
	case q.Page != nil && q.PageToken != "":
		return &ambiguousPage
	case q.Page != nil && (*q.Page < 1 || *q.Page > bulkMostPage):
		return bulkError("PAGE_RANGE_EXCEEDED", "The page range exceeds the maximum limit", map[string]any{"max_limit": bulkMostPage})
	}
	if q.Page != nil {
		j.page = *q.Page
	}
	for _, name := range q.Fields {
		field := settings.field(name)
		switch {
		case field != nil:
			j.fields = append(j.fields, field)
		case !strings.EqualFold(name, "id"):
			return bulkError("FIELD_NOT_AVAILABLE", "The field is not available", map[string]any{"api_name": name, "module": contactsModule})
		}
	}
	if len(q.Fields) == 0 {
		j.fields = settings.fields()
	}
	return nil
}

// bound is what a page_token may not be parted from.
func (j *bulkJob) bound() []byte {
	names := []string{"bulk", j.org.userID()}
	for _, f := range j.fields {
		names = append(names, f.name)
	}
	return shortHash(strings.Join(names, "\n"))
}

func (z *Zoho) resumeBulk(j *bulkJob, token string) *zohoRefusal {
	place, boundTo, ok := z.auth.openPageToken(token)
	switch {
	case !ok:
		return bulkError("INVALID_DATA", "the page_token given seems to be invalid", map[string]any{"api_name": "page_token"})
	case z.sandbox.Now().Unix() >= place.expires:
		return &expiredPageToken
	case !bytes.Equal(boundTo, j.bound()):
		return &boundPageToken
	}
	j.page = int(place.page)
	return nil
}

// count is how many rows the job has, and whether more follow.
func (j *bulkJob) count() (rows int, more bool) {
	all := j.contacts.livingUpTo(j.visible)
	return max(0, min(j.size, all-(j.page-1)*j.size)), all > j.page*j.size
}

// poll finds a job and says how it stands, after one question more.
func (z *Zoho) poll(id string, s zohoSession, asked int) (*bulkJob, string) {
	now := z.sandbox.Now()
	z.mu.Lock()
	defer z.mu.Unlock()
	j := z.jobs.byID[id]
	if j == nil || j.org != s.org || now.Sub(j.created) >= bulkLife {
		return nil, ""
	}
	j.polls += asked
	switch ready := now.Sub(j.created) >= time.Duration(s.settings.BulkMS)*time.Millisecond; {
	case ready && j.polls > s.settings.BulkPolls && j.fails:
		return j, bulkFailed
	case ready && j.polls > s.settings.BulkPolls:
		return j, bulkCompleted
	case j.polls > 1:
		return j, bulkInProgress
	}
	return j, s.settings.BulkFirstState
}

// readBulkJob is GET /crm/bulk/v8/read/{id}.
func (z *Zoho) readBulkJob(w http.ResponseWriter, r *http.Request, s zohoSession) {
	j, state := z.poll(r.PathValue("id"), s, 1)
	if j == nil {
		bulkNotFound(http.StatusNotFound, r).in(s.settings.ErrorForm).write(w)
		return
	}
	names := []string{}
	for _, f := range j.fields {
		names = append(names, f.name)
	}
	detail := map[string]any{
		"id": j.id, "operation": "read", "state": state, "created_by": j.org.minifiedUser(), "created_time": j.createdTime(), "file_type": "csv",
		"query": map[string]any{"module": map[string]string{"api_name": contactsModule, "id": j.org.contactsModuleID()}, "fields": names, "page": j.page, "cvid": nil},
	}
	if state == bulkCompleted {
		detail["result"] = z.bulkResult(j)
	}
	writeZoho(w, http.StatusOK, map[string]any{"data": []any{detail}})
}

func (z *Zoho) bulkResult(j *bulkJob) map[string]any {
	rows, more := j.count()
	result := map[string]any{
		"page": j.page, "per_page": j.size, "count": rows, "more_records": more, "next_page_token": nil,
		"download_url": "/crm/bulk/v8/read/" + j.id + "/result",
	}
	if more {
		result["next_page_token"] = z.auth.pageToken(pagePlace{
			page: uint32(j.page + 1), expires: z.sandbox.Now().Add(pageTokenLife).Unix(), //nolint:gosec // small
		}, j.bound())
	}
	return result
}

func bulkNotFound(status int, r *http.Request) zohoRefusal {
	return refuse(status, "RESOURCE_NOT_FOUND", "The requested resource doesn't exist.", map[string]any{"resource": r.PathValue("id")})
}

func (z *Zoho) bulkJobCount() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return len(z.jobs.byID)
}

package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of GET /api/v2/persons.
const (
	defaultPage = 100
	longestPage = 500
	mostIDs     = 100
)

// listParams are the query parameters of the list; v2 refuses others.
var listParams = []string{
	"filter_id", "ids", "owner_id", "org_id", "deal_id", "updated_since", "updated_until", "sort_by", "sort_direction",
	"include_fields", "custom_fields", "include_option_labels", "include_labels", "limit", "cursor",
}

// notServed are parameters that the provider knows and the sandbox does not:
// a loud answer is better than one that ignores them.
var notServed = []string{"filter_id", "owner_id", "org_id", "deal_id", "include_fields", "custom_fields", "include_option_labels", "include_labels"}

var orders = map[string]order{"id": byID, "add_time": byAdded, "update_time": byUpdated}

// timeForm is RFC 3339 in whole seconds and Z, all that v2 takes in a query.
const timeForm = "2006-01-02T15:04:05Z"

// question is what a list was asked.
type question struct {
	walk
	ids    []int64
	cursor string
	sortBy string
	dir    string
}

// listPersons is GET /api/v2/persons.
func (p *Pipedrive) listPersons(w http.ResponseWriter, r *http.Request, s session) {
	settings := p.current()
	q, err := parseQuestion(r.URL.Query())
	if err != nil {
		badRequest("Parameter " + err.Error()).write(w)
		return
	}
	if settings.PageLimit > 0 {
		q.limit = min(q.limit, settings.PageLimit)
	}
	q.keep = func(record record) bool { return p.listed(record, settings) }

	var found []record
	var more bool
	if q.ids != nil {
		found, more = s.company.persons.named(q.walk, q.ids)
	} else {
		found, more = s.company.persons.page(q.walk)
	}
	next := ""
	if more {
		next = q.cursorAfter(found[len(found)-1])
	}
	found, next = misplay(quirk(r), q, found, next)
	body := make([]byte, 0, 1024*(len(found)+1))
	body = append(body, `{"success":true,"data":[`...)
	for i, record := range found {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendPerson(body, s.company, record)
	}
	body = append(body, ']')
	body = appendNext(body, next, settings.LastPage)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(append(body, '}')) //nolint:gosec // JSON, as its type says
}

// misplay makes a page wrong in the way that k names.
func misplay(k Kind, q question, found []record, next string) ([]record, string) {
	if k == FaultRepeatCursor && q.cursor != "" {
		next = q.cursor
	}
	if k == FaultHalfPage {
		found = found[:len(found)/2]
	}
	if k == FaultEmptyList {
		return nil, ""
	}
	return found, next
}

// appendNext closes a page with the way that its end is told in.
func appendNext(body []byte, next, lastPage string) []byte {
	switch {
	case next != "":
		body = append(body, `,"additional_data":{"next_cursor":"`...)
		return append(append(body, next...), `"}`...)
	case lastPage == LastPageBare:
		return body
	case lastPage == LastPageAbsent:
		return append(body, `,"additional_data":{}`...)
	}
	return append(body, `,"additional_data":{"next_cursor":null}`...)
}

// listed says whether the user sees a record in lists.
func (p *Pipedrive) listed(r record, settings PipedriveSettings) bool {
	if r.purged || settings.Visible > 0 && r.id > settings.Visible {
		return false
	}
	return r.deleted == 0 || settings.ListDeleted && !p.retentionOver(r)
}

// readPerson is GET /api/v2/persons/{id}.
func (p *Pipedrive) readPerson(w http.ResponseWriter, r *http.Request, s session) {
	settings := p.current()
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		badRequest("Parameter 'id' must be an integer").write(w)
		return
	}
	if err := refuseParams(r.URL.Query(), listParams, notServed); err != nil {
		badRequest("Parameter " + err.Error()).write(w)
		return
	}
	found, ok := s.company.persons.read(id)
	switch {
	case !ok, p.retentionOver(found), found.deleted != 0 && !settings.ReadDeleted, settings.Visible > 0 && id > settings.Visible:
		notFound("Person not found").write(w)
		return
	}
	body := append(make([]byte, 0, 2048), `{"success":true,"data":`...)
	body = appendPerson(body, s.company, found)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(append(body, '}'))
}

// deletePerson is DELETE /api/v2/persons/{id}: a soft deletion.
func (p *Pipedrive) deletePerson(w http.ResponseWriter, r *http.Request, s session) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		badRequest("Parameter 'id' must be an integer").write(w)
		return
	}
	now, settings := p.sandbox.Now().Unix(), p.current()
	if !s.company.persons.edit(id, func(r *record) { r.softDelete(now, settings.DeleteMovesTime) }) {
		notFound("Person not found").write(w)
		return
	}
	writeAPI(w, http.StatusOK, map[string]any{"success": true, "data": map[string]int64{"id": id}})
}

func refuseParams(query url.Values, known, unserved []string) error {
	for name := range query {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("'%s' is not allowed", name)
		case slices.Contains(unserved, name):
			return fmt.Errorf("'%s' is not served by the sandbox", name)
		}
	}
	return nil
}

func parseQuestion(query url.Values) (question, error) {
	q := question{sortBy: "id", dir: "asc", cursor: query.Get("cursor")}
	if err := refuseParams(query, listParams, notServed); err != nil {
		return q, err
	}
	q.limit = defaultPage
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > longestPage {
			return q, fmt.Errorf("'limit' must be an integer from 1 to %d", longestPage)
		}
		q.limit = n
	}
	if query.Has("sort_by") {
		q.sortBy = query.Get("sort_by")
	}
	if query.Has("sort_direction") {
		q.dir = query.Get("sort_direction")
	}
	var ok bool
	if q.order, ok = orders[q.sortBy]; !ok {
		return q, errors.New("'sort_by' must be one of id, update_time, add_time")
	}
	if q.dir != "asc" && q.dir != "desc" {
		return q, errors.New("'sort_direction' must be asc or desc")
	}
	q.desc = q.dir == "desc"
	var err error
	if q.since, err = boundary(query, "updated_since"); err != nil {
		return q, err
	}
	if q.until, err = boundary(query, "updated_until"); err != nil {
		return q, err
	}
	if q.ids, err = parseIDs(query); err != nil {
		return q, err
	}
	if query.Has("cursor") {
		q.after, err = q.parseCursor()
	}
	return q, err
}

func boundary(query url.Values, name string) (*int64, error) {
	if !query.Has(name) {
		return nil, nil
	}
	at, err := time.Parse(timeForm, query.Get(name))
	if err != nil || len(query.Get(name)) != len(timeForm) { // Parse takes fractions that the form lacks
		return nil, fmt.Errorf("'%s' must be an RFC 3339 time such as 2026-01-01T10:20:00Z", name)
	}
	seconds := at.Unix()
	return &seconds, nil
}

func parseIDs(query url.Values) ([]int64, error) {
	if !query.Has("ids") {
		return nil, nil
	}
	parts := strings.Split(query.Get("ids"), ",")
	if len(parts) > mostIDs {
		return nil, fmt.Errorf("'ids' must hold at most %d ids", mostIDs)
	}
	ids := make([]int64, 0, len(parts))
	for _, part := range parts {
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, errors.New("'ids' must hold integers separated by commas")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// place is what a cursor decodes to: the shape of the one published example.
type place struct {
	Field         string `json:"field"`
	FieldValue    any    `json:"fieldValue"`
	SortDirection string `json:"sortDirection"`
	ID            int64  `json:"id"`
}

func (q question) cursorAfter(r record) string {
	at := place{Field: q.sortBy, SortDirection: q.dir, ID: r.id}
	switch k := r.key(q.order); {
	case q.order == byID:
		at.FieldValue = r.id
	case k.time != noTime:
		at.FieldValue = time.Unix(k.time, 0).UTC().Format(timeForm)
	}
	text, _ := json.Marshal(at) // strings and numbers
	return base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor refuses what we did not make, and a cursor of another order.
func (q question) parseCursor() (*key, error) {
	refused := errors.New("'cursor' is invalid")
	text, err := base64.RawURLEncoding.DecodeString(q.cursor)
	var at place
	if err != nil || json.Unmarshal(text, &at) != nil || at.Field != q.sortBy || at.SortDirection != q.dir {
		return nil, refused
	}
	k := key{id: at.ID}
	if q.order == byID {
		return &k, nil
	}
	switch value := at.FieldValue.(type) {
	case nil:
		k.time = noTime
	case string:
		moment, err := time.Parse(timeForm, value)
		if err != nil {
			return nil, refused
		}
		k.time = moment.Unix()
	default:
		return nil, refused
	}
	return &k, nil
}

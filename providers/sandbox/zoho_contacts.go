package sandbox

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of GET /crm/v8/Contacts. [doc] [spec31]
const (
	mostFields      = 50
	mostPerPage     = 200
	mostPositions   = 2000 // that page reaches
	zohoMostIDs     = 100  // [?]
	recycleRetained = 60 * 24 * time.Hour
	deletedRetained = 120 * 24 * time.Hour
)

// contactParams are the query parameters of the list; parameters that the
// sandbox does not serve are refused, which is louder than ignoring them.
var contactParams = []string{"fields", "per_page", "page", "page_token", "sort_by", "sort_order", "ids", "converted"}

var zohoOrders = map[string]order{"id": byID, "Created_Time": byAdded, "Modified_Time": byUpdated}

// zohoQuestion is what a list was asked.
type zohoQuestion struct {
	walk
	fields    []*zohoField
	ids       []int64
	perPage   int
	page      int
	skip      int // records before the page, for a page by its number
	passed    int // records before the page, of all
	sortBy    string
	direction string
	changed   bool // If-Modified-Since came
	token     string
}

// listContacts is GET /crm/v8/Contacts.
func (z *Zoho) listContacts(w http.ResponseWriter, r *http.Request, s zohoSession) {
	q, refused := z.ask(r, s)
	if refused != nil {
		refused.in(s.settings.ErrorForm).write(w)
		return
	}
	found, more := z.find(q, s)
	next := ""
	if more {
		next = z.auth.pageToken(pagePlace{
			after: found[len(found)-1].key(q.order), passed: uint32(q.passed + len(found)), page: uint32(q.page + 1), //nolint:gosec // small
			expires: z.sandbox.Now().Add(pageTokenLife).Unix(),
		}, bound(r, s))
	}
	found, more, next = distortPage(quirk(r), q, found, more, next)
	if !s.settings.PageTokens {
		next = ""
	}
	if len(found) == 0 && !more {
		w.WriteHeader(z.nothing(q, s))
		return
	}
	z.writePage(w, q, s, found, more, next)
}

// distortPage plays the faults of a list.
func distortPage(fault Kind, q zohoQuestion, found []record, more bool, next string) ([]record, bool, string) {
	switch {
	case fault == FaultRepeatCursor && q.token != "":
		return found, true, q.token
	case fault == FaultNoCursor:
		return found, more, ""
	case fault == FaultHalfPage:
		return found[:len(found)/2], more, next
	case fault == FaultEmptyList:
		return nil, false, ""
	}
	return found, more, next
}

// nothing is the status of an empty list, which has no body. [doc]
func (z *Zoho) nothing(q zohoQuestion, s zohoSession) int {
	if q.changed {
		return s.settings.UnchangedStatus
	}
	return http.StatusNoContent
}

func (z *Zoho) writePage(w http.ResponseWriter, q zohoQuestion, s zohoSession, found []record, more bool, next string) {
	b := append(make([]byte, 0, 1024*(len(found)+1)), `{"data":[`...)
	var view contactView
	for i, r := range found {
		if i > 0 {
			b = append(b, ',')
		}
		b = view.appendContact(b, s.org, r, q.fields)
	}
	info := map[string]any{
		"per_page": q.perPage, "count": len(found), "page": q.page, "sort_by": q.sortBy, "sort_order": q.direction,
		"more_records": more, "next_page_token": nil, "previous_page_token": nil, "page_token_expiry": nil,
	}
	if next != "" {
		info["next_page_token"] = next
		info["page_token_expiry"] = z.sandbox.Now().Add(pageTokenLife).In(zones[0]).Format(zohoTimeForm)
	}
	b = append(b, `],"info":`...)
	b = append(b, encoded(info)...)
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write(append(b, '}'))
}

// find answers a question that was understood.
func (z *Zoho) find(q zohoQuestion, s zohoSession) ([]record, bool) {
	asked := q.walk
	asked.limit = q.skip + q.limit
	var found []record
	var more bool
	if q.ids != nil {
		found, more = s.org.contacts.named(asked, q.ids)
	} else {
		found, more = s.org.contacts.page(asked)
	}
	return found[min(q.skip, len(found)):], more
}

// sees says which records lists show to the user.
func (s zohoSession) sees(r record) bool {
	return r.living() && (s.settings.Visible == 0 || r.id <= s.settings.Visible)
}

// ask understands a request to the list.
func (z *Zoho) ask(r *http.Request, s zohoSession) (zohoQuestion, *zohoRefusal) {
	query := r.URL.Query()
	q := zohoQuestion{perPage: mostPerPage, page: 1, sortBy: "id", direction: "desc"}
	q.keep = s.sees
	for _, understand := range []func() *zohoRefusal{
		func() *zohoRefusal { return knownParams(query, contactParams) },
		func() *zohoRefusal { return q.askFields(query, s.settings) },
		func() *zohoRefusal { return q.askOrder(query) },
		func() *zohoRefusal { return q.askIDs(query, s.org) },
		func() *zohoRefusal {
			since, refused := modifiedSince(r)
			q.since, q.changed = since, since != nil
			return refused
		},
		func() *zohoRefusal { return q.askPage(query, s.settings.PageLimit) },
		func() *zohoRefusal { return z.resume(&q, r, s) },
	} {
		if refused := understand(); refused != nil {
			return q, refused
		}
	}
	return q, nil
}

func knownParams(query url.Values, known []string) *zohoRefusal {
	for name := range query {
		if !slices.Contains(known, name) {
			refused := invalidParam(name, "the sandbox does not serve this parameter")
			return &refused
		}
	}
	return nil
}

func (q *zohoQuestion) askFields(query url.Values, settings ZohoSettings) *zohoRefusal {
	if query.Get("fields") == "" {
		return &missingFields
	}
	names := strings.Split(query.Get("fields"), ",")
	if len(names) > mostFields {
		return &tooManyFields
	}
	for _, name := range names {
		name = strings.TrimSpace(name)
		field := settings.field(name)
		switch {
		case field != nil && !slices.Contains(q.fields, field):
			q.fields = append(q.fields, field)
		case field == nil && name != "id" && settings.UnknownFields == FieldsRefuse:
			refused := refuse(http.StatusBadRequest, "INVALID_DATA", "No field found", map[string]any{"api_name": name})
			return &refused
		}
	}
	if len(q.fields) == 0 && settings.RefuseOnlyID {
		return &missingFields
	}
	return nil
}

func (q *zohoQuestion) askOrder(query url.Values) *zohoRefusal {
	if query.Has("sort_by") {
		q.sortBy = query.Get("sort_by")
	}
	if query.Has("sort_order") {
		q.direction = query.Get("sort_order")
	}
	var ok bool
	if q.order, ok = zohoOrders[q.sortBy]; !ok {
		refused := invalidParam("sort_by", "sort_by must be id, Created_Time or Modified_Time")
		return &refused
	}
	if q.direction != "asc" && q.direction != "desc" {
		refused := invalidParam("sort_order", "sort_order must be asc or desc")
		return &refused
	}
	q.desc = q.direction == "desc"
	if c := query.Get("converted"); c != "" && c != "false" && c != "true" && c != "both" {
		refused := invalidParam("converted", "converted must be false, true or both")
		return &refused
	}
	return nil
}

func (q *zohoQuestion) askIDs(query url.Values, o *zohoOrg) *zohoRefusal {
	if !query.Has("ids") {
		return nil
	}
	texts := strings.Split(query.Get("ids"), ",")
	if len(texts) > zohoMostIDs {
		refused := refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "Max id limit exceeded", map[string]any{"limit": zohoMostIDs, "param_name": "ids"})
		return &refused
	}
	q.ids = []int64{}
	for _, text := range texts {
		if _, err := parseID(text); err != nil {
			refused := invalidParam("ids", "the given id seems to be invalid")
			return &refused
		}
		if n := o.numberOf(text); n != 0 {
			q.ids = append(q.ids, n)
		}
	}
	return nil
}

// modifiedSince reads the header, which is inclusive and has an offset. [doc]
func modifiedSince(r *http.Request) (*int64, *zohoRefusal) {
	text := r.Header.Get("If-Modified-Since")
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		refused := invalidParam("If-Modified-Since", "If-Modified-Since must be a time such as 2026-11-24T11:00:00+01:00")
		return nil, &refused
	}
	seconds := at.Unix()
	if at.Nanosecond() > 0 {
		seconds++ // times are whole seconds: the first that is not before
	}
	return &seconds, nil
}

func (q *zohoQuestion) askPage(query url.Values, pageLimit int) *zohoRefusal {
	for _, param := range []struct {
		name  string
		value *int
		most  int
	}{{"per_page", &q.perPage, mostPerPage}, {"page", &q.page, 1 << 30}} {
		if !query.Has(param.name) {
			continue
		}
		n, err := strconv.Atoi(query.Get(param.name))
		if err != nil || n < 1 || n > param.most {
			refused := invalidParam(param.name, param.name+" must be a whole number from 1 on, per_page at most 200")
			return &refused
		}
		*param.value = n
	}
	if pageLimit > 0 {
		q.perPage = min(q.perPage, pageLimit)
	}
	q.limit = q.perPage
	if query.Has("page") && query.Has("page_token") {
		return &ambiguousPage
	}
	if q.page*q.perPage > mostPositions && query.Has("page") {
		return &beyondPages
	}
	q.skip = (q.page - 1) * q.perPage
	q.passed = q.skip
	return nil
}

// resume goes on from a page_token.
func (z *Zoho) resume(q *zohoQuestion, r *http.Request, s zohoSession) *zohoRefusal {
	if !r.URL.Query().Has("page_token") {
		q.limit = min(q.limit, max(0, s.settings.ListLimit-q.skip))
		return nil
	}
	q.token = r.URL.Query().Get("page_token")
	place, boundTo, ok := z.auth.openPageToken(q.token)
	switch {
	case !ok:
		refused := invalidParam("page_token", "the page_token given seems to be invalid")
		return &refused
	case z.sandbox.Now().Unix() >= place.expires:
		return &expiredPageToken
	case !bytes.Equal(boundTo, bound(r, s)):
		return &boundPageToken
	case int(place.passed) >= s.settings.ListLimit:
		return &beyondList
	}
	q.after, q.page, q.passed = &place.after, int(place.page), int(place.passed)
	q.limit = min(q.limit, s.settings.ListLimit-q.passed)
	return nil
}

// readContact is GET /crm/v8/Contacts/{id}.
func (z *Zoho) readContact(w http.ResponseWriter, r *http.Request, s zohoSession) {
	q := zohoQuestion{fields: s.settings.fields()}
	refused := knownParams(r.URL.Query(), []string{"fields"})
	if refused == nil && r.URL.Query().Has("fields") {
		q.fields = nil
		refused = q.askFields(r.URL.Query(), s.settings)
	}
	if _, err := parseID(r.PathValue("id")); err != nil && refused == nil {
		refused = &invalidID
	}
	if refused != nil {
		refused.in(s.settings.ErrorForm).write(w)
		return
	}
	found, ok := s.org.contacts.read(s.org.numberOf(r.PathValue("id")))
	if !ok || !s.sees(found) {
		s.absent(w)
		return
	}
	var view contactView
	b := view.appendContact([]byte(`{"data":[`), s.org, found, q.fields)
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write(append(b, "]}"...))
}

// absent answers for a contact that is not there; which way the live API does it
// is not certain. [?]
func (s zohoSession) absent(w http.ResponseWriter) {
	if s.settings.AbsentStatus == http.StatusNoContent {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	refused := invalidID
	refused.status = s.settings.AbsentStatus
	refused.in(s.settings.ErrorForm).write(w)
}

// countContacts is GET /crm/v8/Contacts/actions/count.
func (z *Zoho) countContacts(w http.ResponseWriter, r *http.Request, s zohoSession) {
	if refused := knownParams(r.URL.Query(), nil); refused != nil {
		refused.in(s.settings.ErrorForm).write(w)
		return
	}
	n := s.org.contacts.livingUpTo(s.settings.Visible)
	if s.settings.CountAsNumber {
		writeZoho(w, http.StatusOK, map[string]int{"count": n})
		return
	}
	writeZoho(w, http.StatusOK, map[string]string{"count": strconv.Itoa(n)})
}

// otherModule is a list of a module that the org does not have.
func (z *Zoho) otherModule(w http.ResponseWriter, _ *http.Request, s zohoSession) {
	invalidModule.in(s.settings.ErrorForm).write(w)
}

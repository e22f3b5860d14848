package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Limits of list and batch read.
const (
	hubspotDefaultPage = 10
	hubspotLongestPage = 100
	hubspotBatch       = 100
)

// Query parameters of the list and of a single read. Those that the provider
// knows and the sandbox doesn't serve are refused: a loud answer is better than
// one that ignores them.
var (
	hubspotListParams = []string{"limit", "after", "properties", "archived", "propertiesWithHistory", "associations"}
	hubspotReadParams = []string{"properties", "archived", "idProperty", "propertiesWithHistory", "associations"}
	hubspotNotServed  = []string{"idProperty", "propertiesWithHistory", "associations"}
)

// contactsPage is an answer of list and search.
type contactsPage struct {
	Total   *int            `json:"total,omitempty"`
	Results []contactObject `json:"results"`
	Paging  *paging         `json:"paging,omitempty"`
}

type paging struct {
	Next nextPage `json:"next"`
}

type nextPage struct {
	After string `json:"after"`
	Link  string `json:"link,omitempty"`
}

// listContacts is GET /crm/v3/objects/contacts. It reads the store, not the
// index.
func (h *HubSpot) listContacts(w http.ResponseWriter, r *http.Request, s portalSession) {
	query := r.URL.Query()
	settings := h.current()
	limit, archived, after, refused := parseList(query)
	if refused != nil {
		refused.write(w)
		return
	}
	if settings.PageLimit > 0 {
		limit = min(limit, settings.PageLimit)
	}
	asked := walk{order: byID, limit: limit, keep: record.living}
	if archived {
		asked.keep = h.restorable
	}
	if after != nil {
		asked.after = &key{0, *after - 1}
	}
	found, more := s.portal.contacts.page(asked)
	next := ""
	if more {
		next = hubspotIDText(found[len(found)-1].id + 1)
	}
	found, next = hubspotMisplay(quirk(r), query.Get("after"), found, next)
	page := contactsPage{Results: s.portal.objects(found, parseProperties(query.Get("properties")))}
	if next != "" {
		page.Paging = &paging{nextPage{After: next, Link: "https://api.hubapi.com" + r.URL.Path + "?after=" + next}}
	}
	writeAPI(w, http.StatusOK, page)
}

// hubspotMisplay makes a page wrong in the way that k names.
func hubspotMisplay(k Kind, cursor string, found []record, next string) ([]record, string) {
	if k == FaultRepeatCursor && cursor != "" {
		next = cursor
	}
	if k == FaultHalfPage {
		found = found[:len(found)/2]
	}
	if k == FaultEmptyList {
		return nil, ""
	}
	return found, next
}

func parseList(query url.Values) (limit int, archived bool, after *int64, refused *refusal) {
	limit = hubspotDefaultPage
	invalid := func(message, in string) (int, bool, *int64, *refusal) {
		refusal := validationError(message, "INVALID_PARAMETER", in)
		return 0, false, nil, &refusal
	}
	if err := refuseParams(query, hubspotListParams, hubspotNotServed); err != nil {
		return invalid(err.Error(), "query")
	}
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > hubspotLongestPage {
			return invalid(fmt.Sprintf("limit must be 1 to %d", hubspotLongestPage), "limit")
		}
		limit = n
	}
	archived, ok := parseFlag(query, "archived")
	if !ok {
		return invalid("archived must be true or false", "archived")
	}
	if query.Has("after") {
		id, err := strconv.ParseUint(query.Get("after"), 10, 62)
		if err != nil {
			return invalid("after is not a valid paging cursor", "after")
		}
		number := hubspotNumber(int64(id))
		after = &number
	}
	return limit, archived, after, nil
}

func parseFlag(query url.Values, name string) (value, ok bool) {
	switch query.Get(name) {
	case "", "false":
		return false, true
	case "true":
		return true, true
	}
	return false, false
}

// restorable says whether a record is archived and can still be read as such.
func (h *HubSpot) restorable(r record) bool {
	return r.deleted != 0 && !r.purged && h.sandbox.Now().Sub(time.UnixMilli(r.deleted)) < hubspotRetention
}

func (p *portal) objects(found []record, names []property) []contactObject {
	list := make([]contactObject, 0, len(found))
	for _, r := range found {
		list = append(list, p.object(r).pick(names))
	}
	return list
}

// lookUp finds the record that reading an id answers with: a living one, or an
// archived one if that was asked for. An id that was merged away may answer with
// the survivor.
func (h *HubSpot) lookUp(p *portal, id string, archived bool, settings HubSpotSettings) (record, bool) {
	parsed, err := strconv.ParseUint(id, 10, 62)
	if err != nil {
		return record{}, false
	}
	number := hubspotNumber(int64(parsed))
	if survivor, lost := p.merges.survivor(number); lost {
		if settings.LostID != LostIDSurvivor {
			return record{}, false
		}
		number = survivor
	}
	found, ok := p.contacts.read(number)
	if archived {
		return found, ok && h.restorable(found)
	}
	return found, ok && found.living()
}

// readContact is GET /crm/v3/objects/contacts/{id}.
func (h *HubSpot) readContact(w http.ResponseWriter, r *http.Request, s portalSession) {
	query := r.URL.Query()
	archived, ok := parseFlag(query, "archived")
	if err := refuseParams(query, hubspotReadParams, hubspotNotServed); err != nil || !ok {
		validationError("a query parameter is not allowed or not served by the sandbox", "INVALID_PARAMETER", "query").write(w)
		return
	}
	found, ok := h.lookUp(s.portal, r.PathValue("id"), archived, h.current())
	if !ok {
		hubspotNotFound("resource not found").write(w)
		return
	}
	writeAPI(w, http.StatusOK, s.portal.object(found).pick(parseProperties(query.Get("properties"))))
}

// batchQuestion is the body of a batch read.
type batchQuestion struct {
	Inputs []struct {
		ID string `json:"id"`
	} `json:"inputs"`
	Properties            *[]property `json:"properties"`
	PropertiesWithHistory *[]property `json:"propertiesWithHistory"`
}

func (q batchQuestion) fault() string {
	switch {
	case q.Inputs == nil:
		return "inputs is required"
	case q.Properties == nil || q.PropertiesWithHistory == nil:
		return "properties and propertiesWithHistory are required"
	case len(q.Inputs) > hubspotBatch:
		return fmt.Sprintf("inputs must hold at most %d ids", hubspotBatch)
	case len(*q.PropertiesWithHistory) > 0:
		return "propertiesWithHistory is not served by the sandbox"
	}
	return ""
}

// batchAnswer is the answer of a batch read.
type batchAnswer struct {
	Status      string          `json:"status"`
	Results     []contactObject `json:"results"`
	NumErrors   int             `json:"numErrors,omitempty"`
	Errors      []batchError    `json:"errors,omitempty"`
	StartedAt   string          `json:"startedAt"`
	CompletedAt string          `json:"completedAt"`
}

type batchError struct {
	Status   string              `json:"status"`
	Category string              `json:"category"`
	Message  string              `json:"message"`
	Context  map[string][]string `json:"context"`
}

// batchRead is POST /crm/v3/objects/contacts/batch/read. Results come in order of
// their ids, whatever the order that was asked.
func (h *HubSpot) batchRead(w http.ResponseWriter, r *http.Request, s portalSession) {
	var asked batchQuestion
	if !readHubSpotJSON(w, r, &asked) {
		return
	}
	archived, ok := parseFlag(r.URL.Query(), "archived")
	if !ok {
		validationError("archived must be true or false", "INVALID_PARAMETER", "archived").write(w)
		return
	}
	if fault := asked.fault(); fault != "" {
		validationError(fault, "INVALID_BODY", "body").write(w)
		return
	}
	settings := h.current()
	var found []record
	var missing []string
	for _, input := range asked.Inputs {
		switch one, ok := h.lookUp(s.portal, input.ID, archived, settings); {
		case ok:
			found = append(found, one)
		case !slices.Contains(missing, input.ID):
			missing = append(missing, input.ID)
		}
	}
	slices.SortFunc(found, func(a, b record) int { return a.key(byID).compare(b.key(byID)) })
	found = slices.CompactFunc(found, func(a, b record) bool { return a.id == b.id })

	names := *asked.Properties
	if len(names) == 0 {
		names = defaultProperties
	}
	now := hubspotTime(h.sandbox.Now().UnixMilli())
	answer := batchAnswer{Status: "COMPLETE", Results: s.portal.objects(found, names), StartedAt: now, CompletedAt: now}
	status := http.StatusOK
	if len(missing) > 0 && settings.BatchMissing == BatchMissingErrors {
		status = http.StatusMultiStatus
		answer.NumErrors = 1
		answer.Errors = []batchError{{
			Status: "error", Category: "OBJECT_NOT_FOUND", Context: map[string][]string{"ids": missing},
			Message: "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.",
		}}
	}
	writeAPI(w, status, answer)
}

// readHubSpotJSON reads a body of JSON into v, or answers what is wrong with it.
func readHubSpotJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		hubspotRefusal(http.StatusUnsupportedMediaType, "VALIDATION_ERROR", "the body must be application/json").write(w)
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil && !json.Valid(body) {
		err = fmt.Errorf("the body is not JSON")
	}
	if err == nil {
		err = decodeStrict(body, v)
	}
	if err != nil {
		validationError(err.Error(), "INVALID_JSON", "body").write(w)
		return false
	}
	return true
}

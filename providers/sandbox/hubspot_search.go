package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of search.
const (
	searchLongestPage = 200
	searchMostResults = 10_000
	searchGroups      = 5
	searchFilters     = 6  // in a group
	searchAllFilters  = 18 // in all groups
)

// searchRequest is the body of a search.
type searchRequest struct {
	FilterGroups []struct {
		Filters []searchFilter `json:"filters"`
	} `json:"filterGroups"`
	Sorts      []searchSort `json:"sorts"`
	Query      string       `json:"query"`
	Properties []property   `json:"properties"`
	Limit      *int         `json:"limit"`
	After      string       `json:"after"`
}

// searchFilter is one condition on a property.
type searchFilter struct {
	PropertyName property `json:"propertyName"`
	Operator     string   `json:"operator"`
	Value        *string  `json:"value"`
	HighValue    *string  `json:"highValue"`
	Values       []string `json:"values"`
}

// searchSort is an object, or a property's name for its ascending order.
type searchSort struct {
	PropertyName property `json:"propertyName"`
	Direction    string   `json:"direction"`
}

// UnmarshalJSON reads both forms.
func (s *searchSort) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &s.PropertyName) == nil {
		return nil
	}
	type plain searchSort
	return decodeStrict(text, (*plain)(s))
}

// search is a question that makes sense.
type search struct {
	groups   [][]condition
	words    string
	sortBy   property
	desc     bool
	names    []property
	limit    int
	offset   int
	nothing  bool // a filter names a property that contacts don't have
	settings HubSpotSettings
}

// searchContacts is POST /crm/v3/objects/contacts/search. It reads the index.
func (h *HubSpot) searchContacts(w http.ResponseWriter, r *http.Request, s portalSession) {
	var asked searchRequest
	if !readHubSpotJSON(w, r, &asked) {
		return
	}
	q, err := asked.parse(h.current())
	if err != nil {
		validationError(err.Error(), "INVALID_SEARCH", "body").write(w)
		return
	}
	k := quirk(r)
	if k == FaultRepeatCursor {
		q = q.fromTheBeginning()
	}
	found, total := s.portal.search(q)
	next := ""
	if total > q.offset+len(found) && len(found) > 0 {
		next = strconv.Itoa(q.offset + len(found))
	}
	found, next = hubspotMisplay(k, asked.After, found, next)
	page := contactsPage{Total: &total, Results: s.portal.objects(found, q.names)}
	if next != "" {
		page.Paging = &paging{nextPage{After: next}}
	}
	writeAPI(w, http.StatusOK, page)
}

// fromTheBeginning is the search without the bound on ids that a walk by ids
// goes on from.
func (q search) fromTheBeginning() search {
	groups := slices.Clone(q.groups)
	for i, group := range groups {
		groups[i] = slices.DeleteFunc(slices.Clone(group), func(c condition) bool { return c.property == propID })
	}
	q.groups, q.offset = groups, 0
	return q
}

func (a searchRequest) parse(settings HubSpotSettings) (search, error) {
	q := search{words: strings.ToLower(a.Query), sortBy: propID, limit: hubspotDefaultPage, names: a.Properties, settings: settings}
	if len(q.names) == 0 {
		q.names = defaultProperties
	}
	if settings.HideSearchMerges {
		q.names = slices.DeleteFunc(slices.Clone(q.names), func(name property) bool { return name == propMerged || name == propMergedVIDs })
	}
	if a.Limit != nil {
		q.limit = *a.Limit
	}
	if q.limit < 1 || q.limit > searchLongestPage {
		return q, fmt.Errorf("limit must be 1 to %d", searchLongestPage)
	}
	if settings.PageLimit > 0 {
		q.limit = min(q.limit, settings.PageLimit)
	}
	if a.After != "" {
		offset, err := strconv.ParseUint(a.After, 10, 31)
		if err != nil {
			return q, errors.New("after must be an integer")
		}
		q.offset = int(offset)
	}
	if q.offset+q.limit > searchMostResults {
		return q, fmt.Errorf("search cannot go past %d results", searchMostResults)
	}
	if err := a.parseSort(&q); err != nil {
		return q, err
	}
	return q, a.parseFilters(&q)
}

func (a searchRequest) parseSort(q *search) error {
	if len(a.Sorts) > 1 {
		return errors.New("only one sort is allowed")
	}
	for _, sort := range a.Sorts {
		if _, ok := propertyTypes[sort.PropertyName]; !ok {
			return fmt.Errorf("there is no property %q to sort by", sort.PropertyName)
		}
		if sort.Direction != "" && sort.Direction != "ASCENDING" && sort.Direction != "DESCENDING" {
			return errors.New("direction must be ASCENDING or DESCENDING")
		}
		q.sortBy, q.desc = sort.PropertyName, sort.Direction == "DESCENDING"
	}
	return nil
}

func (a searchRequest) parseFilters(q *search) error {
	if len(a.FilterGroups) > searchGroups {
		return fmt.Errorf("at most %d filterGroups are allowed", searchGroups)
	}
	all := 0
	for _, group := range a.FilterGroups {
		all += len(group.Filters)
		if len(group.Filters) > searchFilters || all > searchAllFilters {
			return fmt.Errorf("at most %d filters in a group and %d in all are allowed", searchFilters, searchAllFilters)
		}
		var conditions []condition
		for _, f := range group.Filters {
			if _, ok := propertyTypes[f.PropertyName]; !ok {
				if q.settings.UnknownFilter == UnknownFilterNothing {
					q.nothing = true
					continue
				}
				return fmt.Errorf("there was a problem with the request: property %q does not exist", f.PropertyName)
			}
			c, err := f.parse()
			if err != nil {
				return err
			}
			conditions = append(conditions, c)
		}
		q.groups = append(q.groups, conditions)
	}
	return nil
}

// condition is a filter whose values were read.
type condition struct {
	property property
	operator string
	values   []string // in lower case
	numbers  []int64  // the values of a number or time
}

// operands is how many values an operator takes; -1 for a list of any length.
var operands = map[string]int{
	"EQ": 1, "NEQ": 1, "LT": 1, "LTE": 1, "GT": 1, "GTE": 1, "BETWEEN": 2, "IN": -1, "NOT_IN": -1,
	"HAS_PROPERTY": 0, "NOT_HAS_PROPERTY": 0, "CONTAINS_TOKEN": 1, "NOT_CONTAINS_TOKEN": 1,
}

func (f searchFilter) parse() (condition, error) {
	c := condition{property: f.PropertyName, operator: f.Operator}
	wanted, ok := operands[f.Operator]
	if !ok {
		return c, fmt.Errorf("operator %q is unknown", f.Operator)
	}
	var values []string
	switch {
	case wanted < 0:
		values = f.Values
		if len(values) == 0 {
			return c, fmt.Errorf("operator %s needs values", f.Operator)
		}
	case wanted >= 1 && f.Value == nil, wanted == 2 && f.HighValue == nil:
		return c, fmt.Errorf("operator %s needs a value", f.Operator)
	case wanted == 2:
		values = []string{*f.Value, *f.HighValue}
	case wanted == 1:
		values = []string{*f.Value}
	}
	for _, value := range values {
		c.values = append(c.values, strings.ToLower(value))
		if propertyTypes[f.PropertyName] == typeText {
			continue
		}
		n, ok := numberOf(f.PropertyName, value)
		if !ok {
			return c, fmt.Errorf("%q is not a value of %s", value, f.PropertyName)
		}
		c.numbers = append(c.numbers, n)
	}
	return c, nil
}

// numberOf reads a number, or a time: epoch milliseconds or RFC 3339.
func numberOf(name property, text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	if propertyTypes[name] != typeTime {
		return 0, false
	}
	at, err := time.Parse(time.RFC3339, text)
	return at.UnixMilli(), err == nil
}

// search finds a page and how many records there are in all.
func (p *portal) search(q search) ([]record, int) {
	if q.nothing {
		return nil, 0
	}
	index := p.indexed()
	if w, ok := q.asWalk(); ok {
		w.limit = q.offset + q.limit
		found, _ := index.page(w)
		return found[min(q.offset, len(found)):], index.count(w)
	}
	found, total := p.scan(index, q)
	return found[min(q.offset, len(found)):min(q.offset+q.limit, len(found))], total
}

var searchOrders = map[property]order{propID: byID, propCreated: byAdded, propModified: byUpdated}

// asWalk is the search as a question that records answer without looking at every
// one of them: one group of bounds on time and id.
func (q search) asWalk() (walk, bool) {
	o, ok := searchOrders[q.sortBy]
	w := walk{order: o, desc: q.desc, keep: record.living}
	if !ok || q.words != "" || len(q.groups) > 1 {
		return w, false
	}
	for _, c := range slices.Concat(q.groups...) {
		if !w.bound(c) {
			return w, false
		}
	}
	return w, true
}

// bound adds a condition to a walk; false if it is of another kind.
func (w *walk) bound(c condition) bool {
	switch {
	case c.property == propModified && slices.Contains([]string{"GTE", "GT", "LTE", "LT", "EQ", "BETWEEN"}, c.operator):
		first, last := c.numbers[0], c.numbers[len(c.numbers)-1]
		switch c.operator {
		case "GT":
			first = next(first)
		case "LTE", "EQ", "BETWEEN":
			last = next(last)
		}
		if c.operator[0] != 'L' && (w.since == nil || first > *w.since) {
			w.since = &first
		}
		if c.operator[0] != 'G' && (w.until == nil || last < *w.until) {
			w.until = &last
		}
	case c.property == propID && c.operator == "GT" && w.order == byID && !w.desc && c.numbers[0] >= 0:
		after := key{0, hubspotNumber(c.numbers[0])}
		if w.after == nil || after.compare(*w.after) > 0 {
			w.after = &after
		}
	default:
		return false
	}
	return true
}

func next(n int64) int64 {
	if n == math.MaxInt64 {
		return n
	}
	return n + 1
}

// count is how many records a walk finds from its place on; its keep must take
// every generated record.
func (s *records) count(w walk) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	low, high := s.span(w)
	n := int(high - low)
	timed := w.since != nil || w.until != nil
	if timed && w.order != byUpdated { // there the span leaves those without a time out
		n -= int(high/timelessEvery - low/timelessEvery)
	}
	ahead := func(r record) bool {
		return w.after == nil || (r.key(w.order).compare(*w.after) > 0) != w.desc
	}
	bounds := w
	bounds.keep = nil
	for id, r := range s.changed {
		if id >= 1 && id <= s.size {
			if was := s.generated(id); ahead(was) && bounds.takes(was) {
				n--
			}
		}
		if ahead(r) && w.takes(r) {
			n++
		}
	}
	return n
}

// scan looks at every record. It returns the first ones up to the most that a
// search shows, and how many there are.
func (p *portal) scan(index *records, q search) (found []record, total int) {
	const slack = 2 // records are looked at a little before their turn
	o, ordered := searchOrders[q.sortBy]
	found, _ = index.page(walk{order: o, desc: q.desc, limit: math.MaxInt, keep: func(r record) bool {
		if !r.living() || !q.takes(p.object(r).Properties) {
			return false
		}
		total++
		return !ordered || total <= searchMostResults+slack
	}})
	if !ordered {
		p.sortBy(found, q)
	}
	return found, total
}

// sortBy orders records by a property's text, those without one first; ties by
// id.
func (p *portal) sortBy(found []record, q search) {
	values := make(map[int64]string, len(found))
	for _, r := range found {
		if value := p.object(r).Properties[q.sortBy]; value != nil {
			values[r.id] = strings.ToLower(*value)
		}
	}
	slices.SortFunc(found, func(a, b record) int {
		if q.desc {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(values[a.id], values[b.id]), cmp.Compare(a.id, b.id))
	})
}

// takes says whether one of the groups has all its conditions met.
func (q search) takes(props properties) bool {
	if q.words != "" && !q.mentions(props) {
		return false
	}
	for _, group := range q.groups {
		if !slices.ContainsFunc(group, func(c condition) bool { return !c.met(props[c.property]) }) {
			return true
		}
	}
	return len(q.groups) == 0
}

// mentions is the search for words in what people look contacts up by.
func (q search) mentions(props properties) bool {
	for _, name := range []property{propFirst, propLast, propEmail, propPhone, propCompany} {
		if value := props[name]; value != nil && strings.Contains(strings.ToLower(*value), q.words) {
			return true
		}
	}
	return false
}

// met judges one value. A contact without one meets NOT_HAS_PROPERTY alone.
func (c condition) met(value *string) bool {
	if value == nil || c.operator == "HAS_PROPERTY" || c.operator == "NOT_HAS_PROPERTY" {
		return (value != nil) == (c.operator == "HAS_PROPERTY") && operands[c.operator] == 0
	}
	text := strings.ToLower(*value)
	compare := func(i int) int { return cmp.Compare(text, c.values[i]) }
	if len(c.numbers) > 0 {
		n, _ := numberOf(c.property, *value)
		compare = func(i int) int { return cmp.Compare(n, c.numbers[i]) }
	}
	switch c.operator {
	case "EQ":
		return compare(0) == 0
	case "NEQ":
		return compare(0) != 0
	case "LT":
		return compare(0) < 0
	case "LTE":
		return compare(0) <= 0
	case "GT":
		return compare(0) > 0
	case "GTE":
		return compare(0) >= 0
	case "BETWEEN":
		return compare(0) >= 0 && compare(1) <= 0
	case "IN", "NOT_IN":
		among := false
		for i := range c.values {
			among = among || compare(i) == 0
		}
		return among == (c.operator == "IN")
	case "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN":
		return strings.Contains(text, strings.Trim(c.values[0], "*")) == (c.operator == "CONTAINS_TOKEN")
	}
	return false
}

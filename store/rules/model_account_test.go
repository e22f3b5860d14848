package rules_test

import (
	"cmp"
	"slices"
)

// ms is true time in the model, in milliseconds. The database's clock is true; everybody else's is off by a constant.
type ms = int64

const (
	second ms = 1000
	minute    = 60 * second
	hour      = 60 * minute

	undated = int64(-1) // an update time that the provider doesn't tell, and a bound that isn't set
)

// version is one state of a record at the provider.
type version struct {
	content int   // contents repeat (A → B → A)
	updated int64 // in the provider's seconds, or undated
	at      ms    // when it happened: single reads see it from here on
	visible ms    // when lists and the deleted feed see it
	gone    bool  // in the recycle bin
	moved   bool  // this change moved the update time
}

type record struct {
	id        int
	versions  []version
	hidden    bool // the connected user may not see it
	purged    bool
	announced bool // its last change was followed by a webhook that arrived
	odd       bool // no incremental promises anything for it (hidden once, or clock set back while lists lag)
}

func (r *record) last() version { return r.versions[len(r.versions)-1] }
func (r *record) alive() bool   { return r != nil && !r.purged && !r.last().gone }

// at is the index of the state that a list (late) or a single read sees at t, or -1.
func (r *record) at(t ms, list bool) int {
	for i := len(r.versions) - 1; i >= 0; i-- {
		if v := &r.versions[i]; v.visible <= t || !list && v.at <= t {
			return i
		}
	}
	return -1
}

// tokenKind says what a list's next-page token is underneath.
type tokenKind int

const (
	position tokenKind = iota // a place in the sort order, on live data
	frozen                    // a list of ids fixed at the first call, values read live
	counting                  // a number of rows to skip, on live data
)

func (k tokenKind) String() string { return [...]string{"position", "frozen", "counting"}[k] }

// account is a CRM account as its provider serves it.
type account struct {
	records    []*record // by id; nil: never there
	skew       ms        // the provider's clock − true time
	page       int
	tokens     tokenKind
	hasDate    bool
	dateAhead  ms   // the Date header runs ahead of the clock that stamps records
	hasFeed    bool // a deleted feed
	showsGone  bool // lists return deleted rows with is_deleted
	descending bool // ignores the sort parameters and answers newest first
	singleLag  ms   // single reads come from a replica this far behind
	calls      int
	onList     func() // a busy account acts at each list call
}

func (a *account) record(id int) *record {
	if id < len(a.records) {
		return a.records[id]
	}
	return nil
}

func (a *account) add(id int) *record {
	for len(a.records) <= id {
		a.records = append(a.records, nil)
	}
	a.records[id] = &record{id: id}
	return a.records[id]
}

func (a *account) stamp(t ms) int64 { return (t + a.skew) / second }

// seen is a record as an answer carries it.
type seen struct {
	id, content int
	updated     int64
	gone        bool
	truth       int // which version it is; for the checks only
}

// request is one list call.
type request struct {
	byTime bool
	from   int64 // updated_since, inclusive, in the provider's seconds; undated: everything
	token  *token
}

type token struct {
	after [2]int64 // position
	ids   []int    // frozen
	skip  int      // counting
}

type answer struct {
	records []seen
	token   *token // nil: the list ended
	date    int64  // in the provider's seconds, or undated
}

// listed is what a list shows of a record at t.
func (a *account) listed(r *record, t ms) (seen, bool) {
	if r == nil || r.hidden || r.purged {
		return seen{}, false
	}
	i := r.at(t, true)
	if i < 0 || r.versions[i].gone && !a.showsGone {
		return seen{}, false
	}
	return r.see(i), true
}

func (r *record) see(i int) seen {
	v := &r.versions[i]
	return seen{id: r.id, content: v.content, updated: v.updated, gone: v.gone, truth: i}
}

// all is the whole list that a request asks for, in its order.
func (a *account) all(t ms, req request) []seen {
	list := make([]seen, 0, len(a.records))
	for _, r := range a.records {
		s, ok := a.listed(r, t)
		if ok && (req.from == undated || s.updated != undated && s.updated >= req.from) {
			list = append(list, s)
		}
	}
	if req.byTime {
		slices.SortFunc(list, func(x, y seen) int { return compare(key(req, x), key(req, y)) })
		if a.descending {
			slices.Reverse(list)
		}
	}
	return list
}

func key(req request, s seen) [2]int64 {
	if req.byTime {
		return [2]int64{s.updated, int64(s.id)}
	}
	return [2]int64{int64(s.id), 0}
}

func compare(x, y [2]int64) int { return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1])) }

// rest is what follows a request's token; rows of a frozen list that are gone have the id -1 and take up room.
func (a *account) rest(t ms, req request) []seen {
	switch {
	case req.token == nil:
		return a.all(t, req)
	case a.tokens == frozen:
		list := make([]seen, len(req.token.ids))
		for i, id := range req.token.ids {
			s, ok := a.listed(a.records[id], t)
			if !ok {
				s = seen{id: -1}
			}
			list[i] = s
		}
		return list
	}
	all := a.all(t, req)
	if a.tokens == counting {
		return all[min(req.token.skip, len(all)):]
	}
	for i, s := range all {
		if compare(req.token.after, key(req, s)) < 0 {
			return all[i:]
		}
	}
	return nil
}

// list answers one page at true time t.
func (a *account) list(t ms, req request) answer {
	a.calls++
	a.onList()
	ans := answer{date: undated}
	if a.hasDate {
		ans.date = a.stamp(t + a.dateAhead)
	}
	rest := a.rest(t, req)
	n := min(a.page, len(rest))
	for _, s := range rest[:n] {
		if s.id >= 0 {
			ans.records = append(ans.records, s)
		}
	}
	if len(rest) == n {
		return ans
	}
	switch ans.token = new(token); a.tokens {
	case position:
		ans.token.after = key(req, rest[n-1])
	case counting:
		ans.token.skip = n
		if req.token != nil {
			ans.token.skip += req.token.skip
		}
	case frozen:
		if req.token != nil {
			ans.token.ids = req.token.ids[n:]
			break
		}
		for _, s := range rest[n:] {
			ans.token.ids = append(ans.token.ids, s.id)
		}
	}
	return ans
}

// get is a single read: current, and nil when the record is gone or hidden. proven says that the provider itself calls
// it deleted.
func (a *account) get(t ms, id int) (s *seen, proven bool) {
	a.calls++
	r := a.record(id)
	if r == nil || r.hidden || r.purged {
		return nil, false
	}
	i := r.at(t-a.singleLag, false)
	if i < 0 {
		return nil, false
	}
	if r.versions[i].gone {
		return nil, true
	}
	got := r.see(i)
	return &got, false
}

// deleted is the deleted feed: ids with deletion times ≥ from.
func (a *account) deleted(t ms, from int64) (ids []int) {
	a.calls++
	for _, r := range a.records {
		if r == nil || r.hidden {
			continue
		}
		if i := r.at(t, true); i >= 0 && r.versions[i].gone && a.stamp(r.versions[i].at) >= from {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// count is the provider's number of live records that the user may see.
func (a *account) count() (n int) {
	for _, r := range a.records {
		if r.alive() && !r.hidden {
			n++
		}
	}
	return n
}

// truth is the version that a single read shows at t, or -1.
func (a *account) truth(t ms, id int) int {
	if r := a.record(id); r != nil {
		return r.at(t-a.singleLag, false)
	}
	return -1
}

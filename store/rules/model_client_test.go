package rules_test

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"example.com/enlace/store/rules"
)

// decisions are the product's, each of which a test may take back.
type decisions struct {
	apply      func(*rules.Row, rules.Record, rules.Read, rules.Kind) rules.Verdict
	gone       func(*rules.Row, rules.Read) rules.Verdict
	observedAt func(rules.Read) time.Time
	lower      func(windowEnd, watermark time.Time) (time.Time, bool)
	upper      func(date, now time.Time) time.Time
	windowEnd  func(old, upper time.Time, sweep bool, cursors rules.Cursors) time.Time
	ascending  func([]time.Time) bool
	endsAfter  func([]time.Time, time.Time, bool) bool
	asksByTime func(asked, last time.Time, byCursor bool) bool
	walkAgain  func(byCursor, moved bool, rewalks int) bool
	braked     func(n, live int) bool
	unproven   func(n, live int) rules.Conclusion
	count      func(c *rules.Counters, v rules.Verdict, mine, restarted bool) bool
	restart    func(*rules.Counters)
}

func product() decisions {
	return decisions{
		apply: rules.Apply, gone: rules.Gone, observedAt: rules.Read.ObservedAt,
		lower: rules.Lower, upper: rules.Upper, windowEnd: rules.WindowEnd,
		ascending: rules.Ascending, endsAfter: rules.EndsAfter, asksByTime: rules.AsksByTime, walkAgain: rules.WalkAgain,
		braked: rules.Braked, unproven: rules.JudgeUnproven, count: (*rules.Counters).Count, restart: (*rules.Counters).Restart,
	}
}

// client is the product's side of the model: it holds what the database would hold and waits where the product waits.
// It decides nothing.
type client struct {
	w         *world
	rules     decisions
	rows      []*stored // by id
	watermark time.Time
	windowEnd time.Time
	runs      int
}

// stored is a contact's row; a webhook's write has run 0.
type stored struct {
	rules.Row
	run     int
	content int
	truth   int // which version it is; for the checks only
}

// run is an active run's row: everything here is committed with a page or a confirming read.
type run struct {
	id           int
	sweep        bool
	lower, upper time.Time
	first        time.Time // when its first call began
	next         *request
	ended        bool
	pages        int
	restarts     int
	rewalks      int
	byCursor     bool // the present walk used an opaque token
	moved        bool // rows moved during the present walk
	committed    time.Time
	met          map[int]bool // ids of the present walk's pages; true: live
	asked        map[int]bool // ids to read by themselves; true: counted as unchanged in the present walk
	counters     rules.Counters
	writes       int
	confirms     int
	conclusion   rules.Conclusion
}

var errExpired = errors.New("cursor expired")

// at is a time of the model as the product has it.
func at(t ms) time.Time { return time.UnixMilli(t) }

// stamped is a provider's time as the product has it.
func stamped(t int64) time.Time {
	if t == undated {
		return time.Time{}
	}
	return time.Unix(t, 0)
}

func hash(content int) (h [32]byte) {
	binary.BigEndian.PutUint64(h[:], uint64(content))
	return h
}

func (s seen) record() rules.Record {
	return rules.Record{Deleted: s.gone, Hash: hash(s.content), UpdatedAt: stamped(s.updated)}
}

// row is what a query for an id reads: nil where there is none.
func (c *client) row(id, runID int) *rules.Row {
	if id >= len(c.rows) || c.rows[id] == nil {
		return nil
	}
	row := c.rows[id].Row
	row.Mine = runID != 0 && c.rows[id].run == runID
	return &row
}

func (c *client) cursors() rules.Cursors {
	if c.w.account.tokens == position {
		return rules.Positions
	}
	return rules.Opaque
}

// sync executes one run from its creation to its end, and returns nil if it failed. Others act whenever it waits.
func (c *client) sync(full bool) *run {
	c.runs++
	r := &run{id: c.runs, first: at(c.w.now), met: map[int]bool{}, asked: map[int]bool{}}
	r.lower, r.sweep = c.rules.lower(c.windowEnd, c.watermark)
	if r.sweep = r.sweep || full; r.sweep {
		r.lower = time.Time{}
	}
	for {
		if !c.walk(r) {
			return nil
		}
		c.feed(r)
		if !c.rules.walkAgain(r.byCursor, r.moved, r.rewalks) {
			break
		}
		r.rewalks++
		c.restart(r)
	}
	c.confirmAsked(r)
	if r.sweep {
		c.absences(r)
	}
	c.watermark = rules.Watermark(c.watermark, r.committed, r.upper)
	c.windowEnd = c.rules.windowEnd(c.windowEnd, r.upper, r.sweep, c.cursors())
	return r
}

func (c *client) restart(r *run) {
	r.next, r.ended, r.byCursor, r.moved = nil, false, false, false
	r.met = map[int]bool{}
	for id := range r.asked {
		r.asked[id] = false
	}
	c.rules.restart(&r.counters)
}

// fetched is a page on its way to its commit.
type fetched struct {
	req  request
	next *request // nil: the list ended
	answer
	read rules.Read
}

func (f *fetched) times() []time.Time {
	times := make([]time.Time, len(f.records))
	for i, s := range f.records {
		times[i] = stamped(s.updated)
	}
	return times
}

// fetch asks for one page and waits for the answer; nil means that the call failed.
func (c *client) fetch(r *run, req *request) (*fetched, error) {
	w := c.w
	if req == nil {
		req = &request{byTime: !r.sweep, from: undated}
		if !r.sweep {
			req.from = r.lower.Unix()
		}
	}
	f := &fetched{req: *req}
	f.read.Begun = w.databaseNow()
	w.wait()
	if w.chance(w.plan.errorRate) {
		w.wait()
		return nil, nil
	}
	if req.token != nil && w.chance(w.plan.expireRate) {
		return nil, errExpired
	}
	f.answer = w.account.list(w.now, *req)
	w.lie(&f.answer)
	w.wait()
	f.read.Done = w.databaseNow()
	if r.upper.IsZero() {
		r.upper = c.rules.upper(stamped(f.date), f.read.Begun)
	}
	f.next = c.next(r, f)
	return f, nil
}

// next is the request for the page after f.
func (c *client) next(r *run, f *fetched) *request {
	if f.token == nil {
		return nil
	}
	if n := len(f.records); n > 0 && !r.sweep && c.cursors() == rules.Opaque {
		last := f.records[n-1].updated
		if c.rules.asksByTime(stamped(f.req.from), stamped(last), f.req.token != nil) {
			return &request{byTime: true, from: last}
		}
	}
	return &request{byTime: f.req.byTime, from: f.req.from, token: f.token}
}

// walk reads pages to the end of the walk, one ahead, with errors, kills and cursors that expire.
func (c *client) walk(r *run) bool {
	w := c.w
	var ahead *fetched
	for failures := 0; !r.ended; {
		page := ahead
		ahead = nil
		if page == nil {
			var err error
			if page, err = c.fetch(r, r.next); err != nil {
				if r.restarts++; r.restarts > 1 {
					return false
				}
				c.restart(r)
				continue
			}
		}
		if page == nil {
			if failures++; failures == 8 || w.chance(w.plan.failRate) {
				return false
			}
			w.waitLong()
			continue
		}
		failures = 0
		if !r.sweep && page.req.token == nil && !c.rules.ascending(page.times()) {
			return false
		}
		end := page.next == nil || !r.sweep && c.rules.endsAfter(page.times(), r.upper, c.isPosition(page))
		if !end {
			ahead, _ = c.fetch(r, page.next)
		}
		if w.chance(w.plan.killRate) { // the page in flight is lost, and the one ahead
			ahead = nil
			w.waitLong()
			continue
		}
		c.commit(r, page, end)
		w.wait()
	}
	return true
}

func (c *client) isPosition(page *fetched) bool {
	return c.cursors() == rules.Positions || page.req.token == nil
}

// commit is the page transaction: it reads the rows, decides, and writes what differs, unless somebody was quicker.
func (c *client) commit(r *run, page *fetched, end bool) {
	rows := make([]*rules.Row, len(page.records))
	for i, s := range page.records {
		rows[i] = c.row(s.id, r.id)
	}
	c.w.wait() // between its two round trips a webhook may commit
	for i, s := range page.records {
		_, again := r.met[s.id]
		r.moved = r.moved || again
		r.met[s.id] = !s.gone
		v := c.rules.apply(rows[i], s.record(), page.read, rules.Page)
		if writes(v) && !same(rows[i], c.row(s.id, r.id)) {
			v = rules.Ask
		}
		unchanged := c.rules.count(&r.counters, v, rows[i] != nil && rows[i].Mine, r.restarts+r.rewalks > 0)
		if v.Asks() {
			r.asked[s.id] = r.asked[s.id] || unchanged
		}
		if writes(v) {
			c.write(s.id, &s, s.truth, page.read, v, r.id)
			r.writes++
		}
		if t := stamped(s.updated); t.After(r.committed) {
			r.committed = t
		}
	}
	r.next, r.ended = page.next, end
	r.pages++
	r.byCursor = r.byCursor || !c.isPosition(page)
	c.w.checkCounters(r)
	c.w.checkEnds(r)
}

func same(x, y *rules.Row) bool {
	if x == nil || y == nil {
		return x == y
	}
	return *x == *y
}

func writes(v rules.Verdict) bool {
	return v.Stores() || v == rules.Touch || v == rules.Tombstone || v == rules.TombstoneUnknown
}

// write stores what a verdict says.
func (c *client) write(id int, s *seen, truth int, read rules.Read, v rules.Verdict, runID int) {
	for len(c.rows) <= id {
		c.rows = append(c.rows, nil)
	}
	old := c.rows[id]
	row := &stored{}
	if old != nil {
		*row = *old
	}
	row.ObservedAt = c.rules.observedAt(read)
	switch {
	case v.Stores():
		c.w.checkOrder(old, s)
		rec := s.record()
		row.Deleted, row.Hash, row.UpdatedAt = false, rec.Hash, rec.UpdatedAt
		row.run, row.content, row.truth = runID, s.content, truth
	case v == rules.Tombstone, v == rules.TombstoneUnknown:
		row.Deleted, row.run, row.truth = true, runID, truth
	}
	c.rows[id] = row
}

// reading is a confirming read that waits for its commit.
type reading struct {
	id     int
	read   rules.Read
	s      *seen // nil: gone
	truth  int
	proven bool
}

// confirm reads one record and commits that, again while another reader overlaps it.
func (c *client) confirm(id int, r *run) {
	for range rules.Rereads {
		if c.settle(c.get(id, r), r) != rules.Ask {
			return
		}
	}
}

// get is a confirming read: three waits, so that everything can happen between its parts.
func (c *client) get(id int, r *run) reading {
	w := c.w
	g := reading{id: id}
	g.read.Begun = w.databaseNow()
	w.wait()
	g.s, g.proven = w.account.get(w.now, id)
	g.truth = w.account.truth(w.now, id)
	w.wait()
	g.read.Done = w.databaseNow()
	w.wait()
	r.confirms++
	return g
}

// settle commits a confirming read; r is nil for a webhook's.
func (c *client) settle(g reading, r *run) rules.Verdict {
	runID := 0
	if r != nil {
		runID = r.id
	}
	row := c.row(g.id, runID)
	var v rules.Verdict
	if g.s == nil {
		v = c.rules.gone(row, g.read)
	} else {
		v = c.rules.apply(row, g.s.record(), g.read, rules.Confirm)
	}
	if writes(v) {
		c.write(g.id, g.s, g.truth, g.read, v, runID)
	}
	if r != nil && v != rules.Ask {
		r.counters.Confirmed(v, r.asked[g.id], row != nil && row.Mine)
		delete(r.asked, g.id)
		if writes(v) && v != rules.Touch {
			r.writes++
		}
		c.w.checkCounters(r)
	}
	return v
}

// feed reads the deleted feed after the walk.
func (c *client) feed(r *run) {
	w := c.w
	if !w.account.hasFeed || r.sweep {
		return
	}
	w.wait()
	ids := w.account.deleted(w.now, r.lower.Unix())
	w.wait()
	for _, id := range ids {
		ask, moved := rules.FeedEntry(c.row(id, r.id), r.first)
		r.moved = r.moved || moved
		if _, already := r.asked[id]; ask && !already {
			r.asked[id] = false
		}
	}
}

func (c *client) confirmAsked(r *run) {
	for _, id := range slices.Sorted(maps.Keys(r.asked)) {
		c.confirm(id, r)
	}
}

// absences is what a finished sweep concludes from what it did not meet.
func (c *client) absences(r *run) {
	var ids []string
	live := 0
	for id, row := range c.rows {
		if row == nil || row.Deleted {
			continue
		}
		live++
		if rules.Candidate(row.Row, r.first, r.met[id]) {
			ids = append(ids, strconv.Itoa(id))
		}
	}
	var gone []reading
	if c.rules.braked(len(ids), live) {
		sample := rules.Sample(ids, rules.SampleSize)
		found, readings := c.readAbsent(sample, r)
		if r.conclusion = rules.JudgeSample(found); r.conclusion != rules.Proceed {
			return
		}
		gone = readings
		ids = slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(sample, id) })
	}
	_, readings := c.readAbsent(ids, r)
	gone = append(gone, readings...)
	unproven := 0
	for _, g := range gone {
		if !g.proven {
			unproven++
		}
	}
	r.conclusion = c.rules.unproven(unproven, live)
	for _, g := range gone { // one transaction
		if g.proven || r.conclusion != rules.Hold {
			c.settle(g, r)
		}
	}
}

// readAbsent reads candidates; those alive are committed at once.
func (c *client) readAbsent(ids []string, r *run) (found []rules.Finding, gone []reading) {
	for _, id := range ids {
		n, _ := strconv.Atoi(id)
		switch g := c.get(n, r); {
		case g.s != nil:
			c.settle(g, r)
			found = append(found, rules.Alive)
		case g.proven:
			found, gone = append(found, rules.Proven), append(gone, g)
		default:
			found, gone = append(found, rules.Unproven), append(gone, g)
		}
	}
	return found, gone
}

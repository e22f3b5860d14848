package sandbox

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"sync"
	"time"
)

// records is the set of contacts in one company of a CRM. Records 1..size are
// made from their number on demand; only those that someone changed or created
// are stored. Generated times never fall as ids rise, so that the generated
// records are in order by construction, a page of a million begins after a
// binary search, and only the changed ones are ever sorted.
type records struct {
	mu       sync.Mutex
	size     int64 // generated records
	begun    int64 // times of the generated records lie between begun and ended
	ended    int64
	changed  map[int64]record
	ordered  map[order][]record // changed, sorted; absent after a change
	lastID   int64
	versions int // of the last change: makes each change's content its own
	draws    uint64
	seed     uint64
	// heard is told of each change as it is made, in order, under mu; may be nil.
	heard func(before record, existed bool, after record)
}

// record is one contact. Everything else that it shows follows from its id and
// version, or is in raw.
type record struct {
	id             int64
	added, updated int64 // Unix seconds; noTime for null
	version        int   // 0 as generated
	deleted        int64 // when it was soft-deleted, 0 if it wasn't
	purged         bool
	raw            []byte // the JSON that a test put in, else nil
}

// noTime is a null time; in ascending order nulls come first.
const noTime = math.MinInt64

// order is what a list is sorted by, ties by id.
type order int

const (
	byID order = iota
	byAdded
	byUpdated
)

// key is a place in a list.
type key struct{ time, id int64 }

func (a key) compare(b key) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.id, b.id))
}

func (r record) key(o order) key {
	switch o {
	case byAdded:
		return key{r.added, r.id}
	case byUpdated:
		return key{r.updated, r.id}
	case byID:
	}
	return key{0, r.id}
}

// walk is a question for one page.
type walk struct {
	order        order
	desc         bool
	after        *key   // the last place of the page before
	since, until *int64 // update time: inclusive and exclusive bound
	limit        int
	keep         func(record) bool
}

// Some generated records lack an update time, and a few share each second.
const (
	timelessEvery = 641
	tiesOf        = 3
)

// retention is how long a soft-deleted record can still be read.
const retention = 30 * 24 * time.Hour

func newRecords(size int, seed uint64, now time.Time) *records {
	s := &records{seed: seed}
	s.renew(size, now)
	return s
}

// renew forgets all changes and generates size records. Their times end with
// the year before now, so that a restart makes the same ones.
func (s *records) renew(size int, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size, s.lastID, s.versions, s.draws = int64(size), int64(size), 0, 0
	s.begun = time.Date(2011, 5, 1, 0, 0, 0, 0, time.UTC).Unix()
	s.ended = max(s.begun, time.Date(now.UTC().Year(), 1, 1, 0, 0, 0, 0, time.UTC).Unix()-1)
	s.changed, s.ordered = map[int64]record{}, nil
}

// generated makes record id as it was before any change.
func (s *records) generated(id int64) record {
	r := record{id: id, added: s.timeOf(id) - 90*86400, updated: s.timeOf(id)}
	if id%timelessEvery == 0 {
		r.updated = noTime
	}
	return r
}

// timeOf spreads the records evenly, tiesOf of them on each second.
func (s *records) timeOf(id int64) int64 {
	group, groups := (id-1)/tiesOf, max(1, s.size/tiesOf)
	return s.begun + (s.ended-s.begun)/groups*group
}

// idAt is the id at a rank of the generated records in order o, from 0.
func (s *records) idAt(o order, rank int64) int64 {
	timeless := s.size / timelessEvery
	switch {
	case o != byUpdated:
		return rank + 1
	case rank < timeless:
		return (rank + 1) * timelessEvery
	}
	rank -= timeless
	return rank + rank/(timelessEvery-1) + 1
}

// span is the range of ranks [low, high) that a walk has yet to see.
func (s *records) span(w walk) (low, high int64) {
	firstAt := func(at func(id int64) bool) int64 {
		return int64(sort.Search(int(s.size), func(rank int) bool { return at(s.idAt(w.order, int64(rank))) }))
	}
	low, high = 0, s.size
	if w.order == byUpdated && (w.since != nil || w.until != nil) {
		low = s.size / timelessEvery // no filter by time sees a record without one
	}
	if w.since != nil {
		low = max(low, firstAt(func(id int64) bool { return s.boundTime(w.order, id) >= *w.since }))
	}
	if w.until != nil {
		high = min(high, firstAt(func(id int64) bool { return s.boundTime(w.order, id) >= *w.until }))
	}
	switch {
	case w.after != nil && !w.desc:
		low = max(low, firstAt(func(id int64) bool { return s.generated(id).key(w.order).compare(*w.after) > 0 }))
	case w.after != nil:
		high = min(high, firstAt(func(id int64) bool { return s.generated(id).key(w.order).compare(*w.after) >= 0 }))
	}
	return low, max(low, high)
}

// boundTime is an update time that never falls along the ranks of order o: in
// order of ids those without one take their neighbours'.
func (s *records) boundTime(o order, id int64) int64 {
	if o == byUpdated {
		return s.generated(id).updated
	}
	return s.timeOf(id)
}

// page lists up to w.limit records and says whether more follow.
func (s *records) page(w walk) (found []record, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	found = make([]record, 0, min(w.limit, 500))
	nextGenerated, nextChanged := s.walkGenerated(w), s.walkChanged(w)
	g, gok := nextGenerated()
	c, cok := nextChanged()
	for gok || cok {
		takeChanged := cok && (!gok || (c.key(w.order).compare(g.key(w.order)) < 0) != w.desc)
		if len(found) == w.limit {
			return found, true
		}
		if takeChanged {
			found = append(found, c)
			c, cok = nextChanged()
		} else {
			found = append(found, g)
			g, gok = nextGenerated()
		}
	}
	return found, false
}

// walkGenerated yields the generated records of w that nobody changed.
func (s *records) walkGenerated(w walk) func() (record, bool) {
	low, high := s.span(w)
	return func() (record, bool) {
		for low < high {
			rank := low
			if w.desc {
				high--
				rank = high
			} else {
				low++
			}
			r := s.generated(s.idAt(w.order, rank))
			if _, changed := s.changed[r.id]; !changed && w.takes(r) {
				return r, true
			}
		}
		return record{}, false
	}
}

// walkChanged yields the changed records of w.
func (s *records) walkChanged(w walk) func() (record, bool) {
	sorted := s.sorted(w.order)
	low, high := 0, len(sorted)
	if w.after != nil {
		at, exact := slices.BinarySearchFunc(sorted, *w.after, func(r record, k key) int { return r.key(w.order).compare(k) })
		switch {
		case w.desc:
			high = at
		case exact:
			low = at + 1
		default:
			low = at
		}
	}
	return func() (record, bool) {
		for low < high {
			at := low
			if w.desc {
				high--
				at = high
			} else {
				low++
			}
			if r := sorted[at]; w.takes(r) {
				return r, true
			}
		}
		return record{}, false
	}
}

func (w walk) takes(r record) bool {
	if (w.since != nil || w.until != nil) && r.updated == noTime {
		return false
	}
	if w.since != nil && r.updated < *w.since || w.until != nil && r.updated >= *w.until {
		return false
	}
	return w.keep == nil || w.keep(r)
}

func (s *records) sorted(o order) []record {
	if list, ok := s.ordered[o]; ok {
		return list
	}
	list := make([]record, 0, len(s.changed))
	for _, r := range s.changed {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b record) int { return a.key(o).compare(b.key(o)) })
	if s.ordered == nil {
		s.ordered = map[order][]record{}
	}
	s.ordered[o] = list
	return list
}

// read finds one record, purged ones included.
func (s *records) read(id int64) (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(id)
}

func (s *records) find(id int64) (record, bool) {
	if r, ok := s.changed[id]; ok {
		return r, true
	}
	if id < 1 || id > s.size {
		return record{}, false
	}
	return s.generated(id), true
}

func (s *records) store(r record) {
	if s.heard != nil {
		before, existed := s.find(r.id)
		s.heard(before, existed, r)
	}
	s.changed[r.id] = r
	s.lastID = max(s.lastID, r.id)
	s.ordered = nil
}

// put stores a record that a test wrote.
func (s *records) put(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(r)
}

// edit changes a living record; false if there is none.
func (s *records) edit(id int64, change func(*record)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.find(id)
	if !ok || !r.living() {
		return false
	}
	s.versions++
	r.version = s.versions
	change(&r)
	s.store(r)
	return true
}

func (r record) living() bool { return r.deleted == 0 && !r.purged }

// living counts the records that are neither deleted nor purged.
func (s *records) living() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.countLiving()
}

func (s *records) countLiving() int {
	n := int(s.size)
	for id, r := range s.changed {
		if id >= 1 && id <= s.size {
			n--
		}
		if r.living() {
			n++
		}
	}
	return n
}

// Mutation says how many records change. The sets are disjoint.
type Mutation struct {
	Create int `json:"create"`
	Update int `json:"update"`
	Delete int `json:"delete"` // soft: readable as deleted for 30 days
	Purge  int `json:"purge"`  // gone at once
}

// Mutated lists the ids that a mutation touched, and when.
type Mutated struct {
	At      time.Time `json:"at"`
	Created []int64   `json:"created"`
	Updated []int64   `json:"updated"`
	Deleted []int64   `json:"deleted"`
	Purged  []int64   `json:"purged"`
}

// mutate changes records at now, all of them or none. Deletions move the update
// time if deletionMovesTime.
func (s *records) mutate(m Mutation, now time.Time, deletionMovesTime bool) (Mutated, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	at := now.Unix()
	done := Mutated{At: now.Truncate(time.Second), Created: []int64{}, Updated: []int64{}, Deleted: []int64{}, Purged: []int64{}}
	if m.Create < 0 || m.Update < 0 || m.Delete < 0 || m.Purge < 0 {
		return done, fmt.Errorf("numbers of records must not be negative")
	}
	if wanted, living := m.Update+m.Delete+m.Purge, s.countLiving(); wanted > living {
		return done, fmt.Errorf("%d records are to change, but only %d live", wanted, living)
	}
	picked := s.pick(m.Update + m.Delete + m.Purge)
	for _, id := range picked[:m.Update] {
		s.change(id, func(r *record) { r.updated = at })
		done.Updated = append(done.Updated, id)
	}
	for _, id := range picked[m.Update : m.Update+m.Delete] {
		s.change(id, func(r *record) { r.softDelete(at, deletionMovesTime) })
		done.Deleted = append(done.Deleted, id)
	}
	for _, id := range picked[m.Update+m.Delete:] {
		s.change(id, func(r *record) { r.purged = true })
		done.Purged = append(done.Purged, id)
	}
	for range m.Create {
		id := s.lastID + 1
		s.versions++
		s.store(record{id: id, added: at, updated: at, version: s.versions})
		done.Created = append(done.Created, id)
	}
	for _, ids := range [][]int64{done.Updated, done.Deleted, done.Purged} {
		slices.Sort(ids)
	}
	return done, nil
}

func (r *record) softDelete(at int64, movesTime bool) {
	r.deleted = at
	if movesTime {
		r.updated = at
	}
}

func (s *records) change(id int64, change func(*record)) {
	r, _ := s.find(id)
	s.versions++
	r.version = s.versions
	r.raw = nil
	change(&r)
	s.store(r)
}

// pick draws n living records, spread over all of them; the caller knows that
// there are that many.
func (s *records) pick(n int) []int64 {
	picked := make([]int64, 0, n)
	taken := make(map[int64]bool, n)
	for len(picked) < n {
		s.draws++
		id := 1 + int64(mix(s.seed^s.draws)%uint64(s.lastID)) //nolint:gosec // lastID is positive where a record lives
		for {
			if r, ok := s.find(id); ok && r.living() && !taken[id] {
				break
			}
			id = id%s.lastID + 1
		}
		taken[id] = true
		picked = append(picked, id)
	}
	return picked
}

// mix scrambles a number (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

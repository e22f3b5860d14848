package rules_test

// The checks are PROOFS-sync §2's properties, named by their letters, and excuse what its §4 says cannot be guaranteed.
// They know the truth, and state the promises in numbers of their own rather than the product's.

const (
	overlap  = 15 * minute // what lists may be late
	dateless = 15 * minute // what a provider without a Date costs
	dateLead = 10 * minute // what a wrong Date may cost
)

// lagCovered is how late a list may show a change that an incremental still finds.
func (w *world) lagCovered() ms {
	covered := overlap
	if !w.plan.hasDate { // our clock stood in for the provider's
		covered -= max(0, -w.plan.skew-dateless)
	} else if w.plan.dateAhead > 0 {
		covered -= min(w.plan.dateAhead, max(0, dateLead-w.plan.skew))
	}
	return covered - 2*second
}

// freshBy is how long before an incremental's start a change must have been made to be in it.
func (w *world) freshBy() ms {
	late := w.plan.maxLag + 2*second
	if !w.plan.hasDate {
		late += max(0, w.plan.skew+dateless)
	}
	return late
}

// checkFresh is (b): what was changed early enough before an incremental is there after it, without any sweep.
func (w *world) checkFresh(begun ms) {
	if w.lied || w.plan.maxLag > w.lagCovered() {
		return
	}
	for id, r := range w.account.records {
		if r == nil || r.odd || r.hidden || !r.alive() {
			continue
		}
		if i := w.due(r, begun-w.freshBy()); i >= 0 && w.lacks(id, i) {
			w.fail("b", "record %d: version %d (%+v) is missing after an incremental that began at %ds; stored %+v", id, i, r.versions[i], begun/second, w.stored(id))
		}
	}
}

// due is the version that an incremental must have brought: the last one made by then, unless the record was changed
// again before the run ended (that change is the next run's). -1: none.
func (w *world) due(r *record, by ms) int {
	for i := len(r.versions) - 1; i >= 0; i-- {
		switch v := &r.versions[i]; {
		case v.at > by && v.at <= w.now:
			return -1
		case v.at <= by && v.moved && !v.gone:
			return i
		case v.at <= by:
			return -1
		}
	}
	return -1
}

func (w *world) lacks(id, due int) bool {
	row, versions := w.stored(id), w.account.records[id].versions
	switch {
	case row == nil:
		return true
	case row.Deleted:
		return row.truth < len(versions)-1
	}
	return row.truth < due && row.content != versions[due].content
}

func (w *world) stored(id int) *stored {
	if id < len(w.client.rows) {
		return w.client.rows[id]
	}
	return nil
}

// checkOrder is (f): a write never puts an older state over a newer one. While lists lag, two states of one second can't
// be told apart; those must heal, which checkAnnounced and checkEqual see.
func (w *world) checkOrder(old *stored, s *seen) {
	if old == nil || old.Deleted || s.truth >= old.truth || w.plan.maxLag > 0 {
		return
	}
	if v := w.account.records[s.id].versions; v[s.truth].updated != v[old.truth].updated {
		w.fail("f", "record %d: version %d is written over %d", s.id, s.truth, old.truth)
	}
}

// checkCounters is (h), at every commit.
func (w *world) checkCounters(r *run) {
	c := r.counters
	if c.Seen != c.Created+c.Updated+c.Unchanged+c.Failed {
		w.fail("h", "%+v don't add up", c)
	}
	if min(c.Seen, c.Created, c.Updated, c.Unchanged, c.Deleted, c.Failed) < 0 {
		w.fail("h", "%+v are below nothing", c)
	}
}

// checkEnds is (e): a busy account holds no run. A Date that runs ahead may hold it until the provider's clock is there.
func (w *world) checkEnds(r *run) {
	if limit := 20 + 5*len(w.account.records); w.plan.busy > 0 && w.plan.dateAhead == 0 && r.pages > limit {
		w.fail("e", "%d pages and no end", r.pages)
		r.ended = true
	}
}

// checkAnnounced is (d) and (f) before any sweep: a record whose last change a delivered webhook announced is right.
func (w *world) checkAnnounced() {
	if w.plan.maxLag > w.lagCovered() || w.lied && w.plan.maxLag > 0 { // a lie may swallow the read that heals a tie
		return
	}
	for _, r := range w.account.records {
		if r != nil && r.announced && !r.odd && !r.hidden {
			w.compare("d", r)
		}
	}
}

// checkEqual is (a) and (i), after a full sweep.
func (w *world) checkEqual() {
	live := 0
	for id, row := range w.client.rows {
		if row == nil {
			continue
		}
		if !row.Deleted {
			live++
		}
		if w.account.record(id) == nil {
			w.fail("a", "record %d was never there", id)
		}
	}
	for _, r := range w.account.records {
		if r != nil {
			w.compare("a", r)
		}
	}
	if n := w.account.count(); n != live {
		w.fail("i", "drift %d", live-n)
	}
}

// compare holds a record's row against the provider.
func (w *world) compare(property string, r *record) {
	v, row := r.last(), w.stored(r.id)
	there := r.alive() && !r.hidden
	switch {
	case there && row == nil:
		w.fail(property, "record %d is missing", r.id)
	case there && row.Deleted:
		w.fail(property, "record %d is live but tombstoned: %+v", r.id, *row)
	case there && (row.content != v.content || row.Hash != hash(v.content)):
		w.fail(property, "record %d has content %d, at the provider %d (%+v, %+v)", r.id, row.content, v.content, *row, v)
	case !there && row != nil && !row.Deleted:
		w.fail(property, "record %d is gone but stored live: %+v", r.id, *row)
	}
}

// checkNothingNew is (c): an incremental with nothing new costs at most two calls and no write.
func (w *world) checkNothingNew() {
	calls := w.account.calls
	r := w.sync(false)
	if n := w.account.calls - calls; r == nil || n > 2 || r.writes > 0 {
		w.fail("c", "an incremental with nothing new: %d calls, %+v", n, r)
	}
	if r != nil && r.counters.Seen != r.counters.Unchanged {
		w.fail("c", "an incremental with nothing new counts %+v", r.counters)
	}
}

package rules_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"example.com/enlace/store/rules"
)

// change is one thing that happens in the account, or a run of ours. Plans are lists of them, so that a failing one can
// be shrunk.
type change struct {
	at      ms
	kind    changeKind
	id      int
	content int
	lag     ms // until lists and the feed see it
	hook    ms // its webhook arrives after this long; < 0: it is lost
}

type changeKind string

const (
	create        changeKind = "create"
	createUndated changeKind = "create without a time"
	edit          changeKind = "edit"
	editBack      changeKind = "edit stamped 5 min early" // another server's clock, a restore from backup
	editHideTime  changeKind = "edit that hides the time"
	editFive      changeKind = "edit of five in one second"
	remove        changeKind = "delete"
	removeSilent  changeKind = "delete, time not moved"
	restore       changeKind = "restore"
	restoreOld    changeKind = "restore with its old time"
	purge         changeKind = "purge"
	hide          changeKind = "permission lost"
	unhide        changeKind = "permission back"
	lie           changeKind = "empty 200 or half pages"
	incremental   changeKind = "incremental"
	full          changeKind = "full"
)

func (k changeKind) isRun() bool { return k == incremental || k == full }

// plan is a whole schedule; with its seed (of the waits) it is repeatable.
type plan struct {
	seed        uint64
	skew        ms
	page        int
	tokens      tokenKind
	hasDate     bool
	dateAhead   ms
	hasFeed     bool
	showsGone   bool
	maxLag      ms
	latency     ms // longest wait inside a request
	errorRate   float64
	expireRate  float64
	killRate    float64
	failRate    float64
	workerClock ms // ≠ 0: reads are timed by worker clocks this far apart (a mistake to be caught)
	singleLag   ms // single reads lag too (outside what is promised)
	hookWait    ms // a webhook waits this long before its confirming read
	busy        int
	changes     []change
}

type event struct {
	at ms
	do func()
}

// world runs a plan: time only passes when somebody waits, and then everything due happens in order.
type world struct {
	now       ms
	plan      plan
	rng       *rand.Rand
	queue     []event
	account   *account
	client    *client
	lies      int
	lied      bool
	calm      bool
	unsettled bool // a token walk never came to rest, or a counted first full slipped: only the next sweep is promised
	violation *violation
}

// violation is a property of PROOFS-sync that did not hold: a letter of its table, and what was seen.
type violation struct{ property, detail string }

func newWorld(p plan, d decisions) *world {
	w := &world{
		now: 1000 * minute, plan: p, rng: rand.New(rand.NewPCG(p.seed, 7)),
		account: &account{
			skew: p.skew, page: p.page, tokens: p.tokens, hasDate: p.hasDate, dateAhead: p.dateAhead,
			hasFeed: p.hasFeed, showsGone: p.showsGone, singleLag: p.singleLag,
		},
	}
	w.client = &client{w: w, rules: d}
	w.account.onList = func() {
		for range p.busy {
			if id := w.rng.IntN(12); !w.calm {
				w.happen(change{kind: edit, id: id, content: w.rng.IntN(3), hook: -1})
			}
		}
	}
	return w
}

func (w *world) fail(property, format string, args ...any) {
	if w.violation == nil {
		w.violation = &violation{property, fmt.Sprintf("t=%ds: ", w.now/second) + fmt.Sprintf(format, args...)}
	}
}

func (w *world) chance(p float64) bool { return !w.calm && p > 0 && w.rng.Float64() < p }

// databaseNow is how a worker times its reads.
func (w *world) databaseNow() time.Time {
	if w.plan.workerClock != 0 && w.rng.IntN(2) > 0 {
		return at(w.now + w.plan.workerClock)
	}
	return at(w.now)
}

func (w *world) after(d ms, do func()) {
	e := event{w.now + d, do}
	i := sort.Search(len(w.queue), func(i int) bool { return w.queue[i].at > e.at })
	w.queue = slices.Insert(w.queue, i, e)
}

func (w *world) advance(to ms) {
	for len(w.queue) > 0 && w.queue[0].at <= to {
		e := w.queue[0]
		w.queue = w.queue[1:]
		w.now = max(w.now, e.at)
		e.do()
	}
	w.now = max(w.now, to)
}

func (w *world) wait()     { w.advance(w.now + w.rng.Int64N(w.plan.latency+1)) }
func (w *world) waitLong() { w.advance(w.now + w.rng.Int64N(3*minute)) }

// lie cuts an answer, which stays well-formed.
func (w *world) lie(a *answer) {
	if w.lies == 0 {
		return
	}
	w.lies--
	a.records = a.records[:len(a.records)/2]
	if w.rng.IntN(2) == 0 {
		a.records, a.token = nil, nil
	}
}

// happen applies a change to the account.
func (w *world) happen(c change) {
	r := w.account.record(c.id)
	switch c.kind {
	case create, createUndated:
		w.create(r, c)
	case edit, editBack, editHideTime:
		w.edit(r, c)
	case editFive:
		for id := c.id; id < c.id+5; id++ {
			if r := w.account.record(id); r.alive() {
				w.add(r, c, version{content: c.content, updated: w.account.stamp(w.now), moved: true})
			}
		}
	case remove, removeSilent:
		w.remove(r, c)
	case restore, restoreOld:
		w.restore(r, c)
	case purge:
		if r != nil && r.last().gone {
			r.purged = true
		}
	case hide, unhide:
		w.permission(c)
	case lie:
		w.lies += 2
		w.lied = true
	case incremental, full: // ours, not the account's
	}
}

// add is the record's next version, and its webhook.
func (w *world) add(r *record, c change, v version) {
	v.at, v.visible = w.now, w.now+c.lag
	if n := len(r.versions); n > 0 {
		v.visible = max(v.visible, r.versions[n-1].visible)
	}
	r.versions = append(r.versions, v)
	if r.announced = c.hook >= 0; r.announced {
		w.after(c.hook+w.plan.hookWait, func() { w.webhook(r.id, 0) })
	}
}

func (w *world) create(r *record, c change) {
	if r != nil {
		return
	}
	v := version{content: c.content, updated: w.account.stamp(w.now), moved: true}
	if c.kind == createUndated {
		v.updated, v.moved = undated, false
	}
	w.add(w.account.add(c.id), c, v)
}

func (w *world) edit(r *record, c change) {
	if !r.alive() {
		return
	}
	v := version{content: c.content, updated: w.account.stamp(w.now), moved: c.kind == edit}
	switch {
	case c.kind == editBack:
		v.updated -= 300
		r.odd = r.odd || w.plan.maxLag > 0 // both at once: only a sweep is promised
	case c.kind == editHideTime && w.plan.tokens == counting:
		return // it leaves a counted list without a trace: nothing can be promised
	case c.kind == editHideTime:
		v.updated = undated
	}
	w.add(r, c, v)
}

func (w *world) remove(r *record, c change) {
	if !r.alive() {
		return
	}
	if w.plan.tokens == counting && w.client.windowEnd.IsZero() {
		w.unsettled = true // a first full run over a counted list: drift tells
	}
	v := version{content: r.last().content, updated: w.account.stamp(w.now), gone: true, moved: true}
	if c.kind == removeSilent {
		v.updated, v.moved = r.last().updated, false
	}
	w.add(r, c, v)
}

func (w *world) restore(r *record, c change) {
	if r == nil || r.purged || !r.last().gone {
		return
	}
	v := version{content: r.last().content, updated: w.account.stamp(w.now), moved: true}
	if c.kind == restoreOld {
		v.moved, v.updated = false, r.last().updated
		if n := len(r.versions); n > 1 {
			v.updated = r.versions[n-2].updated
		}
	}
	w.add(r, c, v)
}

// permission is lost or regained for a third of the account.
func (w *world) permission(c change) {
	w.lied = w.lied || w.plan.tokens == counting // a counted list shifts without a trace
	for id, r := range w.account.records {
		if r != nil && id%3 == c.id%3 && r.hidden != (c.kind == hide) {
			r.hidden, r.odd = c.kind == hide, true
		}
	}
}

// webhook is a delivered event: read the record, then commit, as separate moments; again if another read overlapped.
func (w *world) webhook(id, try int) {
	g := reading{id: id}
	g.read.Begun = w.databaseNow()
	w.after(w.rng.Int64N(w.plan.latency+1), func() {
		g.s, g.proven = w.account.get(w.now, id)
		g.truth = w.account.truth(w.now, id)
		w.after(w.rng.Int64N(w.plan.latency+1), func() {
			g.read.Done = w.databaseNow()
			w.after(w.rng.Int64N(w.plan.latency+1), func() {
				if w.client.settle(g, nil) == rules.Ask && try < rules.Rereads {
					w.webhook(id, try+1)
				}
			})
		})
	})
}

// simulate runs a plan and returns the first property that did not hold, or nil.
func simulate(p plan, d decisions) *violation {
	w := newWorld(p, d)
	start := w.now
	var last ms
	for _, c := range p.changes {
		last = max(last, c.at)
		if !c.kind.isRun() {
			w.after(c.at, func() { w.happen(c) })
		}
	}
	for _, c := range p.changes {
		if c.kind.isRun() {
			w.advance(max(w.now, start+c.at))
			w.sync(c.kind == full)
		}
	}
	w.advance(start + last)
	w.settle()
	return w.violation
}

func (w *world) sync(full bool) *run {
	begun := w.now
	r := w.client.sync(full)
	if r == nil {
		return nil
	}
	w.unsettled = w.unsettled || r.byCursor && r.moved && r.rewalks == rules.Rewalks
	if !r.sweep && !w.unsettled {
		w.checkFresh(begun)
	}
	return r
}

// settle is the calm after the last change: incrementals, a sweep, and what must hold after each.
func (w *world) settle() {
	w.advance(w.now + max(w.plan.maxLag, overlap) + 2*minute)
	w.calm, w.lies = true, 0
	w.sync(false)
	w.advance(w.now + 16*minute)
	w.sync(false)
	w.checkAnnounced()
	w.advance(w.now + 16*minute)
	r := w.sync(true)
	if r == nil {
		w.fail("a", "the last full run failed")
		return
	}
	if r.conclusion != rules.Proceed { // a person confirms
		for id, row := range w.client.rows {
			if row != nil && !row.Deleted && !r.met[id] {
				w.client.confirm(id, r)
			}
		}
	}
	w.checkEqual()
	w.advance(w.now + 16*minute)
	w.sync(false) // where full runs leave the window alone, this one reads again what lies between
	for range 2 {
		w.advance(w.now + 16*minute)
		w.checkNothingNew()
	}
}

package rules_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// mix makes the plan of a seed.
type mix func(seed uint64) plan

// random is the hostile mix: everything at once, most of it while a run is at work.
func random(seed uint64) plan {
	g := rand.New(rand.NewPCG(seed, 1))
	pick := g.IntN
	p := plan{
		seed: seed, page: 2 + pick(4), hasDate: pick(5) > 0, hasFeed: pick(2) == 0, showsGone: pick(3) == 0,
		tokens:  []tokenKind{position, position, frozen, counting}[pick(4)],
		skew:    ms(pick(21)-10) * minute,
		maxLag:  []ms{0, 0, 3 * second, minute, 5 * minute, 14 * minute, 25 * minute}[pick(7)],
		latency: []ms{300, 2000, 20_000}[pick(3)],
	}
	if pick(12) == 0 {
		p.dateAhead = ms(1+pick(180)) * minute
	}
	p.hasFeed = p.hasFeed || p.tokens == counting
	if pick(2) == 0 {
		p.errorRate, p.expireRate, p.killRate, p.failRate = 0.1, 0.05, 0.1, 0.05
	}
	if pick(10) == 0 {
		p.busy = 1 + pick(p.page+2)
	}
	kinds := []changeKind{create, create, createUndated, edit, edit, edit, editBack, editHideTime, editFive, remove, removeSilent, restore, restoreOld, purge}
	if pick(4) == 0 {
		kinds = append(kinds, hide, unhide)
	}
	if pick(6) == 0 {
		kinds = append(kinds, lie)
	}
	n := 2 + pick(12)
	for id := range n {
		k := create
		if pick(5) == 0 {
			k = createUndated
		}
		p.changes = append(p.changes, change{at: ms(pick(600)) * second, kind: k, id: id, content: pick(3), hook: -1})
	}
	var end ms
	for t := 11 * minute; t < 150*minute; {
		k := incremental
		if pick(6) == 0 || t == 11*minute && pick(4) > 0 {
			k = full
		}
		p.changes = append(p.changes, change{at: t, kind: k})
		end = t
		t += ms(1+pick(20))*minute + ms(pick(60_000))
	}
	runs := slices.Clone(p.changes[n:])
	for range pick(40) {
		c := change{at: g.Int64N(end), kind: kinds[pick(len(kinds))], id: pick(n + 4), content: pick(3), hook: -1}
		if pick(3) > 0 {
			c.at = max(0, runs[pick(len(runs))].at+g.Int64N(p.latency*6+2)-p.latency)
		}
		if p.maxLag > 0 && pick(2) == 0 {
			c.lag = g.Int64N(p.maxLag)
		}
		if pick(2) == 0 {
			c.hook = g.Int64N([]ms{60_000, 3000}[pick(2)])
		}
		p.changes = append(p.changes, c)
	}
	return p.sorted()
}

// dense lets deletes, restores and A → B → A edits of few records, all announced, fall into slow runs.
func dense(seed uint64) plan {
	p := random(seed)
	g := rand.New(rand.NewPCG(seed, 2))
	p.latency, p.busy = 20_000, 0
	kinds := []changeKind{edit, edit, remove, removeSilent, restore, restoreOld, restoreOld}
	runs := slices.DeleteFunc(slices.Clone(p.changes), func(c change) bool { return !c.kind.isRun() })
	for range 20 {
		c := change{kind: kinds[g.IntN(len(kinds))], id: g.IntN(4), content: g.IntN(2), hook: g.Int64N(8000)}
		c.at = runs[g.IntN(len(runs))].at + g.Int64N(90_000)
		if p.maxLag > 0 && g.IntN(2) == 0 {
			c.lag = g.Int64N(p.maxLag)
		}
		p.changes = append(p.changes, c)
	}
	return p.sorted()
}

// overlapped lets an incremental begin while the webhook's read of a record's last change but one is still under way;
// the last change has no webhook.
func overlapped(seed uint64) plan {
	first, second, gap := remove, restore, 6*second
	if seed%2 == 0 {
		first, second, gap = edit, edit, ms(400)
	}
	t := 40 * minute
	return plan{seed: seed, page: 5, hasDate: true, hasFeed: true, latency: 20_000, changes: []change{
		{at: 0, kind: create, content: 1, hook: -1},
		{at: 11 * minute, kind: full},
		{at: t, kind: first, content: 2},
		{at: t + gap, kind: second, content: 3, hook: -1},
		{at: t + 10_000, kind: incremental},
	}}
}

func (p plan) sorted() plan {
	slices.SortStableFunc(p.changes, func(x, y change) int { return int(x.at - y.at) })
	return p
}

// String is the plan as a person reads it, one change a line.
func (p plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, page %d, %v tokens, clock %+d s, Date %v %+d s, feed %v, shows gone %v, lists ≤ %d s late, latency ≤ %d ms, busy %d, errors %v, expiries %v, kills %v, failures %v\n",
		p.seed, p.page, p.tokens, p.skew/second, p.hasDate, p.dateAhead/second, p.hasFeed, p.showsGone, p.maxLag/second, p.latency, p.busy, p.errorRate, p.expireRate, p.killRate, p.failRate)
	for _, c := range p.changes {
		fmt.Fprintf(&b, "  %9.3f s  %-26s", float64(c.at)/float64(second), c.kind)
		if !c.kind.isRun() {
			fmt.Fprintf(&b, " id %d, content %d, lists %d s late, webhook after %d ms", c.id, c.content, c.lag/second, c.hook)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shrink drops changes and faults while the same property still fails.
func shrink(p plan, d decisions, property string) plan {
	fails := func(q plan) bool {
		v := simulate(q, d)
		return v != nil && v.property == property
	}
	simpler := []func(*plan){
		func(q *plan) { q.errorRate, q.expireRate, q.failRate, q.killRate = 0, 0, 0, 0 },
		func(q *plan) { q.busy = 0 },
		func(q *plan) { q.skew = 0 },
		func(q *plan) { q.hasFeed = q.tokens == counting },
		func(q *plan) { q.showsGone = false },
		func(q *plan) { q.hasDate = true },
		func(q *plan) { q.dateAhead = 0 },
		func(q *plan) { q.tokens = position },
	}
	for again := true; again; {
		again = false
		for i := 0; i < len(p.changes); {
			q := p
			q.changes = slices.Delete(slices.Clone(p.changes), i, i+1)
			if len(q.changes) == 0 || !fails(q) {
				i++
				continue
			}
			p, again = q, true
		}
		for _, simplify := range simpler {
			q := p
			if simplify(&q); !reflect.DeepEqual(q, p) && fails(q) {
				p, again = q, true
			}
		}
	}
	return p
}

// search runs n schedules from a seed on, on all processors, until one violates a property, and returns how many ran
// and the failing plan with the smallest seed among those that ran (nil: none).
func search(n int, seed uint64, d decisions, m mix) (ran int, failing *plan) {
	var next atomic.Int64
	var stop atomic.Bool
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for !stop.Load() {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return
				}
				p := m(seed + uint64(i))
				if simulate(p, d) == nil {
					continue
				}
				stop.Store(true)
				mu.Lock()
				if failing == nil || p.seed < failing.seed {
					failing = &p
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return int(min(next.Load(), int64(n))), failing
}

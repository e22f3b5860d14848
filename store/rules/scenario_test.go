package rules_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store/rules"
)

// quiet is a calm account of n records, an hour after its first full sync.
func quiet(d decisions, n, page int) *world {
	w := newWorld(plan{seed: 1, page: page, hasDate: true, latency: 200}, d)
	for id := range n {
		w.happen(change{kind: create, id: id, hook: -1})
	}
	w.advance(w.now + hour)
	w.sync(true)
	w.advance(w.now + hour)
	return w
}

func (w *world) tombstones() (n int) {
	for _, row := range w.client.rows {
		if row != nil && row.Deleted {
			n++
		}
	}
	return n
}

// calls is how many calls a run costs, and the run.
func (w *world) callsOf(full bool) (int, *run) {
	before := w.account.calls
	r := w.sync(full)
	return w.account.calls - before, r
}

// TestBrake is what two sweeps conclude when much is missing.
func TestBrake(t *testing.T) {
	t.Parallel()

	hidden := func(n int) func(*world) {
		return func(w *world) {
			for id := range n {
				w.account.records[id].hidden = true
			}
		}
	}
	deleted := func(n int) func(*world) {
		return func(w *world) {
			for id := range n {
				w.happen(change{kind: removeSilent, id: id, hook: -1})
			}
		}
	}
	purged := func(n int) func(*world) {
		return func(w *world) {
			deleted(n)(w)
			for id := range n {
				w.happen(change{kind: purge, id: id})
			}
		}
	}
	lying := func(w *world) { w.lies = 1000 }
	for name, c := range map[string]struct {
		records    int
		happens    func(*world)
		tombstones int
		first      rules.Conclusion // of the sweep that meets it
	}{
		"700 of 1000 hidden wait for a person":                 {1000, hidden(700), 0, rules.Hold},
		"39 of 40 hidden wait for a person":                    {40, hidden(39), 0, rules.Hold},
		"50 of 60 hidden wait for a person":                    {60, hidden(50), 0, rules.Hold},
		"4 of 4 hidden look like deletions":                    {4, hidden(4), 4, rules.Proceed},
		"150 of 1000 hidden look like deletions":               {1000, hidden(150), 150, rules.Proceed},
		"100 of 300 deleted pass on the provider's word":       {300, deleted(100), 100, rules.Proceed},
		"5 of 5 deleted pass on the provider's word":           {5, deleted(5), 5, rules.Proceed},
		"9 of 10 deleted pass on the provider's word":          {10, deleted(9), 9, rules.Proceed},
		"9 of 10 purged wait for a person":                     {10, purged(9), 0, rules.Hold},
		"3 of 4 purged are few enough":                         {4, purged(3), 3, rules.Proceed},
		"lists that lie about 1000 delete nothing, ask nobody": {1000, lying, 0, rules.Incomplete},
		"lists that lie about 4 delete nothing, ask nobody":    {4, lying, 0, rules.Proceed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := quiet(product(), c.records, 100)
			c.happens(w)
			w.advance(w.now + hour)
			r := w.sync(true)
			require.NotNil(t, r)
			require.Equal(t, c.first, r.conclusion)
			if c.first != rules.Proceed {
				require.LessOrEqual(t, r.confirms, rules.SampleSize)
			}
			w.lies = 0
			w.advance(w.now + hour)
			require.NotNil(t, w.sync(true))
			require.Equal(t, c.tombstones, w.tombstones())
		})
	}
}

func TestBrakeIsNeeded(t *testing.T) {
	t.Parallel()

	d := product()
	d.braked = func(int, int) bool { return false }
	d.unproven = func(int, int) rules.Conclusion { return rules.Proceed }
	w := quiet(d, 60, 100)
	for id := range 50 {
		w.account.records[id].hidden = true
	}
	w.sync(true)
	require.Equal(t, 50, w.tombstones())
}

// TestNothingNew: an unchanged account costs one call by update time, and no write either way.
func TestNothingNew(t *testing.T) {
	t.Parallel()

	w := quiet(product(), 1000, 100)
	calls, r := w.callsOf(false)
	require.Equal(t, 1, calls)
	require.Zero(t, r.writes)
	require.Equal(t, rules.Counters{}, r.counters)

	calls, r = w.callsOf(true)
	require.Equal(t, 10, calls)
	require.Zero(t, r.writes)
	require.Equal(t, rules.Counters{Seen: 1000, Unchanged: 1000}, r.counters)
}

// TestImportInOneSecond: 10,000 records with one update time are read once, read again while they are in the look-back,
// and then cost nothing.
func TestImportInOneSecond(t *testing.T) {
	t.Parallel()

	w := quiet(product(), 10, 500)
	for id := 10; id < 10_010; id++ {
		w.happen(change{kind: create, id: id, hook: -1})
	}
	w.advance(w.now + minute)
	for i, want := range []struct{ calls, writes int }{{21, 10_000}, {20, 0}, {1, 0}, {1, 0}} {
		begun := w.now
		calls, r := w.callsOf(false)
		require.InDelta(t, want.calls, calls, 1, "run %d", i)
		require.Equal(t, want.writes, r.writes, "run %d", i)
		w.advance(begun + 15*minute)
	}
}

// TestBusyAccount: more records than a page holds are edited at every list call, for ever, and still each run ends.
func TestBusyAccount(t *testing.T) {
	t.Parallel()

	for _, kind := range []tokenKind{position, frozen, counting} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()

			w := quiet(product(), 2000, 100)
			w.account.tokens = kind
			n := 0
			w.account.onList = func() {
				for range 150 {
					n++
					w.happen(change{kind: edit, id: n * 7 % 2000, content: n, hook: -1})
				}
			}
			for range 5 {
				r := w.sync(false)
				require.NotNil(t, r)
				require.LessOrEqual(t, r.pages, 30)
				w.advance(w.now + 15*minute)
			}
		})
	}
}

// TestSyncNowDuringARun is why such a request gets a follower: the edit was made before the request, but behind the
// window of the active run, which ends without it.
func TestSyncNowDuringARun(t *testing.T) {
	t.Parallel()

	w := quiet(product(), 2000, 100)
	w.plan.latency = 2000
	for id := range 600 {
		w.happen(change{kind: edit, id: id, content: 1, hook: -1})
	}
	w.advance(w.now + minute)
	w.after(3500, func() { // the run is on its second page
		for id := 700; id < 1000; id++ {
			w.happen(change{kind: edit, id: id, content: 2, hook: -1})
		}
	})
	w.after(4500, func() { w.happen(change{kind: edit, id: 1999, content: 3, hook: -1}) })
	require.NotNil(t, w.sync(false))
	require.Equal(t, 0, w.client.rows[1999].content, "this schedule is meant to miss it")
	require.NotNil(t, w.sync(false))
	require.Equal(t, 3, w.client.rows[1999].content)
}

// TestSortIgnored: a provider that answers newest first ends the run as an error. Without the guard its first page would
// end the walk, and the window count as read.
func TestSortIgnored(t *testing.T) {
	t.Parallel()

	for name, guard := range map[string]bool{"with the guard the run fails": true, "without it edits are lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			d := product()
			if !guard {
				d.ascending = func([]time.Time) bool { return true }
			}
			w := quiet(d, 500, 100)
			w.account.descending = true
			for id := range 300 {
				w.happen(change{kind: edit, id: id, content: 1, hook: -1})
				w.advance(w.now + second)
			}
			w.account.onList = func() {
				w.happen(change{kind: edit, id: 499, content: w.account.calls, hook: -1})
				w.now += 2 * second
			}
			end := w.client.windowEnd
			r := w.sync(false)
			if guard {
				require.Nil(t, r)
				require.Equal(t, end, w.client.windowEnd)
				return
			}
			require.NotNil(t, r)
			lost := 0
			for id := range 300 {
				if w.client.rows[id].content != 1 {
					lost++
				}
			}
			require.Greater(t, lost, 200)
		})
	}
}

// TestRestartedWalk: the cursor expires once in a first full sync. Every record is counted once all the same.
func TestRestartedWalk(t *testing.T) {
	t.Parallel()

	w := newWorld(plan{seed: 1, page: 10, hasDate: true, latency: 200}, product())
	for id := range 100 {
		w.happen(change{kind: create, id: id, hook: -1})
	}
	w.advance(w.now + hour)
	w.account.onList = func() {
		w.plan.expireRate = 0
		if w.account.calls == 5 {
			w.plan.expireRate = 1 // the next call
		}
	}
	r := w.sync(true)
	require.NotNil(t, r)
	require.Equal(t, 1, r.restarts)
	require.Equal(t, rules.Counters{Seen: 100, Created: 100}, r.counters)
	require.Greater(t, r.pages, 10)
}

// TestSingleReadsLag: confirming reads that are themselves 2 s behind can be wrong until the sweep, which repairs all.
func TestSingleReadsLag(t *testing.T) {
	t.Parallel()

	for seed := range uint64(500) {
		p := random(seed + 1)
		p.singleLag = 2 * second
		if v := simulate(p, product()); v != nil {
			require.NotEqual(t, "a", v.property, "%s\n%s", v.detail, p)
			require.NotEqual(t, "i", v.property, "%s\n%s", v.detail, p)
		}
	}
}

//go:build unix

package worker_test

import (
	"io"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
)

// TestEveryPlaceIsMet: the statements by which a fate knows its places are still the engine's.
func TestEveryPlaceIsMet(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 20)
	run := w.ask(t, w.id, store.Full)
	w.leaveRunning(t, run.ID)
	var mu sync.Mutex
	met := make(map[place]bool)
	f := &fate{out: io.Discard, seen: func(p place) {
		mu.Lock()
		defer mu.Unlock()
		met[p] = true
	}}
	often := short()
	often.Spans.Slice = 50 * time.Millisecond
	w.engine(t, engineOptions{times: often, change: func(c *pgxpool.Config) { c.ConnConfig.Tracer = f }})
	w.waitAllEnded(t)
	w.requireWhole(t)
	mu.Lock()
	defer mu.Unlock()
	for p := range everywhere(0, 0) {
		if p != asking && p != answered { // those are the transport's
			require.True(t, met[p], "nobody passes %q", p)
		}
	}
}

// TestKilledProcesses kills workers wherever they stand: each page is written once, and every run and follower completes.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()

	w := newWatched(t, rounds(4, 16), rounds(20, 30))
	// not so often that a run costs eight workers between two pages: then it counts as what kills them
	f := w.fleet(t, everywhere(.01, 0)).run(t, 3)
	for f.noted("kill") < rounds(4, 150) {
		w.askAll(t, store.Full, store.Incremental)
		w.waitEnded(t, f)
	}
	w.requireWhole(t)
}

// TestStoppedProcesses stops workers wherever they stand, mostly for longer than their lease, and wakes them: what they
// then write disturbs nobody.
func TestStoppedProcesses(t *testing.T) {
	t.Parallel()

	w := newWatched(t, rounds(4, 16), rounds(20, 30))
	f := w.fleet(t, everywhere(0, .02)).run(t, 3)
	for f.noted("stop") < rounds(4, 200) {
		w.askAll(t, store.Full, store.Incremental)
		w.waitEnded(t, f)
	}
	w.requireWhole(t)

	<-time.After(3 * short().Lease) // each stopped process is awake again and has written what it thinks
	w.wait(t, patience, "every job has ended", `SELECT NOT EXISTS (SELECT FROM river.river_job WHERE kind = 'contacts_sync' AND finalized_at IS NULL)`)
	require.Zero(t, one[int](t, w, `SELECT count(*) FROM river.river_job j WHERE kind = 'contacts_sync' AND CASE
		WHEN EXISTS (SELECT FROM integration_sync_logs r WHERE r.job_id = j.id) THEN state <> 'completed' ELSE state <> 'discarded' END`),
		"a run's own job is completed, and what it had before stays discarded")
	w.requireWhole(t)
}

// TestRowsGivenBackUnderLiveWorkers: River's rescuer gives a row back while it is worked on when the leader's clock is
// wrong. Two attempts of one row then live at once.
func TestRowsGivenBackUnderLiveWorkers(t *testing.T) {
	t.Parallel()

	w := newWatched(t, rounds(4, 30), rounds(20, 60))
	f := w.fleet(t, everywhere(.004, .004)).run(t, 3)
	given := 0
	for end := time.After(time.Duration(rounds(3, 60)) * patience); given < rounds(10, 400) || !one[bool](t, w, allEnded); {
		if one[bool](t, w, allEnded) {
			w.askAll(t, store.Full, store.Incremental)
		}
		given += one[int](t, w, `WITH given AS (UPDATE river.river_job SET state = 'available', scheduled_at = now() WHERE state = 'running'
			AND kind = 'contacts_sync' AND attempted_at < now() - interval '100 ms' AND random() < .2 RETURNING 1) SELECT count(*) FROM given`)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-end:
			w.show(t)
			require.Fail(t, "not all runs end")
		}
	}
	t.Logf("%d rows given back", given)
	f.end()
	w.requireWhole(t)
}

// waitEnded gives runs under a fate the time that their takeovers need.
func (w *watched) waitEnded(t *testing.T, f *fleet) {
	t.Helper()
	w.wait(t, time.Duration(rounds(3, 10))*patience, "all runs end", allEnded)
	t.Logf("%d runs, %d pages, %d workers lost, %d changes of job", one[int](t, w, `SELECT count(*) FROM integration_sync_logs`),
		one[int](t, w, `SELECT count(*) FROM page_log`), f.noted("kill")+f.noted("stop"),
		one[int](t, w, `SELECT count(*) FROM river.river_job WHERE errors::text LIKE '%worker lost%'`))
}

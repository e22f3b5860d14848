//go:build unix

package worker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"example.com/enlace/jobs"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

// TestCancelInEachState cancels runs through the API and River UI in each state that their jobs can wait in. They fail as
// cancelled, and their followers become the active runs, with jobs.
func TestCancelInEachState(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 2)
	client, river := w.worker.Jobs(), w.worker.Jobs().River()
	later := func(state string) func(store.Run) {
		return func(run store.Run) {
			w.exec(t, `UPDATE river.river_job SET state = $2::river.river_job_state, scheduled_at = now() + interval '1 h' WHERE id = $1`, run.JobID, state)
			w.exec(t, `UPDATE integration_sync_logs SET waiting_until = now() + interval '1 h' WHERE id = $1`, run.ID)
		}
	}
	states := map[string]func(store.Run){
		"available":          func(store.Run) {},
		"scheduled":          later("scheduled"),
		"retryable":          later("retryable"),
		"with a dead worker": func(run store.Run) { w.leaveRunning(t, run.ID) },
	}
	ways := map[string]func(store.Run) error{
		"the API": func(run store.Run) error {
			_, err := client.CancelSync(t.Context(), nil, run.ID)
			require.Equal(t, "failed cancelled", w.end(t, run.ID), "at once")
			return err
		},
		"River UI's cancel": func(run store.Run) error { _, err := river.JobCancel(t.Context(), *run.JobID); return err },
		"River UI's delete": func(run store.Run) error { _, err := river.JobDelete(t.Context(), *run.JobID); return err },
	}
	type pair struct{ run, follower store.Run }
	cancelled := make(map[string]pair)
	w.accounts = nil
	for state, prepare := range states {
		for way, cancel := range ways {
			w.tenant = uuid.New()
			account := w.connect(t, w.company)
			p := pair{w.ask(t, account, store.Full), w.ask(t, account, store.Incremental)}
			prepare(p.run)
			err := cancel(p.run)
			if state == "with a dead worker" && way == "River UI's delete" {
				require.ErrorIs(t, err, rivertype.ErrJobRunning, "River refuses to delete a running row")
				continue
			}
			require.NoError(t, err, "%s, by %s", state, way)
			w.accounts = append(w.accounts, account)
			cancelled[state+", by "+way] = p
		}
	}
	w.engine(t, engineOptions{times: short()})
	w.waitAllEnded(t)
	for how, p := range cancelled {
		require.Equal(t, "failed cancelled", w.end(t, p.run.ID), how)
		require.Equal(t, "completed ", w.end(t, p.follower.ID), how)
		require.Zero(t, one[int](t, w, `SELECT pages FROM integration_sync_logs WHERE id = $1`, p.run.ID), how)
		require.Contains(t, []string{"cancelled", "gone"}, one[string](t, w, `SELECT coalesce((SELECT state::text FROM river.river_job WHERE id = $1), 'gone')`, p.run.JobID), how)
	}
	w.requireBooks(t)
	w.requireSame(t)
}

// TestCancelUnderALiveWorker: a cancel in River UI ends a run that is being worked on, and starts its follower.
func TestCancelUnderALiveWorker(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 20)
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS = 60 }))
	run, follower := w.ask(t, w.id, store.Full), w.ask(t, w.id, store.Incremental)
	w.engine(t, engineOptions{times: short()})
	w.wait(t, patience, "it works", `SELECT pages > 3 FROM integration_sync_logs WHERE id = $1`, run.ID)
	_, err := w.worker.Jobs().River().JobCancel(t.Context(), one[int64](t, w, `SELECT job_id FROM integration_sync_logs WHERE id = $1`, run.ID))
	require.NoError(t, err)
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS = 0 }))
	w.waitAllEnded(t)
	require.Equal(t, "failed cancelled", w.end(t, run.ID))
	require.Equal(t, "cancelled", w.jobState(t, run.ID))
	require.Equal(t, "completed ", w.end(t, follower.ID))
	w.requireBooks(t)
}

// TestCancelOfAFollower: it has no job, and ends at once. The active run goes on.
func TestCancelOfAFollower(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 2)
	run, follower := w.ask(t, w.id, store.Full), w.ask(t, w.id, store.Incremental)
	_, err := w.worker.Jobs().CancelSync(t.Context(), nil, follower.ID)
	require.NoError(t, err)
	require.Equal(t, "failed cancelled", w.end(t, follower.ID))
	w.engine(t, engineOptions{times: short()})
	w.waitAllEnded(t)
	require.Equal(t, "completed ", w.end(t, run.ID))
	w.requireBooks(t)
}

// TestRetryInRiverUI retries the job of a failed run beside an active one, alone, and rows that are no longer their
// run's.
func TestRetryInRiverUI(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 12)
	river := w.worker.Jobs().River()
	run := w.ask(t, w.id, store.Full)
	w.endRun(t, run.ID, "schema_changed")
	other := w.ask(t, w.id, store.Full)
	w.engine(t, engineOptions{times: short()})
	_, err := river.JobRetry(t.Context(), *run.JobID)
	require.NoError(t, err)
	w.wait(t, patience, "the other is active, so this one is superseded",
		`SELECT state = 'cancelled' AND errors::text LIKE '%superseded%' FROM river.river_job WHERE id = $1`, run.JobID)
	w.waitAllEnded(t)
	require.Equal(t, "failed schema_changed", w.end(t, run.ID))
	require.Equal(t, "completed ", w.end(t, other.ID))

	_, err = river.JobRetry(t.Context(), *run.JobID)
	require.NoError(t, err)
	w.wait(t, patience, "the run is re-opened and completes", `SELECT status = 'completed' FROM integration_sync_logs WHERE id = $1`, run.ID)
	own := one[int64](t, w, `SELECT job_id FROM integration_sync_logs WHERE id = $1`, run.ID)
	require.NotEqual(t, *run.JobID, own)
	pages := one[int](t, w, `SELECT count(*) FROM page_log`)

	for _, job := range []int64{*run.JobID, own, *other.JobID} { // an old row, and completed runs'
		_, err = river.JobRetry(t.Context(), job)
		require.NoError(t, err)
	}
	w.wait(t, patience, "those end without effect", `SELECT NOT EXISTS (SELECT FROM river.river_job WHERE kind = 'contacts_sync' AND finalized_at IS NULL)`)
	require.Equal(t, pages, one[int](t, w, `SELECT count(*) FROM page_log`))
	w.requireWhole(t)
}

// TestChaos lets people use API, SQL and River UI at random while processes are killed, stopped, woken and shut down.
func TestChaos(t *testing.T) {
	t.Parallel()

	w := newWatched(t, rounds(4, 12), 15)
	f := w.fleet(t, everywhere(.01, .01))
	f.life = 4 * time.Second
	f.run(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rounds(5, 120))*time.Second)
	defer cancel()
	crowd := &crowd{watched: w, done: make(map[string]int)}
	var people sync.WaitGroup
	for range 6 {
		people.Go(func() {
			for ctx.Err() == nil {
				pause(ctx, rand.N(300*time.Millisecond))
				crowd.act(context.WithoutCancel(ctx))
			}
		})
	}
	people.Wait()
	f.end()
	t.Logf("people: %v", crowd.done)
	require.Empty(t, crowd.failures)

	quiet := w.fleet(t, nil).run(t, 2)
	w.waitAllEnded(t)
	w.wait(t, patience, "no job is left but retried rows whose process died before it had looked at them: those are River's rescuer's", `SELECT NOT EXISTS (
		SELECT FROM river.river_job j WHERE kind = 'contacts_sync' AND finalized_at IS NULL AND (state <> 'running' OR EXISTS (
			SELECT FROM integration_sync_logs r WHERE r.job_id = j.id AND r.status IN ('pending', 'in_progress'))))`)
	require.Zero(t, one[int](t, w, `SELECT count(*) FROM integration_sync_logs WHERE status = 'failed' AND error_code <> 'cancelled'`), "nothing fails by itself")
	w.askAll(t, store.Full)
	w.waitAllEnded(t)
	quiet.end()
	w.requireBooks(t)
	w.requireSame(t)
}

// crowd are people who do something at random.
type crowd struct {
	*watched

	mu       sync.Mutex
	done     map[string]int
	failures []error
}

func (c *crowd) act(ctx context.Context) {
	client, account := c.worker.Jobs(), c.accounts[rand.IntN(len(c.accounts))]
	kind := []string{store.Full, store.Incremental}[rand.IntN(2)]
	switch n := rand.IntN(100); {
	case n < 50:
		run, err := client.EnqueueSync(ctx, nil, account, store.NewRun{SyncType: kind, RequestedBy: "test"})
		c.asked("enqueue", run.ID, kind, err)
	case n < 60:
		var run uuid.UUID
		err := c.pool.QueryRow(ctx, `SELECT enlace.enqueue_sync($1, $2)`, account, kind).Scan(&run)
		c.asked("enqueue by SQL", run, kind, err)
	case n < 75:
		var run uuid.UUID
		if c.pool.QueryRow(ctx, `SELECT id FROM integration_sync_logs WHERE integration_id = $1 ORDER BY random() LIMIT 1`, account).Scan(&run) != nil {
			return
		}
		if n < 70 {
			_, err := client.CancelSync(ctx, nil, run)
			c.did("cancel", err)
			return
		}
		_, err := client.RetrySync(ctx, nil, run)
		c.did("retry", err)
	default:
		c.useRiverUI(ctx, account)
	}
}

// useRiverUI does something to a job, as often as not to the newest of an account.
func (c *crowd) useRiverUI(ctx context.Context, account uuid.UUID) {
	var job int64
	pick := `SELECT id FROM river.river_job WHERE kind = 'contacts_sync' AND $1::uuid IS NOT NULL ORDER BY random() LIMIT 1`
	if rand.IntN(2) == 0 {
		pick = `SELECT job_id FROM integration_sync_logs WHERE integration_id = $1 AND job_id IS NOT NULL ORDER BY created_at DESC LIMIT 1`
	}
	if c.pool.QueryRow(ctx, pick, account).Scan(&job) != nil {
		return
	}
	ui := c.worker.Jobs().River()
	switch n := rand.IntN(30); {
	case n < 15:
		_, err := ui.JobRetry(ctx, job)
		c.did("River UI retry", err)
	case n < 22:
		_, err := ui.JobCancel(ctx, job)
		c.did("River UI cancel", err)
	default:
		_, err := ui.JobDelete(ctx, job)
		c.did("River UI delete", err)
	}
}

func (c *crowd) asked(what string, run uuid.UUID, kind string, err error) {
	c.did(what, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.kinds[run] = kind
	}
}

// did counts what was done or refused; anything else is a failure.
func (c *crowd) did(what string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, conflict := errors.AsType[*jobs.ConflictError](err)
	switch {
	case err == nil:
		c.done[what]++
	case conflict, errors.Is(err, rivertype.ErrJobRunning), errors.Is(err, rivertype.ErrNotFound):
		c.done[what+", refused"]++
	default:
		c.failures = append(c.failures, fmt.Errorf("%s: %w", what, err))
	}
}

//go:build unix

package worker_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

// TestStopInsideAPage: a process that stands still inside a page's transaction holds the run's row, until the server
// ends that transaction. Then another takes over, and the first, once it is awake, has lost its lease.
func TestStopInsideAPage(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 20)
	f := w.fleet(t, map[place]odds{pageWritten: {Stop: 1}})
	p := f.startProcess(t, true)
	defer p.kill()
	w.ask(t, w.id, store.Full)
	w.wait(t, patience, "it stands still within a page", `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
		AND application_name = 'worker-1' AND state = 'idle in transaction' AND state_change < clock_timestamp() - interval '200 ms')`)
	w.engine(t, engineOptions{times: short()})
	w.waitAllEnded(t)
	w.requireWhole(t)
	require.Equal(t, 1, f.noted("stop"))
}

// TestLostAnswers: River's completer repeats a snooze that had committed while the next attempt of the same row runs
// elsewhere, and commits whose answer is lost leave their slice in the dark. Each page is written once all the same.
func TestLostAnswers(t *testing.T) {
	t.Parallel()

	w := newWatched(t, rounds(4, 6), rounds(15, 60))
	var lost atomic.Int32
	var lose atomic.Bool
	lose.Store(true)
	for i := range 3 {
		w.engine(t, engineOptions{times: short(), change: func(c *pgxpool.Config) {
			c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // a statement's text is in what is sent
			dial := c.ConnConfig.DialFunc
			c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				return &lossy{Conn: conn, lose: &lose, lost: &lost, commits: i == 0}, err
			}
		}})
	}
	for lost.Load() < int32(rounds(5, 300)) {
		w.askAll(t, store.Full, store.Incremental)
		w.waitAllEnded(t)
	}
	lose.Store(false)
	t.Logf("%d answers lost", lost.Load())
	w.requireWhole(t)
}

// lossy loses answers to some statements, which the server has carried out: the connection ends instead.
type lossy struct {
	net.Conn

	lose    *atomic.Bool
	lost    *atomic.Int32
	commits bool // also of our own commits
	hit     bool
}

func (c *lossy) Write(b []byte) (int, error) {
	if c.lose.Load() && (bytes.Contains(b, []byte(settleStatement)) && rand.IntN(2) == 0 ||
		c.commits && bytes.Contains(b, []byte("commit")) && rand.IntN(20) == 0) {
		c.hit = true
	}
	return c.Conn.Write(b)
}

func (c *lossy) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.hit && err == nil {
		c.lost.Add(1)
		_ = c.Close()
		return 0, errors.New("connection reset")
	}
	return n, err
}

// TestConnectionsEnd ends server connections at random, those of pages, claims, completer and loop alike.
func TestConnectionsEnd(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 4, rounds(15, 60))
	for range 2 {
		w.engine(t, engineOptions{times: short(), change: func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["application_name"] = "victim" }})
	}
	ended := 0
	for limit := time.After(time.Duration(rounds(3, 60)) * patience); ended < rounds(20, 2000) || !one[bool](t, w, allEnded); {
		if ended < rounds(20, 2000) && one[bool](t, w, allEnded) {
			w.askAll(t, store.Full, store.Incremental)
		}
		if ended < rounds(20, 2000) {
			ended += one[int](t, w, `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
				WHERE application_name = 'victim' AND datname = current_database() ORDER BY (xact_start IS NULL), random() LIMIT 1) x`)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-limit:
			w.show(t)
			require.Fail(t, "not all runs end")
		}
	}
	w.requireWhole(t)
}

// TestBehindATransactionPooler: without prepared statements, notifications and startup parameters, as behind PgBouncer,
// the engine does all the same.
func TestBehindATransactionPooler(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 2, 5)
	w.askAll(t, store.Full, store.Incremental)
	w.leaveRunning(t, one[uuid.UUID](t, w, `SELECT id FROM integration_sync_logs WHERE after_run_id IS NULL LIMIT 1`))
	w.engine(t, engineOptions{times: short(), pollOnly: true})
	w.waitAllEnded(t)
	w.requireWhole(t)
}

// TestWrongClock: a worker whose clock is three minutes ahead has parked jobs for as long. They are brought back at the
// time that their runs say, by the database's clock, and not before.
func TestWrongClock(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 3, 3)
	w.askAll(t, store.Full)
	w.exec(t, `WITH n AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM river.river_job WHERE kind = 'contacts_sync')
		UPDATE river.river_job j SET scheduled_at = now() + interval '3 min', state = (ARRAY['available', 'scheduled', 'available'])[n]::river.river_job_state
		FROM n WHERE n.id = j.id`)
	waits := w.accounts[1]
	w.exec(t, `UPDATE integration_sync_logs SET waiting_until = now() + interval '3 s' WHERE integration_id = $1`, waits)
	until := one[time.Time](t, w, `SELECT waiting_until FROM integration_sync_logs WHERE integration_id = $1`, waits)
	w.engine(t, engineOptions{times: short()})
	w.waitAllEnded(t)
	w.requireWhole(t)
	require.False(t, one[time.Time](t, w, `SELECT started_at FROM integration_sync_logs WHERE integration_id = $1`, waits).Before(until), "a wait was cut short")
}

// TestWrongClockOfRounds: who queues a round, or leaves changed records to the next slice, with a clock three minutes ahead
// delays neither the schedule nor the inbox nor the records for as long.
func TestWrongClockOfRounds(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 1)
	ahead := &river.InsertOpts{ScheduledAt: time.Now().Add(3 * time.Minute)}
	for _, args := range []river.JobArgs{jobs.ScheduleArgs{}, jobs.InboxArgs{}} {
		_, err := w.worker.Jobs().River().Insert(t.Context(), args, ahead)
		require.NoError(t, err)
	}
	read, err := w.worker.Jobs().River().Insert(t.Context(), jobs.ChangesArgs{IntegrationID: w.id}, ahead)
	require.NoError(t, err)
	w.exec(t, `INSERT INTO change_queues (integration_id, job_id) VALUES ($1, $2)`, w.id, read.Job.ID)
	w.exec(t, `INSERT INTO pending_changes (integration_id, external_id, deleted, first_noted_at, last_noted_at, due_at) VALUES ($1, '1', false, now(), now(), now())`, w.id)
	w.exec(t, `UPDATE integrations SET next_sync_at = now()`)
	w.engine(t, engineOptions{times: short()})
	w.wait(t, patience, "what was due has been synced, and what has changed read", `SELECT EXISTS (SELECT FROM integration_sync_logs WHERE requested_by = 'schedule'
		AND status = 'completed') AND NOT EXISTS (SELECT FROM pending_changes) AND NOT EXISTS (SELECT FROM river.river_job WHERE kind = 'webhook_inbox' AND finalized_at IS NULL)`)
}

// TestJobsThatEndWithoutTheirRun: River gives a job up after its last attempt, and the run fails. A late nil has completed
// the row of another attempt, and the run goes on in a new job.
func TestJobsThatEndWithoutTheirRun(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 2, 5)
	given, follower := w.ask(t, w.accounts[0], store.Full), w.ask(t, w.accounts[0], store.Incremental)
	completed := w.ask(t, w.accounts[1], store.Full)
	for run, state := range map[uuid.UUID]string{given.ID: "discarded", completed.ID: "completed"} {
		job := w.leaveRunning(t, run)
		w.exec(t, `UPDATE river.river_job SET state = $2::river.river_job_state, finalized_at = now() WHERE id = $1`, job, state)
	}
	w.engine(t, engineOptions{times: short()})
	w.waitAllEnded(t)
	require.Equal(t, "failed internal", w.end(t, given.ID))
	require.Equal(t, "completed ", w.end(t, follower.ID))
	require.Equal(t, "completed ", w.end(t, completed.ID))
	w.requireBooks(t)
	w.requireSame(t)
}

// end is how a run stands, with its error code.
func (w *watched) end(t *testing.T, run uuid.UUID) string {
	t.Helper()
	return one[string](t, w, `SELECT status || ' ' || coalesce(error_code, '') FROM integration_sync_logs WHERE id = $1`, run)
}

// jobState is the state of a run's present job.
func (w *watched) jobState(t *testing.T, run uuid.UUID) string {
	t.Helper()
	return one[string](t, w, `SELECT j.state::text FROM integration_sync_logs r JOIN river.river_job j ON j.id = r.job_id WHERE r.id = $1`, run)
}

// TestTheScheduleOutlivesAWorker: a worker that dies within a round of the schedule leaves a running row behind, and no
// other round begins beside it. It is ended like a lost run's job, not minutes later.
func TestTheScheduleOutlivesAWorker(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 1)
	round, err := w.worker.Jobs().River().Insert(t.Context(), jobs.ScheduleArgs{}, nil)
	require.NoError(t, err)
	w.exec(t, `UPDATE river.river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{dead}' WHERE id = $1`, round.Job.ID)
	w.exec(t, `UPDATE integrations SET next_sync_at = now()`)
	times := short()
	times.Spans.Schedule = 200 * time.Millisecond
	w.engine(t, engineOptions{times: times})
	w.wait(t, patience, "what was due has been synced", `SELECT EXISTS (SELECT FROM integration_sync_logs WHERE requested_by = 'schedule' AND status = 'completed')`)
	require.Equal(t, "discarded", one[string](t, w, `SELECT state::text FROM river.river_job WHERE id = $1`, round.Job.ID))
	w.requireWhole(t)
}

// TestPanickingSlice: River gives a job up whose every attempt panics. The run then fails, and its follower starts.
func TestPanickingSlice(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 3)
	run, follower := w.ask(t, w.id, store.Full), w.ask(t, w.id, store.Incremental)
	w.exec(t, `UPDATE river.river_job SET max_attempts = 2 WHERE id = $1`, run.JobID)
	broken := *w.list[0]
	contacts := broken.Contacts
	var slices atomic.Int32
	broken.Contacts = func(a providers.Account, c *http.Client) providers.ContactSource {
		if slices.Add(1) <= 2 {
			panic("a slice that panics")
		}
		return contacts(a, c)
	}
	w.engine(t, engineOptions{times: short(), list: []*providers.Provider{&broken}})
	w.waitAllEnded(t)
	require.Equal(t, "failed internal", w.end(t, run.ID))
	require.Equal(t, "discarded", w.jobState(t, run.ID))
	require.Equal(t, "completed ", w.end(t, follower.ID))
	w.requireBooks(t)
	w.requireSame(t)
}

// TestRescuedJobOfAFailedRun: the process died after the run's end, before River's write. Since the run's end ends its
// job too, River's rescuer has nothing to start again, and only a person can.
func TestRescuedJobOfAFailedRun(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 3)
	run := w.ask(t, w.id, store.Full)
	job := w.leaveRunning(t, run.ID)
	w.endRun(t, run.ID, "needs_reauth")
	w.exec(t, `UPDATE river.river_job SET state = 'available', scheduled_at = now() WHERE id = $1 AND state = 'running'`, job) // the rescuer's condition
	w.engine(t, engineOptions{times: short()})
	other := newWatchedRun(t, w) // when it has ended, the worker has had its chance
	require.Equal(t, "failed needs_reauth", w.end(t, run.ID))
	require.Equal(t, "discarded", w.jobState(t, run.ID))
	require.Equal(t, "completed ", w.end(t, other))
}

// endRun ends a run for a reason, as its slice would.
func (w *watched) endRun(t *testing.T, run uuid.UUID, code string) {
	t.Helper()
	require.NoError(t, w.store.Tx(t.Context(), func(tx pgx.Tx) error {
		in, err := w.store.LockIntegration(t.Context(), tx, nil, w.id)
		if err != nil {
			return err
		}
		_, err = w.worker.Jobs().EndRun(t.Context(), tx, in, run, store.RunEnd{Status: store.Failed, Code: code})
		return err
	}))
}

// newWatchedRun connects another account and syncs it.
func newWatchedRun(t *testing.T, w *watched) uuid.UUID {
	t.Helper()
	w.tenant = uuid.New()
	account := w.connect(t, w.company)
	w.accounts = append(w.accounts, account)
	run := w.ask(t, account, store.Full)
	w.waitAllEnded(t)
	return run.ID
}

// TestReopenedUnderAStandingWorker: A stands still in a job; its run is cancelled and retried in River UI, B works on it;
// A wakes and returns nil. That is A's row alone.
func TestReopenedUnderAStandingWorker(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 15)
	run := w.ask(t, w.id, store.Full)
	job := w.leaveRunning(t, run.ID)
	_, err := w.worker.Jobs().CancelSync(t.Context(), nil, run.ID)
	require.NoError(t, err)
	_, err = w.worker.Jobs().River().JobRetry(t.Context(), job)
	require.NoError(t, err)
	w.engine(t, engineOptions{times: short()})
	w.wait(t, patience, "B works", `SELECT pages > 3 FROM integration_sync_logs`)
	late := one[int](t, w, `WITH late AS (UPDATE river.river_job SET state = 'completed', finalized_at = now() WHERE id = $1 AND state = 'running' RETURNING 1)
		SELECT count(*) FROM late`, job) // what A's completer sends: River's statement asks for the state alone
	require.Zero(t, late)
	require.NotEqual(t, job, one[int64](t, w, `SELECT job_id FROM integration_sync_logs`), "a retry has a job of its own")
	w.waitAllEnded(t)
	require.Equal(t, "completed ", w.end(t, run.ID))
	w.requireWhole(t)
}

// TestCallerStaysOpen: somebody called enlace.enqueue_sync in a transaction that stays open for longer than a lease. The
// run's end waits for it, and the follower is not lost.
func TestCallerStaysOpen(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 1, 10)
	w.ask(t, w.id, store.Full)
	tx, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	var follower uuid.UUID
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT enlace.enqueue_sync($1, 'incremental')`, w.id).Scan(&follower))
	w.engine(t, engineOptions{times: short()})
	w.engine(t, engineOptions{times: short()})
	w.wait(t, patience, "every page is written, and the end waits", `SELECT pages = 10 AND EXISTS (SELECT FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%integrations%FOR NO KEY UPDATE%'
		AND query_start < clock_timestamp() - interval '2 s') FROM integration_sync_logs`)
	require.NoError(t, tx.Commit(t.Context()))
	w.waitAllEnded(t)
	require.Equal(t, "completed ", w.end(t, follower))
	w.requireWhole(t)
}

// TestLockOrder enqueues, cancels and fails runs of a few accounts while their pages commit: nobody meets a deadlock.
func TestLockOrder(t *testing.T) {
	t.Parallel()

	w := newWatched(t, 3, 4)
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS = 1 }))
	w.engine(t, engineOptions{times: short()})
	w.engine(t, engineOptions{times: short()})
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rounds(3, 60))*time.Second)
	defer cancel()
	back := context.WithoutCancel(ctx)
	client := w.worker.Jobs()
	var mu sync.Mutex
	var failures []error
	var people sync.WaitGroup
	for range 8 {
		people.Go(func() {
			for ctx.Err() == nil {
				account, kind := w.accounts[rand.IntN(len(w.accounts))], []string{store.Full, store.Incremental}[rand.IntN(2)]
				run, err := client.EnqueueSync(back, nil, account, store.NewRun{SyncType: kind, RequestedBy: "test"})
				cancelled := err == nil && rand.IntN(4) == 0
				if cancelled {
					_, err = client.CancelSync(back, nil, run.ID)
				}
				mu.Lock()
				if err == nil {
					w.kinds[run.ID] = kind
				} else if _, ended := errors.AsType[*jobs.ConflictError](err); !ended {
					failures = append(failures, err)
				}
				mu.Unlock()
				pause(ctx, rand.N(20*time.Millisecond))
			}
		})
	}
	people.Wait()
	require.Empty(t, failures)
	w.waitAllEnded(t)
	t.Logf("%d runs asked for, %d made", len(w.kinds), one[int](t, w, `SELECT count(*) FROM integration_sync_logs`))
	w.requireBooks(t)
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

//go:build unix

package worker_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/worker"
)

// short are a tenth of the product's times, so that a lost run is found in a second.
func short() times {
	return times{Lease: time.Second, Idle: time.Second, Spans: worker.Spans{
		Slice: 400 * time.Millisecond, Turn: 400 * time.Millisecond, Renew: 300 * time.Millisecond, Look: 300 * time.Millisecond,
		Schedule: time.Hour, Backoff: 20 * time.Millisecond,
	}}
}

// watched is a world whose database keeps books on who wrote what: see watch.
type watched struct {
	*world

	contacts, pages int // of each account
	accounts        []uuid.UUID
	kinds           map[uuid.UUID]string // what was asked for, by run
}

const pageSize = 10

// newWatched makes a world of accounts that have so many pages each, which take a few milliseconds.
func newWatched(t *testing.T, accounts, pages int) *watched {
	t.Helper()
	w := &watched{world: newWorld(t, worldOptions{contacts: pages*pageSize - 3}), contacts: pages*pageSize - 3, pages: pages, kinds: make(map[uuid.UUID]string)}
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS, s.PageLimit, s.Burst = 10, pageSize, 0 }))
	w.exec(t, watch)
	w.accounts = append(w.accounts, w.id)
	for len(w.accounts) < accounts {
		w.tenant = uuid.New()
		w.accounts = append(w.accounts, w.connect(t, w.company))
	}
	return w
}

// watch notes each claim of a run, each page with its place in the walk, and each write of contacts, with the process
// that did it. A slice that writes after it lost its lease shows as a page of somebody else's fence, as a page that comes
// twice, or as contacts without a page.
const watch = `
CREATE TABLE claims (run_id uuid, fence bigint, who text, job bigint);
CREATE TABLE walks (run_id uuid);
CREATE TABLE page_log (run_id uuid, walk bigint, page int, fence bigint, job bigint, who text, before text, tx bigint, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE contact_log (run_id uuid, n bigint, tx bigint);
CREATE FUNCTION watch_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.fence <> OLD.fence THEN
        INSERT INTO claims VALUES (NEW.id, NEW.fence, current_setting('application_name'), NEW.job_id);
    END IF;
    IF OLD.checkpoint ? 'page' AND NOT NEW.checkpoint ? 'page' THEN
        INSERT INTO walks VALUES (NEW.id);
    END IF;
    IF NEW.pages <> OLD.pages THEN
        INSERT INTO page_log VALUES (NEW.id, (SELECT count(*) FROM walks WHERE run_id = NEW.id), (NEW.checkpoint->>'page')::int, NEW.fence, NEW.job_id,
            current_setting('application_name'), OLD.status, txid_current());
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION watch_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO contact_log SELECT last_run_id, count(*), txid_current() FROM written GROUP BY 1;
    RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER UPDATE ON integration_sync_logs FOR EACH ROW EXECUTE FUNCTION watch_run();
CREATE TRIGGER watch_inserts AFTER INSERT ON contacts REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION watch_contacts();
CREATE TRIGGER watch_updates AFTER UPDATE ON contacts REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION watch_contacts();`

func (w *watched) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err, sql)
}

// one reads one value. It is also used while t ends.
func one[T any](t *testing.T, w *watched, sql string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, w.pool.QueryRow(context.WithoutCancel(t.Context()), sql, args...).Scan(&v), sql)
	return v
}

// wait waits until a question is answered with true.
func (w *watched) wait(t *testing.T, limit time.Duration, what, sql string, args ...any) {
	t.Helper()
	end := time.After(limit)
	for !one[bool](t, w, sql, args...) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-end:
			w.show(t)
			require.Fail(t, "not in time: "+what)
		}
	}
}

const allEnded = `SELECT NOT EXISTS (SELECT FROM integration_sync_logs WHERE status IN ('pending', 'in_progress'))`

// patience is how long a takeover may take on a machine that is busy with other things.
const patience = 60 * time.Second

func (w *watched) waitAllEnded(t *testing.T) {
	t.Helper()
	w.wait(t, patience, "all runs end", allEnded)
}

// show tells how the runs stand.
func (w *watched) show(t *testing.T) {
	t.Helper()
	rows, err := w.pool.Query(context.WithoutCancel(t.Context()), `
		SELECT format('%s %s %s %s, pages %s, fence %s, lease %s, waits %s, after %s | job %s %s at %s, attempt %s, errors %s', left(r.id::text, 13), sync_type, status, error_code,
			pages, fence, lease_until - now(), waiting_until - now(), left(after_run_id::text, 13), j.id, j.state, j.scheduled_at - now(), j.attempt, left(j.errors::text, 500))
		FROM integration_sync_logs r LEFT JOIN river.river_job j ON j.id = r.job_id ORDER BY r.status = 'completed', r.created_at LIMIT 12`)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, line := range lines {
		t.Log(line)
	}
}

// ask asks for a run, by somebody.
func (w *watched) ask(t *testing.T, account uuid.UUID, kind string) store.Run {
	t.Helper()
	run, err := w.worker.Jobs().EnqueueSync(t.Context(), nil, account, store.NewRun{SyncType: kind, RequestedBy: "test"})
	require.NoError(t, err)
	w.kinds[run.ID] = kind
	return run
}

// askAll asks for these kinds of runs of each account.
func (w *watched) askAll(t *testing.T, kinds ...string) {
	t.Helper()
	for _, account := range w.accounts {
		for _, kind := range kinds {
			w.ask(t, account, kind)
		}
	}
}

// fleet starts worker processes that have these fates.
func (w *watched) fleet(t *testing.T, all map[place]odds) *fleet {
	t.Helper()
	return newFleet(t, processConfig{Database: w.pool.Config().ConnString(), Sandbox: w.server.URL, Times: short(), Workers: 4, Odds: all})
}

// engineOptions are those of a worker inside the test's process.
type engineOptions struct {
	times    times
	list     []*providers.Provider // nil: the sandbox's
	pollOnly bool
	change   func(*pgxpool.Config)
}

// engine starts a worker inside the test's process, on a pool of its own.
func (w *watched) engine(t *testing.T, o engineOptions) {
	t.Helper()
	log := zerolog.Nop()
	if os.Getenv("ENLACE_TEST_LOG") != "" {
		log = zerolog.New(zerolog.NewTestWriter(t)).With().Timestamp().Logger()
	}
	engine, err := assemble(w.enginePool(t, o), w.server.URL, assembly{times: o.times, workers: 4, list: o.list, pollOnly: o.pollOnly, log: log})
	require.NoError(t, err)
	require.NoError(t, engine.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		require.NoError(t, engine.Stop(ctx))
	})
}

// enginePool opens a pool as the product does, unless the test wants it changed.
func (w *watched) enginePool(t *testing.T, o engineOptions) *pgxpool.Pool {
	t.Helper()
	name := "engine-" + uuid.NewString()[:8]
	pool, err := store.Open(t.Context(), w.pool.Config().ConnString(), store.PoolOptions{MaxConns: 8, Name: name, PollOnly: o.pollOnly})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	if o.change == nil {
		return pool
	}
	cfg := pool.Config()
	o.change(cfg)
	changed, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(changed.Close)
	return changed
}

// requireBooks checks that every page was written once and by whoever had the run, that nothing else was written, and
// that counters say so.
func (w *watched) requireBooks(t *testing.T) {
	t.Helper()
	for what, sql := range map[string]string{
		"a page came twice":           `SELECT count(*) FROM (SELECT FROM page_log GROUP BY run_id, walk, page HAVING count(*) > 1) x`,
		"a page without its claim":    `SELECT count(*) FROM page_log p LEFT JOIN claims c USING (run_id, fence) WHERE c.who IS DISTINCT FROM p.who OR c.job IS DISTINCT FROM p.job`,
		"a page of an earlier fence":  `SELECT count(*) FROM page_log p JOIN page_log q ON q.run_id = p.run_id AND q.at > p.at AND q.fence < p.fence`,
		"a page of a run that ended":  `SELECT count(*) FROM page_log WHERE before <> 'in_progress'`,
		"contacts without their page": `SELECT count(*) FROM contact_log c WHERE NOT EXISTS (SELECT FROM page_log p WHERE p.tx = c.tx AND p.run_id = c.run_id)`,
		"counters don't add up": `SELECT count(*) FROM integration_sync_logs WHERE records_seen <> records_created + records_updated + records_unchanged + records_failed
			OR coalesce(records_synced, 0) <> records_seen - records_failed OR pages <> (SELECT count(*) FROM page_log p WHERE p.run_id = id)`,
		"writes are not those counted": `SELECT count(*) FROM integration_sync_logs r WHERE records_created + records_updated <>
			(SELECT coalesce(sum(n), 0) FROM contact_log c WHERE c.run_id = r.id)`,
		"a follower of nobody": `SELECT count(*) FROM integration_sync_logs f WHERE status = 'pending' AND after_run_id IS NOT NULL AND NOT EXISTS (
			SELECT FROM integration_sync_logs a WHERE a.integration_id = f.integration_id AND a.status IN ('pending', 'in_progress') AND a.after_run_id IS NULL)`,
		"two runs of an account at once": `SELECT count(*) FROM (SELECT FROM integration_sync_logs WHERE status IN ('pending', 'in_progress') AND after_run_id IS NULL
			GROUP BY integration_id HAVING count(*) > 1) x`,
		"deadlocks": `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`,
	} {
		require.Zero(t, one[int](t, w, sql), what)
	}
	for run, kind := range w.kinds {
		got := one[string](t, w, `SELECT sync_type FROM integration_sync_logs WHERE id = $1`, run)
		if kind == store.Full || got != store.Full { // an incremental that waits may become full
			require.Equal(t, kind, got, "the kind that was asked for")
		}
	}
}

// requireWhole checks that every full run has completed with exactly its pages and records.
func (w *watched) requireWhole(t *testing.T) {
	t.Helper()
	w.requireBooks(t)
	require.Empty(t, one[string](t, w, `SELECT coalesce(string_agg(DISTINCT concat_ws(' ', sync_type, status, outcome, error_code, error_detail), ', '), '')
		FROM integration_sync_logs WHERE status <> 'completed' OR outcome <> 'finished'`))
	require.Zero(t, one[int](t, w, `SELECT count(*) FROM integration_sync_logs WHERE sync_type = 'full' AND (pages <> $1 OR records_seen <> $2)`, w.pages, w.contacts))
	w.requireSame(t)
}

// requireSame compares the contacts of each account with the sandbox's.
func (w *watched) requireSame(t *testing.T) {
	t.Helper()
	want := living(t, w.fake, w.company)
	for _, account := range w.accounts {
		requireSameContacts(t, w.pool, account, want)
	}
}

// leaveRunning makes a run's job look like one that a killed or standing process has, and returns it.
func (w *watched) leaveRunning(t *testing.T, run uuid.UUID) (job int64) {
	t.Helper()
	w.exec(t, `UPDATE integration_sync_logs SET status = 'in_progress', lease_until = now() - interval '1 min' WHERE id = $1`, run)
	return one[int64](t, w, `UPDATE river.river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '2 min', attempted_by = '{dead}'
		WHERE id = (SELECT job_id FROM integration_sync_logs WHERE id = $1) RETURNING id`, run)
}

// rounds is n, or in the long tests many times that.
func rounds(n, soak int) int {
	if storetest.Soak() {
		return soak
	}
	return n
}

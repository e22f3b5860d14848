package worker_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/jobs"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/worker"
)

// logClaims notes each claim of a run.
const logClaims = `
CREATE TABLE claims (n bigserial, run_id uuid, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION log_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.lease_until IS NOT NULL AND NEW.fence > OLD.fence THEN INSERT INTO claims (run_id) VALUES (NEW.id); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER log_claim AFTER UPDATE ON integration_sync_logs FOR EACH ROW EXECUTE FUNCTION log_claim()`

// crowded is a world with so many accounts of its tenant, all in the midst of long runs that somebody asked for.
func crowded(t *testing.T, workers, accounts int, requestedBy string) *world {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 5000})
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS, s.PageLimit, s.Burst = 20, 5, 0 }))
	w.spans = worker.Spans{Slice: 600 * time.Millisecond, Turn: 300 * time.Millisecond, Look: time.Second, Schedule: time.Hour}
	w.workers = workers
	w.worker = w.newWorker(t)
	_, err := w.pool.Exec(t.Context(), logClaims)
	require.NoError(t, err)
	// several accounts of one tenant at one company: each is another user
	for range accounts {
		id := w.connectAs(t, w.company, uuid.NewString())
		_, err := w.worker.Jobs().EnqueueSync(t.Context(), &w.tenant, id, store.NewRun{SyncType: store.Full, RequestedBy: requestedBy})
		require.NoError(t, err)
	}
	w.start(t)
	require.Eventually(t, func() bool { return w.claims(t, uuid.Nil) >= accounts }, 60*time.Second, 10*time.Millisecond, "each has had a turn")
	return w
}

// claims counts those of other runs before a run's first one; of none: all of them.
func (w *world) claims(t *testing.T, before uuid.UUID) (n int) {
	t.Helper()
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM claims WHERE n < coalesce((SELECT min(n) FROM claims WHERE run_id = $1), 1e9)`, before).Scan(&n))
	return n
}

// A tenant with many runs doesn't keep another one waiting for all of them.
func TestATenantKeepsToItsShare(t *testing.T) {
	t.Parallel()

	w := crowded(t, 2, 8, jobs.Scheduled)
	w.tenant = uuid.New()
	id := w.connect(t, w.company)
	run, err := w.worker.Jobs().EnqueueSync(t.Context(), &w.tenant, id, store.NewRun{SyncType: store.Full, RequestedBy: jobs.Scheduled})
	require.NoError(t, err)
	before := w.claims(t, uuid.Nil)
	w.until(t, run.ID, func(r store.Run) bool { return r.StartedAt != nil })
	require.LessOrEqual(t, w.claims(t, run.ID)-before, 3, "eight of the other tenant's were before it in the queue")
	w.until(t, run.ID, func(r store.Run) bool { return r.Pages >= 60 }) // some slices' worth
}

// What a person has asked for begins before what the schedule has.
func TestWhatSomebodyWaitsForGoesFirst(t *testing.T) {
	t.Parallel()

	w := crowded(t, 1, 6, jobs.Scheduled)
	id := w.connectAs(t, w.company, "someone")
	run, err := w.worker.Jobs().EnqueueSync(t.Context(), &w.tenant, id, store.NewRun{SyncType: store.Full, RequestedBy: "user"})
	require.NoError(t, err)
	before := w.claims(t, uuid.Nil)
	w.until(t, run.ID, func(r store.Run) bool { return r.StartedAt != nil })
	require.LessOrEqual(t, w.claims(t, run.ID)-before, 1)

	// then it takes its turns like the others
	after := w.claims(t, uuid.Nil)
	require.Eventually(t, func() bool { return w.claims(t, uuid.Nil) >= after+14 }, 60*time.Second, 10*time.Millisecond)
	var own int
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM claims WHERE run_id = $1`, run.ID).Scan(&own))
	require.LessOrEqual(t, own, 5)
	require.GreaterOrEqual(t, own, 2)
}

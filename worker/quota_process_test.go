//go:build unix

package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/jobs"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

// requireNeverRefused fails the test if the fake has had to refuse anything: it bans for it.
func (w *world) requireNeverRefused(t *testing.T) {
	t.Helper()
	require.Zero(t, w.fake.RateLimited())
}

// rationed is a world whose provider bans for the first call too many, and four worker processes.
func rationed(t *testing.T, contacts int, set func(s *sandbox.PipedriveSettings)) *world {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: contacts})
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) {
		s.Bans, s.PageLimit = true, 10
		set(s)
	}))
	times := short()
	times.Lease, times.Idle = 10*time.Second, 10*time.Second // nobody dies here
	times.Spans.Slice, times.Spans.Turn = 5*time.Second, 5*time.Second
	times.Spans.Renew, times.Spans.Settle, times.Spans.Patience = 3*time.Second, 10*time.Millisecond, time.Second
	newFleet(t, processConfig{Database: w.pool.Config().ConnString(), Sandbox: w.server.URL, Times: times, Workers: 2}).run(t, 4)
	return w
}

// A run and the reading of what was notified share one window, in whatever processes they are.
func TestNoWindowSeesMoreThanItAllows(t *testing.T) {
	t.Parallel()

	const people = 300
	w := rationed(t, people, func(s *sandbox.PipedriveSettings) { s.Burst = 20 })
	require.NoError(t, w.vault.OpenChannel(t.Context(), w.id))
	var channel uuid.UUID
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT channel FROM webhook_subscriptions`).Scan(&channel))
	run := w.enqueue(t, store.Full)
	w.until(t, run.ID, func(r store.Run) bool { return r.Pages > 0 }) // its answers have told of the limit
	var list []store.Delivery
	for id := range living(t, w.fake, w.company) {
		event := uuid.New()
		if list = append(list, store.Delivery{
			Provider: "pipedrive", Channel: channel, Key: event[:], Body: []byte("{}"), Changes: []store.NotedChange{{ExternalIDs: []string{id}}},
		}); len(list) == 30 {
			break
		}
	}
	_, err := w.worker.Jobs().Receive(t.Context(), list)
	require.NoError(t, err)
	require.Equal(t, store.Completed, w.ended(t, run.ID).Status)
	require.Eventually(t, func() bool {
		var left int
		require.NoError(t, w.pool.QueryRow(context.Background(), `SELECT count(*) FROM pending_changes`).Scan(&left))
		return left == 0
	}, 60*time.Second, 20*time.Millisecond)
	w.requireNeverRefused(t)
	w.requireEqual(t)
}

// Four tenants share one account's day. What the schedule has started leaves a fifth of it, what people have asked for
// may use it all, nobody exceeds it, and when the day is over everybody goes on within five seconds.
func TestNoDaySeesMoreThanItAllows(t *testing.T) {
	t.Parallel()

	const people, budget = 400, 1000 // 40 pages at 10 a run: 1,600 in all
	w := rationed(t, people, func(*sandbox.PipedriveSettings) {})
	w.fake.SetBudget(budget)
	ids := []uuid.UUID{w.id}
	for len(ids) < 4 {
		w.tenant = uuid.New()
		ids = append(ids, w.connect(t, w.company))
	}
	runs := make([]store.Run, len(ids))
	for i, id := range ids {
		var err error
		runs[i], err = w.worker.Jobs().EnqueueSync(t.Context(), nil, id, store.NewRun{SyncType: store.Full, RequestedBy: jobs.Scheduled})
		require.NoError(t, err)
	}
	waits := func(reason string) func(store.Run) bool {
		return func(r store.Run) bool { return r.WaitingReason != nil && *r.WaitingReason == reason }
	}
	for _, run := range runs {
		w.until(t, run.ID, waits("reserve"))
	}
	left := w.fake.BudgetLeft(w.company)
	require.GreaterOrEqual(t, left, budget/5)
	require.Less(t, left, budget/5+4*11, "and all the rest is used")

	asked, err := w.worker.Jobs().EnqueueSync(t.Context(), nil, ids[0], store.NewRun{SyncType: store.Full, RequestedBy: "user"})
	require.NoError(t, err)
	require.Equal(t, runs[0].ID, asked.ID, "it is the person's now")
	w.until(t, runs[0].ID, func(r store.Run) bool { return !r.Active() || waits("quota_exhausted")(r) })
	require.GreaterOrEqual(t, w.fake.BudgetLeft(w.company), 0)
	w.requireNeverRefused(t)

	w.fake.SetBudget(100 * budget)
	var over time.Time
	require.NoError(t, w.pool.QueryRow(t.Context(), `
		WITH b AS (UPDATE rate_budgets SET daily_resets_at = now() + interval '1 second', blocked_until = now() + interval '1 second'),
		r AS (UPDATE integration_sync_logs SET waiting_until = now() + interval '1 second' WHERE status = 'in_progress')
		SELECT now() + interval '1 second'`).Scan(&over)) // the day's end, moved here
	for _, run := range runs {
		w.until(t, run.ID, func(r store.Run) bool { return !r.Active() || r.WaitingReason == nil && r.Pages > 0 })
	}
	require.Less(t, time.Since(over), 5*time.Second)
	for _, run := range runs {
		require.Equal(t, store.Completed, w.ended(t, run.ID).Status)
	}
	w.requireNeverRefused(t)
}

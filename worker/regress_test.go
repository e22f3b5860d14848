package worker_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/jobs"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

// TestCountsAreTrue: calls are counted once, and failures in a row end with each committed page.
func TestCountsAreTrue(t *testing.T) {
	t.Parallel()

	t.Run("ConfirmingReadsAreCountedOnce", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t, worldOptions{contacts: 20})
		w.start(t)
		w.sync(t, store.Full)
		for id := range int64(3) {
			require.True(t, w.fake.Purge(w.company, id+1))
		}
		run := w.sync(t, store.Full)
		require.EqualValues(t, 4, run.APICalls, "a page and three reads")
		require.EqualValues(t, 3, run.RecordsDeleted)
	})

	t.Run("ACommittedPageEndsARowOfFailures", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t, worldOptions{contacts: 2300})
		run := w.enqueue(t, store.Full)
		_, err := w.pool.Exec(t.Context(), `UPDATE integration_sync_logs SET failures_in_row = 7 WHERE id = $1`, run.ID)
		require.NoError(t, err)
		require.NoError(t, w.fake.Faults(sandbox.Fault{Path: personsPath, AtCall: 4, Times: 1, Kind: sandbox.Fault500}))
		w.start(t)
		require.Equal(t, store.Completed, w.ended(t, run.ID).Status)
	})

	t.Run("ARecordThatCannotBeReadByItselfIsSkippedNotFinished", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t, worldOptions{contacts: 20})
		w.start(t)
		w.sync(t, store.Full)
		require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.Visible = 19 }))
		w.fake.Script(personsPath+"/20", sandbox.Answer{Body: `{"success":true,"data":{"id":20,"name":{"odd":1}}}`})
		run := w.sync(t, store.Full)
		require.Equal(t, store.FinishedWithSkipped, *run.Outcome)
		require.EqualValues(t, 1, run.RecordsFailed)
		require.Equal(t, run.RecordsSeen-run.RecordsFailed, run.RecordsSynced)
		require.Equal(t, 20, w.live(t))
	})
}

// TestARetryAfterAnotherRun: what a failed sweep has not met can't be told any more once another run has completed, so it
// begins anew.
func TestARetryAfterAnotherRun(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 20})
	w.start(t)
	w.sync(t, store.Full)
	for id := range int64(3) {
		require.True(t, w.fake.Purge(w.company, id+1))
	}
	require.NoError(t, w.fake.Faults(sandbox.Fault{Path: personsPath + "/", Times: 8, Kind: sandbox.Fault500}))
	failed := w.sync(t, store.Full)
	require.Equal(t, store.Failed, failed.Status)
	require.Equal(t, store.Completed, w.sync(t, store.Incremental).Status)
	_, err := w.worker.Jobs().RetrySync(t.Context(), &w.tenant, failed.ID)
	require.NoError(t, err)
	run := w.ended(t, failed.ID)
	require.Equal(t, store.Finished, *run.Outcome)
	require.EqualValues(t, 3, run.RecordsDeleted)
	require.EqualValues(t, 17, run.RecordsSeen)
	require.EqualValues(t, 0, *run.Drift)
	w.requireEqual(t)
}

// TestAPauseByTheOldDashboard: a write to is_active alone stops the run that is active.
func TestAPauseByTheOldDashboard(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 2000})
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.PageLimit = 100 }))
	require.NoError(t, w.fake.Faults(sandbox.Fault{Path: personsPath, AtCall: 3, Times: 1, Kind: sandbox.Fault429}))
	w.start(t)
	run := w.until(t, w.enqueue(t, store.Full).ID, func(r store.Run) bool { return r.WaitingUntil != nil })
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET is_active = false WHERE id = $1`, w.id)
	require.NoError(t, err)
	require.Equal(t, "cancelled", *w.ended(t, run.ID).ErrorCode)
	require.Equal(t, 200, w.live(t))
}

// TestAPersonsSyncDoesNotSleepWithTheSchedule: what scheduled work leaves to people is theirs when they ask.
func TestAPersonsSyncDoesNotSleepWithTheSchedule(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 1200})
	w.fake.SetBudget(105) // ten pages at 10 tokens; the last fifth is left to people
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.PageLimit = 120 }))
	w.start(t)
	scheduled, err := w.worker.Jobs().EnqueueSync(t.Context(), nil, w.id, store.NewRun{SyncType: store.Full, RequestedBy: jobs.Scheduled})
	require.NoError(t, err)
	waits := w.until(t, scheduled.ID, func(r store.Run) bool { return r.WaitingReason != nil && *r.WaitingReason == "reserve" })
	require.Greater(t, time.Until(*waits.WaitingUntil), time.Duration(0))
	asked := w.enqueue(t, store.Full)
	require.Equal(t, scheduled.ID, asked.ID)
	require.Equal(t, "test", *asked.RequestedBy)
	require.Equal(t, store.Completed, w.ended(t, asked.ID).Status)
}

// TestSchedule: due integrations start once, missed ticks collapse, and one that can't be started holds up no other.
func TestSchedule(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 10})
	other := w.connect(t, w.fake.Companies()[1].ID)
	broken := w.connect(t, w.fake.Companies()[2].ID)
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET next_sync_at = now() - interval '2 hours'`)
	require.NoError(t, err)
	_, err = w.pool.Exec(t.Context(), `UPDATE integrations SET schedule = 'CRON_TZ=UTC', next_sync_at = now() - interval '3 hours' WHERE id = $1`, broken)
	require.NoError(t, err)
	w.start(t)
	second := w.newWorker(t)
	require.NoError(t, second.Start(t.Context()))
	defer func() { require.NoError(t, second.Stop(t.Context())) }()

	for _, id := range []uuid.UUID{w.id, other} {
		var run store.Run
		require.Eventually(t, func() bool {
			list, err := w.store.ListRuns(t.Context(), store.RunFilter{Integration: &id}, store.After{}, 10)
			require.NoError(t, err)
			if len(list) > 0 {
				run = list[0]
			}
			return len(list) == 1 && !list[0].Active()
		}, 30*time.Second, 10*time.Millisecond)
		require.Equal(t, store.Completed, run.Status)
		require.Equal(t, jobs.Scheduled, *run.RequestedBy)
		require.EqualValues(t, 8, run.MissedTicks, "two hours of every 15 minutes, less the one that is due")
		i, err := w.store.AnyIntegration(t.Context(), id)
		require.NoError(t, err)
		require.WithinRange(t, *i.NextSyncAt, time.Now().Add(14*time.Minute), time.Now().Add(17*time.Minute))
	}
	i, err := w.store.AnyIntegration(t.Context(), broken)
	require.NoError(t, err)
	require.Nil(t, i.NextSyncAt, "a schedule that can't be read is switched off")
}

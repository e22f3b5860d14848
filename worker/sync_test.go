package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/worker"
)

const personsPath = "/api/v2/persons"

func TestFullSync(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 2300})
	w.start(t)

	run := w.sync(t, store.Full)
	require.Equal(t, store.Completed, run.Status, "%+v", run)
	require.Equal(t, store.Finished, *run.Outcome)
	require.EqualValues(t, 2300, run.RecordsCreated)
	require.EqualValues(t, 2300, run.RecordsSynced)
	require.EqualValues(t, 5, run.Pages)
	require.EqualValues(t, 5, run.APICalls)
	require.EqualValues(t, 0, *run.Drift)
	w.requireEqual(t)

	t.Run("AgainWritesNoContact", func(t *testing.T) { //nolint:paralleltest // goes on from the first
		before := w.written(t)
		run := w.sync(t, store.Full)
		require.Equal(t, store.Finished, *run.Outcome)
		require.EqualValues(t, 2300, run.RecordsUnchanged)
		require.EqualValues(t, 2300, *run.RecordsTotal)
		require.Equal(t, before, w.written(t), "an unchanged record costs no write")
	})

	t.Run("IncrementalBringsExactlyTheChanges", func(t *testing.T) { //nolint:paralleltest // goes on
		w.sync(t, store.Incremental) // its window still holds the import
		_, err := w.fake.Mutate(w.company, sandbox.Mutation{Create: 7, Update: 11})
		require.NoError(t, err)
		run := w.sync(t, store.Incremental)
		require.Equal(t, store.Finished, *run.Outcome)
		require.EqualValues(t, 7, run.RecordsCreated)
		require.EqualValues(t, 11, run.RecordsUpdated)
		w.requireEqual(t)
	})

	t.Run("NothingNewCostsTwoCallsAtMost", func(t *testing.T) { //nolint:paralleltest // goes on
		before := w.written(t)
		run := w.sync(t, store.Incremental)
		require.LessOrEqual(t, run.APICalls, int32(2))
		require.Zero(t, run.RecordsCreated+run.RecordsUpdated)
		require.Equal(t, before, w.written(t))
	})

	t.Run("DeletionsAreFoundByTheSweep", func(t *testing.T) { //nolint:paralleltest // goes on
		_, err := w.fake.Mutate(w.company, sandbox.Mutation{Delete: 9})
		require.NoError(t, err)
		require.True(t, w.fake.Purge(w.company, 5))
		run := w.sync(t, store.Full)
		require.Equal(t, store.Finished, *run.Outcome, "%+v", run)
		require.EqualValues(t, 10, run.RecordsDeleted)
		require.EqualValues(t, 0, *run.Drift)
		w.requireEqual(t)
	})
}

func TestBrake(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		contacts int
		happens  func(t *testing.T, w *world)
		outcome  string
		deleted  int64
		live     int
	}{
		"a narrowed permission deletes nothing and asks a person": {
			300, func(t *testing.T, w *world) {
				t.Helper()
				require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.Visible = 90 }))
			}, store.DeletionsHeld, 0, 300,
		},
		"an incomplete list deletes nothing and asks nobody": {
			300, func(t *testing.T, w *world) {
				t.Helper()
				require.NoError(t, w.fake.Faults(sandbox.Fault{Path: personsPath, Kind: sandbox.FaultHalfPage, Times: 1}))
			}, store.StoppedEarly, 0, 300,
		},
		"an empty list deletes nothing": {
			300, func(t *testing.T, w *world) {
				t.Helper()
				require.NoError(t, w.fake.Faults(sandbox.Fault{Path: personsPath, Kind: sandbox.FaultEmptyList, Times: 1}))
			}, store.StoppedEarly, 0, 300,
		},
		"many deletions that the provider confirms pass": {
			300, func(t *testing.T, w *world) {
				t.Helper()
				_, err := w.fake.Mutate(w.company, sandbox.Mutation{Delete: 200})
				require.NoError(t, err)
			}, store.Finished, 200, 100,
		},
		"a few absences without proof pass": {
			300, func(t *testing.T, w *world) {
				t.Helper()
				for id := range int64(20) {
					require.True(t, w.fake.Purge(w.company, id+1))
				}
			}, store.Finished, 20, 280,
		},
		"all of a small account without proof waits": {
			6, func(t *testing.T, w *world) {
				t.Helper()
				for id := range int64(6) {
					require.True(t, w.fake.Purge(w.company, id+1))
				}
			}, store.DeletionsHeld, 0, 6,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, worldOptions{contacts: c.contacts})
			w.start(t)
			require.Equal(t, store.Finished, *w.sync(t, store.Full).Outcome)
			w.fake.ResetCounters()
			c.happens(t, w)
			run := w.sync(t, store.Full)
			require.Equal(t, store.Completed, run.Status)
			require.Equal(t, c.outcome, *run.Outcome)
			require.Equal(t, c.deleted, run.RecordsDeleted)
			require.Equal(t, c.live, w.live(t))
			open := w.incidents(t)
			if c.outcome == store.DeletionsHeld {
				require.Equal(t, []string{"deletions_held"}, open)
				require.LessOrEqual(t, w.fake.Calls()[personsPath+"/{id}"], 10, "a sample is read, not everything")
			} else {
				require.Empty(t, open)
			}
		})
	}
}

// TestFaults: what becomes of a run of 1,200 contacts when a call in the midst of it fails.
func TestFaults(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		fault  sandbox.Fault
		status string // after it is over: the end, or InProgress for a run that waits
		code   string
		reason string
		wait   time.Duration // at least
		synced int64
		calls  int
	}{
		"a server error is tried again":          {sandbox.Fault{Kind: sandbox.Fault500, Times: 3}, store.Completed, "", "", 0, 1200, 6},
		"a proxy's page is tried again":          {sandbox.Fault{Kind: sandbox.Fault502, Times: 1}, store.Completed, "", "", 0, 1200, 4},
		"a cut-off answer is no empty page":      {sandbox.Fault{Kind: sandbox.FaultTruncate, Times: 2}, store.Completed, "", "", 0, 1200, 5},
		"half of the JSON is no empty page":      {sandbox.Fault{Kind: sandbox.FaultMalformed, Times: 1}, store.Completed, "", "", 0, 1200, 4},
		"a reset is tried again":                 {sandbox.Fault{Kind: sandbox.FaultReset, Times: 1}, store.Completed, "", "", 0, 1200, 4},
		"200 that says it failed is tried again": {sandbox.Fault{Kind: sandbox.FaultSuccessFalse, Times: 1}, store.Completed, "", "", 0, 1200, 4},
		"a lost cursor restarts the walk once":   {sandbox.Fault{Kind: sandbox.FaultBadCursor, Times: 1}, store.Completed, "", "", 0, 1200, 5},
		"a cursor lost twice ends the run":       {sandbox.Fault{Kind: sandbox.FaultBadCursor, Times: 1}, store.Failed, "cursor_expired", "", 0, 500, 4},
		"eight failures in a row end the run":    {sandbox.Fault{Kind: sandbox.Fault500, Times: 8}, store.Failed, "provider_unavailable", "", 0, 500, 9},
		"an endpoint that is gone ends the run":  {sandbox.Fault{Kind: sandbox.Fault410, Times: 1}, store.Failed, "misconfigured", "", 0, 500, 2},
		"a cursor that repeats ends the run":     {sandbox.Fault{Kind: sandbox.FaultRepeatCursor, Times: 1}, store.Failed, "schema_changed", "", 0, 500, 2},
		"a burst limit waits":                    {sandbox.Fault{Kind: sandbox.Fault429, Times: 1}, store.InProgress, "", "rate_limited", time.Second, 500, 2},
		"a spent day parks":                      {sandbox.Fault{Kind: sandbox.FaultDaily429, Times: 1}, store.InProgress, "", "quota_exhausted", time.Minute, 500, 2},
		"the firewall's page pauses the account": {sandbox.Fault{Kind: sandbox.FaultHTML403, Times: 1}, store.InProgress, "", "rate_limited", 14 * time.Minute, 500, 2},
		"a suspended account waits for a day":    {sandbox.Fault{Kind: sandbox.Fault402, Times: 1}, store.InProgress, "", "blocked", 23 * time.Hour, 500, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, worldOptions{contacts: 1200, spans: worker.Spans{Backoff: time.Millisecond}})
			c.fault.Path, c.fault.AtCall = personsPath, 2
			faults := []sandbox.Fault{c.fault}
			if c.code == "cursor_expired" { // again in the second walk, when it uses a cursor
				c.fault.AtCall = 4
				faults = append(faults, c.fault)
			}
			require.NoError(t, w.fake.Faults(faults...))
			w.start(t)
			run := w.until(t, w.enqueue(t, store.Full).ID, func(r store.Run) bool {
				return !r.Active() || (r.WaitingReason != nil && *r.WaitingReason == c.reason)
			})
			require.Equal(t, c.status, run.Status, "%+v", run)
			require.Equal(t, c.synced, run.RecordsSynced)
			require.Equal(t, c.calls, w.fake.Calls()[personsPath])
			switch c.status {
			case store.Failed:
				require.Equal(t, c.code, *run.ErrorCode)
			case store.InProgress:
				require.Greater(t, time.Until(*run.WaitingUntil), c.wait)
			default:
				w.requireEqual(t)
			}
		})
	}
}

// TestScatteredFailures: a run fails for failures in a row, never for scattered ones.
func TestScatteredFailures(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 3000, spans: worker.Spans{Backoff: time.Millisecond}})
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.PageLimit = 300 }))
	var faults []sandbox.Fault
	for call := 1; call < 20; call += 2 { // every page fails once
		faults = append(faults, sandbox.Fault{Path: personsPath, Kind: sandbox.Fault500, AtCall: call, Times: 1})
	}
	require.NoError(t, w.fake.Faults(faults...))
	w.start(t)
	run := w.sync(t, store.Full)
	require.Equal(t, store.Completed, run.Status)
	require.EqualValues(t, 10, run.Pages)
	w.requireEqual(t)
}

func TestRunsOfOneIntegration(t *testing.T) {
	t.Parallel()

	slow := func(t *testing.T) *world {
		t.Helper()
		w := newWorld(t, worldOptions{contacts: 2000})
		require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS, s.PageLimit = 60, 100 }))
		w.start(t)
		return w
	}
	working := func(r store.Run) bool { return r.Pages > 2 }

	t.Run("OneIsActiveAndOneFollows", func(t *testing.T) {
		t.Parallel()

		w := slow(t)
		full := w.enqueue(t, store.Full)
		w.until(t, full.ID, working)
		require.Equal(t, full.ID, w.enqueue(t, store.Full).ID)
		follower := w.enqueue(t, store.Incremental)
		require.NotEqual(t, full.ID, follower.ID)
		require.Equal(t, store.Pending, follower.Status)
		require.Equal(t, "after_run", *follower.WaitingReason)
		require.Equal(t, follower.ID, w.enqueue(t, store.Incremental).ID)
		require.Equal(t, store.Completed, w.ended(t, full.ID).Status)
		require.Equal(t, store.Completed, w.ended(t, follower.ID).Status)
		w.requireEqual(t)
	})

	t.Run("ACancelEndsARunningOneAndStartsTheFollower", func(t *testing.T) {
		t.Parallel()

		w := slow(t)
		full := w.enqueue(t, store.Full)
		follower := w.enqueue(t, store.Incremental)
		w.until(t, full.ID, working)
		run, err := w.worker.Jobs().CancelSync(t.Context(), &w.tenant, full.ID)
		require.NoError(t, err)
		require.Equal(t, store.Failed, run.Status)
		require.Equal(t, "cancelled", *run.ErrorCode)
		require.Equal(t, store.Completed, w.ended(t, follower.ID).Status)
		again, err := w.store.Run(t.Context(), nil, full.ID)
		require.NoError(t, err)
		require.Equal(t, run.Pages, again.Pages, "no page after the end")
	})

	t.Run("ACancelledOneGoesOnAtItsCheckpointWhenRetried", func(t *testing.T) {
		t.Parallel()

		w := slow(t)
		full := w.enqueue(t, store.Full)
		w.until(t, full.ID, working)
		_, err := w.worker.Jobs().CancelSync(t.Context(), &w.tenant, full.ID)
		require.NoError(t, err)
		_, err = w.worker.Jobs().RetrySync(t.Context(), &w.tenant, full.ID)
		require.NoError(t, err)
		run := w.ended(t, full.ID)
		require.Equal(t, store.Completed, run.Status)
		require.EqualValues(t, 20, run.Pages)
		require.EqualValues(t, 2000, run.RecordsSeen)
		w.requireEqual(t)
	})

	t.Run("AStoppedWorkerFinishesItsPageAndAnotherGoesOn", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t, worldOptions{contacts: 2000})
		require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS, s.PageLimit = 60, 100 }))
		require.NoError(t, w.worker.Start(t.Context()))
		full := w.enqueue(t, store.Full)
		w.until(t, full.ID, working)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.NoError(t, w.worker.Stop(ctx))
		stopped, err := w.store.Run(t.Context(), nil, full.ID)
		require.NoError(t, err)
		require.Equal(t, store.InProgress, stopped.Status)

		w.worker = w.newWorker(t)
		w.start(t)
		run := w.ended(t, full.ID)
		require.Equal(t, store.Completed, run.Status)
		require.EqualValues(t, 20, run.Pages)
		require.LessOrEqual(t, w.fake.Calls()[personsPath], 21)
		w.requireEqual(t)
	})
}

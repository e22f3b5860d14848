package worker_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/worker"
)

// outage lets every path of the provider fail, or none.
func (w *world) outage(t *testing.T, down bool) {
	t.Helper()
	var faults []sandbox.Fault
	if down {
		faults = append(faults, sandbox.Fault{Path: "/", Kind: sandbox.Fault500, Times: sandbox.Forever})
	}
	require.NoError(t, w.fake.Faults(faults...))
}

func breaking() worker.Spans {
	return worker.Spans{Slice: time.Second, Look: 100 * time.Millisecond, Probe: 200 * time.Millisecond, Schedule: time.Hour, Backoff: 20 * time.Millisecond}
}

// While a provider is down, an account's runs wait for one probe: their number costs it nothing, and none of them fails.
func TestAnOutageIsWaitedOutTogether(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 300, spans: breaking()})
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.PageLimit = 50 }))
	ids := []uuid.UUID{w.id}
	tenant := w.tenant
	for len(ids) < 5 {
		w.tenant = uuid.New()
		ids = append(ids, w.connect(t, w.company))
	}
	w.tenant = tenant
	w.outage(t, true)
	w.start(t)
	runs := make([]store.Run, len(ids))
	for i, id := range ids {
		var err error
		runs[i], err = w.worker.Jobs().EnqueueSync(t.Context(), nil, id, store.NewRun{SyncType: store.Full, RequestedBy: "test"})
		require.NoError(t, err)
	}
	for _, run := range runs {
		w.until(t, run.ID, func(r store.Run) bool { return r.WaitingReason != nil && *r.WaitingReason == "provider_down" })
	}
	w.fake.ResetCounters()
	began := time.Now()
	require.Eventually(t, func() bool { return calls(w) >= 5 }, 30*time.Second, 10*time.Millisecond, "it is probed")
	require.LessOrEqual(t, calls(w), 2+int(2*time.Since(began)/(200*time.Millisecond)), "by one, which may need two calls")
	require.Contains(t, w.incidents(t), "provider_unavailable")

	w.outage(t, false)
	for _, run := range runs {
		ended := w.ended(t, run.ID)
		require.Equal(t, store.Completed, ended.Status)
		require.EqualValues(t, 300, ended.RecordsCreated)
	}
	var open int
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM incidents WHERE closed_at IS NULL`).Scan(&open))
	require.Zero(t, open)
}

func calls(w *world) (n int) {
	for _, k := range w.fake.Calls() {
		n += k
	}
	return n
}

// A page that always fails is no outage: the account is served, so the run fails as it should.
func TestAPageThatAlwaysFailsIsNoOutage(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 10, spans: breaking()})
	require.NoError(t, w.fake.Faults(sandbox.Fault{Path: personsPath, Kind: sandbox.Fault500, Times: sandbox.Forever}))
	w.start(t)
	run := w.sync(t, store.Full)
	require.Equal(t, store.Failed, run.Status)
	require.Equal(t, "provider_unavailable", *run.ErrorCode)
	require.Equal(t, 8, w.fake.Calls()[personsPath])
}

// One account that is served frees all others that were down with it.
func TestRecoveryIsForAll(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 20, spans: breaking()})
	for i := range 50 {
		_, err := w.pool.Exec(t.Context(), `INSERT INTO rate_budgets (provider, external_account_id, failures_in_row, down_since, probe_at) VALUES ('pipedrive', $1, 3, now(), now() + interval '1 hour')`, strconv.Itoa(i))
		require.NoError(t, err)
	}
	require.NoError(t, w.store.NoteServed(t.Context(), store.AccountKey{Provider: "pipedrive", Account: "7"}, true, "provider_down"))
	var down int
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM rate_budgets WHERE down_since IS NOT NULL`).Scan(&down))
	require.Zero(t, down)
}

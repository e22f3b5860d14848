package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/inspect"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

// previewed is a preview as it is answered.
type previewed struct {
	inspect.Preview

	Title    string `json:"title"`
	Sentence string `json:"sentence"`
}

func (w *crmWorld) preview(t *testing.T, kind string) (p previewed) {
	t.Helper()
	before := w.rows(t)
	got := w.ask(t, http.MethodPost, w.path("/syncs"), `{"sync_type":"`+kind+`","preview":true}`, &p)
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Equal(t, before, w.rows(t), "nothing is written, not even a run")
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Sentence)
	return p
}

// A preview says what the sync then does.
func TestPreview(t *testing.T) {
	t.Parallel()

	const contacts = 450
	eachCRM(t, contacts, func(t *testing.T, w *crmWorld) {
		t.Helper()
		_, counts := w.crm.(*pipedriveFake)
		counts = !counts

		first := w.preview(t, store.Incremental)
		require.Equal(t, store.Full, first.RunsAs, "nothing was ever read")
		run := w.sync(t, store.Incremental)
		require.Equal(t, store.Finished, value(run.Outcome))
		require.Equal(t, first.Calls.Count, int64(run.APICalls))
		require.True(t, first.Calls.Exact)
		require.Equal(t, inspect.Estimate{Count: contacts, Exact: true}, first.Records)
		require.Equal(t, first.Sample.Read, first.Sample.Created)
		require.Positive(t, first.Sample.Read)
		if first.Quota != nil {
			require.Equal(t, run.QuotaUsed, first.Quota.Cost)
		} else {
			require.Zero(t, run.QuotaUsed)
		}

		again := w.preview(t, store.Full)
		require.Equal(t, counts || contacts <= 500, again.Calls.Exact)
		require.Equal(t, again.Sample.Read, again.Sample.Unchanged)
		require.EqualValues(t, contacts, again.Contacts)
		run = w.sync(t, store.Full)
		require.Equal(t, again.Calls.Count, int64(run.APICalls), "%+v", again)
		require.Zero(t, run.RecordsCreated+run.RecordsUpdated+run.RecordsDeleted)

		w.sync(t, store.Incremental) // from here on, the window holds less
		w.crm.mutate(t, sandbox.Mutation{Create: 3, Update: 4})
		changes := w.preview(t, store.Incremental)
		require.Equal(t, store.Incremental, changes.RunsAs)
		require.EqualValues(t, 3, changes.Sample.Created)
		require.EqualValues(t, 4, changes.Sample.Updated)
		run = w.sync(t, store.Incremental)
		require.Equal(t, changes.Sample.Created, run.RecordsCreated)
		require.Equal(t, changes.Sample.Updated, run.RecordsUpdated)
		if changes.Calls.Exact {
			require.Equal(t, changes.Calls.Count, int64(run.APICalls))
		}
		w.requireSame(t)
	})
}

func TestPreviewIsRefused(t *testing.T) {
	t.Parallel()

	w := newCRMWorld(t, 3, crms()["pipedrive"])
	body := `{"sync_type":"full","preview":true}`
	got := w.do(t, ask{method: http.MethodPost, path: w.path("/syncs"), key: w.otherKey, body: body})
	require.Equal(t, http.StatusNotFound, got.StatusCode)

	require.NoError(t, w.crm.faults(sandbox.Fault{Path: w.crm.lists(), Kind: sandbox.Fault429, Times: 1}))
	got = w.do(t, ask{method: http.MethodPost, path: w.path("/syncs"), key: w.key, body: body})
	require.Equal(t, http.StatusTooManyRequests, got.StatusCode)
	require.Equal(t, "rate_limited", got.text(t, "code"))
	require.NotEmpty(t, got.Header.Get("Retry-After"))
	got = w.do(t, ask{method: http.MethodPost, path: w.path("/syncs"), key: w.key, body: body})
	require.Equal(t, http.StatusTooManyRequests, got.StatusCode, "who asks next is not let through to the provider")

	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET status = 'paused'`)
	require.NoError(t, err)
	got = w.do(t, ask{method: http.MethodPost, path: w.path("/syncs"), key: w.key, body: body})
	require.Equal(t, http.StatusConflict, got.StatusCode)
	require.Equal(t, "integration_inactive", got.text(t, "code"))
	require.Zero(t, w.countRuns(t, w.id))
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

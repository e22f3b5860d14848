package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
)

// ledger is a page of failures as it is answered.
type ledger struct {
	Items []struct {
		store.Failure

		Sentence string
	}
	Reasons []struct {
		store.FailureCount

		Sentence string
	}
}

// oversized is a name that makes its record too large.
func oversized() string { return strings.Repeat("x", 1<<20+1) }

func TestFailureLedger(t *testing.T) {
	t.Parallel()

	eachCRM(t, 5, func(t *testing.T, w *crmWorld) {
		t.Helper()
		for n := int64(101); n <= 103; n++ {
			w.crm.put(t, n, oversized())
		}
		run := w.sync(t, store.Full)
		require.Equal(t, store.FinishedWithSkipped, value(run.Outcome))
		require.EqualValues(t, 3, run.RecordsFailed)
		require.EqualValues(t, 5, w.liveContacts(t))
		ofRun, ofAccount := "/v1/syncs/"+run.ID.String()+"/failures", w.path("/failures")
		var page ledger
		w.ask(t, http.MethodGet, ofRun+"?limit=2", "", &page)
		require.Len(t, page.Items, 2)
		require.Len(t, page.Reasons, 1, "%+v", page.Reasons)
		require.Equal(t, "too_large", page.Reasons[0].Reason)
		require.EqualValues(t, 3, page.Reasons[0].Count)
		require.Equal(t, "It is larger than 1 MB.", page.Reasons[0].Sentence)
		one := page.Items[0]
		require.True(t, one.CanRetry)
		require.EqualValues(t, 1, one.Times)
		require.NotEmpty(t, value(one.Payload))
		require.LessOrEqual(t, len(value(one.Payload)), 64<<10)
		w.ask(t, http.MethodGet, ofAccount+"?reason=bad_time", "", &page)
		require.Empty(t, page.Items)
		require.Equal(t, http.StatusNotFound, w.do(t, ask{path: ofAccount, key: w.otherKey}).StatusCode)

		// one that still is too large is met again; the one that is mended passes
		var id string
		for n := int64(101); n <= 103; n++ {
			if w.crm.id(n) == one.ExternalID || id == "" {
				id = w.crm.id(n)
			}
		}
		w.crm.put(t, 101, "Small")
		var begun struct {
			Retrying  int64
			WithoutID int64 `json:"without_id"`
		}
		w.ask(t, http.MethodPost, ofRun+"/retry", "", &begun)
		require.EqualValues(t, 3, begun.Retrying)
		w.eventually(t, func() bool {
			w.ask(t, http.MethodGet, ofAccount, "", &page)
			return len(page.Items) == 2 && page.Items[0].Times+page.Items[1].Times == 4
		})
		require.EqualValues(t, 6, w.liveContacts(t))

		w.crm.put(t, 102, "Small")
		only := ""
		for _, f := range page.Items {
			if f.ExternalID == w.crm.id(102) {
				only = f.ID.String()
			}
		}
		require.NotEmpty(t, only)
		w.ask(t, http.MethodPost, ofAccount+"/retry", fmt.Sprintf(`{"failure_id":%q}`, only), &begun)
		require.EqualValues(t, 1, begun.Retrying)
		w.eventually(t, func() bool {
			w.ask(t, http.MethodGet, ofAccount, "", &page)
			return len(page.Items) == 1
		})
		require.EqualValues(t, 2, page.Items[0].Times, "only the one was tried again")
		require.Equal(t, http.StatusNotFound, w.do(t, ask{method: http.MethodPost, path: ofAccount + "/retry", key: w.key, body: `{"failure_id":"` + w.id.String() + `"}`}).StatusCode)
		require.Equal(t, http.StatusNotFound, w.do(t, ask{method: http.MethodPost, path: ofAccount + "/retry", key: w.otherKey}).StatusCode)

		// without a retry, the next run that reads it in good form resolves it
		w.crm.put(t, 103, "Small")
		require.Equal(t, store.Finished, value(w.sync(t, store.Full).Outcome))
		w.ask(t, http.MethodGet, ofAccount, "", &page)
		require.Empty(t, page.Items)
		w.ask(t, http.MethodGet, ofAccount+"?open=all", "", &page)
		require.Len(t, page.Items, 3)
		w.requireSame(t)
	})
}

// A record that is gone, or that came without an id, is no failure any more once a whole sweep hasn't met it.
func TestFailuresThatASweepDoesNotMeetAreResolved(t *testing.T) {
	t.Parallel()

	w := newCRMWorld(t, 5, crms()["pipedrive"])
	w.crm.put(t, 101, oversized())
	require.Equal(t, store.FinishedWithSkipped, value(w.sync(t, store.Full).Outcome))
	_, err := w.pool.Exec(t.Context(), `INSERT INTO sync_failures (tenant_id, integration_id, external_id, reason) VALUES ($1, $2, 'page 7', 'no_id')`, w.tenant, w.id)
	require.NoError(t, err)
	var begun struct {
		Retrying  int64
		WithoutID int64 `json:"without_id"`
	}
	w.ask(t, http.MethodPost, w.path("/failures/retry"), "", &begun)
	require.EqualValues(t, 1, begun.Retrying)
	require.EqualValues(t, 1, begun.WithoutID)
	w.crm.purge(t, 101)
	var page ledger
	w.ask(t, http.MethodGet, w.path("/failures"), "", &page)
	require.NotEmpty(t, page.Items)
	require.Equal(t, store.Finished, value(w.sync(t, store.Full).Outcome))
	w.ask(t, http.MethodGet, w.path("/failures"), "", &page)
	require.Empty(t, page.Items)
}

func (w *crmWorld) eventually(t *testing.T, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for tick := time.NewTicker(50 * time.Millisecond); !is(); <-tick.C {
		if time.Now().After(deadline) {
			tick.Stop()
			require.Fail(t, "it doesn't come true")
		}
	}
}

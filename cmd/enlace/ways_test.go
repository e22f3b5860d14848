//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store/storetest"
)

// TestZohoThroughEveryWay: full syncs of accounts so large that the provider serves them in three ways, with all workers
// killed twice on the way. In the end everything is there once, and the calls have cost what the provider's prices say.
func TestZohoThroughEveryWay(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		way      string
		contacts int
		credits  int // without a kill, by the prices: pages, one count before and after, one list of fields
	}{
		{"list", 90_000, 90_000/200 + 3},
		{"keyset", 250_000, 250_000/2000*3 + 3},
		{"bulk", 250_000, 2*50 + 3 + 2*3}, // two exports, each looked at twice and fetched
	} {
		t.Run(c.way, func(t *testing.T) {
			t.Parallel()

			w := newWay(t, c.way, c.contacts)
			run := w.full(t)
			w.killAt(t, run, c.contacts/4)
			w.killAt(t, run, c.contacts/2)
			w.await(t, run)
			got := w.read(t, run)
			require.Equal(t, "finished", got.outcome)
			require.Equal(t, c.contacts, got.seen)
			require.Equal(t, c.contacts, got.created, "an empty table: nothing is met twice")
			require.Zero(t, got.drift)
			w.requireSame(t, c.contacts)

			var there struct {
				Credits int `json:"credits_used"`
			}
			w.control(t, http.MethodGet, "", "", &there)
			t.Logf("%d contacts by %s: %d pages, %d slices, %d calls, %d credits; %d by the prices, %d counted by the provider", c.contacts, c.way, got.pages, got.slices, got.calls, got.quota, c.credits, there.Credits)
			require.GreaterOrEqual(t, got.quota, c.credits)
			require.LessOrEqual(t, got.quota, c.credits+6*got.slices, "what each slice asks again: the fields, the export, a page that was lost")
			require.LessOrEqual(t, got.quota, there.Credits, "what a kill loses is one page's")
		})
	}
}

// TestZohoListTooLong: an incremental that meets the end of the provider's list reads everything instead, once.
func TestZohoListTooLong(t *testing.T) {
	t.Parallel()

	w := newWay(t, "auto", 3000)
	w.await(t, w.full(t))
	w.control(t, http.MethodPatch, "", `{"list_limit": 1000}`, nil)
	w.control(t, http.MethodPost, "/mutate", `{"update": 2500}`, nil) // in one second
	run := w.sync(t, "incremental")
	w.await(t, run)
	got := w.read(t, run)
	require.Equal(t, "finished", got.outcome)
	require.Equal(t, 2500, got.updated)
	require.Equal(t, 500, got.unchanged)
	w.requireSame(t, 3000)

	next := w.sync(t, "incremental")
	w.await(t, next)
	require.Zero(t, w.read(t, next).updated)
}

// way is an install whose account is Zoho's, in a sandbox process of its own.
type way struct {
	*install

	front   *member
	workers []*member
}

func newWay(t *testing.T, mode string, contacts int) *way {
	t.Helper()
	addr := freeAddr(t)
	fakes := startServer(t, nil, nil, "sandbox", "--addr", addr, "--contacts", fmt.Sprint(contacts))
	waitFor(t, fakes, "http://"+addr+"/sandbox/control/zoho")
	w := &way{install: &install{
		database: storetest.EmptyURL(t), sandbox: "http://" + addr, provider: "zoho", api: freeAddr(t), extra: []string{"ZOHO_FULL_SYNC=" + mode},
	}}
	w.prepare(t)
	w.control(t, http.MethodPatch, "", `{"auto_consent": true, "bulk_polls": 1, "budget": 5000000}`, nil)
	w.front = &member{command: "api", name: "api", addr: w.api}
	w.workers = []*member{{command: "worker", name: "one", addr: freeAddr(t)}, {command: "worker", name: "two", addr: freeAddr(t)}}
	for _, m := range append(w.workers, w.front) {
		w.start(t, m)
	}
	w.connect(t)
	return w
}

// control steers the sandbox.
func (w *way) control(t *testing.T, method, path, body string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.sandbox+"/sandbox/control/zoho"+path, strings.NewReader(body))
	require.NoError(t, err)
	status, answer := send(t, req, "")
	require.Equal(t, http.StatusOK, status, answer)
	if into != nil {
		require.NoError(t, json.Unmarshal([]byte(answer), into))
	}
}

func (w *way) full(t *testing.T) string { t.Helper(); return w.sync(t, "full") }

// sync starts a run and returns its id.
func (w *way) sync(t *testing.T, kind string) string {
	t.Helper()
	var run struct {
		ID string `json:"id"`
	}
	w.ask(t, http.MethodPost, "/v1/integrations/"+w.account+"/syncs", `{"sync_type": "`+kind+`"}`, http.StatusAccepted, &run)
	return run.ID
}

// killAt kills every worker once so many records were seen, and starts them again.
func (w *way) killAt(t *testing.T, run string, seen int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return w.count(t, `SELECT records_seen FROM integration_sync_logs WHERE id = $1`, run) >= seen
	}, 3*commandLimit, 20*time.Millisecond)
	for _, m := range w.workers {
		m.kill(t)
	}
	require.Zero(t, w.count(t, `SELECT count(*) FROM integration_sync_logs WHERE id = $1 AND status = 'completed'`, run), "the kill came in time")
	for _, m := range w.workers {
		w.start(t, m)
	}
}

func (w *way) await(t *testing.T, run string) {
	t.Helper()
	require.Eventually(t, func() bool {
		require.Zero(t, w.count(t, `SELECT count(*) FROM integration_sync_logs WHERE id = $1 AND status = 'failed'`, run))
		return w.count(t, `SELECT count(*) FROM integration_sync_logs WHERE id = $1 AND status = 'completed'`, run) == 1
	}, 3*commandLimit, 50*time.Millisecond)
}

// report is what a run says of itself.
type report struct {
	outcome                                                               string
	pages, slices, calls, quota, seen, created, updated, unchanged, drift int
}

func (w *way) read(t *testing.T, run string) (r report) {
	t.Helper()
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT outcome, pages, fence, api_calls, quota_used, records_seen, records_created, records_updated, records_unchanged,
		coalesce(drift, 0) FROM integration_sync_logs WHERE id = $1`, run).Scan(&r.outcome, &r.pages, &r.slices, &r.calls, &r.quota, &r.seen, &r.created, &r.updated, &r.unchanged, &r.drift))
	return r
}

// requireSame compares ids and names of what is stored with what the sandbox has.
func (w *way) requireSame(t *testing.T, n int) {
	t.Helper()
	want := make(map[string]string, n)
	for after := "0"; ; {
		var page struct {
			Items []struct {
				ID   string `json:"id"`
				Last string `json:"Last_Name"`
			} `json:"items"`
			Next *string `json:"next_cursor"`
		}
		w.control(t, http.MethodGet, "/contacts?limit=10000&after="+after, "", &page)
		for _, c := range page.Items {
			want[c.ID] = strings.ReplaceAll(c.Last, "\x00", "")
		}
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	require.Len(t, want, n)
	rows, err := w.pool.Query(t.Context(), `SELECT external_id, last_name FROM contacts WHERE deleted_at IS NULL`)
	require.NoError(t, err)
	var id, name string
	found := 0
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		found++
		if last, ok := want[id]; !ok || last != name {
			return fmt.Errorf("contact %s is %q and not %q", id, name, last)
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, n, found)
}

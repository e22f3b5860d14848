package worker_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/worker"
)

// casesDir is where the situations that people met with such software are kept, one a file.
const casesDir = "../../shared/cases/crm"

const tokenPath = "/oauth/token"

// scriptedCall is an answer that a case's provider gives.
type scriptedCall struct {
	On      string            `json:"on"`
	Reply   *scriptedCall     `json:"reply"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// script makes the sandbox give the case's answers, in their order; a body that is a JSON string is sent as its text.
func script(t *testing.T, w *world, name string) {
	t.Helper()
	matches, err := filepath.Glob(filepath.Join(casesDir, name+"-*.json"))
	require.NoError(t, err)
	require.Len(t, matches, 1, name)
	raw, err := os.ReadFile(matches[0])
	require.NoError(t, err)
	var c struct {
		Given struct {
			Calls []scriptedCall `json:"calls"`
		} `json:"given"`
	}
	require.NoError(t, json.Unmarshal(raw, &c))
	require.NotEmpty(t, c.Given.Calls)
	for _, call := range c.Given.Calls {
		path := personsPath
		if strings.Contains(call.On, tokenPath) {
			path = tokenPath
		}
		if call.Reply != nil {
			call = *call.Reply
		}
		w.fake.Script(path, answer(t, call))
	}
}

func answer(t *testing.T, call scriptedCall) sandbox.Answer {
	t.Helper()
	a := sandbox.Answer{Status: call.Status, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(call.Body)}
	var text string
	if json.Unmarshal(call.Body, &text) == nil {
		a.Body = text
		if strings.HasPrefix(text, "<") {
			a.Header.Set("Content-Type", "text/html")
		}
	}
	for name, value := range call.Headers {
		a.Header.Set(name, value)
	}
	return a
}

// queries are the list requests that reached the provider.
func (w *world) queries(t *testing.T) (list []url.Values) {
	t.Helper()
	for _, r := range w.fake.Requests() {
		if r.Path == personsPath {
			q, err := url.ParseQuery(r.Query)
			require.NoError(t, err)
			list = append(list, q)
		}
	}
	return list
}

// stored lists the ids of an integration's contacts, tombstones marked by a minus.
func (w *world) stored(t *testing.T) (ids []string) {
	t.Helper()
	list, err := w.store.ListContacts(t.Context(), store.ContactFilter{Tenant: w.tenant, Integration: &w.id, Deleted: true}, nil, 10_000)
	require.NoError(t, err)
	for _, c := range list {
		id := c.ExternalID
		if c.DeletedAt != nil {
			id = "-" + id
		}
		ids = append(ids, id)
	}
	return ids
}

func (w *world) contact(t *testing.T, externalID string) store.Contact {
	t.Helper()
	list, err := w.store.ListContacts(t.Context(), store.ContactFilter{Tenant: w.tenant, Integration: &w.id, Deleted: true}, nil, 10_000)
	require.NoError(t, err)
	for _, c := range list {
		if c.ExternalID == externalID {
			return c
		}
	}
	require.Fail(t, "no contact "+externalID)
	return store.Contact{}
}

func (w *world) integration(t *testing.T) store.Integration {
	t.Helper()
	i, err := w.store.AnyIntegration(t.Context(), w.id)
	require.NoError(t, err)
	return i
}

// cases are what must happen in the whole engine, by the id of the situation. Cases that the adapter, the vault or the
// API decide alone have a test there as well.
func cases() map[string]func(t *testing.T) {
	return map[string]func(t *testing.T){
		"crm-pd-01": oldRecordsComeInAFullSync,
		"crm-pd-02": tiesInUpdateTimeLoseNothing,
		"crm-pd-03": missingTimesMoveNothing,
		"crm-pd-04": everyShapeOfCursorIsFollowed,
		"crm-pd-05": aRepeatingCursorAndAHangEnd,
		"crm-pd-06": ourWrongSecretTouchesNoTenant,
		"crm-pd-07": aFailedRefreshIsNotSwallowed,
		"crm-pd-08": manyRefusedTokensRefreshOnce,
		"crm-pd-09": fieldsOfV2AndNulls,
		"crm-pd-10": serverErrorsAreTriedAgain,
		"crm-pd-11": deletionsWithoutATimeAreFound,
		"crm-pd-12": massDisappearanceAsksAPerson,
		"crm-pd-13": aRetiredEndpointStopsOnce,
		"crm-pd-14": burstAndDayAreToldApart,
		"crm-pd-15": theFirewallPausesTheAccount,
		"crm-pd-16": aDisconnectAlwaysWorks,
	}
}

func TestCases(t *testing.T) {
	t.Parallel()

	if _, err := os.Stat(casesDir); err != nil {
		t.Skip("the public cases are not beside the project: " + casesDir)
	}
	files, err := filepath.Glob(filepath.Join(casesDir, "pd-*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	tests := cases()
	for _, file := range files {
		id := "crm-" + filepath.Base(file)[:len("pd-00")]
		t.Run(id, func(t *testing.T) {
			t.Parallel()

			test, ok := tests[id]
			require.True(t, ok, "%s has no test", filepath.Base(file))
			test(t)
		})
	}
}

// the times of a case, before every day on which the test may run
func past(seconds int) string {
	return time.Date(2024, 11, 24, 10, 0, seconds, 0, time.UTC).Format(time.RFC3339)
}

func oldRecordsComeInAFullSync(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 1200})
	old := time.Date(2011, 5, 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
	require.NoError(t, w.fake.Put(w.company, `{"id":17,"name":"Old One","add_time":"`+old+`","update_time":"`+old+`"}`))
	w.start(t)
	run := w.sync(t, store.Full)
	require.EqualValues(t, 1200, run.RecordsCreated)
	require.Equal(t, old, w.contact(t, "17").RemoteUpdatedAt.UTC().Format(time.RFC3339))
	require.Equal(t, map[string]int{personsPath: 3}, w.fake.Calls(), "no feed of changes, no other path")
	again := w.sync(t, store.Full)
	require.EqualValues(t, 1200, again.RecordsUnchanged)
	require.Zero(t, again.RecordsCreated+again.RecordsUpdated+again.RecordsDeleted)
	w.requireEqual(t)
}

func tiesInUpdateTimeLoseNothing(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 0})
	w.start(t)
	require.Equal(t, store.Finished, *w.sync(t, store.Full).Outcome)
	w.fake.ResetCounters()
	now := w.sandbox.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	for i := range 1305 {
		at := now
		if i >= 1300 {
			at = now.Add(time.Second)
		}
		person, err := json.Marshal(map[string]any{"id": i + 1, "name": "Bulk", "add_time": at, "update_time": at})
		require.NoError(t, err)
		require.NoError(t, w.fake.Put(w.company, string(person)))
	}
	run := w.sync(t, store.Incremental)
	require.EqualValues(t, 1305, run.RecordsCreated)
	require.True(t, w.integration(t).Watermark.Equal(now.Add(time.Second)))
	before := w.written(t)
	again := w.sync(t, store.Incremental)
	require.Zero(t, again.RecordsCreated+again.RecordsUpdated)
	require.Equal(t, before, w.written(t), "re-reading writes nothing")
	for _, q := range w.queries(t) {
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, q.Get("updated_since"))
	}
}

func missingTimesMoveNothing(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 0})
	script(t, w, "pd-03")
	w.start(t)
	require.Equal(t, store.Finished, *w.sync(t, store.Full).Outcome)
	require.ElementsMatch(t, []string{"11", "12", "13"}, w.stored(t))
	require.False(t, w.queries(t)[0].Has("updated_since"))
	mark := *w.integration(t).Watermark
	require.Equal(t, "2026-11-24T10:00:00Z", mark.UTC().Format(time.RFC3339))
	require.Nil(t, w.contact(t, "11").RemoteUpdatedAt)
	require.Equal(t, store.Finished, *w.sync(t, store.Incremental).Outcome)
	require.True(t, w.integration(t).Watermark.Equal(mark), "nothing moves it back")
}

func everyShapeOfCursorIsFollowed(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 0})
	script(t, w, "pd-04")
	w.start(t)
	run := w.sync(t, store.Full)
	require.Equal(t, store.Finished, *run.Outcome)
	require.ElementsMatch(t, []string{"1", "2", "3"}, w.stored(t))
	var cursors []string
	for _, q := range w.queries(t) {
		cursors = append(cursors, q.Get("cursor"))
		require.Equal(t, "id asc 500", q.Get("sort_by")+" "+q.Get("sort_direction")+" "+q.Get("limit"))
	}
	require.Equal(t, []string{"", "c1", "c2", "c3"}, cursors)
}

func aRepeatingCursorAndAHangEnd(t *testing.T) {
	t.Helper()
	t.Run("a cursor that repeats", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t, worldOptions{contacts: 0})
		page := `{"success":true,"data":[{"id":1,"name":"One","update_time":"` + past(0) + `"}],"additional_data":{"next_cursor":"c1"}}`
		for range 5 {
			w.fake.Script(personsPath, sandbox.Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: page})
		}
		w.start(t)
		run := w.sync(t, store.Full)
		require.Equal(t, store.Failed, run.Status)
		require.Contains(t, *run.ErrorDetail, "cursor repeats")
		require.LessOrEqual(t, w.fake.Calls()[personsPath], 3)
		require.Equal(t, []string{"1"}, w.stored(t))
	})
	for name, kind := range map[string]sandbox.Kind{"no answer at all": sandbox.FaultHang, "a byte a minute": sandbox.FaultDrip} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, worldOptions{contacts: 10, timeout: 300 * time.Millisecond})
			require.NoError(t, w.fake.Faults(sandbox.Fault{Path: personsPath, Kind: kind, Times: 2}))
			w.start(t)
			run := w.sync(t, store.Full)
			require.Equal(t, store.Completed, run.Status)
			require.EqualValues(t, 3, run.APICalls, "two were cut by their time limit, and tried again")
			w.requireEqual(t)
		})
	}
}

func ourWrongSecretTouchesNoTenant(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 10})
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET expires_at = now() - interval '1 minute'`)
	require.NoError(t, err)
	before := w.tokens(t)
	w.fake.SetClient(sandbox.DefaultClientID, "another secret")
	w.start(t)
	for range 2 {
		run := w.sync(t, store.Full)
		require.Equal(t, "misconfigured", *run.ErrorCode)
		require.Equal(t, "app", *run.ErrorVariant)
	}
	require.Equal(t, store.Connected, w.integration(t).Status)
	require.Equal(t, []string{"misconfigured"}, w.incidents(t), "one for the cause, not one for each job")
	require.Equal(t, before, w.tokens(t))
	w.fake.SetClient(sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	require.Equal(t, store.Completed, w.sync(t, store.Full).Status)
	require.Empty(t, w.incidents(t), "it closes itself")
}

func (w *world) tokens(t *testing.T) (s string) {
	t.Helper()
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT coalesce(refresh_token, '') FROM integrations WHERE id = $1`, w.id).Scan(&s))
	return s
}

func aFailedRefreshIsNotSwallowed(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 10})
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET expires_at = now() - interval '10 minutes'`)
	require.NoError(t, err)
	script(t, w, "pd-07")
	w.start(t)
	run := w.enqueue(t, store.Full)
	follower := w.enqueue(t, store.Incremental)
	ended := w.ended(t, run.ID)
	require.Equal(t, "needs_reauth", *ended.ErrorCode)
	require.Equal(t, "needs_reauth", *w.ended(t, follower.ID).ErrorCode, "what waited behind it ends too")
	require.Equal(t, store.NeedsReauth, w.integration(t).Status)
	require.Equal(t, []string{"needs_reauth"}, w.incidents(t))
	require.Zero(t, w.fake.Calls()[personsPath], "no call with the dead token")
	require.Equal(t, 2, w.fake.Calls()[tokenPath])
}

func manyRefusedTokensRefreshOnce(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 1200})
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.RotateRefreshTokens = true }))
	before := w.tokens(t)
	w.fake.ExpireAccessTokens()
	w.start(t)
	for range 2 { // several runs of one account are never active at once; the vault's own tests race for the refresh
		require.Equal(t, store.Completed, w.sync(t, store.Full).Status)
	}
	require.Equal(t, 1, w.fake.Refreshes())
	require.Equal(t, store.Connected, w.integration(t).Status)
	require.NotEqual(t, before, w.tokens(t))
	w.requireEqual(t)
}

func fieldsOfV2AndNulls(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 0})
	script(t, w, "pd-09")
	w.start(t)
	run := w.sync(t, store.Full)
	require.Equal(t, store.Finished, *run.Outcome)
	require.EqualValues(t, 3, run.RecordsCreated)

	empty := w.contact(t, "21")
	require.Empty(t, empty.Name)
	require.Nil(t, empty.Email)
	require.Nil(t, empty.Phone)

	ann := w.contact(t, "22")
	require.Equal(t, "ann@example.com", *ann.Email)
	require.Nil(t, ann.Phone)
	require.Len(t, ann.Emails, 3, "the list stays as the provider has it")
	require.Equal(t, "call me", ann.Phones.([]any)[0].(map[string]any)["value"])
	var normal []string
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT email_addresses FROM contacts WHERE external_id = '22'`).Scan(&normal))
	require.Equal(t, []string{"ann@example.com"}, normal)

	bob := w.contact(t, "23")
	require.Equal(t, "Bobby", bob.Name)
	require.Nil(t, bob.Email, "the keys of v1 are not read")
}

func serverErrorsAreTriedAgain(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 0, spans: worker.Spans{Backoff: 20 * time.Millisecond}})
	script(t, w, "pd-10")
	w.start(t)
	run := w.sync(t, store.Full)
	require.Equal(t, store.Completed, run.Status)
	require.EqualValues(t, 1, run.Pages)
	require.ElementsMatch(t, []string{"1", "2"}, w.stored(t))
	var at []time.Time
	for _, r := range w.fake.Requests() {
		require.Equal(t, personsPath, r.Path)
		at = append(at, r.At)
	}
	require.Len(t, at, 4)
	require.Empty(t, w.incidents(t))
	for i := 2; i < len(at); i++ { // each wait is at least its backoff: 20, 60, 180 ms
		least := []time.Duration{20, 60, 180}[i-1] * time.Millisecond
		require.GreaterOrEqual(t, at[i].Sub(at[i-1]), least)
	}
}

func deletionsWithoutATimeAreFound(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 10})
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.DeleteMovesTime = false }))
	w.start(t)
	require.Equal(t, store.Finished, *w.sync(t, store.Full).Outcome)
	require.True(t, w.fake.Delete(w.company, 4))
	require.True(t, w.fake.Purge(w.company, 5))
	require.Equal(t, store.Finished, *w.sync(t, store.Incremental).Outcome)

	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.PageLimit = 5 }))
	require.NoError(t, w.fake.Faults(sandbox.Fault{Path: personsPath, Kind: sandbox.Fault410, AtCall: 2, Times: 1}))
	require.Equal(t, store.Failed, w.sync(t, store.Full).Status)
	require.Equal(t, 10, w.live(t), "a sweep that did not end deletes nobody")

	w.fake.ResetCounters()
	run := w.sync(t, store.Full)
	require.Equal(t, store.Finished, *run.Outcome)
	require.EqualValues(t, 2, run.RecordsDeleted)
	require.ElementsMatch(t, []string{"1", "2", "3", "-4", "-5", "6", "7", "8", "9", "10"}, w.stored(t))
	require.Equal(t, 2, w.fake.Calls()[personsPath+"/{id}"], "each is read by itself before")
}

func massDisappearanceAsksAPerson(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 1000})
	w.start(t)
	require.Equal(t, store.Finished, *w.sync(t, store.Full).Outcome)
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.Visible = 300 }))
	w.fake.ResetCounters()
	run := w.sync(t, store.Full)
	require.Equal(t, store.DeletionsHeld, *run.Outcome)
	require.Equal(t, 1000, w.live(t))
	require.LessOrEqual(t, w.fake.Calls()[personsPath+"/{id}"], 10)
	open := true
	list, err := w.store.ListIncidents(t.Context(), &w.tenant, &w.id, &open, store.After{}, 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.JSONEq(t, `{"missing":700,"live":1000}`, string(list[0].Args))

	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.Visible = 0 }))
	require.Equal(t, store.Finished, *w.sync(t, store.Full).Outcome)
	require.Empty(t, w.incidents(t), "a full sync that sees them again clears it")
}

func aRetiredEndpointStopsOnce(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 10})
	w.start(t)
	require.Equal(t, store.Finished, *w.sync(t, store.Full).Outcome)
	before := w.tokens(t)
	w.fake.ResetCounters()
	script(t, w, "pd-13")
	run := w.sync(t, store.Full)
	require.Equal(t, "misconfigured", *run.ErrorCode)
	require.Equal(t, 1, w.fake.Calls()[personsPath], "not in a loop")
	require.Equal(t, store.Connected, w.integration(t).Status)
	require.Equal(t, before, w.tokens(t))
	require.Equal(t, 10, w.live(t))
}

func burstAndDayAreToldApart(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 0})
	script(t, w, "pd-14")
	w.start(t)
	other := w.connect(t, w.fake.Companies()[1].ID)
	run := w.until(t, w.enqueue(t, store.Full).ID, func(r store.Run) bool {
		return r.WaitingReason != nil && *r.WaitingReason == "quota_exhausted"
	})
	at := w.fake.Requests()
	require.Len(t, at, 3)
	require.GreaterOrEqual(t, at[1].At.Sub(at[0].At), 1900*time.Millisecond, "the burst's own reset")
	require.EqualValues(t, 1, run.Pages)
	require.Zero(t, run.FailuresInRow)
	midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	require.WithinRange(t, *run.WaitingUntil, midnight.Add(-time.Second), midnight.Add(2*time.Minute), "the day's reset, not 3 s")
	require.Equal(t, []string{"quota_exhausted"}, w.incidents(t))

	w.fake.ResetCounters()
	one, err := w.worker.Jobs().EnqueueSync(t.Context(), &w.tenant, other, store.NewRun{SyncType: store.Full, RequestedBy: "test"})
	require.NoError(t, err)
	require.Equal(t, store.Completed, w.ended(t, one.ID).Status, "other accounts run")
	w.fake.ResetCounters()

	body := `{"success":true,"data":[{"id":2,"name":"Person 2","update_time":"` + past(0) + `"}],"additional_data":{"next_cursor":null}}`
	w.fake.Script(personsPath, sandbox.Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body})
	w.pass(t)
	require.Equal(t, store.Completed, w.ended(t, run.ID).Status)
	require.Equal(t, "c1", w.queries(t)[0].Get("cursor"), "it goes on from where it was")
	require.ElementsMatch(t, []string{"1", "2"}, w.stored(t))
}

// pass lets the waits of the world's account be over.
func (w *world) pass(t *testing.T) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), `UPDATE rate_budgets SET blocked_until = now(), daily_resets_at = now()`)
	require.NoError(t, err)
	woken, err := w.store.WakeRun(t.Context(), w.id)
	require.NoError(t, err)
	require.True(t, woken)
}

func theFirewallPausesTheAccount(t *testing.T) {
	t.Helper()
	w := newWorld(t, worldOptions{contacts: 10})
	script(t, w, "pd-15")
	w.start(t)
	run := w.until(t, w.enqueue(t, store.Full).ID, func(r store.Run) bool { return r.WaitingUntil != nil })
	require.Equal(t, "rate_limited", *run.WaitingReason)
	require.Greater(t, time.Until(*run.WaitingUntil), 14*time.Minute)
	require.Zero(t, w.fake.Refreshes())
	require.Equal(t, store.Connected, w.integration(t).Status)

	_, err := w.worker.Jobs().CancelSync(t.Context(), &w.tenant, run.ID)
	require.NoError(t, err)
	next := w.until(t, w.enqueue(t, store.Full).ID, func(r store.Run) bool { return r.WaitingUntil != nil })
	require.Greater(t, time.Until(*next.WaitingUntil), 14*time.Minute, "all of the account's work waits")
	require.Equal(t, 1, w.fake.Calls()[personsPath])

	require.NoError(t, w.fake.Faults(sandbox.Fault{Path: personsPath, Kind: sandbox.Fault403Scope, Times: 1}))
	w.pass(t)
	require.Equal(t, store.Failed, w.ended(t, next.ID).Status, "a missing scope is no pause")
}

func aDisconnectAlwaysWorks(t *testing.T) {
	t.Helper()
	for name, fault := range map[string]*sandbox.Fault{
		"a: revoke answers":     nil,
		"b: revoke fails":       {Path: "/oauth/revoke", Kind: sandbox.Fault500, Times: sandbox.Forever},
		"c: the app is removed": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, worldOptions{contacts: 2000})
			require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS, s.PageLimit = 50, 100 }))
			if fault != nil {
				require.NoError(t, w.fake.Faults(*fault))
			}
			w.start(t)
			run := w.until(t, w.enqueue(t, store.Full).ID, func(r store.Run) bool { return r.Pages > 1 })
			follower := w.enqueue(t, store.Incremental)
			if strings.HasPrefix(name, "c") {
				n, err := w.vault.Uninstalled(t.Context(), "pipedrive", *w.integration(t).ExternalAccountID)
				require.NoError(t, err)
				require.Equal(t, 1, n)
			} else {
				_, err := w.vault.Disconnect(t.Context(), &w.tenant, w.id)
				require.NoError(t, err)
			}
			require.Equal(t, store.Failed, w.ended(t, run.ID).Status)
			require.Equal(t, store.Failed, w.ended(t, follower.ID).Status)
			require.Equal(t, store.Disconnected, w.integration(t).Status)
			require.Empty(t, w.tokens(t))
			pages := w.ended(t, run.ID).Pages
			require.Equal(t, int(pages)*100, w.live(t), "what was synced stays, in whole pages")
		})
	}
}

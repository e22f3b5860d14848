package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/zoho"
	"example.com/enlace/store"
)

// zohoCases are what must happen in the whole engine, by the id of the situation. What the vault or the API decide alone
// is tested there: 03, 05 and 12 to their end, 06 and 07 in part.
func zohoCases() map[string]func(t *testing.T) {
	return map[string]func(t *testing.T){
		"crm-zo-01": twoThousandIsNotTheEnd,
		"crm-zo-02": timesOfEveryOffset,
		"crm-zo-04": anExpiredTokenIsNotEmpty,
		"crm-zo-06": aThrottledRefreshWaits,
		"crm-zo-07": aStrangeDomainIsRefused,
		"crm-zo-08": expiryInEveryUnit,
		"crm-zo-09": aChannelOfAnHour,
		"crm-zo-10": moreThanFiftyFields,
		"crm-zo-11": everyWayLeavesTheSameRows,
		"crm-zo-13": aTokenThatAgesInAPause,
		"crm-zo-14": oddFieldsCostNothing,
		"crm-zo-15": aStalePageToken,
	}
}

func TestZohoCases(t *testing.T) {
	t.Parallel()

	elsewhere := []string{"crm-zo-03", "crm-zo-05", "crm-zo-12"}
	files, err := filepath.Glob(filepath.Join(casesDir, "zo-*.json"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("the public cases are not beside the project: " + casesDir)
	}
	for _, file := range files {
		id := "crm-" + filepath.Base(file)[:len("zo-00")]
		test, ok := zohoCases()[id]
		if !ok {
			require.Contains(t, elsewhere, id, "%s has no test", filepath.Base(file))
			continue
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()

			test(t)
		})
	}
}

// zohoAnswers are the answers of a case to lists of contacts.
func zohoAnswers(t *testing.T, name string) (list []*sandbox.Answer) {
	t.Helper()
	matches, err := filepath.Glob(filepath.Join(casesDir, name+"-*.json"))
	require.NoError(t, err)
	require.Len(t, matches, 1, name)
	raw, err := os.ReadFile(matches[0])
	require.NoError(t, err)
	var c struct {
		Given struct {
			Calls []json.RawMessage `json:"calls"`
		} `json:"given"`
	}
	require.NoError(t, json.Unmarshal(raw, &c))
	for _, raw := range c.Given.Calls {
		var call scriptedCall
		if json.Unmarshal(raw, &call) != nil || strings.Contains(call.On, "token") { // some steps are words; tokens are the fake's
			continue
		}
		if call.Reply != nil {
			call = *call.Reply
		}
		a := answer(t, call)
		list = append(list, &a)
	}
	require.NotEmpty(t, list)
	return list
}

// requireSame compares which contacts are stored, and their times, with what lives at the provider.
func (w *zohoWorld) requireSame(t *testing.T) {
	t.Helper()
	want := map[string]string{}
	for after := ""; ; {
		page, err := w.zoho.Contacts(0, after, 1000)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, raw := range page {
			var p struct {
				ID       string `json:"id"`
				Modified string `json:"Modified_Time"`
			}
			require.NoError(t, json.Unmarshal(raw, &p))
			want[p.ID] = seconds(p.Modified)
			after = p.ID
		}
	}
	require.Len(t, w.stored(t), len(want))
	for id, changed := range want {
		stored := ""
		if at := w.contact(t, id).RemoteUpdatedAt; at != nil {
			stored = at.UTC().Format(time.RFC3339)
		}
		require.Equal(t, changed, stored, id)
	}
}

func twoThousandIsNotTheEnd(t *testing.T) {
	t.Helper()
	requirePages := func(t *testing.T, w *zohoWorld) {
		t.Helper()
		for _, c := range w.line.to(zohoContacts) {
			require.False(t, c.Query.Has("page") && c.Query.Has("page_token"), "%v", c.Query)
			if c.Query.Has("page") {
				n, err := strconv.Atoi(c.Query.Get("page"))
				require.NoError(t, err)
				require.LessOrEqual(t, n, 10)
			}
		}
	}
	t.Run("by page tokens", func(t *testing.T) {
		t.Parallel()

		w := newZohoWorld(t, zohoOptions{contacts: 4321})
		w.start(t)
		run := w.sync(t, store.Full)
		require.Equal(t, store.Finished, *run.Outcome)
		require.EqualValues(t, 4321, run.RecordsCreated)
		require.Len(t, w.stored(t), 4321)
		require.Len(t, w.line.to(zohoContacts), 22)
		require.Equal(t, map[string]int{zohoContacts: 22, zohoFields: 1, zohoContacts + "/actions/count": 2}, w.zoho.Calls())
		requirePages(t, w)
	})
	t.Run("without page tokens", func(t *testing.T) {
		t.Parallel()

		w := newZohoWorld(t, zohoOptions{contacts: 4321})
		require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.PageTokens = false }))
		w.start(t)
		run := w.sync(t, store.Full)
		require.Equal(t, store.Finished, *run.Outcome)
		require.Len(t, w.stored(t), 4321)
		requirePages(t, w)
	})
	t.Run("the limit is met anyway", func(t *testing.T) {
		t.Parallel()

		w := newZohoWorld(t, zohoOptions{contacts: 4321})
		refusal := &sandbox.Answer{
			Status: http.StatusBadRequest,
			Body:   `{"code":"DISCRETE_PAGINATION_LIMIT_EXCEEDED","details":{"limit":2000},"message":"use page_token","status":"error"}`,
		}
		w.line.play(append(make([]*sandbox.Answer, 10), refusal, refusal)...)
		w.start(t)
		run := w.sync(t, store.Full)
		require.Equal(t, store.Failed, run.Status)
		require.Equal(t, "misconfigured", *run.ErrorCode)
		require.Len(t, w.stored(t), 2000)
		require.Nil(t, w.integration(t).SweptAt)
		require.Equal(t, []string{"misconfigured"}, w.incidents(t))
	})
}

func timesOfEveryOffset(t *testing.T) {
	t.Helper()
	w := newZohoWorld(t, zohoOptions{})
	mark := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET watermark = $1, window_end = $1, deleted_until = now() WHERE id = $2`, mark, w.id)
	require.NoError(t, err)
	page := zohoAnswers(t, "zo-02")[0]
	w.line.play(page, page) // whether anything changed is asked first
	w.start(t)
	run := w.sync(t, store.Incremental)
	require.Equal(t, store.Finished, *run.Outcome)
	require.ElementsMatch(t, []string{"554023000000100001", "554023000000100002", "554023000000100003", "554023000000100004"}, w.stored(t))
	require.Equal(t, "2026-11-24T10:00:01Z", w.integration(t).Watermark.UTC().Format(time.RFC3339))
	require.Nil(t, w.contact(t, "554023000000100002").RemoteUpdatedAt)
	require.Len(t, w.line.to(zohoContacts), 2)
	for _, c := range w.line.to(zohoContacts) {
		since := c.Header.Get("If-Modified-Since")
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$`, since)
		at, err := time.Parse(time.RFC3339, since)
		require.NoError(t, err)
		require.WithinRange(t, at, mark.Add(-time.Hour), mark.Add(-time.Second), "slightly before the mark")
	}
}

func anExpiredTokenIsNotEmpty(t *testing.T) {
	t.Helper()
	for name, status := range map[string]int{"401": http.StatusUnauthorized, "200 with the error in its body": http.StatusOK} {
		for at, what := range map[int]string{0: "at the first page", 2: "at a later page", -1: "in an incremental"} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()

				w := newZohoWorld(t, zohoOptions{contacts: 45})
				require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.PageLimit = 10 }))
				w.start(t)
				require.Equal(t, store.Finished, *w.sync(t, store.Full).Outcome)
				refused := *zohoAnswers(t, "zo-04")[0]
				refused.Status = status
				id := w.zoho.ContactID(0, 100_001)
				require.NoError(t, w.zoho.Put(0, `{"id":"`+id+`","Last_Name":"N1","Modified_Time":"`+time.Now().UTC().Format(time.RFC3339)+`"}`))
				w.line.forget()
				kind := map[bool]string{true: store.Full, false: store.Incremental}[at >= 0]
				w.line.play(append(make([]*sandbox.Answer, max(at, 0)), &refused)...)

				run := w.sync(t, kind)
				require.Equal(t, store.Finished, *run.Outcome)
				require.EqualValues(t, 1, run.RecordsCreated)
				require.Zero(t, run.RecordsDeleted)
				require.Zero(t, run.FailuresInRow)
				require.Equal(t, 1, w.zoho.Refreshes())
				require.Equal(t, 46, w.live(t))
				require.Equal(t, "N1", w.contact(t, id).LastName)
				calls := w.line.to(zohoContacts)
				require.Equal(t, calls[max(at, 0)].Query, calls[max(at, 0)+1].Query, "the same page is asked for again")
				require.NotEqual(t, calls[max(at, 0)].Header.Get("Authorization"), calls[max(at, 0)+1].Header.Get("Authorization"))
			})
		}
	}
}

func aThrottledRefreshWaits(t *testing.T) {
	t.Helper()
	w := newZohoWorld(t, zohoOptions{contacts: 10})
	require.NoError(t, w.zoho.Faults(sandbox.Fault{Path: zohoToken, Kind: sandbox.FaultThrottled, Times: 1}))
	require.NoError(t, w.worker.Start(t.Context()))
	w.age(t, time.Minute)
	run := w.until(t, w.enqueue(t, store.Full).ID, func(r store.Run) bool { return r.WaitingUntil != nil })
	require.Equal(t, "rate_limited", *run.WaitingReason)
	require.WithinRange(t, *run.WaitingUntil, time.Now().Add(9*time.Minute), time.Now().Add(15*time.Minute))
	require.Equal(t, store.Connected, w.integration(t).Status)
	require.Empty(t, w.line.to(zohoContacts))
	require.NoError(t, w.worker.Stop(t.Context()))
	require.Len(t, w.line.to(zohoToken), 1)

	w.process(t) // the one before would not ask the token host again so soon
	w.start(t)
	w.pass(t)
	require.Equal(t, store.Completed, w.ended(t, run.ID).Status)
	require.Equal(t, 10, w.live(t))
	for _, c := range append(w.line.to(zohoContacts), w.line.to(zohoFields)...) {
		require.Regexp(t, `^Zoho-oauthtoken .{20,}$`, c.Header.Get("Authorization"))
	}
	require.Empty(t, w.incidents(t))
}

func aStrangeDomainIsRefused(t *testing.T) {
	t.Helper()
	w := newZohoWorld(t, zohoOptions{contacts: 10})
	require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.APIDomain = "https://evil.example" }))
	before := *w.integration(t).APIDomain
	w.start(t)
	w.age(t, time.Minute)
	run := w.sync(t, store.Full)
	require.Equal(t, "misconfigured", *run.ErrorCode)
	require.Equal(t, "app", *run.ErrorVariant)
	require.Equal(t, []string{"misconfigured"}, w.incidents(t), "the operator is told")
	require.Equal(t, before, *w.integration(t).APIDomain)
	require.Equal(t, store.Connected, w.integration(t).Status)

	require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.APIDomain = sandbox.Omitted }))
	w.age(t, time.Minute)
	require.Equal(t, store.Completed, w.sync(t, store.Full).Status)
	require.Equal(t, before, *w.integration(t).APIDomain)
	require.Equal(t, 10, w.live(t))
}

func expiryInEveryUnit(t *testing.T) {
	t.Helper()
	for _, unit := range []string{sandbox.ExpiresInSeconds, sandbox.ExpiresInMS, sandbox.Omitted} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()

			w := newZohoWorld(t, zohoOptions{contacts: 220})
			require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.ExpiresIn, s.PageLimit = unit, 10 }))
			w.start(t)
			w.age(t, time.Minute)
			run := w.sync(t, store.Full)
			require.Equal(t, store.Finished, *run.Outcome)
			require.EqualValues(t, 22, run.Pages)
			require.Equal(t, 1, w.zoho.Refreshes())
			var ends time.Time
			require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT expires_at FROM integrations WHERE id = $1`, w.id).Scan(&ends))
			require.WithinRange(t, ends, time.Now().Add(55*time.Minute), time.Now().Add(61*time.Minute))
		})
	}
}

func aChannelOfAnHour(t *testing.T) {
	t.Helper()
	ends := func(w *zohoWorld) time.Time {
		if list := w.zoho.Channels(); len(list) == 1 {
			return list[0].Expires
		}
		return time.Time{}
	}
	due := func(t *testing.T, w *zohoWorld) (in time.Duration) {
		t.Helper()
		require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT due_at - clock_timestamp() FROM webhook_subscriptions WHERE integration_id = $1`, w.id).Scan(&in))
		return in
	}
	for granted, renewed := range map[time.Duration]time.Duration{time.Hour: 30 * time.Minute, 0: 84 * time.Hour} {
		t.Run("renewed at half of "+granted.String(), func(t *testing.T) {
			t.Parallel()

			w := newZohoWorld(t, zohoOptions{public: "https://enlace.example.com"})
			require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.GrantSeconds = int64(granted.Seconds()) }))
			w.spans.Check = 30 * 24 * time.Hour
			w.worker = w.newWorker(t)
			w.start(t)
			(&noticing{world: w.world}).subscribed(t)
			require.InDelta(t, renewed.Hours(), due(t, w).Hours(), 1)
			require.LessOrEqual(t, due(t, w), renewed)
			require.Len(t, w.zoho.Channels(), 1)
		})
	}
	t.Run("what was granted ends soon", func(t *testing.T) {
		t.Parallel()

		w := newZohoWorld(t, zohoOptions{public: "https://enlace.example.com"})
		require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.GrantSeconds = 4 }))
		w.start(t)
		(&noticing{world: w.world}).subscribed(t)
		first := ends(w)
		require.Eventually(t, func() bool { return ends(w).After(first.Add(4 * time.Second)) }, 30*time.Second, 10*time.Millisecond, "renewed at least twice")
		require.Len(t, w.zoho.Channels(), 1, "one channel at the end")
		ids := map[string]bool{}
		for _, c := range w.line.to(zohoWatch) {
			var body struct {
				Watch []struct {
					ID     string    `json:"channel_id"`
					Expiry time.Time `json:"channel_expiry"`
				} `json:"watch"`
			}
			require.NoError(t, json.Unmarshal([]byte(c.Body), &body))
			require.WithinRange(t, body.Watch[0].Expiry, time.Now().Add(6*24*time.Hour), time.Now().Add(7*24*time.Hour))
			ids[body.Watch[0].ID] = true
		}
		require.Len(t, ids, 1, "the same channel each time")
		require.Empty(t, w.incidents(t))
	})
}

func moreThanFiftyFields(t *testing.T) {
	t.Helper()
	var metadata []map[string]any
	for i := range 63 {
		f := map[string]any{"api_name": fmt.Sprintf("Custom_%02d", i+1), "data_type": "text", "custom_field": true, "json_type": "string"}
		if i == 59 {
			f = map[string]any{"api_name": "Email", "data_type": "email", "custom_field": false, "json_type": "string"}
		}
		metadata = append(metadata, f)
	}
	w := newZohoWorld(t, zohoOptions{contacts: 3})
	w.line.always(zohoFields, func(zohoCall) sandbox.Answer {
		text, _ := json.Marshal(map[string]any{"fields": metadata})
		return sandbox.Answer{Body: string(text)}
	})
	ids := []string{w.zoho.ContactID(0, 1), w.zoho.ContactID(0, 2), w.zoho.ContactID(0, 3)}
	w.line.always(zohoContacts, func(c zohoCall) sandbox.Answer {
		var data []map[string]string
		for i := range ids {
			r := map[string]string{"id": ids[len(ids)-1-i]} // not in the order that was asked for
			if !c.Query.Has("ids") {
				r["id"] = ids[i]
			}
			for name := range strings.SplitSeq(c.Query.Get("fields"), ",") {
				r[name] = name + " of " + r["id"]
			}
			data = append(data, r)
		}
		text, _ := json.Marshal(map[string]any{"data": data, "info": map[string]any{"more_records": false}})
		return sandbox.Answer{Body: string(text)}
	})
	w.start(t)
	run := w.sync(t, store.Full)
	require.Equal(t, store.Finished, *run.Outcome)
	require.EqualValues(t, 3, run.RecordsCreated)
	calls := w.line.to(zohoContacts)
	require.Len(t, calls, 2, "two reads, merged by id")
	for _, c := range calls {
		require.LessOrEqual(t, len(strings.Split(c.Query.Get("fields"), ",")), 50)
	}
	for _, id := range ids {
		var custom map[string]string
		var email string
		require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT custom_fields, emails->0->>'value' FROM contacts WHERE external_id = $1`, id).Scan(&custom, &email))
		require.Equal(t, "Email of "+id, email)
		require.Len(t, custom, 62)
		for name, value := range custom {
			require.Equal(t, name+" of "+id, value)
		}
	}
}

func everyWayLeavesTheSameRows(t *testing.T) {
	t.Helper()
	w := newZohoWorld(t, zohoOptions{})
	for n, record := range []map[string]any{
		{
			"Full_Name": "Öberg, Åsa \"A.\"", "Last_Name": "Öberg, Åsa", "Account_Name": map[string]string{"name": "Norrsken \"AB\"", "id": "554023500000000007"},
			"Interests": []string{"A", "B"}, "Custom_Notes": "two\nlines, \"quoted\"", "Email": "ASA@Example.com", "Score": 7, "VIP_Member": true,
			"Modified_Time": past(1),
		},
		{"Last_Name": "王 🐉", "Full_Name": "王 🐉", "Email": nil, "Phone": nil, "Account_Name": nil, "Interests": []string{}, "Modified_Time": past(2)},
		{"Last_Name": ".", "Full_Name": ".", "Mobile": "070 123 45 67", "Title": "", "Customer_Since": "2024-02-29", "Annual_Spend": 100.5},
	} {
		record["id"] = w.zoho.ContactID(0, int64(n+1))
		text, err := json.Marshal(record)
		require.NoError(t, err)
		require.NoError(t, w.zoho.Put(0, string(text)))
	}
	rows := func() (s string) {
		require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT string_agg((to_jsonb(c) - 'observed_at' - 'last_run_id' - 'updated_at')::text, E'\n' ORDER BY external_id) FROM contacts c`).Scan(&s))
		return s
	}
	w.start(t)
	var first, written string
	for _, way := range []zoho.Mode{zoho.List, zoho.Keyset, zoho.Bulk} {
		w.way.Store(way)
		w.zoho.ResetCounters()
		run := w.hurried(t, store.Full)
		require.Equal(t, store.Finished, *run.Outcome, way)
		path := map[zoho.Mode]string{zoho.List: zohoContacts, zoho.Keyset: "/crm/v8/coql", zoho.Bulk: "/crm/bulk/v8/read"}[way]
		require.Positive(t, w.zoho.Calls()[path], "it went this way")
		if way == zoho.List {
			require.EqualValues(t, 3, run.RecordsCreated)
			first, written = rows(), w.written(t)
			require.Contains(t, first, "two\\nlines")
			require.Contains(t, first, "王 🐉")
			continue
		}
		require.Zero(t, run.RecordsCreated+run.RecordsUpdated+run.RecordsDeleted, way)
		require.EqualValues(t, 3, run.RecordsUnchanged, way)
		require.Equal(t, first, rows(), way)
		require.Equal(t, written, w.written(t), way)
	}
}

func aTokenThatAgesInAPause(t *testing.T) {
	t.Helper()
	w := newZohoWorld(t, zohoOptions{contacts: 45})
	require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.PageLimit = 10 }))
	answers := zohoAnswers(t, "zo-13")
	require.Len(t, answers, 2)
	w.line.play(nil, answers[0], answers[1])
	w.start(t)
	run := w.until(t, w.enqueue(t, store.Full).ID, func(r store.Run) bool { return r.WaitingUntil != nil })
	require.Equal(t, "rate_limited", *run.WaitingReason)
	w.sandbox.Advance(70 * time.Minute)
	w.age(t, 10*time.Minute)
	w.pass(t)
	ended := w.ended(t, run.ID)
	require.Equal(t, store.Finished, *ended.Outcome)
	require.EqualValues(t, 45, ended.RecordsCreated)
	require.Zero(t, ended.FailuresInRow)
	calls := w.line.to(zohoContacts)
	require.NotEmpty(t, calls[1].Query.Get("page_token"))
	for _, c := range calls[2:4] {
		require.Equal(t, calls[1].Query, c.Query, "the place in the list is kept")
	}
	require.NotEqual(t, calls[1].Header.Get("Authorization"), calls[2].Header.Get("Authorization"), "fresh already")
	require.NotEqual(t, calls[2].Header.Get("Authorization"), calls[3].Header.Get("Authorization"), "renewed once")
	require.Equal(t, 2, w.zoho.Refreshes())
	require.Len(t, calls, 7)
	require.Empty(t, w.incidents(t))
}

func aStalePageToken(t *testing.T) {
	t.Helper()
	for name, times := range map[string]int{"once": 1, "twice in a row": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newZohoWorld(t, zohoOptions{contacts: 100})
			require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.PageLimit = 10 }))
			w.start(t)
			require.Equal(t, store.Finished, *w.sync(t, store.Full).Outcome)
			w.line.forget()
			stale := zohoAnswers(t, "zo-15")[0]
			for range times {
				w.line.play(append(make([]*sandbox.Answer, 6), stale)...)
			}
			run := w.sync(t, store.Full)
			require.Zero(t, run.RecordsDeleted+run.RecordsCreated+run.RecordsUpdated)
			require.Equal(t, 100, w.live(t), "nothing is tombstoned by the aborted half")
			calls := w.line.to(zohoContacts)
			require.NotEmpty(t, calls[6].Query.Get("page_token"))
			require.Empty(t, calls[7].Query.Get("page_token"), "from the beginning")
			if times == 2 {
				require.Equal(t, store.Failed, run.Status)
				require.Equal(t, "cursor_expired", *run.ErrorCode)
				require.Len(t, calls, 14)
				return
			}
			require.Equal(t, store.Finished, *run.Outcome)
			require.Len(t, calls, 7+10)
		})
	}
}

func oddFieldsCostNothing(t *testing.T) {
	t.Helper()
	for name, way := range map[string]zoho.Mode{"list": zoho.List, "keyset": zoho.Keyset} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newZohoWorld(t, zohoOptions{contacts: 40, fields: []string{"Legacy_Code", "Geo_Position", "Description", "Nobody_Has_This"}})
			require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.OddFields = true }))
			w.way.Store(way)
			w.start(t)
			run := w.sync(t, store.Full)
			require.Equal(t, store.Finished, *run.Outcome)
			require.Zero(t, run.RecordsFailed)
			w.requireSame(t)
			c := w.contact(t, w.zoho.ContactID(0, 3))
			var custom map[string]any
			require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT custom_fields FROM contacts WHERE external_id = $1`, c.ExternalID).Scan(&custom))
			require.Equal(t, "legacy 3", custom["Legacy_Code"])
			require.Equal(t, map[string]any{"latitude": 59.33, "longitude": 18.06, "source": map[string]any{"kind": "gps"}}, custom["Geo_Position"], "raw")
			require.Contains(t, custom, "Description")
			require.NotContains(t, custom, "Nobody_Has_This")
			require.NotEmpty(t, c.Email)
		})
	}
}

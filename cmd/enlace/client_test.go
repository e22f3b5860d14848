package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
)

// fakeAPI answers as a running enlace does, with states that the test chose.
type fakeAPI struct {
	*httptest.Server

	integrations []account
	runs         []syncRun // the answer to POST, then to each look; the last one is repeated

	mu     sync.Mutex
	looks  int
	bodies []string
	keys   []string // Idempotency-Key
	broken int      // so many looks are answered by a proxy
}

func newFakeAPI(t *testing.T, f *fakeAPI) *client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/integrations", func(w http.ResponseWriter, r *http.Request) {
		half, next := len(f.integrations)/2, "rest"
		if r.URL.Query().Get("cursor") == "rest" {
			f.write(w, http.StatusOK, list[account]{Items: f.integrations[half:]})
			return
		}
		f.write(w, http.StatusOK, list[account]{Items: f.integrations[:half], NextCursor: &next})
	})
	mux.HandleFunc("GET /v1/integrations/{id}", func(w http.ResponseWriter, r *http.Request) {
		for _, in := range f.integrations {
			if in.ID.String() == r.PathValue("id") {
				f.write(w, http.StatusOK, in)
				return
			}
		}
		f.write(w, http.StatusNotFound, map[string]string{"code": "not_found", "title": "Not found"})
	})
	mux.HandleFunc("POST /v1/integrations/{id}/syncs", func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.bodies, f.keys = append(f.bodies, body.String()), append(f.keys, r.Header.Get("Idempotency-Key"))
		f.write(w, http.StatusAccepted, f.runs[0])
	})
	mux.HandleFunc("GET /v1/syncs", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.bodies = append(f.bodies, r.URL.RawQuery)
		f.write(w, http.StatusOK, list[syncRun]{Items: f.runs})
	})
	mux.HandleFunc("GET /v1/syncs/{id}", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.broken > 0 {
			f.broken--
			http.Error(w, "<html>bad gateway</html>", http.StatusBadGateway)
			return
		}
		f.looks++
		f.write(w, http.StatusOK, f.runs[min(f.looks, len(f.runs)-1)])
	})
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+devKey {
			f.write(w, http.StatusUnauthorized, map[string]string{"code": "unauthorized", "title": "Sign in again"})
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return &client{base: f.URL, key: devKey, http: f.Client()}
}

func (f *fakeAPI) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func connected(provider, title, name string) account {
	return account{Integration: store.Integration{ID: uuid.New(), Provider: provider, ExternalAccountName: &name, Schedule: "@every 15m"}, ProviderTitle: title, Title: "Connected"}
}

func aRun(status, title string, seen int64) syncRun {
	total := int64(1000)
	return syncRun{
		Run:   store.Run{ID: uuid.MustParse("00000000-0000-4000-8000-0000000000aa"), SyncType: store.Full, Status: status, RecordsSeen: seen, RecordsSynced: seen, RecordsCreated: seen, RecordsTotal: &total},
		Title: title,
	}
}

// inTest is a program whose output the test reads.
func inTest() (a *app, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &app{stdout: stdout, stderr: stderr}, stdout, stderr
}

func TestSyncIsWatchedUntilItHasFinished(t *testing.T) {
	t.Parallel()

	f := &fakeAPI{
		integrations: []account{connected("pipedrive", "Pipedrive", "Nordlicht")},
		runs:         []syncRun{aRun(store.Pending, "Waiting", 0), aRun(store.InProgress, "Running", 500), aRun(store.Completed, "Finished", 1000)},
		broken:       1, // a restart of the API in between is not the sync's
	}
	c := newFakeAPI(t, f)
	a, stdout, stderr := inTest()
	require.NoError(t, a.startSync(t.Context(), c, "pipedrive", store.Full, true))
	require.Equal(t, []string{`{"sync_type":"full"}`}, f.bodies)
	require.NotEmpty(t, f.keys[0])
	require.Equal(t, "full sync 00000000-0000-4000-8000-0000000000aa of Pipedrive (Nordlicht)", strings.Split(stdout.String(), "\n")[0])
	require.Equal(t, "Finished: 1,000 synced (1,000 created, 0 updated, 0 unchanged, 0 deleted, 0 skipped) in ", lastLine(stdout.String())+" ")
	require.Empty(t, stderr.String())
}

func TestFailedSyncSaysWhyAndWhatToDo(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct{ code, variant, todo string }{
		"a person of the tenant": {"needs_reauth", "", `choose "Reconnect" in the dashboard`},
		"an operator":            {"misconfigured", "", "`enlace doctor` checks the setup"},
		"nobody":                 {"provider_unavailable", "", "nothing; the schedule tries again, or start another sync now"},
		"who has cancelled it":   {"cancelled", "", "start another sync when you like"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			run := aRun(store.Failed, "Failed: you need to act", 7)
			run.ErrorCode, run.ErrorVariant, run.Sentence = &tt.code, &tt.variant, "The \x1b[2Jsentence."
			c := newFakeAPI(t, &fakeAPI{integrations: []account{connected("pipedrive", "Pipedrive", "Nordlicht")}, runs: []syncRun{run}})
			a, stdout, stderr := inTest()
			require.ErrorIs(t, a.startSync(t.Context(), c, "nordlicht", store.Incremental, true), errSaid)
			require.Contains(t, stdout.String(), "Failed: you need to act: 7 synced")
			require.Equal(t, "enlace: The [2Jsentence.\n  what to do: "+tt.todo+"\n", stderr.String())
		})
	}
}

func TestIntegrationIsFoundByWhatPeopleCallIt(t *testing.T) {
	t.Parallel()

	one, two, other := connected("pipedrive", "Pipedrive", "Nordlicht"), connected("pipedrive", "Pipedrive", "Lumière"), connected("zoho", "Zoho CRM", "Ótimo")
	c := newFakeAPI(t, &fakeAPI{integrations: []account{one, two, other}})
	for name, id := range map[string]uuid.UUID{one.ID.String(): one.ID, "lumière": two.ID, "Zoho": other.ID} {
		found, err := c.integration(t.Context(), name)
		require.NoError(t, err, name)
		require.Equal(t, id, found.ID, name)
	}
	unknown := uuid.New().String()
	for name, says := range map[string]string{
		"pipedrive": "2 integrations are called \"pipedrive\": name one by its id, `enlace integrations` lists them",
		"hubspot":   "there is no integration \"hubspot\": `enlace integrations` lists them",
		unknown:     "there is no integration " + unknown + ": `enlace integrations` lists them",
	} {
		_, err := c.integration(t.Context(), name)
		require.EqualError(t, err, says)
	}
}

func TestClientSaysWhyItIsRefused(t *testing.T) {
	t.Parallel()

	c := newFakeAPI(t, &fakeAPI{})
	c.key = "enlace_other"
	_, err := c.integrations(t.Context())
	require.EqualError(t, err, "the key is not accepted: set ENLACE_API_KEY to one made with `enlace keys new`")

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c.base = gone.URL
	_, err = c.integrations(t.Context())
	require.EqualError(t, err, "no enlace answers at "+gone.URL+" (connection refused): start one with `enlace dev`, or name it with ENLACE_URL")
}

func TestClientNeedsAKeyElsewhere(t *testing.T) {
	t.Parallel()

	got := enlace(t, []string{"ENLACE_URL=https://enlace.example.com"}, "runs")
	require.Equal(t, ended{"", "enlace: ENLACE_API_KEY is missing: it must look like an API key; get it from `enlace keys new` where enlace runs\n", exitUsage}, got)
	got = enlace(t, []string{"ENLACE_URL=enlace.example.com"}, "runs")
	require.Equal(t, ended{"", "enlace: ENLACE_URL is malformed: it must look like https://enlace.example.com; ask whoever runs enlace for its PUBLIC_URL\n", exitUsage}, got)
}

func TestLinesAreWrittenWhenSomethingChangesAndAtMostOnceASecond(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	now := time.Unix(0, 0).Add(time.Hour)
	l := &lines{out: &out, now: func() time.Time { return now }}
	for _, step := range []struct {
		after time.Duration
		seen  int64
	}{{0, 0}, {0, 100}, {999 * time.Millisecond, 200}, {time.Millisecond, 300}, {time.Minute, 300}, {0, 400}} {
		now = now.Add(step.after)
		l.update(aRun(store.InProgress, "Running", step.seen))
	}
	l.update(aRun(store.Completed, "Finished", 1000)) // which result says
	require.Equal(t, "Running: 0 of 1,000\nRunning: 300 of 1,000\nRunning: 400 of 1,000\n", out.String())

	out.Reset()
	estimate, unknown := aRun(store.InProgress, "Running", 5), aRun(store.InProgress, "Running", 5)
	estimate.TotalIsEstimate, unknown.RecordsTotal = true, nil
	for _, run := range []syncRun{estimate, unknown} {
		now = now.Add(time.Second)
		l.update(run)
	}
	require.Equal(t, "Running: 5 of about 1,000\nRunning: 5 synced (5 created, 0 updated, 0 unchanged, 0 deleted, 0 skipped)\n", out.String())
}

func TestBarEndsWithTheRun(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	b := newBar(&out)
	b.update(aRun(store.InProgress, "Running", 1000)) // all seen, not yet ended
	b.update(aRun(store.Completed, "Finished", 1000))
	b.close()
	b.close()
	require.Contains(t, out.String(), "Finished")
	require.Contains(t, out.String(), "1,000 of 1,000")
}

func TestTablesHoldNothingThatMovesACursor(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	require.NoError(t, writeTable(&out, []string{"A", "B"}, [][]string{{"x\x1b[31m\u202e", ""}, {"long", "é"}}))
	require.Equal(t, "A      B\nx[31m  -\nlong   é\n", out.String())
}

func TestNumbersAreGrouped(t *testing.T) {
	t.Parallel()

	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -999: "-999"} {
		require.Equal(t, want, number(n))
	}
}

package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"example.com/enlace/api"
	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

func TestIntegrationInJSON(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	path := "/v1/integrations/" + w.integration.String()
	got := w.do(t, ask{path: path, key: w.key})
	require.Equal(t, http.StatusOK, got.StatusCode, "%s", got.body)
	require.Equal(t, "connected", got.text(t, "state"))
	require.Equal(t, "Connected", got.text(t, "title"))
	require.Equal(t, "Pipedrive", got.text(t, "provider_title"))
	require.Nil(t, got.json(t)["run"])
	require.NotContains(t, string(got.body), "token", "nor its ciphertext")
	require.NotContains(t, string(got.body), "api_domain")

	_, err := w.pool.Exec(t.Context(), `INSERT INTO contacts (tenant_id, integration_id, external_id, content_hash, observed_at, deleted_at)
		SELECT $1, $2, n::text, '', now(), CASE WHEN n = 1 THEN now() END FROM generate_series(1, 4) n`, w.tenant, w.integration)
	require.NoError(t, err)
	w.do(t, ask{method: http.MethodPost, path: path + "/syncs", key: w.key, body: `{"sync_type":"full"}`})
	got = w.do(t, ask{path: "/v1/integrations", key: w.key, header: map[string]string{"Accept-Language": "es"}})
	item := got.json(t)["items"].([]any)[0].(map[string]any)
	require.Equal(t, "Conectada", item["title"])
	require.InDelta(t, 3, item["contacts"], 0, "tombstones are not counted")
	require.Equal(t, "waiting", item["run"].(map[string]any)["state"])
	require.Nil(t, item["run"].(map[string]any)["percent"])
}

// A percentage is shown while it is true, and not otherwise (DESIGN §5).
func TestProgressIsHonest(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	started := w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`})
	set := func(sql string) map[string]any {
		_, err := w.pool.Exec(t.Context(), `UPDATE integration_sync_logs SET status = 'in_progress', `+sql)
		require.NoError(t, err)
		return w.do(t, ask{path: "/v1/syncs/" + started.text(t, "id"), key: w.key}).json(t)
	}
	run := set(`lease_until = now() + interval '1 min', records_seen = 250, records_unchanged = 250, records_total = 1000, total_is_estimate = false, started_at = now() - interval '10 s', updated_at = now(),
		checkpoint = '{"track":{"samples":[{"t":2000,"s":50},{"t":6000,"s":150},{"t":8000,"s":200},{"t":10000,"s":250}]}}'`)
	require.Equal(t, "running", run["state"])
	require.InDelta(t, 25, run["percent"], 0)
	require.InDelta(t, 25, run["rate"], 0.1)
	require.InDelta(t, 30, run["eta_seconds"], 1)
	require.InDelta(t, 28, run["eta_low_seconds"], 1)
	require.InDelta(t, 33, run["eta_high_seconds"], 1)

	run = set(`total_is_estimate = true`)
	require.Nil(t, run["percent"], "an estimate")
	require.Nil(t, run["eta_seconds"])
	require.NotNil(t, run["rate"])

	run = set(`total_is_estimate = false, records_total = 200`)
	require.Nil(t, run["percent"], "more than all")

	run = set(`records_total = 1000, waiting_until = now() + interval '1 h', waiting_reason = 'rate_limited', lease_until = NULL`)
	require.Equal(t, "waiting_provider", run["state"])
	require.InDelta(t, 25, run["percent"], 0)
	require.Nil(t, run["rate"], "it doesn't run")
	require.InDelta(t, 3630, run["eta_seconds"], 5, "the wait is a part of what is left")
}

func TestChangeIntegration(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	path := "/v1/integrations/" + w.integration.String()
	patch := func(body string) answer {
		return w.do(t, ask{method: http.MethodPatch, path: path, key: w.key, body: body})
	}

	started := w.do(t, ask{method: http.MethodPost, path: path + "/syncs", key: w.key, body: `{"sync_type":"full"}`})
	w.do(t, ask{method: http.MethodPost, path: path + "/syncs", key: w.key, body: `{"sync_type":"incremental"}`})
	paused := patch(`{"paused":true}`)
	require.Equal(t, http.StatusOK, paused.StatusCode, "%s", paused.body)
	require.Equal(t, "paused", paused.text(t, "state"))
	require.False(t, paused.json(t)["is_active"].(bool))
	require.Equal(t, "cancelled", w.do(t, ask{path: "/v1/syncs/" + started.text(t, "id"), key: w.key}).text(t, "state"))
	var open, liveJobs int
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM integration_sync_logs WHERE status IN ('pending', 'in_progress')`).Scan(&open))
	require.Zero(t, open, "the follower too")
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM river.river_job WHERE finalized_at IS NULL`).Scan(&liveJobs))
	require.Zero(t, liveJobs)

	resumed := patch(`{"paused":false}`)
	require.Equal(t, "connected", resumed.text(t, "state"))
	due, err := time.Parse(time.RFC3339Nano, resumed.text(t, "next_sync_at"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), due, time.Minute, "it catches up")

	rescheduled := patch(`{"schedule":"CRON_TZ=Europe/Madrid 0 9 * * *","metadata":{"team":"ventas"}}`)
	require.Equal(t, http.StatusOK, rescheduled.StatusCode, "%s", rescheduled.body)
	due, err = time.Parse(time.RFC3339Nano, rescheduled.text(t, "next_sync_at"))
	require.NoError(t, err)
	madrid, err := time.LoadLocation("Europe/Madrid")
	require.NoError(t, err)
	require.Equal(t, 9, due.In(madrid).Hour())
	require.Equal(t, map[string]any{"team": "ventas"}, rescheduled.json(t)["metadata"])
	require.Equal(t, "connected", rescheduled.text(t, "state"), "what isn't named stays")

	for name, body := range map[string]string{
		"seconds":            `{"schedule":"@every 30s"}`,
		"nonsense":           `{"schedule":"often"}`,
		"a day never":        `{"schedule":"0 0 30 2 *"}`,
		"empty":              `{"schedule":""}`,
		"not a truth":        `{"paused":"yes"}`,
		"notes that list":    `{"metadata":[]}`,
		"notes with a NUL":   `{"metadata":{"a":"\u0000"}}`,
		"notes at length":    `{"metadata":{"a":"` + strings.Repeat("x", 16<<10) + `"}}`,
		"notes too deep":     `{"metadata":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`,
		"a number at length": `{"metadata":{"a":1e-100000}}`,
		"another column":     `{"status":"connected"}`,
		"tokens":             `{"access_token":"x"}`,
	} {
		got := patch(body)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, "%s: %s", name, got.body)
		require.Equal(t, "validation_failed", got.text(t, "code"))
	}
	require.Equal(t, "CRON_TZ=Europe/Madrid 0 9 * * *", w.do(t, ask{path: path, key: w.key}).text(t, "schedule"))

	var notes int
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_log WHERE action = 'integration.change' AND subject = $1`, w.integration.String()).Scan(&notes))
	require.Equal(t, 3, notes, "refusals change nothing")

	gone := w.do(t, ask{method: http.MethodDelete, path: path, key: w.key})
	require.Equal(t, http.StatusOK, gone.StatusCode, "%s", gone.body)
	require.Equal(t, "disconnected", gone.json(t)["integration"].(map[string]any)["state"])
	again := patch(`{"paused":false}`)
	require.Equal(t, http.StatusConflict, again.StatusCode)
	require.Equal(t, "disconnected", again.text(t, "variant"))
}

func TestWhatIsNotPausedDoesNotResume(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	path := "/v1/integrations/" + w.integration.String()
	patch := func(body string) answer {
		got := w.do(t, ask{method: http.MethodPatch, path: path, key: w.key, body: body})
		require.Equal(t, http.StatusOK, got.StatusCode, "%s", got.body)
		return got
	}
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET status = 'needs_reauth', status_reason = 'scope', next_sync_at = '2031-01-01Z'`)
	require.NoError(t, err)
	got := patch(`{"paused":false}`)
	require.Equal(t, "needs_reauth", got.text(t, "state"))
	require.Equal(t, "scope", got.text(t, "status_reason"))
	require.Equal(t, "2031-01-01T00:00:00Z", got.text(t, "next_sync_at"))

	patch(`{"paused":true}`)
	got = patch(`{"paused":false,"schedule":"0 0 1 1 *"}`)
	due, err := time.Parse(time.RFC3339Nano, got.text(t, "next_sync_at"))
	require.NoError(t, err)
	require.Equal(t, time.January, due.UTC().Month(), "the tick of the schedule that it was given: %s", due)
	require.Zero(t, due.Minute()+due.Second())
}

func TestNotesStayAsTheyAreWritten(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	path := "/v1/integrations/" + w.integration.String()
	got := w.do(t, ask{method: http.MethodPatch, path: path, key: w.key, body: `{"metadata":{"crm_id":9007199254740993, "rate":1.10}}`})
	require.Equal(t, http.StatusOK, got.StatusCode, "%s", got.body)
	require.Contains(t, string(got.body), "9007199254740993")
	require.Contains(t, string(got.body), "1.10")
	kept := w.do(t, ask{method: http.MethodPatch, path: path, key: w.key, body: `{"metadata":null,"paused":true}`})
	require.Contains(t, string(kept.body), "9007199254740993", "null says nothing")
}

// tokenHost answers refreshes, counts them, and may refuse.
type tokenHost struct {
	refreshes atomic.Int64
	refuse    atomic.Bool
}

func (h *tokenHost) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h.refreshes.Add(1)
	w.Header().Set("Content-Type", "application/json")
	if h.refuse.Load() {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	_, _ = w.Write([]byte(`{"access_token":"new","refresh_token":"newer","expires_in":3600,"token_type":"Bearer"}`))
}

// newCheckWorld is a world whose provider has a token host, and identifies accounts as a function says.
func newCheckWorld(t *testing.T, identify func() (providers.Identity, error)) (*world, *tokenHost) {
	t.Helper()
	host := &tokenHost{}
	tokens := httptest.NewServer(host)
	t.Cleanup(tokens.Close)
	provider := &providers.Provider{Name: "pipedrive", Title: "Pipedrive", Kind: providers.CRM, OAuth: &providers.OAuth{
		Config: oauth2.Config{ClientID: "id", ClientSecret: "secret", Endpoint: oauth2.Endpoint{TokenURL: tokens.URL}},
		Client: tokens.Client(),
		Refusal: func(a *providers.Answer) *providers.Error {
			return &providers.Error{Kind: providers.NeedsReauth, Status: a.Status}
		},
		Identify: func(context.Context, providers.Account, *http.Client) (providers.Identity, error) { return identify() },
	}}
	w := newWorld(t, func(o *api.Options) {
		keys, err := vault.NewKeyring(encryptionKey)
		require.NoError(t, err)
		o.Providers = []*providers.Provider{provider}
		o.Vault = vault.New(o.Store, keys, o.Providers, vault.Options{})
		t.Cleanup(func() { require.NoError(t, o.Vault.Close(context.Background())) })
	})
	return w, host
}

func TestCheckReadsTheAccountNow(t *testing.T) {
	t.Parallel()

	var refusal atomic.Pointer[providers.Error]
	w, _ := newCheckWorld(t, func() (providers.Identity, error) {
		if e := refusal.Load(); e != nil {
			return providers.Identity{}, e
		}
		return providers.Identity{ExternalID: "7", Name: "Nordlicht GmbH"}, nil
	})
	path := "/v1/integrations/" + w.integration.String()
	check := func() answer { return w.do(t, ask{method: http.MethodPost, path: path + "/check", key: w.key}) }

	got := check()
	require.Equal(t, http.StatusOK, got.StatusCode, "%s", got.body)
	require.Equal(t, "7", got.json(t)["account"].(map[string]any)["external_account_id"])
	require.False(t, got.json(t)["woken"].(bool))

	w.do(t, ask{method: http.MethodPost, path: path + "/syncs", key: w.key, body: `{"sync_type":"full"}`})
	wait := func(reason string) {
		_, err := w.pool.Exec(t.Context(), `UPDATE integration_sync_logs SET status = 'in_progress', waiting_until = now() + interval '1 day', waiting_reason = $1`, reason)
		require.NoError(t, err)
		_, err = w.pool.Exec(t.Context(), `UPDATE river.river_job SET state = 'scheduled', scheduled_at = now() + interval '1 day'`)
		require.NoError(t, err)
	}
	state := func() (s string) {
		require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT state::text FROM river.river_job`).Scan(&s))
		return s
	}
	wait("quota_exhausted")
	require.False(t, check().json(t)["woken"].(bool), "one call that goes through is no end of a limit")
	require.Equal(t, "scheduled", state())
	wait("blocked")
	require.True(t, check().json(t)["woken"].(bool))
	require.Equal(t, "available", state())

	for kind, c := range map[providers.ErrorKind]struct {
		status     int
		code       string
		retryAfter bool
	}{
		providers.Transient:      {502, "provider_unavailable", true},
		providers.RateLimited:    {429, "rate_limited", true},
		providers.QuotaExhausted: {429, "quota_exhausted", true},
		providers.NeedsReauth:    {409, "needs_reauth", false},
		providers.Misconfigured:  {503, "misconfigured", true},
		providers.Blocked:        {409, "blocked", false},
		providers.SchemaChanged:  {502, "schema_changed", true},
		providers.Internal:       {500, "internal", true},
	} {
		refusal.Store(&providers.Error{Kind: kind, Detail: "says the provider", RetryAt: time.Now().Add(time.Minute)})
		got := check()
		require.Equal(t, c.status, got.StatusCode, "%s: %s", kind, got.body)
		require.Equal(t, c.code, got.text(t, "code"))
		require.Equal(t, c.retryAfter, got.Header.Get("Retry-After") != "", kind)
	}
}

// Many at once that need a token exchange the refresh token once (DESIGN §4.9).
func TestChecksAtOnceRefreshOnce(t *testing.T) {
	t.Parallel()

	w, host := newCheckWorld(t, func() (providers.Identity, error) { return providers.Identity{ExternalID: "7"}, nil })
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET expires_at = now() - interval '1 min' WHERE id = $1`, w.integration)
	require.NoError(t, err)
	var wg sync.WaitGroup
	statuses := make([]int, 20)
	for i := range statuses {
		wg.Go(func() {
			statuses[i] = w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/check", key: w.key}).StatusCode
		})
	}
	wg.Wait()
	for _, status := range statuses {
		require.Equal(t, http.StatusOK, status)
	}
	require.Equal(t, int64(1), host.refreshes.Load())

	host.refuse.Store(true)
	_, err = w.pool.Exec(t.Context(), `UPDATE integrations SET expires_at = now() - interval '1 min' WHERE id = $1`, w.integration)
	require.NoError(t, err)
	refused := w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/check", key: w.key, header: map[string]string{"Accept-Language": "es"}})
	require.Equal(t, http.StatusConflict, refused.StatusCode, "%s", refused.body)
	require.Equal(t, "needs_reauth", refused.text(t, "code"))
	require.Contains(t, refused.text(t, "error"), "Nordlicht GmbH")
	require.Equal(t, "Reconecta Pipedrive", refused.text(t, "title"))

	incidents := w.do(t, ask{path: "/v1/incidents?open=true", key: w.key})
	require.Equal(t, http.StatusOK, incidents.StatusCode, "%s", incidents.body)
	item := incidents.json(t)["items"].([]any)[0].(map[string]any)
	require.Equal(t, "needs_reauth", item["code"])
	require.Equal(t, "act", item["severity"])
	require.Equal(t, "tenant", item["who"])
	require.Equal(t, "Reconnect Pipedrive", item["title"])
	require.Empty(t, w.do(t, ask{path: "/v1/incidents?open=false", key: w.key}).json(t)["items"])
}

func TestContacts(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	_, err := w.pool.Exec(t.Context(), `INSERT INTO contacts (tenant_id, integration_id, external_id, name, email, content_hash, observed_at, deleted_at)
		SELECT $1, $2, n::text, 'Persona ' || n, 'p' || n || '@example.com', '', now(), CASE WHEN n = 9 THEN now() END FROM generate_series(1, 9) n`, w.tenant, w.integration)
	require.NoError(t, err)
	seen := make(map[string]bool)
	for next := "/v1/contacts?limit=3"; next != ""; {
		got := w.do(t, ask{path: next, key: w.key})
		require.Equal(t, http.StatusOK, got.StatusCode, "%s", got.body)
		for _, item := range got.json(t)["items"].([]any) {
			seen[item.(map[string]any)["external_id"].(string)] = true
		}
		next = ""
		if cursor, ok := got.json(t)["next_cursor"].(string); ok {
			next = "/v1/contacts?limit=3&cursor=" + cursor
		}
	}
	require.Len(t, seen, 8)
	count := func(query, key string) int {
		items, ok := w.do(t, ask{path: "/v1/contacts" + query, key: key}).json(t)["items"].([]any)
		require.True(t, ok)
		return len(items)
	}
	require.Equal(t, 9, count("?deleted=true", w.key))
	require.Equal(t, 1, count("?q=P3@EXAMPLE", w.key))
	require.Zero(t, count("?q=%25", w.key), "a per cent sign is one")
	require.Zero(t, count("", w.otherKey))
	require.Zero(t, count("?integration_id="+w.integration.String(), w.otherKey))
	for _, q := range []string{"%00", "%ff"} {
		got := w.do(t, ask{path: "/v1/contacts?q=" + q, key: w.key})
		require.Equal(t, http.StatusBadRequest, got.StatusCode, "%s", got.body)
		require.Equal(t, "q", got.json(t)["errors"].([]any)[0].(map[string]any)["field"])
	}
	require.Equal(t, http.StatusUnprocessableEntity, w.do(t, ask{path: "/v1/contacts", key: adminKey}).StatusCode, "whose?")
}

func TestFailuresSayWhy(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	run := w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`}).text(t, "id")
	_, err := w.pool.Exec(t.Context(), `INSERT INTO sync_failures (tenant_id, integration_id, external_id, reason, payload, first_run_id, last_run_id)
		VALUES ($1, $2, '4711', 'no_id', '{}', $3, $3)`, w.tenant, w.integration, uuid.MustParse(run))
	require.NoError(t, err)
	got := w.do(t, ask{path: "/v1/syncs/" + run + "/failures", key: w.key})
	require.Equal(t, http.StatusOK, got.StatusCode, "%s", got.body)
	item := got.json(t)["items"].([]any)[0].(map[string]any)
	require.Equal(t, "4711", item["external_id"])
	require.NotEmpty(t, item["sentence"])
	require.NotEqual(t, store.Failed, item["sentence"])
}

package api_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
)

const jwtSecret = "the-jwt-secret-of-the-tests-is-long-enough"

func TestStartSync(t *testing.T) {
	t.Parallel()

	t.Run("AnswersWithARunThatHasItsJob", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		got := w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`})
		require.Equal(t, http.StatusAccepted, got.StatusCode, "%s", got.body)
		require.Equal(t, "application/json", got.Header.Get("Content-Type"))
		require.Equal(t, "/v1/syncs/"+got.text(t, "id"), got.Header.Get("Location"))
		require.Equal(t, "pending", got.text(t, "status"))
		require.Equal(t, "waiting", got.text(t, "state"))
		require.NotEmpty(t, got.text(t, "title"))

		var jobs int
		require.NoError(t, w.pool.QueryRow(t.Context(),
			`SELECT count(*) FROM river.river_job j JOIN integration_sync_logs r ON r.job_id = j.id WHERE r.id = $1 AND j.args ->> 'run_id' = $1::text`,
			got.text(t, "id")).Scan(&jobs))
		require.Equal(t, 1, jobs)

		read := w.do(t, ask{path: got.Header.Get("Location"), key: w.key})
		require.Equal(t, http.StatusOK, read.StatusCode)
		require.Equal(t, got.text(t, "job_id"), read.text(t, "job_id"), "ids are strings")
	})

	t.Run("JoinsTheActiveRunOfTheSameKind", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		a := ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`}
		first := w.do(t, a).text(t, "id")
		require.Equal(t, first, w.do(t, a).text(t, "id"))
		require.Equal(t, 1, w.countRuns(t, w.integration))
	})
}

func TestStartSyncRefuses(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	paused := w.connect(t, w.tenant, "Pausada")
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET status = 'paused' WHERE id = $1`, paused)
	require.NoError(t, err)
	stale := w.connect(t, w.tenant, "Sin permiso")
	_, err = w.pool.Exec(t.Context(), `UPDATE integrations SET status = 'needs_reauth' WHERE id = $1`, stale)
	require.NoError(t, err)
	gone := w.connect(t, w.tenant, "Fuera")
	_, err = w.pool.Exec(t.Context(), `UPDATE integrations SET status = 'disconnected' WHERE id = $1`, gone)
	require.NoError(t, err)

	path := func(id uuid.UUID) string { return "/v1/integrations/" + id.String() + "/syncs" }
	cases := map[string]struct {
		path, body  string
		contentType string
		status      int
		code        string
		variant     string
		field       string
		says        string
	}{
		"an integration that doesn't exist": {path: path(uuid.New()), body: `{"sync_type":"full"}`, status: 404, code: "not_found"},
		"another tenant's integration":      {path: path(w.theirs), body: `{"sync_type":"full"}`, status: 404, code: "not_found"},
		"an id that isn't one":              {path: "/v1/integrations/7/syncs", body: `{"sync_type":"full"}`, status: 404, code: "not_found"},
		"a paused integration": {
			path: path(paused), body: `{"sync_type":"full"}`, status: 409, code: "integration_inactive", says: "Pausada is paused",
		},
		"a disconnected integration": {
			path: path(gone), body: `{"sync_type":"full"}`, status: 409, code: "integration_inactive", variant: "disconnected", says: "Fuera is disconnected",
		},
		"one that must be connected again": {
			path: path(stale), body: `{"sync_type":"full"}`, status: 409, code: "needs_reauth", says: "Reconnect Pipedrive",
		},
		"a kind of sync that doesn't exist": {
			path: path(w.integration), body: `{"sync_type":"partial"}`, status: 422, code: "validation_failed", field: "sync_type", says: "full, incremental",
		},
		"a kind that isn't text": {path: path(w.integration), body: `{"sync_type":7}`, status: 422, code: "validation_failed", field: "sync_type"},
		"no kind":                {path: path(w.integration), body: `{}`, status: 422, code: "validation_failed", field: "sync_type", says: "missing"},
		"a member that nobody knows": {
			path: path(w.integration), body: `{"sync_type":"full","dry_run":true}`, status: 422, code: "validation_failed", field: "dry_run", says: "There is no dry_run",
		},
		"no body":          {path: path(w.integration), status: 400, code: "validation_failed", field: "body"},
		"a cut off body":   {path: path(w.integration), body: `{"sync_type":`, status: 400, code: "validation_failed", says: "position 13"},
		"what isn't JSON":  {path: path(w.integration), body: `sync_type=full`, status: 400, code: "validation_failed", says: "position 1"},
		"an array":         {path: path(w.integration), body: `[]`, status: 422, code: "validation_failed"},
		"a form":           {path: path(w.integration), body: `a=b`, contentType: "application/x-www-form-urlencoded", status: 415, code: "validation_failed", field: "Content-Type"},
		"an enormous body": {path: path(w.integration), body: fmt.Sprintf("%q", make([]byte, 1<<20)), status: 413, code: "validation_failed", says: "1 MiB"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := w.do(t, ask{method: http.MethodPost, path: c.path, key: w.key, body: c.body, header: map[string]string{"Content-Type": or(c.contentType, "application/json")}})
			require.Equal(t, c.status, got.StatusCode, "%s", got.body)
			require.Equal(t, "application/problem+json", got.Header.Get("Content-Type"))
			require.Equal(t, c.code, got.text(t, "code"))
			require.Equal(t, got.text(t, "detail"), got.text(t, "error"), "dashboards read error")
			require.InDelta(t, c.status, got.json(t)["status"], 0)
			if c.variant != "" {
				require.Equal(t, c.variant, got.text(t, "variant"))
			}
			if c.field != "" {
				fields, ok := got.json(t)["errors"].([]any)
				require.True(t, ok, "%s", got.body)
				require.Equal(t, c.field, fields[0].(map[string]any)["field"])
			}
			require.Contains(t, got.text(t, "title")+" "+got.text(t, "detail"), c.says)
		})
	}
	t.Cleanup(func() {
		for _, id := range []uuid.UUID{w.integration, w.theirs, paused, stale, gone} {
			var n int
			ctx := context.WithoutCancel(t.Context())
			require.NoError(t, w.pool.QueryRow(ctx, `SELECT count(*) FROM integration_sync_logs WHERE integration_id = $1`, id).Scan(&n))
			require.Zero(t, n)
		}
	})
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// A key is a caller's name for a request: 20 at once are served once (DESIGN §4.1, §6).
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()

	t.Run("TwentyAtOnceWorkOnce", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		a := ask{
			method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`,
			header: map[string]string{"Idempotency-Key": "twenty"},
		}
		var wg sync.WaitGroup
		answers := make([]answer, 20)
		for i := range answers {
			wg.Go(func() { answers[i] = w.do(t, a) })
		}
		wg.Wait()
		accepted := ""
		for _, got := range answers {
			switch got.StatusCode {
			case http.StatusAccepted:
				if accepted == "" {
					accepted = string(got.body)
				}
				require.Equal(t, accepted, string(got.body), "byte for byte")
			case http.StatusConflict:
				require.Equal(t, "key_running", got.text(t, "variant"))
				require.NotEmpty(t, got.Header.Get("Retry-After"))
			default:
				require.Fail(t, "unexpected answer", "%d %s", got.StatusCode, got.body)
			}
		}
		require.NotEmpty(t, accepted)
		require.Equal(t, 1, w.countRuns(t, w.integration))

		// also after the run has ended, when the same request without the key would start another
		_, err := w.pool.Exec(t.Context(), `UPDATE integration_sync_logs SET status = 'completed', outcome = 'finished', completed_at = now()`)
		require.NoError(t, err)
		again := w.do(t, a)
		require.Equal(t, http.StatusAccepted, again.StatusCode)
		require.Equal(t, accepted, string(again.body))
		require.NotEmpty(t, again.Header.Get("Location"))
		require.Equal(t, 1, w.countRuns(t, w.integration))
	})

	t.Run("IsRefusedWithAnotherBody", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		a := ask{
			method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`,
			header: map[string]string{"Idempotency-Key": "reused"},
		}
		require.Equal(t, http.StatusAccepted, w.do(t, a).StatusCode)
		a.body = `{ "sync_type" : "full" }`
		require.Equal(t, http.StatusAccepted, w.do(t, a).StatusCode, "spaces are no other content")
		a.body = `{"sync_type":"incremental"}`
		got := w.do(t, a)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
		require.Equal(t, "key_reused", got.text(t, "variant"))
	})

	t.Run("IsOfItsTenant", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		header := map[string]string{"Idempotency-Key": "shared"}
		mine := w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`, header: header})
		theirs := w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.theirs.String() + "/syncs", key: w.otherKey, body: `{"sync_type":"full"}`, header: header})
		require.Equal(t, http.StatusAccepted, mine.StatusCode)
		require.Equal(t, http.StatusAccepted, theirs.StatusCode)
		require.NotEqual(t, mine.text(t, "id"), theirs.text(t, "id"))
	})

	t.Run("IsGivenBackByARefusal", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		a := ask{
			method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`,
			header: map[string]string{"Idempotency-Key": "refused"},
		}
		_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET status = 'paused' WHERE id = $1`, w.integration)
		require.NoError(t, err)
		require.Equal(t, http.StatusConflict, w.do(t, a).StatusCode)
		_, err = w.pool.Exec(t.Context(), `UPDATE integrations SET status = 'connected' WHERE id = $1`, w.integration)
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, w.do(t, a).StatusCode)
	})

	t.Run("LeftByADeadProcessIsTakenOver", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		a := ask{
			method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`,
			header: map[string]string{"Idempotency-Key": "dead"},
		}
		require.Equal(t, http.StatusAccepted, w.do(t, a).StatusCode)
		set := func(lock string) {
			_, err := w.pool.Exec(t.Context(), `UPDATE idempotency_keys SET status = NULL, body = NULL, locked_until = now() + $1::interval`, lock)
			require.NoError(t, err)
		}
		set("1 minute")
		require.Equal(t, http.StatusConflict, w.do(t, a).StatusCode, "it may be alive")
		set("-1 second")
		require.Equal(t, http.StatusAccepted, w.do(t, a).StatusCode)
		require.Equal(t, 1, w.countRuns(t, w.integration))
	})
}

func TestCancelAndRetry(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	start := w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`})
	run := "/v1/syncs/" + start.text(t, "id")

	require.Equal(t, http.StatusNotFound, w.do(t, ask{method: http.MethodPost, path: run + "/cancel", key: w.otherKey}).StatusCode)
	header := map[string]string{"Idempotency-Key": "cancel"}
	cancelled := w.do(t, ask{method: http.MethodPost, path: run + "/cancel", key: w.key, header: header})
	require.Equal(t, http.StatusOK, cancelled.StatusCode, "%s", cancelled.body)
	require.Equal(t, "cancelled", cancelled.text(t, "state"))
	require.Equal(t, string(cancelled.body), string(w.do(t, ask{method: http.MethodPost, path: run + "/cancel", key: w.key, header: header}).body))

	twice := w.do(t, ask{method: http.MethodPost, path: run + "/cancel", key: w.key, header: map[string]string{"Accept-Language": "es-MX, en;q=0.5"}})
	require.Equal(t, http.StatusConflict, twice.StatusCode)
	require.Equal(t, "conflict", twice.text(t, "code"))
	require.Contains(t, twice.text(t, "error"), "Esta sincronización ya terminó.")
	require.Equal(t, "es", twice.Header.Get("Content-Language"))

	require.Equal(t, http.StatusNotFound, w.do(t, ask{method: http.MethodPost, path: run + "/retry", key: w.otherKey}).StatusCode)
	retried := w.do(t, ask{method: http.MethodPost, path: run + "/retry", key: w.key})
	require.Equal(t, http.StatusAccepted, retried.StatusCode, "%s", retried.body)
	require.Equal(t, start.text(t, "id"), retried.text(t, "id"))
	require.NotEqual(t, start.text(t, "job_id"), retried.text(t, "job_id"))
}

func TestListSyncs(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	for i := range 5 {
		_, err := w.pool.Exec(t.Context(), `INSERT INTO integration_sync_logs (integration_id, tenant_id, sync_type, status, created_at)
			VALUES ($1, $2, 'full', 'completed', now() - $3 * interval '1 minute')`, w.integration, w.tenant, i/2) // ties, too
		require.NoError(t, err)
	}
	var seen []string
	path := "/v1/syncs?limit=2&integration_id=" + w.integration.String()
	for next := path; next != ""; {
		got := w.do(t, ask{path: next, key: w.key})
		require.Equal(t, http.StatusOK, got.StatusCode, "%s", got.body)
		for _, item := range got.json(t)["items"].([]any) {
			seen = append(seen, item.(map[string]any)["id"].(string))
		}
		next = ""
		if cursor, ok := got.json(t)["next_cursor"].(string); ok {
			next = path + "&cursor=" + cursor
		}
	}
	require.Len(t, seen, 5)
	require.Len(t, unique(seen), 5)

	require.Empty(t, w.do(t, ask{path: "/v1/syncs", key: w.otherKey}).json(t)["items"])
	require.Empty(t, w.do(t, ask{path: "/v1/syncs?status=" + store.Failed, key: w.key}).json(t)["items"])
	for _, bad := range []string{"limit=none", "limit=0", "limit=1000", "cursor=%25", "status=done", "integration_id=7"} {
		got := w.do(t, ask{path: "/v1/syncs?" + bad, key: w.key})
		require.Equal(t, http.StatusBadRequest, got.StatusCode, "%s: %s", bad, got.body)
		require.Equal(t, "validation_failed", got.text(t, "code"))
	}
}

func unique(list []string) map[string]bool {
	set := make(map[string]bool)
	for _, s := range list {
		set[s] = true
	}
	return set
}

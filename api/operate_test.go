package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"example.com/enlace/api"
)

func TestHealth(t *testing.T) {
	t.Parallel()

	away := errors.New("the schema is older: run `enlace migrate`")
	var ready error
	w := newWorld(t, func(o *api.Options) { o.Ready = func(context.Context) error { return ready } })
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/healthz"}).StatusCode)
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/readyz"}).StatusCode)
	ready = away
	got := w.do(t, ask{path: "/readyz"})
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	require.NotContains(t, string(got.body), "migrate", "anybody may ask: the log says why")
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/healthz"}).StatusCode)
}

func TestMetrics(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`})
	w.do(t, ask{path: "/v1/contacts?q=%2B34600111222", key: w.key})
	w.do(t, ask{path: "/nothing/" + w.key})
	got := w.do(t, ask{path: "/metrics", key: adminKey})
	require.Equal(t, http.StatusOK, got.StatusCode)
	text := string(got.body)
	require.Contains(t, text, `enlace_http_requests_total{route="POST /v1/integrations/{id}/syncs",status="202"} 1`)
	require.Contains(t, text, `enlace_http_requests_total{route="none",status="404"} 1`)
	require.Contains(t, text, `enlace_jobs{queue="sync",state="available"} 1`)
	require.Contains(t, text, `enlace_runs{status="pending",sync_type="full"} 1`)
	for _, personal := range []string{w.key, w.integration.String(), w.tenant.String(), "34600111222"} {
		require.NotContains(t, text, personal)
	}
}

func TestRiverUI(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`})
	require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/riverui/"}).StatusCode)
	require.Equal(t, http.StatusForbidden, w.do(t, ask{path: "/riverui/api/jobs", key: w.key}).StatusCode)

	page := w.do(t, ask{path: "/riverui/", key: adminKey})
	require.Equal(t, http.StatusOK, page.StatusCode)
	require.Contains(t, page.Header.Get("Content-Type"), "text/html")
	jobs := w.do(t, ask{path: "/riverui/api/jobs?state=available", key: adminKey})
	require.Equal(t, http.StatusOK, jobs.StatusCode)
	require.Contains(t, string(jobs.body), "contacts_sync")

	cookie := cookieOf(t, w.do(t, ask{method: http.MethodPost, path: "/v1/session", body: `{"api_key":"` + adminKey + `"}`}))
	cancel := func(origin string) int {
		return w.do(t, ask{
			method: http.MethodPost, path: "/riverui/api/jobs/cancel", body: `{"ids":["1"]}`,
			header: map[string]string{"Cookie": cookie.Name + "=" + cookie.Value, "Origin": origin},
		}).StatusCode
	}
	require.Equal(t, http.StatusForbidden, cancel("https://evil.example"))
	require.Equal(t, http.StatusOK, cancel("https://enlace.example.com"))
}

func TestPages(t *testing.T) {
	t.Parallel()

	w := newWorld(t, func(o *api.Options) {
		o.Dashboard = fstest.MapFS{"index.html": {Data: []byte("<!doctype html>hola")}, "assets/app.js": {Data: []byte("1")}}
	})
	index := w.do(t, ask{path: "/"})
	require.Equal(t, http.StatusOK, index.StatusCode)
	require.Contains(t, string(index.body), "hola")
	require.NotEmpty(t, index.Header.Get("Content-Security-Policy"))
	require.Equal(t, "nosniff", index.Header.Get("X-Content-Type-Options"))
	asset := w.do(t, ask{path: "/assets/app.js"})
	require.Equal(t, http.StatusOK, asset.StatusCode)
	require.Contains(t, asset.Header.Get("Cache-Control"), "immutable")
	for _, path := range []string{"/assets/", "/assets/none.js", "/index.html"} {
		require.Equal(t, http.StatusNotFound, w.do(t, ask{path: path}).StatusCode, path)
	}
	docs := w.do(t, ask{path: "/docs"})
	require.Equal(t, http.StatusOK, docs.StatusCode)
	require.NotRegexp(t, `(src|href)="?https?:`, string(docs.body), "nothing is loaded from elsewhere")
}

// The document in the repository is the one that is served. To write it anew: ENLACE_WRITE_OPENAPI=1 go test ./api -run OpenAPI
func TestOpenAPIIsWritten(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	got := w.do(t, ask{path: "/openapi.json"})
	require.Equal(t, http.StatusOK, got.StatusCode)
	doc := got.json(t)
	require.Equal(t, "3.1.0", doc["openapi"])
	doc["servers"] = []any{map[string]any{"url": "https://enlace.example.com"}}

	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	require.NoError(t, encoder.Encode(doc))
	if os.Getenv("ENLACE_WRITE_OPENAPI") != "" {
		require.NoError(t, os.WriteFile("openapi.yaml", out.Bytes(), 0o644))
	}
	written, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	require.Equal(t, string(written), out.String(), "the API has changed: write openapi.yaml anew")

	// every route under /v1 and the functions that programs call is in it
	paths := doc["paths"].(map[string]any)
	for _, r := range w.server.Routes() {
		if !strings.HasPrefix(r.Path, "/v1/") || r.Access == "loopback" || r.Access == "signed" {
			continue
		}
		methods, ok := paths[r.Path].(map[string]any)
		require.True(t, ok, r.Path)
		require.Contains(t, methods, strings.ToLower(r.Method), r.Path)
	}
	require.Contains(t, paths, "/functions/v1/sync-crm")
	problem := doc["components"].(map[string]any)["schemas"].(map[string]any)["Problem"].(map[string]any)["properties"].(map[string]any)
	for _, member := range []string{"type", "title", "status", "detail", "instance", "code", "error"} {
		require.Contains(t, problem, member)
	}
	require.NotContains(t, string(got.body), "ErrorModel", "refusals are ours, not Huma's")
}

// No secret and no query reaches the log (DESIGN §4.15).
func TestLogHoldsNoSecret(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.do(t, ask{path: "/v1/contacts?q=%2B34600111222&code=the-code", key: w.key})
	w.do(t, ask{method: http.MethodPost, path: "/v1/session", body: `{"api_key":"` + w.key + `"}`})
	w.do(t, ask{path: "/v1/me", key: "enlace_wrong_secret"})
	require.Eventually(t, func() bool { // a line is written after its answer
		return strings.Count(w.log.String(), `"message":"request"`) >= 4
	}, 10*time.Second, 10*time.Millisecond)
	log := w.log.String()
	for _, secret := range []string{w.key, "34600111222", "the-code", "enlace_wrong_secret"} {
		require.NotContains(t, log, secret)
	}
	var line map[string]any
	for text := range strings.Lines(log) {
		if strings.Contains(text, `"/v1/contacts"`) {
			require.NoError(t, json.Unmarshal([]byte(text), &line))
		}
	}
	require.Equal(t, "/v1/contacts", line["path"])
	require.Equal(t, w.tenant.String(), line["tenant_id"])
	require.NotEmpty(t, line["request_id"])
	require.True(t, strings.HasPrefix(line["actor"].(string), "key:"))
}

func TestPanicsAreOurs(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	require.NoError(t, w.server.MountOpen("/broken", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("token=abcdefghijklmnopqrstuvwxyz0123456789") })))
	got := w.do(t, ask{path: "/broken", header: map[string]string{"Accept-Language": "es", "Origin": dashboard}})
	require.Equal(t, http.StatusInternalServerError, got.StatusCode)
	require.Equal(t, "internal", got.text(t, "code"))
	require.Equal(t, "Algo falló de nuestro lado", got.text(t, "title"))
	require.Equal(t, dashboard, got.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "urn:enlace:request:"+got.Header.Get("X-Request-Id"), got.text(t, "instance"))
	require.Contains(t, w.log.String(), "a handler panicked")
	require.NotContains(t, w.log.String(), "abcdefghijklmnop")
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.pool.Close() // as away as it gets: no connection can be had
	for _, a := range []ask{
		{path: "/v1/integrations", key: adminKey},
		{path: "/v1/me", key: w.key},
		{method: http.MethodPost, path: "/functions/v1/sync-crm", key: w.key, body: `{}`},
	} {
		got := w.do(t, a)
		require.Equal(t, http.StatusServiceUnavailable, got.StatusCode, "%s", got.body)
		require.Equal(t, "internal", got.text(t, "code"))
		require.Equal(t, "database", got.text(t, "variant"))
		require.Equal(t, "5", got.Header.Get("Retry-After"))
	}
	require.Equal(t, http.StatusServiceUnavailable, w.do(t, ask{path: "/readyz"}).StatusCode)
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/healthz"}).StatusCode)
	require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/v1/integrations"}).StatusCode, "nobody needs no database")
}

func TestBodiesAreReadOnce(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	// a body without a length, as a proxy may send it, is bounded while it is read
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/session", strings.NewReader(`{"api_key":"`+strings.Repeat("x", 1<<20)+`"}`))
	req.ContentLength = -1
	answer := httptest.NewRecorder()
	w.server.Handler().ServeHTTP(answer, req)
	require.Equal(t, http.StatusRequestEntityTooLarge, answer.Code)
	require.Contains(t, answer.Body.String(), "1 MiB")
}

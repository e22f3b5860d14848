package api_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
)

// What Chromium sends before supabase.functions.invoke (STACK §2).
func TestPreflight(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	preflight := func(origin, path string) answer {
		return w.do(t, ask{method: http.MethodOptions, path: path, header: map[string]string{
			"Origin": origin, "Access-Control-Request-Method": "POST",
			"Access-Control-Request-Headers": "apikey,authorization,content-type,x-client-info",
		}})
	}
	for _, path := range []string{"/functions/v1/sync-crm", "/v1/syncs", "/functions/v1/nothing"} {
		got := preflight(dashboard, path)
		require.Equal(t, http.StatusNoContent, got.StatusCode)
		require.Empty(t, got.body)
		require.Equal(t, dashboard, got.Header.Get("Access-Control-Allow-Origin"))
		require.Contains(t, got.Header.Values("Vary"), "Origin")
		require.Equal(t, "7200", got.Header.Get("Access-Control-Max-Age"))
		allowed := strings.Split(got.Header.Get("Access-Control-Allow-Headers"), ", ")
		for _, header := range []string{
			"authorization", "x-client-info", "apikey", "content-type", "x-region", "accept-profile", "content-profile", "prefer", "range", "x-retry-count",
		} {
			require.Contains(t, allowed, header)
		}
	}
	require.Equal(t, "GET, POST, OPTIONS", preflight(dashboard, "/functions/v1/sync-crm").Header.Get("Access-Control-Allow-Methods"))
	require.Contains(t, preflight(dashboard, "/v1/syncs").Header.Get("Access-Control-Allow-Methods"), "PATCH")

	for _, origin := range []string{"https://evil.example", "null", dashboard + ".evil.example", "http://app.example.com"} {
		got := preflight(origin, "/v1/syncs")
		require.Equal(t, http.StatusNoContent, got.StatusCode)
		require.Empty(t, got.Header.Get("Access-Control-Allow-Origin"), origin)
		require.Empty(t, got.Header.Get("Access-Control-Allow-Headers"), origin)
	}
}

func TestRefusalsAreReadableAcrossOrigins(t *testing.T) {
	t.Parallel()

	w := newWorld(t, func(o *api.Options) { o.AllowedOrigins = []string{"https://admin.example.com/"} })
	for _, origin := range []string{dashboard, "https://admin.example.com", "https://enlace.example.com"} {
		for _, path := range []string{"/v1/syncs", "/nothing", "/functions/v1/sync-crm"} {
			got := w.do(t, ask{path: path, header: map[string]string{"Origin": origin}})
			require.GreaterOrEqual(t, got.StatusCode, 400)
			require.Equal(t, origin, got.Header.Get("Access-Control-Allow-Origin"))
			require.Contains(t, got.Header.Get("Access-Control-Expose-Headers"), "Retry-After")
		}
	}
	require.Empty(t, w.do(t, ask{path: "/v1/syncs", header: map[string]string{"Origin": "https://evil.example"}}).Header.Get("Access-Control-Allow-Origin"))
}

// cookieOf is the session cookie of an answer.
func cookieOf(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	require.Len(t, a.Cookies(), 1, "%s", a.body)
	return a.Cookies()[0]
}

func TestBrowserSession(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	signIn := func(key string) answer {
		return w.do(t, ask{method: http.MethodPost, path: "/v1/session", body: `{"api_key":"` + key + `"}`, header: map[string]string{"Origin": "https://enlace.example.com"}})
	}
	got := signIn(w.key)
	require.Equal(t, http.StatusCreated, got.StatusCode, "%s", got.body)
	require.Equal(t, w.tenant.String(), got.text(t, "tenant_id"))
	cookie := cookieOf(t, got)
	require.True(t, cookie.HttpOnly)
	require.True(t, cookie.Secure, "PUBLIC_URL is https")
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.True(t, strings.HasPrefix(cookie.Name, "__Host-"))
	require.NotContains(t, string(got.body), cookie.Value)

	with := func(more map[string]string) map[string]string {
		header := map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}
		maps.Copy(header, more)
		return header
	}
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/v1/integrations", header: with(nil)}).StatusCode)

	start := func(more map[string]string) answer {
		return w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", body: `{"sync_type":"full"}`, header: with(more)})
	}
	for name, more := range map[string]map[string]string{
		"another site's form":         {"Origin": "https://evil.example"},
		"another site without origin": {"Sec-Fetch-Site": "cross-site"},
		"a sibling host":              {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
		"a sandboxed frame":           {"Origin": "null"},
	} {
		refused := start(more)
		require.Equal(t, http.StatusForbidden, refused.StatusCode, name)
		require.Equal(t, "forbidden", refused.text(t, "code"))
	}
	require.Zero(t, w.countRuns(t, w.integration))
	require.Equal(t, http.StatusAccepted, start(map[string]string{"Origin": "https://enlace.example.com"}).StatusCode)
	require.Equal(t, http.StatusAccepted, start(map[string]string{"Origin": dashboard, "Sec-Fetch-Site": "same-site"}).StatusCode)

	// a header that says who calls is not helped by the cookie
	require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/v1/me", header: with(map[string]string{"Authorization": "Bearer enlace_wrong"})}).StatusCode)

	out := w.do(t, ask{method: http.MethodDelete, path: "/v1/session", header: with(map[string]string{"Origin": "https://enlace.example.com"})})
	require.Equal(t, http.StatusNoContent, out.StatusCode)
	require.Negative(t, cookieOf(t, out).MaxAge)
	require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/v1/me", header: with(nil)}).StatusCode)

	require.Equal(t, http.StatusUnauthorized, signIn("enlace_wrong").StatusCode)
	require.Equal(t, http.StatusUnauthorized, signIn(userToken(t, w.tenant.String(), nil)).StatusCode)
	require.True(t, signIn(adminKey).json(t)["admin"].(bool))
}

func TestSessionEndsWithItsKeyAndItsTime(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	open := func() map[string]string {
		cookie := cookieOf(t, w.do(t, ask{method: http.MethodPost, path: "/v1/session", body: `{"api_key":"` + w.key + `"}`}))
		return map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}
	}
	first, second := open(), open()
	_, err := w.pool.Exec(t.Context(), `UPDATE sessions SET expires_at = now() - interval '1 s' WHERE id_hash = (SELECT id_hash FROM sessions ORDER BY created_at LIMIT 1)`)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/v1/me", header: first}).StatusCode)
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/v1/me", header: second}).StatusCode)

	keys := w.do(t, ask{path: "/v1/api-keys", key: w.key}).json(t)["items"].([]any)
	require.Len(t, keys, 1)
	revoked := w.do(t, ask{method: http.MethodDelete, path: "/v1/api-keys/" + keys[0].(map[string]any)["id"].(string), key: w.key})
	require.Equal(t, http.StatusOK, revoked.StatusCode, "%s", revoked.body)
	require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/v1/me", header: second}).StatusCode)
	require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/v1/me", key: w.key}).StatusCode)
}

func TestDemoIsForThisMachineInDev(t *testing.T) {
	t.Parallel()

	dev := newWorld(t, inDev)
	enter := func(header map[string]string) answer {
		return dev.do(t, ask{method: http.MethodPost, path: "/v1/session/demo", header: header})
	}
	got := enter(nil)
	require.Equal(t, http.StatusCreated, got.StatusCode, "%s", got.body)
	require.Equal(t, exampleTenant, got.text(t, "tenant_id"))
	require.False(t, cookieOf(t, got).Secure, "there is no https here")
	header := map[string]string{"Cookie": cookieOf(t, got).Name + "=" + cookieOf(t, got).Value}
	require.Equal(t, http.StatusOK, dev.do(t, ask{path: "/metrics", header: header}).StatusCode, "the demo is an admin")

	require.Equal(t, http.StatusForbidden, enter(map[string]string{"Origin": "https://evil.example"}).StatusCode)
	require.Equal(t, http.StatusNotFound, enter(map[string]string{"X-Forwarded-For": "203.0.113.9"}).StatusCode)
	demo := func(host string) int { return dev.asHost(t, host, http.MethodPost, "/v1/session/demo", "") }
	require.Equal(t, http.StatusNotFound, demo("rebound.example:8080"))
	require.Equal(t, http.StatusCreated, demo("localhost:8080"))
	require.Equal(t, http.StatusCreated, demo("[::1]:8080"))

	production := newWorld(t)
	require.Equal(t, http.StatusNotFound, production.do(t, ask{method: http.MethodPost, path: "/v1/session/demo"}).StatusCode)
}

// devKey is what everybody may know.
const devKey = "enlace_test_dev_key"

func inDev(o *api.Options) {
	o.Dev, o.DemoTenant, o.DevKey, o.PublicURL = true, exampleTenant, devKey, "http://127.0.0.1:8080"
}

func TestTheDevKeyIsForThisMachineInDev(t *testing.T) {
	t.Parallel()

	dev := newWorld(t, inDev)
	me := dev.do(t, ask{path: "/v1/me", key: devKey})
	require.Equal(t, http.StatusOK, me.StatusCode, "%s", me.body)
	require.Equal(t, exampleTenant, me.text(t, "tenant_id"))
	require.Equal(t, true, me.json(t)["admin"])
	for _, wrong := range []string{devKey + "x", devKey[:len(devKey)-1], "enlace_"} {
		require.Equal(t, http.StatusUnauthorized, dev.do(t, ask{path: "/v1/me", key: wrong}).StatusCode, wrong)
	}
	var stored int
	require.NoError(t, dev.pool.QueryRow(t.Context(), `SELECT count(*) FROM api_keys WHERE tenant_id = $1`, exampleTenant).Scan(&stored))
	require.Zero(t, stored)

	// a page elsewhere whose name was made to point here knows the key too
	for host, want := range map[string]int{
		"rebound.example:8080": http.StatusNotFound, "rebound.example": http.StatusNotFound, "127.0.0.1.rebound.example": http.StatusNotFound,
		"localhost:8080": http.StatusOK, "127.0.0.1:8080": http.StatusOK, "[::1]:8080": http.StatusOK,
	} {
		for _, path := range []string{"/v1/me", "/v1/integrations", "/healthz", "/"} {
			require.Equal(t, want, dev.asHost(t, host, http.MethodGet, path, devKey), "%s%s", host, path)
		}
	}
	require.Equal(t, http.StatusNotFound, dev.do(t, ask{path: "/v1/me", key: devKey, header: map[string]string{"X-Forwarded-For": "203.0.113.9"}}).StatusCode)

	production := newWorld(t, func(o *api.Options) { o.DemoTenant, o.DevKey = exampleTenant, devKey })
	require.Equal(t, http.StatusUnauthorized, production.do(t, ask{path: "/v1/me", key: devKey}).StatusCode)
	require.Equal(t, http.StatusOK, production.asHost(t, "enlace.example.com", http.MethodGet, "/v1/me", production.key))
	unset := newWorld(t, func(o *api.Options) { inDev(o); o.DevKey = "" })
	require.Equal(t, http.StatusUnauthorized, unset.do(t, ask{path: "/v1/me", key: devKey}).StatusCode)
}

// asHost asks under another name than the address that it goes to.
func (w *world) asHost(t *testing.T, host, method, path, key string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.http.URL+path, http.NoBody)
	require.NoError(t, err)
	req.Host = host
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	got := w.do(t, ask{method: http.MethodPost, path: "/v1/api-keys", key: w.key, body: `{"name":"CI"}`})
	require.Equal(t, http.StatusCreated, got.StatusCode, "%s", got.body)
	key := got.text(t, "key")
	require.True(t, strings.HasPrefix(key, "enlace_"))
	require.True(t, strings.HasPrefix(key, got.text(t, "prefix")))
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/v1/me", key: key}).StatusCode)
	listed := w.do(t, ask{path: "/v1/api-keys", key: w.key})
	require.NotContains(t, string(listed.body), key, "it is shown once")
	require.Len(t, listed.json(t)["items"], 2)
	var stored int
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM api_keys k WHERE k::text LIKE '%' || $1 || '%'`, key).Scan(&stored))
	require.Zero(t, stored, "only the hash is kept")

	require.Equal(t, http.StatusForbidden, w.do(t, ask{method: http.MethodPost, path: "/v1/api-keys", key: w.key, body: `{"name":"all","admin":true}`}).StatusCode)
	require.Equal(t, http.StatusUnprocessableEntity, w.do(t, ask{method: http.MethodPost, path: "/v1/api-keys", key: adminKey, body: `{"name":"whose"}`}).StatusCode)
	admin := w.do(t, ask{
		method: http.MethodPost, path: "/v1/api-keys", key: adminKey, body: `{"name":"all","admin":true}`, header: map[string]string{"X-Enlace-Tenant": w.tenant.String()},
	})
	require.Equal(t, http.StatusCreated, admin.StatusCode, "%s", admin.body)
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/metrics", key: admin.text(t, "key")}).StatusCode)

	var notes int
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_log WHERE action = 'key.create' AND tenant_id = $1`, w.tenant).Scan(&notes))
	require.Equal(t, 2, notes)
	require.NotEqual(t, uuid.Nil, w.tenant)
}

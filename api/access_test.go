package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
)

// openRoutes are all that anybody may reach. Whoever adds one adds it here, where a reviewer sees it.
var openRoutes = []string{ //nolint:gochecknoglobals // a constant list
	"GET /{$}", "GET /assets/", "GET /openapi.json", "GET /docs", "GET /healthz", "GET /readyz", "POST /v1/session", "DELETE /v1/session",
}

// signedRoutes prove who speaks by themselves: a state, a one-time token, a signature.
var signedRoutes = []string{ //nolint:gochecknoglobals // a constant list
	"GET /functions/v1/initiate-oauth", "GET /functions/v1/oauth-callback", "DELETE /functions/v1/oauth-callback",
	"POST /webhooks/{provider}", "POST /webhooks/{provider}/{channel}",
	"GET /v1/oauth/initiate", "GET /v1/oauth/callback", "DELETE /v1/oauth/callback",
}

// concrete is a path that a pattern matches.
func concrete(pattern string) string {
	path := strings.NewReplacer("{id}", uuid.NewString(), "{provider}", "pipedrive", "{channel}", uuid.NewString(), "{$}", "").Replace(pattern)
	switch path {
	case "/riverui/":
		return "/riverui/api/jobs"
	case "/sandbox/":
		return "/sandbox/control/pipedrive"
	}
	return path
}

// Default deny: every route has a rule, the open ones are those of the list, and whoever isn't known gets no further.
func TestEveryRouteHasARule(t *testing.T) {
	t.Parallel()

	w := newWorld(t, func(o *api.Options) {
		o.Dev, o.DemoTenant = true, exampleTenant
		o.Sandbox = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	})
	routes := w.server.Routes()
	require.Greater(t, len(routes), 25)
	for _, r := range routes {
		name := strings.TrimSpace(r.Method + " " + r.Path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			methods := []string{r.Method}
			if r.Method == "" {
				methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
			}
			for _, method := range methods {
				path := concrete(r.Path)
				nobody := w.do(t, ask{method: method, path: path})
				switch r.Access {
				case "open":
					require.Contains(t, openRoutes, name)
				case "signed":
					require.Contains(t, signedRoutes, name)
				case "loopback":
					require.NotEqual(t, http.StatusUnauthorized, nobody.StatusCode, "we are this machine")
					require.NotEqual(t, http.StatusNotFound, nobody.StatusCode)
					foreign := w.do(t, ask{method: method, path: path, header: map[string]string{"X-Forwarded-For": "203.0.113.9"}})
					require.Equal(t, http.StatusNotFound, foreign.StatusCode)
				case "admin":
					require.Equal(t, http.StatusUnauthorized, nobody.StatusCode)
					require.Equal(t, "unauthorized", nobody.text(t, "code"))
					tenant := w.do(t, ask{method: method, path: path, key: w.otherKey})
					require.Equal(t, http.StatusForbidden, tenant.StatusCode)
					require.Equal(t, "forbidden", tenant.text(t, "code"))
				case "tenant":
					require.Equal(t, http.StatusUnauthorized, nobody.StatusCode)
					require.Equal(t, "unauthorized", nobody.text(t, "code"))
					require.NotEmpty(t, nobody.Header.Get("Www-Authenticate"))
				default:
					require.Fail(t, "no rule", "%s: %s", name, r.Access)
				}
			}
		})
	}
}

const exampleTenant = "00000000-0000-4000-8000-000000000001"

func TestARouteWithoutARuleIsRefused(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	require.ErrorContains(t, w.server.MountUnruled("/forgotten", h), "no access rule")
	require.Equal(t, http.StatusNotFound, w.do(t, ask{path: "/forgotten", key: adminKey}).StatusCode)
}

// A foreign id is a 404, whatever is done to it (DESIGN §4.17), and nothing of it changes.
func TestForeignIDsAreNotFound(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	started := w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.theirs.String() + "/syncs", key: w.otherKey, body: `{"sync_type":"full"}`})
	require.Equal(t, http.StatusAccepted, started.StatusCode)
	theirKeys := w.do(t, ask{path: "/v1/api-keys", key: w.otherKey}).json(t)["items"].([]any)
	theirKey := theirKeys[0].(map[string]any)["id"].(string)
	run, integration := "/v1/syncs/"+started.text(t, "id"), "/v1/integrations/"+w.theirs.String()

	for name, a := range map[string]ask{
		"read an integration":    {path: integration},
		"change one":             {method: http.MethodPatch, path: integration, body: `{"paused":true}`},
		"disconnect one":         {method: http.MethodDelete, path: integration},
		"check one":              {method: http.MethodPost, path: integration + "/check"},
		"start a sync":           {method: http.MethodPost, path: integration + "/syncs", body: `{"sync_type":"full"}`},
		"start one as before":    {method: http.MethodPost, path: "/functions/v1/sync-crm", body: `{"integration_id":"` + w.theirs.String() + `","sync_type":"full"}`},
		"read a run":             {path: run},
		"cancel one":             {method: http.MethodPost, path: run + "/cancel"},
		"retry one":              {method: http.MethodPost, path: run + "/retry"},
		"read a run's failures":  {path: run + "/failures"},
		"revoke a key":           {method: http.MethodDelete, path: "/v1/api-keys/" + theirKey},
		"reach it by a jwt, too": {path: integration, header: map[string]string{"Authorization": "Bearer " + userToken(t, w.tenant.String(), nil)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if a.header == nil {
				a.key = w.key
			}
			got := w.do(t, a)
			require.Equal(t, http.StatusNotFound, got.StatusCode, "%s", got.body)
			require.Equal(t, "not_found", got.text(t, "code"))
		})
	}
	for path, member := range map[string]string{
		"/v1/integrations": w.theirs.String(), "/v1/syncs": started.text(t, "id"), "/v1/api-keys": theirKey, "/v1/contacts": w.theirs.String(), "/v1/incidents": w.theirs.String(),
	} {
		got := w.do(t, ask{path: path, key: w.key})
		require.Equal(t, http.StatusOK, got.StatusCode, "%s: %s", path, w.log)
		require.NotContains(t, string(got.body), member, path)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	for _, path := range []string{"/nothing", "/v1/nothing", "/v1//syncs", "/v1/syncs/", "/functions/v1/../v1/syncs", "/functions/v1/nothing", "/assets/none.js", "/assets/../etc/passwd"} {
		got := w.do(t, ask{path: path})
		require.Equal(t, http.StatusNotFound, got.StatusCode, "%s: %s", path, got.body)
		require.Equal(t, "not_found", got.text(t, "code"))
		if strings.HasPrefix(path, "/functions/v1/nothing") {
			require.Equal(t, "application/json", got.Header.Get("Content-Type"))
		}
	}
	got := w.do(t, ask{method: http.MethodPut, path: "/v1/syncs"})
	require.Equal(t, http.StatusMethodNotAllowed, got.StatusCode)
	require.Equal(t, "GET, HEAD", got.Header.Get("Allow"))
	require.Equal(t, "application/problem+json", got.Header.Get("Content-Type"))
	got = w.do(t, ask{method: http.MethodGet, path: "/functions/v1/sync-crm", key: w.key})
	require.Equal(t, http.StatusMethodNotAllowed, got.StatusCode)
	require.Equal(t, "POST", got.Header.Get("Allow"))
}

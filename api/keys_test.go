package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A key that reaches every tenant is no tenant's own, even if it was made for one.
func TestATenantNeitherSeesNorRevokesAdminKeys(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	actFor := map[string]string{"X-Enlace-Tenant": w.tenant.String()}
	made := w.do(t, ask{method: http.MethodPost, path: "/v1/api-keys", key: adminKey, body: `{"name":"all","admin":true}`, header: actFor})
	require.Equal(t, http.StatusCreated, made.StatusCode, "%s", made.body)
	path := "/v1/api-keys/" + made.text(t, "id")
	listed := func(key string, header map[string]string) int {
		items, ok := w.do(t, ask{path: "/v1/api-keys", key: key, header: header}).json(t)["items"].([]any)
		require.True(t, ok)
		return len(items)
	}
	require.Equal(t, 1, listed(w.key, nil), "its own")
	require.Equal(t, 2, listed(adminKey, actFor))
	require.Equal(t, 2, listed(made.text(t, "key"), nil))
	require.Equal(t, 3, listed(adminKey, nil))
	require.Equal(t, http.StatusNotFound, w.do(t, ask{method: http.MethodDelete, path: path, key: w.key}).StatusCode)
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/v1/me", key: made.text(t, "key")}).StatusCode)
	require.Equal(t, http.StatusOK, w.do(t, ask{method: http.MethodDelete, path: path, key: adminKey, header: actFor}).StatusCode)
}

// What is shown once isn't stored for the sake of a repeated request; the repeated request makes no second one.
func TestASecretIsMadeOncePerIdempotencyKey(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, nil)
	for path, body := range map[string]string{"/v1/api-keys": `{"name":"CI"}`, "/v1/connect-sessions": `{"provider":"pipedrive"}`} {
		post := func() (int, map[string]any) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.base+path, strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+w.key)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", path)
			resp, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			var got map[string]any
			require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
			return resp.StatusCode, got
		}
		status, got := post()
		require.Equal(t, http.StatusCreated, status, "%v", got)
		status, got = post()
		require.Equal(t, http.StatusConflict, status, "%v", got)
		require.NotEmpty(t, got["hint"])
	}
	require.Equal(t, 2, connectRow[int](t, w, `SELECT count(*) FROM api_keys`))
	require.Equal(t, 1, connectRow[int](t, w, `SELECT count(*) FROM connect_sessions`))
	require.Equal(t, 2, connectRow[int](t, w, `SELECT count(*) FROM idempotency_keys WHERE status = 201 AND body IS NULL`))
}

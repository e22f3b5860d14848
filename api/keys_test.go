package api_test

import (
	"net/http"
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

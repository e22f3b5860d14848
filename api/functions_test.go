package api_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// What supabase-js sends, and what it can read of an answer (STACK §2).
func TestSyncCRM(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	token := userToken(t, w.tenant.String(), nil)
	body := `{"integration_id":"` + w.integration.String() + `","sync_type":"full"}`
	supabase := func(contentType string) map[string]string {
		return map[string]string{
			"Authorization": "Bearer " + token, "apikey": "sb_publishable_x", "x-client-info": "supabase-js/2.109.0; runtime=web",
			"Content-Type": contentType, "Origin": dashboard, "Accept": "*/*",
		}
	}
	for name, c := range map[string]struct {
		body, contentType, key string
		status                 int
		code                   string
	}{
		"an object":                   {body: body, contentType: "application/json", status: 202},
		"a string":                    {body: body, contentType: "text/plain;charset=UTF-8", status: 202},
		"a blob":                      {body: body, contentType: "application/octet-stream", status: 202},
		"more members than we know":   {body: `{"force":true,"tenant_id":"x",` + body[1:], contentType: "application/json", status: 202},
		"URLSearchParams, sent as {}": {body: `{}`, contentType: "application/json", status: 422, code: "validation_failed"},
		"nothing":                     {contentType: "application/json", status: 400, code: "validation_failed"},
		"text":                        {body: "full please", contentType: "text/plain", status: 400, code: "validation_failed"},
		"an unknown integration":      {body: `{"integration_id":"` + uuid.NewString() + `","sync_type":"full"}`, contentType: "application/json", status: 404, code: "not_found"},
		"no id":                       {body: `{"integration_id":"7","sync_type":"full"}`, contentType: "application/json", status: 404, code: "not_found"},
		"an unknown kind":             {body: `{"integration_id":"` + w.integration.String() + `","sync_type":"everything"}`, contentType: "application/json", status: 422, code: "validation_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := w.do(t, ask{method: http.MethodPost, path: "/functions/v1/sync-crm?forceFunctionRegion=eu", body: c.body, header: supabase(c.contentType)})
			require.Equal(t, c.status, got.StatusCode, "%s", got.body)
			require.Equal(t, "application/json", got.Header.Get("Content-Type"), "supabase-js reads no other")
			require.Equal(t, dashboard, got.Header.Get("Access-Control-Allow-Origin"))
			require.Empty(t, got.Header.Get("X-Relay-Error"))
			if c.status == http.StatusAccepted {
				require.Equal(t, w.integration.String(), got.text(t, "integration_id"))
				require.Equal(t, "pending", got.text(t, "status"))
				return
			}
			require.Equal(t, c.code, got.text(t, "code"))
			require.NotEmpty(t, got.text(t, "error"))
		})
	}
}

func TestRefusalsOfFunctionsAreJSON(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	for name, a := range map[string]ask{
		"nobody":              {method: http.MethodPost, path: "/functions/v1/sync-crm"},
		"the publishable key": {method: http.MethodPost, path: "/functions/v1/sync-crm", key: "sb_publishable_x"},
		"no such function":    {method: http.MethodPost, path: "/functions/v1/sync-erp", key: w.key},
		"the wrong method":    {method: http.MethodDelete, path: "/functions/v1/sync-crm", key: w.key},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := w.do(t, a)
			require.GreaterOrEqual(t, got.StatusCode, 400)
			require.Equal(t, "application/json", got.Header.Get("Content-Type"))
			require.NotEmpty(t, got.text(t, "error"))
		})
	}
}

package api_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
)

const (
	encryptionKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	adminKey      = "an-admin-key-of-the-tests"
	dashboard     = "https://app.example.com"
)

// world is a server on a database of its own, with two tenants, each with a key.
type world struct {
	pool   *pgxpool.Pool
	store  *store.Store
	jobs   *jobs.Client
	vault  *vault.Vault
	server *api.Server
	http   *httptest.Server
	log    *connectLog

	document *document

	tenant, other       uuid.UUID
	key, otherKey       string
	integration, theirs uuid.UUID
}

// newWorld makes a world; change may alter the server's options.
func newWorld(t *testing.T, change ...func(*api.Options)) *world {
	t.Helper()

	w := &world{pool: storetest.Pool(t), tenant: uuid.New(), other: uuid.New(), log: &connectLog{}}
	w.store = store.New(w.pool)
	client, err := jobs.InsertOnly(riverpgxv5.New(w.pool), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	w.jobs = jobs.New(client, w.store)
	keys, err := vault.NewKeyring(encryptionKey)
	require.NoError(t, err)
	list := []*providers.Provider{{Name: "pipedrive", Title: "Pipedrive", Kind: providers.CRM}}
	w.vault = vault.New(w.store, keys, list, vault.Options{})

	o := api.Options{
		Store: w.store, Jobs: w.jobs, Vault: w.vault, Providers: list, Log: zerolog.New(w.log),
		PublicURL: "https://enlace.example.com", DashboardURL: dashboard + "/settings", AdminKey: adminKey,
		JWT: api.JWTConfig{Secret: jwtSecret, Issuer: "https://project.supabase.co"},
	}
	for _, c := range change {
		c(&o)
	}
	w.server, err = api.New(o)
	require.NoError(t, err)
	require.NoError(t, w.server.Start(t.Context()))
	w.document = readDocument(t, w.server.Handler())
	w.http = httptest.NewServer(w.server.Handler())
	t.Cleanup(func() {
		w.server.Close()
		w.http.CloseClientConnections()
		w.http.Close()
		require.NoError(t, w.vault.Close(context.Background()))
	})

	w.key, w.otherKey = w.newKey(t, w.tenant), w.newKey(t, w.other)
	w.integration, w.theirs = w.connect(t, w.tenant, "Nordlicht GmbH"), w.connect(t, w.other, "Sur S. A.")
	return w
}

func (w *world) newKey(t *testing.T, tenant uuid.UUID) string {
	t.Helper()
	key := store.NewKey()
	_, err := w.store.CreateAPIKey(t.Context(), store.NewAPIKey{TenantID: tenant, Name: "test", Key: key})
	require.NoError(t, err)
	return key
}

// connect makes an integration with tokens that hold for an hour.
func (w *world) connect(t *testing.T, tenant uuid.UUID, name string) uuid.UUID {
	t.Helper()
	id, _, err := w.vault.StoreGrant(t.Context(), vault.Connection{
		TenantID: tenant, Provider: "pipedrive", Identity: providers.Identity{ExternalID: uuid.NewString(), Name: name},
		Grant: providers.Grant{AccessToken: "access", RefreshToken: "refresh", ExpiresAt: time.Now().Add(time.Hour)},
	})
	require.NoError(t, err)
	return id
}

// ask is a request of a test.
type ask struct {
	method, path string
	body         string
	key          string            // as a bearer token
	header       map[string]string // further ones
}

// answer is what came, read whole.
type answer struct {
	*http.Response

	body []byte
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(a.body, &v), "body: %s", a.body)
	return v
}

func (a answer) text(t *testing.T, member string) string {
	t.Helper()
	v, ok := a.json(t)[member].(string)
	require.True(t, ok, "%s of %s", member, a.body)
	return v
}

func (w *world) do(t *testing.T, a ask) answer {
	t.Helper()
	resp := w.open(t, a)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	w.document.check(t, resp, body)
	return answer{resp, body}
}

// open sends a request and leaves its body to be read.
func (w *world) open(t *testing.T, a ask) *http.Response {
	t.Helper()
	method := a.method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.http.URL+a.path, strings.NewReader(a.body))
	require.NoError(t, err)
	if a.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.key != "" {
		req.Header.Set("Authorization", "Bearer "+a.key)
	}
	for name, value := range a.header {
		if value == "" {
			req.Header.Del(name)
			continue
		}
		req.Header.Set(name, value)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(t, err)
	return resp
}

// countRuns counts the runs of an integration.
func (w *world) countRuns(t *testing.T, integration uuid.UUID) (n int) {
	t.Helper()
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM integration_sync_logs WHERE integration_id = $1`, integration).Scan(&n))
	return n
}

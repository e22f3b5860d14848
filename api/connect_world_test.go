package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
	"example.com/enlace/worker"
)

// connectDashboard is where people are sent after a consent. Nothing answers there: a browser stops before it.
const connectDashboard = "https://dashboard.example/app?lang=es"

const connectKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// connectWorld is a server and a sandbox between which browsers go to and fro. Its worker has yet to start.
type connectWorld struct {
	pool    *pgxpool.Pool
	store   *store.Store
	vault   *vault.Vault
	worker  *worker.Worker
	fake    *sandbox.Pipedrive
	sandbox *httptest.Server
	server  *api.Server
	base    string // its address
	tenant  uuid.UUID
	key     string // an API key of the tenant
	log     *connectLog
}

// connectLog is what the server has logged.
type connectLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *connectLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *connectLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newConnectWorld(t *testing.T, change func(*api.Options)) *connectWorld {
	t.Helper()
	w := &connectWorld{pool: storetest.Pool(t), tenant: uuid.New(), log: &connectLog{}}
	w.store = store.New(w.pool)
	w.key = w.newKey(t, w.tenant)

	fakes := sandbox.New(sandbox.Config{Contacts: 3})
	w.fake = fakes.Pipedrive()
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.AutoConsent = true }))
	w.sandbox = httptest.NewServer(fakes.Handler())
	t.Cleanup(w.sandbox.Close)
	t.Cleanup(fakes.Close)
	fakes.SetBaseURL(w.sandbox.URL)

	base := w.sandbox.URL + "/sandbox/pipedrive"
	list := []*providers.Provider{pipedrive.New(pipedrive.Config{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret, AuthBaseURL: base, APIBaseURL: base,
		TokenClient: &http.Client{}, Timeout: 10 * time.Second,
	})}
	keys, err := vault.NewKeyring(connectKey)
	require.NoError(t, err)
	log := zerolog.New(w.log)
	w.vault = vault.New(w.store, keys, list, vault.Options{Log: log, Revoke: time.Second})
	t.Cleanup(func() { require.NoError(t, w.vault.Close(context.Background())) })
	server := httptest.NewUnstartedServer(nil)
	w.base = "http://" + server.Listener.Addr().String()
	w.worker, err = worker.New(worker.Options{
		Driver: riverpgxv5.New(w.pool), Store: w.store, Vault: w.vault, Providers: list, Log: zerolog.Nop(), PublicURL: w.base,
		Spans: worker.Spans{Settle: 500 * time.Millisecond, Patience: 3 * time.Second, Flood: time.Second, Subscribe: 200 * time.Millisecond},
	})
	require.NoError(t, err)

	options := api.Options{
		Store: w.store, Jobs: w.worker.Jobs(), Vault: w.vault, Providers: list, Known: []string{"zoho"}, Log: log, PublicURL: w.base, DashboardURL: connectDashboard,
		AdminKey: "an admin key of a test",
	}
	if change != nil {
		change(&options)
	}
	w.server, err = api.New(options)
	require.NoError(t, err)
	server.Config.Handler = w.server.Handler()
	server.Start()
	t.Cleanup(server.Close)
	return w
}

func (w *connectWorld) newKey(t *testing.T, tenant uuid.UUID) string {
	t.Helper()
	key := store.NewKey()
	_, err := w.store.CreateAPIKey(t.Context(), store.NewAPIKey{TenantID: tenant, Name: "test", Key: key})
	require.NoError(t, err)
	return key
}

// browser has cookies of its own, and goes wherever it is sent but to the dashboard.
func (w *connectWorld) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), w.base) || strings.HasPrefix(r.URL.String(), w.sandbox.URL) {
			return nil
		}
		return http.ErrUseLastResponse
	}}
}

// signIn opens a session for a tenant's key.
func (w *connectWorld) signIn(t *testing.T, browser *http.Client, key string) {
	t.Helper()
	status, _ := w.call(t, browser, http.MethodPost, "/v1/session", "", map[string]string{"api_key": key})
	require.Equal(t, http.StatusCreated, status)
}

// call is a request with a JSON body, or none.
func (w *connectWorld) call(t *testing.T, client *http.Client, method, path, key string, body any) (int, map[string]any) {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, w.base+path, bytes.NewReader(raw))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	var answer map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return resp.StatusCode, answer
}

// connectURL is the address of a new connect session.
func (w *connectWorld) connectURL(t *testing.T, body map[string]string) string {
	t.Helper()
	status, answer := w.call(t, http.DefaultClient, http.MethodPost, "/v1/connect-sessions", w.key, body)
	require.Equal(t, http.StatusCreated, status, "%v", answer)
	return answer["url"].(string)
}

// visit is where a navigation ended.
type visit struct {
	status int
	header http.Header
	body   string
}

// get reads a page, wherever redirects lead.
func (w *connectWorld) get(t *testing.T, browser *http.Client, address string) visit {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	resp, err := browser.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return visit{resp.StatusCode, resp.Header, string(body)}
}

// landed is what the dashboard is told when a browser comes to it.
func (w *connectWorld) landed(t *testing.T, browser *http.Client, address string) url.Values {
	t.Helper()
	got := w.get(t, browser, address)
	require.Equal(t, http.StatusSeeOther, got.status, got.body)
	require.Equal(t, "no-referrer", got.header.Get("Referrer-Policy"))
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	target := parsed(t, got.header.Get("Location"))
	require.Equal(t, "https://dashboard.example/app", target.Scheme+"://"+target.Host+target.Path)
	query := target.Query()
	require.Equal(t, "es", query.Get("lang"), "DASHBOARD_URL's own query stays")
	query.Del("lang")
	return query
}

// consent begins one and stops before the provider's page, whose address it returns with the state in it.
func (w *connectWorld) consent(t *testing.T, browser *http.Client, address string) (page *url.URL, state string) {
	t.Helper()
	stopped := *browser
	stopped.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	got := w.get(t, &stopped, address)
	require.Equal(t, http.StatusSeeOther, got.status, got.body)
	page = parsed(t, got.header.Get("Location"))
	require.Equal(t, w.sandbox.URL+"/sandbox/pipedrive/oauth/authorize", page.Scheme+"://"+page.Host+page.Path)
	require.Equal(t, w.base+"/functions/v1/oauth-callback", page.Query().Get("redirect_uri"))
	return page, page.Query().Get("state")
}

// allowed is the address that the provider sends the browser back to once the person has said yes.
func (w *connectWorld) allowed(t *testing.T, page *url.URL) string {
	t.Helper()
	got := w.get(t, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, page.String())
	require.Equal(t, http.StatusFound, got.status, got.body)
	return got.header.Get("Location")
}

func (w *connectWorld) callbackURL(query url.Values) string {
	return w.base + "/functions/v1/oauth-callback?" + query.Encode()
}

func connectRow[T any](t *testing.T, w *connectWorld, sql string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, w.pool.QueryRow(t.Context(), sql, args...).Scan(&v), sql)
	return v
}

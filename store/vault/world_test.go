package vault_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
)

// host is a token host that uses each refresh token up, and an API that knows only the newest access token.
type host struct {
	*httptest.Server

	mu        sync.Mutex
	refresh   string // accepted
	access    string // accepted
	n         int
	exchanges int
	inside    int
	most      int // at once
	requests  int // of the API
	revoked   []string

	// before acts on the nth exchange before its token is looked at, and after on its answer before it is sent. A status
	// other than 0 is the answer.
	before func(n int) (status int, body string)
	after  func(n int)
	gate   func() // of the API
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{refresh: "r0", access: "a0"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", h.exchange)
	mux.HandleFunc("POST /oauth/revoke", h.revoke)
	mux.HandleFunc("/api/", h.api)
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

func (h *host) exchange(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.exchanges++
	n := h.exchanges
	h.inside++
	h.most = max(h.most, h.inside)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.inside--
		h.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "application/json")
	if h.before != nil {
		if status, body := h.before(n); status != 0 {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
	}
	answer, ok := h.rotate(r.PostFormValue("refresh_token"))
	if h.after != nil {
		h.after(n)
	}
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = w.Write([]byte(answer))
}

const invalidGrant = `{"success":false,"message":"Invalid grant: refresh_token is invalid","error":"invalid_grant"}`

func (h *host) rotate(refresh string) (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if refresh != h.refresh {
		return invalidGrant, false
	}
	h.n++
	h.refresh, h.access = fmt.Sprintf("r%d", h.n), fmt.Sprintf("a%d", h.n)
	return fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3599,"refresh_token":%q,"scope":"base,contacts:read","api_domain":%q}`,
		h.access, h.refresh, h.URL+"/moved"), true
}

func (h *host) revoke(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revoked = append(h.revoked, r.PostFormValue("token"))
	if h.before != nil {
		status, _ := h.before(len(h.revoked))
		w.WriteHeader(status)
	}
}

func (h *host) api(w http.ResponseWriter, r *http.Request) {
	if h.gate != nil {
		h.gate()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	if r.Header.Get("Authorization") != "Bearer "+h.access {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodPost && r.URL.Path == "/api/echo" {
		_, _ = io.Copy(w, r.Body)
		return
	}
	_, _ = w.Write([]byte("{}"))
}

// count reads a counter of the host.
func (h *host) count(which *int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return *which
}

// world is a database with integrations, the host that gave them their tokens, and a vault.
type world struct {
	pool  *pgxpool.Pool
	store *store.Store
	host  *host
	keys  *vault.Keyring
	vault *vault.Vault
}

// quick are spans that a busy machine keeps, and that a test may wait for.
var quick = vault.Options{
	Lease: 10 * time.Second, Wait: 8 * time.Second, Exchange: 20 * time.Second, Doubt: 500 * time.Millisecond,
	Rest: 10 * time.Second, Poll: 20 * time.Millisecond,
}

// hasty gives the token host next to no time.
func hasty() vault.Options {
	opts := quick
	opts.Wait = 100 * time.Millisecond
	return opts
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{pool: storetest.Pool(t), host: newHost(t), keys: newKeyring(t, firstKey)}
	w.store = store.New(w.pool)
	w.vault = w.process(t, quick)
	return w
}

// process is a vault as another process has it.
func (w *world) process(t *testing.T, opts vault.Options) *vault.Vault {
	t.Helper()
	v := vault.New(w.store, w.keys, []*providers.Provider{w.provider(pipedrive.Config{ClientID: "id", ClientSecret: "secret"})}, opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		require.NoError(t, v.Close(ctx), "an exchange is still under way")
	})
	return v
}

func (w *world) provider(cfg pipedrive.Config) *providers.Provider {
	cfg.AuthBaseURL, cfg.APIBaseURL = w.host.URL, w.host.URL
	return pipedrive.New(cfg)
}

var testTenant = uuid.MustParse("00000000-0000-4000-8000-0000000000aa")

// integration has tokens of generation 1, of which the access token lives for so long.
func (w *world) integration(t *testing.T, lifetime time.Duration) uuid.UUID {
	t.Helper()
	id := uuid.New()
	w.exec(t, `INSERT INTO integrations (id, tenant_id, provider, external_account_id, access_token, refresh_token, token_generation, expires_at, api_domain)
		VALUES ($1::uuid, $2, 'pipedrive', $1::uuid::text, $3, $4, 1, now() + $5::interval, $6)`, id, testTenant,
		w.keys.Seal(id, vault.AccessToken, "a0"), w.keys.Seal(id, vault.RefreshToken, "r0"), lifetime, w.host.URL)
	return id
}

// run is an active run with a job.
func (w *world) run(t *testing.T, integration uuid.UUID) uuid.UUID {
	t.Helper()
	id := uuid.New()
	w.exec(t, `WITH job AS (INSERT INTO river.river_job (kind, args, queue, max_attempts) VALUES ('contacts_sync', '{}', 'sync', 25) RETURNING id)
		INSERT INTO integration_sync_logs (id, integration_id, sync_type, status, job_id) SELECT $1::uuid, $2::uuid, 'full', 'in_progress', id FROM job`, id, integration)
	return id
}

func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func one[T any](t *testing.T, w *world, sql string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, w.pool.QueryRow(t.Context(), sql, args...).Scan(&v), sql)
	return v
}

func (w *world) status(t *testing.T, id uuid.UUID) string {
	t.Helper()
	return one[string](t, w, `SELECT status FROM integrations WHERE id = $1`, id)
}

func (w *world) generation(t *testing.T, id uuid.UUID) int64 {
	t.Helper()
	return one[int64](t, w, `SELECT token_generation FROM integrations WHERE id = $1`, id)
}

// leave lets an earlier holder have left without a settled answer.
func (w *world) leave(t *testing.T, id uuid.UUID) {
	t.Helper()
	w.exec(t, `UPDATE integrations SET refresh_lease_until = now() - interval '1 minute' WHERE id = $1`, id)
}

// openIncidents are the codes of an integration's open incidents, with how often each was noted.
func (w *world) openIncidents(t *testing.T, id uuid.UUID) map[string]int {
	t.Helper()
	rows, err := w.pool.Query(t.Context(), `SELECT code, times FROM incidents WHERE integration_id = $1 AND closed_at IS NULL`, id)
	require.NoError(t, err)
	open := map[string]int{}
	for rows.Next() {
		var (
			code  string
			times int
		)
		require.NoError(t, rows.Scan(&code, &times))
		open[code] = times
	}
	require.NoError(t, rows.Err())
	return open
}

// answers counts what callers got: an access token, or the kind of an error.
func answers(n int, ask func(i int) (vault.Token, error)) map[string]int {
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		got = map[string]int{}
	)
	for i := range n {
		wg.Go(func() {
			token, err := ask(i)
			text := token.Access
			if err != nil {
				text = string(providers.KindOf(err))
			}
			mu.Lock()
			got[text]++
			mu.Unlock()
		})
	}
	wg.Wait()
	return got
}

func within(t *testing.T, claim func() bool, msg string) {
	t.Helper()
	require.Eventually(t, claim, 20*time.Second, 10*time.Millisecond, msg)
}

package worker_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
	"example.com/enlace/worker"
)

const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// world is a tenant with a connected account in a sandbox, and a worker that has yet to start.
type world struct {
	pool    *pgxpool.Pool
	store   *store.Store
	vault   *vault.Vault
	worker  *worker.Worker
	fake    *sandbox.Pipedrive
	sandbox *sandbox.Sandbox
	server  *httptest.Server
	company int
	tenant  uuid.UUID
	id      uuid.UUID // the integration
	spans   worker.Spans
	workers int // slices at a time; 0: the product's number
	list    []*providers.Provider
	public  string // PUBLIC_URL; empty: no provider notifies us
}

type worldOptions struct {
	contacts int
	spans    worker.Spans
	timeout  time.Duration // of a provider request
	now      func() time.Time
}

// newWorld makes a world of its own for a test.
func newWorld(t *testing.T, o worldOptions) *world {
	t.Helper()
	w := &world{pool: storetest.Pool(t), tenant: uuid.New(), spans: o.spans}
	w.sandbox = sandbox.New(sandbox.Config{Contacts: o.contacts, Now: o.now})
	w.fake = w.sandbox.Pipedrive()
	w.server = httptest.NewServer(w.sandbox.Handler())
	t.Cleanup(w.server.Close)
	t.Cleanup(w.sandbox.Close)
	w.sandbox.SetBaseURL(w.server.URL)
	w.company = w.fake.Companies()[0].ID
	base := w.server.URL + "/sandbox/pipedrive"
	w.list = []*providers.Provider{pipedrive.New(pipedrive.Config{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret, AuthBaseURL: base, APIBaseURL: base,
		Timeout: o.timeout, TokenClient: &http.Client{},
	})}
	keys, err := vault.NewKeyring(key)
	require.NoError(t, err)
	w.store = store.New(w.pool)
	w.vault = vault.New(w.store, keys, w.list, vault.Options{Log: zerolog.Nop(), Doubt: 100 * time.Millisecond, Rest: time.Millisecond, Echo: time.Millisecond})
	t.Cleanup(func() { _ = w.vault.Close(context.Background()) })
	w.worker = w.newWorker(t)
	w.id = w.connect(t, w.company)
	return w
}

func (w *world) newWorker(t *testing.T) *worker.Worker {
	t.Helper()
	spans := w.spans
	if spans.Backoff == 0 {
		spans.Backoff = 20 * time.Millisecond
	}
	log := zerolog.Nop()
	if os.Getenv("ENLACE_TEST_LOG") != "" {
		log = zerolog.New(zerolog.NewTestWriter(t))
	}
	made, err := worker.New(worker.Options{Driver: riverpgxv5.New(w.pool), Store: w.store, Vault: w.vault, Providers: w.list, Log: log, Spans: spans, PublicURL: w.public, Workers: w.workers})
	require.NoError(t, err)
	return made
}

// connect stores a grant of a company, as the consent would.
func (w *world) connect(t *testing.T, company int) uuid.UUID {
	t.Helper()
	return w.connectAs(t, company, "1")
}

// connectAs is connect by one of the company's users.
func (w *world) connectAs(t *testing.T, company int, user string) uuid.UUID {
	t.Helper()
	tokens := w.fake.IssueTokens(company)
	id, _, err := w.vault.StoreGrant(t.Context(), vault.Connection{
		TenantID: w.tenant, Provider: "pipedrive",
		Identity: providers.Identity{ExternalID: strconv.Itoa(company) + ":" + user, Name: "Company"},
		Grant: providers.Grant{
			AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, ExpiresAt: time.Now().Add(time.Hour), APIDomain: tokens.APIDomain,
		},
	})
	require.NoError(t, err)
	return id
}

func (w *world) start(t *testing.T) {
	t.Helper()
	require.NoError(t, w.worker.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, w.worker.Stop(ctx))
	})
}

// enqueue asks for a run.
func (w *world) enqueue(t *testing.T, kind string) store.Run {
	t.Helper()
	run, err := w.worker.Jobs().EnqueueSync(t.Context(), &w.tenant, w.id, store.NewRun{SyncType: kind, RequestedBy: "test"})
	require.NoError(t, err)
	return run
}

// sync runs one to its end.
func (w *world) sync(t *testing.T, kind string) store.Run {
	t.Helper()
	return w.ended(t, w.enqueue(t, kind).ID)
}

// ended waits for a run's end.
func (w *world) ended(t *testing.T, id uuid.UUID) store.Run {
	t.Helper()
	return w.until(t, id, func(r store.Run) bool { return !r.Active() })
}

// until waits for a run to be in some state.
func (w *world) until(t *testing.T, id uuid.UUID, in func(store.Run) bool) store.Run {
	t.Helper()
	var run store.Run
	require.Eventually(t, func() bool {
		var err error
		run, err = w.store.Run(context.Background(), nil, id)
		require.NoError(t, err)
		return in(run)
	}, 60*time.Second, 5*time.Millisecond, "run %s", id)
	return run
}

// person is what a stored contact and a person of the sandbox have in common.
type person struct{ Name, Updated string }

// requireEqual compares what is stored, tombstones apart, with what lives in the sandbox.
func (w *world) requireEqual(t *testing.T) {
	t.Helper()
	requireSameContacts(t, w.pool, w.id, living(t, w.fake, w.company))
}

// living are the persons of a company of the sandbox, by their ids.
func living(t *testing.T, fake *sandbox.Pipedrive, company int) map[string]person {
	t.Helper()
	list := make(map[string]person)
	for after := int64(0); ; {
		page, err := fake.Contacts(company, after, 1000)
		require.NoError(t, err)
		if len(page) == 0 {
			return list
		}
		for _, raw := range page {
			var p struct {
				ID         int64  `json:"id"`
				Name       string `json:"name"`
				UpdateTime string `json:"update_time"`
			}
			require.NoError(t, json.Unmarshal(raw, &p))
			list[strconv.FormatInt(p.ID, 10)] = person{providers.CleanText(p.Name), seconds(p.UpdateTime)}
			after = p.ID
		}
	}
}

// requireSameContacts compares an account's contacts, tombstones apart, with what lives at the provider.
func requireSameContacts(t *testing.T, pool *pgxpool.Pool, account uuid.UUID, want map[string]person) {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT external_id, name, remote_updated_at FROM contacts WHERE integration_id = $1 AND deleted_at IS NULL`, account)
	require.NoError(t, err)
	got := make(map[string]person)
	var id, name string
	var updated *time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &name, &updated}, func() error {
		p := person{Name: name}
		if updated != nil {
			p.Updated = updated.UTC().Format(time.RFC3339)
		}
		got[id] = p
		return nil
	})
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for id, p := range want {
		require.Equal(t, p, got[id], "contact %s", id)
	}
}

func seconds(s string) string {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// written is how the contacts' rows stand: it changes with each write of any of them.
func (w *world) written(t *testing.T) string {
	t.Helper()
	var s string
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) || ' rows, last ' || max(xmin::text::bigint) || ', ' || sum(hashtext(ctid::text)) FROM contacts`).Scan(&s))
	return s
}

// live counts the contacts that are no tombstones.
func (w *world) live(t *testing.T) int {
	t.Helper()
	n, err := w.store.LiveContacts(t.Context(), w.id)
	require.NoError(t, err)
	return int(n)
}

// incidents are the codes of the open ones.
func (w *world) incidents(t *testing.T) (codes []string) {
	t.Helper()
	open := true
	list, err := w.store.ListIncidents(t.Context(), &w.tenant, &w.id, &open, store.After{}, 100)
	require.NoError(t, err)
	for _, n := range list {
		codes = append(codes, n.Code)
	}
	return codes
}

package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
	"example.com/enlace/providers"
	"example.com/enlace/providers/hubspot"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/zoho"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
	"example.com/enlace/worker"
)

// crmFake is one connected account at a provider's fake.
type crmFake interface {
	provider(base string) *providers.Provider
	grant() (providers.Identity, providers.Grant)
	mutate(t *testing.T, m sandbox.Mutation)
	put(t *testing.T, n int64, name string) // stores a record of that number, stamped now
	purge(t *testing.T, n int64)            // takes a record away without a trace
	faults(faults ...sandbox.Fault) error
	living(t *testing.T) map[string]string // names by id
	id(n int64) string                     // of the record of a number
	lists() string                         // path of lists
	retired() sandbox.Kind                 // of a fault that is ours to mend
}

// crms are the fakes of all providers that have contacts.
func crms() map[string]func(t *testing.T, s *sandbox.Sandbox) crmFake {
	return map[string]func(t *testing.T, s *sandbox.Sandbox) crmFake{
		"pipedrive": func(t *testing.T, s *sandbox.Sandbox) crmFake {
			t.Helper()
			return &pipedriveFake{s.Pipedrive(), s.Pipedrive().Companies()[0].ID}
		},
		"zoho": func(t *testing.T, s *sandbox.Sandbox) crmFake {
			t.Helper()
			require.NoError(t, s.Zoho().Configure(func(z *sandbox.ZohoSettings) { z.RefreshesPerWindow = 0 }))
			return &zohoFake{s.Zoho()}
		},
		"hubspot": func(t *testing.T, s *sandbox.Sandbox) crmFake {
			t.Helper()
			require.NoError(t, s.HubSpot().Configure(func(h *sandbox.HubSpotSettings) { h.Burst, h.SearchBurst = 10_000, 0 }))
			return &hubspotFake{s.HubSpot()}
		},
	}
}

func named(t *testing.T, list []json.RawMessage, err error, name ...string) map[string]string {
	t.Helper()
	require.NoError(t, err)
	names := map[string]string{}
	for _, raw := range list {
		names[providers.Plain(jsontext.Value(raw), "id")] = providers.Plain(jsontext.Value(raw), name...)
	}
	return names
}

type pipedriveFake struct {
	*sandbox.Pipedrive

	company int
}

func (f *pipedriveFake) provider(base string) *providers.Provider {
	base += "/sandbox/pipedrive"
	return pipedrive.New(pipedrive.Config{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret, AuthBaseURL: base, APIBaseURL: base, TokenClient: &http.Client{},
	})
}

func (f *pipedriveFake) grant() (providers.Identity, providers.Grant) {
	tokens := f.IssueTokens(f.company)
	return providers.Identity{ExternalID: strconv.Itoa(f.company) + ":1", Name: "Company"}, providers.Grant{
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, ExpiresAt: time.Now().Add(time.Hour), APIDomain: tokens.APIDomain,
	}
}

func (f *pipedriveFake) mutate(t *testing.T, m sandbox.Mutation) {
	t.Helper()
	_, err := f.Mutate(f.company, m)
	require.NoError(t, err)
}

func (f *pipedriveFake) put(t *testing.T, n int64, name string) {
	t.Helper()
	at := time.Now().UTC().Format(time.RFC3339)
	raw, err := json.Marshal(map[string]any{"id": n, "name": name, "add_time": at, "update_time": at})
	require.NoError(t, err)
	require.NoError(t, f.Put(f.company, string(raw)))
}

func (f *pipedriveFake) purge(t *testing.T, n int64) {
	t.Helper()
	require.True(t, f.Purge(f.company, n))
}

func (f *pipedriveFake) faults(faults ...sandbox.Fault) error { return f.Faults(faults...) }
func (f *pipedriveFake) id(n int64) string                    { return strconv.FormatInt(n, 10) }
func (f *pipedriveFake) lists() string                        { return "/api/v2/persons" }
func (f *pipedriveFake) retired() sandbox.Kind                { return sandbox.Fault410 }

func (f *pipedriveFake) living(t *testing.T) map[string]string {
	t.Helper()
	list, err := f.Contacts(f.company, 0, 1000)
	names := named(t, list, err, "name")
	return names
}

type zohoFake struct{ *sandbox.Zoho }

func (f *zohoFake) provider(base string) *providers.Provider {
	base += "/sandbox/zoho"
	return zoho.New(zoho.Config{App: providers.App{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret, AuthBaseURL: base + "/accounts", APIBaseURL: base + "/api", TokenClient: &http.Client{},
	}})
}

func (f *zohoFake) grant() (providers.Identity, providers.Grant) {
	tokens := f.IssueTokens(0)
	return providers.Identity{ExternalID: "60010001:1", Name: "Organisation"}, providers.Grant{
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, ExpiresAt: time.Now().Add(time.Hour),
		APIDomain: tokens.APIDomain, AuthServer: f.AccountsServer(0),
	}
}

func (f *zohoFake) mutate(t *testing.T, m sandbox.Mutation) {
	t.Helper()
	_, err := f.Mutate(0, m)
	require.NoError(t, err)
}

func (f *zohoFake) put(t *testing.T, n int64, name string) {
	t.Helper()
	at := time.Now().UTC().Format(time.RFC3339)
	raw, err := json.Marshal(map[string]any{"id": f.id(n), "Full_Name": name, "Last_Name": name, "Created_Time": at, "Modified_Time": at})
	require.NoError(t, err)
	require.NoError(t, f.Put(0, string(raw)))
}

// purge hides all records from a number on: what is purged at this provider is listed as deleted.
func (f *zohoFake) purge(t *testing.T, n int64) {
	t.Helper()
	require.NoError(t, f.Configure(func(s *sandbox.ZohoSettings) {
		if s.Visible == 0 || n-1 < s.Visible {
			s.Visible = n - 1
		}
	}))
}

func (f *zohoFake) faults(faults ...sandbox.Fault) error { return f.Faults(faults...) }
func (f *zohoFake) id(n int64) string                    { return f.ContactID(0, n) }
func (f *zohoFake) lists() string                        { return "/crm/v8/Contacts" }
func (f *zohoFake) retired() sandbox.Kind                { return "required_param" }

func (f *zohoFake) living(t *testing.T) map[string]string {
	t.Helper()
	list, err := f.Contacts(0, "", 1000)
	names := named(t, list, err, "Full_Name")
	return names
}

type hubspotFake struct{ *sandbox.HubSpot }

func (f *hubspotFake) provider(base string) *providers.Provider {
	base += "/sandbox/hubspot"
	return hubspot.New(hubspot.Config{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret, AuthBaseURL: base, APIBaseURL: base, TokenClient: &http.Client{},
	})
}

func (f *hubspotFake) grant() (providers.Identity, providers.Grant) {
	tokens := f.IssueTokens(sandbox.DefaultPortal)
	return providers.Identity{ExternalID: strconv.Itoa(sandbox.DefaultPortal), Name: "Portal"}, providers.Grant{
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, ExpiresAt: time.Now().Add(30 * time.Minute),
	}
}

func (f *hubspotFake) mutate(t *testing.T, m sandbox.Mutation) {
	t.Helper()
	_, err := f.Mutate(sandbox.DefaultPortal, m)
	require.NoError(t, err)
}

func (f *hubspotFake) put(t *testing.T, n int64, name string) {
	t.Helper()
	at := time.Now().UTC().Format(time.RFC3339)
	raw, err := json.Marshal(map[string]any{"id": f.id(n), "createdAt": at, "properties": map[string]string{"hs_object_id": f.id(n), "firstname": name, "lastmodifieddate": at}})
	require.NoError(t, err)
	require.NoError(t, f.Put(sandbox.DefaultPortal, string(raw)))
}

func (f *hubspotFake) purge(t *testing.T, n int64) {
	t.Helper()
	id, err := strconv.ParseInt(f.id(n), 10, 64)
	require.NoError(t, err)
	require.True(t, f.Purge(sandbox.DefaultPortal, id))
}

func (f *hubspotFake) faults(faults ...sandbox.Fault) error { return f.Faults(faults...) }
func (f *hubspotFake) lists() string                        { return "/crm/v3/objects/contacts" }
func (f *hubspotFake) retired() sandbox.Kind                { return sandbox.Fault410 }

// id goes by the order of the ids: they are no numbers from one on.
func (f *hubspotFake) id(n int64) string {
	list, err := f.Contacts(sandbox.DefaultPortal, 0, 1000)
	if err != nil || int(n) > len(list) {
		return strconv.FormatInt(1_000_000+n, 10)
	}
	return providers.Plain(jsontext.Value(list[n-1]), "id")
}

func (f *hubspotFake) living(t *testing.T) map[string]string {
	t.Helper()
	list, err := f.Contacts(sandbox.DefaultPortal, 0, 1000)
	names := named(t, list, err, "properties", "firstname")
	return names
}

// crmWorld is a tenant with one connected account of a CRM, its server and a running worker.
type crmWorld struct {
	*world

	crm  crmFake
	work *worker.Worker
	id   uuid.UUID
}

// eachCRM runs a test with each provider.
func eachCRM(t *testing.T, contacts int, test func(t *testing.T, w *crmWorld)) {
	t.Helper()
	for name, open := range crms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			test(t, newCRMWorld(t, contacts, open))
		})
	}
}

func newCRMWorld(t *testing.T, contacts int, open func(t *testing.T, s *sandbox.Sandbox) crmFake) *crmWorld {
	t.Helper()
	w := &crmWorld{world: &world{pool: storetest.Pool(t), tenant: uuid.New(), other: uuid.New(), log: &connectLog{}}}
	fakes := sandbox.New(sandbox.Config{Contacts: contacts})
	server := httptest.NewServer(fakes.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(fakes.Close)
	fakes.SetBaseURL(server.URL)
	w.crm = open(t, fakes)
	list := []*providers.Provider{w.crm.provider(server.URL)}

	w.store = store.New(w.pool)
	keys, err := vault.NewKeyring(encryptionKey)
	require.NoError(t, err)
	w.vault = vault.New(w.store, keys, list, vault.Options{Rest: time.Millisecond, Echo: time.Millisecond})
	w.work, err = worker.New(worker.Options{
		Driver: riverpgxv5.New(w.pool), Store: w.store, Vault: w.vault, Providers: list, Log: zerolog.Nop(),
		Spans: worker.Spans{Backoff: 20 * time.Millisecond, Settle: 100 * time.Millisecond, Patience: time.Second},
	})
	require.NoError(t, err)
	w.server, err = api.New(api.Options{
		Store: w.store, Jobs: w.work.Jobs(), Vault: w.vault, Providers: list, Log: zerolog.New(w.log),
		PublicURL: "https://enlace.example.com", DashboardURL: dashboard + "/settings", AdminKey: adminKey,
	})
	require.NoError(t, err)
	w.document = readDocument(t, w.server.Handler())
	w.http = httptest.NewServer(w.server.Handler())
	require.NoError(t, w.work.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, w.work.Stop(ctx))
		w.http.Close()
		require.NoError(t, w.vault.Close(ctx))
	})
	w.key, w.otherKey = w.newKey(t, w.tenant), w.newKey(t, w.other)
	identity, grant := w.crm.grant()
	w.id, _, err = w.vault.StoreGrant(t.Context(), vault.Connection{TenantID: w.tenant, Provider: list[0].Name, Identity: identity, Grant: grant})
	require.NoError(t, err)
	return w
}

func (w *crmWorld) path(rest string) string { return "/v1/integrations/" + w.id.String() + rest }

// ask asks as the tenant, and decodes a good answer.
func (w *crmWorld) ask(t *testing.T, method, path, body string, into any) answer {
	t.Helper()
	got := w.do(t, ask{method: method, path: path, key: w.key, body: body})
	if into != nil {
		require.Less(t, got.StatusCode, 300, "%s", got.body)
		require.NoError(t, json.Unmarshal(got.body, into))
	}
	return got
}

// sync runs one to its end.
func (w *crmWorld) sync(t *testing.T, kind string) store.Run {
	t.Helper()
	var run store.Run
	w.ask(t, http.MethodPost, w.path("/syncs"), `{"sync_type":"`+kind+`"}`, &struct {
		*store.Run
		JobID *string `json:"job_id"`
	}{Run: &run})
	return w.ended(t, run.ID)
}

func (w *crmWorld) ended(t *testing.T, id uuid.UUID) (run store.Run) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		run, err = w.store.Run(context.WithoutCancel(t.Context()), nil, id)
		return err == nil && !run.Active()
	}, 90*time.Second, 10*time.Millisecond)
	return run
}

// rows is how our tables stand: it changes with each write of a row that belongs to anybody.
func (w *crmWorld) rows(t *testing.T) string {
	t.Helper()
	var parts []string
	for _, table := range []string{"integrations", "integration_sync_logs", "contacts", "incidents", "sync_failures", "confirming_reads", "sync_run_pages", "pending_changes", "river.river_job WHERE queue = 'sync'"} {
		var s string
		require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::bigint), 0) FROM `+table).Scan(&s))
		parts = append(parts, table+" "+s)
	}
	return strings.Join(parts, "\n")
}

// open are the codes of the open incidents.
func (w *crmWorld) openIncidents(t *testing.T) (codes []string) {
	t.Helper()
	var list struct {
		Items []struct {
			Code string `json:"code"`
		} `json:"items"`
	}
	w.ask(t, http.MethodGet, "/v1/incidents?open=true&"+url.Values{"integration_id": {w.id.String()}}.Encode(), "", &list)
	for _, n := range list.Items {
		codes = append(codes, n.Code)
	}
	slices.Sort(codes)
	return codes
}

// same compares names here with those there.
func (w *crmWorld) requireSame(t *testing.T) {
	t.Helper()
	list, err := w.store.ListContacts(t.Context(), store.ContactFilter{Tenant: w.tenant, Integration: &w.id}, nil, 10_000)
	require.NoError(t, err)
	here := map[string]bool{}
	for _, c := range list {
		here[c.ExternalID] = true
	}
	there := w.crm.living(t)
	require.Len(t, here, len(there))
	for id := range there {
		require.True(t, here[id], id)
	}
}

// reconnect gives the account another grant, as a consent does.
func (w *crmWorld) reconnect(t *testing.T) {
	t.Helper()
	i, err := w.store.AnyIntegration(t.Context(), w.id)
	require.NoError(t, err)
	identity, grant := w.crm.grant()
	id, result, err := w.vault.StoreGrant(t.Context(), vault.Connection{TenantID: w.tenant, Provider: i.Provider, Identity: identity, Grant: grant, Wanted: w.id})
	require.NoError(t, err)
	require.Equal(t, w.id, id)
	require.Equal(t, store.ResultReconnected, result)
}

// decode reads a good answer.
func decode(t *testing.T, got answer, into any) {
	t.Helper()
	require.Less(t, got.StatusCode, 300, "%s", got.body)
	require.NoError(t, json.Unmarshal(got.body, into))
}

package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/zoho"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
	"example.com/enlace/worker"
)

// zohoConnectWorld is a [connectWorld] whose provider is Zoho. All that leaves for the provider is noted.
type zohoConnectWorld struct {
	*connectWorld

	zoho *sandbox.Zoho
	line *zohoExit
}

// zohoExit is the way to the provider's hosts: the token host's and the API's.
type zohoExit struct {
	next http.RoundTripper

	mu   sync.Mutex
	sent []string // scheme, host and path of each request
}

// RoundTrip implements http.RoundTripper.
func (l *zohoExit) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.sent = append(l.sent, r.URL.Scheme+"://"+r.URL.Host+r.URL.Path)
	l.mu.Unlock()
	return l.next.RoundTrip(r)
}

// to are the requests below an address.
func (l *zohoExit) to(address string) (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.sent {
		if strings.HasPrefix(one, address) {
			list = append(list, one)
		}
	}
	return list
}

func newZohoConnectWorld(t *testing.T) *zohoConnectWorld {
	t.Helper()
	direct := providers.NewTransport(0)
	t.Cleanup(direct.CloseIdleConnections)
	w := &zohoConnectWorld{connectWorld: &connectWorld{pool: storetest.Pool(t), tenant: uuid.New(), log: &connectLog{}}, line: &zohoExit{next: direct}}
	w.store = store.New(w.pool)
	w.key = w.newKey(t, w.tenant)
	fakes := sandbox.New(sandbox.Config{Contacts: 3})
	w.zoho = fakes.Zoho()
	require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.AutoConsent = true }))
	w.sandbox = httptest.NewServer(fakes.Handler())
	t.Cleanup(w.sandbox.Close)
	t.Cleanup(fakes.Close)
	fakes.SetBaseURL(w.sandbox.URL)

	base := w.sandbox.URL + "/sandbox/zoho"
	list := []*providers.Provider{zoho.New(zoho.Config{App: providers.App{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret,
		AuthBaseURL: base + "/accounts", APIBaseURL: base + "/api", TokenClient: &http.Client{Transport: w.line}, Timeout: 10 * time.Second,
	}})}
	keys, err := vault.NewKeyring(connectKey)
	require.NoError(t, err)
	log := zerolog.New(w.log)
	w.vault = vault.New(w.store, keys, list, vault.Options{Log: log, Revoke: time.Second, Transport: w.line})
	t.Cleanup(func() { require.NoError(t, w.vault.Close(context.Background())) })
	server := httptest.NewUnstartedServer(nil)
	w.base = "http://" + server.Listener.Addr().String()
	w.worker, err = worker.New(worker.Options{
		Driver: riverpgxv5.New(w.pool), Store: w.store, Vault: w.vault, Providers: list, Log: zerolog.Nop(), // no PublicURL: nothing is subscribed
	})
	require.NoError(t, err)
	w.server, err = api.New(api.Options{
		Store: w.store, Jobs: w.worker.Jobs(), Vault: w.vault, Providers: list, Log: log, PublicURL: w.base, DashboardURL: connectDashboard,
		AdminKey: "an admin key of a test",
	})
	require.NoError(t, err)
	server.Config.Handler = w.server.Handler()
	server.Start()
	t.Cleanup(server.Close)
	return w
}

// begin starts a consent and stops before the provider's page, whose address it returns.
func (w *zohoConnectWorld) begin(t *testing.T, browser *http.Client) *url.URL {
	t.Helper()
	stopped := *browser
	stopped.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	got := w.get(t, &stopped, w.connectURL(t, map[string]string{"provider": "zoho"}))
	require.Equal(t, http.StatusSeeOther, got.status, got.body)
	page := parsed(t, got.header.Get("Location"))
	require.Equal(t, []string{"offline", "consent"}, []string{page.Query().Get("access_type"), page.Query().Get("prompt")})
	return page
}

// allow says yes on the provider's page, and returns the address of the way back: that of the data centre's own host.
func (w *zohoConnectWorld) allow(t *testing.T, page *url.URL) *url.URL {
	t.Helper()
	got := w.get(t, &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), w.sandbox.URL) {
			return nil
		}
		return http.ErrUseLastResponse
	}}, page.String())
	require.Equal(t, http.StatusFound, got.status, got.body)
	return parsed(t, got.header.Get("Location"))
}

// comes goes the whole way and returns what the dashboard is told. Change acts on the way back's query; nil: it doesn't.
func (w *zohoConnectWorld) comes(t *testing.T, change func(url.Values)) url.Values {
	t.Helper()
	browser := w.browser(t)
	back := w.allow(t, w.begin(t, browser))
	if change != nil {
		query := back.Query()
		change(query)
		back.RawQuery = query.Encode()
	}
	return w.landed(t, browser, back.String())
}

// hosts are the data centre's two hosts, by its key.
func (w *zohoConnectWorld) hosts(dc string) (accounts, api string) {
	return w.sandbox.URL + "/sandbox/zoho/accounts/" + dc, w.sandbox.URL + "/sandbox/zoho/api/" + dc
}

// kept opens a stored refresh token.
func (w *zohoConnectWorld) kept(t *testing.T) string {
	t.Helper()
	var id uuid.UUID
	var sealed string
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT id, refresh_token FROM integrations`).Scan(&id, &sealed))
	text, err := w.vault.Open(id, vault.RefreshToken, sealed)
	require.NoError(t, err)
	return text
}

// end lets the stored access token be over, and returns the account's id.
func (w *zohoConnectWorld) end(t *testing.T) uuid.UUID {
	t.Helper()
	return connectRow[uuid.UUID](t, w.connectWorld, `UPDATE integrations SET expires_at = now() - interval '1 minute' RETURNING id`)
}

// requireNothing says that a consent left nothing behind.
func (w *zohoConnectWorld) requireNothing(t *testing.T) {
	t.Helper()
	require.Zero(t, connectRow[int](t, w.connectWorld, `SELECT count(*) FROM integrations`))
	require.Zero(t, connectRow[int](t, w.connectWorld, `SELECT count(*) FROM river.river_job`))
}

const integrationHosts = `SELECT concat_ws(' ', auth_server, api_domain) FROM integrations`

// withoutRefresh answers a code as Zoho does where it gave a refresh token before.
func (w *zohoConnectWorld) withoutRefresh(t *testing.T, dc string) {
	t.Helper()
	_, api := w.hosts(dc)
	tokens := w.zoho.IssueTokens(0)
	w.zoho.Script("/oauth/v2/token", sandbox.Answer{
		Header: http.Header{"Content-Type": {"application/json;charset=UTF-8"}},
		Body:   `{"access_token":"` + tokens.AccessToken + `","api_domain":"` + api + `","token_type":"Bearer","expires_in":3600}`,
	})
}

// says gives an answer to the next call of the token host.
func (w *zohoConnectWorld) says(body string) {
	w.zoho.Script("/oauth/v2/token", sandbox.Answer{Header: http.Header{"Content-Type": {"application/json;charset=UTF-8"}}, Body: body})
}

func TestZohoCases(t *testing.T) {
	t.Parallel()

	files, err := filepath.Glob(filepath.Join("..", "..", "shared", "cases", "crm", "zo-0[367]-*.json"))
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join("..", "..", "shared", "cases")); err == nil {
		require.Len(t, files, 3)
	}
	for name, test := range map[string]func(t *testing.T, w *zohoConnectWorld){
		"crm-zo-03 a: no refresh token, and none is kept": func(t *testing.T, w *zohoConnectWorld) {
			t.Helper()
			w.withoutRefresh(t, "eu")
			require.Equal(t, url.Values{"enlace_result": {"partial"}, "provider": {"zoho"}, "missing": {"offline_access"}}, w.comes(t, nil))
			accounts, _ := w.hosts("eu")
			require.Equal(t, []string{accounts + "/oauth/v2/token"}, w.line.to(w.sandbox.URL+"/sandbox/zoho/accounts"))
			w.requireNothing(t)
		},
		"crm-zo-03 b: no refresh token, and the one that is kept stays in use": func(t *testing.T, w *zohoConnectWorld) {
			t.Helper()
			require.Equal(t, "connected", w.comes(t, nil).Get("enlace_result"))
			before := w.kept(t)
			w.withoutRefresh(t, "eu")
			require.Equal(t, "reconnected", w.comes(t, nil).Get("enlace_result"))
			require.Equal(t, before, w.kept(t))
			_, err := w.vault.Token(t.Context(), w.end(t), vault.NoneFailed)
			require.NoError(t, err)
			require.Equal(t, 1, w.zoho.Refreshes())
			require.Equal(t, before, w.kept(t))
			accounts, _ := w.hosts("eu")
			require.Equal(t, w.line.to(w.sandbox.URL+"/sandbox/zoho/accounts"), w.line.to(accounts+"/"))
		},
		"crm-zo-06 a: our app is refused": func(t *testing.T, w *zohoConnectWorld) {
			t.Helper()
			w.says(`{"error":"invalid_client"}`)
			require.Equal(t, url.Values{"enlace_result": {"setup"}, "provider": {"zoho"}}, w.comes(t, nil))
			require.Contains(t, w.log.String(), `"level":"error"`, "the operator is told")
			require.Empty(t, w.line.to(w.sandbox.URL+"/sandbox/zoho/api"), "nothing is asked without a token")
			w.requireNothing(t)
		},
		"crm-zo-06 b: the code is refused": func(t *testing.T, w *zohoConnectWorld) {
			t.Helper()
			w.says(`{"error":"invalid_code"}`)
			require.Equal(t, url.Values{"enlace_result": {"code"}, "provider": {"zoho"}}, w.comes(t, nil))
			require.NotContains(t, w.log.String(), `"level":"error"`)
			require.Empty(t, w.line.to(w.sandbox.URL+"/sandbox/zoho/api"), "nothing is asked without a token")
			w.requireNothing(t)
		},
		"crm-zo-07 a: eu": func(t *testing.T, w *zohoConnectWorld) { t.Helper(); livesAt(t, w, "eu") },
		"crm-zo-07 b: ca": func(t *testing.T, w *zohoConnectWorld) { t.Helper(); livesAt(t, w, "ca") },
		"crm-zo-07 c: a token host that isn't Zoho's": func(t *testing.T, w *zohoConnectWorld) {
			t.Helper()
			accounts, _ := w.hosts("eu")
			for _, hostile := range []string{
				"https://accounts.zoho.eu.attacker.example", "https://attacker.example/accounts/eu", "https://accounts.zoho.eu@attacker.example",
				"http://accounts.zoho.eu", "https://attacker.example?" + accounts, w.sandbox.URL + "/sandbox/zoho/accounts/../../../eu",
				strings.Replace(accounts, "127.0.0.1", "attacker.example", 1), accounts + "#", accounts + "?", accounts + "?x=",
			} {
				got := w.comes(t, func(query url.Values) { query.Set("accounts-server", hostile) })
				require.Equal(t, url.Values{"enlace_result": {"setup"}, "provider": {"zoho"}}, got, hostile)
			}
			require.Empty(t, w.line.to(""), "no request leaves")
			w.requireNothing(t)
		},
		"crm-zo-07 c: an API that isn't Zoho's": func(t *testing.T, w *zohoConnectWorld) {
			t.Helper()
			w.says(`{"access_token":"1000.a.b","refresh_token":"1000.r.r","api_domain":"https://evil.example","token_type":"Bearer","expires_in":3600}`)
			require.Equal(t, "setup", w.comes(t, nil).Get("enlace_result"))
			require.Empty(t, w.line.to("https://evil.example"))
			require.Len(t, w.line.to(""), 1, "the code's exchange alone")
			w.requireNothing(t)
		},
		"crm-zo-07 d: a refresh names no API": func(t *testing.T, w *zohoConnectWorld) {
			t.Helper()
			require.Equal(t, "connected", w.comes(t, nil).Get("enlace_result"))
			before := connectRow[string](t, w.connectWorld, integrationHosts)
			require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.APIDomain = sandbox.Omitted }))
			token, err := w.vault.Token(t.Context(), w.end(t), vault.NoneFailed)
			require.NoError(t, err)
			accounts, api := w.hosts("eu")
			require.Equal(t, api, token.Account.APIDomain)
			require.Equal(t, accounts+" "+api, before)
			require.Equal(t, before, connectRow[string](t, w.connectWorld, integrationHosts))
		},
		"crm-zo-07 e: a refresh names another's API": func(t *testing.T, w *zohoConnectWorld) {
			t.Helper()
			require.Equal(t, "connected", w.comes(t, nil).Get("enlace_result"))
			before := connectRow[string](t, w.connectWorld, integrationHosts)
			require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.APIDomain = "https://evil.example" }))
			id := w.end(t)
			_, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
			require.Equal(t, providers.Misconfigured, providers.KindOf(err), "%v", err)
			require.Equal(t, before, connectRow[string](t, w.connectWorld, integrationHosts))
			require.Equal(t, "connected", connectRow[string](t, w.connectWorld, `SELECT status FROM integrations`))

			_, api := w.hosts("eu")
			client := w.vault.Client(id, providers.Account{APIDomain: api})
			require.NoError(t, reads(t, client.Client, api+"/crm/v8/org"))
			require.ErrorContains(t, reads(t, w.vault.Client(id, providers.Account{APIDomain: "https://evil.example"}).Client, "https://evil.example/crm/v8/org"), "not the provider's")
			require.Empty(t, w.line.to("https://evil.example"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			test(t, newZohoConnectWorld(t))
		})
	}
}

// reads reads an address.
func reads(t *testing.T, client *http.Client, address string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return err
}

// livesAt connects an organisation of a data centre and reads its contacts.
func livesAt(t *testing.T, w *zohoConnectWorld, dc string) {
	t.Helper()
	for _, org := range w.zoho.Orgs() {
		if org.DC == dc {
			require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.ConsentOrg = org.ID }))
		}
	}
	got := w.comes(t, func(query url.Values) { require.Equal(t, dc, query.Get("location")) })
	require.Equal(t, "connected", got.Get("enlace_result"))
	accounts, api := w.hosts(dc)
	require.Equal(t, accounts+" "+api, connectRow[string](t, w.connectWorld, integrationHosts))
	require.Equal(t, []string{accounts + "/oauth/v2/token"}, w.line.to(w.sandbox.URL+"/sandbox/zoho/accounts"))

	id := uuid.MustParse(got.Get("integration_id"))
	require.NoError(t, w.worker.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		require.NoError(t, w.worker.Stop(ctx))
	})
	run, err := w.worker.Jobs().EnqueueSync(t.Context(), &w.tenant, id, store.NewRun{SyncType: store.Full, RequestedBy: "test"})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		run, err = w.store.Run(context.WithoutCancel(t.Context()), nil, run.ID)
		return err == nil && !run.Active()
	}, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, store.Completed, run.Status)
	require.EqualValues(t, 3, run.RecordsCreated)
	require.NotEmpty(t, w.line.to(api+"/crm/v8/Contacts"))
	require.Len(t, w.line.to(w.sandbox.URL+"/sandbox/zoho/api"), len(w.line.to(api+"/")), "no other data centre's API is asked")
}

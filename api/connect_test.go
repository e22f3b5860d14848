package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

func TestConnect(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, nil)
	address := w.connectURL(t, map[string]string{"provider": "pipedrive"})
	browser := w.browser(t)
	page, state := w.consent(t, browser, address)
	back := w.allowed(t, page)
	query := w.landed(t, browser, back)
	id := query.Get("integration_id")
	require.Equal(t, url.Values{"enlace_result": {"connected"}, "provider": {"pipedrive"}, "integration_id": {id}, "contacts": {"3"}}, query)
	require.Equal(t, w.tenant.String()+"/pipedrive/connected/4242:7001/Nordlicht GmbH", connectRow[string](t, w,
		`SELECT concat_ws('/', tenant_id, provider, status, external_account_id, external_account_name) FROM integrations WHERE id = $1`, id))
	require.Zero(t, connectRow[int](t, w, `SELECT count(*) FROM integration_sync_logs`), "connecting starts no sync by itself")
	require.Equal(t, "connected", connectRow[string](t, w, `SELECT result FROM oauth_states`))
	require.Equal(t, id, connectRow[string](t, w, `SELECT subject FROM audit_log WHERE action = 'integration.connect' AND actor LIKE 'key:%'`))
	sealed := connectRow[string](t, w, `SELECT access_token || refresh_token FROM integrations`)
	require.True(t, strings.HasPrefix(sealed, "v1."), "tokens are sealed")

	token := parsed(t, address).Query().Get("connect")
	for _, secret := range []string{token, state, parsed(t, back).Query().Get("code")} {
		require.Greater(t, len(secret), 20)
		require.NotContains(t, w.log.String(), secret)
	}
	require.Contains(t, w.log.String(), "an account was connected")

	t.Run("again, the same account: its row, never another", func(t *testing.T) { //nolint:paralleltest // goes on from above
		query := w.landed(t, w.browser(t), w.connectURL(t, map[string]string{"provider": "pipedrive"}))
		require.Equal(t, url.Values{"enlace_result": {"reconnected"}, "provider": {"pipedrive"}, "integration_id": {id}, "contacts": {"3"}}, query)
		require.Equal(t, 1, connectRow[int](t, w, `SELECT count(*) FROM integrations`))
		require.NotEqual(t, sealed, connectRow[string](t, w, `SELECT access_token || refresh_token FROM integrations`))
	})

	t.Run("a reconnection that was denied can be tried again for the same account", func(t *testing.T) { //nolint:paralleltest // goes on from above
		browser := w.browser(t)
		_, state := w.consent(t, browser, w.connectURL(t, map[string]string{"provider": "pipedrive", "integration_id": id}))
		query := w.landed(t, browser, w.callbackURL(url.Values{"state": {state}, "error": {"user_denied"}}))
		require.Equal(t, url.Values{"enlace_result": {"denied"}, "provider": {"pipedrive"}, "integration_id": {id}}, query)
	})

	t.Run("another account in place of the one that was to be reconnected", func(t *testing.T) { //nolint:paralleltest // goes on from above
		require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.ConsentCompany = sandbox.DefaultCompany + 1 }))
		query := w.landed(t, w.browser(t), w.connectURL(t, map[string]string{"provider": "pipedrive", "integration_id": id}))
		require.Equal(t, "other_account", query.Get("enlace_result"))
		require.NotEqual(t, id, query.Get("integration_id"))
	})

	t.Run("another tenant, the same account: a row of its own", func(t *testing.T) { //nolint:paralleltest // goes on from above
		require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.ConsentCompany = sandbox.DefaultCompany }))
		other := uuid.New()
		browser := w.browser(t)
		w.signIn(t, browser, w.newKey(t, other))
		query := w.landed(t, browser, w.base+"/functions/v1/initiate-oauth?provider=pipedrive&tenant_id="+other.String())
		require.Equal(t, "connected", query.Get("enlace_result"))
		require.NotEqual(t, id, query.Get("integration_id"))
		require.Equal(t, other.String(), connectRow[string](t, w, `SELECT tenant_id::text FROM integrations WHERE id = $1`, query.Get("integration_id")))
	})
}

func parsed(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u
}

// DESIGN §2: a first connect adopts the row of that tenant and provider that has no account id yet.
func TestConnectAdoptsTheRowOfTheEarlierSystem(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, nil)
	id := uuid.New()
	_, err := w.pool.Exec(t.Context(), `INSERT INTO integrations (id, tenant_id, provider, access_token) VALUES ($1, $2, 'pipedrive', 'plain')`, id, w.tenant)
	require.NoError(t, err)
	query := w.landed(t, w.browser(t), w.connectURL(t, map[string]string{"provider": "pipedrive"}))
	require.Equal(t, id.String(), query.Get("integration_id"))
	require.Equal(t, "connected", query.Get("enlace_result"))
	require.Equal(t, 1, connectRow[int](t, w, `SELECT count(*) FROM integrations`))
}

func TestWhoMayBeginAConsent(t *testing.T) {
	t.Parallel()

	const bare = "/functions/v1/initiate-oauth?provider=pipedrive"
	w := newConnectWorld(t, func(o *api.Options) {
		o.Providers = append(o.Providers, &providers.Provider{Name: "other", Title: "Other", OAuth: &providers.OAuth{}})
	})
	stranger := uuid.New()
	signedIn := func(t *testing.T) *http.Client {
		t.Helper()
		browser := w.browser(t)
		w.signIn(t, browser, w.key)
		return browser
	}
	admin := func(t *testing.T) *http.Client {
		t.Helper()
		browser := w.browser(t)
		w.signIn(t, browser, "an admin key of a test")
		return browser
	}
	tenantsAdmin := func(t *testing.T) *http.Client {
		t.Helper()
		key := store.NewKey()
		_, err := w.store.CreateAPIKey(t.Context(), store.NewAPIKey{TenantID: stranger, Name: "test", Admin: true, Key: key})
		require.NoError(t, err)
		browser := w.browser(t)
		w.signIn(t, browser, key)
		return browser
	}
	nobody := w.browser
	ask := url.Values{"enlace_connect": {"pipedrive"}}
	land := func(result string) url.Values {
		return url.Values{"enlace_result": {result}, "provider": {"pipedrive"}}
	}
	fresh := func(t *testing.T) string {
		t.Helper()
		return w.connectURL(t, map[string]string{"provider": "pipedrive"})
	}
	expired := func(t *testing.T) string {
		t.Helper()
		address := w.connectURL(t, map[string]string{"provider": "pipedrive"})
		_, err := w.pool.Exec(t.Context(), `UPDATE connect_sessions SET expires_at = now() WHERE token_hash = sha256(convert_to($1, 'UTF8'))`,
			parsed(t, address).Query().Get("connect"))
		require.NoError(t, err)
		return address
	}
	used := func(t *testing.T) string {
		t.Helper()
		address := w.connectURL(t, map[string]string{"provider": "pipedrive"})
		w.consent(t, w.browser(t), address)
		return address
	}
	fixed := func(path string) func(*testing.T) string {
		return func(*testing.T) string { return w.base + path }
	}
	for name, c := range map[string]struct {
		browser func(*testing.T) *http.Client
		address func(*testing.T) string
		want    url.Values // nil: the provider's page
	}{
		"nobody, with a tenant id: the dashboard mints a session": {nobody, fixed(bare + "&tenant_id=" + w.tenant.String()), ask},
		"nobody, without one":                    {nobody, fixed(bare), ask},
		"a session, its own tenant":              {signedIn, fixed(bare + "&tenant_id=" + w.tenant.String()), nil},
		"a session, no tenant named":             {signedIn, fixed(bare), nil},
		"a session, a stranger's tenant":         {signedIn, fixed(bare + "&tenant_id=" + stranger.String()), land("other_tenant")},
		"a session, something that is no tenant": {signedIn, fixed(bare + "&tenant_id=1"), land("forged")},
		"an admin of all tenants who names one":  {admin, fixed(bare + "&tenant_id=" + stranger.String()), nil},
		"an admin of all tenants who names none": {admin, fixed(bare), ask},
		"a token that nobody made":               {nobody, fixed(bare + "&connect=x"), land("forged")},
		"a token that has expired":               {nobody, expired, land("expired")},
		"a token that was used":                  {nobody, used, land("used")},
		"a token with another tenant's id beside it": {nobody, func(t *testing.T) string {
			t.Helper()
			return fresh(t) + "&tenant_id=" + stranger.String()
		}, land("other_tenant")},
		"a token of another provider": {nobody, func(t *testing.T) string {
			t.Helper()
			return strings.Replace(fresh(t), "provider=pipedrive", "provider=other", 1)
		}, url.Values{"enlace_result": {"forged"}, "provider": {"other"}}},
		"a provider that isn't set up":                         {signedIn, fixed("/functions/v1/initiate-oauth?provider=zoho"), url.Values{"enlace_result": {"setup"}}},
		"a provider that nobody knows":                         {nobody, fixed("/functions/v1/initiate-oauth?provider=x"), url.Values{"enlace_result": {"forged"}}},
		"no provider":                                          {signedIn, fixed("/functions/v1/initiate-oauth"), url.Values{"enlace_result": {"forged"}}},
		"an admin of another tenant who opens somebody's link": {tenantsAdmin, fresh, land("other_tenant")},
		"a stranger's browser that opens somebody's link": {func(t *testing.T) *http.Client {
			t.Helper()
			browser := w.browser(t)
			w.signIn(t, browser, w.newKey(t, stranger))
			return browser
		}, fresh, land("other_tenant")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			browser, address := c.browser(t), c.address(t)
			if c.want == nil {
				w.consent(t, browser, address)
				return
			}
			require.Equal(t, c.want, w.landed(t, browser, address))
		})
	}
	t.Cleanup(func() { require.NotContains(t, w.log.String(), `"level":"error"`, "anybody may write an address") })
}

func TestBareConnectForTheTimeOfAMove(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, func(o *api.Options) { o.AllowBareConnect = true })
	query := w.landed(t, w.browser(t), w.base+"/functions/v1/initiate-oauth?provider=pipedrive&tenant_id="+w.tenant.String())
	require.Equal(t, "connected", query.Get("enlace_result"))
	require.Equal(t, w.tenant.String(), connectRow[string](t, w, `SELECT tenant_id::text FROM integrations`))
}

func TestLookingAheadUsesNothing(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, nil)
	browser := w.browser(t)
	address := w.connectURL(t, map[string]string{"provider": "pipedrive"})
	for _, look := range []struct{ method, purpose string }{{http.MethodHead, ""}, {http.MethodGet, "prefetch"}, {http.MethodGet, "prefetch;prerender"}} {
		r, err := http.NewRequestWithContext(t.Context(), look.method, address, nil)
		require.NoError(t, err)
		r.Header.Set("Sec-Purpose", look.purpose)
		resp, err := browser.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
	}
	require.Equal(t, "connected", w.landed(t, browser, address).Get("enlace_result"))
}

func TestConnectSessionIsRefused(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, nil)
	mine, foreign := uuid.New(), uuid.New()
	_, err := w.pool.Exec(t.Context(), `INSERT INTO integrations (id, tenant_id, provider) VALUES ($1, $2, 'zoho'), ($3, gen_random_uuid(), 'pipedrive')`, mine, w.tenant, foreign)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		key    string
		body   map[string]string
		status int
		code   string
	}{
		"nobody":                             {"", map[string]string{"provider": "pipedrive"}, http.StatusUnauthorized, "unauthorized"},
		"an unknown provider":                {w.key, map[string]string{"provider": "fax"}, http.StatusUnprocessableEntity, "validation_failed"},
		"no provider":                        {w.key, map[string]string{}, http.StatusUnprocessableEntity, "validation_failed"},
		"a foreign integration":              {w.key, map[string]string{"provider": "pipedrive", "integration_id": foreign.String()}, http.StatusNotFound, "not_found"},
		"an integration that doesn't exist":  {w.key, map[string]string{"provider": "pipedrive", "integration_id": "7"}, http.StatusNotFound, "not_found"},
		"an integration of another provider": {w.key, map[string]string{"provider": "pipedrive", "integration_id": mine.String()}, http.StatusUnprocessableEntity, "validation_failed"},
		"an admin who names no tenant":       {"an admin key of a test", map[string]string{"provider": "pipedrive"}, http.StatusUnprocessableEntity, "validation_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			status, answer := w.call(t, http.DefaultClient, http.MethodPost, "/v1/connect-sessions", c.key, c.body)
			require.Equal(t, c.status, status, "%v", answer)
			require.Equal(t, c.code, answer["code"])
		})
	}
	require.Zero(t, connectRow[int](t, w, `SELECT count(*) FROM connect_sessions`))
}

package api_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
	"example.com/enlace/providers/sandbox"
)

// comingBack is a browser on its way back from the provider, in a world of its own.
type comingBack struct {
	*connectWorld

	browser *http.Client
	state   string
	address string // with code and state
}

func TestEveryFailureLandsOnTheDashboardWithItsReason(t *testing.T) {
	t.Parallel()

	fault := func(path string, kind sandbox.Kind) func(*testing.T, *comingBack) {
		return func(t *testing.T, b *comingBack) {
			t.Helper()
			require.NoError(t, b.fake.Faults(sandbox.Fault{Path: path, Times: sandbox.Forever, Kind: kind}))
		}
	}
	with := func(query url.Values) func(*testing.T, *comingBack) {
		return func(t *testing.T, b *comingBack) {
			t.Helper()
			if query.Has("state") {
				query.Set("state", b.state)
			}
			b.address = b.callbackURL(query)
		}
	}
	const users = "/api/v1/users/me"
	for name, c := range map[string]struct {
		change func(*testing.T, *comingBack)
		want   string
		more   url.Values
	}{
		"denied: the person said no":                    {with(url.Values{"error": {"user_denied"}, "state": {""}}), "denied", nil},
		"denied: whatever they call it":                 {with(url.Values{"error": {"access_denied"}, "state": {""}}), "denied", nil},
		"forged: an install that began at the provider": {with(url.Values{"code": {"c"}}), "forged", nil},
		"forged: a state that nobody made": {func(_ *testing.T, b *comingBack) {
			b.address = b.callbackURL(url.Values{"code": {"c"}, "state": {"s"}})
		}, "forged", nil},
		"code: none came":                          {with(url.Values{"state": {""}}), "code", nil},
		"code: an invented one":                    {with(url.Values{"code": {"c"}, "state": {""}}), "code", nil},
		"code: it was refused":                     {fault("/oauth/token", sandbox.FaultInvalidGrant), "code", nil},
		"code: the new token is refused":           {fault(users, sandbox.Fault401), "code", nil},
		"provider_down: a proxy's page":            {fault("/oauth/token", sandbox.Fault502), "provider_down", nil},
		"provider_down: the line breaks":           {fault("/oauth/token", sandbox.FaultReset), "provider_down", nil},
		"provider_down: the account can't be read": {fault(users, sandbox.Fault500), "provider_down", nil},
		"throttled: too many at once":              {fault(users, sandbox.Fault429), "throttled", nil},
		"setup: our secret is wrong":               {func(_ *testing.T, b *comingBack) { b.fake.SetClient(sandbox.DefaultClientID, "another") }, "setup", nil},
		"partial: a scope was left out": {func(t *testing.T, b *comingBack) {
			t.Helper()
			require.NoError(t, b.fake.Configure(func(s *sandbox.PipedriveSettings) { s.Scope = "base" }))
		}, "partial", url.Values{"missing": {"contacts:read"}}},
		"partial: no refresh token": {func(_ *testing.T, b *comingBack) {
			b.fake.Script("/oauth/token", sandbox.Answer{Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"access_token":"a","token_type":"Bearer","expires_in":3599}`})
		}, "partial", url.Values{"missing": {"offline_access"}}},
		"expired": {func(t *testing.T, b *comingBack) {
			t.Helper()
			_, err := b.pool.Exec(t.Context(), `UPDATE oauth_states SET expires_at = now()`)
			require.NoError(t, err)
		}, "expired", nil},
		"other_browser": {func(t *testing.T, b *comingBack) {
			t.Helper()
			b.browser = b.connectWorld.browser(t)
		}, "other_browser", nil},
		"other_browser: one with a consent of its own": {func(t *testing.T, b *comingBack) {
			t.Helper()
			b.browser = b.connectWorld.browser(t)
			b.consent(t, b.browser, b.connectURL(t, map[string]string{"provider": "pipedrive"}))
		}, "other_browser", nil},
		"other_tenant: signed in elsewhere meanwhile": {func(t *testing.T, b *comingBack) {
			t.Helper()
			b.signIn(t, b.browser, b.newKey(t, uuid.New()))
		}, "other_tenant", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := &comingBack{connectWorld: newConnectWorld(t, nil)}
			b.browser = b.connectWorld.browser(t)
			var page *url.URL
			page, b.state = b.consent(t, b.browser, b.connectURL(t, map[string]string{"provider": "pipedrive"}))
			b.address = b.allowed(t, page)
			c.change(t, b)

			got := b.landed(t, b.browser, b.address)
			if c.want == "throttled" {
				require.NotEmpty(t, got.Get("retry_at"))
				got.Del("retry_at")
			}
			want := url.Values{"enlace_result": {c.want}, "provider": {"pipedrive"}}
			for name := range c.more {
				want[name] = c.more[name]
			}
			if c.want == "forged" {
				want.Del("provider")
			}
			require.Equal(t, want, got)
			require.Zero(t, connectRow[int](t, b.connectWorld, `SELECT count(*) FROM integrations`), "nothing is stored")
			require.NotContains(t, b.log.String(), b.state)
			asked, err := url.Parse(b.address)
			require.NoError(t, err)
			if code := asked.Query().Get("code"); len(code) > 1 {
				require.NotContains(t, b.log.String(), code)
			}
		})
	}
}

func TestAStateWorksOnce(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, nil)
	begin := func(t *testing.T) (browser *http.Client, address string) {
		t.Helper()
		browser = w.browser(t)
		page, _ := w.consent(t, browser, w.connectURL(t, map[string]string{"provider": "pipedrive"}))
		return browser, w.allowed(t, page)
	}

	t.Run("one callback after another", func(t *testing.T) {
		t.Parallel()

		browser, address := begin(t)
		require.NotEqual(t, "used", w.landed(t, browser, address).Get("enlace_result"))
		require.Equal(t, url.Values{"enlace_result": {"used"}, "provider": {"pipedrive"}}, w.landed(t, browser, address))
	})

	t.Run("a consent that was refused doesn't come back", func(t *testing.T) {
		t.Parallel()

		browser, address := begin(t)
		back, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, "denied", w.landed(t, browser, w.callbackURL(url.Values{"error": {"user_denied"}, "state": {back.Query().Get("state")}})).Get("enlace_result"))
		require.Equal(t, "used", w.landed(t, browser, address).Get("enlace_result"))
	})

	t.Run("two tabs of a browser don't disturb each other", func(t *testing.T) {
		t.Parallel()

		browser := w.browser(t)
		first, _ := w.consent(t, browser, w.connectURL(t, map[string]string{"provider": "pipedrive"}))
		second, _ := w.consent(t, browser, w.connectURL(t, map[string]string{"provider": "pipedrive"}))
		for _, page := range []*url.URL{first, second} {
			require.Contains(t, []string{"connected", "reconnected"}, w.landed(t, browser, w.allowed(t, page)).Get("enlace_result"))
		}
	})
}

func TestOfTwoCallbacksAtOnceOneConnects(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, nil)
	browser := w.browser(t)
	page, _ := w.consent(t, browser, w.connectURL(t, map[string]string{"provider": "pipedrive"}))
	address := w.allowed(t, page)
	const callbacks = 5
	var wg sync.WaitGroup
	results := make(chan string, callbacks)
	for range callbacks {
		wg.Go(func() { results <- w.landed(t, browser, address).Get("enlace_result") })
	}
	wg.Wait()
	close(results)
	got := map[string]int{}
	for result := range results {
		got[result]++
	}
	require.Equal(t, map[string]int{"connected": 1, "used": callbacks - 1}, got)
	require.Equal(t, "1/1", connectRow[string](t, w, `SELECT concat_ws('/', count(*), max(token_generation)) FROM integrations`))
}

func TestWithoutADashboardAPageSaysIt(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, func(o *api.Options) { o.DashboardURL = "" })
	got := w.get(t, w.browser(t), w.callbackURL(url.Values{"code": {"c"}}))
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))
	require.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Contains(t, got.body, "We could not verify where this came from.")

	got = w.get(t, w.browser(t), w.connectURL(t, map[string]string{"provider": "pipedrive"}))
	require.Equal(t, http.StatusOK, got.status)
	require.Contains(t, got.body, "Pipedrive is connected")
}

func TestADatabaseThatIsAwayIsNoRefusal(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, nil)
	browser := w.browser(t)
	page, state := w.consent(t, browser, w.connectURL(t, map[string]string{"provider": "pipedrive"}))
	address := w.allowed(t, page)
	w.pool.Close()
	got := w.get(t, browser, address)
	require.GreaterOrEqual(t, got.status, http.StatusInternalServerError)
	require.Contains(t, got.body, "<h1>")
	require.NotContains(t, got.body+w.log.String(), state)
}

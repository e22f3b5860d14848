package vault_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

// ask requests a path of the API and returns the status.
func ask(t *testing.T, c *http.Client, method, address, body string) (int, error) {
	t.Helper()
	if body == "" {
		return do(t, c, method, address, nil)
	}
	return do(t, c, method, address, strings.NewReader(body))
}

func do(t *testing.T, c *http.Client, method, address string, body io.Reader) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	require.NoError(t, err)
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, nil
}

func TestClientSendsTheTokenAndRenewsItOnce(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, time.Hour)
	c := w.vault.Client(id, providers.Account{APIDomain: w.host.URL})
	require.Equal(t, vault.NoneFailed, c.Generation())

	status, err := ask(t, c.Client, http.MethodGet, w.host.URL+"/api/v2/persons", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, int64(1), c.Calls())
	require.Equal(t, int64(1), c.Generation())

	w.host.mu.Lock()
	w.host.access = "of nobody" // the provider has ended it before its time
	w.host.mu.Unlock()
	status, err = ask(t, c.Client, http.MethodGet, w.host.URL+"/api/v2/persons", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, int64(3), c.Calls())
	require.Equal(t, int64(2), c.Generation())
	require.Equal(t, 1, w.host.count(&w.host.exchanges))
}

func TestClientPassesTheSecond401On(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, time.Hour)
	w.host.after = func(int) {
		w.host.mu.Lock()
		w.host.access = "of nobody"
		w.host.mu.Unlock()
	}
	w.host.access = "of nobody"
	c := w.vault.Client(id, providers.Account{APIDomain: w.host.URL})
	status, err := ask(t, c.Client, http.MethodGet, w.host.URL+"/api/v2/persons", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Equal(t, int64(2), c.Calls())
	require.Equal(t, 1, w.host.count(&w.host.exchanges))
	require.Equal(t, store.Connected, w.status(t, id), "what it means is the adapter's to say")

	refused, err := w.store.RefuseTokens(t.Context(), id, c.Generation()-1, store.Refusal{Variant: "revoked"})
	require.NoError(t, err)
	require.False(t, refused, "an older generation says nothing about this one")
	refused, err = w.store.RefuseTokens(t.Context(), id, c.Generation(), store.Refusal{Variant: "revoked"})
	require.NoError(t, err)
	require.True(t, refused)
	require.Equal(t, store.NeedsReauth, w.status(t, id))
}

// §4.10: a body that its writer gives only once is never sent twice by a machine.
func TestClientSendsABodyOnce(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, time.Hour)
	w.host.access = "of nobody"
	c := w.vault.Client(id, providers.Account{APIDomain: w.host.URL})
	_, err := do(t, c.Client, http.MethodPost, w.host.URL+"/api/v1/webhooks", io.MultiReader(strings.NewReader("{}")))
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, providers.Transient, e.Kind)
	require.Equal(t, http.StatusUnauthorized, e.Status)
	require.Equal(t, int64(1), c.Calls())

	status, err := ask(t, c.Client, http.MethodPost, w.host.URL+"/api/v1/webhooks", "{}")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, "the token has been renewed")
}

// A query that is a POST is asked again after a 401, with the same body.
func TestClientAsksAgainWithABody(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, time.Hour)
	w.host.access = "of nobody"
	c := w.vault.Client(id, providers.Account{APIDomain: w.host.URL})
	answer, err := providers.NewHTTP(c.Client, 0).Do(t.Context(), "search", providers.Request{
		Method: http.MethodPost, URL: w.host.URL + "/api/echo", Body: map[string]int{"limit": 3},
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.Status)
	require.JSONEq(t, `{"limit":3}`, string(answer.Body))
	require.Equal(t, int64(2), c.Calls())
}

func TestClientReachesTheAccountsHostAlone(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, time.Hour)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s reached another host", r.Method, r.URL)
	}))
	t.Cleanup(elsewhere.Close)
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirecting.Close)
	u, err := url.Parse(w.host.URL)
	require.NoError(t, err)

	for name, c := range map[string]struct{ home, asked string }{
		"another host":             {w.host.URL, elsewhere.URL},
		"another scheme":           {w.host.URL, "https://" + u.Host},
		"another port":             {"http://" + u.Hostname(), w.host.URL},
		"a home that is no URL":    {"http://%zz", w.host.URL},
		"a user before the host":   {w.host.URL, "http://" + u.Host + "@" + elsewhere.Listener.Addr().String()},
		"a second host after none": {"", elsewhere.URL},
	} {
		client := w.vault.Client(id, providers.Account{APIDomain: c.home})
		if c.home == "" {
			status, err := ask(t, client.Client, http.MethodGet, w.host.URL+"/api/", "")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, status, "without a home, the first host is it")
		}
		_, err := ask(t, client.Client, http.MethodGet, c.asked+"/api/", "")
		require.Equal(t, providers.Misconfigured, providers.KindOf(err), name)
	}

	trusting := vault.New(w.store, w.keys, []*providers.Provider{pipedrive.New(pipedrive.Config{APIBaseURL: redirecting.URL})}, quick)
	client := trusting.Client(id, providers.Account{APIDomain: redirecting.URL})
	status, err := ask(t, client.Client, http.MethodGet, redirecting.URL+"/api/", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, status, "the adapter sees the redirect")
}

// A row is no proof: whoever writes to it would have tokens sent anywhere, the inside of our own network included.
func TestClientReachesNoDomainThatTheProviderDoesNotTrust(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s reached another host", r.Method, r.URL)
	}))
	t.Cleanup(elsewhere.Close)
	id := w.integration(t, time.Hour)
	for name, domain := range map[string]string{
		"another server":                elsewhere.URL,
		"a path outside of the base":    w.host.URL + "/../admin",
		"a name that looks like theirs": "https://evil-pipedrive.com",
	} {
		w.exec(t, `UPDATE integrations SET api_domain = $2 WHERE id = $1`, id, domain)
		client := w.vault.Client(id, providers.Account{APIDomain: domain})
		for range 2 { // a refusal is no opening for the next request
			_, err := ask(t, client.Client, http.MethodGet, domain+"/api/", "")
			require.Equal(t, providers.Misconfigured, providers.KindOf(err), name)
			require.ErrorContains(t, err, "pipedrive: read the API domain", name)
		}
		require.Zero(t, client.Calls(), name)
	}
	require.Zero(t, w.host.count(&w.host.requests))

	w.exec(t, `UPDATE integrations SET refresh_token = NULL, expires_at = now() - interval '1 min' WHERE id = $1`, id)
	client := w.vault.Client(id, providers.Account{APIDomain: elsewhere.URL})
	_, err := ask(t, client.Client, http.MethodGet, elsewhere.URL+"/api/", "")
	require.ErrorContains(t, err, "pipedrive: read the API domain", "and nothing is renewed for it")
}

func TestClientsErrorIsTheProviders(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	w.host.refresh = "gone"
	c := w.vault.Client(id, providers.Account{APIDomain: w.host.URL})
	_, err := ask(t, c.Client, http.MethodGet, w.host.URL+"/api/", "")
	var outer *url.Error
	require.ErrorAs(t, err, &outer)
	require.Equal(t, providers.NeedsReauth, providers.KindOf(err))
	require.Zero(t, c.Calls(), "nothing went out with the dead token")

	_, err = providers.NewHTTP(c.Client, 0).Get(t.Context(), "pipedrive: list contacts", w.host.URL+"/api/")
	e, ok := errors.AsType[*providers.Error](err)
	require.True(t, ok)
	require.Equal(t, providers.NeedsReauth, e.Kind)
	require.Equal(t, "revoked", e.Variant)
	require.Zero(t, w.host.count(&w.host.requests))
}

func TestGrantClientRenewsNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	c := w.vault.GrantClient("fake", providers.Grant{AccessToken: "a0", APIDomain: w.host.URL})
	status, err := ask(t, c, http.MethodGet, w.host.URL+"/api/v1/users/me", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	w.host.mu.Lock()
	w.host.access = "of nobody"
	w.host.mu.Unlock()
	status, err = ask(t, c, http.MethodGet, w.host.URL+"/api/v1/users/me", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Equal(t, 2, w.host.count(&w.host.requests))
}

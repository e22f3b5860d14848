package api_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

// Connecting reads a real page: the number that the provider counts, or at least so many as came.
func TestConnectSaysWhatWasFound(t *testing.T) {
	t.Parallel()

	t.Run("where the provider counts", func(t *testing.T) {
		t.Parallel()

		w := newZohoConnectWorld(t)
		require.NoError(t, w.zoho.SetContacts(0, 1248))
		got := w.comes(t, nil)
		require.Equal(t, "connected", got.Get("enlace_result"))
		require.Equal(t, "1248", got.Get("contacts"))
		i, err := w.store.AnyIntegration(t.Context(), uuid.MustParse(got.Get("integration_id")))
		require.NoError(t, err)
		require.EqualValues(t, 1248, *i.ContactsFound)
		require.False(t, i.ContactsFoundMore)
	})
	t.Run("where it doesn't", func(t *testing.T) {
		t.Parallel()

		w := newConnectWorld(t, nil)
		require.NoError(t, w.fake.SetContacts(w.fake.Companies()[0].ID, 1200))
		got := w.landed(t, w.browser(t), w.connectURL(t, map[string]string{"provider": "pipedrive"}))
		require.Equal(t, "500+", got.Get("contacts"))
		status, answer := w.call(t, http.DefaultClient, http.MethodGet, "/v1/integrations/"+got.Get("integration_id"), w.key, nil)
		require.Equal(t, http.StatusOK, status)
		require.InDelta(t, 500, answer["contacts_found"], 0)
		require.Equal(t, true, answer["contacts_found_more"])
	})
	t.Run("on a page of ours, where there is no dashboard", func(t *testing.T) {
		t.Parallel()

		w := newConnectWorld(t, func(o *api.Options) { o.DashboardURL = "" })
		require.NoError(t, w.fake.SetContacts(w.fake.Companies()[0].ID, 1200))
		page := w.get(t, w.browser(t), w.connectURL(t, map[string]string{"provider": "pipedrive"}))
		require.Equal(t, http.StatusOK, page.status)
		require.Contains(t, page.body, "500&#43; contacts")
	})
}

// An account whose contacts can't be read is not connected: its first sync would be the one to find out.
func TestConnectRefusesWhatCannotBeRead(t *testing.T) {
	t.Parallel()

	w := newConnectWorld(t, nil)
	require.NoError(t, w.fake.Faults(sandbox.Fault{Path: "/api/v2/persons", Kind: sandbox.Fault403Scope, Times: 1}))
	got := w.landed(t, w.browser(t), w.connectURL(t, map[string]string{"provider": "pipedrive"}))
	require.Equal(t, "setup", got.Get("enlace_result"))
	require.Zero(t, connectRow[int](t, w, `SELECT count(*) FROM integrations`))

	// what passes by itself stops nobody
	require.NoError(t, w.fake.Faults(sandbox.Fault{Path: "/api/v2/persons", Kind: sandbox.Fault502, Times: 1}))
	got = w.landed(t, w.browser(t), w.connectURL(t, map[string]string{"provider": "pipedrive"}))
	require.Equal(t, "connected", got.Get("enlace_result"))
	require.False(t, got.Has("contacts"))

	// nor does what a person at the provider can change: the token is fine
	require.NoError(t, w.fake.Faults(sandbox.Fault{Path: "/api/v2/persons", Kind: sandbox.Fault402, Times: 1}))
	got = w.landed(t, w.browser(t), w.connectURL(t, map[string]string{"provider": "pipedrive"}))
	require.Equal(t, "reconnected", got.Get("enlace_result"))
	require.Equal(t, "blocked/payment", connectRow[string](t, w, `SELECT code || '/' || variant FROM incidents WHERE closed_at IS NULL`))
}

// What was granted is kept and compared with what each feature needs.
func TestFeaturesTellWhatIsMissing(t *testing.T) {
	t.Parallel()

	w := newZohoConnectWorld(t)
	needed := "ZohoCRM.modules.contacts.READ,ZohoCRM.settings.fields.READ,ZohoCRM.org.READ,ZohoCRM.users.READ"
	require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.Scope = needed + ",ZohoCRM.coql.READ" }))
	got := w.comes(t, nil)
	require.Equal(t, "connected", got.Get("enlace_result"))
	_, answer := w.call(t, http.DefaultClient, http.MethodGet, "/v1/integrations/"+got.Get("integration_id"), w.key, nil)
	features := map[string]any{}
	for _, f := range answer["features"].([]any) {
		one := f.(map[string]any)
		features[one["feature"].(string)] = one["missing"]
	}
	require.Equal(t, map[string]any{
		"contacts": []any{}, "large_accounts": []any{}, "change_notices": []any{"ZohoCRM.notifications.ALL"}, "exports": []any{"ZohoCRM.bulk.READ"},
	}, features)

	// a grant that lacks what every sync needs takes no place among the user's twenty
	require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.Scope = "ZohoCRM.org.READ,ZohoCRM.users.READ" }))
	before := len(w.line.to(w.sandbox.URL + "/sandbox/zoho/accounts"))
	got = w.comes(t, nil)
	require.Equal(t, "partial", got.Get("enlace_result"))
	require.Contains(t, got.Get("missing"), "ZohoCRM.modules.contacts.READ")
	sent := w.line.to(w.sandbox.URL + "/sandbox/zoho/accounts")[before:]
	require.Len(t, sent, 2)
	require.Contains(t, sent[1], "/oauth/v2/token/revoke")
}

// The provider keeps twenty refresh tokens of a user: before a reconnect would end the oldest, a person is asked.
func TestAReconnectWarnsBeforeItEndsAnotherPermission(t *testing.T) {
	t.Parallel()

	w := newZohoConnectWorld(t)
	got := w.comes(t, nil)
	mine := got.Get("integration_id")
	reconnect := map[string]string{"provider": "zoho", "integration_id": mine}
	warning := func() map[string]any {
		status, answer := w.call(t, http.DefaultClient, http.MethodPost, "/v1/connect-sessions", w.key, reconnect)
		require.Equal(t, http.StatusCreated, status)
		found, _ := answer["warning"].(map[string]any)
		return found
	}
	require.Nil(t, warning())

	// the same user is connected by nineteen other tenants, the oldest one by ours under another name
	i, err := w.store.AnyIntegration(t.Context(), uuid.MustParse(mine))
	require.NoError(t, err)
	_, err = w.pool.Exec(t.Context(), `UPDATE granted_tokens SET granted_at = clock_timestamp() - interval '1 minute'`)
	require.NoError(t, err)
	for n := range 19 {
		_, _, err := w.vault.StoreGrant(t.Context(), vault.Connection{
			TenantID: uuid.New(), Provider: "zoho", Identity: providers.Identity{ExternalID: *i.ExternalAccountID, Name: "Theirs"},
			Grant: providers.Grant{AccessToken: "a", RefreshToken: "1000.refresh." + strconv.Itoa(n), ExpiresAt: time.Now().Add(time.Hour)},
		})
		require.NoError(t, err)
	}
	require.Nil(t, warning(), "the oldest is its own, which the reconnect replaces")
	_, err = w.pool.Exec(t.Context(), `UPDATE granted_tokens SET granted_at = clock_timestamp() WHERE integration_id = $1`, i.ID)
	require.NoError(t, err)
	found := warning()
	require.NotNil(t, found)
	require.InDelta(t, 21, found["number"], 0)
	require.Contains(t, found["sentence"], "This would be number 21; the oldest would stop working: Zoho CRM.")
	require.Nil(t, found["oldest_integration_id"], "another tenant's is nobody's business")

	// one that is refused for good has its place no more
	done, err := w.store.RefuseTokens(t.Context(), i.ID, connectRow[int64](t, w.connectWorld, `SELECT token_generation FROM integrations WHERE id = $1`, i.ID), store.Refusal{Variant: "revoked"})
	require.NoError(t, err)
	require.True(t, done)
	require.Nil(t, warning())
}

// Ten new access tokens in ten minutes are all that a refresh token gives: the eleventh is not asked for.
func TestRenewalsArePaidBeforeTheyAreMade(t *testing.T) {
	t.Parallel()

	w := newZohoConnectWorld(t)
	id := uuid.MustParse(w.comes(t, nil).Get("integration_id"))
	renew := func() error {
		var generation int64
		require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT token_generation FROM integrations WHERE id = $1`, id).Scan(&generation))
		_, err := w.vault.Token(t.Context(), id, generation)
		return err
	}
	for range 9 { // the consent's own was the first
		require.NoError(t, renew())
	}
	before := len(w.line.to(w.sandbox.URL + "/sandbox/zoho/accounts"))
	err := renew()
	require.Equal(t, providers.RateLimited, providers.KindOf(err), "%v", err)
	require.Len(t, w.line.to(w.sandbox.URL+"/sandbox/zoho/accounts"), before, "the token host is not asked")
	require.Equal(t, "connected", connectRow[string](t, w.connectWorld, `SELECT status FROM integrations`))
	_, err = w.pool.Exec(t.Context(), `UPDATE integrations SET refresh_times = ARRAY(SELECT t - interval '11 minutes' FROM unnest(refresh_times) AS t)`)
	require.NoError(t, err)
	wait, err := w.store.PayRefresh(t.Context(), id, connectRow[int64](t, w.connectWorld, `SELECT token_generation FROM integrations`), 10, 10*time.Minute)
	require.NoError(t, err)
	require.Zero(t, wait, "the window is over")
}

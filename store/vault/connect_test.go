package vault_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
)

// grant is a consent of an account, whose tokens are named after it.
func grant(account string) vault.Connection {
	return vault.Connection{
		TenantID: testTenant, Provider: "pipedrive", Identity: providers.Identity{ExternalID: account, Name: "Company " + account},
		Grant: providers.Grant{
			AccessToken: "access " + account, RefreshToken: "refresh " + account, ExpiresAt: time.Now().Add(time.Hour),
			Scopes: []string{"base", "contacts:read"}, APIDomain: "https://" + account + ".pipedrive.com",
		},
	}
}

// next is how far away an integration's next sync is.
func (w *world) next(t *testing.T, id uuid.UUID) time.Duration {
	t.Helper()
	return one[time.Duration](t, w, `SELECT next_sync_at - now() FROM integrations WHERE id = $1`, id)
}

func TestFirstConnect(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id, result, err := w.vault.StoreGrant(t.Context(), grant("a"))
	require.NoError(t, err)
	require.Equal(t, store.ResultConnected, result)
	require.InDelta(t, 15*time.Minute, w.next(t, id), float64(20*time.Second), "no sync by itself before the first tick")
	token, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "access a", token.Access)
	require.Equal(t, providers.Account{ExternalID: "a", APIDomain: "https://a.pipedrive.com"}, token.Account)
	require.Equal(t, "connected/true/1/Company a/{base,contacts:read}", one[string](t, w,
		`SELECT concat_ws('/', status, is_active::text, token_generation, external_account_name, scopes) FROM integrations WHERE id = $1`, id))

	other := grant("a")
	other.TenantID = uuid.New()
	second, result, err := w.vault.StoreGrant(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, store.ResultConnected, result)
	require.NotEqual(t, id, second, "another tenant's row is another row")
}

func TestReconnect(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id, _, err := w.vault.StoreGrant(t.Context(), grant("a"))
	require.NoError(t, err)
	for _, code := range []string{store.NeedsReauth, "misconfigured", "drift"} {
		storetest.OpenIncident(t, w.store, testTenant, id, code)
	}
	w.exec(t, `UPDATE integrations SET status = 'needs_reauth', status_reason = 'revoked', refresh_lease_until = now() - interval '1 hour' WHERE id = $1`, id)

	again := grant("a")
	again.Wanted = id
	again.Grant.RefreshToken = "" // some providers give one only at the first consent
	same, result, err := w.vault.StoreGrant(t.Context(), again)
	require.NoError(t, err)
	require.Equal(t, id, same)
	require.Equal(t, store.ResultReconnected, result)
	require.LessOrEqual(t, w.next(t, id), time.Duration(0), "it catches up by itself")
	require.Equal(t, map[string]int{"drift": 1}, w.openIncidents(t, id))
	require.Equal(t, "connected/-/2/-", one[string](t, w, `SELECT concat_ws('/', status, coalesce(status_reason, '-'), token_generation,
		coalesce(refresh_lease_until::text, '-')) FROM integrations WHERE id = $1`, id))
	plain, err := w.vault.Open(id, vault.RefreshToken, one[string](t, w, `SELECT refresh_token FROM integrations WHERE id = $1`, id))
	require.NoError(t, err)
	require.Equal(t, "refresh a", plain)
}

func TestReconnectWithAnotherAccount(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id, _, err := w.vault.StoreGrant(t.Context(), grant("a"))
	require.NoError(t, err)
	w.exec(t, `UPDATE integrations SET status = 'needs_reauth' WHERE id = $1`, id)
	other := grant("b")
	other.Wanted = id
	second, result, err := w.vault.StoreGrant(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, store.ResultOtherAccount, result)
	require.NotEqual(t, id, second)
	require.Equal(t, store.NeedsReauth, w.status(t, id), "the wanted one still needs it")
	require.Equal(t, store.Connected, w.status(t, second))
	require.InDelta(t, 15*time.Minute, w.next(t, second), float64(20*time.Second))
}

// DESIGN §2: a first connect adopts the row of that tenant and provider that has no account id yet.
func TestConnectAdoptsARowOfTheEarlierSystem(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	off, on, foreign := uuid.New(), uuid.New(), uuid.New()
	w.exec(t, `INSERT INTO integrations (id, tenant_id, provider, access_token, is_active) VALUES
		($1, $4, 'pipedrive', 'plain', false), ($2, $4, 'pipedrive', 'plain', true), ($3, gen_random_uuid(), 'pipedrive', 'plain', true)`, off, on, foreign, testTenant)

	id, result, err := w.vault.StoreGrant(t.Context(), grant("a"))
	require.NoError(t, err)
	require.Equal(t, on, id, "the one that is switched on")
	require.Equal(t, store.ResultConnected, result)
	require.InDelta(t, 15*time.Minute, w.next(t, id), float64(20*time.Second))
	token, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "access a", token.Access, "sealed for the adopted row")

	wanted := grant("b")
	wanted.Wanted = off
	id, result, err = w.vault.StoreGrant(t.Context(), wanted)
	require.NoError(t, err)
	require.Equal(t, off, id)
	require.Equal(t, store.ResultReconnected, result)
	require.True(t, one[bool](t, w, `SELECT is_active FROM integrations WHERE id = $1`, off))
	require.Equal(t, "plain", one[string](t, w, `SELECT access_token FROM integrations WHERE id = $1`, foreign))
}

func TestConcurrentConnectsOfOneAccountMakeOneRow(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	got := answers(20, func(int) (vault.Token, error) {
		id, _, err := w.vault.StoreGrant(t.Context(), grant("a"))
		return vault.Token{Access: id.String()}, err
	})
	require.Len(t, got, 1)
	require.Equal(t, 1, one[int](t, w, `SELECT count(*) FROM integrations`))
	require.Equal(t, int64(20), one[int64](t, w, `SELECT token_generation FROM integrations`))
}

func TestDisconnect(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		revoke int // status
		shared string
		want   vault.Withdrawal
	}{
		"crm-pd-16 a: revoke answers 200":       {http.StatusOK, "", vault.Withdrawn},
		"crm-pd-16 b: revoke answers 500":       {http.StatusInternalServerError, "", vault.WithdrawalError},
		"another tenant uses the account":       {http.StatusOK, "connected", vault.WithdrawalKept},
		"another one waits for reconnection":    {http.StatusOK, "needs_reauth", vault.WithdrawalKept},
		"another one was disconnected long ago": {http.StatusOK, "disconnected", vault.Withdrawn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t)
			id := w.integration(t, time.Hour)
			run := w.run(t, id)
			storetest.OpenIncident(t, w.store, testTenant, id, "drift")
			if c.shared != "" {
				w.exec(t, `INSERT INTO integrations (tenant_id, provider, external_account_id, status) VALUES (gen_random_uuid(), 'pipedrive', $1, $2)`, id.String(), c.shared)
			}
			w.host.before = func(int) (int, string) { return c.revoke, "{}" }

			stranger := uuid.New()
			_, err := w.vault.Disconnect(t.Context(), &stranger, id)
			require.ErrorIs(t, err, store.ErrNotFound)
			require.Equal(t, store.Connected, w.status(t, id))

			got, err := w.vault.Disconnect(t.Context(), &testTenant, id)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, "disconnected/false/2/---", one[string](t, w, `SELECT concat_ws('/', status, is_active::text, token_generation,
				coalesce(access_token, '-') || coalesce(refresh_token, '-') || coalesce(next_sync_at::text, '-')) FROM integrations WHERE id = $1`, id))
			require.Equal(t, "failed/cancelled/cancelled", one[string](t, w, `SELECT concat_ws('/', r.status, error_code, j.state)
				FROM integration_sync_logs r JOIN river.river_job j ON j.id = r.job_id WHERE r.id = $1`, run))
			require.Empty(t, w.openIncidents(t, id))
			if c.want == vault.WithdrawalKept {
				require.Empty(t, w.host.revoked)
			} else {
				require.Equal(t, []string{"r0"}, w.host.revoked)
			}

			got, err = w.vault.Disconnect(t.Context(), &testTenant, id)
			require.NoError(t, err)
			require.Equal(t, vault.WithdrawalNone, got)
			require.Equal(t, int64(2), w.generation(t, id), "a second disconnect changes nothing")
		})
	}
}

func TestDisconnectDoesNotWaitForAHangingProvider(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, time.Hour)
	release := make(chan struct{})
	w.host.before = func(int) (int, string) { <-release; return 200, "" }
	opts := quick
	opts.Revoke = 50 * time.Millisecond
	got, err := w.process(t, opts).Disconnect(t.Context(), &testTenant, id)
	close(release)
	require.NoError(t, err)
	require.Equal(t, vault.WithdrawalError, got)
	require.Equal(t, store.Disconnected, w.status(t, id))
}

func TestDisconnectThrowsALateAnswerAway(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	release := make(chan struct{})
	w.host.after = func(int) { <-release }
	asked := make(chan error, 1)
	go func() {
		_, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
		asked <- err
	}()
	within(t, func() bool { return w.host.count(&w.host.inside) == 1 }, "an exchange under way")
	_, err := w.vault.Disconnect(t.Context(), nil, id)
	require.NoError(t, err)
	close(release)
	require.ErrorIs(t, <-asked, vault.ErrInactive)
	require.NoError(t, w.vault.Close(t.Context()))
	require.True(t, one[bool](t, w, `SELECT access_token IS NULL AND refresh_token IS NULL AND status = 'disconnected' FROM integrations WHERE id = $1`, id))
}

// crm-pd-16 c: the provider's own notice arrives, twice.
func TestUninstalled(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id, _, err := w.vault.StoreGrant(t.Context(), grant("a"))
	require.NoError(t, err)
	elsewhere := grant("a")
	elsewhere.TenantID = uuid.New()
	second, _, err := w.vault.StoreGrant(t.Context(), elsewhere)
	require.NoError(t, err)
	bystander, _, err := w.vault.StoreGrant(t.Context(), grant("b"))
	require.NoError(t, err)
	run := w.run(t, id)

	n, err := w.vault.Uninstalled(t.Context(), "pipedrive", "a")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	for _, gone := range []uuid.UUID{id, second} {
		require.True(t, one[bool](t, w, `SELECT access_token IS NULL AND refresh_token IS NULL AND status = 'disconnected' AND status_reason = 'uninstalled'
			FROM integrations WHERE id = $1`, gone))
	}
	require.Equal(t, "failed/needs_reauth/revoked", one[string](t, w, `SELECT concat_ws('/', status, error_code, error_variant) FROM integration_sync_logs WHERE id = $1`, run))
	require.Equal(t, store.Connected, w.status(t, bystander))
	require.Empty(t, w.host.revoked, "there is nothing left to withdraw")

	n, err = w.vault.Uninstalled(t.Context(), "pipedrive", "a")
	require.NoError(t, err)
	require.Zero(t, n)
}

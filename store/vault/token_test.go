package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
)

func TestTokenIsNotRefreshedBeforeItsTime(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, 6*time.Minute)
	token, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "a0", token.Access)
	require.Equal(t, providers.Account{ExternalID: id.String(), APIDomain: w.host.URL}, token.Account)
	require.Zero(t, w.host.count(&w.host.exchanges))

	w.exec(t, `UPDATE integrations SET expires_at = now() + interval '4 minutes' WHERE id = $1`, id)
	token, err = w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "a1", token.Access, "fewer than 5 minutes remain")
	require.Equal(t, w.host.URL+"/moved", token.Account.APIDomain)

	w.exec(t, `UPDATE integrations SET expires_at = NULL WHERE id = $1`, id)
	token, err = w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "a1", token.Access, "nobody knows when it ends")
	require.Equal(t, 1, w.host.count(&w.host.exchanges))
}

// §4.9: single-flight across processes.
func TestManyCallersOneExchange(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	vaults := []*vault.Vault{w.vault, w.process(t, quick), w.process(t, quick)}
	got := answers(50, func(i int) (vault.Token, error) { return vaults[i%3].Token(t.Context(), id, vault.NoneFailed) })
	require.Equal(t, map[string]int{"a1": 50}, got)
	require.Equal(t, 1, w.host.count(&w.host.exchanges))
	require.Equal(t, int64(2), w.generation(t, id))
	require.True(t, one[bool](t, w, `SELECT refresh_lease_until IS NULL AND expires_at BETWEEN now() + interval '59 minutes' AND now() + interval '1 hour'
		AND api_domain = $2 AND scopes = '{base,contacts:read}' FROM integrations WHERE id = $1`, id, w.host.URL+"/moved"))
}

func TestStaleGenerationGetsTheNewerToken(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, time.Hour)
	token, err := w.vault.Token(t.Context(), id, 0)
	require.NoError(t, err)
	require.Equal(t, "a0", token.Access, "generation 0 failed, generation 1 is there")
	require.Zero(t, w.host.count(&w.host.exchanges))

	token, err = w.vault.Token(t.Context(), id, 1)
	require.NoError(t, err)
	require.Equal(t, "a1", token.Access, "generation 1 failed although an hour was left")
	require.Equal(t, int64(2), token.Generation)
}

func TestServerErrorsNeverDisconnect(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		status int
		kind   providers.ErrorKind
	}{
		"503": {503, providers.Transient},
		"500": {500, providers.Transient},
		"429": {429, providers.RateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t)
			id := w.integration(t, -time.Minute)
			w.host.before = func(int) (int, string) { return c.status, "{}" }
			got := answers(50, func(int) (vault.Token, error) { return w.vault.Token(t.Context(), id, vault.NoneFailed) })
			require.NotZero(t, got[string(c.kind)])
			delete(got, string(c.kind))
			delete(got, string(providers.Transient)) // those who waited in vain
			require.Empty(t, got)
			require.Equal(t, 1, w.host.count(&w.host.most), "one at a time")
			require.LessOrEqual(t, w.host.count(&w.host.exchanges), 12, "those who waited mostly give up")
			require.Equal(t, store.Connected, w.status(t, id))
			require.Empty(t, w.openIncidents(t, id))
			require.Equal(t, c.status == 429, one[bool](t, w, `SELECT refresh_lease_until IS NULL FROM integrations WHERE id = $1`, id), "only a settled answer frees the lease")
		})
	}
}

// §4.9: its answer is stored if the generation still matches.
func TestLateAnswerIsStored(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	release := make(chan struct{})
	w.host.after = func(int) { <-release }
	_, err := w.process(t, hasty()).Token(t.Context(), id, vault.NoneFailed)
	require.Equal(t, providers.Transient, providers.KindOf(err), "the wait is shorter than the exchange")
	require.True(t, one[bool](t, w, `SELECT refresh_lease_until < clock_timestamp() FROM integrations WHERE id = $1`, id))
	// Meanwhile another process has believed that all is lost.
	w.exec(t, `UPDATE integrations SET status = 'needs_reauth', status_reason = 'revoked', refresh_lease_until = NULL WHERE id = $1`, id)
	storetest.OpenIncident(t, w.store, testTenant, id, store.NeedsReauth)

	close(release)
	within(t, func() bool { return w.generation(t, id) == 2 }, "the late answer")
	require.Equal(t, store.Connected, w.status(t, id))
	require.Empty(t, w.openIncidents(t, id))
	token, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "a1", token.Access)
	require.Equal(t, 1, w.host.count(&w.host.exchanges))
}

func TestCallersContextDoesNotReachTheExchange(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	w.host.before = func(int) (int, string) { cancel(); return 0, "" }
	release := make(chan struct{})
	w.host.after = func(int) { <-release }
	_, err := w.vault.Token(ctx, id, vault.NoneFailed)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, one[bool](t, w, `SELECT refresh_lease_until > clock_timestamp() FROM integrations WHERE id = $1`, id), "the exchange holds the lease")

	closed := make(chan error, 1)
	go func() { closed <- w.vault.Close(t.Context()) }()
	select {
	case err := <-closed:
		require.Fail(t, "a graceful stop must wait for the exchange", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	require.NoError(t, <-closed)
	require.Equal(t, int64(2), w.generation(t, id))

	w.exec(t, `UPDATE integrations SET expires_at = now() WHERE id = $1`, id)
	_, err = w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.Equal(t, providers.Transient, providers.KindOf(err), "a closed vault begins no exchange")
	require.Equal(t, 1, w.host.count(&w.host.exchanges))
	require.True(t, one[bool](t, w, `SELECT refresh_lease_until IS NULL FROM integrations WHERE id = $1`, id))
}

func TestRefusalIsBelievedOnce(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	run := w.run(t, id)
	w.host.refresh = "gone"
	got := answers(50, func(int) (vault.Token, error) { return w.vault.Token(t.Context(), id, vault.NoneFailed) })
	require.Equal(t, map[string]int{"needs_reauth": 50}, got)
	require.Equal(t, 1, w.host.count(&w.host.exchanges))
	require.Equal(t, store.NeedsReauth, w.status(t, id))
	require.True(t, one[bool](t, w, `SELECT is_active AND status_reason = 'revoked' FROM integrations WHERE id = $1`, id))
	require.Equal(t, map[string]int{"needs_reauth": 1}, w.openIncidents(t, id))
	require.Equal(t, "failed/needs_reauth/revoked/discarded", one[string](t, w, `SELECT concat_ws('/', r.status, error_code, error_variant, j.state)
		FROM integration_sync_logs r JOIN river.river_job j ON j.id = r.job_id WHERE r.id = $1`, run))
	require.NotNil(t, one[*string](t, w, `SELECT refresh_token FROM integrations WHERE id = $1`, id), "the token stays: a late answer may still come")
}

func TestRefusalAfterATakeoverIsDoubted(t *testing.T) {
	t.Parallel()

	t.Run("and believed if nothing comes", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		id := w.integration(t, -time.Minute)
		w.leave(t, id)
		w.host.refresh = "gone"
		begun := time.Now()
		_, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
		require.Equal(t, providers.NeedsReauth, providers.KindOf(err))
		require.GreaterOrEqual(t, time.Since(begun), quick.Doubt)
		require.Equal(t, store.NeedsReauth, w.status(t, id))
		require.Equal(t, 1, w.host.count(&w.host.exchanges))
	})

	t.Run("and forgotten if the earlier holder's answer comes", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		id := w.integration(t, -time.Minute)
		release := make(chan struct{})
		w.host.after = func(n int) {
			if n == 1 {
				<-release
			}
		}
		_, err := w.process(t, hasty()).Token(t.Context(), id, vault.NoneFailed)
		require.Equal(t, providers.Transient, providers.KindOf(err), "the earlier holder has waited in vain")

		patient := quick
		patient.Doubt = time.Minute
		taker := w.process(t, patient)
		doubting := make(chan map[string]int, 1)
		go func() {
			doubting <- answers(1, func(int) (vault.Token, error) { return taker.Token(t.Context(), id, vault.NoneFailed) })
		}()
		within(t, func() bool {
			return one[bool](t, w, `SELECT refresh_lease_until > clock_timestamp() FROM integrations WHERE id = $1`, id) && w.host.count(&w.host.exchanges) == 2 &&
				w.host.count(&w.host.inside) == 1
		}, "the taker's refusal")
		close(release)
		require.Equal(t, map[string]int{"a1": 1}, <-doubting)
		require.Equal(t, store.Connected, w.status(t, id))
		require.Empty(t, w.openIncidents(t, id))
	})

	t.Run("and left to the next one if the process stops", func(t *testing.T) {
		t.Parallel()

		w := newWorld(t)
		id := w.integration(t, -time.Minute)
		w.leave(t, id)
		w.host.refresh = "gone"
		slow := quick
		slow.Doubt = time.Hour
		v := w.process(t, slow)
		asked := make(chan map[string]int, 1)
		go func() {
			asked <- answers(1, func(int) (vault.Token, error) { return v.Token(t.Context(), id, vault.NoneFailed) })
		}()
		within(t, func() bool {
			return one[bool](t, w, `SELECT coalesce(refresh_lease_until > clock_timestamp() + interval '30 minutes', false) FROM integrations WHERE id = $1`, id)
		}, "the doubt extends the lease")
		require.NoError(t, v.Close(t.Context()))
		require.Equal(t, map[string]int{"transient": 1}, <-asked)
		require.True(t, one[bool](t, w, `SELECT refresh_lease_until < clock_timestamp() AND status = 'connected' FROM integrations WHERE id = $1`, id))
	})
}

// §4.9: invalid_grant is believed only after re-reading the row.
func TestRefusalYieldsToAnotherProcessesToken(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	w.host.before = func(int) (int, string) {
		lifetime := time.Hour
		stored, err := w.store.StoreRefresh(t.Context(), id, 1, store.NewTokens{
			AccessToken: w.keys.Seal(id, vault.AccessToken, "theirs"), RefreshToken: w.keys.Seal(id, vault.RefreshToken, "r"), Lifetime: &lifetime,
		})
		return 400, map[bool]string{true: invalidGrant, false: fmt.Sprint("not stored: ", err)}[stored]
	}
	token, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "theirs", token.Access)
	require.Equal(t, store.Connected, w.status(t, id))
}

func TestHolderThatIsGoneIsTakenOver(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	_, taken, err := w.store.TakeRefresh(t.Context(), id, 1, 500*time.Millisecond) // and its process dies
	require.NoError(t, err)
	require.True(t, taken)
	got := answers(50, func(int) (vault.Token, error) { return w.vault.Token(t.Context(), id, vault.NoneFailed) })
	require.Equal(t, 50, got["a1"]+got["transient"])
	require.NotZero(t, got["transient"], "those who waited mostly give up")
	require.LessOrEqual(t, w.host.count(&w.host.exchanges), 1)
	require.Equal(t, store.Connected, w.status(t, id))
}

func TestTokenInHandServesWhileTheHostIsAway(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, 4*time.Minute)
	w.host.before = func(int) (int, string) { return 503, "" }
	for range 3 {
		token, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
		require.NoError(t, err)
		require.Equal(t, "a0", token.Access)
	}
	require.Equal(t, 1, w.host.count(&w.host.exchanges), "and the host has its rest")
	w.exec(t, `UPDATE integrations SET expires_at = now() + interval '20 seconds' WHERE id = $1`, id)
	_, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.Equal(t, providers.Transient, providers.KindOf(err), "a token that ends at any moment is not sent")
	_, err = w.vault.Token(t.Context(), id, 1)
	require.Equal(t, providers.Transient, providers.KindOf(err), "nor is one that has failed")
}

func TestTokenThatDoesNotOpenIsTheOperatorsMatter(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		column   string
		lifetime time.Duration
	}{
		"access token":  {"access_token", time.Hour},
		"refresh token": {"refresh_token", -time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t)
			id := w.integration(t, c.lifetime)
			w.exec(t, `UPDATE integrations SET `+c.column+` = 'of an earlier system' WHERE id = $1`, id)
			_, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, providers.Misconfigured, e.Kind)
			require.Equal(t, words.VariantKey, e.Variant)
			require.Contains(t, e.Detail, "enlace keys import")
			require.Equal(t, "connected/of an earlier system/-", one[string](t, w,
				`SELECT concat_ws('/', status, `+c.column+`, coalesce(refresh_lease_until::text, '-')) FROM integrations WHERE id = $1`, id))
			require.Zero(t, w.host.count(&w.host.exchanges))
		})
	}
}

func TestTokenOfAnIntegrationAtRest(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	fresh, stale := w.integration(t, time.Hour), w.integration(t, -time.Minute)
	w.exec(t, `UPDATE integrations SET status = 'paused'`)
	token, err := w.vault.Token(t.Context(), fresh, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "a0", token.Access)
	_, err = w.vault.Token(t.Context(), stale, vault.NoneFailed)
	require.ErrorIs(t, err, vault.ErrInactive)
	w.exec(t, `UPDATE integrations SET status = 'disconnected'`)
	_, err = w.vault.Token(t.Context(), fresh, vault.NoneFailed)
	require.ErrorIs(t, err, vault.ErrInactive)
	w.exec(t, `DELETE FROM integrations`)
	_, err = w.vault.Token(t.Context(), fresh, vault.NoneFailed)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestMissingRefreshTokenNeedsReconnection(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	w.exec(t, `UPDATE integrations SET refresh_token = NULL WHERE id = $1`, id)
	_, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.Equal(t, providers.NeedsReauth, providers.KindOf(err))
	require.Equal(t, store.NeedsReauth, w.status(t, id))
	require.Zero(t, w.host.count(&w.host.exchanges))
}

func TestRefreshTokenStaysIfNoneCame(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, -time.Minute)
	before := one[string](t, w, `SELECT refresh_token FROM integrations WHERE id = $1`, id)
	w.exec(t, `UPDATE integrations SET scopes = '{base}' WHERE id = $1`, id)
	w.host.before = func(int) (int, string) { return 200, `{"access_token":"a9","token_type":"Bearer"}` }
	token, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "a9", token.Access)
	require.Equal(t, w.host.URL, token.Account.APIDomain)
	plain, err := w.keys.Open(id, vault.RefreshToken, one[string](t, w, `SELECT refresh_token FROM integrations WHERE id = $1`, id))
	require.NoError(t, err)
	require.Equal(t, "r0", plain)
	require.NotEmpty(t, before)
	require.True(t, one[bool](t, w, `SELECT expires_at IS NULL AND api_domain = $2 AND scopes = '{base}' FROM integrations WHERE id = $1`, id, w.host.URL))
}

func TestTokenDoesNotPrint(t *testing.T) {
	t.Parallel()

	token := vault.Token{Access: "secret", Generation: 3}
	text, err := json.Marshal(token)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s %s", token, token, token, token, text), "secret")
}

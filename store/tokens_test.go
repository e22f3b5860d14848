package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

// §4.9, the row's side: who may speak to the token host, and what its answer changes.
func TestRefreshLease(t *testing.T) {
	t.Parallel()

	type testBundle struct {
		pool  *pgxpool.Pool
		store *store.Store
		id    uuid.UUID
	}
	const span = time.Minute
	setup := func(t *testing.T) *testBundle {
		t.Helper()
		b := &testBundle{pool: storetest.Pool(t), id: uuid.New()}
		b.store = store.New(b.pool)
		_, err := b.pool.Exec(t.Context(), `INSERT INTO integrations (id, tenant_id, provider, access_token, refresh_token, token_generation, expires_at)
			VALUES ($1, gen_random_uuid(), 'pipedrive', 'access', 'refresh', 4, now() + interval '10 minutes')`, b.id)
		require.NoError(t, err)
		return b
	}
	take := func(t *testing.T, b *testBundle) store.RefreshLease {
		t.Helper()
		lease, taken, err := b.store.TakeRefresh(t.Context(), b.id, 4, span)
		require.NoError(t, err)
		require.True(t, taken)
		return lease
	}
	read := func(t *testing.T, b *testBundle) store.Tokens {
		t.Helper()
		tokens, err := b.store.Tokens(t.Context(), b.id, store.TokenAges{Early: 5 * time.Minute, Spare: time.Minute, Rest: time.Minute})
		require.NoError(t, err)
		return tokens
	}

	t.Run("OneTakesIt", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		lease := take(t, b)
		require.Equal(t, "refresh", lease.RefreshToken)
		require.False(t, lease.TakenOver)
		require.True(t, read(t, b).Busy)
		_, taken, err := b.store.TakeRefresh(t.Context(), b.id, 4, span)
		require.NoError(t, err)
		require.False(t, taken)
	})

	t.Run("NobodyTakesAnotherGenerationOrARowAtRest", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for _, generation := range []int64{3, 5} {
			_, taken, err := b.store.TakeRefresh(t.Context(), b.id, generation, span)
			require.NoError(t, err)
			require.False(t, taken)
		}
		for _, status := range []string{store.Paused, store.NeedsReauth, store.Disconnected} {
			_, err := b.pool.Exec(t.Context(), `UPDATE integrations SET status = $2 WHERE id = $1`, b.id, status)
			require.NoError(t, err)
			_, taken, err := b.store.TakeRefresh(t.Context(), b.id, 4, span)
			require.NoError(t, err)
			require.False(t, taken, status)
		}
	})

	t.Run("ASettledEndLeavesNoTrace", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		require.NoError(t, b.store.LeaveRefresh(t.Context(), b.id, 4, take(t, b).Until, true))
		require.False(t, read(t, b).Tried)
		require.False(t, take(t, b).TakenOver)
	})

	t.Run("AnUnsettledEndIsTakenOver", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		first := take(t, b)
		require.NoError(t, b.store.LeaveRefresh(t.Context(), b.id, 4, first.Until, false))
		tokens := read(t, b)
		require.False(t, tokens.Busy)
		require.True(t, tokens.Tried)
		second := take(t, b)
		require.True(t, second.TakenOver)

		require.NoError(t, b.store.LeaveRefresh(t.Context(), b.id, 4, first.Until, true), "the first holder's mark is gone")
		require.True(t, read(t, b).Busy)
		refused, err := b.store.RefuseRefresh(t.Context(), b.id, 4, first.Until, store.Refusal{})
		require.NoError(t, err)
		require.False(t, refused)
		_, held, err := b.store.ExtendRefresh(t.Context(), b.id, 4, first.Until, time.Hour)
		require.NoError(t, err)
		require.False(t, held)

		until, held, err := b.store.ExtendRefresh(t.Context(), b.id, 4, second.Until, time.Hour)
		require.NoError(t, err)
		require.True(t, held)
		require.Greater(t, until.Sub(second.Until), 50*time.Minute)
		refused, err = b.store.RefuseRefresh(t.Context(), b.id, 4, second.Until, store.Refusal{})
		require.NoError(t, err)
		require.False(t, refused, "extending changes the mark")
		refused, err = b.store.RefuseRefresh(t.Context(), b.id, 4, until, store.Refusal{Variant: "revoked", Detail: "Invalid grant"})
		require.NoError(t, err)
		require.True(t, refused)
		require.Equal(t, store.NeedsReauth, read(t, b).Status)
		require.Equal(t, "revoked", read(t, b).StatusReason)
	})

	t.Run("OnlyTheFirstAnswerOfAGenerationIsStored", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		take(t, b)
		lifetime := time.Hour
		for _, want := range []bool{true, false} {
			stored, err := b.store.StoreRefresh(t.Context(), b.id, 4, store.NewTokens{AccessToken: "new", RefreshToken: "newer", Lifetime: &lifetime})
			require.NoError(t, err)
			require.Equal(t, want, stored)
		}
		tokens := read(t, b)
		require.Equal(t, int64(5), tokens.Generation)
		require.Equal(t, "new/newer", tokens.AccessToken+"/"+tokens.RefreshToken)
		require.True(t, tokens.Fresh)
		require.False(t, tokens.Busy || tokens.Tried)
	})

	t.Run("AnAnswerLeavesPauseAndDisconnectAsTheyAre", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, err := b.pool.Exec(t.Context(), `UPDATE integrations SET status = 'paused', status_reason = 'by Ana' WHERE id = $1`, b.id)
		require.NoError(t, err)
		stored, err := b.store.StoreRefresh(t.Context(), b.id, 4, store.NewTokens{AccessToken: "new"})
		require.NoError(t, err)
		require.True(t, stored)
		require.Equal(t, "paused by Ana", read(t, b).Status+" "+read(t, b).StatusReason)
	})

	t.Run("AgesAreJudgedByTheDatabase", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for remains, want := range map[string][2]bool{"6 minutes": {true, true}, "4 minutes": {false, true}, "50 seconds": {false, false}} {
			_, err := b.pool.Exec(t.Context(), `UPDATE integrations SET expires_at = now() + $2::text::interval WHERE id = $1`, b.id, remains)
			require.NoError(t, err)
			tokens := read(t, b)
			require.Equal(t, want, [2]bool{tokens.Fresh, tokens.Usable}, remains)
		}
		_, err := b.pool.Exec(t.Context(), `UPDATE integrations SET expires_at = NULL, access_token = NULL WHERE id = $1`, b.id)
		require.NoError(t, err)
		require.False(t, read(t, b).Fresh, "no token is not a fresh one")
	})
}

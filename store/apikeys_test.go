package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

func TestAPIKeys(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	tenant, other := uuid.New(), uuid.New()
	key := store.NewKey()
	require.NotEqual(t, key, store.NewKey())
	made, err := s.CreateAPIKey(t.Context(), store.NewAPIKey{TenantID: tenant, Name: "CI", Key: key, CreatedBy: "admin"})
	require.NoError(t, err)
	require.Less(t, len(made.Prefix), 20)

	found, err := s.FindAPIKey(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, made.ID, found.ID)
	_, err = s.FindAPIKey(t.Context(), key[:len(key)-1])
	require.ErrorIs(t, err, store.ErrNotFound)

	lastUsed := func() (at time.Time) {
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT last_used_at FROM api_keys`).Scan(&at))
		return at
	}
	first := lastUsed()
	_, err = s.FindAPIKey(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, first, lastUsed(), "one write a minute")
	_, err = pool.Exec(t.Context(), `UPDATE api_keys SET last_used_at = now() - interval '61 s'`)
	require.NoError(t, err)
	_, err = s.FindAPIKey(t.Context(), key)
	require.NoError(t, err)
	require.WithinDuration(t, first, lastUsed(), 30*time.Second)

	_, err = s.CreateAPIKey(t.Context(), store.NewAPIKey{TenantID: other, Name: "twice", Key: key})
	require.Error(t, err, "a key doesn't change its tenant")

	_, err = s.RevokeAPIKey(t.Context(), &store.KeyReach{Tenant: &other}, made.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
	revoked, err := s.RevokeAPIKey(t.Context(), &store.KeyReach{Tenant: &tenant}, made.ID)
	require.NoError(t, err)
	require.NotNil(t, revoked.RevokedAt)
	twice, err := s.RevokeAPIKey(t.Context(), nil, made.ID)
	require.NoError(t, err)
	require.Equal(t, revoked.RevokedAt, twice.RevokedAt)
	_, err = s.FindAPIKey(t.Context(), key)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestSessions(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	id, made, err := s.CreateSession(t.Context(), store.Session{TenantID: uuid.New(), Actor: "demo", Admin: true}, time.Hour)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), made.ExpiresAt, time.Minute)
	found, err := s.FindSession(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, made, found)
	var kept int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM sessions s WHERE s::text LIKE '%' || $1 || '%'`, id).Scan(&kept))
	require.Zero(t, kept)

	require.NoError(t, s.EndSession(t.Context(), "another"))
	_, err = s.FindSession(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, s.EndSession(t.Context(), id))
	_, err = s.FindSession(t.Context(), id)
	require.ErrorIs(t, err, store.ErrNotFound)
}

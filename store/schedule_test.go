package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

// A sweep that was under way when one was asked for may have passed what the asker has missed.
func TestOnlyALaterSweepIsTheOneAskedFor(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	id := uuid.New()
	_, err := pool.Exec(t.Context(), `INSERT INTO integrations (id, tenant_id, provider, swept_at) VALUES ($1, gen_random_uuid(), 'crm', now() - interval '1 day')`, id)
	require.NoError(t, err)
	in := func(do func(tx pgx.Tx) error) {
		t.Helper()
		require.NoError(t, s.Tx(t.Context(), do))
	}
	swept := func() (at *time.Time) {
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT swept_at FROM integrations WHERE id = $1`, id).Scan(&at))
		return at
	}
	before, err := s.Now(t.Context())
	require.NoError(t, err)
	ends := func(first time.Time) {
		t.Helper()
		in(func(tx pgx.Tx) error {
			return s.MoveWindow(t.Context(), tx, id, store.Progress{Swept: true, First: first})
		})
	}
	in(func(tx pgx.Tx) error { return s.SweepAgain(t.Context(), tx, id) })
	require.Nil(t, swept())
	ends(before)
	require.Nil(t, swept(), "it began before")
	after, err := s.Now(t.Context())
	require.NoError(t, err)
	ends(after)
	require.NotNil(t, swept())
}

// Another tenant doesn't learn that somebody works on a subscription, nor that there is one.
func TestASubscriptionIsItsTenants(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	id, tenant, other := uuid.New(), uuid.New(), uuid.New()
	_, err := pool.Exec(t.Context(), `INSERT INTO integrations (id, tenant_id, provider) VALUES ($1, $2, 'crm')`, id, tenant)
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), `INSERT INTO webhook_subscriptions (integration_id, provider, channel, secret) VALUES ($1, 'crm', gen_random_uuid(), '')`, id)
	require.NoError(t, err)
	_, err = s.TakeSubscription(t.Context(), &other, id, time.Minute)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.TakeSubscription(t.Context(), &tenant, id, time.Minute)
	require.NoError(t, err)
	_, err = s.TakeSubscription(t.Context(), &tenant, id, time.Minute)
	require.ErrorIs(t, err, store.ErrBusy)
	_, err = s.TakeSubscription(t.Context(), &other, id, time.Minute)
	require.ErrorIs(t, err, store.ErrNotFound)
}

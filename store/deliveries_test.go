package store_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

func TestDeliveriesAreKeptForAWeek(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	for _, received := range []string{"now() - interval '8 days', now() - interval '8 days'", "now() - interval '6 days', now() - interval '6 days'", "now() - interval '8 days', NULL"} {
		_, err := pool.Exec(t.Context(), `INSERT INTO webhook_deliveries (id, provider, dedupe_key, body, changes, received_at, processed_at)
			VALUES (gen_random_uuid(), 'crm', uuid_send(gen_random_uuid()), '', '[]', `+received+`)`)
		require.NoError(t, err)
	}
	removed, err := s.RemoveOld(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, removed, "what has yet to be processed stays")
	var left int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM webhook_deliveries WHERE received_at < now() - interval '7 days'`).Scan(&left))
	require.Equal(t, 1, left)
}

// What no index or text column takes costs neither its delivery nor the others of its transaction.
func TestDeliveriesWithOddIDs(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	channel := uuid.New()
	long := make([]byte, 4000)
	for i := range long {
		long[i] = 'x'
	}
	list := []store.Delivery{
		{Provider: "crm", Key: []byte("1"), Body: []byte{0, 0xff}, Changes: []store.NotedChange{{Account: "a\x00", ExternalIDs: []string{"1\x00", "\xff2", "", string(long)}}}},
		{Provider: "crm", Key: []byte("2"), Error: "odd\x00"},
		{Provider: "crm", Key: []byte("1")},
		{Provider: "crm", Key: []byte("3"), Channel: channel},
	}
	require.NoError(t, s.Tx(t.Context(), func(tx pgx.Tx) error {
		receipts, err := s.ReceiveDeliveries(t.Context(), tx, list)
		require.Equal(t, []store.Receipt{store.DeliveryStored, store.DeliveryStored, store.DeliveryDuplicate, store.DeliveryUnknown}, receipts)
		return err
	}))
	require.NoError(t, s.Tx(t.Context(), func(tx pgx.Tx) error {
		taken, err := s.TakeDeliveries(t.Context(), tx, 10)
		require.Len(t, taken, 1, "what was not understood has been processed")
		require.Equal(t, []store.NotedChange{{Account: "a", ExternalIDs: []string{"1", "2"}}}, taken[0].Changes)
		return err
	}))
}

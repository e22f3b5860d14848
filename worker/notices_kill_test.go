//go:build unix

package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

// Workers that are killed in the midst of reading what they were told of lose none of it, and read little of it twice.
func TestKilledReadersLoseNothing(t *testing.T) {
	t.Parallel()

	const people, kills = 40, 3
	w := newWorld(t, worldOptions{contacts: people})
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS = 100 }))
	require.NoError(t, w.vault.OpenChannel(t.Context(), w.id))
	var channel uuid.UUID
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT channel FROM webhook_subscriptions`).Scan(&channel))
	for id := range living(t, w.fake, w.company) {
		event := uuid.New()
		receipts, err := w.worker.Jobs().Receive(t.Context(), []store.Delivery{{
			Provider: "pipedrive", Channel: channel, Key: event[:], Body: []byte("{}"), Changes: []store.NotedChange{{ExternalIDs: []string{id}}},
		}})
		require.NoError(t, err)
		require.Equal(t, []store.Receipt{store.DeliveryStored}, receipts)
	}

	times := short()
	times.Spans.Settle, times.Spans.Patience = 10*time.Millisecond, time.Second
	f := newFleet(t, processConfig{Database: w.pool.Config().ConnString(), Sandbox: w.server.URL, Times: times, Workers: 2})
	left := func() (n int) {
		require.NoError(t, w.pool.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM pending_changes)
			+ (SELECT count(*) FROM webhook_deliveries WHERE processed_at IS NULL)`).Scan(&n))
		return n
	}
	for range kills {
		before := w.fake.Calls()[personsPath+"/{id}"]
		p := f.startProcess(t, false)
		require.Eventually(t, func() bool {
			return w.fake.InFlight() > 0 && w.fake.Calls()[personsPath+"/{id}"] > before+2
		}, 60*time.Second, time.Millisecond)
		p.kill()
		require.Positive(t, left(), "it died in the midst of it")
	}
	last := f.startProcess(t, false)
	defer last.kill()
	require.Eventually(t, func() bool { return left() == 0 }, 60*time.Second, 10*time.Millisecond)
	w.requireEqual(t)
	require.LessOrEqual(t, w.fake.Calls()[personsPath+"/{id}"], people+kills)
}

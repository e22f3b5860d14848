package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

// A notice that is being noted and a disconnect take their locks in the same order.
func TestADisconnectWaitsForTheInbox(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	id := uuid.New()
	for _, sql := range []string{
		`INSERT INTO integrations (id, tenant_id, provider) VALUES ($1, gen_random_uuid(), 'crm')`,
		`INSERT INTO change_queues (integration_id) VALUES ($1)`,
		`INSERT INTO pending_changes (integration_id, external_id, deleted, first_noted_at, last_noted_at, due_at) VALUES ($1, '7', false, now(), now(), now())`,
	} {
		_, err := pool.Exec(t.Context(), sql, id)
		require.NoError(t, err)
	}
	inbox, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = inbox.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = inbox.Exec(t.Context(), `UPDATE change_queues SET integration_id = integration_id WHERE integration_id = $1`, id)
	require.NoError(t, err)

	ended := make(chan error, 1)
	go func() {
		_, _, err := s.EraseTokens(t.Context(), nil, id, "", store.RunEnd{Status: store.Failed, Code: "cancelled"})
		ended <- err
	}()
	require.Eventually(t, func() bool {
		var waits bool
		err := pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits)
		return err == nil && waits
	}, 20*time.Second, 10*time.Millisecond)
	_, err = inbox.Exec(t.Context(), `UPDATE pending_changes SET last_noted_at = now() WHERE integration_id = $1`, id)
	require.NoError(t, err)
	require.NoError(t, inbox.Commit(t.Context()))
	require.NoError(t, <-ended)
	var left int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM pending_changes) + (SELECT count(*) FROM change_queues)`).Scan(&left))
	require.Zero(t, left)
}

package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

func TestABusyTenantDoesNotCrowdOutAQuietOne(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	quiet, busy, other := uuid.New(), uuid.New(), uuid.New()
	for _, tenant := range []uuid.UUID{quiet, busy, busy, busy, other} {
		var id uuid.UUID
		require.NoError(t, pool.QueryRow(t.Context(), `INSERT INTO integrations (tenant_id, provider, external_account_id) VALUES ($1, 'pipedrive', gen_random_uuid()) RETURNING id`, tenant).Scan(&id))
		_, err := pool.Exec(t.Context(), `INSERT INTO integration_sync_logs (id, integration_id, tenant_id, sync_type, status, completed_at) VALUES (gen_random_uuid(), $1, $2, 'full', 'failed', now())`, id, tenant)
		require.NoError(t, err)
	}
	c, err := s.ChangedSince(t.Context(), []uuid.UUID{quiet, busy}, time.Now().Add(-time.Hour), 2)
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{busy, busy, quiet}, []uuid.UUID{c.Integrations[0].TenantID, c.Integrations[1].TenantID, c.Integrations[2].TenantID})
	require.Len(t, c.Integrations, 3)
	require.Equal(t, []uuid.UUID{busy, busy, quiet}, []uuid.UUID{c.Runs[0].TenantID, c.Runs[1].TenantID, c.Runs[2].TenantID})
	require.Len(t, c.Runs, 3)
}

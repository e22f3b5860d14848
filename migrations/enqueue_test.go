package migrations_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"

	"example.com/enlace/jobs"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

const enqueue = `SELECT enlace.enqueue_sync($1, $2)`

func newIntegration(t *testing.T, pool *pgxpool.Pool, tenant uuid.UUID) (id uuid.UUID) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `INSERT INTO integrations (tenant_id, provider) VALUES ($1, 'pipedrive') RETURNING id`, tenant).Scan(&id))
	return id
}

// TestEnqueueFromSQLEqualsOurs pins River's row format: a job inserted by the SQL function is the one that the client
// inserts, column by column.
func TestEnqueueFromSQLEqualsOurs(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	tenant := uuid.New()
	st := store.New(pool)
	river, err := jobs.InsertOnly(riverpgxv5.New(pool), nil)
	require.NoError(t, err)
	ours, err := jobs.New(river, st).EnqueueSync(t.Context(), nil, newIntegration(t, pool, tenant), store.NewRun{SyncType: store.Full, RequestedBy: "test"})
	require.NoError(t, err)
	var theirs uuid.UUID
	require.NoError(t, pool.QueryRow(t.Context(), enqueue, newIntegration(t, pool, tenant), store.Full).Scan(&theirs))

	read := func(run uuid.UUID) map[string]any {
		var raw []byte
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT to_jsonb(j) FROM river.river_job j JOIN integration_sync_logs r ON r.job_id = j.id WHERE r.id = $1`, run).Scan(&raw))
		var row map[string]any
		require.NoError(t, json.Unmarshal(raw, &row))
		require.Equal(t, map[string]any{"run_id": run.String()}, row["args"])
		for _, column := range []string{"id", "args", "created_at", "scheduled_at"} {
			delete(row, column)
		}
		return row
	}
	require.Equal(t, read(ours.ID), read(theirs))
}

func TestEnqueueFromSQL(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	tenant := uuid.New()
	id := newIntegration(t, pool, tenant)

	t.Run("RolledBackLeavesNothing", func(t *testing.T) { //nolint:paralleltest // before the next
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), enqueue, id, store.Full)
		require.NoError(t, err)
		require.NoError(t, tx.Rollback(t.Context()))
		require.Equal(t, map[string]int{}, counts(t, pool, `SELECT status, count(*) FROM integration_sync_logs GROUP BY 1`))
		require.Equal(t, map[string]int{}, counts(t, pool, `SELECT kind, count(*) FROM river.river_job GROUP BY 1`))
	})
	t.Run("JoinsAndFollows", func(t *testing.T) { //nolint:paralleltest // goes on
		ask := func(kind string) (run uuid.UUID) {
			require.NoError(t, pool.QueryRow(t.Context(), enqueue, id, kind).Scan(&run))
			return run
		}
		full := ask(store.Full)
		require.Equal(t, full, ask(store.Full))
		follower := ask(store.Incremental)
		require.NotEqual(t, full, follower)
		require.Equal(t, follower, ask(store.Incremental))
		require.Equal(t, map[string]int{"contacts_sync": 1}, counts(t, pool, `SELECT kind, count(*) FROM river.river_job GROUP BY 1`))
	})
	t.Run("AFullOneWidensAnIncrementalThatWaits", func(t *testing.T) {
		t.Parallel()

		busy := newIntegration(t, pool, tenant)
		ask := func(kind string) (run uuid.UUID) {
			require.NoError(t, pool.QueryRow(t.Context(), enqueue, busy, kind).Scan(&run))
			return run
		}
		active := ask(store.Incremental)
		_, err := pool.Exec(t.Context(), `UPDATE integration_sync_logs SET window_end = now() WHERE id = $1`, active)
		require.NoError(t, err)
		follower := ask(store.Incremental)
		require.NotEqual(t, active, follower, "the edit may be behind the active one")
		require.Equal(t, follower, ask(store.Full))
		require.Equal(t, map[string]int{"full": 1}, counts(t, pool, `SELECT sync_type, count(*) FROM integration_sync_logs WHERE id = '`+follower.String()+`' GROUP BY 1`))
		require.Equal(t, active, ask(store.Incremental))
	})
	t.Run("AnotherKindIsRefused", func(t *testing.T) {
		t.Parallel()

		_, err := pool.Exec(t.Context(), enqueue, id, "everything")
		require.ErrorContains(t, err, "sync_type must be one of")
	})
	t.Run("APausedOneIsRefused", func(t *testing.T) {
		t.Parallel()

		paused := newIntegration(t, pool, tenant)
		_, err := pool.Exec(t.Context(), `UPDATE integrations SET is_active = false WHERE id = $1`, paused)
		require.NoError(t, err)
		_, err = pool.Exec(t.Context(), enqueue, paused, store.Full)
		require.ErrorContains(t, err, "integration is paused")
	})

	// who may: the tenant in the claims, the service role, and nobody else
	for name, c := range map[string]struct {
		role, claims string
		allowed      bool
	}{
		"its own tenant":                {"authenticated", `{"role":"authenticated","app_metadata":{"tenant_id":"` + tenant.String() + `"}}`, true},
		"another tenant":                {"authenticated", `{"role":"authenticated","app_metadata":{"tenant_id":"` + uuid.NewString() + `"}}`, false},
		"no claims":                     {"authenticated", ``, false},
		"empty claims":                  {"authenticated", `{}`, false},
		"a claimed service role":        {"authenticated", `{"role":"service_role"}`, false},
		"the service role":              {"service_role", `{"role":"service_role"}`, true},
		"a user's own metadata is none": {"authenticated", `{"role":"authenticated","user_metadata":{"tenant_id":"` + tenant.String() + `"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			tx, err := pool.Begin(t.Context())
			require.NoError(t, err)
			defer func() { _ = tx.Rollback(context.Background()) }()
			_, err = tx.Exec(t.Context(), `SELECT set_config('request.jwt.claims', $1, true)`, c.claims)
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), `SET LOCAL ROLE `+c.role)
			require.NoError(t, err)
			var run uuid.UUID
			err = tx.QueryRow(t.Context(), enqueue, id, store.Full).Scan(&run)
			if c.allowed {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "integration not found")
			}
		})
	}
	t.Run("anon may not call it", func(t *testing.T) {
		t.Parallel()

		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Rollback(context.Background()) }()
		_, err = tx.Exec(t.Context(), `SET LOCAL ROLE anon`)
		require.NoError(t, err)
		requireDenied(t, tx, `SELECT enlace.enqueue_sync('`+id.String()+`', 'full')`)
	})
}

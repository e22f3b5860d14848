package migrations_test

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/enlace/migrations"
	"example.com/enlace/store/storetest"
)

// versions are those of enlace's migrations, oldest first.
func versions(t *testing.T) (list []int64) {
	t.Helper()
	names, err := fs.Glob(migrations.Files(), "*.sql")
	require.NoError(t, err)
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(number, 10, 64)
		require.NoError(t, err)
		list = append(list, version)
	}
	require.NotEmpty(t, list)
	return list
}

func TestFromEmptyAndTwice(t *testing.T) {
	t.Parallel()

	pool := storetest.Open(t, storetest.EmptyURL(t))
	require.ErrorContains(t, migrations.Check(t.Context(), pool), "run `enlace migrate`", "an empty database is not ready")
	first, err := migrations.Up(t.Context(), pool)
	require.NoError(t, err)
	all := versions(t)
	require.Equal(t, len(all)+migrations.RiverVersion, first.Applied)
	require.Equal(t, all[len(all)-1], first.Version)
	require.NoError(t, migrations.Check(t.Context(), pool))

	second, err := migrations.Up(t.Context(), pool)
	require.NoError(t, err)
	require.Zero(t, second.Applied)
}

func TestConcurrently(t *testing.T) {
	t.Parallel()

	pool := storetest.Open(t, storetest.EmptyURL(t))
	errs := make(chan error, 3)
	for range cap(errs) {
		go func() {
			_, err := migrations.Up(t.Context(), pool)
			errs <- err
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
}

func TestFromEveryEarlierVersion(t *testing.T) {
	t.Parallel()

	all := versions(t)
	for i, version := range all[:len(all)-1] {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			t.Parallel()

			pool := storetest.Open(t, storetest.EmptyURL(t))
			_, err := migrations.UpTo(t.Context(), pool, version)
			require.NoError(t, err)
			require.Error(t, migrations.Check(t.Context(), pool))
			res, err := migrations.Up(t.Context(), pool)
			require.NoError(t, err)
			require.Equal(t, len(all)-1-i, res.Applied)
			require.NoError(t, migrations.Check(t.Context(), pool))
		})
	}
}

// earlier is the schema of the system that enlace replaces, with rows as they are found: dead runs among them, a table
// policy of the owner's, and a view that someone built on top.
const earlier = `
CREATE ROLE dashboard_%[1]s NOLOGIN;
CREATE TABLE integrations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL, provider varchar(50) NOT NULL, access_token text, refresh_token text,
    expires_at timestamptz, metadata jsonb, is_active boolean DEFAULT true, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE integration_sync_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), integration_id uuid REFERENCES integrations (id), sync_type varchar(20), status varchar(20),
    records_synced integer, error_message text, started_at timestamptz DEFAULT now(), completed_at timestamptz);
CREATE POLICY owners ON integrations FOR SELECT TO dashboard_%[1]s USING (true);
GRANT SELECT ON integrations TO dashboard_%[1]s;
CREATE VIEW latest AS SELECT * FROM integration_sync_logs;
INSERT INTO integrations (id, tenant_id, provider, access_token, is_active) VALUES
    ('10000000-0000-4000-8000-000000000001', '20000000-0000-4000-8000-000000000001', 'pipedrive', 'plain-token', true),
    ('10000000-0000-4000-8000-000000000002', '20000000-0000-4000-8000-000000000001', 'zoho', NULL, false),
    ('10000000-0000-4000-8000-000000000003', '20000000-0000-4000-8000-000000000002', 'pipedrive', 'other', NULL);
INSERT INTO integration_sync_logs (integration_id, sync_type, status, records_synced, error_message, completed_at)
SELECT '10000000-0000-4000-8000-000000000001', 'full', s, 10, e, c FROM (VALUES
    ('completed', NULL, now()), ('failed', 'boom', now()), ('in_progress', NULL, NULL), ('in_progress', NULL, NULL), ('in_progress', NULL, NULL),
    ('pending', NULL, NULL), ('pending', 'queued twice', NULL)) AS v (s, e, c);
INSERT INTO integration_sync_logs (integration_id, sync_type, status, records_synced) VALUES
    ('10000000-0000-4000-8000-000000000002', 'incremental', 'in_progress', NULL), ('10000000-0000-4000-8000-000000000002', 'contacts', 'completed', 3);`

func TestOnTheEarlierSystemsTables(t *testing.T) {
	t.Parallel()

	pool := storetest.Open(t, storetest.EmptyURL(t))
	role := uuid.NewString()[:8]
	_, err := pool.Exec(t.Context(), fmt.Sprintf(earlier, role))
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = pool.Exec(context.Background(), fmt.Sprintf(`DROP OWNED BY dashboard_%[1]s; DROP ROLE dashboard_%[1]s`, role))
	})
	_, err = migrations.Up(t.Context(), pool)
	require.NoError(t, err)

	require.Equal(t, map[string]int{"completed/": 2, "failed/": 1, "failed/interrupted": 6}, counts(t, pool,
		`SELECT status || '/' || coalesce(error_code, ''), count(*) FROM integration_sync_logs GROUP BY 1`))
	require.Equal(t, map[string]int{"boom": 1, "queued twice": 1}, counts(t, pool,
		`SELECT error_message, count(*) FROM integration_sync_logs WHERE error_message !~ 'earlier system' GROUP BY 1`), "what was said stays said")
	require.Equal(t, map[string]int{"connected": 2, "paused": 1}, counts(t, pool, `SELECT status, count(*) FROM integrations GROUP BY 1`))
	require.Equal(t, map[string]int{"plain-token": 1, "other": 1}, counts(t, pool,
		`SELECT access_token, count(*) FROM integrations WHERE access_token IS NOT NULL GROUP BY 1`), "no value is rewritten")
	require.Equal(t, map[string]int{"20000000-0000-4000-8000-000000000001": 9}, counts(t, pool,
		`SELECT tenant_id::text, count(*) FROM integration_sync_logs GROUP BY 1`))
	require.Equal(t, map[string]int{"owners": 1}, counts(t, pool, `SELECT polname::text, count(*) FROM pg_policy WHERE polname = 'owners' GROUP BY 1`))

	t.Run("TheOldDashboardStillWorks", func(t *testing.T) {
		as(t, pool, "20000000-0000-4000-8000-000000000001", func(tx pgx.Tx) {
			var n int
			require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM (SELECT * FROM integrations) i`).Scan(&n))
			require.Equal(t, 2, n)
			tag, err := tx.Exec(t.Context(), `UPDATE integrations SET is_active = false, metadata = '{"note": 1}' WHERE provider = 'pipedrive'`)
			require.NoError(t, err)
			require.EqualValues(t, 1, tag.RowsAffected(), "its own row, not the other tenant's")
			var status string
			require.NoError(t, tx.QueryRow(t.Context(), `SELECT status FROM integrations WHERE provider = 'pipedrive'`).Scan(&status))
			require.Equal(t, "paused", status)
		})
	})
}

func TestActiveFollowsStatus(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	var id uuid.UUID
	require.NoError(t, pool.QueryRow(t.Context(), `INSERT INTO integrations (tenant_id, provider) VALUES (gen_random_uuid(), 'pipedrive') RETURNING id`).Scan(&id))
	for _, step := range []struct {
		set    string
		active bool
		status string
	}{
		{"is_active = false", false, "paused"},
		{"is_active = true", true, "connected"},
		{"status = 'needs_reauth'", true, "needs_reauth"},
		{"status = 'disconnected'", false, "disconnected"},
		{"is_active = true", false, "disconnected"}, // only a new connect brings it back
		{"status = 'connected', is_active = false", true, "connected"},
		{"metadata = '{}'", true, "connected"},
	} {
		var active bool
		var status string
		require.NoError(t, pool.QueryRow(t.Context(), `UPDATE integrations SET `+step.set+` WHERE id = $1 RETURNING is_active, status`, id).Scan(&active, &status))
		require.Equal(t, step.active, active, step.set)
		require.Equal(t, step.status, status, step.set)
	}
}

// TestRowLevelSecurity: what a browser with a Supabase session sees and may write, table by table.
func TestRowLevelSecurity(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	mine, other := uuid.New(), uuid.New()
	for _, tenant := range []uuid.UUID{mine, other} {
		_, err := pool.Exec(t.Context(), `
			WITH i AS (INSERT INTO integrations (tenant_id, provider) VALUES ($1, 'pipedrive') RETURNING id),
			r AS (INSERT INTO integration_sync_logs (integration_id, tenant_id, sync_type) SELECT id, $1, 'full' FROM i RETURNING id),
			c AS (INSERT INTO contacts (tenant_id, integration_id, external_id, content_hash, observed_at) SELECT $1, id, '1', '', now() FROM i)
			INSERT INTO incidents (tenant_id, integration_id, code) SELECT $1, id, 'internal' FROM i`, tenant)
		require.NoError(t, err)
	}
	open := []string{"integrations", "integration_sync_logs", "contacts", "incidents"}
	closed := []string{
		"sync_run_pages", "confirming_reads", "sync_failures", "rate_budgets", "rate_spending", "api_keys", "sessions", "connect_sessions", "oauth_states",
		"idempotency_keys", "audit_log",
		"webhook_deliveries", "webhook_subscriptions", "pending_changes", "change_queues", "granted_tokens",
	}
	var tables int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relrowsecurity`).Scan(&tables))
	require.Equal(t, len(open)+len(closed), tables, "each table of ours is in one of the lists, and has row-level security")

	for _, table := range open {
		t.Run(table, func(t *testing.T) {
			t.Parallel()

			as(t, pool, mine.String(), func(tx pgx.Tx) {
				rows, err := tx.Query(t.Context(), `SELECT tenant_id FROM `+table)
				require.NoError(t, err)
				tenants, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
				require.NoError(t, err)
				require.Equal(t, []uuid.UUID{mine}, tenants)
				requireDenied(t, tx, `DELETE FROM `+table)
			})
			as(t, pool, "", func(tx pgx.Tx) {
				var n int
				require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n))
				require.Zero(t, n, "no claims, no rows")
			})
		})
	}
	for _, table := range closed {
		t.Run(table, func(t *testing.T) {
			t.Parallel()

			as(t, pool, mine.String(), func(tx pgx.Tx) { requireDenied(t, tx, `SELECT * FROM `+table) })
		})
	}
	t.Run("TokensCannotBeWritten", func(t *testing.T) {
		t.Parallel()

		as(t, pool, mine.String(), func(tx pgx.Tx) { requireDenied(t, tx, `UPDATE integrations SET access_token = 'x'`) })
	})
	t.Run("NorAnythingElseWhateverIsGranted", func(t *testing.T) {
		t.Parallel()

		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Rollback(context.Background()) }()
		_, err = tx.Exec(t.Context(), `GRANT ALL ON integrations TO authenticated`) // as Supabase does by default
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `SELECT set_config('request.jwt.claims', $1, true)`, `{"app_metadata":{"tenant_id":"`+mine.String()+`"}}`)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `SET LOCAL ROLE authenticated`)
		require.NoError(t, err)
		var domain, token *string
		var status, schedule, note string
		require.NoError(t, tx.QueryRow(t.Context(), `UPDATE integrations SET api_domain = 'https://elsewhere.example', access_token = 'x', schedule = 'x',
			status = 'disconnected', metadata = '{"note": "mine"}' RETURNING api_domain, access_token, status, schedule, metadata ->> 'note'`).
			Scan(&domain, &token, &status, &schedule, &note))
		require.Nil(t, domain)
		require.Nil(t, token)
		require.Equal(t, "connected", status)
		require.Equal(t, "@every 15m", schedule)
		require.Equal(t, "mine", note)
	})
	t.Run("AMalformedClaimSeesNothing", func(t *testing.T) {
		t.Parallel()

		as(t, pool, "not-a-uuid", func(tx pgx.Tx) {
			var n int
			require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM integrations`).Scan(&n))
			require.Zero(t, n)
		})
	})
}

// as runs do as a browser user of a tenant would, in a transaction that is rolled back.
func as(t *testing.T, pool *pgxpool.Pool, tenant string, do func(pgx.Tx)) {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `SET LOCAL ROLE authenticated`)
	require.NoError(t, err)
	if tenant != "" {
		_, err = tx.Exec(t.Context(), `SELECT set_config('request.jwt.claims', $1, true)`, `{"role":"authenticated","app_metadata":{"tenant_id":"`+tenant+`"}}`)
		require.NoError(t, err)
	}
	do(tx)
}

// requireDenied demands that a statement is refused for want of a grant; the transaction goes on.
func requireDenied(t *testing.T, tx pgx.Tx, sql string) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), tx, func(sub pgx.Tx) error {
		_, err := sub.Exec(t.Context(), sql)
		return err
	})
	require.ErrorContains(t, err, "permission denied", sql)
}

func counts(t *testing.T, pool *pgxpool.Pool, sql string) map[string]int {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql)
	require.NoError(t, err)
	got := map[string]int{}
	var key string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&key, &n}, func() error { got[key] = n; return nil })
	require.NoError(t, err)
	return got
}

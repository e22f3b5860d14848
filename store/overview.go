package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// lastRuns reads the active run of each integration, or its newest.
const lastRuns = `
SELECT ` + runColumns + ` FROM unnest($1::uuid[]) AS u (id) CROSS JOIN LATERAL (
    (SELECT 0 AS place, a.* FROM integration_sync_logs a
        WHERE a.integration_id = u.id AND a.status IN ('pending', 'in_progress') AND a.after_run_id IS NULL)
    UNION ALL
    (SELECT 1, n.* FROM integration_sync_logs n WHERE n.integration_id = u.id ORDER BY n.created_at DESC, n.id DESC LIMIT 1)
    ORDER BY place LIMIT 1) AS r`

// LastRuns reads of each integration the run that is active, or the last one.
func (s *Store) LastRuns(ctx context.Context, integrations []uuid.UUID) (map[uuid.UUID]Run, error) {
	found := make(map[uuid.UUID]Run, len(integrations))
	if len(integrations) == 0 {
		return found, nil
	}
	list, err := all(ctx, s.pool, "read last runs", pgx.RowToStructByPos[Run], lastRuns, integrations)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		found[r.IntegrationID] = r
	}
	return found, nil
}

// countContacts counts as far as a limit; beyond, the last count of a whole sweep is the best there is without reading all.
const countContacts = `
SELECT u.id, few.n, (SELECT l.live_count FROM integration_sync_logs l
    WHERE few.n > $2 AND l.integration_id = u.id AND l.live_count IS NOT NULL ORDER BY l.created_at DESC LIMIT 1)
FROM unnest($1::uuid[]) AS u (id) CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM (SELECT FROM contacts c WHERE c.integration_id = u.id AND c.deleted_at IS NULL LIMIT $2 + 1) AS counted) AS few`

// ContactCount is how many live contacts an integration has.
type ContactCount struct {
	N     int64
	About bool // as counted by the last sweep, or at least
}

// CountContacts counts the live contacts of each integration, exactly up to a limit.
func (s *Store) CountContacts(ctx context.Context, integrations []uuid.UUID, limit int64) (map[uuid.UUID]ContactCount, error) {
	counts := make(map[uuid.UUID]ContactCount, len(integrations))
	rows, err := s.pool.Query(ctx, countContacts, integrations, limit)
	if err != nil {
		return nil, fmt.Errorf("count contacts: %w", err)
	}
	var (
		id    uuid.UUID
		n     int64
		swept *int64
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &n, &swept}, func() error {
		c := ContactCount{N: n, About: n > limit}
		if swept != nil {
			c.N = max(n, *swept)
		}
		counts[id] = c
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count contacts: %w", err)
	}
	return counts, nil
}

const heldDeletions = `SELECT run_id, count(*) FROM confirming_reads WHERE run_id = ANY ($1) AND result = 'held' GROUP BY run_id`

// HeldDeletions counts, for each run, the deletions that wait for a person.
func (s *Store) HeldDeletions(ctx context.Context, runs []uuid.UUID) (map[uuid.UUID]int64, error) {
	held := make(map[uuid.UUID]int64)
	if len(runs) == 0 {
		return held, nil
	}
	rows, err := s.pool.Query(ctx, heldDeletions, runs)
	if err != nil {
		return nil, fmt.Errorf("count held deletions: %w", err)
	}
	var (
		run uuid.UUID
		n   int64
	)
	if _, err = pgx.ForEachRow(rows, []any{&run, &n}, func() error { held[run] = n; return nil }); err != nil {
		return nil, fmt.Errorf("count held deletions: %w", err)
	}
	return held, nil
}

const queueDepths = `SELECT queue, state::text, count(*) FROM river.river_job
WHERE state IN ('available', 'running', 'retryable', 'scheduled') GROUP BY queue, state`

const runCounts = `SELECT sync_type, status, count(*) FROM integration_sync_logs
WHERE status IN ('pending', 'in_progress') OR completed_at > now() - interval '1 day' GROUP BY sync_type, status`

// Count is a number of rows that share two names.
type Count struct {
	First, Second string
	N             int64
}

// QueueDepths counts the jobs that have yet to end, by queue and state.
func (s *Store) QueueDepths(ctx context.Context) ([]Count, error) { return s.counts(ctx, queueDepths) }

// RunCounts counts the runs that are active or ended within a day, by kind and status.
func (s *Store) RunCounts(ctx context.Context) ([]Count, error) { return s.counts(ctx, runCounts) }

func (s *Store) counts(ctx context.Context, sql string) ([]Count, error) {
	return all(ctx, s.pool, "count", pgx.RowToStructByPos[Count], sql)
}

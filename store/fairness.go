package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Priorities of sync jobs in River's queue, where a smaller one is strictly first: what a person waits for begins at once,
// and is then worked on in turn with everything else, so that nothing starves.
const (
	PriorityFirst  = 1
	PriorityInTurn = 2
)

const setPriority = `UPDATE river.river_job SET priority = $2 WHERE id = $1 AND priority <> $2`

// SetPriority sets the place of a sync job among those that wait.
func (s *Store) SetPriority(ctx context.Context, tx pgx.Tx, job int64, priority int) error {
	if _, err := tx.Exec(ctx, setPriority, job, priority); err != nil {
		return fmt.Errorf("set priority of job: %w", err)
	}
	return nil
}

// isOverdrawn compares a tenant's running slices with those of each tenant that waits. The tenant with the fewest never
// is, so somebody always goes on.
const isOverdrawn = `
WITH mine AS (SELECT tenant_id FROM integration_sync_logs WHERE id = $1),
running AS (
    SELECT r.tenant_id, count(*) AS slices FROM integration_sync_logs r
    WHERE r.status = 'in_progress' AND r.lease_until > clock_timestamp() AND r.id <> $1 GROUP BY r.tenant_id
),
waiting AS (
    SELECT DISTINCT r.tenant_id FROM river.river_job j JOIN integration_sync_logs r ON r.job_id = j.id
    WHERE j.queue = $2 AND j.state = 'available' AND j.scheduled_at <= now() AND r.status IN ('pending', 'in_progress')
)
SELECT EXISTS (
    SELECT FROM waiting w CROSS JOIN mine m JOIN running own ON own.tenant_id = m.tenant_id
    LEFT JOIN running theirs ON theirs.tenant_id = w.tenant_id
    WHERE w.tenant_id <> m.tenant_id AND coalesce(theirs.slices, 0) < own.slices)`

// Overdrawn reports whether a run's tenant has more slices under way than another tenant whose work waits in the queue:
// then it is the other's turn.
func (s *Store) Overdrawn(ctx context.Context, run uuid.UUID, queue string) (over bool, err error) {
	if err := s.pool.QueryRow(ctx, isOverdrawn, run, queue).Scan(&over); err != nil {
		return false, fmt.Errorf("compare tenants' shares: %w", err)
	}
	return over, nil
}

const waiting = `
SELECT count(*) FROM (SELECT FROM river.river_job WHERE queue = $1 AND state = 'available' AND scheduled_at <= now() LIMIT $2) w`

// JobsWaiting counts the jobs of a queue that wait for a free worker, at most so many.
func (s *Store) JobsWaiting(ctx context.Context, queue string, most int) (n int, err error) {
	if err := s.pool.QueryRow(ctx, waiting, queue, most).Scan(&n); err != nil {
		return 0, fmt.Errorf("look at queue: %w", err)
	}
	return n, nil
}

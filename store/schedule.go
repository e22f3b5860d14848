package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Due is an integration whose scheduled time has come, locked for the rest of the transaction.
type Due struct {
	Locked
	Schedule  string
	DueAt     time.Time // the tick
	Now       time.Time // the database's clock
	SweptAt   *time.Time
	WindowEnd *time.Time
}

const claimDue = `
SELECT id, tenant_id, provider, status, schedule, next_sync_at, clock_timestamp(), swept_at, window_end FROM integrations
WHERE status = 'connected' AND next_sync_at <= now() AND isfinite(next_sync_at)
ORDER BY next_sync_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED`

// ClaimDue locks up to n integrations that are due, skipping those that others hold: two schedulers never start one twice.
func (s *Store) ClaimDue(ctx context.Context, tx pgx.Tx, n int) ([]Due, error) {
	return all(ctx, tx, "claim due integrations", func(row pgx.CollectableRow) (d Due, err error) {
		err = row.Scan(&d.ID, &d.TenantID, &d.Provider, &d.Status, &d.Schedule, &d.DueAt, &d.Now, &d.SweptAt, &d.WindowEnd)
		return d, err
	}, claimDue, n)
}

const setNextSync = `UPDATE integrations SET next_sync_at = $2 WHERE id = $1`

// SetNextSync notes when an integration is due next; nil: never by itself.
func (s *Store) SetNextSync(ctx context.Context, tx pgx.Tx, integration uuid.UUID, at *time.Time) error {
	if _, err := tx.Exec(ctx, setNextSync, integration, at); err != nil {
		return fmt.Errorf("set next sync: %w", err)
	}
	return nil
}

// Progress is what a completed run moves on its integration.
type Progress struct {
	WindowEnd time.Time // zero: unchanged
	Watermark time.Time // zero: unchanged
	Swept     bool
	First     time.Time // when the run's first call began

	DeletedUntil time.Time // the list of deletions was read to its end; zero: unchanged
}

const moveWindow = `
UPDATE integrations SET window_end = coalesce($2, window_end), watermark = greatest(watermark, $3),
    swept_at = CASE WHEN $4 AND (sweep_asked_at IS NULL OR sweep_asked_at < $6) THEN clock_timestamp() ELSE swept_at END, deleted_until = greatest(deleted_until, $5)
WHERE id = $1`

// MoveWindow notes that a whole walk has been committed. The caller has locked the integration.
func (s *Store) MoveWindow(ctx context.Context, tx pgx.Tx, integration uuid.UUID, p Progress) error {
	if _, err := tx.Exec(ctx, moveWindow, integration, optional(p.WindowEnd), optional(p.Watermark), p.Swept, optional(p.DeletedUntil), optional(p.First)); err != nil {
		return fmt.Errorf("move window: %w", err)
	}
	return nil
}

const countRun = `
UPDATE integration_sync_logs SET live_count = $2::bigint, provider_count = $3::bigint, drift = $2::bigint - $3::bigint,
    records_total = coalesce($3, records_total), total_is_estimate = $3 IS NULL AND total_is_estimate
WHERE id = $1 RETURNING drift`

// CountRun notes how many contacts are here, and how many the provider has (nil: unknown), after a sweep.
func (s *Store) CountRun(ctx context.Context, tx pgx.Tx, run uuid.UUID, live int64, provider *int64) (drift *int64, err error) {
	if err := tx.QueryRow(ctx, countRun, run, live, provider).Scan(&drift); err != nil {
		return nil, fmt.Errorf("count run: %w", err)
	}
	return drift, nil
}

const holdFence = `SELECT 1 FROM integration_sync_logs WHERE id = $1 AND fence = $2 AND job_id = $3 AND status = 'in_progress' FOR UPDATE`

// HoldFence locks the run under its fence in the transaction that ends it; [ErrLost] if the slice has lost it.
func (s *Store) HoldFence(ctx context.Context, tx pgx.Tx, c Claim) error {
	tag, err := tx.Exec(ctx, holdFence, c.RunID, c.Fence, c.Job)
	return fenced(tag.RowsAffected(), "hold run", err)
}

// Spent is what provider calls cost.
type Spent struct {
	Calls int
	Quota int64 // of the account's daily budget, in the provider's unit
}

const addSpent = `UPDATE integration_sync_logs SET api_calls = api_calls + $2, quota_used = quota_used + $3 WHERE id = $1`

// AddSpent counts provider calls that no page has counted.
func (s *Store) AddSpent(ctx context.Context, tx pgx.Tx, run uuid.UUID, spent Spent) error {
	if spent == (Spent{}) {
		return nil
	}
	if _, err := tx.Exec(ctx, addSpent, run, spent.Calls, spent.Quota); err != nil {
		return fmt.Errorf("count calls: %w", err)
	}
	return nil
}

const sweepAgain = `UPDATE integrations SET swept_at = NULL, sweep_asked_at = clock_timestamp() WHERE id = $1`

// SweepAgain makes the next scheduled run a sweep, since a list was incomplete, or deletions may have been missed. A sweep
// that has begun before doesn't count.
func (s *Store) SweepAgain(ctx context.Context, tx pgx.Tx, integration uuid.UUID) error {
	if _, err := tx.Exec(ctx, sweepAgain, integration); err != nil {
		return fmt.Errorf("sweep again: %w", err)
	}
	return nil
}

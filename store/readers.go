package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
)

// ChangesClaim is a slice's right to work on an integration's pending changes.
type ChangesClaim struct {
	IntegrationID, TenantID uuid.UUID
	Job, Fence              int64
	FailuresInRow           int
	Now                     time.Time // the database's clock at the claim
}

const claimChanges = `
UPDATE change_queues q SET fence = q.fence + 1, lease_until = clock_timestamp() + $3, waiting_until = NULL, waiting_reason = NULL
FROM integrations i
WHERE q.integration_id = $1 AND q.job_id = $2 AND i.id = q.integration_id
RETURNING i.tenant_id, q.fence, q.failures_in_row, clock_timestamp()`

// ClaimChanges begins a slice of the pending changes whose job it is; [ErrNotFound] if the job isn't, or no longer, theirs.
func (s *Store) ClaimChanges(ctx context.Context, integration uuid.UUID, job int64) (ChangesClaim, error) {
	c := ChangesClaim{IntegrationID: integration, Job: job}
	_, err := one(c, s.pool.QueryRow(ctx, claimChanges, integration, job, s.lease).Scan(&c.TenantID, &c.Fence, &c.FailuresInRow, &c.Now))
	if err != nil {
		return c, fmt.Errorf("claim changes: %w", err)
	}
	return c, nil
}

const renewChanges = `
UPDATE change_queues SET lease_until = clock_timestamp() + $4 WHERE integration_id = $1 AND fence = $2 AND job_id = $3`

// RenewChanges prolongs the slice's lease; [ErrLost] if it has none.
func (s *Store) RenewChanges(ctx context.Context, c ChangesClaim) error {
	tag, err := s.pool.Exec(ctx, renewChanges, c.IntegrationID, c.Fence, c.Job, s.lease)
	return fenced(tag.RowsAffected(), "renew lease of changes", err)
}

// HoldChanges holds the queue under its fence for the rest of the transaction; [ErrLost] if the slice has lost it.
func (s *Store) HoldChanges(ctx context.Context, tx pgx.Tx, c ChangesClaim) error {
	tag, err := tx.Exec(ctx, renewChanges, c.IntegrationID, c.Fence, c.Job, s.lease)
	return fenced(tag.RowsAffected(), "hold changes", err)
}

// PendingChange is a record that is to be read.
type PendingChange struct {
	ExternalID  string
	Deleted     bool
	LastNotedAt time.Time
	Failures    int           // how often it could not be read though others could
	DueIn       time.Duration // 0 or less: now
}

const nextChange = `
SELECT external_id, deleted, last_noted_at, failures, due_at - clock_timestamp() FROM pending_changes
WHERE integration_id = $1 AND (deleted OR NOT $2) ORDER BY due_at LIMIT 1`

// NextChange is the pending change that is due first, also if it isn't yet; [ErrNotFound] if there is none.
func (s *Store) NextChange(ctx context.Context, integration uuid.UUID, deletedOnly bool) (PendingChange, error) {
	return single(ctx, s.pool, "find next change", pgx.RowToStructByPos[PendingChange], nextChange, integration, deletedOnly)
}

const settleChange = `DELETE FROM pending_changes WHERE integration_id = $1 AND external_id = $2 AND last_noted_at <= $3`

// putOffChange is for a record that has been noted again since: that notice is gathered anew.
const putOffChange = `
UPDATE pending_changes SET first_noted_at = last_noted_at, due_at = greatest(last_noted_at, clock_timestamp()) + $3::interval
WHERE integration_id = $1 AND external_id = $2`

// CommitChange stores what a confirming read found that a notice has asked for: what it does to the row, and that it is
// done, unless the record has been noted again since it was claimed. [ErrOverlapped] if its order against the stored read
// can't be told, [ErrLost] if the slice has lost its lease; then nothing was written.
func (s *Store) CommitChange(ctx context.Context, c ChangesClaim, p PendingChange, f Confirmed, settling Settling) error {
	err := s.settleHeld(ctx, c, p, settling, func(tx pgx.Tx) error {
		if _, _, err := s.confirm(ctx, tx, c.TenantID, c.IntegrationID, uuid.Nil, f); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, resolveFailures, c.IntegrationID, []string{p.ExternalID})
		return err
	})
	if pgErr, ok := refused(err); ok {
		return s.CommitUnreadableChange(ctx, c, p, providers.Failure{ExternalID: p.ExternalID, Reason: "refused", Detail: pgErr.Message}, settling)
	}
	return err
}

// CommitUnreadableChange stores that a record is there but can't be understood: it goes to quarantine.
func (s *Store) CommitUnreadableChange(ctx context.Context, c ChangesClaim, p PendingChange, f providers.Failure, settling Settling) error {
	return s.settleHeld(ctx, c, p, settling, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, upsertFailure, newID(), c.TenantID, c.IntegrationID, p.ExternalID, f.Reason, f.Field, f.Detail, payload(f.Payload), nil)
		return err
	})
}

func (s *Store) settleHeld(ctx context.Context, c ChangesClaim, p PendingChange, settling Settling, settle func(pgx.Tx) error) error {
	err := s.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.HoldChanges(ctx, tx, c); err != nil {
			return err
		}
		if err := settle(tx); err != nil {
			return err
		}
		batch := new(pgx.Batch)
		batch.Queue(settleChange, c.IntegrationID, p.ExternalID, p.LastNotedAt)
		batch.Queue(putOffChange, c.IntegrationID, p.ExternalID, settling.After)
		batch.Queue(forgiveChanges, c.IntegrationID)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil && !errors.Is(err, ErrLost) && !errors.Is(err, ErrOverlapped) {
		return fmt.Errorf("commit change: %w", err)
	}
	return err
}

const forgiveChanges = `UPDATE change_queues SET failures_in_row = 0 WHERE integration_id = $1 AND failures_in_row > 0`

// PutOffChange lets a pending change wait for some time more.
func (s *Store) PutOffChange(ctx context.Context, c ChangesClaim, id string, d time.Duration) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.HoldChanges(ctx, tx, c); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, putOffChange, c.IntegrationID, id, d); err != nil {
			return fmt.Errorf("put off change: %w", err)
		}
		return nil
	})
}

const delayChange = `
UPDATE pending_changes SET failures = failures + 1, due_at = clock_timestamp() + $3::interval WHERE integration_id = $1 AND external_id = $2`

// DelayChange lets a pending change that could not be read wait, so that the others go on.
func (s *Store) DelayChange(ctx context.Context, c ChangesClaim, id string, d time.Duration) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.HoldChanges(ctx, tx, c); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, delayChange, c.IntegrationID, id, d); err != nil {
			return fmt.Errorf("delay change: %w", err)
		}
		return nil
	})
}

const countFlood = `SELECT count(*) FROM (SELECT FROM pending_changes WHERE integration_id = $1 AND NOT deleted LIMIT $2) p`

// Flooded reports whether more than so many records wait that a list of changes would show as well.
func (s *Store) Flooded(ctx context.Context, integration uuid.UUID, most int) (bool, error) {
	var n int
	if err := s.pool.QueryRow(ctx, countFlood, integration, most+1).Scan(&n); err != nil {
		return false, fmt.Errorf("count changes: %w", err)
	}
	return n > most, nil
}

const lastRunBy = `
SELECT clock_timestamp() - created_at FROM integration_sync_logs
WHERE integration_id = $1 AND requested_by = $2 AND created_at > now() - $3::interval ORDER BY created_at DESC LIMIT 1`

// RunWithin reports how long ago the last run that somebody has asked for was created; false: not within so long.
func (s *Store) RunWithin(ctx context.Context, tx pgx.Tx, integration uuid.UUID, requestedBy string, within time.Duration) (ago time.Duration, found bool, err error) {
	err = tx.QueryRow(ctx, lastRunBy, integration, requestedBy, within).Scan(&ago)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look for a run: %w", err)
	}
	return ago, true, nil
}

// DropListedChanges forgets the pending changes that a list of changes shows: a run reads it instead. It returns how many.
func (s *Store) DropListedChanges(ctx context.Context, tx pgx.Tx, integration uuid.UUID) (int64, error) {
	tag, err := tx.Exec(ctx, `DELETE FROM pending_changes WHERE integration_id = $1 AND NOT deleted`, integration)
	if err != nil {
		return 0, fmt.Errorf("drop changes: %w", err)
	}
	return tag.RowsAffected(), nil
}

const closeQueue = `
DELETE FROM change_queues WHERE integration_id = $1 AND NOT EXISTS (SELECT FROM pending_changes WHERE integration_id = $1)`

const leaveQueue = `
UPDATE change_queues SET lease_until = clock_timestamp(), job_id = CASE WHEN $2 THEN job_id END, waiting_reason = nullif($4, ''),
    waiting_until = clock_timestamp() + $3, failures_in_row = failures_in_row + CASE WHEN $5 THEN 1 ELSE 0 END
WHERE integration_id = $1`

// LeaveChanges gives the queue back. With nothing left to read it is gone (done), and its job with it; otherwise, if the
// integration goes on, the same job comes again after the wait. The transaction holds the queue.
func (s *Store) LeaveChanges(ctx context.Context, tx pgx.Tx, c ChangesClaim, goesOn bool, w Wait) (done bool, err error) {
	tag, err := tx.Exec(ctx, closeQueue, c.IntegrationID)
	if err == nil && tag.RowsAffected() > 0 {
		return true, nil
	}
	if err == nil {
		_, err = tx.Exec(ctx, leaveQueue, c.IntegrationID, goesOn, w.For, w.Reason, w.Failure)
	}
	if err != nil {
		return false, fmt.Errorf("leave changes: %w", err)
	}
	return false, nil
}

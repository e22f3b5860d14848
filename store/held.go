package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// What became of held deletions.
const (
	DecisionConfirmed = "confirmed"
	DecisionDiscarded = "discarded"
	DecisionCleared   = "cleared" // a later full run has decided anew
)

// HeldDeletion is a record that a sweep has not met and that waits for a person. Its contact lives here as before.
type HeldDeletion struct {
	ExternalID string     `json:"external_id"`
	ContactID  *uuid.UUID `json:"contact_id"`
	Name       string     `json:"name"`
	Email      *string    `json:"email"`
	Phone      *string    `json:"phone"`
	HeldAt     time.Time  `json:"held_at"`
	ReadAt     *time.Time `json:"read_at" doc:"When the record itself was read, and was absent; null: it was not read by itself."`
	Live       bool       `json:"live" doc:"It still lives here; false: a later reading has found it deleted."`
}

const heldColumns = `h.external_id, c.id, coalesce(c.name, ''), c.email, c.phone, coalesce(h.held_at, 'epoch'), h.done_at, c.id IS NOT NULL AND c.deleted_at IS NULL
FROM confirming_reads h JOIN integration_sync_logs r ON r.id = h.run_id
LEFT JOIN contacts c ON c.integration_id = r.integration_id AND c.external_id = h.external_id
WHERE h.run_id = $1 AND h.result = 'held'`

const listHeld = `SELECT ` + heldColumns + ` AND h.external_id > $2 ORDER BY h.external_id LIMIT $3`

// ListHeld lists a run's held deletions in the order of their ids, after one of them (empty: from the beginning).
func (s *Store) ListHeld(ctx context.Context, run uuid.UUID, after string, limit int) ([]HeldDeletion, error) {
	return all(ctx, s.pool, "list held deletions", pgx.RowToStructByPos[HeldDeletion], listHeld, run, after, limit)
}

// sampleHeld spreads by a hash, which has nothing to do with what the records have in common.
const sampleHeld = `SELECT ` + heldColumns + ` ORDER BY h.done_at IS NULL, md5(h.external_id) LIMIT $2`

// SampleHeld picks some of a run's held deletions, spread out: those first that were read by themselves.
func (s *Store) SampleHeld(ctx context.Context, run uuid.UUID, n int) ([]HeldDeletion, error) {
	return all(ctx, s.pool, "sample held deletions", pgx.RowToStructByPos[HeldDeletion], sampleHeld, run, n)
}

// HeldSummary is what a run's held deletions come to.
type HeldSummary struct {
	Held int64 // that wait
	Read int64 // of them, were read by themselves
	Live int64 // contacts when they were held; 0: not known any more
}

const summarizeHeld = `
SELECT count(h.*), count(h.done_at), coalesce((r.checkpoint ->> 'live')::bigint, r.live_count, 0)
FROM integration_sync_logs r LEFT JOIN confirming_reads h ON h.run_id = r.id AND h.result = 'held'
WHERE r.id = $1 GROUP BY r.id`

// SummarizeHeld counts a run's held deletions.
func (s *Store) SummarizeHeld(ctx context.Context, run uuid.UUID) (HeldSummary, error) {
	return single(ctx, s.pool, "count held deletions", pgx.RowToStructByPos[HeldSummary], summarizeHeld, run)
}

// confirmHeld marks deleted what is still as it was when it was held: nobody has read it since, and no active run has met
// it. observed_at is that of the absence, so that a page asked for since then asks about it again.
const confirmHeld = `
WITH held AS (
    SELECT external_id, coalesce(begun_at, held_at) AS begun, coalesce(done_at, held_at) AS done
    FROM confirming_reads WHERE run_id = $1 AND result = 'held'),
met AS (
    SELECT unnest(p.external_ids) AS id FROM sync_run_pages p JOIN integration_sync_logs r ON r.id = p.run_id
    WHERE r.integration_id = $2 AND r.status IN ('pending', 'in_progress'))
UPDATE contacts c SET deleted_at = clock_timestamp(), observed_at = greatest(c.observed_at, h.done), last_run_id = $1, updated_at = clock_timestamp()
FROM held h
WHERE c.integration_id = $2 AND c.external_id = h.external_id AND c.deleted_at IS NULL AND c.observed_at <= h.begun
  AND h.external_id NOT IN (SELECT id FROM met)`

const decideHeld = `
WITH gone AS (DELETE FROM confirming_reads WHERE run_id = $1 AND result = 'held')
UPDATE integration_sync_logs SET outcome = CASE WHEN records_failed > 0 THEN 'finished_with_skipped' ELSE 'finished' END,
    deletions_decision = $2, deletions_decided_by = $3, deletions_decided_at = clock_timestamp(),
    records_deleted = records_deleted + $4, live_count = live_count - $4, drift = drift - $4, updated_at = clock_timestamp()
WHERE id = $1`

// ConfirmHeld marks a run's held deletions deleted, and returns how many. Those that somebody has read since stay. The
// caller has locked the integration and found that they wait.
func (s *Store) ConfirmHeld(ctx context.Context, tx pgx.Tx, in Locked, run uuid.UUID, by string) (deleted int64, err error) {
	tag, err := tx.Exec(ctx, confirmHeld, run, in.ID)
	if err != nil {
		return 0, fmt.Errorf("confirm deletions: %w", err)
	}
	return tag.RowsAffected(), s.decideHeld(ctx, tx, in, run, DecisionConfirmed, by, tag.RowsAffected())
}

// DiscardHeld lets a run's held deletions go: their contacts stay. The caller has locked the integration and found that
// they wait.
func (s *Store) DiscardHeld(ctx context.Context, tx pgx.Tx, in Locked, run uuid.UUID, by string) error {
	return s.decideHeld(ctx, tx, in, run, DecisionDiscarded, by, 0)
}

func (s *Store) decideHeld(ctx context.Context, tx pgx.Tx, in Locked, run uuid.UUID, decision, by string, deleted int64) error {
	if _, err := tx.Exec(ctx, decideHeld, run, decision, by, deleted); err != nil {
		return fmt.Errorf("decide about deletions: %w", err)
	}
	return s.CloseIncidents(ctx, tx, in.ID, DeletionsHeld)
}

const noteHeld = `UPDATE integration_sync_logs SET deletions_held = $2 WHERE id = $1`

// clearHeld marks earlier runs whose deletions waited: a whole sweep since has decided about all of them.
const clearHeld = `
UPDATE integration_sync_logs SET outcome = CASE WHEN records_failed > 0 THEN 'finished_with_skipped' ELSE 'finished' END,
    deletions_decision = 'cleared', deletions_decided_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE integration_id = $1 AND id <> $2 AND outcome = 'deletions_held' AND deletions_decision IS NULL`

// SettleHeld notes how many deletions a whole sweep that ends leaves to a person, and clears those of earlier ones.
func (s *Store) SettleHeld(ctx context.Context, tx pgx.Tx, integration, run uuid.UUID, held int64) error {
	if _, err := tx.Exec(ctx, clearHeld, integration, run); err != nil {
		return fmt.Errorf("clear held deletions: %w", err)
	}
	if held == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, noteHeld, run, held); err != nil {
		return fmt.Errorf("note held deletions: %w", err)
	}
	return nil
}

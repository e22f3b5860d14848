package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.com/enlace/providers"
	"example.com/enlace/store/rules"
)

// Asked is a record that a run must read by its id.
type Asked struct {
	ExternalID string
	Unchanged  bool // a page of the present walk has counted it as unchanged
}

const nextAsked = `
SELECT external_id, unchanged FROM confirming_reads WHERE run_id = $1 AND cause = $2 AND result IS NULL ORDER BY external_id LIMIT $3`

// NextAsked returns up to n records that the run has yet to read; absent chooses those that were in no page over those
// that a page asked about.
func (s *Store) NextAsked(ctx context.Context, run uuid.UUID, absent bool, n int) ([]Asked, error) {
	return all(ctx, s.pool, "list asked records", pgx.RowToStructByPos[Asked], nextAsked, run, cause(absent), n)
}

func cause(absent bool) string {
	if absent {
		return "absent"
	}
	return "asked"
}

// noteAbsent notes the live rows that the run's last walk met in no page and that nobody has read since its first call.
// EXCEPT hashes or sorts whatever the statistics say; an anti-join on an unnested list was planned as a nested loop.
const noteAbsent = `
INSERT INTO confirming_reads (run_id, external_id, cause)
SELECT $1, c.id, 'absent' FROM (
    SELECT external_id AS id FROM contacts WHERE integration_id = $2 AND deleted_at IS NULL AND observed_at < $3
    EXCEPT SELECT unnest(external_ids) FROM sync_run_pages WHERE run_id = $1) AS c
ON CONFLICT (run_id, external_id) DO UPDATE SET cause = 'absent'`

// NoteAbsent notes what a finished sweep may conclude deleted, once each is read, and returns how many there are.
func (s *Store) NoteAbsent(ctx context.Context, c Claim) (n int, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.HoldFence(ctx, tx, c); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, noteAbsent, c.RunID, c.IntegrationID, c.Checkpoint.First)
		n = int(tag.RowsAffected())
		return err
	})
	if err != nil && !errors.Is(err, ErrLost) {
		return 0, fmt.Errorf("note missing contacts: %w", err)
	}
	return n, err
}

const absentIDs = `SELECT external_id FROM confirming_reads WHERE run_id = $1 AND cause = 'absent' ORDER BY external_id`

// AbsentIDs lists what [Store.NoteAbsent] has noted.
func (s *Store) AbsentIDs(ctx context.Context, run uuid.UUID) ([]string, error) {
	return all(ctx, s.pool, "list missing contacts", pgx.RowTo[string], absentIDs, run)
}

// Confirmed is what a confirming read found.
type Confirmed struct {
	Asked
	Contact *providers.Contact // nil: the record is absent
	Read    rules.Read
	Region  string
}

// ErrOverlapped says that another read of the record overlapped this one: read it again.
var ErrOverlapped = errors.New("another read overlapped this one")

const countConfirmed = `
UPDATE integration_sync_logs SET lease_until = clock_timestamp() + $4, api_calls = api_calls + $11, quota_used = quota_used + $12,
    records_seen = records_seen + $5, records_created = records_created + $6, records_updated = records_updated + $7,
    records_unchanged = records_unchanged + $8, records_deleted = records_deleted + $9, records_failed = records_failed + $10,
    records_synced = coalesce(records_synced, 0) + $5 - $10, failures_in_row = 0, updated_at = clock_timestamp()
WHERE id = $1 AND fence = $2 AND job_id = $3 AND status = 'in_progress'`

const settleAsked = `DELETE FROM confirming_reads WHERE run_id = $1 AND external_id = $2`

const settleAbsent = `
UPDATE confirming_reads SET result = 'absent', begun_at = $3, done_at = $4 WHERE run_id = $1 AND external_id = $2`

// CommitConfirm stores a confirming read of a run: what it does to the row, what it counts, and that it is done. An
// absence without proof of a record that no page held is only noted: whether it is a deletion depends on how many
// there are. [ErrOverlapped] if its order against the stored read can't be told; then nothing was written.
func (s *Store) CommitConfirm(ctx context.Context, c Claim, f Confirmed, absentPhase bool, spent Spent) error {
	noted := absentPhase && f.Contact == nil
	return s.settleFenced(ctx, c, spent, func(tx pgx.Tx, n *rules.Counters) error {
		if noted {
			_, err := tx.Exec(ctx, settleAbsent, c.RunID, f.ExternalID, f.Read.Begun, f.Read.ObservedAt())
			return err
		}
		verdict, mine, err := s.confirm(ctx, tx, c.TenantID, c.IntegrationID, c.RunID, f)
		if err != nil {
			return err
		}
		n.Confirmed(verdict, f.Unchanged, mine)
		batch := new(pgx.Batch)
		batch.Queue(settleAsked, c.RunID, f.ExternalID)
		batch.Queue(resolveFailures, c.IntegrationID, []string{f.ExternalID})
		return tx.SendBatch(ctx, batch).Close()
	})
}

// DropAsked gives up reading a record for now: each reading was overlapped by somebody else's, which is stored.
func (s *Store) DropAsked(ctx context.Context, c Claim, id string, spent Spent) error {
	return s.settleFenced(ctx, c, spent, func(tx pgx.Tx, _ *rules.Counters) error {
		_, err := tx.Exec(ctx, settleAsked, c.RunID, id)
		return err
	})
}

// CommitUnreadable stores that a record is there but can't be understood: it goes to quarantine.
func (s *Store) CommitUnreadable(ctx context.Context, c Claim, a Asked, f providers.Failure, spent Spent) error {
	return s.settleFenced(ctx, c, spent, func(tx pgx.Tx, n *rules.Counters) error {
		n.Fail()
		if a.Unchanged { // a page has counted it as seen
			n.Seen--
			n.Unchanged--
		}
		batch := new(pgx.Batch)
		queueFailure(batch, c, f)
		batch.Queue(settleAsked, c.RunID, f.ExternalID)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// settleFenced does what settles a confirming read under the run's fence, and counts it.
func (s *Store) settleFenced(ctx context.Context, c Claim, spent Spent, settle func(pgx.Tx, *rules.Counters) error) error {
	err := s.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.HoldFence(ctx, tx, c); err != nil {
			return err
		}
		var n rules.Counters
		if err := settle(tx, &n); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, countConfirmed, c.RunID, c.Fence, c.Job, s.lease, n.Seen, n.Created, n.Updated, n.Unchanged, n.Deleted, n.Failed, spent.Calls, spent.Quota)
		return fenced(tag.RowsAffected(), "count confirming read", err)
	})
	if err != nil && !errors.Is(err, ErrLost) && !errors.Is(err, ErrOverlapped) {
		return fmt.Errorf("commit confirming read: %w", err)
	}
	return err
}

const readMark = `
SELECT external_id, deleted_at IS NOT NULL, content_hash, remote_updated_at, observed_at, last_run_id
FROM contacts WHERE integration_id = $1 AND external_id = $2 FOR NO KEY UPDATE`

// confirm applies a confirming read of a run ([uuid.Nil]: of none) to its row; mine says that the run had written the row before.
func (s *Store) confirm(ctx context.Context, tx pgx.Tx, tenant, integration, run uuid.UUID, f Confirmed) (_ rules.Verdict, mine bool, _ error) {
	rows, err := tx.Query(ctx, readMark, integration, f.ExternalID)
	if err != nil {
		return 0, false, fmt.Errorf("read stored contact: %w", err)
	}
	marks, err := collectMarks(rows, run)
	if err != nil {
		return 0, false, err
	}
	row := marks[f.ExternalID]
	mine = row != nil && row.Mine

	var verdict rules.Verdict
	var hash [32]byte
	merged := ""
	if f.Contact == nil {
		verdict = rules.Gone(row, f.Read)
	} else {
		hash = ContentHash(*f.Contact)
		merged = f.Contact.MergedInto
		verdict = rules.Apply(row, rules.Record{Deleted: f.Contact.Deleted, Hash: hash, UpdatedAt: f.Contact.UpdatedAt}, f.Read, rules.Confirm)
	}
	tag, err := s.execVerdict(ctx, tx, tenant, integration, run, f, verdict, row, hash, merged)
	if err != nil {
		return verdict, mine, fmt.Errorf("write contact: %w", err)
	}
	if verdict != rules.Unchanged && tag.RowsAffected() == 0 { // asked, or inserted by another meanwhile
		return verdict, mine, ErrOverlapped
	}
	return verdict, mine, nil
}

func (s *Store) execVerdict(ctx context.Context, tx pgx.Tx, tenant, integration, run uuid.UUID, f Confirmed, verdict rules.Verdict,
	row *rules.Row, hash [32]byte, merged string,
) (pgconn.CommandTag, error) {
	observed := f.Read.ObservedAt()
	var by *uuid.UUID
	if run != uuid.Nil { // a read outside of a run leaves the row its last one
		by = &run
	}
	var one columns
	if verdict.Stores() {
		one.add(*f.Contact, hash, row, f.Region)
	}
	switch verdict {
	case rules.Create, rules.Update, rules.Lift:
		return one.exec(ctx, tx, tenant, integration, observed, by)
	case rules.Touch:
		return tx.Exec(ctx, touchContact, integration, f.ExternalID, observed, row.ObservedAt)
	case rules.Tombstone:
		return tx.Exec(ctx, tombstoneContact, integration, f.ExternalID, observed, row.ObservedAt, merged, by)
	case rules.TombstoneUnknown:
		return tx.Exec(ctx, insertTombstone, newID(), tenant, integration, f.ExternalID, observed, by)
	case rules.Unchanged, rules.Ignore, rules.Ask, rules.AskDeleted:
	}
	return pgconn.CommandTag{}, nil
}

const countAbsent = `SELECT count(*) FROM confirming_reads WHERE run_id = $1 AND result = 'absent'`

// CountAbsent counts the unproven absences that the run has found.
func (s *Store) CountAbsent(ctx context.Context, run uuid.UUID) (n int, err error) {
	if err := s.pool.QueryRow(ctx, countAbsent, run).Scan(&n); err != nil {
		return 0, fmt.Errorf("count absent records: %w", err)
	}
	return n, nil
}

// tombstoneAbsent marks the rows deleted whose absence was read after their last read; the others have been read by
// somebody since, and are left to the next sweep.
const tombstoneAbsent = `
WITH gone AS (
    UPDATE contacts c SET deleted_at = clock_timestamp(), observed_at = greatest(c.observed_at, a.done_at), last_run_id = $1,
        updated_at = clock_timestamp()
    FROM confirming_reads a
    WHERE a.run_id = $1 AND a.result = 'absent' AND c.integration_id = $2 AND c.external_id = a.external_id
      AND c.deleted_at IS NULL AND a.begun_at >= c.observed_at
    RETURNING 1)
UPDATE integration_sync_logs SET records_deleted = records_deleted + (SELECT count(*) FROM gone), lease_until = clock_timestamp() + $5,
    checkpoint = $6, updated_at = clock_timestamp()
WHERE id = $1 AND fence = $3 AND job_id = $4 AND status = 'in_progress'`

// TombstoneAbsent concludes that what is absent is deleted.
func (s *Store) TombstoneAbsent(ctx context.Context, c Claim) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.HoldFence(ctx, tx, c); err != nil { // first: what follows may take longer than a lease
			return err
		}
		tag, err := tx.Exec(ctx, tombstoneAbsent, c.RunID, c.IntegrationID, c.Fence, c.Job, s.lease, c.Checkpoint)
		return fenced(tag.RowsAffected(), "tombstone absent contacts", err)
	})
}

const holdAbsent = `
WITH held AS (UPDATE confirming_reads SET result = 'held', held_at = clock_timestamp() WHERE run_id = $1 AND cause = 'absent')
UPDATE integration_sync_logs SET lease_until = clock_timestamp() + $4, checkpoint = $5, updated_at = clock_timestamp()
WHERE id = $1 AND fence = $2 AND job_id = $3 AND status = 'in_progress'`

// HoldAbsent keeps the absences for a person to decide.
func (s *Store) HoldAbsent(ctx context.Context, c Claim) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.HoldFence(ctx, tx, c); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, holdAbsent, c.RunID, c.Fence, c.Job, s.lease, c.Checkpoint)
		return fenced(tag.RowsAffected(), "hold deletions", err)
	})
}

package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
)

const upsertFailure = `
INSERT INTO sync_failures AS f (id, tenant_id, integration_id, external_id, reason, field, detail, payload, first_run_id, last_run_id)
VALUES ($1, $2, $3, $4, $5, nullif($6, ''), nullif($7, ''), $8, $9, $9)
ON CONFLICT (integration_id, external_id) WHERE resolved_at IS NULL
DO UPDATE SET reason = excluded.reason, field = excluded.field, detail = excluded.detail, payload = excluded.payload,
    last_run_id = coalesce(excluded.last_run_id, f.last_run_id), last_seen_at = now(), times = f.times + 1`

// payload is what quarantine keeps of a record: text that Postgres can store, of bounded size.
func payload(b []byte) *string {
	if len(b) == 0 {
		return nil
	}
	if len(b) > providers.MaxFailurePayload {
		b = b[:providers.MaxFailurePayload]
	}
	s := strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\x00", "\uFFFD")
	return &s
}

// namelessRecord begins external_id of a record that came without an id: nothing can be matched with it later.
const namelessRecord = "page "

// Failure is a record in quarantine.
type Failure struct {
	ID            uuid.UUID  `json:"id"`
	IntegrationID uuid.UUID  `json:"integration_id"`
	ExternalID    string     `json:"external_id"`
	Reason        string     `json:"reason"`
	Field         *string    `json:"field"`
	Detail        *string    `json:"detail"`
	Payload       *string    `json:"payload"`
	Times         int32      `json:"times"`
	FirstRunID    *uuid.UUID `json:"first_run_id"`
	LastRunID     *uuid.UUID `json:"last_run_id"`
	FirstSeenAt   time.Time  `json:"first_seen_at"`
	LastSeenAt    time.Time  `json:"last_seen_at"`
	ResolvedAt    *time.Time `json:"resolved_at"`
	CanRetry      bool       `json:"can_retry" doc:"It can be read again by itself; false: it came without an id, or is resolved."`
}

// FailureFilter narrows the ledger of an integration; zero fields don't.
type FailureFilter struct {
	Integration uuid.UUID
	Run         *uuid.UUID // that met them first or last
	Reason      string
	Open        *bool // nil: resolved ones too
}

const ofFilter = `f.integration_id = $1 AND ($2::uuid IS NULL OR f.last_run_id = $2 OR f.first_run_id = $2) AND ($3::text = '' OR f.reason = $3)
  AND ($4::boolean IS NULL OR (f.resolved_at IS NULL) = $4)`

func (f FailureFilter) args(more ...any) []any {
	return append([]any{f.Integration, f.Run, f.Reason, f.Open}, more...)
}

const listFailures = `
SELECT f.id, f.integration_id, f.external_id, f.reason, f.field, f.detail, f.payload, f.times, f.first_run_id, f.last_run_id,
    f.first_seen_at, f.last_seen_at, f.resolved_at, f.resolved_at IS NULL AND NOT starts_with(f.external_id, '` + namelessRecord + `')
FROM sync_failures f WHERE ` + ofFilter + `
  AND ($5::timestamptz IS NULL OR (f.last_seen_at, f.id) < ($5, $6))
ORDER BY f.last_seen_at DESC, f.id DESC LIMIT $7`

// ListFailures lists the records that could not be taken, the latest first.
func (s *Store) ListFailures(ctx context.Context, f FailureFilter, after After, limit int) ([]Failure, error) {
	at, id := after.args()
	return all(ctx, s.pool, "list failures", pgx.RowToStructByPos[Failure], listFailures, f.args(at, id, limit)...)
}

// FailureCount is how many records could not be taken for one reason.
type FailureCount struct {
	Reason      string    `json:"reason"`
	Field       *string   `json:"field"`
	Count       int64     `json:"count"`
	FirstSeenAt time.Time `json:"first_seen_at"`
	LastSeenAt  time.Time `json:"last_seen_at"`
}

// mostReasons bounds how many reasons are told apart: a field is part of one.
const mostReasons = 50

const countFailures = `
SELECT f.reason, f.field, count(*), min(f.first_seen_at), max(f.last_seen_at) FROM sync_failures f WHERE ` + ofFilter + `
GROUP BY f.reason, f.field ORDER BY count(*) DESC, f.reason, f.field LIMIT $5`

// CountFailures counts the records that could not be taken by reason, the most frequent first.
func (s *Store) CountFailures(ctx context.Context, f FailureFilter) ([]FailureCount, error) {
	return all(ctx, s.pool, "count failures", pgx.RowToStructByPos[FailureCount], countFailures, f.args(mostReasons)...)
}

// retryFailures notes the records as to be read by their ids, at once. They are noted like deletions, which no list of
// changes shows: nothing may replace their reading by a list that would leave them out.
const retryFailures = `
INSERT INTO pending_changes AS p (integration_id, external_id, deleted, first_noted_at, last_noted_at, due_at)
SELECT f.integration_id, f.external_id, true, clock_timestamp(), clock_timestamp(), clock_timestamp() FROM sync_failures f
WHERE ` + ofFilter + ` AND f.resolved_at IS NULL AND NOT starts_with(f.external_id, '` + namelessRecord + `')
  AND ($5::uuid IS NULL OR f.id = $5)
ON CONFLICT (integration_id, external_id) DO UPDATE SET deleted = true, last_noted_at = excluded.last_noted_at, due_at = excluded.due_at`

const countNameless = `SELECT count(*) FROM sync_failures f WHERE ` + ofFilter + ` AND f.resolved_at IS NULL AND starts_with(f.external_id, '` + namelessRecord + `')
  AND ($5::uuid IS NULL OR f.id = $5)`

const failureOf = `SELECT EXISTS (SELECT FROM sync_failures f WHERE ` + ofFilter + ` AND f.id = $5)`

// Retrying is what a retry of failures has come to.
type Retrying struct {
	Records  int64 // that will be read by their ids
	Nameless int64 // that came without an id: the next full run meets them again
	Idle     bool  // the integration's pending changes need a job
}

// RetryFailures notes the open failures of a filter, or one of them, to be read again. The caller has locked the
// integration. [ErrNotFound] if the one isn't the filter's.
func (s *Store) RetryFailures(ctx context.Context, tx pgx.Tx, f FailureFilter, only *uuid.UUID) (r Retrying, err error) {
	if only != nil {
		var found bool
		if err := tx.QueryRow(ctx, failureOf, f.args(only)...).Scan(&found); err != nil {
			return r, fmt.Errorf("look for the failure: %w", err)
		}
		if !found {
			return r, ErrNotFound
		}
	}
	open, err := all(ctx, tx, "open change queue", pgx.RowTo[uuid.UUID], openQueues, []uuid.UUID{f.Integration})
	if err != nil {
		return r, err
	}
	tag, err := tx.Exec(ctx, retryFailures, f.args(only)...)
	if err != nil {
		return r, fmt.Errorf("note failures to be read again: %w", err)
	}
	r.Records = tag.RowsAffected()
	if err := tx.QueryRow(ctx, countNameless, f.args(only)...).Scan(&r.Nameless); err != nil {
		return r, fmt.Errorf("count records without an id: %w", err)
	}
	if r.Records == 0 {
		_, err = tx.Exec(ctx, closeQueue, f.Integration) // which this may just have opened
		if err != nil {
			return r, fmt.Errorf("close change queue: %w", err)
		}
		return r, nil
	}
	idle, err := all(ctx, tx, "find idle change queues", pgx.RowTo[uuid.UUID], idleQueues, open)
	r.Idle = len(idle) > 0
	return r, err
}

// hastenChanges brings the job of pending changes that waits for the next of them; one that waits for the provider, or is
// at work, comes by itself.
const hastenChanges = `
UPDATE river.river_job j SET state = 'available', scheduled_at = now() FROM change_queues q
WHERE q.integration_id = $1 AND j.id = q.job_id AND j.state IN ('available', 'scheduled') AND q.waiting_reason IS NULL`

// HastenChanges lets what has just been noted be read at once.
func (s *Store) HastenChanges(ctx context.Context, tx pgx.Tx, integration uuid.UUID) error {
	if _, err := tx.Exec(ctx, hastenChanges, integration); err != nil {
		return fmt.Errorf("hasten changes: %w", err)
	}
	return nil
}

// resolveUnmet: a whole sweep has met everything that is there, so what it has not met as a failure isn't one any more. A
// record that came without an id is known no other way.
const resolveUnmet = `
UPDATE sync_failures SET resolved_at = now()
WHERE integration_id = $1 AND resolved_at IS NULL AND last_run_id IS DISTINCT FROM $2 AND last_seen_at < $3`

// ResolveUnmet resolves the failures that a whole sweep, whose first call began at a time, has not met again.
func (s *Store) ResolveUnmet(ctx context.Context, tx pgx.Tx, integration, run uuid.UUID, first time.Time) error {
	if _, err := tx.Exec(ctx, resolveUnmet, integration, run, first); err != nil {
		return fmt.Errorf("resolve failures: %w", err)
	}
	return nil
}

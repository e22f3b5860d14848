package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers/words"
	"example.com/enlace/store/eta"
)

// The kinds, states and outcomes of a run.
const (
	Full        = "full"
	Incremental = "incremental"

	Pending    = "pending"
	InProgress = "in_progress"
	Completed  = "completed"
	Failed     = "failed"

	Finished            = "finished"
	FinishedWithSkipped = "finished_with_skipped"
	StoppedEarly        = "stopped_early"
	DeletionsHeld       = "deletions_held"
)

// Run is a sync run: one row of integration_sync_logs.
type Run struct {
	ID                 uuid.UUID  `json:"id"`
	IntegrationID      uuid.UUID  `json:"integration_id"`
	TenantID           uuid.UUID  `json:"tenant_id"`
	SyncType           string     `json:"sync_type"`
	Status             string     `json:"status"`
	Outcome            *string    `json:"outcome"`
	RecordsSynced      int64      `json:"records_synced"`
	RecordsSeen        int64      `json:"records_seen"`
	RecordsCreated     int64      `json:"records_created"`
	RecordsUpdated     int64      `json:"records_updated"`
	RecordsUnchanged   int64      `json:"records_unchanged"`
	RecordsDeleted     int64      `json:"records_deleted"`
	RecordsFailed      int64      `json:"records_failed"`
	RecordsTotal       *int64     `json:"records_total"`
	TotalIsEstimate    bool       `json:"total_is_estimate"`
	LiveCount          *int64     `json:"live_count"`
	ProviderCount      *int64     `json:"provider_count"`
	Drift              *int64     `json:"drift"`
	Pages              int32      `json:"pages"`
	APICalls           int32      `json:"api_calls"`
	QuotaUsed          int64      `json:"quota_used"`
	ErrorCode          *string    `json:"error_code"`
	ErrorVariant       *string    `json:"error_variant"`
	ErrorDetail        *string    `json:"error_detail"`
	ErrorMessage       *string    `json:"error_message"`
	WaitingUntil       *time.Time `json:"waiting_until"`
	WaitingReason      *string    `json:"waiting_reason"`
	FailuresInRow      int32      `json:"failures_in_row"`
	WindowStart        *time.Time `json:"window_start"`
	WindowEnd          *time.Time `json:"window_end"`
	DueAt              *time.Time `json:"due_at"`
	MissedTicks        int32      `json:"missed_ticks"`
	RequestedBy        *string    `json:"requested_by"`
	AfterRunID         *uuid.UUID `json:"after_run_id"`
	JobID              *int64     `json:"job_id"`
	LeaseUntil         *time.Time `json:"-"`
	CancelRequestedAt  *time.Time `json:"cancel_requested_at"`
	DeletionsHeld      *int64     `json:"deletions_held" doc:"How many deletions it left to a person; null: none."`
	DeletionsDecision  *string    `json:"deletions_decision" doc:"What became of them: confirmed, discarded, or cleared by a later full sync; null: they wait, or there are none."`
	DeletionsDecidedBy *string    `json:"deletions_decided_by"`
	DeletionsDecidedAt *time.Time `json:"deletions_decided_at"`
	CreatedAt          time.Time  `json:"created_at"`
	StartedAt          *time.Time `json:"started_at"`
	CompletedAt        *time.Time `json:"completed_at"`
	UpdatedAt          time.Time  `json:"updated_at"`

	Track *eta.Track `json:"-"` // of the pages that the present walk has read; nil: of none
}

// Active reports whether the run has yet to end.
func (r Run) Active() bool { return r.Status == Pending || r.Status == InProgress }

const runColumns = `r.id, r.integration_id, r.tenant_id, coalesce(r.sync_type, 'full') AS sync_type, coalesce(r.status, 'failed') AS status, r.outcome, coalesce(r.records_synced, 0)::bigint AS records_synced, r.records_seen,
    r.records_created, r.records_updated, r.records_unchanged, r.records_deleted, r.records_failed, r.records_total, r.total_is_estimate,
    r.live_count, r.provider_count, r.drift, r.pages, r.api_calls, r.quota_used, r.error_code, r.error_variant, r.error_detail, r.error_message,
    r.waiting_until, r.waiting_reason, r.failures_in_row, r.window_start, r.window_end, r.due_at, r.missed_ticks, r.requested_by,
    r.after_run_id, r.job_id, r.lease_until, r.cancel_requested_at, r.deletions_held, r.deletions_decision,
    r.deletions_decided_by, r.deletions_decided_at, r.created_at, r.started_at, r.completed_at, r.updated_at,
    nullif(r.checkpoint->'track', 'null'::jsonb) AS track`

const readRun = `SELECT ` + runColumns + ` FROM integration_sync_logs r WHERE r.id = $1 AND ($2::uuid IS NULL OR r.tenant_id = $2)`

// Run reads a run of a tenant (nil: of anybody).
func (s *Store) Run(ctx context.Context, tenant *uuid.UUID, id uuid.UUID) (Run, error) {
	return oneRun(ctx, s.pool, "read run", readRun, id, tenant)
}

// RunTx is [Store.Run] in a transaction.
func (s *Store) RunTx(ctx context.Context, tx pgx.Tx, tenant *uuid.UUID, id uuid.UUID) (Run, error) {
	return oneRun(ctx, tx, "read run", readRun, id, tenant)
}

func oneRun(ctx context.Context, q querier, what, sql string, args ...any) (Run, error) {
	return single(ctx, q, what, pgx.RowToStructByPos[Run], sql, args...)
}

// RunFilter narrows a list of runs; zero fields don't.
type RunFilter struct {
	Tenant      *uuid.UUID
	Integration *uuid.UUID
	Status      string
}

const listRuns = `SELECT ` + runColumns + ` FROM integration_sync_logs r
WHERE r.tenant_id IS NOT NULL AND ($1::uuid IS NULL OR r.tenant_id = $1) AND ($2::uuid IS NULL OR r.integration_id = $2) AND ($3::text = '' OR r.status = $3)
  AND ($4::timestamptz IS NULL OR (r.created_at, r.id) < ($4, $5))
ORDER BY r.created_at DESC, r.id DESC LIMIT $6`

// ListRuns lists runs, newest first.
func (s *Store) ListRuns(ctx context.Context, f RunFilter, after After, limit int) ([]Run, error) {
	at, id := after.args()
	return all(ctx, s.pool, "list runs", pgx.RowToStructByPos[Run], listRuns, f.Tenant, f.Integration, f.Status, at, id, limit)
}

// Scheduled is requested_by of a run that the schedule has started.
const Scheduled = "schedule"

// NewRun is a run to be created.
type NewRun struct {
	SyncType    string
	RequestedBy string
	DueAt       *time.Time // of a scheduled tick
	MissedTicks int
}

// activeRuns reads the run that works and the one behind it.
const activeRuns = `SELECT ` + runColumns + ` FROM integration_sync_logs r
WHERE r.integration_id = $1 AND r.status IN ('pending', 'in_progress') ORDER BY r.after_run_id NULLS FIRST`

const insertRun = `
INSERT INTO integration_sync_logs AS r (id, integration_id, tenant_id, sync_type, requested_by, due_at, missed_ticks, after_run_id, waiting_reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ` + runColumns

// CreateRun returns a run of the asked kind: the active one, the one that waits behind it, or a new one, which then is
// created. A new run that is not behind another needs a job (needsJob) from the same transaction. The caller has locked
// the integration.
//
// An incremental joins an active one only as long as its window isn't fixed: the edit that the caller wants to see may
// be behind it.
func (s *Store) CreateRun(ctx context.Context, tx pgx.Tx, in Locked, n NewRun) (run Run, needsJob bool, err error) {
	open, err := all(ctx, tx, "read active runs", pgx.RowToStructByPos[Run], activeRuns, in.ID)
	if err != nil {
		return run, false, err
	}
	if len(open) > 0 && open[0].JobID == nil { // of the earlier system: nobody here works on it
		if _, _, err := s.EndRun(ctx, tx, in, open[0].ID, RunEnd{Status: Failed, Code: string(words.Interrupted)}); err != nil {
			return run, false, err
		}
		open = open[1:]
	}
	var after *uuid.UUID
	reason := words.WaitQueued
	if len(open) > 0 {
		active := open[0]
		if active.SyncType == n.SyncType && (n.SyncType == Full || active.WindowEnd == nil) {
			run, err := s.join(ctx, tx, active, n)
			return run, false, err
		}
		if len(open) > 1 {
			run, err := s.joinFollower(ctx, tx, active, open[1], n.SyncType)
			return run, false, err
		}
		after, reason = &active.ID, words.WaitAfterRun
	}
	run, err = oneRun(ctx, tx, "create run", insertRun, newID(), in.ID, in.TenantID, n.SyncType, n.RequestedBy, n.DueAt, n.MissedTicks, after, reason)
	return run, err == nil && after == nil, err
}

const adoptRun = `UPDATE integration_sync_logs SET requested_by = $2, updated_at = clock_timestamp() WHERE id = $1`

// join gives a person the run of the schedule that is active already: it is then theirs, and doesn't wait for what only
// scheduled work leaves to people.
func (s *Store) join(ctx context.Context, tx pgx.Tx, active Run, n NewRun) (Run, error) {
	if n.RequestedBy == Scheduled || active.RequestedBy == nil || *active.RequestedBy != Scheduled {
		return active, nil
	}
	if _, err := tx.Exec(ctx, adoptRun, active.ID, n.RequestedBy); err != nil {
		return active, fmt.Errorf("join run: %w", err)
	}
	if active.WaitingReason != nil && *active.WaitingReason == words.WaitReserve {
		if _, err := s.wake(ctx, tx, active.IntegrationID); err != nil {
			return active, err
		}
	}
	return s.RunTx(ctx, tx, nil, active.ID)
}

const widenRun = `UPDATE integration_sync_logs SET sync_type = 'full', updated_at = clock_timestamp() WHERE id = $1`

// joinFollower chooses a run of the asked kind where both places are taken. An incremental that waits behind another one
// becomes full if a full run is asked for: a sweep reads whatever it would have read.
func (s *Store) joinFollower(ctx context.Context, tx pgx.Tx, active, follower Run, kind string) (Run, error) {
	switch kind {
	case follower.SyncType:
		return follower, nil
	case active.SyncType:
		return active, nil // its edits may be behind it, but not behind the sweep that follows
	}
	if _, err := tx.Exec(ctx, widenRun, follower.ID); err != nil {
		return Run{}, fmt.Errorf("widen run: %w", err)
	}
	return s.RunTx(ctx, tx, nil, follower.ID)
}

const attachJob = `UPDATE integration_sync_logs SET job_id = $2, fence = fence + 1, lease_until = NULL, updated_at = clock_timestamp() WHERE id = $1 RETURNING coalesce(requested_by, '')`

// AttachJob gives the run its job, and the run no other. It returns who has asked for the run.
func (s *Store) AttachJob(ctx context.Context, tx pgx.Tx, run uuid.UUID, job int64) (requestedBy string, err error) {
	if err := tx.QueryRow(ctx, attachJob, run, job).Scan(&requestedBy); err != nil {
		return "", fmt.Errorf("attach job: %w", err)
	}
	return requestedBy, nil
}

// RunEnd is how a run ends.
type RunEnd struct {
	Status  string // Completed or Failed
	Outcome string // of a completed one
	Code    string // of a failed one
	Variant string
	Detail  string // the provider's own words, secrets cut out
	Swept   bool   // a completed one was a whole sweep
}

// Job is how a run's job ends with it: one of River's states, and the reason that River UI shows.
func (e RunEnd) Job() (state, reason string) {
	switch {
	case e.Code == string(words.Cancelled):
		return "cancelled", e.Code
	case e.Status == Failed:
		return "discarded", e.Code
	}
	return "completed", ""
}

const endRun = `
UPDATE integration_sync_logs r SET status = $2, outcome = nullif($3, ''), error_code = nullif($4, ''), error_variant = nullif($5, ''),
    error_detail = nullif($6, ''), error_message = nullif($7, ''), completed_at = clock_timestamp(), lease_until = NULL,
    waiting_until = NULL, waiting_reason = NULL, after_run_id = NULL, updated_at = clock_timestamp(),
    window_end = CASE WHEN $2 = 'completed' THEN window_end END,
    cancel_requested_at = CASE WHEN $4 = 'cancelled' THEN coalesce(cancel_requested_at, clock_timestamp()) ELSE cancel_requested_at END
WHERE id = $1 AND status IN ('pending', 'in_progress') RETURNING coalesce(job_id, 0)`

// EndRun ends a run; the caller has locked the integration, and ends the job in the same transaction. ended is false,
// and nothing changed, if the run had ended already.
func (s *Store) EndRun(ctx context.Context, tx pgx.Tx, in Locked, run uuid.UUID, end RunEnd) (job int64, ended bool, err error) {
	message := ""
	if end.Code != "" {
		message = s.sentence(in.Provider, end)
	}
	err = tx.QueryRow(ctx, endRun, run, end.Status, end.Outcome, end.Code, end.Variant, end.Detail, message).Scan(&job)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("end run: %w", err)
	}
	return job, true, nil
}

// dropPages forgets what the ended runs of an integration have seen, and makes those that failed begin anew if they are
// retried: without it, nothing could be told from what they have not met. Deletions that are held go with a whole sweep,
// which has decided about them.
const dropPages = `
WITH ended AS (
    SELECT id, status FROM integration_sync_logs WHERE integration_id = $1 AND status IN ('completed', 'failed')),
pages AS (DELETE FROM sync_run_pages p USING ended WHERE p.run_id = ended.id),
reads AS (
    DELETE FROM confirming_reads c USING ended WHERE c.run_id = ended.id AND (c.result IS DISTINCT FROM 'held' OR ($2 AND c.run_id <> $3)))
UPDATE integration_sync_logs r SET checkpoint = '{"restarted": true}' FROM ended
WHERE r.id = ended.id AND ended.status = 'failed' AND r.checkpoint NOT IN ('{}', '{"restarted": true}')`

// DropPages removes the working rows of an integration's ended runs, after run has completed; swept says that it was a
// whole sweep.
func (s *Store) DropPages(ctx context.Context, tx pgx.Tx, integration, run uuid.UUID, swept bool) error {
	if _, err := tx.Exec(ctx, dropPages, integration, swept, run); err != nil {
		return fmt.Errorf("drop pages: %w", err)
	}
	return nil
}

// endJob finalises a job in whatever state it is: River's completer then leaves it alone, and only a person can start
// it again.
const endJob = `
UPDATE river.river_job SET state = $2::river.river_job_state, finalized_at = clock_timestamp(),
    errors = CASE WHEN $3 = '' THEN errors ELSE array_append(errors,
        jsonb_build_object('at', now(), 'attempt', attempt, 'error', $3::text, 'trace', '')) END
WHERE id = $1 AND finalized_at IS NULL`

// EndJob finalises a run's job in the transaction that ends the run, or gives it another job. state is one of River's:
// completed, cancelled or discarded; reason is shown in River UI.
func (s *Store) EndJob(ctx context.Context, tx pgx.Tx, job int64, state, reason string) error {
	if _, err := tx.Exec(ctx, endJob, job, state, reason); err != nil {
		return fmt.Errorf("end job: %w", err)
	}
	return nil
}

const promote = `
UPDATE integration_sync_logs SET after_run_id = NULL, waiting_reason = 'queued', updated_at = clock_timestamp()
WHERE integration_id = $1 AND status = 'pending' AND after_run_id IS NOT NULL RETURNING id`

// Promote makes the follower the active run, which then needs a job; found is false if there is none.
func (s *Store) Promote(ctx context.Context, tx pgx.Tx, integration uuid.UUID) (run uuid.UUID, found bool, err error) {
	err = tx.QueryRow(ctx, promote, integration).Scan(&run)
	if errors.Is(err, pgx.ErrNoRows) {
		return run, false, nil
	}
	if err != nil {
		return run, false, fmt.Errorf("promote follower: %w", err)
	}
	return run, true, nil
}

const openRuns = `SELECT id FROM integration_sync_logs WHERE integration_id = $1 AND status IN ('pending', 'in_progress') ORDER BY after_run_id NULLS FIRST`

// EndAllRuns ends the active run and its follower, jobs included, because the integration is paused, disconnected or needs a
// person; nothing is promoted. The caller has locked the integration.
func (s *Store) EndAllRuns(ctx context.Context, tx pgx.Tx, in Locked, end RunEnd) error {
	runs, err := all(ctx, tx, "read open runs", pgx.RowTo[uuid.UUID], openRuns, in.ID)
	if err != nil {
		return err
	}
	state, reason := end.Job()
	for _, run := range runs {
		job, ended, err := s.EndRun(ctx, tx, in, run, end)
		if err != nil {
			return err
		}
		if ended && job != 0 {
			if err := s.EndJob(ctx, tx, job, state, reason); err != nil {
				return err
			}
		}
	}
	return nil
}

const retryRun = `
UPDATE integration_sync_logs r SET status = 'pending', completed_at = NULL, error_code = NULL, error_variant = NULL, error_detail = NULL,
    error_message = NULL, cancel_requested_at = NULL, failures_in_row = 0, outcome = NULL, waiting_reason = 'queued',
    job_id = NULL, window_end = (checkpoint ->> 'upper')::timestamptz,
    -- a walk that must begin anew counts anew what it has not written; an expired position is of no use any more
    checkpoint = CASE WHEN checkpoint ? 'expired' THEN '{"restarted": true}' ELSE checkpoint END,
    records_seen = CASE WHEN anew THEN records_created + records_updated ELSE records_seen END,
    records_synced = CASE WHEN anew THEN records_created + records_updated ELSE records_synced END,
    records_unchanged = CASE WHEN anew THEN 0 ELSE records_unchanged END,
    records_failed = CASE WHEN anew THEN 0 ELSE records_failed END, updated_at = clock_timestamp()
FROM (SELECT checkpoint ? 'expired' OR checkpoint = '{"restarted": true}' AS anew FROM integration_sync_logs WHERE id = $1) old
WHERE id = $1 AND status = 'failed'
  AND NOT EXISTS (SELECT FROM integration_sync_logs a WHERE a.integration_id = r.integration_id AND a.status IN ('pending', 'in_progress'))`

// ReopenRun makes a failed run pending again, at its checkpoint; false if it isn't failed or another one is active.
// It needs a new job from the same transaction. The caller has locked the integration.
func (s *Store) ReopenRun(ctx context.Context, tx pgx.Tx, run uuid.UUID) (bool, error) {
	tag, err := tx.Exec(ctx, retryRun, run)
	if err != nil {
		return false, fmt.Errorf("reopen run: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// newID is a UUIDv7: ids of one time lie together in their index.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

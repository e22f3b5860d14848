package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
	"example.com/enlace/store/eta"
)

// Lease is how long a slice may act without renewing; see [WithLease].
const Lease = 10 * time.Second

// ErrLost says that the slice has lost its lease: another slice, or nobody, works on the run now. It writes nothing more
// and ends without effect.
var ErrLost = errors.New("the lease is lost")

// Phase is what a run is doing; each begins when the one before it has been committed.
type Phase string

// The phases of a run.
const (
	Walk    Phase = ""        // reading pages
	Deleted Phase = "deleted" // reading the provider's list of deletions
	Confirm Phase = "confirm" // reading the records that pages asked about
	Sample  Phase = "sample"  // of a sweep: reading a sample of more absences than one believes
	Absent  Phase = "absent"  // of a sweep: reading everything that was in no page
	Finish  Phase = "finish"
)

// Checkpoint is where a run goes on: committed with the page it belongs to.
type Checkpoint struct {
	Phase     Phase            `json:"phase,omitempty"`
	Sweep     bool             `json:"sweep,omitempty"` // how it is executed; an incremental without a window is a sweep
	Since     time.Time        `json:"since,omitzero"`  // lower bound of the window
	Upper     time.Time        `json:"upper,omitzero"`  // its upper bound, fixed by the first answer
	First     time.Time        `json:"first,omitzero"`  // when the first call began, on the database's clock
	Cursor    providers.Cursor `json:"cursor,omitempty"`
	From      time.Time        `json:"from,omitzero"`       // the next page is asked for from this update time on; zero: Since
	ByCursor  bool             `json:"by_cursor,omitempty"` // the walk has followed a cursor that isn't a position
	Moved     bool             `json:"moved,omitempty"`     // records moved while it did
	Rewalks   int              `json:"rewalks,omitempty"`   // how often the window was walked again for that
	TooLong   bool             `json:"too_long,omitempty"`  // an incremental that became a sweep since the list was too long
	Exported  time.Time        `json:"exported,omitzero"`   // when the export was asked for that is being read
	Preparing bool             `json:"preparing,omitempty"` // it has yet to come
	Page      int              `json:"page,omitempty"`      // of the present walk
	Restarted bool             `json:"restarted,omitempty"`
	Expired   bool             `json:"expired,omitempty"`  // the last walk's cursor expired: the next time fails the run
	Newest    time.Time        `json:"newest,omitzero"`    // largest update time committed
	Expected  int64            `json:"expected,omitempty"` // contacts that a sweep will meet, or about
	Counted   bool             `json:"counted,omitempty"`  // a sweep has asked how many
	Live      int64            `json:"live,omitempty"`     // live contacts before anything was deleted
	Listed    int64            `json:"listed,omitempty"`   // living records that the walk listed
	Held      int64            `json:"held,omitempty"`     // deletions that wait for a person
	Short     bool             `json:"short,omitempty"`    // the list left out living records

	Reading Reading   `json:"reading,omitzero"` // of the list of deletions
	Track   eta.Track `json:"track,omitzero"`   // of the present walk
}

// Reading is how far the provider's list of deletions has been read. One of several pages is read again until two
// readings agree: entries may slip from one page to another.
type Reading struct {
	Since  time.Time        `json:"since,omitzero"`
	Cursor providers.Cursor `json:"cursor,omitempty"`
	Pages  int              `json:"pages,omitempty"` // of the present reading
	Sum    uint64           `json:"sum,omitempty"`   // over its ids, whatever their order
	Before uint64           `json:"before,omitempty"`
	Times  int              `json:"times,omitempty"` // readings that came to their end
	Done   bool             `json:"done,omitempty"`
}

// Claim is a slice's right to act on a run, and what it goes on from.
type Claim struct {
	RunID, IntegrationID, TenantID uuid.UUID
	Job, Fence                     int64
	SyncType, RequestedBy          string
	Checkpoint                     Checkpoint
	FailuresInRow                  int
	Now                            time.Time // the database's clock at the claim
}

// claim begins a slice: it takes a new fence, so that any earlier slice of the run, of the same job or not, is out.
const claim = `
UPDATE integration_sync_logs r SET fence = r.fence + 1, lease_until = clock_timestamp() + $3, status = 'in_progress',
    started_at = coalesce(r.started_at, now()), waiting_until = NULL, waiting_reason = NULL, updated_at = clock_timestamp()
FROM (SELECT id, lease_until, waiting_reason FROM integration_sync_logs WHERE id = $1 FOR NO KEY UPDATE) old
WHERE r.id = old.id AND r.job_id = $2 AND r.status IN ('pending', 'in_progress') AND r.after_run_id IS NULL
RETURNING r.integration_id, r.tenant_id, r.fence, r.sync_type, coalesce(r.requested_by, ''), r.checkpoint, r.failures_in_row, clock_timestamp(),
    CASE WHEN old.waiting_reason = 'turn' THEN interval '0' ELSE coalesce(clock_timestamp() - old.lease_until, interval '0') END`

// ClaimRun begins a slice of the run whose job it is; [ErrNotFound] if the job isn't, or no longer, the run's.
func (s *Store) ClaimRun(ctx context.Context, run uuid.UUID, job int64) (Claim, error) {
	c := Claim{RunID: run, Job: job}
	var checkpoint []byte
	var parked time.Duration
	err := s.pool.QueryRow(ctx, claim, run, job, s.lease).Scan(&c.IntegrationID, &c.TenantID, &c.Fence, &c.SyncType, &c.RequestedBy,
		&checkpoint, &c.FailuresInRow, &c.Now, &parked)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("claim run: %w", err)
	}
	if err := json.Unmarshal(checkpoint, &c.Checkpoint); err != nil {
		return c, fmt.Errorf("claim run: read checkpoint: %w", err)
	}
	if !c.Checkpoint.First.IsZero() {
		c.Checkpoint.Track.Park(parked)
	}
	return c, nil
}

// renew is also the first statement of a page's transaction: it holds the run, and shuts out whoever lost its lease.
const renew = `
UPDATE integration_sync_logs SET lease_until = clock_timestamp() + $4
WHERE id = $1 AND fence = $2 AND job_id = $3 AND status = 'in_progress'`

// Renew prolongs the slice's lease; [ErrLost] if it has none.
func (s *Store) Renew(ctx context.Context, c Claim) error {
	tag, err := s.pool.Exec(ctx, renew, c.RunID, c.Fence, c.Job, s.lease)
	return fenced(tag.RowsAffected(), "renew lease", err)
}

// fenced turns a fenced statement's result into [ErrLost].
func fenced(rows int64, what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if rows == 0 {
		return ErrLost
	}
	return nil
}

// Wait is why and how long a slice leaves its run. The time is the database's; a wait of zero is a mere turn.
type Wait struct {
	For     time.Duration
	Reason  string // a key of the waiting reasons; empty: none is shown
	Failure bool   // it counts in failures_in_row
}

const leave = `
UPDATE integration_sync_logs SET lease_until = clock_timestamp(), waiting_reason = nullif($5, ''),
    waiting_until = CASE WHEN $4::interval > interval '0' THEN clock_timestamp() + $4 END,
    failures_in_row = failures_in_row + CASE WHEN $6 THEN 1 ELSE 0 END,
    api_calls = api_calls + $7, quota_used = quota_used + $8, updated_at = clock_timestamp()
WHERE id = $1 AND fence = $2 AND job_id = $3 AND status = 'in_progress'`

// Leave gives the run back until another slice goes on, and counts the calls that no page has counted.
func (s *Store) Leave(ctx context.Context, tx pgx.Tx, c Claim, w Wait, spent Spent) error {
	tag, err := tx.Exec(ctx, leave, c.RunID, c.Fence, c.Job, w.For, w.Reason, w.Failure, spent.Calls, spent.Quota)
	return fenced(tag.RowsAffected(), "leave run", err)
}

const saveCheckpoint = `
UPDATE integration_sync_logs SET lease_until = clock_timestamp() + $4, checkpoint = $5, window_start = $6, window_end = $7,
    failures_in_row = 0, records_total = coalesce($8, records_total), total_is_estimate = CASE WHEN $8::bigint IS NULL THEN total_is_estimate ELSE $9 END, updated_at = clock_timestamp()
WHERE id = $1 AND fence = $2 AND job_id = $3 AND status = 'in_progress'`

// SaveCheckpoint moves the run to another phase, or begins its walk.
func (s *Store) SaveCheckpoint(ctx context.Context, c Claim, total *int64, estimate bool) error {
	tag, err := s.pool.Exec(ctx, saveCheckpoint, c.RunID, c.Fence, c.Job, s.lease, c.Checkpoint, optional(c.Checkpoint.Since), optional(c.Checkpoint.Upper), total, estimate)
	return fenced(tag.RowsAffected(), "save checkpoint", err)
}

// optional is nil for the zero time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

const restartWalk = `
WITH pages AS (DELETE FROM sync_run_pages WHERE run_id = $1), asks AS (UPDATE confirming_reads SET unchanged = false WHERE run_id = $1)
UPDATE integration_sync_logs SET lease_until = clock_timestamp() + $4, checkpoint = $5,
    records_seen = records_created + records_updated, records_unchanged = 0, records_failed = 0,
    records_synced = records_created + records_updated, updated_at = clock_timestamp()
WHERE id = $1 AND fence = $2 AND job_id = $3 AND status = 'in_progress'`

// RestartWalk begins the walk anew: its pages are forgotten, and of its counts only what was written stays (see
// rules.Counters.Restart). The checkpoint in the claim is the one to go on from.
func (s *Store) RestartWalk(ctx context.Context, c Claim) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, restartWalk, c.RunID, c.Fence, c.Job, s.lease, c.Checkpoint)
		return fenced(tag.RowsAffected(), "restart walk", err)
	})
}

const pagesKept = `SELECT count(*) FROM sync_run_pages WHERE run_id = $1`

// PagesKept counts the pages that are remembered of a sweep.
func (s *Store) PagesKept(ctx context.Context, run uuid.UUID) (n int, err error) {
	if err := s.pool.QueryRow(ctx, pagesKept, run).Scan(&n); err != nil {
		return 0, fmt.Errorf("count pages: %w", err)
	}
	return n, nil
}

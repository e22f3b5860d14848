package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// look finds active runs that nobody works on: their job is lost, ended without them, or gone. One statement, no locks.
const look = `
SELECT r.id, r.integration_id
FROM integration_sync_logs r LEFT JOIN river.river_job j ON j.id = r.job_id
WHERE r.status IN ('pending', 'in_progress') AND r.after_run_id IS NULL
  AND (r.job_id IS NOT NULL OR r.created_at < now() - $2::interval)
  AND (j.id IS NULL OR j.state = 'cancelled'
    OR (j.state IN ('running', 'completed', 'discarded') AND greatest(r.lease_until, j.attempted_at + $1) < clock_timestamp()))`

// judge looks again under the locks and says what is to be done.
const judge = `
SELECT CASE
    WHEN r.job_id IS NULL THEN 'foreign'
    WHEN j.id IS NULL OR j.state = 'cancelled' THEN 'cancel'
    WHEN greatest(r.lease_until, j.attempted_at + $2) >= clock_timestamp() THEN 'alive'
    WHEN j.metadata ? 'cancel_attempted_at' THEN 'cancel'
    WHEN j.state IN ('running', 'completed') AND r.failures_in_row < $3 THEN 'take'
    WHEN j.state IN ('running', 'completed') THEN 'fail'
    WHEN j.state = 'discarded' THEN 'fail'
    ELSE 'alive' END, coalesce(r.job_id, 0)
FROM integration_sync_logs r LEFT JOIN river.river_job j ON j.id = r.job_id
WHERE r.id = $1 AND r.status IN ('pending', 'in_progress') AND r.after_run_id IS NULL`

// wake brings a snoozed job to the time that its run says: a snooze writes scheduled_at by the worker's clock, which may
// be wrong. Not a retryable one: that is River's own backoff after a panic.
const wake = `
UPDATE river.river_job j SET state = 'available', scheduled_at = greatest(now(), r.waiting_until)
FROM integration_sync_logs r
WHERE j.id = r.job_id AND r.status IN ('pending', 'in_progress') AND r.after_run_id IS NULL
  AND j.state IN ('available', 'scheduled') AND j.scheduled_at > greatest(now(), r.waiting_until) + interval '5 s'`

const (
	// mostLosses is how many workers in a row a run may cost: it may be the run that kills them.
	mostLosses = 8
	// foreignRest is how long a run of the earlier system is left alone while both systems work.
	foreignRest = time.Hour
)

// Stray is an active run that seems to have lost its job.
type Stray struct{ Run, Integration uuid.UUID }

// Strays looks for active runs that nobody works on. [Store.JudgeStray] decides about each.
func (s *Store) Strays(ctx context.Context) ([]Stray, error) {
	return all(ctx, s.pool, "look for lost runs", pgx.RowToStructByPos[Stray], look, s.lease, foreignRest)
}

// Verdict on a stray run.
type Verdict string

// What becomes of a stray run.
const (
	StrayEnded   Verdict = "ended"   // by somebody else, meanwhile
	StrayAlive   Verdict = "alive"   // somebody works on it after all
	StrayCancel  Verdict = "cancel"  // its job was cancelled or deleted, by a person
	StrayTake    Verdict = "take"    // its worker is lost: it gets a new job
	StrayFail    Verdict = "fail"    // River gave its job up, or it has cost one worker after another
	StrayForeign Verdict = "foreign" // the earlier system made it, and left it open
)

// JudgeStray locks integration, run and job, in this order, and looks again. One run that stands still must not hold up
// the others: it waits 500 ms for a lock at most.
func (s *Store) JudgeStray(ctx context.Context, tx pgx.Tx, stray Stray) (v Verdict, in Locked, job int64, err error) {
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
		return "", in, 0, fmt.Errorf("judge lost run: %w", err)
	}
	if in, err = s.LockIntegration(ctx, tx, nil, stray.Integration); err != nil {
		return "", in, 0, err
	}
	for _, lock := range []string{
		`SELECT 1 FROM integration_sync_logs WHERE id = $1 FOR UPDATE`,
		`SELECT 1 FROM river.river_job WHERE id = (SELECT job_id FROM integration_sync_logs WHERE id = $1) FOR UPDATE`,
	} {
		if _, err := tx.Exec(ctx, lock, stray.Run); err != nil {
			return "", in, 0, fmt.Errorf("judge lost run: %w", err)
		}
	}
	err = tx.QueryRow(ctx, judge, stray.Run, s.lease, mostLosses).Scan(&v, &job)
	if errors.Is(err, pgx.ErrNoRows) {
		return StrayEnded, in, 0, nil
	}
	if err != nil {
		return "", in, 0, fmt.Errorf("judge lost run: %w", err)
	}
	return v, in, job, nil
}

const countLoss = `UPDATE integration_sync_logs SET failures_in_row = failures_in_row + 1 WHERE id = $1 AND lease_until IS NOT NULL`

// CountLoss counts a lost worker among the run's failures in a row, which a committed page ends. A worker that was lost
// before it claimed the run was not lost to it.
func (s *Store) CountLoss(ctx context.Context, tx pgx.Tx, run uuid.UUID) error {
	if _, err := tx.Exec(ctx, countLoss, run); err != nil {
		return fmt.Errorf("count loss: %w", err)
	}
	return nil
}

// endLost ends a round whose worker is lost. It is unique while it runs, so none begins until then, and River gives it up
// only minutes later. One that is alive after all goes on, beside the next: the rows that a round takes are its own.
const endLost = `
UPDATE river.river_job SET state = 'discarded', finalized_at = clock_timestamp(),
    errors = array_append(errors, jsonb_build_object('at', now(), 'attempt', attempt, 'error', 'worker lost', 'trace', ''))
WHERE kind = $1 AND state = 'running' AND attempted_at + $2 < clock_timestamp()`

// EndLost ends the jobs of a kind that take a moment and still run after a lease: nobody works on them any more. It
// returns how many there were.
func (s *Store) EndLost(ctx context.Context, kind string) (int64, error) {
	tag, err := s.pool.Exec(ctx, endLost, kind, s.lease)
	if err != nil {
		return 0, fmt.Errorf("end lost jobs: %w", err)
	}
	return tag.RowsAffected(), nil
}

// WakeLate pulls back jobs that wait longer than their run says, and returns how many.
func (s *Store) WakeLate(ctx context.Context) (int64, error) {
	tag, err := s.pool.Exec(ctx, wake)
	if err != nil {
		return 0, fmt.Errorf("wake late jobs: %w", err)
	}
	return tag.RowsAffected(), nil
}

// wakeRounds is for jobs that are inserted for now: River takes that from the clock of whoever inserts them.
const wakeRounds = `
UPDATE river.river_job SET state = 'available', scheduled_at = now()
WHERE kind = ANY ($1) AND state IN ('available', 'scheduled') AND scheduled_at > now() + interval '5 s'`

// WakeRounds pulls back jobs of kinds that never wait, and returns how many.
func (s *Store) WakeRounds(ctx context.Context, kinds ...string) (int64, error) {
	tag, err := s.pool.Exec(ctx, wakeRounds, kinds)
	if err != nil {
		return 0, fmt.Errorf("wake late rounds: %w", err)
	}
	return tag.RowsAffected(), nil
}

const wakeRun = `
UPDATE integration_sync_logs SET waiting_until = NULL, waiting_reason = 'queued', updated_at = clock_timestamp()
WHERE integration_id = $1 AND status IN ('pending', 'in_progress') AND after_run_id IS NULL AND waiting_until > clock_timestamp()
RETURNING coalesce(job_id, 0)`

const wakeJob = `
UPDATE river.river_job SET state = 'available', scheduled_at = now()
WHERE id = $1 AND state IN ('available', 'scheduled', 'retryable')`

// WakeRun lets the waiting run of an integration go on at once, because the reason of the wait is gone or a person doesn't
// want to wait; false if none waits. A job that River has yet to put to rest is woken by the next [Store.WakeLate].
func (s *Store) WakeRun(ctx context.Context, integration uuid.UUID) (woken bool, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		woken, err = s.wake(ctx, tx, integration)
		return err
	})
	return woken, err
}

func (s *Store) wake(ctx context.Context, tx pgx.Tx, integration uuid.UUID) (woken bool, err error) {
	var job int64
	err = tx.QueryRow(ctx, wakeRun, integration).Scan(&job)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		_, err = tx.Exec(ctx, wakeJob, job)
	}
	if err != nil {
		return false, fmt.Errorf("wake run: %w", err)
	}
	return true, nil
}

// retriedJob says what a job is to its run when it isn't the run's (any more), or the run has ended.
const retriedJob = `SELECT integration_id, status = 'failed' AND (job_id = $2) FROM integration_sync_logs WHERE id = $1`

// RetriedRun reports whether the job is the one with which the run failed: then a person has started it again. Since a
// run's end finalises its job, nobody else can have.
func (s *Store) RetriedRun(ctx context.Context, run uuid.UUID, job int64) (integration uuid.UUID, retried bool, err error) {
	return retriedRun(ctx, s.pool, run, job)
}

// rower is a pool or a transaction.
type rower interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// RetriedRunTx is [Store.RetriedRun] in a transaction.
func (s *Store) RetriedRunTx(ctx context.Context, tx pgx.Tx, run uuid.UUID, job int64) (integration uuid.UUID, retried bool, err error) {
	return retriedRun(ctx, tx, run, job)
}

func retriedRun(ctx context.Context, db rower, run uuid.UUID, job int64) (integration uuid.UUID, retried bool, err error) {
	var mine *bool
	_, err = one(integration, db.QueryRow(ctx, retriedJob, run, job).Scan(&integration, &mine))
	if err != nil {
		return integration, false, fmt.Errorf("look at retried job: %w", err)
	}
	return integration, mine != nil && *mine, nil
}

// DatabaseClock is the database's clock, carried on by this process's monotonic one: a worker's wall clock may be wrong
// by minutes.
type DatabaseClock struct {
	at   time.Time
	here time.Time
}

// NewDatabaseClock starts from a time of the database that was just read.
func NewDatabaseClock(now time.Time) DatabaseClock { return DatabaseClock{at: now, here: time.Now()} }

// Now is the database's time.
func (c DatabaseClock) Now() time.Time { return c.at.Add(time.Since(c.here)) }

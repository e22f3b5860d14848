// Package jobs holds what is queued: the argument types of River's jobs, their queues, and the transactions in which a
// domain row and its job are created, cancelled, retried and ended together. Arguments are ids only. A queued row
// outlives the program that wrote it, so kinds and JSON names are changed the way a column is. What a job does is
// package worker's.
package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// Client enqueues. It is safe for concurrent use.
type Client struct {
	river *river.Client[pgx.Tx]
	store *store.Store
}

// New returns a client on River's, which may be one that only inserts.
func New(r *river.Client[pgx.Tx], s *store.Store) *Client { return &Client{river: r, store: s} }

// River is the client underneath, for River UI.
func (c *Client) River() *river.Client[pgx.Tx] { return c.river }

// liveStates are those in which a job has yet to end.
func liveStates() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateScheduled, rivertype.JobStateRetryable,
	}
}

// InactiveError says that an integration doesn't work at present: it is paused, disconnected or needs a person.
type InactiveError struct {
	Status string // one of the store's states of an integration
}

func (e *InactiveError) Error() string { return "the integration is " + e.Status }

// ConflictError says that a row is not in a state for what was asked; Phrase is a key of the words' phrases, and Name what
// it names, if anything.
type ConflictError struct{ Phrase, Name string }

func (e *ConflictError) Error() string { return "conflict: " + e.Phrase }

// EnqueueSync returns a run of the asked kind, and the run has its job when this returns: both are committed together.
// tenant nil: any. Errors: [store.ErrNotFound], [*InactiveError].
func (c *Client) EnqueueSync(ctx context.Context, tenant *uuid.UUID, integration uuid.UUID, n store.NewRun) (run store.Run, err error) {
	err = c.store.Tx(ctx, func(tx pgx.Tx) error {
		run, err = c.EnqueueSyncTx(ctx, tx, tenant, integration, n)
		return err
	})
	return run, err
}

// EnqueueSyncTx is [Client.EnqueueSync] in a transaction of the caller, which must not touch a run before it.
func (c *Client) EnqueueSyncTx(ctx context.Context, tx pgx.Tx, tenant *uuid.UUID, integration uuid.UUID, n store.NewRun) (store.Run, error) {
	in, err := c.store.LockIntegration(ctx, tx, tenant, integration)
	if err != nil {
		return store.Run{}, err
	}
	if in.Status != store.Connected {
		return store.Run{}, &InactiveError{in.Status}
	}
	return c.CreateRun(ctx, tx, in, n)
}

// CreateRun creates a run and its job; the caller has locked the integration and found it connected.
func (c *Client) CreateRun(ctx context.Context, tx pgx.Tx, in store.Locked, n store.NewRun) (store.Run, error) {
	run, needsJob, err := c.store.CreateRun(ctx, tx, in, n)
	if err != nil || !needsJob {
		return run, err
	}
	if err := c.startJob(ctx, tx, run.ID); err != nil {
		return run, err
	}
	return c.store.RunTx(ctx, tx, nil, run.ID)
}

// Scheduled is requested_by of the runs that the schedule starts.
const Scheduled = store.Scheduled

// startJob gives a run a new job, and the run no other. One that somebody waits for goes first.
func (c *Client) startJob(ctx context.Context, tx pgx.Tx, run uuid.UUID) error {
	res, err := c.river.InsertTx(ctx, tx, SyncArgs{RunID: run}, nil)
	if err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	by, err := c.store.AttachJob(ctx, tx, run, res.Job.ID)
	if err != nil || !Interactive(by) {
		return err
	}
	return c.store.SetPriority(ctx, tx, res.Job.ID, store.PriorityFirst)
}

// EndRun ends a run and its job and starts the follower, in this order, for whatever reason: last page, failure, cancel.
// The caller has locked the integration. It does nothing to a run that has ended already (ended is then false).
func (c *Client) EndRun(ctx context.Context, tx pgx.Tx, in store.Locked, run uuid.UUID, end store.RunEnd) (ended bool, err error) {
	job, ended, err := c.store.EndRun(ctx, tx, in, run, end)
	if err != nil || !ended {
		return false, err
	}
	if job != 0 {
		if end.Code == Cancelled { // tells the worker that has it; a running row stays running
			if _, err := c.river.JobCancelTx(ctx, tx, job); err != nil && !errors.Is(err, river.ErrNotFound) {
				return false, fmt.Errorf("cancel job: %w", err)
			}
		}
		state, reason := end.Job()
		if err := c.store.EndJob(ctx, tx, job, state, reason); err != nil {
			return false, err
		}
	}
	if end.Status == store.Completed {
		if err := c.store.DropPages(ctx, tx, in.ID, run, end.Swept); err != nil {
			return false, err
		}
	}
	follower, found, err := c.store.Promote(ctx, tx, in.ID)
	if err != nil || !found {
		return true, err
	}
	return true, c.startJob(ctx, tx, follower)
}

// Cancelled is the error code of a run that a person stopped.
const Cancelled = string(words.Cancelled)

// CancelSync ends a run that has yet to end, also one that a worker is in the midst of. Errors: [store.ErrNotFound],
// [*ConflictError].
func (c *Client) CancelSync(ctx context.Context, tenant *uuid.UUID, run uuid.UUID) (r store.Run, err error) {
	return c.onRun(ctx, tenant, run, func(ctx context.Context, tx pgx.Tx, in store.Locked, r store.Run) error {
		if !r.Active() {
			return &ConflictError{Phrase: words.PhraseRunEnded}
		}
		_, err := c.EndRun(ctx, tx, in, run, store.RunEnd{Status: store.Failed, Code: Cancelled})
		return err
	})
}

// RetrySync re-opens a failed run at its checkpoint, in a new job. Errors: [store.ErrNotFound], [*InactiveError],
// [*ConflictError].
func (c *Client) RetrySync(ctx context.Context, tenant *uuid.UUID, run uuid.UUID) (r store.Run, err error) {
	return c.onRun(ctx, tenant, run, func(ctx context.Context, tx pgx.Tx, in store.Locked, r store.Run) error {
		switch {
		case r.Active():
			return &ConflictError{Phrase: words.PhraseRunActive}
		case r.Status != store.Failed:
			return &ConflictError{Phrase: words.PhraseRunEnded}
		case in.Status != store.Connected:
			return &InactiveError{in.Status}
		}
		return c.reopen(ctx, tx, r.ID)
	})
}

func (c *Client) reopen(ctx context.Context, tx pgx.Tx, run uuid.UUID) error {
	reopened, err := c.store.ReopenRun(ctx, tx, run)
	if err != nil {
		return err
	}
	if !reopened {
		return &ConflictError{Phrase: words.PhraseRunActive}
	}
	return c.startJob(ctx, tx, run)
}

// onRun locks the run's integration, does something to the run, and reads it again.
func (c *Client) onRun(ctx context.Context, tenant *uuid.UUID, run uuid.UUID, do func(context.Context, pgx.Tx, store.Locked, store.Run) error) (r store.Run, err error) {
	err = c.store.Tx(ctx, func(tx pgx.Tx) error {
		if r, err = c.store.RunTx(ctx, tx, tenant, run); err != nil {
			return err
		}
		in, err := c.store.LockIntegration(ctx, tx, tenant, r.IntegrationID)
		if err != nil {
			return err
		}
		if r, err = c.store.RunTx(ctx, tx, tenant, run); err != nil { // as it is under the lock
			return err
		}
		if err := do(ctx, tx, in, r); err != nil {
			return err
		}
		r, err = c.store.RunTx(ctx, tx, tenant, run)
		return err
	})
	return r, err
}

// RetriedJob is what a worker does with a job that isn't its run's. If a person has retried the job of a failed run in
// River UI, the run goes on at its checkpoint in a new job, and the retried one ends; superseded says that another run is
// active instead. Any other such job has no effect.
func (c *Client) RetriedJob(ctx context.Context, run uuid.UUID, job int64) (superseded bool, err error) {
	integration, retried, err := c.store.RetriedRun(ctx, run, job)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !retried) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = c.store.Tx(ctx, func(tx pgx.Tx) error {
		in, err := c.store.LockIntegration(ctx, tx, nil, integration)
		if err != nil {
			return err
		}
		if in.Status != store.Connected {
			return &InactiveError{in.Status}
		}
		if _, retried, err := c.store.RetriedRunTx(ctx, tx, run, job); err != nil || !retried {
			return err
		}
		if err := c.reopen(ctx, tx, run); err != nil {
			return err
		}
		return c.store.EndJob(ctx, tx, job, "completed", "") // whoever still holds the old row disturbs nobody
	})
	if _, ok := errors.AsType[*ConflictError](err); ok {
		return true, nil
	}
	return false, err
}

// TakeOver judges a stray run under the locks and does what is to be done. A lost worker's job is never re-opened: it is
// finalised, and the run gets a new one.
func (c *Client) TakeOver(ctx context.Context, stray store.Stray) (v store.Verdict, err error) {
	err = c.store.Tx(ctx, func(tx pgx.Tx) error {
		var in store.Locked
		var job int64
		if v, in, job, err = c.store.JudgeStray(ctx, tx, stray); err != nil {
			return err
		}
		switch v {
		case store.StrayCancel:
			_, err = c.EndRun(ctx, tx, in, stray.Run, store.RunEnd{Status: store.Failed, Code: Cancelled})
		case store.StrayFail:
			trouble := store.Trouble{Code: string(words.Internal), RunID: &stray.Run}
			if _, err = c.store.OpenIncident(ctx, tx, in, trouble); err == nil {
				_, err = c.EndRun(ctx, tx, in, stray.Run, store.RunEnd{Status: store.Failed, Code: string(words.Internal)})
			}
		case store.StrayForeign:
			_, err = c.EndRun(ctx, tx, in, stray.Run, store.RunEnd{Status: store.Failed, Code: string(words.Interrupted)})
		case store.StrayTake:
			if err = c.store.CountLoss(ctx, tx, stray.Run); err == nil {
				err = c.store.EndJob(ctx, tx, job, "discarded", "worker lost")
			}
			if err == nil {
				err = c.startJob(ctx, tx, stray.Run)
			}
		case store.StrayEnded, store.StrayAlive:
		}
		return err
	})
	return v, err
}

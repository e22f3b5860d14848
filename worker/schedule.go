package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"example.com/enlace/jobs"
	"example.com/enlace/store"
)

// dueAtOnce is how many due integrations one transaction starts.
const dueAtOnce = 100

// scheduleWorker starts what is due. The table holds the truth, so a lost tick of River's costs nothing, and two of them
// start nothing twice.
type scheduleWorker struct {
	river.WorkerDefaults[jobs.ScheduleArgs]
	engine *engine
}

// Work starts due integrations until none is left.
func (w *scheduleWorker) Work(ctx context.Context, _ *river.Job[jobs.ScheduleArgs]) error {
	for {
		n, err := w.engine.startDue(ctx)
		if err != nil || n < dueAtOnce {
			return err
		}
	}
}

func (e *engine) startDue(ctx context.Context) (n int, err error) {
	err = e.Store.Tx(ctx, func(tx pgx.Tx) error {
		due, err := e.Store.ClaimDue(ctx, tx, dueAtOnce)
		n = len(due)
		if err != nil {
			return err
		}
		for _, d := range due {
			if err := e.startSafely(ctx, tx, d); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// laterAfterFault is when an integration that couldn't be started is due again.
const laterAfterFault = 15 * time.Minute

// startSafely starts one behind a savepoint: one that can't be started must not hold up all others.
func (e *engine) startSafely(ctx context.Context, tx pgx.Tx, d store.Due) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return e.startOne(ctx, tx, d) })
	if err == nil || ctx.Err() != nil {
		return err
	}
	e.Log.Error().Err(err).Stringer("integration_id", d.ID).Msg("could not start a scheduled run")
	next := d.Now.Add(laterAfterFault)
	return e.Store.SetNextSync(ctx, tx, d.ID, &next)
}

// startOne creates the run of one tick, with its job, and says when the next tick is. Missed ticks collapse into this
// one, and are counted on its run.
func (e *engine) startOne(ctx context.Context, tx pgx.Tx, d store.Due) error {
	schedule, err := jobs.ParseSchedule(d.Schedule)
	if err != nil {
		e.Log.Error().Err(err).Stringer("integration_id", d.ID).Str("schedule", d.Schedule).Msg("schedule can't be read; it is switched off")
		return e.Store.SetNextSync(ctx, tx, d.ID, nil)
	}
	kind := store.Incremental
	if e.sweepDue(d) {
		kind = store.Full
	}
	due := d.DueAt
	run := store.NewRun{SyncType: kind, RequestedBy: jobs.Scheduled, DueAt: &due, MissedTicks: schedule.Missed(d.DueAt, d.Now)}
	if _, err := e.jobs.CreateRun(ctx, tx, d.Locked, run); err != nil {
		return fmt.Errorf("start scheduled run: %w", err)
	}
	next := schedule.NextWithJitter(d.Now)
	return e.Store.SetNextSync(ctx, tx, d.ID, &next)
}

// sweepDue reports whether it is time to look for deletions that left no trace.
func (e *engine) sweepDue(d store.Due) bool {
	p := e.byName[d.Provider]
	switch {
	case p == nil || d.WindowEnd == nil:
		return false // a first incremental is executed as a sweep anyway
	case d.SweptAt == nil:
		return true // the last one found the list incomplete
	}
	every := proofEvery
	if own := p.Limits.SweepEvery; own > 0 {
		every = min(every, own)
	}
	return d.Now.Sub(*d.SweptAt) >= every
}

// proofEvery is how often a sweep compares what is here with what the provider has, at least: that nothing is missing is
// proven, not believed.
const proofEvery = 7 * 24 * time.Hour

package worker

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// syncWorker works one slice of a sync run per attempt.
type syncWorker struct {
	river.WorkerDefaults[jobs.SyncArgs]
	engine *engine
}

// Timeout leaves room for the file of an export, which one slice has to fetch whole. The lease alone says who works.
func (w *syncWorker) Timeout(*river.Job[jobs.SyncArgs]) time.Duration {
	return providers.ExportTimeout + timeout
}

// giveWay is for how long, and up to twice that, a tenant with more than its share steps back.
const giveWay = 500 * time.Millisecond

// Work claims the run, works a slice of it and says how the attempt ends.
func (w *syncWorker) Work(ctx context.Context, job *river.Job[jobs.SyncArgs]) error {
	over, err := w.engine.Store.Overdrawn(ctx, job.Args.RunID, jobs.QueueSync)
	if err != nil {
		return err
	}
	if over { // the other tenant's job is next in the queue, or soon
		return river.JobSnooze(giveWay + spread(giveWay))
	}
	claim, err := w.engine.Store.ClaimRun(ctx, job.Args.RunID, job.ID)
	if errors.Is(err, store.ErrNotFound) {
		return w.engine.notMine(ctx, job)
	}
	if err != nil {
		return err
	}
	return w.engine.work(ctx, claim)
}

// notMine ends a job that isn't its run's, or whose run a person has started again in River UI.
func (e *engine) notMine(ctx context.Context, job *river.Job[jobs.SyncArgs]) error {
	superseded, err := e.jobs.RetriedJob(ctx, job.Args.RunID, job.ID)
	if inactive, ok := errors.AsType[*jobs.InactiveError](err); ok {
		return river.JobCancel(inactive)
	}
	if err == nil && superseded {
		return river.JobCancel(errors.New("superseded: another run of this integration is active"))
	}
	return err
}

// work works a slice and settles how it ended. The lease is renewed meanwhile.
func (e *engine) work(ctx context.Context, claim store.Claim) error {
	slice := newSlice(e, claim)
	renew := func(ctx context.Context) error { return slice.renew(ctx, claim) }
	err := underLease(ctx, e.Spans.Renew, renew, slice.run)
	slice.release(err)
	return slice.settle(ctx, err)
}

// renew renews the slice's lease. It waits while a page is committed, which renews by itself and holds the row. The claim
// is the one that the slice began with: its own moves on.
func (s *slice) renew(ctx context.Context, claim store.Claim) error {
	return s.write(func() error {
		if s.ended {
			return nil
		}
		return s.engine.Store.Renew(ctx, claim)
	})
}

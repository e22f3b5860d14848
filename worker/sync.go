package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"example.com/enlace/jobs"
	"example.com/enlace/store"
)

// syncWorker works one slice of a sync run per attempt.
type syncWorker struct {
	river.WorkerDefaults[jobs.SyncArgs]
	engine *engine
}

// Work claims the run, works a slice of it and says how the attempt ends.
func (w *syncWorker) Work(ctx context.Context, job *river.Job[jobs.SyncArgs]) error {
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
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		slice.keepLease(work, claim, stop)
	}()
	err := slice.run(work)
	if cause := context.Cause(work); err != nil && errors.Is(cause, store.ErrLost) {
		err = cause
	}
	stop(nil)
	slice.close()
	<-kept
	return slice.settle(ctx, err)
}

// keepLease renews the slice's lease until work ends, and ends work when the lease is lost. It pauses while a page is
// committed, which renews by itself and holds the row. The claim is the one that the slice began with: its own moves on.
func (s *slice) keepLease(work context.Context, claim store.Claim, stop context.CancelCauseFunc) {
	tick := time.NewTicker(s.engine.Spans.Renew)
	defer tick.Stop()
	for {
		select {
		case <-work.Done():
			return
		case <-tick.C:
		}
		err := s.write(func() error {
			if s.ended {
				return nil
			}
			return s.engine.Store.Renew(work, claim)
		})
		if errors.Is(err, store.ErrLost) {
			stop(fmt.Errorf("renew: %w", err))
			return
		}
	}
}

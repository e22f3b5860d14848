package worker

import (
	"context"

	"github.com/riverqueue/river"

	"example.com/enlace/jobs"
)

// retainWorker removes what is older than its retention, in bounded batches.
type retainWorker struct {
	river.WorkerDefaults[jobs.RetainArgs]
	engine *engine
}

// Work removes batch after batch until nothing is left that is too old.
func (w *retainWorker) Work(ctx context.Context, _ *river.Job[jobs.RetainArgs]) error {
	for {
		n, err := w.engine.Store.RemoveOld(ctx)
		if err != nil || n == 0 {
			return err
		}
		w.engine.Log.Info().Int64("rows", n).Msg("removed rows past their retention")
	}
}

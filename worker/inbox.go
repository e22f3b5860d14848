package worker

import (
	"context"

	"github.com/riverqueue/river"

	"example.com/enlace/jobs"
	"example.com/enlace/store"
)

// deliveriesAtOnce is how many deliveries one transaction processes.
const deliveriesAtOnce = 500

// inboxWorker turns deliveries into records to be read. The inbox holds the truth: what a killed worker had taken is in
// the inbox again.
type inboxWorker struct {
	river.WorkerDefaults[jobs.InboxArgs]
	engine *engine
}

// Work processes deliveries until none is left.
func (w *inboxWorker) Work(ctx context.Context, job *river.Job[jobs.InboxArgs]) error {
	for {
		n, err := w.engine.jobs.WorkInbox(ctx, job.ID, deliveriesAtOnce, w.engine.settling())
		if err != nil || n < deliveriesAtOnce {
			return err
		}
	}
}

func (e *engine) settling() store.Settling {
	return store.Settling{After: e.Spans.Settle, Patience: e.Spans.Patience}
}

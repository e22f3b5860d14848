package worker

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"example.com/enlace/jobs"
	"example.com/enlace/store/vault"
)

const (
	// refreshAhead is how long before its end a token is renewed while nobody needs it. It is less than the vault's own
	// span, so that what is due here is due there.
	refreshAhead = 4 * time.Minute

	refreshesAtOnce = 50
)

// refreshWorker renews tokens before they expire. The vault does it once across processes.
type refreshWorker struct {
	river.WorkerDefaults[jobs.RefreshArgs]
	engine *engine
}

// Work renews the tokens of integrations that will need one soon.
func (w *refreshWorker) Work(ctx context.Context, _ *river.Job[jobs.RefreshArgs]) error {
	due, err := w.engine.Store.RefreshesDue(ctx, refreshAhead, refreshesAtOnce)
	if err != nil {
		return err
	}
	for _, id := range due {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// a failure is noted by the vault, or met again by whoever needs the token
		if _, err := w.engine.Vault.Token(ctx, id, vault.NoneFailed); err != nil {
			w.engine.Log.Warn().Err(err).Stringer("integration_id", id).Msg("could not renew a token ahead of time")
		}
	}
	return nil
}

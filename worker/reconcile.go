package worker

import (
	"context"
	"time"

	"example.com/enlace/jobs"
	"example.com/enlace/store"
)

// lookLimit bounds one look.
const lookLimit = 10 * time.Second

// reconcile looks for runs that nobody works on, because their worker is lost, or their job was cancelled or deleted by
// a person, and puts them right. Every worker does; the locks decide who is first.
func (e *engine) reconcile(ctx context.Context) {
	tick := time.NewTicker(e.Spans.Look)
	defer tick.Stop()
	for {
		e.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *engine) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit) // a half-open connection must not silence it
	defer cancel()
	strays, err := e.Store.Strays(ctx)
	if err != nil {
		if ctx.Err() == nil {
			e.Log.Warn().Err(err).Msg("could not look for lost runs; the next look will")
		}
		return
	}
	for _, stray := range strays {
		log := e.Log.With().Stringer("run_id", stray.Run).Stringer("integration_id", stray.Integration).Logger()
		verdict, err := e.jobs.TakeOver(ctx, stray)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn().Err(err).Msg("could not take over a lost run; the next look will")
		case verdict == store.StrayTake:
			log.Info().Msg("took over a run whose worker is lost")
		case verdict == store.StrayCancel:
			log.Info().Msg("ended a run whose job was cancelled")
		case verdict == store.StrayForeign:
			log.Warn().Msg("ended a run that the earlier system left open")
		case verdict == store.StrayFail:
			log.Error().Msg("ended a run whose job was given up")
		}
	}
	e.lookForChanges(ctx)
	if n, err := e.Store.EndLost(ctx, jobs.ScheduleArgs{}.Kind()); err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Msg("could not look for a lost round of the schedule; the next look will")
	} else if n > 0 {
		e.Log.Info().Msg("ended a round of the schedule whose worker is lost")
	}
	if n, err := e.Store.WakeRounds(ctx, jobs.Rounds()...); err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Msg("could not wake late rounds")
	} else if n > 0 {
		e.Log.Warn().Int64("jobs", n).Msg("woke rounds that were to begin later; the clock of who has queued them is wrong")
	}
	if n, err := e.Store.WakeLate(ctx); err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Msg("could not wake late jobs")
	} else if n > 0 {
		e.Log.Warn().Int64("jobs", n).Msg("woke jobs that were to wait longer than their runs; some worker's clock is wrong")
	}
}

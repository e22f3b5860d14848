package worker

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
)

// finish ends the run in one transaction: counts, window, incidents, the run, its job, and the follower's start.
func (s *slice) finish(ctx context.Context) error {
	counted, err := s.providerCount(ctx)
	if err != nil {
		return err
	}
	var live int64
	if s.claim.Checkpoint.Sweep { // a long count; nobody waits for a lock meanwhile
		if live, err = s.engine.Store.LiveContacts(ctx, s.integration.ID); err != nil {
			return err
		}
	}
	var outcome string
	err = s.write(func() error {
		err := s.engine.Store.Tx(ctx, func(tx pgx.Tx) (err error) {
			outcome, err = s.finishTx(ctx, tx, live, counted)
			return err
		})
		s.ended = err == nil
		return err
	})
	if err != nil {
		return err
	}
	s.log.Info().Str("outcome", outcome).Dur("slice_ms", time.Since(s.began)).Msg("run completed")
	return nil
}

// providerCount is how many contacts the provider has: by its own count, or as many as the sweep has listed. Nil after
// an incremental, which lists only what changed.
func (s *slice) providerCount(ctx context.Context) (*int64, error) {
	cp := s.claim.Checkpoint
	if !cp.Sweep {
		return nil, nil
	}
	if n, err := s.countThere(ctx); err != nil || n != nil {
		return n, err
	}
	return &cp.Listed, nil
}

func (s *slice) finishTx(ctx context.Context, tx pgx.Tx, live int64, counted *int64) (outcome string, err error) {
	st, cp := s.engine.Store, s.claim.Checkpoint
	in, err := st.LockIntegration(ctx, tx, nil, s.integration.ID)
	if err != nil {
		return "", err
	}
	if err := st.HoldFence(ctx, tx, s.claim); err != nil {
		return "", err
	}
	if err := st.AddSpent(ctx, tx, s.claim.RunID, s.uncounted()); err != nil {
		return "", err
	}
	var drift *int64
	if err := st.NoteUsage(ctx, tx, s.budget, s.quota.rest(), s.quota.spent(), true); err != nil {
		return "", err
	}
	if cp.Sweep {
		if drift, err = st.CountRun(ctx, tx, s.claim.RunID, live, counted); err != nil {
			return "", err
		}
	}
	run, err := st.RunTx(ctx, tx, nil, s.claim.RunID)
	if err != nil {
		return "", err
	}
	if err := s.moveWindow(ctx, tx); err != nil {
		return "", err
	}
	if err := s.closeIncidents(ctx, tx, in, run, drift); err != nil {
		return "", err
	}
	if cp.Sweep && !cp.Short {
		if err := st.SettleHeld(ctx, tx, in.ID, run.ID, cp.Held); err != nil {
			return "", err
		}
		if err := st.ResolveUnmet(ctx, tx, in.ID, run.ID, cp.First); err != nil {
			return "", err
		}
	}
	outcome = outcomeOf(cp, run.RecordsFailed)
	_, err = s.engine.jobs.EndRun(ctx, tx, in, s.claim.RunID, store.RunEnd{Status: store.Completed, Outcome: outcome, Swept: cp.Sweep && !cp.Short})
	return outcome, err
}

// outcomeOf is the most serious of what can be said of a completed run.
func outcomeOf(cp store.Checkpoint, failed int64) string {
	switch {
	case cp.Held > 0:
		return store.DeletionsHeld
	case cp.Short:
		return store.StoppedEarly
	case failed > 0:
		return store.FinishedWithSkipped
	}
	return store.Finished
}

// moveWindow notes what was walked. A list that left out living records was no whole walk.
func (s *slice) moveWindow(ctx context.Context, tx pgx.Tx) error {
	cp := s.claim.Checkpoint
	if cp.Short {
		return s.engine.Store.SweepAgain(ctx, tx, s.integration.ID)
	}
	cursors := rules.Positions
	if s.provider.Limits.Cursors == providers.Opaque && !cp.TooLong { // else the next incremental would be too long again
		cursors = rules.Opaque
	}
	old := value(s.integration.Watermark)
	p := store.Progress{WindowEnd: rules.WindowEnd(value(s.integration.WindowEnd), cp.Upper, cp.Sweep, cursors), Swept: cp.Sweep, First: cp.First}
	if cp.Reading.Done || s.integration.DeletionsKnown().IsZero() {
		p.DeletedUntil = cp.Upper
	}
	if mark := rules.Watermark(old, cp.Newest, cp.Upper); mark.After(old) {
		p.Watermark = mark
	}
	return s.engine.Store.MoveWindow(ctx, tx, s.integration.ID, p)
}

// The bounds of drift.
const (
	driftCount = 5
	driftShare = 0.01
)

// closeIncidents closes what a completed run has shown to be over, and opens what it has found. What goes on stays open.
func (s *slice) closeIncidents(ctx context.Context, tx pgx.Tx, in store.Locked, run store.Run, drift *int64) error {
	st, cp := s.engine.Store, s.claim.Checkpoint
	over := []string{
		string(words.ProviderUnavailable), string(words.QuotaExhausted), string(words.Misconfigured), string(words.Blocked),
		string(words.SchemaChanged), string(words.Internal),
	}
	var found *store.Trouble
	switch {
	case cp.Short || !cp.Sweep:
	case cp.Held > 0:
		over = append(over, string(words.Drift))
		found = &store.Trouble{Code: string(words.DeletionsHeld), RunID: &run.ID, Args: map[string]any{"missing": cp.Held, "live": cp.Live}}
	case drift != nil && drifted(*drift, *run.ProviderCount):
		over = append(over, string(words.DeletionsHeld))
		found = &store.Trouble{Code: string(words.Drift), RunID: &run.ID, Args: map[string]any{"count": *run.ProviderCount, "live": *run.LiveCount}}
	default:
		over = append(over, string(words.DeletionsHeld), string(words.Drift))
	}
	if err := st.CloseIncidents(ctx, tx, in.ID, over...); err != nil || found == nil {
		return err
	}
	opened, err := st.OpenIncident(ctx, tx, in, *found)
	if err != nil || !opened || found.Code != string(words.Drift) {
		return err
	}
	return st.SweepAgain(ctx, tx, in.ID) // once: what drifts again is for a person to see
}

// drifted reports whether the counts differ by so much, and by so large a part, that it is no coincidence.
func drifted(drift, count int64) bool {
	d := max(drift, -drift)
	return d > driftCount && float64(d) > driftShare*float64(count)
}

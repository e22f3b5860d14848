package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

const (
	// failAfter is how many failures in a row end a run, and troubleAfter how many open an incident. Scattered ones don't
	// count: each committed page begins anew.
	failAfter    = 8
	troubleAfter = 3

	longestBackoff = 5 * time.Minute
	shortestWait   = 2 * time.Second // after a refusal that says no time
)

// waitError says that the run waits.
type waitError struct{ store.Wait }

func (e *waitError) Error() string { return "waits: " + e.Reason }

// settle ends the slice: by what became of it, the run ends, waits or goes on, and the job's attempt with it.
func (s *slice) settle(ctx context.Context, err error) error {
	// what is settled must be written also when the process stops or the job is cancelled
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), store.Lease)
	defer cancel()
	wait, isWait := errors.AsType[*waitError](err)
	failure, isFailure := errors.AsType[*providers.Error](err)
	switch {
	case err == nil:
		return nil // the run has ended, and its job with it
	case errors.Is(err, store.ErrLost):
		s.log.Info().Msg("the slice has lost its lease; another goes on")
		return nil // the least harmful end: a row that is another attempt's by now is repaired by the look for strays
	case cancelled(ctx):
		if err := s.end(after, store.RunEnd{Status: store.Failed, Code: jobs.Cancelled}, nil); err != nil {
			return err
		}
		return fmt.Errorf("cancelled: %w", ctx.Err())
	case errors.Is(err, errYield):
		return s.leave(after, store.Wait{Reason: words.WaitTurn})
	case ctx.Err() != nil: // stopping, or out of time
		if err := s.leave(after, store.Wait{Reason: words.WaitTurn}); err != nil && !isSnooze(err) {
			return err
		}
		return fmt.Errorf("broken off: %w", ctx.Err())
	case isWait && wait.Reason == words.WaitProviderDown: // known from another's calls: this one's people are to know as well
		return s.leaveWith(after, &wait.Wait, func(tx pgx.Tx) error {
			return s.report(after, tx, words.ProviderUnavailable, &providers.Error{})
		})
	case isWait:
		return s.leave(after, wait.Wait)
	case errors.Is(err, vault.ErrInactive), errors.Is(err, store.ErrNotFound):
		return s.end(after, store.RunEnd{Status: store.Failed, Code: jobs.Cancelled}, nil) // paused or gone meanwhile
	case isFailure:
		return s.settleFailure(after, failure)
	}
	return s.settleFault(after, err)
}

func isSnooze(err error) bool {
	_, ok := errors.AsType[*river.JobSnoozeError](err)
	return ok
}

// leave gives the run back. The database's clock says until when it waits; the snooze only brings the job back about
// then, and the look for strays corrects it where this process's clock is wrong.
func (s *slice) leave(ctx context.Context, w store.Wait) error {
	return s.leaveWith(ctx, &w, nil)
}

// leaveWith is leave after something that only the run's holder may write, and that may change the wait, in one transaction.
func (s *slice) leaveWith(ctx context.Context, w *store.Wait, first func(tx pgx.Tx) error) error {
	err := s.engine.Store.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.engine.Store.HoldFence(ctx, tx, s.claim); err != nil {
			return err
		}
		if err := s.noteUsage(ctx, tx); err != nil {
			return err
		}
		if first != nil {
			if err := first(tx); err != nil {
				return err
			}
		}
		if err := s.engine.Store.Leave(ctx, tx, s.claim, *w, s.uncounted()); err != nil || !s.interactive {
			return err
		}
		return s.engine.Store.SetPriority(ctx, tx, s.claim.Job, store.PriorityInTurn) // it has had its first turn
	})
	if errors.Is(err, store.ErrLost) {
		return nil
	}
	if err != nil {
		return err
	}
	return river.JobSnooze(w.For)
}

// noteUsage notes what the provider's answers have told of limits, if it has answered.
func (s *slice) noteUsage(ctx context.Context, tx pgx.Tx) error {
	if s.quota == nil || !s.quota.hasAnswered() && s.quota.spent() == 0 {
		return nil
	}
	return s.engine.Store.NoteUsage(ctx, tx, s.budget, s.quota.rest(), s.quota.spent(), false)
}

// end ends the run, its job and, if there is trouble, opens an incident, in one transaction.
func (s *slice) end(ctx context.Context, end store.RunEnd, trouble *store.Trouble) error {
	var ended bool
	err := s.engine.Store.Tx(ctx, func(tx pgx.Tx) error {
		in, err := s.engine.Store.LockIntegration(ctx, tx, nil, s.claim.IntegrationID)
		if err != nil {
			return err
		}
		if err := s.engine.Store.HoldFence(ctx, tx, s.claim); err != nil {
			return err
		}
		if err := s.engine.Store.AddSpent(ctx, tx, s.claim.RunID, s.uncounted()); err != nil {
			return err
		}
		if err := s.noteUsage(ctx, tx); err != nil {
			return err
		}
		if trouble != nil {
			if _, err := s.engine.Store.OpenIncident(ctx, tx, in, *trouble); err != nil {
				return err
			}
		}
		ended, err = s.engine.jobs.EndRun(ctx, tx, in, s.claim.RunID, end)
		return err
	})
	if errors.Is(err, store.ErrLost) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil && ended {
		s.log.Warn().Str("error_code", end.Code).Str("error_variant", end.Variant).Msg("run ended")
	}
	return err
}

// settleFailure does what the kind of a provider's error asks for.
func (s *slice) settleFailure(ctx context.Context, e *providers.Error) error {
	s.log.Warn().Err(e).Str("kind", string(e.Kind)).Int("failures_in_row", s.claim.FailuresInRow).Msg("provider call failed")
	switch e.Kind {
	case providers.Transient:
		return s.backOff(ctx, words.ProviderUnavailable, e)
	case providers.RateLimited:
		return s.slowDown(ctx, e)
	case providers.QuotaExhausted:
		return s.park(ctx, time.Until(e.RetryAt), e)
	case providers.Blocked:
		return s.lookAgain(ctx, e)
	case providers.NeedsReauth:
		return s.needsReauth(ctx, e)
	case providers.Misconfigured:
		return s.fail(ctx, words.Misconfigured, e.Variant, e, true)
	case providers.SchemaChanged:
		return s.fail(ctx, words.SchemaChanged, e.Variant, e, true)
	case providers.CursorExpired:
		return s.fail(ctx, words.CursorExpired, e.Variant, e, false)
	case providers.InvalidRequest, providers.NotFound, providers.ListTooLong:
		return s.fail(ctx, words.InvalidRequest, "sync", e, false)
	case providers.UnknownOutcome, providers.Internal: // not of a read: a fault of ours
	}
	return s.settleFault(ctx, e)
}

// settleFault is for what nobody classified: our fault, or a database that doesn't answer. In the latter case nothing
// can be written either, and River, or the look for strays, brings the run back.
func (s *slice) settleFault(ctx context.Context, err error) error {
	s.log.Error().Err(err).Msg("slice failed")
	return s.backOff(ctx, words.Internal, &providers.Error{Kind: providers.Internal, Err: err})
}

// fail ends the run.
func (s *slice) fail(ctx context.Context, code words.Code, variant string, e *providers.Error, incident bool) error {
	detail := words.Redact(e.Detail)
	var trouble *store.Trouble
	if incident {
		trouble = &store.Trouble{Code: string(code), Variant: variant, Detail: detail, RunID: &s.claim.RunID}
	}
	return s.end(ctx, store.RunEnd{Status: store.Failed, Code: string(code), Variant: variant, Detail: detail}, trouble)
}

// backOff waits longer after each failure in a row, and gives up after eight.
func (s *slice) backOff(ctx context.Context, code words.Code, e *providers.Error) error {
	n := s.claim.FailuresInRow + 1
	if n >= failAfter {
		return s.fail(ctx, code, e.Variant, e, true)
	}
	wait := &store.Wait{For: max(s.backoff(n), time.Until(e.RetryAt)), Reason: words.WaitBackoff, Failure: true}
	return s.leaveWith(ctx, wait, func(tx pgx.Tx) error {
		down, err := s.noteUnserved(ctx, tx, e)
		if down {
			*wait = waitsForProbe()
			wait.Failure = true
		}
		if err != nil || !down && n < troubleAfter {
			return err
		}
		return s.report(ctx, tx, code, e)
	})
}

// backoff is the wait after the n-th failure in a row, with up to a tenth of jitter.
func (s *slice) backoff(n int) time.Duration {
	d := s.engine.Spans.Backoff
	for range n - 1 {
		d = min(3*d, longestBackoff)
	}
	return d + spread(d/10)
}

// spread is a random time up to d, so that not everybody comes at once.
func spread(d time.Duration) time.Duration {
	return rand.N(d + 1) //nolint:gosec // no secret
}

func (s *slice) report(ctx context.Context, tx pgx.Tx, code words.Code, e *providers.Error) error {
	in := store.Locked{ID: s.claim.IntegrationID, TenantID: s.claim.TenantID}
	_, err := s.engine.Store.OpenIncident(ctx, tx, in, store.Trouble{
		Code: string(code), Variant: e.Variant, Detail: words.Redact(e.Detail), RunID: &s.claim.RunID,
	})
	return err
}

// slowDown waits for the burst limit; so many refusals in a row that the provider must mean the day are a spent budget.
func (s *slice) slowDown(ctx context.Context, e *providers.Error) error {
	wait := store.Wait{For: max(time.Until(e.RetryAt), shortestWait), Reason: string(words.RateLimited)}
	spent := errors.New("the day is spent")
	err := s.leaveWith(ctx, &wait, func(tx pgx.Tx) error {
		inRow, err := s.block(ctx, tx, wait)
		if most := s.provider.Limits.BurstsBeforeQuota; err == nil && most > 0 && inRow >= most {
			return spent
		}
		return err
	})
	if errors.Is(err, spent) {
		return s.park(ctx, 0, e)
	}
	return err
}

// block notes that the account is to be left alone, whichever worker asks.
func (s *slice) block(ctx context.Context, tx pgx.Tx, w store.Wait) (inRow int, err error) {
	return s.engine.Store.BlockAccount(ctx, tx, s.budget, w.For, w.Reason, s.quota.hasAnswered())
}

// park waits for the account's budget to come back.
func (s *slice) park(ctx context.Context, wait time.Duration, e *providers.Error) error {
	if wait <= 0 {
		wait = s.quota.untilReset()
	}
	w := store.Wait{For: wait + spread(wakeSpread), Reason: string(words.QuotaExhausted)}
	return s.leaveWith(ctx, &w, func(tx pgx.Tx) error {
		if _, err := s.block(ctx, tx, w); err != nil {
			return err
		}
		return s.report(ctx, tx, words.QuotaExhausted, e)
	})
}

// lookAgain waits a day for an account that may not; its token is fine.
func (s *slice) lookAgain(ctx context.Context, e *providers.Error) error {
	w := store.Wait{For: s.engine.Spans.Blocked, Reason: string(words.Blocked)}
	return s.leaveWith(ctx, &w, func(tx pgx.Tx) error { return s.report(ctx, tx, words.Blocked, e) })
}

// needsReauth stops the integration: the provider refuses a token that was just renewed. (A refused renewal has done
// the same before it came here; then there is nothing left to end.)
func (s *slice) needsReauth(ctx context.Context, e *providers.Error) error {
	refused, err := s.engine.refuseTokens(ctx, s.claim.IntegrationID, s.client, e)
	if err != nil || refused {
		return err
	}
	return s.leave(ctx, store.Wait{Reason: words.WaitRenewing}) // a newer token is there, or somebody else has ended the run
}

// refuseTokens stops an integration whose provider refuses the token that its client sent last. False: a newer token is
// there, or the integration is stopped already.
func (e *engine) refuseTokens(ctx context.Context, integration uuid.UUID, client *vault.Client, refusal *providers.Error) (bool, error) {
	return e.Store.RefuseTokens(ctx, integration, client.Generation(), store.Refusal{
		Variant: cmp.Or(refusal.Variant, words.VariantRevoked), Detail: words.Redact(refusal.Detail),
	})
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
	"example.com/enlace/store/vault"
)

const (
	// mostSingle is how many changed records of an integration are read one by one; more are a case for the list of changes.
	mostSingle = 100

	// floodLook is after how many records a slice looks again whether they have become too many.
	floodLook = 20

	// troubled is after how many records in a row that can't be read the account is at fault, and not they.
	troubled = 3

	// longestDelay is between tries to read a record that can't be read though others can.
	longestDelay = time.Hour

	// laterChanges is when records are tried again after a refusal that only a person, or another run, can mend.
	laterChanges = 15 * time.Minute
)

// changesWorker reads the records of an integration that a provider has told us of, a slice of them per attempt.
type changesWorker struct {
	river.WorkerDefaults[jobs.ChangesArgs]
	engine *engine
}

// Work claims the integration's pending changes, works a slice of them and says how the attempt ends.
func (w *changesWorker) Work(ctx context.Context, job *river.Job[jobs.ChangesArgs]) error {
	claim, err := w.engine.Store.ClaimChanges(ctx, job.Args.IntegrationID, job.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // another job's by now, or all has been read
	}
	if err != nil {
		return err
	}
	return w.engine.workChanges(ctx, claim)
}

func (e *engine) workChanges(ctx context.Context, claim store.ChangesClaim) error {
	r := newChangeReader(e, claim)
	var wait time.Duration
	renew := func(ctx context.Context) error { return e.Store.RenewChanges(ctx, claim) }
	err := underLease(ctx, e.Spans.Renew, renew, func(ctx context.Context) (err error) {
		wait, err = r.run(ctx)
		return err
	})
	r.close()
	return r.settle(ctx, wait, err)
}

// changeReader is a slice of pending changes. It reads as a slice of a run does, and has no run.
type changeReader struct {
	*slice

	queue  store.ChangesClaim
	unread int // records in a row that could not be read
}

func newChangeReader(e *engine, c store.ChangesClaim) *changeReader {
	return &changeReader{queue: c, slice: &slice{
		engine: e, jobQueue: jobs.QueueChanges, claim: store.Claim{IntegrationID: c.IntegrationID, TenantID: c.TenantID, Job: c.Job}, clock: store.NewDatabaseClock(c.Now), began: time.Now(), interactive: true,
		log: e.Log.With().Stringer("integration_id", c.IntegrationID).Stringer("tenant_id", c.TenantID).Int64("job_id", c.Job).Logger(),
	}}
}

// run reads what is due. It returns how long the next record has to wait.
func (r *changeReader) run(ctx context.Context) (wait time.Duration, err error) {
	if err := r.open(ctx); err != nil {
		return 0, err
	}
	var flooded bool
	for read, look := 0, 0; ; {
		next, err := r.engine.Store.NextChange(ctx, r.queue.IntegrationID, flooded)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return r.engine.Spans.Settle, nil // if there are others, they wait for a run, and a deletion may be noted meanwhile
		case err != nil:
			return 0, err
		case next.DueIn > 0:
			return next.DueIn, nil
		case read == look:
			look += floodLook
			if flooded, err = r.yieldToRun(ctx); err != nil {
				return 0, err
			}
			continue // with what is due now
		}
		read++
		if err := r.readOrDelay(ctx, next); err != nil {
			return 0, err
		}
		if over, err := r.over(ctx); err != nil || over {
			return 0, err
		}
	}
}

// yieldToRun lets an incremental run read what has changed if it is much. While the last such run is too fresh for
// another, flooded says that only deletions are to be read.
func (r *changeReader) yieldToRun(ctx context.Context) (flooded bool, err error) {
	if flooded, err = r.engine.Store.Flooded(ctx, r.queue.IntegrationID, mostSingle); err != nil || !flooded {
		return false, err
	}
	replaced, wait, err := r.engine.jobs.ReplaceChanges(ctx, r.queue, r.engine.Spans.Flood)
	if err != nil {
		return false, err
	}
	if replaced > 0 {
		r.log.Info().Int64("records", replaced).Msg("many records have changed; a run reads them instead")
	}
	return wait > 0, nil
}

// readOrDelay reads a record. One that can't be read, though others can, waits for itself and holds up nobody.
func (r *changeReader) readOrDelay(ctx context.Context, p store.PendingChange) error {
	err := r.readChange(ctx, p)
	if err == nil {
		r.unread = 0
		return nil
	}
	if again, err := r.mend(ctx, err); err != nil || again {
		return err
	}
	e, ok := errors.AsType[*providers.Error](err)
	if !ok || ctx.Err() != nil || !ofRecord(e.Kind) {
		return err
	}
	if r.unread++; r.unread >= troubled {
		return err
	}
	d := min(max(r.backoff(p.Failures+1), time.Until(e.RetryAt)), longestDelay)
	if p.Failures >= failAfter {
		d = longestDelay
	}
	r.log.Warn().Err(e).Str("kind", string(e.Kind)).Int("failures", p.Failures+1).Dur("again_ms", d).Msg("a record that was notified can't be read now; others go on")
	return r.engine.Store.DelayChange(ctx, r.queue, p.ExternalID, d)
}

// ofRecord reports whether a failure may be a single record's alone.
func ofRecord(kind providers.ErrorKind) bool {
	switch kind {
	case providers.Transient, providers.SchemaChanged, providers.CursorExpired, providers.ListTooLong, providers.InvalidRequest,
		providers.NotFound, providers.UnknownOutcome, providers.Internal:
		return true
	case providers.RateLimited, providers.QuotaExhausted, providers.Blocked, providers.NeedsReauth, providers.Misconfigured:
	}
	return false
}

// readChange reads a record by its id and stores what that says, again while another reader overlaps it.
func (r *changeReader) readChange(ctx context.Context, p store.PendingChange) error {
	st, settling := r.engine.Store, r.engine.settling()
	for range rules.Rereads {
		f, _, failure, err := r.readOne(ctx, store.Asked{ExternalID: p.ExternalID})
		if e, ok := errors.AsType[*providers.Error](err); ok && e.Kind == providers.InvalidRequest {
			r.log.Warn().Err(e).Msg("a record that was notified can't be read")
			failure, err = &providers.Failure{ExternalID: p.ExternalID, Reason: "refused", Detail: words.Redact(e.Detail)}, nil
		}
		if err != nil {
			return err
		}
		if failure != nil {
			return st.CommitUnreadableChange(ctx, r.queue, p, *failure, settling)
		}
		if err = st.CommitChange(ctx, r.queue, p, f, settling); !errors.Is(err, store.ErrOverlapped) {
			return err
		}
	}
	return st.PutOffChange(ctx, r.queue, p.ExternalID, settling.After)
}

// settle ends the slice: the job comes again when there is more to read, or ends.
func (r *changeReader) settle(ctx context.Context, wait time.Duration, err error) error {
	// what is settled must be written also when the process stops
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), store.Lease)
	defer cancel()
	blocked, isWait := errors.AsType[*waitError](err)
	inactive, isInactive := errors.AsType[*jobs.InactiveError](err)
	failure, isFailure := errors.AsType[*providers.Error](err)
	switch {
	case err == nil:
		return r.leaveChanges(after, &store.Wait{For: wait}, nil)
	case errors.Is(err, store.ErrLost):
		r.log.Info().Msg("the slice has lost its lease; another goes on")
		return nil
	case ctx.Err() != nil: // stopping, out of time, or cancelled by a person: the records still are to be read
		if err := r.leaveChanges(after, &store.Wait{}, nil); err != nil && !isSnooze(err) {
			return err
		}
		return fmt.Errorf("broken off: %w", ctx.Err())
	case isWait:
		return r.leaveChanges(after, &blocked.Wait, nil)
	case isInactive:
		r.log.Info().Str("status", inactive.Status).Msg("changed records wait for their integration")
		return r.park(after)
	case errors.Is(err, vault.ErrInactive), errors.Is(err, store.ErrNotFound):
		return r.park(after)
	case isFailure:
		return r.settleRefusal(after, failure)
	}
	r.log.Error().Err(err).Msg("slice of changes failed")
	return r.failChanges(after, 0)
}

// settleRefusal does what the kind of a provider's error asks for. Incidents are left to runs, which meet the same and
// show it to people.
func (r *changeReader) settleRefusal(ctx context.Context, e *providers.Error) error {
	r.log.Warn().Err(e).Str("kind", string(e.Kind)).Int("failures_in_row", r.queue.FailuresInRow).Msg("provider call failed")
	switch e.Kind {
	case providers.RateLimited:
		return r.blockChanges(ctx, store.Wait{For: max(time.Until(e.RetryAt), shortestWait), Reason: string(words.RateLimited)})
	case providers.QuotaExhausted:
		wait := time.Until(e.RetryAt)
		if wait <= 0 {
			wait = r.quota.untilReset()
		}
		return r.blockChanges(ctx, store.Wait{For: wait + spread(wakeSpread), Reason: string(words.QuotaExhausted)})
	case providers.Blocked:
		return r.leaveChanges(ctx, &store.Wait{For: r.engine.Spans.Blocked, Reason: string(words.Blocked)}, nil)
	case providers.NeedsReauth:
		return r.refuse(ctx, e)
	case providers.Misconfigured, providers.SchemaChanged:
		return r.failChanges(ctx, laterChanges)
	case providers.Transient, providers.CursorExpired, providers.ListTooLong, providers.InvalidRequest, providers.NotFound,
		providers.UnknownOutcome, providers.Internal:
	}
	return r.failUnserved(ctx, e)
}

// failUnserved waits after a failure that isn't the records', with all other work of the account if it is one too many.
func (r *changeReader) failUnserved(ctx context.Context, e *providers.Error) error {
	wait := &store.Wait{For: max(r.backoff(min(r.queue.FailuresInRow+1, failAfter)), time.Until(e.RetryAt)), Reason: words.WaitBackoff, Failure: true}
	return r.leaveChanges(ctx, wait, func(tx pgx.Tx) error {
		down, err := r.noteUnserved(ctx, tx, e)
		if down {
			*wait = waitsForProbe()
		}
		return err
	})
}

// refuse stops the integration, as a run does: the provider refuses a token that was just renewed.
func (r *changeReader) refuse(ctx context.Context, e *providers.Error) error {
	refused, err := r.engine.refuseTokens(ctx, r.queue.IntegrationID, r.client, e)
	if err != nil {
		return err
	}
	if refused {
		return r.park(ctx)
	}
	return r.leaveChanges(ctx, &store.Wait{Reason: words.WaitRenewing}, nil) // a newer token is there, or somebody else has stopped it
}

// failChanges waits longer after each failure in a row; the records wait as long as it takes.
func (r *changeReader) failChanges(ctx context.Context, atLeast time.Duration) error {
	n := min(r.queue.FailuresInRow+1, failAfter)
	return r.leaveChanges(ctx, &store.Wait{For: max(r.backoff(n), atLeast), Reason: words.WaitBackoff, Failure: true}, nil)
}

// blockChanges waits, and lets everybody else who asks the account wait too.
func (r *changeReader) blockChanges(ctx context.Context, w store.Wait) error {
	return r.leaveChanges(ctx, &w, func(tx pgx.Tx) error {
		_, err := r.block(ctx, tx, w)
		return err
	})
}

// park gives the queue back without a job: the integration doesn't work at present. The look for strays brings it back.
func (r *changeReader) park(ctx context.Context) error {
	_, err := r.giveBack(ctx, false, &store.Wait{}, nil)
	return err
}

// leaveChanges gives the queue back until the job comes again; with nothing left to read, the job ends.
func (r *changeReader) leaveChanges(ctx context.Context, w *store.Wait, first func(tx pgx.Tx) error) error {
	done, err := r.giveBack(ctx, true, w, first)
	if err != nil || done {
		return err
	}
	return river.JobSnooze(max(w.For, 0))
}

// giveBack is done if nothing is left to read, or another slice goes on.
func (r *changeReader) giveBack(ctx context.Context, goesOn bool, w *store.Wait, first func(tx pgx.Tx) error) (done bool, err error) {
	err = r.engine.Store.Tx(ctx, func(tx pgx.Tx) error {
		if err := r.engine.Store.HoldChanges(ctx, tx, r.queue); err != nil {
			return err
		}
		if err := r.noteUsage(ctx, tx); err != nil {
			return err
		}
		if first != nil {
			if err := first(tx); err != nil {
				return err
			}
		}
		done, err = r.engine.Store.LeaveChanges(ctx, tx, r.queue, goesOn, *w)
		return err
	})
	if errors.Is(err, store.ErrLost) {
		return true, nil
	}
	return done, err
}

// lookForChanges looks for deliveries and changed records that nobody works on, and gives them a job.
func (e *engine) lookForChanges(ctx context.Context) {
	if woken, err := e.jobs.WakeInbox(ctx); err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Msg("could not look at the inbox; the next look will")
	} else if woken {
		e.Log.Info().Msg("took up deliveries whose worker is lost")
	}
	strays, err := e.Store.StrayQueues(ctx)
	if err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Msg("could not look for lost changes; the next look will")
	}
	for _, integration := range strays {
		if taken, err := e.jobs.TakeOverChanges(ctx, integration); err != nil && ctx.Err() == nil {
			e.Log.Warn().Err(err).Stringer("integration_id", integration).Msg("could not take over changes; the next look will")
		} else if taken {
			e.Log.Info().Stringer("integration_id", integration).Msg("took up changes that nobody worked on")
		}
	}
	if _, err := e.Store.WakeLateQueues(ctx); err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Msg("could not wake late changes")
	}
}

//go:build unix

package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/store"
)

// cutShort are the waits that would take longer than a moment: what they wait for has come.
var cutShort = []string{ //nolint:gochecknoglobals // a constant table
	`UPDATE rate_budgets SET blocked_until = NULL, daily_resets_at = now()`,
	`UPDATE pending_changes SET due_at = clock_timestamp() WHERE due_at > clock_timestamp() + interval '300 ms'`,
	`WITH q AS (UPDATE change_queues SET waiting_until = NULL WHERE waiting_until > clock_timestamp() + interval '300 ms' RETURNING job_id)
		UPDATE river.river_job j SET state = 'available', scheduled_at = now() FROM q WHERE j.id = q.job_id AND j.state IN ('available', 'scheduled')`,
}

const workWaits = `
SELECT EXISTS (SELECT FROM integration_sync_logs WHERE status IN ('pending', 'in_progress') AND waiting_until > clock_timestamp() + interval '300 ms')
    OR EXISTS (SELECT FROM pending_changes WHERE due_at > clock_timestamp() + interval '300 ms')
    OR EXISTS (SELECT FROM change_queues WHERE waiting_until > clock_timestamp() + interval '300 ms')`

// await waits until nothing is left to do, at most so long, and cuts waits short.
func (s *story) await(ctx context.Context, limit time.Duration) error {
	_, err := s.done(ctx, limit)
	return err
}

func (s *story) done(ctx context.Context, limit time.Duration) (done bool, err error) {
	for end := time.Now().Add(limit); time.Now().Before(end); pause(ctx, 25*time.Millisecond) {
		if err := s.tend(ctx); err != nil {
			return false, err
		}
		var left int
		if err := s.pool.QueryRow(ctx, notSettled).Scan(&left); err != nil || left == 0 {
			return err == nil, err
		}
		if err := s.hurry(ctx); err != nil {
			return false, err
		}
	}
	return false, ctx.Err()
}

func (s *story) hurry(ctx context.Context) error {
	var waits bool
	if err := s.pool.QueryRow(ctx, workWaits).Scan(&waits); err != nil || !waits {
		return err
	}
	for _, sql := range cutShort {
		if _, err := s.pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	_, err := s.store.WakeRun(ctx, s.id)
	return err
}

// patient is how long the last part of a story may take before something counts as stuck.
const patient = 90 * time.Second

// settle is the quiet end: no more faults, a person reconnects what needs it, the look-back passes, and the schedule starts
// what is due, which is a sweep. Then everything must be right.
func (s *story) settle(ctx context.Context) error {
	s.log.Info().Msg("settle")
	s.remote.unbound()
	err := errors.Join(s.remote.steer().Faults(), s.remote.configure(func(c common) {
		*c.noDate, *c.latency = false, 0
		c.hooks.WebhookLoss, c.hooks.WebhookDuplicates, c.hooks.WebhookShuffle = 0, 0, false
	}))
	if err != nil {
		return err
	}
	if err := s.reactivate(ctx); err != nil {
		return err
	}
	if len(s.alive) == 0 {
		if err := s.startWorker(ctx); err != nil {
			return err
		}
	}
	if done, err := s.done(ctx, patient); err != nil || !done {
		return errors.Join(errors.New("something is stuck once all is well again"), err)
	}
	if s.honest {
		if err := s.incrementalFindsAll(ctx); err != nil {
			return err
		}
	}
	if err := s.sweep(ctx); err != nil {
		return err
	}
	if done, err := s.done(ctx, patient); err != nil || !done {
		return errors.Join(errors.New("something is stuck after the sweep"), err)
	}
	return errors.Join(s.compare(ctx), s.books(ctx), s.incidents(ctx))
}

// reactivate does what a person would.
func (s *story) reactivate(ctx context.Context) error {
	in, err := s.store.AnyIntegration(ctx, s.id)
	if err != nil {
		return err
	}
	if in.Status == store.Paused {
		if err := s.pause(ctx, false); err != nil {
			return err
		}
		if in, err = s.store.AnyIntegration(ctx, s.id); err != nil {
			return err
		}
	}
	switch {
	case s.mayNeedReauth(): // also before anybody has noticed
		return s.connect(ctx)
	case in.Status == store.NeedsReauth:
		return fmt.Errorf("a person has to reconnect, without cause: %s", value(in.StatusReason))
	}
	return nil
}

// value is what p points to, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// mayNeedReauth reports whether anything has happened that ends a permission.
func (s *story) mayNeedReauth() bool {
	return slices.ContainsFunc(s.steps, func(p step) bool {
		return p.do == "revoke the token" || slices.Contains(endsPermission, p.fault.Kind)
	})
}

// incrementalFindsAll checks what an incremental promises: every change that is dated, or told of, is in it.
func (s *story) incrementalFindsAll(ctx context.Context) error {
	in, err := s.store.AnyIntegration(ctx, s.id)
	if err != nil || in.WindowEnd == nil { // it would be a sweep
		return err
	}
	run, err := s.jobs.EnqueueSync(ctx, &s.tenant, s.id, store.NewRun{SyncType: store.Incremental, RequestedBy: "test"})
	if err != nil {
		return err
	}
	if done, err := s.done(ctx, patient); err != nil || !done {
		return errors.Join(errors.New("the incremental is stuck"), err)
	}
	if err := s.completed(ctx, run.ID); err != nil {
		return err
	}
	if err := s.compare(ctx); err != nil {
		return fmt.Errorf("after an incremental: %w", err)
	}
	return nil
}

// lookBack is longer than that of the engine.
const lookBack = 16 * time.Minute

// sweep lets so much time pass that the schedule starts a sweep, and waits for its end. Of the days that it takes, the
// clocks show only what reads are ordered by: those of the workers, which stand, would be too wrong.
func (s *story) sweep(ctx context.Context) error {
	s.box.Advance(lookBack)
	err := s.store.Tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE integrations SET swept_at = swept_at - interval '8 days', next_sync_at = clock_timestamp() WHERE id = $1`, s.id)
		return errors.Join(err, moveClock(ctx, tx, lookBack))
	})
	if err != nil {
		return err
	}
	began := `SELECT id FROM integration_sync_logs WHERE requested_by = 'schedule' AND created_at > clock_timestamp() - interval '1 min'`
	var run uuid.UUID
	for end := time.Now().Add(patient); ; pause(ctx, 25*time.Millisecond) {
		switch err := s.pool.QueryRow(ctx, began).Scan(&run); {
		case err == nil:
			if done, err := s.done(ctx, patient); err != nil || !done {
				return errors.Join(errors.New("the sweep is stuck"), err)
			}
			return s.completed(ctx, run)
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		case time.Now().After(end):
			return errors.New("the schedule starts nothing")
		}
		if err := s.tend(ctx); err != nil {
			return err
		}
	}
}

// completed checks that a run ended well.
func (s *story) completed(ctx context.Context, id uuid.UUID) error {
	run, err := s.store.Run(ctx, nil, id)
	if err != nil {
		return err
	}
	want := store.Finished
	if run.RecordsFailed > 0 {
		want = store.FinishedWithSkipped
	}
	if run.Status != store.Completed || value(run.Outcome) != want {
		return fmt.Errorf("the last run is %s, %s %s %s", run.Status, value(run.Outcome), value(run.ErrorCode), value(run.ErrorDetail))
	}
	if len(s.bad) == 0 && value(run.Drift) != 0 {
		return fmt.Errorf("drift %d in a quiet account", *run.Drift)
	}
	return nil
}

// compare compares the store with the provider.
func (s *story) compare(ctx context.Context) error {
	all, ids, err := s.records()
	if err != nil {
		return err
	}
	source := s.list[0].Contacts(s.account(ctx), s.vault.Client(s.id, s.account(ctx)).Client)
	rows, err := s.stored(ctx)
	if err != nil {
		return err
	}
	var wrong []string
	for _, id := range ids {
		row, ok := rows[id]
		delete(rows, id)
		if s.bad[id] {
			continue
		}
		want, err := s.remote.read(all[id])
		if err != nil {
			return err
		}
		row.Name = strings.TrimSpace(row.Name)
		if s.provider == "zoho" {
			row.Name = ""
		}
		contact, _, err := source.ReadContact(ctx, id)
		if err != nil {
			return fmt.Errorf("read %s to compare it: %w", id, err)
		}
		switch hash := store.ContentHash(contact); {
		case !ok:
			wrong = append(wrong, id+" is missing")
		case row.person != want:
			wrong = append(wrong, fmt.Sprintf("%s is %.60q of %s instead of %.60q of %s", id, row.Name, row.Updated, want.Name, want.Updated))
		case row.hash != string(hash[:]):
			wrong = append(wrong, id+" has another content")
		}
	}
	for id := range rows {
		wrong = append(wrong, id+" is alive")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the store is not the provider's state: %s", strings.Join(wrong, "; "))
	}
	return s.quarantine(ctx)
}

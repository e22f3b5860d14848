//go:build unix

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/jobs"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

// take lets a step happen.
func (s *story) take(ctx context.Context, p step) error {
	switch {
	case p.do == "fault":
		return s.breakSomething(p.fault)
	case p.at != "":
		s.doom, s.passes = p.at, p.n
		return errors.Join(s.endWorker(ctx, (*mortal).stop), s.startWorker(ctx))
	case strings.HasSuffix(p.do, "sync"), p.do == "cancel", p.do == "retry":
		return s.ask(ctx, p.do)
	}
	if done, err := s.change(p); done || err != nil {
		return err
	}
	switch p.do {
	case "end the faults":
		s.faults = nil
		return errors.Join(s.remote.steer().Faults(), s.remote.configure(func(c common) { *c.noDate, *c.latency = false, 0 }))
	case "spend the day's budget":
		s.remote.spend()
	case "give a new budget":
		s.remote.unbound()
	case "expire access tokens":
		s.remote.expire()
	case "revoke the token":
		s.remote.revoke()
	case "reconnect":
		return s.connect(ctx)
	case "pause", "resume":
		return s.pause(ctx, p.do == "pause")
	case "webhooks lose":
		return s.remote.configure(func(c common) { c.hooks.WebhookLoss = 1 + p.n%4 })
	case "webhooks double":
		return s.remote.configure(func(c common) { c.hooks.WebhookDuplicates = 1 + p.n%3 })
	case "webhooks shuffle":
		return s.remote.configure(func(c common) { c.hooks.WebhookShuffle = true })
	case "webhooks come again":
		_, err := s.remote.steer().Replay(1+p.n%2, p.m%2 == 0)
		return err
	case "the provider's clock jumps by":
		s.box.Advance(p.d)
	case "answers have no date":
		return s.remote.configure(func(c common) { *c.noDate = true })
	case "answers take long":
		return s.remote.configure(func(c common) { *c.latency = 5 + p.n%40 })
	case "kill a worker":
		return errors.Join(s.endWorker(ctx, (*mortal).kill), s.startWorker(ctx))
	case "stop a worker":
		return errors.Join(s.endWorker(ctx, (*mortal).stop), s.startWorker(ctx))
	case "start a worker":
		if len(s.alive) < 3 {
			return s.startWorker(ctx)
		}
	case "let it work for":
		pause(ctx, p.d)
	case "wait until all is done":
		return s.await(ctx, time.Second)
	default:
		return errors.New("nobody knows how to " + p.do)
	}
	return nil
}

// breakSomething adds a fault. A provider that doesn't play it is left alone.
func (s *story) breakSomething(f sandbox.Fault) error {
	f.Path = s.remote.path(f.Path)
	if err := s.remote.steer().Faults(append(s.faults, f)...); err != nil {
		return s.remote.steer().Faults(s.faults...)
	}
	s.faults = append(s.faults, f)
	return nil
}

// ask asks for a run, or does something to the last one. What a person would be refused is fine.
func (s *story) ask(ctx context.Context, what string) error {
	var err error
	switch what {
	case "full sync", "incremental sync":
		kind := map[string]string{"full sync": store.Full, "incremental sync": store.Incremental}[what]
		_, err = s.jobs.EnqueueSync(ctx, &s.tenant, s.id, store.NewRun{SyncType: kind, RequestedBy: "test"})
	case "scheduled sync":
		_, err = s.pool.Exec(ctx, `UPDATE integrations SET next_sync_at = clock_timestamp() WHERE id = $1 AND status = 'connected'`, s.id)
	default:
		order := `status IN ('pending', 'in_progress')`
		do := s.jobs.CancelSync
		if what == "retry" {
			order, do = `status = 'failed'`, s.jobs.RetrySync
		}
		var run uuid.UUID
		err = s.pool.QueryRow(ctx, `SELECT id FROM integration_sync_logs WHERE `+order+` ORDER BY created_at DESC LIMIT 1`).Scan(&run)
		if err == nil {
			_, err = do(ctx, &s.tenant, run)
		}
	}
	_, inactive := errors.AsType[*jobs.InactiveError](err)
	_, conflict := errors.AsType[*jobs.ConflictError](err)
	if inactive || conflict || errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// pause switches the integration off or on, as the API does.
func (s *story) pause(ctx context.Context, off bool) error {
	return s.store.Tx(ctx, func(tx pgx.Tx) error {
		in, err := s.store.LockIntegration(ctx, tx, nil, s.id)
		if err != nil {
			return err
		}
		if _, err := s.store.ChangeIntegration(ctx, tx, nil, s.id, store.IntegrationChange{Paused: &off}); err != nil || !off {
			return err
		}
		var run uuid.UUID
		err = tx.QueryRow(ctx, `SELECT id FROM integration_sync_logs WHERE status IN ('pending', 'in_progress') AND after_run_id IS NULL`).Scan(&run)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil {
			_, err = s.jobs.EndRun(ctx, tx, in, run, store.RunEnd{Status: store.Failed, Code: jobs.Cancelled})
		}
		return err
	})
}

// change changes records at the provider; done is false for a step that isn't about records.
func (s *story) change(p step) (done bool, err error) {
	switch p.do {
	case "create":
		return true, s.remote.mutate(sandbox.Mutation{Create: 1 + p.n%4})
	case "restore one":
		for id, before := range s.deleted {
			s.remote.restore(id, before)
			delete(s.deleted, id)
			break
		}
		return true, nil
	}
	all, ids, err := s.records()
	if err != nil || len(ids) == 0 {
		return false, err
	}
	id, other := ids[p.n%len(ids)], ids[p.m%len(ids)]
	switch p.do {
	case "update":
		for i := range 1 + p.m%5 {
			s.update(ids[(p.n+i)%len(ids)])
		}
	case "update one":
		s.update(id)
	case "delete one", "purge one", "merge two":
		return true, s.remove(p.do, id, other, all[id])
	case "change one silently":
		err = s.rewrite(all[id], func(r map[string]any) { s.remote.rename(r, "Silent "+id) })
		delete(s.bad, id)
	case "take one's time away":
		err = s.rewrite(all[id], s.remote.undate)
	case "make one odd":
		err = s.makeOdd(id, all[id])
	case "make one unreadable":
		err = s.makeBad(id, all[id])
	default:
		return false, nil
	}
	return true, err
}

func (s *story) update(id string) {
	s.remote.update(id)
	delete(s.bad, id)
}

// remove takes a record away: never so many that a sweep would leave the decision to a person.
func (s *story) remove(how, id, other string, before json.RawMessage) error {
	if s.removed++; s.removed > s.contacts/3 {
		return nil
	}
	switch how {
	case "delete one":
		s.remote.delete(id)
		s.deleted[id] = before
	case "purge one":
		s.remote.purge(id)
	case "merge two":
		if id == other {
			return nil
		}
		if err := s.remote.merge(other, id); err != nil {
			return err
		}
		delete(s.bad, other)
	}
	delete(s.bad, id)
	return nil
}

func (s *story) rewrite(raw json.RawMessage, change func(map[string]any)) error {
	raw, err := altered(raw, change)
	if err != nil {
		return err
	}
	return s.remote.put(raw)
}

// makeOdd updates a record, then gives it what no program expects, which is an edit of the same second.
func (s *story) makeOdd(id string, _ json.RawMessage) error {
	s.update(id)
	all, _, err := s.records()
	if err != nil {
		return err
	}
	return s.rewrite(all[id], func(r map[string]any) { s.remote.rename(r, "\x00 Ödd \U0001F409 "+strings.Repeat("long", 300)) })
}

// makeBad makes a record too large for anybody.
func (s *story) makeBad(id string, raw json.RawMessage) error {
	s.bad[id] = true
	return s.rewrite(raw, func(r map[string]any) { s.remote.rename(r, strings.Repeat("x", 1<<20+1)) })
}

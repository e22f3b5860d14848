package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
)

// maxExternalID bounds the ids that are kept, in bytes: an index takes no longer ones.
const maxExternalID = 500

// encodeChanges writes what a delivery tells, without what can be no id.
func encodeChanges(list []NotedChange) (string, error) {
	kept := make([]NotedChange, 0, len(list))
	for _, c := range list {
		ids := make([]string, 0, len(c.ExternalIDs))
		for _, id := range c.ExternalIDs {
			if id = providers.CleanText(id); id != "" && len(id) <= maxExternalID {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			kept = append(kept, NotedChange{Account: providers.CleanText(c.Account), ExternalIDs: ids, Deleted: c.Deleted})
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return "", fmt.Errorf("encode changes: %w", err)
	}
	return string(text), nil
}

// Settling is how long notices are gathered before a record is read.
type Settling struct {
	After    time.Duration // the last notice
	Patience time.Duration // since the first one at most
}

// record is what a notice is about.
type record struct {
	integration uuid.UUID
	external    string
}

// pending is a row of pending_changes as some deliveries make it.
type pending struct {
	record
	deleted     bool
	first, last time.Time
}

// add counts one more notice in.
func (p *pending) add(at time.Time, deleted bool) {
	p.deleted = p.deleted || deleted
	if at.Before(p.first) {
		p.first = at
	}
	if at.After(p.last) {
		p.last = at
	}
}

const channelOwners = `SELECT channel, integration_id FROM webhook_subscriptions WHERE channel = ANY ($1)`

const accountOwners = `
SELECT i.provider, i.external_account_id, i.id
FROM unnest($1::text[], $2::text[]) AS u (provider, account) JOIN integrations i ON i.provider = u.provider AND i.external_account_id = u.account
WHERE i.status <> 'disconnected'`

// openQueues locks the queues that get more to do, always in one order.
const openQueues = `
INSERT INTO change_queues AS q (integration_id) SELECT id FROM integrations WHERE id = ANY ($1) AND status <> 'disconnected' ORDER BY id
ON CONFLICT (integration_id) DO UPDATE SET integration_id = excluded.integration_id RETURNING q.integration_id`

const insertPending = `
INSERT INTO pending_changes AS p (integration_id, external_id, deleted, first_noted_at, last_noted_at, due_at)
SELECT u.integration, u.external, u.deleted, u.first, u.last, least(u.last + $6::interval, u.first + $7::interval)
FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::timestamptz[], $5::timestamptz[]) AS u (integration, external, deleted, first, last)
ON CONFLICT (integration_id, external_id) DO UPDATE SET deleted = p.deleted OR excluded.deleted,
    first_noted_at = least(p.first_noted_at, excluded.first_noted_at), last_noted_at = greatest(p.last_noted_at, excluded.last_noted_at),
    due_at = greatest(p.due_at, least(excluded.last_noted_at + $6::interval, p.first_noted_at + $7::interval))`

const idleQueues = `
SELECT q.integration_id FROM change_queues q JOIN integrations i ON i.id = q.integration_id
WHERE q.integration_id = ANY ($1) AND q.job_id IS NULL AND i.status = 'connected'`

// NoteChanges notes which records are to be read, one row a record, and returns the integrations that now need a job for
// it. It holds their queues for the rest of the transaction. What belongs to no integration is dropped.
func (s *Store) NoteChanges(ctx context.Context, tx pgx.Tx, list []TakenDelivery, settling Settling) ([]uuid.UUID, error) {
	found, err := s.gather(ctx, tx, list)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	ids := make([]uuid.UUID, len(found))
	for i, p := range found {
		ids[i] = p.integration
	}
	open, err := all(ctx, tx, "open change queues", pgx.RowTo[uuid.UUID], openQueues, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	var columns struct {
		integration []uuid.UUID
		external    []string
		deleted     []bool
		first, last []time.Time
	}
	for _, p := range found {
		if !slices.Contains(open, p.integration) {
			continue
		}
		columns.integration = append(columns.integration, p.integration)
		columns.external = append(columns.external, p.external)
		columns.deleted = append(columns.deleted, p.deleted)
		columns.first, columns.last = append(columns.first, p.first), append(columns.last, p.last)
	}
	if _, err := tx.Exec(ctx, insertPending, columns.integration, columns.external, columns.deleted, columns.first, columns.last,
		settling.After, settling.Patience); err != nil {
		return nil, fmt.Errorf("note changes: %w", err)
	}
	return all(ctx, tx, "find idle change queues", pgx.RowTo[uuid.UUID], idleQueues, open)
}

// gather finds the integrations that deliveries are about, and makes one row of all notices of a record, in the order of
// the rows.
func (s *Store) gather(ctx context.Context, tx pgx.Tx, list []TakenDelivery) ([]pending, error) {
	owners, err := s.ownersOf(ctx, tx, list)
	if err != nil {
		return nil, err
	}
	rows := make(map[record]*pending)
	for _, d := range list {
		for _, c := range d.Changes {
			for _, integration := range owners[ownerOf(d, c)] {
				for _, id := range c.ExternalIDs {
					of := record{integration, id}
					if rows[of] == nil {
						rows[of] = &pending{record: of, first: d.ReceivedAt, last: d.ReceivedAt}
					}
					rows[of].add(d.ReceivedAt, c.Deleted)
				}
			}
		}
	}
	found := make([]pending, 0, len(rows))
	for _, p := range rows {
		found = append(found, *p)
	}
	slices.SortFunc(found, func(a, b pending) int {
		if c := bytes.Compare(a.integration[:], b.integration[:]); c != 0 {
			return c
		}
		return cmp.Compare(a.external, b.external)
	})
	return found, nil
}

// owner names what a change belongs to: a channel, or an account of a provider.
type owner struct {
	channel           uuid.UUID
	provider, account string
}

func ownerOf(d TakenDelivery, c NotedChange) owner {
	if d.Channel != uuid.Nil { // whatever account it names: its secret is that of the channel
		return owner{channel: d.Channel}
	}
	return owner{provider: d.Provider, account: c.Account}
}

func (s *Store) ownersOf(ctx context.Context, tx pgx.Tx, list []TakenDelivery) (map[owner][]uuid.UUID, error) {
	owners := make(map[owner][]uuid.UUID)
	var channels []uuid.UUID
	var names, accounts []string
	for _, d := range list {
		for _, c := range d.Changes {
			o := ownerOf(d, c)
			if _, seen := owners[o]; seen {
				continue
			}
			owners[o] = nil
			if o.channel != uuid.Nil {
				channels = append(channels, o.channel)
			} else if o.account != "" {
				names, accounts = append(names, o.provider), append(accounts, o.account)
			}
		}
	}
	batch := new(pgx.Batch)
	batch.Queue(channelOwners, channels).Query(func(rows pgx.Rows) error {
		var o owner
		var id uuid.UUID
		_, err := pgx.ForEachRow(rows, []any{&o.channel, &id}, func() error { owners[o] = append(owners[o], id); return nil })
		return err
	})
	batch.Queue(accountOwners, names, accounts).Query(func(rows pgx.Rows) error {
		var o owner
		var id uuid.UUID
		_, err := pgx.ForEachRow(rows, []any{&o.provider, &o.account, &id}, func() error { owners[o] = append(owners[o], id); return nil })
		return err
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("find whose changes they are: %w", err)
	}
	return owners, nil
}

const attachChangesJob = `
UPDATE change_queues SET job_id = $2, fence = fence + 1, lease_until = NULL, waiting_until = NULL, waiting_reason = NULL WHERE integration_id = $1`

// AttachChangesJob gives a queue its job, and the queue no other. The transaction holds the queue.
func (s *Store) AttachChangesJob(ctx context.Context, tx pgx.Tx, integration uuid.UUID, job int64) error {
	if _, err := tx.Exec(ctx, attachChangesJob, integration, job); err != nil {
		return fmt.Errorf("attach job to changes: %w", err)
	}
	return nil
}

// strayQueues are like the stray runs of [Store.Strays]: nobody works on them. A queue without a job waits for its
// integration to be connected; a job that was cancelled or deleted comes again, since the records still are to be read.
const strayQueues = `
SELECT q.integration_id
FROM change_queues q JOIN integrations i ON i.id = q.integration_id LEFT JOIN river.river_job j ON j.id = q.job_id
WHERE i.status = 'connected' AND (j.id IS NULL OR j.state = 'cancelled'
    OR (j.state IN ('running', 'completed', 'discarded') AND coalesce(greatest(q.lease_until, j.attempted_at + $1) < clock_timestamp(), true)))`

// StrayQueues looks for pending changes that nobody works on.
func (s *Store) StrayQueues(ctx context.Context) ([]uuid.UUID, error) {
	return all(ctx, s.pool, "look for lost changes", pgx.RowTo[uuid.UUID], strayQueues, s.lease)
}

const lockQueue = `SELECT coalesce(job_id, 0) FROM change_queues WHERE integration_id = $1 FOR UPDATE`

// JudgeQueue holds the queue and looks again; stray says that it needs another job than the one it had.
func (s *Store) JudgeQueue(ctx context.Context, tx pgx.Tx, integration uuid.UUID) (job int64, stray bool, err error) {
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
		return 0, false, fmt.Errorf("judge lost changes: %w", err)
	}
	err = tx.QueryRow(ctx, lockQueue, integration).Scan(&job)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err == nil && job != 0 {
		_, err = tx.Exec(ctx, `SELECT 1 FROM river.river_job WHERE id = $1 FOR UPDATE`, job)
	}
	if err == nil {
		err = tx.QueryRow(ctx, `SELECT EXISTS (`+strayQueues+` AND q.integration_id = $2)`, s.lease, integration).Scan(&stray)
	}
	if err != nil {
		return 0, false, fmt.Errorf("judge lost changes: %w", err)
	}
	return job, stray, nil
}

// wakeQueues is like [Store.WakeLate] of runs. A queue that doesn't wait for anything else waits for what is due first.
const wakeQueues = `
UPDATE river.river_job j SET state = 'available', scheduled_at = greatest(now(), q.until)
FROM (SELECT job_id, coalesce(waiting_until, (SELECT min(due_at) FROM pending_changes p WHERE p.integration_id = c.integration_id)) AS until
    FROM change_queues c) q
WHERE j.id = q.job_id AND j.state IN ('available', 'scheduled')
  AND j.scheduled_at > greatest(now(), q.until) + interval '5 s'`

// WakeLateQueues pulls back jobs that wait longer than their queues say, and returns how many.
func (s *Store) WakeLateQueues(ctx context.Context) (int64, error) {
	tag, err := s.pool.Exec(ctx, wakeQueues)
	if err != nil {
		return 0, fmt.Errorf("wake late changes: %w", err)
	}
	return tag.RowsAffected(), nil
}

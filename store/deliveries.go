package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
)

// Delivery is a notification whose sender has been verified.
type Delivery struct {
	Provider string
	Channel  uuid.UUID // [uuid.Nil]: one address serves all accounts of our app
	Key      []byte    // the same for every delivery of the same event
	Body     []byte
	Changes  []NotedChange
	Error    string // why its body could not be understood; it is then only kept
}

// NotedChange is what a delivery tells of some records of an account.
type NotedChange struct {
	Account     string   `json:"account,omitempty"` // the provider's name of it; empty: that of the channel
	ExternalIDs []string `json:"ids"`
	Deleted     bool     `json:"deleted,omitempty"`
}

// Receipt says what became of a delivery.
type Receipt string

// What becomes of a delivery.
const (
	DeliveryStored    Receipt = "stored"
	DeliveryDuplicate Receipt = "duplicate" // the same event is in the inbox already, or was
	DeliveryUnknown   Receipt = "unknown"   // its channel isn't there any more
)

const knownChannels = `SELECT channel FROM webhook_subscriptions WHERE channel = ANY ($1)`

const insertDeliveries = `
INSERT INTO webhook_deliveries (id, provider, channel, dedupe_key, body, changes, error, processed_at)
SELECT u.id, u.provider, u.channel, u.key, u.body, u.changes::jsonb, nullif(u.error, ''), CASE WHEN u.error <> '' THEN clock_timestamp() END
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::bytea[], $6::text[], $7::text[])
    AS u (id, provider, channel, key, body, changes, error)
WHERE u.channel IS NULL OR EXISTS (SELECT FROM webhook_subscriptions s WHERE s.channel = u.channel)
ON CONFLICT DO NOTHING RETURNING id`

// ReceiveDeliveries puts deliveries into the inbox, once each. It asks Postgres once.
func (s *Store) ReceiveDeliveries(ctx context.Context, tx pgx.Tx, list []Delivery) ([]Receipt, error) {
	ids := make([]uuid.UUID, len(list))
	channels := make([]*uuid.UUID, len(list))
	names, changes, faults := make([]string, len(list)), make([]string, len(list)), make([]string, len(list))
	keys, bodies := make([][]byte, len(list)), make([][]byte, len(list))
	for i, d := range list {
		text, err := encodeChanges(d.Changes)
		if err != nil {
			return nil, err
		}
		ids[i], names[i], keys[i], bodies[i], changes[i], faults[i] = newID(), d.Provider, d.Key, d.Body, text, providers.CleanText(d.Error)
		if d.Channel != uuid.Nil {
			channels[i] = &d.Channel
		}
	}
	known, stored := make(map[uuid.UUID]bool), make(map[uuid.UUID]bool)
	batch := new(pgx.Batch)
	batch.Queue(knownChannels, channels).Query(collectSet(known))
	batch.Queue(insertDeliveries, ids, names, channels, keys, bodies, changes, faults).Query(collectSet(stored))
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("receive deliveries: %w", err)
	}
	receipts := make([]Receipt, len(list))
	for i := range list {
		switch {
		case stored[ids[i]]:
			receipts[i] = DeliveryStored
		case channels[i] != nil && !known[*channels[i]]:
			receipts[i] = DeliveryUnknown
		default:
			receipts[i] = DeliveryDuplicate
		}
	}
	return receipts, nil
}

func collectSet(set map[uuid.UUID]bool) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		for _, id := range list {
			set[id] = true
		}
		return err
	}
}

// takeDeliveries takes the oldest; those that another worker holds are its own.
const takeDeliveries = `
UPDATE webhook_deliveries d SET processed_at = clock_timestamp()
FROM (SELECT id FROM webhook_deliveries WHERE processed_at IS NULL ORDER BY received_at, id LIMIT $1 FOR UPDATE SKIP LOCKED) t
WHERE d.id = t.id RETURNING d.provider, coalesce(d.channel, '00000000-0000-0000-0000-000000000000'), d.changes, d.received_at`

// TakenDelivery is a delivery that the transaction processes.
type TakenDelivery struct {
	Provider   string
	Channel    uuid.UUID
	Changes    []NotedChange
	ReceivedAt time.Time
}

// TakeDeliveries takes up to n deliveries out of the inbox: they are processed if the transaction commits.
func (s *Store) TakeDeliveries(ctx context.Context, tx pgx.Tx, n int) ([]TakenDelivery, error) {
	return all(ctx, tx, "take deliveries", pgx.RowToStructByPos[TakenDelivery], takeDeliveries, n)
}

const queuedInboxJobs = `
SELECT id FROM river.river_job WHERE kind = $1 AND state = 'available' AND id <> $2 ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED`

const endQueuedJobs = `
UPDATE river.river_job SET state = 'completed', finalized_at = clock_timestamp() WHERE id = ANY ($1)`

// HoldQueuedJobs locks the waiting jobs of a kind, but for one's own. What they were queued for has been committed, so
// that whoever looks afterwards sees it too.
func (s *Store) HoldQueuedJobs(ctx context.Context, tx pgx.Tx, kind string, own int64) ([]int64, error) {
	return all(ctx, tx, "hold queued jobs", pgx.RowTo[int64], queuedInboxJobs, kind, own)
}

// EndQueuedJobs ends waiting jobs whose work has been done by another.
func (s *Store) EndQueuedJobs(ctx context.Context, tx pgx.Tx, jobs []int64) error {
	if len(jobs) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, endQueuedJobs, jobs); err != nil {
		return fmt.Errorf("end queued jobs: %w", err)
	}
	return nil
}

// inboxStands finds deliveries that have waited longer than a lost worker's transaction can live, without a job to come.
const inboxStands = `
SELECT EXISTS (SELECT FROM webhook_deliveries WHERE processed_at IS NULL AND received_at < clock_timestamp() - $2::interval)
  AND NOT EXISTS (SELECT FROM river.river_job WHERE kind = $1
    AND (state = 'available' OR state = 'running' AND attempted_at > clock_timestamp() - $2::interval))`

// InboxStands reports whether deliveries wait that no job will look at.
func (s *Store) InboxStands(ctx context.Context, kind string) (stands bool, err error) {
	if err := s.pool.QueryRow(ctx, inboxStands, kind, s.lease).Scan(&stands); err != nil {
		return false, fmt.Errorf("look at the inbox: %w", err)
	}
	return stands, nil
}

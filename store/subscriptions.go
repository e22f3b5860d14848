package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Subscription is what is known of an integration's subscription to notifications.
type Subscription struct {
	IntegrationID uuid.UUID
	TenantID      uuid.UUID
	Provider      string
	Status        string    // of the integration
	Channel       uuid.UUID // ours
	Secret        string    // sealed
	URL           string    // that the provider was told; empty: none yet
	ExternalID    string    // the provider's name of it; empty: there is none
	ExpiresAt     *time.Time
	CheckedAt     *time.Time // nil: it has never been there
	LostAt        *time.Time
	Failures      int
	Fence         int64
	Now           time.Time // the database's clock
}

const subscriptionColumns = `s.integration_id, i.tenant_id, s.provider, i.status, s.channel, s.secret, coalesce(s.url, ''), coalesce(s.external_id, ''),
    s.expires_at, s.checked_at, s.lost_at, s.failures, s.fence, clock_timestamp()`

const unsubscribed = `
SELECT i.id FROM integrations i
WHERE i.status = 'connected' AND i.provider = ANY ($1) AND i.external_account_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM webhook_subscriptions s WHERE s.integration_id = i.id)
ORDER BY i.id LIMIT $2`

// Unsubscribed lists connected integrations of these providers that have no channel yet.
func (s *Store) Unsubscribed(ctx context.Context, names []string, limit int) ([]uuid.UUID, error) {
	return all(ctx, s.pool, "list accounts without notifications", pgx.RowTo[uuid.UUID], unsubscribed, names, limit)
}

const openChannel = `
INSERT INTO webhook_subscriptions (integration_id, provider, channel, secret)
SELECT id, provider, $2, $3 FROM integrations WHERE id = $1 AND status = 'connected'
ON CONFLICT (integration_id) DO NOTHING`

// OpenChannel gives an integration its channel, unless it has one.
func (s *Store) OpenChannel(ctx context.Context, integration, channel uuid.UUID, sealed string) error {
	if _, err := s.pool.Exec(ctx, openChannel, integration, channel, sealed); err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	return nil
}

const channelOf = `
SELECT ` + subscriptionColumns + ` FROM webhook_subscriptions s JOIN integrations i ON i.id = s.integration_id
WHERE s.provider = $1 AND s.channel = $2 AND i.status <> 'disconnected'`

// SubscriptionOf reads the subscription of a channel; [ErrNotFound] if there is none, or its integration is disconnected.
func (s *Store) SubscriptionOf(ctx context.Context, provider string, channel uuid.UUID) (Subscription, error) {
	return single(ctx, s.pool, "read channel", pgx.RowToStructByPos[Subscription], channelOf, provider, channel)
}

const claimSubscriptions = `
UPDATE webhook_subscriptions s SET fence = s.fence + 1, lease_until = clock_timestamp() + $2
FROM (SELECT d.integration_id FROM webhook_subscriptions d JOIN integrations i ON i.id = d.integration_id
      WHERE i.status = 'connected' AND d.provider = ANY ($1)
        AND (d.due_at <= clock_timestamp() OR d.status = 'live' AND d.failures = 0 AND NOT starts_with(d.url, $3))
        AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())
      ORDER BY d.due_at LIMIT 1 FOR UPDATE OF d SKIP LOCKED) due, integrations i
WHERE s.integration_id = due.integration_id AND i.id = s.integration_id
RETURNING ` + subscriptionColumns

// ClaimSubscription takes the subscription that is due first, for so long; one whose provider was told an address that
// begins otherwise is due at once. [ErrNotFound] if none is.
func (s *Store) ClaimSubscription(ctx context.Context, names []string, lease time.Duration, address string) (Subscription, error) {
	return single(ctx, s.pool, "claim subscription", pgx.RowToStructByPos[Subscription], claimSubscriptions, names, lease, address)
}

// Granted is a subscription as a provider has granted it.
type Granted struct {
	URL        string
	ExternalID string
	Life       *time.Duration // until it expires; nil: it doesn't
	NextIn     time.Duration  // until it is looked after again
}

const storeSubscription = `
UPDATE webhook_subscriptions SET status = 'live', url = $3, external_id = $4, expires_at = clock_timestamp() + $5::interval, checked_at = clock_timestamp(),
    lost_at = NULL, due_at = clock_timestamp() + $6::interval, failures = 0, lease_until = NULL
WHERE integration_id = $1 AND fence = $2`

// StoreSubscription notes that the provider has granted a subscription; [ErrLost] if another works on it, or the
// integration was disconnected meanwhile.
func (s *Store) StoreSubscription(ctx context.Context, tx pgx.Tx, sub Subscription, g Granted) error {
	tag, err := tx.Exec(ctx, storeSubscription, sub.IntegrationID, sub.Fence, g.URL, g.ExternalID, g.Life, g.NextIn)
	return fenced(tag.RowsAffected(), "store subscription", err)
}

const failSubscription = `
UPDATE webhook_subscriptions SET status = CASE WHEN $3 THEN 'refused' ELSE status END, external_id = CASE WHEN $3 THEN NULL ELSE external_id END,
    lost_at = CASE WHEN $4 THEN coalesce(lost_at, clock_timestamp()) ELSE lost_at END,
    due_at = clock_timestamp() + $5::interval, failures = failures + 1, lease_until = NULL
WHERE integration_id = $1 AND fence = $2`

// SubscriptionFailure is why a subscription could not be made or looked after.
type SubscriptionFailure struct {
	Refused bool // the account can't have one
	Lost    bool // notifications may have been missed since
	NextIn  time.Duration
}

// FailSubscription notes that a subscription could not be made or looked after; [ErrLost] as of [Store.StoreSubscription].
func (s *Store) FailSubscription(ctx context.Context, tx pgx.Tx, sub Subscription, f SubscriptionFailure) error {
	tag, err := tx.Exec(ctx, failSubscription, sub.IntegrationID, sub.Fence, f.Refused, f.Lost, f.NextIn)
	return fenced(tag.RowsAffected(), "note failed subscription", err)
}

// takeSubscription shuts out whoever works on the subscription, once they have finished or their lease is over.
const takeSubscription = `
UPDATE webhook_subscriptions s SET fence = s.fence + 1, lease_until = clock_timestamp() + $3 FROM integrations i
WHERE s.integration_id = $1 AND i.id = s.integration_id AND ($2::uuid IS NULL OR i.tenant_id = $2) AND i.status <> 'disconnected'
  AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())
RETURNING ` + subscriptionColumns

const hasSubscription = `
SELECT EXISTS (SELECT FROM webhook_subscriptions s JOIN integrations i ON i.id = s.integration_id
    WHERE s.integration_id = $1 AND ($2::uuid IS NULL OR i.tenant_id = $2) AND i.status <> 'disconnected')`

// ErrBusy says that somebody else works on a row at present.
var ErrBusy = errors.New("somebody else works on it")

// TakeSubscription takes an integration's subscription, for so long, in order to end it. Errors: [ErrNotFound], also where
// the tenant (nil: any) has no such integration; [ErrBusy].
func (s *Store) TakeSubscription(ctx context.Context, tenant *uuid.UUID, integration uuid.UUID, lease time.Duration) (Subscription, error) {
	sub, err := single(ctx, s.pool, "take subscription", pgx.RowToStructByPos[Subscription], takeSubscription, integration, tenant, lease)
	if !errors.Is(err, ErrNotFound) {
		return sub, err
	}
	var busy bool
	if err := s.pool.QueryRow(ctx, hasSubscription, integration, tenant).Scan(&busy); err != nil {
		return sub, fmt.Errorf("take subscription: %w", err)
	}
	if busy {
		return sub, ErrBusy
	}
	return sub, ErrNotFound
}

// What an integration that is disconnected has of changes to be read and of channels goes in this order, which is that
// of everybody who locks them: in one statement the inbox and it would wait for each other.
const (
	forgetQueue        = `DELETE FROM change_queues WHERE integration_id = $1`
	forgetChanges      = `DELETE FROM pending_changes WHERE integration_id = $1`
	forgetSubscription = `DELETE FROM webhook_subscriptions WHERE integration_id = $1`
)

// lookAfterSubscription makes a subscription due whose account was connected again.
const lookAfterSubscription = `UPDATE webhook_subscriptions SET due_at = clock_timestamp() WHERE integration_id = $1`

// SealedSecret is a channel's secret as it is stored.
type SealedSecret struct {
	IntegrationID uuid.UUID
	Secret        string
}

const listSecrets = `SELECT integration_id, secret FROM webhook_subscriptions WHERE integration_id > $1 ORDER BY integration_id LIMIT $2`

// ListSecrets lists the secrets of channels in the order of their integrations, after the given one.
func (s *Store) ListSecrets(ctx context.Context, after uuid.UUID, limit int) ([]SealedSecret, error) {
	return all(ctx, s.pool, "list secrets of channels", pgx.RowToStructByPos[SealedSecret], listSecrets, after, limit)
}

const resealChannel = `UPDATE webhook_subscriptions SET secret = $3 WHERE integration_id = $1 AND secret = $2`

// ReplaceSecret stores the same secret sealed anew, unless another one is stored by now.
func (s *Store) ReplaceSecret(ctx context.Context, was SealedSecret, sealed string) error {
	if _, err := s.pool.Exec(ctx, resealChannel, was.IntegrationID, was.Secret, sealed); err != nil {
		return fmt.Errorf("replace secret of channel: %w", err)
	}
	return nil
}

const rekeyChannel = `
UPDATE webhook_subscriptions SET secret = $3, external_id = NULL, lost_at = coalesce(lost_at, checked_at) WHERE integration_id = $1 AND fence = $2`

// RenewSecret gives a channel another secret, because no key opens the one it has: the subscription is made anew.
func (s *Store) RenewSecret(ctx context.Context, sub Subscription, sealed string) error {
	tag, err := s.pool.Exec(ctx, rekeyChannel, sub.IntegrationID, sub.Fence, sealed)
	return fenced(tag.RowsAffected(), "renew secret of channel", err)
}

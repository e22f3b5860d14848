package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// OpenChannel gives an integration the channel, and its secret, by which its provider notifies us of changes.
func (v *Vault) OpenChannel(ctx context.Context, integration uuid.UUID) error {
	return v.store.OpenChannel(ctx, integration, uuid.New(), v.newSecret(integration))
}

// newSecret is a sealed one of 26 letters and digits, 130 random bits.
func (v *Vault) newSecret(integration uuid.UUID) string {
	return v.Seal(integration, Secret, rand.Text())
}

// ChannelSecret opens a channel's secret. The error is as of [Vault.Open].
func (v *Vault) ChannelSecret(sub store.Subscription) (string, error) {
	return v.open("open the secret of a channel", sub.IntegrationID, Secret, sub.Secret)
}

// RenewChannelSecret gives a channel whose secret no key opens another one, and returns the subscription with it.
func (v *Vault) RenewChannelSecret(ctx context.Context, sub store.Subscription) (store.Subscription, error) {
	sealed := v.newSecret(sub.IntegrationID)
	if err := v.store.RenewSecret(ctx, sub, sealed); err != nil {
		return sub, err
	}
	sub.Secret, sub.ExternalID = sealed, ""
	if sub.LostAt == nil {
		sub.LostAt = sub.CheckedAt
	}
	return sub, nil
}

// Plain is a subscription as an adapter knows it. The error is as of [Vault.Open].
func (v *Vault) Plain(sub store.Subscription) (providers.Subscription, error) {
	secret, err := v.ChannelSecret(sub)
	plain := providers.Subscription{Channel: sub.Channel.String(), URL: sub.URL, Secret: secret, ID: sub.ExternalID}
	if sub.ExpiresAt != nil {
		plain.ExpiresAt = *sub.ExpiresAt
	}
	return plain, err
}

const waitForSubscriber = 100 * time.Millisecond // between looks whether another has finished

// unsubscribe ends an integration's subscription at its provider while there still is a token. That it fails, or takes
// too long, doesn't stop the disconnect: the provider then notifies a channel that isn't there, and gives up.
func (v *Vault) unsubscribe(ctx context.Context, tenant *uuid.UUID, integration uuid.UUID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.opts.Notices)
	defer cancel()
	err := v.endSubscription(ctx, tenant, integration)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		v.opts.Log.Warn().Err(err).Stringer("integration_id", integration).Msg("the subscription to notifications could not be ended")
	}
}

func (v *Vault) endSubscription(ctx context.Context, tenant *uuid.UUID, integration uuid.UUID) error {
	sub, err := v.store.TakeSubscription(ctx, tenant, integration, 2*v.opts.Notices)
	for errors.Is(err, store.ErrBusy) { // what is being made at this moment would stay behind
		if err := v.pause(ctx, waitForSubscriber); err != nil {
			return err
		}
		sub, err = v.store.TakeSubscription(ctx, tenant, integration, 2*v.opts.Notices)
	}
	if err != nil {
		return err
	}
	p := v.providers[sub.Provider]
	if p == nil || p.Changes == nil || p.Changes.Unsubscribe == nil || sub.ExternalID == "" {
		return nil
	}
	plain, err := v.Plain(sub)
	if err != nil {
		return err
	}
	row, err := v.store.Tokens(ctx, integration, store.TokenAges{})
	if err != nil {
		return err
	}
	return p.Changes.Unsubscribe(ctx, account(row), v.Client(integration, account(row)).Client, plain)
}

// rotateSecrets seals the secrets of channels with the current key. One that no key opens is renewed when its
// subscription is looked after.
func (v *Vault) rotateSecrets(ctx context.Context) error {
	after := uuid.Nil
	for {
		rows, err := v.store.ListSecrets(ctx, after, batch)
		if err != nil {
			return err
		}
		for _, row := range rows {
			after = row.IntegrationID
			if v.current(row.Secret) {
				continue
			}
			secret, err := v.Open(row.IntegrationID, Secret, row.Secret)
			if err != nil {
				continue
			}
			if err := v.store.ReplaceSecret(ctx, row, v.Seal(row.IntegrationID, Secret, secret)); err != nil {
				return err
			}
		}
		if len(rows) < batch {
			return nil
		}
	}
}

package api

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

const (
	mostChannels    = 10_000
	channelLifetime = time.Minute // until a channel's secret is read again
)

// channels remembers the secrets of channels, so that a notification costs one question to the database. Channels that
// aren't there are asked for each time: there is no end of them. Safe for concurrent use.
type channels struct {
	store *store.Store
	vault *vault.Vault

	mu    sync.Mutex
	known map[uuid.UUID]channel
}

// channel is what a notification is verified with.
type channel struct {
	provider string
	secret   string
	readAt   time.Time
}

func newChannels(s *store.Store, v *vault.Vault) *channels {
	return &channels{store: s, vault: v, known: make(map[uuid.UUID]channel)}
}

// of finds a provider's channel; fresh says that it was read just now. [store.ErrNotFound] if there is none.
func (c *channels) of(ctx context.Context, provider string, id uuid.UUID) (found channel, fresh bool, err error) {
	c.mu.Lock()
	found, ok := c.known[id]
	c.mu.Unlock()
	if ok && found.provider == provider && time.Since(found.readAt) < channelLifetime {
		return found, false, nil
	}
	sub, err := c.store.SubscriptionOf(ctx, provider, id)
	if err != nil {
		return channel{}, true, err
	}
	secret, err := c.vault.ChannelSecret(sub)
	if err != nil {
		return channel{}, true, err
	}
	found = channel{provider: provider, secret: secret, readAt: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= mostChannels {
		clear(c.known)
	}
	c.known[id] = found
	return found, true, nil
}

// forget reads a channel again the next time.
func (c *channels) forget(id uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, id)
}

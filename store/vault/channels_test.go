package vault_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store/vault"
)

func TestRotateSealsTheSecretsOfChannels(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, time.Hour)
	lost := w.integration(t, time.Hour)
	for _, integration := range []uuid.UUID{id, lost, id} { // the second time, it has one
		require.NoError(t, w.vault.OpenChannel(t.Context(), integration))
	}
	w.exec(t, `UPDATE webhook_subscriptions SET secret = 'v1.00000000.AAAA' WHERE integration_id = $1`, lost)
	channel := one[uuid.UUID](t, w, `SELECT channel FROM webhook_subscriptions WHERE integration_id = $1`, id)
	sub, err := w.store.SubscriptionOf(t.Context(), "pipedrive", channel)
	require.NoError(t, err)
	secret, err := w.vault.ChannelSecret(sub)
	require.NoError(t, err)
	require.Regexp(t, `^[A-Z2-7]{26}$`, secret)

	w.keys = newKeyring(t, secondKey, firstKey)
	_, err = w.process(t, quick).Rotate(t.Context())
	require.NoError(t, err)
	w.keys = newKeyring(t, secondKey) // the old key is taken away
	sub, err = w.store.SubscriptionOf(t.Context(), "pipedrive", channel)
	require.NoError(t, err)
	again, err := w.process(t, quick).ChannelSecret(sub)
	require.NoError(t, err)
	require.Equal(t, secret, again)
	require.Equal(t, "v1.00000000.AAAA", one[string](t, w, `SELECT secret FROM webhook_subscriptions WHERE integration_id = $1`, lost))
	_, err = w.vault.Open(id, vault.AccessToken, sub.Secret)
	require.Error(t, err, "it opens in its own column only")
}

package vault_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

func TestRotateSealsAllWithTheCurrentKey(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	const rows = 250 // more than two batches
	var last uuid.UUID
	for range rows {
		last = w.integration(t, time.Hour)
	}
	foreign := w.integration(t, time.Hour)
	w.exec(t, `UPDATE integrations SET refresh_token = 'of an earlier system' WHERE id = $1`, foreign)
	w.exec(t, `INSERT INTO integrations (tenant_id, provider) VALUES ($1, 'pipedrive')`, testTenant)

	w.keys = newKeyring(t, secondKey, firstKey)
	rotating := w.process(t, quick)
	_, err := rotating.Token(t.Context(), last, 1) // sealed with the new key by a refresh already
	require.NoError(t, err)
	r, err := rotating.Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, vault.Rotation{Sealed: rows - 1, Current: 1, Failed: []uuid.UUID{foreign}}, r)
	require.Equal(t, 1, one[int](t, w, `SELECT count(DISTINCT split_part(access_token, '.', 2)) FROM integrations WHERE id <> $1 AND access_token IS NOT NULL`, foreign))
	require.Equal(t, int64(1), one[int64](t, w, `SELECT min(token_generation) FROM integrations WHERE access_token IS NOT NULL`), "for whoever uses them they are the same")

	r, err = rotating.Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, vault.Rotation{Current: rows, Failed: []uuid.UUID{foreign}}, r)

	w.keys = newKeyring(t, secondKey) // the old key is taken away
	token, err := w.process(t, quick).Token(t.Context(), last, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "a1", token.Access)
}

func TestRotationYieldsToARefresh(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.integration(t, time.Hour)
	rows, err := w.store.ListSealed(t.Context(), uuid.Nil, 10)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	_, err = w.vault.Token(t.Context(), id, 1)
	require.NoError(t, err)

	replaced, err := w.vault.Reseal(t.Context(), rows[0], "a0", "r0")
	require.NoError(t, err)
	require.False(t, replaced)
	token, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "a1", token.Access)
}

func TestForeignTokensAreFoundAndTaken(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	ours, half, plain := w.integration(t, time.Hour), w.integration(t, time.Hour), uuid.New()
	w.exec(t, `UPDATE integrations SET refresh_token = 'plain' WHERE id = $1`, half)
	w.exec(t, `INSERT INTO integrations (id, tenant_id, provider, access_token) VALUES ($1, $2, 'pipedrive', 'v1u:AQIB')`, plain, testTenant)
	_, err := w.vault.Token(t.Context(), plain, vault.NoneFailed)
	require.Equal(t, providers.Misconfigured, providers.KindOf(err))

	found := map[uuid.UUID]bool{}
	require.NoError(t, w.vault.Foreign(t.Context(), func(row store.SealedTokens) error {
		found[row.ID] = true
		if row.ID != plain {
			return nil
		}
		taken, err := w.vault.Reseal(t.Context(), row, row.AccessToken, row.RefreshToken)
		require.True(t, taken)
		return err
	}))
	require.Equal(t, map[uuid.UUID]bool{half: true, plain: true}, found)
	require.NotContains(t, found, ours)
	token, err := w.vault.Token(t.Context(), plain, vault.NoneFailed)
	require.NoError(t, err)
	require.Equal(t, "v1u:AQIB", token.Access)
}

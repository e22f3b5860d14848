package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestCountLoss: a run answers for the workers that were lost while they had it, not for those that had yet to claim it.
func TestCountLoss(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	lose := func() int32 {
		require.NoError(t, b.store.Tx(t.Context(), func(tx pgx.Tx) error {
			if err := b.store.CountLoss(t.Context(), tx, b.claim.RunID); err != nil {
				return err
			}
			_, err := b.store.AttachJob(t.Context(), tx, b.claim.RunID, 2)
			return err
		}))
		return b.run(t).FailuresInRow
	}
	require.EqualValues(t, 1, lose())
	require.EqualValues(t, 1, lose(), "its new job was never claimed")
}

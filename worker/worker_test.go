package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
)

func TestFullSync(t *testing.T) {
	t.Parallel()

	w := newWorld(t, worldOptions{contacts: 2300})
	w.start(t)
	run := w.sync(t, store.Full)
	require.Equal(t, store.Completed, run.Status, "%+v", run)
	require.Equal(t, store.Finished, *run.Outcome)
	require.EqualValues(t, 2300, run.RecordsCreated)
	w.requireEqual(t)
}

package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/inspect"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

func (w *crmWorld) verify(t *testing.T) (v inspect.Verification, ok bool) {
	t.Helper()
	before := w.rows(t)
	var got struct {
		*inspect.Verification

		OK bool
	}
	got.Verification = &v
	w.ask(t, http.MethodPost, w.path("/verify"), "", &got)
	require.Equal(t, before, w.rows(t), "it writes nothing")
	return v, got.OK
}

func TestVerify(t *testing.T) {
	t.Parallel()

	eachCRM(t, 30, func(t *testing.T, w *crmWorld) {
		t.Helper()
		require.Equal(t, store.Finished, value(w.sync(t, store.Full).Outcome))
		v, ok := w.verify(t)
		require.True(t, ok, "%+v", v)
		require.EqualValues(t, 30, v.Contacts)
		require.GreaterOrEqual(t, v.Compared, int64(30))
		require.Equal(t, v.Compared, v.Same)
		require.Equal(t, v.Checksums.Here, v.Checksums.Provider)
		if v.ProviderCount != nil {
			require.EqualValues(t, 30, *v.ProviderCount)
		}

		w.crm.mutate(t, sandbox.Mutation{Create: 1, Update: 2})
		v, ok = w.verify(t)
		require.True(t, ok, "what changed since the last sync is no drift: %+v", v.Drift)
		require.EqualValues(t, 3, v.Newer)

		// what we have lost, what we have kept, what we have spoilt
		_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET window_end = now() + interval '1 hour'`) // nothing is newer
		require.NoError(t, err)
		_, err = w.pool.Exec(t.Context(), `DELETE FROM contacts WHERE external_id = (SELECT min(external_id) FROM contacts)`)
		require.NoError(t, err)
		_, err = w.pool.Exec(t.Context(), `UPDATE contacts SET name = 'x', content_hash = sha256('x') WHERE external_id = (SELECT max(external_id) FROM contacts)`)
		require.NoError(t, err)
		_, err = w.pool.Exec(t.Context(), `INSERT INTO contacts (tenant_id, integration_id, external_id, content_hash, observed_at)
			SELECT tenant_id, id, (SELECT min(external_id) || '77' FROM contacts), sha256('x'), now() FROM integrations`)
		require.NoError(t, err)
		v, ok = w.verify(t)
		require.False(t, ok)
		kinds := map[string]int64{}
		for _, d := range v.Drift {
			kinds[d.Kind] = d.Count
			require.NotEmpty(t, d.ExternalIDs, d.Kind)
		}
		require.GreaterOrEqual(t, kinds[inspect.DriftMissingHere], int64(1), "%+v", kinds)
		require.EqualValues(t, 1, kinds[inspect.DriftGoneThere], "%+v", kinds)
		require.GreaterOrEqual(t, kinds[inspect.DriftDiffers], int64(1), "%+v", kinds)
		require.NotEqual(t, v.Checksums.Here, v.Checksums.Provider)
	})
}

package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
)

// heldPage is a page of held deletions as it is answered.
type heldPage struct {
	Items []store.HeldDeletion `json:"items"`

	NextCursor *string `json:"next_cursor"`
	Summary    struct {
		Held, Live     int64
		Percent        float64
		Reason         string
		Sentence       string
		SampleRead     int64   `json:"sample_read"`
		SampleSentence string  `json:"sample_sentence"`
		Decision       *string `json:"decision"`
		DecidedBy      *string `json:"decided_by"`
	} `json:"summary"`
}

// held makes a full sync leave the deletions of 6 of 8 contacts to a person.
func (w *crmWorld) held(t *testing.T) store.Run {
	t.Helper()
	require.Equal(t, store.Finished, value(w.sync(t, store.Full).Outcome))
	for n := int64(8); n > 2; n-- {
		w.crm.purge(t, n)
	}
	run := w.sync(t, store.Full)
	require.Equal(t, store.DeletionsHeld, value(run.Outcome), "%+v", run)
	require.EqualValues(t, 6, value(run.DeletionsHeld))
	require.Equal(t, []string{"deletions_held"}, w.openIncidents(t))
	return run
}

func (w *crmWorld) liveContacts(t *testing.T) int64 {
	t.Helper()
	n, err := w.store.LiveContacts(t.Context(), w.id)
	require.NoError(t, err)
	return n
}

func TestHeldDeletionsAreConfirmed(t *testing.T) {
	t.Parallel()

	eachCRM(t, 8, func(t *testing.T, w *crmWorld) {
		t.Helper()
		run := w.held(t)
		path := "/v1/syncs/" + run.ID.String() + "/deletions"
		var page heldPage
		w.ask(t, http.MethodGet, path+"?limit=4", "", &page)
		require.Len(t, page.Items, 4)
		first := page.Items[0]
		require.NotEmpty(t, first.Name)
		require.True(t, first.Live)
		require.EqualValues(t, 6, page.Summary.Held)
		require.EqualValues(t, 8, page.Summary.Live)
		require.InDelta(t, 75, page.Summary.Percent, 0.01)
		require.Equal(t, "many_missing", page.Summary.Reason)
		require.Contains(t, page.Summary.Sentence, "6 of 8")
		require.EqualValues(t, 6, page.Summary.SampleRead)
		require.Contains(t, page.Summary.SampleSentence, "6")
		w.ask(t, http.MethodGet, path+"?limit=4&cursor="+*page.NextCursor, "", &page)
		require.Len(t, page.Items, 2)
		w.ask(t, http.MethodGet, path+"?sample=3", "", &page)
		require.Len(t, page.Items, 3)
		require.NotNil(t, page.Items[0].ReadAt, "those that were read come first")
		require.Equal(t, http.StatusNotFound, w.do(t, ask{path: path, key: w.otherKey}).StatusCode)
		require.Equal(t, http.StatusNotFound, w.do(t, ask{method: http.MethodPost, path: path + "/confirm", key: w.otherKey}).StatusCode)
		require.EqualValues(t, 8, w.liveContacts(t))

		var done struct {
			Deleted, Kept int64
			Run           struct{ Outcome, State string }
		}
		w.ask(t, http.MethodPost, path+"/confirm", "", &done)
		require.EqualValues(t, 6, done.Deleted)
		require.Zero(t, done.Kept)
		require.Equal(t, "finished", done.Run.State)
		require.EqualValues(t, 2, w.liveContacts(t))
		require.Empty(t, w.openIncidents(t))
		w.ask(t, http.MethodGet, path, "", &page)
		require.Empty(t, page.Items)
		require.Equal(t, "confirmed", value(page.Summary.Decision))
		require.Contains(t, value(page.Summary.DecidedBy), "key:")
		ended := w.ended(t, run.ID)
		require.EqualValues(t, 6, ended.RecordsDeleted)
		require.Zero(t, value(ended.Drift))

		again := w.do(t, ask{method: http.MethodPost, path: path + "/discard", key: w.key})
		require.Equal(t, http.StatusConflict, again.StatusCode)
		require.Contains(t, again.text(t, "detail"), "already decided by key:")
		require.Equal(t, store.Finished, value(w.sync(t, store.Full).Outcome))
	})
}

func TestHeldDeletionsAreDiscardedAndAskedAgain(t *testing.T) {
	t.Parallel()

	w := newCRMWorld(t, 8, crms()["pipedrive"])
	run := w.held(t)
	path := "/v1/syncs/" + run.ID.String() + "/deletions"
	var done struct{ Deleted, Kept int64 }
	w.ask(t, http.MethodPost, path+"/discard", "", &done)
	require.Zero(t, done.Deleted)
	require.EqualValues(t, 6, done.Kept)
	require.EqualValues(t, 8, w.liveContacts(t))
	require.Empty(t, w.openIncidents(t))

	second := w.sync(t, store.Full)
	require.Equal(t, store.DeletionsHeld, value(second.Outcome), "they are still missing")
	require.Equal(t, []string{"deletions_held"}, w.openIncidents(t))
	third := w.sync(t, store.Full)
	require.Equal(t, store.DeletionsHeld, value(third.Outcome))
	require.Equal(t, "cleared", value(w.ended(t, second.ID).DeletionsDecision), "one run asks, not two")
	got := w.do(t, ask{method: http.MethodPost, path: "/v1/syncs/" + second.ID.String() + "/deletions/confirm", key: w.key})
	require.Equal(t, http.StatusConflict, got.StatusCode)
	require.Contains(t, got.text(t, "detail"), "later full sync")

	for n := int64(3); n <= 8; n++ {
		w.crm.put(t, n, "Back")
	}
	require.Equal(t, store.Finished, value(w.sync(t, store.Full).Outcome))
	require.Empty(t, w.openIncidents(t), "a full sync that sees them clears them")
	require.Equal(t, "cleared", value(w.ended(t, third.ID).DeletionsDecision))
	require.EqualValues(t, 8, w.liveContacts(t))
	none := w.sync(t, store.Full)
	got = w.do(t, ask{method: http.MethodPost, path: "/v1/syncs/" + none.ID.String() + "/deletions/confirm", key: w.key})
	require.Equal(t, http.StatusConflict, got.StatusCode)
	require.Contains(t, got.text(t, "detail"), "waits for a decision")
}

// What somebody has read alive since it was held stays, whatever a person says about it.
func TestConfirmingDeletesNothingThatWasReadSince(t *testing.T) {
	t.Parallel()

	w := newCRMWorld(t, 8, crms()["pipedrive"])
	run := w.held(t)
	w.crm.put(t, 5, "Back")
	require.Positive(t, w.sync(t, store.Incremental).RecordsUpdated)
	raw := w.ask(t, http.MethodPost, "/v1/syncs/"+run.ID.String()+"/deletions/confirm", "", nil)
	var done struct{ Deleted, Kept int64 }
	require.NoError(t, json.Unmarshal(raw.body, &done))
	require.EqualValues(t, 5, done.Deleted)
	require.EqualValues(t, 1, done.Kept)
	require.EqualValues(t, 3, w.liveContacts(t))
}

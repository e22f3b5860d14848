package sandbox_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

const mergeProperties = "?properties=email,hs_object_id,hs_merged_object_ids,hs_calculated_merged_vids"

func (h *hub) read(id int64, query string) hubContact {
	h.t.Helper()
	got := h.get(fmt.Sprintf("%s/%d%s", hubContacts, id, query))
	require.Equal(h.t, http.StatusOK, got.status, got.body)
	return decode[hubContact](h.t, got.body)
}

func (h *hub) status(id int64, query string) int {
	h.t.Helper()
	return h.get(fmt.Sprintf("%s/%d%s", hubContacts, id, query)).status
}

func TestHubSpotArchive(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 5)
	before := h.read(hubID+1, "")
	h.sandbox.Advance(time.Minute)
	require.True(t, h.hubspot.Delete(0, hubID+1))
	require.False(t, h.hubspot.Delete(0, hubID+1))

	require.Equal(t, hubIDs(1, 3, 4, 5), h.list("").ids(t))
	require.Equal(t, hubIDs(1, 3, 4, 5), h.search(`{}`).ids(t), "archived ones never appear")
	require.Equal(t, http.StatusNotFound, h.status(hubID+1, ""))
	archived := h.list("archived=true").Results
	require.Len(t, archived, 1)
	require.True(t, archived[0].Archived)
	require.Equal(t, midday.Add(time.Minute+120*time.Millisecond), *archived[0].ArchivedAt)
	require.Equal(t, before.modified(t), archived[0].modified(t), "a deletion moves no time")
	require.Equal(t, archived[0], h.read(hubID+1, "?archived=true"))
	require.Equal(t, http.StatusNotFound, h.status(hubID, "?archived=true"), "a living one")

	restored, err := h.hubspot.Restore(0, hubID+1)
	require.NoError(t, err)
	require.Equal(t, hubIDs(2), restored)
	require.Equal(t, before, h.read(hubID+1, ""), "a restore moves no time either")
	require.Empty(t, h.list("archived=true").Results)

	h.set(func(s *sandbox.HubSpotSettings) { s.RestoreMovesTime = true })
	require.True(t, h.hubspot.Delete(0, hubID+1))
	_, err = h.hubspot.Restore(0)
	require.NoError(t, err)
	require.Equal(t, midday.Add(time.Minute+120*time.Millisecond), h.read(hubID+1, "").modified(t))
}

func TestHubSpotArchiveEndsAfterNinetyDays(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 3)
	require.True(t, h.hubspot.Delete(0, hubID))
	h.sandbox.Advance(90*24*time.Hour - time.Millisecond)
	h.tokens = h.hubspot.IssueTokens(0)
	require.Equal(t, hubIDs(1), h.list("archived=true").ids(t))
	h.sandbox.Advance(time.Millisecond)
	require.Empty(t, h.list("archived=true").Results)
	require.Equal(t, http.StatusNotFound, h.status(hubID, "?archived=true"))
	_, err := h.hubspot.Restore(0, hubID)
	require.ErrorContains(t, err, "none of these")
}

func TestHubSpotArchiveIsListedInPages(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 50)
	before := h.list("limit=50").Results
	done, err := h.hubspot.Mutate(0, sandbox.Mutation{Delete: 25})
	require.NoError(t, err)
	require.Equal(t, done.Deleted, h.walkList("archived=true&limit=10", nil))
	require.Len(t, h.walkList("limit=7", nil), 25)
	restored, err := h.hubspot.Restore(0)
	require.NoError(t, err)
	require.Equal(t, done.Deleted, restored)
	require.Equal(t, before, h.list("limit=50").Results, "with all they were")
}

func TestHubSpotPurgeAndErase(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 4)
	require.True(t, h.hubspot.Purge(0, hubID))
	require.True(t, h.hubspot.Erase(0, hubID+1))
	require.False(t, h.hubspot.Erase(0, hubID+1))
	for _, id := range hubIDs(1, 2) {
		require.Equal(t, http.StatusNotFound, h.status(id, ""))
		require.Equal(t, http.StatusNotFound, h.status(id, "?archived=true"))
	}
	require.Empty(t, h.list("archived=true").Results)
	require.Equal(t, hubIDs(3, 4), h.list("").ids(t))
	_, err := h.hubspot.Restore(0, hubID)
	require.Error(t, err)
}

func TestHubSpotMerge(t *testing.T) {
	t.Parallel()

	t.Run("makes a third id, as of 2025", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 5)
		primary := h.read(hubID, mergeProperties)
		done, err := h.hubspot.Merge(0, hubID, hubID+2)
		require.NoError(t, err)
		require.Equal(t, sandbox.Merged{Primary: hubID, Other: hubID + 2, Survivor: hubID + 5, Lost: hubIDs(1, 3)}, done)
		require.Equal(t, hubIDs(2, 4, 5, 6), h.list("").ids(t))
		require.Empty(t, h.list("archived=true").Results)

		survivor := h.read(hubID+5, mergeProperties)
		require.Equal(t, primary.text("email"), survivor.text("email"))
		require.Equal(t, idText(6), survivor.text("hs_object_id"))
		require.Equal(t, idText(1)+";"+idText(3), survivor.text("hs_merged_object_ids"))
		at := midday.Add(120 * time.Millisecond)
		require.Equal(t, fmt.Sprintf("%s:%d;%s:%d", idText(1), at.UnixMilli(), idText(3), at.UnixMilli()), survivor.text("hs_calculated_merged_vids"))
		require.Equal(t, hubIDs(6), h.changedSince(midday, midday.Add(time.Second), 100, nil))

		again, err := h.hubspot.Merge(0, hubID+1, hubID+5)
		require.NoError(t, err)
		require.Equal(t, idText(2)+";"+idText(1)+";"+idText(3)+";"+idText(6), h.read(again.Survivor, mergeProperties).text("hs_merged_object_ids"))
		require.Equal(t, idText(7), h.read(hubID, "").ID, "what was merged twice leads to the last")
	})

	t.Run("keeps the primary's id, as before", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 5)
		h.set(func(s *sandbox.HubSpotSettings) { s.MergeNewID = false })
		primary := h.read(hubID, mergeProperties)
		done, err := h.hubspot.Merge(0, hubID, hubID+2)
		require.NoError(t, err)
		require.Equal(t, sandbox.Merged{Primary: hubID, Other: hubID + 2, Survivor: hubID, Lost: hubIDs(3)}, done)
		require.Equal(t, hubIDs(1, 2, 4, 5), h.list("").ids(t))
		survivor := h.read(hubID, mergeProperties)
		require.Equal(t, primary.text("email"), survivor.text("email"))
		require.Equal(t, idText(3), survivor.text("hs_merged_object_ids"))
		require.Equal(t, midday.Add(120*time.Millisecond), survivor.UpdatedAt.Truncate(10*time.Millisecond))
	})

	t.Run("moves no time, as the other reading has it", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 5)
		h.set(func(s *sandbox.HubSpotSettings) { s.MergeMovesTime = false })
		before := h.read(hubID, "").modified(t)
		done, err := h.hubspot.Merge(0, hubID, hubID+1)
		require.NoError(t, err)
		require.Equal(t, before, h.read(done.Survivor, "").modified(t))
	})

	t.Run("needs two that live", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 3)
		require.True(t, h.hubspot.Delete(0, hubID+2))
		for _, pair := range [][2]int64{{hubID, hubID}, {hubID, hubID + 2}, {hubID + 9, hubID}, {0, hubID}} {
			_, err := h.hubspot.Merge(0, pair[0], pair[1])
			require.ErrorContains(t, err, "two that live", "%v", pair)
		}
		require.Equal(t, hubIDs(1, 2), h.list("").ids(t))
		done, err := h.hubspot.Merge(0, 0, 0)
		require.NoError(t, err)
		require.ElementsMatch(t, hubIDs(1, 2), done.Lost)
		_, err = h.hubspot.Merge(0, 0, 0)
		require.ErrorContains(t, err, "only 1 live")
	})
}

func TestHubSpotLostIDs(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 5)
	done, err := h.hubspot.Merge(0, hubID, hubID+1)
	require.NoError(t, err)
	require.Equal(t, done.Survivor, h.read(hubID, "").number(t), "200 with another id")
	page := decode[hubPage](t, h.post(hubBatch, inputs(append(hubIDs(1, 2, 3), done.Survivor)...)).body)
	require.Equal(t, hubIDs(3, 6), page.ids(t))
	require.Empty(t, page.Errors)

	h.set(func(s *sandbox.HubSpotSettings) { s.LostID = sandbox.LostIDGone })
	require.Equal(t, http.StatusNotFound, h.status(hubID, ""))
	page = decode[hubPage](t, h.post(hubBatch, inputs(append(hubIDs(1, 2, 3), done.Survivor)...)).body)
	require.Equal(t, hubIDs(3, 6), page.ids(t))
	require.Equal(t, []string{idText(1), idText(2)}, page.Errors[0].Context["ids"])
}

func TestHubSpotSearchMayHideMerges(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 3)
	_, err := h.hubspot.Merge(0, hubID, hubID+1)
	require.NoError(t, err)
	const body = `{"properties":["hs_merged_object_ids","hs_calculated_merged_vids","email"],"sorts":[{"propertyName":"hs_object_id","direction":"DESCENDING"}]}`
	require.NotEmpty(t, h.search(body).Results[0].text("hs_merged_object_ids"))
	h.set(func(s *sandbox.HubSpotSettings) { s.HideSearchMerges = true })
	require.Len(t, h.search(body).Results[0].Properties, 1)
}

func TestHubSpotPut(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 2)
	require.NoError(t, h.hubspot.Put(0, `{"id":"501","properties":{"email":"zoe@example.com","hs_additional_emails":"z.old@example.com; ;zoe@example.org",
		"lastmodifieddate":"2026-11-24T10:00:00.120Z","hs_object_id":"501","hs_merged_object_ids":"388;401"},"createdAt":"2019-02-28T23:59:59.001Z","updatedAt":"2026-11-24T10:00:00.125Z"}`))
	require.NoError(t, h.hubspot.Put(0, `{"id":"874700000021","properties":{"phone":"\u0000☎","lastmodifieddate":null},"createdAt":"2011-05-01T00:00:00Z","archived":true,"archivedAt":"2026-11-20T00:00:00Z"}`))
	require.Equal(t, append([]int64{501}, hubIDs(1, 2)...), h.list("").ids(t))
	require.Equal(t, []int64{874700000021}, h.list("archived=true").ids(t))
	zoe := h.read(501, mergeProperties+",hs_additional_emails,firstname")
	require.Equal(t, "388;401", zoe.text("hs_merged_object_ids"))
	require.NotContains(t, zoe.Properties, "firstname")
	require.Equal(t, "2026-11-24T10:00:00.125Z", zoe.UpdatedAt.Format(time.RFC3339Nano))
	require.Equal(t, []int64{501}, h.changedSince(midday.Add(-3*time.Hour), midday, 10, nil))

	require.True(t, h.hubspot.Update(0, 501))
	require.NotEqual(t, zoe.text("email"), h.read(501, "").text("email"))
	done, err := h.hubspot.Mutate(0, sandbox.Mutation{Update: 3})
	require.NoError(t, err)
	require.Equal(t, append([]int64{501}, hubIDs(1, 2)...), done.Updated, "those with low ids change too")

	for _, wrong := range []string{`{`, `{"id":"x","properties":{}}`, `{"id":"1"}`, `{"id":"1","properties":{},"createdAt":"yesterday"}`} {
		require.Error(t, h.hubspot.Put(0, wrong), wrong)
	}
}

func TestHubSpotMutationsAreDisjointAndStamped(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 100)
	done, err := h.hubspot.Mutate(0, sandbox.Mutation{Create: 5, Update: 40, Delete: 40, Purge: 20})
	require.NoError(t, err)
	touched := slices.Concat(done.Created, done.Updated, done.Deleted, done.Purged)
	slices.Sort(touched)
	require.Equal(t, hubIDs(upTo(105)...), touched)
	require.Equal(t, midday.Add(120*time.Millisecond), done.At, "to the millisecond")
	list := h.list("limit=100").Results
	require.Len(t, list, 45)
	for _, c := range list {
		require.Equal(t, done.At, c.modified(t))
	}
	_, err = h.hubspot.Mutate(0, sandbox.Mutation{Update: 46})
	require.ErrorContains(t, err, "only 45 live")
	_, err = h.hubspot.Mutate(1, sandbox.Mutation{Create: 1})
	require.ErrorContains(t, err, "no portal 1")
}

func TestHubSpotAnUpdateChangesTheContent(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 10)
	seen := map[string]bool{h.read(hubID+4, "").text("email"): true}
	for i := range 3 { // within one millisecond
		require.True(t, h.hubspot.Update(0, hubID+4))
		email := h.read(hubID+4, "").text("email")
		require.False(t, seen[email], "update %d made nothing new", i)
		seen[email] = true
	}
}

func TestHubSpotSetContactsForgetsWhatWas(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 5)
	h.set(func(s *sandbox.HubSpotSettings) { s.IndexLagMS = 1000 })
	_, err := h.hubspot.Merge(0, hubID, hubID+1)
	require.NoError(t, err)
	require.NoError(t, h.hubspot.SetContacts(0, 4))
	require.NoError(t, h.hubspot.SetContacts(0, 5))
	require.Equal(t, hubIDs(1, 2, 3, 4, 5), h.list("").ids(t))
	require.Equal(t, hubIDs(1, 2, 3, 4, 5), h.search(`{}`).ids(t))
	require.Equal(t, idText(1), h.read(hubID, "").ID)
	require.Error(t, h.hubspot.SetContacts(0, -1))
}

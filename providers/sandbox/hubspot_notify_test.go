package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

// hubTarget is the app's one target.
type hubTarget struct {
	h    *hub
	url  string
	mu   sync.Mutex
	came []hubDelivery
}

type hubDelivery struct {
	header http.Header
	body   string
}

func (h *hub) target() *hubTarget {
	h.t.Helper()
	g := &hubTarget{h: h}
	server := httptest.NewServer(g)
	h.t.Cleanup(server.Close)
	g.url = server.URL + "/webhooks/hubspot?src=a%3Ab"
	h.set(func(s *sandbox.HubSpotSettings) { s.WebhookTarget, s.WebhookConcurrency = g.url, 1 })
	return g
}

// ServeHTTP implements http.Handler.
func (g *hubTarget) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.came = append(g.came, hubDelivery{r.Header, string(body)})
}

// all waits until nothing is left to deliver, and returns the events that came, delivery by delivery.
func (g *hubTarget) all() (events []map[string]any, deliveries []hubDelivery) {
	g.h.t.Helper()
	require.Eventually(g.h.t, func() bool { return g.h.hubspot.WebhookCounts().Pending == 0 }, time.Minute, time.Millisecond)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, d := range g.came {
		events = append(events, decode[[]map[string]any](g.h.t, d.body)...)
	}
	return events, g.came
}

func TestHubSpotTellsOfEachChange(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 10)
	g := h.target()
	one := func(change func()) map[string]any {
		before, _ := g.all()
		change()
		after, _ := g.all()
		require.Len(t, after, len(before)+1)
		return after[len(before)]
	}
	first := float64(hubID)

	event := one(func() { require.True(t, h.hubspot.Update(0, hubID)) })
	require.Equal(t, h.read(hubID, "").text("email"), event["propertyValue"])
	delete(event, "propertyValue")
	require.Equal(t, map[string]any{
		"eventId": 1.0, "subscriptionId": 9.0, "portalId": 4242.0, "appId": 55.0, "occurredAt": float64(h.sandbox.Now().UnixMilli()),
		"subscriptionType": "contact.propertyChange", "attemptNumber": 0.0, "objectId": first, "propertyName": "email", "changeSource": "CRM_UI",
	}, event)
	event = one(func() { require.True(t, h.hubspot.Delete(0, hubID)) })
	require.Equal(t, "contact.deletion", event["subscriptionType"])
	require.Equal(t, "DELETED", event["changeFlag"])
	require.EqualValues(t, 2, event["eventId"])
	event = one(func() { _, err := h.hubspot.Restore(0, hubID); require.NoError(t, err) })
	require.Equal(t, "contact.restore", event["subscriptionType"])
	event = one(func() { _, err := h.hubspot.Mutate(4243, sandbox.Mutation{Create: 1}); require.NoError(t, err) })
	require.Equal(t, "contact.creation", event["subscriptionType"])
	require.EqualValues(t, 4243, event["portalId"])

	h.set(func(s *sandbox.HubSpotSettings) { s.WebhookObjectTypes, s.WebhookSameEventID = true, true })
	event = one(func() { require.True(t, h.hubspot.Update(0, hubID+1)) })
	require.Equal(t, "object.propertyChange", event["subscriptionType"])
	require.Equal(t, "0-1", event["objectTypeId"])
	require.EqualValues(t, 4, event["eventId"], "that of the event before")
	before, _ := g.all()
	require.True(t, h.hubspot.Erase(0, hubID+1))
	after, _ := g.all()
	require.Len(t, after, len(before)+2)
	require.Equal(t, "object.privacyDeletion", after[len(before)]["subscriptionType"])
	require.Equal(t, "object.deletion", after[len(before)+1]["subscriptionType"])

	h.set(func(s *sandbox.HubSpotSettings) { s.Webhooks = false })
	require.True(t, h.hubspot.Update(0, hubID))
	silent, _ := g.all()
	require.Len(t, silent, len(after))
}

func TestHubSpotTellsOfAMerge(t *testing.T) {
	t.Parallel()

	for name, newID := range map[string]bool{"into a new id": true, "into the primary": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := hubSetup(t, 10)
			g := h.target()
			h.set(func(s *sandbox.HubSpotSettings) { s.MergeNewID = newID })
			done, err := h.hubspot.Merge(0, hubID, hubID+1)
			require.NoError(t, err)
			events, _ := g.all()
			require.Len(t, events, 1+len(done.Lost), "the merge, and a deletion for each id that ended")
			require.Equal(t, "contact.merge", events[0]["subscriptionType"])
			require.EqualValues(t, done.Survivor, events[0]["objectId"])
			require.EqualValues(t, done.Survivor, events[0]["newObjectId"])
			require.EqualValues(t, hubID, events[0]["primaryObjectId"])
			require.Equal(t, []any{float64(hubID + 1)}, events[0]["mergedObjectIds"])
			for i, lost := range done.Lost {
				require.Equal(t, "contact.deletion", events[1+i]["subscriptionType"])
				require.EqualValues(t, lost, events[1+i]["objectId"])
			}
		})
	}
}

func TestHubSpotSignsWhatItTells(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 250)
	g := h.target()
	_, err := h.hubspot.Mutate(0, sandbox.Mutation{Update: 230})
	require.NoError(t, err)
	events, deliveries := g.all()
	require.Len(t, events, 230)
	require.Len(t, deliveries, 3, "of at most a hundred events")
	queued, err := h.hubspot.Replay(2, false)
	require.NoError(t, err)
	require.Equal(t, 6, queued)
	_, deliveries = g.all()
	require.Len(t, deliveries, 9)
	for _, d := range deliveries {
		require.Equal(t, sandbox.SignHubSpot(sandbox.DefaultClientSecret, g.url, []byte(d.body), d.header.Get("X-HubSpot-Request-Timestamp")), d.header.Get("X-HubSpot-Signature-v3"))
	}
	require.ErrorContains(t, h.hubspot.Configure(func(s *sandbox.HubSpotSettings) { s.WebhookTarget = "here" }), "webhook_target")
	require.ErrorContains(t, h.hubspot.Configure(func(s *sandbox.HubSpotSettings) { s.WebhookSpeed = 0 }), "webhook_speed")
}

package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/enlace/providers/sandbox"
)

// What the outbox does for every provider, seen through Pipedrive's.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// arrival is a delivery as its receiver got it.
type arrival struct {
	header http.Header
	body   string
	event
}

// event is what tests look at of a delivery.
type event struct {
	Meta struct {
		Action           string   `json:"action"`
		Entity           string   `json:"entity"`
		EntityID         string   `json:"entity_id"`
		ID               string   `json:"id"`
		CompanyID        string   `json:"company_id"`
		UserID           string   `json:"user_id"`
		WebhookID        string   `json:"webhook_id"`
		CorrelationID    string   `json:"correlation_id"`
		Attempt          int      `json:"attempt"`
		Host             string   `json:"host"`
		PermittedUserIDs []string `json:"permitted_user_ids"`
		Timestamp        string   `json:"timestamp"`
		MergedToID       *string  `json:"merged_to_id"`
		MergedFromID     *string  `json:"merged_from_id"`
	} `json:"meta"`
	Data     map[string]any `json:"data"`
	Previous map[string]any `json:"previous"`
}

// inbox is an app's receiver of webhooks.
type inbox struct {
	t      *testing.T
	url    string
	answer func(arrival) int // nil is 200

	mu          sync.Mutex
	arrivals    []arrival
	now, atOnce int
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	i := &inbox{t: t}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	require.NoError(i.t, err)
	got := arrival{header: r.Header, body: string(body), event: decode[event](i.t, string(body))}
	i.mu.Lock()
	i.arrivals = append(i.arrivals, got)
	i.now++
	i.atOnce = max(i.atOnce, i.now)
	i.mu.Unlock()
	status := http.StatusOK
	if i.answer != nil {
		status = i.answer(got)
	}
	i.mu.Lock()
	i.now--
	i.mu.Unlock()
	w.WriteHeader(status)
}

func (i *inbox) got() []arrival {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.arrivals)
}

// persons are whom the deliveries are about, in the order they came.
func (i *inbox) persons() []int64 {
	i.t.Helper()
	var list []int64
	for _, a := range i.got() {
		id, err := strconv.ParseInt(a.Meta.EntityID, 10, 64)
		require.NoError(i.t, err)
		list = append(list, id)
	}
	return list
}

// subscribe makes a subscription to persons and returns its receiver.
func (b *bundle) subscribe(members string) *inbox {
	b.t.Helper()
	i := newInbox(b.t)
	b.subscribeTo(i.url, members)
	return i
}

func (b *bundle) subscribeTo(url, members string) {
	b.t.Helper()
	body := fmt.Sprintf(`{"subscription_url":%q,"event_action":"*","event_object":"person","name":"enlace"%s}`, url, members)
	got := b.send(http.MethodPost, b.root+"/api/v1/webhooks", "application/json", body, b.bearer)
	require.Equal(b.t, http.StatusCreated, got.status, got.body)
}

// settled waits until nothing is left to deliver, and returns the counts.
func (b *bundle) settled() sandbox.WebhookCounts {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.pipedrive.WebhookCounts().Pending == 0 }, time.Minute, time.Millisecond)
	return b.pipedrive.WebhookCounts()
}

// change updates the persons 1 to n, in order.
func (b *bundle) change(n int) {
	b.t.Helper()
	for id := range int64(n) {
		require.True(b.t, b.pipedrive.Update(0, id+1))
	}
}

func TestDeliveriesComeInOrderOneAtATime(t *testing.T) {
	t.Parallel()

	b := setup(t, 50)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookConcurrency = 1 })
	i := b.subscribe("")
	b.change(50)
	require.Equal(t, sandbox.WebhookCounts{Sent: 50}, b.settled())
	require.Equal(t, upTo(50), i.persons())
	require.Equal(t, 1, i.atOnce)
}

func TestDeliveriesAreOnTheirWayTogether(t *testing.T) {
	t.Parallel()

	b := setup(t, 20)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookConcurrency = 4 })
	i := b.subscribe("")
	var four sync.WaitGroup // each of the first four waits for the others
	four.Add(4)
	first := make(chan struct{}, 4)
	i.answer = func(arrival) int {
		select {
		case first <- struct{}{}:
			four.Done()
		default:
		}
		four.Wait()
		return http.StatusOK
	}
	b.change(20)
	require.Equal(t, sandbox.WebhookCounts{Sent: 20}, b.settled())
	require.Equal(t, 4, i.atOnce)
}

func TestDeliveriesAreTriedAgain(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		succeedsAt int
		want       sandbox.WebhookCounts
	}{
		"until one succeeds":  {3, sandbox.WebhookCounts{Sent: 3, Failed: 2}},
		"until the last":      {4, sandbox.WebhookCounts{Sent: 4, Failed: 3}},
		"and then given up":   {5, sandbox.WebhookCounts{Sent: 4, Failed: 4, Lost: 1}},
		"not if all was well": {1, sandbox.WebhookCounts{Sent: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, 1)
			b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookSpeed = 10_000 })
			i := b.subscribe("")
			i.answer = func(a arrival) int {
				if a.Meta.Attempt < test.succeedsAt {
					return http.StatusInternalServerError
				}
				return http.StatusNoContent
			}
			b.change(1)
			require.Equal(t, test.want, b.settled())
			for n, a := range i.got() {
				require.Equal(t, n+1, a.Meta.Attempt)
				require.Equal(t, i.got()[0].Meta.ID, a.Meta.ID, "one delivery")
			}
		})
	}
}

func TestDeliveriesFailUnlessTheyAreAnswered2xxInTime(t *testing.T) {
	t.Parallel()

	for name, target := range map[string]func(t *testing.T) string{
		"a redirect": func(t *testing.T) string {
			t.Helper()
			to := newInbox(t)
			t.Cleanup(func() { require.Empty(t, to.got(), "not followed") })
			server := httptest.NewServer(http.RedirectHandler(to.url, http.StatusTemporaryRedirect))
			t.Cleanup(server.Close)
			return server.URL
		},
		"nobody listens": func(t *testing.T) string {
			t.Helper()
			server := httptest.NewServer(http.NotFoundHandler())
			server.Close()
			return server.URL
		},
		"an answer that is late": func(t *testing.T) string {
			t.Helper()
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // else the server doesn't see that the client left
				<-r.Context().Done()
			}))
			t.Cleanup(server.Close)
			return server.URL
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, 1)
			b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookSpeed, s.WebhookTimeoutMS = 10_000, 20 })
			b.subscribeTo(target(t), "")
			b.change(1)
			require.Equal(t, sandbox.WebhookCounts{Sent: 4, Failed: 4, Lost: 1}, b.settled())
		})
	}
}

func TestDeliveriesAreDoubledAndLost(t *testing.T) {
	t.Parallel()

	b := setup(t, 20)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookDuplicates, s.WebhookLoss = 2, 5 })
	i := b.subscribe("")
	b.change(20)
	require.Equal(t, sandbox.WebhookCounts{Sent: 16 * 3, Lost: 4}, b.settled())
	times := map[string]int{}
	for _, a := range i.got() {
		times[a.Meta.EntityID+" "+a.Meta.ID+" "+a.body]++
	}
	require.Len(t, times, 16, "duplicates are equal")
	for which, n := range times {
		require.Equal(t, 3, n, which)
	}
	for _, id := range []int64{5, 10, 15, 20} {
		require.NotContains(t, i.persons(), id)
	}
}

func TestDuplicatesAreNotTriedAgain(t *testing.T) {
	t.Parallel()

	b := setup(t, 1)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookDuplicates, s.WebhookSpeed = 1, 10_000 })
	i := b.subscribe("")
	i.answer = func(arrival) int { return http.StatusServiceUnavailable }
	b.change(1)
	require.Equal(t, sandbox.WebhookCounts{Sent: 5, Failed: 5, Lost: 1}, b.settled())
	require.Equal(t, 1, b.pipedrive.Subscriptions()[0].Failures)
}

func TestDeliveriesAreShuffled(t *testing.T) {
	t.Parallel()

	b := setup(t, 100)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookConcurrency, s.WebhookShuffle = 1, true })
	i := b.subscribe("")
	b.change(100)
	b.settled()
	require.NotEqual(t, upTo(100), i.persons())
	require.ElementsMatch(t, upTo(100), i.persons())
}

func TestDeliveriesWait(t *testing.T) {
	t.Parallel()

	b := setup(t, 3)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookDelayMS = 3_600_000 })
	i := b.subscribe("")
	b.change(2)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookDelayMS = 0 })
	require.True(t, b.pipedrive.Update(0, 3))
	require.Eventually(t, func() bool { return b.pipedrive.WebhookCounts().Pending == 2 }, time.Minute, time.Millisecond)
	require.Equal(t, []int64{3}, i.persons(), "what waits holds nothing up")

	b.pipedrive.ResetCounters()
	require.Equal(t, sandbox.WebhookCounts{Pending: 2}, b.pipedrive.WebhookCounts())
}

func TestReplay(t *testing.T) {
	t.Parallel()

	b := bare(t, 30)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookConcurrency = 1 })
	i := b.subscribe("")
	b.change(30)
	b.settled()
	require.Equal(t, http.StatusOK, b.send(http.MethodDelete, b.root+"/api/v1/webhooks/1", "", "", b.bearer).status)

	require.JSONEq(t, `{"queued":60}`, b.steer(http.MethodPost, "/replay", `{"times":2}`).body)
	require.Equal(t, sandbox.WebhookCounts{Sent: 90}, b.settled())
	require.Equal(t, slices.Concat(upTo(30), upTo(30), upTo(30)), i.persons())
	for n, a := range i.got() {
		require.Equal(t, i.got()[n%30].body, a.body)
	}

	require.JSONEq(t, `{"queued":30}`, b.steer(http.MethodPost, "/replay", `{"shuffle":true}`).body)
	b.settled()
	shuffled := i.persons()[90:]
	require.NotEqual(t, upTo(30), shuffled)
	require.ElementsMatch(t, upTo(30), shuffled)
}

func TestCloseEndsDeliveries(t *testing.T) {
	t.Parallel()

	b := setup(t, 3)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookConcurrency = 1 })
	arrived, left := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(left)
	}))
	t.Cleanup(server.Close)
	b.subscribeTo(server.URL, "")
	b.change(2) // one on its way, one queued
	<-arrived
	b.sandbox.Close()
	<-left
	require.Equal(t, sandbox.WebhookCounts{}, b.pipedrive.WebhookCounts(), "broken off, not failed")

	b.change(3)
	require.Zero(t, b.pipedrive.WebhookCounts().Pending)
	_, err := b.pipedrive.Replay(1, false)
	require.ErrorContains(t, err, "closed")
	b.sandbox.Close()
}

func TestControlSteersWebhooks(t *testing.T) {
	t.Parallel()

	b := bare(t, 10)
	i := b.subscribe("")
	got := b.steer(http.MethodPatch, "", `{"webhook_delay_ms":1,"webhook_timeout_ms":900,"webhook_speed":2,"webhook_concurrency":3,
		"webhook_duplicates":1,"webhook_shuffle":true,"webhook_loss":4}`)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, sandbox.WebhookSettings{
		WebhookDelayMS: 1, WebhookTimeoutMS: 900, WebhookSpeed: 2, WebhookConcurrency: 3,
		WebhookDuplicates: 1, WebhookShuffle: true, WebhookLoss: 4,
	}, b.pipedrive.Settings().WebhookSettings)

	b.steer(http.MethodPost, "/mutate", `{"create":1,"update":2,"delete":1}`)
	b.settled()
	require.Len(t, i.got(), 6)
	shown := decode[struct {
		sandbox.WebhookCounts
		Subscriptions []sandbox.Subscription
	}](t, b.steer(http.MethodGet, "", "").body)
	require.Equal(t, sandbox.WebhookCounts{Sent: 6, Lost: 1}, shown.WebhookCounts)
	require.Len(t, shown.Subscriptions, 1)
	require.Equal(t, i.url, shown.Subscriptions[0].URL)
	require.Equal(t, http.StatusOK, *shown.Subscriptions[0].LastStatus)

	for _, wrong := range []string{
		`{"webhook_delay_ms":-1}`, `{"webhook_loss":-1}`, `{"webhook_timeout_ms":0}`, `{"webhook_speed":0}`,
		`{"webhook_concurrency":0}`, `{"webhook_concurrency":11}`, `{"webhook_duplicates":-1}`, `{"webhook_duplicates":101}`,
	} {
		require.Equal(t, http.StatusBadRequest, b.steer(http.MethodPatch, "", wrong).status, wrong)
	}
	for _, wrong := range []string{`{"times":0}`, `{"times":101}`, `{"time":1}`} {
		require.Equal(t, http.StatusBadRequest, b.steer(http.MethodPost, "/replay", wrong).status, wrong)
	}
}

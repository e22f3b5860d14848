package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// event is one server-sent event.
type event struct {
	name, id string
	data     map[string]any
}

// listen opens the stream of a key and returns its events; the stream ends with the test or by stop.
func (w *world) listen(t *testing.T, key, lastID string) (events <-chan event, stop func()) {
	t.Helper()
	header := map[string]string{"Authorization": "Bearer " + key}
	if lastID != "" {
		header["Last-Event-ID"] = lastID
	}
	resp := w.open(t, ask{path: "/v1/events", header: header}) //nolint:bodyclose // closed by stop
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	ch := make(chan event, 100)
	go func() {
		defer close(ch)
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				_ = json.Unmarshal([]byte(value), &e.data)
			case "":
				if e.name != "" {
					ch <- e
				}
				e = event{}
			}
		}
	}()
	stop = func() { _ = resp.Body.Close() }
	t.Cleanup(stop)
	return ch, stop
}

// waitFor reads events until one is as wanted.
func waitFor(t *testing.T, events <-chan event, wanted func(event) bool) event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case e, ok := <-events:
			require.True(t, ok, "the stream has ended")
			if wanted(e) {
				return e
			}
		case <-ctx.Done():
			require.Fail(t, "the event did not come")
		}
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	mine, stop := w.listen(t, w.key, "")
	theirs, _ := w.listen(t, w.otherKey, "")

	started := w.do(t, ask{method: http.MethodPost, path: "/v1/integrations/" + w.integration.String() + "/syncs", key: w.key, body: `{"sync_type":"full"}`}).text(t, "id")
	isRun := func(state string) func(event) bool {
		return func(e event) bool { return e.name == "run" && e.data["id"] == started && e.data["state"] == state }
	}
	first := waitFor(t, mine, isRun("waiting"))
	require.NotEmpty(t, first.id)
	require.NotEmpty(t, first.data["title"])

	w.do(t, ask{method: http.MethodPatch, path: "/v1/integrations/" + w.integration.String(), key: w.key, body: `{"paused":true}`})
	waitFor(t, mine, func(e event) bool {
		return e.name == "integration" && e.data["id"] == w.integration.String() && e.data["state"] == "paused"
	})

	// who comes back is told again what has changed since a little before
	stop()
	again, _ := w.listen(t, w.key, first.id)
	waitFor(t, again, isRun("cancelled"))
	// and one whose id nobody understands is simply told what is new
	fresh, _ := w.listen(t, w.key, "yesterday")
	w.do(t, ask{method: http.MethodPatch, path: "/v1/integrations/" + w.integration.String(), key: w.key, body: `{"paused":false}`})
	waitFor(t, fresh, func(e event) bool { return e.name == "integration" && e.data["state"] == "connected" })

	// the other tenant saw its own rows alone
	w.do(t, ask{method: http.MethodPatch, path: "/v1/integrations/" + w.theirs.String(), key: w.otherKey, body: `{"paused":true}`})
	waitFor(t, theirs, func(e event) bool {
		require.NotEqual(t, w.tenant.String(), e.data["tenant_id"])
		return e.name == "integration" && e.data["state"] == "paused"
	})
}

func TestEventsEndWithTheServer(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	events, _ := w.listen(t, w.key, "")
	w.server.Close()
	for range events {
	}
	late, _ := w.listen(t, w.key, "")
	for range late {
	}
}

func TestEventsEndWithTheKey(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.server.SetHeartbeat(20 * time.Millisecond)
	revoked, _ := w.listen(t, w.key, "")
	going, _ := w.listen(t, w.otherKey, "")
	_, err := w.pool.Exec(t.Context(), `UPDATE api_keys SET revoked_at = now() WHERE tenant_id = $1`, w.tenant)
	require.NoError(t, err)
	for range revoked {
	}
	w.do(t, ask{method: http.MethodPatch, path: "/v1/integrations/" + w.theirs.String(), key: w.otherKey, body: `{"paused":true}`})
	waitFor(t, going, func(e event) bool { return e.name == "integration" && e.data["state"] == "paused" })
}

func TestATenantHasTwentyStreams(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	_, stop := w.listen(t, w.key, "")
	for range 19 {
		w.listen(t, w.key, "")
	}
	refused := w.do(t, ask{path: "/v1/events", key: w.key})
	require.Equal(t, http.StatusTooManyRequests, refused.StatusCode, "%s", refused.body)
	require.Equal(t, "60", refused.Header.Get("Retry-After"))
	w.listen(t, w.otherKey, "")
	stop()
	require.Eventually(t, func() bool {
		resp := w.open(t, ask{path: "/v1/events", key: w.key})
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 10*time.Second, 20*time.Millisecond)
}

func TestAKeyInTheAddressIsNotAccepted(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	for _, name := range []string{"apikey", "api_key", "key", "token", "access_token"} {
		require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/v1/events?" + name + "=" + w.key}).StatusCode)
	}
	require.Equal(t, http.StatusUnprocessableEntity, w.do(t, ask{path: "/v1/events", key: adminKey}).StatusCode, "whose events?")
}

package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
)

// deadlines notes those that are set of a connection.
type deadlines struct {
	*httptest.ResponseRecorder

	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.read = append(d.read, at)
	return nil
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.write = append(d.write, at)
	return nil
}

func TestNoRequestLastsForever(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	var left time.Duration
	require.NoError(t, w.server.MountOpen("/slow", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ends, ok := r.Context().Deadline()
		require.True(t, ok)
		left = time.Until(ends)
	})))
	send := func(r *http.Request) *deadlines {
		d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		w.server.Handler().ServeHTTP(d, r)
		return d
	}
	got := send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/slow", nil))
	require.InDelta(t, 10, left.Seconds(), 5)
	require.Empty(t, got.read, "there is no body to wait for, and the server would think that the client has left")
	require.Len(t, got.write, 1)
	require.WithinDuration(t, time.Now().Add(time.Minute), got.write[0], 10*time.Second)

	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/session", strings.NewReader(`{"api_key":"`+w.key+`"}`))
	got = send(r)
	require.Equal(t, http.StatusCreated, got.Code)
	require.WithinDuration(t, time.Now().Add(30*time.Second), got.read[0], 10*time.Second)
	require.True(t, got.read[1].IsZero(), "it ends with the body")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r = httptest.NewRequestWithContext(ctx, http.MethodGet, "/riverui/", nil)
	r.Header.Set("Authorization", "Bearer "+adminKey)
	got = send(r)
	require.True(t, got.write[len(got.write)-1].IsZero(), "River UI bounds itself")
}

func TestADatabaseThatDoesNotAnswerInTimeIsAway(t *testing.T) {
	t.Parallel()

	err := fmt.Errorf("list runs: %w", context.DeadlineExceeded)
	require.Equal(t, "internal", api.CodeOf(err))
	require.Equal(t, "database", api.VariantOf(err))
}

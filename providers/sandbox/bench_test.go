package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

// BenchmarkPage is a page of 500 out of a million, of which some changed.
func BenchmarkPage(b *testing.B) {
	s := sandbox.New(sandbox.Config{Contacts: 1_000_000})
	p := s.Pipedrive()
	require.NoError(b, p.Configure(func(settings *sandbox.PipedriveSettings) { settings.Burst = 0 }))
	p.SetBudget(sandbox.Unlimited)
	_, err := p.Mutate(0, sandbox.Mutation{Create: 100, Update: 1000, Delete: 100})
	require.NoError(b, err)
	token := p.IssueTokens(0).AccessToken
	h := s.Handler()

	for name, query := range map[string]string{"ByID": "", "Since": "&sort_by=update_time&updated_since=2018-01-01T00:00:00Z"} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/sandbox/pipedrive/api/v2/persons?limit=500"+query, nil)
			r.Header.Set("Authorization", "Bearer "+token)
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				require.Equal(b, http.StatusOK, w.Code)
				b.SetBytes(int64(w.Body.Len()))
			}
		})
	}
}

// BenchmarkDeliveries is what a bulk edit of 5,000 sends to a receiver that
// answers at once.
func BenchmarkDeliveries(b *testing.B) {
	const changes = 5000
	received := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer received.Close()
	s := sandbox.New(sandbox.Config{Contacts: changes})
	defer s.Close()
	p := s.Pipedrive()
	body := strings.NewReader(`{"subscription_url":"` + received.URL + `","event_action":"*","event_object":"person","name":"enlace"}`)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/sandbox/pipedrive/api/v1/webhooks", body)
	r.Header.Set("Authorization", "Bearer "+p.IssueTokens(0).AccessToken)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	require.Equal(b, http.StatusCreated, w.Code)

	for b.Loop() {
		_, err := p.Mutate(0, sandbox.Mutation{Update: changes})
		require.NoError(b, err)
		require.Eventually(b, func() bool { return p.WebhookCounts().Pending == 0 }, time.Minute, time.Millisecond)
	}
	counts := p.WebhookCounts()
	require.Equal(b, sandbox.WebhookCounts{Sent: b.N * changes}, counts)
	b.ReportMetric(float64(counts.Sent)/b.Elapsed().Seconds(), "deliveries/s")
}

package sandbox_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func creditsLeft(a answer) string { return a.header.Get("X-API-CREDITS-REMAINING") }

func TestZohoCredits(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 3)
	b.zoho.SetBudget(6)
	for _, want := range []string{"", "", "3", "2", "1"} {
		got := b.get("/crm/v8/org")
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, want, creditsLeft(got), "shown once half is spent")
		b.sandbox.Advance(time.Minute)
	}
	require.Equal(t, "0", creditsLeft(b.get("/crm/v8/org")))
	refused := b.get("/crm/v8/org")
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Equal(t, "TOO_MANY_REQUESTS", errorCode(t, refused.body))
	require.Equal(t, "0", creditsLeft(refused))
	require.Empty(t, refused.header.Get("Retry-After"))
	require.Contains(t, b.refreshAt(b.accounts, b.refresh).body, "access_token", "tokens cost nothing")

	b.use(60010002)
	require.Equal(t, http.StatusOK, b.get("/crm/v8/org").status, "another org has its own")
	b.sandbox.Advance(24*time.Hour - 5*time.Minute)
	b.use(0)
	require.Equal(t, http.StatusOK, b.get("/crm/v8/org").status, "the first call left the window, and no midnight came")
	require.Equal(t, http.StatusTooManyRequests, b.get("/crm/v8/org").status)
	b.zoho.SetBudget(sandbox.Unlimited)
	require.Empty(t, creditsLeft(b.get("/crm/v8/org")))
}

// hold leaves a call unanswered until the sandbox closes.
func (b *zohoBundle) hold(method, path string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.host+path, nil)
	require.NoError(b.t, err)
	r.Header.Set("Authorization", "Zoho-oauthtoken "+b.access)
	before := b.zoho.InFlight()
	go func() {
		if response, err := http.DefaultClient.Do(r); err == nil {
			_ = response.Body.Close()
		}
	}()
	require.Eventually(b.t, func() bool { return b.zoho.InFlight() == before+1 && b.zoho.Orgs()[0].InFlightMax == before+1 }, time.Minute, time.Millisecond)
}

func TestZohoConcurrency(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 3)
	defer b.sandbox.Close()
	b.configure(func(s *sandbox.ZohoSettings) { s.Concurrency, s.LatencyMS = 2, 600_000 })
	b.hold(http.MethodGet, "/crm/v8/org")
	b.hold(http.MethodGet, "/crm/v8/org")
	refused := b.get("/crm/v8/org")
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Equal(t, "TOO_MANY_REQUESTS", errorCode(t, refused.body))
	require.Empty(t, creditsLeft(refused), "nothing tells it from spent credits but this")
	require.Equal(t, 0, b.zoho.Orgs()[0].CreditsUsed)
}

func TestZohoConcurrencyOfHeavyCalls(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 3)
	defer b.sandbox.Close()
	b.configure(func(s *sandbox.ZohoSettings) { s.HeavyConcurrency, s.LatencyMS = 1, 600_000 })
	b.hold(http.MethodGet, bulkReads+"/1")
	b.configure(func(s *sandbox.ZohoSettings) { s.LatencyMS = 0 })
	require.Equal(t, http.StatusTooManyRequests, b.coql("select id from Contacts where id > '0'").status)
	require.Equal(t, http.StatusOK, b.get("/crm/v8/org").status, "others are not held back by it")
	require.ErrorContains(t, b.zoho.Configure(func(s *sandbox.ZohoSettings) { s.HeavyConcurrency = -1 }), "heavy_concurrency")
}

func TestZohoListsCanBeLate(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 5)
	b.configure(func(s *sandbox.ZohoSettings) { s.ListLagSeconds = 60 })
	id := b.zoho.ContactID(0, 2)
	before := b.list("ids=" + id).Data[0]
	require.True(t, b.zoho.Update(0, id))
	require.Equal(t, before, b.list("ids=" + id).Data[0])
	require.Equal(t, http.StatusNotModified, b.get(allContacts+"?"+someFields, "If-Modified-Since", midday.Format(time.RFC3339)).status)
	single := decode[zohoPage](t, b.get(allContacts+"/"+id).body).Data[0]
	require.True(t, midday.Equal(single.modified(t)), "single reads are not late")
	b.sandbox.Advance(time.Minute)
	require.True(t, midday.Equal(b.list("ids=" + id).Data[0].modified(t)))
}

package sandbox_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func rateHeaders(a answer) [3]string {
	return [3]string{
		a.header.Get("X-HubSpot-RateLimit-Max"), a.header.Get("X-HubSpot-RateLimit-Remaining"),
		a.header.Get("X-HubSpot-RateLimit-Interval-Milliseconds"),
	}
}

func TestHubSpotBurst(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 5)
	require.Equal(t, [3]string{}, rateHeaders(h.get(hubContacts)), "no limit, no headers")
	h.set(func(s *sandbox.HubSpotSettings) { s.Burst = 3 })
	require.Equal(t, [3]string{"3", "2", "10000"}, rateHeaders(h.get(hubContacts)))
	h.sandbox.Advance(4 * time.Second)
	require.Equal(t, [3]string{"3", "1", "10000"}, rateHeaders(h.get(hubAccount)))
	require.Equal(t, [3]string{"3", "0", "10000"}, rateHeaders(h.post(hubBatch, inputs(hubID))))
	refused := h.get(hubContacts)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Equal(t, [3]string{"3", "0", "10000"}, rateHeaders(refused))
	require.Contains(t, refused.body, `"policyName":"TEN_SECONDLY_ROLLING"`)
	require.Contains(t, refused.body, "ten_secondly_rolling")
	require.Contains(t, refused.body, `"category":"RATE_LIMITS"`)
	require.Empty(t, refused.header.Get("Retry-After"))

	mine := h.tokens
	h.tokens = h.hubspot.IssueTokens(0)
	require.Equal(t, http.StatusTooManyRequests, h.get(hubContacts).status, "the portal's, whatever the token")
	h.tokens = h.hubspot.IssueTokens(4243)
	require.Equal(t, http.StatusOK, h.get(hubContacts).status, "another portal has its own")
	h.tokens = mine

	h.sandbox.Advance(6 * time.Second) // the first call leaves the window, the refused ones never were in it
	require.Equal(t, http.StatusOK, h.get(hubContacts).status)
	h.set(func(s *sandbox.HubSpotSettings) { s.HidePolicyName, s.RetryAfter = true, 7 })
	refused = h.get(hubContacts)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.NotContains(t, refused.body, "policyName")
	require.Contains(t, refused.body, "ten_secondly_rolling", "the message still names it")
	require.Equal(t, "7", refused.header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, h.refresh(hubToken, h.tokens.RefreshToken).status, "tokens cost nothing")
	require.Equal(t, http.StatusOK, h.post(hubSearch, `{}`).status, "search has its own limit")
}

func TestHubSpotLimitsAsTheyAreUnlessSet(t *testing.T) {
	t.Parallel()

	settings := sandbox.New(sandbox.Config{}).HubSpot().Settings()
	require.Equal(t, 110, settings.Burst)
	require.Equal(t, 5, settings.SearchBurst)
	require.Equal(t, 1800, settings.TokenLifeSeconds)
}

func TestHubSpotSearchBurst(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 5)
	h.set(func(s *sandbox.HubSpotSettings) { s.Burst, s.SearchBurst = 1, 5 })
	for range 5 {
		got := h.post(hubSearch, `{}`)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, [3]string{}, rateHeaders(got), "search tells nothing of its limits")
	}
	refused := h.post(hubSearch, `{}`)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Equal(t, [3]string{}, rateHeaders(refused))
	require.Contains(t, refused.body, `"policyName":"SECONDLY"`)
	require.Equal(t, http.StatusOK, h.get(hubContacts).status)
	h.sandbox.Advance(time.Second)
	require.Equal(t, http.StatusOK, h.post(hubSearch, `{}`).status)
}

func TestHubSpotDailyBudgetEndsAtThePortalsMidnight(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 5)
	left := func(a answer) string { return a.header.Get("X-HubSpot-RateLimit-Daily-Remaining") }
	require.Empty(t, left(h.get(hubContacts)))
	h.hubspot.SetBudget(3)
	got := h.get(hubContacts)
	require.Equal(t, "3", got.header.Get("X-HubSpot-RateLimit-Daily"))
	require.Equal(t, "2", left(got))
	require.Empty(t, left(h.post(hubSearch, `{}`)), "search costs and doesn't tell")
	require.Equal(t, "0", left(h.get(hubContacts)))
	refused := h.get(hubContacts)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Contains(t, refused.body, `"policyName":"DAILY"`)
	require.Equal(t, http.StatusTooManyRequests, h.post(hubSearch, `{}`).status)

	h.sandbox.Advance(11*time.Hour - time.Second) // 22:59:59 UTC, an hour less than in Berlin
	h.tokens = h.hubspot.IssueTokens(0)
	require.Equal(t, http.StatusTooManyRequests, h.get(hubContacts).status)
	h.sandbox.Advance(time.Second)
	require.Equal(t, "2", left(h.get(hubContacts)))
	h.hubspot.SetBudget(sandbox.Unlimited)
	require.Empty(t, left(h.get(hubContacts)))
}

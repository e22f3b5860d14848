package sandbox_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func TestBurstWindow(t *testing.T) {
	t.Parallel()

	b := setup(t, 5)
	b.configure(func(s *sandbox.PipedriveSettings) { s.Burst = 3 })
	limits := func(a answer) [3]string {
		return [3]string{a.header.Get("x-ratelimit-limit"), a.header.Get("x-ratelimit-remaining"), a.header.Get("x-ratelimit-reset")}
	}

	require.Equal(t, [3]string{"3", "2", "2"}, limits(b.get(persons)))
	b.sandbox.Advance(time.Second)
	require.Equal(t, [3]string{"3", "1", "1"}, limits(b.get(persons)))
	require.Equal(t, [3]string{"3", "0", "1"}, limits(b.get(persons)))

	refused := b.get(persons)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Equal(t, [3]string{"3", "0", "1"}, limits(refused))
	require.JSONEq(t, `{"success":false,"error":"Request over limit","errorCode":429}`, refused.body)

	mine := b.tokens
	b.tokens = b.pipedrive.IssueTokens(0)
	require.Equal(t, http.StatusOK, b.get(persons).status, "each access token has its own window")
	b.tokens = mine

	b.sandbox.Advance(time.Second) // the first call leaves the window, the refused one never was in it
	require.Equal(t, http.StatusOK, b.get(persons).status)
	require.Equal(t, http.StatusTooManyRequests, b.get(persons).status)

	b.configure(func(s *sandbox.PipedriveSettings) { s.Burst = 0 })
	got := b.get(persons)
	require.Equal(t, http.StatusOK, got.status)
	require.Empty(t, got.header.Get("x-ratelimit-limit"))
}

func TestDailyBudget(t *testing.T) {
	t.Parallel()

	b := setup(t, 5)
	left := func(a answer) string { return a.header.Get("x-daily-ratelimit-token-remaining") }
	b.pipedrive.SetBudget(24)

	got := b.get(persons)
	require.Equal(t, "24", got.header.Get("x-daily-ratelimit-token-limit"))
	require.Equal(t, "14", left(got))
	require.Equal(t, "13", left(b.get(persons+"/1")))
	require.Equal(t, "11", left(b.get("/api/v1/users/me")))
	require.Equal(t, "1", left(b.get("/api/v1/webhooks")))
	refused := b.get(persons)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Equal(t, "0", left(refused))
	require.Equal(t, http.StatusOK, b.refresh(b.tokens.RefreshToken).status, "tokens cost nothing")

	mine := b.tokens
	b.tokens = b.pipedrive.IssueTokens(4243)
	require.Equal(t, "14", left(b.get(persons)), "each company has its own")
	b.tokens = mine

	b.sandbox.Advance(12*time.Hour - time.Second)
	b.tokens = b.pipedrive.IssueTokens(0)
	require.Equal(t, http.StatusTooManyRequests, b.get(persons).status)
	b.sandbox.Advance(time.Second) // midnight
	require.Equal(t, "14", left(b.get(persons)))

	b.pipedrive.SetBudget(sandbox.Unlimited)
	require.Empty(t, left(b.get(persons)))
}

func TestABanLastsUntilItIsLifted(t *testing.T) {
	t.Parallel()

	b := setup(t, 5)
	b.configure(func(s *sandbox.PipedriveSettings) { s.Burst, s.Bans = 1, true })
	require.Equal(t, http.StatusOK, b.get(persons).status)
	require.Equal(t, http.StatusForbidden, b.get(persons).status, "at once")
	b.sandbox.Advance(time.Minute)
	refused := b.get(persons)
	require.Equal(t, http.StatusForbidden, refused.status)
	require.Contains(t, refused.body, "Cloudflare")
	b.configure(func(s *sandbox.PipedriveSettings) { s.Burst, s.Bans = 0, false })
	require.Equal(t, http.StatusOK, b.get(persons).status)
}

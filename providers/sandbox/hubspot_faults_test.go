package sandbox_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func TestHubSpotFaultsThatAreAnswers(t *testing.T) {
	t.Parallel()

	const page = "text/html; charset=utf-8"
	window := map[string]string{"X-HubSpot-RateLimit-Max": "110", "X-HubSpot-RateLimit-Remaining": "0", "X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}
	for kind, want := range map[sandbox.Kind]struct {
		status int
		body   string // a part of it
		header map[string]string
	}{
		sandbox.Fault429:                 {429, `"policyName":"TEN_SECONDLY_ROLLING"`, window},
		sandbox.FaultHubSpotBare429:      {429, `reached your ten_secondly_rolling limit.","errorType":"RATE_LIMIT","correlationId"`, window},
		sandbox.FaultHubSpotSilent429:    {429, `"message":"Too many requests."`, map[string]string{"X-HubSpot-RateLimit-Max": ""}},
		sandbox.FaultHubSpotSecondly:     {429, `"policyName":"SECONDLY"`, map[string]string{"X-HubSpot-RateLimit-Max": ""}},
		sandbox.FaultHubSpotRetryAfter:   {429, `"category":"RATE_LIMITS"`, map[string]string{"Retry-After": "7"}},
		sandbox.FaultDaily429:            {429, `"policyName":"DAILY"`, nil},
		sandbox.FaultHubSpotMoving:       {477, `"correlationId"`, map[string]string{"Retry-After": "600"}},
		sandbox.FaultHubSpotMovingBare:   {477, `"correlationId"`, map[string]string{"Retry-After": ""}},
		sandbox.FaultBadCursor:           {400, `"category":"VALIDATION_ERROR"`, nil},
		sandbox.FaultHubSpotBare400:      {400, `{}`, nil},
		sandbox.Fault401:                 {401, `"category":"EXPIRED_AUTHENTICATION"`, nil},
		sandbox.FaultHubSpotInvalidAuth:  {401, `"category":"INVALID_AUTHENTICATION"`, nil},
		sandbox.Fault402:                 {402, `"status":"error"`, nil},
		sandbox.Fault403Scope:            {403, `"missingScopes":["crm.objects.contacts.read"]`, nil},
		sandbox.FaultHubSpotBlocked:      {403, `suspended`, nil},
		sandbox.FaultHTML403:             {403, "Cloudflare", map[string]string{"Content-Type": page}},
		sandbox.FaultHubSpot530:          {530, "<html>", map[string]string{"Content-Type": page}},
		sandbox.Fault404:                 {404, `"status":"error"`, nil},
		sandbox.FaultHubSpot405:          {405, `"status":"error"`, nil},
		sandbox.Fault410:                 {410, `"status":"error"`, nil},
		sandbox.FaultHubSpot414:          {414, "<html>", map[string]string{"Content-Type": page}},
		sandbox.FaultHubSpot415:          {415, `"status":"error"`, nil},
		sandbox.FaultHubSpotLocked:       {423, `"status":"error"`, nil},
		sandbox.Fault500:                 {500, `"message":"internal error"`, nil},
		sandbox.Fault502:                 {502, "<html>", nil},
		sandbox.FaultHubSpot503:          {503, `"status":"error"`, nil},
		sandbox.Fault503HTML:             {503, "<html>", nil},
		sandbox.FaultHubSpot504:          {504, "<html>", map[string]string{"Content-Type": page}},
		sandbox.FaultHubSpot521:          {521, "<html>", nil},
		sandbox.FaultHubSpot522:          {522, "<html>", nil},
		sandbox.FaultHubSpot523:          {523, "<html>", nil},
		sandbox.FaultHubSpot524:          {524, "<html>", nil},
		sandbox.FaultHubSpotRedirect:     {301, "", map[string]string{"Location": "https://api.hubapi.example/elsewhere"}},
		sandbox.FaultHubSpotHTML200:      {200, "<html>", map[string]string{"Content-Type": page}},
		sandbox.FaultEmpty200:            {200, "", nil},
		sandbox.FaultMalformed:           {200, `{"results":[{"id":"`, nil},
		sandbox.FaultEmptyList:           {200, `{"results":[]}`, nil},
		sandbox.FaultInvalidGrant:        {400, `"error":"invalid_grant"`, nil},
		sandbox.FaultBadClient:           {400, `"error":"invalid_client"`, nil},
		sandbox.FaultHubSpotBadCode:      {400, `"status":"BAD_AUTH_CODE"`, nil},
		sandbox.FaultHubSpotBadRedirect:  {400, `"status":"MISMATCH_REDIRECT_URI_AUTH_CODE"`, nil},
		sandbox.FaultHubSpotBadRefresh:   {400, `"status":"BAD_REFRESH_TOKEN"`, nil},
		sandbox.FaultHubSpotBadClientID:  {400, `"status":"BAD_CLIENT_ID"`, nil},
		sandbox.FaultHubSpotBadSecret:    {400, `"status":"BAD_CLIENT_SECRET"`, nil},
		sandbox.FaultHubSpotForeign:      {400, `"message":"refresh token was not issued to this client","status":"BAD_REFRESH_TOKEN"`, nil},
		sandbox.FaultHubSpotForeignOAuth: {400, `"error":"invalid_grant","error_description":"refresh token was not issued to this client"`, nil},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()

			h := hubSetup(t, 5)
			require.NoError(t, h.hubspot.Faults(sandbox.Fault{Path: hubContacts, Kind: kind}))
			got := h.get(hubContacts + "?limit=2")
			require.Equal(t, want.status, got.status)
			require.Contains(t, got.body, want.body)
			for name, value := range want.header {
				require.Equal(t, value, got.header.Get(name), name)
			}
			require.Equal(t, string(kind), got.header.Get("X-Sandbox-Fault"))
			require.Len(t, h.list("limit=2").Results, 2, "once only")
		})
	}
}

func TestHubSpotFaultsOfPages(t *testing.T) {
	t.Parallel()

	t.Run("the cursor repeats", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 10)
		require.NoError(t, h.hubspot.Faults(sandbox.Fault{Path: hubContacts, Times: sandbox.Forever, Kind: sandbox.FaultRepeatCursor}))
		first := h.list("limit=3").next()
		require.Equal(t, first, h.list("limit=3&after="+first).next())
	})

	t.Run("search begins again, whatever the last id", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 10)
		_, err := h.hubspot.Mutate(0, sandbox.Mutation{Update: 10})
		require.NoError(t, err)
		require.NoError(t, h.hubspot.Faults(sandbox.Fault{Path: hubSearch, Kind: sandbox.FaultRepeatCursor}))
		page := h.search(window(midday, midday.AddDate(0, 0, 1), hubID+4, 3))
		require.Equal(t, hubIDs(1, 2, 3), page.ids(t))
		require.Equal(t, hubIDs(6, 7, 8), h.search(window(midday, midday.AddDate(0, 0, 1), hubID+4, 3)).ids(t))
	})

	t.Run("half a page is missing while the cursor goes on", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 10)
		require.NoError(t, h.hubspot.Faults(sandbox.Fault{Path: hubContacts, Kind: sandbox.FaultHalfPage}))
		require.Equal(t, hubIDs(1, 2, 5, 6, 7, 8, 9, 10), h.walkList("limit=4", nil))
		require.NoError(t, h.hubspot.Faults(sandbox.Fault{Path: hubSearch, Kind: sandbox.FaultHalfPage}))
		page := h.search(`{"limit":4}`)
		require.Equal(t, hubIDs(1, 2), page.ids(t))
		require.Equal(t, "4", page.next())
	})
}

func TestHubSpotScriptedAnswers(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 3)
	h.hubspot.Script(hubSearch, sandbox.Answer{Status: 403, Body: "<html>blocked</html>"})
	h.hubspot.Script(hubSearch, sandbox.Answer{Body: `{"total":0,"results":[]}`})
	require.Equal(t, 2, h.hubspot.AnswersLeft())
	require.Len(t, h.list("").Results, 3, "another path")
	require.Equal(t, http.StatusForbidden, h.post(hubSearch, `{}`).status)
	require.Zero(t, *h.search(`{}`).Total)
	require.Equal(t, 3, *h.search(`{}`).Total)
	require.Zero(t, h.hubspot.AnswersLeft())
	require.Zero(t, h.hubspot.InFlight())
}

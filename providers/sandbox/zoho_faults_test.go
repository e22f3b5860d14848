package sandbox_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func TestZohoFaultsThatAreAnswers(t *testing.T) {
	t.Parallel()

	for kind, want := range map[sandbox.Kind]struct {
		status int
		part   string // of the body
	}{
		sandbox.Fault401:                   {401, `"INVALID_TOKEN"`},
		sandbox.FaultAuthenticationFailure: {401, `"AUTHENTICATION_FAILURE"`},
		sandbox.Fault403Scope:              {401, `"OAUTH_SCOPE_MISMATCH"`},
		sandbox.FaultNoPermission:          {403, `"NO_PERMISSION"`},
		sandbox.FaultHTML403:               {403, "Cloudflare"},
		sandbox.FaultInvalidModule:         {400, `"INVALID_MODULE"`},
		sandbox.Fault404:                   {404, `"INVALID_URL_PATTERN"`},
		sandbox.FaultRequiredParam:         {400, `"REQUIRED_PARAM_MISSING"`},
		sandbox.FaultLimitExceeded:         {400, `"LIMIT_EXCEEDED"`},
		sandbox.FaultAmbiguity:             {400, `"AMBIGUITY_DURING_PROCESSING"`},
		sandbox.FaultDiscreteLimit:         {400, `"DISCRETE_PAGINATION_LIMIT_EXCEEDED"`},
		sandbox.FaultPaginationLimit:       {400, `"PAGINATION_LIMIT_EXCEEDED"`},
		sandbox.FaultBadCursor:             {400, `"TOKEN_BOUND_DATA_MISMATCH"`},
		sandbox.FaultBadCursor401:          {401, `"TOKEN_BOUND_DATA_MISMATCH"`},
		sandbox.FaultExpiredCursor:         {400, `"EXPIRED_VALUE"`},
		sandbox.FaultInvalidQuery:          {400, `"INVALID_QUERY"`},
		sandbox.FaultSyntaxError:           {400, `"SYNTAX_ERROR"`},
		sandbox.FaultInvalidData:           {400, `"INVALID_DATA"`},
		sandbox.FaultNotSubscribed:         {400, `{"watch":[{"code":"NOT_SUBSCRIBED"`},
		sandbox.Fault429:                   {429, `"TOO_MANY_REQUESTS"`},
		sandbox.FaultDaily429:              {429, `"TOO_MANY_REQUESTS"`},
		sandbox.Fault500:                   {500, `"INTERNAL_ERROR"`},
		sandbox.Fault502:                   {502, "<html>"},
		sandbox.Fault503HTML:               {503, "<html>"},
		sandbox.Fault504:                   {504, "<html>"},
		sandbox.FaultHTML200:               {200, "<html>"},
		sandbox.FaultEmpty200:              {200, ""},
		sandbox.FaultSuccessFalse:          {200, `"status":"error"`},
		sandbox.FaultEmpty204:              {204, ""},
		sandbox.FaultUnchanged304:          {304, ""},
		sandbox.FaultMalformed:             {200, `{"data":[{"id":"`},
		sandbox.FaultEmptyList:             {204, ""},
		sandbox.FaultInvalidGrant:          {200, `{"error":"invalid_code"}`},
		sandbox.FaultBadClient:             {200, `{"error":"invalid_client"}`},
		sandbox.FaultBadSecret:             {200, `{"error":"invalid_client_secret"}`},
		sandbox.FaultBadRedirect:           {200, `{"error":"invalid_redirect_uri"}`},
		sandbox.FaultGeneralError:          {200, `{"error":"general_error"}`},
		sandbox.FaultUnknownError:          {200, `{"error":"invalid_weather"}`},
		sandbox.FaultThrottled:             {400, `"error":"Access Denied"`},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()

			b := zohoSetup(t, 5)
			require.NoError(t, b.zoho.Faults(sandbox.Fault{Path: allContacts, Kind: kind}))
			got := b.get(allContacts + "?" + someFields)
			require.Equal(t, want.status, got.status)
			require.Contains(t, got.body, want.part)
			require.Equal(t, string(kind), got.header.Get("X-Sandbox-Fault"))
			require.Equal(t, kind == sandbox.FaultDaily429, creditsLeft(got) == "0")
			require.Len(t, b.list("").Data, 5, "once only")
		})
	}
}

func TestZohoFaultsOfPages(t *testing.T) {
	t.Parallel()

	t.Run("the token repeats", func(t *testing.T) {
		t.Parallel()

		b := zohoSetup(t, 10)
		first := *b.list("per_page=3").Info.NextPageToken
		require.NoError(t, b.zoho.Faults(sandbox.Fault{Path: allContacts, Kind: sandbox.FaultRepeatCursor}))
		require.Equal(t, first, *b.list("per_page=3&page_token=" + url.QueryEscape(first)).Info.NextPageToken)
	})
	t.Run("no token although more follow", func(t *testing.T) {
		t.Parallel()

		b := zohoSetup(t, 10)
		require.NoError(t, b.zoho.Faults(sandbox.Fault{Path: allContacts, Kind: sandbox.FaultNoCursor}))
		page := b.list("per_page=3")
		require.True(t, page.Info.MoreRecords)
		require.Nil(t, page.Info.NextPageToken)
		b.configure(func(s *sandbox.ZohoSettings) { s.PageTokens = false })
		require.Nil(t, b.list("per_page=3").Info.NextPageToken)
		require.Len(t, b.list("per_page=3&page=4").Data, 1)
	})
	t.Run("half a page is missing", func(t *testing.T) {
		t.Parallel()

		b := zohoSetup(t, 10)
		require.NoError(t, b.zoho.Faults(sandbox.Fault{Path: allContacts, Kind: sandbox.FaultHalfPage}))
		require.Equal(t, []int64{1, 2, 5, 6, 7, 8, 9, 10}, b.numbers(b.walk("per_page=4&sort_order=asc", nil)))
		require.NoError(t, b.zoho.Faults(sandbox.Fault{Path: "/crm/v8/coql", Kind: sandbox.FaultHalfPage}))
		require.Equal(t, []int64{1, 2}, b.found("select id from Contacts where id > '0' limit 4"))
		require.NoError(t, b.zoho.Faults(sandbox.Fault{Path: "/crm/v8/coql", Kind: sandbox.FaultEmptyList}))
		require.Empty(t, b.found("select id from Contacts where id > '0' limit 4"))
	})
}

func TestZohoHostsServeTheirOwnPathsOnly(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	for _, path := range []string{"/accounts/eu/crm/v8/org", "/api/eu/oauth/v2/token", "/api/eu/crm/v8/nothing/here"} {
		got := b.send(http.MethodGet, b.base+path, "", "", nil)
		require.Equal(t, http.StatusNotFound, got.status, path)
		require.Equal(t, "INVALID_URL_PATTERN", errorCode(t, got.body))
	}
	got := b.get("/crm/v8/Leads?fields=Email")
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "INVALID_MODULE", errorCode(t, got.body))
}

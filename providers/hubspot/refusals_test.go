package hubspot_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
	"example.com/enlace/providers/hubspot"
	"example.com/enlace/providers/providertest"
	"example.com/enlace/providers/sandbox"
)

// The ways of asking.
func list(ctx context.Context, s providers.ContactSource) error {
	_, err := s.ListContacts(ctx, providers.ListRequest{})
	return err
}

func next(ctx context.Context, s providers.ContactSource) error {
	_, err := s.ListContacts(ctx, providers.ListRequest{Cursor: "101"})
	return err
}

func changes(ctx context.Context, s providers.ContactSource) error {
	_, err := s.ListContacts(ctx, providers.ListRequest{UpdatedSince: time.UnixMilli(1), Cursor: "1|2|3"})
	return err
}

func record(ctx context.Context, s providers.ContactSource) error {
	_, _, err := s.ReadContact(ctx, "7")
	return err
}

// The rows of the provider's page, §3 and §4.
func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()

	const page = "<html>…</html>"
	category := func(name string) string {
		return `{"status":"error","message":"zoe@example.com is odd","category":"` + name + `","correlationId":"00000000-0000-4000-8000-0000000000c1"}`
	}
	limit := func(policy, message string) string {
		return `{"status":"error","message":"` + message + `","policyName":"` + policy + `","category":"RATE_LIMITS"}`
	}
	after := func(seconds string) http.Header { return http.Header{"Retry-After": {seconds}} }
	type ask = func(context.Context, providers.ContactSource) error
	for sentence, tt := range map[string]struct {
		ask        ask
		everWorked bool
		status     int
		header     http.Header
		body       string
		want       providers.Error
		wait       time.Duration // until RetryAt; 0: none
	}{
		"200 that says it failed":                    {list, false, 200, nil, category("INTERNAL"), providers.Error{Kind: providers.Transient, Code: "INTERNAL"}, 0},
		"200 to a record that says it failed":        {record, false, 200, nil, category("INTERNAL"), providers.Error{Kind: providers.Transient, Code: "INTERNAL"}, 0},
		"200 that is cut off":                        {list, false, 200, nil, `{"results":[{"id":"1"`, providers.Error{Kind: providers.Transient}, 0},
		"204":                                        {list, false, 204, nil, "", providers.Error{Kind: providers.Transient}, 0},
		"200 without a list":                         {list, false, 200, nil, `{}`, providers.Error{Kind: providers.SchemaChanged, Detail: "the answer has no list of contacts"}, 0},
		"200 with null for a record":                 {record, false, 200, nil, `null`, providers.Error{Kind: providers.SchemaChanged, Detail: "the answer has no record"}, 0},
		"200 with a record that can't be understood": {record, false, 200, nil, `{"id":"7","properties":5}`, providers.Error{Kind: providers.InvalidRequest, Code: "bad_shape", Detail: "properties"}, 0},
		"400 with a stored cursor":                   {next, false, 400, nil, category("VALIDATION_ERROR"), providers.Error{Kind: providers.CursorExpired, Code: "VALIDATION_ERROR"}, 0},
		"400 without one":                            {list, false, 400, nil, category("VALIDATION_ERROR"), providers.Error{Kind: providers.InvalidRequest, Code: "VALIDATION_ERROR"}, 0},
		"400 to a search, whose cursor is our own":   {changes, false, 400, nil, `{}`, providers.Error{Kind: providers.InvalidRequest}, 0},
		"401 with a fresh token":                     {list, true, 401, nil, category("EXPIRED_AUTHENTICATION"), providers.Error{Kind: providers.NeedsReauth, Variant: "revoked", Code: "EXPIRED_AUTHENTICATION"}, 0},
		"402":                                        {list, true, 402, nil, `{}`, providers.Error{Kind: providers.Blocked, Variant: "payment"}, 24 * time.Hour},
		"403 about a scope at first use":             {list, false, 403, nil, category("MISSING_SCOPES"), providers.Error{Kind: providers.Misconfigured, Variant: "app", Code: "MISSING_SCOPES"}, 0},
		"403 about a scope after it worked":          {list, true, 403, nil, category("MISSING_SCOPES"), providers.Error{Kind: providers.NeedsReauth, Variant: "scope", Code: "MISSING_SCOPES"}, 0},
		"403, suspended":                             {record, true, 403, nil, category("BANNED"), providers.Error{Kind: providers.Blocked, Variant: "suspended", Code: "BANNED"}, 24 * time.Hour},
		"403 of the edge":                            {list, true, 403, nil, page, providers.Error{Kind: providers.RateLimited}, 15 * time.Minute},
		"530 of the edge to a record":                {record, true, 530, nil, page, providers.Error{Kind: providers.RateLimited}, 15 * time.Minute},
		"404 to a record":                            {record, true, 404, nil, category("OBJECT_NOT_FOUND"), providers.Error{Kind: providers.NotFound, Code: "OBJECT_NOT_FOUND"}, 0},
		"404 page to a record":                       {record, true, 404, nil, page, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
		"404 to a list":                              {list, true, 404, nil, category("OBJECT_NOT_FOUND"), providers.Error{Kind: providers.Misconfigured, Variant: "request", Code: "OBJECT_NOT_FOUND"}, 0},
		"405":                                        {list, true, 405, nil, `{}`, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
		"408":                                        {list, true, 408, nil, ``, providers.Error{Kind: providers.Transient}, 0},
		"410":                                        {list, true, 410, nil, `{}`, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
		"414":                                        {list, true, 414, nil, page, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
		"415":                                        {list, true, 415, nil, `{}`, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
		"418":                                        {list, true, 418, nil, `{}`, providers.Error{Kind: providers.InvalidRequest}, 0},
		"423":                                        {record, true, 423, nil, category("LOCKED"), providers.Error{Kind: providers.RateLimited, Code: "LOCKED"}, 2 * time.Second},
		"429 of ten seconds":                         {list, true, 429, nil, limit("TEN_SECONDLY_ROLLING", ""), providers.Error{Kind: providers.RateLimited, Code: "RATE_LIMITS"}, 10 * time.Second},
		"429 of a second, in small letters":          {changes, true, 429, nil, limit("secondly", ""), providers.Error{Kind: providers.RateLimited, Code: "RATE_LIMITS"}, time.Second},
		"429 of a second, by its message":            {changes, true, 429, nil, limit("", "You have reached your secondly limit."), providers.Error{Kind: providers.RateLimited, Code: "RATE_LIMITS"}, time.Second},
		"429 of ten seconds, by its message":         {list, true, 429, nil, limit("", "limit reached: ten_secondly_rolling"), providers.Error{Kind: providers.RateLimited, Code: "RATE_LIMITS"}, 10 * time.Second},
		"429 without a word":                         {list, true, 429, nil, ``, providers.Error{Kind: providers.RateLimited}, 10 * time.Second},
		"429 with a wait":                            {list, true, 429, after("7"), limit("TEN_SECONDLY_ROLLING", ""), providers.Error{Kind: providers.RateLimited, Code: "RATE_LIMITS"}, 7 * time.Second},
		"429 with a long wait":                       {list, true, 429, after("86400"), `{}`, providers.Error{Kind: providers.RateLimited}, time.Minute},
		"429 of the day":                             {list, true, 429, after("7"), limit("DAILY", ""), providers.Error{Kind: providers.QuotaExhausted, Code: "RATE_LIMITS"}, time.Hour},
		"477, the account moves":                     {list, true, 477, after("600"), category("MIGRATION_IN_PROGRESS"), providers.Error{Kind: providers.RateLimited, Code: "MIGRATION_IN_PROGRESS"}, 10 * time.Minute},
		"477 without an end":                         {record, true, 477, nil, `{}`, providers.Error{Kind: providers.RateLimited}, time.Hour},
		"500":                                        {list, true, 500, nil, category(""), providers.Error{Kind: providers.Transient}, 0},
		"503":                                        {list, true, 503, nil, page, providers.Error{Kind: providers.Transient}, 0},
		"524":                                        {list, true, 524, nil, page, providers.Error{Kind: providers.Transient}, 0},
		"301":                                        {list, true, 301, http.Header{"Location": {"https://api.hubapi.com/other"}}, ``, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()

			l := &line{status: tt.status, header: tt.header, bodies: []string{tt.body}}
			begun := time.Now()
			err := tt.ask(t.Context(), l.source(tt.everWorked))

			var got *providers.Error
			require.ErrorAs(t, err, &got)
			if tt.want.Kind != providers.NotFound { // which asks for the archived one as well
				require.Len(t, l.asked, 1, "one request: no redirect followed, nothing asked again")
			}
			if tt.wait != 0 {
				require.WithinDuration(t, begun.Add(tt.wait), got.RetryAt, time.Since(begun))
			} else {
				require.True(t, got.RetryAt.IsZero())
			}
			require.True(t, strings.HasPrefix(got.Op, "hubspot: "), got.Op)
			require.NotContains(t, got.Error(), "zoe@", "messages quote values")
			if strings.Contains(tt.body, "correlationId") && tt.status >= 300 {
				require.ErrorContains(t, got, "00000000-0000-4000-8000-0000000000c1", "what HubSpot's support asks for")
			}
			require.Equal(t, tt.want, providers.Error{Kind: got.Kind, Code: got.Code, Detail: got.Detail, Variant: got.Variant})
		})
	}
}

// Both forms of a token error, which version has which being undocumented.
func TestTokenErrorsAreClassified(t *testing.T) {
	t.Parallel()

	refuse := func(status, message string) string {
		return `{"status":"` + status + `","message":"` + message + `","correlationId":"c"}`
	}
	inOAuth := func(word, message string) string {
		return `{"error":"` + word + `","error_description":"` + message + `"}`
	}
	for sentence, tt := range map[string]struct {
		status  int
		body    string
		kind    providers.ErrorKind
		variant string
	}{
		"a dead refresh token":                  {400, refuse("BAD_REFRESH_TOKEN", "missing or invalid refresh token"), providers.NeedsReauth, "revoked"},
		"the same in small letters":             {400, refuse("bad_refresh_token", ""), providers.NeedsReauth, "revoked"},
		"the same in OAuth's words":             {400, inOAuth("invalid_grant", ""), providers.NeedsReauth, "revoked"},
		"a token of another app":                {400, refuse("BAD_REFRESH_TOKEN", "refresh token was Not issued to this client"), providers.Misconfigured, "app"},
		"the same in OAuth's words, swapped":    {400, inOAuth("invalid_grant", "token not issued to this client"), providers.Misconfigured, "app"},
		"our id":                                {400, refuse("BAD_CLIENT_ID", ""), providers.Misconfigured, "app"},
		"our secret":                            {400, refuse("BAD_CLIENT_SECRET", ""), providers.Misconfigured, "app"},
		"our id or secret, in OAuth's words":    {401, inOAuth("invalid_client", ""), providers.Misconfigured, "app"},
		"401 without a word":                    {401, ``, providers.Misconfigured, "app"},
		"a missing parameter":                   {400, inOAuth("invalid_request", ""), providers.Misconfigured, "app"},
		"an unsupported grant":                  {400, inOAuth("unsupported_grant_type", ""), providers.Misconfigured, "app"},
		"a word that we don't know":             {400, refuse("SOMETHING_NEW", ""), providers.Transient, ""},
		"400 with a page":                       {400, `<html><body>invalid_grant</body></html>`, providers.Transient, ""},
		"400 without a body":                    {400, ``, providers.Transient, ""},
		"a dead token, but of a server in pain": {500, inOAuth("invalid_grant", ""), providers.Transient, ""},
		"the edge":                              {403, `<html></html>`, providers.RateLimited, ""},
		"too many":                              {429, `{"policyName":"SECONDLY"}`, providers.RateLimited, ""},
		"the account moves":                     {477, ``, providers.RateLimited, ""},
		"200 with an error":                     {200, inOAuth("invalid_grant", ""), providers.NeedsReauth, "revoked"},
		"a redirect":                            {302, ``, providers.Misconfigured, "app"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()

			l := &line{status: tt.status, bodies: []string{tt.body}}
			oauth := hubspot.New(hubspot.Config{ClientID: "our-id", ClientSecret: "our-secret", TokenClient: &http.Client{Transport: l}}).OAuth
			_, err := oauth.Refresh(t.Context(), "", "eu1-test-0000-4000-8000-00000000beef")
			var got *providers.Error
			require.ErrorAs(t, err, &got)
			require.Equal(t, tt.kind, got.Kind)
			require.Equal(t, tt.variant, got.Variant)
			require.Equal(t, tt.kind == providers.RateLimited, got.RetryAt.After(time.Now()))
			require.Len(t, l.asked, 1)
			require.Equal(t, "POST https://api.hubapi.com/oauth/v3/token client_id=our-id&client_secret=our-secret&grant_type=refresh_token"+
				"&refresh_token=eu1-test-0000-4000-8000-00000000beef", l.asked[0], "everything in the body")
		})
	}
}

func TestACodeThatIsRefusedBeginsAgain(t *testing.T) {
	t.Parallel()

	for _, word := range []string{"BAD_AUTH_CODE", "MISMATCH_REDIRECT_URI_AUTH_CODE"} {
		l := &line{status: http.StatusBadRequest, bodies: []string{`{"status":"` + word + `"}`}}
		oauth := hubspot.New(hubspot.Config{TokenClient: &http.Client{Transport: l}}).OAuth
		_, err := oauth.Exchange(t.Context(), "", "the-code", "https://enlace.example.com/back", "")
		var got *providers.Error
		require.ErrorAs(t, err, &got)
		require.Equal(t, providers.InvalidRequest, got.Kind)
		require.Equal(t, "code", got.Variant)
	}
}

func TestConsentAsksForWhatTheAppIsRegisteredWith(t *testing.T) {
	t.Parallel()

	require.Equal(t, "https://app.hubspot.com/oauth/authorize?client_id=our-id&redirect_uri=https%3A%2F%2Fe.example%2Fback&response_type=code"+
		"&scope=oauth+crm.objects.contacts.read&state=s", hubspot.New(hubspot.Config{ClientID: "our-id"}).OAuth.AuthCodeURL("s", "https://e.example/back", "v"))
}

// A grant that names what was granted, and one of the old version that doesn't.
func TestGrants(t *testing.T) {
	t.Parallel()

	a := newAccount(t, sandbox.Config{}, nil)
	issued := a.fake.IssueTokens(sandbox.DefaultPortal)
	grant, err := a.provider.OAuth.Refresh(t.Context(), "", issued.RefreshToken)
	require.NoError(t, err)
	require.Equal(t, []string{"oauth", "crm.objects.contacts.read"}, grant.Scopes)
	require.Equal(t, []string{"crm.objects.contacts.read"}, a.provider.OAuth.Missing([]string{"oauth"}))

	require.NoError(t, a.fake.Configure(func(s *sandbox.HubSpotSettings) { s.HideIdentity, s.HideRefreshToken = true, true }))
	grant, err = a.provider.OAuth.Refresh(t.Context(), "", issued.RefreshToken)
	require.NoError(t, err)
	require.Empty(t, grant.Scopes)
	require.Equal(t, issued.RefreshToken, grant.RefreshToken, "the old one stays")

	client := &http.Client{Transport: &oauth2.Transport{Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: grant.AccessToken}), Base: a.config.TokenClient.Transport}}
	identity, err := a.provider.OAuth.Identify(t.Context(), providers.Account{}, client)
	require.NoError(t, err)
	require.Equal(t, providers.Identity{ExternalID: portal, Name: "Hub ID 4242"}, identity)
}

// Each row of the fake's own errors ends somewhere, whatever was asked.
func TestEveryFaultOfTheFakeIsAnError(t *testing.T) {
	t.Parallel()

	a := newAccount(t, sandbox.Config{Contacts: 3}, nil)
	for _, kind := range []sandbox.Kind{
		sandbox.FaultHubSpotInvalidAuth, sandbox.FaultHubSpotBlocked, sandbox.FaultHubSpot405, sandbox.FaultHubSpot414, sandbox.FaultHubSpot415,
		sandbox.FaultHubSpotLocked, sandbox.FaultHubSpotBare429, sandbox.FaultHubSpotSilent429, sandbox.FaultHubSpotSecondly, sandbox.FaultHubSpotRetryAfter,
		sandbox.FaultHubSpotMoving, sandbox.FaultHubSpotMovingBare, sandbox.FaultHubSpot503, sandbox.FaultHubSpot504, sandbox.FaultHubSpot521,
		sandbox.FaultHubSpot530, sandbox.FaultHubSpotHTML200, sandbox.FaultHubSpotBare400,
	} {
		require.NoError(t, a.fake.Faults(sandbox.Fault{Path: objects, Kind: kind, Times: sandbox.Forever}))
		for _, ask := range []func(context.Context, providers.ContactSource) error{list, changes, record} {
			var got *providers.Error
			require.ErrorAs(t, ask(t.Context(), a.Source(t, providertest.SourceOptions{})), &got, kind)
			require.NotContains(t, []providers.ErrorKind{providers.Internal, providers.NotFound, ""}, got.Kind, kind)
		}
	}
}

package zoho_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/zoho"
)

// Every row of the provider's page §5 that a list can meet.
func TestRefusals(t *testing.T) {
	t.Parallel()

	spent := map[string][]string{"X-Api-Credits-Remaining": {"0"}}
	html := map[string][]string{"Content-Type": {"text/html"}}
	for what, c := range map[string]struct {
		answer  answer
		kind    providers.ErrorKind
		variant string
		least   time.Duration // of the wait
	}{
		"a token that is dead":             {answer{401, nil, failure("INVALID_TOKEN")}, providers.NeedsReauth, "revoked", 0},
		"the same, said otherwise":         {answer{401, nil, failure("AUTHENTICATION_FAILURE")}, providers.NeedsReauth, "revoked", 0},
		"the same with a good status":      {answer{200, nil, failure("INVALID_TOKEN")}, providers.NeedsReauth, "revoked", 0},
		"the same in a list":               {answer{401, nil, `{"data":[` + failure("INVALID_TOKEN") + `]}`}, providers.NeedsReauth, "revoked", 0},
		"a scope that is missing":          {answer{401, nil, failure("OAUTH_SCOPE_MISMATCH")}, providers.NeedsReauth, "scope", 0},
		"a profile that may not":           {answer{403, nil, failure("NO_PERMISSION")}, providers.Blocked, "permission", 23 * time.Hour},
		"the edge's page":                  {answer{403, html, "<html>blocked</html>"}, providers.RateLimited, "", 14 * time.Minute},
		"a module that is hidden":          {answer{400, nil, failure("INVALID_MODULE")}, providers.Misconfigured, "request", 0},
		"a wrong path":                     {answer{404, nil, failure("INVALID_URL_PATTERN")}, providers.Misconfigured, "request", 0},
		"a parameter that is missing":      {answer{400, nil, failure("REQUIRED_PARAM_MISSING")}, providers.Misconfigured, "request", 0},
		"too many fields":                  {answer{400, nil, failure("LIMIT_EXCEEDED")}, providers.Misconfigured, "request", 0},
		"two ways of paging":               {answer{400, nil, failure("AMBIGUITY_DURING_PROCESSING")}, providers.Misconfigured, "request", 0},
		"a page beyond the tenth":          {answer{400, nil, failure("DISCRETE_PAGINATION_LIMIT_EXCEEDED")}, providers.Misconfigured, "request", 0},
		"a token of other parameters":      {answer{400, nil, failure("TOKEN_BOUND_DATA_MISMATCH")}, providers.CursorExpired, "", 0},
		"the same as 401":                  {answer{401, nil, failure("TOKEN_BOUND_DATA_MISMATCH")}, providers.CursorExpired, "", 0},
		"a token of yesterday":             {answer{400, nil, failure("EXPIRED_VALUE")}, providers.CursorExpired, "", 0},
		"too many calls at once":           {answer{429, nil, failure("TOO_MANY_REQUESTS")}, providers.RateLimited, "", 4 * time.Second},
		"no credits left":                  {answer{429, spent, failure("TOO_MANY_REQUESTS")}, providers.QuotaExhausted, "", 59 * time.Minute},
		"a fault of theirs":                {answer{500, nil, failure("INTERNAL_ERROR")}, providers.Transient, "", 0},
		"their fault with a good status":   {answer{200, nil, failure("INTERNAL_ERROR")}, providers.Transient, "", 0},
		"a gateway":                        {answer{502, html, "<html>bad gateway</html>"}, providers.Transient, "", 0},
		"maintenance":                      {answer{503, html, "<html>back soon</html>"}, providers.Transient, "", 0},
		"a login page":                     {answer{200, html, "<html>Sign in</html>"}, providers.Transient, "", 0},
		"nothing at all":                   {answer{200, nil, ""}, providers.Transient, "", 0},
		"a list without its end":           {answer{200, nil, `{"data":[]}`}, providers.SchemaChanged, "", 0},
		"more records after none":          {answer{200, nil, page(true, "token")}, providers.SchemaChanged, "", 0},
		"a redirect to a stranger":         {answer{302, map[string][]string{"Location": {"https://evil.example/"}}, ""}, providers.Misconfigured, "app", 0},
		"a redirect to another of its own": {answer{302, map[string][]string{"Location": {"https://www.zohoapis.in/crm"}}, ""}, providers.Misconfigured, "app", 0},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			begun := time.Now()
			got, err := sweep(t, c.answer)
			got.Observation = providers.Observation{}
			require.Empty(t, got, "never an empty page")
			e := requireError(t, err, c.kind, c.variant)
			require.NotContains(t, err.Error(), "<html>")
			if c.least > 0 {
				require.GreaterOrEqual(t, e.RetryAt.Sub(begun), c.least)
			}
		})
	}
}

// The token host's words, of which most come with status 200.
func TestTokenRefusals(t *testing.T) {
	t.Parallel()

	for body, c := range map[string]struct {
		status   int
		kind     providers.ErrorKind
		doubtful bool
	}{
		`{"error":"invalid_code"}`:          {200, providers.NeedsReauth, true},
		`{"error":"invalid_client"}`:        {200, providers.Misconfigured, false},
		`{"error":"invalid_client_secret"}`: {200, providers.Misconfigured, false},
		`{"error":"invalid_redirect_uri"}`:  {200, providers.Misconfigured, false},
		`{"error":"general_error"}`:         {200, providers.Transient, false},
		`{"error":"a word of tomorrow"}`:    {200, providers.Transient, false},
		`{"error":"Access Denied","error_description":"You have made too many requests continuously.","status":"failure"}`: {400, providers.RateLimited, false},
		``:                      {200, providers.Transient, false},
		`<html>Sign in</html>`:  {200, providers.Transient, false},
		`{"expires_in":3600}`:   {200, providers.Transient, false},
		`{"access_token":""}`:   {200, providers.Transient, false},
		`{"message":"teapot"}`:  {418, providers.Transient, false},
		`<html>502</html>`:      {502, providers.Transient, false},
		`{"error":"throttled"}`: {429, providers.RateLimited, false},
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()

			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json;charset=UTF-8")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, body)
			}))
			t.Cleanup(server.Close)
			o := zoho.New(zoho.Config{App: providers.App{ClientID: "id", ClientSecret: "the-secret", AuthBaseURL: server.URL}}).OAuth
			_, err := o.Refresh(t.Context(), server.URL, "the-refresh-token")
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.kind, e.Kind, "%v", e)
			require.Equal(t, c.doubtful, e.Doubtful)
			require.NotContains(t, e.Error(), "the-refresh-token")
			if c.kind == providers.RateLimited {
				require.WithinRange(t, e.RetryAt, time.Now().Add(9*time.Minute), time.Now().Add(16*time.Minute))
			}
		})
	}
}

// Nobody but the nine data centres is ever sent a secret or a token.
func TestDataCentres(t *testing.T) {
	t.Parallel()

	o := zoho.New(zoho.Config{App: providers.App{ClientID: "id", ClientSecret: "s"}, ClientSecrets: map[string]string{"ca": "canadian"}}).OAuth
	for server, domain := range map[string]string{
		"https://accounts.zoho.com": "https://www.zohoapis.com", "https://accounts.zoho.eu": "https://www.zohoapis.eu",
		"https://accounts.zoho.in": "https://www.zohoapis.in", "https://accounts.zoho.com.au": "https://www.zohoapis.com.au",
		"https://accounts.zoho.jp": "https://www.zohoapis.jp", "https://accounts.zoho.com.cn": "https://www.zohoapis.com.cn",
		"https://accounts.zoho.sa": "https://www.zohoapis.sa", "https://accounts.zoho.uk": "https://www.zohoapis.uk",
		"https://accounts.zohocloud.ca": "https://www.zohoapis.ca",
	} {
		got, err := o.AuthServer(url.Values{"accounts-server": {server}})
		require.NoError(t, err)
		require.Equal(t, server, got)
		require.True(t, o.TrustsDomain(domain))
		host, err := o.At(server)
		require.NoError(t, err)
		require.Equal(t, server+"/oauth/v2/token", host.TokenURL)
		require.Equal(t, map[bool]string{true: "canadian", false: "s"}[strings.HasSuffix(server, ".ca")], host.ClientSecret)
	}
	for _, stranger := range []string{
		"https://accounts.zoho.eu.attacker.example", "http://accounts.zoho.eu", "https://accounts.zoho.eu:8443", "https://accounts.zoho.eu@evil.example",
		"https://accounts.zoho.eu/x", "https://accounts.zohocloud.com", "https://accounts.zoho.ca", "//accounts.zoho.eu", "evil",
	} {
		_, err := o.AuthServer(url.Values{"accounts-server": {stranger}})
		require.Error(t, err, stranger)
		require.False(t, o.TrustsDomain(stranger), stranger)
	}
	for _, stranger := range []string{"https://evil.example", "https://www.zohoapis.eu.evil.example", "http://www.zohoapis.eu", "https://www.zohoapis.eu:8443", "https://x.zohoapis.eu"} {
		require.False(t, o.TrustsDomain(stranger), stranger)
	}
	byLocation, err := o.AuthServer(url.Values{"location": {"ca"}})
	require.NoError(t, err)
	require.Equal(t, "https://accounts.zohocloud.ca", byLocation)
}

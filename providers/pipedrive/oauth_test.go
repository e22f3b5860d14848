package pipedrive_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/providertest"
	"example.com/enlace/providers/sandbox"
)

func TestConnecting(t *testing.T) {
	t.Parallel()

	a := newAccount(t, sandbox.Config{}, nil)
	require.NoError(t, a.fake.Configure(func(s *sandbox.PipedriveSettings) { s.AutoConsent, s.RotateRefreshTokens = true, true }))
	const callback = "https://enlace.example.com/functions/v1/oauth-callback"
	o := a.provider.OAuth

	consent := o.AuthCodeURL("state-1", callback, "a verifier")
	query := consent[strings.Index(consent, "?")+1:]
	asked, err := url.ParseQuery(query)
	require.NoError(t, err)
	require.Equal(t, url.Values{"client_id": {sandbox.DefaultClientID}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"state-1"}}, asked, "no scope and no PKCE")

	code := codeOf(t, a, consent)
	grant, err := o.Exchange(t.Context(), "", code, callback, "a verifier")
	require.NoError(t, err)
	require.NotEmpty(t, grant.AccessToken)
	require.WithinDuration(t, time.Now().Add(3599*time.Second), grant.ExpiresAt, time.Minute)
	require.Equal(t, []string{"base", "contacts:read", "webhooks:full"}, grant.Scopes)
	require.Empty(t, o.Missing(grant.Scopes))
	require.Equal(t, a.domain, grant.APIDomain)

	identity, err := o.Identify(t.Context(), providers.Account{APIDomain: grant.APIDomain}, a.client)
	require.NoError(t, err)
	require.Equal(t, providers.Identity{ExternalID: "4242:7001", Name: "Nordlicht GmbH"}, identity)

	_, err = o.Exchange(t.Context(), "", code, callback, "")
	requireError(t, err, providers.InvalidRequest, "code")

	require.NoError(t, a.fake.Rename(sandbox.DefaultCompany, "new-name"))
	next, err := o.Refresh(t.Context(), "", grant.RefreshToken)
	require.NoError(t, err)
	require.NotEqual(t, grant.RefreshToken, next.RefreshToken)
	require.Equal(t, a.domain+"/company/new-name", next.APIDomain, "below the configured base it is trusted")
	_, err = o.Identify(t.Context(), providers.Account{APIDomain: grant.APIDomain}, a.client)
	require.True(t, requireError(t, err, providers.Misconfigured, "app").RefreshFirst, "the old address says: refresh")

	require.NoError(t, o.Revoke(t.Context(), "", next.RefreshToken))
	require.NoError(t, o.Revoke(t.Context(), "", "unknown"), "RFC 7009")
	_, err = o.Refresh(t.Context(), "", next.RefreshToken)
	requireError(t, err, providers.NeedsReauth, "revoked")

	a.fake.SetClient(sandbox.DefaultClientID, "another secret")
	for _, call := range []func() error{
		func() error { _, err := o.Refresh(t.Context(), "", next.RefreshToken); return err },
		func() error { _, err := o.Exchange(t.Context(), "", "code", callback, ""); return err },
		func() error { return o.Revoke(t.Context(), "", next.RefreshToken) },
	} {
		requireError(t, call(), providers.Misconfigured, "app")
	}
}

// codeOf follows the consent page as a browser would, up to the callback.
func codeOf(t *testing.T, a *account, consent string) string {
	t.Helper()
	return providertest.Redirect(t, a.config.TokenClient.Transport, consent).Query().Get("code")
}

// The rows of the provider's page, §1. A refusal of our own app never costs a person's connection.
func TestTokenRefusalsAreClassified(t *testing.T) {
	t.Parallel()

	for sentence, tt := range map[string]struct {
		status  int
		body    string
		kind    providers.ErrorKind
		variant string
	}{
		"the refresh token is dead":                {400, `{"success":false,"message":"Invalid grant: refresh_token is invalid","error":"invalid_grant"}`, providers.NeedsReauth, "revoked"},
		"the same without an error word":           {400, `{"success":false,"message":"Invalid grant: refresh_token is invalid"}`, providers.NeedsReauth, "revoked"},
		"our secret is wrong":                      {400, `{"success":false,"message":"Invalid client: client is invalid","error":"invalid_client"}`, providers.Misconfigured, "app"},
		"the error word outweighs the message":     {400, `{"success":false,"message":"Invalid grant: odd","error":"invalid_client"}`, providers.Misconfigured, "app"},
		"our secret is wrong, as RFC 6749 says it": {401, `{"error":"invalid_client"}`, providers.Misconfigured, "app"},
		"our redirect address is wrong":            {400, `{"success":false,"message":"Invalid request: redirect_uri is invalid"}`, providers.Misconfigured, "app"},
		"our form is wrong":                        {400, `{"success":false,"message":"Unsupported grant type"}`, providers.Misconfigured, "app"},
		"it moved":                                 {302, ``, providers.Misconfigured, "app"},
		"a page where JSON should be":              {400, `<html>Bad request</html>`, providers.Transient, ""},
		"nothing at all":                           {400, ``, providers.Transient, ""},
		"maintenance":                              {503, `<html>We are down</html>`, providers.Transient, ""},
		"their own fault, in RFC 6749's words":     {400, `{"error":"temporarily_unavailable"}`, providers.Transient, ""},
		"too many":                                 {429, `{"success":false}`, providers.RateLimited, ""},
		"the firewall":                             {403, `<html>blocked</html>`, providers.RateLimited, ""},
		"200 that says it failed":                  {200, `{"error":"invalid_grant"}`, providers.NeedsReauth, "revoked"},
		"200 with a page":                          {200, `<html>Sign in</html>`, providers.Transient, ""},
		"200 without a token":                      {200, `{"token_type":"Bearer"}`, providers.Transient, ""},
		"200 cut off":                              {200, `{"access_token":"ab`, providers.Transient, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()

			l := &line{status: tt.status, body: tt.body}
			o := pipedrive.New(pipedrive.Config{ClientID: "id", ClientSecret: "the-secret", TokenClient: l.client()}).OAuth
			grant, err := o.Refresh(t.Context(), "", "the-refresh-token")
			requireError(t, err, tt.kind, tt.variant)
			require.Empty(t, grant)
			require.Len(t, l.asked, 1, "a refusal is not tried another way")
			user, secret, _ := l.asked[0].BasicAuth()
			require.Equal(t, []string{"id", "the-secret", "https://oauth.pipedrive.com/oauth/token"}, []string{user, secret, l.asked[0].URL.String()})
		})
	}
}

// A token goes to Pipedrive's hosts, or below the address that configuration names; to no other.
func TestAPIDomainsThatAreTrusted(t *testing.T) {
	t.Parallel()

	const base = "http://127.0.0.1:8080/sandbox/pipedrive"
	for domain, trusted := range map[string]struct{ real, overridden bool }{
		"https://nordlicht-gmbh.pipedrive.com":       {true, true},
		"https://nordlicht-gmbh.pipedrive.com/":      {true, true},
		"":                                           {true, true}, // the old one stays
		"http://nordlicht-gmbh.pipedrive.com":        {false, false},
		"https://nordlicht-gmbh.pipedrive.com:8443":  {false, false},
		"https://user@nordlicht-gmbh.pipedrive.com":  {false, false},
		"https://nordlicht-gmbh.pipedrive.com/x":     {false, false},
		"https://nordlicht-gmbh.pipedrive.com?x=1":   {false, false},
		"https://pipedrive.com.evil.example":         {false, false},
		"https://evilpipedrive.com":                  {false, false},
		"https://.pipedrive.com":                     {false, false},
		"https://169.254.169.254":                    {false, false},
		"https://evil.example#.pipedrive.com":        {false, false},
		base:                                         {false, true},
		base + "/company/new-name":                   {false, true},
		base + "/../../v1/integrations":              {false, false},
		base + "/%2e%2e/%2e%2e/v1":                   {false, false},
		base + ".evil.example":                       {false, false},
		"http://127.0.0.1:8080":                      {false, false},
		"http://127.0.0.1:8080@evil.example/sandbox": {false, false},
	} {
		t.Run(domain, func(t *testing.T) {
			t.Parallel()

			for cfg, want := range map[pipedrive.Config]bool{{}: trusted.real, {APIBaseURL: base + "/"}: trusted.overridden} {
				token := (&oauth2.Token{AccessToken: "a"}).WithExtra(map[string]any{"api_domain": domain})
				var grant providers.Grant
				err := pipedrive.New(cfg).OAuth.Complete(token, &grant)
				require.Equal(t, want, err == nil, "override %q", cfg.APIBaseURL)
				if want {
					require.Equal(t, strings.TrimRight(domain, "/"), grant.APIDomain)
				} else {
					requireError(t, err, providers.Misconfigured, "app")
					require.Empty(t, grant)
				}
			}
		})
	}
}

func TestScopesThatAreMissing(t *testing.T) {
	t.Parallel()

	o := pipedrive.New(pipedrive.Config{}).OAuth
	require.Empty(t, o.Missing([]string{"base", "contacts:read"}))
	require.Empty(t, o.Missing([]string{"base", "contacts:full"}))
	require.Empty(t, o.Missing(nil), "it didn't say")
	require.Equal(t, []string{"contacts:read"}, o.Missing([]string{"base"}))
}

func TestIdentityNeedsUserAndCompany(t *testing.T) {
	t.Parallel()

	identify := func(body string) (providers.Identity, error) {
		l := &line{status: 200, body: body}
		return pipedrive.New(pipedrive.Config{}).OAuth.Identify(t.Context(), providers.Account{}, l.client())
	}
	for _, body := range []string{`{"success":true,"data":null}`, `{"success":true,"data":{"id":1}}`, `{"success":true,"data":{"company_id":1}}`, `{"data":[]}`} {
		_, err := identify(body)
		requireError(t, err, providers.SchemaChanged, "")
	}
	identity, err := identify(`{"success":true,"data":{"id":"7001","company_id":4242,"company_name":null,"company_domain":"nordlicht"}}`)
	require.NoError(t, err)
	require.Equal(t, providers.Identity{ExternalID: "4242:7001", Name: "nordlicht"}, identity)
}

func TestUninstallNotice(t *testing.T) {
	t.Parallel()

	const body = `{"client_id":"id","company_id":4242,"user_id":"7001","timestamp":"2026-11-25T08:00:00.000Z"}`
	notice := func(cfg pipedrive.Config, id, secret, body string) (string, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/functions/v1/oauth-callback", nil)
		if id != "" || secret != "" {
			r.SetBasicAuth(id, secret)
		}
		return pipedrive.New(cfg).Uninstall(r, []byte(body))
	}
	cfg := pipedrive.Config{ClientID: "id", ClientSecret: "secret"}
	account, err := notice(cfg, "id", "secret", body)
	require.NoError(t, err)
	require.Equal(t, "4242:7001", account)

	for _, wrong := range [][2]string{{"", ""}, {"id", "Secret"}, {"id", ""}, {"other", "secret"}, {"id", "secret "}} {
		_, err = notice(cfg, wrong[0], wrong[1], body)
		require.ErrorIs(t, err, providers.ErrUnverified, "%q", wrong)
	}
	_, err = notice(pipedrive.Config{ClientID: "id"}, "id", "", body)
	require.ErrorIs(t, err, providers.ErrUnverified, "an app without a secret verifies nothing")

	for _, odd := range []string{``, `[]`, `{"company_id":4242}`, `{"user_id":1}`, `{"company_id":{},"user_id":1}`} {
		_, err = notice(cfg, "id", "secret", odd)
		require.Error(t, err)
		require.NotErrorIs(t, err, providers.ErrUnverified)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()

	limits := pipedrive.New(pipedrive.Config{}).Limits
	require.Equal(t, providers.Positions, limits.Cursors)
	at := time.Date(2026, 12, 31, 23, 59, 59, 5, time.FixedZone("", -3600)) // 00:59:59 UTC
	require.Equal(t, time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC), limits.QuotaReset(at))
	require.Equal(t, time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC), limits.QuotaReset(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)), "at midnight the next one")
}

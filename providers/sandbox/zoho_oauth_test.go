package sandbox_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

// consented asks for consent at the US host and follows it to the callback.
func (b *zohoBundle) consented(params url.Values) url.Values {
	b.t.Helper()
	b.configure(func(s *sandbox.ZohoSettings) { s.AutoConsent = true })
	query := url.Values{
		"response_type": {"code"}, "client_id": {sandbox.DefaultClientID}, "redirect_uri": {callback}, "state": {"s&1"},
		"scope": {scopesAsked}, "access_type": {"offline"}, "prompt": {"consent"},
	}
	maps.Copy(query, params)
	target := b.base + "/accounts/us/oauth/v2/auth?" + query.Encode()
	for range 3 {
		got := b.send(http.MethodGet, target, "", "", nil)
		require.Equal(b.t, http.StatusFound, got.status, got.body)
		target = got.header.Get("Location")
		if strings.HasPrefix(target, callback) {
			return landed(b.t, got.header)
		}
	}
	require.Fail(b.t, "the consent does not end")
	return nil
}

func (b *zohoBundle) exchange(server, code string) (answer, sandbox.ZohoTokens) {
	b.t.Helper()
	got := b.post(server, url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {callback}, "code": {code}})
	return got, decode[sandbox.ZohoTokens](b.t, got.body)
}

// word is the error of a token answer, which has status 200 all the same.
func (b *zohoBundle) word(got answer) string {
	b.t.Helper()
	require.Equal(b.t, http.StatusOK, got.status, got.body)
	tokens := decode[sandbox.ZohoTokens](b.t, got.body)
	require.Empty(b.t, tokens.AccessToken)
	return tokens.Error
}

func TestZohoConsentLeadsToTheOrgsDataCentre(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 5)
	for _, o := range b.zoho.Orgs() {
		b.configure(func(s *sandbox.ZohoSettings) { s.ConsentOrg = o.ID })
		came := b.consented(nil)
		require.Equal(t, "s&1", came.Get("state"))
		require.Equal(t, o.DC, came.Get("location"))
		require.Equal(t, b.base+"/accounts/"+o.DC, came.Get("accounts-server"))
		_, tokens := b.exchange(came.Get("accounts-server"), came.Get("code"))
		require.NotEmpty(t, tokens.AccessToken)
		require.NotEmpty(t, tokens.RefreshToken)
		require.Equal(t, b.base+"/api/"+o.DC, tokens.APIDomain)
		require.Equal(t, 3600, tokens.ExpiresIn)
		require.Equal(t, strings.ReplaceAll(scopesAsked, ",", " "), tokens.Scope)
		b.access, b.host = tokens.AccessToken, tokens.APIDomain
		require.Equal(t, http.StatusOK, b.get("/crm/v8/org").status)
	}
}

func TestZohoConsentPage(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 5)
	query := url.Values{
		"response_type": {"code"}, "client_id": {sandbox.DefaultClientID}, "redirect_uri": {callback}, "state": {"s&1"},
		"scope": {scopesAsked}, "access_type": {"offline"}, "prompt": {"consent"},
	}
	page := b.send(http.MethodGet, b.base+"/accounts/us/oauth/v2/auth?"+query.Encode(), "", "", nil)
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, "Norrsken")
	send := func(decision, org string) answer {
		form := url.Values{"decision": {decision}, "org": {org}}
		maps.Copy(form, query)
		return b.send(http.MethodPost, b.base+"/accounts/us/oauth/v2/auth", "application/x-www-form-urlencoded", form.Encode(), nil)
	}
	require.Equal(t, "access_denied", landed(t, send("deny", "60010001").header).Get("error"))
	require.Equal(t, "us", landed(t, send("allow", "60010002").header).Get("location"))
	require.NotEqual(t, http.StatusFound, send("allow", "7").status)

	for name, wrong := range map[string]string{"client_id": "x", "redirect_uri": "/here", "response_type": "token", "scope": "ZohoCRM.nonsense"} {
		bad := maps.Clone(query)
		bad.Set(name, wrong)
		got := b.send(http.MethodGet, b.base+"/accounts/us/oauth/v2/auth?"+bad.Encode(), "", "", nil)
		require.NotEqual(t, http.StatusFound, got.status, name)
		require.Contains(t, strings.ToLower(got.body), "invalid", name)
	}
}

func TestZohoRefreshTokensNeedBothParameters(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	for _, step := range []struct {
		access, prompt string
		refreshable    bool
	}{
		{"online", "consent", false}, {"offline", "consent", true}, {"offline", "", false}, {"", "consent", false}, {"offline", "consent", true},
	} {
		came := b.consented(url.Values{"access_type": {step.access}, "prompt": {step.prompt}})
		got, tokens := b.exchange(came.Get("accounts-server"), came.Get("code"))
		require.NotEmpty(t, tokens.AccessToken, got.body)
		require.Equal(t, step.refreshable, tokens.RefreshToken != "", step)
	}
	fresh := bareZoho(t, 1)
	came := fresh.consented(url.Values{"prompt": {""}})
	_, tokens := fresh.exchange(came.Get("accounts-server"), came.Get("code"))
	require.NotEmpty(t, tokens.RefreshToken, "the very first consent")
}

func TestZohoCodesThatAreRefused(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	code := func() (server, code string) {
		came := b.consented(nil)
		return came.Get("accounts-server"), came.Get("code")
	}
	server, used := code()
	got, _ := b.exchange(server, used)
	require.Contains(t, got.body, "access_token")
	got, _ = b.exchange(server, used)
	require.Equal(t, "invalid_code", b.word(got), "used")
	_, elsewhere := code()
	got, _ = b.exchange(b.base+"/accounts/us", elsewhere)
	require.Equal(t, "invalid_code", b.word(got), "at another data centre")
	got, _ = b.exchange(server, "1000.x.y")
	require.Equal(t, "invalid_code", b.word(got), "invented")
	server, late := code()
	b.sandbox.Advance(time.Minute)
	got, _ = b.exchange(server, late)
	require.Equal(t, "invalid_code", b.word(got), "a minute late")
	server, other := code()
	got = b.post(server, url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {callback + "x"}, "code": {other}})
	require.Equal(t, "invalid_code", b.word(got), "another redirect_uri")
}

func TestZohoClientIsJudgedByDataCentre(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	refresh := func(id, secret string) answer {
		return b.post(b.accounts, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.refresh}, "client_id": {id}, "client_secret": {secret}})
	}
	require.Equal(t, "invalid_client", b.word(refresh("x", sandbox.DefaultClientSecret)))
	require.Equal(t, "invalid_client_secret", b.word(refresh(sandbox.DefaultClientID, "x")))
	require.NoError(t, b.zoho.SetSecret("eu", "european"))
	require.Equal(t, "invalid_client_secret", b.word(refresh(sandbox.DefaultClientID, sandbox.DefaultClientSecret)))
	require.Contains(t, refresh(sandbox.DefaultClientID, "european").body, "access_token")
	b.configure(func(s *sandbox.ZohoSettings) { s.MultiDC = false })
	require.Equal(t, "invalid_client", b.word(refresh(sandbox.DefaultClientID, "european")))
	require.ErrorContains(t, b.zoho.SetSecret("mars", "x"), "mars")
	require.Equal(t, "unsupported_grant_type", b.word(func() answer {
		b.configure(func(s *sandbox.ZohoSettings) { s.MultiDC = true })
		return b.post(b.accounts, url.Values{"grant_type": {"password"}, "client_secret": {"european"}})
	}()))
}

func TestZohoRefreshKeepsTheRefreshToken(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	for setting, body := range map[string]string{sandbox.Omitted: "", sandbox.AnswerEmpty: `"refresh_token":""`, sandbox.AnswerNull: `"refresh_token":null`} {
		b.configure(func(s *sandbox.ZohoSettings) { s.RefreshTokenInAnswer = setting })
		got := b.refreshAt(b.accounts, b.refresh)
		require.Equal(t, http.StatusOK, got.status)
		require.Contains(t, got.body, body)
		require.Equal(t, setting != sandbox.Omitted, strings.Contains(got.body, "refresh_token"))
		b.access = decode[sandbox.ZohoTokens](t, got.body).AccessToken
		require.Equal(t, http.StatusOK, b.get("/crm/v8/org").status)
	}
	for setting, want := range map[string]string{sandbox.ExpiresInSeconds: `"expires_in":3600`, sandbox.ExpiresInMS: `"expires_in_sec":3600`, sandbox.Omitted: `"token_type"`} {
		b.configure(func(s *sandbox.ZohoSettings) { s.ExpiresIn = setting })
		got := b.refreshAt(b.accounts, b.refresh)
		require.Contains(t, got.body, want)
		require.Equal(t, setting == sandbox.ExpiresInMS, strings.Contains(got.body, `"expires_in":3600000`))
		require.Equal(t, setting == sandbox.Omitted, !strings.Contains(got.body, "expires_in"))
	}
	b.configure(func(s *sandbox.ZohoSettings) { s.APIDomain = "https://evil.example" })
	require.Contains(t, b.refreshAt(b.accounts, b.refresh).body, `"api_domain":"https://evil.example"`)
	b.configure(func(s *sandbox.ZohoSettings) { s.APIDomain = sandbox.Omitted })
	require.NotContains(t, b.refreshAt(b.accounts, b.refresh).body, "api_domain")
}

func TestZohoThrottlesAfterTenRefreshes(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	for range 10 {
		require.Contains(t, b.refreshAt(b.accounts, b.refresh).body, "access_token")
	}
	for range 2 {
		got := b.refreshAt(b.accounts, b.refresh)
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Contains(t, got.body, `"error":"Access Denied"`)
		require.Contains(t, got.body, "too many requests continuously")
	}
	require.Equal(t, 12, b.zoho.Refreshes())
	other := b.zoho.IssueTokens(0)
	require.Contains(t, b.refreshAt(b.accounts, other.RefreshToken).body, "access_token", "each refresh token has its own")
	b.sandbox.Advance(10*time.Minute - time.Second)
	require.Equal(t, http.StatusBadRequest, b.refreshAt(b.accounts, b.refresh).status)
	b.sandbox.Advance(time.Second)
	require.Contains(t, b.refreshAt(b.accounts, b.refresh).body, "access_token")
}

func TestZohoTwentyFirstRefreshTokenKillsTheFirst(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	tokens := []string{b.refresh}
	for range 19 {
		tokens = append(tokens, b.zoho.IssueTokens(0).RefreshToken)
	}
	require.Contains(t, b.refreshAt(b.accounts, tokens[0]).body, "access_token")
	b.zoho.IssueTokens(60010002)
	require.Contains(t, b.refreshAt(b.accounts, tokens[0]).body, "access_token", "another user's do not count")
	b.zoho.IssueTokens(0)
	require.Equal(t, "invalid_code", b.word(b.refreshAt(b.accounts, tokens[0])))
	require.Contains(t, b.refreshAt(b.accounts, tokens[1]).body, "access_token")
	got := b.get("/crm/v8/org")
	require.Equal(t, http.StatusUnauthorized, got.status)
	require.Equal(t, "INVALID_TOKEN", errorCode(t, got.body))
}

func TestZohoTokensBelongToTheirDataCentre(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	require.Equal(t, http.StatusOK, b.get("/crm/v8/org").status)
	b.host = b.base + "/api/us"
	got := b.get("/crm/v8/org")
	require.Equal(t, http.StatusUnauthorized, got.status)
	require.Equal(t, "INVALID_TOKEN", errorCode(t, got.body))
	require.Equal(t, "invalid_code", b.word(b.refreshAt(b.base+"/accounts/us", b.refresh)))
	require.Contains(t, b.refreshAt(b.accounts, b.refresh).body, "access_token")
}

func TestZohoAccessTokensEnd(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	refused := func(code string) {
		t.Helper()
		got := b.get("/crm/v8/org")
		require.Equal(t, http.StatusUnauthorized, got.status)
		require.Equal(t, code, errorCode(t, got.body))
	}
	b.sandbox.Advance(time.Hour - time.Second)
	require.Equal(t, http.StatusOK, b.get("/crm/v8/org").status)
	b.sandbox.Advance(time.Second)
	refused("INVALID_TOKEN")
	b.use(0)
	b.zoho.ExpireAccessTokens()
	refused("INVALID_TOKEN")

	b.configure(func(s *sandbox.ZohoSettings) { s.LiveAccessTokens = 2 })
	b.use(0)
	b.refreshAt(b.accounts, b.refresh)
	require.Equal(t, http.StatusOK, b.get("/crm/v8/org").status)
	b.refreshAt(b.accounts, b.refresh)
	refused("INVALID_TOKEN")

	b.access = ""
	refused("AUTHENTICATION_FAILURE")
	b.use(0)
	bearer := func() int {
		return b.send(http.MethodGet, b.host+"/crm/v8/org", "", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+b.access) }).status
	}
	require.Equal(t, http.StatusUnauthorized, bearer())
	b.configure(func(s *sandbox.ZohoSettings) { s.AcceptBearer = true })
	require.Equal(t, http.StatusOK, bearer())
}

func TestZohoRevocation(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	revoke := func(host, token string) answer {
		return b.send(http.MethodPost, host+"/oauth/v2/token/revoke", "application/x-www-form-urlencoded", url.Values{"token": {token}}.Encode(), nil)
	}
	require.Equal(t, http.StatusBadRequest, revoke(b.base+"/accounts/us", b.refresh).status, "another data centre")
	got := revoke(b.accounts, b.refresh)
	require.Equal(t, http.StatusOK, got.status)
	require.JSONEq(t, `{"status":"success"}`, got.body)
	require.Equal(t, http.StatusBadRequest, revoke(b.accounts, b.refresh).status, "twice")
	require.Equal(t, "invalid_code", b.word(b.refreshAt(b.accounts, b.refresh)))
	require.Equal(t, http.StatusUnauthorized, b.get("/crm/v8/org").status)

	b.use(0)
	require.Equal(t, 1, b.zoho.Revoke(sandbox.DefaultOrg))
	require.Equal(t, "invalid_code", b.word(b.refreshAt(b.accounts, b.refresh)))
	for n := range 2 {
		b.zoho.IssueTokens(60010001 + n)
	}
	require.Equal(t, 2, b.zoho.Revoke(0), "of all orgs")
	require.Zero(t, b.zoho.Revoke(99))
	require.Empty(t, b.zoho.AccountsServer(99))
}

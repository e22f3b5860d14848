package sandbox_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

const callback = "https://enlace.example/functions/v1/oauth-callback"

// consent answers the consent page and returns what the callback would get.
func (b *bundle) consent(fields url.Values) url.Values {
	b.t.Helper()
	form := url.Values{"client_id": {sandbox.DefaultClientID}, "redirect_uri": {callback}, "state": {"s&1"}, "decision": {"allow"}}
	maps.Copy(form, fields)
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.root+"/oauth/authorize", strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{CheckRedirect: b.client.CheckRedirect} // a browser, whose form no document describes
	response, err := client.Do(r)
	require.NoError(b.t, err)
	require.NoError(b.t, response.Body.Close())
	require.Equal(b.t, http.StatusFound, response.StatusCode)
	return landed(b.t, response.Header)
}

func landed(t *testing.T, header http.Header) url.Values {
	t.Helper()
	target, err := url.Parse(header.Get("Location"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(target.String(), callback), target)
	return target.Query()
}

func (b *bundle) exchange(code string) answer {
	b.t.Helper()
	return b.form("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}})
}

func authorizeURL(fields url.Values) string {
	query := url.Values{"client_id": {sandbox.DefaultClientID}, "redirect_uri": {callback}, "state": {"s&1"}}
	maps.Copy(query, fields)
	return "/oauth/authorize?" + query.Encode()
}

func TestConsentPage(t *testing.T) {
	t.Parallel()

	b := setup(t, 5)
	got := b.get(authorizeURL(url.Values{"state": {`"><script>`}}))
	require.Equal(t, http.StatusOK, got.status)
	require.Contains(t, got.body, "Nordlicht GmbH")
	require.Contains(t, got.body, "Estúdio Ótimo Ltda")
	require.Contains(t, got.body, `value="4242" checked`)
	require.Contains(t, got.body, `name="decision" value="deny"`)
	require.NotContains(t, got.body, `"><script>`)
}

func TestConsentComesBack(t *testing.T) {
	t.Parallel()

	t.Run("allowed, for the company that was picked", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 5)
		back := b.consent(url.Values{"company": {"4244"}})
		require.Equal(t, "s&1", back.Get("state"))
		require.False(t, back.Has("error"))

		got := b.exchange(back.Get("code"))
		require.Equal(t, http.StatusOK, got.status, got.body)
		tokens := decode[sandbox.Tokens](t, got.body)
		require.Equal(t, sandbox.Tokens{
			AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, TokenType: "Bearer",
			ExpiresIn: 3599, Scope: "base,contacts:read,webhooks:full", APIDomain: b.root,
		}, tokens)
		require.GreaterOrEqual(t, len(tokens.AccessToken), 800)
		require.Regexp(t, `^7003:4244:[0-9a-f]{40}$`, tokens.RefreshToken)
		b.tokens = tokens
		require.Contains(t, b.get("/api/v1/users/me").body, `"company_id":4244`)
	})

	t.Run("denied", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 5)
		require.Equal(t, url.Values{"error": {"user_denied"}, "state": {"s&1"}}, b.consent(url.Values{"decision": {"deny"}}))
	})

	t.Run("at once, with auto consent", func(t *testing.T) {
		t.Parallel()

		b := bare(t, 5)
		b.configure(func(s *sandbox.PipedriveSettings) { s.AutoConsent, s.ConsentCompany = true, 4243 })
		got := b.get(authorizeURL(nil))
		require.Equal(t, http.StatusFound, got.status)
		tokens := decode[sandbox.Tokens](t, b.exchange(landed(t, got.header).Get("code")).body)
		require.Contains(t, tokens.RefreshToken, "7002:4243:")
	})

	t.Run("without a state if none was sent", func(t *testing.T) {
		t.Parallel()

		b := bare(t, 5)
		b.configure(func(s *sandbox.PipedriveSettings) { s.AutoConsent = true })
		got := b.get("/oauth/authorize?" + url.Values{"client_id": {sandbox.DefaultClientID}, "redirect_uri": {callback}}.Encode())
		require.False(t, landed(t, got.header).Has("state"))
	})
}

func TestConsentThatCannotGoOn(t *testing.T) {
	t.Parallel()

	b := bare(t, 1)
	b.configure(func(s *sandbox.PipedriveSettings) { s.AutoConsent = true })
	for name, fields := range map[string]url.Values{
		"an unknown client":     {"client_id": {"somebody"}},
		"no way back":           {"redirect_uri": {""}},
		"a relative way back":   {"redirect_uri": {"/callback"}},
		"a script as a way":     {"redirect_uri": {"javascript:alert(1)"}},
		"another response type": {"response_type": {"token"}},
	} {
		got := b.get(authorizeURL(fields))
		require.Equal(t, http.StatusBadRequest, got.status, name)
		require.Empty(t, got.header.Get("Location"), name)
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()

	const formKind = "application/x-www-form-urlencoded"
	good := func(r *http.Request) { r.SetBasicAuth(sandbox.DefaultClientID, sandbox.DefaultClientSecret) }
	for name, test := range map[string]struct {
		change       func(*http.Request)
		kind         string
		fields       map[string]string
		code, prefix string
	}{
		"a wrong secret": {
			change: func(r *http.Request) { r.SetBasicAuth(sandbox.DefaultClientID, "wrong") },
			code:   "invalid_client", prefix: "Invalid client: client is invalid",
		},
		"a wrong id": {
			change: func(r *http.Request) { r.SetBasicAuth("wrong", sandbox.DefaultClientSecret) },
			code:   "invalid_client", prefix: "Invalid client: client is invalid",
		},
		"a blank secret":          {change: func(r *http.Request) { r.SetBasicAuth(sandbox.DefaultClientID, "") }, code: "invalid_client", prefix: "Invalid client: client is invalid"},
		"no credentials":          {change: func(*http.Request) {}, code: "invalid_client", prefix: "Invalid client: cannot retrieve"},
		"a wrong secret inside":   {change: func(*http.Request) {}, fields: map[string]string{"client_id": sandbox.DefaultClientID, "client_secret": "wrong"}, code: "invalid_client", prefix: "Invalid client: client is invalid"},
		"a body of JSON":          {kind: "application/json", code: "invalid_request", prefix: "Invalid request: content must be"},
		"no code":                 {fields: map[string]string{"code": ""}, code: "invalid_request", prefix: "Missing parameter"},
		"no refresh token":        {fields: map[string]string{"grant_type": "refresh_token"}, code: "invalid_request", prefix: "Missing parameter"},
		"another grant":           {fields: map[string]string{"grant_type": "password"}, code: "unsupported_grant_type", prefix: "Unsupported grant type"},
		"an unknown code":         {fields: map[string]string{"code": "0000"}, code: "invalid_grant", prefix: "Invalid grant: authorization_code is invalid"},
		"another redirect_uri":    {fields: map[string]string{"redirect_uri": callback + "/"}, code: "invalid_request", prefix: "Invalid request: redirect_uri"},
		"a guessed refresh token": {fields: map[string]string{"grant_type": "refresh_token", "refresh_token": "7001:4242:" + strings.Repeat("0", 40)}, code: "invalid_grant", prefix: "Invalid grant: refresh_token is invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := bare(t, 1)
			fields := url.Values{"grant_type": {"authorization_code"}, "code": {b.consent(nil).Get("code")}, "redirect_uri": {callback}}
			for name, value := range test.fields {
				fields.Set(name, value)
			}
			change, kind := test.change, test.kind
			if change == nil {
				change = good
			}
			if kind == "" {
				kind = formKind
			}
			got := b.send(http.MethodPost, b.root+"/oauth/token", kind, fields.Encode(), change)
			require.Equal(t, http.StatusBadRequest, got.status)
			refused := decode[struct {
				Success *bool
				Error   string
				Message string
			}](t, got.body)
			require.NotNil(t, refused.Success)
			require.False(t, *refused.Success)
			require.Equal(t, test.code, refused.Error)
			require.True(t, strings.HasPrefix(refused.Message, test.prefix), refused.Message)
		})
	}
}

func TestCodesAreUsedOnceWithinFiveMinutes(t *testing.T) {
	t.Parallel()

	b := setup(t, 1)
	code := b.consent(nil).Get("code")
	require.Equal(t, http.StatusOK, b.exchange(code).status)
	require.Contains(t, b.exchange(code).body, "invalid_grant")

	code = b.consent(nil).Get("code")
	b.sandbox.Advance(5*time.Minute - time.Second)
	require.Equal(t, http.StatusOK, b.exchange(code).status)

	code = b.consent(nil).Get("code")
	b.sandbox.Advance(5 * time.Minute)
	require.Contains(t, b.exchange(code).body, "invalid_grant")
}

func TestARefusedExchangeLeavesTheCode(t *testing.T) {
	t.Parallel()

	b := bare(t, 1)
	code := b.consent(nil).Get("code")
	b.pipedrive.SetClient(sandbox.DefaultClientID, "other")
	require.Contains(t, b.exchange(code).body, "invalid_client")
	b.pipedrive.SetClient(sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	require.Equal(t, http.StatusOK, b.exchange(code).status)
}

func TestCredentialsInTheBodyAndTheSlashPath(t *testing.T) {
	t.Parallel()

	b := bare(t, 1)
	fields := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {b.tokens.RefreshToken},
		"client_id": {sandbox.DefaultClientID}, "client_secret": {sandbox.DefaultClientSecret},
	}
	got := b.send(http.MethodPost, b.root+"/oauth/token/", "application/x-www-form-urlencoded", fields.Encode(), nil)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, map[string]int{"/oauth/token": 1}, b.pipedrive.Calls())
}

func TestAccessTokensExpire(t *testing.T) {
	t.Parallel()

	t.Run("by the clock", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 1)
		b.configure(func(s *sandbox.PipedriveSettings) { s.TokenLifeSeconds = 60 })
		b.tokens = decode[sandbox.Tokens](t, b.refresh(b.tokens.RefreshToken).body)
		require.Equal(t, 60, b.tokens.ExpiresIn)
		b.sandbox.Advance(59 * time.Second)
		require.Equal(t, http.StatusOK, b.get("/api/v1/users/me").status)
		b.sandbox.Advance(time.Second)
		got := b.get("/api/v1/users/me")
		require.Equal(t, http.StatusUnauthorized, got.status)
		require.JSONEq(t, `{"success":false,"error":"unauthorized access","errorCode":401}`, got.body)
	})

	t.Run("early, although our clock says that they live", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 1)
		b.pipedrive.ExpireAccessTokens()
		require.Equal(t, http.StatusUnauthorized, b.get("/api/v2/persons").status)
		b.tokens = decode[sandbox.Tokens](t, b.refresh(b.tokens.RefreshToken).body)
		require.Equal(t, http.StatusOK, b.get("/api/v2/persons").status)
	})
}

func TestAuthorizationHeadersThatAreRefused(t *testing.T) {
	t.Parallel()

	b := bare(t, 1)
	whole := b.tokens.AccessToken
	for name, test := range map[string]struct {
		header string
		status int
	}{
		"none":                     {"", http.StatusUnauthorized},
		"another scheme":           {"Token " + whole, http.StatusBadRequest},
		"no token":                 {"Bearer ", http.StatusBadRequest},
		"a token cut to 512 chars": {"Bearer " + whole[:512], http.StatusUnauthorized},
		"a changed token":          {"Bearer " + whole[:100] + "!" + whole[101:], http.StatusUnauthorized},
		"a refresh token":          {"Bearer " + b.tokens.RefreshToken, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			mine := *b
			mine.t = t
			got := mine.send(http.MethodGet, b.root+"/api/v2/persons", "", "", func(r *http.Request) { r.Header.Set("Authorization", test.header) })
			require.Equal(t, test.status, got.status)
		})
	}
}

func TestRefreshTokens(t *testing.T) {
	t.Parallel()

	t.Run("stay the same", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 1)
		for range 2 {
			next := decode[sandbox.Tokens](t, b.refresh(b.tokens.RefreshToken).body)
			require.Equal(t, b.tokens.RefreshToken, next.RefreshToken)
			require.NotEqual(t, b.tokens.AccessToken, next.AccessToken)
		}
		require.Equal(t, 2, b.pipedrive.Refreshes())
	})

	t.Run("rotate if told so, and the one before is refused", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 1)
		b.configure(func(s *sandbox.PipedriveSettings) { s.RotateRefreshTokens = true })
		next := decode[sandbox.Tokens](t, b.refresh(b.tokens.RefreshToken).body)
		require.NotEqual(t, b.tokens.RefreshToken, next.RefreshToken)
		require.Contains(t, b.refresh(b.tokens.RefreshToken).body, "invalid_grant")
		require.Equal(t, http.StatusOK, b.refresh(next.RefreshToken).status)
		require.Equal(t, http.StatusOK, b.get("/api/v2/persons").status, "the access token lives its own life")
	})

	t.Run("die after 60 days without use", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 1)
		b.sandbox.Advance(59 * 24 * time.Hour)
		require.Equal(t, http.StatusOK, b.refresh(b.tokens.RefreshToken).status)
		b.sandbox.Advance(60 * 24 * time.Hour)
		require.Contains(t, b.refresh(b.tokens.RefreshToken).body, "invalid_grant")
	})
}

func TestRevocation(t *testing.T) {
	t.Parallel()

	t.Run("of a refresh token uninstalls", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 1)
		other := b.pipedrive.IssueTokens(4243)
		require.Equal(t, http.StatusOK, b.form("/oauth/revoke", url.Values{"token": {b.tokens.RefreshToken}, "token_type_hint": {"refresh_token"}}).status)
		require.Equal(t, http.StatusUnauthorized, b.get("/api/v2/persons").status)
		require.Contains(t, b.refresh(b.tokens.RefreshToken).body, "invalid_grant")
		require.Equal(t, http.StatusOK, b.refresh(other.RefreshToken).status, "another company stays")
		b.tokens = b.pipedrive.IssueTokens(0)
		require.Equal(t, http.StatusOK, b.get("/api/v2/persons").status, "connected anew")
	})

	t.Run("of an unknown token is fine, of a stranger is not", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 1)
		require.Equal(t, http.StatusOK, b.form("/oauth/revoke", url.Values{"token": {"unknown"}}).status)
		got := b.send(http.MethodPost, b.root+"/oauth/revoke", "application/x-www-form-urlencoded", "token="+b.tokens.RefreshToken, nil)
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Equal(t, http.StatusOK, b.get("/api/v2/persons").status)
	})

	t.Run("behind our back", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 1)
		b.pipedrive.IssueTokens(4243)
		require.Equal(t, 2, b.pipedrive.Revoke(0))
		require.Equal(t, http.StatusUnauthorized, b.get("/api/v2/persons").status)
	})
}

func TestUninstallCallsTheCallback(t *testing.T) {
	t.Parallel()

	type call struct {
		method, id, secret string
		body               map[string]any
	}
	received := make(chan call, 1)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		text, _ := io.ReadAll(r.Body)
		c := call{method: r.Method, id: id, secret: secret}
		_ = json.Unmarshal(text, &c.body)
		received <- c
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(app.Close)

	b := bare(t, 1)
	_, err := b.pipedrive.Uninstall(t.Context(), 0, "")
	require.ErrorContains(t, err, "no callback is known")
	b.tokens = b.pipedrive.IssueTokens(0)

	back := app.URL + "/functions/v1/oauth-callback"
	b.configure(func(s *sandbox.PipedriveSettings) { s.AutoConsent = true })
	location := b.get(authorizeURL(url.Values{"redirect_uri": {back}})).header.Get("Location")
	target, err := url.Parse(location)
	require.NoError(t, err)
	got := b.form("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {target.Query().Get("code")}, "redirect_uri": {back}})
	require.Equal(t, http.StatusOK, got.status, got.body)

	status, err := b.pipedrive.Uninstall(t.Context(), 0, "")
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, status)
	require.Equal(t, call{http.MethodDelete, sandbox.DefaultClientID, sandbox.DefaultClientSecret, map[string]any{
		"client_id": sandbox.DefaultClientID, "company_id": 4242.0, "user_id": 7001.0, "timestamp": "2026-11-24T12:00:00.000Z",
	}}, <-received)
	require.Equal(t, http.StatusUnauthorized, b.get("/api/v2/persons").status)
}

func TestARenamedCompanyMoves(t *testing.T) {
	t.Parallel()

	b := bare(t, 1)
	require.ErrorContains(t, b.pipedrive.Rename(0, "Not/a domain"), "lower-case")
	require.NoError(t, b.pipedrive.Rename(0, "polarstern"))
	require.Equal(t, http.StatusNotFound, b.get("/api/v2/persons").status)

	b.tokens = decode[sandbox.Tokens](t, b.refresh(b.tokens.RefreshToken).body)
	require.Equal(t, b.root+"/company/polarstern", b.tokens.APIDomain)
	got := b.send(http.MethodGet, b.tokens.APIDomain+"/api/v2/persons", "", "", b.bearer)
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, 2, b.pipedrive.Calls()["/api/v2/persons"])
}

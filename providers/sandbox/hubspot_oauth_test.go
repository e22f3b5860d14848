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

const hubScope = "oauth crm.objects.contacts.read"

func hubAuthorize(fields url.Values) string {
	query := url.Values{"client_id": {sandbox.DefaultClientID}, "redirect_uri": {callback}, "scope": {hubScope}, "state": {"s&1"}}
	maps.Copy(query, fields)
	return "/oauth/authorize?" + query.Encode()
}

// consent answers the consent page and returns what the callback would get.
func (h *hub) consent(fields url.Values) url.Values {
	h.t.Helper()
	form := url.Values{"client_id": {sandbox.DefaultClientID}, "redirect_uri": {callback}, "state": {"s&1"}, "decision": {"allow"}}
	maps.Copy(form, fields)
	got := h.send(http.MethodPost, h.root+"/oauth/authorize", "application/x-www-form-urlencoded", form.Encode(), nil)
	require.Equal(h.t, http.StatusFound, got.status, got.body)
	return landed(h.t, got.header)
}

func (h *hub) exchange(path, code string) answer {
	h.t.Helper()
	return h.form(path, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}})
}

func (h *hub) renew() {
	h.t.Helper()
	h.tokens = decode[sandbox.HubSpotTokens](h.t, h.refresh(hubToken, h.tokens.RefreshToken).body)
}

func TestHubSpotConsentPage(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 5)
	got := h.get(hubAuthorize(url.Values{"state": {`"><script>`}}))
	require.Equal(t, http.StatusOK, got.status)
	require.Contains(t, got.body, "not the real HubSpot")
	require.Contains(t, got.body, "Estúdio Ótimo Ltda")
	require.Contains(t, got.body, `value="4242" checked`)
	require.NotContains(t, got.body, `"><script>`)
}

func TestHubSpotConsentComesBack(t *testing.T) {
	t.Parallel()

	t.Run("allowed, for the portal that was picked", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 5)
		back := h.consent(url.Values{"company": {"4244"}})
		require.Equal(t, "s&1", back.Get("state"))
		require.False(t, back.Has("error"))
		got := h.exchange(hubToken, back.Get("code"))
		require.Equal(t, http.StatusOK, got.status, got.body)
		tokens := decode[sandbox.HubSpotTokens](t, got.body)
		require.Equal(t, sandbox.HubSpotTokens{
			TokenType: "bearer", AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, ExpiresIn: 1800,
			HubID: 4244, UserID: 7003, Scopes: []string{"oauth", "crm.objects.contacts.read"},
		}, tokens)
		require.Greater(t, len(tokens.AccessToken), 512)
		require.Regexp(t, `^eu1-7003-4244-[0-9a-f]{40}$`, tokens.RefreshToken)
		require.NotContains(t, got.body, "hubId", "names are snake_case on the wire")

		h.tokens = tokens
		account := decode[map[string]any](t, h.get(hubAccount).body)
		require.InDelta(t, 4244, account["portalId"], 0)
		require.Equal(t, "America/Sao_Paulo", account["timeZone"])
		require.Equal(t, "-03:00", account["utcOffset"])
	})

	t.Run("denied", func(t *testing.T) {
		t.Parallel()

		back := hubSetup(t, 5).consent(url.Values{"decision": {"deny"}})
		require.Equal(t, "access_denied", back.Get("error"))
		require.NotEmpty(t, back.Get("error_description"))
		require.Equal(t, "s&1", back.Get("state"))
		require.False(t, back.Has("code"))
	})

	t.Run("at once, with auto consent", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 5)
		h.set(func(s *sandbox.HubSpotSettings) { s.AutoConsent, s.ConsentPortal = true, 4243 })
		got := h.get(hubAuthorize(nil))
		require.Equal(t, http.StatusFound, got.status)
		require.Contains(t, h.exchange(hubToken, landed(t, got.header).Get("code")).body, `"hub_id":4243`)
	})
}

func TestHubSpotConsentThatCannotGoOn(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 1)
	h.set(func(s *sandbox.HubSpotSettings) { s.AutoConsent = true })
	for name, fields := range map[string]url.Values{
		"an unknown client":                {"client_id": {"somebody"}},
		"no way back":                      {"redirect_uri": {""}},
		"a script as a way":                {"redirect_uri": {"javascript:alert(1)"}},
		"less than the app is registered":  {"scope": {"oauth"}},
		"more than the app is registered":  {"scope": {hubScope + " crm.objects.contacts.write"}},
		"scopes with commas":               {"scope": {strings.ReplaceAll(hubScope, " ", ",")}},
		"an optional scope nobody gave us": {"optional_scope": {"tickets"}},
	} {
		got := h.get(hubAuthorize(fields))
		require.Equal(t, http.StatusBadRequest, got.status, name)
		require.Empty(t, got.header.Get("Location"), name)
	}
	require.Equal(t, http.StatusFound, h.get(hubAuthorize(url.Values{"scope": {"oauth"}, "optional_scope": {"crm.objects.contacts.read"}})).status)
}

func TestHubSpotTokenRefusals(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		kind   string
		fields url.Values
		status string // v1's word
		oauth  string // v3's word
	}{
		"a wrong secret":           {fields: url.Values{"client_secret": {"wrong"}}, status: "BAD_CLIENT_SECRET", oauth: "invalid_client"},
		"a wrong id":               {fields: url.Values{"client_id": {"wrong"}}, status: "BAD_CLIENT_ID", oauth: "invalid_client"},
		"no secret":                {fields: url.Values{"client_secret": {}}, status: "BAD_CLIENT_SECRET", oauth: "invalid_client"},
		"an unknown code":          {fields: url.Values{"code": {"0000"}}, status: "BAD_AUTH_CODE", oauth: "invalid_grant"},
		"another redirect_uri":     {fields: url.Values{"redirect_uri": {callback + "/"}}, status: "MISMATCH_REDIRECT_URI_AUTH_CODE", oauth: "invalid_grant"},
		"no code":                  {fields: url.Values{"code": {}}, status: "BAD_REQUEST", oauth: "invalid_request"},
		"no refresh token":         {fields: url.Values{"grant_type": {"refresh_token"}}, status: "BAD_REQUEST", oauth: "invalid_request"},
		"a guessed refresh token":  {fields: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"eu1-7001-4242-" + strings.Repeat("0", 40)}}, status: "BAD_REFRESH_TOKEN", oauth: "invalid_grant"},
		"another kind of token":    {fields: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"abc"}}, status: "BAD_REFRESH_TOKEN", oauth: "invalid_grant"},
		"a grant that is none":     {fields: url.Values{"grant_type": {"password"}}, status: "BAD_GRANT_TYPE", oauth: "unsupported_grant_type"},
		"fields that are no form":  {kind: "application/json", status: "BAD_REQUEST", oauth: "invalid_request"},
		"fields that hide what is": {kind: "none", status: "BAD_REQUEST", oauth: "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := hubBare(t, 1)
			form := url.Values{
				"grant_type": {"authorization_code"}, "code": {h.consent(nil).Get("code")}, "redirect_uri": {callback},
				"client_id": {sandbox.DefaultClientID}, "client_secret": {sandbox.DefaultClientSecret},
			}
			maps.Copy(form, test.fields)
			kind := test.kind
			if kind == "" {
				kind = "application/x-www-form-urlencoded"
			}
			ask := func(path string) answer {
				got := h.send(http.MethodPost, h.root+path, kind, form.Encode(), nil)
				require.Equal(t, http.StatusBadRequest, got.status)
				return got
			}
			v1 := decode[map[string]string](t, ask(hubTokenV1).body)
			require.Equal(t, test.status, v1["status"])
			require.NotEmpty(t, v1["correlationId"])
			require.NotContains(t, v1, "error")
			v3 := decode[map[string]string](t, ask(hubToken).body)
			require.Equal(t, test.oauth, v3["error"])
			require.NotEmpty(t, v3["error_description"])
			require.NotContains(t, v3, "status")

			h.set(func(s *sandbox.HubSpotSettings) { s.TokenErrors = sandbox.TokenErrorsStatus })
			require.Equal(t, test.status, decode[map[string]string](t, ask(hubToken).body)["status"])
			h.set(func(s *sandbox.HubSpotSettings) { s.TokenErrors = sandbox.TokenErrorsOAuth })
			require.Equal(t, test.oauth, decode[map[string]string](t, ask(hubTokenV1).body)["error"])
			h.set(func(s *sandbox.HubSpotSettings) { s.TokenErrors = sandbox.TokenErrorsHTML })
			require.Contains(t, ask(hubToken).body, "<html>")
		})
	}
}

func TestHubSpotCredentialsAreTakenFromTheBodyAlone(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 1)
	fields := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {h.tokens.RefreshToken}}
	credentials := url.Values{"client_id": {sandbox.DefaultClientID}, "client_secret": {sandbox.DefaultClientSecret}}
	const form = "application/x-www-form-urlencoded"
	inQuery := h.send(http.MethodPost, h.root+hubToken+"?"+credentials.Encode(), form, fields.Encode(), nil)
	require.Contains(t, inQuery.body, "invalid_client")
	inHeader := h.send(http.MethodPost, h.root+hubToken, form, fields.Encode(), func(r *http.Request) {
		r.SetBasicAuth(sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	})
	require.Contains(t, inHeader.body, "invalid_client")
	require.Equal(t, http.StatusOK, h.refresh(hubToken, h.tokens.RefreshToken).status)
}

func TestHubSpotCodesAreUsedOnce(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 1)
	code := h.consent(nil).Get("code")
	require.Equal(t, http.StatusOK, h.exchange(hubToken, code).status)
	require.Contains(t, h.exchange(hubToken, code).body, "invalid_grant")
	code = h.consent(nil).Get("code")
	h.sandbox.Advance(5 * time.Minute)
	require.Contains(t, h.exchange(hubTokenV1, code).body, "BAD_AUTH_CODE")
}

func TestHubSpotTokenAnswers(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 1)
	require.Contains(t, h.refresh(hubToken, h.tokens.RefreshToken).body, `"hub_id":4242`)
	got := h.refresh(hubTokenV1, h.tokens.RefreshToken)
	require.Equal(t, http.StatusOK, got.status)
	for _, name := range []string{"hub_id", "user_id", "scopes"} {
		require.NotContains(t, got.body, name)
	}
	h.set(func(s *sandbox.HubSpotSettings) { s.HideIdentity, s.HideRefreshToken = true, true })
	got = h.refresh(hubToken, h.tokens.RefreshToken)
	require.NotContains(t, got.body, "hub_id")
	require.NotContains(t, got.body, "refresh_token")
	require.Contains(t, h.exchange(hubToken, h.consent(nil).Get("code")).body, "refresh_token", "the first answer has it always")
	require.Equal(t, 3, h.hubspot.Refreshes())
}

func TestHubSpotAccessTokens(t *testing.T) {
	t.Parallel()

	t.Run("expire by the clock", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 1)
		h.renew()
		require.Equal(t, 1800, h.tokens.ExpiresIn)
		h.sandbox.Advance(1799 * time.Second)
		require.Equal(t, http.StatusOK, h.get(hubContacts).status)
		h.sandbox.Advance(time.Second)
		got := h.get(hubContacts)
		require.Equal(t, http.StatusUnauthorized, got.status)
		require.Contains(t, got.body, `"category":"EXPIRED_AUTHENTICATION"`)
	})

	t.Run("expire early, although our clock says that they live", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 1)
		h.hubspot.ExpireAccessTokens()
		require.Contains(t, h.get(hubContacts).body, "EXPIRED_AUTHENTICATION")
		h.renew()
		require.Equal(t, http.StatusOK, h.get(hubContacts).status)
	})

	t.Run("are refused if they are not whole", func(t *testing.T) {
		t.Parallel()

		h := hubBare(t, 1)
		whole := h.tokens.AccessToken
		for name, header := range map[string]string{
			"none": "", "another scheme": "Token " + whole, "no token": "Bearer ", "a token cut to 300 characters": "Bearer " + whole[:300],
			"a changed token": "Bearer " + whole[:100] + "!" + whole[101:], "a refresh token": "Bearer " + h.tokens.RefreshToken,
			"a token of another provider": "Bearer " + h.sandbox.Pipedrive().IssueTokens(0).AccessToken,
		} {
			got := h.send(http.MethodGet, h.root+hubContacts, "", "", func(r *http.Request) {
				if header != "" {
					r.Header.Set("Authorization", header)
				}
			})
			require.Equal(t, http.StatusUnauthorized, got.status, name)
			require.Contains(t, got.body, `"category":"INVALID_AUTHENTICATION"`, name)
		}
	})

	t.Run("carry the scope that they were granted with", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 1)
		h.set(func(s *sandbox.HubSpotSettings) { s.Scope = "oauth" })
		h.renew()
		got := h.get(hubContacts)
		require.Equal(t, http.StatusForbidden, got.status)
		require.Contains(t, got.body, `"category":"MISSING_SCOPES"`)
		require.Contains(t, got.body, `"missingScopes":["crm.objects.contacts.read"]`)
		require.Equal(t, http.StatusOK, h.get(hubAccount).status)
	})
}

func TestHubSpotRefreshTokens(t *testing.T) {
	t.Parallel()

	t.Run("stay the same and live on unused", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 1)
		before := h.tokens
		h.sandbox.Advance(3 * 365 * 24 * time.Hour)
		h.renew()
		require.Equal(t, before.RefreshToken, h.tokens.RefreshToken)
		require.NotEqual(t, before.AccessToken, h.tokens.AccessToken)
		require.Equal(t, http.StatusOK, h.get(hubContacts).status)
	})

	t.Run("rotate if told so, and the one before is refused", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 1)
		h.set(func(s *sandbox.HubSpotSettings) { s.RotateRefreshTokens = true })
		before := h.tokens
		h.renew()
		require.NotEqual(t, before.RefreshToken, h.tokens.RefreshToken)
		require.Contains(t, h.refresh(hubTokenV1, before.RefreshToken).body, "BAD_REFRESH_TOKEN")
		require.Equal(t, http.StatusOK, h.refresh(hubToken, h.tokens.RefreshToken).status)
	})
}

func TestHubSpotRevocation(t *testing.T) {
	t.Parallel()

	for name, revoke := range map[string]func(h *hub) answer{
		"v3": func(h *hub) answer {
			return h.form(hubToken+"/revoke", url.Values{"token": {h.tokens.RefreshToken}, "token_type_hint": {"refresh_token"}})
		},
		"v1": func(h *hub) answer {
			return h.send(http.MethodDelete, h.root+"/oauth/v1/refresh-tokens/"+h.tokens.RefreshToken, "", "", nil)
		},
	} {
		t.Run(name+" ends the refresh token alone", func(t *testing.T) {
			t.Parallel()

			h := hubSetup(t, 1)
			other := h.hubspot.IssueTokens(0)
			got := revoke(h)
			require.Equal(t, http.StatusNoContent, got.status, got.body)
			require.Empty(t, got.body)
			require.Contains(t, h.refresh(hubToken, h.tokens.RefreshToken).body, "invalid_grant")
			require.Equal(t, http.StatusOK, h.get(hubContacts).status, "the access token lives on")
			require.Equal(t, http.StatusOK, h.refresh(hubToken, other.RefreshToken).status, "so does another user's install")
			h.sandbox.Advance(1800 * time.Second)
			require.Equal(t, http.StatusUnauthorized, h.get(hubContacts).status)
		})
	}

	t.Run("of a stranger and of an unknown token", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 1)
		got := h.form(hubToken+"/revoke", url.Values{"token": {h.tokens.RefreshToken}, "client_secret": {"wrong"}})
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Equal(t, http.StatusNoContent, h.form(hubToken+"/revoke", url.Values{"token": {"unknown"}}).status)
		require.Equal(t, http.StatusBadRequest, h.form(hubToken+"/revoke", url.Values{"token": {""}}).status)
		require.Equal(t, http.StatusNotFound, h.send(http.MethodDelete, h.root+"/oauth/v1/refresh-tokens/unknown", "", "", nil).status)
		require.Equal(t, http.StatusOK, h.refresh(hubToken, h.tokens.RefreshToken).status)
	})

	t.Run("outlives a restart", func(t *testing.T) {
		t.Parallel()

		h, after := hubSetup(t, 1), hubSetup(t, 1)
		after.tokens = h.tokens
		require.Equal(t, http.StatusNoContent, after.form(hubToken+"/revoke", url.Values{"token": {h.tokens.RefreshToken}}).status)
		require.Contains(t, after.refresh(hubToken, h.tokens.RefreshToken).body, "invalid_grant")
	})
}

func TestHubSpotUninstall(t *testing.T) {
	t.Parallel()

	t.Run("by a user: nobody is told, all tokens are dead", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 1)
		other := h.hubspot.IssueTokens(4243)
		require.Equal(t, 1, h.hubspot.Revoke(4242))
		require.Contains(t, h.get(hubContacts).body, "INVALID_AUTHENTICATION")
		require.Contains(t, h.refresh(hubTokenV1, h.tokens.RefreshToken).body, "BAD_REFRESH_TOKEN")
		require.Equal(t, http.StatusOK, h.refresh(hubToken, other.RefreshToken).status)
		h.tokens = h.hubspot.IssueTokens(0)
		require.Equal(t, http.StatusOK, h.get(hubContacts).status, "installed anew")
	})

	t.Run("by us", func(t *testing.T) {
		t.Parallel()

		h := hubSetup(t, 1)
		got := h.send(http.MethodDelete, h.root+"/appinstalls/v3/external-install", "", "", h.bearer)
		require.Equal(t, http.StatusNoContent, got.status)
		require.Equal(t, http.StatusUnauthorized, h.get(hubContacts).status)
		require.Contains(t, h.refresh(hubToken, h.tokens.RefreshToken).body, "invalid_grant")
	})
}

func TestHubSpotIdentity(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 1)
	introspect := func(token string) map[string]any {
		got := h.form(hubToken+"/introspect", url.Values{"token": {token}})
		require.Equal(t, http.StatusOK, got.status, got.body)
		return decode[map[string]any](t, got.body)
	}
	info := func() answer {
		return h.send(http.MethodGet, h.root+"/oauth/v1/access-tokens/"+h.tokens.AccessToken, "", "", nil)
	}
	for kind, token := range map[string]string{"access_token": h.tokens.AccessToken, "refresh_token": h.tokens.RefreshToken} {
		shown := introspect(token)
		require.Equal(t, true, shown["active"])
		require.Equal(t, kind, shown["token_type"])
		require.InDelta(t, 4242, shown["hub_id"], 0)
		require.Equal(t, []any{"oauth", "crm.objects.contacts.read"}, shown["scopes"])
	}
	require.Contains(t, info().body, `"hub_id":4242`)
	require.Equal(t, map[string]any{"active": false}, introspect("unknown"))
	require.Equal(t, http.StatusBadRequest, h.form(hubToken+"/introspect", url.Values{"token": {""}}).status)
	require.Equal(t, http.StatusBadRequest, h.form(hubToken+"/introspect", url.Values{"token": {"x"}, "client_id": {"x"}}).status)

	h.hubspot.ExpireAccessTokens()
	require.Equal(t, map[string]any{"active": false}, introspect(h.tokens.AccessToken))
	require.Equal(t, http.StatusNotFound, info().status)
	h.hubspot.Revoke(0)
	require.Equal(t, map[string]any{"active": false}, introspect(h.tokens.RefreshToken))
}

func TestHubSpotLogNamesThePortalAndNeverTheToken(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 3)
	h.list("limit=2")
	h.refresh(hubToken, h.tokens.RefreshToken)
	log := h.hubspot.Requests()
	require.Len(t, log, 2)
	require.Equal(t, sandbox.Request{
		At: midday.Add(120 * time.Millisecond), Method: "GET", Path: hubContacts, Query: "limit=2", Grant: "portal 4242 user 7001",
	}, log[0])
	require.Equal(t, "portal 4242 user 7001", log[1].Grant)
	require.Equal(t, map[string]int{hubContacts: 1, hubToken: 1}, h.hubspot.Calls())
	h.hubspot.ResetCounters()
	require.Empty(t, h.hubspot.Requests())
}

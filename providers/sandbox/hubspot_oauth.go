package sandbox

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// HubSpotTokens is a token answer of HubSpot.
type HubSpotTokens struct {
	TokenType    string `json:"token_type"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	// The rest is not in v1's answers.
	HubID  int      `json:"hub_id,omitempty"`
	UserID int      `json:"user_id,omitempty"`
	Scopes []string `json:"scopes,omitempty"`
}

// hubspotAppID is the number of our app at HubSpot.
const hubspotAppID = 55

// What every token of HubSpot begins with.
const (
	accessTokenMark  = "CMi"
	refreshTokenMark = "eu1-"
)

// token is POST of a token path, for codes and refresh tokens.
func (h *HubSpot) token(w http.ResponseWriter, r *http.Request) {
	tokens, failed := h.grantTokens(r)
	if failed != nil {
		h.refuseToken(w, r, *failed)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeAPI(w, http.StatusOK, tokens)
}

func (h *HubSpot) grantTokens(r *http.Request) (HubSpotTokens, *tokenFailure) {
	form, failed := h.clientForm(r)
	if failed != nil {
		return HubSpotTokens{}, failed
	}
	settings := h.current()
	var granted grant
	var err error
	refreshes := false
	switch form.Get("grant_type") {
	case "authorization_code":
		if form.Get("code") == "" || form.Get("redirect_uri") == "" {
			return HubSpotTokens{}, &missingField
		}
		granted, err = h.auth.exchange(form.Get("code"), form.Get("redirect_uri"), settings.Scope)
	case "refresh_token":
		if form.Get("refresh_token") == "" {
			return HubSpotTokens{}, &missingField
		}
		refreshes = true
		h.site.count(func(n *tally) { n.Refreshes++ })
		granted, err = h.auth.refresh(plainRefreshToken(form.Get("refresh_token")), settings.RotateRefreshTokens, settings.Scope)
		if err != nil {
			h.site.count(func(n *tally) { n.RefreshesRefused++ })
		}
	default:
		return HubSpotTokens{}, &unsupportedGrant
	}
	switch {
	case errors.Is(err, errRedirectURI):
		return HubSpotTokens{}, &redirectMismatch
	case errors.Is(err, errCode):
		return HubSpotTokens{}, &badAuthCode
	case err != nil:
		return HubSpotTokens{}, &badRefreshToken
	}
	h.site.noteGrant(r, fmt.Sprintf("portal %d user %d", granted.company, granted.user))
	tokens := h.tokensOf(granted)
	if settings.HideIdentity || isV1(r) {
		tokens.HubID, tokens.UserID, tokens.Scopes = 0, 0, nil
	}
	if settings.HideRefreshToken && refreshes {
		tokens.RefreshToken = ""
	}
	return tokens, nil
}

func isV1(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/oauth/v1/") }

// clientForm reads the form of a request to the token host and judges our app's
// credentials. They are taken from the body alone.
func (h *HubSpot) clientForm(r *http.Request) (url.Values, *tokenFailure) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		return nil, &missingField
	}
	id, _ := h.auth.client()
	switch {
	case r.PostForm.Get("client_id") != id:
		return nil, &badClientID
	case !h.auth.isClient(id, r.PostForm.Get("client_secret")):
		return nil, &badClientSecret
	}
	return r.PostForm, nil
}

func (h *HubSpot) tokensOf(g grant) HubSpotTokens {
	life := h.current().TokenLifeSeconds
	h.site.count(func(n *tally) { n.TokensIssued++ })
	access := h.auth.accessToken(g, time.Duration(life)*time.Second)
	return HubSpotTokens{
		TokenType: "bearer", AccessToken: accessTokenMark + strings.TrimPrefix(access, "v1u:"),
		RefreshToken: refreshTokenMark + strings.ReplaceAll(h.auth.refreshToken(g), ":", "-"),
		ExpiresIn:    life, HubID: g.company, UserID: g.user, Scopes: strings.Fields(g.scope),
	}
}

// inspect reads one of HubSpot's access tokens, as authority.inspect.
func (h *HubSpot) inspect(token string) (g grant, expired, ok bool) {
	rest, ok := strings.CutPrefix(token, accessTokenMark)
	if !ok {
		return grant{}, false, false
	}
	return h.auth.inspect("v1u:" + rest)
}

// plainRefreshToken undoes what tokensOf made of a refresh token; what we did not
// issue comes out as "".
func plainRefreshToken(token string) string {
	rest, ok := strings.CutPrefix(token, refreshTokenMark)
	if !ok {
		return ""
	}
	return strings.ReplaceAll(rest, "-", ":")
}

// introspect is POST …/token/introspect, of access and refresh tokens.
func (h *HubSpot) introspect(w http.ResponseWriter, r *http.Request) {
	form, failed := h.clientForm(r)
	switch {
	case failed != nil:
		h.refuseToken(w, r, *failed)
		return
	case form.Get("token") == "":
		h.refuseToken(w, r, missingField)
		return
	}
	g, expired, ok := h.inspect(form.Get("token"))
	kind := "access_token"
	if !ok {
		g, ok = h.auth.holder(plainRefreshToken(form.Get("token")))
		kind, expired = "refresh_token", false
	}
	p := h.portal(g.company)
	if !ok || expired || g.dead || p == nil {
		writeAPI(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	id, _ := h.auth.client()
	writeAPI(w, http.StatusOK, map[string]any{
		"active": true, "token_type": kind, "client_id": id, "app_id": hubspotAppID, "hub_id": g.company, "hub_domain": p.domain,
		"user": fmt.Sprintf("user%d@example.com", g.user), "user_id": g.user, "scopes": strings.Fields(h.scopeOf(g)),
	})
}

// scopeOf is a grant's scope; one from before a restart is taken to have what the
// app is registered with.
func (h *HubSpot) scopeOf(g grant) string {
	if g.scope == "" {
		return h.current().Scope
	}
	return g.scope
}

// holder finds the grant of a refresh token that can still be used.
func (a *authority) holder(token string) (grant, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g, generation, ok := a.parseRefreshToken(token)
	if !ok || g.dead || g.revoked || generation != g.generation {
		return grant{}, false
	}
	return *g, true
}

// revoke is POST …/token/revoke. It ends a refresh token; access tokens in hand
// live on, and the app stays installed.
func (h *HubSpot) revoke(w http.ResponseWriter, r *http.Request) {
	form, failed := h.clientForm(r)
	switch {
	case failed != nil:
		h.refuseToken(w, r, *failed)
		return
	case form.Get("token") == "":
		h.refuseToken(w, r, missingField)
		return
	}
	h.endRefreshToken(form.Get("token"))
	w.WriteHeader(http.StatusNoContent)
}

func (h *HubSpot) endRefreshToken(token string) bool {
	ended := h.auth.endRefreshToken(plainRefreshToken(token))
	if ended {
		h.site.count(func(n *tally) { n.Revocations++ })
	}
	return ended
}

// deleteRefreshToken is DELETE /oauth/v1/refresh-tokens/{token}.
func (h *HubSpot) deleteRefreshToken(w http.ResponseWriter, r *http.Request) {
	if !h.endRefreshToken(r.PathValue("token")) {
		hubspotNotFound("refresh token not found").write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// accessTokenInfo is GET /oauth/v1/access-tokens/{token}.
func (h *HubSpot) accessTokenInfo(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	g, expired, ok := h.inspect(token)
	p := h.portal(g.company)
	if !ok || expired || g.dead || p == nil {
		hubspotNotFound("access token not found").write(w)
		return
	}
	writeAPI(w, http.StatusOK, map[string]any{
		"token": token, "token_type": "access", "user": fmt.Sprintf("user%d@example.com", g.user), "user_id": g.user,
		"hub_id": g.company, "hub_domain": p.domain, "scopes": strings.Fields(g.scope), "app_id": hubspotAppID,
		"expires_in": h.current().TokenLifeSeconds,
	})
}

// uninstallOurselves is DELETE /appinstalls/v3/external-install.
func (h *HubSpot) uninstallOurselves(w http.ResponseWriter, _ *http.Request, s portalSession) {
	h.Revoke(s.portal.id)
	w.WriteHeader(http.StatusNoContent)
}

// IssueTokens grants tokens for a portal without a browser, and panics if there
// is no such portal; 0 is the first.
func (h *HubSpot) IssueTokens(portal int) HubSpotTokens {
	p, err := h.portalOf(portal)
	if err != nil {
		panic(err)
	}
	return h.tokensOf(h.auth.issue(p.company(), h.current().Scope))
}

// ExpireAccessTokens makes the provider refuse all access tokens issued so far,
// although our clock says that they live.
func (h *HubSpot) ExpireAccessTokens() { h.auth.expireAccessTokens() }

// SetClient changes what our app is registered with.
func (h *HubSpot) SetClient(id, secret string) { h.auth.setClient(id, secret) }

// Revoke is a user of the portal uninstalling our app, or of every portal with 0:
// all tokens die and nobody is told. It returns how many grants ended.
func (h *HubSpot) Revoke(portal int) int {
	_, ended := h.auth.uninstall(portal)
	return ended
}

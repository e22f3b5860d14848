package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// Tokens is a token answer of Pipedrive.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
	APIDomain    string `json:"api_domain"`
}

// token is POST /oauth/token, for codes and refresh tokens.
func (p *Pipedrive) token(w http.ResponseWriter, r *http.Request) {
	tokens, refused := p.grantTokens(r)
	if refused != nil {
		refused.write(w)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeAPI(w, http.StatusOK, tokens)
}

func (p *Pipedrive) grantTokens(r *http.Request) (Tokens, *refusal) {
	form, refused := p.clientForm(r)
	if refused != nil {
		return Tokens{}, refused
	}
	settings := p.current()
	var granted grant
	var err error
	switch form.Get("grant_type") {
	case "authorization_code":
		if form.Get("code") == "" || form.Get("redirect_uri") == "" {
			return Tokens{}, missingParameter
		}
		granted, err = p.auth.exchange(form.Get("code"), form.Get("redirect_uri"), settings.Scope)
	case "refresh_token":
		if form.Get("refresh_token") == "" {
			return Tokens{}, missingParameter
		}
		p.site.count(func(n *tally) { n.Refreshes++ })
		granted, err = p.auth.refresh(form.Get("refresh_token"), settings.RotateRefreshTokens, settings.Scope)
		if err != nil {
			p.site.count(func(n *tally) { n.RefreshesRefused++ })
		}
	default:
		refused := tokenRefusal("unsupported_grant_type", "Unsupported grant type: grant_type is invalid")
		return Tokens{}, &refused
	}
	if err != nil {
		refused := tokenError(err)
		return Tokens{}, &refused
	}
	p.site.noteGrant(r, granted.name())
	return p.tokensOf(r, granted), nil
}

var missingParameter = func() *refusal {
	refused := tokenRefusal("invalid_request", "Missing parameter: code, redirect_uri or refresh_token")
	return &refused
}()

func tokenError(err error) refusal {
	switch {
	case errors.Is(err, errRedirectURI):
		return tokenRefusal("invalid_request", "Invalid request: redirect_uri is not the one that the code was issued for")
	case errors.Is(err, errCode):
		return tokenRefusal("invalid_grant", "Invalid grant: authorization_code is invalid or has expired")
	}
	return tokenRefusal("invalid_grant", "Invalid grant: refresh_token is invalid")
}

// clientForm reads the form of a request to the token host and judges our app's
// credentials, from the header or else from the form.
func (p *Pipedrive) clientForm(r *http.Request) (url.Values, *refusal) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "application/x-www-form-urlencoded" {
		err = r.ParseForm()
	}
	if err != nil || kind != "application/x-www-form-urlencoded" {
		refused := tokenRefusal("invalid_request", "Invalid request: content must be application/x-www-form-urlencoded")
		return nil, &refused
	}
	id, secret, basic := r.BasicAuth()
	if basic { // x/oauth2 and RFC 6749 §2.3.1 form-encode both parts
		decodedID, err1 := url.QueryUnescape(id)
		decodedSecret, err2 := url.QueryUnescape(secret)
		if err1 == nil && err2 == nil && p.auth.isClient(decodedID, decodedSecret) {
			return r.PostForm, nil
		}
	} else {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id == "" && secret == "" {
		refused := tokenRefusal("invalid_client", "Invalid client: cannot retrieve client credentials")
		return nil, &refused
	}
	if !p.auth.isClient(id, secret) {
		return nil, &invalidClient
	}
	return r.PostForm, nil
}

func (p *Pipedrive) tokensOf(r *http.Request, g grant) Tokens {
	life := p.current().TokenLifeSeconds
	p.site.count(func(n *tally) { n.TokensIssued++ })
	tokens := Tokens{
		AccessToken: p.auth.accessToken(g, time.Duration(life)*time.Second), TokenType: "Bearer",
		ExpiresIn: life, RefreshToken: p.auth.refreshToken(g), Scope: g.scope,
	}
	if c := p.company(g.company); c != nil {
		tokens.APIDomain = p.apiDomain(r, c)
	}
	return tokens
}

// revoke is POST /oauth/revoke. Revoking a refresh token uninstalls the app; it
// answers 200 for unknown tokens too, as RFC 7009 has it.
func (p *Pipedrive) revoke(w http.ResponseWriter, r *http.Request) {
	form, refused := p.clientForm(r)
	switch {
	case refused != nil:
		refused.write(w)
		return
	case form.Get("token") == "":
		missingParameter.write(w)
		return
	}
	if p.auth.revokeToken(form.Get("token")) {
		p.site.count(func(n *tally) { n.Revocations++ })
	}
	writeAPI(w, http.StatusOK, map[string]bool{"success": true})
}

// IssueTokens grants tokens for a company without a browser, and panics if there
// is no such company; 0 is the first. The api_domain is complete only if the
// sandbox knows its address (Config.BaseURL or SetBaseURL).
func (p *Pipedrive) IssueTokens(company int) Tokens {
	c, err := p.companyOf(company)
	if err != nil {
		panic(err)
	}
	return p.tokensOf(nil, p.auth.issue(c, p.current().Scope))
}

// ExpireAccessTokens makes the provider refuse all access tokens issued so far,
// although our clock says that they live.
func (p *Pipedrive) ExpireAccessTokens() { p.auth.expireAccessTokens() }

// SetClient changes what our app is registered with.
func (p *Pipedrive) SetClient(id, secret string) { p.auth.setClient(id, secret) }

// Revoke ends all grants of a company, or of all with 0, without telling the
// app, and returns how many ended.
func (p *Pipedrive) Revoke(company int) int {
	_, ended := p.auth.uninstall(company)
	return ended
}

// Uninstall is a user removing our app: the grants of the company end, and the
// provider calls DELETE on the app's callback URL, once, whatever the answer.
// An empty callback means the redirect_uri of the last connect. It returns the
// status that the callback answered.
func (p *Pipedrive) Uninstall(ctx context.Context, company int, callback string) (int, error) {
	c, err := p.companyOf(company)
	if err != nil {
		return 0, err
	}
	known, _ := p.auth.uninstall(c.id)
	if callback == "" {
		callback = known
	}
	if callback == "" {
		return 0, errors.New("no callback is known: name callback_url, or connect through the consent page first")
	}
	id, secret := p.auth.client()
	body, err := json.Marshal(map[string]any{
		"client_id": id, "company_id": c.id, "user_id": c.user,
		"timestamp": p.sandbox.Now().Format("2006-01-02T15:04:05.000Z"),
	})
	if err != nil {
		return 0, fmt.Errorf("write the uninstall notice: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, callback, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("make the uninstall call: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.SetBasicAuth(id, secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("call the app's callback: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode, nil
}

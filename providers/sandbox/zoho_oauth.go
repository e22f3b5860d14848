package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ZohoTokens is a token answer of Zoho. RefreshToken is empty where the answer
// has none, which is every refresh.
type ZohoTokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"` // separated by spaces
	APIDomain    string `json:"api_domain"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`     // seconds, unless ExpiresInMS is set
	ExpiresInSec int    `json:"expires_in_sec"` // seconds, beside one in milliseconds
	Error        string `json:"error"`
}

// token is POST /oauth/v2/token, for codes and refresh tokens.
func (z *Zoho) token(w http.ResponseWriter, r *http.Request) {
	settings := z.current()
	if refused := z.checkClient(r, settings); refused != nil {
		refused.write(w)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	switch r.Form.Get("grant_type") {
	case "authorization_code":
		granted, err := z.auth.exchange(r.Form.Get("code"), r.Form.Get("redirect_uri"), dcOf(r), settings.RefreshTokensPerUser)
		if err != nil {
			tokenWord("invalid_code").write(w)
			return
		}
		z.site.noteGrant(r, z.orgs[granted.org].grantName())
		answer := z.tokenAnswer(r, granted, settings)
		answer["scope"] = granted.scopes.String()
		answer["api_domain"] = z.apiHost(r, dcOf(r))
		if granted.refreshable {
			answer["refresh_token"] = z.auth.refreshToken(granted)
		}
		writeZoho(w, http.StatusOK, answer)
	case "refresh_token":
		z.refresh(w, r, settings)
	default:
		tokenWord("unsupported_grant_type").write(w)
	}
}

func (z *Zoho) refresh(w http.ResponseWriter, r *http.Request, settings ZohoSettings) {
	z.site.count(func(n *tally) { n.Refreshes++ })
	granted, err := z.auth.refresh(r.Form.Get("refresh_token"), z.hosted(dcOf(r)), settings.RefreshesPerWindow)
	if err != nil {
		z.site.count(func(n *tally) { n.RefreshesRefused++ })
		if errors.Is(err, errThrottled) {
			throttledRefresh.write(w)
			return
		}
		tokenWord("invalid_code").write(w)
		return
	}
	z.site.noteGrant(r, z.orgs[granted.org].grantName())
	answer := z.tokenAnswer(r, granted, settings)
	switch settings.RefreshTokenInAnswer {
	case AnswerEmpty:
		answer["refresh_token"] = ""
	case AnswerNull:
		answer["refresh_token"] = nil
	}
	switch settings.APIDomain {
	case "":
		answer["api_domain"] = z.apiHost(r, dcOf(r))
	case Omitted:
	default:
		answer["api_domain"] = settings.APIDomain
	}
	writeZoho(w, http.StatusOK, answer)
}

// tokenAnswer is what all token answers have, with a new access token.
func (z *Zoho) tokenAnswer(_ *http.Request, g zohoGrant, settings ZohoSettings) map[string]any {
	z.site.count(func(n *tally) { n.TokensIssued++ })
	life := settings.TokenLifeSeconds
	answer := map[string]any{
		"access_token": z.auth.accessToken(g, time.Duration(life)*time.Second), "token_type": "Bearer",
	}
	switch settings.ExpiresIn {
	case ExpiresInSeconds:
		answer["expires_in"] = life
	case ExpiresInMS:
		answer["expires_in"], answer["expires_in_sec"] = 1000*life, life
	}
	return answer
}

// hosted says which orgs a data centre has, by their index.
func (z *Zoho) hosted(dc string) func(org int) bool {
	return func(org int) bool { return org < len(z.orgs) && z.orgs[org].dc == dc }
}

// checkClient reads the form, which may also come as the query, and judges our
// app's credentials. [doc]
func (z *Zoho) checkClient(r *http.Request, settings ZohoSettings) *zohoRefusal {
	if err := r.ParseForm(); err != nil {
		refused := tokenWord("general_error")
		return &refused
	}
	known, trusted := z.auth.isClient(r.Form.Get("client_id"), r.Form.Get("client_secret"), dcOf(r))
	var word string
	switch {
	case !known, !settings.MultiDC && dcOf(r) != homeDC:
		word = "invalid_client"
	case !trusted:
		word = "invalid_client_secret"
	default:
		return nil
	}
	refused := tokenWord(word)
	return &refused
}

// revoke is POST /oauth/v2/token/revoke, which asks for no client credentials.
// What it answers to an unknown token is not known. [?]
func (z *Zoho) revoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || !z.auth.revokeToken(r.Form.Get("token"), z.hosted(dcOf(r))) {
		writeZoho(w, http.StatusBadRequest, map[string]string{"error": "invalid_token", "status": "failure"})
		return
	}
	z.site.count(func(n *tally) { n.Revocations++ })
	writeZoho(w, http.StatusOK, map[string]string{"status": "success"})
}

// defaultGrant is what IssueTokens grants where no scope is set.
const defaultGrant = "ZohoCRM.modules.contacts.READ,ZohoCRM.org.READ,ZohoCRM.users.READ,ZohoCRM.coql.READ," +
	"ZohoCRM.bulk.READ,ZohoCRM.notifications.ALL,ZohoCRM.settings.fields.READ"

// IssueTokens grants tokens for an org without a browser, and panics if there is
// no such org; 0 is the first. It counts as one of the user's refresh tokens. The
// api_domain is complete only if the sandbox knows its address (Config.BaseURL or
// SetBaseURL).
func (z *Zoho) IssueTokens(org int) ZohoTokens {
	o, err := z.org(org)
	if err != nil {
		panic(err)
	}
	settings := z.current()
	asked := defaultGrant
	if settings.Scope != "" {
		asked = settings.Scope
	}
	scopes, err := parseScopes(asked)
	if err != nil {
		panic(err)
	}
	g := z.auth.issue(o, scopes, settings.RefreshTokensPerUser)
	z.site.count(func(n *tally) { n.TokensIssued++ })
	return ZohoTokens{
		AccessToken:  z.auth.accessToken(g, time.Duration(settings.TokenLifeSeconds)*time.Second),
		RefreshToken: z.auth.refreshToken(g), Scope: scopes.String(), APIDomain: z.apiHost(nil, o.dc),
		TokenType: "Bearer", ExpiresIn: settings.TokenLifeSeconds,
	}
}

// AccountsServer is the accounts host of an org's data centre; 0 is the first
// org, and one that does not exist has "".
func (z *Zoho) AccountsServer(org int) string {
	o, err := z.org(org)
	if err != nil {
		return ""
	}
	return z.accountsHost(nil, o.dc)
}

// ExpireAccessTokens makes the provider refuse all access tokens issued so far,
// although our clock says that they live.
func (z *Zoho) ExpireAccessTokens() { z.auth.expireAccessTokens() }

// SetClient changes what our app is registered with in all data centres that have
// no secret of their own.
func (z *Zoho) SetClient(id, secret string) { z.auth.setClient(id, secret) }

// SetSecret gives our app a secret of its own in one data centre.
func (z *Zoho) SetSecret(dc, secret string) error {
	if err := checkDC(dc); err != nil {
		return err
	}
	z.auth.setSecret(dc, secret)
	return nil
}

func checkDC(dc string) error {
	if !slices.Contains(dataCentres, dc) {
		return fmt.Errorf("no data centre %q: there are %s", dc, strings.Join(dataCentres, ", "))
	}
	return nil
}

// Revoke ends all grants of an org, or of all with 0, as a user does who removes
// the app, and returns how many ended.
func (z *Zoho) Revoke(org int) int {
	if org == 0 {
		return z.auth.revokeOrg(allOrgs)
	}
	o, err := z.org(org)
	if err != nil {
		return 0
	}
	return z.auth.revokeOrg(o.index)
}

// authorize is GET /oauth/v2/auth. It may be asked at any data centre: a user
// whose org lives elsewhere is sent on. [doc: Multi DC Support]
func (z *Zoho) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	settings := z.current()
	scopes, ok := z.mayAuthorize(w, query, settings)
	if !ok {
		return
	}
	if settings.AutoConsent {
		o, err := z.org(settings.ConsentOrg)
		if err == nil && o.dc != dcOf(r) {
			http.Redirect(w, r, z.accountsHost(r, o.dc)+"/oauth/v2/auth?"+r.URL.RawQuery, http.StatusFound) //nolint:gosec // to a host of our own
			return
		}
		z.sendBack(w, r, query, settings.ConsentOrg, scopes)
		return
	}
	view := consentView{
		Provider: "Zoho CRM", Scope: scopes.String(), Action: "auth", Account: "Organisation", Field: "org",
		Hidden: hidden(query, "client_id", "redirect_uri", "state", "scope", "access_type", "prompt", "response_type"),
		Chosen: settings.ConsentOrg,
	}
	for _, o := range z.orgs {
		view.Choices = append(view.Choices, consentChoice{
			ID: o.zgid, Name: o.name, Note: fmt.Sprintf("%d contacts, data centre %s", o.contacts.living(), strings.ToUpper(o.dc)),
		})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = consentPage.Execute(w, view)
}

// decide is the consent page's form.
func (z *Zoho) decide(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		showError(w, "The form could not be read.")
		return
	}
	settings := z.current()
	scopes, ok := z.mayAuthorize(w, r.PostForm, settings)
	if !ok {
		return
	}
	if r.PostForm.Get("decision") != "allow" {
		redirect(w, r, r.PostForm, url.Values{"error": {"access_denied"}})
		return
	}
	org := settings.ConsentOrg
	if chosen := r.PostForm.Get("org"); chosen != "" {
		n, err := number(chosen, 0)
		if err != nil || n == 0 {
			n = -1
		}
		org = int(n)
	}
	z.sendBack(w, r, r.PostForm, org, scopes)
}

// mayAuthorize checks what a consent was asked with, and shows what is wrong.
func (z *Zoho) mayAuthorize(w http.ResponseWriter, asked url.Values, settings ZohoSettings) (scopeSet, bool) {
	back, err := url.Parse(asked.Get("redirect_uri"))
	text := asked.Get("scope")
	if settings.Scope != "" && text != "" {
		text = settings.Scope
	}
	scopes, unknown := parseScopes(text)
	switch {
	case asked.Get("client_id") != z.auth.client():
		showError(w, "Invalid Client ID: client_id is not registered.")
	case err != nil || back.Host == "" || (back.Scheme != "http" && back.Scheme != "https"):
		showError(w, "Invalid Redirect Uri: redirect_uri must be a complete web address.")
	case asked.Get("response_type") != "code":
		showError(w, "Invalid Response Type: response_type must be code.")
	case unknown != nil:
		showError(w, "Invalid OAuth Scope: "+unknown.Error())
	default:
		return scopes, true
	}
	return 0, false
}

// sendBack ends a consent that was given.
func (z *Zoho) sendBack(w http.ResponseWriter, r *http.Request, asked url.Values, org int, scopes scopeSet) {
	o, err := z.org(org)
	if err != nil {
		showError(w, "There is no such organisation.")
		return
	}
	code := z.auth.newCode(o, asked.Get("redirect_uri"), scopes, asked.Get("access_type") == "offline", asked.Get("prompt") == "consent")
	redirect(w, r, asked, url.Values{"code": {code}, "location": {o.dc}, "accounts-server": {z.accountsHost(r, o.dc)}})
}

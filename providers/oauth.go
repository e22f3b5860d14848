package providers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"example.com/enlace/providers/words"
)

// Grant is what a token endpoint gave.
type Grant struct {
	AccessToken  string
	RefreshToken string    // empty: the provider didn't return one, the old one stays
	ExpiresAt    time.Time // on this process's clock; zero: it didn't say, the token holds until it is refused
	Scopes       []string  // empty: it didn't say
	APIDomain    string    // empty: the old one stays
	AuthServer   string    // the token host that gave it, where the provider has several
}

// Identity is the account behind a grant.
type Identity struct {
	ExternalID string
	Name       string
}

// OAuth is the authorization-code side of a provider: its endpoints, and the few places where providers differ.
// Safe for concurrent use.
type OAuth struct {
	Config    oauth2.Config // ClientID, ClientSecret, Endpoint, Scopes; RedirectURL is given per call
	RevokeURL string        // empty: tokens can't be revoked
	Needs     []string      // scopes without which a sync can't work; "a|b": either of them

	// Features are what else needs permissions of its own.
	Features []Feature

	// KeptTokens is how many refresh tokens of a user the provider keeps for our app: the next one ends the oldest without a
	// word. 0: any number.
	KeptTokens int

	// Renewals bounds how often a refresh token may be exchanged.
	Renewals Renewals

	// Scheme begins the Authorization header of the API's requests; empty: "Bearer".
	Scheme string

	// AuthParams are extra members of the consent URL.
	AuthParams map[string]string

	// PKCE says that the provider takes a code challenge; without it a verifier is left out.
	PKCE bool

	// AuthServer reads from the parameters of a callback which token host the account belongs to; nil: there is only one.
	// The error is an [*Error]: it isn't the provider's own.
	AuthServer func(callback url.Values) (string, error)

	// At is what our app is registered with at such a token host, never the empty one. It is asked of a stored host too,
	// and refuses one that isn't the provider's own.
	At func(authServer string) (TokenHost, error)

	// RevokeReplaced says that each consent makes one more refresh token, of which the provider keeps only so many: the one
	// that a reconnect replaces is withdrawn.
	RevokeReplaced bool

	// Client speaks to the token host. Its transport has no time limit beyond dialing (see [NewTransport]).
	Client *http.Client

	// Timeout bounds [OAuth.Exchange] and [OAuth.Revoke], which a person waits for; 0 is [RequestTimeout].
	Timeout time.Duration

	// TrustsDomain reports whether a token may be sent to an API domain; nil: to any. It is asked of a stored domain
	// too, before a request goes there.
	TrustsDomain func(domain string) bool

	// Complete reads the provider's extra members of a token answer into the grant; nil: none. It refuses an API domain
	// that isn't the provider's own.
	Complete func(token *oauth2.Token, grant *Grant) error

	// Refusal classifies an answer of the token host that isn't a grant; nil: [TokenRefusal] does, by the words of RFC 6749
	// alone. Secrets are cut out of its Detail afterwards.
	Refusal func(answer *Answer) *Error

	// Identify reads the account that was connected.
	Identify func(ctx context.Context, account Account, client *http.Client) (Identity, error)
}

// TokenHost is one of a provider's token hosts.
type TokenHost struct {
	TokenURL     string
	RevokeURL    string
	ClientSecret string
}

// AuthCodeURL is where the browser goes for consent. A verifier, if the provider takes one, is sent as its challenge.
func (o *OAuth) AuthCodeURL(state, redirectURL, verifier string) string {
	var options []oauth2.AuthCodeOption
	for name, value := range o.AuthParams {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	if o.PKCE && verifier != "" {
		options = append(options, oauth2.S256ChallengeOption(verifier))
	}
	config := o.configure(o.main(), redirectURL)
	return config.AuthCodeURL(state, options...)
}

// Exchange turns the code of a callback into a grant, at the token host that the callback named. The error is an [*Error]; a code that is refused is
// [InvalidRequest] with variant "code": the person starts again.
func (o *OAuth) Exchange(ctx context.Context, authServer, code, redirectURL, verifier string) (Grant, error) {
	const op = "exchange the code"
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	host, err := o.at(op, authServer)
	if err != nil {
		return Grant{}, err
	}
	var options []oauth2.AuthCodeOption
	if o.PKCE && verifier != "" {
		options = append(options, oauth2.VerifierOption(verifier))
	}
	token, err := o.configure(host, redirectURL).Exchange(o.withClient(ctx), code, options...)
	if err != nil {
		e := o.classify(op, err, host.ClientSecret, code, verifier)
		if e.Kind == NeedsReauth { // the refused grant is the code's: there is no connection yet that could need it
			e.Kind, e.Variant = InvalidRequest, words.VariantCode
		}
		return Grant{}, e
	}
	return o.grant(op, token, authServer)
}

// Refresh exchanges a refresh token for a new grant. It ends when the answer has come, or with ctx: nothing else breaks
// it off. The error is an [*Error]; [NeedsReauth] says that the token host refused the refresh token itself.
func (o *OAuth) Refresh(ctx context.Context, authServer, refreshToken string) (Grant, error) {
	const op = "refresh the token"
	host, err := o.at(op, authServer)
	if err != nil {
		return Grant{}, err
	}
	source := o.configure(host, "").TokenSource(o.withClient(ctx), &oauth2.Token{RefreshToken: refreshToken})
	token, err := source.Token()
	if err != nil {
		return Grant{}, o.classify(op, err, host.ClientSecret, refreshToken)
	}
	return o.grant(op, token, authServer)
}

// Revoke withdraws the permission at the provider (RFC 7009, which answers 200 for an unknown token too). The error is an [*Error].
func (o *OAuth) Revoke(ctx context.Context, authServer, refreshToken string) error {
	const op = "revoke the token"
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	host, err := o.at(op, authServer)
	if err != nil {
		return err
	}
	form := url.Values{"token": {refreshToken}, "token_type_hint": {"refresh_token"}}
	if o.authStyle() == oauth2.AuthStyleInParams {
		form.Set("client_id", o.Config.ClientID)
		form.Set("client_secret", host.ClientSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, host.RevokeURL, strings.NewReader(form.Encode()))
	if err != nil {
		return &Error{Kind: Internal, Op: op, Err: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if o.authStyle() == oauth2.AuthStyleInHeader {
		req.SetBasicAuth(url.QueryEscape(o.Config.ClientID), url.QueryEscape(host.ClientSecret)) // RFC 6749 §2.3.1
	}
	client := withoutRedirects(o.Client)
	answer, err := send(&client, op, req, maxRefusal)
	if err != nil {
		return err
	}
	if !answer.OK() {
		return o.refused(op, answer, host.ClientSecret, refreshToken)
	}
	return nil
}

// Missing lists the needed scopes that were not granted. A provider that doesn't say what it granted has granted all.
func (o *OAuth) Missing(granted []string) []string {
	return missing(o.Needs, granted)
}

// Scopes splits a scope text: RFC 6749 says blanks, some providers use commas.
func Scopes(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
}

// scopesOf reads what a grant tells of its scopes: a text, or a list of texts.
func scopesOf(told any) (scopes []string) {
	switch told := told.(type) {
	case string:
		scopes = Scopes(told)
	case []any:
		for _, one := range told {
			if name, ok := one.(string); ok {
				scopes = append(scopes, name)
			}
		}
	}
	return scopes
}

// at is the token host of an account; the main one if it has no other.
func (o *OAuth) at(op, authServer string) (TokenHost, error) {
	if authServer == "" || o.At == nil {
		return o.main(), nil
	}
	host, err := o.At(authServer)
	if e, ok := errors.AsType[*Error](err); ok {
		told := *e
		told.Op = op
		return TokenHost{}, &told
	}
	if err != nil {
		return TokenHost{}, &Error{Kind: Misconfigured, Op: op, Err: err}
	}
	return host, nil
}

func (o *OAuth) main() TokenHost {
	return TokenHost{TokenURL: o.Config.Endpoint.TokenURL, RevokeURL: o.RevokeURL, ClientSecret: o.Config.ClientSecret}
}

func (o *OAuth) configure(host TokenHost, redirectURL string) *oauth2.Config {
	endpoint := o.Config.Endpoint
	endpoint.TokenURL, endpoint.AuthStyle = host.TokenURL, o.authStyle()
	return &oauth2.Config{
		ClientID: o.Config.ClientID, ClientSecret: host.ClientSecret, Endpoint: endpoint,
		Scopes: o.Config.Scopes, RedirectURL: redirectURL,
	}
}

// authStyle is never [oauth2.AuthStyleAutoDetect]: that one sends a refused code or refresh token a second time.
func (o *OAuth) authStyle() oauth2.AuthStyle {
	if o.Config.Endpoint.AuthStyle == oauth2.AuthStyleInParams {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

func (o *OAuth) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := o.Timeout
	if timeout == 0 {
		timeout = RequestTimeout
	}
	return context.WithTimeout(ctx, timeout)
}

// withClient hands our client to oauth2, without redirects: they would carry the client secret along.
func (o *OAuth) withClient(ctx context.Context) context.Context {
	client := withoutRedirects(o.Client)
	client.Timeout = 0 // ctx alone decides
	return context.WithValue(ctx, oauth2.HTTPClient, &client)
}

func (o *OAuth) grant(op string, token *oauth2.Token, authServer string) (Grant, error) {
	g := Grant{AccessToken: token.AccessToken, RefreshToken: token.RefreshToken, ExpiresAt: token.Expiry, AuthServer: authServer}
	g.Scopes = append(scopesOf(token.Extra("scope")), scopesOf(token.Extra("scopes"))...)
	if o.Complete == nil {
		return g, nil
	}
	if err := o.Complete(token, &g); err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			e = &Error{Kind: Misconfigured, Err: err}
		}
		e.Op = op
		g.APIDomain = ""
		return g, e // with the tokens: a refresh token that was rotated exists nowhere else
	}
	return g, nil
}

// classify makes an [*Error] of what oauth2 said. Its own error isn't kept: it repeats the answer, secrets included.
func (o *OAuth) classify(op string, err error, secrets ...string) *Error {
	if refusal, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		answer := &Answer{URL: refusal.Response.Request.URL, Status: refusal.Response.StatusCode, Header: refusal.Response.Header, Body: refusal.Body}
		return o.refused(op, answer, secrets...)
	}
	// No answer; one that was cut off or isn't JSON; or a 2xx without an access token. None of them is a refusal.
	return networkError(op, err)
}

func (o *OAuth) refused(op string, answer *Answer, secrets ...string) *Error {
	refusal := o.Refusal
	if refusal == nil {
		refusal = func(answer *Answer) *Error { return TokenRefusal(answer, nil) }
	}
	e := refusal(answer)
	e.Op = op
	e.Detail = Redact(e.Detail, secrets...)
	return e
}

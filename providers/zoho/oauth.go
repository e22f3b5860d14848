package zoho

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

// tokenLife is how long an access token lives at most [doc: Token limits]. A grant that says more counts in
// milliseconds, or is of the old API, which also has expires_in_sec [seen]; one that says nothing means this.
const tokenLife = time.Hour

func (cfg Config) oauth() *providers.OAuth {
	main := cmp.Or(cfg.AccountsBaseURL, centres()[0].accounts) // users of other data centres are sent on [doc]
	host, _ := cfg.tokenHost(main)
	return &providers.OAuth{
		Config: oauth2.Config{
			ClientID:     cfg.ClientID,
			ClientSecret: host.ClientSecret,
			Endpoint:     oauth2.Endpoint{AuthURL: main + "/oauth/v2/auth", TokenURL: host.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
			Scopes: []string{strings.Join([]string{ // with commas between [doc]
				"ZohoCRM.modules.contacts.READ", "ZohoCRM.settings.fields.READ", "ZohoCRM.org.READ", "ZohoCRM.users.READ",
				"ZohoCRM.coql.READ", "ZohoCRM.bulk.READ", "ZohoCRM.notifications.ALL",
			}, ",")},
		},
		RevokeURL: host.RevokeURL,
		Needs: []string{ // COQL, bulk and notifications have plainer ways beside them
			"ZohoCRM.modules.contacts.READ|ZohoCRM.modules.contacts.ALL|ZohoCRM.modules.READ|ZohoCRM.modules.ALL",
			"ZohoCRM.settings.fields.READ|ZohoCRM.settings.fields.ALL|ZohoCRM.settings.READ|ZohoCRM.settings.ALL",
			"ZohoCRM.org.READ|ZohoCRM.org.ALL", "ZohoCRM.users.READ|ZohoCRM.users.ALL",
		},
		Scheme: "Zoho-oauthtoken", // "Bearer" works today, which nobody promises [?]
		// Without the first there is no refresh token; without the second, none at a later consent [doc].
		AuthParams:     map[string]string{"access_type": "offline", "prompt": "consent"},
		AuthServer:     cfg.authServer,
		At:             cfg.tokenHost,
		RevokeReplaced: true, // a user has 20; the 21st ends the oldest without a word [doc]
		Client:         cfg.TokenClient,
		Timeout:        cfg.Timeout,
		TrustsDomain:   cfg.trustsDomain,
		Complete:       cfg.complete,
		Refusal:        tokenRefusal,
		Identify:       cfg.identify,
	}
}

// authServer reads accounts-server, or the location where that is missing. A callback with neither is of the main host.
func (cfg Config) authServer(callback url.Values) (string, error) {
	server := strings.TrimRight(callback.Get("accounts-server"), "/")
	for _, c := range centres() {
		if server == "" && cfg.AccountsBaseURL == "" && c.key == callback.Get("location") {
			server = c.accounts
		}
	}
	server = cmp.Or(server, cfg.AccountsBaseURL, centres()[0].accounts)
	_, err := cfg.tokenHost(server)
	return server, err
}

// tokenHost is a token host with the secret that our app has at its data centre.
func (cfg Config) tokenHost(server string) (providers.TokenHost, error) {
	c, ok := cfg.atHost(server)
	if !ok {
		return providers.TokenHost{}, notZohos("token host")
	}
	secret := cmp.Or(cfg.ClientSecrets[c.key], cfg.ClientSecret)
	return providers.TokenHost{TokenURL: server + "/oauth/v2/token", RevokeURL: server + "/oauth/v2/token/revoke", ClientSecret: secret}, nil
}

func notZohos(what string) *providers.Error {
	return &providers.Error{Kind: providers.Misconfigured, Variant: words.VariantApp, Detail: "a " + what + " that is not Zoho's was named"}
}

// complete reads api_domain, which may be missing, and how long the token lives.
func (cfg Config) complete(token *oauth2.Token, grant *providers.Grant) error {
	life := tokenLife
	if seconds, ok := token.Extra("expires_in_sec").(float64); ok && seconds > 0 && seconds < life.Seconds() {
		life = time.Duration(seconds) * time.Second
	}
	if end := time.Now().Add(life); grant.ExpiresAt.IsZero() || grant.ExpiresAt.After(end) {
		grant.ExpiresAt = end
	}
	domain, _ := token.Extra("api_domain").(string)
	if domain = strings.TrimRight(domain, "/"); domain != "" && !cfg.trustsDomain(domain) {
		return notZohos("API domain")
	}
	grant.APIDomain = domain
	return nil
}

// tokenRefusal goes by the word alone: most refusals come with status 200 [bug: asciisd/zoho#6]. A word that isn't known,
// or a page, says nothing of the person's connection.
func tokenRefusal(answer *providers.Answer) *providers.Error {
	word := providers.Plain(answer.Body, "error") // a page has none
	e := &providers.Error{Kind: providers.Transient, Status: answer.Status, Code: providers.Redact(word), Detail: cmp.Or(providers.Plain(answer.Body, "error_description"), word)}
	switch {
	case answer.Status == http.StatusTooManyRequests, word == "Access Denied": // ten new tokens in ten minutes, then none for the rest of them [doc] [seen]
		e.Kind, e.RetryAt = providers.RateLimited, within(10*time.Minute, 15*time.Minute)
	case word == "invalid_code": // also said once in a while of one that is good: asked again before it is believed [rule]
		e.Kind, e.Variant, e.Doubtful = providers.NeedsReauth, words.VariantRevoked, true
	case word == "invalid_client", word == "invalid_client_secret", word == "invalid_redirect_uri":
		e.Kind, e.Variant = providers.Misconfigured, words.VariantApp
	}
	return e
}

// identify reads the organisation and the user: an account is a user of an organisation.
func (cfg Config) identify(ctx context.Context, account providers.Account, client *http.Client) (providers.Identity, error) {
	c, a := cfg.source(account, client), ask{op: "zoho: read account"}
	org, err := c.get(ctx, a, "/crm/v8/org")
	if err != nil {
		return providers.Identity{}, err
	}
	user, err := c.get(ctx, a, "/crm/v8/users?type=CurrentUser")
	if err != nil {
		return providers.Identity{}, err
	}
	zgid, id := providers.Plain(org, "org", "0", "zgid"), providers.Plain(user, "users", "0", "id")
	if zgid == "" || id == "" {
		return providers.Identity{}, odd(a, "the answers name no organisation or no user")
	}
	return providers.Identity{ExternalID: zgid + ":" + id, Name: providers.Plain(org, "org", "0", "company_name")}, nil
}

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
	main := cmp.Or(cfg.AuthBaseURL, centres()[0].accounts) // users of other data centres are sent on [doc]
	host, _ := cfg.tokenHost(main)
	endpoint := oauth2.Endpoint{AuthURL: main + "/oauth/v2/auth", TokenURL: host.TokenURL, AuthStyle: oauth2.AuthStyleInParams}
	o := cfg.OAuth(endpoint, host.RevokeURL, strings.Join([]string{ // with commas between [doc]
		"ZohoCRM.modules.contacts.READ", "ZohoCRM.settings.fields.READ", "ZohoCRM.org.READ", "ZohoCRM.users.READ",
		"ZohoCRM.coql.READ", "ZohoCRM.bulk.READ", "ZohoCRM.notifications.ALL",
	}, ","))
	o.Config.ClientSecret = host.ClientSecret
	o.Needs = []string{ // COQL, bulk and notifications have plainer ways beside them
		"ZohoCRM.modules.contacts.READ|ZohoCRM.modules.contacts.ALL|ZohoCRM.modules.READ|ZohoCRM.modules.ALL",
		"ZohoCRM.settings.fields.READ|ZohoCRM.settings.fields.ALL|ZohoCRM.settings.READ|ZohoCRM.settings.ALL",
		"ZohoCRM.org.READ|ZohoCRM.org.ALL", "ZohoCRM.users.READ|ZohoCRM.users.ALL",
	}
	o.Features = []providers.Feature{
		{Name: "change_notices", Needs: []string{"ZohoCRM.notifications.ALL"}},
		{Name: "large_accounts", Needs: []string{"ZohoCRM.coql.READ"}},
		{Name: "exports", Needs: []string{"ZohoCRM.bulk.READ|ZohoCRM.bulk.ALL"}},
	}
	o.KeptTokens, o.Renewals = 20, providers.Renewals{Most: 10, In: 10 * time.Minute} // [doc: Token limits]
	o.Scheme = "Zoho-oauthtoken"                                                      // "Bearer" works today, which nobody promises [?]
	// Without the first there is no refresh token; without the second, none at a later consent [doc].
	o.AuthParams = map[string]string{"access_type": "offline", "prompt": "consent"}
	o.AuthServer, o.At = cfg.authServer, cfg.tokenHost
	o.RevokeReplaced = true // a user has 20; the 21st ends the oldest without a word [doc]
	o.TrustsDomain, o.Complete, o.Refusal, o.Identify = cfg.trustsDomain, cfg.complete, tokenRefusal, cfg.identify
	return o
}

// authServer reads accounts-server, or the location where that is missing. A callback with neither is of the main host.
func (cfg Config) authServer(callback url.Values) (string, error) {
	server := strings.TrimRight(callback.Get("accounts-server"), "/")
	if location := callback.Get("location"); server == "" && cfg.AuthBaseURL == "" {
		for _, c := range centres() {
			if c.key == location {
				server = c.accounts
			}
		}
	}
	server = cmp.Or(server, cfg.AuthBaseURL, centres()[0].accounts)
	_, err := cfg.tokenHost(server)
	return server, err
}

// tokenHost is a token host with the secret that our app has at its data centre.
func (cfg Config) tokenHost(server string) (providers.TokenHost, error) {
	c, ok := find(server, cfg.AuthBaseURL, func(c centre) string { return c.accounts })
	if !ok {
		return providers.TokenHost{}, &providers.Error{Kind: providers.Misconfigured, Variant: words.VariantApp, Detail: "a token host that is not Zoho's was named"}
	}
	secret := cmp.Or(cfg.ClientSecrets[c.key], cfg.ClientSecret)
	return providers.TokenHost{TokenURL: server + "/oauth/v2/token", RevokeURL: server + "/oauth/v2/token/revoke", ClientSecret: secret}, nil
}

// complete reads how long the token lives, and api_domain, which may be missing.
func (cfg Config) complete(token *oauth2.Token, grant *providers.Grant) error {
	life := tokenLife
	if seconds, ok := token.Extra("expires_in_sec").(float64); ok && seconds > 0 && seconds < life.Seconds() {
		life = time.Duration(seconds) * time.Second
	}
	if end := time.Now().Add(life); grant.ExpiresAt.IsZero() || grant.ExpiresAt.After(end) {
		grant.ExpiresAt = end
	}
	return providers.DomainIn("api_domain", cfg.trustsDomain)(token, grant)
}

// tokenRefusal goes by the word: most refusals come with status 200 [bug: asciisd/zoho#6]. A code or refresh token is
// also called dead once in a while that is good: it is asked again before that is believed [rule]. Ten new tokens in ten
// minutes are all that a refresh token gives [doc] [seen].
func tokenRefusal(answer *providers.Answer) *providers.Error {
	e := providers.TokenRefusal(answer, map[string]providers.ErrorKind{
		"invalid_code": providers.NeedsReauth, "access denied": providers.RateLimited,
		"invalid_client_secret": providers.Misconfigured, "invalid_redirect_uri": providers.Misconfigured,
	})
	e.Doubtful = e.Kind == providers.NeedsReauth
	if e.Kind == providers.RateLimited {
		e.RetryAt = time.Now().Add(between(10*time.Minute, 15*time.Minute))
	}
	return e
}

// identify reads the organisation and the user: an account is a user of an organisation.
func (cfg Config) identify(ctx context.Context, account providers.Account, client *http.Client) (providers.Identity, error) {
	c := cfg.source(account, client)
	org, err := c.send(ctx, providers.Ask{Op: "read account", Path: "/crm/v8/org"})
	if err != nil {
		return providers.Identity{}, err
	}
	user, err := c.send(ctx, providers.Ask{Op: "read account", Path: "/crm/v8/users", Query: url.Values{"type": {"CurrentUser"}}})
	if err != nil {
		return providers.Identity{}, err
	}
	id := providers.AccountID(providers.Plain(org, "org", "0", "zgid"), providers.Plain(user, "users", "0", "id"))
	if id == "" {
		return providers.Identity{}, c.Unexpected(providers.Ask{Op: "read account"}, "the answers name no organisation or no user")
	}
	return providers.Identity{ExternalID: id, Name: cmp.Or(providers.Plain(org, "org", "0", "company_name"), id)}, nil
}

package hubspot

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

// scope opens contacts. The consent must ask for exactly what our app is registered with [doc].
const scope = "crm.objects.contacts.read"

func (cfg Config) oauth() *providers.OAuth {
	return &providers.OAuth{
		Config: oauth2.Config{
			ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, Scopes: []string{"oauth", scope},
			Endpoint: oauth2.Endpoint{
				AuthURL:   cfg.AuthBaseURL + "/oauth/authorize",
				TokenURL:  cfg.APIBaseURL + pathOAuth + "/token",
				AuthStyle: oauth2.AuthStyleInParams,
			},
		},
		RevokeURL: cfg.APIBaseURL + pathOAuth + "/token/revoke",
		Needs:     []string{scope},
		Client:    cfg.TokenClient, Timeout: cfg.Timeout,
		Complete: complete, Refusal: tokenRefusal, Identify: cfg.identify,
	}
}

// complete reads what was granted: a list, and not the text of RFC 6749.
func complete(token *oauth2.Token, grant *providers.Grant) error {
	list, _ := token.Extra("scopes").([]any)
	for _, one := range list {
		if name, ok := one.(string); ok {
			grant.Scopes = append(grant.Scopes, name)
		}
	}
	return nil
}

// tokenKinds are the words of the token host: those of version 1 in "status" [seen], those of OAuth in "error" [?].
var tokenKinds = map[string]providers.ErrorKind{ //nolint:gochecknoglobals // a constant table
	"BAD_AUTH_CODE": providers.NeedsReauth, "MISMATCH_REDIRECT_URI_AUTH_CODE": providers.NeedsReauth,
	"BAD_REFRESH_TOKEN": providers.NeedsReauth, "INVALID_GRANT": providers.NeedsReauth,
	"BAD_CLIENT_ID": providers.Misconfigured, "BAD_CLIENT_SECRET": providers.Misconfigured, "INVALID_CLIENT": providers.Misconfigured,
	"UNAUTHORIZED_CLIENT": providers.Misconfigured, "INVALID_REQUEST": providers.Misconfigured, "BAD_REQUEST": providers.Misconfigured,
	"UNSUPPORTED_GRANT_TYPE": providers.Misconfigured, "BAD_GRANT_TYPE": providers.Misconfigured,
}

// tokenRefusal goes by the word; without one that we know it is no refusal of a person or of our app.
func tokenRefusal(answer *providers.Answer) *providers.Error {
	told := tell(answer)
	e := &providers.Error{Status: answer.Status, Code: strings.ToUpper(cmp.Or(told.Error, told.Status)), Detail: cmp.Or(told.ErrorDescription, told.Message)}
	switch kind := tokenKinds[e.Code]; {
	case answer.Status == http.StatusTooManyRequests || answer.Status == statusMoving:
		return limited(e, answer, told)
	case answer.Status == http.StatusForbidden && !answer.JSON():
		return pause(e, 15*time.Minute)
	case answer.Status >= 500 || kind == "" && answer.Status != http.StatusUnauthorized:
		e.Kind = providers.Transient
	case kind == providers.NeedsReauth && !strings.Contains(strings.ToLower(e.Detail), "not issued to this client"):
		e.Kind, e.Variant = kind, words.VariantRevoked
	default: // also a token of another app: our id and secret were swapped [bug: airbytehq/airbyte#79592]
		e.Kind, e.Variant = providers.Misconfigured, words.VariantApp
	}
	return e
}

// identify reads GET /account-info/v3/details. An account is a portal, whoever of it allowed us; it has no name there.
func (cfg Config) identify(ctx context.Context, account providers.Account, client *http.Client) (providers.Identity, error) {
	a := ask{op: "hubspot: read account", everWorked: account.EverWorked}
	var portal struct {
		ID providers.Text `json:"portalId"`
	}
	if _, err := a.do(ctx, providers.NewHTTP(client, cfg.Timeout), providers.Request{URL: cfg.APIBaseURL + pathAccount}, &portal); err != nil {
		return providers.Identity{}, err
	}
	if portal.ID == "" {
		return providers.Identity{}, a.odd("the answer names no account")
	}
	return providers.Identity{ExternalID: string(portal.ID), Name: "Hub ID " + string(portal.ID)}, nil
}

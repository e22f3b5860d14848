package pipedrive

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

func (cfg Config) oauth() *providers.OAuth {
	return &providers.OAuth{
		Config: oauth2.Config{
			ClientID:     cfg.ClientID,
			ClientSecret: cfg.ClientSecret,
			Endpoint: oauth2.Endpoint{
				AuthURL:   cfg.AuthBaseURL + "/oauth/authorize",
				TokenURL:  cfg.AuthBaseURL + "/oauth/token", // not the spec's second path with a slash
				AuthStyle: oauth2.AuthStyleInHeader,
			},
			// No scopes: they are fixed where the app is registered [doc].
		},
		RevokeURL:    cfg.AuthBaseURL + "/oauth/revoke",
		Needs:        []string{"contacts:read|contacts:full"}, // either opens /persons [spec]
		Client:       cfg.TokenClient,
		Timeout:      cfg.Timeout,
		TrustsDomain: cfg.trusts,
		Complete:     cfg.complete,
		Refusal:      tokenRefusal,
		Identify:     cfg.identify,
	}
}

// complete reads api_domain, which comes with every grant and may change, as companies are renamed [doc].
func (cfg Config) complete(token *oauth2.Token, grant *providers.Grant) error {
	domain, _ := token.Extra("api_domain").(string)
	domain = strings.TrimRight(domain, "/")
	if domain != "" && !cfg.trusts(domain) {
		return &providers.Error{Kind: providers.Misconfigured, Variant: words.VariantApp, Detail: "the grant names an API domain that is not Pipedrive's"}
	}
	grant.APIDomain = domain
	return nil
}

// tokenRefusal goes by "error" first, then by the text of "message" before the colon; neither is documented [doc: OAuth
// status codes]. The body may as well be a page, or empty.
func tokenRefusal(answer *providers.Answer) *providers.Error {
	var body struct{ Error, Message string }
	_ = json.Unmarshal(answer.Body, &body, json.MatchCaseInsensitiveNames(true)) // a page of a proxy has neither
	e := &providers.Error{Status: answer.Status, Code: body.Error, Detail: body.Message}
	class, _, _ := strings.Cut(body.Message, ":")
	class = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(class)), " ", "_")
	switch silent := body.Error == "" && body.Message == ""; {
	case answer.Status == http.StatusTooManyRequests:
		return limited(e, answer)
	case answer.Status >= 500 || body.Error == "server_error" || body.Error == "temporarily_unavailable":
		return unavailable(e)
	case body.Error == "invalid_grant" || body.Error == "" && class == "invalid_grant":
		e.Kind, e.Variant = providers.NeedsReauth, words.VariantRevoked
	case silent && answer.Status == http.StatusForbidden:
		return firewalled(e)
	case silent && (answer.Status < 300 || answer.Status == http.StatusBadRequest): // a page on the way, not their refusal
		e.Kind = providers.Transient
	default: // our id, secret, redirect address or way of asking: never the person's connection
		e.Kind, e.Variant = providers.Misconfigured, words.VariantApp
	}
	return e
}

// identify reads GET /api/v1/users/me, which stays in v1 [doc]. An account is a user in a company.
func (cfg Config) identify(ctx context.Context, account providers.Account, client *http.Client) (providers.Identity, error) {
	a := ask{op: "pipedrive: read account", everWorked: account.EverWorked}
	answer, err := providers.NewHTTP(client, cfg.Timeout).Get(ctx, a.op, cfg.base(account)+"/api/v1/users/me")
	if err != nil {
		return providers.Identity{}, err
	}
	me, err := decode[user](answer, a)
	if err != nil {
		return providers.Identity{}, err
	}
	if me.Data.ID == "" || me.Data.CompanyID == "" {
		return providers.Identity{}, odd(answer, a, "the answer names no user or no company")
	}
	return providers.Identity{
		ExternalID: externalID(me.Data.CompanyID, me.Data.ID),
		Name:       cmp.Or(me.Data.CompanyName, me.Data.CompanyDomain),
	}, nil
}

func externalID(company, user providers.Text) string { return string(company + ":" + user) }

// uninstall reads Pipedrive's DELETE on our callback address. It proves itself with our own credentials [doc: Handling
// user app uninstallation]; ids may come as strings.
func (cfg Config) uninstall(r *http.Request, body []byte) (string, error) {
	id, secret, ok := r.BasicAuth()
	if !ok || !providers.SameSecret(secret, cfg.ClientSecret) || !providers.SameSecret(id, cfg.ClientID) {
		return "", providers.ErrUnverified
	}
	var notice struct {
		CompanyID providers.Text `json:"company_id"`
		UserID    providers.Text `json:"user_id"`
	}
	if err := json.Unmarshal(body, &notice); err != nil || notice.CompanyID == "" || notice.UserID == "" {
		return "", errors.New("pipedrive: read the uninstall notice: it names no company and user")
	}
	return externalID(notice.CompanyID, notice.UserID), nil
}

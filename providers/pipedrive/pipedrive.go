// Package pipedrive translates Pipedrive: OAuth, API v2 persons, and of API v1 the current user and webhooks. Its facts,
// with their sources, are the project's page on the provider; "[doc]", "[spec]" and "[seen]" below are that page's marks.
//
// It holds no state and no token: the client it is given authenticates, refreshes after a 401 and sends again. When to
// ask, how fast, and what an answer does to a row is left to the engine.
package pipedrive

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
)

// The provider's own hosts.
const (
	AuthBaseURL = "https://oauth.pipedrive.com"
	APIBaseURL  = "https://api.pipedrive.com" // for a grant that names no company's host
	hostSuffix  = ".pipedrive.com"
)

// pathMe stays in v1 [doc].
const pathMe = "/api/v1/users/me"

// headerDailyLeft is what is left of the day's budget, in tokens.
const headerDailyLeft = "x-daily-ratelimit-token-remaining"

// Config is what cmd/enlace knows of our app. An API domain below its APIBaseURL is trusted too.
type Config = providers.App

// New makes the provider's value. Nothing is asked of the provider yet.
func New(cfg Config) *providers.Provider {
	override := strings.TrimRight(cfg.APIBaseURL, "/")
	trusts := func(domain string) bool {
		return providers.Host(hostSuffix, domain) || providers.Below(override, domain)
	}
	cfg = cfg.Defaults(AuthBaseURL, APIBaseURL)
	api := &providers.API{
		Provider: "pipedrive", BaseURL: cfg.APIBaseURL, Timeout: cfg.Timeout,
		Trusts: trusts, Told: told, Refine: refine,
		Layout: providers.Layout{
			Records: "data", NullIsEmpty: true, Next: "additional_data.next_cursor", Record: "data", Cursor: "cursor",
		},
		Usage: providers.UsageHeaders{ // those of the day are not in the docs and are sometimes missing [seen]
			BurstLimit: "x-ratelimit-limit", BurstRemaining: "x-ratelimit-remaining", BurstWindow: 2 * time.Second, // rolling [doc: Rate limiting]
			DailyLimit: "x-daily-ratelimit-token-limit", DailyRemaining: headerDailyLeft,
		},
	}
	return &providers.Provider{
		Name: "pipedrive", Title: "Pipedrive", Kind: providers.CRM, OAuth: oauth(cfg, api),
		Contacts: func(account providers.Account, client *http.Client) providers.ContactSource {
			return &contacts{api.For(account, client)}
		},
		Changes: changes(api),
		Uninstall: func(r *http.Request, body []byte) (string, error) {
			return uninstalled(cfg, r, body)
		},
		Limits: providers.Limits{
			RequestsPerSecond: 8,
			BurstsBeforeQuota: 5,
			Budget:            providers.OuterAccount, // tokens are the company's [doc]
			QuotaReset:        nextMidnight,
			SweepEvery:        24 * time.Hour,      // there is no feed of deletions
			Cursors:           providers.Positions, // it decodes to field, value, direction and id [seen]
		},
	}
}

func oauth(cfg Config, api *providers.API) *providers.OAuth {
	endpoint := oauth2.Endpoint{
		AuthURL:   cfg.AuthBaseURL + "/oauth/authorize",
		TokenURL:  cfg.AuthBaseURL + "/oauth/token", // not the spec's second path with a slash
		AuthStyle: oauth2.AuthStyleInHeader,
	}
	o := cfg.OAuth(endpoint, cfg.AuthBaseURL+"/oauth/revoke")                                          // no scopes: they are fixed where the app is registered [doc]
	o.Needs = []string{"contacts:read|contacts:full"}                                                  // either opens /persons [spec]
	o.Features = []providers.Feature{{Name: "change_notices", Needs: []string{"webhooks:full|admin"}}} // [spec] [?]
	o.TrustsDomain = api.Trusts
	o.Complete = providers.DomainIn("api_domain", api.Trusts) // it comes with every grant; companies are renamed [doc]
	o.Identify = api.Identify(pathMe, func(body jsontext.Value) providers.Identity {
		me := func(member string) string { return providers.Plain(body, "data", member) }
		return providers.Identity{
			ExternalID: providers.AccountID(me("company_id"), me("id")),
			Name:       cmp.Or(me("company_name"), me("company_domain")),
		}
	})
	return o
}

// uninstalled reads Pipedrive's DELETE on our callback address. It proves itself with our own credentials [doc: Handling
// user app uninstallation]; ids may come as strings.
func uninstalled(cfg Config, r *http.Request, body []byte) (string, error) {
	if !providers.BasicAuth(r.Header, cfg.ClientID, cfg.ClientSecret) {
		return "", providers.ErrUnverified
	}
	account := providers.AccountID(providers.Plain(body, "company_id"), providers.Plain(body, "user_id"))
	if account == "" {
		return "", errors.New("pipedrive: read the uninstall notice: it names no company and user")
	}
	return account, nil
}

// nextMidnight is when the day's budget comes back. The docs say midnight of the server's zone without naming it; UTC
// is our reading.
func nextMidnight(now time.Time) time.Time {
	return now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
}

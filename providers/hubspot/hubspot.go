// Package hubspot translates HubSpot: OAuth version 3, contacts of the CRM, and the notices of changes that one setting
// of our app brings for all accounts. Its facts, with their sources, are the project's page on the provider; "[doc]",
// "[spec]", "[seen]", "[rule]" and "[?]" below are that page's marks.
//
// It holds no state and no token: the client it is given authenticates, refreshes after a 401 and sends again. When to
// ask, how fast, and what an answer does to a row is left to the engine.
package hubspot

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
)

// The provider's own hosts, and the versions of its paths. They end in 2027; the dated ones that follow,
// /oauth/2026-03 and /crm/objects/2026-03, have the same bodies [seen: quoted doc].
const (
	AuthBaseURL  = "https://app.hubspot.com"
	APIBaseURL   = "https://api.hubapi.com" // of all accounts, and of tokens
	pathOAuth    = "/oauth/v3"
	pathContacts = "/crm/v3/objects/contacts"
	pathAccount  = "/account-info/v3/details"
)

// scope opens contacts. The consent must ask for exactly what our app is registered with [doc].
const scope = "crm.objects.contacts.read"

// Config is what cmd/enlace knows of our app.
type Config = providers.App

// New makes the provider's value. Nothing is asked of the provider yet.
func New(cfg Config) *providers.Provider {
	cfg = cfg.Defaults(AuthBaseURL, APIBaseURL)
	api := &providers.API{
		Provider: "hubspot", BaseURL: cfg.APIBaseURL, Timeout: cfg.Timeout,
		Told: told, Refine: refine, Survivors: true,
		Layout: providers.Layout{Records: "results", Next: "paging.next.after", Total: "total", Cursor: "after"},
		Usage: providers.UsageHeaders{ // a daily budget is not told to apps of many accounts [doc]
			BurstLimit: "X-HubSpot-RateLimit-Max", BurstRemaining: "X-HubSpot-RateLimit-Remaining",
			BurstInterval: "X-HubSpot-RateLimit-Interval-Milliseconds",
		},
	}
	token := cfg.APIBaseURL + pathOAuth + "/token"
	endpoint := oauth2.Endpoint{AuthURL: cfg.AuthBaseURL + "/oauth/authorize", TokenURL: token, AuthStyle: oauth2.AuthStyleInParams}
	oauth := cfg.OAuth(endpoint, token+"/revoke", "oauth", scope)
	oauth.Needs = []string{scope}
	oauth.Refusal = tokenRefusal
	oauth.Identify = api.Identify(pathAccount, func(body jsontext.Value) providers.Identity {
		portal := providers.Plain(body, "portalId") // an account, whoever of it allowed us; it has no name there
		return providers.Identity{ExternalID: portal, Name: "Hub ID " + portal}
	})
	return &providers.Provider{
		Name: "hubspot", Title: "HubSpot", Kind: providers.CRM, OAuth: oauth,
		Contacts: func(account providers.Account, client *http.Client) providers.ContactSource {
			return &contacts{api.For(account, client)}
		},
		Changes: &providers.Changes{Read: providers.ReadEach(signed(cfg.ClientSecret), change)},
		Limits: providers.Limits{
			RequestsPerSecond: 2.5,            // search, half of its limit; a list's answer reports more
			SweepEvery:        24 * time.Hour, // for what no feed shows: purges, erasures, restores that keep the time [?]
			DeletedEvery:      6 * time.Hour,  // the list has no filter and may be long [rule]
			DeletedKept:       90 * 24 * time.Hour,
			Cursors:           providers.Bounded,
		},
	}
}

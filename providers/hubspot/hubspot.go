// Package hubspot translates HubSpot: OAuth version 3, contacts of the CRM, and the notices of changes that one setting
// of our app brings for all accounts. Its facts, with their sources, are the project's page on the provider; "[doc]",
// "[spec]", "[seen]", "[rule]" and "[?]" below are that page's marks.
//
// It holds no state and no token: the client it is given authenticates, refreshes after a 401 and sends again. When to
// ask, how fast, and what an answer does to a row is left to the engine.
package hubspot

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"example.com/enlace/providers"
)

// The provider's own hosts, and the versions of its paths. They end in 2027; the dated ones that follow,
// /oauth/2026-03 and /crm/objects/2026-03, have the same bodies [seen: quoted doc].
const (
	AuthBaseURL = "https://app.hubspot.com"
	APIBaseURL  = "https://api.hubapi.com" // of all accounts, and of tokens
	pathOAuth   = "/oauth/v3"
	pathCRM     = "/crm/v3/objects"
	pathAccount = "/account-info/v3/details"
)

// Config is what cmd/enlace knows of our app.
type Config struct {
	ClientID     string
	ClientSecret string

	// AuthBaseURL and APIBaseURL replace the provider's hosts, for a sandbox, a test or a proxy.
	AuthBaseURL string
	APIBaseURL  string

	// TokenClient speaks to the token host; nil: one of our own. See [providers.OAuth.Client].
	TokenClient *http.Client

	// Timeout bounds each request; 0 is [providers.RequestTimeout].
	Timeout time.Duration
}

// New makes the provider's value. Nothing is asked of the provider yet.
func New(cfg Config) *providers.Provider {
	cfg.AuthBaseURL = cmp.Or(strings.TrimRight(cfg.AuthBaseURL, "/"), AuthBaseURL)
	cfg.APIBaseURL = cmp.Or(strings.TrimRight(cfg.APIBaseURL, "/"), APIBaseURL)
	if cfg.TokenClient == nil {
		cfg.TokenClient = &http.Client{Transport: providers.NewTransport(0)}
	}
	return &providers.Provider{
		Name: "hubspot", Title: "HubSpot", Kind: providers.CRM, OAuth: cfg.oauth(),
		Contacts: func(account providers.Account, client *http.Client) providers.ContactSource {
			return &contacts{url: cfg.APIBaseURL + pathCRM + "/contacts", http: providers.NewHTTP(client, cfg.Timeout), everWorked: account.EverWorked}
		},
		Changes: &providers.Changes{Read: cfg.readChanges},
		Limits: providers.Limits{
			RequestsPerSecond: 2.5,            // search, half of its limit; a list's answer reports more
			SweepEvery:        24 * time.Hour, // for what no feed shows: purges, erasures, restores that keep the time [?]
			DeletedEvery:      6 * time.Hour,  // the list has no filter and may be long [rule]
			DeletedKept:       90 * 24 * time.Hour,
			Cursors:           providers.Bounded,
		},
	}
}

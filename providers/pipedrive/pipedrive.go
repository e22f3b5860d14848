// Package pipedrive translates Pipedrive: OAuth, API v2 persons, and of API v1 the current user. Its facts, with their
// sources, are the project's page on the provider; "[doc]", "[spec]" and "[seen]" below are that page's marks.
//
// It holds no state and no token: the client it is given authenticates, refreshes after a 401 and sends again. When to
// ask, how fast, and what an answer does to a row is left to the engine.
package pipedrive

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"example.com/enlace/providers"
)

// The provider's own hosts.
const (
	AuthBaseURL = "https://oauth.pipedrive.com"
	APIBaseURL  = "https://api.pipedrive.com" // for a grant that names no company's host
	hostSuffix  = ".pipedrive.com"
)

// Config is what cmd/enlace knows of our app.
type Config struct {
	ClientID     string
	ClientSecret string

	// AuthBaseURL and APIBaseURL replace the provider's hosts, for a sandbox, a test or a proxy. An API domain below
	// APIBaseURL is then trusted too.
	AuthBaseURL string
	APIBaseURL  string

	// TokenClient speaks to the token host; nil: one of our own. See [providers.OAuth.Client].
	TokenClient *http.Client

	// Timeout bounds each request; 0 is [providers.RequestTimeout].
	Timeout time.Duration
}

// New makes the provider's value. Nothing is asked of the provider yet.
func New(cfg Config) *providers.Provider {
	cfg.AuthBaseURL = strings.TrimRight(cfg.AuthBaseURL, "/")
	cfg.APIBaseURL = strings.TrimRight(cfg.APIBaseURL, "/")
	if cfg.AuthBaseURL == "" {
		cfg.AuthBaseURL = AuthBaseURL
	}
	if cfg.TokenClient == nil {
		cfg.TokenClient = &http.Client{Transport: providers.NewTransport(0)}
	}
	return &providers.Provider{
		Name:  "pipedrive",
		Title: "Pipedrive",
		Kind:  providers.CRM,
		OAuth: cfg.oauth(),
		Contacts: func(account providers.Account, client *http.Client) providers.ContactSource {
			return &contacts{base: cfg.base(account), http: providers.NewHTTP(client, cfg.Timeout), everWorked: account.EverWorked}
		},
		Changes:   cfg.changes(),
		Uninstall: cfg.uninstall,
		Limits: providers.Limits{
			RequestsPerSecond: 8,
			BurstsBeforeQuota: 5,
			QuotaReset:        nextMidnight,
			SweepEvery:        24 * time.Hour,      // there is no feed of deletions
			Cursors:           providers.Positions, // it decodes to field, value, direction and id [seen]
		},
	}
}

// base is the address of an account's API, without a slash at its end.
func (cfg Config) base(account providers.Account) string {
	switch {
	case account.APIDomain != "":
		return account.APIDomain
	case cfg.APIBaseURL != "":
		return cfg.APIBaseURL
	}
	return APIBaseURL
}

// trusts says whether a token may be sent to an API domain: https and a host of Pipedrive, no port, user or path, which
// the comparison with the host alone excludes; or below the configured base URL.
func (cfg Config) trusts(domain string) bool {
	if base := cfg.APIBaseURL; base != "" && (domain == base || strings.HasPrefix(domain, base+"/")) {
		u, err := url.Parse(domain)
		return err == nil && u.RawQuery == "" && u.Fragment == "" && path.Clean("/"+u.Path) == "/"+strings.TrimLeft(u.Path, "/")
	}
	u, err := url.Parse(domain)
	return err == nil && domain == "https://"+u.Host && strings.HasSuffix(u.Host, hostSuffix) && len(u.Host) > len(hostSuffix)
}

// nextMidnight is when the day's budget comes back. The docs say midnight of the server's zone without naming it; UTC
// is our reading.
func nextMidnight(now time.Time) time.Time {
	return now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
}

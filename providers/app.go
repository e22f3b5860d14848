package providers

import (
	"cmp"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"example.com/enlace/providers/words"
)

// App is our app as it is registered with a provider, and where the provider is reached: what most adapters are
// configured with.
type App struct {
	ClientID     string
	ClientSecret string

	// AuthBaseURL and APIBaseURL replace the provider's hosts, for a sandbox, a test or a proxy.
	AuthBaseURL string
	APIBaseURL  string

	// TokenClient speaks to the token host; nil: one of our own. See [OAuth.Client].
	TokenClient *http.Client

	// Timeout bounds each request; 0 is [RequestTimeout].
	Timeout time.Duration
}

// Defaults fills in what isn't set: the provider's own hosts, and a client for its token host.
func (a App) Defaults(authBaseURL, apiBaseURL string) App {
	a.AuthBaseURL = cmp.Or(strings.TrimRight(a.AuthBaseURL, "/"), authBaseURL)
	a.APIBaseURL = cmp.Or(strings.TrimRight(a.APIBaseURL, "/"), apiBaseURL)
	if a.TokenClient == nil {
		a.TokenClient = &http.Client{Transport: NewTransport(0)}
	}
	return a
}

// OAuth is the consent of the app at an endpoint; the adapter adds what is the provider's own.
func (a App) OAuth(endpoint oauth2.Endpoint, revokeURL string, scopes ...string) *OAuth {
	return &OAuth{
		Config:    oauth2.Config{ClientID: a.ClientID, ClientSecret: a.ClientSecret, Endpoint: endpoint, Scopes: scopes},
		RevokeURL: revokeURL, Client: a.TokenClient, Timeout: a.Timeout,
	}
}

// Below reports whether an address is base itself or a plain path below it: without a query, and without dots or doubled
// slashes that would lead out of it. Nothing is below an empty base.
func Below(base, address string) bool {
	if base == "" || address != base && !strings.HasPrefix(address, base+"/") || strings.ContainsAny(address, "?#") {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && path.Clean("/"+u.Path) == "/"+strings.TrimLeft(u.Path, "/")
}

// Host reports whether an address is https and a host that ends in suffix, such as ".example.com", and nothing more: no
// port, user or path.
func Host(suffix, address string) bool {
	u, err := url.Parse(address)
	return err == nil && address == "https://"+u.Host && strings.HasSuffix(u.Host, suffix) && len(u.Host) > len(suffix)
}

// DomainIn reads an account's API domain from a member of its grants, where providers rename domains: [OAuth.Complete].
// A domain that isn't trusted is refused; one that is missing is none.
func DomainIn(member string, trusts func(domain string) bool) func(token *oauth2.Token, grant *Grant) error {
	return func(token *oauth2.Token, grant *Grant) error {
		domain, _ := token.Extra(member).(string)
		domain = strings.TrimRight(domain, "/")
		if domain != "" && !trusts(domain) {
			return &Error{Kind: Misconfigured, Variant: words.VariantApp, Detail: "the grant names an API domain that is not the provider's"}
		}
		grant.APIDomain = domain
		return nil
	}
}

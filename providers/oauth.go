package providers

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// Grant is what a token endpoint gave.
type Grant struct {
	AccessToken  string
	RefreshToken string // empty: the provider didn't return one, the old one stays
	ExpiresAt    time.Time
	Scopes       []string
	APIDomain    string // empty: the old one stays
}

// Identity is the account behind a grant.
type Identity struct {
	ExternalID string
	Name       string
}

// OAuth is the authorization-code side of a provider: its endpoints, and the few places where providers differ.
// Safe for concurrent use.
type OAuth struct {
	Config    oauth2.Config // ClientID, ClientSecret, Endpoint with AuthStyle, Scopes; RedirectURL is given per call
	RevokeURL string        // empty: tokens can't be revoked
	Needs     []string      // scopes without which a sync can't work

	// Client speaks to the token host. It has a time limit of its own.
	Client *http.Client

	// Grant reads the provider's extra members of a token answer; nil: none. It refuses an API domain that isn't the
	// provider's own.
	Grant func(token *oauth2.Token) (Grant, error)

	// Refusal classifies an answer of the token host that isn't a grant.
	Refusal func(status int, body []byte) *Error

	// Identify reads the account that was connected.
	Identify func(ctx context.Context, account Account, client *http.Client) (Identity, error)

	// Missed says why the callback brought no code, from its query: a refusal by the person, or a fault.
	AuthParams map[string]string // extra members of the consent URL
}

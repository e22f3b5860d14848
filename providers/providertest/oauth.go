package providertest

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
)

// OAuthSandbox is a provider's fake as its consent page and token host.
type OAuthSandbox interface {
	// Provider is the adapter's value for the fake; secret replaces the app's own unless it is empty.
	Provider(t *testing.T, secret string) *providers.Provider

	// Allow is what the callback gets when a person allows what the consent URL asks for.
	Allow(t *testing.T, consentURL string) url.Values

	Withdraw(t *testing.T)         // the account's owner takes all permissions back
	Play(t *testing.T, tr Trouble) // makes the token host go wrong until it recovers
	Recover(t *testing.T)
}

// OAuth is the authorization side of an adapter under test.
type OAuth struct {
	Sandbox func(t *testing.T) OAuthSandbox
}

const (
	callbackURL = "https://enlace.example.com/functions/v1/oauth-callback"
	verifier    = "a-verifier-of-more-than-forty-three-characters-0"
)

// tokenTroubles are what a token host may answer that is no refusal of the tokens, and what it has to be classified as.
var tokenTroubles = map[Trouble]providers.ErrorKind{ //nolint:gochecknoglobals // a constant table
	Reset: providers.Transient, CutOff: providers.Transient, HalfJSON: providers.Transient, EmptyBody: providers.Transient,
	WebPage: providers.Transient, BadGateway: providers.Transient, Maintenance: providers.Transient, Burst: providers.RateLimited,
}

// Run checks what [providers.OAuth] promises of a provider's consent, exchange, refresh and revocation.
func (o OAuth) Run(t *testing.T) {
	t.Helper()
	t.Run("a consent becomes a grant that is renewed and withdrawn", func(t *testing.T) { t.Parallel(); lifecycle(t, o.Sandbox(t)) })
	t.Run("what the owner withdraws needs reconnection", func(t *testing.T) { t.Parallel(); withdrawn(t, o.Sandbox(t)) })
	t.Run("a wrong secret is the operator's", func(t *testing.T) { t.Parallel(); wrongSecret(t, o.Sandbox(t)) })
	t.Run("a token is sent to nobody else", func(t *testing.T) { t.Parallel(); trusted(t, o.Sandbox(t)) })
	for trouble, kind := range tokenTroubles {
		t.Run("token host: "+string(trouble), func(t *testing.T) { t.Parallel(); tokenHostFails(t, o.Sandbox(t), trouble, kind) })
	}
}

// Redirect asks a consent page as a browser does, and returns where it sends a person who allows: the callback, or
// another page of the provider.
func Redirect(t *testing.T, transport http.RoundTripper, consentURL string) *url.URL {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, consentURL, http.NoBody)
	require.NoError(t, err)
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	back, err := resp.Location()
	require.NoError(t, err)
	return back
}

// grant goes through the consent page and exchanges the code.
func grant(t *testing.T, s OAuthSandbox, o *providers.OAuth) (g providers.Grant, authServer, code string) {
	t.Helper()
	consent := o.AuthCodeURL("the-state", callbackURL, verifier)
	asked, err := url.Parse(consent)
	require.NoError(t, err)
	require.Equal(t, "the-state", asked.Query().Get("state"))
	require.Equal(t, callbackURL, asked.Query().Get("redirect_uri"))
	require.NotContains(t, consent, o.Config.ClientSecret)
	back := s.Allow(t, consent)
	require.Equal(t, "the-state", back.Get("state"))
	if o.AuthServer != nil {
		authServer, err = o.AuthServer(back)
		require.NoError(t, err)
	}
	code = back.Get("code")
	g, err = o.Exchange(t.Context(), authServer, code, callbackURL, verifier)
	require.NoError(t, err)
	require.NotEmpty(t, g.AccessToken)
	require.NotEmpty(t, g.RefreshToken, "it renews itself")
	require.Greater(t, time.Until(g.ExpiresAt), 10*time.Minute)
	require.Less(t, time.Until(g.ExpiresAt), 25*time.Hour)
	require.Empty(t, o.Missing(g.Scopes))
	require.Equal(t, authServer, g.AuthServer)
	return g, authServer, code
}

func identify(t *testing.T, p *providers.Provider, g providers.Grant) providers.Identity {
	t.Helper()
	token := &oauth2.Token{AccessToken: g.AccessToken, TokenType: p.OAuth.Scheme}
	line := providers.NewTransport(0)
	t.Cleanup(line.CloseIdleConnections)
	client := &http.Client{Transport: &oauth2.Transport{Source: oauth2.StaticTokenSource(token), Base: Bodies(t, line)}}
	identity, err := p.OAuth.Identify(t.Context(), providers.Account{APIDomain: g.APIDomain, AuthServer: g.AuthServer}, client)
	require.NoError(t, err)
	require.NotEmpty(t, identity.ExternalID)
	require.NotEmpty(t, identity.Name)
	return identity
}

func kindOf(t *testing.T, err error, kind providers.ErrorKind, secrets ...string) *providers.Error {
	t.Helper()
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, "%v", e)
	for _, secret := range secrets {
		require.NotContains(t, e.Error(), secret)
	}
	return e
}

func lifecycle(t *testing.T, s OAuthSandbox) {
	t.Helper()
	p := s.Provider(t, "")
	first, authServer, code := grant(t, s, p.OAuth)
	account := identify(t, p, first)

	_, err := p.OAuth.Exchange(t.Context(), authServer, code, callbackURL, verifier)
	require.Equal(t, "code", kindOf(t, err, providers.InvalidRequest, code).Variant, "a code works once")

	second, err := p.OAuth.Refresh(t.Context(), authServer, first.RefreshToken)
	require.NoError(t, err)
	require.NotEqual(t, first.AccessToken, second.AccessToken)
	if second.RefreshToken == "" { // the provider says: keep the old one
		second.RefreshToken = first.RefreshToken
	}
	if second.APIDomain == "" {
		second.APIDomain = first.APIDomain
	}
	require.Equal(t, account, identify(t, p, second), "the same account")

	again, _, _ := grant(t, s, p.OAuth)
	require.Equal(t, account, identify(t, p, again), "the same account, connected once more")

	require.NoError(t, p.OAuth.Revoke(t.Context(), authServer, second.RefreshToken))
	_, err = p.OAuth.Refresh(t.Context(), authServer, second.RefreshToken)
	_ = kindOf(t, err, providers.NeedsReauth, second.RefreshToken)
}

func withdrawn(t *testing.T, s OAuthSandbox) {
	t.Helper()
	p := s.Provider(t, "")
	g, authServer, _ := grant(t, s, p.OAuth)
	s.Withdraw(t)
	_, err := p.OAuth.Refresh(t.Context(), authServer, g.RefreshToken)
	_ = kindOf(t, err, providers.NeedsReauth, g.RefreshToken, g.AccessToken)
}

func wrongSecret(t *testing.T, s OAuthSandbox) {
	t.Helper()
	g, authServer, _ := grant(t, s, s.Provider(t, "").OAuth)
	wrong := s.Provider(t, "quite-another-secret").OAuth
	back := s.Allow(t, wrong.AuthCodeURL("the-state", callbackURL, verifier))
	_, err := wrong.Exchange(t.Context(), authServer, back.Get("code"), callbackURL, verifier)
	_ = kindOf(t, err, providers.Misconfigured, "quite-another-secret")
	_, err = wrong.Refresh(t.Context(), authServer, g.RefreshToken)
	_ = kindOf(t, err, providers.Misconfigured, "quite-another-secret", g.RefreshToken)
}

func trusted(t *testing.T, s OAuthSandbox) {
	t.Helper()
	p := s.Provider(t, "")
	g, _, _ := grant(t, s, p.OAuth)
	evil := []string{"https://evil.example", "http://169.254.169.254", "https://www.zohoapis.com.evil.example", "https://api.hubapi.com.evil.example", "https://evil.example/?x=.pipedrive.com"}
	if p.OAuth.TrustsDomain == nil {
		require.Empty(t, g.APIDomain, "a grant that names a domain has it checked")
	} else {
		require.True(t, g.APIDomain == "" || p.OAuth.TrustsDomain(g.APIDomain))
		for _, domain := range evil {
			require.False(t, p.OAuth.TrustsDomain(domain), domain)
		}
	}
	if p.OAuth.AuthServer == nil {
		return
	}
	for _, server := range evil {
		_, err := p.OAuth.AuthServer(url.Values{"accounts-server": {server}, "location": {"eu"}, "code": {"x"}})
		require.Error(t, err, server)
		_, err = p.OAuth.Refresh(t.Context(), server, g.RefreshToken)
		_ = kindOf(t, err, providers.Misconfigured, g.RefreshToken)
	}
}

func tokenHostFails(t *testing.T, s OAuthSandbox, trouble Trouble, kind providers.ErrorKind) {
	t.Helper()
	p := s.Provider(t, "")
	g, authServer, _ := grant(t, s, p.OAuth)
	s.Play(t, trouble)
	_, err := p.OAuth.Refresh(t.Context(), authServer, g.RefreshToken)
	e := kindOf(t, err, kind, g.RefreshToken, g.AccessToken)
	if kind == providers.RateLimited {
		require.True(t, e.RetryAt.After(time.Now()), "a wait has an end")
	}
	s.Recover(t)
	_, err = p.OAuth.Refresh(t.Context(), authServer, g.RefreshToken)
	require.NoError(t, err)
}

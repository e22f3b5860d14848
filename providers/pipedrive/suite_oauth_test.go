package pipedrive_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/providertest"
	"example.com/enlace/providers/sandbox"
)

func TestOAuth(t *testing.T) {
	t.Parallel()

	providertest.OAuth{Sandbox: func(t *testing.T) providertest.OAuthSandbox {
		t.Helper()
		a := newAccount(t, sandbox.Config{}, nil)
		require.NoError(t, a.fake.Configure(func(s *sandbox.PipedriveSettings) { s.AutoConsent = true }))
		return &tokenHost{a}
	}}.Run(t)
}

// tokenHost is the fake as a token host.
type tokenHost struct{ *account }

// Provider implements providertest.OAuthSandbox.
func (h *tokenHost) Provider(t *testing.T, secret string) *providers.Provider {
	t.Helper()
	cfg := h.config
	if secret != "" {
		cfg.ClientSecret = secret
	}
	return pipedrive.New(cfg)
}

// Allow implements providertest.OAuthSandbox.
func (h *tokenHost) Allow(t *testing.T, consentURL string) url.Values {
	t.Helper()
	return providertest.Redirect(t, h.config.TokenClient.Transport, consentURL).Query()
}

// Withdraw implements providertest.OAuthSandbox.
func (h *tokenHost) Withdraw(*testing.T) { h.fake.Revoke(sandbox.DefaultCompany) }

// Play implements providertest.OAuthSandbox.
func (h *tokenHost) Play(t *testing.T, trouble providertest.Trouble) {
	t.Helper()
	if trouble == providertest.WebPage {
		h.fake.Script("/oauth/token", sandbox.Answer{Body: "<html><body>Sign in to the network</body></html>"})
		return
	}
	require.NoError(t, h.fake.Faults(sandbox.Fault{Path: "/oauth/token", Kind: kinds[trouble], Times: sandbox.Forever}))
}

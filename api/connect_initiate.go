package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// bareActor is who begins a consent where nobody has to be known.
const bareActor = "bare link"

// initiate sends a browser to the provider's consent page, if it may begin a consent for a tenant.
func (s *Server) initiate(w http.ResponseWriter, r *http.Request) {
	provider := r.URL.Query().Get("provider")
	oauth := s.oauthOf(provider)
	if oauth == nil {
		s.land(w, r, landing{result: s.notConnectable(provider)})
		return
	}
	begun, refused, err := s.begun(r, provider)
	switch {
	case err != nil:
		s.failPage(w, r, err)
		return
	case refused != "":
		s.land(w, r, landing{result: refused, provider: provider})
		return
	case begun == nil:
		s.toDashboard(w, r, url.Values{"enlace_connect": {provider}})
		return
	}
	consent := store.Consent{Connect: *begun}
	if oauth.PKCE {
		consent.Verifier = oauth2.GenerateVerifier()
	}
	secrets, err := s.store.BeginConsent(r.Context(), consent, connectLifetime)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	http.SetCookie(w, s.browserCookie(secrets.State, secrets.Browser, int(connectLifetime.Seconds())))
	http.Redirect(w, r, oauth.AuthCodeURL(secrets.State, s.redirectURL(), consent.Verifier), http.StatusSeeOther)
}

// notConnectable is what a navigation to a provider without credentials here is. Anybody may write such an address, so
// that it is nothing for an operator to be woken by; one of a provider that nobody knows was made by hand.
func (s *Server) notConnectable(provider string) string {
	if s.providers[provider] == nil && !slices.Contains(s.opts.Known, provider) {
		s.log.Info().Str("provider", words.Redact(provider)).Msg("somebody wants to connect a provider that doesn't exist")
		return words.LandingForged
	}
	s.log.Warn().Str("provider", provider).Msg("somebody wants to connect a provider that is not set up")
	return words.LandingSetup
}

// begun decides for which tenant a navigation begins a consent: by its one-time token, else by the browser's session, else,
// if an operator allows that for the time of a move, by its bare word. Nil: for none, the dashboard has to say so first.
// Refused is a result of WORDS §7.
func (s *Server) begun(r *http.Request, provider string) (begun *store.Connect, refused string, err error) {
	query := r.URL.Query()
	session, err := s.sessionOf(r)
	if err != nil {
		return nil, "", err
	}
	switch token := query.Get("connect"); {
	case token != "":
		begun, refused, err = s.byToken(r.Context(), token, provider)
	case session != nil:
		begun = &store.Connect{TenantID: session.Tenant, Provider: provider, Actor: session.Actor}
	case s.opts.AllowBareConnect && query.Get("tenant_id") != "":
		begun = &store.Connect{Provider: provider, Actor: bareActor}
	}
	if err != nil || begun == nil {
		return nil, refused, err
	}
	if named := query.Get("tenant_id"); named != "" {
		tenant, err := uuid.Parse(named)
		if err != nil {
			return nil, words.LandingForged, nil //nolint:nilerr // the address was made by hand
		}
		if begun.TenantID == uuid.Nil { // an admin of all tenants, or a bare link
			begun.TenantID = tenant
		}
		if begun.TenantID != tenant {
			return nil, words.LandingOtherTenant, nil
		}
	}
	switch {
	case begun.TenantID == uuid.Nil:
		return nil, "", nil
	case !session.mayConnectFor(begun.TenantID):
		return nil, words.LandingOtherTenant, nil
	}
	return begun, "", nil
}

func (s *Server) byToken(ctx context.Context, token, provider string) (*store.Connect, string, error) {
	c, err := s.store.UseConnectSession(ctx, token)
	if refused := refusalOf(err); refused != "" {
		return nil, refused, nil
	}
	if err != nil {
		return nil, "", err
	}
	if c.Provider != provider {
		return nil, words.LandingForged, nil
	}
	return &c, "", nil
}

// refusalOf is what a token or state that can't be taken is to a person; empty for other errors.
func refusalOf(err error) string {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return words.LandingForged
	case errors.Is(err, store.ErrUsed):
		return words.LandingUsed
	case errors.Is(err, store.ErrExpired):
		return words.LandingExpired
	case errors.Is(err, store.ErrOtherBrowser):
		return words.LandingOtherBrowser
	}
	return ""
}

// sessionOf is who is signed in with this browser; nil: nobody.
func (s *Server) sessionOf(r *http.Request) (*Principal, error) {
	p, err := s.fromCookie(r)
	if f, ok := errors.AsType[*fault](err); ok && f.code == words.Unauthorized {
		return nil, nil //nolint:nilnil // nobody is no error here
	}
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// mayConnectFor reports whether a browser may give a tenant an account. One in which nobody is signed in may: its token or
// state says for whom. One that is signed in for another tenant may not, as an admin either, lest somebody's link bring
// in a stranger's account; an admin of no tenant in particular may.
func (p *Principal) mayConnectFor(tenant uuid.UUID) bool {
	return p == nil || p.Tenant == tenant || p.Admin && p.Tenant == uuid.Nil
}

// redirectURL is where the provider sends the browser back to: one registered address for all.
func (s *Server) redirectURL() string { return s.publicURL.JoinPath(callbackPath).String() }

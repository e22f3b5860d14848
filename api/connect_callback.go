package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"example.com/enlace/inspect"
	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

// missingRefresh stands for the permission to go on while nobody is there: a grant without a refresh token ends in an hour.
const missingRefresh = "offline_access"

// callback is where the provider sends the browser after the consent page. However it ends, the person lands on the
// dashboard and is told how.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	state := query.Get("state")
	consent, refused, err := s.comeBack(r, state)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	l := landing{result: refused, provider: consent.Provider}
	switch {
	case query.Get("error") != "": // whatever they call it, nothing was given
		l.result = words.LandingDenied
	case refused == "":
		// A code is used up by asking, so the rest is done even if the browser is gone.
		if l, err = s.connect(context.WithoutCancel(r.Context()), consent, query); err != nil {
			s.failPage(w, r, err)
			return
		}
	}
	if refused == "" {
		if l.integration == nil { // so that trying again is for the same one
			l.integration = consent.Wanted
		}
		http.SetCookie(w, s.browserCookie(state, "", -1))
		if err := s.store.EndConsent(context.WithoutCancel(r.Context()), state, l.result); err != nil {
			s.log.Warn().Err(err).Msg("what came of a consent could not be noted")
		}
	}
	s.land(w, r, l)
}

// comeBack takes the consent that a state stands for, if it is this browser's. Refused is a result of WORDS §7.
func (s *Server) comeBack(r *http.Request, state string) (consent store.Consent, refused string, err error) {
	if state == "" { // an install that began at the provider
		return consent, words.LandingForged, nil
	}
	begun := store.BegunConsent{State: state}
	if cookie, err := r.Cookie(s.browserCookie(state, "", 0).Name); err == nil {
		begun.Browser = cookie.Value
	}
	consent, err = s.store.TakeConsent(r.Context(), begun)
	if refused := refusalOf(err); refused != "" {
		return consent, refused, nil
	}
	if err != nil {
		return consent, "", err
	}
	session, err := s.sessionOf(r)
	if err != nil {
		return consent, "", err
	}
	if !session.mayConnectFor(consent.TenantID) {
		return consent, words.LandingOtherTenant, nil
	}
	return consent, "", nil
}

// connect turns the code of a consent into a connected integration. The error is ours; what the provider refuses is a landing.
func (s *Server) connect(ctx context.Context, consent store.Consent, query url.Values) (landing, error) {
	l := landing{provider: consent.Provider}
	oauth := s.oauthOf(consent.Provider)
	if oauth == nil { // set up when the consent began, and no longer
		l.result = words.LandingSetup
		return l, nil
	}
	if query.Get("code") == "" {
		l.result = words.LandingCode
		return l, nil
	}
	grant, err := s.exchange(ctx, oauth, consent, query)
	if err != nil {
		return s.refusedBy(consent, err)
	}
	if l.missing = oauth.Missing(grant.Scopes); len(l.missing) > 0 {
		l.result = words.LandingPartial
		s.vault.DropGrant(ctx, consent.Provider, grant)
		return l, nil
	}
	id, result, found, err := s.connectAccount(ctx, oauth, consent, grant)
	if errors.Is(err, store.ErrNoRefreshToken) {
		l.result, l.missing = words.LandingPartial, []string{missingRefresh}
		return l, nil
	}
	if err != nil {
		s.vault.DropGrant(ctx, consent.Provider, grant)
		return s.refusedBy(consent, err)
	}
	l.result, l.integration, l.found = string(result), &id, found
	s.noteConnect(ctx, consent, id, l.result)
	if p := s.providers[consent.Provider]; p.Changes != nil && p.Changes.Subscribe != nil {
		if err := s.jobs.Subscribe(ctx); err != nil { // a round comes every minute anyway
			s.log.Warn().Err(err).Stringer("integration_id", id).Msg("could not subscribe to notifications at once")
		}
	}
	return l, nil
}

// exchange turns the callback's code into a grant, at the token host that the callback names.
func (s *Server) exchange(ctx context.Context, oauth *providers.OAuth, consent store.Consent, query url.Values) (providers.Grant, error) {
	var authServer string
	if oauth.AuthServer != nil {
		var err error
		if authServer, err = oauth.AuthServer(query); err != nil {
			return providers.Grant{}, err
		}
	}
	return oauth.Exchange(ctx, authServer, query.Get("code"), s.redirectURL(), consent.Verifier)
}

// connectAccount finds out whose the grant is and what the account holds, and stores it. Found is nil if that could not be
// read just now. [store.ErrNoRefreshToken] as by [vault.Vault.StoreGrant].
func (s *Server) connectAccount(ctx context.Context, oauth *providers.OAuth, consent store.Consent, grant providers.Grant) (
	id uuid.UUID, result store.ConnectResult, found *inspect.Found, err error,
) {
	account := providers.Account{APIDomain: grant.APIDomain, AuthServer: grant.AuthServer}
	client := s.vault.GrantClient(consent.Provider, grant)
	identity, err := oauth.Identify(ctx, account, client)
	if err != nil && grant.RefreshToken == "" { // whoever it is: the grant is of no use for long
		return uuid.Nil, "", nil, store.ErrNoRefreshToken
	}
	if err != nil {
		return uuid.Nil, "", nil, err
	}
	account.ExternalID = identity.ExternalID
	seen, probeErr := s.inspect.Probe(ctx, consent.Provider, account, client)
	if useless(probeErr) {
		return uuid.Nil, "", nil, probeErr
	}
	id, result, err = s.vault.StoreGrant(ctx, vault.Connection{
		TenantID: consent.TenantID, Provider: consent.Provider, Identity: identity, Grant: grant, Wanted: value(consent.Wanted),
	})
	if err != nil {
		return id, result, nil, err
	}
	if probeErr != nil { // the first sync meets it again, and tells people
		s.log.Warn().Err(probeErr).Str("provider", consent.Provider).Stringer("integration_id", id).Msg("what a new account holds could not be read yet")
		return id, result, nil, s.blocked(ctx, id, probeErr)
	}
	if err := s.store.NoteFound(ctx, id, seen.Contacts, seen.More); err != nil {
		s.log.Warn().Err(err).Stringer("integration_id", id).Msg("what a new account holds could not be noted")
	}
	return id, result, &seen, nil
}

// useless reports whether a grant can't read contacts, and won't by itself: nothing is connected then.
func useless(err error) bool {
	kind := providers.KindOf(err)
	return err != nil && (kind == providers.NeedsReauth || kind == providers.Misconfigured)
}

// blocked opens the incident of an account that is connected and may not read contacts yet: its token is fine, and a person
// at the provider can change that.
func (s *Server) blocked(ctx context.Context, id uuid.UUID, cause error) error {
	e, ok := errors.AsType[*providers.Error](cause)
	if !ok || e.Kind != providers.Blocked {
		return nil
	}
	return s.store.Tx(ctx, func(tx pgx.Tx) error {
		in, err := s.store.LockIntegration(ctx, tx, nil, id)
		if err != nil {
			return err
		}
		_, err = s.store.OpenIncident(ctx, tx, in, store.Trouble{Code: string(words.Blocked), Variant: e.Variant, Detail: words.Redact(e.Detail)})
		return err
	})
}

func (s *Server) noteConnect(ctx context.Context, consent store.Consent, id uuid.UUID, result string) {
	s.log.Info().Str("provider", consent.Provider).Stringer("tenant_id", consent.TenantID).Stringer("integration_id", id).
		Str("actor", consent.Actor).Str("result", result).Msg("an account was connected")
	if err := s.store.Audit(ctx, nil, store.Audit{
		TenantID: &consent.TenantID, Actor: consent.Actor, Action: "integration.connect", Subject: id.String(), Details: map[string]any{"result": result},
	}); err != nil {
		s.log.Warn().Err(err).Stringer("integration_id", id).Msg("a connect could not be noted in the audit log")
	}
}

// refusedBy is the landing of what a provider refused, which goes to the log as well.
func (s *Server) refusedBy(consent store.Consent, err error) (landing, error) {
	refusal, ok := errors.AsType[*providers.Error](err)
	if !ok || refusal.Kind == providers.Internal {
		return landing{}, err
	}
	l := landing{result: resultOf(refusal.Kind), provider: consent.Provider, retryAt: refusal.RetryAt}
	level := zerolog.WarnLevel
	if l.result == words.LandingSetup {
		level = zerolog.ErrorLevel // the operator's to mend
	}
	s.log.WithLevel(level).Err(err).Str("provider", consent.Provider).Stringer("tenant_id", consent.TenantID).Str("result", l.result).Msg("a consent could not be completed")
	return l, nil
}

// resultOf is what a provider's refusal, while an account is being connected, is to the person.
func resultOf(kind providers.ErrorKind) string {
	switch kind {
	case providers.Transient, providers.SchemaChanged, providers.UnknownOutcome, providers.Internal:
		return words.LandingProviderDown
	case providers.RateLimited, providers.QuotaExhausted:
		return words.LandingThrottled
	case providers.Misconfigured:
		return words.LandingSetup
	case providers.InvalidRequest, providers.NeedsReauth, providers.Blocked, providers.NotFound, providers.CursorExpired, providers.ListTooLong:
		return words.LandingCode
	}
	return words.LandingProviderDown
}

// browserCookie binds a consent to the browser that began it. Each consent has its own, so that two tabs don't disturb each
// other.
func (s *Server) browserCookie(state, value string, maxAge int) *http.Cookie {
	sum := sha256.Sum256([]byte(state))
	cookie := s.cookie(value, maxAge) //nolint:gosec // HttpOnly and Lax; Secure where PUBLIC_URL is https
	cookie.Name = strings.Replace(cookie.Name, "session", "connect_"+hex.EncodeToString(sum[:8]), 1)
	return &cookie
}

// toDashboard sends the browser to the dashboard, and to no other place.
func (s *Server) toDashboard(w http.ResponseWriter, r *http.Request, add url.Values) {
	target := *s.dashboardURL
	if target.Path == "" {
		target.Path = "/"
	}
	query := target.Query()
	for name := range add {
		query.Set(name, add.Get(name))
	}
	target.RawQuery = query.Encode()
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}
